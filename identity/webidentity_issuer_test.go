package identity

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/trellis-project/trellis"
)

// provider is a noun for an issuer.
func provider(is *Issuer, thumbprints ...string) *trellis.OIDCProvider {
	_, id, _ := strings.Cut(is.URL, "://")
	p := &trellis.OIDCProvider{URL: is.URL, ClientIDs: []string{"sts.amazonaws.com"}, Thumbprints: thumbprints}
	p.Account, p.ID = "111122223333", id
	return p
}

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

// now is the clock's time.
func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// wait moves the clock.
func (c *clock) wait(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// TestIssuerKeys follows an issuer through rotations and an outage.
func TestIssuerKeys(t *testing.T) {
	is := NewIssuer(t, false)
	c := &clock{at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	all := newIssuers(c.now, false, nil)
	try := func(token string) error {
		_, err := checkToken(t.Context(), token, provider(is), &tokenKeys{issuers: all, provider: provider(is)}, c.now)
		return err
	}
	want := func(what, token, code string) {
		t.Helper()
		err := try(token)
		if e, ok := errors.AsType[*trellis.Error](err); code == "" && err != nil || code != "" && (!ok || e.Code != code) {
			t.Errorf("%s: %v, want %q", what, err, code)
		}
	}
	first := is.Token(c.now(), nil)
	want("first key", first, "")
	want("first key again", first, "")
	if n := is.Asked.Load(); n != 1 {
		t.Errorf("the issuer was asked %d times for one key", n)
	}
	is.Rotate(newSigner(t), "second", jose.ES256)
	want("a new key", is.Token(c.now(), nil), "")
	want("the old key", first, "")
	if n := is.Asked.Load(); n != 2 {
		t.Errorf("the issuer was asked %d times for two keys", n)
	}
	stranger := Sign(t, jose.JSONWebKey{Key: newSigner(t), KeyID: "stranger", Algorithm: "ES256"}, Claims(is.URL, c.now(), nil))
	for range 10 {
		want("a key that nobody knows", stranger, "InvalidIdentityToken")
	}
	if n := is.Asked.Load(); n != fetchBurst {
		t.Errorf("the issuer was asked %d times within a window, at most %d is wanted", n, fetchBurst)
	}
	c.wait(fetchWindow)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for _, alg := range []jose.SignatureAlgorithm{jose.RS256, jose.PS256, jose.RS512} {
		is.Rotate(rsaKey, "rsa-"+string(alg), alg)
		c.wait(fetchWindow)
		want(string(alg), is.Token(c.now(), nil), "")
	}
	is.Forget()
	want("a key that is gone, while it is remembered", first, "")
	down := func(w http.ResponseWriter, _ *http.Request) bool {
		http.Error(w, "down", http.StatusBadGateway)
		return true
	}
	is.Answer.Store(&down)
	c.wait(keysFresh)
	want("old keys, while the issuer is down", is.Token(c.now(), nil), "")
	want("an unknown key, while the issuer is down", stranger, "IDPCommunicationError")
	c.wait(keysStale)
	want("keys too old", is.Token(c.now(), nil), "IDPCommunicationError")
	is.Answer.Store(nil)
	c.wait(fetchWindow)
	want("the issuer is back", is.Token(c.now(), nil), "")
	want("a key that the issuer has taken away", Sign(t, jose.JSONWebKey{Key: newSigner(t), KeyID: "first", Algorithm: "ES256"}, Claims(is.URL, c.now(), nil)), "InvalidIdentityToken")
}

// TestIssuerIsAskedOnce has many calls wait for one issuer.
func TestIssuerIsAskedOnce(t *testing.T) {
	is := NewIssuer(t, false)
	arrived, release := make(chan struct{}), make(chan struct{})
	slow := func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "configuration") {
			close(arrived) // twice would panic
			<-release
		}
		return false
	}
	is.Answer.Store(&slow)
	all := newIssuers(time.Now, false, nil)
	results := make(chan error, maxIssuerWaits+4)
	ask := func() {
		_, err := all.keys(t.Context(), provider(is), "first")
		results <- err
	}
	go ask()
	<-arrived
	for range maxIssuerWaits + 3 {
		go ask()
	}
	for range 4 { // those that find no place to wait in
		if err := <-results; !errors.Is(err, errIssuerBusy) {
			t.Errorf("a call too many: %v", err)
		}
	}
	close(release)
	for range maxIssuerWaits {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
}

// TestBadIssuers asks issuers that hang, talk without end, or say what they should not.
func TestBadIssuers(t *testing.T) {
	always := func(f func(http.ResponseWriter, *http.Request)) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool { f(w, r); return true }
	}
	keysOnly := func(f func(http.ResponseWriter, *http.Request)) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, "/keys") {
				return false
			}
			f(w, r)
			return true
		}
	}
	text := func(s string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, s) }
	}
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	endless := func(w http.ResponseWriter, _ *http.Request) {
		for range 100 {
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				return
			}
		}
	}
	drip := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"keys":[`)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
	for what, c := range map[string]struct {
		answer func(http.ResponseWriter, *http.Request) bool
		code   string
	}{
		"hangs":             {always(hang), "IDPCommunicationError"},
		"hangs at keys":     {keysOnly(hang), "IDPCommunicationError"},
		"hangs within keys": {keysOnly(drip), "IDPCommunicationError"},
		"100 MB":            {always(endless), "InvalidIdentityToken"},
		"100 MB of keys":    {keysOnly(endless), "InvalidIdentityToken"},
		"fails":             {always(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }), "IDPCommunicationError"},
		"not there":         {always(http.NotFound), "InvalidIdentityToken"},
		"redirects": {always(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://169.254.169.254/", http.StatusFound)
		}), "InvalidIdentityToken"},
		"not JSON":             {always(text("<html>")), "InvalidIdentityToken"},
		"another issuer":       {always(text(`{"issuer":"https://other.example.com","jwks_uri":"https://other.example.com/keys"}`)), "InvalidIdentityToken"},
		"keys that are none":   {keysOnly(text(`{"keys":7}`)), "InvalidIdentityToken"},
		"no keys":              {keysOnly(text(`{}`)), "InvalidIdentityToken"},
		"a symmetric key":      {keysOnly(text(`{"keys":[{"kty":"oct","kid":"first","k":"c2VjcmV0"}]}`)), "InvalidIdentityToken"},
		"a small RSA key":      {keysOnly(text(`{"keys":[{"kty":"RSA","kid":"first","e":"AQAB","n":"` + strings.Repeat("A", 40) + `8w"}]}`)), "InvalidIdentityToken"},
		"a huge RSA key":       {keysOnly(text(`{"keys":[{"kty":"RSA","kid":"first","e":"AQAB","n":"` + strings.Repeat("_", 400000) + `"}]}`)), "InvalidIdentityToken"},
		"more keys than taken": {keysOnly(text(`{"keys":[` + strings.Repeat("{},", maxKeys) + `{}]}`)), "InvalidIdentityToken"},
	} {
		t.Run(what, func(t *testing.T) {
			is := NewIssuer(t, false)
			is.Answer.Store(&c.answer)
			all := newIssuers(time.Now, false, nil)
			if strings.HasPrefix(what, "hangs") {
				all.timeout = 100 * time.Millisecond
			}
			_, err := checkToken(t.Context(), is.Token(time.Now(), nil), provider(is), &tokenKeys{issuers: all, provider: provider(is)}, time.Now)
			if e, ok := errors.AsType[*trellis.Error](err); !ok || e.Code != c.code {
				t.Errorf("got %v, want %s", err, c.code)
			}
		})
	}
}

// TestIssuersByTLS trusts certificates of authorities and by thumbprints, and no others.
func TestIssuersByTLS(t *testing.T) {
	is := NewIssuer(t, true)
	known := x509.NewCertPool()
	try := func(roots *x509.CertPool, thumbprints ...string) error {
		all := newIssuers(time.Now, false, func() *x509.CertPool { return roots })
		_, err := all.keys(t.Context(), provider(is, thumbprints...), "first")
		return err
	}
	if err := try(known); !errors.Is(err, errIssuerUntrusted) {
		t.Errorf("without a thumbprint: %v", err)
	}
	if err := try(known, strings.Repeat("0", 40)); !errors.Is(err, errIssuerUntrusted) {
		t.Errorf("another thumbprint: %v", err)
	}
	if err := try(known, strings.Repeat("0", 40), strings.ToUpper(is.Thumbprint)); err != nil {
		t.Errorf("its thumbprint: %v", err)
	}
	other := NewIssuer(t, true)
	other.URL = strings.Replace(other.URL, "127.0.0.1", "localhost", 1)
	all := newIssuers(time.Now, false, func() *x509.CertPool { return known })
	if _, err := all.keys(t.Context(), provider(other, other.Thumbprint), "first"); !errors.Is(err, errIssuerUntrusted) {
		t.Errorf("another name than the certificate's: %v", err)
	}
}

// TestIssuerAddresses holds the addresses that issuers may be at.
func TestIssuerAddresses(t *testing.T) {
	for addr, want := range map[string][2]bool{ // extended, strict
		"192.0.2.1": {true, true}, "10.0.0.1": {true, true}, "2001:db8::1": {true, true}, "fd00::1": {true, true},
		"127.0.0.1": {true, false}, "::1": {true, false}, "::ffff:127.0.0.1": {true, false},
		"169.254.169.254": {}, "::ffff:169.254.169.254": {}, "169.254.171.1": {}, "fe80::1": {}, "fe80::1%lo": {}, "fd00:ec2::254": {},
		"fd00:ec2:80::1": {}, "0.0.0.0": {}, "::": {}, "224.0.0.1": {}, "ff02::1": {}, "255.255.255.255": {},
	} {
		a := netip.MustParseAddr(addr)
		if got := [2]bool{issuerAt(a, false), issuerAt(a, true)}; got != want {
			t.Errorf("%s: %v, want %v", addr, got, want)
		}
	}
	is := NewIssuer(t, false)
	if _, err := newIssuers(time.Now, true, nil).keys(t.Context(), provider(is), "first"); !errors.Is(err, errIssuerUnreachable) {
		t.Errorf("strict, on the loopback: %v", err)
	}
}
