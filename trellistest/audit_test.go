//go:build thorough

package trellistest

import (
	"testing"

	"github.com/trellis-project/trellis/daemon"
)

// TestAuditTrail makes calls with boto3, finds them in CloudTrail's event history, not in another account's, and finds
// them again after a restart and by the aws CLI.
func TestAuditTrail(t *testing.T) {
	t.Parallel()
	tr := Start(t)
	program := mustRead(t, "testdata/audit.py")
	if got := tr.Python(t, "", program, "first"); got != "ok\n" {
		t.Error(got)
	}
	const account = "444455556666"
	makeAccount(t, tr, account)
	if got := tr.Python(t, account, program, "other"); got != "ok\n" {
		t.Error(got)
	}
	tr.Stop()
	next := Start(t, func(c *daemon.Config) { c.Data = tr.Dir })
	if got := next.Python(t, "", program, "again"); got != "ok\n" {
		t.Error(got)
	}
	got := next.Shell(t, "", `aws cloudtrail lookup-events --lookup-attributes AttributeKey=EventName,AttributeValue=CreateService --query 'Events[].Username' --output text`)
	if got != "administrator\n" {
		t.Errorf("by the aws CLI: %q", got)
	}
}
