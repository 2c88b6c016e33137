package identity

import (
	"context"
	"slices"
	"strconv"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

// PolicyVersions are all versions of a managed policy, oldest first. One that was never given another has no list.
func PolicyVersions(p *trellis.ManagedPolicy) []trellis.PolicyVersion {
	if len(p.Versions) > 0 {
		return p.Versions
	}
	return []trellis.PolicyVersion{{ID: p.VersionID, Text: p.Text, CreatedAt: p.CreatedAt}}
}

// noVersion is for a version of a managed policy that a caller named.
func noVersion(arn, id string) error {
	return noSuchEntity("Policy %s version %s does not exist or is not attachable.", arn, id)
}

// PolicyVersion returns one version of a managed policy.
func PolicyVersion(p *trellis.ManagedPolicy, id string) (trellis.PolicyVersion, error) {
	all := PolicyVersions(p)
	at := slices.IndexFunc(all, func(v trellis.PolicyVersion) bool { return v.ID == id })
	if at < 0 {
		return trellis.PolicyVersion{}, noVersion(p.ARN(), id)
	}
	return all[at], nil
}

// CreatePolicyVersion adds a version to a managed policy, and makes it the one that holds when asked to.
func (i *Identity) CreatePolicyVersion(ctx context.Context, c *authpolicy.Caller, arn, text string, asDefault bool) (v trellis.PolicyVersion, rev trellis.Revision, err error) {
	if err := checkManaged(text); err != nil {
		return v, 0, err
	}
	rev, err = i.changePolicy(ctx, c, "iam:CreatePolicyVersion", arn, nil, func(tx *store.Tx, p *trellis.ManagedPolicy) error {
		p.Versions = PolicyVersions(p)
		if len(p.Versions) >= maxVersions {
			return limitExceeded("A managed policy can have up to %d versions. Before you create a new version, you must delete an existing version.", maxVersions)
		}
		next := max(p.NextVersion, 2)
		p.NextVersion = next + 1
		v = trellis.PolicyVersion{ID: "v" + strconv.Itoa(next), Text: text, CreatedAt: i.now()}
		p.Versions = append(p.Versions, v)
		if asDefault {
			p.VersionID, p.Text = v.ID, v.Text
		}
		p.UpdatedAt = v.CreatedAt
		tx.Put(p)
		return nil
	})
	return v, rev, err
}

// SetDefaultPolicyVersion makes a version the one that holds.
func (i *Identity) SetDefaultPolicyVersion(ctx context.Context, c *authpolicy.Caller, arn, id string) (trellis.Revision, error) {
	return i.changePolicy(ctx, c, "iam:SetDefaultPolicyVersion", arn, nil, func(tx *store.Tx, p *trellis.ManagedPolicy) error {
		v, err := PolicyVersion(p, id)
		if err != nil {
			return err
		}
		p.VersionID, p.Text, p.UpdatedAt = v.ID, v.Text, i.now()
		tx.Put(p)
		return nil
	})
}

// DeletePolicyVersion removes a version that is not the default one.
func (i *Identity) DeletePolicyVersion(ctx context.Context, c *authpolicy.Caller, arn, id string) (trellis.Revision, error) {
	return i.changePolicy(ctx, c, "iam:DeletePolicyVersion", arn, nil, func(tx *store.Tx, p *trellis.ManagedPolicy) error {
		if _, err := PolicyVersion(p, id); err != nil {
			return err
		}
		if id == p.VersionID {
			return deleteConflict("Cannot delete the default version of a policy.")
		}
		p.Versions = slices.DeleteFunc(PolicyVersions(p), func(v trellis.PolicyVersion) bool { return v.ID == id })
		p.UpdatedAt = i.now()
		tx.Put(p)
		return nil
	})
}
