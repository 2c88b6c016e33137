package trellistest

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api/client"
)

// code is the AWS error code of an error.
func code(err error) string {
	var e *trellis.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// TestRefusals tries what must be refused, and looks for AWS's error.
func TestRefusals(t *testing.T) {
	t.Parallel()
	tr := Start(t)
	s := makeService(t, tr)
	for _, c := range []struct {
		name, service, operation string
		in                       map[string]any
		want                     string
		message                  string
	}{
		{"unknown id", "vpc-lattice", "GetService", map[string]any{"serviceIdentifier": "svc-00000000000000000"}, "ResourceNotFoundException", "svc-00000000000000000"},
		{"name taken", "vpc-lattice", "CreateService", map[string]any{"name": "orders"}, "ConflictException", ""},
		{"every bad field", "vpc-lattice", "CreateService", map[string]any{"name": "A", "authType": "MAYBE"}, "ValidationException", "authType"},
		{"every bad field, the other", "vpc-lattice", "CreateService", map[string]any{"name": "A", "authType": "MAYBE"}, "ValidationException", "name"},
		{"not IAM JSON", "vpc-lattice", "PutAuthPolicy", map[string]any{"resourceIdentifier": s.id, "policy": `{"Statement":[{"Effect":"Perhaps"}]}`}, "ValidationException", ""},
		{"unknown operator", "vpc-lattice", "PutAuthPolicy", map[string]any{"resourceIdentifier": s.id, "policy": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*","Condition":{"StringEqual":{"aws:PrincipalOrgID":"o-1"}}}]}`}, "ValidationException", "StringEqual"},
		{"not served", "acm", "CreateAcmeEndpoint", nil, "UnknownOperationException", "not served"},
		{"unknown VPC", "ec2", "DescribeVpcs", map[string]any{"VpcIds": []any{"vpc-00000000000000000"}}, "InvalidVpcID.NotFound", ""},
		{"unknown role", "iam", "GetRole", map[string]any{"RoleName": "nobody"}, "NoSuchEntity", ""},
		{"group in use", "vpc-lattice", "DeleteTargetGroup", map[string]any{"targetGroupIdentifier": s.group}, "ConflictException", ""},
		{"vpc in use", "ec2", "DeleteVpc", map[string]any{"VpcId": s.clients.vpc}, "DependencyViolation", ""},
	} {
		_, err := tr.Try(t, "", c.service, c.operation, c.in)
		if code(err) != c.want || !strings.Contains(err.Error(), c.message) {
			t.Errorf("%s: %s %s gave %v, want %s with %q", c.name, c.service, c.operation, err, c.want, c.message)
		}
	}
	out := tr.Call(t, "", "vpc-lattice", "RegisterTargets", map[string]any{"targetGroupIdentifier": s.group, "targets": []any{map[string]any{"id": "192.168.1.1"}}})
	if bad, _ := out["unsuccessful"].([]any); len(bad) != 1 {
		t.Errorf("a target outside of the VPC's CIDR was taken: %v", out)
	}
	t.Run("unsigned", func(t *testing.T) {
		res, err := http.Get(tr.Endpoint + "/services")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if res.StatusCode != 403 || !strings.HasPrefix(res.Header.Get("X-Amzn-Errortype"), "MissingAuthenticationToken") || res.Header.Get("X-Amzn-Requestid") == "" {
			t.Errorf("unsigned: %d %v", res.StatusCode, res.Header)
		}
	})
	t.Run("wrongly signed", func(t *testing.T) {
		own, err := tr.Accounts.Credentials(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		own.SecretAccessKey = trellis.NewSecret("wrong")
		c, err := client.New(tr.Endpoint, own, tr.Region)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Call(t.Context(), "vpc-lattice", "ListServices", nil); code(err) != "InvalidSignatureException" {
			t.Errorf("wrongly signed: %v", err)
		}
		if _, err := c.Call(t.Context(), "sts", "GetCallerIdentity", nil); code(err) != "SignatureDoesNotMatch" {
			t.Errorf("wrongly signed: %v", err)
		}
	})
	t.Run("malformed HTTP on the data path", func(t *testing.T) {
		out := tr.Inside(t, s.clients.instances[0], "bash", "-c",
			`exec 3<>/dev/tcp/`+s.dns+`/80; printf 'GET / HTTP/1.1\r\nHost: `+s.dns+`\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n' >&3; cat <&3`)
		if !strings.HasPrefix(out, "HTTP/1.1 400 ") || strings.Count(out, "HTTP/1.1") != 1 {
			t.Errorf("ambiguous request: %q, want 400 and close", out)
		}
	})
	t.Run("secrets are sealed", func(t *testing.T) {
		own, err := tr.Accounts.Credentials(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		found := tr.Shell(t, "", `grep -rlF -- "$SECRET" "$DATA" | grep -v '/credentials$' || true`, "SECRET="+own.SecretAccessKey.Reveal(), "DATA="+tr.Dir)
		if strings.TrimSpace(found) != "" {
			t.Errorf("the administrator's secret stands in the clear in %s", found)
		}
	})
	t.Run("large body", func(t *testing.T) {
		res, err := http.Post(tr.Endpoint+"/services", "application/json", bytes.NewReader(make([]byte, 2<<20)))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		if res.StatusCode < 400 || res.StatusCode >= 500 {
			t.Errorf("a body of 2 MiB: %d %s", res.StatusCode, b)
		}
	})
}

// TestBoto3 drives Trellis with the unmodified boto3: the organization, a role taken on, pages, tags, errors.
func TestBoto3(t *testing.T) {
	t.Parallel()
	tr := Start(t)
	out := tr.Python(t, "", mustRead(t, "testdata/boto3_drive.py"), tr.Endpoint)
	if strings.TrimSpace(out) != "ok" {
		t.Errorf("boto3: %s", out)
	}
}
