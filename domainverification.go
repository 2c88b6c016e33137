package trellis

import (
	"strings"
	"time"
)

// DomainVerification shows that an account owns a domain: a TXT record of the domain has a value that only the
// account was told.
type DomainVerification struct {
	Meta
	DomainName     string             `json:"domainName"` // small letters, no dot at the end; its sub-domains are covered
	Status         VerificationStatus `json:"status"`
	TXTName        string             `json:"txtName"` // the label below DomainName at which the record is looked for
	TXTValue       string             `json:"txtValue"`
	LastVerifiedAt time.Time          `json:"lastVerifiedAt,omitzero"`
}

// VerificationStatus is where a domain verification stands.
type VerificationStatus string

// The statuses of domain verifications (VPC Lattice API, GetDomainVerification).
const (
	VerificationPending  VerificationStatus = "PENDING"
	VerificationVerified VerificationStatus = "VERIFIED"
	VerificationTimedOut VerificationStatus = "VERIFICATION_TIMED_OUT"
)

// Kind is KindDomainVerification.
func (*DomainVerification) Kind() Kind { return KindDomainVerification }

// ARN is arn:aws:vpc-lattice:region:account:domainverification/dv-….
func (v *DomainVerification) ARN(region string) string {
	return LatticeARN(region, v.Account, "domainverification/"+v.ID)
}

// Covers tells whether a domain name is the verified one or below it.
func (v *DomainVerification) Covers(name string) bool {
	return WithinDomain(name, v.DomainName)
}

// WithinDomain tells whether a domain name is another one or below it. Both are in small letters.
func WithinDomain(name, parent string) bool {
	return name == parent || strings.HasSuffix(name, "."+parent)
}
