package controlplane

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/certificate"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/store"
)

// requestTokenFor is how long an idempotency token stands for a request (ACM API, RequestCertificate).
const requestTokenFor = time.Hour

// RequestCertificate asks the authority of this installation for a certificate. r gives the domain name, further
// names, the algorithm of the key, how the names are validated, the idempotency token and tags. It is PENDING_VALIDATION
// at first and then ISSUED: who may call this API is trusted with every name but AWS's
// (docs/decisions/0011-an-authority-of-its-own.md).
func (p *Plane) RequestCertificate(ctx context.Context, c *authpolicy.Caller, r trellis.Certificate) (*trellis.Certificate, trellis.Revision, error) {
	names := []string{}
	for _, n := range append([]string{r.DomainName}, r.Names...) {
		if n = strings.ToLower(n); !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	if r.KeyAlgorithm == "" {
		r.KeyAlgorithm = trellis.RSA2048
	}
	k := keys{"acm:domainnames": names, "acm:validationmethod": {r.ValidationMethod}, "acm:keyalgorithm": {string(r.KeyAlgorithm)}}
	if err := authorize(c, "acm:RequestCertificate", authpolicy.TagKeys(k, r.Tags, nil), trellis.CertificateARN(p.Region, account(c), "*")); err != nil {
		return nil, 0, err
	}
	if !slices.Contains([]trellis.KeyAlgorithm{trellis.RSA2048, trellis.ECP256, trellis.ECP384}, r.KeyAlgorithm) {
		return nil, 0, acmError("InvalidParameterException", "The key algorithm %s is not supported for a certificate that is requested.", r.KeyAlgorithm)
	}
	if err := checkCertificateTags(r.Tags); err != nil {
		return nil, 0, err
	}
	have, err := count[*trellis.Certificate](ctx, p, account(c)+"/")
	if err != nil {
		return nil, 0, err
	}
	var made *trellis.Certificate
	rev, err := p.commit(ctx, func(tx *store.Tx) error {
		made = &trellis.Certificate{Meta: p.certificateMeta(c, r.Tags), DomainName: names[0], Names: names, Type: trellis.CertificateIssued,
			Status: trellis.CertificatePending, KeyAlgorithm: r.KeyAlgorithm, ValidationMethod: r.ValidationMethod, ValidationDomains: r.ValidationDomains,
			RequestToken: r.RequestToken}
		before, err := p.requestedBefore(tx, made)
		if err != nil {
			return err
		}
		if before != nil {
			made = before
			return nil
		}
		if limit, more, err := p.Quotas.Reached(tx, account(c), quota.NamesPerCertificate, len(names)-1); err != nil {
			return err
		} else if more {
			return acmError("LimitExceededException", "The certificate has %d domain names, more than the limit of %d.", len(names), limit)
		}
		if err := p.checkCertificates(tx, account(c), have); err != nil {
			return err
		}
		tx.Put(made)
		return nil
	})
	return made, rev, err
}

// requestToken is the name by which a certificate holds the idempotency token that it was requested with.
func requestToken(n *trellis.Certificate) string {
	return "certificatetoken/" + n.Account + "/" + n.RequestToken
}

// requestedBefore takes the idempotency token of a request, and returns the certificate that it stands for already.
func (p *Plane) requestedBefore(tx *store.Tx, n *trellis.Certificate) (*trellis.Certificate, error) {
	if n.RequestToken == "" {
		return nil, nil
	}
	err := tx.Claim(requestToken(n), n.Key())
	var taken *store.TakenError
	if !errors.As(err, &taken) {
		return nil, err
	}
	before, err := store.Get[*trellis.Certificate](tx, taken.Holder)
	if err != nil && !errors.Is(err, trellis.ErrNotExist) {
		return nil, err
	}
	if err != nil || p.now().Sub(before.CreatedAt) >= requestTokenFor {
		tx.Release(requestToken(n))
		return nil, tx.Claim(requestToken(n), n.Key())
	}
	if !slices.Equal(before.Names, n.Names) || before.KeyAlgorithm != n.KeyAlgorithm {
		return nil, acmError("InvalidParameterException", "The idempotency token was already used with different parameters.")
	}
	return before, nil
}

// releaseRequestToken gives the token of a certificate back that goes, unless a later request holds it.
func releaseRequestToken(tx *store.Tx, n *trellis.Certificate) error {
	if n.RequestToken == "" {
		return nil
	}
	err := tx.Claim(requestToken(n), n.Key())
	var taken *store.TakenError
	if errors.As(err, &taken) {
		return nil
	}
	tx.Release(requestToken(n))
	return err
}

// nextCertificate issues what was requested.
func (p *Plane) nextCertificate(n *trellis.Certificate) *settling {
	if n.Status != trellis.CertificatePending {
		return nil
	}
	key := n.Key()
	refused := slices.ContainsFunc(n.Names, amazonName)
	var pair *certificate.Pair // kept while the transaction is tried again
	return &settling{prepare: func(ctx context.Context) error {
		if refused || pair != nil {
			return nil
		}
		err := p.read(ctx, func(tx *store.Tx) error { // another node may have issued it, or it is gone
			now, err := store.Get[*trellis.Certificate](tx, key)
			if err == nil && now.Status != trellis.CertificatePending {
				err = trellis.ErrNotExist
			}
			return err
		})
		if err != nil {
			return err
		}
		a, err := p.authority(ctx)
		if errors.Is(err, trellis.ErrNotExist) {
			return errors.New("there is no certificate authority yet")
		}
		if err != nil {
			return err
		}
		pair, err = p.issue(a, n)
		return err
	}, step: func(tx *store.Tx) (bool, error) {
		n, err := store.Get[*trellis.Certificate](tx, key)
		if err != nil || n.Status != trellis.CertificatePending {
			return false, err
		}
		n.UpdatedAt = p.now()
		if refused {
			n.Status, n.FailureReason = trellis.CertificateFailed, "DOMAIN_NOT_ALLOWED"
		} else {
			n.Status, n.IssuedAt = trellis.CertificateReady, p.now()
			pair.Fill(n)
		}
		tx.Put(n)
		return false, nil
	}}
}

// amazonName tells whether a name is one that belongs to AWS, generated names of services among them.
func amazonName(name string) bool {
	return strings.HasSuffix(name, ".on.aws") || strings.HasSuffix(name, ".amazonaws.com")
}
