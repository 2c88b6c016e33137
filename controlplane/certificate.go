package controlplane

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/certificate"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/store"
)

// Certificate is a certificate with the ARNs of the services and load balancers that use it.
type Certificate struct {
	trellis.Certificate
	UsedBy []string
}

// acmError is an error of AWS Certificate Manager, which answers every one with 400.
func acmError(code, format string, args ...any) *trellis.Error {
	return trellis.NewError(400, code, format, args...)
}

// noCertificate is for a certificate that a caller named.
func noCertificate(arn string) error {
	return acmError("ResourceNotFoundException", "Could not find certificate %s.", arn)
}

// ownCertificate returns the certificate of the caller's account that an ARN names, if the caller's policies allow
// action on it. request are the tags of the request.
func (p *Plane) ownCertificate(tx *store.Tx, c *authpolicy.Caller, arn, action string, request map[string]string) (*trellis.Certificate, error) {
	region, ref, err := trellis.ParseCertificateARN(arn)
	if err != nil {
		return nil, acmError("InvalidArnException", "The ARN %s is not the ARN of a certificate.", arn)
	}
	var n *trellis.Certificate
	if region == p.Region && ref.Account == account(c) {
		n, err = store.Get[*trellis.Certificate](tx, ref.Key())
		if err != nil && !errors.Is(err, trellis.ErrNotExist) {
			return nil, err
		}
	}
	var tags map[string]string
	if n != nil {
		tags = n.Tags
	}
	if err := authorize(c, action, authpolicy.TagKeys(nil, request, tags), arn); err != nil {
		return nil, err
	}
	if n == nil {
		return nil, noCertificate(arn)
	}
	return n, nil
}

// checkCertificates refuses one certificate more when an account has as many as it may. have were counted before.
func (p *Plane) checkCertificates(tx *store.Tx, account string, have int) error {
	have, err := quota.Count[*trellis.Certificate](tx, p.Quotas, quota.Certificates, account+"/", have)
	if err != nil {
		return err
	}
	_, full, err := p.Quotas.Reached(tx, account, quota.Certificates, have)
	if err == nil && full {
		err = acmError("LimitExceededException", "You have reached the maximum number of certificates. "+
			"Delete certificates that are not in use, or contact AWS Support to request an increase.")
	}
	return err
}

// certificateMeta is the Meta of a certificate that is being made.
func (p *Plane) certificateMeta(c *authpolicy.Caller, tags map[string]string) trellis.Meta {
	m := p.meta(c, "", tags)
	m.ID = trellis.NewUUID()
	return m
}

// Import is what ImportCertificate is given.
type Import struct {
	ARN              string // of the certificate that is imported anew; empty for a new one
	Body, Key, Chain []byte // PEM
	Tags             map[string]string
}

// ImportCertificate keeps a certificate that somebody else has issued, in place of one that was imported before when
// its ARN is given (ACM user guide, import-reimport): services that use it have the new one from their next handshake.
func (p *Plane) ImportCertificate(ctx context.Context, c *authpolicy.Caller, in Import) (*trellis.Certificate, trellis.Revision, error) {
	const action = "acm:ImportCertificate"
	if in.ARN == "" {
		if err := authorize(c, action, authpolicy.TagKeys(nil, in.Tags, nil), trellis.CertificateARN(p.Region, account(c), "*")); err != nil {
			return nil, 0, err
		}
	} else if len(in.Tags) > 0 {
		return nil, 0, acmError("ValidationException", "Tagging is not permitted on re-import.")
	}
	if err := checkCertificateTags(in.Tags); err != nil {
		return nil, 0, err
	}
	have, err := count[*trellis.Certificate](ctx, p, account(c)+"/")
	if err != nil {
		return nil, 0, err
	}
	pair, parseErr := certificate.Parse(in.Body, in.Key, in.Chain, p.now())
	var n *trellis.Certificate
	rev, err := p.commit(ctx, func(tx *store.Tx) (err error) {
		if in.ARN != "" {
			if n, err = p.ownCertificate(tx, c, in.ARN, action, nil); err != nil {
				return err
			}
		}
		if parseErr != nil {
			return parseErr
		}
		if in.ARN == "" {
			if err := p.checkCertificates(tx, account(c), have); err != nil {
				return err
			}
			n = &trellis.Certificate{Meta: p.certificateMeta(c, in.Tags), Type: trellis.CertificateImported}
		} else if err := reimportable(n, pair); err != nil {
			return err
		}
		n.Status, n.ImportedAt, n.UpdatedAt = trellis.CertificateReady, p.now(), p.now()
		n.DomainName, n.Names = pair.Names()
		pair.Fill(n)
		tx.Put(n)
		return nil
	})
	return n, rev, err
}

// reimportable checks what must stay as it is when a certificate is imported anew: the kind of key, and one of the
// names at least.
func reimportable(n *trellis.Certificate, pair *certificate.Pair) error {
	_, names := pair.Names()
	switch {
	case n.Type != trellis.CertificateImported:
		return acmError("ValidationException", "Only a certificate that was imported can be reimported.")
	case n.KeyAlgorithm != pair.Algorithm:
		return acmError("ValidationException", "The key algorithm of a certificate can't be changed by reimporting it: it is %s, not %s.", n.KeyAlgorithm, pair.Algorithm)
	case len(n.Names) > 0 && !slices.ContainsFunc(names, func(name string) bool { return slices.Contains(n.Names, name) }):
		return acmError("ValidationException", "All domain names of a certificate can't be replaced by reimporting it.")
	}
	return nil
}

// used gives a certificate the services and load balancers that use it and the status that it has by now.
func (p *Plane) used(tx *store.Tx, n *trellis.Certificate) (*Certificate, error) {
	services, err := tx.Marked(certificateUse(n.Key()))
	if err != nil {
		return nil, err
	}
	out := &Certificate{Certificate: *n}
	out.Status = n.StatusAt(p.now())
	for _, key := range services {
		owner, id, _ := strings.Cut(key, "/")
		out.UsedBy = append(out.UsedBy, trellis.LatticeARN(p.Region, owner, "service/"+id))
	}
	listeners, err := store.List[*trellis.LoadBalancerListener](tx, n.Account+"/")
	for _, l := range listeners {
		balancer := trellis.LoadBalancer{Meta: trellis.Meta{Account: l.Account, ID: l.LoadBalancerID()}}
		if arn := balancer.ARN(p.Region); slices.Contains(l.CertificateARNs, n.ARN(p.Region)) && !slices.Contains(out.UsedBy, arn) {
			out.UsedBy = append(out.UsedBy, arn)
		}
	}
	return out, err
}

// DescribeCertificate returns a certificate of the caller's account.
func (p *Plane) DescribeCertificate(ctx context.Context, c *authpolicy.Caller, arn string) (*Certificate, error) {
	return p.certificateFor(ctx, c, arn, "acm:DescribeCertificate")
}

// GetCertificate returns a certificate of the caller's account that is issued, for its PEM.
func (p *Plane) GetCertificate(ctx context.Context, c *authpolicy.Caller, arn string) (*Certificate, error) {
	n, err := p.certificateFor(ctx, c, arn, "acm:GetCertificate")
	if err != nil {
		return nil, err
	}
	if n.Status == trellis.CertificatePending || n.Status == trellis.CertificateFailed {
		return nil, acmError("RequestInProgressException", "Certificate %s is not issued.", arn)
	}
	return n, nil
}

// certificateFor reads a certificate for an action.
func (p *Plane) certificateFor(ctx context.Context, c *authpolicy.Caller, arn, action string) (n *Certificate, err error) {
	err = p.read(ctx, func(tx *store.Tx) error {
		own, err := p.ownCertificate(tx, c, arn, action, nil)
		if err != nil {
			return err
		}
		n, err = p.used(tx, own)
		return err
	})
	return n, err
}

// DeleteCertificate removes a certificate and its key, unless a service or load balancer uses it.
func (p *Plane) DeleteCertificate(ctx context.Context, c *authpolicy.Caller, arn string) (trellis.Revision, error) {
	return p.commit(ctx, func(tx *store.Tx) error {
		n, err := p.ownCertificate(tx, c, arn, "acm:DeleteCertificate", nil)
		if err != nil {
			return err
		}
		holders, err := p.used(tx, n)
		if err != nil {
			return err
		}
		if len(holders.UsedBy) > 0 {
			return acmError("ResourceInUseException", "Certificate %s in account %s is in use.", arn, n.Account)
		}
		tx.Delete(n)
		return releaseRequestToken(tx, n)
	})
}

// ListCertificates returns those certificates of the caller's account that page leaves, in its order: it filters, sorts and
// cuts. The services of a certificate are looked up for those alone.
func (p *Plane) ListCertificates(ctx context.Context, c *authpolicy.Caller, page func([]*trellis.Certificate) []*trellis.Certificate) (list []*Certificate, err error) {
	if err := authorize(c, "acm:ListCertificates", nil, "*"); err != nil {
		return nil, err
	}
	err = p.read(ctx, func(tx *store.Tx) error {
		all, err := store.List[*trellis.Certificate](tx, account(c)+"/")
		if err != nil {
			return err
		}
		for _, n := range all {
			n.Status = n.StatusAt(p.now())
		}
		list = list[:0]
		for _, n := range page(all) {
			u, err := p.used(tx, n)
			if err != nil {
				return err
			}
			list = append(list, u)
		}
		return nil
	})
	return list, err
}
