package key

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/store"
)

// Limits of grants (KMS API, GrantConstraints; the last is what one transaction deletes).
const (
	maxPairs        = 8   // of an encryption context in a constraint
	maxContextValue = 384 // characters
	grantsAtOnce    = 100
)

// grantIDForm is what ids of grants look like.
var grantIDForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

// grantable are the operations that a grant can allow, by what a key is for (KMS developer guide, grant operations).
var grantable = map[trellis.KeyUsage][]string{
	trellis.KeyEncrypts: {"Decrypt", "Encrypt", "GenerateDataKey", "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext",
		"GenerateDataKeyWithoutPlaintext", "ReEncryptFrom", "ReEncryptTo"},
	trellis.KeySigns:         {"Sign", "Verify"},
	trellis.KeyAuthenticates: {"GenerateMac", "VerifyMac"},
	trellis.KeyAgrees:        {"DeriveSharedSecret"},
}

// canGrant tells whether a key has an operation that a grant can allow.
func canGrant(key *trellis.Key, operation string) bool {
	isPair := specs[key.Spec].pair != nil
	switch operation {
	case "CreateGrant", "RetireGrant", "DescribeKey":
		return true
	case "GetPublicKey":
		return isPair
	}
	return slices.Contains(grantable[key.Usage], operation) && !(isPair && strings.HasPrefix(operation, "GenerateDataKey"))
}

// NewGrant is what CreateGrant is told.
type NewGrant struct {
	KeyID, Name      string
	Grantee, Retirer trellis.GrantPrincipal
	Terms            trellis.GrantTerms
	Tokens           []string // of grants that let the caller make this one
	DryRun           bool
}

// check refuses a grant that KMS would refuse.
func (in *NewGrant) check(key *trellis.Key) error {
	t := in.Terms
	switch {
	case (in.Grantee.ARN == "") == (in.Grantee.Service == ""):
		return fault("ValidationException", "Specify either GranteePrincipal or GranteeServicePrincipal.")
	case in.Retirer.ARN != "" && in.Retirer.Service != "":
		return fault("ValidationException", "Specify either RetiringPrincipal or RetiringServicePrincipal, not both.")
	case in.Grantee.Service != "" && (t.SourceARN == "" || in.Retirer == trellis.GrantPrincipal{}):
		return fault("ValidationException", "A grant to a service needs a SourceArn constraint and who may retire it.")
	case len(t.Operations) == 0:
		return fault("ValidationException", "A grant needs operations.")
	}
	for _, p := range []trellis.GrantPrincipal{in.Grantee, in.Retirer} {
		if _, err := authpolicy.Parse(allowing("kms:Decrypt", p), authpolicy.Key); p.ARN != "" && (err != nil || !strings.HasPrefix(p.ARN, "arn:")) {
			return fault("InvalidArnException", "ARN does not refer to a valid principal: %s", p.ARN)
		}
	}
	constrained := len(t.ContextEquals)+len(t.ContextSubset) > 0
	for _, o := range t.Operations {
		if !canGrant(key, o) {
			return fault("ValidationException", "The operation %s is not one of a key with the key spec %s and the key usage %s.", o, key.Spec, key.Usage)
		}
		if constrained && key.Spec != trellis.KeySymmetric && o != "CreateGrant" && o != "RetireGrant" && o != "DescribeKey" {
			return fault("ValidationException", "The operation %s of a key with the key spec %s has no encryption context to constrain.", o, key.Spec)
		}
	}
	for _, pairs := range []map[string]string{t.ContextEquals, t.ContextSubset} {
		if len(pairs) > maxPairs {
			return fault("ValidationException", "A constraint has at most %d pairs of an encryption context.", maxPairs)
		}
		for name, v := range pairs {
			if len(v) > maxContextValue {
				return fault("ValidationException", "The value of %s has more than %d characters.", name, maxContextValue)
			}
		}
	}
	return nil
}

// conditions are the condition keys of the request (service authorization reference, KMS).
func (in *NewGrant) conditions() map[string][]string {
	keys := map[string][]string{"kms:grantoperations": in.Terms.Operations, "kms:grantisforawsresource": {"false"}}
	for name, v := range map[string]string{"kms:granteeprincipal": in.Grantee.ARN, "kms:granteeserviceprincipal": in.Grantee.Service,
		"kms:retiringprincipal": in.Retirer.ARN, "kms:retiringserviceprincipal": in.Retirer.Service} {
		if v != "" {
			keys[name] = []string{v}
		}
	}
	for name, is := range map[string]bool{"EncryptionContextEquals": len(in.Terms.ContextEquals) > 0, "EncryptionContextSubset": len(in.Terms.ContextSubset) > 0,
		"SourceArn": in.Terms.SourceARN != ""} {
		if is {
			keys["kms:grantconstrainttype"] = append(keys["kms:grantconstrainttype"], name)
		}
	}
	return keys
}

// CreateGrant lets a principal use a key, and returns the grant with a token of it. The same request with the same name
// finds the grant that it made.
func (k *Keys) CreateGrant(ctx context.Context, c *authpolicy.Caller, in NewGrant) (g *trellis.Grant, token string, rev trellis.Revision, err error) {
	in.Terms.Operations = slices.Compact(slices.Sorted(slices.Values(in.Terms.Operations)))
	u := use{action: "kms:CreateGrant", keys: in.conditions(), tokens: in.Tokens, making: &in.Terms, usable: true, fits: in.check, dry: in.DryRun}
	if err := noAlias(in.KeyID); err != nil {
		return nil, "", 0, err
	}
	rev, err = k.Store.Commit(ctx, func(tx *store.Tx) error {
		key, err := k.get(tx, c, in.KeyID, u)
		if err != nil {
			return err
		}
		if err := u.done(); err != nil {
			return err
		}
		g = &trellis.Grant{Meta: k.Meta(c, trellis.RandomHex(64), nil), KeyID: key.ID, Name: in.Name, Issuer: c.Principal.Account, Terms: in.Terms, Grantee: in.Grantee, Retirer: in.Retirer}
		g.Account = key.Account
		if in.Name != "" {
			all, err := grantsOf(tx, key)
			if err != nil {
				return err
			}
			if i := slices.IndexFunc(all, func(have *trellis.Grant) bool { return same(have, g) }); i >= 0 {
				g = all[i]
				return nil
			}
		}
		have, err := store.Count[*trellis.Grant](tx, key.Key()+"/")
		if err != nil {
			return err
		}
		if err := k.room(tx, key, quota.GrantsPerKey, have, "grants"); err != nil {
			return err
		}
		tx.Put(g)
		return nil
	})
	if err != nil {
		return nil, "", rev, k.erasing(ctx, err)
	}
	return g, k.token(g), rev, nil
}

// noAlias refuses an alias where a key must be named.
func noAlias(id string) error {
	if strings.Contains(id, "alias/") {
		return fault("InvalidArnException", "The request has an alias where it must have a key: %s", id)
	}
	return nil
}

// grantsOf are the grants of a key, by their ids.
func grantsOf(tx *store.Tx, key *trellis.Key) ([]*trellis.Grant, error) {
	return store.List[*trellis.Grant](tx, key.Key()+"/")
}

// token names a grant for who has just made it, other than each time. It is good as long as the grant.
func (k *Keys) token(g *trellis.Grant) string {
	text := g.Key() + "/" + trellis.RandomHex(32)
	return base64.RawURLEncoding.EncodeToString(append([]byte(text), k.tokenCode(text)...))
}

// tokenCode authenticates a token.
func (k *Keys) tokenCode(text string) []byte {
	h := hmac.New(sha256.New, k.Store.Key("grant tokens"))
	h.Write([]byte(text))
	return h.Sum(nil)
}

// redeem finds the grant of a token.
func (k *Keys) redeem(tx *store.Tx, token string) (*trellis.Grant, error) {
	bad := fault("InvalidGrantTokenException", "The grant token is not valid.")
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(b) < sha256.Size {
		return nil, bad
	}
	text, code := string(b[:len(b)-sha256.Size]), b[len(b)-sha256.Size:]
	end := strings.LastIndexByte(text, '/')
	if end < 0 || !hmac.Equal(code, k.tokenCode(text)) {
		return nil, bad
	}
	g, err := store.Get[*trellis.Grant](tx, text[:end])
	if errors.Is(err, trellis.ErrNotExist) {
		return nil, bad
	}
	return g, err
}

// granted tells whether a grant of a key allows a request that the policies leave open. A principal that has a grant needs
// no policy of its own, but nothing may deny it (KMS developer guide, grants).
func (k *Keys) granted(tx *store.Tx, r *authpolicy.Request, policy *authpolicy.Policy, key *trellis.Key, u use) (bool, error) {
	operation := strings.TrimPrefix(u.action, "kms:")
	grants, err := grantsOf(tx, key)
	for _, g := range grants {
		if !allows(g.Terms, operation, u) {
			continue
		}
		if s := g.Terms.SourceARN; s != "" && !slices.Contains(r.Extra["aws:sourcearn"], s) {
			continue
		}
		p, err := authpolicy.Parse(allowing(u.action, g.Grantee), authpolicy.Key)
		if err == nil && authpolicy.Granted(r, policy, p).Allowed {
			return true, nil
		}
	}
	return false, err
}

// allows tells whether the terms of a grant allow an operation, whoever asks. The encryption context of a request is held
// against their constraints, names without regard to case; a grant that is made by leave of another allows no more than that.
func allows(t trellis.GrantTerms, operation string, u use) bool {
	if !slices.Contains(t.Operations, operation) {
		return false
	}
	switch operation {
	case "DescribeKey", "RetireGrant", "GetPublicKey":
		return true
	case "CreateGrant":
		return within(*u.making, t)
	}
	return (len(t.ContextEquals) == 0 || equal(u.encryption, t.ContextEquals)) && includes(u.encryption, t.ContextSubset)
}

// within tells whether terms allow nothing that others do not.
func within(t, others trellis.GrantTerms) bool {
	for _, o := range t.Operations {
		if !slices.Contains(others.Operations, o) {
			return false
		}
	}
	if want := others.ContextEquals; len(want) > 0 && !equal(t.ContextEquals, want) {
		return false
	}
	return (includes(t.ContextEquals, others.ContextSubset) || includes(t.ContextSubset, others.ContextSubset)) && (others.SourceARN == "" || t.SourceARN == others.SourceARN)
}

// equal tells whether two encryption contexts have the same pairs, also where names of one differ in case only.
func equal(a, b map[string]string) bool { return len(a) == len(b) && includes(a, b) && includes(b, a) }

// includes tells whether an encryption context has all pairs of another.
func includes(have, want map[string]string) bool {
	for name, v := range want {
		found := false
		for n, w := range have {
			found = found || w == v && strings.EqualFold(n, name)
		}
		if !found {
			return false
		}
	}
	return true
}

// same tells whether two grants of a key came by the same request.
func same(a, b *trellis.Grant) bool {
	return a.Name == b.Name && a.Issuer == b.Issuer && a.Grantee == b.Grantee && a.Retirer == b.Retirer && slices.Equal(a.Terms.Operations, b.Terms.Operations) &&
		maps.Equal(a.Terms.ContextEquals, b.Terms.ContextEquals) && maps.Equal(a.Terms.ContextSubset, b.Terms.ContextSubset) && a.Terms.SourceARN == b.Terms.SourceARN
}

// allowing is a policy that allows a principal an action.
func allowing(action string, p trellis.GrantPrincipal) string {
	principal := map[string]any{}
	if p.ARN != "" {
		principal["AWS"] = p.ARN
	}
	if p.Service != "" {
		principal["Service"] = p.Service
	}
	return document("grant", map[string]any{"Effect": "Allow", "Principal": principal, "Action": action, "Resource": "*"})
}

// Grants returns the grants of a key: all, the one with an id, or those of a grantee.
func (k *Keys) Grants(ctx context.Context, c *authpolicy.Caller, keyID, grantID string, grantee trellis.GrantPrincipal) (all []*trellis.Grant, err error) {
	switch {
	case grantID != "" && !grantIDForm.MatchString(grantID):
		return nil, fault("InvalidGrantIdException", "Invalid grant id: %s", grantID)
	case grantee.ARN != "" && grantee.Service != "":
		return nil, fault("ValidationException", "Specify either GranteePrincipal or GranteeServicePrincipal, not both.")
	}
	if err := noAlias(keyID); err != nil {
		return nil, err
	}
	err = k.read(ctx, c, keyID, use{action: "kms:ListGrants"}, func(tx *store.Tx, key *trellis.Key) error {
		all, err = grantsOf(tx, key)
		return err
	})
	return slices.DeleteFunc(all, func(g *trellis.Grant) bool {
		return grantID != "" && g.ID != grantID || grantee != trellis.GrantPrincipal{} && g.Grantee != grantee
	}), err
}

// RetirableGrants returns the grants, of keys of all accounts, that a principal of the caller's account may retire.
func (k *Keys) RetirableGrants(ctx context.Context, c *authpolicy.Caller, retirer trellis.GrantPrincipal) (all []*trellis.Grant, err error) {
	if (retirer.ARN == "") == (retirer.Service == "") {
		return nil, fault("ValidationException", "Specify either RetiringPrincipal or RetiringServicePrincipal.")
	}
	resource := retirer.ARN
	if retirer.Service != "" {
		if c.Principal.Service != retirer.Service {
			return nil, fault("ValidationException", "RetiringServicePrincipal is for services alone.")
		}
		resource = "*"
	} else if a, err := trellis.ParseARN(retirer.ARN); err != nil || a.Account == "" {
		return nil, fault("InvalidArnException", "ARN does not refer to a valid principal: %s", retirer.ARN)
	} else if a.Account != c.Principal.Account {
		r := k.request(c, "kms:ListRetirableGrants", retirer.ARN, nil)
		return nil, trellis.Denied("%s", authpolicy.Decision{Layer: authpolicy.LayerResource}.Sentence(r))
	}
	err = k.Read(ctx, c, "kms:ListRetirableGrants", resource, nil, func(tx *store.Tx) error {
		all, err = store.List[*trellis.Grant](tx, "")
		return err
	})
	return slices.DeleteFunc(all, func(g *trellis.Grant) bool { return g.Retirer != retirer }), err
}

// RevokeGrant ends a grant for who may say so by the key's policy.
func (k *Keys) RevokeGrant(ctx context.Context, c *authpolicy.Caller, keyID, grantID string, dry bool) (trellis.Revision, error) {
	u := use{action: "kms:RevokeGrant", dry: dry}
	if err := noAlias(keyID); err != nil {
		return 0, err
	}
	rev, err := k.Store.Commit(ctx, func(tx *store.Tx) error {
		key, err := k.get(tx, c, keyID, u)
		if err != nil {
			return err
		}
		g, err := grantOf(tx, key.Key(), grantID)
		if err != nil {
			return err
		}
		tx.Delete(g)
		return u.done()
	})
	return rev, k.erasing(ctx, err)
}

// grantOf reads a grant of a key.
func grantOf(tx *store.Tx, key, id string) (*trellis.Grant, error) {
	if !grantIDForm.MatchString(id) {
		return nil, fault("InvalidGrantIdException", "Invalid grant id: %s", id)
	}
	g, err := store.Get[*trellis.Grant](tx, key+"/"+id)
	if errors.Is(err, trellis.ErrNotExist) {
		return nil, fault("NotFoundException", "Grant ID %s not found", id)
	}
	return g, err
}

// RetireGrant ends a grant for who the grant says may end it: its retiring principal, its grantee if RetireGrant is among
// its operations, and whom the account of the key lets. It is named by a token, or by key and id.
func (k *Keys) RetireGrant(ctx context.Context, c *authpolicy.Caller, token, keyID, grantID string, dry bool) (trellis.Revision, error) {
	if (token == "") == (keyID == "" || grantID == "") || token != "" && keyID+grantID != "" {
		return 0, fault("ValidationException", "Specify either a grant token, or a key and a grant id.")
	}
	if err := noAlias(keyID); err != nil {
		return 0, err
	}
	u := use{action: "kms:RetireGrant", dry: dry}
	rev, err := k.Store.Commit(ctx, func(tx *store.Tx) error {
		g, err := k.retired(tx, c, token, keyID, grantID)
		if err != nil {
			return err
		}
		n := name{account: g.Account, resource: "key/" + g.KeyID, arn: (&trellis.Key{Meta: trellis.Meta{Account: g.Account, ID: g.KeyID}}).ARN(k.Region)}
		may := []trellis.GrantPrincipal{{ARN: trellis.IAMARN(g.Account, "root")}, g.Retirer}
		if slices.Contains(g.Terms.Operations, "RetireGrant") {
			may = append(may, g.Grantee)
		}
		r := &authpolicy.Request{Action: u.action, Resource: n.arn, Caller: c, Extra: map[string][]string{"kms:calleraccount": {c.Principal.Account}}, Now: k.Now()} // no policy of a key or for resources has a say
		for _, who := range may {
			p, err := authpolicy.Parse(allowing(u.action, who), authpolicy.Key)
			if err == nil && authpolicy.Granted(r, nil, p).Allowed {
				tx.Delete(g)
				return u.done()
			}
		}
		return k.denied(c, u.action, n)
	})
	return rev, err
}

// retired is the grant that a request to retire one names. Nobody is told which grants keys of others have.
func (k *Keys) retired(tx *store.Tx, c *authpolicy.Caller, token, keyID, grantID string) (*trellis.Grant, error) {
	if token != "" {
		return k.redeem(tx, token)
	}
	n, err := k.parse(c, keyID)
	if err != nil {
		return nil, err
	}
	g, err := grantOf(tx, n.account+"/"+strings.TrimPrefix(n.resource, "key/"), grantID)
	if e, is := errors.AsType[*trellis.Error](err); is && e.Code == "NotFoundException" && n.account != c.Principal.Account {
		return nil, k.denied(c, "kms:RetireGrant", n)
	}
	return g, err
}

// eraseGrants removes the grants of a key that is to be erased.
func (k *Keys) eraseGrants(ctx context.Context, key *trellis.Key) error {
	for more := true; more; {
		_, err := k.Store.Commit(ctx, func(tx *store.Tx) error {
			some, next, err := store.Page[*trellis.Grant](tx, key.Key()+"/", "", grantsAtOnce)
			more = next != ""
			for _, g := range some {
				tx.Delete(g)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
