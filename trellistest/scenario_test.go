package trellistest

import (
	"strings"
	"testing"
)

// TestOrders plays the guide's Steps 1 to 4 and 6 and its Verify section, twice: the second time finds
// everything in place.
func TestOrders(t *testing.T) {
	tr := Start(t)
	for range 2 {
		var out strings.Builder
		vars := tr.Play(t, "orders", &out)
		for _, want := range []string{"signed=200", "unsigned=403", "canary-header=200 (orders-v2)", "default-90/10=",
			"without-vpc-association=timeout", "without-security-group-rule=timeout", "without-service-association=timeout",
			`"authDeniedReason":"Network"`, "HEALTHY", vars["dns"]} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("the scenario did not print %q:\n%s", want, out.String())
			}
		}
	}
}

// TestFourAccounts plays the guide's enterprise scenario.
func TestFourAccounts(t *testing.T) {
	tr := Start(t)
	var out strings.Builder
	tr.Play(t, "four-accounts", &out)
	for _, want := range []string{"signed by payments-risk-scoring=200 (enrichment)", "signed by reporting=403", "unsigned=403",
		"refused, as it must be: AccessDeniedException"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the scenario did not print %q:\n%s", want, out.String())
		}
	}
}
