package dataplane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/sys/unix"

	"github.com/trellis-project/trellis"
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

// TestSlowReaders lets 60 clients of one account ask for much and read nothing, from a target of HTTP/2 that a request of
// another account shares a connection with: that is answered all the same.
func TestSlowReaders(t *testing.T) {
	addr := server(t, trellis.ProtocolHTTP, "HTTP2", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/much" {
			w.Write(make([]byte, 10<<20))
		}
		io.WriteString(w, "hello")
	})
	w := newWorld(t, addr)
	g := *must(trellis.Get[*trellis.TargetGroup](w.st, account+"/"+groupID))
	g.ProtocolVersion = "HTTP2"
	w.st.Put(&g)
	other := w.serveBoth(Options{Workers: 1})
	slow := w.newFramedClient(w.addr)
	const streams = 60
	for i := range streams {
		slow.request(uint32(2*i+1), true, "GET", "/much")
	}
	if err := slow.send(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "as much has come from the target as may", func() bool {
		n := 0
		w.workers(func(x *worker) { n = x.loop.BuffersOut() })
		return n >= streams*(64<<10)
	})
	quick := w.newFramedClient(other)
	quick.request(1, true, "GET", "/")
	if err := quick.send(); err != nil {
		t.Fatal(err)
	}
	for got := ""; got != "hello"; {
		frame, err := quick.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if data, is := frame.(*http2.DataFrame); is {
			got += string(data.Data())
		}
	}
}

// TestStuckUploads sends bodies without end to a target that reads nothing, and over the same connection one to another
// target: that is answered.
func TestStuckUploads(t *testing.T) {
	const countGroup, streams = "tg-0eeeeeeeeeeeeeee2", 20
	stuck := behave(t, func(c net.Conn) {
		c.(*net.TCPConn).SetReadBuffer(4096)
		var b [1]byte
		for n := 1; n > 0; { // to see its end
			n, _ = c.Read(b[:])
			<-t.Context().Done()
		}
	})
	count := server(t, trellis.ProtocolHTTP, "HTTP1", func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n)
	})
	w := newWorld(t, stuck)
	w.group(countGroup, count)
	w.rule("count", 30, "/count", trellis.Action{Forward: []trellis.WeightedTargetGroup{{TargetGroupID: countGroup, Weight: 100}}})
	w.serve(Options{Workers: 1})
	tr := &http.Transport{Protocols: new(http.Protocols), DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", w.addr)
	}}
	tr.Protocols.SetUnencryptedHTTP2(true)
	defer tr.CloseIdleConnections()
	client, base := &http.Client{Transport: tr, Timeout: 20 * time.Second}, "http://"+host
	upload := func(n int64) {
		t.Helper()
		resp, err := client.Post(base+"/count", "text/plain", io.LimitReader(zeros{}, n))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if b, err := io.ReadAll(resp.Body); err != nil || string(b) != fmt.Sprint(n) {
			t.Errorf("of %d bytes: %q, %v", n, b, err)
		}
	}
	upload(1) // opens the connection for all
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for range streams {
		wg.Go(func() {
			req, err := http.NewRequestWithContext(ctx, "POST", base+"/", io.LimitReader(zeros{}, 64<<20))
			if err != nil {
				t.Error(err)
				return
			}
			if resp, err := client.Do(req); err == nil {
				resp.Body.Close()
				t.Errorf("the target that reads nothing answers %d", resp.StatusCode)
			}
		})
	}
	eventually(t, "all are stuck", func() bool {
		n := 0
		w.workers(func(x *worker) { n = x.loop.BuffersOut() })
		return n >= 2*streams*(64<<10)
	})
	upload(1 << 20)
	if n := w.server.Stats().Accepted; n != 1 {
		t.Errorf("%d connections", n)
	}
}

// zeros is a body without end.
type zeros struct{}

// Read is io.Reader's.
func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// TestFewStreams sends many requests at once to a target that takes few at a time on a connection: each is served, over more
// connections.
func TestFewStreams(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{HTTP2: &http.HTTP2Config{MaxConcurrentStreams: 5}, Protocols: new(http.Protocols), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n)
	})}
	s.Protocols.SetUnencryptedHTTP2(true)
	done := make(chan struct{})
	go func() { defer close(done); s.Serve(ln) }()
	t.Cleanup(func() { s.Close(); <-done })
	_, client, base := versionsTo(t, trellis.ProtocolHTTP, trellis.ProtocolHTTP, "HTTP2", Options{Workers: 1}, ln.Addr().(*net.TCPAddr).AddrPort())
	var wg sync.WaitGroup
	for range 60 {
		wg.Go(func() {
			resp, err := client.Post(base+"/", "text/plain", io.LimitReader(zeros{}, 100_000))
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			if b, err := io.ReadAll(resp.Body); err != nil || string(b) != "100000" {
				t.Errorf("%d %q, %v", resp.StatusCode, b, err)
			}
		})
	}
	wg.Wait()
}
