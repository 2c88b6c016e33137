package certificate_test

import (
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/certificate"
)

// region is the region of the tests.
const region = "eu-west-1"

// now is the time of the tests.
var now = time.Date(2026, 11, 27, 3, 0, 0, 0, time.UTC)

// root makes the authority of the tests once: its key takes a while.
var root = sync.OnceValue(func() *trellis.Authority {
	a, err := certificate.NewAuthority(now)
	if err != nil {
		panic(err)
	}
	return a
})

// open opens the authority of the tests.
func open(t testing.TB) (*certificate.Authority, *x509.CertPool) {
	t.Helper()
	a, err := certificate.Open(root())
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(root().Certificate)) {
		t.Fatal("the root is not PEM")
	}
	return a, pool
}

// issue issues a certificate as a noun of an account.
func issue(t testing.TB, algorithm trellis.KeyAlgorithm, names ...string) *trellis.Certificate {
	t.Helper()
	a, _ := open(t)
	p, err := a.Issue(names, algorithm, now)
	if err != nil {
		t.Fatal(err)
	}
	c := &trellis.Certificate{Meta: trellis.Meta{Account: "111122223333", ID: trellis.NewUUID()}, Names: names, Type: trellis.CertificateIssued, Status: trellis.CertificateReady}
	p.Fill(c)
	return c
}

// TestIssue looks at what the authority issues as a client does, and at the terms.
func TestIssue(t *testing.T) {
	_, pool := open(t)
	long := strings.Repeat("a", 60) + ".example.com"
	for _, test := range []struct {
		algorithm trellis.KeyAlgorithm
		names     []string
		calls     string // a name that is called
		common    string
		usages    string
	}{
		{trellis.RSA2048, []string{"orders.example.com"}, "orders.example.com", "orders.example.com", "DIGITAL_SIGNATURE KEY_ENCIPHERMENT"},
		{trellis.RSA2048, []string{"*.7d67968.vpc-lattice-svcs.eu-west-1.on.aws"}, "orders-0123456789abcdef0.7d67968.vpc-lattice-svcs.eu-west-1.on.aws",
			"*.7d67968.vpc-lattice-svcs.eu-west-1.on.aws", "DIGITAL_SIGNATURE KEY_ENCIPHERMENT"},
		{trellis.ECP256, []string{"example.com", "a.example.com"}, "a.example.com", "example.com", "DIGITAL_SIGNATURE"},
		{trellis.ECP384, []string{long}, long, "", "DIGITAL_SIGNATURE"},
	} {
		c := issue(t, test.algorithm, test.names...)
		pair, err := certificate.Parse([]byte(c.Body), []byte(c.PrivateKey.Reveal()), []byte(c.Chain), now)
		if err != nil {
			t.Fatalf("%v: %v", test.names, err)
		}
		leaf := pair.Leaf
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: pool, CurrentTime: now, DNSName: test.calls}); err != nil {
			t.Errorf("%v: %v", test.names, err)
		}
		if leaf.Subject.CommonName != test.common || c.KeyAlgorithm != test.algorithm || strings.Join(c.KeyUsages, " ") != test.usages || c.Issuer != "Trellis" {
			t.Errorf("%v: %q %s %v %q", test.names, leaf.Subject.CommonName, c.KeyAlgorithm, c.KeyUsages, c.Issuer)
		}
		if life := c.NotAfter.Sub(c.NotBefore); life >= 90*24*time.Hour || life < 89*24*time.Hour {
			t.Errorf("a leaf lives for %s", life)
		}
		if left := c.NotAfter.Sub(certificate.RenewAt(c)); left < 29*24*time.Hour || left > 31*24*time.Hour {
			t.Errorf("renewed %s before its end", left)
		}
	}
	a, _ := open(t)
	if _, err := a.Issue([]string{"a.example.com"}, trellis.RSA4096, now); err == nil {
		t.Error("a key of RSA_4096 was made")
	}
	late := now.Add(10*365*24*time.Hour - 24*time.Hour)
	p, err := a.Issue([]string{"a.example.com"}, trellis.ECP256, late)
	if err != nil || p.Leaf.NotAfter.After(root().NotAfter) {
		t.Errorf("a leaf that outlives its root: %v", err)
	}
	if certificate.EndsSoon(root(), now) || !certificate.EndsSoon(root(), late) {
		t.Error("the authority's end is not seen")
	}
}

// TestOpenSSLVerifies lets openssl judge root and leaf.
func TestOpenSSLVerifies(t *testing.T) {
	a, err := certificate.NewAuthority(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	authority, err := certificate.Open(a)
	if err != nil {
		t.Fatal(err)
	}
	p, err := authority.Issue([]string{"*.example.com"}, trellis.RSA2048, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, dir, "ca.pem", a.Certificate)
	write(t, dir, "leaf.pem", p.Body)
	openssl(t, dir, "verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", "orders.example.com", "-CAfile", "ca.pem", "leaf.pem")
}

// write writes a file of a test.
func write(t testing.TB, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// openssl runs openssl in a directory.
func openssl(t testing.TB, dir string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "openssl", args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// stateOf is a state with some certificates.
func stateOf(cs ...*trellis.Certificate) *trellis.State {
	st := trellis.NewState()
	for _, c := range cs {
		st.Put(c)
	}
	return st
}

// managed is the certificate of the region's generated names.
func managed(t testing.TB) *trellis.Certificate {
	t.Helper()
	c := issue(t, trellis.RSA2048, "*."+trellis.GeneratedDomain(region))
	ref := trellis.ManagedCertificate(region)
	c.Account, c.ID = ref.Account, ref.ID
	return c
}

// handshake makes a connection with the key pair that Keys hands out, and returns what the client saw.
func handshake(t testing.TB, keys func() *certificate.Keys, pool *x509.CertPool, arn, name string, change func(*tls.Config)) (tls.ConnectionState, error) {
	t.Helper()
	near, far := net.Pipe()
	defer near.Close()
	server := tls.Server(far, &tls.Config{GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
		return keys().Certificate(arn, h.ServerName)
	}, CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}})
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Handshake() // the client tells
		far.Close()
	}()
	c := &tls.Config{RootCAs: pool, ServerName: name, Time: func() time.Time { return now }}
	if change != nil {
		change(c)
	}
	client := tls.Client(near, c)
	err := client.Handshake()
	near.Close()
	<-done
	return client.ConnectionState(), err
}

// TestKeys makes handshakes by the ARN of a service's certificate and by generated names, with all suites that VPC
// Lattice has a certificate for, and where there is none.
func TestKeys(t *testing.T) {
	_, pool := open(t)
	own, ec := issue(t, trellis.RSA2048, "orders.example.com"), issue(t, trellis.ECP256, "*.example.com")
	pending := &trellis.Certificate{Meta: trellis.Meta{Account: "111122223333", ID: "pending"}, Status: trellis.CertificatePending}
	broken := issue(t, trellis.ECP256, "broken.example.com")
	secret := broken.PrivateKey.Reveal()
	broken.Body = own.Body
	keys := certificate.NewKeys(stateOf(own, ec, managed(t), pending, broken), region, nil)
	generated := "orders-0123456789abcdef0." + trellis.GeneratedDomain(region)
	suite := func(s uint16) func(*tls.Config) {
		return func(c *tls.Config) { c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{s} }
	}
	for _, test := range []struct {
		arn, name string
		change    func(*tls.Config)
		leaf      string // serial; empty: no handshake
	}{
		{own.ARN(region), "orders.example.com", nil, own.Serial},
		{own.ARN(region), "orders.example.com", suite(tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256), own.Serial},
		{own.ARN(region), "orders.example.com", suite(tls.TLS_RSA_WITH_AES_128_GCM_SHA256), own.Serial},
		{ec.ARN(region), "pay.example.com", nil, ec.Serial},
		{ec.ARN(region), "pay.example.com", suite(tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256), ec.Serial},
		{"", generated, nil, "managed"},
		{own.ARN(region), generated, nil, "managed"}, // a custom certificate stands beside it
		{"", strings.ToUpper(generated), suite(tls.TLS_RSA_WITH_AES_128_GCM_SHA256), "managed"},
		{"", "orders.example.com", nil, ""},
		{"", trellis.GeneratedDomain(region), nil, ""},
		{pending.ARN(region), "orders.example.com", nil, ""},
		{broken.ARN(region), "broken.example.com", nil, ""},
		{"arn:aws:acm:eu-west-1:111122223333:certificate/none", "orders.example.com", nil, ""},
	} {
		seen, err := handshake(t, func() *certificate.Keys { return keys }, pool, test.arn, test.name, test.change)
		if (err == nil) != (test.leaf != "") {
			t.Errorf("%s %s: %v", test.arn, test.name, err)
			continue
		}
		if err != nil {
			continue
		}
		if len(seen.PeerCertificates) != 1 {
			t.Errorf("%s: %d certificates were sent, the root among them", test.name, len(seen.PeerCertificates))
		}
		serial := strings.ReplaceAll(test.leaf, ":", "")
		if got := fmt.Sprintf("%x", seen.PeerCertificates[0].SerialNumber); test.leaf != "managed" && got != serial {
			t.Errorf("%s: certificate %s, want %s", test.name, got, serial)
		}
	}
	if _, err := keys.Certificate(broken.ARN(region), "broken.example.com"); err == nil || strings.Contains(err.Error(), "PRIVATE") || strings.Contains(err.Error(), secret[40:60]) {
		t.Errorf("broken: %v", err)
	}
	arn := own.ARN(region)
	if n := testing.AllocsPerRun(100, func() { _, _ = keys.Certificate(arn, generated) }); n != 0 {
		t.Errorf("Certificate allocates %v times", n)
	}
}

// TestKeysShare takes over what did not change, and only that.
func TestKeysShare(t *testing.T) {
	one, two := issue(t, trellis.ECP256, "one.example.com"), issue(t, trellis.ECP256, "two.example.com")
	before := certificate.NewKeys(stateOf(one, two), region, nil)
	other := *two
	a, _ := open(t)
	p, err := a.Issue(two.Names, trellis.ECP256, now)
	if err != nil {
		t.Fatal(err)
	}
	p.Fill(&other)
	after := certificate.NewKeys(stateOf(one, &other), region, before)
	was, _ := before.Certificate(one.ARN(region), "one.example.com")
	is, _ := after.Certificate(one.ARN(region), "one.example.com")
	if was == nil || was != is {
		t.Error("an unchanged certificate was parsed anew")
	}
	was, _ = before.Certificate(two.ARN(region), "two.example.com")
	is, _ = after.Certificate(two.ARN(region), "two.example.com")
	if is == nil || was == is {
		t.Error("a changed certificate was taken over")
	}
}

// TestSwapUnderLoad swaps a certificate to and fro while clients connect: every handshake succeeds with one of the
// two, and one that begins after a swap has the new one.
func TestSwapUnderLoad(t *testing.T) {
	_, pool := open(t)
	c := issue(t, trellis.ECP256, "orders.example.com")
	renewed := *c
	a, _ := open(t)
	p, err := a.Issue(c.Names, trellis.ECP256, now)
	if err != nil {
		t.Fatal(err)
	}
	p.Fill(&renewed)
	var current atomic.Pointer[certificate.Keys]
	current.Store(certificate.NewKeys(stateOf(c), region, nil))
	stop := make(chan struct{})
	var clients sync.WaitGroup
	var calls atomic.Int64
	for range 4 {
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := handshake(t, current.Load, pool, c.ARN(region), "orders.example.com", nil); err != nil {
					t.Error(err)
					return
				}
				calls.Add(1)
			}
		})
	}
	for i := range 40 {
		next := c
		if i%2 == 0 {
			next = &renewed
		}
		current.Store(certificate.NewKeys(stateOf(next), region, current.Load()))
		seen, err := handshake(t, current.Load, pool, c.ARN(region), "orders.example.com", nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%x", seen.PeerCertificates[0].SerialNumber); got != strings.ReplaceAll(next.Serial, ":", "") {
			t.Errorf("swap %d: the certificate before is still handed out", i)
		}
	}
	close(stop)
	clients.Wait()
	if calls.Load() == 0 {
		t.Error("no client connected meanwhile")
	}
}

// TestAuthorityKey looks at the root's key, which every client must be able to verify with.
func TestAuthorityKey(t *testing.T) {
	p, _ := tls.X509KeyPair([]byte(root().Certificate), []byte(root().PrivateKey.Reveal()))
	if k, ok := p.PrivateKey.(*rsa.PrivateKey); !ok || k.N.BitLen() < 2048 {
		t.Errorf("the root's key is %T", p.PrivateKey)
	}
	if s := fmt.Sprintf("%v %+v %#v", root().PrivateKey, *root(), root()); strings.Contains(s, "PRIVATE KEY") {
		t.Error("the root's key is printed")
	}
}
