//go:build thorough

package trellistest

import (
	"strings"
	"testing"
)

// TestRoutes makes with boto3 the calls of Terraform's resources for route tables and internet gateways.
func TestRoutes(t *testing.T) {
	t.Parallel()
	if got := strings.TrimSpace(Start(t).Python(t, "", mustRead(t, "testdata/routes.py"))); got != "ok" {
		t.Error(got)
	}
}
