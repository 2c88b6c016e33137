//go:build thorough

package trellistest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"os"
	"path/filepath"
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
	parts := strings.Fields(left)
	if len(parts) != 3 {
		t.Fatal(left)
	}
	token, key, text := parts[0], parts[1], parts[2]
	if got := strings.TrimSpace(tr.Python(t, "444455556666", mustRead(t, "testdata/keys.py"), "grants", key, token)); got != "ok" {
		t.Error(got)
	}
	if got := tr.Shell(t, "", `aws kms describe-key --key-id alias/orders --query KeyMetadata.Arn --output text`); strings.TrimSpace(got) != key {
		t.Errorf("the CLI reads %q, want %q", got, key)
	}
	if got := strings.TrimSpace(tr.Python(t, "444455556666", mustRead(t, "testdata/keys.py"), "abroad", key, text)); got != "ok" {
		t.Error(got)
	}
	signed(t, tr, "RSA_3072", "RSASSA_PKCS1_V1_5_SHA_256", func(public any, digest, signature []byte) bool {
		return rsa.VerifyPKCS1v15(public.(*rsa.PublicKey), crypto.SHA256, digest, signature) == nil
	})
	signed(t, tr, "ECC_NIST_P256", "ECDSA_SHA_256", func(public any, digest, signature []byte) bool {
		return ecdsa.VerifyASN1(public.(*ecdsa.PublicKey), digest, signature)
	})
	tr.Stop()
	next := Start(t, func(c *daemon.Config) { c.Data = tr.Dir })
	if got := strings.TrimSpace(next.Python(t, "", mustRead(t, "testdata/keys.py"), "again", key, text)); got != "ok" {
		t.Error(got)
	}
}

// signed signs with the CLI and verifies with the public key that the CLI gets and Go's library.
func signed(t *testing.T, tr *Trellis, spec, algorithm string, verify func(public any, digest, signature []byte) bool) {
	t.Helper()
	message := filepath.Join(t.TempDir(), "message")
	if err := os.WriteFile(message, []byte("an order"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := tr.Shell(t, "", `id=$(aws kms create-key --key-spec `+spec+` --key-usage SIGN_VERIFY --query KeyMetadata.KeyId --output text)
		aws kms get-public-key --key-id "$id" --query PublicKey --output text
		aws kms sign --key-id "$id" --message fileb://`+message+` --signing-algorithm `+algorithm+` --query Signature --output text`)
	lines := strings.Fields(out)
	if len(lines) != 2 {
		t.Fatal(out)
	}
	var parts [2][]byte
	for i, line := range lines {
		var err error
		if parts[i], err = base64.StdEncoding.DecodeString(line); err != nil {
			t.Fatal(err)
		}
	}
	public, err := x509.ParsePKIXPublicKey(parts[0])
	if err != nil {
		t.Fatal(err)
	}
	if digest := sha256.Sum256([]byte("an order")); !verify(public, digest[:], parts[1]) {
		t.Errorf("%s: what the CLI signed is not verified", spec)
	}
}
