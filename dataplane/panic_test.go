package dataplane

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/reactor"
	"github.com/trellis-project/trellis/sigv4"
)

// TestPanic serves requests whose callers make the node panic, by both versions of HTTP, when their bodies are held already:
// the client sees its request fail, the log tells why, nothing is held afterwards, and others are served.
func TestPanic(t *testing.T) {
	for _, protocol := range []trellis.Protocol{trellis.ProtocolHTTP, trellis.ProtocolHTTPS} {
		for _, version := range []string{"HTTP/1.1", "HTTP/2.0"} {
			t.Run(string(protocol)+" "+version, func(t *testing.T) {
				var log bytes.Buffer
				nobody := func(string, string) (*authpolicy.Caller, *sigv4.Key, error) { return nil, sigv4.NewKey(secret), nil }
				o := Options{Workers: 1, Callers: nobody, Logger: slog.New(slog.NewTextHandler(&log, nil))}
				w, client, base := panicking(t, protocol, version, "HTTP1", o)
				body := bytes.Repeat([]byte("b"), 70_000)
				sum := sha256.Sum256(body)
				r := sigv4.Request{Method: "POST", Path: "/", Host: host, Headers: []sigv4.Field{{Name: "Host", Value: host}}}
				signature := sigv4.Sign(&r, keyID, secret, "", region, signingName, hex.EncodeToString(sum[:]), time.Now())
				const times = 3
				for range times {
					req, err := http.NewRequest("POST", base+"/", bytes.NewReader(body))
					if err != nil {
						t.Fatal(err)
					}
					for _, f := range signature {
						req.Header.Set(f.Name, f.Value)
					}
					if resp, err := client.Do(req); err == nil {
						t.Errorf("answered with %d", resp.StatusCode)
						resp.Body.Close()
					}
					w.settle()
				}
				w.serves(client, base, version)
				if n := strings.Count(log.String(), "request handling panicked"); n != times {
					t.Errorf("%d panics in the log:\n%s", n, log.String())
				}
			})
		}
	}
}

// TestPanicBeside makes the fiber panic that sends a request's body, by both versions of HTTP on both sides: as TestPanic.
func TestPanicBeside(t *testing.T) {
	for _, protocol := range []trellis.Protocol{trellis.ProtocolHTTP, trellis.ProtocolHTTPS} {
		for _, versions := range [][2]string{{"HTTP/1.1", "HTTP1"}, {"HTTP/2.0", "HTTP1"}, {"HTTP/2.0", "HTTP2"}} {
			t.Run(string(protocol)+" "+versions[0]+" to "+versions[1], func(t *testing.T) {
				var armed atomic.Bool
				var log bytes.Buffer
				now := func() time.Time { // is asked at the end of a body
					stack := make([]byte, 64<<10)
					if armed.Load() && bytes.Contains(stack[:runtime.Stack(stack, false)], []byte(").upload(")) {
						panic("the clock is broken")
					}
					return time.Now()
				}
				w, client, base := panicking(t, protocol, versions[0], versions[1], Options{Workers: 1, Now: now, Logger: slog.New(slog.NewTextHandler(&log, nil))})
				armed.Store(true)
				const times = 3
				for range times {
					if resp, err := client.Post(base+"/", "", bytes.NewReader(bytes.Repeat([]byte("b"), 200_000))); err == nil {
						t.Errorf("answered with %d", resp.StatusCode)
						resp.Body.Close()
					}
					w.settle()
				}
				armed.Store(false)
				w.serves(client, base, versions[0])
				if n := strings.Count(log.String(), "request handling panicked"); n != times {
					t.Errorf("%d panics in the log:\n%s", n, log.String())
				}
			})
		}
	}
}

// unread is a side of a connection of which nothing comes, until somebody ends the wait.
type unread struct {
	side
	loop  *reactor.Loop
	ended reactor.Signal
	err   error
}

func (u *unread) WaitRead() error {
	u.loop.Await(&u.ended, time.Hour)
	return u.err
}
func (u *unread) SetReadDeadline(time.Duration)  {}
func (u *unread) SetWriteDeadline(time.Duration) {}
func (u *unread) Interrupt(err error) {
	u.err = err
	u.ended.Set()
}

// broken is a side that panics when it is read.
type broken struct{ unread }

func (b *broken) WaitRead() error          { return nil }
func (b *broken) Read([]byte) (int, error) { panic("the connection is broken") }

// task is a function that a fiber runs.
type task func()

func (f task) Run() { f() }

// TestPanicCarried makes each direction of what is carried panic: the other one ends, the request's own fiber panics then, once,
// and no buffer is lost.
func TestPanicCarried(t *testing.T) {
	for _, upward := range []bool{true, false} {
		var log bytes.Buffer
		w := newWorld(t)
		w.serve(Options{Workers: 1, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		got := make(chan any, 1)
		w.workers(func(x *worker) {
			x.loop.Go(task(func() {
				defer func() { got <- recover() }()
				quiet, bad := &unread{loop: x.loop}, &broken{}
				e := &exchange{w: x, idle: time.Hour}
				if upward {
					e.carry(bad, quiet, nil)
				} else {
					e.carry(quiet, bad, nil)
				}
			}))
		})
		if p := <-got; p != errPanicked {
			t.Errorf("panicked with %v", p)
		}
		w.workers(func(x *worker) {
			if n := x.loop.BuffersOut(); n != 0 {
				t.Errorf("buffers of %d bytes are held", n)
			}
		})
		if n := strings.Count(log.String(), "request handling panicked"); n != 1 {
			t.Errorf("%d panics in the log:\n%s", n, log.String())
		}
	}
}

// panicking is a world with a client that speaks a version of HTTP, and targets that read what they are sent.
func panicking(t *testing.T, protocol trellis.Protocol, version, to string, o Options) (*world, *http.Client, string) {
	w, client, base := versions(t, protocol, trellis.ProtocolHTTP, to, o, func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
	if version == "HTTP/1.1" {
		p := new(http.Protocols)
		p.SetHTTP1(true)
		client.Transport.(*http.Transport).Protocols = p
	}
	return w, client, base
}

// serves fails the test unless a request is served and nothing is held afterwards.
func (w *world) serves(client *http.Client, base, version string) {
	w.t.Helper()
	resp, err := client.Get(base + "/")
	if err != nil {
		w.t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 200 || resp.Proto != version {
		w.t.Errorf("afterwards: %s %s", resp.Proto, resp.Status)
	}
	client.CloseIdleConnections()
	w.settle()
	w.workers(func(x *worker) {
		for _, tenant := range x.tenants {
			if tenant.serving != 0 {
				w.t.Errorf("%d are served", tenant.serving)
			}
		}
	})
}
