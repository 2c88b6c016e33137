package certificate

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/trellis-project/trellis"
)

// How long what an authority makes is valid. A leaf is renewed at two thirds of its life, so that a month is left
// for whatever keeps a renewal from happening.
const (
	rootLife = 10 * 365 * 24 * time.Hour
	leafLife = 90 * 24 * time.Hour
)

// early is how long before it is made a certificate becomes valid, for clients whose clocks are slow.
const early = time.Hour

// maxCommonName is the most bytes of a common name (RFC 5280, appendix A.1, ub-common-name).
const maxCommonName = 64

// NewAuthority makes the root of a certificate authority. Its key is RSA, since clients of TLS 1.2 that know no
// ECDSA must verify what it signs (docs/decisions/0011-an-authority-of-its-own.md). No two installations' roots have
// the same name.
func NewAuthority(now time.Time) (*trellis.Authority, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("make the authority's key: %w", err)
	}
	root := &x509.Certificate{
		SerialNumber: newSerial(), Subject: pkix.Name{Organization: []string{"Trellis"}, CommonName: "Trellis Root CA " + trellis.RandomHex(8)},
		NotBefore: now.Add(-early).UTC().Truncate(time.Second), NotAfter: now.Add(rootLife).UTC().Truncate(time.Second),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
		SignatureAlgorithm: x509.SHA256WithRSA,
	}
	der, err := x509.CreateCertificate(rand.Reader, root, root, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make the authority's certificate: %w", err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("make the authority's key: %w", err)
	}
	return &trellis.Authority{Certificate: encode(pemCertificate, der), PrivateKey: trellis.NewSecret(encode(pemKey, private)), NotAfter: root.NotAfter}, nil
}

// EndsSoon tells whether an authority is so near to its end that leaves of a full life would outlive it: another
// one must take its place.
func EndsSoon(a *trellis.Authority, now time.Time) bool { return a.NotAfter.Before(now.Add(leafLife)) }

// newSerial is a positive random number of 16 bytes.
func newSerial() *big.Int {
	b := make([]byte, 16)
	rand.Read(b) // never fails (crypto/rand, Go 1.24)
	b[0] = b[0]&0x7f | 0x40
	return new(big.Int).SetBytes(b)
}

// Authority issues certificates.
type Authority struct {
	root *x509.Certificate
	key  crypto.Signer
}

// Open reads an authority from its noun.
func Open(a *trellis.Authority) (*Authority, error) {
	block, _ := pem.Decode([]byte(a.Certificate))
	if block == nil {
		return nil, errors.New("open the authority: its certificate is not PEM")
	}
	root, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("open the authority: %w", err)
	}
	key, err := parseKey([]byte(a.PrivateKey.Reveal()))
	if err != nil {
		return nil, fmt.Errorf("open the authority: %w", err)
	}
	return &Authority{root, key}, nil
}

// Issue makes a key and a certificate for names, of which the first is the common name where it fits.
func (a *Authority) Issue(names []string, algorithm trellis.KeyAlgorithm, now time.Time) (*Pair, error) {
	key, err := newKey(algorithm)
	if err != nil {
		return nil, fmt.Errorf("issue a certificate: %w", err)
	}
	from := now.Add(-early).UTC().Truncate(time.Second)
	leaf := &x509.Certificate{
		SerialNumber: newSerial(), DNSNames: names, NotBefore: from, NotAfter: from.Add(leafLife - time.Second),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, SignatureAlgorithm: x509.SHA256WithRSA,
	}
	if _, ok := key.(*rsa.PrivateKey); ok {
		leaf.KeyUsage |= x509.KeyUsageKeyEncipherment // for the suites of TLS 1.2 that exchange keys by RSA
	}
	if len(names) > 0 && len(names[0]) <= maxCommonName {
		leaf.Subject.CommonName = names[0]
	}
	if leaf.NotAfter.After(a.root.NotAfter) {
		leaf.NotAfter = a.root.NotAfter
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, a.root, key.Public(), a.key)
	if err != nil {
		return nil, fmt.Errorf("issue a certificate: %w", err)
	}
	if leaf, err = x509.ParseCertificate(der); err != nil {
		return nil, fmt.Errorf("issue a certificate: %w", err)
	}
	return newPair(leaf, []*x509.Certificate{a.root}, key)
}

// newKey makes a private key of an algorithm that RequestCertificate takes.
func newKey(algorithm trellis.KeyAlgorithm) (crypto.Signer, error) {
	switch algorithm {
	case trellis.RSA2048:
		return rsa.GenerateKey(rand.Reader, 2048)
	case trellis.ECP256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case trellis.ECP384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	}
	return nil, fmt.Errorf("no keys of algorithm %q are made", algorithm)
}

// RenewAt is when a certificate that the authority issued is to be renewed: at two thirds of its life.
func RenewAt(c *trellis.Certificate) time.Time {
	return c.NotBefore.Add(c.NotAfter.Sub(c.NotBefore) / 3 * 2)
}
