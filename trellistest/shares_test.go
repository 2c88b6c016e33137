//go:build thorough

package trellistest

import (
	"strings"
	"testing"
)

// TestShares shares among four accounts with boto3: in the organization, by invitations, by permissions of AWS and of a customer.
func TestShares(t *testing.T) {
	t.Parallel()
	if got := strings.TrimSpace(Start(t).Python(t, "", mustRead(t, "testdata/shares.py"))); got != "ok" {
		t.Error(got)
	}
}
