package dataplane

import (
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// update rewrites what the case files expect; a change of them is read like prose.
var update = flag.Bool("update", false, "rewrite testdata")

// unescape makes the bytes of a section: each line ends with CRLF unless it ends with "\c"; \r \n \t \0 \xNN
// are bytes, {host} is the service's name, {repeat:N:text} repeats.
func unescape(t *testing.T, s string) []byte {
	s = strings.ReplaceAll(s, "{host}", host)
	s = regexp.MustCompile(`\{repeat:(\d+):([^}]*)\}`).ReplaceAllStringFunc(s, func(m string) string {
		var n int
		fmt.Sscanf(m, "{repeat:%d:", &n)
		p := strings.SplitN(m, ":", 3)
		return strings.Repeat(strings.TrimSuffix(p[2], "}"), n)
	})
	var b []byte
	for line := range strings.Lines(s) {
		line = strings.TrimSuffix(line, "\n")
		end := "\r\n"
		if strings.HasSuffix(line, `\c`) {
			line, end = strings.TrimSuffix(line, `\c`), ""
		}
		for i := 0; i < len(line); i++ {
			if line[i] != '\\' {
				b = append(b, line[i])
				continue
			}
			i++
			switch line[i] {
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
				if _, err := fmt.Sscanf(line[i+1:i+3], "%02x", &c); err != nil {
					t.Fatalf("bad escape in %q", line)
				}
				b, i = append(b, c), i+2
			default:
				t.Fatalf("bad escape in %q", line)
			}
		}
		b = append(b, end...)
	}
	return b
}

// What differs from run to run.
var (
	dateLine   = regexp.MustCompile(`Date: [^\r]*GMT\r\n`)
	requestID  = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`)
	longRepeat = regexp.MustCompile(`(a{100,})`)
)

// escape makes bytes readable, one line for each line.
func escape(b []byte) string {
	s := dateLine.ReplaceAllString(string(b), "")
	s = requestID.ReplaceAllString(s, "{uuid}")
	s = strings.ReplaceAll(s, host, "{host}")
	s = longRepeat.ReplaceAllStringFunc(s, func(m string) string { return fmt.Sprintf("{repeat:%d:a}", len(m)) })
	var out strings.Builder
	for len(s) > 0 {
		line, rest, ok := strings.Cut(s, "\r\n")
		for i := range len(line) {
			switch c := line[i]; {
			case c == '\\':
				out.WriteString(`\\`)
			case c == '\n':
				out.WriteString(`\n`)
			case c == '\r':
				out.WriteString(`\r`)
			case c < 0x20 || c >= 0x7f:
				fmt.Fprintf(&out, `\x%02x`, c)
			default:
				out.WriteByte(c)
			}
		}
		if !ok {
			out.WriteString(`\c`)
		}
		out.WriteString("\n")
		s = rest
	}
	return out.String()
}

// defaultAnswer is what the target answers when a case does not say.
const defaultAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// testCase is one case of a file: sections of text that begin with "--- name".
type testCase struct {
	name     string
	sections map[string]string
}

// readCases reads a case file. Lines before the first case are comments.
func readCases(t *testing.T, file string) (comment string, cases []*testCase) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split("\n"+string(text), "\n=== ")
	for _, block := range blocks[1:] {
		parts := strings.Split(block, "\n--- ")
		c := &testCase{name: strings.TrimSpace(parts[0]), sections: map[string]string{}}
		for i, section := range parts[1:] {
			title, body, _ := strings.Cut(section, "\n")
			if i+2 < len(parts) && strings.Contains(section, "\n") {
				body += "\n"
			}
			c.sections[title] = body
		}
		cases = append(cases, c)
	}
	return strings.TrimPrefix(blocks[0], "\n"), cases
}

// TestCases runs the cases of testdata/*.txt over raw sockets: what the client sends (client), what the target
// answers (answer, once for each request; "close" as the last line closes), what the target must have seen
// (target) and what the client must get (got). The target reads bodies naively.
func TestCases(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no case files", err)
	}
	for _, file := range files {
		comment, cases := readCases(t, file)
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			for _, c := range cases {
				t.Run(c.name, func(t *testing.T) { runCase(t, c) })
			}
		})
		if *update {
			writeCases(t, file, comment, cases)
		}
	}
}

// runCase runs one case.
func runCase(t *testing.T, c *testCase) {
	answer, closes := []byte(defaultAnswer), false
	if s, ok := c.sections["answer"]; ok {
		if strings.HasSuffix(strings.TrimRight(s, "\n"), "(close)") {
			s, closes = strings.TrimSuffix(strings.TrimRight(s, "\n"), "(close)"), true
		}
		answer = unescape(t, s)
	}
	g := newTarget(t, func(n int, head string, conn net.Conn) bool {
		a := answer
		if _, ok := c.sections["answer"]; !ok && strings.HasPrefix(head, "HEAD ") {
			a = []byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
		}
		_, err := conn.Write(a)
		return err == nil && !closes
	})
	w := newWorld(t, g.addr())
	w.serve(Options{Strict: strings.HasPrefix(c.name, "strict")})
	got := escape(w.exchangeBytes(unescape(t, c.sections["client"])))
	w.record(0)
	trim := func(s string) string { return strings.TrimRight(s, "\n") }
	var target string
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); yield() {
		target = ""
		for _, r := range g.requests() {
			target += escape([]byte(r))
		}
		if !*update && trim(target) == trim(c.sections["target"]) {
			break // a request that is cut short is noted a moment after the answer
		}
		if *update && !strings.Contains(string(got), "400") {
			break
		}
		if *update && time.Until(end) < 1900*time.Millisecond {
			break
		}
	}
	if *update {
		c.sections["target"], c.sections["got"] = target, got
		return
	}
	if trim(target) != trim(c.sections["target"]) {
		t.Errorf("the target saw\n%s\nwant\n%s", target, c.sections["target"])
	}
	if trim(got) != trim(c.sections["got"]) {
		t.Errorf("the client got\n%s\nwant\n%s", got, c.sections["got"])
	}
}

// writeCases writes a case file anew.
func writeCases(t *testing.T, file, comment string, cases []*testCase) {
	var b strings.Builder
	b.WriteString(strings.TrimRight(comment, "\n") + "\n")
	for _, c := range cases {
		fmt.Fprintf(&b, "\n=== %s\n", c.name)
		for _, title := range []string{"client", "answer", "target", "got"} {
			if s, ok := c.sections[title]; ok {
				fmt.Fprintf(&b, "--- %s\n%s", title, s)
			}
		}
	}
	if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}
