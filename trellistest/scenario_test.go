//go:build thorough

package trellistest

import (
	"strings"
	"testing"

	"github.com/trellis-project/trellis"
)

// TestOrders plays the guide's Steps 1 to 4 and 6 and its Verify section, twice: the second time finds
// everything in place.
func TestOrders(t *testing.T) {
	t.Parallel() // most of it is waiting for clients
	tr := Start(t)
	own := map[string]string{"targets_vpc": trellis.NewID("vpc"), "client_vpc": trellis.NewID("vpc")}
	for range 2 {
		var out strings.Builder
		vars := tr.Play(t, "orders", own, &out)
		for _, want := range []string{"signed=200", "unsigned=403", "canary-header=200 (orders-v2)", "default-90/10=",
			"without-vpc-association=timeout", "without-security-group-rule=timeout", "without-service-association=timeout",
			"GET     /v1/orders/42  403   Service", "HEALTHY", vars["dns"]} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("the scenario did not print %q:\n%s", want, out.String())
			}
		}
	}
}

// TestFourAccounts plays the guide's enterprise scenario.
func TestFourAccounts(t *testing.T) {
	t.Parallel() // most of it is waiting for clients
	tr := Start(t)
	var out strings.Builder
	tr.Play(t, "four-accounts", nil, &out)
	for _, want := range []string{"signed by payments-risk-scoring=200 (enrichment)", "signed by reporting=403", "unsigned=403",
		"refused, as it must be: ResourceNotFoundException"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the scenario did not print %q:\n%s", want, out.String())
		}
	}
}
