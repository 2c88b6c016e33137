//go:build thorough

package trellistest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/trellis-project/trellis/daemon"
)

// TestCertificates drives AWS Certificate Manager with the aws CLI and boto3, and looks at what policies allow.
func TestCertificates(t *testing.T) {
	t.Parallel()
	tr := Start(t)
	dir := t.TempDir()
	script, err := os.ReadFile("testdata/certificates.sh")
	if err != nil {
		t.Fatal(err)
	}
	out := tr.Shell(t, "", string(script), "DIR="+dir)
	var seen, want struct{ Imported, Same, Tags, Refused, Record, Verified, Gone, Listed string }
	if err := json.Unmarshal([]byte(out), &seen); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	want.Imported, want.Same, want.Tags = "IMPORTED ISSUED RSA-2048 *.orders.example.com INELIGIBLE", "yes", "stage=test"
	want.Refused, want.Record, want.Verified = "ResourceInUseException", "SUCCESS CNAME", "leaf.pem: OK"
	want.Gone, want.Listed = "ResourceNotFoundException", "orders.example.com True"
	if seen != want {
		t.Errorf("seen %+v\nwant %+v", seen, want)
	}

	const account = "444455556666"
	makeAccount(t, tr, account)
	program, err := os.ReadFile("testdata/certificates.py")
	if err != nil {
		t.Fatal(err)
	}
	if got := tr.Python(t, account, string(program), dir); got != "ok\n" {
		t.Errorf("boto3: %s", got)
	}

	// A key in a request that can't be read, or is too long, is not repeated.
	const secret = "LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0t"
	for _, key := range []any{strings.Repeat("x"+secret, 300), "-" + secret, map[string]any{"x": secret}, strings.Repeat(secret, 300)} {
		_, err := tr.Try(t, account, "acm", "ImportCertificate", map[string]any{"Certificate": secret, "PrivateKey": key})
		if err == nil || strings.Contains(err.Error(), secret[:20]) {
			t.Errorf("a bad key: %v", err)
		}
	}

	arn := tr.Call(t, account, "acm", "RequestCertificate", map[string]any{"DomainName": "a.example.com", "Tags": []any{map[string]any{"Key": "team", "Value": "orders"}}})["CertificateArn"].(string)
	tr.Await(t, account, "acm", "DescribeCertificate", map[string]any{"CertificateArn": arn}, "Certificate.Status", "ISSUED")
	tr.Call(t, account, "iam", "CreateUser", map[string]any{"UserName": "reader"})
	tr.Call(t, account, "iam", "PutUserPolicy", map[string]any{"UserName": "reader", "PolicyName": "read", "PolicyDocument": `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"acm:Describe*","Resource":"arn:aws:acm:*:` + account + `:certificate/*","Condition":{"StringEquals":{"aws:ResourceTag/team":"orders"}}},
		{"Effect":"Allow","Action":"acm:RequestCertificate","Resource":"*","Condition":{"ForAllValues:StringLike":{"acm:DomainNames":"*.example.com"}}}]}`})
	key := tr.Call(t, account, "iam", "CreateAccessKey", map[string]any{"UserName": "reader"})["AccessKey"].(map[string]any)
	got := tr.Shell(t, account, `
		aws acm describe-certificate --certificate-arn `+arn+` --query Certificate.Status --output text
		aws acm request-certificate --domain-name b.example.com --query 'length(CertificateArn)>`+"`20`"+`' --output text
		for call in "request-certificate --domain-name a.example.org" "get-certificate --certificate-arn `+arn+`" "delete-certificate --certificate-arn `+arn+`" list-certificates; do
			(aws acm $call 2>&1 || true) | grep -o AccessDeniedException
		done`, "AWS_ACCESS_KEY_ID="+key["AccessKeyId"].(string), "AWS_SECRET_ACCESS_KEY="+key["SecretAccessKey"].(string), "AWS_SESSION_TOKEN=")
	if want := "ISSUED\nTrue\n" + strings.Repeat("AccessDeniedException\n", 4); got != want {
		t.Errorf("a user with few rights: %q, want %q", got, want)
	}
}

// TestCertificatesStay restarts a Trellis: certificates, what uses them and the root are as before.
func TestCertificatesStay(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	var before, root string
	for start := range 2 {
		tr := Start(t, func(c *daemon.Config) { c.Data = data })
		if start == 0 {
			arn := tr.Call(t, "", "acm", "RequestCertificate", map[string]any{"DomainName": "*.example.com", "IdempotencyToken": "t"})["CertificateArn"].(string)
			tr.Await(t, "", "acm", "DescribeCertificate", map[string]any{"CertificateArn": arn}, "Certificate.Status", "ISSUED")
			tr.Call(t, "", "vpc-lattice", "CreateService", map[string]any{"name": "orders", "customDomainName": "orders.example.com", "certificateArn": arn})
			before = arn
		}
		d, err := json.Marshal(tr.Call(t, "", "acm", "DescribeCertificate", map[string]any{"CertificateArn": before}))
		if err != nil || !strings.Contains(string(d), "service/svc-") {
			t.Fatalf("%s %v", d, err)
		}
		if file, err := os.ReadFile(filepath.Join(data, "ca.pem")); err != nil || root != "" && root != string(d)+string(file) {
			t.Errorf("after a restart: %s %v", d, err)
		} else {
			root = string(d) + string(file)
		}
		tr.Stop()
	}
}
