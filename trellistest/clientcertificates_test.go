//go:build thorough

package trellistest

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestClientCertificates calls a service whose HTTPS listener asks for clients' certificates, with curl: unsigned requests
// have the principal that IAM Roles Anywhere would give, by HTTP/1.1 and HTTP/2, until the certificate is revoked.
func TestClientCertificates(t *testing.T) {
	t.Parallel()
	tr := Start(t)
	s, dir := makeService(t, tr), pki(t)
	allow(t, tr, s.clients.group, "10.0.0.0/16", 443)
	account := tr.Call(t, "", "sts", "GetCallerIdentity", nil)["Account"].(string)
	var roles []any
	for name, condition := range map[string]string{"orders": `"aws:PrincipalTag/x509Subject/OU":"Shop"`, "svid": `"aws:PrincipalTag/x509SAN/URI":"spiffe://example.org/orders"`} {
		tr.Call(t, "", "iam", "CreateRole", map[string]any{"RoleName": name, "AssumeRolePolicyDocument": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"rolesanywhere.amazonaws.com"},
			"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"],"Condition":{"StringEquals":{` + condition + `}}}]}`})
		tr.Call(t, "", "iam", "PutRolePolicy", map[string]any{"RoleName": name, "PolicyName": "invoke",
			"PolicyDocument": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"vpc-lattice-svcs:Invoke","Resource":"*"}]}`})
		roles = append(roles, "arn:aws:iam::"+account+":role/"+name)
	}
	anchor := tr.Call(t, "", "rolesanywhere", "CreateTrustAnchor", map[string]any{"name": "root", "enabled": true, "source": map[string]any{"sourceType": "CERTIFICATE_BUNDLE",
		"sourceData": map[string]any{"x509CertificateData": mustRead(t, filepath.Join(dir, "ca.pem"))}}})["trustAnchor"].(map[string]any)["trustAnchorArn"]
	profile := tr.Call(t, "", "rolesanywhere", "CreateProfile", map[string]any{"name": "all", "enabled": true, "roleArns": roles})["profile"].(map[string]any)["profileArn"]
	action := map[string]any{"forward": map[string]any{"targetGroups": []any{map[string]any{"targetGroupIdentifier": s.group}}}}
	tr.Call(t, "", "vpc-lattice", "CreateListener", map[string]any{"serviceIdentifier": s.id, "name": "https", "protocol": "HTTPS", "defaultAction": action})
	tr.Call(t, "", "vpc-lattice", "UpdateService", map[string]any{"serviceIdentifier": s.id, "authType": "AWS_IAM"})
	tr.Call(t, "", "vpc-lattice", "PutAuthPolicy", map[string]any{"resourceIdentifier": s.id, "policy": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + account + `:role/orders"},"Action":"*","Resource":"*"}]}`})
	arn := tr.Call(t, "", "vpc-lattice", "GetService", map[string]any{"serviceIdentifier": s.id})["arn"]
	ask := func(how string) {
		t.Helper()
		tr.Call(t, "", "vpc-lattice", "TagResource", map[string]any{"resourceArn": arn, "tags": map[string]any{"trellis:client-certificates": how, "trellis:client-profile": profile}})
	}
	root := filepath.Join(dir, "server-ca.pem")
	if err := os.WriteFile(root, []byte(tr.Shell(t, "", `curl -sf "$AWS_ENDPOINT_URL/ca.pem"`)), 0o600); err != nil {
		t.Fatal(err)
	}
	call := func(what, certificate, want string, more ...string) {
		t.Helper()
		args := []string{"sh", "-c", `cd "$0" && curl -s --cacert server-ca.pem --max-time 20 -w ' %{http_code}' "$@" || echo " curl $?"`, dir}
		if certificate != "" {
			args = append(args, "--cert", certificate+".pem", "--key", certificate+".key")
		}
		if out := tr.Inside(t, s.clients.instances[0], append(append(args, more...), "https://"+s.dns+"/")...); !strings.Contains(out, want) {
			t.Errorf("%s: %q, want %q", what, out, want)
		}
	}
	ask("required")
	for _, version := range []string{"--http1.1", "--http2"} {
		call(version, "orders", " 200", version)
		call(version+" on a curve", "curve", " 200", version)
		call(version+" as another role", "svid", "assumed-role/svid/", version)
		call(version+" without one", "", " 000 curl ", version)
		call(version+" from another authority", "stranger", " 000 curl ", version)
	}
	call("by TLS 1.2", "orders", " 200", "--tls-max", "1.2")
	call("by TLS 1.2, without one", "", " 000 curl ", "--tls-max", "1.2")
	ask("optional")
	call("optional", "orders", " 200")
	call("optional, without one", "", "User: anonymous")
	call("optional, from another authority", "stranger", "User: anonymous")
	tr.Call(t, "", "rolesanywhere", "ImportCrl", map[string]any{"name": "list", "enabled": true, "trustAnchorArn": anchor,
		"crlData": base64.StdEncoding.EncodeToString([]byte(mustRead(t, filepath.Join(dir, "crl.pem"))))})
	call("revoked", "revoked", "User: anonymous")
	tr.Call(t, "", "rolesanywhere", "DisableTrustAnchor", map[string]any{"trustAnchorId": anchor})
	call("nobody is trusted", "orders", "User: anonymous")
}
