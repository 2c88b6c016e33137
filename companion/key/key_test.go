package key_test

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion"
	"github.com/trellis-project/trellis/companion/key"
	"github.com/trellis-project/trellis/store"
	"github.com/trellis-project/trellis/store/storetest"
)

// shared is the one store of the tests: each works in accounts of its own.
var shared *store.Store

// TestMain runs the store.
func TestMain(m *testing.M) { os.Exit(storetest.Main(m, &shared)) }

// caller is a user of an account who may do some actions with everything.
func caller(t *testing.T, account, user, actions string) *authpolicy.Caller {
	t.Helper()
	p, err := authpolicy.Parse(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"`+actions+`","Resource":"*"}}`, authpolicy.Identity)
	if err != nil {
		t.Fatal(err)
	}
	arn := trellis.IAMARN(account, "user/"+user)
	return &authpolicy.Caller{Principal: trellis.Principal{Type: trellis.PrincipalUser, Account: account, ARN: arn, PolicyARN: arn}, Identity: authpolicy.Policies{{Policy: p}}}
}

// code is the code of the error that a client would see, empty for none.
func code(err error) string {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*trellis.Error](err); ok {
		return e.Code
	}
	return err.Error()
}

// clock is a clock that tests move.
type clock struct{ at time.Time }

// keys are Keys by a clock, with an administrator of an account and a key of it.
func keys(t *testing.T, account string) (*key.Keys, *clock, *authpolicy.Caller, *trellis.Key) {
	t.Helper()
	c := &clock{time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	k := key.New(companion.Options{Store: shared, Region: "eu-west-1", Now: func() time.Time { return c.at }})
	admin := caller(t, account, "admin", "*")
	made, _, err := k.Create(t.Context(), admin, key.NewKey{Description: "orders"})
	if err != nil {
		t.Fatal(err)
	}
	return k, c, admin, made
}

// TestEncryption encrypts and decrypts, and breaks ciphertexts byte by byte.
func TestEncryption(t *testing.T) {
	k, _, c, made := keys(t, "500000000101")
	other, _, err := k.Create(t.Context(), c, key.NewKey{})
	if err != nil {
		t.Fatal(err)
	}
	order := map[string]string{"order": "17", "Tenant": "a"}
	e, err := k.Encrypt(t.Context(), c, key.Use{Action: "kms:Encrypt", KeyID: made.ID, Context: order}, []byte("secret"))
	if err != nil || e.KeyARN != made.ARN("eu-west-1") || bytes.Contains(e.Ciphertext, []byte("secret")) {
		t.Fatalf("encrypt: %+v, %v", e, err)
	}
	for _, id := range []string{"", made.ID, made.ARN("eu-west-1")} {
		d, err := k.Decrypt(t.Context(), c, key.Use{Action: "kms:Decrypt", KeyID: id, Context: order}, e.Ciphertext, false)
		if err != nil || string(d.Plaintext) != "secret" || d.MaterialID != e.MaterialID {
			t.Errorf("decrypt by %q: %q, %v", id, d.Plaintext, err)
		}
	}
	for name, encryption := range map[string]map[string]string{"none": nil, "another value": {"order": "18", "Tenant": "a"}, "another case": {"order": "17", "tenant": "a"}, "shifted": {"order": "17Tenant", "": "a"}} {
		if _, err := k.Decrypt(t.Context(), c, key.Use{Action: "kms:Decrypt", Context: encryption}, e.Ciphertext, false); code(err) != "InvalidCiphertextException" {
			t.Errorf("context %s: %v", name, err)
		}
	}
	if _, err := k.Decrypt(t.Context(), c, key.Use{Action: "kms:Decrypt", KeyID: other.ID, Context: order}, e.Ciphertext, false); code(err) != "IncorrectKeyException" {
		t.Errorf("another key: %v", err)
	}
	for i := range e.Ciphertext {
		broken := bytes.Clone(e.Ciphertext)
		broken[i] ^= 1
		if d, err := k.Decrypt(t.Context(), c, key.Use{Action: "kms:Decrypt", Context: order}, broken, false); err == nil || d.Plaintext != nil {
			t.Errorf("byte %d: %q", i, d.Plaintext)
		} else if _, is := errors.AsType[*trellis.Error](err); !is {
			t.Errorf("byte %d: not for clients: %v", i, err)
		}
		if _, err := k.Decrypt(t.Context(), c, key.Use{Action: "kms:Decrypt", Context: order}, e.Ciphertext[:i], false); code(err) != "InvalidCiphertextException" {
			t.Errorf("%d bytes: %v", i, err)
		}
	}
	data, err := k.DataKey(t.Context(), c, key.Use{Action: "kms:GenerateDataKey", KeyID: made.ID}, 32)
	if err != nil || len(data.Plaintext) != 32 {
		t.Fatalf("data key: %v", err)
	}
	if d, err := k.Decrypt(t.Context(), c, key.Use{Action: "kms:Decrypt"}, data.Ciphertext, false); err != nil || !bytes.Equal(d.Plaintext, data.Plaintext) {
		t.Errorf("data key: %v", err)
	}
}

// TestLife takes a key from being enabled to being gone.
func TestLife(t *testing.T) {
	k, now, c, made := keys(t, "500000000102")
	ctx := t.Context()
	if _, err := k.PutAlias(ctx, c, "alias/orders", made.ID, false); err != nil {
		t.Fatal(err)
	}
	e, err := k.Encrypt(ctx, c, key.Use{Action: "kms:Encrypt", KeyID: "alias/orders"}, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	use := func(want string) {
		t.Helper()
		if _, err := k.Encrypt(ctx, c, key.Use{Action: "kms:Encrypt", KeyID: made.ID}, []byte("x")); code(err) != want {
			t.Errorf("encrypt: %v, want %q", err, want)
		}
		if _, err := k.Decrypt(ctx, c, key.Use{Action: "kms:Decrypt"}, e.Ciphertext, false); code(err) != want {
			t.Errorf("decrypt: %v, want %q", err, want)
		}
	}
	state := func(s trellis.KeyState) error {
		_, err := k.Change(ctx, c, "kms:DisableKey", made.ID, func(k *trellis.Key) error { k.State = s; return nil })
		return err
	}
	if err := state(trellis.KeyDisabled); err != nil {
		t.Fatal(err)
	}
	use("DisabledException")
	if _, _, err := k.ScheduleDeletion(ctx, c, made.ID, 6); code(err) != "ValidationException" {
		t.Errorf("six days: %v", err)
	}
	for range 2 {
		if _, _, err := k.ScheduleDeletion(ctx, c, made.ID, 7); err != nil {
			t.Fatal(err)
		}
		use("KMSInvalidStateException")
		if err := state(trellis.KeyEnabled); code(err) != "KMSInvalidStateException" {
			t.Errorf("enable: %v", err)
		}
		if back, _, err := k.CancelDeletion(ctx, c, made.ID); err != nil || back.State != trellis.KeyDisabled || !back.DeletionDate.IsZero() {
			t.Errorf("cancel: %+v, %v", back, err)
		}
	}
	if _, _, err := k.CancelDeletion(ctx, c, made.ID); code(err) != "KMSInvalidStateException" {
		t.Errorf("cancel again: %v", err)
	}
	if err := state(trellis.KeyEnabled); err != nil {
		t.Fatal(err)
	}
	use("")
	if _, _, err := k.ScheduleDeletion(ctx, c, made.ID, 7); err != nil {
		t.Fatal(err)
	}
	now.at = now.at.Add(7*24*time.Hour - time.Second)
	use("KMSInvalidStateException")
	now.at = now.at.Add(time.Second)
	use("NotFoundException")
	if _, err := k.Describe(ctx, c, "alias/orders", nil); code(err) != "NotFoundException" {
		t.Errorf("its alias: %v", err)
	}
	if all, err := k.List(ctx, c); err != nil || len(all) != 0 {
		t.Errorf("keys: %v, %v", all, err)
	}
}

// TestRotation decrypts what older material has encrypted.
func TestRotation(t *testing.T) {
	k, now, c, made := keys(t, "500000000103")
	ctx := t.Context()
	var texts [][]byte
	materials := map[string]bool{}
	encrypt := func() {
		t.Helper()
		e, err := k.Encrypt(ctx, c, key.Use{Action: "kms:Encrypt", KeyID: made.ID}, []byte("x"))
		if err != nil {
			t.Fatal(err)
		}
		texts, materials[e.MaterialID] = append(texts, e.Ciphertext), true
	}
	encrypt()
	if _, err := k.SetRotation(ctx, c, "kms:EnableKeyRotation", made.ID, 90); err != nil {
		t.Fatal(err)
	}
	now.at = now.at.Add(89 * 24 * time.Hour)
	encrypt()
	now.at = now.at.Add(24 * time.Hour)
	encrypt()
	encrypt()
	if _, _, err := k.RotateNow(ctx, c, made.ID); err != nil {
		t.Fatal(err)
	}
	encrypt()
	if len(materials) != 3 {
		t.Errorf("%d materials, want 3", len(materials))
	}
	for i, text := range texts {
		if d, err := k.Decrypt(ctx, c, key.Use{Action: "kms:Decrypt"}, text, false); err != nil || string(d.Plaintext) != "x" {
			t.Errorf("text %d: %v", i, err)
		}
	}
	if d, err := k.Describe(ctx, c, made.ID, nil); err != nil || !key.NextRotation(d).Equal(now.at.Add(90*24*time.Hour)) {
		t.Errorf("next rotation: %v, %v", key.NextRotation(d), err)
	}
}

// TestKeyPolicies decides by the policies of keys and callers.
func TestKeyPolicies(t *testing.T) {
	const account, stranger = "500000000104", "500000000105"
	k, _, c, made := keys(t, account)
	ctx := t.Context()
	nobody, user, abroad := caller(t, account, "nobody", "s3:*"), caller(t, account, "user", "kms:*"), caller(t, stranger, "user", "kms:*")
	abroadNobody := caller(t, stranger, "nobody", "s3:*")
	statement := func(principal, action, more string) string {
		return `{"Effect":"Allow","Principal":{"AWS":"` + principal + `"},"Action":"` + action + `","Resource":"*"` + more + `}`
	}
	keep := statement(trellis.IAMARN(account, "user/admin"), "kms:*", "")
	for _, try := range []struct {
		name, statement string
		caller          *authpolicy.Caller
		want            string
	}{
		{"the account, by the caller's policy", statement(trellis.IAMARN(account, "root"), "kms:*", ""), user, ""},
		{"the account, without one", statement(trellis.IAMARN(account, "root"), "kms:*", ""), nobody, "AccessDeniedException"},
		{"the caller itself", statement(trellis.IAMARN(account, "user/nobody"), "kms:Encrypt", ""), nobody, ""},
		{"the caller, another action", statement(trellis.IAMARN(account, "user/nobody"), "kms:Decrypt", ""), nobody, "AccessDeniedException"},
		{"not the account", keep, user, "AccessDeniedException"},
		{"another account", statement(trellis.IAMARN(stranger, "root"), "kms:Encrypt", ""), abroad, ""},
		{"another account, without a policy of its own", statement(trellis.IAMARN(stranger, "user/nobody"), "kms:Encrypt", ""), abroadNobody, "AccessDeniedException"},
		{"another account that is not named", keep, abroad, "AccessDeniedException"},
		{"with the right context", statement(trellis.IAMARN(account, "root"), "kms:*", `,"Condition":{"StringEquals":{"kms:EncryptionContext:order":"17"}}`), user, ""},
		{"with another context", statement(trellis.IAMARN(account, "root"), "kms:*", `,"Condition":{"StringEquals":{"kms:EncryptionContext:order":"18"}}`), user, "AccessDeniedException"},
	} {
		policy := `{"Version":"2012-10-17","Statement":[` + keep + `,` + try.statement + `]}`
		if _, err := k.PutPolicy(ctx, c, made.ID, "default", policy, false); err != nil {
			t.Fatalf("%s: %v", try.name, err)
		}
		if _, err := k.Encrypt(ctx, try.caller, key.Use{Action: "kms:Encrypt", KeyID: made.ARN("eu-west-1"), Context: map[string]string{"order": "17"}}, []byte("x")); code(err) != try.want {
			t.Errorf("%s: %v, want %q", try.name, err, try.want)
		}
	}
	denying := `{"Version":"2012-10-17","Statement":[` + keep + `,` + statement(trellis.IAMARN(account, "root"), "kms:*", "") +
		`,{"Effect":"Deny","Principal":"*","Action":"kms:Encrypt","Resource":"*","Condition":{"StringEquals":{"kms:EncryptionContext:order":"18"}}}]}`
	if _, err := k.PutPolicy(ctx, c, made.ID, "", denying, false); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		twice := map[string]string{"order": "17", "ORDER": "18"}
		if _, err := k.Encrypt(ctx, user, key.Use{Action: "kms:Encrypt", KeyID: made.ID, Context: twice}, []byte("x")); code(err) != "AccessDeniedException" {
			t.Fatalf("a context that hides what is denied behind another name: %v", err)
		}
	}
	for policy, want := range map[string]string{
		`{"Version":"2012-10-17","Statement":[` + statement(trellis.IAMARN(stranger, "root"), "kms:*", "") + `]}`: "MalformedPolicyDocumentException",
		`{`: "MalformedPolicyDocumentException", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*"}]}`: "MalformedPolicyDocumentException",
		strings.Repeat(" ", 32769): "LimitExceededException",
	} {
		if _, err := k.PutPolicy(ctx, c, made.ID, "", policy, false); code(err) != want {
			t.Errorf("%.60s: %v, want %s", policy, err, want)
		}
	}
	if _, err := k.Change(ctx, abroad, "kms:DisableKey", made.ARN("eu-west-1"), func(*trellis.Key) error { return nil }); code(err) != "AccessDeniedException" {
		t.Errorf("another account changes the key: %v", err)
	}
	if _, err := k.Describe(ctx, abroad, strings.Replace(made.ARN("eu-west-1"), made.ID, trellis.NewUUID(), 1), nil); code(err) != "AccessDeniedException" {
		t.Errorf("another account asks for what is none: %v", err)
	}
}

// TestNames looks keys up by all their names.
func TestNames(t *testing.T) {
	k, _, c, made := keys(t, "500000000106")
	ctx := t.Context()
	for alias, want := range map[string]string{"alias/a": "", "alias/aws/mine": "NotAuthorizedException", "a": "ValidationException", "alias/": "InvalidAliasNameException"} {
		if _, err := k.PutAlias(ctx, c, alias, made.ID, false); code(err) != want {
			t.Errorf("create %s: %v, want %q", alias, err, want)
		}
	}
	for id, want := range map[string]string{made.ID: "", made.ARN("eu-west-1"): "", "alias/a": "", "arn:aws:kms:eu-west-1:500000000106:alias/a": "",
		"alias/b": "NotFoundException", "x": "NotFoundException", "arn:aws:kms": "InvalidArnException", "arn:aws:s3:::x": "InvalidArnException",
		"arn:aws:kms:us-east-1:500000000106:key/" + made.ID: "NotFoundException", "alias/aws/s3": "", "alias/aws/nothing": "NotFoundException"} {
		if _, err := k.Describe(ctx, c, id, nil); code(err) != want {
			t.Errorf("describe %s: %v, want %q", id, err, want)
		}
	}
	managed, err := k.Describe(ctx, c, "alias/aws/s3", nil)
	if err != nil || !managed.Managed {
		t.Fatalf("%+v, %v", managed, err)
	}
	if _, err := k.Encrypt(ctx, c, key.Use{Action: "kms:Encrypt", KeyID: "alias/aws/s3"}, []byte("x")); code(err) != "AccessDeniedException" {
		t.Errorf("encrypt by a key of AWS's: %v", err)
	}
	if _, _, err := k.ScheduleDeletion(ctx, c, managed.ID, 7); code(err) != "AccessDeniedException" {
		t.Errorf("delete a key of AWS's: %v", err)
	}
	second, _, err := k.Create(ctx, c, key.NewKey{MultiRegion: true, Tags: map[string]string{"team": "shop"}})
	if err != nil || !strings.HasPrefix(second.ID, "mrk-") {
		t.Fatalf("%+v, %v", second, err)
	}
	if _, err := k.PutAlias(ctx, c, "alias/a", second.ID, false); code(err) != "AlreadyExistsException" {
		t.Errorf("the alias again: %v", err)
	}
	if _, err := k.PutAlias(ctx, c, "alias/a", second.ID, true); err != nil {
		t.Error(err)
	}
	if got, err := k.Describe(ctx, c, "alias/a", nil); err != nil || got.ID != second.ID {
		t.Errorf("moved: %v, %v", got, err)
	}
	if all, err := k.Aliases(ctx, c, second.ID); err != nil || len(all) != 1 {
		t.Errorf("aliases: %v, %v", all, err)
	}
	if _, err := k.DeleteAlias(ctx, c, "alias/a"); err != nil {
		t.Error(err)
	}
	if _, err := k.DeleteAlias(ctx, c, "alias/a"); code(err) != "NotFoundException" {
		t.Errorf("delete again: %v", err)
	}
}
