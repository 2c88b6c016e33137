package routing

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/trellis-project/trellis"
)

// script reads testdata/rules.txt, whose first lines explain its form, and calls each for every request.
func script(t testing.TB, each func(line int, rules []*trellis.Rule, r *Request, want string)) {
	t.Helper()
	b, err := os.ReadFile("testdata/rules.txt")
	if err != nil {
		t.Fatal(err)
	}
	var rules []*trellis.Rule
	for i, line := range strings.Split(string(b), "\n") {
		word := strings.Fields(line)
		switch {
		case len(word) == 0 || word[0] == "#" || strings.HasPrefix(line, "#"):
		case word[0] == "listener":
			rules = nil
		case word[0] == "rule":
			rules = append(rules, scriptRule(t, word[1:]))
		default:
			at := slices.Index(word, "->")
			if at < 2 || at != len(word)-2 {
				t.Fatalf("line %d: want METHOD PATH [NAME:VALUE…] -> RULE", i+1)
			}
			r := &Request{Method: word[0], Path: word[1]}
			for _, w := range word[2:at] {
				name, value, _ := strings.Cut(w, ":")
				r.Headers = append(r.Headers, Field{name, strings.ReplaceAll(value, "_", " ")})
			}
			each(i+1, rules, r, word[len(word)-1])
		}
	}
}

// scriptRule reads a rule line without its first word.
func scriptRule(t testing.TB, word []string) *trellis.Rule {
	t.Helper()
	priority, err := strconv.Atoi(word[1])
	if err != nil {
		t.Fatal(err)
	}
	r := &trellis.Rule{Priority: priority, Name: word[0]}
	r.ID = word[0]
	for _, w := range word[2:] {
		k, v, _ := strings.Cut(w, "=")
		name, value, _ := strings.Cut(v, ":")
		h := trellis.HeaderMatch{Name: name, CaseSensitive: strings.HasPrefix(k, "c")}
		switch k {
		case "method":
			r.Match.Method = v
		case "path", "ipath":
			r.Match.Path = &trellis.PathMatch{Exact: v, CaseSensitive: k == "path"}
		case "prefix", "iprefix":
			r.Match.Path = &trellis.PathMatch{Prefix: v, CaseSensitive: k == "prefix"}
		case "header", "cheader":
			h.Exact = value
		case "hprefix", "chprefix":
			h.Prefix = value
		case "hcontains", "chcontains":
			h.Contains = value
		default:
			t.Fatalf("unknown key %s", k)
		}
		if strings.Contains(k, "header") || strings.Contains(k, "hprefix") || strings.Contains(k, "hcontains") {
			r.Match.Headers = append(r.Match.Headers, h)
		}
	}
	return r
}

// listenerOf builds a listener with these rules through a whole Table, as the data plane gets it.
func listenerOf(rules []*trellis.Rule) *Listener {
	st := world()
	for _, r := range rules {
		c := *r
		c.Account, c.ServiceID, c.ListenerID = acct, "svc-orders", "listener-80"
		st.Put(&c)
	}
	return Build(st, Options{Region: "eu-west-1"}, nil).VPC("vpc-a").Network(32).Service(ordersName).Listener(80)
}

// TestMatch holds rules against testdata/rules.txt.
func TestMatch(t *testing.T) {
	cases := 0
	script(t, func(line int, rules []*trellis.Rule, r *Request, want string) {
		cases++
		l := listenerOf(rules)
		got := l.Match(r)
		if name := got.ID(); name != want && !(got.Default() && want == "default") {
			t.Errorf("line %d: got %s, want %s", line, name, want)
		}
		if got.Default() != (want == "default") {
			t.Errorf("line %d: default is %t", line, got.Default())
		}
		if n := testing.AllocsPerRun(10, func() { l.Match(r) }); n != 0 {
			t.Errorf("line %d: %v allocations", line, n)
		}
	})
	if cases < 80 {
		t.Errorf("only %d cases", cases)
	}
}

// naive is the slow and plain reading of HTTPMatch.
func naive(m trellis.HTTPMatch, r *Request) bool {
	is := func(have, want string, how how, sensitive bool) bool {
		if !sensitive {
			have, want = asciiLower(have), asciiLower(want)
		}
		switch how {
		case exact:
			return have == want
		case prefix:
			return strings.HasPrefix(have, want)
		case contains:
			return strings.Contains(have, want)
		}
		return true
	}
	if m.Method != "" && m.Method != r.Method {
		return false
	}
	if p := m.Path; p != nil {
		if p.Exact != "" && !is(r.Path, p.Exact, exact, p.CaseSensitive) || p.Prefix != "" && !is(r.Path, p.Prefix, prefix, p.CaseSensitive) {
			return false
		}
	}
	for _, h := range m.Headers {
		if !slices.ContainsFunc(r.Headers, func(f Field) bool {
			return asciiLower(f.Name) == asciiLower(h.Name) && (h.Exact == "" || is(f.Value, h.Exact, exact, h.CaseSensitive)) &&
				(h.Prefix == "" || is(f.Value, h.Prefix, prefix, h.CaseSensitive)) && (h.Contains == "" || is(f.Value, h.Contains, contains, h.CaseSensitive))
		}) {
			return false
		}
	}
	return true
}

// FuzzRuleMatch compares the compiled match with the naive one.
func FuzzRuleMatch(f *testing.F) {
	f.Add("GET", "/v1/Orders", "X-Team", "Payments", "GET", "/V1/", "x-team", "pay", byte(0b0110))
	f.Add("POST", "/", "A", "", "", "", "a", "", byte(0))
	f.Add("", "/a", "accept", "xaab", "", "/a", "Accept", "aab", byte(0b101111))
	f.Fuzz(func(t *testing.T, method, path, name, value, wantMethod, wantPath, wantName, wantValue string, how byte) {
		m := trellis.HTTPMatch{Method: wantMethod, Path: &trellis.PathMatch{CaseSensitive: how&1 != 0}}
		if how&2 != 0 {
			m.Path.Prefix = wantPath
		} else {
			m.Path.Exact = wantPath
		}
		h := trellis.HeaderMatch{Name: wantName, CaseSensitive: how&4 != 0}
		switch how >> 3 & 3 {
		case 0:
			h.Exact = wantValue
		case 1:
			h.Prefix = wantValue
		case 2:
			h.Contains = wantValue
		}
		if how&32 != 0 {
			m.Headers = []trellis.HeaderMatch{h}
		}
		r := &Request{Method: method, Path: path, Headers: []Field{{"Host", "x"}, {name, value}, {name, path}}}
		if got, want := matches(&m, r), naive(m, r); got != want {
			t.Fatalf("got %t, want %t: %+v on %+v", got, want, m, r)
		}
	})
}
