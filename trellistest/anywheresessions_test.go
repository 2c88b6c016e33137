//go:build thorough

package trellistest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRolesAnywhereSessions gets sessions for certificates by AWS's own helper, as credential_process of boto3.
func TestRolesAnywhereSessions(t *testing.T) {
	t.Parallel()
	tr := Start(t)
	helper := filepath.Join(tools(t, "signing_helper"), "rolesanywhere-credential-helper")
	if _, err := os.Stat(helper); err != nil {
		t.Fatalf("no aws_signing_helper at %s: run `make tools`", helper)
	}
	if out := tr.Python(t, "", mustRead(t, filepath.Join("testdata", "anywhere_session.py")), pki(t), helper); strings.TrimSpace(out) != "ok" {
		t.Errorf("boto3: %s", out)
	}
}
