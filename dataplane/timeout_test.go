package dataplane

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/trellis-project/trellis/reactor"
)

// onClock runs a test with a data plane on a clock that the test puts forward. The target does what answer says
// with each connection.
func onClock(t *testing.T, o Options, answer func(c net.Conn), test func(w *world, k *clock)) {
	w := newWorld(t, behave(t, answer))
	k := &clock{w: w}
	o.Now = k.now
	w.serve(o)
	test(w, k)
}

// clock is a clock that can be put forward.
type clock struct {
	w     *world
	ahead atomic.Int64
}

// now is the time.
func (k *clock) now() time.Time { return time.Now().Add(time.Duration(k.ahead.Load())) }

// advance puts the clock forward and waits until every worker has looked at it.
func (k *clock) advance(d time.Duration) {
	k.ahead.Add(int64(d))
	for range 2 {
		k.w.workers(func(*worker) {})
	}
}

// workers calls f on each worker.
func (w *world) workers(f func(*worker)) {
	<-w.server.running
	for _, x := range w.server.workers {
		x.do(func() { f(x) })
	}
}

// await waits until a client's connection is as cond says.
func (w *world) await(cond func(c *conn) bool) {
	w.t.Helper()
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); yield() {
		found := false
		w.workers(func(x *worker) {
			x.loop.Each(func(o reactor.Owner) {
				if c, ok := o.(*conn); ok && cond(c) {
					found = true
				}
			})
		})
		if found {
			return
		}
	}
	w.t.Fatal("no connection comes to be so")
}

// What connections wait for, for world.await.
func resting(c *conn) bool { return c.state == idle }
func reading(c *conn) bool {
	return c.state == busy && c.x != nil && c.x.inEnd > 0 && c.x.target == nil
}
func answering(c *conn) bool {
	return c.state == busy && c.x != nil && c.x.target != nil && c.x.service != nil
}
func streaming(c *conn) bool { return answering(c) && c.x.rec.BytesSent > 0 }

// lasts checks that what done tells of takes as long as it should, give or take a second.
func (k *clock) lasts(what string, limit time.Duration, done <-chan struct{}) {
	k.w.t.Helper()
	k.advance(limit - time.Second)
	select {
	case <-done:
		k.w.t.Fatalf("%s: more than a second before %v", what, limit)
	default:
	}
	k.advance(2 * time.Second)
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		k.w.t.Fatalf("%s: not a second after %v", what, limit)
	}
}

// all reads what comes until the connection ends.
func all(c net.Conn) (done chan struct{}, out *[]byte) {
	done, out = make(chan struct{}), new([]byte)
	go func() {
		defer close(done)
		*out, _ = io.ReadAll(c)
	}()
	return done, out
}

// answer reads one answer, and tells how that failed.
func answer(c net.Conn) (done chan struct{}, failed *error) {
	done, failed = make(chan struct{}), new(error)
	go func() {
		defer close(done)
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err == nil {
			_, err = io.ReadAll(resp.Body)
		}
		*failed = err
	}()
	return done, failed
}

// silent reads what comes and never answers.
func silent(c net.Conn) { io.Copy(io.Discard, c) }

const get = "GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n"

// TestHeadTimeout checks that a head that does not come to its end in 5 s is answered with 408, however steadily it
// comes.
func TestHeadTimeout(t *testing.T) {
	onClock(t, Options{}, silent, func(w *world, k *clock) {
		c := w.dial()
		defer c.Close()
		io.WriteString(c, "GET / HTTP/1.1\r\nHost:")
		w.await(reading)
		k.advance(3 * time.Second)
		io.WriteString(c, " x")
		w.await(func(c *conn) bool { return reading(c) && c.x.inEnd > len("GET / HTTP/1.1\r\nHost:") })
		done, out := all(c)
		k.lasts("408", headTimeout-3*time.Second, done)
		if !strings.HasPrefix(string(*out), "HTTP/1.1 408 ") || !strings.Contains(string(*out), "Connection: close") {
			t.Errorf("%q", *out)
		}
	})
}

// TestIdle checks that a connection without a request is closed after the idle timeout, without a word, the first
// time and after a request.
func TestIdle(t *testing.T) {
	for _, first := range []string{"", "GET /fixed404 HTTP/1.1\r\nHost: " + host + "\r\n\r\n"} {
		onClock(t, Options{}, silent, func(w *world, k *clock) {
			c := w.dial()
			defer c.Close()
			r := bufio.NewReader(c)
			if first != "" {
				io.WriteString(c, first)
				resp, err := http.ReadResponse(r, nil)
				if err != nil {
					t.Fatal(err)
				}
				io.Copy(io.Discard, resp.Body)
			}
			w.await(resting)
			done, out := make(chan struct{}), []byte(nil)
			go func() { defer close(done); out, _ = io.ReadAll(r) }()
			k.lasts("closed", defaultIdle, done)
			if len(out) != 0 {
				t.Errorf("%q", out)
			}
		})
	}
}

// TestTargetSilent checks a target that never answers: 500, and the record says TargetDataTimeout.
func TestTargetSilent(t *testing.T) {
	onClock(t, Options{}, silent, func(w *world, k *clock) {
		c := w.dial()
		defer c.Close()
		io.WriteString(c, strings.Replace(get, "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1))
		w.await(answering)
		done, out := all(c)
		k.lasts("500", defaultIdle, done)
		if !strings.HasPrefix(string(*out), "HTTP/1.1 500 ") {
			t.Errorf("%q", *out)
		}
		if r := w.record(0); r.FailureReason != failTargetTimeout {
			t.Errorf("failure %q", r.FailureReason)
		}
	})
}

// TestTargetStalls checks a target that stops in the middle of a body: the client sees the body cut.
func TestTargetStalls(t *testing.T) {
	onClock(t, Options{}, func(c net.Conn) {
		http.ReadRequest(bufio.NewReader(c))
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello")
		silent(c)
	}, func(w *world, k *clock) {
		c := w.dial()
		defer c.Close()
		io.WriteString(c, get)
		w.await(streaming)
		done, failed := answer(c)
		k.lasts("cut", defaultIdle, done)
		if *failed == nil {
			t.Error("the body ended as if it were whole")
		}
		if r := w.record(0); r.FailureReason != failTargetTimeout || r.ResponseCode != 200 {
			t.Errorf("%q %d", r.FailureReason, r.ResponseCode)
		}
	})
}

// TestClientStalls checks a client that stops in the middle of a body.
func TestClientStalls(t *testing.T) {
	onClock(t, Options{}, silent, func(w *world, k *clock) {
		c := w.dial()
		defer c.Close()
		io.WriteString(c, "POST / HTTP/1.1\r\nHost: "+host+"\r\nContent-Length: 100\r\n\r\nhello")
		w.await(answering)
		done, out := all(c)
		k.advance(defaultIdle - time.Second)
		select {
		case <-done:
			t.Fatalf("answered too early: %q", *out)
		default:
		}
		k.advance(2 * time.Second)
		k.advance(lingerTimeout + time.Second)
		<-done
		if s := string(*out); !strings.HasPrefix(s, "HTTP/1.1 408 ") && !strings.HasPrefix(s, "HTTP/1.1 500 ") {
			t.Errorf("%q", s)
		}
	})
}

// TestClientDoesNotRead checks that a client that takes no more of its answer is let go.
func TestClientDoesNotRead(t *testing.T) {
	onClock(t, Options{}, func(c net.Conn) {
		http.ReadRequest(bufio.NewReader(c))
		io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
		for {
			if _, err := c.Write(make([]byte, 1<<20)); err != nil {
				return
			}
		}
	}, func(w *world, k *clock) {
		c := w.dial()
		defer c.Close()
		io.WriteString(c, get)
		w.await(streaming)
		var before int64 = -1
		for stuck := 0; stuck < 20; yield() { // until what the kernel takes is full
			var sent int64
			w.await(func(c *conn) bool { sent = c.x.rec.BytesSent; return true })
			if stuck++; sent != before {
				before, stuck = sent, 0
			}
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			if r := w.record(0); r.FailureReason != failClientClosed {
				t.Errorf("failure %q", r.FailureReason)
			}
		}()
		k.lasts("let go", defaultIdle, done)
	})
}

// TestSlowUpload checks that a body that keeps coming, however slowly, is no reason to give up on the answer.
func TestSlowUpload(t *testing.T) {
	onClock(t, Options{}, func(c net.Conn) {
		r, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil {
			return
		}
		io.Copy(io.Discard, r.Body)
		io.WriteString(c, defaultAnswer)
		silent(c)
	}, func(w *world, k *clock) {
		c := w.dial()
		defer c.Close()
		io.WriteString(c, "POST / HTTP/1.1\r\nHost: "+host+"\r\nContent-Length: 10\r\n\r\n")
		w.await(answering)
		for i := range 10 {
			k.advance(50 * time.Second)
			io.WriteString(c, "x")
			if i < 9 {
				// The byte has gone on when both waits last until a minute from now.
				w.await(func(c *conn) bool { return answering(c) && !c.HasNews() })
				k.advance(0)
			}
		}
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || resp.StatusCode != 200 {
			t.Fatal(resp, err)
		}
	})
}

// TestLifetime checks that strict mode ends connections after ten minutes, those in use too.
func TestLifetime(t *testing.T) {
	onClock(t, Options{Strict: true}, func(c net.Conn) {
		http.ReadRequest(bufio.NewReader(c))
		io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
		for {
			if _, err := io.WriteString(c, "1\r\nx\r\n"); err != nil {
				return
			}
			yield()
		}
	}, func(w *world, k *clock) {
		c := w.dial()
		defer c.Close()
		io.WriteString(c, get)
		w.await(streaming)
		done, failed := answer(c)
		for range 11 {
			k.advance(50 * time.Second) // in steps: the body goes on meanwhile
			for range 5 {
				yield()
			}
		}
		k.lasts("cut", strictLifetime-11*50*time.Second, done)
		if *failed == nil {
			t.Error("the body ended as if it were whole")
		}
		if r := w.record(0); r.FailureReason != failTooLong {
			t.Errorf("failure %q", r.FailureReason)
		}
	})
}

// TestLastRequestBeforeTheLifetime checks that a connection that would soon be too old says so with its answer.
func TestLastRequestBeforeTheLifetime(t *testing.T) {
	onClock(t, Options{Strict: true}, silent, func(w *world, k *clock) {
		c := w.dial()
		defer c.Close()
		w.await(resting)
		for range 11 {
			k.advance(50 * time.Second)
			io.WriteString(c, "GET /fixed404 HTTP/1.1\r\nHost: "+host+"\r\n\r\n")
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil || resp.Close {
				t.Fatal(resp, err)
			}
			w.await(resting)
		}
		k.advance(strictLifetime - 11*50*time.Second - 2*time.Second)
		io.WriteString(c, "GET /fixed404 HTTP/1.1\r\nHost: "+host+"\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || !resp.Close {
			t.Fatal(resp, err)
		}
	})
}

// TestDrainBound checks that a request that does not end is cut when the drain's time is up.
func TestDrainBound(t *testing.T) {
	w := newWorld(t, behave(t, silent))
	w.make(Options{DrainTimeout: 50 * time.Millisecond})
	socket := w.listen()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	go func() { ended <- w.server.Run(ctx) }()
	go func() { ended <- w.server.Serve(ctx, socket, vpcID, slot, port) }()
	c, err := net.Dial("tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, get)
	w.await(answering)
	cancel()
	for range 2 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if r := w.record(0); r.FailureReason == failNone {
		t.Errorf("the request that was cut looks fine: %+v", r)
	}
}
