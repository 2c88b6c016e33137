package certificate

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

// Bounds of a client's chain, so that nobody makes a node check signatures for long. crypto/x509 itself tries at most
// a hundred of them for one path.
const (
	maxBundle        = 50 // certificates of a trust anchor
	maxIntermediates = 5  // certificates that come with a client's
	minClientRSABits = 2048
)

// Anchor is a trust anchor: the certificates that a client's chain must end at, and which of what they certify is
// revoked. It is immutable and safe for concurrent use.
type Anchor struct {
	pool    *x509.CertPool
	revoked []*Revoked
}

// ParseBundle reads the certificates of a trust anchor: authorities of X.509 version 3 that may sign certificates, with
// SHA-256 or stronger (IAM Roles Anywhere user guide, trust-model), that have not expired; with the zero time whether they
// have is not asked. The error is a ValidationException.
func ParseBundle(bundle []byte, now time.Time) ([]*x509.Certificate, error) {
	var all []*x509.Certificate
	for rest := bundle; len(bytes.TrimSpace(rest)) > 0; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil || block.Type != pemCertificate {
			return nil, invalid("The certificate bundle is not in a valid PEM format.")
		}
		if len(all) == maxBundle {
			return nil, invalid("The certificate bundle has more than %d certificates.", maxBundle)
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, invalid("Unable to parse certificate %d of the bundle.", len(all)+1)
		}
		if fault := authorityFault(c, now); fault != "" {
			return nil, invalid("Certificate %d of the bundle %s.", len(all)+1, fault)
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, invalid("The certificate bundle holds no certificate.")
	}
	return all, nil
}

// authorityFault is why a certificate can't be a trust anchor's, empty when it can.
func authorityFault(c *x509.Certificate, now time.Time) string {
	switch {
	case c.Version != 3:
		return "is not an X.509 version 3 certificate"
	case !c.BasicConstraintsValid || !c.IsCA:
		return "is not a CA certificate: its basic constraints must include CA: true"
	case c.KeyUsage&x509.KeyUsageCertSign == 0:
		return "may not sign certificates: its key usage must include Certificate Sign"
	case !now.IsZero() && now.After(c.NotAfter):
		return "has expired"
	case weakSignature(c.SignatureAlgorithm):
		return "is signed with less than SHA-256"
	}
	if err := clientKeyFault(c); err != nil {
		return err.Error()
	}
	return ""
}

// weakSignature tells algorithms whose digest is shorter than SHA-256's, and unknown ones.
func weakSignature(a x509.SignatureAlgorithm) bool {
	switch a {
	case x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA, x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS,
		x509.SHA512WithRSAPSS, x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512:
		return false
	}
	return true
}

// clientKeyFault refuses keys that are no RSA key of 2048 bits at least and no ECDSA key on a curve of NIST's.
func clientKeyFault(c *x509.Certificate) error {
	switch k := c.PublicKey.(type) {
	case *rsa.PublicKey:
		if n := k.N.BitLen(); n < minClientRSABits || n > maxRSABits {
			return fmt.Errorf("has an RSA key of %d bits: %d to %d are taken", n, minClientRSABits, maxRSABits)
		}
		return nil
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() || k.Curve == elliptic.P384() || k.Curve == elliptic.P521() {
			return nil
		}
	}
	return errors.New("has a key that is neither RSA nor ECDSA on P-256, P-384 or P-521")
}

// NewAnchor makes a trust anchor of its bundle and of the lists that revoke what its authorities certify.
func NewAnchor(bundle []*x509.Certificate, revoked []*Revoked) *Anchor {
	a := &Anchor{x509.NewCertPool(), revoked}
	for _, c := range bundle {
		a.pool.AddCert(c)
	}
	return a
}

// Errors of Verify. What wraps them says more, for the operator.
var (
	ErrInsufficient = errors.New("insufficient certificate") // can't be a client's, whoever signed it
	ErrUntrusted    = errors.New("untrusted certificate")    // no path leads to the anchor now
	ErrRevoked      = errors.New("revoked certificate")
)

// Verify looks for a path from a client's certificate, over those that came with it, to the anchor (RFC 5280, section 6):
// all valid now, with signatures of SHA-256 or stronger and sufficient keys, and none of them revoked. purpose is what an
// extended key usage must have where there is one, or ExtKeyUsageAny. It returns when the first certificate of the path
// ends. The error wraps ErrInsufficient, ErrUntrusted or ErrRevoked.
func (a *Anchor) Verify(leaf *x509.Certificate, intermediates []*x509.Certificate, purpose x509.ExtKeyUsage, now time.Time) (until time.Time, err error) {
	if fault := leafFault(leaf); fault != "" {
		return until, fmt.Errorf("%w: it %s", ErrInsufficient, fault)
	}
	if len(intermediates) > maxIntermediates {
		return until, fmt.Errorf("%w: more than %d certificates come with it", ErrUntrusted, maxIntermediates)
	}
	between := x509.NewCertPool()
	for _, c := range intermediates {
		if clientKeyFault(c) == nil && !weakSignature(c.SignatureAlgorithm) {
			between.AddCert(c)
		}
	}
	paths, err := leaf.Verify(x509.VerifyOptions{Roots: a.pool, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{purpose}})
	if err != nil {
		return until, fmt.Errorf("%w: %w", ErrUntrusted, err)
	}
	err = ErrUntrusted
	for _, path := range paths {
		if err = a.check(path); err == nil {
			return end(path), nil
		}
	}
	return until, err
}

// check asks the lists about a path.
func (a *Anchor) check(path []*x509.Certificate) error {
	for i, c := range path[:len(path)-1] {
		for _, r := range a.revoked {
			if r.revokes(c, path[i+1]) {
				return fmt.Errorf("%w: number %x of %q", ErrRevoked, c.SerialNumber, c.Issuer)
			}
		}
	}
	return nil
}

// end is when the first certificate of a path ends.
func end(path []*x509.Certificate) time.Time {
	until := path[0].NotAfter
	for _, c := range path[1:] {
		if c.NotAfter.Before(until) {
			until = c.NotAfter
		}
	}
	return until
}

// leafFault is why a certificate can't be a client's, empty when it can (IAM Roles Anywhere user guide, trust-model).
func leafFault(c *x509.Certificate) string {
	switch {
	case c.Version != 3:
		return "is not an X.509 version 3 certificate"
	case c.IsCA: // without the extension it is none (RFC 5280, section 4.2.1.9)
		return "is a CA certificate"
	case c.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		return "may not be signed with: its key usage must include Digital Signature"
	case weakSignature(c.SignatureAlgorithm):
		return "is signed with less than SHA-256"
	}
	if err := clientKeyFault(c); err != nil {
		return err.Error()
	}
	return ""
}
