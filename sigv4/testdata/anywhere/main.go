// Command anywhere writes ../anywhere.json: what AWS's credential helper for IAM Roles Anywhere sends, in the form of
// ../vectors. Keys and certificates are made for one run. The helper signs the time at which it runs.
//
//	cd testdata/anywhere && go run .
package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	helper "github.com/aws/rolesanywhere-credential-helper/aws_signing_helper"
)

// main has the helper ask for a session with keys of each kind, with and without a chain.
func main() {
	dir, err := os.MkdirTemp("", "anywhere")
	check(err)
	defer os.RemoveAll(dir)
	now := time.Now().UTC()
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Example CA"}, NotBefore: now.Add(-time.Hour),
		NotAfter: now.AddDate(10, 0, 0), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	caDER := issue(ca, ca, caKey.Public(), caKey)
	write(filepath.Join(dir, "chain.pem"), "CERTIFICATE", caDER)

	var lines []string
	for _, kind := range []string{"RSA 2048", "RSA 4096", "P-256", "P-384", "P-521"} {
		key := generate(kind)
		serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 159))
		check(err)
		leaf := issue(&x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: kind, Organization: []string{"Example"}}, NotBefore: now.Add(-time.Hour),
			NotAfter: now.AddDate(10, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true}, ca, key.Public(), caKey)
		der, err := x509.MarshalPKCS8PrivateKey(key)
		check(err)
		write(filepath.Join(dir, "key.pem"), "PRIVATE KEY", der)
		write(filepath.Join(dir, "leaf.pem"), "CERTIFICATE", leaf)
		for _, bundle := range []string{"", filepath.Join(dir, "chain.pem")} {
			name := kind
			if bundle != "" {
				name += " with a chain"
			}
			lines = append(lines, record(name, helper.CredentialsOpts{PrivateKeyId: filepath.Join(dir, "key.pem"),
				CertificateId: filepath.Join(dir, "leaf.pem"), CertificateBundleId: bundle}))
		}
	}
	check(os.WriteFile("../anywhere.json", fmt.Appendf(nil, "{\"generator\": \"rolesanywhere-credential-helper v1.4.0\",\n\"cases\": [\n%s\n]}\n", strings.Join(lines, ",\n")), 0o644))
	fmt.Println(len(lines), "cases")
}

// record lets the helper call a server of ours and returns its request as a line of JSON.
func record(name string, opts helper.CredentialsOpts) string {
	var line []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		check(err)
		path, query, _ := strings.Cut(r.RequestURI, "?")
		headers := [][]string{{"Host", r.Host}}
		for k, vs := range r.Header {
			for _, v := range vs {
				headers = append(headers, []string{k, v})
			}
		}
		slices.SortFunc(headers[1:], func(a, b []string) int { return strings.Compare(a[0], b[0]) })
		at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
		check(err)
		line, err = json.Marshal(map[string]any{"name": name, "method": r.Method, "path": path, "query": query, "headers": headers, "body": string(body), "now": at, "want": "ok"})
		check(err)
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"message":"recorded"}`)
	}))
	defer server.Close()
	opts.Endpoint, opts.Region, opts.SessionDuration, opts.Version = server.URL, "eu-west-1", 3600, "1.4.0"
	opts.RoleArn = "arn:aws:iam::111122223333:role/orders"
	opts.ProfileArnStr = "arn:aws:rolesanywhere:eu-west-1:111122223333:profile/5b7c9e62-6f0e-4b0e-9a52-2f1b8f0a3c11"
	opts.TrustAnchorArnStr = "arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/0d2d7a0c-41a1-4d68-9a6f-5f4f6f2b8e10"
	signer, algorithm, err := helper.GetSigner(&opts)
	check(err)
	defer signer.Close()
	if _, err := helper.GenerateCredentials(&opts, signer, algorithm); err == nil || line == nil {
		check(fmt.Errorf("%s: the helper was not recorded: %v", name, err))
	}
	return string(line)
}

// generate makes a key of a kind.
func generate(kind string) crypto.Signer {
	var key crypto.Signer
	var err error
	switch kind {
	case "RSA 2048":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case "RSA 4096":
		key, err = rsa.GenerateKey(rand.Reader, 4096)
	case "P-256":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "P-384":
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	default:
		key, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	}
	check(err)
	return key
}

// issue makes a certificate in DER.
func issue(cert, parent *x509.Certificate, public crypto.PublicKey, by crypto.Signer) []byte {
	der, err := x509.CreateCertificate(rand.Reader, cert, parent, public, by)
	check(err)
	return der
}

// write makes a file of PEM.
func write(path, kind string, der []byte) {
	check(os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
}

// check ends the program when there is an error.
func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
