package http1

import (
	"bytes"
	"strings"
	"testing"
)

// FuzzHead checks that whatever is accepted has one reading: the head that is written for the target is
// accepted too, with the same host, path and framing, and nothing of it is a line of its own making.
func FuzzHead(f *testing.F) {
	f.Add([]byte("GET /a?b HTTP/1.1\r\nHost: a\r\nConnection: x-y\r\nX-Y: 1\r\n\r\n"))
	f.Add([]byte("POST http://b/ HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"))
	f.Add([]byte("\r\nPOST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n0\r\n\r\n"))
	f.Add([]byte("GET / HTTP/1.0\r\n\r\n"))
	f.Add([]byte("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		var h, again Head
		h.Reset()
		n, err := ParseRequest(in, &h)
		if err != nil || n == 0 {
			return
		}
		if n > len(in) || !bytes.HasSuffix(in[:n], []byte("\r\n\r\n")) {
			t.Fatalf("head of %d bytes: %q", n, in)
		}
		if h.Coded && h.Declared || h.Coded && h.Minor == 0 {
			t.Fatalf("ambiguous framing accepted: %q", in[:n])
		}
		out := AppendFraming(AppendFields(AppendRequestLine(nil, &h), &h, 0), &h)
		if h.Host == "" {
			out = append(out, "Host: a\r\n"...)
		} else if h.Absolute && h.Of(Host) == "" {
			out = append(out, "Host: "+h.Host+"\r\n"...)
		}
		out = append(out, "\r\n"...)
		again.Reset()
		m, err := ParseRequest(out, &again)
		if err != nil && len(out) < MaxHead || err == nil && m != len(out) {
			t.Fatalf("%q was written as %q: %d of %d, %v", in[:n], out, m, len(out), err)
		}
		if err == nil && (again.Path != h.Path || again.RawQuery != h.RawQuery || again.Framing != h.Framing || again.Length != h.Length || again.Method != h.Method) {
			t.Fatalf("%q was written as %q", in[:n], out)
		}
		for _, k := range again.Kinds {
			if k == Lattice || k == Shadow || k == HopByHop || k == Connection {
				t.Fatalf("%q was written as %q", in[:n], out)
			}
		}
	})
}

// FuzzChunked checks that a body that is passed on is the same body to a reader without mercy, and that it
// does not depend on how the bytes come.
func FuzzChunked(f *testing.F) {
	f.Add([]byte("5\r\nhello\r\n0\r\n\r\n"), uint8(3))
	f.Add([]byte("5;a=b\r\nhello\r\n1 ;c\r\nx\r\n0\r\nA: b\r\nHost: x\r\n\r\nGET"), uint8(1))
	f.Add([]byte("ffffffffffffffff\r\n"), uint8(4))
	f.Fuzz(func(t *testing.T, in []byte, size uint8) {
		whole, rest, done, err := run(in, len(in)+1, false)
		kept, rest2, done2, err2 := run(in, int(size)+1, false)
		if (err == nil) != (err2 == nil) || done != done2 || err == nil && done && (!bytes.Equal(whole, kept) || !bytes.Equal(rest, rest2)) {
			t.Fatalf("at once %q %q %v %v, in pieces of %d %q %q %v %v", whole, rest, done, err, size+1, kept, rest2, done2, err2)
		}
		if !done {
			return
		}
		again, none, ok, err := run(whole, len(whole)+1, false)
		if err != nil || !ok || len(none) != 0 || !bytes.Equal(again, whole) {
			t.Fatalf("passed on as %q, which reads as %q %v %v", whole, again, ok, err)
		}
		a, _, _, _ := run(in, len(in)+1, true)
		b, _, _, _ := run(whole, int(size)+1, true)
		if !bytes.Equal(a, b) {
			t.Fatalf("content %q became %q", a, b)
		}
	})
}

// FuzzRoundTrip checks responses: what is accepted from a target and written for a client has the same
// status and framing, and no field that only the network may say.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: x-y\r\nX-Y: 1\r\n\r\nabc"), false)
	f.Add([]byte("HTTP/1.1 304 \r\nContent-Length: 3\r\n\r\n"), false)
	f.Add([]byte("HTTP/1.0 200\r\n\r\nrest"), true)
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), true)
	f.Fuzz(func(t *testing.T, in []byte, toHead bool) {
		var h, again Head
		h.Reset()
		n, err := ParseResponse(in, &h, toHead)
		if err != nil || n == 0 {
			return
		}
		out := AppendFraming(AppendFields(AppendStatusLine(nil, h.Status, h.Reason), &h, 0), &h)
		out = append(out, "\r\n"...)
		again.Reset()
		m, err := ParseResponse(out, &again, toHead)
		if err != nil && len(out) < MaxHead || err == nil && m != len(out) {
			t.Fatalf("%q was written as %q: %d of %d, %v", in[:n], out, m, len(out), err)
		}
		if err == nil && (again.Status != h.Status || again.Framing != h.Framing || again.Length != h.Length) {
			t.Fatalf("%q was written as %q", in[:n], out)
		}
		if strings.Contains(strings.ToLower(string(out)), "\nx-amzn-lattice-") {
			t.Fatalf("%q was written as %q", in[:n], out)
		}
	})
}
