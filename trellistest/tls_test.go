package trellistest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// allow lets TCP connections to a port in by a security group.
func allow(t *testing.T, tr *Trellis, group, from string, port int) {
	t.Helper()
	tr.Call(t, "", "ec2", "AuthorizeSecurityGroupIngress", map[string]any{"GroupId": group, "IpPermissions": []any{
		map[string]any{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": []any{map[string]any{"CidrIp": from}}}}})
}

// TestHTTPS calls a service by HTTPS from a VPC, with curl and openssl: by its generated name and by its own one, whose
// certificate is then replaced.
func TestHTTPS(t *testing.T) {
	t.Parallel()
	tr := Start(t)
	s := makeService(t, tr)
	allow(t, tr, s.clients.group, "10.0.0.0/16", 443)
	arn := tr.Call(t, "", "acm", "RequestCertificate", map[string]any{"DomainName": "orders.example.com"})["CertificateArn"].(string)
	tr.Await(t, "", "acm", "DescribeCertificate", map[string]any{"CertificateArn": arn}, "Certificate.Status", "ISSUED")
	own := tr.Call(t, "", "vpc-lattice", "CreateService", map[string]any{"name": "own", "customDomainName": "orders.example.com", "certificateArn": arn})["id"].(string)
	action := map[string]any{"forward": map[string]any{"targetGroups": []any{map[string]any{"targetGroupIdentifier": s.group}}}}
	tr.Call(t, "", "vpc-lattice", "CreateListener", map[string]any{"serviceIdentifier": s.id, "name": "https", "protocol": "HTTPS", "defaultAction": action})
	tr.Call(t, "", "vpc-lattice", "CreateListener", map[string]any{"serviceIdentifier": own, "name": "https", "protocol": "HTTPS", "defaultAction": map[string]any{"fixedResponse": map[string]any{"statusCode": 404}}})
	tr.Call(t, "", "vpc-lattice", "CreateServiceNetworkServiceAssociation", map[string]any{"serviceNetworkIdentifier": s.network, "serviceIdentifier": own})
	tr.Await(t, "", "vpc-lattice", "ListServiceNetworkServiceAssociations", map[string]any{"serviceIdentifier": own}, "items[0].status", "ACTIVE")

	root := filepath.Join(t.TempDir(), "ca.pem")
	pem := tr.Shell(t, "", `curl -sf "$AWS_ENDPOINT_URL/ca.pem"`)
	if err := os.WriteFile(root, []byte(pem), 0o600); err != nil {
		t.Fatal(err)
	}
	ask := func(args ...string) string {
		t.Helper()
		out := tr.Inside(t, s.clients.instances[0], append([]string{"sh", "-c", `curl -s --cacert "$0" --max-time 10 -w ' %{http_code} %{ssl_verify_result}' "$@" || echo " curl $?"`, root}, args...)...)
		first, rest, _ := strings.Cut(out, "\n")
		if i := strings.LastIndexByte(rest, '\n'); i >= 0 {
			rest = rest[i+1:]
		}
		return strings.TrimSpace(first + rest)
	}
	for _, version := range []string{"--tlsv1.2", "--tlsv1.3"} {
		if out := ask(version, "--tls-max", version[len("--tlsv"):], "https://"+s.dns+"/"); out != "orders 200 0" {
			t.Errorf("%s: %q", version, out)
		}
	}
	if out := ask("https://orders.example.com/"); out != "Not Found 404 0" {
		t.Errorf("by its own name: %q", out)
	}
	if out := ask("http://" + s.dns + ":443/"); !strings.HasSuffix(out, "400 0") {
		t.Errorf("without TLS: %q", out)
	}

	serial := func() string {
		t.Helper()
		return tr.Inside(t, s.clients.instances[0], "sh", "-c",
			`openssl s_client -connect orders.example.com:443 -servername orders.example.com -CAfile "$0" -verify_return_error </dev/null 2>/dev/null | openssl x509 -noout -serial`, root)
	}
	before := serial()
	next := tr.Call(t, "", "acm", "RequestCertificate", map[string]any{"DomainName": "orders.example.com"})["CertificateArn"].(string)
	tr.Await(t, "", "acm", "DescribeCertificate", map[string]any{"CertificateArn": next}, "Certificate.Status", "ISSUED")
	tr.Call(t, "", "vpc-lattice", "UpdateService", map[string]any{"serviceIdentifier": own, "certificateArn": next})
	if after := serial(); before == "" || after == before {
		t.Errorf("serial numbers before and after the change: %q, %q", before, after)
	}
}

// TestPassthrough calls a service whose target has the certificate, with openssl's client and server.
func TestPassthrough(t *testing.T) {
	t.Parallel()
	tr := Start(t)
	s := makeService(t, tr)
	allow(t, tr, s.clients.group, "10.0.0.0/16", 443)
	allow(t, tr, s.targets.group, "169.254.171.0/24", 8443)
	dir := t.TempDir()
	tr.Shell(t, "", `openssl req -x509 -newkey rsa:2048 -noenc -days 2 -subj /CN=vault.example.com -addext subjectAltName=DNS:vault.example.com -keyout "$DIR/key.pem" -out "$DIR/cert.pem" 2>/dev/null`, "DIR="+dir)
	tr.Run(t, s.targets.instances[0], "openssl", "s_server", "-accept", "8443", "-cert", dir+"/cert.pem", "-key", dir+"/key.pem", "-www", "-quiet")
	group := tr.Call(t, "", "vpc-lattice", "CreateTargetGroup", map[string]any{"name": "vault", "type": "IP", "config": map[string]any{
		"port": 8443, "protocol": "TCP", "vpcIdentifier": s.targets.vpc}})["id"].(string)
	tr.Call(t, "", "vpc-lattice", "RegisterTargets", map[string]any{"targetGroupIdentifier": group, "targets": []any{map[string]any{"id": "10.0.12.31"}}})
	vault := tr.Call(t, "", "vpc-lattice", "CreateService", map[string]any{"name": "vault", "customDomainName": "vault.example.com"})["id"].(string)
	tr.Call(t, "", "vpc-lattice", "CreateListener", map[string]any{"serviceIdentifier": vault, "name": "tls", "protocol": "TLS_PASSTHROUGH",
		"defaultAction": map[string]any{"forward": map[string]any{"targetGroups": []any{map[string]any{"targetGroupIdentifier": group}}}}})
	tr.Call(t, "", "vpc-lattice", "CreateServiceNetworkServiceAssociation", map[string]any{"serviceNetworkIdentifier": s.network, "serviceIdentifier": vault})
	tr.Await(t, "", "vpc-lattice", "ListServiceNetworkServiceAssociations", map[string]any{"serviceIdentifier": vault}, "items[0].status", "ACTIVE")
	out := tr.Inside(t, s.clients.instances[0], "sh", "-c", `curl -s --cacert "$0" --max-time 10 -o /dev/null -w '%{http_code} %{ssl_verify_result}' --retry 5 --retry-all-errors https://vault.example.com/`, dir+"/cert.pem")
	if out != "200 0" {
		t.Errorf("curl through the service: %q", out)
	}
	out = tr.Inside(t, s.clients.instances[0], "sh", "-c", `echo Q | openssl s_client -connect vault.example.com:443 -servername vault.example.com -CAfile "$0" -verify_return_error 2>/dev/null | grep -c 'Verify return code: 0'`, dir+"/cert.pem")
	if strings.TrimSpace(out) == "0" {
		t.Errorf("openssl s_client: %q", out)
	}
}
