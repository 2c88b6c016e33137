package identity

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"github.com/trellis-project/trellis"
)

// tokenAlgorithms are those that tokens may be signed with: by the private key of the issuer only, so that no key that
// is public can make one (RFC 8725, section 3.1).
var tokenAlgorithms = []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.ES256, jose.ES384, jose.ES512}

// Bounds of tokens.
const (
	maxSubject  = 255             // characters (STS API reference, SubjectFromWebIdentityToken)
	maxClaim    = 64              // claims, and values of one, that policies may ask about
	clockLeeway = 5 * time.Minute // how far an issuer's clock may be ahead
)

// webToken is what a verified token says.
type webToken struct {
	Issuer          string         `json:"iss"`
	Subject         string         `json:"sub"`
	Audience        tokenAudience  `json:"aud"`
	AuthorizedParty string         `json:"azp"`
	Expiry          *json.Number   `json:"exp"`
	IssuedAt        *json.Number   `json:"iat"`
	SourceIdentity  string         `json:"https://aws.amazon.com/source_identity"`
	Tags            *tokenTags     `json:"https://aws.amazon.com/tags"`
	claims          map[string]any // all of them
	audience        string         // that the provider takes tokens for
	sourceIdentity  string
	tags            map[string]string
	transitive      []string
}

// tokenTags are session tags in a token (IAM user guide, id_session-tags, AssumeRoleWithWebIdentity).
type tokenTags struct {
	Principal  map[string]tokenAudience `json:"principal_tags"`
	Transitive []string                 `json:"transitive_tag_keys"`
}

// flatTags begins the names of claims that say what tokenTags says, one tag each.
const flatTags = "https://aws.amazon.com/tags/"

// tokenAudience is a text or a list of texts (RFC 7519, section 4.1.3).
type tokenAudience []string

// UnmarshalJSON reads either form.
func (a *tokenAudience) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*a = tokenAudience{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(a))
}

// parseToken reads a token without believing it.
func parseToken(raw string) (*webToken, error) {
	jws, err := jose.ParseSignedCompact(raw, tokenAlgorithms)
	if err != nil {
		return nil, invalidToken("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")
	}
	t := new(webToken)
	if err := t.read(jws.UnsafePayloadWithoutVerification()); err != nil {
		return nil, err
	}
	return t, nil
}

// read reads the claims. All that AWS needs must be there.
func (t *webToken) read(payload []byte) error {
	d := json.NewDecoder(bytes.NewReader(payload))
	d.UseNumber()
	if json.Unmarshal(payload, t) != nil || d.Decode(&t.claims) != nil {
		return invalidToken("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")
	}
	for _, claim := range []struct {
		name    string
		missing bool
	}{{"iss", t.Issuer == ""}, {"sub", t.Subject == ""}, {"aud", len(t.Audience) == 0}, {"exp", t.Expiry == nil}, {"iat", t.IssuedAt == nil}} {
		if claim.missing {
			return invalidToken("Missing a required claim: %s", claim.name)
		}
	}
	if len(t.Subject) > maxSubject {
		return invalidToken("The claim sub is longer than %d characters.", maxSubject)
	}
	return nil
}

// checkToken verifies a token with a provider's keys and holds its claims against the provider.
func checkToken(ctx context.Context, raw string, p *trellis.OIDCProvider, keys *tokenKeys, now func() time.Time) (*webToken, error) {
	if _, err := parseToken(raw); err != nil {
		return nil, err
	}
	algorithms := make([]string, len(tokenAlgorithms))
	for n, a := range tokenAlgorithms {
		algorithms[n] = string(a)
	}
	verifier := oidc.NewVerifier(p.URL, keys, &oidc.Config{SupportedSigningAlgs: algorithms, SkipClientIDCheck: true, Now: now})
	id, err := verifier.Verify(ctx, raw)
	if err != nil {
		return nil, tokenError(err, keys, now())
	}
	t := new(webToken)
	var payload json.RawMessage
	if err := id.Claims(&payload); err != nil {
		return nil, invalidToken("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")
	}
	if err := t.read(payload); err != nil {
		return nil, err
	}
	if id.IssuedAt.After(now().Add(clockLeeway)) {
		return nil, trellis.NewError(403, "IDPRejectedClaim", "The token was issued in the future.")
	}
	var ok bool
	if t.audience, ok = audienceOf(t.Audience, p); !ok {
		return nil, invalidToken("Incorrect token audience")
	}
	return t, t.readSession()
}

// tokenError is the client's error for what the verifier said.
func tokenError(err error, keys *tokenKeys, now time.Time) error {
	if e, ok := errors.AsType[*oidc.TokenExpiredError](err); ok {
		return trellis.NewError(400, "ExpiredTokenException", "Token expired: current date/time %d must be before the expiration date/time %d", now.Unix(), e.Expiry.Unix())
	}
	switch {
	case keys.refused != nil:
		return keys.refused
	case keys.verified:
		return trellis.NewError(403, "IDPRejectedClaim", "The token is not valid yet, or not of this issuer.")
	}
	return invalidToken("The token's signature is not valid.")
}

// readSession reads what the token says of the session: tags, in either form, and the source identity.
func (t *webToken) readSession() error {
	t.sourceIdentity = t.SourceIdentity
	t.tags = map[string]string{}
	add := func(key string, values tokenAudience) error {
		if _, twice := t.tags[key]; twice {
			return errTagTwice()
		}
		if len(values) != 1 {
			return invalidToken("The session tag %s must have one value.", printable(key))
		}
		t.tags[key] = values[0]
		return nil
	}
	if t.Tags != nil {
		for k, v := range t.Tags.Principal {
			if err := add(k, v); err != nil {
				return err
			}
		}
		t.transitive = append(t.transitive, t.Tags.Transitive...)
	}
	for name, v := range t.claims {
		rest, ok := strings.CutPrefix(name, flatTags)
		if !ok {
			continue
		}
		if rest == "transitive_tag_keys" {
			t.transitive = append(t.transitive, texts(v)...)
		} else if key, ok := strings.CutPrefix(rest, "principal_tags/"); ok {
			if err := add(key, texts(v)); err != nil {
				return err
			}
		}
	}
	return nil
}

// conditionKeys are the claims as policies ask about them: ISSUER:sub and so on, the issuer without its scheme. With an
// authorized party, aud is that, and oaud what the token has as audience (IAM user guide, condition-keys-wif). AWS knows
// a list of claims by issuer; here each claim that is a text, a number, a truth or a list of them can be asked about.
func (t *webToken) conditionKeys(issuer string) map[string][]string {
	keys := map[string][]string{}
	for name, v := range t.claims {
		if values := texts(v); len(values) > 0 && len(values) <= maxClaim && len(keys) < maxClaim && !strings.Contains(name, "://") {
			keys[claimKey(issuer, name)] = values
		}
	}
	keys[claimKey(issuer, "sub")] = []string{t.Subject}
	keys[claimKey(issuer, "aud")] = t.Audience
	if t.AuthorizedParty != "" {
		keys[claimKey(issuer, "oaud")] = t.Audience
		keys[claimKey(issuer, "aud")] = []string{t.AuthorizedParty}
	}
	return keys
}

// claimKey is the condition key of a claim, in lower case.
func claimKey(issuer, claim string) string { return lower(issuer + ":" + claim) }

// texts are the values of a claim that policies can compare; none for objects.
func texts(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case json.Number:
		return []string{v.String()}
	case bool:
		return []string{strconv.FormatBool(v)}
	case []any:
		var all []string
		for _, one := range v {
			if _, deep := one.([]any); !deep {
				all = append(all, texts(one)...)
			}
		}
		return all
	}
	return nil
}

// invalidToken is STS's error for a token that is not to be believed.
func invalidToken(format string, args ...any) *trellis.Error {
	return trellis.NewError(400, "InvalidIdentityToken", format, args...)
}
