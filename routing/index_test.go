package routing

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/trellis-project/trellis"
)

// Few words, so that rules and requests often agree, begin one another, or differ in case alone.
var (
	someMethods = []string{"", "", "GET", "POST", "PURGE", "get"}
	somePaths   = []string{"/", "/a", "/A", "/a/", "/a/b", "/a/B", "/a/bc", "/ab", "/a//b", "/a/%62", "*", "/b/c/d/e", "/b/c", "/b", "/B/C/d", ""}
	someNames   = []string{"x-a", "X-A", "x-b", "X-B", "Host", "x_a", "x-ab", "accept"}
	someValues  = []string{"a", "A", "ab", "aB", "abc", "bc", "b", "", "cab", "a b", "aab", "Abc"}
)

// pick chooses one of some by the next byte of the input, which it eats.
func pick(in *[]byte, some []string) string {
	if len(*in) == 0 {
		return some[0]
	}
	b := (*in)[0]
	*in = (*in)[1:]
	return some[int(b)%len(some)]
}

// bit is the next byte of the input modulo n.
func bit(in *[]byte, n int) int {
	if len(*in) == 0 {
		return 0
	}
	b := (*in)[0]
	*in = (*in)[1:]
	return int(b) % n
}

// makeRule makes a rule of the input.
func makeRule(in *[]byte, priority int) *trellis.Rule {
	r := &trellis.Rule{Meta: meta(acct, fmt.Sprintf("rule-%d", priority)), Priority: priority, Action: trellis.Action{FixedResponse: 404}}
	r.Match.Method = pick(in, someMethods)
	how := bit(in, 8)
	if how&1 != 0 {
		r.Match.Path = &trellis.PathMatch{CaseSensitive: how&2 != 0}
		if text := pick(in, somePaths); how&4 != 0 {
			r.Match.Path.Exact = text
		} else {
			r.Match.Path.Prefix = text
		}
	}
	for range bit(in, 4) {
		how := bit(in, 8)
		h := trellis.HeaderMatch{Name: pick(in, someNames), CaseSensitive: how&1 != 0}
		switch value := pick(in, someValues); how >> 1 {
		case 0:
			h.Exact = value
		case 1:
			h.Prefix = value
		case 2:
			h.Contains = value
		}
		r.Match.Headers = append(r.Match.Headers, h)
	}
	return r
}

// makeRequest makes a request of the input.
func makeRequest(in *[]byte) *Request {
	r := &Request{Method: pick(in, someMethods[2:]), Path: pick(in, somePaths)}
	if bit(in, 2) == 1 {
		r.Path += pick(in, somePaths)
	}
	for range bit(in, 5) {
		r.Headers = append(r.Headers, Field{pick(in, someNames), pick(in, someValues)})
	}
	return r
}

// compareRouters compares the index with the naive router for rules and requests made of the input.
func compareRouters(t *testing.T, in []byte) {
	t.Helper()
	var nouns []*trellis.Rule
	var rules []Rule
	for i := range few + 1 + bit(&in, 60) {
		r := makeRule(&in, i+1)
		nouns, rules = append(nouns, r), append(rules, Rule{compileAction(r)})
	}
	var x indexer
	l := &Listener{index: x.index(rules), rules: append(rules, Rule{compileDefault(&trellis.Listener{})})}
	if l.index.none() {
		t.Fatalf("no index of %d rules", len(rules))
	}
	for range 20 {
		r := makeRequest(&in)
		want := len(nouns)
		for i, n := range nouns {
			if naive(n.Match, r) {
				want = i
				break
			}
		}
		if got := l.index.find(l.rules, r); got != want {
			text := func(i int) string {
				if i == len(nouns) {
					return "the default rule"
				}
				return fmt.Sprintf("rule %d %+v of path %+v", i, nouns[i].Match, nouns[i].Match.Path)
			}
			t.Fatalf("%+v is matched by %s, want %s", r, text(got), text(want))
		}
	}
}

// FuzzRules compares the index of many rules with a router that asks them one after the other.
func FuzzRules(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("a hundred rules are as good as any"))
	f.Add([]byte(strings.Repeat("\x00\x01\x02\x03\x04\x05\x06\x07", 40)))
	f.Fuzz(compareRouters)
}

// TestRouters does what FuzzRules does with thousands of random inputs.
func TestRouters(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 7))
	for range 3000 {
		in := make([]byte, 100+rnd.IntN(900))
		for i := range in {
			in[i] = byte(rnd.Uint32())
		}
		compareRouters(t, in)
	}
}

// TestIndexCollisions makes all texts share a few hashes' neighbourhood by sheer number: 2,000 rules, as many as a listener
// can have, of which each finds itself.
func TestIndexCollisions(t *testing.T) {
	var rules []Rule
	for i := range 2000 {
		rules = append(rules, Rule{compileAction(&trellis.Rule{Priority: i + 1, Match: trellis.HTTPMatch{Path: &trellis.PathMatch{Exact: fmt.Sprintf("/%d", i), CaseSensitive: i%2 == 0}}})})
	}
	var x indexer
	index := x.index(rules)
	rules = append(rules, Rule{compileDefault(&trellis.Listener{})})
	for i := range 2100 {
		if got := index.find(rules, &Request{Path: fmt.Sprintf("/%d", i)}); got != min(i, 2000) {
			t.Errorf("/%d is matched by rule %d", i, got)
		}
	}
}
