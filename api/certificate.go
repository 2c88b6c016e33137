package api

import (
	"crypto/x509"
	"net/http"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/sigv4"
)

// Certificate is what a request was signed by the key of. Only that the caller has the key is proven.
type Certificate struct {
	Leaf  *x509.Certificate
	Chain [][]byte // DER of what came with it, as it was sent
}

// ByCertificate takes only requests of the operation that are signed by the key of a certificate, which Call.Certificate
// is then; whether it is trusted is the operation's to find out. The call's Caller is anonymous.
func (o Operation) ByCertificate() Operation {
	o.byCertificate = true
	return o
}

// signature finds a request's signature: by the key of a certificate, or by a secret.
func (x *exchange) signature() (sigv4.Authorization, bool, error) {
	certificate, signed, err := sigv4.ParseX509(&x.signed)
	switch {
	case !signed:
		return sigv4.Parse(&x.signed)
	case err != nil:
		return sigv4.Authorization{}, true, err
	}
	x.certificate = certificate
	return certificate.Authorization, true, nil
}

// certify verifies a signature by the key of a certificate.
func (x *exchange) certify(c sigv4.Check) error {
	if err := sigv4.VerifyX509(&x.signed, x.certificate, c); err != nil {
		return signatureError(err)
	}
	x.call.Caller = &authpolicy.Caller{Principal: trellis.Principal{Type: trellis.PrincipalAnonymous}}
	x.call.Certificate, x.call.Region = &Certificate{x.certificate.Leaf, x.certificate.Chain}, x.certificate.Region
	return nil
}

// fits refuses a request whose sort of signature the operation does not take.
func (x *exchange) fits(row *Operation) error {
	switch {
	case row.byCertificate && x.call.Certificate == nil:
		return trellis.NewError(http.StatusForbidden, codeAccessDenied, "%s must be signed by the key of an X.509 certificate (%s or %s)", row.Name, sigv4.X509RSA, sigv4.X509ECDSA)
	case !row.byCertificate && x.certificate != nil:
		return trellis.NewError(http.StatusForbidden, codeAccessDenied, "%s can't be signed by the key of an X.509 certificate", row.Name)
	}
	return nil
}
