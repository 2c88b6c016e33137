package controlplane

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/store"
)

// AuthPolicy is the auth policy of a service or network, and whether it is in force: Active when the auth
// type is AWS_IAM, else Inactive. A resource without one has an empty Text and State.
type AuthPolicy struct {
	trellis.AuthPolicy
	State string
}

// guarded is a service, service network or resource configuration: what auth policies, but for the last, and access log
// subscriptions are about.
type guarded struct {
	trellis.Ref
	AuthType trellis.AuthType
}

// kind is the kind of the resource, by its id.
func (g guarded) kind() resourceKind {
	switch {
	case strings.HasPrefix(g.ID, "sn-"):
		return networkKind
	case strings.HasPrefix(g.ID, "rcfg-"):
		return configurationKind
	}
	return serviceKind
}

// arn is the ARN of the resource.
func (g guarded) arn(region string) string {
	return trellis.LatticeARN(region, g.Account, g.kind().path+"/"+g.ID)
}

// guardedBy returns the service or network that an id or ARN names, when the caller owns it and its policies
// allow action.
func (p *Plane) guardedBy(tx *store.Tx, c *authpolicy.Caller, identifier, action string) (guarded, error) {
	switch (guarded{Ref: trellis.Ref{ID: trellis.LastPart(identifier)}}).kind() {
	case networkKind:
		n, err := own[*trellis.ServiceNetwork](p, tx, c, identifier, networkKind, action, nil)
		if err != nil {
			return guarded{}, err
		}
		return guarded{n.Ref(), n.AuthType}, nil
	case configurationKind:
		if _, err := own[*trellis.ResourceConfiguration](p, tx, c, identifier, configurationKind, action, nil); err != nil {
			return guarded{}, err
		}
		return guarded{}, trellis.InvalidOther("Auth policies do not apply to resource configurations.")
	}
	s, err := own[*trellis.Service](p, tx, c, identifier, serviceKind, action, nil)
	if err != nil {
		return guarded{}, err
	}
	return guarded{s.Ref(), s.AuthType}, nil
}

// subscribable is guardedBy for operations whose permission is not asked on the service or network, but on
// what is attached to it.
func (p *Plane) subscribable(tx *store.Tx, c *authpolicy.Caller, identifier, action string) (g guarded, err error) {
	g.ID = trellis.LastPart(identifier)
	kind := g.kind()
	if g.Ref, err = p.ref(c, identifier, kind); err != nil {
		return g, err
	}
	if err := p.reach(tx, c, g.Ref, g.arn(p.Region), kind, action, nil); err != nil {
		return g, err
	}
	if g.Account != account(c) {
		return g, notOwner(c, action, g.arn(p.Region))
	}
	switch kind {
	case networkKind:
		_, err = get[*trellis.ServiceNetwork](tx, g.Ref, kind.typ)
	case configurationKind:
		_, err = get[*trellis.ResourceConfiguration](tx, g.Ref, kind.typ)
	default:
		_, err = get[*trellis.Service](tx, g.Ref, kind.typ)
	}
	return g, err
}

// state is the state of an auth policy of the resource.
func (g guarded) state() string {
	if g.AuthType == trellis.AuthIAM {
		return "Active"
	}
	return "Inactive"
}

// PutAuthPolicy gives a service or network its auth policy. A policy that would not decide is refused here,
// with the reason.
func (p *Plane) PutAuthPolicy(ctx context.Context, c *authpolicy.Caller, resource, text string) (*AuthPolicy, trellis.Revision, error) {
	var a *AuthPolicy
	rev, err := p.commit(ctx, func(tx *store.Tx) error {
		g, err := p.guardedBy(tx, c, resource, "vpc-lattice:PutAuthPolicy")
		if err != nil {
			return err
		}
		if most := p.Quotas.Default(quota.AuthPolicyBytes); len(text) > most {
			return field("policy", fmt.Sprintf("An auth policy has at most %d bytes.", most))
		}
		if _, err := authpolicy.Parse(text, authpolicy.Resource); err != nil {
			return field("policy", "The policy is not valid: "+err.Error())
		}
		now := p.now()
		a = &AuthPolicy{trellis.AuthPolicy{Resource: g.Ref, Text: text, CreatedAt: now, UpdatedAt: now}, g.state()}
		old, err := store.Get[*trellis.AuthPolicy](tx, g.Key())
		if err != nil && !errors.Is(err, trellis.ErrNotExist) {
			return err
		}
		if err == nil {
			a.CreatedAt = old.CreatedAt
		}
		tx.Put(&a.AuthPolicy)
		return nil
	})
	return a, rev, err
}

// GetAuthPolicy returns the auth policy of a service or network, or an empty one when it has none.
func (p *Plane) GetAuthPolicy(ctx context.Context, c *authpolicy.Caller, resource string) (*AuthPolicy, error) {
	var a *AuthPolicy
	err := p.read(ctx, func(tx *store.Tx) error {
		g, err := p.guardedBy(tx, c, resource, "vpc-lattice:GetAuthPolicy")
		if err != nil {
			return err
		}
		found, err := store.Get[*trellis.AuthPolicy](tx, g.Key())
		if errors.Is(err, trellis.ErrNotExist) {
			a = &AuthPolicy{}
			return nil
		}
		if err != nil {
			return err
		}
		a = &AuthPolicy{*found, g.state()}
		return nil
	})
	return a, err
}

// DeleteAuthPolicy removes an auth policy. AWS's guide says that this fails while the auth type is AWS_IAM,
// its API reference that every request is denied then: strict mode does the first, extended mode the second.
func (p *Plane) DeleteAuthPolicy(ctx context.Context, c *authpolicy.Caller, resource string) (trellis.Revision, error) {
	return p.commit(ctx, func(tx *store.Tx) error {
		g, err := p.guardedBy(tx, c, resource, "vpc-lattice:DeleteAuthPolicy")
		if err != nil {
			return err
		}
		if _, err := get[*trellis.AuthPolicy](tx, g.Ref, "AUTH_POLICY"); err != nil {
			return err
		}
		if p.Strict && g.AuthType == trellis.AuthIAM {
			return trellis.InvalidOther("The auth policy cannot be deleted while the auth type is AWS_IAM.")
		}
		tx.Delete(&trellis.AuthPolicy{Resource: g.Ref})
		return nil
	})
}
