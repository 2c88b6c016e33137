package key_test

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"hash"
	"slices"
	"strings"
	"testing"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion/key"
)

// makeKey makes a key of a spec.
func makeKey(t *testing.T, k *key.Keys, c *authpolicy.Caller, spec trellis.KeySpec, usage trellis.KeyUsage) *trellis.Key {
	t.Helper()
	made, _, err := k.Create(t.Context(), c, key.NewKey{Spec: spec, Usage: usage})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// publicKey is the public key that others are given.
func publicKey(t *testing.T, k *key.Keys, c *authpolicy.Caller, id string) any {
	t.Helper()
	_, der, err := k.PublicKey(t.Context(), c, id, nil)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		t.Fatal(err)
	}
	return public
}

// verified tells whether a signature of a message is good by Go's own library.
func verified(t *testing.T, public any, algorithm string, message, signature []byte) bool {
	t.Helper()
	h := map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}[algorithm[len(algorithm)-3:]]
	sum := h.New()
	sum.Write(message)
	digest := sum.Sum(nil)
	switch public := public.(type) {
	case *rsa.PublicKey:
		if strings.Contains(algorithm, "PSS") {
			return rsa.VerifyPSS(public, h, digest, signature, &rsa.PSSOptions{SaltLength: h.Size()}) == nil
		}
		return rsa.VerifyPKCS1v15(public, h, digest, signature) == nil
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(public, digest, signature)
	case ed25519.PublicKey:
		return ed25519.Verify(public, message, signature)
	}
	t.Fatalf("%T", public)
	return false
}

// TestSigning signs with keys of every spec by each of their algorithms, and verifies here and by Go's library, whole
// messages and digests; what was changed is refused.
func TestSigning(t *testing.T) {
	k, _, c, encrypts := keys(t, "500000000111")
	ctx, message := t.Context(), []byte("an order")
	for spec, algorithms := range map[trellis.KeySpec]string{
		"RSA_2048": "RSASSA_PKCS1_V1_5_SHA_256 RSASSA_PKCS1_V1_5_SHA_384 RSASSA_PKCS1_V1_5_SHA_512 RSASSA_PSS_SHA_256 RSASSA_PSS_SHA_384 RSASSA_PSS_SHA_512",
		"RSA_3072": "RSASSA_PSS_SHA_512", "RSA_4096": "RSASSA_PKCS1_V1_5_SHA_256", "ECC_NIST_P256": "ECDSA_SHA_256", "ECC_NIST_P384": "ECDSA_SHA_384",
		"ECC_NIST_P521": "ECDSA_SHA_512", "ECC_NIST_EDWARDS25519": "ED25519_SHA_512",
	} {
		made := makeKey(t, k, c, spec, trellis.KeySigns)
		public := publicKey(t, k, c, made.ID)
		for algorithm := range strings.FieldsSeq(algorithms) {
			if !slices.Contains(key.Algorithms(made), algorithm) {
				t.Errorf("%s is not said to sign by %s", spec, algorithm)
			}
			u := key.Use{Action: "kms:Sign", KeyID: made.ID, Algorithm: algorithm}
			verify := func(m key.Message, signature []byte) error {
				v := u
				v.Action = "kms:Verify"
				_, err := k.Verify(ctx, c, v, m, signature)
				return err
			}
			raw := key.Message{Text: message, Type: "RAW"}
			signature, arn, err := k.Sign(ctx, c, u, raw)
			if err != nil || arn != made.ARN("eu-west-1") {
				t.Fatalf("%s %s: %s, %v", spec, algorithm, arn, err)
			}
			if !verified(t, public, algorithm, message, signature) {
				t.Errorf("%s %s: Go does not verify it", spec, algorithm)
			}
			if err := verify(raw, signature); err != nil {
				t.Errorf("%s %s: %v", spec, algorithm, err)
			}
			if err := verify(key.Message{Text: []byte("an odder"), Type: "RAW"}, signature); code(err) != "KMSInvalidSignatureException" {
				t.Errorf("%s %s, another message: %v", spec, algorithm, err)
			}
			signature[len(signature)/2] ^= 1
			if err := verify(raw, signature); code(err) != "KMSInvalidSignatureException" {
				t.Errorf("%s %s, another signature: %v", spec, algorithm, err)
			}
			if err := verify(raw, nil); code(err) != "KMSInvalidSignatureException" {
				t.Errorf("%s %s, no signature: %v", spec, algorithm, err)
			}
			if spec == "ECC_NIST_EDWARDS25519" {
				continue
			}
			h := map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}[algorithm[len(algorithm)-3:]].New()
			h.Write(message)
			digest := key.Message{Text: h.Sum(nil), Type: "DIGEST"}
			if signature, _, err = k.Sign(ctx, c, u, digest); err != nil || !verified(t, public, algorithm, message, signature) || verify(raw, signature) != nil {
				t.Errorf("%s %s, a digest: %v", spec, algorithm, err)
			}
			if _, _, err := k.Sign(ctx, c, u, key.Message{Text: message, Type: "DIGEST"}); code(err) != "ValidationException" {
				t.Errorf("%s %s, a short digest: %v", spec, algorithm, err)
			}
		}
		for algorithm, want := range map[string]string{"ECDSA_SHA_999": "InvalidKeyUsageException", "": "InvalidKeyUsageException"} {
			if _, _, err := k.Sign(ctx, c, key.Use{Action: "kms:Sign", KeyID: made.ID, Algorithm: algorithm}, key.Message{Text: message, Type: "RAW"}); code(err) != want {
				t.Errorf("%s by %q: %v", spec, algorithm, err)
			}
		}
		if _, err := k.SetRotation(ctx, c, "kms:EnableKeyRotation", made.ID, 90); code(err) != "UnsupportedOperationException" {
			t.Errorf("rotate %s: %v", spec, err)
		}
	}
	if _, _, err := k.Sign(ctx, c, key.Use{Action: "kms:Sign", KeyID: encrypts.ID, Algorithm: "RSASSA_PSS_SHA_256"}, key.Message{Text: message, Type: "RAW"}); code(err) != "InvalidKeyUsageException" {
		t.Errorf("sign with a key that encrypts: %v", err)
	}
	if _, _, err := k.PublicKey(ctx, c, encrypts.ID, nil); code(err) != "UnsupportedOperationException" {
		t.Errorf("public key of a symmetric key: %v", err)
	}
}

// TestEdwards signs digests by the prehashed algorithm, which hashes once more, and takes each algorithm's own message type
// alone.
func TestEdwards(t *testing.T) {
	k, _, c, _ := keys(t, "500000000112")
	made := makeKey(t, k, c, "ECC_NIST_EDWARDS25519", trellis.KeySigns)
	digest := bytes.Repeat([]byte{7}, 64)
	h := crypto.SHA512.New()
	h.Write(digest)
	u := key.Use{Action: "kms:Sign", KeyID: made.ID, Algorithm: "ED25519_PH_SHA_512"}
	signature, _, err := k.Sign(t.Context(), c, u, key.Message{Text: digest, Type: "DIGEST"})
	if err != nil {
		t.Fatal(err)
	}
	if err := ed25519.VerifyWithOptions(publicKey(t, k, c, made.ID).(ed25519.PublicKey), h.Sum(nil), signature, &ed25519.Options{Hash: crypto.SHA512}); err != nil {
		t.Error(err)
	}
	if _, err := k.Verify(t.Context(), c, u, key.Message{Text: digest, Type: "DIGEST"}, signature); err != nil {
		t.Error(err)
	}
	for _, bad := range []struct{ algorithm, kind string }{{"ED25519_PH_SHA_512", "RAW"}, {"ED25519_SHA_512", "DIGEST"}, {"ED25519_SHA_512", "EXTERNAL_MU"}} {
		u.Algorithm = bad.algorithm
		if _, _, err := k.Sign(t.Context(), c, u, key.Message{Text: digest, Type: bad.kind}); code(err) != "ValidationException" {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

// TestEncryptingPairs decrypts what Go's library has encrypted to a public key, and what was encrypted here.
func TestEncryptingPairs(t *testing.T) {
	k, _, c, other := keys(t, "500000000113")
	ctx := t.Context()
	made := makeKey(t, k, c, "RSA_2048", trellis.KeyEncrypts)
	public := publicKey(t, k, c, made.ID).(*rsa.PublicKey)
	for algorithm, h := range map[string]func() hash.Hash{"RSAES_OAEP_SHA_1": sha1.New, "RSAES_OAEP_SHA_256": sha256.New} {
		u := key.Use{Action: "kms:Encrypt", KeyID: made.ID, Algorithm: algorithm}
		theirs, err := rsa.EncryptOAEP(h(), rand.Reader, public, []byte("secret"), nil)
		if err != nil {
			t.Fatal(err)
		}
		ours, err := k.Encrypt(ctx, c, u, []byte("secret"))
		if err != nil || ours.MaterialID != "" {
			t.Fatalf("%s: %+v, %v", algorithm, ours, err)
		}
		u.Action = "kms:Decrypt"
		for _, text := range [][]byte{theirs, ours.Ciphertext} {
			if d, err := k.Decrypt(ctx, c, u, text, false); err != nil || string(d.Plaintext) != "secret" {
				t.Errorf("%s: %q, %v", algorithm, d.Plaintext, err)
			}
			text[9] ^= 1
			if _, err := k.Decrypt(ctx, c, u, text, false); code(err) != "InvalidCiphertextException" {
				t.Errorf("%s, broken: %v", algorithm, err)
			}
		}
		if _, err := k.Decrypt(ctx, c, key.Use{Action: "kms:Decrypt", Algorithm: algorithm}, theirs, false); code(err) != "ValidationException" {
			t.Errorf("%s without a key: %v", algorithm, err)
		}
		u.Context = map[string]string{"a": "b"}
		if _, err := k.Encrypt(ctx, c, u, []byte("x")); code(err) != "ValidationException" {
			t.Errorf("%s with a context: %v", algorithm, err)
		}
		u.Context = nil
		if _, err := k.Encrypt(ctx, c, u, make([]byte, 256-2*h().Size()-1)); code(err) != "ValidationException" {
			t.Errorf("%s with too much: %v", algorithm, err)
		}
		if _, err := k.Encrypt(ctx, c, u, make([]byte, 256-2*h().Size()-2)); err != nil {
			t.Errorf("%s with as much as there is room: %v", algorithm, err)
		}
	}
	if _, err := k.Encrypt(ctx, c, key.Use{Action: "kms:Encrypt", KeyID: made.ID}, []byte("x")); code(err) != "InvalidKeyUsageException" {
		t.Errorf("the symmetric algorithm: %v", err)
	}
	if _, err := k.DataKey(ctx, c, key.Use{Action: "kms:GenerateDataKey", KeyID: made.ID, Algorithm: "RSAES_OAEP_SHA_256"}, 32); code(err) != "InvalidKeyUsageException" {
		t.Errorf("a data key: %v", err)
	}
	e, err := k.Encrypt(ctx, c, key.Use{Action: "kms:Encrypt", KeyID: other.ID}, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Decrypt(ctx, c, key.Use{Action: "kms:Decrypt", KeyID: made.ID}, e.Ciphertext, false); code(err) != "IncorrectKeyException" {
		t.Errorf("what another key has encrypted: %v", err)
	}
	from, to, err := k.ReEncrypt(ctx, c, key.Use{}, key.Use{KeyID: made.ID, Algorithm: "RSAES_OAEP_SHA_256"}, e.Ciphertext, false)
	if err != nil || from.KeyARN != other.ARN("eu-west-1") || to.KeyARN != made.ARN("eu-west-1") {
		t.Fatalf("re-encrypt: %+v %+v %v", from, to, err)
	}
	if d, err := k.Decrypt(ctx, c, key.Use{Action: "kms:Decrypt", KeyID: made.ID, Algorithm: "RSAES_OAEP_SHA_256"}, to.Ciphertext, false); err != nil || string(d.Plaintext) != "x" {
		t.Errorf("re-encrypted: %q, %v", d.Plaintext, err)
	}
}

// TestAgreement agrees upon secrets with pairs of Go's library.
func TestAgreement(t *testing.T) {
	k, _, c, _ := keys(t, "500000000114")
	for spec, curve := range map[trellis.KeySpec]elliptic.Curve{"ECC_NIST_P256": elliptic.P256(), "ECC_NIST_P384": elliptic.P384(), "ECC_NIST_P521": elliptic.P521()} {
		made := makeKey(t, k, c, spec, trellis.KeyAgrees)
		mine, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.MarshalPKIXPublicKey(&mine.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		u := key.Use{Action: "kms:DeriveSharedSecret", KeyID: made.ID, Algorithm: "ECDH"}
		got, _, err := k.SharedSecret(t.Context(), c, u, der)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := publicKey(t, k, c, made.ID).(*ecdsa.PublicKey).ECDH()
		if err != nil {
			t.Fatal(err)
		}
		want, err := must(mine.ECDH()).ECDH(theirs)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %x, want %x, %v", spec, got, want, err)
		}
		stranger := must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader))
		x := must(ecdh.X25519().GenerateKey(rand.Reader))
		for name, bad := range map[string][]byte{"nothing": nil, "cut off": der[:len(der)-1], "another curve": must(x509.MarshalPKIXPublicKey(&stranger.PublicKey)), "X25519": must(x509.MarshalPKIXPublicKey(x.PublicKey()))} {
			if _, _, err := k.SharedSecret(t.Context(), c, u, bad); code(err) != "ValidationException" {
				t.Errorf("%s with %s: %v", spec, name, err)
			}
		}
	}
}

// must is a value that can't fail to be made.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestMACs authenticates messages and refuses codes of other keys and algorithms.
func TestMACs(t *testing.T) {
	k, _, c, encrypts := keys(t, "500000000115")
	ctx, message := t.Context(), []byte("an order")
	sizes := map[string]int{"224": 28, "256": 32, "384": 48, "512": 64}
	for bits, size := range sizes {
		u := key.Use{Action: "kms:GenerateMac", Algorithm: "HMAC_SHA_" + bits, KeyID: makeKey(t, k, c, trellis.KeySpec("HMAC_"+bits), trellis.KeyAuthenticates).ID}
		mac, _, err := k.MAC(ctx, c, u, message)
		if err != nil || len(mac) != size {
			t.Fatalf("%s: %x, %v", bits, mac, err)
		}
		if _, err := k.VerifyMAC(ctx, c, u, message, mac); err != nil {
			t.Errorf("%s: %v", bits, err)
		}
		for _, bad := range [][]byte{nil, mac[1:], append(bytes.Clone(mac[:size-1]), mac[size-1]^1)} {
			if _, err := k.VerifyMAC(ctx, c, u, message, bad); code(err) != "KMSInvalidMacException" {
				t.Errorf("%s with %x: %v", bits, bad, err)
			}
		}
		if _, err := k.VerifyMAC(ctx, c, u, []byte("an odder"), mac); code(err) != "KMSInvalidMacException" {
			t.Errorf("%s with another message: %v", bits, err)
		}
		u.KeyID = makeKey(t, k, c, trellis.KeySpec("HMAC_"+bits), trellis.KeyAuthenticates).ID
		if _, err := k.VerifyMAC(ctx, c, u, message, mac); code(err) != "KMSInvalidMacException" {
			t.Errorf("%s with another key: %v", bits, err)
		}
		u.KeyID = encrypts.ID
		if _, _, err := k.MAC(ctx, c, u, message); code(err) != "InvalidKeyUsageException" {
			t.Errorf("%s with a key that encrypts: %v", bits, err)
		}
	}
}

// TestDataPairs makes pairs of every spec under a symmetric key: the private key that is decrypted belongs to the public one.
func TestDataPairs(t *testing.T) {
	k, _, c, made := keys(t, "500000000116")
	u := key.Use{Action: "kms:GenerateDataKeyPair", KeyID: made.ID, Context: map[string]string{"order": "17"}}
	for _, spec := range []trellis.KeySpec{"RSA_2048", "ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521", "ECC_NIST_EDWARDS25519"} {
		p, err := k.DataKeyPair(t.Context(), c, u, spec)
		if err != nil {
			t.Fatalf("%s: %v", spec, err)
		}
		d, err := k.Decrypt(t.Context(), c, key.Use{Action: "kms:Decrypt", Context: u.Context}, p.Ciphertext, false)
		if err != nil || !bytes.Equal(d.Plaintext, p.Plaintext) {
			t.Fatalf("%s: %v", spec, err)
		}
		private, err := x509.ParsePKCS8PrivateKey(d.Plaintext)
		if err != nil {
			t.Fatalf("%s: %v", spec, err)
		}
		if der := must(x509.MarshalPKIXPublicKey(private.(crypto.Signer).Public())); !bytes.Equal(der, p.Public) {
			t.Errorf("%s: the private key is not the public one's", spec)
		}
	}
	if _, err := k.DataKeyPair(t.Context(), c, u, "ECC_SECG_P256K1"); code(err) != "UnsupportedOperationException" {
		t.Errorf("a pair that Go does not know: %v", err)
	}
}

// TestNewKeys refuses keys that there are not.
func TestNewKeys(t *testing.T) {
	k, _, c, _ := keys(t, "500000000117")
	for _, try := range []struct {
		spec  trellis.KeySpec
		usage trellis.KeyUsage
		want  string
	}{
		{"", "", ""}, {trellis.KeySymmetric, "", ""}, {trellis.KeySymmetric, trellis.KeyEncrypts, ""},
		{trellis.KeySymmetric, trellis.KeySigns, "ValidationException"}, {"RSA_2048", "", "ValidationException"}, {"RSA_2048", trellis.KeyAuthenticates, "ValidationException"},
		{"ECC_NIST_P256", trellis.KeyEncrypts, "ValidationException"}, {"HMAC_256", trellis.KeySigns, "ValidationException"}, {"ECC_NIST_EDWARDS25519", trellis.KeyAgrees, "ValidationException"},
		{"SM2", trellis.KeySigns, "UnsupportedOperationException"}, {"ECC_SECG_P256K1", trellis.KeySigns, "UnsupportedOperationException"}, {"ML_DSA_44", trellis.KeySigns, "UnsupportedOperationException"},
	} {
		if _, _, err := k.Create(t.Context(), c, key.NewKey{Spec: try.spec, Usage: try.usage}); code(err) != try.want {
			t.Errorf("%s %s: %v, want %q", try.spec, try.usage, err, try.want)
		}
	}
}

// TestTrials asks whether uses of keys would succeed.
func TestTrials(t *testing.T) {
	k, _, c, made := keys(t, "500000000118")
	ctx := t.Context()
	e, err := k.Encrypt(ctx, c, key.Use{Action: "kms:Encrypt", KeyID: made.ID}, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	trial := key.Use{Action: "kms:Encrypt", KeyID: made.ID, DryRun: true}
	if _, err := k.Encrypt(ctx, c, trial, []byte("x")); code(err) != "DryRunOperationException" {
		t.Errorf("encrypt: %v", err)
	}
	if _, err := k.Encrypt(ctx, caller(t, "500000000118", "nobody", "s3:*"), trial, []byte("x")); code(err) != "AccessDeniedException" {
		t.Errorf("encrypt, as nobody: %v", err)
	}
	trial.Action = "kms:Decrypt"
	for name, try := range map[string]struct {
		text  []byte
		blind bool
		want  string
	}{"good": {e.Ciphertext, false, "DryRunOperationException"}, "broken": {e.Ciphertext[1:], false, "InvalidCiphertextException"}, "blind": {nil, true, "DryRunOperationException"}} {
		if d, err := k.Decrypt(ctx, c, trial, try.text, try.blind); code(err) != try.want || d.Plaintext != nil {
			t.Errorf("decrypt, %s: %v", name, err)
		}
		if _, _, err := k.ReEncrypt(ctx, c, trial, trial, try.text, try.blind); code(err) != try.want {
			t.Errorf("re-encrypt, %s: %v", name, err)
		}
	}
	signs := makeKey(t, k, c, "ECC_NIST_P256", trellis.KeySigns)
	if _, _, err := k.Sign(ctx, c, key.Use{Action: "kms:Sign", KeyID: signs.ID, Algorithm: "ECDSA_SHA_256", DryRun: true}, key.Message{Type: "RAW"}); code(err) != "DryRunOperationException" {
		t.Errorf("sign: %v", err)
	}
	if p, err := k.DataKeyPair(ctx, c, key.Use{Action: "kms:GenerateDataKeyPair", KeyID: made.ID, DryRun: true}, "RSA_4096"); code(err) != "DryRunOperationException" || p.Public != nil {
		t.Errorf("a pair: %v", err)
	}
}
