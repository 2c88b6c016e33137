package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/websocket"
	"google.golang.org/grpc"
)

// asIs passes messages of gRPC as they are, so that no code is generated for them.
type asIs struct{}

// Marshal is encoding.Codec's.
func (asIs) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }

// Unmarshal is encoding.Codec's.
func (asIs) Unmarshal(b []byte, v any) error {
	*v.(*[]byte) = append([]byte(nil), b...)
	return nil
}

// Name is encoding.Codec's.
func (asIs) Name() string { return "as-is" }

// webTarget is the handler of a target that speaks HTTP/1.1, HTTP/2, gRPC and WebSocket, all at one port. Over the last two it
// says who it is and what it has heard, message by message.
func webTarget(name string) http.Handler {
	plain := newGoTarget(name, 0)
	calls := grpc.NewServer(grpc.ForceServerCodec(asIs{}), grpc.UnknownServiceHandler(func(_ any, s grpc.ServerStream) error {
		for {
			var heard []byte
			if err := s.RecvMsg(&heard); err != nil {
				return nil // the client has ended, or is gone
			}
			said := []byte(name + " " + string(heard))
			if err := s.SendMsg(&said); err != nil {
				return err
			}
		}
	}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc"):
			calls.ServeHTTP(w, r)
		case r.URL.Path == "/socket":
			up := websocket.Upgrader{}
			c, err := up.Upgrade(w, r, nil)
			if err != nil {
				return
			}
			defer c.Close()
			for {
				kind, heard, err := c.ReadMessage()
				if err != nil || c.WriteMessage(kind, []byte(name+" "+string(heard))) != nil {
					return
				}
			}
		default:
			plain.ServeHTTP(w, r)
		}
	})
}

// serveWeb serves a webTarget.
func serveWeb(ln net.Listener, name string) error {
	s := &http.Server{Handler: webTarget(name), ReadHeaderTimeout: 10 * time.Second, Protocols: new(http.Protocols)}
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	return s.Serve(ln)
}

// serveLines is a target without HTTP: for each line it says who it is and what it has heard. Who begins with TLS gets that, with
// a certificate of the target's own.
func serveLines(ln net.Listener, name string) error {
	pair, err := ownPair(passedName)
	if err != nil {
		return err
	}
	for {
		c, err := ln.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			r := bufio.NewReader(c)
			first, err := r.Peek(1)
			if err != nil {
				return
			}
			const recordHandshake = 22 // RFC 8446 5.1
			if first[0] == recordHandshake {
				secure := tls.Server(&readFirst{c, r}, &tls.Config{Certificates: []tls.Certificate{pair}})
				defer secure.Close()
				c, r = secure, bufio.NewReader(secure)
			}
			for {
				line, err := r.ReadString('\n')
				if err != nil {
					return
				}
				if _, err := fmt.Fprintf(c, "%s %s", name, line); err != nil {
					return
				}
			}
		}()
	}
}

// readFirst is a connection of which something has been read ahead.
type readFirst struct {
	net.Conn
	r *bufio.Reader
}

// Read reads what was read ahead first.
func (c *readFirst) Read(b []byte) (int, error) { return c.r.Read(b) }

// ownPair makes a certificate that signs itself, and its key.
func ownPair(name string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(1000 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
