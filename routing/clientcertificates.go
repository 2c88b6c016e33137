package routing

import "github.com/trellis-project/trellis"

// The tags of a service that make its HTTPS listeners ask for clients' certificates, in extended mode
// (docs/decisions/0019-principals-by-certificate.md). VPC Lattice asks for none.
const (
	ClientCertificatesTag = "trellis:client-certificates" // optional or required; anything else is required
	ClientProfileTag      = "trellis:client-profile"      // ARN of the profile of IAM Roles Anywhere that says whom they stand for
)

// ClientCertificates is what the HTTPS listeners of a service ask of clients.
type ClientCertificates struct {
	Required bool
	Profile  string // empty when the tag names none of the service's own account: it stands for nobody then
}

// AsksCertificates tells whether a service asks for clients' certificates.
func (s *Service) AsksCertificates() bool { return s.Tags[ClientCertificatesTag] != "" }

// ClientCertificates is what a service asks of clients' certificates, if it asks for them.
func (s *Service) ClientCertificates() ClientCertificates {
	c := ClientCertificates{Required: s.Tags[ClientCertificatesTag] != "optional"}
	if a, err := trellis.ParseARN(s.Tags[ClientProfileTag]); err == nil && a.Service == "rolesanywhere" && a.Account == s.noun.Account {
		c.Profile = s.Tags[ClientProfileTag]
	}
	return c
}
