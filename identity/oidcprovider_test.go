package identity_test

import (
	"testing"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/identity"
)

// TestPlainIssuers makes providers of issuers without TLS, which only a lab trusts.
func TestPlainIssuers(t *testing.T) {
	w := newWorld(t)
	strict := identity.New(identity.Options{Store: w.store, Now: w.now, Strict: true})
	_, _, err := strict.CreateOIDCProvider(t.Context(), w.admin(), trellis.OIDCProvider{URL: "http://issuer.example.com"})
	wantCode(t, "plain HTTP, strict", err, "InvalidInput")
	_, _, err = strict.CreateOIDCProvider(t.Context(), w.admin(), trellis.OIDCProvider{URL: "https://secure.example.com"})
	w.must(err)
	p, _, err := w.identity.CreateOIDCProvider(t.Context(), w.admin(), trellis.OIDCProvider{URL: "http://issuer.example.com"})
	w.must(err)
	if p.ARN() != "arn:aws:iam::111122223333:oidc-provider/issuer.example.com" || p.URL != "http://issuer.example.com" {
		t.Errorf("provider %+v", p)
	}
	_, _, err = w.identity.CreateOIDCProvider(t.Context(), w.admin(), trellis.OIDCProvider{URL: "https://issuer.example.com"})
	wantCode(t, "the same issuer by HTTPS", err, "EntityAlreadyExists")
}
