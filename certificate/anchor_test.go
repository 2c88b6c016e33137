package certificate_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"math/big"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/trellis-project/trellis/certificate"
)

// signer is an authority of the tests: a certificate and its key.
type signer struct {
	*x509.Certificate
	key crypto.Signer
}

// serials counts the numbers of the certificates of the tests.
var serials int64

// sign makes a certificate with a new key on P-256, or with the given one, signed by an authority or by itself.
func sign(t testing.TB, by *signer, key crypto.Signer, change func(*x509.Certificate)) *signer {
	t.Helper()
	if key == nil {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		key = k
	}
	serials++
	c := &x509.Certificate{SerialNumber: big.NewInt(0x1000 + serials), Subject: pkix.Name{CommonName: "client"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true}
	if change != nil {
		change(c)
	}
	if by == nil {
		by = &signer{c, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, by.Certificate, key.Public(), by.key)
	if err != nil {
		t.Fatal(err)
	}
	c, err = x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &signer{c, key}
}

// authority makes a root, or an authority below one.
func authority(t testing.TB, name string, by *signer, change func(*x509.Certificate)) *signer {
	t.Helper()
	return sign(t, by, nil, func(c *x509.Certificate) {
		c.Subject, c.IsCA, c.KeyUsage = pkix.Name{CommonName: name, OrganizationalUnit: []string{"Platform"}}, true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
		if change != nil {
			change(c)
		}
	})
}

// text is certificates in PEM.
func text(cs ...*signer) string {
	var b strings.Builder
	for _, c := range cs {
		_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
	}
	return b.String()
}

// revoke makes a list of certificates that an authority has revoked, in DER.
func revoke(t testing.TB, by *signer, cs ...*signer) []byte {
	t.Helper()
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: now.Add(-time.Hour), NextUpdate: now.Add(time.Hour)}
	for _, c := range cs {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: c.SerialNumber, RevocationTime: now.Add(-time.Minute)})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, by.Certificate, by.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// TestVerify holds clients' certificates against a trust anchor.
func TestVerify(t *testing.T) {
	root := authority(t, "root", nil, nil)
	other := authority(t, "root", nil, nil) // of the same name
	middle := authority(t, "middle", root, nil)
	ended := authority(t, "ended", root, func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Minute) })
	short := authority(t, "short", root, func(c *x509.Certificate) { c.NotAfter = now.Add(time.Minute) })
	noPath := authority(t, "no path", root, func(c *x509.Certificate) { c.MaxPathLenZero = true })
	below := authority(t, "below", noPath, nil)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	_, edwards, _ := ed25519.GenerateKey(rand.Reader)
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	revokedLeaf, revokedMiddle := sign(t, root, nil, nil), authority(t, "revoked", root, nil)
	falsely := sign(t, root, nil, nil)
	list := func(der []byte) *certificate.Revoked {
		r, err := certificate.ParseCRL(der)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	anchor := certificate.NewAnchor([]*x509.Certificate{root.Certificate}, []*certificate.Revoked{
		list(revoke(t, root, revokedLeaf, revokedMiddle)), list(revoke(t, other, falsely)), list(revoke(t, middle)),
	})
	change := func(by *signer, f func(*x509.Certificate)) *signer { return sign(t, by, nil, f) }
	any, client := x509.ExtKeyUsageAny, x509.ExtKeyUsageClientAuth
	for _, test := range []struct {
		name    string
		leaf    *signer
		between []*signer
		purpose x509.ExtKeyUsage
		want    error
		until   time.Time
	}{
		{"P-256", sign(t, root, nil, nil), nil, any, nil, now.Add(time.Hour)},
		{"RSA", sign(t, root, rsaKey, nil), nil, any, nil, now.Add(time.Hour)},
		{"an authority between", sign(t, middle, nil, nil), []*signer{middle}, any, nil, now.Add(time.Hour)},
		{"the path ends before the leaf", sign(t, short, nil, nil), []*signer{short}, any, nil, now.Add(time.Minute)},
		{"others that don't matter come along", sign(t, middle, nil, nil), []*signer{other, ended, middle, root}, any, nil, now.Add(time.Hour)},
		{"no common name but an id", change(root, func(c *x509.Certificate) {
			c.Subject, c.URIs = pkix.Name{}, []*url.URL{{Scheme: "spiffe", Host: "example.org", Path: "/orders"}}
		}), nil, client, nil, now.Add(time.Hour)},
		{"for clients", change(root, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{client} }), nil, client, nil, now.Add(time.Hour)},

		{"no authority between", sign(t, middle, nil, nil), nil, any, certificate.ErrUntrusted, time.Time{}},
		{"another root of the name", sign(t, other, nil, nil), []*signer{other}, any, certificate.ErrUntrusted, time.Time{}},
		{"self-signed", sign(t, nil, nil, nil), nil, any, certificate.ErrUntrusted, time.Time{}},
		{"the authority has ended", sign(t, ended, nil, nil), []*signer{ended}, any, certificate.ErrUntrusted, time.Time{}},
		{"path too long", sign(t, below, nil, nil), []*signer{below, noPath}, any, certificate.ErrUntrusted, time.Time{}},
		{"signed by a client", sign(t, sign(t, root, nil, nil), nil, nil), nil, any, certificate.ErrUntrusted, time.Time{}},
		{"too many come along", sign(t, root, nil, nil), []*signer{other, other, other, other, other, other}, any, certificate.ErrUntrusted, time.Time{}},
		{"ended", change(root, func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Second) }), nil, any, certificate.ErrUntrusted, time.Time{}},
		{"not begun", change(root, func(c *x509.Certificate) { c.NotBefore = now.Add(time.Second) }), nil, any, certificate.ErrUntrusted, time.Time{}},
		{"an unknown critical extension", change(root, func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3}, Critical: true, Value: []byte{5, 0}}}
		}), nil, any, certificate.ErrUntrusted, time.Time{}},
		{"for servers only", change(root, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }), nil, client, certificate.ErrUntrusted, time.Time{}},
		{"an authority itself", authority(t, "x", root, nil), nil, any, certificate.ErrInsufficient, time.Time{}},
		{"not for signatures", change(root, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment }), nil, any, certificate.ErrInsufficient, time.Time{}},
		{"no key usage", change(root, func(c *x509.Certificate) { c.KeyUsage = 0 }), nil, any, certificate.ErrInsufficient, time.Time{}},
		{"RSA-1024", sign(t, root, weak, nil), nil, any, certificate.ErrInsufficient, time.Time{}},
		{"P-224", sign(t, root, p224, nil), nil, any, certificate.ErrInsufficient, time.Time{}},
		{"Ed25519", sign(t, root, edwards, nil), nil, any, certificate.ErrInsufficient, time.Time{}},
		{"revoked", revokedLeaf, nil, any, certificate.ErrRevoked, time.Time{}},
		{"the authority is revoked", sign(t, revokedMiddle, nil, nil), []*signer{revokedMiddle}, any, certificate.ErrRevoked, time.Time{}},
		{"revoked by another of the name", falsely, nil, any, nil, now.Add(time.Hour)},
	} {
		t.Run(test.name, func(t *testing.T) {
			var between []*x509.Certificate
			for _, b := range test.between {
				between = append(between, b.Certificate)
			}
			until, err := anchor.Verify(test.leaf.Certificate, between, test.purpose, now)
			if !errors.Is(err, test.want) || (err == nil) != (test.want == nil) || !until.Equal(test.until) {
				t.Errorf("%v until %s, want %v until %s", err, until, test.want, test.until)
			}
		})
	}
}

// TestParseBundle reads what may be a trust anchor, and what may not.
func TestParseBundle(t *testing.T) {
	root, second := authority(t, "root", nil, nil), authority(t, "second", nil, nil)
	old := authority(t, "old", nil, func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Second) })
	if all, err := certificate.ParseBundle([]byte(text(root, second)+"\n"), now); err != nil || len(all) != 2 {
		t.Errorf("two roots: %d, %v", len(all), err)
	}
	if _, err := certificate.ParseBundle([]byte(text(old)), time.Time{}); err != nil {
		t.Errorf("what was taken once is refused: %v", err)
	}
	for want, bundle := range map[string]string{
		"holds no certificate":     " \n",
		"valid PEM":                "-----BEGIN CERTIFICATE-----",
		"Unable to parse":          "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
		"Certificate 2 of the":     text(root, sign(t, root, nil, nil)),
		"has expired":              text(old),
		"more than 50":             strings.Repeat(text(root), 51),
		"Certificate Sign":         text(authority(t, "x", nil, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature })),
		"in a valid PEM format.":   "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
		"basic constraints must i": text(sign(t, nil, nil, nil)),
	} {
		if _, err := certificate.ParseBundle([]byte(bundle), now); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestParseCRL reads lists of revoked certificates, and refuses what pretends to be an anchor's.
func TestParseCRL(t *testing.T) {
	root, other := authority(t, "root", nil, nil), authority(t, "root", nil, nil)
	below := authority(t, "below", root, nil)
	der := revoke(t, root, below)
	r, err := certificate.ParseCRL(der)
	if err != nil {
		t.Fatal(err)
	}
	shown := pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
	again, err := certificate.ParseCRL(shown)
	if err != nil || string(again.DER()) != string(der) {
		t.Errorf("PEM: %v", err)
	}
	if err := r.CheckIssuer([]*x509.Certificate{other.Certificate, root.Certificate}); err != nil {
		t.Error(err)
	}
	if err := r.CheckIssuer([]*x509.Certificate{other.Certificate}); err == nil {
		t.Error("a list of another authority of the name is taken")
	}
	if r, err := certificate.ParseCRL(revoke(t, below)); err != nil || r.CheckIssuer([]*x509.Certificate{root.Certificate}) != nil {
		t.Errorf("a list of an authority below the anchor is refused: %v", err)
	}
	for _, bad := range []string{"", "x", string(shown) + string(shown), text(root), string(der[:len(der)-1]), strings.Repeat("x", 300_001)} {
		if _, err := certificate.ParseCRL([]byte(bad)); err == nil {
			t.Errorf("%.40q is taken for a list", bad)
		}
	}
}
