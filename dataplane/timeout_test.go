package dataplane

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// memoryListener hands out one end of each connection that dial makes, all in memory.
type memoryListener struct {
	conns chan net.Conn
	done  chan struct{}
}

// Accept is net.Listener's.
func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close is net.Listener's.
func (l *memoryListener) Close() error {
	select {
	case <-l.done:
	default:
		close(l.done)
	}
	return nil
}

// Addr is net.Listener's.
func (l *memoryListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

// inMemory runs a test with a data plane whose clients and targets are in memory, on a clock of its own. The
// target does what answer says with each connection.
func inMemory(t *testing.T, o Options, answer func(c net.Conn), test func(t *testing.T, w *world)) {
	synctest.Test(t, func(t *testing.T) {
		var targets sync.WaitGroup
		t.Cleanup(targets.Wait) // after the target group has let its connections go
		w := newWorld(t, netip.MustParseAddrPort("127.0.0.1:9"))
		w.make(o, func(context.Context, string, netip.AddrPort) (net.Conn, error) {
			near, far := net.Pipe()
			targets.Go(func() {
				defer far.Close()
				answer(far)
			})
			return near, nil
		})
		l := &memoryListener{make(chan net.Conn), make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.server.Serve(ctx, l, vpcID, slot, port) }()
		w.dial = func() net.Conn {
			near, far := net.Pipe()
			l.conns <- far
			return near
		}
		test(t, w)
		cancel()
		if err := <-ended; err != nil && !errors.Is(err, net.ErrClosed) {
			t.Errorf("Serve: %v", err)
		}
	})
}

// silent reads what comes and never answers.
func silent(c net.Conn) { io.Copy(io.Discard, c) }

// send writes in the background, as a client that also reads does.
func send(c net.Conn, s string) { go io.WriteString(c, s) }

// within checks that a time is what it should be, give or take the coarseness of the watch.
func within(t *testing.T, what string, got, want time.Duration) {
	t.Helper()
	if got < want-2*watchEvery || got > want+2*watchEvery {
		t.Errorf("%s after %v, want %v", what, got, want)
	}
}

const get = "GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n"

// TestHeadTimeout checks that a head that does not come to its end in 5 s is answered with 408.
func TestHeadTimeout(t *testing.T) {
	inMemory(t, Options{}, silent, func(t *testing.T, w *world) {
		c, start := w.dial(), time.Now()
		defer c.Close()
		send(c, "GET / HTTP/1.1\r\nHost:")
		out, _ := io.ReadAll(c)
		within(t, "408", time.Since(start), headTimeout)
		if !strings.HasPrefix(string(out), "HTTP/1.1 408 ") || !strings.Contains(string(out), "Connection: close") {
			t.Errorf("%q", out)
		}
	})
}

// TestIdle checks that a connection without a request is closed after the idle timeout, without a word.
func TestIdle(t *testing.T) {
	inMemory(t, Options{}, silent, func(t *testing.T, w *world) {
		c, start := w.dial(), time.Now()
		defer c.Close()
		out, _ := io.ReadAll(c)
		within(t, "closed", time.Since(start), defaultIdle)
		if len(out) != 0 {
			t.Errorf("%q", out)
		}
	})
}

// TestTargetSilent checks a target that never answers: 500, and the record says TargetDataTimeout.
func TestTargetSilent(t *testing.T) {
	inMemory(t, Options{}, silent, func(t *testing.T, w *world) {
		c, start := w.dial(), time.Now()
		defer c.Close()
		send(c, get)
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || resp.StatusCode != 500 {
			t.Fatal(resp, err)
		}
		within(t, "500", time.Since(start), defaultIdle)
		io.Copy(io.Discard, resp.Body)
		synctest.Wait()
		if r := w.record(0); r.FailureReason != failTargetTimeout {
			t.Errorf("failure %q", r.FailureReason)
		}
	})
}

// TestTargetStalls checks a target that stops in the middle of a body: the client sees the body cut.
func TestTargetStalls(t *testing.T) {
	inMemory(t, Options{}, func(c net.Conn) {
		http.ReadRequest(bufio.NewReader(c))
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello")
		silent(c)
	}, func(t *testing.T, w *world) {
		c, start := w.dial(), time.Now()
		defer c.Close()
		send(c, get)
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(resp.Body); string(b) != "hello" || err != io.ErrUnexpectedEOF {
			t.Errorf("%q %v", b, err)
		}
		within(t, "cut", time.Since(start), defaultIdle)
		synctest.Wait()
		if r := w.record(0); r.FailureReason != failTargetTimeout || r.ResponseCode != 200 {
			t.Errorf("%q %d", r.FailureReason, r.ResponseCode)
		}
	})
}

// TestClientStalls checks a client that stops in the middle of a body.
func TestClientStalls(t *testing.T) {
	inMemory(t, Options{}, silent, func(t *testing.T, w *world) {
		c, start := w.dial(), time.Now()
		defer c.Close()
		send(c, "POST / HTTP/1.1\r\nHost: "+host+"\r\nContent-Length: 100\r\n\r\nhello")
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || resp.StatusCode != 408 && resp.StatusCode != 500 {
			t.Fatal(resp, err)
		}
		within(t, "answer", time.Since(start), defaultIdle)
	})
}

// TestClientDoesNotRead checks that a client that takes no more of its answer is let go.
func TestClientDoesNotRead(t *testing.T) {
	inMemory(t, Options{}, func(c net.Conn) {
		http.ReadRequest(bufio.NewReader(c))
		io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n"+strings.Repeat("a", 1<<20))
	}, func(t *testing.T, w *world) {
		c, start := w.dial(), time.Now()
		defer c.Close()
		send(c, get)
		c.Read(make([]byte, 100))
		<-time.After(defaultIdle - time.Second)
		r := w.record(0)
		within(t, "let go", time.Since(start), defaultIdle)
		if r.FailureReason != failClientClosed {
			t.Errorf("failure %q", r.FailureReason)
		}
	})
}

// TestSlowUpload checks that a body that keeps coming, however slowly, is no reason to give up on the answer.
func TestSlowUpload(t *testing.T) {
	inMemory(t, Options{}, func(c net.Conn) {
		r, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil {
			return
		}
		io.Copy(io.Discard, r.Body)
		io.WriteString(c, defaultAnswer)
		silent(c)
	}, func(t *testing.T, w *world) {
		c := w.dial()
		defer c.Close()
		go func() {
			io.WriteString(c, "POST / HTTP/1.1\r\nHost: "+host+"\r\nContent-Length: 10\r\n\r\n")
			for range 10 {
				<-time.After(50 * time.Second)
				io.WriteString(c, "x")
			}
		}()
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || resp.StatusCode != 200 {
			t.Fatal(resp, err)
		}
	})
}

// TestLifetime checks that strict mode ends connections after ten minutes, those in use too.
func TestLifetime(t *testing.T) {
	inMemory(t, Options{Strict: true}, func(c net.Conn) {
		http.ReadRequest(bufio.NewReader(c))
		io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
		for {
			if _, err := io.WriteString(c, "1\r\nx\r\n"); err != nil {
				return
			}
			<-time.After(10 * time.Second)
		}
	}, func(t *testing.T, w *world) {
		c, start := w.dial(), time.Now()
		defer c.Close()
		send(c, get)
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(resp.Body); err == nil {
			t.Error("the body ended as if it were whole")
		}
		within(t, "cut", time.Since(start), strictLifetime)
		synctest.Wait()
		if r := w.record(0); r.FailureReason != failTooLong {
			t.Errorf("failure %q", r.FailureReason)
		}
	})
}

// TestDrainBound checks that a request that does not end is cut when the drain's time is up.
func TestDrainBound(t *testing.T) {
	inMemory(t, Options{DrainTimeout: 10 * time.Second}, silent, func(t *testing.T, w *world) {
		c := w.dial()
		defer c.Close()
		send(c, get)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		go io.Copy(io.Discard, c)
		w.server.Drain(ctx)
		within(t, "drained", time.Since(start), 3*time.Second)
	})
}

// scarce is a listener that fails as one does without free descriptors, and counts.
type scarce struct {
	net.Listener
	fails, tries int
}

// Accept is net.Listener's.
func (l *scarce) Accept() (net.Conn, error) {
	if l.tries++; l.tries <= l.fails {
		return nil, errors.New("accept: too many open files")
	}
	return l.Listener.Accept()
}

// TestAcceptBacksOff checks that accept goes on after errors, without a busy loop.
func TestAcceptBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.make(Options{}, nil)
		m := &memoryListener{make(chan net.Conn), make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		start := time.Now()
		go func() { ended <- w.server.Serve(ctx, &scarce{Listener: m, fails: 12}, vpcID, slot, port) }()
		near, far := net.Pipe()
		m.conns <- far
		if d := time.Since(start); d < 4*time.Second || d > 10*time.Second {
			t.Errorf("12 errors took %v", d)
		}
		near.Close()
		cancel()
		<-ended
	})
}
