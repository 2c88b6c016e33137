//go:build thorough

package trellistest

import (
	"strings"
	"testing"

	"github.com/trellis-project/trellis/daemon"
)

// TestQuotas meets a limit of strict mode with boto3, raises it, and meets the next.
func TestQuotas(t *testing.T) {
	t.Parallel()
	tr := Start(t, func(c *daemon.Config) { c.Compatibility = daemon.Strict })
	if got := strings.TrimSpace(tr.Python(t, "", mustRead(t, "testdata/quotas.py"))); got != "ok" {
		t.Error(got)
	}
	if got := tr.Shell(t, "", `aws service-quotas get-service-quota --service-code vpc-lattice --quota-code L-D64E952E --query Quota.Value --output text`); strings.TrimSpace(got) != "3" {
		t.Errorf("the CLI reads %q", got)
	}
}
