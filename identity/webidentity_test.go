package identity_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/identity"
	"github.com/trellis-project/trellis/store"
)

// webRole is the role of these tests.
const webRole = "arn:aws:iam::111122223333:role/web"

// anyWeb is a trust policy that takes all tokens of PROVIDER.
const anyWeb = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Federated":"PROVIDER"},"Action":["sts:AssumeRoleWithWebIdentity","sts:TagSession","sts:SetSourceIdentity"]}}`

// provide makes an account take tokens of an issuer, and returns the provider.
func (w *world) provide(account string, is *identity.Issuer) *trellis.OIDCProvider {
	w.t.Helper()
	_, id, _ := strings.Cut(is.URL, "://")
	p := &trellis.OIDCProvider{URL: is.URL, ClientIDs: []string{"sts.amazonaws.com"}}
	p.Account, p.ID = account, id
	_, err := w.store.Commit(w.t.Context(), func(tx *store.Tx) error { tx.Put(p); return nil })
	w.must(err)
	return p
}

// TestWebIdentityTable plays testdata/webidentity.json: claims of a token, a role's trust policy, and what comes of it.
// Times are seconds from the present.
func TestWebIdentityTable(t *testing.T) {
	var cases []struct {
		Name, Code, SourceIdentity string
		Claims                     map[string]any
		Trust                      json.RawMessage
		Tags                       map[string]string
		Transitive                 []string
	}
	b, err := os.ReadFile("testdata/webidentity.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &cases); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	is := identity.NewIssuer(t, false)
	p := w.provide("111122223333", is)
	fill := strings.NewReplacer("PROVIDER", p.ARN(), "ISSUER", p.ID)
	_, _, err = w.identity.CreateRole(t.Context(), w.admin(), trellis.Role{Name: "web", TrustPolicy: fill.Replace(anyWeb)})
	w.must(err)
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			if len(c.Trust) == 0 {
				c.Trust = json.RawMessage(anyWeb)
			}
			_, err := w.identity.UpdateAssumeRolePolicy(t.Context(), w.admin(), "web", fill.Replace(string(c.Trust)))
			w.must(err)
			for _, name := range []string{"exp", "nbf", "iat"} {
				if n, ok := c.Claims[name].(float64); ok {
					c.Claims[name] = w.now().Add(time.Duration(n) * time.Second).Unix()
				}
			}
			got, err := w.identity.AssumeRoleWithWebIdentity(t.Context(), identity.WebIdentity{RoleARN: webRole, SessionName: "till-1",
				Token: is.Token(w.now(), c.Claims), Context: map[string][]string{"aws:sourceip": {"192.0.2.7"}}})
			if c.Code != "" {
				wantCode(t, "want a refusal", err, c.Code)
				return
			}
			w.must(err)
			if got.Subject != "system:serviceaccount:shop:till" || got.Audience != "sts.amazonaws.com" || got.Provider != p.ARN() {
				t.Errorf("answer %+v", got)
			}
			who := w.session(got.Credentials).Principal
			if who.PolicyARN != webRole || who.FederatedProvider != p.ARN() || who.SourceIdentity != c.SourceIdentity ||
				len(who.Tags)+len(c.Tags) > 0 && !reflect.DeepEqual(who.Tags, c.Tags) || len(who.TransitiveTags)+len(c.Transitive) > 0 && !reflect.DeepEqual(who.TransitiveTags, c.Transitive) {
				t.Errorf("principal %+v", who)
			}
		})
	}
}

// TestForgedTokens brings tokens that nobody may believe.
func TestForgedTokens(t *testing.T) {
	w := newWorld(t)
	is, other := identity.NewIssuer(t, false), identity.NewIssuer(t, false)
	p := w.provide("111122223333", is)
	w.provide("111122223333", other)
	_, _, err := w.identity.CreateRole(t.Context(), w.admin(), trellis.Role{Name: "web", TrustPolicy: strings.ReplaceAll(anyWeb, "PROVIDER", p.ARN())})
	w.must(err)
	good := is.Token(w.now(), nil)
	head, rest, _ := strings.Cut(good, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	encode := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	claims, err := json.Marshal(identity.Claims(is.URL, w.now(), nil))
	w.must(err)
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	w.must(err)
	public := jose.JSONWebKey{Key: &stranger.PublicKey, KeyID: "first", Algorithm: "ES256"}
	embedded, err := json.Marshal(map[string]any{"alg": "ES256", "jwk": public, "jku": "http://127.0.0.1:1/keys"})
	w.must(err)
	for what, token := range map[string]string{
		"none":                         encode(`{"alg":"none"}`) + "." + payload + ".",
		"none, in another case":        encode(`{"alg":"NoNe"}`) + "." + payload + ".",
		"HS256 with the key's id":      identity.Sign(t, jose.JSONWebKey{Key: []byte(strings.Repeat("k", 32)), KeyID: "first", Algorithm: "HS256"}, identity.Claims(is.URL, w.now(), nil)),
		"another key of that id":       identity.Sign(t, jose.JSONWebKey{Key: stranger, KeyID: "first", Algorithm: "ES256"}, identity.Claims(is.URL, w.now(), nil)),
		"the key of another issuer":    other.Token(w.now(), map[string]any{"iss": is.URL}),
		"a key in its own head":        encode(string(embedded)) + "." + encode(string(claims)) + "." + signature,
		"another payload":              head + "." + encode(strings.Replace(string(claims), "till", "office", 1)) + "." + signature,
		"no signature":                 head + "." + payload + ".",
		"two parts":                    head + "." + payload,
		"four parts":                   good + ".x",
		"nothing":                      "",
		"not base64":                   head + ".?." + signature,
		"not JSON":                     encode(`{"alg":"ES256","kid":"first"}`) + "." + encode("x") + "." + signature,
		"a list":                       encode(`{"alg":"ES256","kid":"first"}`) + "." + encode("[]") + "." + signature,
		"as JSON":                      `{"payload":"` + payload + `","protected":"` + head + `","signature":"` + signature + `"}`,
		"with an unknown critical one": encode(`{"alg":"ES256","kid":"first","crit":["b64"],"b64":false}`) + "." + payload + "." + signature,
	} {
		_, err := w.identity.AssumeRoleWithWebIdentity(t.Context(), identity.WebIdentity{RoleARN: webRole, SessionName: "till-1", Token: token})
		wantCode(t, what, err, "InvalidIdentityToken")
	}
	ask := func(what, role, code string) {
		t.Helper()
		_, err := w.identity.AssumeRoleWithWebIdentity(t.Context(), identity.WebIdentity{RoleARN: role, SessionName: "till-1", Token: good})
		if code == "" {
			w.must(err)
			return
		}
		wantCode(t, what, err, code)
	}
	ask("as it should be", webRole, "")
	ask("no such role", webRole+"x", "AccessDenied")
	ask("another account", strings.Replace(webRole, "111122223333", "444455556666", 1), "InvalidIdentityToken")
	ask("no role", "arn:aws:iam::111122223333:user/web", "ValidationError")
}
