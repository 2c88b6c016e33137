package http2

import (
	"bytes"
	"fmt"
	"math"
	"testing"

	"github.com/trellis-project/trellis/http1"
)

// answering makes a server answer every request with a body.
func answering(p *peer, body []byte) {
	rest := map[*Stream][]byte{}
	write := func(s *Stream) {
		n, err := s.WriteData(rest[s], true)
		if err != nil {
			p.t.Error(err)
		}
		rest[s] = rest[s][n:]
		if s.Closed() {
			s.Release()
		}
	}
	p.onWrite = write
	p.onHead = func(s *Stream, _ *http1.Head, _ bool) {
		b, err := s.Answer(200)
		if err != nil {
			p.t.Error(err)
			return
		}
		b.Send(false)
		rest[s] = body
		write(s)
	}
}

// TestSendWindows sends a body as the windows of stream and connection and their changes allow (6.9.1, 6.9.2).
func TestSendWindows(t *testing.T) {
	p := started(t, true, Options{})
	answering(p, []byte("abcdefghij"))
	p.receive(fr(settingsFrame, 0, 0, setting(settingWindow, 3)), fr(headersFrame, endOnce, 1, get()))
	p.want("settings", fine, `1 HEADERS :status="200"`, `1 DATA "abc"`)
	p.receive(fr(windowFrame, 0, 1, number(1)))
	p.want(`1 DATA "d"`)
	p.receive(fr(settingsFrame, 0, 0, setting(settingWindow, 5)))
	p.want("settings", `1 DATA "ef"`)
	p.receive(fr(settingsFrame, 0, 0, setting(settingWindow, 1)))
	p.want("settings")
	p.receive(fr(windowFrame, 0, 1, number(4))) // the window was -4
	p.want()
	if n := p.told[1].Room(); n != 0 {
		t.Errorf("room for %d", n)
	}
	p.receive(fr(windowFrame, 0, 1, number(100)))
	p.want(`1 DATA "ghij" end`)
	p.onHead = nil
	p.receive(fr(settingsFrame, 0, 0, setting(settingWindow, 7)), fr(headersFrame, endOnce, 3, get()))
	if n := p.told[3].Room(); n != 7 {
		t.Errorf("room for %d", n)
	}
	p.told[3].Release()
	if open, held := p.Streams(); open != 0 || held != 0 {
		t.Errorf("%d open, %d held", open, held)
	}
}

// sizes sends all that is pending, and returns how much data each stream had in it.
func sizes(p *peer) map[uint32]int {
	got := map[uint32]int{}
	b := bytes.Clone(p.Pending())
	p.Sent(len(b))
	for len(b) > 0 {
		size := int(b[0])<<16 | int(b[1])<<8 | int(b[2])
		if b[3] == dataFrame {
			got[uint32(b[8])] += size
		}
		b = b[frameHead+size:]
	}
	return got
}

// TestConnectionWindow has two streams share the connection's window in turn.
func TestConnectionWindow(t *testing.T) {
	p := started(t, true, Options{MaxPending: math.MaxInt32})
	answering(p, make([]byte, 40_000))
	p.receive(fr(headersFrame, endOnce, 1, get()), fr(headersFrame, endOnce, 3, get()))
	sum := func() (n int) {
		for _, size := range sizes(p) {
			n += size
		}
		return n
	}
	if n := sum(); n != startWindow {
		t.Fatalf("sent %d bytes", n)
	}
	p.receive(fr(windowFrame, 0, 0, number(10_000)))
	if n := sum(); n != 10_000 {
		t.Fatalf("sent %d bytes", n)
	}
	p.receive(fr(windowFrame, 0, 0, number(10_000)))
	if n := sum(); n != 80_000-startWindow-10_000 {
		t.Fatalf("sent %d bytes", n)
	}
}

// TestPending holds what waits to be sent to its bound, while a peer with large windows reads nothing, and goes on in
// turns when it does.
func TestPending(t *testing.T) {
	const bound = 32 << 10
	p := started(t, true, Options{MaxPending: bound})
	body := make([]byte, 100_000)
	answering(p, body)
	p.receive(fr(settingsFrame, 0, 0, setting(settingWindow, 1<<20)), fr(windowFrame, 0, 0, number(1<<20)))
	for id := uint32(1); id < 9; id += 2 {
		if id > 1 { // the head waits as well
			onHead := p.onHead
			p.onHead = func(s *Stream, h *http1.Head, end bool) {
				if _, err := s.Answer(200); err != ErrBlocked {
					t.Errorf("%d: %v", s.ID(), err)
				}
				write := p.onWrite
				p.onWrite = func(w *Stream) {
					if w != s || s.headed {
						write(w)
						return
					}
					onHead(s, h, end)
				}
			}
			p.receive(fr(headersFrame, endOnce, id, get()))
			p.onHead = onHead
			continue
		}
		p.receive(fr(headersFrame, endOnce, id, get()))
	}
	got := map[uint32]int{}
	for len(p.Pending()) > 0 {
		if len(p.Pending()) > bound+1000 {
			t.Fatalf("%d bytes wait", len(p.Pending()))
		}
		for id, n := range sizes(p) {
			got[id] += n
		}
	}
	if want := fmt.Sprint(map[uint32]int{1: 1e5, 3: 1e5, 5: 1e5, 7: 1e5}); fmt.Sprint(got) != want {
		t.Errorf("sent %v, want %v", got, want)
	}
	if open, held := p.Streams(); open != 0 || held != 0 {
		t.Errorf("%d open, %d held", open, held)
	}
}

// TestTurns lets large bodies share each write, and small ones pass.
func TestTurns(t *testing.T) {
	p := started(t, true, Options{})
	p.receive(fr(settingsFrame, 0, 0, setting(settingWindow, maxID)), fr(windowFrame, 0, 0, number(1<<30)))
	p.flush()
	answering(p, make([]byte, 1_000_000))
	p.receive(fr(headersFrame, endOnce, 1, get()))
	p.onHead = nil
	for id := uint32(3); id < 9; id += 2 {
		p.receive(fr(headersFrame, endOnce, id, get()))
	}
	large, small := make([]byte, 1_000_000), []byte("small")
	rest := map[uint32][]byte{3: large, 5: large, 7: small}
	first := p.onWrite
	p.onWrite = func(s *Stream) {
		if s.id == 1 {
			first(s)
			return
		}
		if !s.headed {
			b, err := s.Answer(200)
			if err != nil {
				t.Error(err)
				return
			}
			b.Send(false)
		}
		n, err := s.WriteData(rest[s.id], true)
		if err != nil {
			t.Error(err)
		}
		rest[s.id] = rest[s.id][n:]
	}
	for id := uint32(3); id < 9; id += 2 {
		if _, err := p.told[id].Answer(200); err != ErrBlocked {
			t.Fatal(err)
		}
	}
	sizes(p)
	for range 10 {
		got := sizes(p)
		for id, n := range got {
			if id < 7 && (n < turn/2 || n > 2*turn) {
				t.Fatalf("of one write %v", got)
			}
		}
	}
	if len(rest[7]) != 0 {
		t.Error("the small body waits behind the large ones")
	}
}

// TestReceiveWindows gives credit back for what was consumed alone, for padding, and for what was dropped (6.9).
func TestReceiveWindows(t *testing.T) {
	const window = 64 << 10
	all := func(p *peer) (out []string) {
		b := bytes.Clone(p.Pending())
		p.Sent(len(b))
		return written(t, p.dec, b, true)
	}
	p := started(t, true, Options{StreamWindow: window, ConnWindow: 2 * window})
	p.onData = func(*Stream, []byte, bool) {}
	p.receive(open)
	for range 4 {
		p.receive(fr(dataFrame, 0, 1, make([]byte, maxFrame)))
	}
	if got := all(p); len(got) != 0 {
		t.Fatalf("credit for what nobody consumed: %v", got)
	}
	s := p.told[1]
	s.Consumed(window/2 - 1)
	if got := all(p); len(got) != 0 {
		t.Fatalf("credit too early: %v", got)
	}
	s.Consumed(1)
	if got := fmt.Sprint(all(p)); got != "[1 WINDOW_UPDATE 32768]" {
		t.Fatal(got)
	}
	s.Consumed(window) // no more than came
	if got := fmt.Sprint(all(p)); got != "[0 WINDOW_UPDATE 65536 1 WINDOW_UPDATE 32768]" {
		t.Fatal(got)
	}
	padded := append(append([]byte{255}, 'x'), make([]byte, 255)...)
	for range 256 {
		p.receive(fr(dataFrame, paddedFlag, 1, padded))
	}
	if got := fmt.Sprint(all(p)); got != "[1 WINDOW_UPDATE 32768 0 WINDOW_UPDATE 65536 1 WINDOW_UPDATE 32768]" {
		t.Fatal(got) // 256 of 257 bytes each were padding
	}

	p = started(t, true, Options{StreamWindow: window, ConnWindow: 2 * window})
	p.onData = func(*Stream, []byte, bool) {}
	p.receive(open, fr(dataFrame, 0, 1, make([]byte, maxFrame)))
	p.told[1].Release()
	for range 3 { // on their way
		p.receive(fr(dataFrame, 0, 1, make([]byte, maxFrame)))
	}
	if got := fmt.Sprint(all(p)); got != "[1 RST_STREAM CANCEL 0 WINDOW_UPDATE 65536]" {
		t.Fatal(got)
	}

	p = started(t, true, Options{StreamWindow: window, ConnWindow: 2 * window})
	p.onData = func(*Stream, []byte, bool) {}
	p.onReset = func(*Stream, Code) {} // the owner still has the data
	p.receive(open)
	for range 4 {
		p.receive(fr(dataFrame, 0, 1, make([]byte, maxFrame)))
	}
	p.events = nil
	p.receive(fr(dataFrame, 0, 1, []byte("x")))
	p.want("1 ended: FLOW_CONTROL_ERROR", "1 RST_STREAM FLOW_CONTROL_ERROR")
	for id := uint32(3); id < 7; id += 2 {
		p.receive(fr(headersFrame, whole, id, post()))
		for range 4 {
			p.receive(fr(dataFrame, 0, id, make([]byte, maxFrame)))
		}
	}
	if err := p.Err(); err != ErrWindow {
		t.Errorf("after more than the connection's window: %v", err)
	}
}
