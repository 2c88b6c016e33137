package controlplane

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/store"
)

// StartDomainVerification begins to show that the caller owns a domain. The answer says which TXT record must be there.
func (p *Plane) StartDomainVerification(ctx context.Context, c *authpolicy.Caller, token, domain string, tags map[string]string) (*trellis.DomainVerification, trellis.Revision, error) {
	domain = plainDomain(domain)
	k := authpolicy.TagKeys(keys{"vpc-lattice:domainname": {domain}}, tags, nil)
	if err := authorize(c, "vpc-lattice:StartDomainVerification", k, trellis.LatticeARN(p.Region, account(c), "domainverification/*")); err != nil {
		return nil, 0, err
	}
	if domain == "" {
		return nil, 0, field("domainName", "domainName is required.")
	}
	if err := validCustomDomain("domainName", domain); err != nil {
		return nil, 0, err
	}
	if err := p.validTags(tags); err != nil {
		return nil, 0, err
	}
	var v *trellis.DomainVerification
	rev, err := p.commit(ctx, func(tx *store.Tx) (err error) {
		v, err = store.Once(tx, account(c)+"/StartDomainVerification", token, []any{domain, tags}, func() (*trellis.DomainVerification, error) {
			have, err := store.Count[*trellis.DomainVerification](tx, account(c)+"/")
			if err != nil {
				return nil, err
			}
			if err := p.room(tx, account(c), quota.DomainVerifications, have, verificationKind.typ); err != nil {
				return nil, err
			}
			m := &trellis.DomainVerification{Meta: p.meta(c, "dv", tags), DomainName: domain, Status: trellis.VerificationPending,
				TXTName: "_" + trellis.RandomHex(14), TXTValue: "vpc-lattice:" + trellis.RandomHex(32)}
			err = claim(tx, verifiedDomain(m), m.Key(), verificationKind.typ, "A verification of the domain %s already exists.", domain)
			tx.Put(m)
			return m, err
		})
		return err
	})
	return v, rev, err
}

// verifiedDomain is the claim of an account's one verification of a domain.
func verifiedDomain(v *trellis.DomainVerification) string {
	return "domainverification/" + v.Account + "/" + v.DomainName
}

// GetDomainVerification returns a domain verification of the caller's.
func (p *Plane) GetDomainVerification(ctx context.Context, c *authpolicy.Caller, identifier string) (*trellis.DomainVerification, error) {
	var v *trellis.DomainVerification
	err := p.read(ctx, func(tx *store.Tx) (err error) {
		v, err = own[*trellis.DomainVerification](p, tx, c, identifier, verificationKind, "vpc-lattice:GetDomainVerification", nil)
		return err
	})
	return v, err
}

// ListDomainVerifications lists the caller's domain verifications, by id.
func (p *Plane) ListDomainVerifications(ctx context.Context, c *authpolicy.Caller, pg Page) ([]*trellis.DomainVerification, string, error) {
	if err := authorize(c, "vpc-lattice:ListDomainVerifications", nil, "*"); err != nil {
		return nil, "", err
	}
	var list []*trellis.DomainVerification
	var next string
	err := p.read(ctx, func(tx *store.Tx) (err error) {
		list, err = store.List[*trellis.DomainVerification](tx, account(c)+"/")
		list, next = paginate(list, func(v *trellis.DomainVerification) string { return v.ID }, pg)
		return err
	})
	return list, next, err
}

// DeleteDomainVerification removes a domain verification, also while resource configurations name it: AWS's model has no
// conflict for it. Their domains are not verified any more.
func (p *Plane) DeleteDomainVerification(ctx context.Context, c *authpolicy.Caller, identifier string) (trellis.Revision, error) {
	return p.commit(ctx, func(tx *store.Tx) error {
		v, err := own[*trellis.DomainVerification](p, tx, c, identifier, verificationKind, "vpc-lattice:DeleteDomainVerification", nil)
		if err != nil {
			return err
		}
		tx.Release(verifiedDomain(v))
		tx.Delete(v)
		return nil
	})
}

// How often the TXT record of a pending verification is looked for: soon at first, then ever more slowly. AWS tells
// neither this nor when it gives up.
const (
	firstLook        = time.Second
	lastLook         = 5 * time.Minute
	verificationTime = 72 * time.Hour
	lookTimeout      = 10 * time.Second
)

// verify looks for the TXT record of a pending verification until it is there, the time is over, or the verification is
// gone.
func (p *Plane) verify(ctx context.Context, v *trellis.DomainVerification) {
	if _, on := p.verifying.LoadOrStore(v.Key(), true); on {
		return
	}
	defer p.verifying.Delete(v.Key())
	for pause := firstLook; ; pause = min(2*pause, lastLook) {
		status := trellis.VerificationPending
		if p.hasRecord(ctx, v) {
			status = trellis.VerificationVerified
		} else if !p.Now().Before(v.CreatedAt.Add(verificationTime)) {
			status = trellis.VerificationTimedOut
		}
		over, err := p.moveVerification(ctx, v.Key(), status)
		if over || ctx.Err() != nil {
			return
		}
		if err != nil {
			p.Log.Warn("moving a domain verification failed", "key", v.Key(), "error", err)
		}
		if !sleep(ctx, pause) {
			return
		}
	}
}

// hasRecord tells whether the TXT record of a verification is there now.
func (p *Plane) hasRecord(ctx context.Context, v *trellis.DomainVerification) bool {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	found, _ := p.LookupTXT(ctx, v.TXTName+"."+v.DomainName) // that fails while there is none: it is looked for again
	return slices.ContainsFunc(found, func(s string) bool { return strings.TrimSpace(s) == v.TXTValue })
}

// moveVerification writes a status. over tells that there is nothing more to do.
func (p *Plane) moveVerification(ctx context.Context, key string, status trellis.VerificationStatus) (over bool, err error) {
	_, err = p.Store.Commit(ctx, func(tx *store.Tx) error {
		v, err := store.Get[*trellis.DomainVerification](tx, key)
		if over = errors.Is(err, trellis.ErrNotExist); over {
			return nil
		}
		if err != nil {
			return err
		}
		over = v.Status != trellis.VerificationPending || status != trellis.VerificationPending
		if v.Status == status || v.Status != trellis.VerificationPending {
			return nil
		}
		v.Status, v.UpdatedAt = status, p.now()
		if status == trellis.VerificationVerified {
			v.LastVerifiedAt = v.UpdatedAt
		}
		tx.Put(v)
		return nil
	})
	return over && err == nil, err
}
