package authpolicy

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzPolicyParse parses any text as each kind: it never panics, an error says where, and what is accepted
// decides in the same way after its JSON was written anew.
func FuzzPolicyParse(f *testing.F) {
	f.Add(allowAll)
	f.Add(mayInvoke)
	f.Add(`{"Version":"2012-10-17","Id":"x","Statement":{"Effect":"Deny","NotPrincipal":{"AWS":["111122223333"]},"NotAction":"a:b*","NotResource":"*/${aws:username, 'x'}","Condition":{"ForAllValues:StringLikeIfExists":{"vpc-lattice-svcs:RequestHeader/x":["a*",1,true]},"Null":{"aws:userid":"true"}}}}`)
	f.Add(`{"Statement":[{"Effect":"Allow","Principal":{"Service":"a","Federated":"b"},"Action":"sts:AssumeRole","Condition":{"DateLessThan":{"aws:CurrentTime":"2026-01-01"},"IpAddress":{"aws:SourceIp":"::/0"}}}]}`)
	requests := []*Request{longRequest(), {Action: ActionInvoke, Resource: serviceARN + "/", Headers: []Field{{"x", "a"}}}}
	f.Fuzz(func(t *testing.T, text string) {
		for _, kind := range kinds {
			p, err := Parse(text, kind)
			holdToParse(t, text, kind, Lint(text, kind))
			if err != nil {
				if e := (*ParseError)(nil); !errors.As(err, &e) || e.Message == "" {
					t.Fatalf("not a ParseError with a message: %v", err)
				}
				continue
			}
			var compact strings.Builder
			enc := json.NewEncoder(&compact)
			if err := enc.Encode(json.RawMessage(text)); err != nil {
				t.Fatalf("accepted what is not JSON: %v", err)
			}
			again, err := Parse(compact.String(), kind)
			if err != nil {
				t.Fatalf("refused after it was written anew: %v", err)
			}
			for _, r := range requests {
				a, by := p.Decide(r)
				if why := p.explain(r, LayerService, "x"); why.Effect != a || why.Statement != by || len(why.Misses) > maxMisses {
					t.Fatalf("decided %v, and Explain says %+v", a, why)
				}
				if b, _ := again.Decide(r); a != b {
					t.Fatalf("decided %v, and %v after it was written anew", a, b)
				}
			}
		}
	})
}

// slowGlob is the plain reading of a pattern, by recursion.
func slowGlob(p, s string) bool {
	if p == "" {
		return s == ""
	}
	switch p[0] {
	case anyRun:
		for i := 0; i <= len(s); i++ {
			if slowGlob(p[1:], s[i:]) {
				return true
			}
		}
		return false
	case anyByte:
		return s != "" && slowGlob(p[1:], s[1:])
	}
	return s != "" && s[0] == p[0] && slowGlob(p[1:], s[1:])
}

// FuzzGlob compares glob and globFold with the plain reading.
func FuzzGlob(f *testing.F) {
	f.Add("arn:aws:iam::*:role/payments-*", "arn:aws:iam::111122223333:role/payments-api")
	f.Add("*a?a*b", "aaaacab")
	f.Add("a**?*", "ab")
	f.Add("*aab*aab", "aabaab")
	f.Add("a*/orders/?*/items*z", "arn:aws:a:b:c/orders/17/items/z")
	f.Fuzz(func(t *testing.T, p, s string) {
		if len(p) > 40 || len(s) > 40 || strings.Count(p, "*") > 6 || strings.ContainsAny(p, string([]byte{anyRun, anyByte})) {
			return
		}
		p = wildcards.Replace(p)
		if got, want := glob(p, s, nil), slowGlob(p, s); got != want {
			t.Fatalf("glob(%q, %q) = %t, want %t", p, s, got, want)
		}
		f := finders.Get().(*finder)
		defer f.release()
		long := strings.Repeat("~", 250) + s // so that parts are found behind the places that are compared at once
		if got, want := glob("*"+p, long, f), glob("*"+p, long, nil); got != want {
			t.Fatalf("glob(%q, %q) = %t by places, want %t", "*"+p, long, got, want)
		}
		if got, want := glob(p, s, f), slowGlob(p, s); got != want {
			t.Fatalf("glob(%q, %q) = %t by places, want %t", p, s, got, want)
		}
		small := func(s string) string {
			b := []byte(s)
			for i := range b {
				b[i] = lower(b[i])
			}
			return string(b)
		}
		if got, want := globFold(small(p), s), slowGlob(small(p), small(s)); got != want {
			t.Fatalf("globFold(%q, %q) = %t, want %t", p, s, got, want)
		}
	})
}

// FuzzPolicyEval adds a statement to a policy: a Deny never allows what was not allowed, an Allow never denies
// what was, and the order of statements does not matter.
func FuzzPolicyEval(f *testing.F) {
	f.Add("*", "vpc-lattice-svcs:*", "*/a", "111122223333", "vpc-lattice-svcs:Invoke", "*", "StringLike", "vpc-lattice-svcs:RequestMethod", "G*", "/a")
	f.Add("444455556666", "*", "*", "*", "*", "*/b", "StringNotEqualsIfExists", "aws:PrincipalOrgID", "o-abc123", "/b")
	f.Add("*", "*", "*", "*", "*", "*", "ForAllValues:ArnLike", "aws:PrincipalArn", "arn:aws:iam::*:role/*", "/")
	type statement struct {
		Effect    string
		Principal string
		Action    string
		Resource  string
		Condition map[string]map[string]string `json:",omitempty"`
	}
	parse := func(s ...statement) *Policy {
		b, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": s})
		if err != nil {
			return nil
		}
		p, _ := Parse(string(b), Resource)
		return p
	}
	who := callers()
	f.Fuzz(func(t *testing.T, p1, a1, r1, p2, a2, r2, op, key, val, path string) {
		first := statement{Effect: "Allow", Principal: p1, Action: a1, Resource: r1}
		allow := statement{Effect: "Allow", Principal: p2, Action: a2, Resource: r2, Condition: map[string]map[string]string{op: {key: val}}}
		deny := allow
		deny.Effect = "Deny"
		base, more, less := parse(first), parse(first, allow), parse(first, deny)
		if base == nil || more == nil || less == nil {
			return
		}
		swapped := parse(deny, first)
		for name, c := range who {
			r := &Request{Action: ActionInvoke, Resource: serviceARN + path, Path: path, Method: "GET", Caller: c, Headers: []Field{{"a", path}}}
			b, _ := base.Decide(r)
			m, _ := more.Decide(r)
			l, _ := less.Decide(r)
			s, _ := swapped.Decide(r)
			if b != Allow && l == Allow || b == Allow && m != Allow || m == ExplicitDeny || l != s {
				t.Fatalf("%s: base %v, with an Allow %v, with a Deny %v, swapped %v", name, b, m, l, s)
			}
			agree(t, r, base, more, less)
			only, _ := parse(deny).Decide(r)
			if (only == ExplicitDeny) != (l == ExplicitDeny) || only == Allow {
				t.Fatalf("%s: the Deny alone %v, with others %v", name, only, l)
			}
		}
	})
}

// agree holds Invoke over layers of these policies against what Explain says, and against itself: a policy in place of
// one with a further Deny never allows less.
func agree(t *testing.T, r *Request, base, more, less *Policy) {
	t.Helper()
	layer := func(p *Policy) Layer { return Layer{Enforced: true, Policy: p} }
	bounded := Request(*r)
	if r.Caller != nil {
		c := *r.Caller
		c.Identity, c.Boundary, c.Session = Policies{{"more", more}, {"base", base}}, &Named{"base", base}, Policies{{"more", more}}
		c.Organization = []Policies{{{"base", base}}, {{"more", more}, {"base", base}}}
		bounded.Caller = &c
	}
	bounded.ResourceControl = []Policies{{{"base", base}}}
	wide := Invoke(&bounded, layer(more), layer(base))
	narrow := Invoke(&bounded, layer(less), layer(base))
	if narrow.Allowed && !Invoke(&bounded, layer(base), layer(base)).Allowed {
		t.Fatalf("a Deny widens: %+v", narrow)
	}
	for _, d := range []struct {
		Decision
		network *Policy
	}{{wide, more}, {narrow, less}} {
		reasons := Explain(&bounded, layer(d.network), layer(base))
		decided, denied := decided(reasons)
		if (denied == 0) != d.Allowed || denied > 0 && (decided[0].Layer != d.Layer || decided[0].Statement != d.Statement) {
			t.Fatalf("decided %+v, and Explain says %+v", d.Decision, reasons)
		}
		if s := Detail(reasons); len(s) > maxDetail || !utf8.ValidString(s) || strings.ContainsAny(s, "\r\n") {
			t.Fatalf("detail is %q", s)
		}
	}
}
