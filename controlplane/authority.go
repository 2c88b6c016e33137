package controlplane

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/certificate"
	"github.com/trellis-project/trellis/store"
)

// renewEvery is how often certificates are looked at whether they are to be renewed. Waiting for the time of each
// would miss it on a machine that was asleep.
const renewEvery = time.Hour

// bootstrapAuthority makes the authority of this installation and the certificate of the region's generated names,
// unless they are there. Keys are made outside of transactions; of members that start at the same time the first to
// commit wins, and all go on with its.
func (p *Plane) bootstrapAuthority(ctx context.Context) error {
	a, err := p.authority(ctx)
	if errors.Is(err, trellis.ErrNotExist) || err == nil && certificate.EndsSoon(a, p.now()) {
		if err := p.replaceAuthority(ctx, a); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	var have *trellis.Certificate
	err = p.read(ctx, func(tx *store.Tx) (err error) {
		have, err = store.Get[*trellis.Certificate](tx, trellis.ManagedCertificate(p.Region).Key())
		return err
	})
	if errors.Is(err, trellis.ErrNotExist) {
		domain := "*." + trellis.GeneratedDomain(p.Region)
		ref, now := trellis.ManagedCertificate(p.Region), p.now()
		have = &trellis.Certificate{Meta: trellis.Meta{Account: ref.Account, ID: ref.ID, CreatedAt: now, UpdatedAt: now},
			DomainName: domain, Names: []string{domain}, Type: trellis.CertificateIssued, Status: trellis.CertificatePending, KeyAlgorithm: trellis.RSA2048}
	} else if err != nil {
		return err
	}
	if a, err = p.authority(ctx); err != nil || have.Status == trellis.CertificateReady && !p.due(a, have) {
		return err
	}
	return p.reissue(ctx, a, have)
}

// authority reads the authority of this installation.
func (p *Plane) authority(ctx context.Context) (a *trellis.Authority, err error) {
	err = p.read(ctx, func(tx *store.Tx) (err error) {
		a, err = store.Get[*trellis.Authority](tx, trellis.AuthorityKey)
		return err
	})
	return a, err
}

// replaceAuthority makes an authority in place of another, nil for none, unless somebody else has.
func (p *Plane) replaceAuthority(ctx context.Context, other *trellis.Authority) error {
	made, err := certificate.NewAuthority(p.now())
	if err != nil {
		return err
	}
	_, err = p.commit(ctx, func(tx *store.Tx) error {
		now, err := store.Get[*trellis.Authority](tx, trellis.AuthorityKey)
		switch {
		case errors.Is(err, trellis.ErrNotExist):
		case err != nil:
			return err
		case other == nil || now.Certificate != other.Certificate:
			return nil
		}
		tx.Put(made)
		return nil
	})
	if err != nil {
		return fmt.Errorf("make the certificate authority: %w", err)
	}
	return nil
}

// RootCertificate is the certificate of this installation's authority in PEM, which clients trust.
func (p *Plane) RootCertificate(ctx context.Context) (string, error) {
	a, err := p.authority(ctx)
	if err != nil {
		return "", fmt.Errorf("read the certificate authority: %w", err)
	}
	return a.Certificate, nil
}

// issue makes key and certificate for what was requested.
func (p *Plane) issue(a *trellis.Authority, c *trellis.Certificate) (*certificate.Pair, error) {
	authority, err := certificate.Open(a)
	if err != nil {
		return nil, err
	}
	return authority.Issue(c.Names, c.KeyAlgorithm, p.now())
}

// due tells whether a certificate that was issued is to be renewed: it is time, or the root that it came from is not
// the one that clients are given now.
func (p *Plane) due(a *trellis.Authority, c *trellis.Certificate) bool {
	return !p.now().Before(certificate.RenewAt(c)) || c.Chain != a.Certificate
}

// reissue gives a certificate a new key and another term, unless somebody else has done so meanwhile or it is gone.
func (p *Plane) reissue(ctx context.Context, a *trellis.Authority, c *trellis.Certificate) error {
	p.preparing.Lock()
	pair, err := p.issue(a, c)
	p.preparing.Unlock()
	if err != nil {
		return err
	}
	_, err = p.commit(ctx, func(tx *store.Tx) error {
		now, err := store.Get[*trellis.Certificate](tx, c.Key())
		if errors.Is(err, trellis.ErrNotExist) && c.Status == trellis.CertificatePending {
			first := *c
			now, err = &first, nil
		}
		if errors.Is(err, trellis.ErrNotExist) || err == nil && now.Serial != c.Serial {
			return nil
		}
		if err != nil {
			return err
		}
		if now.Status == trellis.CertificateReady {
			now.RenewedAt = p.now()
		} else {
			now.Status, now.IssuedAt = trellis.CertificateReady, p.now()
		}
		now.UpdatedAt = p.now()
		pair.Fill(now)
		tx.Put(now)
		return nil
	})
	return err
}

// RenewCertificates renews every certificate of this installation's authority that is to be renewed by now. Services
// go on with the certificate that they have until theirs is committed, and get it with no restart. Many nodes may do
// it at once: each certificate is renewed by one.
func (p *Plane) RenewCertificates(ctx context.Context) error {
	var due []*trellis.Certificate
	a, err := p.authority(ctx)
	if err != nil {
		return err
	}
	err = p.read(ctx, func(tx *store.Tx) error {
		all, err := store.List[*trellis.Certificate](tx, "")
		due = due[:0]
		for _, c := range all {
			if c.Type == trellis.CertificateIssued && c.Status == trellis.CertificateReady && p.due(a, c) {
				due = append(due, c)
			}
		}
		return err
	})
	for _, c := range due {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if failed := p.reissue(ctx, a, c); failed != nil {
			err = errors.Join(err, fmt.Errorf("renew certificate %s: %w", c.ID, failed))
		}
	}
	return err
}

// renew renews certificates until ctx is done.
func (p *Plane) renew(ctx context.Context) {
	for {
		if err := p.RenewCertificates(ctx); err != nil && ctx.Err() == nil {
			p.Log.Warn("renewing certificates failed", "error", err)
		}
		if !sleep(ctx, renewEvery) {
			return
		}
	}
}
