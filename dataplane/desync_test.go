package dataplane

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// desyncData is where .ci/install puts AWS's desync cases: the test data of the crate http_desync_guardian, which
// the load balancers of AWS judge requests by.
const desyncData = "../.cache/desync/http_desync_guardian/tests"

// leastDesync is how many cases there must be; AWS counts 149, the crate at its pinned version has more.
const leastDesync = 149

// desyncCase is one of them: a request and how AWS classifies it.
type desyncCase struct {
	Name, URI, Method, Version string
	Headers                    []struct{ Name, Value string }
	Expected                   struct{ Tier, Reason string }
}

// refusable are Compliant cases that may be refused all the same, by what is in them, each with the reason. All
// other Compliant cases must pass.
var refusable = []struct {
	why    string
	status int
	is     func(c *desyncCase) bool
}{
	{"a transfer coding besides chunked, or parameters of chunked: 501 or 400 (RFC 9112 6.1, 7)", 0, func(c *desyncCase) bool {
		for _, h := range c.Headers {
			if strings.EqualFold(h.Name, "Transfer-Encoding") && strings.Trim(h.Value, " \t") != "chunked" {
				return true
			}
		}
		return false
	}},
	{"a target with bytes that no URI has (RFC 3986 2, RFC 9112 3.2), or without a slash", 400, func(c *desyncCase) bool {
		return !regexp.MustCompile("^/[!$-;=?-~]*$").MatchString(c.URI)
	}},
}

// readDesync reads all case files.
func readDesync(t *testing.T) (cases []*desyncCase) {
	files, err := filepath.Glob(desyncData + "/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("AWS's desync cases are not in %s: run `make tools`, which fetches them. %v", desyncData, err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var in []*desyncCase
		if err := yaml.Unmarshal(text, &in); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		for _, c := range in {
			for _, s := range []*string{&c.URI, &c.Method, &c.Version} {
				*s = desyncBytes(t, *s)
			}
			for i := range c.Headers {
				c.Headers[i].Name, c.Headers[i].Value = desyncBytes(t, c.Headers[i].Name), desyncBytes(t, c.Headers[i].Value)
			}
			c.Name = strings.TrimSuffix(filepath.Base(f), ".yaml") + "/" + strings.ReplaceAll(c.Name, "/", "|")
		}
		cases = append(cases, in...)
	}
	if len(cases) < leastDesync {
		t.Fatalf("%d desync cases in %s, want at least %d", len(cases), desyncData, leastDesync)
	}
	return cases
}

// desyncBytes makes the bytes of a text: escapes that YAML left, and characters up to U+00FF as one byte.
func desyncBytes(t *testing.T, s string) string {
	s = regexp.MustCompile(`\\(x[0-9a-fA-F]{2}|.)`).ReplaceAllStringFunc(s, func(m string) string {
		if u, err := strconv.Unquote(`"` + m + `"`); err == nil {
			return u
		}
		return m[1:]
	})
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == 0xfffd:
			b.WriteByte(s[i]) // from an escape
		case r <= 0xff:
			b.WriteByte(byte(r))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// canary is the request that follows each case on the same connection. If the case were read in two ways, this
// one, or a part of it, would be taken for a body, or the body for a request.
const canary = "GET /canary HTTP/1.1\r\nHost: " + host + "\r\nx-canary: 1\r\n\r\n"

// bytesOf writes the request of a case and tells its body as the first framing field declares it.
func (c *desyncCase) bytesOf() (request []byte, content string) {
	var b bytes.Buffer
	line := c.Method + " " + c.URI
	if c.Version != "" {
		line += " " + c.Version
	}
	b.WriteString(line + "\r\n")
	framed := ""
	hosts := 0
	for _, h := range c.Headers {
		value := h.Value
		name := strings.ToLower(strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
				return r
			}
			return -1
		}, h.Name))
		switch {
		case name == "host":
			value = host
			hosts++
		case framed == "" && name == "transferencoding":
			framed, content = "5\r\nhello\r\n0\r\n\r\n", "hello"
		case framed == "" && name == "contentlength":
			if n, err := strconv.Atoi(strings.Trim(value, " \t")); err == nil && n < 1<<23 {
				framed = strings.Repeat("a", n)
				content = framed
			}
		}
		fmt.Fprintf(&b, "%s:%s\r\n", h.Name, value)
	}
	if hosts == 0 {
		fmt.Fprintf(&b, "Host: %s\r\n", host)
	}
	b.WriteString("\r\n" + framed)
	return b.Bytes(), content
}

// TestDesync drives AWS's desync cases over raw sockets through a Server with a recording target. Each is sent with
// a Host, the body that it declares, and a canary request behind it. A case passes
//
//   - as refused: one answer of 400, 417, 501 or 505 with Connection: close, and not one byte at the target, neither
//     of the request nor of the canary;
//   - as passed: the target got two requests, the case's and the canary, and no byte more. Two readers that know
//     nothing of one another (the recording target's naive one and net/http) find the same two; the first has the
//     method, the target, the content and the fields of the case, at most one Content-Length or one
//     Transfer-Encoding of exactly "chunked", never both, and no name that becomes one of those two when other
//     bytes than letters are ignored. Two answers came back.
//
// Severe cases must be refused. Compliant cases must pass, but for those of refusable. Ambiguous and Acceptable
// cases do either. Nothing is skipped: without the data the test fails.
func TestDesync(t *testing.T) {
	count := map[string]int{}
	for _, c := range readDesync(t) {
		t.Run(c.Name, func(t *testing.T) {
			refused := runDesync(t, c)
			key := c.Expected.Tier + " passed"
			if refused {
				key = c.Expected.Tier + " refused"
			}
			count[key]++
			t.Log(key, c.Expected.Reason)
			switch {
			case c.Expected.Tier == "Severe" && !refused:
				t.Error("a Severe request passed")
			case c.Expected.Tier == "Compliant" && refused && !c.refusable():
				t.Error("a Compliant request was refused")
			}
		})
	}
	t.Logf("%v", count)
}

// refusable tells whether a Compliant case may be refused.
func (c *desyncCase) refusable() bool {
	for _, r := range refusable {
		if r.is(c) {
			return true
		}
	}
	return false
}

// runDesync runs one case. It returns whether the request was refused; everything else than a clean refusal or a
// clean passage is an error.
func runDesync(t *testing.T, c *desyncCase) (refused bool) {
	g := newTarget(t, func(_ int, head string, conn net.Conn) bool {
		a := "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
		if strings.HasPrefix(head, "HEAD ") {
			a = strings.TrimSuffix(a, "ok")
		}
		_, err := io.WriteString(conn, a)
		return err == nil
	})
	w := newWorld(t, g.addr())
	w.serve(Options{})
	request, content := c.bytesOf()
	got := w.exchangeBytes(append(request, canary...))
	answers := readAnswers(t, got, c.Method == "HEAD")
	seen := g.requests()
	if len(answers) == 0 {
		t.Fatalf("no answer to %q", request)
	}
	if s := answers[0].StatusCode; s != 200 {
		switch s {
		case 400, 417, 501, 505:
		default:
			t.Errorf("status %d", s)
		}
		if len(answers) != 1 || !answers[0].Close {
			t.Errorf("%d answers to a refused request, connection closes: %t", len(answers), answers[0].Close)
		}
		if len(seen) != 0 {
			t.Errorf("a refused request reached the target: %q", seen)
		}
		return true
	}
	if len(answers) != 2 || len(seen) != 2 {
		t.Fatalf("%d answers, the target saw %q", len(answers), seen)
	}
	c.checkPassed(t, seen, content)
	return false
}

// checkPassed compares what the target saw with the case.
func (c *desyncCase) checkPassed(t *testing.T, seen []string, content string) {
	r := bufio.NewReader(strings.NewReader(strings.Join(seen, "")))
	for i, want := range []string{c.URI, "/canary"} {
		q, err := http.ReadRequest(r)
		if err != nil {
			t.Fatalf("net/http does not read request %d of %q: %v", i, seen, err)
		}
		body, err := io.ReadAll(q.Body)
		if err != nil || q.RequestURI != want {
			t.Fatalf("net/http reads %q as a request for %q, want %q: %v", seen, q.RequestURI, want, err)
		}
		if !strings.HasPrefix(seen[i], q.Method+" "+want+" HTTP/1.1\r\n") {
			t.Fatalf("the two readers differ about request %d of %q", i, seen)
		}
		if i > 0 {
			continue
		}
		if q.Method != c.Method || q.Host != host || string(body) != content {
			t.Fatalf("%s of %q with a body of %d bytes, want %s with %d", q.Method, q.Host, len(body), c.Method, len(content))
		}
		for _, h := range c.Headers {
			switch http.CanonicalHeaderKey(h.Name) {
			case "Connection", "Host", "Content-Length", "Transfer-Encoding", "X-Forwarded-For":
				continue
			}
			if !strings.Contains(strings.Join(q.Header[http.CanonicalHeaderKey(h.Name)], ","), strings.Trim(h.Value, " \t")) {
				t.Errorf("field %q did not reach the target", h.Name)
			}
		}
		head, _, _ := strings.Cut(seen[0], "\r\n\r\n")
		framing := 0
		for _, line := range strings.Split(head, "\r\n")[1:] {
			name, value, _ := strings.Cut(line, ":")
			switch letters := regexp.MustCompile("[^a-z]").ReplaceAllString(strings.ToLower(name), ""); {
			case name == "Content-Length" && value == " "+strconv.Itoa(len(content)), name == "Transfer-Encoding" && value == " chunked":
				framing++
			case letters == "contentlength", letters == "transferencoding":
				t.Errorf("the target got %q", line)
			}
		}
		if framing > 1 {
			t.Errorf("the target got %d framing fields: %q", framing, head)
		}
	}
	if rest, err := io.ReadAll(r); len(rest) != 0 || err != nil {
		t.Errorf("the target got %q behind the canary, %v", rest, err)
	}
}

// readAnswers reads all answers on a connection; the first is one to HEAD when toHead is set.
func readAnswers(t *testing.T, b []byte, toHead bool) (out []*http.Response) {
	t.Helper()
	r := bufio.NewReader(bytes.NewReader(b))
	for {
		q := &http.Request{Method: "GET"}
		if toHead && len(out) == 0 {
			q.Method = "HEAD"
		}
		a, err := http.ReadResponse(r, q)
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			if r.Buffered() > 0 {
				t.Fatalf("bytes behind the answers in %q", b)
			}
			return out
		}
		if err != nil {
			t.Fatalf("%q: %v", b, err)
		}
		if _, err := io.Copy(io.Discard, a.Body); err != nil {
			t.Fatalf("%q: %v", b, err)
		}
		out = append(out, a)
	}
}
