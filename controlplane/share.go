package controlplane

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/identity"
	"github.com/trellis-project/trellis/store"
)

// The statuses of resource shares.
const (
	ShareActive  = "ACTIVE"
	ShareDeleted = "DELETED"
)

// deletedShareVisible is how long a deleted share is still listed, so that clients see its status. AWS
// shows it for about an hour.
const deletedShareVisible = time.Hour

// ramError is an error of RAM, which all have status 400 in its API model.
func ramError(code, format string, args ...any) *trellis.Error {
	return trellis.NewError(400, code, format, args...)
}

// malformedARN says that a text is no ARN, or not of what was expected.
func malformedARN(s string) error {
	return ramError("MalformedArnException", "The specified Amazon Resource Name (ARN) is not valid: %s", s)
}

// ramCommit runs fn as one transaction with RAM's error for a client token that was used otherwise.
func (p *Plane) ramCommit(ctx context.Context, fn func(*store.Tx) error) (trellis.Revision, error) {
	rev, err := p.Store.Commit(ctx, fn)
	var reused *store.TokenReusedError
	if errors.As(err, &reused) {
		return 0, ramError("IdempotentParameterMismatchException", "The client token was already used with different parameters.")
	}
	return rev, err
}

// NewShare is what CreateResourceShare asks for.
type NewShare struct {
	Name                    string
	AllowExternalPrincipals bool
	Resources               []string // ARNs
	Principals              []string // accounts, organization and organizational unit ARNs
	Permissions             []string // ARNs, at most one a resource type
	RetainOnLeave           bool     // accounts that leave the organization keep the share
	ClientToken             string
	Tags                    map[string]string
}

// CreateShare makes a resource share. Sharing within the organization is immediate when it is enabled; other
// accounts are invited.
func (p *Plane) CreateShare(ctx context.Context, c *authpolicy.Caller, in NewShare) (*trellis.ResourceShare, trellis.Revision, error) {
	arn := (&trellis.ResourceShare{Meta: trellis.Meta{Account: account(c), ID: "*"}}).ARN(p.Region)
	k := authpolicy.TagKeys(keys{"ram:requestedallowsexternalprincipals": flag(in.AllowExternalPrincipals)}, in.Tags, nil)
	if err := authorizeParts(c, "CreateResourceShare", arn, k, in.Resources, in.Principals); err != nil {
		return nil, 0, err
	}
	if in.Name == "" || len(in.Name) > 255 {
		return nil, 0, ramError("InvalidParameterException", "The name of a resource share must have 1 to 255 characters.")
	}
	if err := checkShareTags(in.Tags); err != nil {
		return nil, 0, err
	}
	var out *trellis.ResourceShare
	rev, err := p.ramCommit(ctx, func(tx *store.Tx) (err error) {
		out, err = store.Once(tx, account(c)+"/CreateResourceShare", in.ClientToken, in, func() (*trellis.ResourceShare, error) {
			now := p.now()
			s := &trellis.ResourceShare{
				Meta: trellis.Meta{Account: account(c), ID: trellis.NewUUID(), CreatedAt: now, UpdatedAt: now, Tags: in.Tags},
				Name: in.Name, AllowExternalPrincipals: in.AllowExternalPrincipals, Status: ShareActive,
			}
			s.RetainOnLeave = in.RetainOnLeave
			have, err := store.List[*trellis.ResourceShare](tx, account(c)+"/")
			if err != nil {
				return nil, err
			}
			if len(have) >= maxShares {
				return nil, ramError("ResourceShareLimitExceededException", "An account can have at most %d resource shares.", maxShares)
			}
			if err := p.addToShare(tx, s, in.Resources, in.Principals); err != nil {
				return nil, err
			}
			if err := p.choosePermissions(tx, s, in.Permissions); err != nil {
				return nil, err
			}
			tx.Put(s)
			return s, nil
		})
		return err
	})
	return out, rev, err
}

// checkShareTags refuses tags that RAM does not take.
func checkShareTags(tags map[string]string) error {
	if len(tags) > trellis.MaxTags {
		return ramError("TagLimitExceededException", "A resource share can have at most %d tags.", trellis.MaxTags)
	}
	if err := checkTags(tags); err != nil {
		return ramError("InvalidParameterException", "%s", err.(*trellis.Error).Message)
	}
	return nil
}

// maxShares is how many resource shares an account may have, and how many resources, and principals, a share may have (AWS RAM
// user guide, service quotas).
const maxShares = 5000

// maxParts bounds resources times principals of one request: the caller's policies are asked about each pair.
const maxParts = 10000

// authorizeParts checks the caller's policies for an action with a share about each resource with each principal, so that no
// condition on one is met by another.
func authorizeParts(c *authpolicy.Caller, action, arn string, k keys, resources, principals []string) error {
	if len(resources)*len(principals) > maxParts {
		return ramError("InvalidParameterException", "The request names too many resources and principals.")
	}
	// Without resources, or principals, their keys are absent, and the policies are asked all the same.
	for i := range max(len(resources), 1) {
		for j := range max(len(principals), 1) {
			part := maps.Clone(k)
			if part == nil {
				part = keys{}
			}
			if len(resources) > 0 {
				part["ram:resourcearn"], part["ram:requestedresourcetype"] = resources[i:i+1], one(ShareResourceType(resources[i]))
			}
			if len(principals) > 0 {
				part["ram:principal"] = principals[j : j+1]
			}
			if err := authorize(c, "ram:"+action, part, arn); err != nil {
				return err
			}
		}
	}
	return nil
}

// shareKeys are the condition keys of a share (service authorization reference, AWS RAM).
func shareKeys(s *trellis.ResourceShare) keys {
	k := authpolicy.TagKeys(keys{"ram:resourcesharename": {s.Name}, "ram:allowsexternalprincipals": flag(s.AllowExternalPrincipals)}, nil, s.Tags)
	for name, v := range s.Tags {
		k["ram:resourcetag/"+strings.ToLower(name)] = []string{v}
	}
	return k
}

// shareRequest is what an operation asks of a share, as far as the caller's policies have keys for it.
type shareRequest struct {
	action                string // without ram:
	arn                   string
	resources, principals []string
	keys                  keys // further ones
}

// ownShare finds a share of the caller's account by its ARN, and checks the caller's policies.
func (p *Plane) ownShare(tx *store.Tx, c *authpolicy.Caller, r shareRequest) (*trellis.ResourceShare, error) {
	a, err := trellis.ParseARN(r.arn)
	id, ok := strings.CutPrefix(a.Resource, "resource-share/")
	if err != nil || !ok || a.Service != "ram" {
		return nil, malformedARN(r.arn)
	}
	s, err := store.Get[*trellis.ResourceShare](tx, account(c)+"/"+id)
	missing := errors.Is(err, trellis.ErrNotExist) || err == nil && s.ARN(p.Region) != r.arn
	if err != nil && !missing {
		return nil, err
	}
	k := maps.Clone(r.keys)
	if !missing {
		if k == nil {
			k = keys{}
		}
		maps.Copy(k, shareKeys(s))
	}
	if err := authorizeParts(c, r.action, r.arn, k, r.resources, r.principals); err != nil {
		return nil, err
	}
	if missing {
		return nil, ramError("UnknownResourceException", "ResourceShare %s could not be found.", r.arn)
	}
	return s, nil
}

// changeShare changes an active share of the caller's account in one transaction.
func (p *Plane) changeShare(ctx context.Context, c *authpolicy.Caller, r shareRequest, change func(*store.Tx, *trellis.ResourceShare) error) (s *trellis.ResourceShare, rev trellis.Revision, err error) {
	rev, err = p.ramCommit(ctx, func(tx *store.Tx) (err error) {
		if s, err = p.ownShare(tx, c, r); err != nil {
			return err
		}
		if s.Status != ShareActive {
			return ramError("UnknownResourceException", "ResourceShare %s could not be found.", r.arn)
		}
		if err := change(tx, s); err != nil {
			return err
		}
		s.UpdatedAt = p.now()
		tx.Put(s)
		return nil
	})
	return s, rev, err
}

// UpdateShare changes the name and whether outside accounts may be invited, where not nil.
func (p *Plane) UpdateShare(ctx context.Context, c *authpolicy.Caller, arn string, name *string, external *bool) (*trellis.ResourceShare, trellis.Revision, error) {
	r := shareRequest{action: "UpdateResourceShare", arn: arn}
	if external != nil {
		r.keys = keys{"ram:requestedallowsexternalprincipals": flag(*external)}
	}
	return p.changeShare(ctx, c, r, func(_ *store.Tx, s *trellis.ResourceShare) error {
		if name != nil {
			if *name == "" || len(*name) > 255 {
				return ramError("InvalidParameterException", "The name of a resource share must have 1 to 255 characters.")
			}
			s.Name = *name
		}
		if external != nil {
			if !*external && slices.ContainsFunc(s.Principals, func(sp trellis.SharePrincipal) bool { return sp.External }) {
				return ramError("OperationNotPermittedException", "The resource share has external principals. Disassociate them first.")
			}
			s.AllowExternalPrincipals = *external
		}
		return nil
	})
}

// DeleteShare ends a share. Associations that were made through it stay (VPC Lattice user guide, sharing).
func (p *Plane) DeleteShare(ctx context.Context, c *authpolicy.Caller, arn string) (trellis.Revision, error) {
	_, rev, err := p.changeShare(ctx, c, shareRequest{action: "DeleteResourceShare", arn: arn}, func(_ *store.Tx, s *trellis.ResourceShare) error {
		s.Status = ShareDeleted
		return nil
	})
	return rev, err
}

// nextShare is what is still to be done about a share: a deleted one disappears after a while.
func (p *Plane) nextShare(s *trellis.ResourceShare) *settling {
	if s.Status != ShareDeleted {
		return nil
	}
	return &settling{at: s.UpdatedAt.Add(deletedShareVisible), step: func(tx *store.Tx) (bool, error) {
		now, err := store.Get[*trellis.ResourceShare](tx, s.Key())
		if err == nil && now.Status == ShareDeleted {
			tx.Delete(now)
		}
		return false, err
	}}
}

// TagShare adds tags to a share, or to a customer managed permission.
func (p *Plane) TagShare(ctx context.Context, c *authpolicy.Caller, arn string, tags map[string]string) (trellis.Revision, error) {
	return p.tagRAM(ctx, c, shareRequest{action: "TagResource", arn: arn, keys: authpolicy.TagKeys(nil, tags, nil)}, tags, func(have map[string]string) { maps.Copy(have, tags) })
}

// UntagShare removes tags of a share, or of a customer managed permission, by key.
func (p *Plane) UntagShare(ctx context.Context, c *authpolicy.Caller, arn string, tagKeys []string) (trellis.Revision, error) {
	return p.tagRAM(ctx, c, shareRequest{action: "UntagResource", arn: arn, keys: keys{"aws:tagkeys": tagKeys}}, nil, func(have map[string]string) {
		for _, k := range tagKeys {
			delete(have, k)
		}
	})
}

// tagRAM changes the tags of a share or a permission. requested are those that the request brings.
func (p *Plane) tagRAM(ctx context.Context, c *authpolicy.Caller, r shareRequest, requested map[string]string, change func(have map[string]string)) (trellis.Revision, error) {
	if a, err := trellis.ParseARN(r.arn); err == nil && strings.HasPrefix(a.Resource, "permission/") {
		return p.tagPermission(ctx, c, r.action, r.arn, requested, change)
	}
	_, rev, err := p.changeShare(ctx, c, r, func(_ *store.Tx, s *trellis.ResourceShare) error {
		have := maps.Clone(s.Tags)
		if have == nil {
			have = map[string]string{}
		}
		change(have)
		s.Tags = have
		return checkShareTags(have)
	})
	return rev, err
}

// EnableSharing lets shares within the organization take effect without an invitation. Only the management
// account may do it; it gets RAM's service-linked role, by which Terraform tells that sharing is enabled.
func (p *Plane) EnableSharing(ctx context.Context, c *authpolicy.Caller) (trellis.Revision, error) {
	if err := authorize(c, "ram:EnableSharingWithAwsOrganization", nil, "*"); err != nil {
		return 0, err
	}
	return p.ramCommit(ctx, func(tx *store.Tx) error {
		a, err := store.Get[*trellis.Account](tx, account(c))
		if err != nil {
			return err
		}
		org, err := store.Get[*trellis.Organization](tx, a.OrgID)
		if errors.Is(err, trellis.ErrNotExist) || err == nil && org.ManagementAccountID != a.ID {
			return ramError("OperationNotPermittedException", "Only the management account of an organization can enable sharing with AWS Organizations.")
		}
		if err != nil {
			return err
		}
		if !org.SharingEnabled {
			org.SharingEnabled = true
			tx.Put(org)
		}
		return identity.NeedServiceRole(tx, a.ID, "ram.amazonaws.com", p.now())
	})
}
