package trellistest

import (
	"strings"
	"testing"

	"github.com/trellis-project/trellis/daemon"
)

// TestResources drives TCP resources and VPC endpoints with boto3, starts Trellis again, and finds them as they were.
func TestResources(t *testing.T) {
	t.Parallel()
	tr := Start(t)
	left := tr.Python(t, "", mustRead(t, "testdata/resources.py"), "first")
	tr.Stop()
	next := Start(t, func(c *daemon.Config) { c.Data = tr.Dir })
	if got := strings.TrimSpace(next.Python(t, "", mustRead(t, "testdata/resources.py"), "again", left)); got != "ok" {
		t.Error(got)
	}
}

// TestResourcesByCLI does the same with the aws CLI.
func TestResourcesByCLI(t *testing.T) {
	thorough(t)
	t.Parallel()
	tr := Start(t)
	got := tr.Shell(t, "", mustRead(t, "testdata/resources.sh"))
	want := "ENDPOINT-ASSOCIATION.CONFIG.4232ccc.vpc-lattice-rsc." + tr.Region + ".on.aws\norders-db\n"
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
