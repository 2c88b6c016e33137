package identity

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/trellis-project/trellis"
)

// FuzzWebIdentityToken verifies tokens that others made up: none is believed but what the issuer has signed, and none
// does harm. The issuer is never asked.
func FuzzWebIdentityToken(f *testing.F) {
	now := func() time.Time { return time.Unix(1772366400, 0) }
	key := jose.JSONWebKey{Key: newSigner(f), KeyID: "first", Algorithm: "ES256"}
	p := &trellis.OIDCProvider{URL: "https://token.example.com/cluster", ClientIDs: []string{"sts.amazonaws.com"}}
	p.Account, p.ID = "111122223333", "token.example.com/cluster"
	all := newIssuers(now, true, nil)
	is := all.of(p)
	is.keys, is.fetched, is.asked = []jose.JSONWebKey{key.Public()}, now(), []time.Time{now(), now(), now()}
	good := Sign(f, key, Claims(p.URL, now(), map[string]any{"https://aws.amazon.com/tags": map[string]any{"principal_tags": map[string]any{"Team": []string{"shop"}}}}))
	check := func(ctx context.Context, raw string) (*webToken, error) {
		return checkToken(ctx, raw, p, &tokenKeys{issuers: all, provider: p}, now)
	}
	if t, err := check(f.Context(), good); err != nil || t.tags["Team"] != "shop" {
		f.Fatalf("own token: %+v, %v", t, err)
	}
	parts := strings.Split(good, ".")
	for _, seed := range []string{good, "", "..", parts[0] + "." + parts[1] + ".", parts[0], good[:len(good)-4], good + "A",
		"eyJhbGciOiJub25lIn0." + parts[1] + ".", Sign(f, key, map[string]any{"iss": p.URL}), Sign(f, key, Claims(p.URL, now(), map[string]any{"exp": 1}))} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if token, err := check(t.Context(), raw); err == nil && (token.Subject != "system:serviceaccount:shop:till" || token.tags["Team"] != "shop") {
			t.Errorf("%q is believed as %+v", raw, token)
		}
	})
}

// FuzzClaims reads claims that an issuer may have signed: whatever they are, they do no harm, and what policies are told
// of the subject is the subject.
func FuzzClaims(f *testing.F) {
	for _, seed := range []string{`{}`, `{"iss":"i","sub":"s","aud":"a","exp":1,"iat":1}`, `{"iss":"i","sub":"s","aud":["a","b"],"exp":1e99,"iat":1,"azp":"z","x":[[["y"]],true,null,1.5]}`,
		`{"iss":"i","sub":"s","aud":"a","exp":1,"iat":1,"https://aws.amazon.com/tags":{"principal_tags":{"A":["b"],"B":"c"},"transitive_tag_keys":["A"]}}`,
		`{"iss":"i","sub":"s","aud":"a","exp":1,"iat":1,"https://aws.amazon.com/tags/principal_tags/A":"b","https://aws.amazon.com/tags/transitive_tag_keys":"A"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		token := new(webToken)
		if token.read(payload) != nil || token.readSession() != nil {
			return
		}
		keys := token.conditionKeys("token.example.com")
		if sub := keys["token.example.com:sub"]; len(sub) != 1 || sub[0] != token.Subject {
			t.Errorf("subject %q is told as %q", token.Subject, sub)
		}
		if len(keys) > maxClaim+3 {
			t.Errorf("%d condition keys", len(keys))
		}
	})
}
