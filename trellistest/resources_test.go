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
