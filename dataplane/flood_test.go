package dataplane

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/sys/unix"
)

// eventually waits until cond holds.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !cond(); yield() {
		if time.Now().After(end) {
			t.Fatal("never: " + what)
		}
	}
}

// inFlight is how many requests the workers have.
func (w *world) inFlight() (n int) {
	w.workers(func(x *worker) { n += x.inFlight })
	return n
}

// TestStreamsMemoryCap opens 128 requests on each of 10 connections that no target answers: those in flight take no more
// memory than they may, further ones are answered with 503 or, when even that is too much, refused; another account is served, and all is given back.
func TestStreamsMemoryCap(t *testing.T) {
	w := newWorld(t, behave(t, silent))
	const limit, connections, each = 400 * exchangeCost, 10, 128
	other := w.serveBoth(Options{Workers: 1, MaxMemory: limit})
	var all []*framedClient
	var refused atomic.Int64
	var wg sync.WaitGroup
	defer wg.Wait()
	for range connections {
		f := w.newFramedClient(w.addr)
		all = append(all, f)
		f.WriteSettingsAck()
		for i := range each {
			f.request(uint32(2*i+1), true, "GET", "/")
		}
		if err := f.send(); err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			for {
				frame, err := f.ReadFrame()
				if err != nil {
					return
				}
				head, is := frame.(*http2.MetaHeadersFrame)
				reset, or := frame.(*http2.RSTStreamFrame)
				if is && head.PseudoValue("status") == "503" || or && reset.ErrCode == http2.ErrCodeRefusedStream {
					refused.Add(1)
				}
			}
		})
	}
	eventually(t, "every request is in flight or refused", func() bool {
		n := refused.Load()
		return w.inFlight()+int(n) == connections*each && w.server.Stats().Refused == uint64(n)
	})
	w.workers(func(x *worker) {
		if x.memory() > limit || x.inFlight < 100 {
			t.Errorf("%d requests take %d bytes, more than %d", x.inFlight, x.memory(), limit)
		}
	})
	for range 3 {
		if got := ask(t, connect(t, other), "/fixed500"); got != 500 {
			t.Errorf("another account: %d", got)
		}
	}
	for _, f := range all {
		leave(f.c)
	}
	eventually(t, "all is given back", func() bool {
		free := true
		w.workers(func(x *worker) { free = free && x.memory() == 0 })
		return free
	})
	if got := ask(t, connect(t, w.addr), "/fixed404"); got != 404 {
		t.Errorf("afterwards: %d", got)
	}
}

// TestStreamsTurns lets one account have 1,000 requests ready on 10 connections of HTTP/2 before another one has its first,
// and checks that this is served with the first, not after them.
func TestStreamsTurns(t *testing.T) {
	w := newWorld(t)
	other := w.serveBoth(Options{Workers: 1})
	var flood []*framedClient
	for range 10 {
		f := w.newFramedClient(w.addr)
		for i := range 100 {
			f.request(uint32(2*i+1), true, "GET", "/fixed404")
		}
		flood = append(flood, f)
	}
	one := connect(t, other)
	eventually(t, "11 connections", func() bool { return w.server.Stats().Open == 11 })
	w.workers(func(*worker) { // the worker does nothing else meanwhile
		for _, f := range flood {
			if err := f.send(); err != nil {
				t.Error(err)
			}
		}
		io.WriteString(one, get)
	})
	w.record(1000)
	for i := range 1001 {
		if w.record(i).SourceVPCID != otherVPC {
			continue
		}
		if i > 3 {
			t.Errorf("the request of the other account was served after %d of the flood", i)
		}
		return
	}
	t.Error("the request of the other account was not served")
}

// TestRapidReset opens requests and resets them at once, again and again: the client is cut off and told why, and others
// don't notice (CVE-2023-44487).
func TestRapidReset(t *testing.T) {
	w := newWorld(t, behave(t, silent))
	other := w.serveBoth(Options{Workers: 1})
	quiet := connect(t, other)
	quiet.SetDeadline(time.Now().Add(time.Minute))
	for round := range 3 {
		f := w.newFramedClient(w.addr)
		calm := make(chan error, 1)
		go func() {
			for {
				frame, err := f.ReadFrame()
				if err != nil {
					calm <- err
					return
				}
				if away, is := frame.(*http2.GoAwayFrame); is && away.ErrCode == http2.ErrCodeEnhanceYourCalm {
					calm <- nil
					return
				}
			}
		}()
		for i := range 5000 {
			f.request(uint32(2*i+1), true, "GET", "/")
			f.WriteRSTStream(uint32(2*i+1), http2.ErrCodeCancel)
			if i%50 == 49 {
				if f.send() != nil {
					break // it was cut off
				}
				if got := ask(t, quiet, "/fixed404"); got != 404 {
					t.Errorf("another client: %d", got)
				}
			}
		}
		// A reset of TCP's may overtake the reason, since much of what was sent is read by nobody.
		if err := <-calm; err != nil && !errors.Is(err, unix.ECONNRESET) {
			t.Errorf("round %d: %v, want ENHANCE_YOUR_CALM", round, err)
		}
		eventually(t, "the connection is cut and nothing is left", func() bool { return w.server.Stats().Open == 1 && w.inFlight() == 0 })
	}
}
