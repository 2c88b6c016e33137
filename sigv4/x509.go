package sigv4

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"strings"
)

// Algorithms of signatures by the private key of a certificate, which IAM Roles Anywhere takes (its user guide,
// authentication-sign-process): RSA with PKCS #1 v1.5, and ECDSA in DER. Both hash with SHA-256.
const (
	X509RSA   = "AWS4-X509-RSA-SHA256"
	X509ECDSA = "AWS4-X509-ECDSA-SHA256"
)

// Header fields of a signature by a certificate. The first is required; what is there of them must be signed.
const (
	certificateHeader = "x-amz-x509"
	chainHeader       = "x-amz-x509-chain"
)

// Bounds of what is parsed for who has not proven anything yet. AWS publishes none.
const (
	maxCertificate = 8 << 10 // bytes of DER of each certificate
	maxChain       = 5       // certificates besides the leaf
	minModulus     = 2048    // bits of an RSA key
	maxModulus     = 8192    // bits of an RSA key: a verification with more costs milliseconds
)

// X509 is what a request claims about its signature by a certificate. Its strings are parts of the request's own.
type X509 struct {
	// Authorization has the scope, the time and what was signed. Its AccessKeyID is the serial number of the
	// leaf in decimal digits, as ParseX509 has compared.
	Authorization
	Algorithm string            // X509RSA or X509ECDSA
	Leaf      *x509.Certificate // of X-Amz-X509; Leaf.Raw is its DER
	Chain     [][]byte          // of X-Amz-X509-Chain, each in DER, as it was sent: neither parsed nor trusted
}

// ParseX509 finds a signature by a certificate in the Authorization header. The bool is false for a request that has
// none, which may be signed otherwise (see Parse). The error is an *Error. Such a signature is never in the query.
func ParseX509(r *Request) (*X509, bool, error) {
	header, n := find(r.Headers, "authorization")
	algorithm, rest, _ := strings.Cut(trim(header), " ")
	if algorithm != X509RSA && algorithm != X509ECDSA {
		return nil, false, nil
	}
	if n > 1 {
		return nil, true, repeated("Authorization")
	}
	if presigned(r.RawQuery) {
		return nil, true, errTwice
	}
	x := &X509{Algorithm: algorithm}
	if err := x.parseParameters(rest); err != nil {
		return nil, true, err
	}
	if err := x.parseFields(r); err != nil {
		return nil, true, err
	}
	if err := x.parseCertificates(r); err != nil {
		return nil, true, err
	}
	return x, true, nil
}

// parseCertificates reads the two fields that hold certificates.
func (x *X509) parseCertificates(r *Request) error {
	leaf, n := find(r.Headers, certificateHeader)
	if n != 1 || !listed(x.SignedHeaders, certificateHeader) {
		return &Error{CodeIncomplete, "Request must contain exactly one signed 'X-Amz-X509' header."}
	}
	der, ok := decodeCertificate(leaf)
	if !ok {
		return errCertificate
	}
	var err error
	if x.Leaf, err = x509.ParseCertificate(der); err != nil || x.Leaf.Version != 3 {
		return errCertificate
	}
	if x.AccessKeyID != x.Leaf.SerialNumber.String() {
		return &Error{CodeInvalid, "Credential must begin with the serial number of the certificate in 'X-Amz-X509', in decimal digits."}
	}
	if !x.usable() {
		return &Error{CodeInvalid, "The key of the certificate in 'X-Amz-X509' must be RSA of 2048 to 8192 bits for " + X509RSA +
			", or ECDSA on P-256, P-384 or P-521 for " + X509ECDSA + "."}
	}
	chain, n := find(r.Headers, chainHeader)
	switch {
	case n == 0:
		return nil
	case n > 1 || !listed(x.SignedHeaders, chainHeader):
		return &Error{CodeIncomplete, "Request must contain at most one 'X-Amz-X509-Chain' header, and sign it."}
	}
	for more := true; more; {
		var p string
		p, chain, more = strings.Cut(chain, ",")
		der, ok := decodeCertificate(p)
		if !ok || len(x.Chain) == maxChain {
			return &Error{CodeInvalid, "'X-Amz-X509-Chain' must hold at most 5 certificates of at most 8192 bytes, base64-encoded DER, separated by commas."}
		}
		x.Chain = append(x.Chain, der)
	}
	return nil
}

// errCertificate refuses what is no certificate.
var errCertificate = &Error{CodeInvalid, "'X-Amz-X509' must hold one X.509 version 3 certificate of at most 8192 bytes, as base64-encoded DER."}

// decodeCertificate reads the base64 of one certificate in its one form, and does not look into it.
func decodeCertificate(s string) ([]byte, bool) {
	s = trim(s)
	if s == "" || len(s) > base64.StdEncoding.EncodedLen(maxCertificate) || strings.ContainsAny(s, "\r\n") {
		return nil, false
	}
	der, err := base64.StdEncoding.Strict().DecodeString(s)
	return der, err == nil && len(der) <= maxCertificate
}

// usable tells whether the leaf's key fits the algorithm and is neither weak nor costly.
func (x *X509) usable() bool {
	switch key := x.Leaf.PublicKey.(type) {
	case *rsa.PublicKey:
		return x.Algorithm == X509RSA && key.N.BitLen() >= minModulus && key.N.BitLen() <= maxModulus
	case *ecdsa.PublicKey:
		return x.Algorithm == X509ECDSA && key.Curve != elliptic.P224()
	}
	return false
}

// VerifyX509 returns nil when the request bears a signature by the private key of x.Leaf that is in scope and in
// time, else an *Error. The result of ParseX509 must be of the same request. Of the certificate it proves only that
// the caller has its key: whether it is in its time, may sign and is trusted is the caller's to find out.
// Payload hashes are as in Key.Verify.
func VerifyX509(r *Request, x *X509, c Check) error {
	payload, err := x.check(&c)
	if err != nil {
		return err
	}
	var buf []byte
	return x.verifyPublic(r, &c, x.Leaf.PublicKey, x.Algorithm, x.Region, payload, &buf)
}
