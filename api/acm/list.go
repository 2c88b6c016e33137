package acm

import (
	"context"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/controlplane"
)

// listPage is the largest page, and the usual one (ACM API, ListCertificates).
const listPage = 1000

// usualKeys are the algorithms of keys that are listed when the filter names none (ACM API, Filters).
var usualKeys = []string{string(trellis.RSA1024), string(trellis.RSA2048)}

// listCertificates serves ListCertificates.
func (h *handler) listCertificates(ctx context.Context, c *api.Call, in *ListCertificatesInput) (*ListCertificatesOutput, error) {
	if (in.SortBy == nil) != (in.SortOrder == nil) {
		return nil, trellis.NewError(400, "ValidationException", "SortBy and SortOrder must be given together.")
	}
	after, err := c.After(in.NextToken)
	if err != nil {
		return nil, err
	}
	keep, order, next := listed(in), 1, ""
	if api.Or(in.SortOrder, "") == "DESCENDING" {
		order = -1
	}
	list, err := h.plane.ListCertificates(ctx, c.Caller, func(all []*trellis.Certificate) []*trellis.Certificate {
		all = slices.DeleteFunc(all, func(n *trellis.Certificate) bool {
			return !keep(n) || after != "" && order*strings.Compare(position(n), after) <= 0
		})
		slices.SortFunc(all, func(a, b *trellis.Certificate) int { return order * strings.Compare(position(a), position(b)) })
		next = ""
		if size := int(api.Or(in.MaxItems, listPage)); len(all) > size {
			all = all[:size]
			next = position(all[size-1])
		}
		return all
	})
	if err != nil {
		return nil, err
	}
	return &ListCertificatesOutput{CertificateSummaryList: api.Each(list, h.summary), NextToken: c.NextToken(next)}, nil
}

// position is a text by which certificates are in the order that they were made in.
func position(n *trellis.Certificate) string {
	return n.CreatedAt.UTC().Format("2006-01-02T15:04:05.000000000") + " " + n.ID
}

// listed tells which certificates a request is about.
func listed(in *ListCertificatesInput) func(*trellis.Certificate) bool {
	f := in.Includes
	if f == nil {
		f = new(Filters)
	}
	algorithms := f.KeyTypes
	if len(algorithms) == 0 {
		algorithms = usualKeys
	}
	return func(n *trellis.Certificate) bool {
		return slices.Contains(algorithms, string(n.KeyAlgorithm)) &&
			(len(in.CertificateStatuses) == 0 || slices.Contains(in.CertificateStatuses, string(n.Status))) &&
			(len(in.CertificateKeyPairOrigins) == 0 || slices.Contains(in.CertificateKeyPairOrigins, origin(&controlplane.Certificate{Certificate: *n}))) &&
			anyOf(f.KeyUsage, n.KeyUsages) && anyOf(f.ExtendedKeyUsage, n.ExtendedKeyUsages) &&
			api.Or(f.ExportOption, "DISABLED") == "DISABLED" && f.ManagedBy == nil
	}
}

// anyOf tells whether one of the wanted is there, or none is wanted.
func anyOf(wanted, have []string) bool {
	return len(wanted) == 0 || slices.ContainsFunc(wanted, func(w string) bool { return slices.Contains(have, w) })
}

// summary is a certificate as ListCertificates answers it.
func (h *handler) summary(n *controlplane.Certificate) CertificateSummary {
	shown := min(len(n.Names), 100) // ACM API, CertificateSummary
	return CertificateSummary{
		CertificateArn: new(n.ARN(h.region)), DomainName: api.Some(n.DomainName), SubjectAlternativeNameSummaries: n.Names[:shown],
		HasAdditionalSubjectAlternativeNames: new(shown < len(n.Names)), Type: new(string(n.Type)), Status: new(string(n.Status)),
		KeyAlgorithm: new(keyAlgorithm(n.KeyAlgorithm)), KeyUsages: n.KeyUsages, ExtendedKeyUsages: n.ExtendedKeyUsages,
		ExportOption: new("DISABLED"), InUse: new(len(n.UsedBy) > 0), Exported: new(false), RenewalEligibility: new(renewalEligibility(n)),
		NotBefore: someTime(n.NotBefore), NotAfter: someTime(n.NotAfter), CreatedAt: someTime(n.CreatedAt),
		IssuedAt: someTime(n.IssuedAt), ImportedAt: someTime(n.ImportedAt), CertificateKeyPairOrigin: new(origin(n)),
	}
}
