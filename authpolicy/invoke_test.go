package authpolicy

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/trellis-project/trellis"
)

// The policies of the layers below.
const (
	allowAll  = `{"Version":"2012-10-17","Statement":[{"Sid":"a","Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}`
	mayInvoke = `{"Version":"2012-10-17","Statement":[{"Sid":"i","Effect":"Allow","Action":"vpc-lattice-svcs:Invoke","Resource":"*"}]}`
	mayRead   = `{"Version":"2012-10-17","Statement":[{"Sid":"r","Effect":"Allow","Action":"vpc-lattice:Get*","Resource":"*"}]}`
)

// compile is Parse for policies that are right.
func compile(t testing.TB, text string, kind PolicyKind) *Policy {
	t.Helper()
	p, err := Parse(text, kind)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestAuthorize asks the identity layer for the control plane.
func TestAuthorize(t *testing.T) {
	const arn = "arn:aws:vpc-lattice:eu-west-1:111122223333:service/svc-0123456789abcdef0"
	lacks := " is not authorized to perform: vpc-lattice:GetService on resource: " + arn + " because no %s policy allows the vpc-lattice:GetService action"
	operator := callers()["operator"].Principal
	for name, tt := range map[string]struct {
		caller *Caller
		want   string
	}{
		"allowed":            {&Caller{Principal: operator, Identity: Policies{{Policy: compile(t, mayRead, Identity)}}}, ""},
		"no policy":          {&Caller{Principal: operator}, "User: " + operator.ARN + fmt.Sprintf(lacks, "identity-based")},
		"root":               {callers()["root"], ""},
		"nobody":             {nil, "User: anonymous" + fmt.Sprintf(lacks, "identity-based")},
		"service":            {callers()["ec2"], "User: ec2.amazonaws.com" + fmt.Sprintf(lacks, "identity-based")},
		"broken":             {&Caller{Principal: operator, Identity: Policies{{Policy: compile(t, mayRead, Identity)}}, Broken: errors.New("x")}, "User: " + operator.ARN + fmt.Sprintf(lacks, "identity-based")},
		"session allows":     {&Caller{Principal: operator, Identity: Policies{{Policy: compile(t, mayRead, Identity)}}, Session: Policies{{Policy: compile(t, mayRead, Session)}}}, ""},
		"session is silent":  {&Caller{Principal: operator, Identity: Policies{{Policy: compile(t, mayRead, Identity)}}, Session: Policies{{Policy: compile(t, mayInvoke, Session)}}}, "User: " + operator.ARN + fmt.Sprintf(lacks, "session")},
		"only the session":   {&Caller{Principal: operator, Session: Policies{{Policy: compile(t, mayRead, Session)}}}, "User: " + operator.ARN + fmt.Sprintf(lacks, "identity-based")},
		"session of nothing": {&Caller{Principal: operator, Session: Policies{{Policy: compile(t, mayInvoke, Session)}}}, "User: " + operator.ARN + fmt.Sprintf(lacks, "identity-based")},
	} {
		t.Run(name, func(t *testing.T) {
			err := tt.caller.Authorize("vpc-lattice:GetService", arn, nil)
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var e *trellis.Error
			if !errors.As(err, &e) || e.Code != "AccessDeniedException" || e.Status != 403 || e.Message != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
	c := &Caller{Principal: operator, Identity: Policies{{Policy: compile(t, `{"Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}`, Identity)}}}
	if err := c.Authorize("a:b", "*", nil); err == nil || !strings.HasSuffix(err.Error(), "with an explicit deny in an identity-based policy") {
		t.Error(err)
	}
}

// large is a policy of nearly 10 KB, none of whose statements but the last speaks of the request.
func large(t testing.TB, line string) *Policy {
	t.Helper()
	var b strings.Builder
	b.WriteString(`{"Version":"2012-10-17","Statement":[`)
	for i := 0; b.Len()+len(line) < 10_150; i++ {
		fmt.Fprintf(&b, `{"Sid":"s%d",%s},`, i, line)
	}
	b.WriteString(`{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}`)
	return compile(t, b.String(), Resource)
}

// each is a list of many patterns in JSON, in which three letters of a, c and d stand for the letter n.
func each(pattern string, n int) string {
	var all []string
	for i := range n {
		letters := string([]byte{"acd"[i%3], "acd"[i/3%3], "acd"[i/9%3]})
		all = append(all, `"`+strings.ReplaceAll(pattern, "n", letters)+`"`)
	}
	return "[" + strings.Join(all, ",") + "]"
}

// hostile are statements that are slow for a careless matcher.
var hostile = map[string]string{
	"stars":       `"Effect":"Deny","Principal":"*","Action":"*","Resource":"` + strings.Repeat("*a", 60) + `*b"`,
	"long parts":  `"Effect":"Deny","Principal":"*","Action":"*","Resource":"*` + strings.Repeat("a", 200) + `b*"`,
	"parts":       `"Effect":"Deny","Principal":"*","Action":"*","Resource":"arn:aws:vpc-lattice:` + strings.Repeat("*:", 300) + `b"`,
	"any byte":    `"Effect":"Deny","Principal":"*","Action":"*","Resource":"*` + strings.Repeat("a?", 30) + `b*"`,
	"conditions":  `"Effect":"Deny","Principal":"*","Action":"vpc-lattice-svcs:Invoke","Resource":"*","Condition":{"StringLike":{"vpc-lattice-svcs:RequestPath":["*z*","*y*"]},"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`,
	"short parts": `"Effect":"Deny","Principal":"*","Action":"*","Resource":` + each("*nx*", 1000),
	"any bytes":   `"Effect":"Deny","Principal":"*","Action":"*","Resource":` + each("*n?x*", 900),
	"half known":  `"Effect":"Deny","Principal":"*","Action":"*","Resource":` + each("*"+strings.Repeat("a?", 28)+"nc*", 140),
	"queries":     `"Effect":"Deny","Principal":"*","Action":"*","Resource":"*","Condition":{"StringLike":{"vpc-lattice-svcs:RequestQueryString/q":` + each("*nx*", 1000) + `}}`,
	"equal":       `"Effect":"Deny","Principal":"*","Action":"*","Resource":"*","Condition":{"StringEquals":{"vpc-lattice-svcs:RequestQueryString/q":` + each("nx", 1000) + `}}`,
	"numbers":     `"Effect":"Deny","Principal":"*","Action":"*","Resource":"*","Condition":{"NumericEquals":{"vpc-lattice-svcs:RequestQueryString/q":` + strings.ReplaceAll(each("1", 1000), "n", "1") + `}}`,
	"principals":  `"Effect":"Deny","Principal":{"AWS":["arn:aws:iam::111122223333:role/a","arn:aws:iam::111122223333:role/b"]},"Action":"*","Resource":"*"`,
}

// longRequest is a request with a path that meets the hostile policies half way.
func longRequest() *Request {
	p := "/x" + strings.Repeat("aacd", 250) + strings.Repeat("a", 1000)
	query := strings.Repeat("q=aacdd&", minValues)
	return &Request{Action: ActionInvoke, Resource: serviceARN + p, Path: p, RawQuery: query, Method: "GET", Caller: callers()["checkout"]}
}

// TestLargePolicies decides policies of 10 KB, whatever they hold: a matcher that goes back over its text would
// not come to an end with the stars. BenchmarkDecide says how long it takes.
func TestLargePolicies(t *testing.T) {
	for name, line := range hostile {
		p, r := large(t, line), longRequest()
		if e, s := p.Decide(r); e != Allow || s.Index != len(p.statements)-1 {
			t.Errorf("%s: %v by %+v, want the last statement's allow", name, e, s)
		}
	}
}

// BenchmarkDecide is the guide's policy on a request that it allows, and policies of 10 KB.
func BenchmarkDecide(b *testing.B) {
	guide := readDecisions(b)[0]
	b.Run("guide", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			guide.policy.Decide(guide.request)
		}
	})
	for name, line := range hostile {
		p, r := large(b, line), longRequest()
		b.Run("10KB "+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.Decide(r)
			}
		})
	}
}

// TestContext decides by what the API knows of a request: a Deny must not fall asleep because a key is absent.
func TestContext(t *testing.T) {
	c := &Caller{Principal: callers()["operator"].Principal, Identity: Policies{{Policy: compile(t, `{"Statement":[
		{"Effect":"Allow","Action":"*","Resource":"*"},
		{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}}},
		{"Effect":"Deny","Action":"a:Old","Resource":"*","Condition":{"DateGreaterThan":{"aws:CurrentTime":"2020-01-01"}}}]}`, Identity)}}}
	if err := c.Authorize("a:b", "*", nil); err == nil {
		t.Error("allowed without an address")
	}
	c.Context = map[string][]string{"aws:sourceip": {"10.1.2.3"}}
	if err := c.Authorize("a:b", "*", nil); err != nil {
		t.Error(err)
	}
	if err := c.Authorize("a:b", "*", map[string][]string{"aws:sourceip": {"192.0.2.1"}}); err == nil {
		t.Error("the request's own key must win")
	}
	if err := c.Authorize("a:Old", "*", nil); err == nil {
		t.Error("allowed after the date")
	}
}

// TestManyValues holds a key with more values than are looked at against the caller.
func TestManyValues(t *testing.T) {
	const key = `"vpc-lattice-svcs:RequestQueryString/a"`
	for _, op := range []string{"StringEquals", "StringNotEquals", "ForAllValues:StringEquals", "ForAllValues:StringNotEquals"} {
		for effect, want := range map[string]Effect{"Allow": ImplicitDeny, "Deny": ExplicitDeny} {
			value := "1"
			if strings.Contains(op, "Not") != (effect == "Deny") {
				value = "2"
			}
			p := compile(t, fmt.Sprintf(`{"Statement":{"Effect":%q,"Principal":"*","Action":"*","Resource":"*","Condition":{%q:{%s:%q}}}}`, effect, op, key, value), Resource)
			r := &Request{Action: ActionInvoke, Resource: "*", RawQuery: strings.Repeat("a=1&", maxValues)}
			few, _ := p.Decide(r)
			r.RawQuery += "a=1"
			many, _ := p.Decide(r)
			if effect == "Deny" && strings.HasPrefix(op, "ForAll") {
				continue // the first value has decided that not all of them meet it
			}
			if many != want || few == want {
				t.Errorf("%s %s: %v with %d values, %v with one more", effect, op, few, maxValues, many)
			}
		}
	}
}

// TestManyComparisons holds a key with more values than a policy of a thousand values looks at against the caller, but
// where they are looked up.
func TestManyComparisons(t *testing.T) {
	for name, want := range map[string]Effect{"queries": ExplicitDeny, "equal": Allow} {
		p, r := large(t, hostile[name]), longRequest()
		if e, _ := p.Decide(r); e != Allow {
			t.Fatalf("%s: %v with %d values", name, e, minValues)
		}
		r.RawQuery += "q=aacdd"
		if e, _ := p.Decide(r); e != want {
			t.Errorf("%s: %v with one value more, want %v", name, e, want)
		}
	}
}

// TestControl holds what the API is asked for to the resource control policies of the resource's owner.
func TestControl(t *testing.T) {
	rcp := Policies{{Name: "no-deletes", Policy: compile(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":["a:Delete"],"Resource":"*"}]}`, ResourceControl)}}
	full := Policies{{Name: "full", Policy: compile(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}`, ResourceControl)}}
	c := &Caller{Principal: callers()["operator"].Principal, Identity: Policies{{Policy: compile(t, `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`, Identity)}}}
	c.Control = func(account string) []Policies {
		if account == "444455556666" || account == c.Principal.Account {
			return []Policies{full, append(full, rcp...)}
		}
		return nil
	}
	for _, tt := range []struct {
		action, resource string
		allowed          bool
	}{
		{"a:Delete", "arn:aws:a:eu-west-1:444455556666:thing/1", false},
		{"a:Get", "arn:aws:a:eu-west-1:444455556666:thing/1", true},
		{"a:Delete", "arn:aws:a:eu-west-1:999900001111:thing/1", true},
		{"a:Delete", "*", false},
	} {
		err := c.Authorize(tt.action, tt.resource, nil)
		if (err == nil) != tt.allowed || err != nil && !strings.Contains(err.Error(), "with an explicit deny in a resource control policy") {
			t.Errorf("%s on %s: %v", tt.action, tt.resource, err)
		}
	}
}
