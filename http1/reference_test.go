package http1

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httputil"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The slow reference: the grammar of RFC 9112 as regular expressions, written without a look at the parser.
const (
	refToken  = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
	refValue  = "[\\t\\x20-\\x7e\\x80-\\xff]*"
	refQuoted = `"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"`
	refField  = refToken + ":" + refValue + "\\r\\n"
)

// The parts of a message.
var (
	refHead = regexp.MustCompile("^(?:\\r\\n)?(" + refToken + ") ([\\x21$-;=?-~]+) HTTP/1\\.([0-9])\\r\\n((?:" + refField + ")*)\\r\\n")
	refLine = regexp.MustCompile("(" + refToken + "):[ \\t]*(.*?)[ \\t]*\\r\\n")
	refSize = regexp.MustCompile("^([0-9A-Fa-f]+)((?:[ \\t]*;[ \\t]*" + refToken + "(?:[ \\t]*=[ \\t]*(?:" + refToken + "|" + refQuoted + "))?)*)\\r\\n")
	refTail = regexp.MustCompile("^((?:" + refField + ")*)\\r\\n")
)

// latin1 makes one character of each byte, which is how a regular expression sees bytes.
func latin1(b []byte) string {
	r := make([]rune, len(b))
	for i, c := range b {
		r[i] = rune(c)
	}
	return string(r)
}

// bytesOf is the reverse of latin1.
func bytesOf(s string) string {
	var b []byte
	for _, r := range s {
		b = append(b, byte(r))
	}
	return string(b)
}

// refFields are the field lines of a section.
func refFields(s string) (out []Field) {
	for _, m := range refLine.FindAllStringSubmatch(s, -1) {
		out = append(out, Field{bytesOf(m[1]), bytesOf(m[2])})
	}
	return out
}

// valuesOf are the values of the fields of a name.
func valuesOf(fields []Field, name string) (out []string) {
	for _, f := range fields {
		if strings.EqualFold(f.Name, name) {
			out = append(out, f.Value)
		}
	}
	return out
}

// checkHead compares an accepted request head with the reference.
func checkHead(t *testing.T, in []byte, n int, h *Head) {
	t.Helper()
	m := refHead.FindStringSubmatch(latin1(in[:n]))
	if m == nil || len(m[0]) != len(latin1(in[:n])) {
		t.Fatalf("accepted, but no request by the grammar: %q", in[:n])
	}
	fields := refFields(m[4])
	host := valuesOf(fields, "Host")
	if authority := regexp.MustCompile("(?i)^http://([^/?]+)").FindStringSubmatch(m[2]); authority != nil {
		for i := range fields {
			if strings.EqualFold(fields[i].Name, "Host") {
				fields[i].Value = authority[1] // the Host of absolute-form is the target's (RFC 9112 3.2.2)
			}
		}
	}
	if h.Method != m[1] || h.Target != m[2] || !slices.Equal(h.Fields, fields) {
		t.Fatalf("%q was read as %q %q %q", in[:n], h.Method, h.Target, h.Fields)
	}
	length, coding := valuesOf(fields, "Content-Length"), valuesOf(fields, "Transfer-Encoding")
	switch {
	case len(host) > 1, len(host) == 0 && m[3] != "0", len(length) > 1, len(coding) > 1, len(length)+len(coding) > 1,
		len(coding) == 1 && (m[3] == "0" || !strings.EqualFold(coding[0], "chunked")), len(length) == 1 && !regexp.MustCompile("^[0-9]+$").MatchString(length[0]):
		t.Fatalf("accepted: %q", in[:n])
	}
	framing := NoBody
	if len(coding) == 1 {
		framing = Chunked
	} else if len(length) == 1 && strings.Trim(length[0], "0") != "" {
		framing = ByLength
	}
	if h.Framing != framing || len(length) == 1 && fmt.Sprint(h.Length) != "0"+strings.TrimLeft(length[0], "0") && fmt.Sprint(h.Length) != strings.TrimLeft(length[0], "0") {
		t.Fatalf("framing %d and length %d of %q", h.Framing, h.Length, in[:n])
	}
}

// refChunked reads a chunked body by the grammar: the content, what follows the body, and whether it is whole. It
// tells whether a limit of ours is passed.
func refChunked(in []byte) (content, rest []byte, ok, large bool) {
	var ext int
	for {
		m := refSize.FindStringSubmatch(latin1(in))
		if m == nil {
			return nil, nil, false, large
		}
		line := bytesOf(m[0])
		ext += len(bytesOf(m[2]))
		n, _ := new(big.Int).SetString(m[1], 16)
		large = large || len(m[1]) > 32 || len(line) > MaxChunkLine || ext > maxExtension || n.BitLen() > 55
		in = in[len(line):]
		if n.Sign() == 0 {
			break
		}
		if !n.IsInt64() || n.Int64() > int64(len(in)) {
			return nil, nil, false, large
		}
		content = append(content, in[:n.Int64()]...)
		if in = in[n.Int64():]; !bytes.HasPrefix(in, []byte("\r\n")) {
			return nil, nil, false, large
		}
		in = in[2:]
	}
	m := refTail.FindString(latin1(in))
	if m == "" {
		return nil, nil, false, large
	}
	tail := len(bytesOf(m))
	return content, in[tail:], true, large || tail > MaxTrailers
}

// ours reads one request at the start of in, body and all. ok is false when it is refused or not whole.
func ours(in []byte) (h *Head, content []byte, used int, ok bool) {
	h = new(Head)
	h.Reset()
	n, err := ParseRequest(in, h)
	if err != nil || n == 0 {
		return h, nil, 0, false
	}
	var b Body
	b.Start(h)
	if b.Done() {
		return h, nil, n, true
	}
	body := append([]byte(nil), in[n:]...)
	keep, m, err := b.Next(body, true)
	return h, body[:keep], n + m, err == nil && b.Done()
}

// checkStream compares how a stream of requests is cut into messages with how net/http cuts it. net/http may refuse
// more (it reads the target as a URL) and less; where both accept, they agree about method, target, host, content and
// about where the next message begins.
func checkStream(t *testing.T, in []byte) {
	t.Helper()
	for i := 0; len(in) > 0; i++ {
		h, content, used, ok := ours(in)
		if !ok {
			return
		}
		src := bytes.NewReader(bytes.TrimPrefix(in, []byte("\r\n"))) // net/http takes no empty line before a request
		br := bufio.NewReaderSize(src, MaxHead)
		q, err := http.ReadRequest(br)
		if err == nil {
			body, err := io.ReadAll(q.Body)
			left := src.Len() + br.Buffered()
			if q.Method != h.Method || q.RequestURI != h.Target || q.Host != h.Host {
				t.Fatalf("request %d: %s %q of %q, by net/http %s %q of %q", i, h.Method, h.Target, h.Host, q.Method, q.RequestURI, q.Host)
			}
			if err != nil || !bytes.Equal(body, content) || left != len(in)-used {
				t.Fatalf("request %d of %q: content %q and then %d bytes, by net/http %q and %d: %v", i, in, content, len(in)-used, body, left, err)
			}
		}
		in = in[used:]
	}
}

// checkWritten compares what was written for a target with what net/http reads of it.
func checkWritten(t *testing.T, h *Head, out []byte, host string) {
	t.Helper()
	br := bufio.NewReaderSize(bytes.NewReader(out), MaxHead)
	q, err := http.ReadRequest(br)
	if err != nil {
		return // a target that is no URL for net/http
	}
	target := h.Path
	if h.HasQuery {
		target += "?" + h.RawQuery
	}
	length := int64(0)
	if h.Framing == ByLength {
		length = h.Length
	} else if h.Framing == Chunked {
		length = -1
	}
	if q.Method != h.Method || q.RequestURI != target || q.Host != host || q.ContentLength != length || (len(q.TransferEncoding) == 1) != (h.Framing == Chunked) || br.Buffered() != 0 {
		t.Fatalf("%q is for net/http %s %s of %s with %d bytes and %v", out, q.Method, q.RequestURI, q.Host, q.ContentLength, q.TransferEncoding)
	}
}

// TestReference holds the reference itself against what is plainly right and plainly wrong.
func TestReference(t *testing.T) {
	for in, want := range map[string]bool{"5\r\nhello\r\n0\r\n\r\n": true, "5;a=\"b\\\"\";c\r\nhello\r\n0\r\nA: b\r\n\r\n": true, "5\nhello\r\n0\r\n\r\n": false,
		"5;\r\nhello\r\n0\r\n\r\n": false, "5\r\nhello0\r\n\r\n": false, "0\r\n\r\n": true, "0\r\n": false} {
		if _, _, ok, _ := refChunked([]byte(in)); ok != want {
			t.Errorf("%q: %t", in, ok)
		}
	}
	checkStream(t, []byte("GET /a HTTP/1.1\r\nHost: a\r\n\r\nPOST /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;x\r\na\r\n0\r\nX: y\r\n\r\n\r\nPOST http://c/ HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"))
	body, err := io.ReadAll(httputil.NewChunkedReader(strings.NewReader("1\r\na\r\n0\r\n\r\n")))
	if string(body) != "a" || err != nil {
		t.Fatal(body, err)
	}
}
