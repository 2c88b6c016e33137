package controlplane_test

import (
	"fmt"
	"testing"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/controlplane"
)

// BenchmarkListAmongShares lists services for an account that three shares reach, among 10,000 shares of strangers with strangers.
// Who is reached by few must not pay for the many.
func BenchmarkListAmongShares(b *testing.B) {
	p := running(b, controlplane.Options{})
	owner, consumer := admin(b), admin(b)
	nouns := make([]trellis.Noun, 10_000)
	for i := range nouns {
		stranger, other := fmt.Sprintf("6%011d", i%100), fmt.Sprintf("7%011d", i)
		nouns[i] = &trellis.ResourceShare{
			Meta: trellis.Meta{Account: stranger, ID: trellis.NewUUID()}, Name: "share", Status: controlplane.ShareActive,
			Resources:  []string{trellis.LatticeARN(region, stranger, "service/"+trellis.NewID("svc"))},
			Principals: []trellis.SharePrincipal{{Principal: other, Accepted: true, External: true}},
		}
	}
	for i := 0; i < len(nouns); i += 500 {
		put(b, shared, nouns[i:i+500]...)
	}
	for i := range 3 {
		s, _, err := p.CreateService(b.Context(), owner, "", trellis.Service{Name: fmt.Sprint("service-", i)})
		if err != nil {
			b.Fatal(err)
		}
		share(b, p, owner, consumer, s.ARN(region))
	}
	for b.Loop() {
		listed(b, p, consumer, 3)
	}
}

// BenchmarkListOfManyShares lists services for an account that 1,000 shares reach.
func BenchmarkListOfManyShares(b *testing.B) {
	p := running(b, controlplane.Options{})
	owner, consumer := admin(b), admin(b)
	for i := range 1000 {
		s, _, err := p.CreateService(b.Context(), owner, "", trellis.Service{Name: fmt.Sprint("service-", i)})
		if err != nil {
			b.Fatal(err)
		}
		share(b, p, owner, consumer, s.ARN(region))
	}
	for b.Loop() {
		listed(b, p, consumer, 100)
	}
}

// listed wants a first page with so many services.
func listed(b *testing.B, p *controlplane.Plane, c *authpolicy.Caller, want int) {
	got, _, err := p.ListServices(b.Context(), c, controlplane.Page{Max: 100})
	if err != nil || len(got) != want {
		b.Fatalf("%d services, %v", len(got), err)
	}
}
