package dataplane

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/routing"
	"github.com/trellis-project/trellis/sigv4"
)

// oddPaths are paths that some server takes for another one of them, most of them for /a/b.
var oddPaths = []string{
	"/a/b", "/a/b/", "//a/b", "/a//b", "/a/./b", "/./a/b", "/a/b/.", "/x/../a/b", "/a/x/../b", "/a/b/..", "/../a/b", "/%2e/a/b", "/x/%2e%2e/a/b", "/x/.%2E/a/b",
	"/a%2Fb", "/a%2fb", "/a%5Cb", "/a\\b", "/a%252fb", "/a/%62", "/%61/b", "/a/b%00", "/a/b%00.png", "/a/b;x=y", "/a;x/b", "/a/b%20", "/a/b%3Fc", "/A/b", "/a/b.", "/a/b*", "/*", "/",
	"/%E2%84%AB/b", "/%C3%85/b", "/%c3%85/b", "/a/%c0%ae%c0%ae/b", "/a/b%", "/a/%zz/b", "/a+b", "/a%2Bb", "/a/b~", "/a/b%7E", "/[a]/{b}", "/a/b^|`", "/a/b'()!$&,:@=",
}

// literal writes a text for a policy, where *, ? and $ are wildcards or begin a variable.
func literal(s string) string {
	return strings.NewReplacer(`\`, `\\`, "*", "${*}", "?", "${?}", "$", "${$}").Replace(s)
}

// TestOnePath checks that everybody sees the same bytes of a path: for each odd path there is a service whose only
// rule is that exact path and whose policy allows that resource and that RequestPath alone. The request for it, also
// in absolute-form and with a query, passes, the target and the access log see it as it came; the request for every
// other spelling is denied by the policy, and its bytes are in the denial and in the log. The same signed: the
// signature for one path holds for none of the others (docs/decisions/0010-one-form-of-the-path.md).
func TestOnePath(t *testing.T) {
	now := time.Now()
	for _, path := range oddPaths {
		t.Run(strings.ReplaceAll(path, "/", "|"), func(t *testing.T) {
			g := okTarget(t, "ok")
			w := newWorld(t, g.addr())
			lis := *must(trellis.Get[*trellis.Listener](w.st, account+"/"+svcID+"/"+lisID))
			forward := lis.DefaultAction
			lis.DefaultAction = trellis.Action{FixedResponse: 404}
			w.st.Put(&lis)
			w.st.Put(&trellis.Rule{Meta: meta("rule-onepath"), ServiceID: svcID, ListenerID: lisID, Name: "onepath", Priority: 1,
				Match: trellis.HTTPMatch{Path: &trellis.PathMatch{Exact: path, CaseSensitive: true}}, Action: forward})
			w.enforce(svcID, fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"vpc-lattice-svcs:Invoke",
				"Resource":"%s%s","Condition":{"StringEquals":{"vpc-lattice-svcs:RequestPath":"%s"}}}]}`, svcARN, literal(path), literal(path)))
			w.serve(Options{})

			var in []byte
			var want []string // the path of each request; the first three pass
			add := func(p string, b []byte) { in, want = append(in, b...), append(want, p) }
			plain := func(target string) []byte { return []byte("GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n") }
			signed := request("GET", path, sigv4.UnsignedPayload, "", now)
			add(path, plain(path))
			add(path, plain("http://"+host+path+"?q=/../x"))
			add(path, signed)
			for _, other := range oddPaths {
				if other != path {
					add(other, plain(other))
					add(other, bytes.Replace(signed, []byte("GET "+path+" "), []byte("GET "+other+" "), 1))
				}
			}
			answers := readAnswersFull(t, w.exchangeBytes(in))
			if len(answers) != len(want) {
				t.Fatalf("%d answers to %d requests", len(answers), len(want))
			}
			for i, a := range answers {
				r := w.record(i)
				if r.Path != want[i] {
					t.Errorf("request %d for %s is logged as %s", i, want[i], r.Path)
				}
				switch {
				case i < 3:
					if a != "200 ok" {
						t.Errorf("request %d for %s: %s", i, want[i], a)
					}
				case i%2 == 1: // unsigned, and another path
					if !strings.HasPrefix(a, "403 AccessDeniedException: ") || !strings.Contains(a, svcARN+want[i]+" because") {
						t.Errorf("%s where %s is allowed: %s", want[i], path, a)
					}
				default: // with the signature of the path that is allowed
					if !strings.HasPrefix(a, "403 InvalidSignatureException: ") {
						t.Errorf("%s with the signature for %s: %s", want[i], path, a)
					}
				}
			}
			seen := g.requests()
			lines := []string{"GET " + path + " HTTP/1.1\r\n", "GET " + path + "?q=/../x HTTP/1.1\r\n", "GET " + path + " HTTP/1.1\r\n"}
			if len(seen) != len(lines) {
				t.Fatalf("the target saw %q", seen)
			}
			for i, line := range lines {
				if !strings.HasPrefix(seen[i], line) {
					t.Errorf("the target saw %q, want %q", seen[i], line)
				}
			}
		})
	}
}

// TestOnePathOfRules checks the rules alone: with a rule for each odd path, every path finds its own and no other.
func TestOnePathOfRules(t *testing.T) {
	w := newWorld(t)
	for i, path := range oddPaths {
		w.st.Put(&trellis.Rule{Meta: meta(fmt.Sprintf("rule-%d", i)), ServiceID: svcID, ListenerID: lisID, Name: fmt.Sprintf("odd%d", i), Priority: 100 + i,
			Match: trellis.HTTPMatch{Path: &trellis.PathMatch{Exact: path, CaseSensitive: true}}, Action: trellis.Action{FixedResponse: 1000 + i}})
	}
	w.make(Options{})
	l := w.table.Load().VPC(vpcID).Network(slot).Service(host).Listener(port)
	for i, path := range oddPaths {
		if r := l.Match(&routing.Request{Method: "GET", Path: path}); r.Action.FixedStatus() != 1000+i {
			t.Errorf("%s is matched by the rule for %s", path, oddPaths[r.Action.FixedStatus()-1000])
		}
	}
}

// readAnswersFull reads all answers on a connection as "status body".
func readAnswersFull(t *testing.T, b []byte) (out []string) {
	t.Helper()
	for len(b) > 0 {
		head, rest, ok := bytes.Cut(b, []byte("\r\n\r\n"))
		var status, n int
		_, after, found := strings.Cut(string(head), "Content-Length: ")
		if _, err := fmt.Sscanf(string(head), "HTTP/1.1 %d", &status); err != nil || !ok || !found {
			t.Fatalf("no answer: %q", b)
		}
		if _, err := fmt.Sscanf(after, "%d", &n); (err != nil && err != io.EOF) || n > len(rest) {
			t.Fatalf("no answer: %q", b)
		}
		out, b = append(out, fmt.Sprintf("%d %s", status, rest[:n])), rest[n:]
	}
	return out
}
