package sigv4

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"
)

// anywhereCheck is what the endpoint of CreateSession demands.
var anywhereCheck = Check{Region: "eu-west-1", Service: "rolesanywhere", Now: testTime, DoubleEncode: true}

// leaf is a certificate with its key, as a workload holds them.
type leaf struct {
	key    crypto.Signer
	der    []byte
	serial string
}

// newLeaf issues a certificate for a key, signed by the key itself, since nobody here looks at who issued it.
func newLeaf(t testing.TB, key crypto.Signer, serial int64) leaf {
	t.Helper()
	c := &x509.Certificate{SerialNumber: big.NewInt(serial), NotBefore: testTime.Add(-time.Hour), NotAfter: testTime.Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return leaf{key, der, big.NewInt(serial).String()}
}

// newECDSALeaf is newLeaf for a new key.
func newECDSALeaf(t testing.TB, curve elliptic.Curve) leaf {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return newLeaf(t, key, 355224651577181)
}

// newRSALeaf is newLeaf for a new key.
func newRSALeaf(t testing.TB, bits int) leaf {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return newLeaf(t, key, 4096)
}

// sign signs a request as the user guide of IAM Roles Anywhere says, over the names in list.
func (l leaf) sign(t testing.TB, r *Request, algorithm, list, payload string) {
	t.Helper()
	a := &Authorization{SignedHeaders: list}
	b, start, err := appendCanonical(nil, r, a, payload, true, form{})
	if err != nil {
		t.Fatal(err)
	}
	const scope = "20261122/eu-west-1/rolesanywhere/aws4_request"
	canonical := sha256.Sum256(b[start:])
	digest := sha256.Sum256([]byte(algorithm + "\n20261122T191723Z\n" + scope + "\n" + hex.EncodeToString(canonical[:])))
	signature, err := l.key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	r.Headers = append(r.Headers, Field{"Authorization", algorithm + " Credential=" + l.serial + "/" + scope + ", SignedHeaders=" + list +
		", Signature=" + hex.EncodeToString(signature)})
}

// session is an unsigned CreateSession by a leaf.
func (l leaf) session() *Request {
	return &Request{Method: "POST", Path: "/sessions", RawQuery: "profileArn=arn%3Aaws%3Ap&roleArn=arn%3Aaws%3Ar", Headers: []Field{
		{"Host", "rolesanywhere.eu-west-1.amazonaws.com"}, {"X-Amz-Date", "20261122T191723Z"}, {"Content-Type", "application/json"},
		{"X-Amz-X509", base64.StdEncoding.EncodeToString(l.der)}}}
}

// usualNames are the headers that the credential helper signs at the least.
const usualNames = "content-type;host;x-amz-date;x-amz-x509"

// verifyX509 does what a server does.
func verifyX509(r *Request, c Check) (*X509, error) {
	x, is, err := ParseX509(r)
	if err != nil {
		return x, err
	}
	if !is {
		return nil, errors.New("no signature by a certificate")
	}
	return x, VerifyX509(r, x, c)
}

// TestCredentialHelper accepts what AWS's credential helper sends, and refuses it with another body or host.
func TestCredentialHelper(t *testing.T) {
	for _, v := range readVectors(t, "anywhere.json", 10).Cases {
		t.Run(v.Name, func(t *testing.T) {
			c := Check{Region: "eu-west-1", Service: "rolesanywhere", Now: v.Now, DoubleEncode: true, PayloadHash: HashPayload([]byte(v.Body))}
			r := v.request()
			x, err := verifyX509(r, c)
			if err != nil {
				t.Fatal(err)
			}
			if x.AccessKeyID != x.Leaf.SerialNumber.String() || x.Leaf.Subject.Organization[0] != "Example" || len(x.Chain) == 1 != strings.HasSuffix(v.Name, "chain") {
				t.Errorf("parsed %s, subject %s, %d in the chain", x.AccessKeyID, x.Leaf.Subject, len(x.Chain))
			}
			c.PayloadHash = HashPayload([]byte(v.Body + " "))
			if err := VerifyX509(r, x, c); err == nil {
				t.Error("another body is accepted")
			}
			c.PayloadHash = HashPayload([]byte(v.Body))
			r.Headers[0].Value = "rolesanywhere.example"
			if err := VerifyX509(r, x, c); err == nil {
				t.Error("another host is accepted")
			}
		})
	}
}

// TestX509Refusals changes a good request in one way each and expects the error, or none.
func TestX509Refusals(t *testing.T) {
	l, other := newECDSALeaf(t, elliptic.P256()), newECDSALeaf(t, elliptic.P256())
	b64 := base64.StdEncoding.EncodeToString
	set := func(r *Request, name, value string) { drop(r, name); r.Headers = append(r.Headers, Field{name, value}) }
	edit := func(r *Request, name string, by func(string) string) {
		for i := range r.Headers {
			if r.Headers[i].Name == name {
				r.Headers[i].Value = by(r.Headers[i].Value)
			}
		}
	}
	const wrong = "InvalidSignatureException: The request signature we calculated does not match"
	const noLeaf = "IncompleteSignatureException: Request must contain exactly one signed 'X-Amz-X509' header."
	const badChain = "InvalidSignatureException: 'X-Amz-X509-Chain' must hold at most 5 certificates"
	for name, tt := range map[string]struct {
		before func(r *Request) // what is signed
		names  string
		after  func(r *Request, c *Check) // what is sent
		want   string                     // how the error begins
	}{
		"untouched":       {},
		"with a chain":    {before: func(r *Request) { set(r, "X-Amz-X509-Chain", b64(other.der)+", "+b64(l.der)) }, names: usualNames + ";x-amz-x509-chain"},
		"five in a chain": {before: func(r *Request) { set(r, "X-Amz-X509-Chain", strings.Repeat(b64(other.der)+",", 4)+b64(l.der)) }, names: usualNames + ";x-amz-x509-chain"},
		"six in a chain": {before: func(r *Request) { set(r, "X-Amz-X509-Chain", strings.Repeat(b64(other.der)+",", 5)+b64(l.der)) }, names: usualNames + ";x-amz-x509-chain",
			want: badChain},
		"empty chain":           {before: func(r *Request) { set(r, "X-Amz-X509-Chain", "") }, names: usualNames + ";x-amz-x509-chain", want: badChain},
		"chain ends in a comma": {before: func(r *Request) { set(r, "X-Amz-X509-Chain", b64(other.der)+",") }, names: usualNames + ";x-amz-x509-chain", want: badChain},
		"chain that is not signed": {after: func(r *Request, c *Check) { set(r, "X-Amz-X509-Chain", b64(other.der)) },
			want: "IncompleteSignatureException: Request must contain at most one 'X-Amz-X509-Chain' header, and sign it."},
		"two chains": {before: func(r *Request) {
			r.Headers = append(r.Headers, Field{"X-Amz-X509-Chain", "a"}, Field{"X-Amz-X509-Chain", "b"})
		},
			names: usualNames + ";x-amz-x509-chain", want: "IncompleteSignatureException: Request must contain at most one"},
		"chain that is another": {before: func(r *Request) { set(r, "X-Amz-X509-Chain", b64(other.der)) }, names: usualNames + ";x-amz-x509-chain", after: func(r *Request, c *Check) { set(r, "X-Amz-X509-Chain", b64(l.der)) }, want: wrong},
		"leaf that is another":  {after: func(r *Request, c *Check) { set(r, "X-Amz-X509", b64(other.der)) }, want: wrong},
		"leaf that is not signed": {after: func(r *Request, c *Check) {
			edit(r, "Authorization", func(v string) string { return strings.Replace(v, ";x-amz-x509,", ",", 1) })
		}, want: noLeaf},
		"leaf twice":             {after: func(r *Request, c *Check) { r.Headers = append(r.Headers, Field{"x-amz-x509", b64(l.der)}) }, want: noLeaf},
		"no leaf":                {after: func(r *Request, c *Check) { drop(r, "X-Amz-X509") }, want: noLeaf},
		"leaf that is no base64": {after: func(r *Request, c *Check) { set(r, "X-Amz-X509", "***") }, want: errCertificate.Error()},
		"leaf in lines":          {after: func(r *Request, c *Check) { set(r, "X-Amz-X509", b64(l.der)[:8]+"\n"+b64(l.der)[8:]) }, want: errCertificate.Error()},
		"leaf cut short":         {after: func(r *Request, c *Check) { set(r, "X-Amz-X509", b64(l.der[:100])) }, want: errCertificate.Error()},
		"leaf with a byte more":  {after: func(r *Request, c *Check) { set(r, "X-Amz-X509", b64(append(l.der[:len(l.der):len(l.der)], 0))) }, want: errCertificate.Error()},
		"leaf too long":          {after: func(r *Request, c *Check) { set(r, "X-Amz-X509", b64(make([]byte, 9000))) }, want: errCertificate.Error()},
		"another serial number": {after: func(r *Request, c *Check) {
			edit(r, "Authorization", func(v string) string { return strings.Replace(v, l.serial, "1", 1) })
		}, want: "InvalidSignatureException: Credential must begin with the serial number"},
		"algorithm of another key": {after: func(r *Request, c *Check) {
			edit(r, "Authorization", func(v string) string { return strings.Replace(v, "ECDSA", "RSA", 1) })
		}, want: "InvalidSignatureException: The key of the certificate"},
		"signature in capitals": {after: func(r *Request, c *Check) {
			edit(r, "Authorization", func(v string) string {
				s, sig, _ := strings.Cut(v, "Signature=")
				return s + "Signature=" + strings.ToUpper(sig)
			})
		}, want: wrong},
		"signature that is no DER": {after: func(r *Request, c *Check) {
			edit(r, "Authorization", func(v string) string {
				s, _, _ := strings.Cut(v, "Signature=")
				return s + "Signature=" + strings.Repeat("0", 128)
			})
		}, want: wrong},
		"signature of odd length": {after: func(r *Request, c *Check) { edit(r, "Authorization", func(v string) string { return v[:len(v)-1] }) }, want: wrong},
		"two signatures": {after: func(r *Request, c *Check) { r.Headers = append(r.Headers, Field{"Authorization", "Bearer x"}) },
			want: "IncompleteSignatureException: Request must contain exactly one 'Authorization' header."},
		"presigned as well": {after: func(r *Request, c *Check) { r.RawQuery += "&X-Amz-Signature=00" },
			want: "IncompleteSignatureException: Only one auth mechanism allowed"},
		"another method":  {after: func(r *Request, c *Check) { r.Method = "PUT" }, want: wrong},
		"another path":    {after: func(r *Request, c *Check) { r.Path = "/session" }, want: wrong},
		"another query":   {after: func(r *Request, c *Check) { r.RawQuery += "&x=1" }, want: wrong},
		"another body":    {after: func(r *Request, c *Check) { c.PayloadHash = HashPayload([]byte("x")) }, want: wrong},
		"another region":  {after: func(r *Request, c *Check) { c.Region = "us-east-1" }, want: "InvalidSignatureException: Credential should be scoped to a valid region"},
		"another service": {after: func(r *Request, c *Check) { c.Service = "iam" }, want: "InvalidSignatureException: Credential should be scoped to correct service"},
		"late":            {after: func(r *Request, c *Check) { c.Now = testTime.Add(MaxSkew + time.Second) }, want: "InvalidSignatureException: Signature expired"},
		"early":           {after: func(r *Request, c *Check) { c.Now = testTime.Add(-MaxSkew - time.Second) }, want: "InvalidSignatureException: Signature not yet current"},
		"no parameters": {after: func(r *Request, c *Check) { set(r, "Authorization", X509ECDSA) },
			want: "IncompleteSignatureException: Authorization header requires 'Credential' parameter."},
	} {
		t.Run(name, func(t *testing.T) {
			r, c := l.session(), anywhereCheck
			if tt.before != nil {
				tt.before(r)
			}
			if tt.names == "" {
				tt.names = usualNames
			}
			l.sign(t, r, X509ECDSA, tt.names, EmptyPayloadHash)
			if tt.after != nil {
				tt.after(r, &c)
			}
			_, err := verifyX509(r, c)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.want)) {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
			if e := (*Error)(nil); err != nil && !errors.As(err, &e) {
				t.Errorf("%v is no Error", err)
			}
		})
	}
}

// TestX509Keys accepts the kinds of keys that are neither weak nor costly.
func TestX509Keys(t *testing.T) {
	for name, tt := range map[string]struct {
		leaf      leaf
		algorithm string
		ok        bool
	}{
		"RSA 2048":           {newRSALeaf(t, 2048), X509RSA, true},
		"RSA 1024":           {newRSALeaf(t, 1024), X509RSA, false},
		"P-224":              {newECDSALeaf(t, elliptic.P224()), X509ECDSA, false},
		"P-384":              {newECDSALeaf(t, elliptic.P384()), X509ECDSA, true},
		"P-521":              {newECDSALeaf(t, elliptic.P521()), X509ECDSA, true},
		"P-256, named RSA":   {newECDSALeaf(t, elliptic.P256()), X509RSA, false},
		"RSA, named ECDSA":   {newRSALeaf(t, 2048), X509ECDSA, false},
		"P-256, named SigV4": {newECDSALeaf(t, elliptic.P256()), Algorithm, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := tt.leaf.session()
			tt.leaf.sign(t, r, tt.algorithm, usualNames, EmptyPayloadHash)
			if _, err := verifyX509(r, anywhereCheck); (err == nil) != tt.ok {
				t.Error(err)
			}
		})
	}
}

// TestX509IsNoSigV4 checks that no signature is taken for one of the other kind: Parse refuses one by a certificate,
// and ParseX509 leaves the others alone.
func TestX509IsNoSigV4(t *testing.T) {
	l := newECDSALeaf(t, elliptic.P256())
	r := l.session()
	l.sign(t, r, X509ECDSA, usualNames, EmptyPayloadHash)
	if got, err := verify(NewKey(testSecret), r, anywhereCheck); got != CodeIncomplete {
		t.Error(got, err)
	}
	plain, _ := signed(t, ordinary())
	for _, other := range []*Request{plain, {Headers: []Field{{"Authorization", "Bearer x"}}}, {}} {
		if _, is, err := ParseX509(other); is || err != nil {
			t.Error(is, err)
		}
	}
}

// FuzzX509 reads any bytes as certificates and parameters: it never panics, an error is always an Error of one line,
// and nothing is accepted.
func FuzzX509(f *testing.F) {
	l := newECDSALeaf(f, elliptic.P256())
	leaf := base64.StdEncoding.EncodeToString(l.der)
	f.Add(leaf, leaf, "Credential="+l.serial+"/20261122/eu-west-1/rolesanywhere/aws4_request, SignedHeaders=host;x-amz-x509;x-amz-x509-chain, Signature=3006020101020101", true)
	f.Add("", ",", "Credential=1/20261122/eu-west-1/rolesanywhere/aws4_request", false)
	f.Fuzz(func(t *testing.T, leaf, chain, parameters string, isRSA bool) {
		algorithm := X509ECDSA
		if isRSA {
			algorithm = X509RSA
		}
		_, err := verifyX509(&Request{Method: "POST", Path: "/sessions", Headers: []Field{{"Host", "another.example"}, {"X-Amz-Date", "20261122T191723Z"},
			{"X-Amz-X509", leaf}, {"X-Amz-X509-Chain", chain}, {"Authorization", algorithm + " " + parameters}}}, anywhereCheck)
		if e := (*Error)(nil); !errors.As(err, &e) || strings.ContainsAny(e.Message, "\r\n\x00") {
			t.Fatalf("%q", err)
		}
	})
}
