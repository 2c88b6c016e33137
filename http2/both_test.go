package http2

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/trellis-project/trellis/http1"
)

// carry moves some of what one side has pending to the other, in pieces and with interruptions, as sockets do. kept is what
// the other side has not taken yet.
func carry(t *testing.T, r *rand.Rand, from, to *Conn, kept []byte) []byte {
	t.Helper()
	n := len(from.Pending())
	if n > 0 {
		n = 1 + r.IntN(n)
	}
	kept = append(kept, from.Pending()[:n]...)
	from.Sent(n)
	n, err := to.Receive(kept[:min(len(kept), 64<<10)])
	if err != nil {
		t.Fatal(err)
	}
	return kept[n:]
}

// lazy is a client's handler that consumes what comes only now and then.
type lazy struct {
	caller
	unread map[*Stream]int
}

func (h *lazy) Data(s *Stream, p []byte, end bool) {
	h.answers[s] += string(p)
	h.unread[s] += len(p)
	h.end(s, end)
}

// TestBothSides has our client and our server exchange bodies, larger than windows and buffers, with what chance makes of
// the sizes of all, and nothing gets stuck or lost.
func TestBothSides(t *testing.T) {
	for seed := range uint64(15) {
		r := rand.New(rand.NewPCG(seed, 0))
		options := func() Options {
			return Options{StreamWindow: startWindow + r.IntN(1000), ConnWindow: startWindow + r.IntN(100_000), MaxPending: maxFrame + r.IntN(60_000), MaxStreams: 1 + r.IntN(20)}
		}
		h := &lazy{caller{t: t, answers: map[*Stream]string{}, rest: map[*Stream][]byte{}}, map[*Stream]int{}}
		server, client := NewServer(options(), newSite()), NewClient(options(), h)
		var up, down []byte
		want := map[*Stream]string{}
		left := 30
		var asked []*Stream
		for steps := 0; left > 0 || h.left > 0; steps++ {
			if steps > 100_000 {
				t.Fatalf("seed %d: stuck with %d answers to come; %d and %d bytes wait", seed, h.left, len(client.Pending()), len(server.Pending()))
			}
			if left > 0 && client.settled && r.IntN(3) == 0 {
				s, b, err := client.Open(&http1.Head{Method: "POST", Path: "/", Host: "a.b"}, "http", "")
				if err != nil && err != ErrBusy {
					t.Fatal(err)
				}
				if err == nil {
					body := bytes.Repeat(fmt.Appendf(nil, "%d ", left), r.IntN(60_000))
					b.Field("x-seed", fmt.Sprint(seed, left))
					b.Send(false)
					h.rest[s], want[s] = body, "200 "+string(body)
					h.left++
					left--
					asked = append(asked, s)
					h.Writable(s)
				}
			}
			up = carry(t, r, client, server, up)
			down = carry(t, r, server, client, down)
			for _, s := range asked {
				if n := h.unread[s]; n > 0 && r.IntN(4) == 0 {
					s.Consumed(n)
					h.unread[s] = 0
				}
			}
		}
		for s, w := range want {
			if h.answers[s] != w {
				t.Errorf("seed %d: stream %d got %d bytes, want %d", seed, s.ID(), len(h.answers[s]), len(w))
			}
			s.Release()
		}
		for range 1000 {
			up = carry(t, r, client, server, up)
			down = carry(t, r, server, client, down)
		}
		for name, c := range map[string]*Conn{"client": client, "server": server} {
			if open, held := c.Streams(); open != 0 || held != 0 {
				t.Errorf("seed %d: the %s has %d streams open, holds %d", seed, name, open, held)
			}
			if c.window+c.consumed != c.options.ConnWindow {
				t.Errorf("seed %d: the %s's window is %d and %d, not %d", seed, name, c.window, c.consumed, c.options.ConnWindow)
			}
		}
	}
}
