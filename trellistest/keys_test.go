//go:build thorough

package trellistest

import (
	"strings"
	"testing"

	"github.com/trellis-project/trellis/daemon"
)

// TestKeys drives KMS with boto3 and the CLI, starts Trellis again, and decrypts what was encrypted before.
func TestKeys(t *testing.T) {
	t.Parallel()
	tr := Start(t)
	makeAccount(t, tr, "444455556666")
	left := strings.TrimSpace(tr.Python(t, "", mustRead(t, "testdata/keys.py"), "first"))
	key, text, _ := strings.Cut(left, " ")
	if got := tr.Shell(t, "", `aws kms describe-key --key-id alias/orders --query KeyMetadata.Arn --output text`); strings.TrimSpace(got) != key {
		t.Errorf("the CLI reads %q, want %q", got, key)
	}
	if got := strings.TrimSpace(tr.Python(t, "444455556666", mustRead(t, "testdata/keys.py"), "abroad", key, text)); got != "ok" {
		t.Error(got)
	}
	tr.Stop()
	next := Start(t, func(c *daemon.Config) { c.Data = tr.Dir })
	if got := strings.TrimSpace(next.Python(t, "", mustRead(t, "testdata/keys.py"), "again", key, text)); got != "ok" {
		t.Error(got)
	}
}
