package acm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
)

// The ways to validate that one may have a certificate for a name (ACM API, RequestCertificate).
const (
	validateByEmail = "EMAIL"
	validateByDNS   = "DNS"
)

// requestCertificate serves RequestCertificate.
func (h *handler) requestCertificate(ctx context.Context, c *api.Call, in *RequestCertificateInput) (*RequestCertificateOutput, error) {
	tags, err := fromTags(in.Tags)
	if err != nil {
		return nil, err
	}
	r := trellis.Certificate{DomainName: in.DomainName, Names: in.SubjectAlternativeNames, ValidationMethod: api.Or(in.ValidationMethod, validateByEmail),
		KeyAlgorithm: trellis.KeyAlgorithm(api.Or(in.KeyAlgorithm, "")), RequestToken: api.Or(in.IdempotencyToken, "")}
	r.Tags = tags
	switch {
	case in.CertificateAuthorityArn != nil:
		return nil, unsupported("Trellis has no private certificate authorities: leave CertificateAuthorityArn out for a certificate of its own authority.")
	case in.ManagedBy != nil || r.ValidationMethod != validateByEmail && r.ValidationMethod != validateByDNS:
		return nil, unsupported("Certificates for CloudFront, and the validation by HTTP that belongs to them, are not supported.")
	case in.Options != nil && api.Or(in.Options.Export, "DISABLED") != "DISABLED":
		return nil, unsupported("Certificates that can be exported are not supported.")
	}
	if r.ValidationDomains, err = validationDomains(in); err != nil {
		return nil, err
	}
	n, rev, err := h.plane.RequestCertificate(ctx, c.Caller, r)
	if err != nil {
		return nil, err
	}
	return api.Done(c, &RequestCertificateOutput{CertificateArn: new(n.ARN(h.region))}, rev, nil)
}

// unsupported is for what ACM can do and Trellis can't.
func unsupported(text string) error {
	return trellis.NewError(400, "InvalidParameterException", "%s", text)
}

// validationDomains are the domains whose owners are asked by mail, by the names that they are asked about.
func validationDomains(in *RequestCertificateInput) (map[string]string, error) {
	var domains map[string]string
	for _, o := range in.DomainValidationOptions {
		name, of := strings.ToLower(o.DomainName), strings.ToLower(o.ValidationDomain)
		named := strings.EqualFold(name, in.DomainName) ||
			slices.ContainsFunc(in.SubjectAlternativeNames, func(s string) bool { return strings.EqualFold(s, name) })
		if !named || base(name) != of && !strings.HasSuffix(base(name), "."+of) {
			return nil, trellis.NewError(400, "InvalidDomainValidationOptionsException",
				"The validation domain %s is not %s or a domain above it, or the certificate is not for that name.", of, name)
		}
		if domains == nil {
			domains = map[string]string{}
		}
		domains[name] = of
	}
	return domains, nil
}

// base is a name without the * in front.
func base(name string) string { return strings.TrimPrefix(name, "*.") }

// validations are how the names of a certificate are, or were, validated.
func validations(n *trellis.Certificate) []DomainValidation {
	status := "SUCCESS"
	switch n.Status {
	case trellis.CertificatePending:
		status = "PENDING_VALIDATION"
	case trellis.CertificateFailed:
		status = "FAILED"
	}
	list := make([]DomainValidation, 0, len(n.Names))
	for _, name := range n.Names {
		of := n.ValidationDomains[name]
		if of == "" {
			of = base(name)
		}
		v := DomainValidation{DomainName: name, ValidationDomain: new(name), ValidationStatus: new(status), ValidationMethod: api.Some(n.ValidationMethod)}
		if n.ValidationMethod == validateByDNS {
			v.ResourceRecord = record(n.Account, base(name))
		} else {
			v.ValidationDomain = new(of)
			for _, who := range []string{"admin", "administrator", "hostmaster", "postmaster", "webmaster"} {
				v.ValidationEmails = append(v.ValidationEmails, who+"@"+of)
			}
		}
		list = append(list, v)
	}
	return list
}

// record is the record by which DNS shows that an account may have certificates for a domain: the same one for
// every certificate of the account, as with ACM (ACM user guide, dns-validation). Trellis does not look for it.
func record(account, domain string) *ResourceRecord {
	sum := sha256.Sum256([]byte(account + " " + domain))
	value := sha256.Sum256(sum[:])
	zone := []byte(hex.EncodeToString(value[16:21]))
	for i, b := range zone { // ten letters
		if b <= '9' {
			zone[i] = 'g' + b - '0'
		}
	}
	return &ResourceRecord{Type: "CNAME", Name: "_" + hex.EncodeToString(sum[:16]) + "." + domain + ".",
		Value: "_" + hex.EncodeToString(value[:16]) + "." + string(zone) + ".acm-validations.aws."}
}
