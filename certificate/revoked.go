package certificate

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"sync"
)

// pemCRL is the label of a list of revoked certificates (RFC 7468, section 6).
const pemCRL = "X509 CRL"

// maxCRL is the most bytes of a list (IAM Roles Anywhere API reference, ImportCrl).
const maxCRL = 300_000

// Revoked is a list of certificates that an authority has revoked: a CRL. Whether that authority has signed it is found
// out once for each authority that has.
type Revoked struct {
	list    *x509.RevocationList
	serials map[string]bool // bytes of the numbers
	signed  sync.Map        // nil by the raw certificate of an authority that has signed it
}

// ParseCRL reads a list in PEM or DER. The error is a ValidationException.
func ParseCRL(data []byte) (*Revoked, error) {
	if len(data) > maxCRL {
		return nil, invalid("The certificate revocation list is longer than %d bytes.", maxCRL)
	}
	if block, rest := pem.Decode(data); block != nil {
		if block.Type != pemCRL || len(bytes.TrimSpace(rest)) > 0 {
			return nil, invalid("The data must be one certificate revocation list in PEM format.")
		}
		data = block.Bytes
	}
	list, err := x509.ParseRevocationList(data)
	if err != nil {
		return nil, invalid("Unable to parse the certificate revocation list.")
	}
	if weakSignature(list.SignatureAlgorithm) {
		return nil, invalid("The certificate revocation list is signed with less than SHA-256.")
	}
	for _, e := range list.Extensions {
		if e.Critical && !e.Id.Equal(oidAuthorityKeyID) && !e.Id.Equal(oidCRLNumber) {
			// A partial list would say nothing of the others (RFC 5280, section 5.2).
			return nil, invalid("The certificate revocation list has the critical extension %s, which is not known.", e.Id)
		}
	}
	r := &Revoked{list: list, serials: make(map[string]bool, len(list.RevokedCertificateEntries))}
	for _, e := range list.RevokedCertificateEntries {
		if e.ReasonCode != removeFromCRL {
			r.serials[string(e.SerialNumber.Bytes())] = true
		}
	}
	return r, nil
}

// removeFromCRL is the reason of an entry that takes back what an earlier list says (RFC 5280, section 5.3.1).
const removeFromCRL = 8

// Object identifiers of extensions (RFC 5280, sections 4.2.1 and 5.2).
var (
	oidAuthorityKeyID = asn1.ObjectIdentifier{2, 5, 29, 35}
	oidCRLNumber      = asn1.ObjectIdentifier{2, 5, 29, 20}
	oidSAN            = asn1.ObjectIdentifier{2, 5, 29, 17}
)

// DER is the list as it is kept.
func (r *Revoked) DER() []byte { return r.list.Raw }

// CheckIssuer refuses a list that bears the name of one of these authorities, and that none of them has signed. A name of
// none of them may be that of an authority below them. The error is a ValidationException.
func (r *Revoked) CheckIssuer(authorities []*x509.Certificate) error {
	named := false
	for _, a := range authorities {
		if bytes.Equal(a.RawSubject, r.list.RawIssuer) {
			named = true
			if r.by(a) {
				return nil
			}
		}
	}
	if named {
		return invalid("The certificate revocation list is not signed by the authority that it names as its issuer.")
	}
	return nil
}

// by tells whether an authority has signed the list.
func (r *Revoked) by(authority *x509.Certificate) bool {
	if !bytes.Equal(authority.RawSubject, r.list.RawIssuer) {
		return false
	}
	key := string(authority.Raw)
	if _, known := r.signed.Load(key); known {
		return true
	}
	if r.list.CheckSignatureFrom(authority) != nil {
		return false // not remembered: there is no end of others
	}
	r.signed.Store(key, nil)
	return true
}

// revokes tells whether the list holds a certificate that an authority has issued. A list whose next update is overdue
// goes on holding: what is revoked stays so.
func (r *Revoked) revokes(c, authority *x509.Certificate) bool {
	return r.serials[string(c.SerialNumber.Bytes())] && r.by(authority)
}
