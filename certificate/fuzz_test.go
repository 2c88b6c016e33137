package certificate_test

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"strings"
	"testing"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/certificate"
)

// FuzzParse gives Parse any bytes: it never panics, refuses with a ValidationException that repeats nothing of the
// key, and what it takes crypto/tls takes too.
func FuzzParse(f *testing.F) {
	a, _ := open(f)
	for _, algorithm := range []trellis.KeyAlgorithm{trellis.RSA2048, trellis.ECP256} {
		p, err := a.Issue([]string{"orders.example.com"}, algorithm, now)
		if err != nil {
			f.Fatal(err)
		}
		f.Add([]byte(p.Body), []byte(p.Key.Reveal()), []byte(p.Chain))
		f.Add([]byte(p.Body), []byte(p.Key.Reveal()), []byte(""))
		f.Add([]byte(p.Body+p.Chain), []byte(p.Key.Reveal()), []byte(p.Chain+p.Body))
	}
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n\n-----END CERTIFICATE-----"), []byte("-----BEGIN EC PARAMETERS-----\n\n-----END EC PARAMETERS-----"), []byte(" "))
	f.Add([]byte(""), []byte("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n-----END RSA PRIVATE KEY-----"), []byte(""))
	f.Fuzz(func(t *testing.T, body, key, chain []byte) {
		p, err := certificate.Parse(body, key, chain, now)
		if err != nil {
			var refused *trellis.Error
			if !errors.As(err, &refused) || refused.Code != "ValidationException" || len(key) > 20 && strings.Contains(err.Error(), string(key)) {
				t.Fatal(err)
			}
			return
		}
		if _, err := tls.X509KeyPair([]byte(p.Body+p.Chain), []byte(p.Key.Reveal())); err != nil {
			t.Fatal(err)
		}
		again, err := certificate.Parse([]byte(p.Body), []byte(p.Key.Reveal()), []byte(p.Chain), now)
		if err != nil || again.Body != p.Body || again.Key.Reveal() != p.Key.Reveal() {
			t.Fatalf("what was written is not read: %v", err)
		}
		var c trellis.Certificate
		p.Fill(&c)
		p.Names()
	})
}

// FuzzCertificateARN takes apart any text: what is taken for the ARN of a certificate is written the same.
func FuzzCertificateARN(f *testing.F) {
	for _, s := range []string{"arn:aws:acm:eu-west-1:111122223333:certificate/01234567-89ab-4cde-8f01-23456789abcd", "arn:aws:acm:eu-west-1:111122223333:certificate/",
		"arn:aws:acm::1:certificate/a", "arn:aws:acm:eu-west-1:111122223333:certificate/a/b", "arn:aws:iam::111122223333:server-certificate/a", "arn:::::", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		region, ref, err := trellis.ParseCertificateARN(s)
		if err != nil {
			return
		}
		if got := trellis.CertificateARN(region, ref.Account, ref.ID); got != s || strings.ContainsAny(ref.ID, "/:*") || !trellis.IsAccountID(ref.Account) {
			t.Fatalf("%q is read as %s of %s in %s", s, ref.ID, ref.Account, region)
		}
	})
}

// FuzzParseCRL gives ParseCRL any bytes: what it takes is read again from what it shows.
func FuzzParseCRL(f *testing.F) {
	root := authority(f, "root", nil, nil)
	der := revoke(f, root, root)
	f.Add(der)
	f.Add(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}))
	f.Add([]byte("-----BEGIN X509 CRL-----\n\n-----END X509 CRL-----"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := certificate.ParseCRL(data)
		if err != nil {
			return
		}
		again, err := certificate.ParseCRL(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: r.DER()}))
		if err != nil || string(again.DER()) != string(r.DER()) {
			t.Fatalf("what is shown is not read: %v", err)
		}
		_ = r.CheckIssuer([]*x509.Certificate{root.Certificate})
	})
}

// FuzzBundle gives ParseBundle any bytes: what it takes can be an anchor.
func FuzzBundle(f *testing.F) {
	root := authority(f, "root", nil, nil)
	f.Add(text(root))
	f.Add(text(root, root) + "\n")
	f.Add("-----BEGIN CERTIFICATE-----\n\n-----END CERTIFICATE-----")
	leaf := sign(f, root, nil, nil)
	f.Fuzz(func(t *testing.T, bundle string) {
		all, err := certificate.ParseBundle([]byte(bundle), now)
		if err != nil {
			return
		}
		_, _ = certificate.NewAnchor(all, nil).Verify(leaf.Certificate, all, x509.ExtKeyUsageAny, now)
	})
}

// FuzzAttributes reads any alternative names of a certificate: no panic, and no tag but of the fields.
func FuzzAttributes(f *testing.F) {
	root := authority(f, "root", nil, nil)
	f.Add(sanOf(f, generalName(2, false, []byte("a.example.com")), directoryName(f, pkix.Name{CommonName: "x"})).Value)
	f.Add([]byte{0x30, 0x80})
	f.Add([]byte{0x30, 2, 0xa4, 0})
	f.Fuzz(func(t *testing.T, san []byte) {
		c := *root.Certificate
		c.Extensions = append(c.Extensions[:len(c.Extensions):len(c.Extensions)], pkix.Extension{Id: []int{2, 5, 29, 17}, Value: san})
		a, err := certificate.AttributesOf(&c)
		if err != nil {
			return
		}
		for k := range a.Tags(certificate.DefaultRules()) {
			field, specifier, _ := strings.Cut(k, "/")
			if !certificate.IsSpecifier(field, specifier) {
				t.Fatalf("%q is no specifier", k)
			}
		}
		a.X509()
	})
}
