package controlplane_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/certificate"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/controlplane"
	"github.com/trellis-project/trellis/store"
)

// selfSigned is a certificate for names with a P-256 key, as somebody would import it.
func selfSigned(t testing.TB, names ...string) controlplane.Import {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	x := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, x, x, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	block := func(label string, b []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: label, Bytes: b}) }
	return controlplane.Import{Body: block("CERTIFICATE", der), Key: block("PRIVATE KEY", private)}
}

// imported imports a certificate and returns its ARN.
func imported(t testing.TB, p *controlplane.Plane, c *authpolicy.Caller, names ...string) string {
	t.Helper()
	n, _, err := p.ImportCertificate(t.Context(), c, selfSigned(t, names...))
	if err != nil {
		t.Fatal(err)
	}
	return n.ARN(region)
}

// authorityOf makes the authority of a Plane's store.
func authorityOf(t testing.TB, p *controlplane.Plane) {
	t.Helper()
	if err := p.Bootstrap(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// requested requests a certificate, waits until it is issued and returns its ARN.
func requested(t testing.TB, p *controlplane.Plane, c *authpolicy.Caller, algorithm trellis.KeyAlgorithm, names ...string) string {
	t.Helper()
	n, _, err := p.RequestCertificate(t.Context(), c, trellis.Certificate{DomainName: names[0], Names: names[1:], KeyAlgorithm: algorithm, ValidationMethod: "DNS"})
	if err != nil {
		t.Fatal(err)
	}
	if n.Status != trellis.CertificatePending {
		t.Errorf("requested: %s", n.Status)
	}
	arn := n.ARN(region)
	await(t, "issued", func() bool {
		d, err := p.DescribeCertificate(t.Context(), c, arn)
		return err == nil && d.Status == trellis.CertificateReady
	})
	return arn
}

// wantRefused checks the code of a client's error.
func wantRefused(t testing.TB, what string, err error, code string) {
	t.Helper()
	var refused *trellis.Error
	if !errors.As(err, &refused) || refused.Code != code {
		t.Errorf("%s: %v, want %s", what, err, code)
	}
}

// TestCertificateOfService follows a certificate through the services that use it.
func TestCertificateOfService(t *testing.T) {
	p, c, ctx := running(t, controlplane.Options{}), admin(t), t.Context()
	one, two := imported(t, p, c, "*.example.com"), imported(t, p, c, "orders.example.com", "pay.example.com")
	s, _, err := p.CreateService(ctx, c, "", trellis.Service{Name: "orders", CustomDomainName: "Orders.example.com", CertificateARN: one})
	if err != nil || s.CertificateARN != one {
		t.Fatalf("%+v %v", s, err)
	}
	uses := func(arn string, want ...string) {
		t.Helper()
		d, err := p.DescribeCertificate(ctx, c, arn)
		if err != nil || strings.Join(d.UsedBy, " ") != strings.Join(want, " ") {
			t.Errorf("used by %v, want %v: %v", d.UsedBy, want, err)
		}
	}
	uses(one, s.ARN(region))
	uses(two)
	_, err = p.DeleteCertificate(ctx, c, one)
	wantRefused(t, "delete", err, "ResourceInUseException")

	for range 2 { // the second changes nothing
		if s, _, err = p.UpdateService(ctx, c, s.ID, controlplane.ServiceChange{CertificateARN: &two}); err != nil || s.CertificateARN != two {
			t.Fatal(s, err)
		}
		uses(one)
		uses(two, s.ARN(region))
	}
	if _, err := p.DeleteCertificate(ctx, c, one); err != nil {
		t.Error(err)
	}
	if _, _, err = p.UpdateService(ctx, c, s.ID, controlplane.ServiceChange{CertificateARN: new("")}); err != nil {
		t.Fatal(err)
	}
	uses(two)
	if _, _, err = p.UpdateService(ctx, c, s.ID, controlplane.ServiceChange{CertificateARN: &two}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.DeleteService(ctx, c, s.ID); err != nil {
		t.Fatal(err)
	}
	await(t, "released", func() bool {
		_, err := p.DeleteCertificate(ctx, c, two)
		return err == nil
	})
	_, err = p.DescribeCertificate(ctx, c, two)
	wantRefused(t, "describe what is deleted", err, "ResourceNotFoundException")
}

// TestCertificateNotForService tries certificates that a service can't have.
func TestCertificateNotForService(t *testing.T) {
	p, strict := running(t, controlplane.Options{}), running(t, controlplane.Options{Strict: true})
	authorityOf(t, p)
	c, other, ctx := admin(t), admin(t), t.Context()
	wild := imported(t, p, c, "*.example.com")
	big := requested(t, p, c, trellis.ECP384, "orders.example.com")
	rsa := requested(t, p, c, trellis.RSA2048, "orders.example.com")
	elsewhere := imported(t, p, other, "orders.example.com")
	for _, test := range []struct {
		plane       *controlplane.Plane
		arn, domain string
		code, says  string // empty: it is taken
	}{
		{p, wild, "orders.example.com", "", ""},
		{p, rsa, "orders.example.com", "", ""},
		{strict, rsa, "orders.example.com", "", ""},
		{strict, wild, "orders.example.com", "ValidationException", "RSA_2048"},
		{p, big, "orders.example.com", "ValidationException", "EC_secp384r1"},
		{p, rsa, "pay.example.com", "ValidationException", "pay.example.com"},
		{p, wild, "a.orders.example.com", "ValidationException", "a.orders.example.com"},
		{p, rsa, "", "ValidationException", "customDomainName"},
		{p, elsewhere, "orders.example.com", "ResourceNotFoundException", "CERTIFICATE"},
		{p, trellis.CertificateARN(region, c.Principal.Account, trellis.NewUUID()), "orders.example.com", "ResourceNotFoundException", "CERTIFICATE"},
		{p, trellis.CertificateARN("eu-west-2", c.Principal.Account, trellis.NewUUID()), "orders.example.com", "ValidationException", "Region"},
		{p, "arn:aws:iam::111122223333:certificate/x", "orders.example.com", "ValidationException", "certificateArn"},
	} {
		name := "s" + trellis.RandomHex(8)
		_, _, err := test.plane.CreateService(ctx, c, "", trellis.Service{Name: name, CustomDomainName: test.domain, CertificateARN: test.arn})
		plain, _, plainErr := test.plane.CreateService(ctx, c, "", trellis.Service{Name: name + "u", CustomDomainName: test.domain})
		if plainErr != nil {
			t.Fatal(plainErr)
		}
		await(t, "ACTIVE", func() bool {
			s, err := test.plane.GetService(ctx, c, plain.ID)
			return err == nil && s.Status == trellis.StatusActive
		})
		_, _, updated := test.plane.UpdateService(ctx, c, plain.ID, controlplane.ServiceChange{CertificateARN: &test.arn})
		for _, err := range []error{err, updated} {
			if test.code == "" {
				if err != nil {
					t.Errorf("%s for %q: %v", test.arn, test.domain, err)
				}
				continue
			}
			wantRefused(t, test.arn+" for "+test.domain, err, test.code)
			if err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("%s for %q: %v does not say %s", test.arn, test.domain, err, test.says)
			}
		}
	}
}

// TestImportAgain replaces certificates by others, and tries what can't replace one.
func TestImportAgain(t *testing.T) {
	p, c, ctx := running(t, controlplane.Options{}), admin(t), t.Context()
	authorityOf(t, p)
	arn := imported(t, p, c, "orders.example.com")
	before, err := p.GetCertificate(ctx, c, arn)
	if err != nil {
		t.Fatal(err)
	}
	in := selfSigned(t, "orders.example.com", "pay.example.com")
	in.ARN = arn
	if _, _, err := p.ImportCertificate(ctx, c, in); err != nil {
		t.Fatal(err)
	}
	after, err := p.GetCertificate(ctx, c, arn)
	if err != nil || after.Body == before.Body || len(after.Names) != 2 || !after.CreatedAt.Equal(before.CreatedAt) {
		t.Errorf("%+v %v", after, err)
	}
	in.Tags = map[string]string{"a": "b"}
	_, _, err = p.ImportCertificate(ctx, c, in)
	wantRefused(t, "tags", err, "ValidationException")
	foreign := selfSigned(t, "elsewhere.example.com")
	foreign.ARN = arn
	_, _, err = p.ImportCertificate(ctx, c, foreign)
	wantRefused(t, "other names", err, "ValidationException")
	mixed := selfSigned(t, "orders.example.com")
	mixed.ARN, mixed.Key = arn, in.Key
	_, _, err = p.ImportCertificate(ctx, c, mixed)
	wantRefused(t, "another key", err, "ValidationException")
	in.Tags, in.ARN = nil, requested(t, p, c, trellis.ECP256, "orders.example.com")
	_, _, err = p.ImportCertificate(ctx, c, in)
	wantRefused(t, "in place of a requested one", err, "ValidationException")
	in.ARN = arn
	_, _, err = p.ImportCertificate(ctx, admin(t), in)
	wantRefused(t, "another account's", err, "ResourceNotFoundException")
	if again, err := p.GetCertificate(ctx, c, arn); err != nil || again.Body != after.Body {
		t.Errorf("a refused import changed it: %v", err)
	}
}

// TestRequestCertificate looks at tokens, names, quotas and names of AWS.
func TestRequestCertificate(t *testing.T) {
	p, c, ctx := running(t, controlplane.Options{Strict: true}), admin(t), t.Context()
	authorityOf(t, p)
	r := trellis.Certificate{DomainName: "Orders.example.com", Names: []string{"orders.example.com", "*.orders.example.com"}, KeyAlgorithm: trellis.ECP256, RequestToken: "one"}
	first, _, err := p.RequestCertificate(ctx, c, r)
	if err != nil || strings.Join(first.Names, " ") != "orders.example.com *.orders.example.com" {
		t.Fatal(first, err)
	}
	again, _, err := p.RequestCertificate(ctx, c, r)
	if err != nil || again.ID != first.ID {
		t.Errorf("the same token made %s and %s: %v", first.ID, again.ID, err)
	}
	r.Names = nil
	_, _, err = p.RequestCertificate(ctx, c, r)
	wantRefused(t, "another request with the token", err, "InvalidParameterException")
	later := controlplane.New(controlplane.Options{Store: shared, Region: region, Now: func() time.Time { return time.Now().Add(time.Hour) }})
	other, _, err := later.RequestCertificate(ctx, c, r)
	if err != nil || other.ID == first.ID {
		t.Errorf("an hour later: %v", err)
	}
	if _, err := p.DeleteCertificate(ctx, c, first.ARN(region)); err != nil { // its token is the other's by now
		t.Fatal(err)
	}
	if third, _, err := later.RequestCertificate(ctx, c, r); err != nil || third.ID != other.ID {
		t.Errorf("the same token made %s and %s: %v", other.ID, third.ID, err)
	}
	if _, err := p.DeleteCertificate(ctx, c, other.ARN(region)); err != nil {
		t.Fatal(err)
	}
	if fourth, _, err := later.RequestCertificate(ctx, c, r); err != nil || fourth.ID == other.ID {
		t.Errorf("the token of what is deleted: %v", err)
	}
	few := controlplane.New(controlplane.Options{Store: shared, Region: region, Quotas: quota.Limits{Others: map[quota.ID]int{quota.Certificates: 1, quota.NamesPerCertificate: 1}}})
	_, _, err = few.RequestCertificate(ctx, c, trellis.Certificate{DomainName: "a.example.com"})
	wantRefused(t, "one too many", err, "LimitExceededException")
	_, _, err = few.ImportCertificate(ctx, c, selfSigned(t, "a.example.com"))
	wantRefused(t, "one too many", err, "LimitExceededException")
	for range 9 {
		r.Names = append(r.Names, "n"+trellis.RandomHex(8)+".example.com")
	}
	r.RequestToken = ""
	if _, _, err = p.RequestCertificate(ctx, c, r); err != nil {
		t.Errorf("ten names: %v", err)
	}
	r.Names = append(r.Names, "eleventh.example.com")
	_, _, err = p.RequestCertificate(ctx, c, r)
	wantRefused(t, "eleven names", err, "LimitExceededException")
	_, _, err = p.RequestCertificate(ctx, c, trellis.Certificate{DomainName: "a.example.com", KeyAlgorithm: trellis.RSA4096})
	wantRefused(t, "RSA_4096", err, "InvalidParameterException")

	aws, _, err := p.RequestCertificate(ctx, c, trellis.Certificate{DomainName: "*." + trellis.GeneratedDomain(region), KeyAlgorithm: trellis.ECP256})
	if err != nil {
		t.Fatal(err)
	}
	await(t, "refused", func() bool {
		d, err := p.DescribeCertificate(ctx, c, aws.ARN(region))
		return err == nil && d.Status == trellis.CertificateFailed && d.FailureReason == "DOMAIN_NOT_ALLOWED"
	})
	_, err = p.GetCertificate(ctx, c, aws.ARN(region))
	wantRefused(t, "get what failed", err, "RequestInProgressException")
	if d, err := p.DescribeCertificate(ctx, admin(t), aws.ARN(region)); err == nil {
		t.Errorf("another account sees %+v", d)
	}
}

// TestCertificateExpires shows EXPIRED once it is so.
func TestCertificateExpires(t *testing.T) {
	p, c, ctx := running(t, controlplane.Options{}), admin(t), t.Context()
	arn := imported(t, p, c, "orders.example.com")
	later := controlplane.New(controlplane.Options{Store: shared, Region: region, Now: func() time.Time { return time.Now().Add(2 * time.Hour) }})
	d, err := later.DescribeCertificate(ctx, c, arn)
	if err != nil || d.Status != trellis.CertificateExpired {
		t.Errorf("%v %v", d, err)
	}
	_, _, err = later.CreateService(ctx, c, "", trellis.Service{Name: "late", CustomDomainName: "orders.example.com", CertificateARN: arn})
	wantRefused(t, "an expired certificate", err, "ValidationException")
}

// TestBootstrapAuthority starts many members at once, twice: they agree on one root and one certificate of generated
// names, and keep both.
func TestBootstrapAuthority(t *testing.T) {
	s, stop, err := open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	var root, serial string
	for range 2 {
		var members sync.WaitGroup
		for range 3 {
			p := controlplane.New(controlplane.Options{Store: s, Region: region})
			members.Go(func() {
				if err := p.Bootstrap(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		members.Wait()
		p := controlplane.New(controlplane.Options{Store: s, Region: region})
		now, err := p.RootCertificate(t.Context())
		if err != nil || root != "" && now != root {
			t.Fatalf("another root: %v", err)
		}
		root = now
		m := managed(t, s)
		if serial != "" && m.Serial != serial {
			t.Error("another certificate of generated names")
		}
		serial = m.Serial
		if !m.Covers("orders-0123456789abcdef0."+trellis.GeneratedDomain(region)) || m.KeyAlgorithm != trellis.RSA2048 || m.Chain != root {
			t.Errorf("%+v", m)
		}
	}
}

// managed is the certificate of the region's generated names.
func managed(t testing.TB, s *store.Store) (m *trellis.Certificate) {
	t.Helper()
	err := s.Read(t.Context(), func(tx *store.Tx) (err error) {
		m, err = store.Get[*trellis.Certificate](tx, trellis.ManagedCertificate(region).Key())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestRenewal renews what the authority has issued at two thirds of its life: once, by many members at the same time,
// and not what was imported. The certificate before is in nobody's way.
func TestRenewal(t *testing.T) {
	s, stop, err := open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // after the Plane
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	p, c := running(t, controlplane.Options{Store: s}), admin(t)
	authorityOf(t, p)
	mine, brought := requested(t, p, c, trellis.ECP256, "orders.example.com"), imported(t, p, c, "pay.example.com")
	first, err := p.DescribeCertificate(t.Context(), c, mine)
	if err != nil {
		t.Fatal(err)
	}
	wasManaged := managed(t, s)
	due := certificate.RenewAt(&first.Certificate)
	at := func(now time.Time) *controlplane.Plane {
		return controlplane.New(controlplane.Options{Store: s, Region: region, Now: func() time.Time { return now }})
	}
	serials := map[string]bool{first.Serial: true}
	for _, step := range []struct {
		now  time.Time
		want int // different certificates so far
	}{{due.Add(-time.Minute), 1}, {due.Add(time.Minute), 2}, {due.Add(time.Hour), 2}, {due.Add(100 * 24 * time.Hour), 3}} {
		var members sync.WaitGroup
		for range 3 {
			members.Go(func() {
				if err := at(step.now).RenewCertificates(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		members.Wait()
		d, err := at(step.now).DescribeCertificate(t.Context(), c, mine)
		if err != nil {
			t.Fatal(err)
		}
		serials[d.Serial] = true
		if len(serials) != step.want || d.Status != trellis.CertificateReady || d.RenewedAt.IsZero() != (step.want == 1) || !d.IssuedAt.Equal(first.IssuedAt) {
			t.Errorf("at %s: %d certificates, want %d: %s, renewed %s", step.now, len(serials), step.want, d.Status, d.RenewedAt)
		}
	}
	if m := managed(t, s); m.Serial == wasManaged.Serial || m.PrivateKey.Reveal() == wasManaged.PrivateKey.Reveal() {
		t.Error("the certificate of generated names was not renewed with another key")
	}
	if d, err := p.DescribeCertificate(t.Context(), c, brought); err != nil || !d.RenewedAt.IsZero() {
		t.Errorf("an imported certificate was renewed: %v", err)
	}

	// A root near its end is replaced at a start.
	root, _ := p.RootCertificate(t.Context())
	late := at(due.Add(10 * 365 * 24 * time.Hour))
	if err := late.Bootstrap(t.Context()); err != nil {
		t.Fatal(err)
	}
	if now, err := late.RootCertificate(t.Context()); err != nil || now == root || managed(t, s).Chain != now {
		t.Errorf("the root was not replaced: %v", err)
	}
}

// TestKeysAreSealed looks for private keys in all files of a store.
func TestKeysAreSealed(t *testing.T) {
	dir := t.TempDir()
	s, stop, err := open(dir)
	if err != nil {
		t.Fatal(err)
	}
	p, c := controlplane.New(controlplane.Options{Store: s, Region: region}), admin(t)
	authorityOf(t, p)
	in := selfSigned(t, "orders.example.com")
	n, _, err := p.ImportCertificate(t.Context(), c, in)
	if err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	needles := [][]byte{[]byte("PRIVATE KEY"), []byte(strings.Split(string(in.Key), "\n")[1])}
	found := false
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		found = found || bytes.Contains(text, []byte(n.ID))
		for _, needle := range needles {
			if bytes.Contains(text, needle) {
				t.Errorf("%s has a private key", path)
			}
		}
		return err
	})
	if err != nil || !found {
		t.Errorf("the certificate is in no file: %v", err)
	}
	if s, stop, err = open(dir); err != nil {
		t.Fatal(err)
	}
	defer stop()
	err = s.Read(context.Background(), func(tx *store.Tx) error {
		again, err := store.Get[*trellis.Certificate](tx, n.Key())
		if err == nil && again.PrivateKey.Reveal() != n.PrivateKey.Reveal() {
			t.Error("another key after a restart")
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
