package routing

import "github.com/trellis-project/trellis"

// The tags of a service that make its HTTPS listeners ask for clients' certificates, in extended mode
// (docs/decisions/0019-principals-by-certificate.md). VPC Lattice asks for none.
const (
	clientCertificatesTag = "trellis:client-certificates" // optional or required; anything else is required
	clientProfileTag      = "trellis:client-profile"      // ARN of the profile of IAM Roles Anywhere that says whom they stand for
)

// ClientCertificates is what the HTTPS listeners of a service ask of clients.
type ClientCertificates struct {
	Required bool
	Profile  string // empty when the tag names none of the service's own account: it stands for nobody then
}

// clientCertificates is what a service asks of clients' certificates, nil for nothing.
func clientCertificates(s *trellis.Service) *ClientCertificates {
	ask := s.Tags[clientCertificatesTag]
	if ask == "" {
		return nil
	}
	c := &ClientCertificates{Required: ask != "optional"}
	if a, err := trellis.ParseARN(s.Tags[clientProfileTag]); err == nil && a.Service == "rolesanywhere" && a.Account == s.Account {
		c.Profile = s.Tags[clientProfileTag]
	}
	return c
}
