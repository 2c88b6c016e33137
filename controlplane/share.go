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
	ClientToken             string
	Tags                    map[string]string
}

// CreateShare makes a resource share. Sharing within the organization is immediate when it is enabled; other
// accounts are invited.
func (p *Plane) CreateShare(ctx context.Context, c *authpolicy.Caller, in NewShare) (*trellis.ResourceShare, trellis.Revision, error) {
	any := trellis.ARN{Partition: "aws", Service: "ram", Region: p.Region, Account: account(c), Resource: "resource-share/*"}.String()
	if err := authorize(c, "ram:CreateResourceShare", authpolicy.TagKeys(nil, in.Tags, nil), any); err != nil {
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
			if err := p.addToShare(tx, s, in.Resources, in.Principals); err != nil {
				return nil, err
			}
			if s.Permissions, err = choosePermissions(in.Permissions, s.Resources); err != nil {
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

// ownShare finds a share of the caller's account by its ARN, and checks the caller's policies for action.
func (p *Plane) ownShare(tx *store.Tx, c *authpolicy.Caller, action, arn string) (*trellis.ResourceShare, error) {
	a, err := trellis.ParseARN(arn)
	id, ok := strings.CutPrefix(a.Resource, "resource-share/")
	if err != nil || !ok || a.Service != "ram" {
		return nil, malformedARN(arn)
	}
	if err := authorize(c, "ram:"+action, nil, arn); err != nil {
		return nil, err
	}
	s, err := store.Get[*trellis.ResourceShare](tx, account(c)+"/"+id)
	if errors.Is(err, trellis.ErrNotExist) || err == nil && s.ARN(p.Region) != arn {
		return nil, ramError("UnknownResourceException", "ResourceShare %s could not be found.", arn)
	}
	return s, err
}

// activeShare finds a share of the caller's account that is not deleted.
func (p *Plane) activeShare(tx *store.Tx, c *authpolicy.Caller, action, arn string) (*trellis.ResourceShare, error) {
	s, err := p.ownShare(tx, c, action, arn)
	if err == nil && s.Status != ShareActive {
		return nil, ramError("UnknownResourceException", "ResourceShare %s could not be found.", arn)
	}
	return s, err
}

// changeShare changes a share of the caller's account in one transaction.
func (p *Plane) changeShare(ctx context.Context, c *authpolicy.Caller, action, arn string, change func(*store.Tx, *trellis.ResourceShare) error) (s *trellis.ResourceShare, rev trellis.Revision, err error) {
	rev, err = p.ramCommit(ctx, func(tx *store.Tx) (err error) {
		if s, err = p.activeShare(tx, c, action, arn); err != nil {
			return err
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
	return p.changeShare(ctx, c, "UpdateResourceShare", arn, func(_ *store.Tx, s *trellis.ResourceShare) error {
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
	_, rev, err := p.changeShare(ctx, c, "DeleteResourceShare", arn, func(_ *store.Tx, s *trellis.ResourceShare) error {
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

// TagShare adds tags to a share.
func (p *Plane) TagShare(ctx context.Context, c *authpolicy.Caller, arn string, tags map[string]string) (trellis.Revision, error) {
	_, rev, err := p.changeShare(ctx, c, "TagResource", arn, func(_ *store.Tx, s *trellis.ResourceShare) error {
		if s.Tags == nil {
			s.Tags = map[string]string{}
		}
		maps.Copy(s.Tags, tags)
		return checkShareTags(s.Tags)
	})
	return rev, err
}

// UntagShare removes tags of a share by key.
func (p *Plane) UntagShare(ctx context.Context, c *authpolicy.Caller, arn string, tagKeys []string) (trellis.Revision, error) {
	_, rev, err := p.changeShare(ctx, c, "UntagResource", arn, func(_ *store.Tx, s *trellis.ResourceShare) error {
		for _, k := range tagKeys {
			delete(s.Tags, k)
		}
		return nil
	})
	return rev, err
}

// EnableSharing lets shares within the organization take effect without an invitation. Only the management
// account may do it.
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
		if err != nil || org.SharingEnabled {
			return err
		}
		org.SharingEnabled = true
		tx.Put(org)
		return nil
	})
}
