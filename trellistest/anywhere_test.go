//go:build thorough

package trellistest

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// pki makes certificates by openssl in a directory: an authority (ca.pem), clients' certificates below it (NAME.pem, NAME.key),
// of which "revoked" is on the list crl.pem.
func pki(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", mustRead(t, filepath.Join("testdata", "pki.sh")))
	cmd.Dir = dir
	output(t, cmd)
	return dir
}

// TestRolesAnywhereAPI plays the operations of IAM Roles Anywhere by boto3.
func TestRolesAnywhereAPI(t *testing.T) {
	t.Parallel()
	tr := Start(t)
	dir := pki(t)
	makeRole(t, tr, "", "orders")
	if out := tr.Python(t, "", mustRead(t, filepath.Join("testdata", "anywhere.py")), dir); strings.TrimSpace(out) != "ok" {
		t.Errorf("boto3: %s", out)
	}
}
