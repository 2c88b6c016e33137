package http2

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/trellis-project/trellis/http1"
)

// TestFloods sends what costs its sender nothing, without end (10.5), to a connection with one open stream.
func TestFloods(t *testing.T) {
	id := uint32(1)
	next := func() uint32 { id += 2; return id }
	for name, c := range map[string]struct {
		again func() []byte
		why   *Error
		most  int // frames until the end
	}{
		"PING":                    {func() []byte { return fr(pingFrame, 0, 0, make([]byte, 8)) }, ErrFlood, calmMax + 1},
		"answers to PING":         {func() []byte { return fr(pingFrame, ackFlag, 0, make([]byte, 8)) }, ErrFlood, calmMax + 1},
		"SETTINGS":                {func() []byte { return fr(settingsFrame, 0, 0, nil) }, ErrFlood, calmMax/settingsCost + 1},
		"answers to SETTINGS":     {func() []byte { return fr(settingsFrame, ackFlag, 0, nil) }, ErrFlood, calmMax + 1},
		"PRIORITY":                {func() []byte { return fr(priorityFrame, 0, 1, make([]byte, 5)) }, ErrFlood, calmMax + 1},
		"empty DATA":              {func() []byte { return fr(dataFrame, 0, 1, nil) }, ErrFlood, calmMax + 1},
		"padded empty DATA":       {func() []byte { return fr(dataFrame, paddedFlag, 1, make([]byte, 10)[:1]) }, ErrFlood, calmMax + 1},
		"DATA on a closed stream": {func() []byte { return fr(dataFrame, 0, 3, []byte("x")) }, ErrFlood, calmMax/settingsCost + 1},
		"DATA on a reset stream":  {func() []byte { return fr(dataFrame, 0, 5, make([]byte, 20)) }, ErrFlood, straysCost * (calmMax + 1)},
		"RST_STREAM again":        {func() []byte { return fr(resetFrame, 0, 3, number(8)) }, ErrFlood, calmMax + 1},
		"small WINDOW_UPDATE":     {func() []byte { return fr(windowFrame, 0, 0, number(1)) }, ErrFlood, calmMax + 1},
		"unknown frames":          {func() []byte { return fr(77, 0, 0, nil) }, ErrFlood, calmMax + 1},
		"GOAWAY":                  {func() []byte { return fr(goawayFrame, 0, 0, number(0, 0)) }, ErrFlood, calmMax + 1},
		"rapid reset": {func() []byte {
			n := next()
			return join(fr(headersFrame, endOnce, n, get()), fr(resetFrame, 0, n, number(8)))
		}, ErrResets, resetsMax},
		"resets that we make": {func() []byte {
			n := next()
			return join(fr(headersFrame, endOnce, n, get()), fr(windowFrame, 0, n, number(0)))
		}, ErrResets, resetsMax},
		"malformed requests":     {func() []byte { return fr(headersFrame, endOnce, next(), get("A", "b")) }, ErrResets, resetsMax},
		"streams over the limit": {func() []byte { return fr(headersFrame, whole, next(), post()) }, ErrFlood, calmMax + defaultStreams},
	} {
		t.Run(name, func(t *testing.T) {
			p := started(t, true, Options{})
			p.receive(open, fr(headersFrame, endOnce, 3, get()), fr(resetFrame, 0, 3, number(8)), fr(headersFrame, whole, 5, post()))
			p.told[5].Release()
			id = 5
			for n := 1; ; n++ {
				err := p.receive(c.again())
				p.Sent(len(p.Pending()))
				if err != nil {
					if err != c.why || n > c.most {
						t.Errorf("after %d: %v", n, err)
					}
					break
				}
				if n > c.most {
					t.Fatalf("no end after %d", n)
				}
			}
		})
	}
}

// TestTinyWindows cuts off who takes a large body byte by byte.
func TestTinyWindows(t *testing.T) {
	p := started(t, true, Options{})
	answering(p, make([]byte, 1<<20))
	p.receive(fr(settingsFrame, 0, 0, setting(settingWindow, 0)), fr(headersFrame, endOnce, 1, get()))
	for n := 1; ; n++ {
		err := p.receive(fr(windowFrame, 0, 1, number(1)))
		p.Sent(len(p.Pending()))
		if err == ErrFlood {
			break
		}
		if n > calmMax || err != nil {
			t.Fatalf("after %d: %v", n, err)
		}
	}
}

// TestHPACKBomb decodes a block that stands for a thousand times its size, keeps no more of it than a head may have, and
// goes on.
func TestHPACKBomb(t *testing.T) {
	p := started(t, true, Options{})
	entry := append([]byte{0x40}, appendText(appendText(nil, "x"), strings.Repeat("v", 4000))...)
	p.receive(fr(headersFrame, endOnce, 1, append(get(), entry...)))
	p.told[1].Release()
	p.flush()
	p.events = nil
	p.receive(fr(headersFrame, endOnce, 3, append(get(), bytes.Repeat([]byte{0x80 | 62}, 16_000)...)))
	p.want("3 refused: head too large", "3 RST_STREAM CANCEL")
	if n := len(p.pool.list.fields); n > 4+http1.MaxHead/4000 {
		t.Errorf("%d fields were kept", n)
	}
	p.receive(fr(headersFrame, endOnce, 5, get()))
	p.want(`5 GET / host="a.b" end`)
}

// TestContinuationFlood refuses header blocks that don't end, also of empty frames (10.5.1).
func TestContinuationFlood(t *testing.T) {
	for name, c := range map[string]struct {
		payload []byte
		most    int
	}{
		"empty": {nil, blockFrames},
		"full":  {make([]byte, maxFrame), blockBytes/maxFrame + 1},
	} {
		t.Run(name, func(t *testing.T) {
			p := started(t, true, Options{})
			err := p.receive(fr(headersFrame, end, 1, nil))
			n := 0
			for ; err == nil && n <= c.most; n++ {
				err = p.receive(fr(continuationFrame, 0, 1, c.payload))
			}
			if err != ErrBlock || n > c.most {
				t.Errorf("after %d: %v", n, err)
			}
		})
	}
}

// TestUnread cuts off who makes us answer and doesn't read, however much use its other frames are.
func TestUnread(t *testing.T) {
	p := started(t, true, Options{})
	var err error
	for n := 0; err == nil && n < 100_000; n++ {
		p.useful(calmMax, resetsMax)
		err = p.receive(fr(pingFrame, 0, 0, make([]byte, 8)))
	}
	if err != ErrUnread || len(p.Pending()) > defaultPending+spareControl+100 {
		t.Errorf("%v with %d bytes", err, len(p.Pending()))
	}
}

// TestPatience lets go on for ever what clients do: pings on an idle connection, one request in two given up, two small
// window updates for each answer.
func TestPatience(t *testing.T) {
	p := started(t, true, Options{})
	for i := range 20 * calmMax {
		p.Tick(time.Duration(i) * 10 * time.Second)
		if err := p.receive(fr(pingFrame, 0, 0, make([]byte, 8))); err != nil {
			t.Fatal(err)
		}
		p.flush()
	}

	p = started(t, true, Options{})
	answering(p, []byte("small"))
	for id := uint32(1); id < 40*resetsMax; id += 4 {
		err := p.receive(fr(headersFrame, endOnce, id, get()), fr(windowFrame, 0, 0, number(5)), fr(windowFrame, 0, id, number(5)),
			fr(pingFrame, 0, 0, make([]byte, 8)))
		if err != nil {
			t.Fatal(err)
		}
		onHead := p.onHead
		p.onHead = nil
		err = p.receive(fr(headersFrame, endOnce, id+2, get()), fr(resetFrame, 0, id+2, number(8)))
		if err != nil {
			t.Fatal(err)
		}
		p.onHead = onHead
		p.flush()
	}
}

// TestHeldStreams refuses new streams while the owner is busy with more than allowed that their client has reset.
func TestHeldStreams(t *testing.T) {
	p := started(t, true, Options{MaxStreams: 2})
	p.onReset = func(*Stream, Code) {} // the owner goes on with its work
	for id := uint32(1); id < 9; id += 2 {
		p.receive(fr(headersFrame, endOnce, id, get()), fr(resetFrame, 0, id, number(8)))
	}
	p.events = nil
	p.receive(fr(headersFrame, endOnce, 9, get()))
	p.want("9 RST_STREAM REFUSED_STREAM")
	p.told[1].Release()
	p.receive(fr(headersFrame, endOnce, 11, get()))
	p.want(`11 GET / host="a.b" end`)
}

// TestLargeHeads answers a head that is larger than VPC Lattice takes, and understands the next: what the list put into
// the table is there.
func TestLargeHeads(t *testing.T) {
	indexed := append([]byte{0x40}, appendText(appendText(nil, "x-a"), "in the table")...)
	long := strings.Repeat("v", 40_000)
	many := make([]string, 2*(http1.MaxFields+1))
	for i := range many {
		many[i] = "a"
	}
	for name, c := range map[string]struct {
		block []byte
		why   string
	}{
		"bytes":  {join(post("x-b", long, "x-c", long), indexed), "head too large"},
		"fields": {join(post(many...), indexed), "too many fields"},
		"field":  {join(post("x-b", strings.Repeat("v", http1.MaxLine)), indexed), "field line too long"},
	} {
		t.Run(name, func(t *testing.T) {
			p := started(t, true, Options{})
			p.refused = func(s *Stream, why *http1.Error) {
				b, err := s.Answer(why.Status)
				if err != nil {
					t.Fatal(err)
				}
				b.Send(true)
				s.Release()
			}
			kind, flags := headersFrame, uint8(0)
			for b := c.block; len(b) > 0; kind = continuationFrame {
				n := min(len(b), maxFrame)
				if flags = 0; n == len(b) {
					flags = whole
				}
				p.receive(fr(kind, flags, 1, b[:n]))
				b = b[n:]
			}
			p.want("1 refused: "+c.why, `1 HEADERS :status="400" end`, "1 RST_STREAM NO_ERROR")
			p.receive(fr(dataFrame, 0, 1, []byte("on its way")))
			p.receive(fr(headersFrame, endOnce, 3, append(get(), 0x80|62)))
			p.want(`3 GET / host="a.b" x-a="in the table" end`)
		})
	}
}

// TestRefusedAnswers answers what is refused: a malformed request is reset afterwards (8.1.1), and so is one that goes
// on, whether the owner has released it or not.
func TestRefusedAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		in   []byte
		want string
	}{
		"malformed, ended":     {fr(headersFrame, endOnce, 1, get("A", "b")), "1 RST_STREAM PROTOCOL_ERROR"},
		"malformed, goes on":   {fr(headersFrame, whole, 1, get("A", "b")), "1 RST_STREAM PROTOCOL_ERROR"},
		"well-formed, ended":   {fr(headersFrame, endOnce, 1, get("expect", "x")), ""},
		"well-formed, goes on": {fr(headersFrame, whole, 1, get("expect", "x")), "1 RST_STREAM NO_ERROR"},
	} {
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", answered late: ", late), func(t *testing.T) {
				p := started(t, true, Options{})
				answer := func(s *Stream, why *http1.Error) {
					b, err := s.Answer(why.Status)
					if err != nil {
						t.Fatal(err)
					}
					b.Send(false)
					s.WriteData([]byte("no"), true)
				}
				var told *http1.Error
				p.refused = func(s *Stream, why *http1.Error) {
					if told = why; !late {
						answer(s, why)
					}
				}
				p.receive(c.in)
				if late {
					if !strings.Contains(name, "ended") { // what comes meanwhile is dropped
						p.receive(fr(dataFrame, 0, 1, []byte("x")), fr(headersFrame, endOnce, 1, fields("a", "b")))
						if c.want == "1 RST_STREAM NO_ERROR" {
							c.want = "" // it has ended by now
						}
					}
					answer(p.told[1], told)
				}
				want := []string{"1 refused: " + told.Reason, fmt.Sprintf(`1 HEADERS :status="%d"`, told.Status), `1 DATA "no" end`}
				if c.want != "" {
					want = append(want, c.want)
				}
				p.want(want...)
				p.told[1].Release()
				p.want()
				if open, held := p.Streams(); open != 0 || held != 0 {
					t.Errorf("%d open, %d held", open, held)
				}
			})
		}
	}
}
