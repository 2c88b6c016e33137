package identity

import (
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// tls trusts the certificate of an issuer when a well-known authority has issued it, or else when the chain that it
// shows holds a certificate with one of the provider's thumbprints, SHA-1 in hexadecimal (IAM user guide,
// id_roles_providers_create_oidc_verify-thumbprint). Names and dates must fit in either case.
func (s *issuers) tls(thumbprints string) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true, // VerifyConnection does it
		VerifyConnection: func(state tls.ConnectionState) error {
			if err := s.trusted(&state, strings.Fields(thumbprints)); err != nil {
				return fmt.Errorf("%w: %w", errIssuerUntrusted, err)
			}
			return nil
		}}
}

// trusted is VerifyConnection of tls.
func (s *issuers) trusted(state *tls.ConnectionState, thumbprints []string) error {
	chain := state.PeerCertificates
	if len(chain) == 0 {
		return errors.New("it shows no certificate")
	}
	options := x509.VerifyOptions{DNSName: state.ServerName, Intermediates: x509.NewCertPool(), CurrentTime: s.now()}
	if s.roots != nil {
		options.Roots = s.roots()
	}
	named := x509.NewCertPool()
	for n, c := range chain {
		if n > 0 {
			options.Intermediates.AddCert(c)
		}
		sum := sha1.Sum(c.Raw)
		if slices.ContainsFunc(thumbprints, func(t string) bool { return strings.EqualFold(t, hex.EncodeToString(sum[:])) }) {
			named.AddCert(c)
		}
	}
	_, err := chain[0].Verify(options)
	if _, unknown := errors.AsType[x509.UnknownAuthorityError](err); !unknown {
		return err
	}
	options.Roots = named
	_, err = chain[0].Verify(options)
	return err
}
