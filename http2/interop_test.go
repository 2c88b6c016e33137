package http2

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/trellis-project/trellis/http1"
)

// site answers like a small web server: /size/N with N bytes, all else with the request's body, or with its head when
// it has none; trailers come back too.
type site struct {
	quiet
	rest map[*Stream][]byte // what is still to be written
	done map[*Stream]bool   // all of it is there
	tail map[*Stream][]http1.Field
	late map[*Stream]func() // the head could not be written yet
}

func newSite() *site {
	return &site{rest: map[*Stream][]byte{}, done: map[*Stream]bool{}, tail: map[*Stream][]http1.Field{},
		late: map[*Stream]func(){}}
}

func (h *site) Head(s *Stream, head *http1.Head, end bool) {
	b, err := s.Answer(200)
	if err == ErrBlocked {
		h.late[s] = func() { h.Head(s, head, end) }
		return
	}
	b.Fields(head, 1<<http1.Host|1<<http1.UserAgent)
	size, isSize := strings.CutPrefix(head.Path, "/size/")
	if n, err := strconv.Atoi(size); isSize && err == nil {
		b.Number("content-length", int64(n))
		h.rest[s] = make([]byte, n)
	} else if end {
		h.rest[s] = []byte(head.Method + " " + head.Host + head.Path + "\n")
	}
	b.Send(false)
	h.done[s] = h.done[s] || end || isSize
	h.Writable(s)
}

func (h *site) Data(s *Stream, p []byte, end bool) {
	h.rest[s] = append(h.rest[s], p...)
	h.done[s] = h.done[s] || end
	h.Writable(s)
}

func (h *site) Trailers(s *Stream, fields []http1.Field) {
	h.tail[s], h.done[s] = fields, true
	h.Writable(s)
}

func (h *site) Writable(s *Stream) {
	if head := h.late[s]; head != nil {
		delete(h.late, s)
		head()
		return
	}
	last := h.done[s] && h.tail[s] == nil
	n, err := s.WriteData(h.rest[s], last)
	if err != nil {
		return
	}
	h.rest[s] = h.rest[s][n:]
	s.Consumed(n)
	if len(h.rest[s]) == 0 && h.tail[s] != nil {
		b, err := s.Trailers()
		if err != nil {
			return
		}
		for _, f := range h.tail[s] {
			b.Field(f.Name, f.Value)
		}
		b.Send(true)
	}
	if s.Closed() {
		h.Reset(s, NoError)
	}
}

func (h *site) Reset(s *Stream, _ Code) {
	delete(h.rest, s)
	delete(h.done, s)
	delete(h.tail, s)
	delete(h.late, s)
	s.Release()
}

// drive joins a connection and a socket until the socket or the connection ends, or enough says so.
func drive(nc net.Conn, c *Conn, enough func() bool) error {
	defer nc.Close()
	defer c.Abort(Cancel)
	buf, have := make([]byte, 64<<10), 0
	for {
		for len(c.Pending()) > 0 {
			n, err := nc.Write(c.Pending())
			c.Sent(n)
			if err != nil {
				return err
			}
		}
		if c.Err() != nil || enough() {
			return c.Err()
		}
		n, err := nc.Read(buf[have:])
		if err != nil {
			return err
		}
		have += n
		n, _ = c.Receive(buf[:have])
		have = copy(buf, buf[n:have])
	}
}

// overTCP is HTTP/2 without TLS.
func overTCP() *http.Protocols {
	p := new(http.Protocols)
	p.SetUnencryptedHTTP2(true)
	return p
}

func never() bool { return false }

// listen serves a site on a socket until the test has ended.
func listen(t testing.TB) (address string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	all.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[nc] = true
			mu.Unlock()
			all.Go(func() { drive(nc, NewServer(Options{}, newSite()), never) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for nc := range open {
			nc.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	return l.Addr().String()
}

// TestGoClient has net/http's client ask much at once: bodies both ways, larger than all windows, and trailers.
func TestGoClient(t *testing.T) {
	address := listen(t)
	transport := &http.Transport{Protocols: overTCP()}
	defer transport.CloseIdleConnections()
	client := http.Client{Transport: transport}
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			body := bytes.Repeat([]byte{byte(i)}, i*20_000)
			req, _ := http.NewRequest("POST", "http://"+address+"/echo", io.NopCloser(bytes.NewReader(body)))
			req.Trailer = http.Header{"X-Sum": nil}
			req.Trailer.Set("X-Sum", fmt.Sprintf("%x", sha256.Sum256(body)))
			req.Header.Set("X-Number", strconv.Itoa(i))
			res, err := client.Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			got, err := io.ReadAll(res.Body)
			res.Body.Close()
			if err != nil || !bytes.Equal(got, body) || res.Header.Get("X-Number") != strconv.Itoa(i) ||
				res.Trailer.Get("X-Sum") != req.Trailer.Get("X-Sum") {
				t.Errorf("%d: %d bytes of %d, %v, %v, %v", i, len(got), len(body), res.Header, res.Trailer, err)
			}
		})
	}
	all.Wait()
	res, err := client.Get("http://" + address + "/size/3000000")
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, res.Body)
	if n != 3_000_000 || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
}

// TestCurl has curl ask, which speaks through nghttp2.
func TestCurl(t *testing.T) {
	address := listen(t)
	curl := func(args ...string) string {
		t.Helper()
		out, err := exec.Command("curl", append([]string{"-sS", "--max-time", "60", "--http2-prior-knowledge"}, args...)...).CombinedOutput()
		if err != nil {
			t.Errorf("%v: %v %s", args, err, out)
		}
		return string(out)
	}
	if got := curl("http://" + address + "/a?b"); got != "GET "+address+"/a\n" {
		t.Errorf("%q", got)
	}
	if got := curl("--data-binary", "hello", "http://"+address+"/echo"); got != "hello" {
		t.Errorf("%q", got)
	}
	if got := curl("http://" + address + "/size/1000000"); got != string(make([]byte, 1_000_000)) {
		t.Errorf("%d bytes", len(got))
	}
}

// caller is a client's handler that gathers answers.
type caller struct {
	quiet
	t       testing.TB
	answers map[*Stream]string
	rest    map[*Stream][]byte
	left    int
}

func (h *caller) Head(s *Stream, head *http1.Head, end bool) {
	h.answers[s] = strconv.Itoa(head.Status) + " "
	h.end(s, end)
}

func (h *caller) Data(s *Stream, p []byte, end bool) {
	h.answers[s] += string(p)
	s.Consumed(len(p))
	h.end(s, end)
}

func (h *caller) Trailers(s *Stream, fields []http1.Field) {
	h.answers[s] += fmt.Sprint(fields)
	h.end(s, true)
}

func (h *caller) Reset(s *Stream, code Code) {
	h.answers[s] = code.String()
	h.end(s, true)
}

func (h *caller) Writable(s *Stream) {
	if s.Closed() {
		return
	}
	n, err := s.WriteData(h.rest[s], true)
	if err != nil {
		h.t.Error(err)
	}
	h.rest[s] = h.rest[s][n:]
}

func (h *caller) end(_ *Stream, end bool) {
	if end {
		h.left--
	}
}

// TestGoServer has our client send much at once to net/http's server.
func TestGoServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := http.Server{Protocols: overTCP(), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Trailer", "X-Method")
		fmt.Fprintf(w, "%s %s %s %x", r.Host, r.URL, r.Header.Get("X-Number"), sha256.Sum256(body))
		w.Write(make([]byte, len(body)))
		w.Header().Set("X-Method", r.Method)
	})}
	go served.Serve(l)
	defer served.Close()
	nc, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	const asked = 30
	h := &caller{t: t, answers: map[*Stream]string{}, rest: map[*Stream][]byte{}, left: asked}
	c := NewClient(Options{MaxPending: 1 << 20}, h)
	want := map[*Stream]string{}
	for i := range asked {
		s, b, err := c.Open(&http1.Head{Method: "PUT", Path: "/p", RawQuery: "q", HasQuery: true, Host: "a.b"}, "http", "")
		if err != nil {
			t.Fatal(err)
		}
		b.Number("X-Number", int64(i))
		b.Send(false)
		body := bytes.Repeat([]byte{byte(i)}, i*10_000)
		h.rest[s] = body
		want[s] = fmt.Sprintf("200 a.b /p?q %d %x%s[{x-method PUT}]", i, sha256.Sum256(body), make([]byte, len(body)))
		h.Writable(s)
	}
	if err := drive(nc, c, func() bool { return h.left == 0 }); err != nil {
		t.Error(err)
	}
	for s, w := range want {
		if h.answers[s] != w {
			t.Errorf("%d: %d bytes, want %d: %.100q", s.ID(), len(h.answers[s]), len(w), h.answers[s])
		}
		s.Release()
	}
	if open, held := c.Streams(); open != 0 || held != 0 {
		t.Errorf("%d open, %d held", open, held)
	}
}
