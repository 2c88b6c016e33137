package controlplane

import "testing"

func TestWildcard(t *testing.T) {
	for _, x := range []struct {
		pattern, s string
		want       bool
	}{
		{"", "", true}, {"", "a", false}, {"a", "a", true}, {"a", "A", false}, {"*", "", true}, {"*", "anything", true}, {"a*c", "abbc", true}, {"a*c", "abbcd", false},
		{"*b*", "abc", true}, {"a?c", "abc", true}, {"a?c", "ac", false}, {`a\*c`, "a*c", true}, {`a\*c`, "abc", false}, {`\?`, "?", true}, {`\?`, "x", false}, {`a\`, `a\`, false},
		{"*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false}, {"**", "x", true}, {"vpc-*", "vpc-0aa11bb22cc33dd44", true},
	} {
		if got := wildcard(x.pattern, x.s); got != x.want {
			t.Errorf("%q on %q: %v", x.pattern, x.s, got)
		}
	}
}
