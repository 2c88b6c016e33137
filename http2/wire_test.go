package http2

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/trellis-project/trellis/http1"
	xhttp2 "golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// recorder is a handler that writes down what it is told, and answers requests when it shall.
type recorder struct {
	events  []string
	told    map[uint32]*Stream
	onHead  func(s *Stream, h *http1.Head, end bool)
	onData  func(s *Stream, p []byte, end bool)
	onReset func(s *Stream, code Code)
	onWrite func(s *Stream)
	refused func(s *Stream, why *http1.Error)
	trailed func(s *Stream, fields []http1.Field)
}

func (r *recorder) log(format string, args ...any) {
	r.events = append(r.events, fmt.Sprintf(format, args...))
}

// hold remembers a stream.
func (r *recorder) hold(s *Stream) {
	if r.told == nil {
		r.told = map[uint32]*Stream{}
	}
	r.told[s.id] = s
}

func (r *recorder) Head(s *Stream, h *http1.Head, end bool) {
	r.hold(s)
	r.log("%d %s%s", s.id, showHead(h), showEnd(end))
	if r.onHead != nil {
		r.onHead(s, h, end)
	}
}

func (r *recorder) Refused(s *Stream, why *http1.Error) {
	r.hold(s)
	r.log("%d refused: %s", s.id, why.Reason)
	if r.refused != nil {
		r.refused(s, why)
		return
	}
	s.Release()
}

func (r *recorder) Data(s *Stream, p []byte, end bool) {
	r.log("%d data %q%s", s.id, p, showEnd(end))
	if r.onData != nil {
		r.onData(s, p, end)
		return
	}
	s.Consumed(len(p))
}

func (r *recorder) Trailers(s *Stream, fields []http1.Field) {
	r.log("%d trailers %v", s.id, fields)
	if r.trailed != nil {
		r.trailed(s, fields)
	}
}

func (r *recorder) Reset(s *Stream, code Code) {
	r.log("%d ended: %v", s.id, code)
	if r.onReset != nil {
		r.onReset(s, code)
		return
	}
	s.Release()
}

func (r *recorder) Writable(s *Stream) {
	if r.onWrite != nil {
		r.onWrite(s)
		return
	}
	r.log("%d writable", s.id)
}

func (r *recorder) Settings() { r.log("settings") }

func (r *recorder) Goaway(last uint32, code Code) { r.log("goaway %d %v", last, code) }

func (r *recorder) Pong(data [8]byte) { r.log("pong %s", data[:]) }

// showHead writes a head in one line.
func showHead(h *http1.Head) string {
	var b strings.Builder
	if h.Method != "" {
		fmt.Fprintf(&b, "%s %s", h.Method, h.Path)
		if h.HasQuery {
			fmt.Fprintf(&b, "?%s", h.RawQuery)
		}
	} else {
		fmt.Fprint(&b, h.Status)
	}
	for _, f := range h.Fields {
		fmt.Fprintf(&b, " %s=%q", f.Name, f.Value)
	}
	switch {
	case h.Framing == http1.Chunked:
		b.WriteString(" length unknown")
	case h.Framing == http1.ByLength:
		fmt.Fprintf(&b, " length %d", h.Length)
	}
	return b.String()
}

func showEnd(end bool) string {
	if end {
		return " end"
	}
	return ""
}

// written reads frames that a Conn has written, and writes each in a line. What every connection has is left out:
// its first SETTINGS and the acknowledgement of the peer's, and updates of windows unless all is wanted.
func written(t testing.TB, dec *hpack.Decoder, b []byte, all bool) (out []string) {
	t.Helper()
	b = bytes.TrimPrefix(b, []byte(preface))
	f := xhttp2.NewFramer(nil, bytes.NewReader(b))
	f.SetMaxReadFrameSize(1 << 24)
	f.ReadMetaHeaders = dec
	f.MaxHeaderListSize = 1 << 20
	for {
		fr, err := f.ReadFrame()
		if err != nil {
			if strings.Contains(err.Error(), "EOF") {
				return out
			}
			t.Fatalf("wrote what can't be read: %v in %x", err, b)
		}
		id := fr.Header().StreamID
		switch fr := fr.(type) {
		case *xhttp2.SettingsFrame:
			if all {
				out = append(out, fmt.Sprintf("SETTINGS ack=%t", fr.IsAck()))
			}
		case *xhttp2.WindowUpdateFrame:
			if all {
				out = append(out, fmt.Sprintf("%d WINDOW_UPDATE %d", id, fr.Increment))
			}
		case *xhttp2.MetaHeadersFrame:
			s := fmt.Sprintf("%d HEADERS", id)
			for _, f := range fr.Fields {
				s += fmt.Sprintf(" %s=%q", f.Name, f.Value)
				if f.Sensitive {
					s += "(secret)"
				}
			}
			out = append(out, s+showEnd(fr.StreamEnded()))
		case *xhttp2.DataFrame:
			out = append(out, fmt.Sprintf("%d DATA %q%s", id, fr.Data(), showEnd(fr.StreamEnded())))
		case *xhttp2.RSTStreamFrame:
			out = append(out, fmt.Sprintf("%d RST_STREAM %v", id, Code(fr.ErrCode)))
		case *xhttp2.GoAwayFrame:
			out = append(out, fmt.Sprintf("GOAWAY %d %v", fr.LastStreamID, Code(fr.ErrCode)))
		case *xhttp2.PingFrame:
			out = append(out, fmt.Sprintf("PING %s ack=%t", fr.Data, fr.IsAck()))
		default:
			out = append(out, fmt.Sprintf("%d %v", id, fr.Header().Type))
		}
	}
}

// peer is a Conn with its recorder and what reads its output.
type peer struct {
	t testing.TB
	*Conn
	*recorder
	dec *hpack.Decoder
}

func newPeer(t testing.TB, server bool, o Options) *peer {
	p := &peer{t: t, recorder: &recorder{}, dec: hpack.NewDecoder(tableSize, nil)}
	if server {
		p.Conn = NewServer(o, p.recorder)
	} else {
		p.Conn = NewClient(o, p.recorder)
	}
	return p
}

// started is a peer after the greetings.
func started(t testing.TB, server bool, o Options) *peer {
	p := newPeer(t, server, o)
	if server {
		p.receive([]byte(preface))
	}
	p.receive(fr(settingsFrame, 0, 0, nil))
	p.flush()
	p.events = nil
	return p
}

// receive hands bytes in as a reader of a socket does.
func (p *peer) receive(in ...[]byte) error {
	for _, b := range in {
		for len(b) > 0 {
			n, err := p.Conn.Receive(b)
			if err != nil {
				return err
			}
			if n == 0 {
				p.t.Fatalf("%d bytes left: %x", len(b), b)
			}
			b = b[n:]
		}
	}
	return nil
}

// flush sends all that is pending, and returns it in lines.
func (p *peer) flush() (out []string) {
	for len(p.Pending()) > 0 {
		b := bytes.Clone(p.Pending())
		p.Sent(len(b))
		out = append(out, written(p.t, p.dec, b, false)...)
	}
	return out
}

// want compares what was told and written since the last time.
func (p *peer) want(want ...string) {
	p.t.Helper()
	got := append(p.events, p.flush()...)
	p.events = nil
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		p.t.Errorf("got:\n  %s\nwant:\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// fr is one frame.
func fr(kind, flags uint8, id uint32, payload []byte) []byte {
	return append(appendFrame(nil, len(payload), kind, flags, id), payload...)
}

// number is a payload of 32-bit numbers.
func number(n ...uint32) (b []byte) {
	for _, n := range n {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	return b
}

// setting is the payload of SETTINGS with one setting.
func setting(name uint16, value uint32) []byte { return appendSetting(nil, name, value) }

// fields is a header block of names and values in turn, which uses no dynamic table.
func fields(pairs ...string) (b []byte) {
	for i := 0; i < len(pairs); i += 2 {
		b = appendText(appendText(append(b, 0), pairs[i]), pairs[i+1])
	}
	return b
}

// get are the fields of a plain request, and more.
func get(more ...string) []byte {
	return fields(append([]string{":method", "GET", ":scheme", "http", ":authority", "a.b", ":path", "/"}, more...)...)
}

// post is get for a request with a body.
func post(more ...string) []byte {
	return fields(append([]string{":method", "POST", ":scheme", "http", ":authority", "a.b", ":path", "/"}, more...)...)
}

const (
	end     = endStreamFlag
	whole   = endHeadersFlag
	endOnce = end | whole
)
