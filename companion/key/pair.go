package key

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"hash"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

// oaep are the hashes of the algorithms that encrypt to public keys.
var oaep = map[string]func() hash.Hash{"RSAES_OAEP_SHA_1": sha1.New, "RSAES_OAEP_SHA_256": sha256.New}

// encryptTo encrypts to the public key of a pair.
func encryptTo(key *trellis.Key, algorithm string, plaintext []byte) ([]byte, error) {
	pair, err := private(key)
	if err != nil {
		return nil, err
	}
	public := pair.Public().(*rsa.PublicKey) // no other keys encrypt
	h := oaep[algorithm]()
	if room := public.Size() - 2*h.Size() - 2; len(plaintext) > room {
		return nil, fault("ValidationException", "Algorithm %s and key spec %s cannot encrypt data larger than %d bytes.", algorithm, key.Spec, room)
	}
	return rsa.EncryptOAEP(h, rand.Reader, public, plaintext, nil)
}

// decryptBy decrypts by the private key of a pair.
func decryptBy(key *trellis.Key, algorithm string, ciphertext []byte) ([]byte, error) {
	pair, err := private(key)
	if err != nil {
		return nil, err
	}
	text, err := rsa.DecryptOAEP(oaep[algorithm](), nil, pair.(*rsa.PrivateKey), ciphertext, nil)
	if err != nil {
		return nil, badCiphertext()
	}
	return text, nil
}

// Message is what is signed.
type Message struct {
	Text []byte
	Type string // RAW, DIGEST: it is the hash of what is signed; or EXTERNAL_MU, which no key here takes
}

// signing is what a signing algorithm does with a message.
type signing struct {
	hash crypto.Hash // zero: the message itself is signed
	opts crypto.SignerOpts
}

// signings are the signing algorithms. Salts of PSS are as long as the hash (KMS developer guide, key specs).
var signings = map[string]signing{
	"RSASSA_PKCS1_V1_5_SHA_256": {crypto.SHA256, crypto.SHA256},
	"RSASSA_PKCS1_V1_5_SHA_384": {crypto.SHA384, crypto.SHA384},
	"RSASSA_PKCS1_V1_5_SHA_512": {crypto.SHA512, crypto.SHA512},
	"RSASSA_PSS_SHA_256":        {crypto.SHA256, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}},
	"RSASSA_PSS_SHA_384":        {crypto.SHA384, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA384}},
	"RSASSA_PSS_SHA_512":        {crypto.SHA512, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA512}},
	"ECDSA_SHA_256":             {crypto.SHA256, crypto.SHA256},
	"ECDSA_SHA_384":             {crypto.SHA384, crypto.SHA384},
	"ECDSA_SHA_512":             {crypto.SHA512, crypto.SHA512},
	"ED25519_SHA_512":           {0, &ed25519.Options{}},
	"ED25519_PH_SHA_512":        {crypto.SHA512, &ed25519.Options{Hash: crypto.SHA512}},
}

// digest is what of a message an algorithm signs. Of Edwards25519 KMS takes only messages with the one algorithm, and only
// digests with the other, which it hashes once more (KMS API, Sign).
func (m Message) digest(algorithm string) ([]byte, error) {
	s := signings[algorithm]
	ed, isEd := s.opts.(*ed25519.Options)
	switch {
	case m.Type != "RAW" && m.Type != "DIGEST", isEd && (m.Type == "RAW") != (ed.Hash == 0):
		return nil, fault("ValidationException", "The message type %s is not for the algorithm %s.", m.Type, algorithm)
	case m.Type == "DIGEST" && len(m.Text) != s.hash.Size():
		return nil, fault("ValidationException", "Digest is invalid length for algorithm %s.", algorithm)
	case s.hash == 0, m.Type == "DIGEST" && !isEd:
		return m.Text, nil
	}
	h := s.hash.New()
	h.Write(m.Text)
	return h.Sum(nil), nil
}

// signing is the use of a key that signs or verifies a message.
func (u Use) signing(k *Keys, m Message) use {
	return u.with(k, trellis.KeySigns, u.Algorithm, map[string][]string{"kms:signingalgorithm": {u.Algorithm}, "kms:messagetype": {m.Type}})
}

// Sign signs a message. It returns the ARN of the key, too.
func (k *Keys) Sign(ctx context.Context, c *authpolicy.Caller, u Use, m Message) (signature []byte, arn string, err error) {
	err = k.read(ctx, c, u.KeyID, u.signing(k, m), func(_ *store.Tx, key *trellis.Key) error {
		arn = key.ARN(k.Region)
		digest, err := m.digest(u.Algorithm)
		if err != nil {
			return err
		}
		pair, err := private(key)
		if err != nil {
			return err
		}
		signature, err = pair.Sign(rand.Reader, digest, signings[u.Algorithm].opts)
		return err
	})
	return signature, arn, err
}

// Verify refuses a signature that is not the key's for the message. It returns the ARN of the key.
func (k *Keys) Verify(ctx context.Context, c *authpolicy.Caller, u Use, m Message, signature []byte) (arn string, err error) {
	err = k.read(ctx, c, u.KeyID, u.signing(k, m), func(_ *store.Tx, key *trellis.Key) error {
		arn = key.ARN(k.Region)
		digest, err := m.digest(u.Algorithm)
		if err != nil {
			return err
		}
		pair, err := private(key)
		if err != nil {
			return err
		}
		if !signings[u.Algorithm].verify(pair.Public(), digest, signature) {
			return fault("KMSInvalidSignatureException", "")
		}
		return nil
	})
	return arn, err
}

// verify tells whether a signature of a digest is a key's.
func (s signing) verify(public crypto.PublicKey, digest, signature []byte) bool {
	switch public := public.(type) {
	case *rsa.PublicKey:
		if pss, is := s.opts.(*rsa.PSSOptions); is {
			return rsa.VerifyPSS(public, s.hash, digest, signature, pss) == nil
		}
		return rsa.VerifyPKCS1v15(public, s.hash, digest, signature) == nil
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(public, digest, signature)
	case ed25519.PublicKey:
		return ed25519.VerifyWithOptions(public, digest, signature, s.opts.(*ed25519.Options)) == nil
	}
	return false
}

// PublicKey returns a key that is a pair, and its public key in DER.
func (k *Keys) PublicKey(ctx context.Context, c *authpolicy.Caller, id string, tokens []string) (key *trellis.Key, der []byte, err error) {
	isPair := func(key *trellis.Key) error {
		if specs[key.Spec].pair == nil {
			return fault("UnsupportedOperationException", "%s key spec is %s which is not valid for GetPublicKey.", key.ARN(k.Region), key.Spec)
		}
		return nil
	}
	err = k.read(ctx, c, id, use{action: "kms:GetPublicKey", tokens: tokens, usable: true, fits: isPair}, func(_ *store.Tx, found *trellis.Key) error {
		key = found
		pair, err := private(key)
		if err != nil {
			return err
		}
		der, err = x509.MarshalPKIXPublicKey(pair.Public())
		return err
	})
	return key, der, err
}

// SharedSecret is what a key and the public key of another, in DER, agree upon.
func (k *Keys) SharedSecret(ctx context.Context, c *authpolicy.Caller, u Use, peer []byte) (agreed []byte, arn string, err error) {
	bad := fault("ValidationException", "The public key is none of the curve of the key.")
	asked := u.with(k, trellis.KeyAgrees, u.Algorithm, map[string][]string{"kms:keyagreementalgorithm": {u.Algorithm}})
	err = k.read(ctx, c, u.KeyID, asked, func(_ *store.Tx, key *trellis.Key) error {
		arn = key.ARN(k.Region)
		pair, err := private(key)
		if err != nil {
			return err
		}
		mine, err := pair.(*ecdsa.PrivateKey).ECDH() // no other keys agree
		if err != nil {
			return err
		}
		parsed, err := x509.ParsePKIXPublicKey(peer)
		if err != nil {
			return bad
		}
		other, ok := parsed.(*ecdsa.PublicKey)
		if !ok {
			return bad
		}
		theirs, err := other.ECDH()
		if err != nil {
			return bad
		}
		if agreed, err = mine.ECDH(theirs); err != nil {
			return bad
		}
		return nil
	})
	return agreed, arn, err
}

// macs are the hashes of the algorithms that authenticate.
var macs = map[string]func() hash.Hash{"HMAC_SHA_224": sha256.New224, "HMAC_SHA_256": sha256.New, "HMAC_SHA_384": sha512.New384, "HMAC_SHA_512": sha512.New}

// MAC is the code that authenticates a message. It returns the ARN of the key, too.
func (k *Keys) MAC(ctx context.Context, c *authpolicy.Caller, u Use, message []byte) (code []byte, arn string, err error) {
	asked := u.with(k, trellis.KeyAuthenticates, u.Algorithm, map[string][]string{"kms:macalgorithm": {u.Algorithm}})
	err = k.read(ctx, c, u.KeyID, asked, func(_ *store.Tx, key *trellis.Key) error {
		arn = key.ARN(k.Region)
		code, err = macOf(key, u.Algorithm, message)
		return err
	})
	return code, arn, err
}

// macOf is the code that authenticates a message.
func macOf(key *trellis.Key, algorithm string, message []byte) ([]byte, error) {
	material, err := secret(key)
	if err != nil {
		return nil, err
	}
	h := hmac.New(macs[algorithm], material)
	h.Write(message)
	return h.Sum(nil), nil
}

// VerifyMAC refuses a code that does not authenticate a message. It returns the ARN of the key.
func (k *Keys) VerifyMAC(ctx context.Context, c *authpolicy.Caller, u Use, message, code []byte) (arn string, err error) {
	asked := u.with(k, trellis.KeyAuthenticates, u.Algorithm, map[string][]string{"kms:macalgorithm": {u.Algorithm}})
	err = k.read(ctx, c, u.KeyID, asked, func(_ *store.Tx, key *trellis.Key) error {
		arn = key.ARN(k.Region)
		want, err := macOf(key, u.Algorithm, message)
		if err == nil && !hmac.Equal(want, code) {
			err = fault("KMSInvalidMacException", "")
		}
		return err
	})
	return arn, err
}

// DataPair is a pair of keys for use elsewhere.
type DataPair struct {
	Encrypted        // the private key in PKCS #8, and encrypted
	Public    []byte // in DER
}

// DataKeyPair makes a pair of keys and encrypts the private one.
func (k *Keys) DataKeyPair(ctx context.Context, c *authpolicy.Caller, u Use, of trellis.KeySpec) (p DataPair, err error) {
	made := specs[of]
	if made.pair == nil {
		return p, fault("UnsupportedOperationException", "Trellis makes no pairs of the spec %s.", of)
	}
	u.keys = map[string][]string{"kms:datakeypairspec": {string(of)}}
	if err := k.read(ctx, c, u.KeyID, u.encryption(k), func(*store.Tx, *trellis.Key) error { return nil }); err != nil {
		return p, err // before a pair is made for nobody
	}
	pair, err := made.pair()
	if err != nil {
		return p, err
	}
	if p.Public, err = x509.MarshalPKIXPublicKey(pair.Public()); err != nil {
		return p, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(pair)
	if err != nil {
		return p, err
	}
	p.Encrypted, err = k.Encrypt(ctx, c, u, private)
	p.Plaintext = private
	return p, err
}
