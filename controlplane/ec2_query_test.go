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

func TestShortRegion(t *testing.T) {
	for region, want := range map[string]string{"eu-west-1": "euw1", "us-east-1": "use1", "ap-southeast-2": "apse2", "eu-central-1": "euc1"} {
		if got := shortRegion(region); got != want {
			t.Errorf("%s: %s, want %s", region, got, want)
		}
	}
}
