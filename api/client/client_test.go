package client_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api/client"
)

// TestLoadCredentials reads profiles as AWS's tools write them.
func TestLoadCredentials(t *testing.T) {
	path := filepath.Join(t.TempDir(), "credentials")
	text := "# a comment\n[default]\naws_access_key_id = AKIA1\naws_secret_access_key=a/b=c+d\n\n[ payments ]\naws_access_key_id=ASIA2\naws_secret_access_key=x\naws_session_token=token\n[empty]\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for profile, want := range map[string][3]string{"default": {"AKIA1", "a/b=c+d", ""}, "payments": {"ASIA2", "x", "token"}} {
		c, err := client.LoadCredentials(path, profile)
		if got := [3]string{c.AccessKeyID, c.SecretAccessKey.Reveal(), c.SessionToken}; err != nil || got != want {
			t.Errorf("%s: got %v, %v, want %v", profile, got, err, want)
		}
	}
	for _, profile := range []string{"empty", "nobody"} {
		if _, err := client.LoadCredentials(path, profile); err == nil || !strings.Contains(err.Error(), profile) {
			t.Errorf("%s: %v", profile, err)
		}
	}
}

// TestMistakes makes calls that are wrong before anything is sent.
func TestMistakes(t *testing.T) {
	for _, endpoint := range []string{"", "127.0.0.1:4780", "ftp://x", "http://%zz"} {
		if _, err := client.New(endpoint, client.Credentials{}, "eu-west-1"); err == nil {
			t.Errorf("%q was taken", endpoint)
		}
	}
	c, err := client.New("http://127.0.0.1:1", client.Credentials{SecretAccessKey: trellis.NewSecret("x")}, "eu-west-1")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		service, operation string
		in                 map[string]any
		want               string
	}{
		{"dynamodb", "ListTables", nil, "there is no service dynamodb"},
		{"sts", "ListBuckets", nil, "sts has no operation ListBuckets"},
		{"vpc-lattice", "CreateService", map[string]any{"nam": "x"}, "CreateService has no member nam"},
		{"vpc-lattice", "CreateService", map[string]any{"name": 1}, "is not a string"},
		{"ec2", "DescribeVpcs", map[string]any{"Filters": []any{map[string]any{"Nam": "x"}}}, "has no member Nam"},
	} {
		if _, err := c.Call(t.Context(), test.service, test.operation, test.in); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", test.operation, err, test.want)
		}
	}
}
