package key

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/trellis-project/trellis"
)

// symmetric is the algorithm of keys that encrypt and decrypt with one secret.
const symmetric = string(trellis.KeySymmetric)

// spec is what a spec of keys means: for what they are, by which algorithms, and what they are made of.
type spec struct {
	algorithms map[trellis.KeyUsage][]string // in KMS's order
	size       int                           // of the random bytes, for keys that are no pair
	pair       func() (crypto.Signer, error)
}

// specs are the specs of the keys that are made (KMS developer guide, key specs). What Go's library has no algorithm for is
// not among them.
var specs = map[trellis.KeySpec]spec{
	trellis.KeySymmetric:    {algorithms: map[trellis.KeyUsage][]string{trellis.KeyEncrypts: {symmetric}}, size: 32},
	"HMAC_224":              mac("HMAC_SHA_224", 28),
	"HMAC_256":              mac("HMAC_SHA_256", 32),
	"HMAC_384":              mac("HMAC_SHA_384", 48),
	"HMAC_512":              mac("HMAC_SHA_512", 64),
	"RSA_2048":              rsaKey(2048),
	"RSA_3072":              rsaKey(3072),
	"RSA_4096":              rsaKey(4096),
	"ECC_NIST_P256":         nist(elliptic.P256(), "ECDSA_SHA_256"),
	"ECC_NIST_P384":         nist(elliptic.P384(), "ECDSA_SHA_384"),
	"ECC_NIST_P521":         nist(elliptic.P521(), "ECDSA_SHA_512"),
	"ECC_NIST_EDWARDS25519": edwards(),
}

// mac is the spec of keys that authenticate.
func mac(algorithm string, size int) spec {
	return spec{algorithms: map[trellis.KeyUsage][]string{trellis.KeyAuthenticates: {algorithm}}, size: size}
}

// rsaKey is the spec of RSA keys of some bits.
func rsaKey(bits int) spec {
	return spec{
		algorithms: map[trellis.KeyUsage][]string{
			trellis.KeyEncrypts: {"RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"},
			trellis.KeySigns: {"RSASSA_PKCS1_V1_5_SHA_256", "RSASSA_PKCS1_V1_5_SHA_384", "RSASSA_PKCS1_V1_5_SHA_512",
				"RSASSA_PSS_SHA_256", "RSASSA_PSS_SHA_384", "RSASSA_PSS_SHA_512"},
		},
		pair: func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, bits) },
	}
}

// nist is the spec of keys on one of NIST's curves.
func nist(curve elliptic.Curve, signing string) spec {
	return spec{
		algorithms: map[trellis.KeyUsage][]string{trellis.KeySigns: {signing}, trellis.KeyAgrees: {"ECDH"}},
		pair:       func() (crypto.Signer, error) { return ecdsa.GenerateKey(curve, rand.Reader) },
	}
}

// edwards is the spec of keys on Edwards25519.
func edwards() spec {
	return spec{
		algorithms: map[trellis.KeyUsage][]string{trellis.KeySigns: {"ED25519_SHA_512", "ED25519_PH_SHA_512"}},
		pair: func() (crypto.Signer, error) {
			_, private, err := ed25519.GenerateKey(rand.Reader)
			return private, err
		},
	}
}

// material makes what a key of the spec is made of.
func (s spec) material() ([]byte, error) {
	if s.pair == nil {
		return Random(s.size), nil
	}
	private, err := s.pair()
	if err != nil {
		return nil, err
	}
	return x509.MarshalPKCS8PrivateKey(private)
}

// Algorithms are those that a key can be used with, in KMS's order.
func Algorithms(key *trellis.Key) []string { return specs[key.Spec].algorithms[key.Usage] }

// suits refuses an algorithm that a key is not for.
func suits(key *trellis.Key, arn, action string, usage trellis.KeyUsage, algorithm string) error {
	operation := strings.TrimPrefix(action, "kms:")
	if key.Usage != usage {
		return fault("InvalidKeyUsageException", "%s key usage is %s which is not valid for %s.", arn, key.Usage, operation)
	}
	if strings.HasPrefix(operation, "GenerateDataKey") && key.Spec != trellis.KeySymmetric {
		return fault("InvalidKeyUsageException", "%s key spec is %s which is not valid for %s.", arn, key.Spec, operation)
	}
	for _, known := range Algorithms(key) {
		if known == algorithm {
			return nil
		}
	}
	return fault("InvalidKeyUsageException", "Algorithm %s is incompatible with key spec %s.", algorithm, key.Spec)
}

// secret is what a key is made of.
func secret(key *trellis.Key) ([]byte, error) {
	b, err := hex.DecodeString(key.Materials[0].Secret.Reveal())
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", key.ID, err)
	}
	return b, nil
}

// private is the private key that a key is.
func private(key *trellis.Key) (crypto.Signer, error) {
	der, err := secret(key)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", key.ID, err)
	}
	signer, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("key %s: %T is no private key of a pair", key.ID, parsed)
	}
	return signer, nil
}
