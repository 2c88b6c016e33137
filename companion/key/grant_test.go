package key_test

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion/key"
)

// ofRole is a session of a role of an account whose policy allows some actions.
func ofRole(t *testing.T, account, role, actions string) *authpolicy.Caller {
	t.Helper()
	c := caller(t, account, "x", actions)
	c.Principal.Type, c.Principal.SessionName = trellis.PrincipalAssumedRole, "s"
	c.Principal.ARN, c.Principal.PolicyARN = "arn:aws:sts::"+account+":assumed-role/"+role+"/s", trellis.IAMARN(account, "role/"+role)
	return c
}

// to is a grant to a principal.
func to(keyID, grantee string, operations ...string) key.NewGrant {
	return key.NewGrant{KeyID: keyID, Grantee: trellis.GrantPrincipal{ARN: grantee}, Terms: trellis.GrantTerms{Operations: operations}}
}

// TestGrantsAllow decides by grants beside the key's policy, which names nobody but the administrator.
func TestGrantsAllow(t *testing.T) {
	const account, abroad = "500000000121", "500000000122"
	k, _, c, made := keys(t, account)
	ctx, arn := t.Context(), made.ARN("eu-west-1")
	admin := trellis.IAMARN(account, "user/admin")
	policy := func(statements string) {
		t.Helper()
		text := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + admin + `"},"Action":"kms:*","Resource":"*"}` + statements + `]}`
		if _, err := k.PutPolicy(ctx, c, made.ID, "", text, false); err != nil {
			t.Fatal(err)
		}
	}
	policy("")
	denying := caller(t, account, "user", "s3:*")
	p, err := authpolicy.Parse(`{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"kms:*","Resource":"*"}}`, authpolicy.Identity)
	if err != nil {
		t.Fatal(err)
	}
	denying.Identity = append(denying.Identity, authpolicy.Named{Policy: p})
	user := trellis.IAMARN(account, "user/user")
	context := map[string]string{"Order": "17", "tenant": "a"}
	constrained := func(terms trellis.GrantTerms) key.NewGrant {
		g := to(arn, user, "Encrypt")
		terms.Operations = g.Terms.Operations
		g.Terms = terms
		return g
	}
	for _, try := range []struct {
		name    string
		grant   key.NewGrant
		caller  *authpolicy.Caller
		context map[string]string
		want    string
	}{
		{"a user without policies", to(arn, user, "Encrypt"), caller(t, account, "user", "s3:*"), nil, ""},
		{"another user", to(arn, user, "Encrypt"), caller(t, account, "other", "kms:*"), nil, "AccessDeniedException"},
		{"another operation", to(arn, user, "Decrypt"), caller(t, account, "user", "kms:*"), nil, "AccessDeniedException"},
		{"a user whose policies deny", to(arn, user, "Encrypt"), denying, nil, "AccessDeniedException"},
		{"a session of a role", to(arn, trellis.IAMARN(account, "role/r"), "Encrypt"), ofRole(t, account, "r", "s3:*"), nil, ""},
		{"a session itself", to(arn, "arn:aws:sts::"+account+":assumed-role/r/s", "Encrypt"), ofRole(t, account, "r", "s3:*"), nil, ""},
		{"a session of another role", to(arn, trellis.IAMARN(account, "role/r"), "Encrypt"), ofRole(t, account, "q", "kms:*"), nil, "AccessDeniedException"},
		{"an account, by the caller's policy", to(arn, trellis.IAMARN(account, "root"), "Encrypt"), caller(t, account, "user", "kms:*"), nil, ""},
		{"an account, without one", to(arn, trellis.IAMARN(account, "root"), "Encrypt"), caller(t, account, "user", "s3:*"), nil, "AccessDeniedException"},
		{"a user abroad, without policies", to(arn, trellis.IAMARN(abroad, "user/user"), "Encrypt"), caller(t, abroad, "user", "s3:*"), nil, ""},
		{"another user abroad", to(arn, trellis.IAMARN(abroad, "user/user"), "Encrypt"), caller(t, abroad, "other", "kms:*"), nil, "AccessDeniedException"},
		{"a context that equals", constrained(trellis.GrantTerms{ContextEquals: map[string]string{"order": "17", "Tenant": "a"}}), caller(t, account, "user", "s3:*"), context, ""},
		{"a context that has more", constrained(trellis.GrantTerms{ContextEquals: map[string]string{"order": "17"}}), caller(t, account, "user", "s3:*"), context, "AccessDeniedException"},
		{"a context that includes", constrained(trellis.GrantTerms{ContextSubset: map[string]string{"order": "17"}}), caller(t, account, "user", "s3:*"), context, ""},
		{"a context with another value", constrained(trellis.GrantTerms{ContextSubset: map[string]string{"tenant": "A"}}), caller(t, account, "user", "s3:*"), context, "AccessDeniedException"},
		{"no context", constrained(trellis.GrantTerms{ContextSubset: map[string]string{"order": "17"}}), caller(t, account, "user", "s3:*"), nil, "AccessDeniedException"},
		{"a context that equals but for a name", constrained(trellis.GrantTerms{ContextEquals: map[string]string{"order": "17", "ORDER": "17"}}), caller(t, account, "user", "s3:*"), context, "AccessDeniedException"},
		{"on behalf of what looks like a variable", constrained(trellis.GrantTerms{SourceARN: "arn:aws:s3:eu-west-1:" + account + ":${x"}), caller(t, account, "user", "s3:*"), context, "AccessDeniedException"},
		{"on behalf of nothing", constrained(trellis.GrantTerms{SourceARN: "arn:aws:s3:::" + account}), caller(t, account, "user", "s3:*"), nil, "AccessDeniedException"},
	} {
		g, token, _, err := k.CreateGrant(ctx, c, try.grant)
		if err != nil {
			t.Fatalf("%s: %v", try.name, err)
		}
		use := key.Use{Action: "kms:Encrypt", KeyID: arn, Context: try.context, Tokens: []string{token}}
		if _, err := k.Encrypt(ctx, try.caller, use, []byte("x")); code(err) != try.want {
			t.Errorf("%s: %v, want %q", try.name, err, try.want)
		}
		if try.want == "" {
			policy(`,{"Effect":"Deny","Principal":"*","Action":"kms:Encrypt","Resource":"*"}`)
			if _, err := k.Encrypt(ctx, try.caller, use, []byte("x")); code(err) != "AccessDeniedException" {
				t.Errorf("%s, and the key's policy denies: %v", try.name, err)
			}
			policy("")
		}
		if _, err := k.RevokeGrant(ctx, c, made.ID, g.ID, false); err != nil {
			t.Fatalf("%s: %v", try.name, err)
		}
		use.Tokens = nil
		if _, err := k.Encrypt(ctx, try.caller, use, []byte("x")); code(err) != "AccessDeniedException" {
			t.Errorf("%s, revoked: %v", try.name, err)
		}
		use.Tokens = []string{token}
		if _, err := k.Encrypt(ctx, try.caller, use, []byte("x")); code(err) != "InvalidGrantTokenException" {
			t.Errorf("%s, revoked, by its token: %v", try.name, err)
		}
	}
}

// TestGrantOperations decides by grants about operations of every sort of key.
func TestGrantOperations(t *testing.T) {
	const account = "500000000123"
	k, _, c, made := keys(t, account)
	ctx, user := t.Context(), caller(t, account, "user", "s3:*")
	signs, agrees, macs, encrypts := makeKey(t, k, c, "ECC_NIST_P256", trellis.KeySigns), makeKey(t, k, c, "ECC_NIST_P256", trellis.KeyAgrees), makeKey(t, k, c, "HMAC_256", trellis.KeyAuthenticates), makeKey(t, k, c, "RSA_2048", trellis.KeyEncrypts)
	_, peer, err := k.PublicKey(ctx, c, agrees.ID, nil)
	if err != nil {
		t.Fatal(err)
	}
	by := func(of *trellis.Key, operation, algorithm string) key.Use {
		return key.Use{Action: "kms:" + operation, KeyID: of.ID, Algorithm: algorithm}
	}
	text := func(of *trellis.Key, algorithm string) []byte {
		t.Helper()
		return must(k.Encrypt(ctx, c, by(of, "Encrypt", algorithm), []byte("x"))).Ciphertext
	}
	for _, try := range []struct {
		key       *trellis.Key
		operation string
		call      func() error
	}{
		{made, "Encrypt", func() error { _, err := k.Encrypt(ctx, user, by(made, "Encrypt", ""), []byte("x")); return err }},
		{made, "Decrypt", func() error {
			_, err := k.Decrypt(ctx, user, key.Use{Action: "kms:Decrypt"}, text(made, ""), false)
			return err
		}},
		{made, "GenerateDataKey", func() error { _, err := k.DataKey(ctx, user, by(made, "GenerateDataKey", ""), 32); return err }},
		{made, "GenerateDataKeyWithoutPlaintext", func() error {
			_, err := k.DataKey(ctx, user, by(made, "GenerateDataKeyWithoutPlaintext", ""), 32)
			return err
		}},
		{made, "GenerateDataKeyPair", func() error {
			_, err := k.DataKeyPair(ctx, user, by(made, "GenerateDataKeyPair", ""), "ECC_NIST_P256")
			return err
		}},
		{made, "GenerateDataKeyPairWithoutPlaintext", func() error {
			_, err := k.DataKeyPair(ctx, user, by(made, "GenerateDataKeyPairWithoutPlaintext", ""), "ECC_NIST_P256")
			return err
		}},
		{made, "DescribeKey", func() error { _, err := k.Describe(ctx, user, made.ID, nil); return err }},
		{encrypts, "Encrypt", func() error {
			_, err := k.Encrypt(ctx, user, by(encrypts, "Encrypt", "RSAES_OAEP_SHA_256"), []byte("x"))
			return err
		}},
		{encrypts, "Decrypt", func() error {
			_, err := k.Decrypt(ctx, user, by(encrypts, "Decrypt", "RSAES_OAEP_SHA_1"), text(encrypts, "RSAES_OAEP_SHA_1"), false)
			return err
		}},
		{signs, "GetPublicKey", func() error { _, _, err := k.PublicKey(ctx, user, signs.ID, nil); return err }},
		{signs, "Sign", func() error {
			_, _, err := k.Sign(ctx, user, by(signs, "Sign", "ECDSA_SHA_256"), key.Message{Type: "RAW"})
			return err
		}},
		{signs, "Verify", func() error {
			m := key.Message{Type: "RAW"}
			signature, _, err := k.Sign(ctx, c, by(signs, "Sign", "ECDSA_SHA_256"), m)
			if err == nil {
				_, err = k.Verify(ctx, user, by(signs, "Verify", "ECDSA_SHA_256"), m, signature)
			}
			return err
		}},
		{macs, "GenerateMac", func() error {
			_, _, err := k.MAC(ctx, user, by(macs, "GenerateMac", "HMAC_SHA_256"), nil)
			return err
		}},
		{macs, "VerifyMac", func() error {
			code, _, err := k.MAC(ctx, c, by(macs, "GenerateMac", "HMAC_SHA_256"), nil)
			if err == nil {
				_, err = k.VerifyMAC(ctx, user, by(macs, "VerifyMac", "HMAC_SHA_256"), nil, code)
			}
			return err
		}},
		{agrees, "DeriveSharedSecret", func() error {
			_, _, err := k.SharedSecret(ctx, user, by(agrees, "DeriveSharedSecret", "ECDH"), peer)
			return err
		}},
	} {
		if err := try.call(); code(err) != "AccessDeniedException" {
			t.Errorf("%s without a grant: %v", try.operation, err)
		}
		g, _, _, err := k.CreateGrant(ctx, c, to(try.key.ID, user.Principal.ARN, try.operation))
		if err != nil {
			t.Fatalf("%s: %v", try.operation, err)
		}
		if err := try.call(); err != nil {
			t.Errorf("%s: %v", try.operation, err)
		}
		if _, err := k.RevokeGrant(ctx, c, try.key.ID, g.ID, false); err != nil {
			t.Fatal(err)
		}
	}
	for _, bad := range []struct {
		key       *trellis.Key
		operation string
	}{{made, "Sign"}, {made, "GetPublicKey"}, {signs, "Encrypt"}, {signs, "GenerateDataKey"}, {encrypts, "GenerateDataKey"}, {encrypts, "Sign"}, {macs, "GetPublicKey"}, {macs, "Decrypt"}, {agrees, "Sign"}, {made, "Encapsulate"}} {
		if _, _, _, err := k.CreateGrant(ctx, c, to(bad.key.ID, user.Principal.ARN, bad.operation)); code(err) != "ValidationException" {
			t.Errorf("a grant of %s of a key %s: %v", bad.operation, bad.key.Usage, err)
		}
	}
	constrained := to(signs.ID, user.Principal.ARN, "Sign")
	constrained.Terms.ContextEquals = map[string]string{"a": "b"}
	if _, _, _, err := k.CreateGrant(ctx, c, constrained); code(err) != "ValidationException" {
		t.Errorf("a context for a key that signs: %v", err)
	}
}

// TestGrantsOfGrants makes grants by leave of a grant: they allow no more than it does.
func TestGrantsOfGrants(t *testing.T) {
	const account, abroad = "500000000124", "500000000125"
	k, _, c, made := keys(t, account)
	ctx, user := t.Context(), caller(t, abroad, "user", "s3:*")
	arn, third := made.ARN("eu-west-1"), trellis.IAMARN(abroad, "user/third")
	first := to(arn, user.Principal.ARN, "CreateGrant", "Encrypt", "Decrypt")
	first.Terms.ContextSubset = map[string]string{"tenant": "a"}
	if _, _, _, err := k.CreateGrant(ctx, c, first); err != nil {
		t.Fatal(err)
	}
	for _, try := range []struct {
		name           string
		operations     []string
		equals, subset map[string]string
		want           string
	}{
		{"the same", []string{"Encrypt"}, nil, map[string]string{"tenant": "a"}, ""},
		{"stricter", []string{"Encrypt", "CreateGrant"}, map[string]string{"Tenant": "a", "order": "1"}, nil, ""},
		{"without the context", []string{"Encrypt"}, nil, nil, "AccessDeniedException"},
		{"with another", []string{"Encrypt"}, nil, map[string]string{"tenant": "b"}, "AccessDeniedException"},
		{"with more operations", []string{"Encrypt", "GenerateDataKey"}, nil, map[string]string{"tenant": "a"}, "AccessDeniedException"},
	} {
		g := to(arn, third, try.operations...)
		g.Terms.ContextEquals, g.Terms.ContextSubset = try.equals, try.subset
		made, _, _, err := k.CreateGrant(ctx, user, g)
		if code(err) != try.want {
			t.Errorf("%s: %v, want %q", try.name, err, try.want)
		}
		if err == nil && (made.Account != account || made.Issuer != abroad) {
			t.Errorf("%s: of %s by %s", try.name, made.Account, made.Issuer)
		}
	}
	if _, err := k.Encrypt(ctx, caller(t, abroad, "third", "s3:*"), key.Use{Action: "kms:Encrypt", KeyID: arn, Context: map[string]string{"tenant": "a"}}, []byte("x")); err != nil {
		t.Error(err)
	}
}

// TestGrantConditions decides by what is asked for who may make grants.
func TestGrantConditions(t *testing.T) {
	const account = "500000000126"
	k, _, c, made := keys(t, account)
	ctx := t.Context()
	maker := caller(t, account, "maker", "s3:*")
	user := trellis.IAMARN(account, "user/user")
	constrained := to(made.ID, user, "Encrypt")
	constrained.Terms.ContextSubset = map[string]string{"a": "b"}
	for condition, try := range map[string]struct {
		grant key.NewGrant
		want  string
	}{
		`{"ForAllValues:StringEquals":{"kms:GrantOperations":["Encrypt","Decrypt"]}}`:                {to(made.ID, user, "Encrypt"), ""},
		`{"ForAllValues:StringEquals":{"kms:GrantOperations":["Decrypt","ReEncryptTo"]}}`:            {to(made.ID, user, "Encrypt"), "AccessDeniedException"},
		`{"StringEquals":{"kms:GranteePrincipal":"` + user + `"}}`:                                   {to(made.ID, user, "Encrypt"), ""},
		`{"StringEquals":{"kms:GranteePrincipal":"` + user + `x"}}`:                                  {to(made.ID, user, "Encrypt"), "AccessDeniedException"},
		`{"StringEquals":{"kms:GrantConstraintType":"EncryptionContextSubset"}}`:                     {constrained, ""},
		`{"StringEquals":{"kms:GrantConstraintType":["EncryptionContextEquals"]}}`:                   {constrained, "AccessDeniedException"},
		`{"Bool":{"kms:GrantIsForAWSResource":"true"}}`:                                              {constrained, "AccessDeniedException"},
		`{"StringEquals":{"kms:KeySpec":"SYMMETRIC_DEFAULT","kms:CallerAccount":"` + account + `"}}`: {constrained, ""},
		`{"Null":{"kms:RetiringPrincipal":"false"}}`:                                                 {constrained, "AccessDeniedException"},
		`{"ForAnyValue:StringLike":{"kms:ResourceAliases":"alias/*"}}`:                               {constrained, "AccessDeniedException"},
	} {
		text := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + c.Principal.ARN + `"},"Action":"kms:*","Resource":"*"},
			{"Effect":"Allow","Principal":{"AWS":"` + maker.Principal.ARN + `"},"Action":"kms:CreateGrant","Resource":"*","Condition":` + condition + `}]}`
		if _, err := k.PutPolicy(ctx, c, made.ID, "", text, false); err != nil {
			t.Fatalf("%s: %v", condition, err)
		}
		if _, _, _, err := k.CreateGrant(ctx, maker, try.grant); code(err) != try.want {
			t.Errorf("%s: %v, want %q", condition, err, try.want)
		}
	}
	if _, err := k.PutAlias(ctx, c, "alias/grants", made.ID, false); err != nil {
		t.Fatal(err)
	}
	text := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + c.Principal.ARN + `"},"Action":"kms:*","Resource":"*"},
		{"Effect":"Allow","Principal":{"AWS":"` + maker.Principal.ARN + `"},"Action":"kms:Encrypt","Resource":"*","Condition":{"ForAnyValue:StringEquals":{"kms:ResourceAliases":"alias/grants"}}}]}`
	if _, err := k.PutPolicy(ctx, c, made.ID, "", text, false); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Encrypt(ctx, maker, key.Use{Action: "kms:Encrypt", KeyID: made.ID}, []byte("x")); err != nil {
		t.Errorf("by an alias of the key: %v", err)
	}
}

// TestRetirement ends grants for who may: who is named to, the grantee with RetireGrant, and whom the account lets.
func TestRetirement(t *testing.T) {
	const account, abroad = "500000000127", "500000000128"
	k, _, c, made := keys(t, account)
	ctx, arn := t.Context(), made.ARN("eu-west-1")
	retirer, grantee := trellis.IAMARN(abroad, "user/retirer"), trellis.IAMARN(account, "user/grantee")
	deny, err := authpolicy.Parse(`{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"kms:RetireGrant","Resource":"*"}}`, authpolicy.Identity)
	if err != nil {
		t.Fatal(err)
	}
	denied := caller(t, abroad, "retirer", "s3:*")
	denied.Identity = append(denied.Identity, authpolicy.Named{Policy: deny})
	for _, try := range []struct {
		name       string
		operations []string
		retirer    string
		caller     *authpolicy.Caller
		want       string
	}{
		{"the retiring principal", []string{"Encrypt"}, retirer, caller(t, abroad, "retirer", "s3:*"), ""},
		{"the retiring principal, denied", []string{"Encrypt"}, retirer, denied, "AccessDeniedException"},
		{"another of its account", []string{"Encrypt"}, retirer, caller(t, abroad, "other", "kms:*"), "AccessDeniedException"},
		{"an account, by the caller's policy", []string{"Encrypt"}, trellis.IAMARN(abroad, "root"), caller(t, abroad, "other", "kms:RetireGrant"), ""},
		{"an account, without one", []string{"Encrypt"}, trellis.IAMARN(abroad, "root"), caller(t, abroad, "other", "s3:*"), "AccessDeniedException"},
		{"the grantee", []string{"Encrypt"}, retirer, caller(t, account, "grantee", "s3:*"), "AccessDeniedException"},
		{"the grantee with RetireGrant", []string{"Encrypt", "RetireGrant"}, retirer, caller(t, account, "grantee", "s3:*"), ""},
		{"the key's account, by the caller's policy", []string{"Encrypt"}, retirer, caller(t, account, "other", "kms:RetireGrant"), ""},
		{"the key's account, without one", []string{"Encrypt"}, retirer, caller(t, account, "other", "s3:*"), "AccessDeniedException"},
	} {
		g := to(arn, grantee, try.operations...)
		g.Retirer.ARN = try.retirer
		for _, byToken := range []bool{false, true} {
			have, token, _, err := k.CreateGrant(ctx, c, g)
			if err != nil {
				t.Fatal(err)
			}
			retire := func(c *authpolicy.Caller, dry bool) error {
				if byToken {
					_, err := k.RetireGrant(ctx, c, token, "", "", dry)
					return err
				}
				_, err := k.RetireGrant(ctx, c, "", arn, have.ID, dry)
				return err
			}
			want := try.want
			if want == "" {
				want = "DryRunOperationException"
			}
			if err := retire(try.caller, true); code(err) != want {
				t.Errorf("%s, as a trial: %v", try.name, err)
			}
			if err := retire(try.caller, false); code(err) != try.want {
				t.Errorf("%s: %v, want %q", try.name, err, try.want)
			}
			left, err := k.Grants(ctx, c, made.ID, have.ID, trellis.GrantPrincipal{})
			if err != nil || (len(left) == 0) != (try.want == "") {
				t.Errorf("%s: %d are left, %v", try.name, len(left), err)
			}
		}
	}
	if _, err := k.RetireGrant(ctx, caller(t, abroad, "other", "kms:*"), "", arn, strings.Repeat("0", 64), false); code(err) != "AccessDeniedException" {
		t.Errorf("a grant abroad that is none: %v", err)
	}
	for name, try := range map[string]struct{ token, key, id, want string }{
		"nothing": {"", "", "", "ValidationException"}, "no id": {"", arn, "", "ValidationException"}, "both": {"x", arn, strings.Repeat("0", 64), "ValidationException"},
		"a bad id": {"", arn, "x", "InvalidGrantIdException"}, "an alias": {"", "alias/x", strings.Repeat("0", 64), "InvalidArnException"},
		"none": {"", arn, strings.Repeat("0", 64), "NotFoundException"}, "a bad token": {"x", "", "", "InvalidGrantTokenException"},
	} {
		if _, err := k.RetireGrant(ctx, c, try.token, try.key, try.id, false); code(err) != try.want {
			t.Errorf("%s: %v, want %s", name, err, try.want)
		}
	}
}

// TestGrantRequests makes grants twice, finds them, and refuses bad ones.
func TestGrantRequests(t *testing.T) {
	const account, abroad = "500000000129", "500000000130"
	k, now, c, made := keys(t, account)
	ctx := t.Context()
	user := trellis.IAMARN(account, "user/user")
	named := to(made.ID, user, "Encrypt", "Decrypt", "Encrypt")
	named.Name, named.Retirer.ARN = "orders", trellis.IAMARN(abroad, "user/retirer")
	first, token, _, err := k.CreateGrant(ctx, c, named)
	if err != nil || !slices.Equal(first.Terms.Operations, []string{"Decrypt", "Encrypt"}) {
		t.Fatalf("%+v, %v", first, err)
	}
	named.Terms.Operations = []string{"Decrypt", "Encrypt"}
	again, another, _, err := k.CreateGrant(ctx, c, named)
	if err != nil || again.ID != first.ID || another == token {
		t.Errorf("again: %s, %v", again.ID, err)
	}
	named.Terms.Operations = []string{"Encrypt"}
	if other, _, _, err := k.CreateGrant(ctx, c, named); err != nil || other.ID == first.ID {
		t.Errorf("another by the same name: %v", err)
	}
	for range 2 {
		if g, _, _, err := k.CreateGrant(ctx, c, to(made.ID, user, "Encrypt")); err != nil || g.ID == first.ID {
			t.Errorf("without a name: %v", err)
		}
	}
	trial := to(made.ID, user, "Encrypt")
	trial.DryRun = true
	if _, _, _, err := k.CreateGrant(ctx, c, trial); code(err) != "DryRunOperationException" {
		t.Errorf("a trial: %v", err)
	}
	if all, err := k.Grants(ctx, c, made.ID, "", trellis.GrantPrincipal{ARN: user}); err != nil || len(all) != 4 {
		t.Errorf("%d grants, %v", len(all), err)
	}
	if all, err := k.Grants(ctx, c, made.ID, "", trellis.GrantPrincipal{ARN: user + "x"}); err != nil || len(all) != 0 {
		t.Errorf("%d grants of another, %v", len(all), err)
	}
	if _, err := k.Grants(ctx, c, made.ID, "x", trellis.GrantPrincipal{}); code(err) != "InvalidGrantIdException" {
		t.Error(err)
	}
	if _, err := k.Grants(ctx, caller(t, abroad, "admin", "*"), made.ARN("eu-west-1"), "", trellis.GrantPrincipal{}); code(err) != "AccessDeniedException" {
		t.Errorf("grants of another account: %v", err)
	}
	if all, err := k.RetirableGrants(ctx, caller(t, abroad, "admin", "*"), named.Retirer); err != nil || len(all) != 2 {
		t.Errorf("%d to retire, %v", len(all), err)
	}
	if _, err := k.RetirableGrants(ctx, c, named.Retirer); code(err) != "AccessDeniedException" {
		t.Errorf("to retire by a principal of another account: %v", err)
	}
	for name, try := range map[string]struct {
		change func(*key.NewGrant)
		want   string
	}{
		"nobody":                {func(g *key.NewGrant) { g.Grantee.ARN = "" }, "ValidationException"},
		"two":                   {func(g *key.NewGrant) { g.Grantee.Service = "s3.amazonaws.com" }, "ValidationException"},
		"everybody":             {func(g *key.NewGrant) { g.Grantee.ARN = "*" }, "InvalidArnException"},
		"an id":                 {func(g *key.NewGrant) { g.Grantee.ARN = account }, "InvalidArnException"},
		"a bucket":              {func(g *key.NewGrant) { g.Retirer.ARN = "arn:aws:s3:::b" }, "InvalidArnException"},
		"a service by itself":   {func(g *key.NewGrant) { g.Grantee = trellis.GrantPrincipal{Service: "s3.amazonaws.com"} }, "ValidationException"},
		"nothing to do":         {func(g *key.NewGrant) { g.Terms.Operations = nil }, "ValidationException"},
		"an alias":              {func(g *key.NewGrant) { g.KeyID = "alias/x" }, "InvalidArnException"},
		"no key":                {func(g *key.NewGrant) { g.KeyID = trellis.NewUUID() }, "NotFoundException"},
		"a bad token":           {func(g *key.NewGrant) { g.Tokens = []string{"x"} }, "InvalidGrantTokenException"},
		"a token of no grant":   {func(g *key.NewGrant) { g.Tokens = []string{base64.RawURLEncoding.EncodeToString(make([]byte, 64))} }, "InvalidGrantTokenException"},
		"a token cut off":       {func(g *key.NewGrant) { g.Tokens = []string{token[:len(token)-2]} }, "InvalidGrantTokenException"},
		"a value that is long":  {func(g *key.NewGrant) { g.Terms.ContextEquals = map[string]string{"a": strings.Repeat("x", 385)} }, "ValidationException"},
		"a good token of a key": {func(g *key.NewGrant) { g.Tokens = []string{token} }, ""},
		"a service with terms": {func(g *key.NewGrant) {
			g.Grantee, g.Retirer, g.Terms.SourceARN = trellis.GrantPrincipal{Service: "s3.amazonaws.com"}, trellis.GrantPrincipal{Service: "s3.amazonaws.com"}, "arn:aws:s3:eu-west-1:"+account+":x"
		}, ""},
	} {
		g := to(made.ID, user, "Encrypt")
		try.change(&g)
		if _, _, _, err := k.CreateGrant(ctx, c, g); code(err) != try.want {
			t.Errorf("%s: %v, want %q", name, err, try.want)
		}
	}
	if _, err := k.RevokeGrant(ctx, c, made.ID, first.ID, true); code(err) != "DryRunOperationException" {
		t.Errorf("a trial to revoke: %v", err)
	}
	if _, err := k.RevokeGrant(ctx, c, made.ID, first.ID, false); err != nil {
		t.Error(err)
	}
	if _, err := k.RevokeGrant(ctx, c, made.ID, first.ID, false); code(err) != "NotFoundException" {
		t.Errorf("revoke again: %v", err)
	}
	if _, err := k.Change(ctx, c, "kms:DisableKey", made.ID, func(k *trellis.Key) error { k.State = trellis.KeyDisabled; return nil }); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := k.CreateGrant(ctx, c, named); code(err) != "DisabledException" {
		t.Errorf("of a disabled key: %v", err)
	}
	if _, _, err := k.ScheduleDeletion(ctx, c, made.ID, 7); err != nil {
		t.Fatal(err)
	}
	now.at = now.at.Add(7 * 24 * time.Hour)
	if _, err := k.Describe(ctx, caller(t, abroad, "admin", "*"), made.ARN("eu-west-1"), nil); code(err) != "AccessDeniedException" {
		t.Errorf("a key of another account whose time has come: %v", err)
	}
	if _, err := k.Describe(ctx, c, made.ID, nil); code(err) != "NotFoundException" {
		t.Error(err)
	}
	if all, err := k.RetirableGrants(ctx, caller(t, abroad, "admin", "*"), named.Retirer); err != nil || len(all) != 0 {
		t.Errorf("%d to retire of a key that is gone, %v", len(all), err)
	}
}
