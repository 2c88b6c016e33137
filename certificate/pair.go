package certificate

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"time"

	"github.com/trellis-project/trellis"
)

// The labels of PEM blocks (RFC 7468; the older ones are OpenSSL's).
const (
	pemCertificate  = "CERTIFICATE"
	pemKey          = "PRIVATE KEY"
	pemKeyRSA       = "RSA PRIVATE KEY"
	pemKeyEC        = "EC PRIVATE KEY"
	pemKeyEncrypted = "ENCRYPTED PRIVATE KEY"
	pemECParameters = "EC PARAMETERS"
)

// Bounds of what is imported, so that nobody makes a node check signatures for long.
const (
	maxChain   = 20   // certificates
	maxRSABits = 8192 // of a key in the chain, as in crypto/tls
)

// Pair is a certificate, what certifies it, and its private key.
type Pair struct {
	Leaf        *x509.Certificate
	Body, Chain string         // PEM
	Key         trellis.Secret // PEM, PKCS #8
	Algorithm   trellis.KeyAlgorithm
}

// Parse reads PEM as ImportCertificate takes it: a certificate, its private key in PKCS #8, PKCS #1 or SEC 1, not
// encrypted, and the chain of those that certify it, which only a self-signed certificate goes without. The error
// is a ValidationException, in AWS's words where they are known (ACM user guide, import prerequisites and
// troubleshooting). It never holds what was given.
func Parse(body, key, chain []byte, now time.Time) (*Pair, error) {
	leaf, err := parseLeaf(body, now)
	if err != nil {
		return nil, err
	}
	signers, err := parseChain(chain)
	if err != nil {
		return nil, err
	}
	private, err := parseKey(key)
	if err != nil {
		return nil, err
	}
	p, err := newPair(leaf, signers, private)
	if err != nil {
		return nil, err
	}
	if public, ok := leaf.PublicKey.(interface{ Equal(crypto.PublicKey) bool }); !ok || !public.Equal(private.Public()) {
		return nil, invalid("The private key does not match the certificate. Provide the private key of the certificate.")
	}
	return p, certified(leaf, signers)
}

// newPair writes a pair in PEM.
func newPair(leaf *x509.Certificate, signers []*x509.Certificate, private crypto.Signer) (*Pair, error) {
	p := &Pair{Leaf: leaf, Body: encode(pemCertificate, leaf.Raw)}
	for _, s := range signers {
		p.Chain += encode(pemCertificate, s.Raw)
	}
	var err error
	if p.Algorithm, err = algorithm(private.Public()); err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, invalid("The private key is not supported.")
	}
	p.Key = trellis.NewSecret(encode(pemKey, der))
	return p, nil
}

// encode writes one PEM block.
func encode(label string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der}))
}

// parseLeaf reads the certificate itself.
func parseLeaf(body []byte, now time.Time) (*x509.Certificate, error) {
	block, rest := pem.Decode(body)
	if block == nil || block.Type != pemCertificate {
		return nil, invalid("Unable to parse certificate. Please ensure the certificate is in PEM format.")
	}
	if more, _ := pem.Decode(rest); more != nil {
		return nil, invalid("The certificate field contains more than one certificate. You can specify only one certificate in this field.")
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	switch {
	case err != nil:
		return nil, invalid("Unable to parse certificate. Please ensure the certificate is in PEM format.")
	case leaf.Version != 3:
		return nil, invalid("The certificate is not an X.509 version 3 certificate.")
	case now.Before(leaf.NotBefore):
		return nil, invalid("The certificate is not valid yet. You can import a certificate from its NotBefore on.")
	case now.After(leaf.NotAfter):
		return nil, invalid("The certificate has expired.")
	}
	_, err = algorithm(leaf.PublicKey)
	return leaf, err
}

// parseChain reads the certificates of a chain; none is one too.
func parseChain(chain []byte) (signers []*x509.Certificate, err error) {
	for rest := chain; len(bytes.TrimSpace(rest)) > 0; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil || block.Type != pemCertificate {
			return nil, invalid("The certificate chain is not in a valid PEM format.")
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil || len(signers) == maxChain {
			return nil, invalid("Unable to parse certificate chain. Please ensure it has at most %d certificates in PEM format.", maxChain)
		}
		if k, ok := c.PublicKey.(*rsa.PublicKey); ok && k.N.BitLen() > maxRSABits {
			return nil, invalid("Unable to validate certificate chain. A key in it is longer than %d bits.", maxRSABits)
		}
		signers = append(signers, c)
	}
	return signers, nil
}

// certified checks that each certificate of a chain signed the one before it.
func certified(leaf *x509.Certificate, signers []*x509.Certificate) error {
	if len(signers) == 0 {
		if !bytes.Equal(leaf.RawIssuer, leaf.RawSubject) || leaf.CheckSignature(leaf.SignatureAlgorithm, leaf.RawTBSCertificate, leaf.Signature) != nil {
			return invalid("Provided certificate is not a valid self signed. Please provide either a valid self-signed certificate or certificate chain.")
		}
		return nil
	}
	for i, signer := range signers {
		signed := leaf
		if i > 0 {
			signed = signers[i-1]
		}
		if !bytes.Equal(signed.RawIssuer, signer.RawSubject) || signed.CheckSignatureFrom(signer) != nil {
			return invalid("Unable to validate certificate chain. The certificate chain must start with the immediate signing certificate, "+
				"followed by any intermediaries in order. The index within the chain of the invalid certificate is: %d", i)
		}
	}
	return nil
}

// parseKey reads a private key in any of its forms.
func parseKey(text []byte) (crypto.Signer, error) {
	block, rest := pem.Decode(text)
	for block != nil && block.Type == pemECParameters { // `openssl ecparam -genkey` writes them before the key
		block, rest = pem.Decode(rest)
	}
	if block == nil {
		return nil, invalid("The private key is not in a valid PEM format.")
	}
	if block.Type == pemKeyEncrypted || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
		return nil, invalid("The private key is encrypted. You can import only a private key that is not protected by a passphrase.")
	}
	if more, _ := pem.Decode(rest); more != nil {
		return nil, invalid("The private key field contains more than one key.")
	}
	var key any
	var err error
	switch block.Type {
	case pemKey:
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case pemKeyRSA:
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case pemKeyEC:
		key, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		return nil, invalid("The private key is not in a valid PEM format.")
	}
	signer, ok := key.(crypto.Signer)
	if err != nil || !ok {
		return nil, invalid("The private key is not supported.")
	}
	return signer, nil
}

// algorithm is what ACM calls the algorithm of a key, or an error when it does not take such keys.
func algorithm(public crypto.PublicKey) (trellis.KeyAlgorithm, error) {
	switch k := public.(type) {
	case *rsa.PublicKey:
		switch k.N.BitLen() {
		case 1024:
			return trellis.RSA1024, nil
		case 2048:
			return trellis.RSA2048, nil
		case 3072:
			return trellis.RSA3072, nil
		case 4096:
			return trellis.RSA4096, nil
		}
		return "", invalid("The private key length for key algorithm is not supported.")
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			return trellis.ECP256, nil
		case elliptic.P384():
			return trellis.ECP384, nil
		case elliptic.P521():
			return trellis.ECP521, nil
		}
	}
	return "", invalid("The private key algorithm is not supported.")
}

// invalid is ACM's ValidationException.
func invalid(format string, args ...any) error {
	return trellis.NewError(400, "ValidationException", format, args...)
}
