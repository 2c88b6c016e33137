//go:build thorough

package trellistest

import (
	"testing"

	"github.com/trellis-project/trellis/daemon"
)

// TestCloudWatch drives metrics, alarms and dashboards with boto3, which speaks CBOR, by awsQuery and awsJson, and with the
// aws CLI, before and after a restart; another account sees none of it.
func TestCloudWatch(t *testing.T) {
	t.Parallel()
	tr := Start(t)
	program := mustRead(t, "testdata/cloudwatch.py")
	if got := tr.Python(t, "", program, "first"); got != "ok\n" {
		t.Error(got)
	}
	const account = "444455556666"
	makeAccount(t, tr, account)
	count := `aws cloudwatch describe-alarms --query 'length(MetricAlarms)' --output text; aws cloudwatch list-metrics --namespace shop --query 'length(Metrics)' --output text`
	if got := tr.Shell(t, account, count); got != "0\n0\n" {
		t.Errorf("in another account: %q", got)
	}
	tr.Stop()
	next := Start(t, func(c *daemon.Config) { c.Data = tr.Dir })
	if got := next.Shell(t, "", count); got != "2\n2\n" {
		t.Errorf("by the aws CLI: %q", got)
	}
	if got := next.Python(t, "", program, "again"); got != "ok\n" {
		t.Error(got)
	}
}
