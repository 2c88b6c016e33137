package authpolicy

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/trellis-project/trellis"
)

// serviceARN is the service of the requests in testdata.
const serviceARN = "arn:aws:vpc-lattice:eu-west-1:111122223333:service/svc-0123456789abcdef0"

// clusterProvider is the OIDC provider of the web identities in testdata.
const clusterProvider = "arn:aws:iam::444455556666:oidc-provider/oidc.example.com/id/AB12"

// role is a session of a role.
func role(account, name, session, id string) trellis.Principal {
	return trellis.Principal{Type: trellis.PrincipalAssumedRole, Account: account, SessionName: session, UserID: id + ":" + session,
		ARN: "arn:aws:sts::" + account + ":assumed-role/" + name + "/" + session, PolicyARN: "arn:aws:iam::" + account + ":role/" + name}
}

// callers are the callers that testdata names.
func callers() map[string]*Caller {
	user := func(path, name string) trellis.Principal {
		return trellis.Principal{Type: trellis.PrincipalUser, Account: "111122223333", UserID: "AIDA" + strings.ToUpper(name) + "0123456789AB",
			ARN: "arn:aws:iam::111122223333:user" + path + name}
	}
	inOrg := func(p trellis.Principal, team string) *Caller {
		p.OrgID, p.OrgPath = "o-abc123", "o-abc123/r-ab12/ou-ab12-prod1234/"
		if team != "" {
			p.Tags = map[string]string{"team": team}
		}
		return &Caller{Principal: p}
	}
	issued := time.Date(2026, 11, 22, 19, 0, 0, 0, time.UTC)
	irsa := role("444455556666", "irsa", "pod", "AROAIRSA0000000000001")
	irsa.FederatedProvider, irsa.TokenIssuedAt, irsa.SourceIdentity = clusterProvider, issued, "alice"
	bounded := &Caller{Principal: role("444455556666", "bounded", "s", "AROABOUNDED0000000001"), Boundary: &Named{"boundary", &Policy{}}}
	return map[string]*Caller{
		"irsa":      {Principal: irsa},
		"web":       {Principal: trellis.Principal{Type: trellis.PrincipalWebIdentity, FederatedProvider: clusterProvider}},
		"google":    {Principal: trellis.Principal{Type: trellis.PrincipalWebIdentity, FederatedProvider: "accounts.google.com"}},
		"federated": {Principal: trellis.Principal{Type: trellis.PrincipalFederated, Account: "111122223333", ARN: "arn:aws:sts::111122223333:federated-user/bob", UserID: "111122223333:bob", TokenIssuedAt: issued}},
		"bounded":   bounded,
		"":          nil,
		"checkout":  inOrg(role("444455556666", "checkout-service", "s1", "AROACHECKOUTSERVICE01"), "payments"),
		"checkout2": inOrg(role("444455556666", "checkout-service-2", "s1", "AROACHECKOUTSERVICE02"), "payments"),
		"payments":  inOrg(role("222233334444", "payments-api", "pod", "AROAPAYMENTSAPI000001"), ""),
		"starred":   inOrg(role("222233334444", "starred", "x", "AROASTARRED0000000001"), "*"),
		"outsider":  {Principal: role("999900001111", "payments-api", "x", "AROAOUTSIDER000000001")},
		"operator":  {Principal: user("/eng/", "operator")},
		"auditor":   {Principal: user("/", "auditor")},
		"root":      {Principal: trellis.Principal{Type: trellis.PrincipalAccount, Account: "111122223333", ARN: "arn:aws:iam::111122223333:root", UserID: "111122223333"}},
		"ec2":       {Principal: trellis.Principal{Type: trellis.PrincipalService, Service: "ec2.amazonaws.com", Account: "111122223333"}},
	}
}

// kinds are the kinds of policies as testdata names them.
var kinds = map[string]PolicyKind{"resource": Resource, "identity": Identity, "trust": Trust, "session": Session,
	"service-control": ServiceControl, "resource-control": ResourceControl}

// scriptRequest reads the words before the arrow of a line of testdata.
func scriptRequest(t testing.TB, who map[string]*Caller, words []string) *Request {
	t.Helper()
	r := &Request{Action: ActionInvoke, Method: "GET", Path: "/"}
	for _, w := range words {
		k, v, _ := strings.Cut(w, "=")
		v = strings.ReplaceAll(v, "_", " ")
		name, val, _ := strings.Cut(v, ":")
		var err error
		switch k {
		case "who":
			var ok bool
			if r.Caller, ok = who[v]; !ok {
				t.Fatalf("unknown caller %s", v)
			}
		case "action":
			r.Action = v
		case "resource":
			r.Resource = v
		case "method":
			r.Method = v
		case "path":
			r.Path = v
		case "query":
			r.RawQuery = v
		case "header":
			r.Headers = append(r.Headers, Field{name, val})
		case "port":
			r.Port, err = strconv.Atoi(v)
		case "network":
			r.ServiceNetworkARN = v
		case "service":
			r.ServiceARN = v
		case "vpc":
			r.SourceVPC = v
		case "vpcowner":
			r.SourceVPCOwner = v
		case "ip":
			r.SourceIP, err = netip.ParseAddr(v)
		case "now":
			r.Now, err = time.Parse(time.RFC3339, v)
		case "tag":
			r.ResourceTags = map[string]string{name: val}
		case "resourceorg":
			r.ResourceOrgID = v
			r.ResourceOrgPath = v + "/r-ab12/"
		case "secure":
			r.SecureTransport = v == "true"
		case "extra":
			prefix, rest, _ := strings.Cut(val, ":")
			if r.Extra == nil {
				r.Extra = map[string][]string{}
			}
			key := name + ":" + prefix
			r.Extra[key] = append(r.Extra[key], strings.ReplaceAll(rest, " ", "_"))
		default:
			t.Fatalf("unknown word %s", w)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if r.Resource == "" {
		r.Resource = serviceARN + r.Path
	}
	return r
}

// decision is one line of testdata/decisions.txt.
type decision struct {
	line    int
	policy  *Policy
	request *Request
	want    string // allow, deny or explicit, and the Sid when it is told
}

// readDecisions reads testdata/decisions.txt, whose first lines explain its form.
func readDecisions(t testing.TB) (out []decision) {
	t.Helper()
	b, err := os.ReadFile("testdata/decisions.txt")
	if err != nil {
		t.Fatal(err)
	}
	var p *Policy
	var text []string
	kind, reading := Resource, false
	who := callers()
	for i, line := range strings.Split(string(b), "\n") {
		switch {
		case reading && line != "":
			text = append(text, line)
		case reading:
			if p, err = Parse(strings.Join(text, "\n"), kind); err != nil {
				t.Fatalf("line %d: %v", i, err)
			}
			reading = false
		case line == "" || line[0] == '#':
		case strings.HasPrefix(line, "policy "):
			kind, text, reading = kinds[strings.TrimPrefix(line, "policy ")], nil, true
		default:
			before, want, ok := strings.Cut(line, "-> ")
			if !ok {
				t.Fatalf("line %d has no arrow", i+1)
			}
			out = append(out, decision{i + 1, p, scriptRequest(t, who, strings.Fields(before)), want})
		}
	}
	return out
}

// update rewrites what testdata expects for what it says now; a review reads the difference.
var update = flag.Bool("update", false, "rewrite the reasons in testdata")

// TestDecisions holds Decide and the reasons of Explain against testdata/decisions.txt.
func TestDecisions(t *testing.T) {
	cases := readDecisions(t)
	if len(cases) < 300 {
		t.Errorf("only %d cases", len(cases))
	}
	var lines []string
	if *update {
		b, err := os.ReadFile("testdata/decisions.txt")
		if err != nil {
			t.Fatal(err)
		}
		lines = strings.Split(string(b), "\n")
	}
	for _, c := range cases {
		e, s := c.policy.Decide(c.request)
		got := map[Effect]string{Allow: "allow", ImplicitDeny: "deny", ExplicitDeny: "explicit"}[e]
		if s != nil && s.Sid != "" {
			got += " " + s.Sid
		}
		why := c.policy.explain(c.request, LayerService, "")
		if e == ImplicitDeny {
			got += nearest(why.Misses)
		}
		if got != c.want {
			if *update {
				before, _, _ := strings.Cut(lines[c.line-1], "-> ")
				lines[c.line-1] = before + "-> " + got
				continue
			}
			t.Errorf("line %d: got %s, want %s", c.line, got, c.want)
		}
		if (s == nil) != (e == ImplicitDeny) || why.Effect != e || why.Statement != s || why.Text == "" {
			t.Errorf("line %d: %v with statement %v, and Explain says %+v", c.line, e, s, why)
		}
	}
	if *update {
		if err := os.WriteFile("testdata/decisions.txt", []byte(strings.Join(lines, "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// nearest is how decisions.txt has the first of the reasons why nothing allows.
func nearest(misses []Miss) string {
	if len(misses) == 0 {
		return ""
	}
	m := misses[0]
	out := " " + m.Element
	if m.Statement.Sid != "" {
		out = " " + m.Statement.Sid + out
	}
	if m.Element == "Condition" {
		out += " " + m.Operator + " " + m.Key + " is"
		if m.Seen == nil {
			out += " absent"
		} else {
			out += fmt.Sprintf(" %q", m.Seen)
		}
	}
	return out
}

// TestAllocations holds Decide to zero allocations wherever nothing must be decoded or printed.
func TestAllocations(t *testing.T) {
	for _, c := range readDecisions(t) {
		if strings.Contains(c.request.RawQuery, "%") || c.request.Path == "/porttext" || c.request.Path == "/bin" {
			continue
		}
		if n := testing.AllocsPerRun(20, func() { c.policy.Decide(c.request) }); n != 0 {
			t.Errorf("line %d: %v allocations", c.line, n)
		}
	}
}

// TestRefused holds Parse against testdata/refused.txt.
func TestRefused(t *testing.T) {
	b, err := os.ReadFile("testdata/refused.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	for i := 2; i+1 < len(lines); i += 2 {
		kind, want, _ := strings.Cut(lines[i], " | ")
		text := strings.TrimPrefix(lines[i+1], "-")
		if _, err := Parse(text, kinds[kind]); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("line %d: got %v, want %s", i+1, err, want)
		}
	}
	if _, err := Parse(`{"Statement":"`+strings.Repeat("a", MaxSize)+`"}`, Resource); err == nil || !strings.Contains(err.Error(), "bytes are more than") {
		t.Errorf("too large a policy: %v", err)
	}
}
