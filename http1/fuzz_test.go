package http1

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/http/httputil"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// caseBytes are the messages of a case file.
func caseBytes(f *testing.F, kind string) (out [][]byte) {
	text, err := os.ReadFile(filepath.Join("testdata", kind+".txt"))
	if err != nil {
		f.Fatal(err)
	}
	for _, block := range strings.Split(strings.TrimSpace(string(text)), "\n\n") {
		out = append(out, unescape(f, strings.SplitN(block, "\n", 3)[1]))
	}
	return out
}

// FuzzHead checks that whatever is accepted has one reading: the grammar of RFC 9112 and net/http read the same in it
// (checkHead, checkStream), the head that is written for the target is accepted too, with the same host, path, fields
// and framing, also by net/http, and nothing of it is a line of its own making.
func FuzzHead(f *testing.F) {
	f.Add([]byte("GET /a?b HTTP/1.1\r\nHost: a\r\nConnection: x-y\r\nX-Y: 1\r\n\r\n"))
	f.Add([]byte("POST http://b/ HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"))
	f.Add([]byte("\r\nPOST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n0\r\n\r\n"))
	f.Add([]byte("GET / HTTP/1.0\r\n\r\n"))
	f.Add([]byte("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"))
	for _, in := range caseBytes(f, "request") {
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		checkStream(t, in)
		var h, again Head
		h.Reset()
		n, err := ParseRequest(in, &h)
		if err != nil || n == 0 {
			return
		}
		checkHead(t, in, n, &h)
		if n > len(in) || !bytes.HasSuffix(in[:n], []byte("\r\n\r\n")) {
			t.Fatalf("head of %d bytes: %q", n, in)
		}
		if h.Coded && h.Declared || h.Coded && h.Minor == 0 {
			t.Fatalf("ambiguous framing accepted: %q", in[:n])
		}
		out := AppendFraming(AppendFields(AppendRequestLine(nil, &h), &h, 0), &h)
		host := h.Host
		if h.Host == "" {
			out, host = append(out, "Host: a\r\n"...), "a"
		} else if h.Absolute && h.Of(Host) == "" {
			out = append(out, "Host: "+h.Host+"\r\n"...)
		}
		out = append(out, "\r\n"...)
		again.Reset()
		m, err := ParseRequest(out, &again)
		if err != nil && len(out) < MaxHead || err == nil && m != len(out) {
			t.Fatalf("%q was written as %q: %d of %d, %v", in[:n], out, m, len(out), err)
		}
		if len(out) < MaxHead {
			checkWritten(t, &h, out, host)
		}
		if err == nil && (again.Host != host || again.Path != h.Path || again.RawQuery != h.RawQuery || again.Framing != h.Framing || again.Length != h.Length || again.Method != h.Method) {
			t.Fatalf("%q was written as %q", in[:n], out)
		}
		for _, k := range again.Kinds {
			if k == Lattice || k == Shadow || k == Confusable || k == HopByHop || k == Connection {
				t.Fatalf("%q was written as %q", in[:n], out)
			}
		}
	})
}

// FuzzChunked checks that a body is read exactly as the grammar of RFC 9112 has it (refChunked), neither more nor less,
// that net/http reads the same content in what is passed on, and that nothing depends on how the bytes come.
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
		content, after, ok, large := refChunked(in)
		if done && (!ok || !bytes.Equal(rest, after)) || !done && ok && !large {
			t.Fatalf("%q: done %t (%v), by the grammar %t; then %q, by the grammar %q", in, done, err, ok, rest, after)
		}
		if !done {
			return
		}
		if theirs, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(whole))); err != nil || !bytes.Equal(theirs, content) {
			t.Fatalf("net/http reads %q in %q: %v", theirs, whole, err)
		}
		again, none, ok, err := run(whole, len(whole)+1, false)
		if err != nil || !ok || len(none) != 0 || !bytes.Equal(again, whole) {
			t.Fatalf("passed on as %q, which reads as %q %v %v", whole, again, ok, err)
		}
		a, _, _, _ := run(in, len(in)+1, true)
		b, _, _, _ := run(whole, int(size)+1, true)
		if !bytes.Equal(a, b) || !bytes.Equal(a, content) {
			t.Fatalf("content %q became %q", a, b)
		}
	})
}

// FuzzRoundTrip checks responses: what is accepted from a target and written for a client has the same
// status and framing, for net/http too and with the same content, and no field that only the network may say.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: x-y\r\nX-Y: 1\r\n\r\nabc"), false)
	f.Add([]byte("HTTP/1.1 304 \r\nContent-Length: 3\r\n\r\n"), false)
	f.Add([]byte("HTTP/1.0 200\r\n\r\nrest"), true)
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), true)
	for _, in := range caseBytes(f, "response") {
		f.Add(in, false)
	}
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
		if len(out) < MaxHead {
			checkAnswer(t, in, n, out, &h, toHead)
		}
		if strings.Contains(strings.ToLower(string(out)), "\nx-amzn-lattice-") {
			t.Fatalf("%q was written as %q", in[:n], out)
		}
	})
}

// checkAnswer compares an accepted answer, and what was written of it, with what net/http reads in both.
func checkAnswer(t *testing.T, in []byte, n int, out []byte, h *Head, toHead bool) {
	t.Helper()
	var b Body
	b.Start(h)
	body := append([]byte(nil), in[n:]...)
	keep, used, err := b.Next(body, true)
	if err != nil || !b.Done() && !b.UntilClose() {
		return
	}
	request := &http.Request{Method: "GET"}
	if toHead {
		request.Method = "HEAD"
	}
	// net/http takes only status lines with a reason or a space, and refuses chunked in answers of HTTP/1.0 in silence.
	for i, message := range [][]byte{in[:n+used], append(append([]byte(nil), out...), in[n:n+used]...)} {
		src := bytes.NewReader(message)
		br := bufio.NewReaderSize(src, 2*MaxHead)
		a, err := http.ReadResponse(br, request)
		if err != nil {
			continue
		}
		theirs, err := io.ReadAll(a.Body)
		if err != nil || a.StatusCode != h.Status || !bytes.Equal(theirs, body[:keep]) || src.Len()+br.Buffered() != 0 {
			t.Fatalf("message %d %q: status %d, content %q, by net/http %d, %q and %d bytes more: %v", i, message, h.Status, body[:keep], a.StatusCode, theirs, src.Len()+br.Buffered(), err)
		}
	}
}
