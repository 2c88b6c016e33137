package authpolicy

import (
	"fmt"
	"strings"
	"testing"
)

// guideLayers are the guide's policies of step 6 and of its enterprise scenario, and a caller whom they and its own policy
// allow.
func guideLayers(t testing.TB) (r *Request, network, service Layer) {
	t.Helper()
	cases := readDecisions(t)
	enterprise := compile(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"vpc-lattice-svcs:Invoke","Resource":"*",
		"Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-abc123"}}}]}`, Resource)
	c := *cases[0].request.Caller
	c.Identity = Policies{{"VPCLatticeServicesInvokeAccess", compile(t, mayInvoke, Identity)}}
	again := *cases[0].request
	again.Caller = &c
	return &again, Layer{Enforced: true, Policy: enterprise}, Layer{Enforced: true, Policy: cases[0].policy}
}

// thousand is a policy of a thousand statements for as many actions, of which the last allows the request.
func thousand(t testing.TB) *Policy {
	t.Helper()
	var b strings.Builder
	b.WriteString(`{"Version":"2012-10-17","Statement":[`)
	for i := range 999 {
		fmt.Fprintf(&b, `{"Effect":"Allow","Principal":"*","Action":"a:b%d","Resource":"*"},`, i)
	}
	b.WriteString(`{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::444455556666:role/checkout-service"},"Action":"*","Resource":"*"}]}`)
	return compile(t, b.String(), Resource)
}

// TestThousand decides by the last of a thousand statements.
func TestThousand(t *testing.T) {
	r, _, _ := guideLayers(t)
	p := thousand(t)
	if e, s := p.Decide(r); e != Allow || s.Index != 999 {
		t.Errorf("%v by %v", e, s)
	}
	if n := testing.AllocsPerRun(10, func() { p.Decide(r) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkInvoke is a whole decision over the guide's policies: network, service and identity.
func BenchmarkInvoke(b *testing.B) {
	r, network, service := guideLayers(b)
	b.ReportAllocs()
	for b.Loop() {
		if !Invoke(r, network, service).Allowed {
			b.Fatal("denied")
		}
	}
}

// BenchmarkThousand is a policy of a thousand statements.
func BenchmarkThousand(b *testing.B) {
	r, _, _ := guideLayers(b)
	p := thousand(b)
	b.ReportAllocs()
	for b.Loop() {
		p.Decide(r)
	}
}

// BenchmarkParse compiles a policy of 10 KB.
func BenchmarkParse(b *testing.B) {
	var text strings.Builder
	text.WriteString(`{"Version":"2012-10-17","Statement":[`)
	for i := 0; text.Len() < 10_000; i++ {
		fmt.Fprintf(&text, `{"Sid":"s%d","Effect":"Allow","Principal":"*","Action":"vpc-lattice-svcs:Invoke","Resource":"*/a%d","Condition":{"StringEquals":{"aws:PrincipalTag/team":"t"}}},`, i, i)
	}
	text.WriteString(`{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(text.String(), Resource); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkExplain tells all reasons of a denied request.
func BenchmarkExplain(b *testing.B) {
	r, network, service := guideLayers(b)
	r.Method = "POST"
	b.ReportAllocs()
	for b.Loop() {
		Detail(Explain(r, network, service))
	}
}
