package http2

import (
	"bufio"
	"bytes"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/trellis-project/trellis/http1"
)

// busy makes a peer do what owners do: a server sends back what comes and releases streams that have ended, a client
// releases them.
func busy(p *peer) {
	done := func(s *Stream) {
		if s.Closed() {
			s.Release()
		}
	}
	late := map[*Stream]bool{}
	p.onHead = func(s *Stream, h *http1.Head, end bool) {
		if p.server {
			b, err := s.Answer(200)
			if err != nil {
				p.log("%d can't be answered: %v", s.id, err)
				s.Release()
				return
			}
			b.Fields(h, 0)
			b.Length(h)
			b.Send(false)
			if late[s] = true; end {
				s.WriteData([]byte("all"), true)
			}
		}
		done(s)
	}
	p.onData = func(s *Stream, data []byte, end bool) {
		n := len(data)
		if p.server {
			n, _ = s.WriteData(data, end)
		}
		s.Consumed(n)
		done(s)
	}
	p.trailed = func(s *Stream, fields []http1.Field) {
		if p.server {
			if b, err := s.Trailers(); err == nil {
				for _, f := range fields {
					b.Field(f.Name, f.Value)
				}
				b.Send(true)
			}
		}
		done(s)
	}
	p.refused = func(s *Stream, why *http1.Error) {
		if b, err := s.Answer(why.Status); p.server && err == nil {
			b.Send(true)
		}
		s.Release()
	}
	p.onWrite = func(s *Stream) { s.WriteData([]byte("more"), false) }
}

// play hands bytes to a new peer in pieces, as a reader of a socket does that keeps what was not taken. It returns all
// that was told and written.
func play(t *testing.T, in []byte, server bool, size int) (events string, out []byte, err error) {
	p := newPeer(t, server, Options{MaxStreams: 5, MaxPending: maxFrame, Connect: true})
	busy(p)
	if server {
		p.receive([]byte(preface))
	} else {
		for _, method := range []string{"GET", "HEAD", "POST"} {
			_, b, err := p.Open(&http1.Head{Method: method, Path: "/", Host: "a"}, "http", "")
			if err != nil {
				t.Fatal(err)
			}
			b.Send(method != "POST")
		}
	}
	p.receive(fr(settingsFrame, 0, 0, nil))
	var kept []byte
	for len(in) > 0 && err == nil {
		piece := min(size, len(in))
		kept = append(kept, in[:piece]...)
		in = in[piece:]
		var n int
		n, err = p.Receive(kept)
		if n > len(kept) || len(kept)-n >= frameHead+maxFrame && err == nil {
			t.Fatalf("took %d of %d bytes", n, len(kept))
		}
		kept = kept[n:]
		if len(p.Pending()) > maxFrame+spareControl+2*http1.MaxHead {
			t.Fatalf("%d bytes wait", len(p.Pending()))
		}
	}
	out = bytes.Clone(p.Pending())
	written(t, p.dec, out, true)
	open, held := p.Streams()
	if open > held || open > 5 || held > 10 {
		t.Fatalf("%d streams open, %d held", open, held)
	}
	if p.window < 0 && p.Err() == nil || p.window > p.options.ConnWindow || p.consumed >= p.options.ConnWindow/2 || p.consumed < 0 {
		t.Fatalf("window %d, %d consumed", p.window, p.consumed)
	}
	events = strings.Join(p.events, "\n")
	p.Abort(Cancel)
	for _, s := range p.told {
		if s.conn == p.Conn && s.held {
			s.Release()
		}
	}
	if open, _ := p.Streams(); open != 0 {
		t.Fatalf("%d streams open after the end", open)
	}
	return events, out, err
}

// FuzzFrames checks that whatever comes after the greetings, what is told and written does not depend on how the bytes
// come, can be read by x/net, and stays within its bounds.
func FuzzFrames(f *testing.F) {
	for _, c := range rfcCases {
		f.Add(join(c.in...), true, uint8(3))
	}
	f.Add(join(answered(0, "200"), fr(dataFrame, end, 1, []byte("x"))), false, uint8(1))
	f.Add(join(answered(0, "103"), answered(0, "200"), fr(headersFrame, endOnce, 1, fields("grpc-status", "0"))), false, uint8(9))
	f.Add(join(answered(end, "200"), fr(headersFrame, endOnce, 3, fields(":status", "204")), fr(goawayFrame, 0, 0, number(3, 0)), fr(resetFrame, 0, 5, number(7))), false, uint8(2))
	f.Add(join(fr(settingsFrame, 0, 0, setting(settingTable, 0)), open, fr(settingsFrame, 0, 0, setting(settingWindow, 0)), fr(dataFrame, end, 1, []byte("x")), fr(windowFrame, 0, 1, number(5))), true, uint8(2))
	f.Fuzz(func(t *testing.T, in []byte, server bool, size uint8) {
		at, out, err := play(t, in, server, len(in)+1)
		pieces, out2, err2 := play(t, in, server, int(size)+1)
		if at != pieces || !bytes.Equal(out, out2) || err != err2 {
			t.Fatalf("at once:\n%s\n%x %v\nin pieces of %d:\n%s\n%x %v", at, out, err, size+1, pieces, out2, err2)
		}
	})
}

// What RFC 9113 8 and RFC 9110 5 let stand in a head, written without a look at the decoder.
var (
	refName   = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9a-z-]+$")
	refValue  = regexp.MustCompile(`^([!-~\x80-\xff]([\t -~\x80-\xff]*[!-~\x80-\xff])?)?$`)
	refMethod = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")
	refPath   = regexp.MustCompile(`^/[!-~]*$`)
	refHost   = regexp.MustCompile(`^([0-9A-Za-z._~-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]*)?$`)
)

// latin1 makes one character of each byte, which is how a regular expression sees bytes.
func latin1(s string) string {
	r := make([]rune, len(s))
	for i := range len(s) {
		r[i] = rune(s[i])
	}
	return string(r)
}

// checkRequest holds an accepted request to the reference.
func checkRequest(t *testing.T, pairs []string, h *http1.Head, end bool) {
	t.Helper()
	seen := map[string][]string{}
	regular := false
	for i := 0; i < len(pairs); i += 2 {
		name, value := pairs[i], pairs[i+1]
		seen[name] = append(seen[name], value)
		if strings.HasPrefix(name, ":") {
			if regular {
				t.Fatalf("pseudo-header after a field: %q", pairs)
			}
			continue
		}
		regular = true
		if !refName.MatchString(latin1(name)) || !refValue.MatchString(latin1(value)) {
			t.Fatalf("bad field: %q", pairs)
		}
		if slices.Contains([]string{"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}, name) ||
			name == "te" && !strings.EqualFold(value, "trailers") {
			t.Fatalf("field about a connection: %q", pairs)
		}
	}
	one := func(name string) string {
		if len(seen[name]) != 1 {
			t.Fatalf("%d of %s: %q", len(seen[name]), name, pairs)
		}
		return seen[name][0]
	}
	method, path, scheme := one(":method"), one(":path"), one(":scheme")
	for name := range seen {
		if strings.HasPrefix(name, ":") && !slices.Contains([]string{":method", ":path", ":scheme", ":authority", ":protocol"}, name) ||
			name == ":protocol" && method != "CONNECT" {
			t.Fatalf("%s: %q", name, pairs)
		}
	}
	if !refMethod.MatchString(method) || !(refPath.MatchString(latin1(path)) || path == "*" && method == "OPTIONS") || scheme != "http" && scheme != "https" {
		t.Fatalf("bad request: %q", pairs)
	}
	var hosts []string
	for _, name := range []string{":authority", "host"} {
		if _, ok := seen[name]; ok {
			hosts = append(hosts, one(name))
		}
	}
	if len(hosts) == 0 || !refHost.MatchString(hosts[0]) || !strings.EqualFold(hosts[0], hosts[len(hosts)-1]) || h.Host != hosts[0] {
		t.Fatalf("host %q: %q", h.Host, pairs)
	}
	length := int64(-1)
	if _, ok := seen["content-length"]; ok {
		n, err := strconv.ParseUint(one("content-length"), 10, 63)
		if err != nil || end && n > 0 {
			t.Fatalf("bad length: %q", pairs)
		}
		length = int64(n)
	}
	framing := http1.NoBody
	switch {
	case length > 0:
		framing = http1.ByLength
	case length < 0 && !end:
		framing = http1.Chunked
	}
	if h.Framing != framing || length >= 0 && h.Length != length {
		t.Fatalf("framing %d, length %d: %q", h.Framing, h.Length, pairs)
	}
	var crumbs []string
	for _, c := range seen["cookie"] {
		if c != "" {
			crumbs = append(crumbs, c)
		}
	}
	i := 0
	for _, f := range h.Fields {
		if f.Name == "cookie" {
			if i++; f.Value != strings.Join(crumbs, "; ") || i > 1 {
				t.Fatalf("cookie %q: %q", f.Value, pairs)
			}
		}
	}
}

// onward are the fields that a head leaves for the next hop, but Host, which may stand elsewhere.
func onward(h *http1.Head) (out []http1.Field) {
	for i, f := range h.Fields {
		if !h.Passes(i, 1<<http1.Host) {
			continue
		}
		if n := h.HopsLeft(i); n >= 0 {
			f.Value = strconv.FormatInt(n, 10)
		}
		out = append(out, http1.Field{Name: strings.ToLower(f.Name), Value: f.Value})
	}
	return out
}

// plain are the fields of a head as they are, but those that frame it, and Host and te.
func plain(h *http1.Head) (out []http1.Field) {
	for i, f := range h.Fields {
		if k := h.Kinds[i]; k != http1.ContentLength && k != http1.TransferEncoding && k != http1.Host && f.Name != "te" {
			out = append(out, http1.Field{Name: strings.ToLower(f.Name), Value: f.Value})
		}
	}
	return out
}

// cut cuts a header block into frames.
func cut(id uint32, flags uint8, block []byte) (out []byte) {
	kind := headersFrame
	for {
		n := min(len(block), maxFrame)
		if n == len(block) {
			flags |= whole
		}
		out = append(out, fr(kind, flags, id, block[:n])...)
		if block = block[n:]; len(block) == 0 {
			return out
		}
		kind, flags = continuationFrame, 0
	}
}

// FuzzTranslation checks that a request or answer that is accepted, whose names and values stand between bytes 0xff, is
// one by the reference; that as HTTP/1.1 it is the same for http1 and net/http, and nothing else comes out; and that as
// HTTP/2 it is the same for another Conn.
func FuzzTranslation(f *testing.F) {
	for _, c := range rfcCases {
		if len(c.in) != 1 || c.in[0][3] != headersFrame {
			continue
		}
		d := decoder{}
		var l list
		if block := c.in[0][frameHead:]; d.decode(block, &l) {
			var parts []string
			for _, f := range l.fields {
				parts = append(parts, f.name, f.value)
			}
			f.Add([]byte(strings.Join(parts, "\xff")), c.in[0][4]&end != 0, false)
		}
	}
	f.Add([]byte(":status\xff200\xffcontent-length\xff3\xffset-cookie\xffa=b\xffx-amzn-lattice-identity\xffme"), false, true)
	f.Add([]byte(":status\xff204"), true, true)
	f.Add([]byte(":method\xffOPTIONS\xff:path\xff*\xff:scheme\xffhttp\xffhost\xff[::1]:80\xffmax-forwards\xff7\xffcookie\xffa\xffcookie\xffb"), true, false)
	f.Fuzz(func(t *testing.T, in []byte, end, response bool) {
		var pairs []string
		for part := range strings.SplitSeq(string(in), "\xff") {
			pairs = append(pairs, part)
		}
		pairs = pairs[:len(pairs)/2*2]
		flags := uint8(0)
		if end {
			flags = endStreamFlag
		}
		p := started(t, !response, Options{Connect: true})
		if response {
			ask(p, "GET", "/")
			p.flush()
		}
		p.onHead = func(s *Stream, h *http1.Head, ended bool) {
			if ended != end {
				t.Fatalf("ended: %t", ended)
			}
			if response {
				checkAnswerOn(t, pairs, h)
				return
			}
			checkRequest(t, pairs, h, end)
			checkRequestOn(t, h, s.Upgrade(), end)
		}
		p.receive(cut(1, flags, fields(pairs...)))
	})
}

// checkRequestOn writes an accepted request for the next hop, in both versions.
func checkRequestOn(t *testing.T, h *http1.Head, upgrade string, end bool) {
	t.Helper()
	next := started(t, true, Options{Connect: true})
	target := started(t, false, Options{})
	target.receive(fr(settingsFrame, 0, 0, setting(settingConnect, 1)))
	s, b, err := target.Open(h, "http", upgrade)
	if err != nil {
		t.Fatal(err)
	}
	b.Fields(h, 0)
	b.Length(h)
	b.Send(end)
	told := false
	next.onHead = func(s *Stream, again *http1.Head, ended bool) {
		told = true
		if again.Method != h.Method || again.Path != h.Path || again.RawQuery != h.RawQuery || again.HasQuery != h.HasQuery ||
			again.Host != h.Host || again.Framing != h.Framing || again.Length != h.Length || ended != end || s.Upgrade() != upgrade ||
			!slices.Equal(plain(again), onward(h)) {
			t.Fatalf("%s %v became %s %v", showHead(h), onward(h), showHead(again), plain(again))
		}
	}
	if err := next.receive(bytes.Clone(target.Pending())); err != nil {
		t.Fatal(err)
	}
	if !told && h.Of(http1.MaxForwards) == "" { // which may have been the last hop
		t.Fatalf("%s was refused by the next hop: %v", showHead(h), next.events)
	}
	s.Release()
	if h.Method == "CONNECT" {
		return
	}

	out := append(http1.AppendFraming(http1.AppendFields(http1.AppendRequestLine(nil, h), h, 0), h), "\r\n"...)
	var again http1.Head
	again.Reset()
	n, err := http1.ParseRequest(out, &again)
	if err == http1.ErrLastHop {
		return
	}
	if err != nil || n != len(out) {
		t.Fatalf("written as %q: %d of %d, %v", out, n, len(out), err)
	}
	if again.Method != h.Method || again.Path != h.Path || again.RawQuery != h.RawQuery || again.HasQuery != h.HasQuery ||
		again.Host != h.Host || again.Framing != h.Framing || again.Length != h.Length || again.Close || again.Upgrade ||
		!slices.Equal(plain(&again), onward(h)) {
		t.Fatalf("%s was written as %q", showHead(h), out)
	}
	if h.Path == "*" {
		return // net/http reads no host then
	}
	theirs, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(out)))
	if err != nil {
		// It parses paths, ports and methods more strictly; it never reads something else.
		return
	}
	length := h.Length
	if h.Framing == http1.Chunked {
		length = -1
	}
	if theirs.Method != h.Method || theirs.Host != h.Host || theirs.ContentLength != length || !strings.HasPrefix(theirs.RequestURI, h.Path) {
		t.Fatalf("net/http reads %s %s %s %d in %q", theirs.Method, theirs.Host, theirs.RequestURI, theirs.ContentLength, out)
	}
}

// checkAnswerOn writes an accepted answer for a client, in both versions.
func checkAnswerOn(t *testing.T, pairs []string, h *http1.Head) {
	t.Helper()
	if pairs[0] != ":status" || len(pairs[1]) != 3 || strconv.Itoa(h.Status) != pairs[1] {
		t.Fatalf("status %d: %q", h.Status, pairs)
	}
	for i := 2; i < len(pairs); i += 2 {
		if name, value := pairs[i], pairs[i+1]; !refName.MatchString(latin1(name)) || !refValue.MatchString(latin1(value)) {
			t.Fatalf("bad field: %q", pairs)
		}
	}
	out := http1.AppendFraming(http1.AppendFields(http1.AppendStatusLine(nil, h.Status, h.Reason), h, 0), h)
	out = append(out, "\r\n"...)
	var again http1.Head
	again.Reset()
	n, err := http1.ParseResponse(out, &again, false)
	if err != nil || n != len(out) || again.Status != h.Status || again.Framing != h.Framing || again.Length != h.Length || again.Close ||
		!slices.Equal(plain(&again), onward(h)) {
		t.Fatalf("%s was written as %q, %v: %s", showHead(h), out, err, showHead(&again))
	}
	next := started(t, false, Options{})
	ask(next, "GET", "/")
	p := started(t, true, Options{})
	p.onHead = func(s *Stream, _ *http1.Head, _ bool) {
		b, _ := s.Answer(h.Status)
		b.Fields(h, 0)
		b.Length(h)
		b.Send(false)
	}
	p.receive(fr(headersFrame, endOnce, 1, get()))
	told := false
	next.onHead = func(_ *Stream, again *http1.Head, _ bool) {
		if told = true; again.Status != h.Status || !slices.Equal(plain(again), onward(h)) {
			t.Fatalf("%s became %s", showHead(h), showHead(again))
		}
	}
	if err := next.receive(bytes.Clone(p.Pending())); err != nil || !told {
		t.Fatalf("%s was refused: %v", showHead(h), next.events)
	}
}
