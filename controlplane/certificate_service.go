package controlplane

import (
	"errors"
	"slices"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/store"
)

// Algorithms of the keys of certificates that services take: AWS's (VPC Lattice user guide, service-byoc), and those
// that clients of today take besides.
var (
	strictAlgorithms   = []trellis.KeyAlgorithm{trellis.RSA2048}
	extendedAlgorithms = []trellis.KeyAlgorithm{trellis.RSA2048, trellis.RSA3072, trellis.RSA4096, trellis.ECP256}
)

// useCertificate gives a service the certificate of an ARN, empty for none, in place of the one that it has. The
// certificate must be of the service's account and this region, issued, with a key of a kind that services take, and
// for the service's custom domain name.
func (p *Plane) useCertificate(tx *store.Tx, s *trellis.Service, arn string) error {
	if arn == s.CertificateARN && arn == "" {
		return nil
	}
	if arn != "" {
		if err := p.usable(tx, s, arn); err != nil {
			return err
		}
	}
	p.leaveCertificate(tx, s)
	if arn != "" {
		_, ref, err := trellis.ParseCertificateARN(arn)
		if err != nil {
			return err
		}
		tx.Mark(certificateUse(ref.Key()), s.Key())
	}
	s.CertificateARN = arn
	return nil
}

// leaveCertificate takes the mark away that a service has on its certificate.
func (p *Plane) leaveCertificate(tx *store.Tx, s *trellis.Service) {
	if _, ref, err := trellis.ParseCertificateARN(s.CertificateARN); err == nil {
		tx.Unmark(certificateUse(ref.Key()), s.Key())
	}
}

// usable checks a certificate for a service.
func (p *Plane) usable(tx *store.Tx, s *trellis.Service, arn string) error {
	if err := validCertificate(arn, p.Region); err != nil {
		return err
	}
	if s.CustomDomainName == "" {
		return trellis.InvalidOther("certificateArn needs a customDomainName.")
	}
	_, ref, err := trellis.ParseCertificateARN(arn)
	if err != nil || ref.Account != s.Account {
		return trellis.NotFound("CERTIFICATE", arn)
	}
	n, err := store.Get[*trellis.Certificate](tx, ref.Key())
	if errors.Is(err, trellis.ErrNotExist) {
		return trellis.NotFound("CERTIFICATE", arn)
	}
	if err != nil {
		return err
	}
	algorithms := extendedAlgorithms
	if p.Strict {
		algorithms = strictAlgorithms
	}
	switch status := n.StatusAt(p.now()); {
	case status != trellis.CertificateReady:
		return field("certificateArn", "certificateArn must be a certificate that is ISSUED, not "+string(status)+".")
	case !slices.Contains(algorithms, n.KeyAlgorithm):
		return field("certificateArn", "certificateArn must be a certificate whose key is RSA_2048, not "+string(n.KeyAlgorithm)+".")
	case !n.Covers(s.CustomDomainName):
		return field("certificateArn", "certificateArn must be a certificate for "+s.CustomDomainName+".")
	}
	return nil
}
