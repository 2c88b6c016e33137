//go:build thorough

package trellistest

import (
	"testing"
)

// TestResourcesByCLI does the same with the aws CLI.
func TestResourcesByCLI(t *testing.T) {
	t.Parallel()
	tr := Start(t)
	got := tr.Shell(t, "", mustRead(t, "testdata/resources.sh"))
	want := "ENDPOINT-ASSOCIATION.CONFIG.4232ccc.vpc-lattice-rsc." + tr.Region + ".on.aws\norders-db\n"
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
