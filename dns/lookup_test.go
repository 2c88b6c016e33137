package dns

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/trellis-project/trellis/routing"
)

func TestLookUp(t *testing.T) {
	tab := table()
	s := New(Options{Table: func() *routing.Table { return tab }, Forward: []string{outside(t)}})
	for _, c := range []struct{ vpc, name, want string }{
		{"", "example.com", "[192.0.2.0 192.0.2.0] 7s <nil>"},
		{ordersVPC, "example.com", "[192.0.2.0 192.0.2.0] 7s <nil>"},
		{ordersVPC, strings.TrimSuffix(orders, "."), "[169.254.171.33 fd00:ec2:80::a9fe:ab21] 1m0s <nil>"},
		{ordersVPC, "nobody.7d67968.vpc-lattice-svcs.eu-west-1.on.aws", "[] 0s nobody.7d67968.vpc-lattice-svcs.eu-west-1.on.aws has no address: NXDOMAIN"},
	} {
		addrs, ttl, err := s.LookUp(t.Context(), c.vpc, c.name)
		if got := fmt.Sprintf("%v %v %v", addrs, ttl, err); got != c.want {
			t.Errorf("%s in %q: %s, want %s", c.name, c.vpc, got, c.want)
		}
	}
	if addrs, ttl, err := s.LookUp(t.Context(), "", "big.example.com"); len(addrs) != 2*maxFound || ttl != 7*time.Second || err != nil {
		t.Errorf("%d addresses, %v, %v", len(addrs), ttl, err)
	}
}
