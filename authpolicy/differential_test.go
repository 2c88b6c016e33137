package authpolicy

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/trellis-project/trellis"
)

// simulated is a request with policies as testdata/simulate.mjs takes it.
type simulated struct {
	Principal string
	Action    string
	Resource  string
	Owner     string // of the resource
	Context   map[string]any
	Identity  []document   `json:",omitempty"`
	Policy    *document    `json:",omitempty"` // of the resource
	Levels    [][]document `json:",omitempty"` // service control policies
	Boundary  *document    `json:",omitempty"`
	Session   *document    `json:",omitempty"`
}

// document is a policy.
type document struct {
	Version   string
	Statement []map[string]any
}

// chooser makes policies and requests at random.
type chooser struct{ *rand.Rand }

// one chooses an item.
func one[T any](c chooser, of ...T) T { return of[c.IntN(len(of))] }

// some chooses one to three items.
func (c chooser) some(of ...string) any {
	n := 1 + c.IntN(3)
	if n == 1 {
		return one(c, of...)
	}
	var out []string
	for range n {
		out = append(out, one(c, of...))
	}
	return out
}

// conditionLines are operators with keys and values that go with them.
var conditionLines = []struct {
	operators []string
	keys      []string
	values    []string
}{
	{[]string{"StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", "StringLike", "StringNotLike"},
		[]string{"aws:PrincipalTag/team", "aws:RequestTag/team", "aws:username", "aws:PrincipalOrgID"},
		[]string{"payments", "Payments", "pay*", "p?yments", "*", "alice", "o-abc123", "${aws:username}", "${aws:PrincipalTag/team}-x", "${aws:RequestTag/team, 'payments'}"}},
	{[]string{"ForAllValues:StringEquals", "ForAnyValue:StringEquals", "ForAllValues:StringLike", "ForAnyValue:StringNotEquals", "ForAllValues:StringNotLike", "ForAnyValue:StringLikeIfExists"},
		[]string{"aws:TagKeys", "aws:PrincipalOrgPaths"}, []string{"team", "stage", "t*", "o-abc123/r-ab12/*"}},
	{[]string{"NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericLessThanEquals", "NumericGreaterThan", "NumericGreaterThanEquals", "NumericEqualsIfExists"},
		[]string{"aws:MultiFactorAuthAge"}, []string{"0", "99", "100", "100.5", "3600"}},
	{[]string{"DateEquals", "DateNotEquals", "DateLessThan", "DateLessThanEquals", "DateGreaterThan", "DateGreaterThanEquals", "DateLessThanIfExists"},
		[]string{"aws:TokenIssueTime", "aws:CurrentTime"}, []string{"2026-11-22T19:00:00Z", "2026-11-22T19:00:01Z", "2026-11-23T00:00:00Z"}},
	{[]string{"Bool", "BoolIfExists"}, []string{"aws:SecureTransport", "aws:MultiFactorAuthPresent", "aws:ViaAWSService"}, []string{"true", "false"}},
	{[]string{"IpAddress", "NotIpAddress", "IpAddressIfExists"}, []string{"aws:SourceIp"}, []string{"10.0.0.0/8", "10.1.2.3", "192.0.2.0/24", "2001:db8::/32"}},
	{[]string{"ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike", "ArnLikeIfExists"}, []string{"aws:PrincipalArn", "aws:SourceArn"},
		[]string{"arn:aws:iam::*:user/*", "arn:aws:iam::111122223333:role/app", "arn:aws:iam::444455556666:*", "arn:aws:sns:*:*:topic"}},
	{[]string{"Null"}, []string{"aws:PrincipalTag/team", "aws:TagKeys", "aws:SourceArn", "aws:username"}, []string{"true", "false"}},
}

// condition makes a Condition element of one or two lines.
func (c chooser) condition() map[string]map[string]any {
	out := map[string]map[string]any{}
	for range 1 + c.IntN(2) {
		l := one(c, conditionLines...)
		op, key := one(c, l.operators...), one(c, l.keys...)
		if out[op] == nil {
			out[op] = map[string]any{}
		}
		out[op][key] = c.some(l.values...)
	}
	return out
}

// statement makes a statement, with a Principal if it is of a resource.
func (c chooser) statement(ofResource bool) map[string]any {
	s := map[string]any{"Effect": "Allow"}
	if c.IntN(5) == 0 {
		s["Effect"] = "Deny"
	}
	s[one(c, "Action", "Action", "Action", "NotAction")] = c.some("sqs:SendMessage", "sqs:*", "*", "sqs:Send*", "sqs:ReceiveMess?ge", "sns:*", "SQS:sendmessage")
	s[one(c, "Resource", "Resource", "Resource", "NotResource")] = c.some("*", "arn:aws:sqs:eu-west-1:111122223333:orders", "arn:aws:sqs:*:*:orders",
		"arn:aws:sqs:*:111122223333:o*", "arn:aws:sqs:eu-west-?:111122223333:${aws:username}-*", "arn:aws:sns:*:*:*")
	if ofResource {
		s["Principal"] = one[any](c, "*", "*", map[string]any{"AWS": "111122223333"}, map[string]any{"AWS": "arn:aws:iam::444455556666:root"},
			map[string]any{"AWS": "arn:aws:iam::111122223333:user/alice"}, map[string]any{"AWS": []string{"arn:aws:iam::111122223333:role/app", "arn:aws:iam::444455556666:role/app"}},
			map[string]any{"AWS": "arn:aws:sts::111122223333:assumed-role/app/s1"}, map[string]any{"Service": "sns.amazonaws.com"})
	}
	if c.IntN(2) == 0 {
		s["Condition"] = c.condition()
	}
	return s
}

// policy makes a policy of one to three statements.
func (c chooser) policy(ofResource bool) *document {
	d := &document{Version: "2012-10-17"}
	for range 1 + c.IntN(3) {
		d.Statement = append(d.Statement, c.statement(ofResource))
	}
	return d
}

// optional adds condition keys that not every request has.
func (c chooser) optional(context map[string]any) {
	for _, k := range []struct {
		name   string
		values []any
	}{
		{"aws:PrincipalTag/team", []any{"payments", "risk"}},
		{"aws:RequestTag/team", []any{"payments", "payments-x"}},
		{"aws:PrincipalOrgID", []any{"o-abc123"}},
		{"aws:TagKeys", []any{[]string{"team"}, []string{"team", "stage"}, []string{"cost"}}},
		{"aws:PrincipalOrgPaths", []any{[]string{"o-abc123/r-ab12/ou-1/"}}},
		{"aws:MultiFactorAuthAge", []any{"99", "100", "5000"}},
		{"aws:SourceIp", []any{"10.1.2.3", "192.0.2.7", "2001:db8::1"}},
		{"aws:SourceArn", []any{"arn:aws:sns:eu-west-1:111122223333:topic"}},
	} {
		if c.IntN(3) > 0 {
			context[k.name] = one(c, k.values...)
		}
	}
}

// full is what service control policies and boundaries often begin with.
var full = document{Version: "2012-10-17", Statement: []map[string]any{{"Effect": "Allow", "Action": "*", "Resource": "*"}}}

// request makes a request with policies.
func (c chooser) request() simulated {
	s := simulated{Action: one(c, "sqs:SendMessage", "sqs:ReceiveMessage"), Owner: "111122223333", Context: map[string]any{}}
	s.Resource = "arn:aws:sqs:eu-west-1:111122223333:" + one(c, "orders", "alice-q", "other")
	s.Principal = one(c, "arn:aws:iam::111122223333:user/alice", "arn:aws:iam::444455556666:user/bob", "arn:aws:sts::111122223333:assumed-role/app/s1", "arn:aws:sts::444455556666:assumed-role/app/s1")
	role := strings.Contains(s.Principal, "assumed-role")
	account := strings.Split(s.Principal, ":")[4]
	s.Context["aws:PrincipalArn"], s.Context["aws:PrincipalAccount"] = s.Principal, account
	if role {
		s.Context["aws:PrincipalArn"] = "arn:aws:iam::" + account + ":role/app"
		s.Context["aws:TokenIssueTime"] = one(c, "2026-11-22T19:00:00Z", "2026-11-22T20:00:00Z")
		s.Context["aws:MultiFactorAuthPresent"] = "false"
	} else {
		s.Context["aws:username"] = s.Principal[strings.LastIndexByte(s.Principal, '/')+1:]
	}
	s.Context["aws:CurrentTime"], s.Context["aws:SecureTransport"], s.Context["aws:ViaAWSService"] = "2026-11-22T19:00:01Z", one(c, "true", "false"), "false"
	c.optional(s.Context)
	for range c.IntN(3) {
		s.Identity = append(s.Identity, *c.policy(false))
	}
	if c.IntN(2) == 0 {
		s.Policy = c.policy(true)
	}
	for range c.IntN(3) {
		level := []document{full}
		if c.IntN(2) == 0 {
			level = append(level, *c.policy(false))
		}
		s.Levels = append(s.Levels, level)
	}
	if c.IntN(4) == 0 {
		s.Boundary = c.policy(false)
	}
	if role && c.IntN(4) == 0 {
		s.Session = c.policy(false)
	}
	return s
}

// compiled is the request as Access takes it.
func (s *simulated) compiled(t *testing.T) (*Request, *Policy) {
	t.Helper()
	parse := func(d *document, kind PolicyKind) *Policy {
		if d == nil {
			return nil
		}
		b, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		return compile(t, string(b), kind)
	}
	list := func(ds []document, kind PolicyKind) (ps Policies) {
		for i := range ds {
			ps = append(ps, Named{fmt.Sprint(i), parse(&ds[i], kind)})
		}
		return ps
	}
	a, err := trellis.ParseARN(s.Principal)
	if err != nil {
		t.Fatal(err)
	}
	p := trellis.Principal{Type: trellis.PrincipalUser, Account: a.Account, ARN: s.Principal, PolicyARN: s.Context["aws:PrincipalArn"].(string)}
	if a.Service == "sts" {
		p.Type = trellis.PrincipalAssumedRole
	}
	c := &Caller{Principal: p, Identity: list(s.Identity, Identity)}
	for _, level := range s.Levels {
		c.Organization = append(c.Organization, list(level, ServiceControl))
	}
	if s.Boundary != nil {
		c.Boundary = &Named{"boundary", parse(s.Boundary, Identity)}
	}
	if s.Session != nil {
		c.Session = Policies{{"session", parse(s.Session, Session)}}
	}
	r := &Request{Action: s.Action, Resource: s.Resource, Caller: c, Override: map[string][]string{}}
	for _, absent := range []string{"aws:username", "aws:tokenissuetime", "aws:multifactorauthpresent", "aws:principalorgid"} {
		r.Override[absent] = nil
	}
	for k, v := range s.Context {
		if one, ok := v.(string); ok {
			r.Override[strings.ToLower(k)] = []string{one}
		} else {
			r.Override[strings.ToLower(k)] = v.([]string)
		}
	}
	return r, parse(s.Policy, Resource)
}

// excluded are the classes of disagreement that docs/authorization.md explains, each with the rule that tells whether a
// case may fall into it.
var excluded = []struct {
	name string
	rule func(s *simulated, text string) bool
}{
	{"a variable first in a resource's name", func(s *simulated, text string) bool {
		return s.Context["aws:username"] != nil && strings.Contains(text, ":${aws:username}")
	}},
	{"a variable without a value, negated", func(s *simulated, text string) bool {
		return s.Context["aws:username"] == nil && strings.Contains(text, "${aws:username}") ||
			s.Context["aws:PrincipalTag/team"] == nil && strings.Contains(text, "${aws:PrincipalTag/team}")
	}},
	{"an address of another family, negated", func(s *simulated, text string) bool {
		return s.Context["aws:SourceIp"] == "2001:db8::1" && strings.Contains(text, "NotIpAddress") ||
			s.Context["aws:SourceIp"] != nil && strings.Contains(text, "NotIpAddress") && strings.Contains(text, "2001:db8::/32")
	}},
	{"ForAnyValue…IfExists without the key", func(s *simulated, text string) bool {
		return strings.Contains(text, "ForAnyValue:StringLikeIfExists") && (s.Context["aws:TagKeys"] == nil || s.Context["aws:PrincipalOrgPaths"] == nil)
	}},
	{"a grant to the session itself, or to everybody, beyond its session policy", func(s *simulated, text string) bool {
		return s.Session != nil && s.Policy != nil && strings.HasPrefix(s.Principal, "arn:aws:sts::"+s.Owner+":")
	}},
}

// TestDifferential decides generated requests by Access and by @cloud-copilot/iam-simulate, run as a tool. Every
// disagreement outside of the classes that docs/authorization.md explains fails.
func TestDifferential(t *testing.T) {
	const cases = 4000
	venvs := os.Getenv("TRELLIS_VENVS")
	if venvs == "" {
		venvs = filepath.Join("..", ".cache")
	}
	folder, err := filepath.Abs(filepath.Join(venvs, "iam-simulate"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(folder, "node_modules")); err != nil {
		t.Fatalf("iam-simulate is not installed, run `make tools`: %v", err)
	}
	c := chooser{rand.New(rand.NewPCG(6, 2026))}
	all := make([]simulated, cases)
	for i := range all {
		all[i] = c.request()
	}
	b, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "cases.json")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("node", "testdata/simulate.mjs", folder, file).CombinedOutput()
	answers := strings.Fields(string(out))
	if err != nil || len(answers) != cases {
		t.Fatalf("%d answers, %v: %.500s", len(answers), err, out)
	}
	left, counts := map[string]int{}, map[string]int{}
	failed := 0
	for i := range all {
		r, policy := all[i].compiled(t)
		d := Access(r, policy, all[i].Owner)
		got := "ImplicitlyDenied"
		if d.Allowed {
			got = "Allowed"
		} else if d.Explicit {
			got = "ExplicitlyDenied"
		}
		counts[got]++
		if got == answers[i] {
			continue
		}
		b, err := json.Marshal(all[i])
		if err != nil {
			t.Fatal(err)
		}
		if why := explained(&all[i], string(b)); why != "" {
			left[why]++
			continue
		}
		if failed++; failed <= 5 {
			t.Errorf("case %d: %s, and iam-simulate says %s: %s\n%s", i, got, answers[i], b, Access(r, policy, all[i].Owner).Sentence(r))
		}
	}
	t.Logf("%d cases: %v; %d disagree for reasons that are explained: %v", cases, counts, sumOf(left), left)
	if failed > 0 || counts["Allowed"] < cases/20 || counts["ExplicitlyDenied"] < cases/20 {
		t.Errorf("%d disagree without a reason", failed)
	}
}

// explained is the class that a case falls into, or "".
func explained(s *simulated, text string) string {
	for _, e := range excluded {
		if e.rule(s, text) {
			return e.name
		}
	}
	return ""
}

// sumOf adds up counts.
func sumOf(m map[string]int) (n int) {
	for v := range maps.Values(m) {
		n += v
	}
	return n
}
