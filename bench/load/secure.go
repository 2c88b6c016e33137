package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// config is the client's side of TLS: TLS 1.3 with X25519, which all proxies know, and without the hybrid key exchange
// that only some do, so that all do the same work.
func (o options) config(cache tls.ClientSessionCache) *tls.Config {
	return &tls.Config{ServerName: o.name, InsecureSkipVerify: true, MinVersion: tls.VersionTLS13, CurvePreferences: []tls.CurveID{tls.X25519},
		NextProtos: []string{"http/1.1"}, ClientSessionCache: cache}
}

// secured opens a connection with TLS and makes one request. resumed tells whether the handshake was short.
func (o options) secured(config *tls.Config, request, buf []byte) (c *tls.Conn, resumed bool, err error) {
	plain, err := net.Dial("tcp", o.to)
	if err != nil {
		return nil, false, err
	}
	c = tls.Client(plain, config)
	if _, err = c.Write(request); err == nil {
		err = good(c, buf)
	}
	if err != nil {
		plain.Close()
		return nil, false, err
	}
	return c, c.ConnectionState().DidResume, nil
}

// good reads an answer, which must be 200.
func good(c *tls.Conn, buf []byte) error {
	for n := 0; ; {
		k, err := c.Read(buf[n:])
		n += k
		status, whole, bad := answer(buf[:n])
		switch {
		case bad != nil:
			return bad
		case whole && status != 200:
			return fmt.Errorf("status %d", status)
		case whole:
			return nil
		case err != nil:
			return err
		}
	}
}

// secure opens connections until the time is over, several at a time, and says how many were answered and how many of
// them had resumed a session.
func secure(o options) error {
	var mu sync.Mutex
	var errs error
	answered, resumptions := 0, 0
	begun := time.Now()
	var g sync.WaitGroup
	for range o.connections {
		g.Go(func() {
			var cache tls.ClientSessionCache
			if o.resume {
				cache = tls.NewLRUClientSessionCache(1)
			}
			config, request, buf := o.config(cache), o.request(), make([]byte, 16<<10)
			n, short := 0, 0
			for time.Since(begun) < o.length {
				c, resumed, err := o.secured(config, request, buf)
				if err != nil {
					mu.Lock()
					errs = errors.Join(errs, err)
					mu.Unlock()
					return
				}
				c.Close()
				if n++; resumed {
					short++
				}
			}
			mu.Lock()
			defer mu.Unlock()
			answered, resumptions = answered+n, resumptions+short
		})
	}
	g.Wait()
	if errs != nil {
		return errs
	}
	return say(map[string]any{"answered": answered, "resumed": resumptions, "seconds": time.Since(begun).Seconds()})
}

// idleSecured is idle with TLS. All but the first connection resume a session: what a connection holds afterwards is the
// same, and it takes a fraction of the time.
func idleSecured(o options) error {
	config, request, buf := o.config(tls.NewLRUClientSessionCache(1)), o.request(), make([]byte, 16<<10)
	held := make([]*tls.Conn, 0, o.connections)
	for range o.connections {
		c, _, err := o.secured(config, request, buf)
		if err != nil {
			return err
		}
		held = append(held, c)
	}
	defer func() {
		for _, c := range held {
			c.NetConn().Close()
		}
	}()
	return hold(len(held))
}

// greeting is the ClientHello of a connection.
func (o options) greeting() ([]byte, error) {
	var g recorder
	if err := tls.Client(&g, o.config(nil)).Handshake(); len(g.written) == 0 {
		return nil, fmt.Errorf("no ClientHello: %w", err)
	}
	return g.written, nil
}

// recorder is a connection whose other side says nothing.
type recorder struct {
	net.Conn
	written []byte
}

// Write keeps what is written.
func (r *recorder) Write(b []byte) (int, error) {
	r.written = append(r.written, b...)
	return len(b), nil
}

// Read is the end.
func (r *recorder) Read([]byte) (int, error) { return 0, io.EOF }

// Close does nothing.
func (r *recorder) Close() error { return nil }
