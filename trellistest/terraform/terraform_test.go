//go:build thorough

package terraform

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/trellis-project/trellis/trellistest"
)

// TestTerraformGo plays all configurations by aws-sdk-go-v2.
func TestTerraformGo(t *testing.T) {
	t.Parallel()
	tr := trellistest.Start(t)
	accounts := map[string]Client{}
	for name, c := range keys(t, tr) {
		accounts[name] = newGoSDK(aws.Config{Region: tr.Region, BaseEndpoint: &tr.Endpoint, Credentials: credentials.NewStaticCredentialsProvider(c[0], c[1], c[2])}).call
	}
	playAll(t, tr, accounts)
}

// TestTerraformBoto3 plays all configurations by boto3.
func TestTerraformBoto3(t *testing.T) {
	t.Parallel()
	tr := trellistest.Start(t)
	known := keys(t, tr)
	text, err := json.Marshal(known)
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(filepath.Join("testdata", "boto3_calls.py"))
	if err != nil {
		t.Fatal(err)
	}
	in, out := tr.PythonServer(t, "", string(program), string(text))
	b := newBoto3(in, out)
	accounts := map[string]Client{}
	for name := range known {
		accounts[name] = b.of(name)
	}
	playAll(t, tr, accounts)
}

// consumer is the account that steps name "consumer".
const consumer = "444455556666"

// keys makes the accounts that steps name, and has their credentials: key, secret and token.
func keys(t *testing.T, tr *trellistest.Trellis) map[string][3]string {
	t.Helper()
	tr.Call(t, "", "organizations", "CreateOrganization", map[string]any{"FeatureSet": "ALL"})
	tr.Call(t, "", "organizations", "CreateAccount", map[string]any{"AccountName": "consumer", "Email": "consumer@example.com",
		"Tags": []any{map[string]any{"Key": "trellis:account-id", "Value": consumer}}})
	tr.Await(t, "", "organizations", "ListAccounts", nil, "length(Accounts[?Id=='"+consumer+"' && Status=='ACTIVE'])", "1")
	out := map[string][3]string{}
	for name, account := range map[string]string{"": "", "consumer": consumer} {
		c, err := tr.Accounts.Credentials(t.Context(), account)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = [3]string{c.AccessKeyID, c.SecretAccessKey.Reveal(), c.SessionToken}
	}
	return out
}

// playAll plays all configurations, each as a test of its own.
func playAll(t *testing.T, tr *trellistest.Trellis, accounts map[string]Client) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		c, err := Load(os.DirFS("."), name)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(name), ".yaml"), func(t *testing.T) {
			t.Parallel()
			p := &Player{Accounts: accounts, Vars: map[string]any{"region": tr.Region, "account": "111122223333", "consumer": consumer},
				Report: func(err error) { t.Error(err) }}
			p.Play(t.Context(), c)
		})
	}
}
