package http1

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// unescape turns \r \n \t \0 and \xNN of a case file into bytes; line ends of the file mean nothing.
func unescape(t testing.TB, s string) []byte {
	t.Helper()
	var b []byte
	for i := 0; i < len(s); i++ {
		if s[i] == '\n' {
			continue
		}
		if s[i] != '\\' {
			b = append(b, s[i])
			continue
		}
		i++
		switch s[i] {
		case 'r':
			b = append(b, '\r')
		case 'n':
			b = append(b, '\n')
		case 't':
			b = append(b, '\t')
		case '0':
			b = append(b, 0)
		case '\\':
			b = append(b, '\\')
		case 'x':
			var c byte
			if _, err := fmt.Sscanf(s[i+1:i+3], "%02x", &c); err != nil {
				t.Fatalf("bad escape in %q", s)
			}
			b, i = append(b, c), i+2
		default:
			t.Fatalf("bad escape in %q", s)
		}
	}
	return b
}

// describe is a head as the case files have it.
func describe(h *Head, n int, err error) string {
	var e *Error
	switch {
	case err != nil && n != 0:
		return "an error and a length"
	case errors.As(err, &e):
		return fmt.Sprintf("refused %d %s", e.Status, e.Reason)
	case err != nil:
		return "unexpected error " + err.Error()
	case n == 0:
		return "incomplete"
	}
	var b strings.Builder
	if h.Method != "" {
		fmt.Fprintf(&b, "%s %q ?%q host=%q", h.Method, h.Path, h.RawQuery, h.Host)
	} else {
		fmt.Fprintf(&b, "%d %q", h.Status, h.Reason)
	}
	fmt.Fprintf(&b, " 1.%d %s", h.Minor, [...]string{"nobody", "length", "chunked", "untilclose"}[h.Framing])
	if h.Declared {
		fmt.Fprintf(&b, " %d", h.Length)
	}
	for _, f := range []struct {
		on   bool
		name string
	}{{h.Close, "close"}, {h.Continue, "continue"}, {h.Upgrade, "upgrade"}, {h.Nominated, "nominated"}} {
		if f.on {
			b.WriteString(" " + f.name)
		}
	}
	out := AppendFields(nil, h, 0)
	fmt.Fprintf(&b, " %q", out)
	return b.String()
}

// TestHeads runs the cases of testdata/*.txt: a name, the bytes, and what is made of them, in blocks
// separated by empty lines. With -update, the last is rewritten.
func TestHeads(t *testing.T) {
	for _, kind := range []string{"request", "response", "headresponse"} {
		file := filepath.Join("testdata", kind+".txt")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, block := range strings.Split(strings.TrimSpace(string(text)), "\n\n") {
			lines := strings.SplitN(block, "\n", 3)
			in := unescape(t, lines[1])
			got := describe(parse(kind, in))
			want := ""
			if len(lines) == 3 {
				want = lines[2]
			}
			if !*update && got != want {
				t.Errorf("%s: %s\n %s\n got  %s\n want %s", file, lines[0], lines[1], got, want)
			}
			out = append(out, strings.Join([]string{lines[0], lines[1], got}, "\n"))
			t.Run(kind+"/"+lines[0], func(t *testing.T) { pieces(t, kind, in, got) })
		}
		if *update {
			if err := os.WriteFile(file, []byte(strings.Join(out, "\n\n")+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// parse reads a head of a kind.
func parse(kind string, in []byte) (*Head, int, error) {
	h := new(Head)
	h.Reset()
	if kind == "request" {
		n, err := ParseRequest(in, h)
		return h, n, err
	}
	n, err := ParseResponse(in, h, kind == "headresponse")
	return h, n, err
}

// pieces checks that bytes that come one at a time give what they give at once, and that an accepted
// head does not need a byte less.
func pieces(t *testing.T, kind string, in []byte, want string) {
	h := new(Head)
	h.Reset()
	for i := 1; i <= len(in); i++ {
		var n int
		var err error
		b := append([]byte(nil), in[:i]...)
		if kind == "request" {
			n, err = ParseRequest(b, h)
		} else {
			n, err = ParseResponse(b, h, kind == "headresponse")
		}
		if n != 0 || err != nil {
			got := describe(h, n, err)
			if got != want && !(err != nil && strings.HasPrefix(want, "refused")) {
				t.Errorf("after %d of %d bytes: %s, want %s", i, len(in), got, want)
			}
			return
		}
	}
	if want != "incomplete" {
		t.Errorf("incomplete, want %s", want)
	}
}

// TestLimits checks the sizes of heads.
func TestLimits(t *testing.T) {
	const start = "GET / HTTP/1.1\r\nHost: a\r\n"
	for _, c := range []struct {
		name, in string
		want     error
	}{
		{"100 fields", start + strings.Repeat("a: b\r\n", 99) + "\r\n", nil},
		{"101 fields", start + strings.Repeat("a: b\r\n", 100) + "\r\n", ErrTooManyFields},
		{"line of 16 KiB", "GET /" + strings.Repeat("a", MaxLine) + " HTTP/1.1\r\nHost: a\r\n\r\n", ErrTargetTooLong},
		{"line of 16 KiB, not ended", "GET /" + strings.Repeat("a", MaxLine), ErrTargetTooLong},
		{"field of 16 KiB", start + "a: " + strings.Repeat("a", MaxLine) + "\r\n\r\n", ErrFieldTooLong},
		{"head of 59 KiB", start + strings.Repeat("a: "+strings.Repeat("b", 1019)+"\r\n", 58) + "\r\n", nil},
		{"head of 61 KiB", start + strings.Repeat("a: "+strings.Repeat("b", 1019)+"\r\n", 60) + "\r\n", ErrHeadTooLarge},
	} {
		_, n, err := parse("request", []byte(c.in))
		if err != c.want || err == nil && n != len(c.in) {
			t.Errorf("%s: n %d of %d, err %v, want %v", c.name, n, len(c.in), err, c.want)
		}
	}
}

// TestParseAllocates checks that a Head that is used again costs no allocation.
func TestParseAllocates(t *testing.T) {
	req := []byte("POST /a/b?c=d HTTP/1.1\r\nHost: orders.example:80\r\nUser-Agent: x\r\nConnection: keep-alive, X-A\r\nX-A: 1\r\nContent-Length: 5\r\nx_amzn_lattice_identity: y\r\n\r\nhello")
	resp := []byte("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n")
	var h Head
	var out []byte
	run := func() {
		h.Reset()
		if n, err := ParseRequest(req, &h); n != len(req)-5 || err != nil {
			t.Fatal(n, err)
		}
		out = AppendFraming(AppendFields(AppendRequestLine(out[:0], &h), &h, 0), &h)
		h.Reset()
		if n, err := ParseResponse(resp, &h, false); n != len(resp) || err != nil {
			t.Fatal(n, err)
		}
	}
	run()
	if n := testing.AllocsPerRun(100, run); n != 0 {
		t.Errorf("%v allocations for a request and a response, want 0", n)
	}
}

// BenchmarkRequest is one request head read and written.
func BenchmarkRequest(b *testing.B) {
	req := []byte("GET /orders/12345?x=1 HTTP/1.1\r\nHost: orders-0123456789abcdef0.7d67968.vpc-lattice-svcs.eu-west-1.on.aws\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\nAccept-Encoding: gzip\r\n\r\n")
	var h Head
	var out []byte
	b.ReportAllocs()
	for b.Loop() {
		h.Reset()
		if n, err := ParseRequest(req, &h); n == 0 || err != nil {
			b.Fatal(err)
		}
		out = AppendFields(AppendRequestLine(out[:0], &h), &h, 0)
	}
}
