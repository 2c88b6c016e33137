package trellis

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// CertificateType tells who made a certificate (ACM API, CertificateDetail).
type CertificateType string

// The types of certificates.
const (
	CertificateImported CertificateType = "IMPORTED"
	CertificateIssued   CertificateType = "AMAZON_ISSUED" // by the authority of this installation
)

// CertificateStatus is where a certificate stands in its life (ACM API, CertificateDetail).
type CertificateStatus string

// The statuses of certificates. EXPIRED is never kept: it is worked out from the clock.
const (
	CertificatePending CertificateStatus = "PENDING_VALIDATION"
	CertificateReady   CertificateStatus = "ISSUED"
	CertificateExpired CertificateStatus = "EXPIRED"
	CertificateFailed  CertificateStatus = "FAILED"
)

// KeyAlgorithm is a kind of key with its length, in ACM's words (ACM API, RequestCertificate).
type KeyAlgorithm string

// The algorithms of the keys that ACM takes.
const (
	RSA1024 KeyAlgorithm = "RSA_1024"
	RSA2048 KeyAlgorithm = "RSA_2048"
	RSA3072 KeyAlgorithm = "RSA_3072"
	RSA4096 KeyAlgorithm = "RSA_4096"
	ECP256  KeyAlgorithm = "EC_prime256v1"
	ECP384  KeyAlgorithm = "EC_secp384r1"
	ECP521  KeyAlgorithm = "EC_secp521r1"
)

// Certificate is a TLS certificate of AWS Certificate Manager, with its private key. Which services use it is not
// kept here.
type Certificate struct {
	Meta                                // ID is a UUID
	DomainName        string            `json:"domainName"`
	Names             []string          `json:"names"` // subject alternative names or, without any, the domain name
	Type              CertificateType   `json:"type"`
	Status            CertificateStatus `json:"status"`
	FailureReason     string            `json:"failureReason,omitempty"`
	KeyAlgorithm      KeyAlgorithm      `json:"keyAlgorithm"`
	ValidationMethod  string            `json:"validationMethod,omitempty"`  // DNS or EMAIL, of one that was requested
	ValidationDomains map[string]string `json:"validationDomains,omitempty"` // by name, where another domain's owner is asked by mail
	RequestToken      string            `json:"requestToken,omitempty"`
	Body              string            `json:"body,omitempty"`  // PEM of the certificate alone
	Chain             string            `json:"chain,omitempty"` // PEM of those that certify it, the nearest first
	PrivateKey        Secret            `json:"privateKey"`      // PEM, PKCS #8
	IssuedAt          time.Time         `json:"issuedAt,omitzero"`
	ImportedAt        time.Time         `json:"importedAt,omitzero"`
	RenewedAt         time.Time         `json:"renewedAt,omitzero"`

	// What stands in the certificate.
	NotBefore          time.Time `json:"notBefore,omitzero"`
	NotAfter           time.Time `json:"notAfter,omitzero"`
	Serial             string    `json:"serial,omitempty"` // hexadecimal, a colon between bytes
	Subject            string    `json:"subject,omitempty"`
	Issuer             string    `json:"issuer,omitempty"`
	SignatureAlgorithm string    `json:"signatureAlgorithm,omitempty"`
	KeyUsages          []string  `json:"keyUsages,omitempty"`
	ExtendedKeyUsages  []string  `json:"extendedKeyUsages,omitempty"`
}

// Kind is KindCertificate.
func (*Certificate) Kind() Kind { return KindCertificate }

// ARN is arn:aws:acm:region:account:certificate/….
func (c *Certificate) ARN(region string) string { return CertificateARN(region, c.Account, c.ID) }

// Secrets is the private key.
func (c *Certificate) Secrets() []*Secret { return []*Secret{&c.PrivateKey} }

// StatusAt is the status at a time.
func (c *Certificate) StatusAt(now time.Time) CertificateStatus {
	if c.Status == CertificateReady && now.After(c.NotAfter) {
		return CertificateExpired
	}
	return c.Status
}

// Covers tells whether a name in small letters is one of a certificate's names: the same one, or one with another
// leftmost label than the * of a name (RFC 6125, section 6.4.3; VPC Lattice user guide, service-byoc).
func (c *Certificate) Covers(name string) bool {
	_, parent, inside := strings.Cut(name, ".")
	for _, n := range c.Names {
		if wild, ok := strings.CutPrefix(n, "*."); n == name || ok && inside && wild == parent {
			return true
		}
	}
	return false
}

// CertificateARN is the ARN of a certificate of AWS Certificate Manager.
func CertificateARN(region, account, id string) string {
	return ARN{"aws", "acm", region, account, "certificate/" + id}.String()
}

// certificateID is the form of the ids of certificates (VPC Lattice API, CertificateArn).
var certificateID = regexp.MustCompile(`^[0-9a-z-]{1,64}$`)

// ParseCertificateARN reads owner and id of a certificate out of its ARN.
func ParseCertificateARN(s string) (region string, c Ref, err error) {
	a, err := ParseARN(s)
	id, ok := strings.CutPrefix(a.Resource, "certificate/")
	if err != nil || a.Partition != "aws" || a.Service != "acm" || !IsAccountID(a.Account) || !ok || !certificateID.MatchString(id) {
		return "", Ref{}, fmt.Errorf("%q is not the ARN of a certificate", s)
	}
	return a.Region, Ref{a.Account, id}, nil
}

// ManagedCertificate is the certificate of all generated domain names of a region. It belongs to AWS, not to an
// account.
func ManagedCertificate(region string) Ref { return Ref{"aws", "vpc-lattice-" + region} }

// Authority is the certificate authority of this installation, which issues the certificates that are requested
// and those of generated names. There is one.
type Authority struct {
	Certificate string    `json:"certificate"` // PEM of the root
	PrivateKey  Secret    `json:"privateKey"`  // PEM, PKCS #8
	NotAfter    time.Time `json:"notAfter"`
}

// AuthorityKey is the Key of the one Authority.
const AuthorityKey = "root"

// Kind is KindAuthority.
func (*Authority) Kind() Kind { return KindAuthority }

// Key is AuthorityKey.
func (*Authority) Key() string { return AuthorityKey }

// Secrets is the private key.
func (a *Authority) Secrets() []*Secret { return []*Secret{&a.PrivateKey} }
