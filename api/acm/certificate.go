package acm

import (
	"context"
	"strings"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/controlplane"
)

// extendedKeyUsageOIDs are the object identifiers of purposes (RFC 5280, section 4.2.1.12).
var extendedKeyUsageOIDs = map[string]string{
	"TLS_WEB_SERVER_AUTHENTICATION": "1.3.6.1.5.5.7.3.1",
	"TLS_WEB_CLIENT_AUTHENTICATION": "1.3.6.1.5.5.7.3.2",
	"CODE_SIGNING":                  "1.3.6.1.5.5.7.3.3",
	"EMAIL_PROTECTION":              "1.3.6.1.5.5.7.3.4",
	"IPSEC_END_SYSTEM":              "1.3.6.1.5.5.7.3.5",
	"IPSEC_TUNNEL":                  "1.3.6.1.5.5.7.3.6",
	"IPSEC_USER":                    "1.3.6.1.5.5.7.3.7",
	"TIME_STAMPING":                 "1.3.6.1.5.5.7.3.8",
	"OCSP_SIGNING":                  "1.3.6.1.5.5.7.3.9",
	"ANY":                           "2.5.29.37.0",
}

// importCertificate serves ImportCertificate.
func (h *handler) importCertificate(ctx context.Context, c *api.Call, in *ImportCertificateInput) (*ImportCertificateOutput, error) {
	tags, err := fromTags(in.Tags)
	if err != nil {
		return nil, err
	}
	n, rev, err := h.plane.ImportCertificate(ctx, c.Caller, controlplane.Import{ARN: api.Or(in.CertificateArn, ""),
		Body: in.Certificate, Key: in.PrivateKey, Chain: in.CertificateChain, Tags: tags})
	if err != nil {
		return nil, err
	}
	return api.Done(c, &ImportCertificateOutput{CertificateArn: new(n.ARN(h.region))}, rev, nil)
}

// describeCertificate serves DescribeCertificate.
func (h *handler) describeCertificate(ctx context.Context, c *api.Call, in *DescribeCertificateInput) (*DescribeCertificateOutput, error) {
	n, err := h.plane.DescribeCertificate(ctx, c.Caller, in.CertificateArn)
	if err != nil {
		return nil, err
	}
	return &DescribeCertificateOutput{Certificate: h.detail(n)}, nil
}

// detail is a certificate as DescribeCertificate answers it.
func (h *handler) detail(n *controlplane.Certificate) *CertificateDetail {
	d := &CertificateDetail{
		CertificateArn: new(n.ARN(h.region)), DomainName: api.Some(n.DomainName), SubjectAlternativeNames: n.Names,
		Type: new(string(n.Type)), Status: new(string(n.Status)), FailureReason: api.Some(n.FailureReason),
		KeyAlgorithm: new(keyAlgorithm(n.KeyAlgorithm)), SignatureAlgorithm: api.Some(n.SignatureAlgorithm),
		Serial: api.Some(n.Serial), Subject: api.Some(n.Subject), Issuer: api.Some(n.Issuer),
		CreatedAt: someTime(n.CreatedAt), IssuedAt: someTime(n.IssuedAt), ImportedAt: someTime(n.ImportedAt),
		NotBefore: someTime(n.NotBefore), NotAfter: someTime(n.NotAfter), InUseBy: append([]string{}, n.UsedBy...),
		RenewalEligibility: new(renewalEligibility(n)), CertificateKeyPairOrigin: new(origin(n)),
		KeyUsages: []KeyUsage{}, ExtendedKeyUsages: []ExtendedKeyUsage{},
		Options: &CertificateOptions{CertificateTransparencyLoggingPreference: new("DISABLED"), Export: new("DISABLED")},
	}
	for _, u := range n.KeyUsages {
		d.KeyUsages = append(d.KeyUsages, KeyUsage{Name: new(u)})
	}
	for _, u := range n.ExtendedKeyUsages {
		d.ExtendedKeyUsages = append(d.ExtendedKeyUsages, ExtendedKeyUsage{Name: new(u), OID: api.Some(extendedKeyUsageOIDs[u])})
	}
	if n.Type == trellis.CertificateIssued {
		d.Options.CertificateTransparencyLoggingPreference = new("ENABLED") // ACM knows nothing else any more
		d.DomainValidationOptions = validations(&n.Certificate)
		if !n.RenewedAt.IsZero() {
			d.RenewalSummary = &RenewalSummary{RenewalStatus: "SUCCESS", DomainValidationOptions: d.DomainValidationOptions, UpdatedAt: n.RenewedAt}
		}
	}
	return d
}

// keyAlgorithm is an algorithm as answers have it, RSA-2048, which differs from how requests have it.
func keyAlgorithm(a trellis.KeyAlgorithm) string { return strings.Replace(string(a), "_", "-", 1) }

// origin tells who made a certificate's key.
func origin(n *controlplane.Certificate) string {
	if n.Type == trellis.CertificateIssued {
		return "AWS_MANAGED"
	}
	return "CUSTOMER_PROVIDED"
}

// renewalEligibility tells whether Trellis renews a certificate: all that its authority has issued, in use or not.
func renewalEligibility(n *controlplane.Certificate) string {
	if n.Type == trellis.CertificateIssued && n.Status == trellis.CertificateReady {
		return "ELIGIBLE"
	}
	return "INELIGIBLE"
}

// someTime is a time for an answer, which leaves out one that is not known.
func someTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// getCertificate serves GetCertificate.
func (h *handler) getCertificate(ctx context.Context, c *api.Call, in *GetCertificateInput) (*GetCertificateOutput, error) {
	n, err := h.plane.GetCertificate(ctx, c.Caller, in.CertificateArn)
	if err != nil {
		return nil, err
	}
	return &GetCertificateOutput{Certificate: new(n.Body), CertificateChain: api.Some(n.Chain)}, nil
}

// deleteCertificate serves DeleteCertificate.
func (h *handler) deleteCertificate(ctx context.Context, c *api.Call, in *DeleteCertificateInput) (*DeleteCertificateOutput, error) {
	rev, err := h.plane.DeleteCertificate(ctx, c.Caller, in.CertificateArn)
	return api.Done(c, new(DeleteCertificateOutput), rev, err)
}
