package identity

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/certificate"
	"github.com/trellis-project/trellis/store"
)

// CreateAnywhereProfile makes a profile of the caller's account. The caller must be allowed to pass each of its roles to
// IAM Roles Anywhere.
func (i *Identity) CreateAnywhereProfile(ctx context.Context, c *authpolicy.Caller, p trellis.AnywhereProfile) (*trellis.AnywhereProfile, trellis.Revision, error) {
	n := p
	n.Meta, n.CreatedBy, n.AttributeMappings = i.anywhereMeta(c, p.Tags), c.Principal.ARN, certificate.DefaultRules()
	if n.DurationSeconds == 0 {
		n.DurationSeconds = defaultSession
	}
	rev, err := anywhereMake(ctx, i, c, "rolesanywhere:CreateProfile", &n, maxAnywhereProfiles, func(tx *store.Tx) error {
		return checkProfile(tx, c, &n, n.RoleARNs)
	})
	if err != nil {
		return nil, 0, err
	}
	return &n, rev, nil
}

// checkProfile refuses a profile with a field that can't be, and a caller who may not pass the roles that it gets.
func checkProfile(tx *store.Tx, c *authpolicy.Caller, n *trellis.AnywhereProfile, passed []string) error {
	if n.DurationSeconds < minSession || n.DurationSeconds > maxProfileDuration {
		return anywhereInvalid("The duration of sessions must be between %d and %d seconds.", minSession, maxProfileDuration)
	}
	if len(n.RoleARNs) > maxProfileRoles {
		return anywhereInvalid("A profile has at most %d roles.", maxProfileRoles)
	}
	if n.SessionPolicy != "" {
		if _, err := authpolicy.Parse(n.SessionPolicy, authpolicy.Session); err != nil {
			return anywhereInvalid("The session policy is malformed: %s", err)
		}
	}
	for _, arn := range n.ManagedPolicyARNs {
		if a, err := trellis.ParseARN(arn); err != nil || a.Service != "iam" || !strings.HasPrefix(a.Resource, "policy/") {
			return anywhereInvalid("%q is not the ARN of a managed policy.", arn)
		}
	}
	for _, arn := range n.RoleARNs {
		if a, _ := trellis.ParseARN(arn); !isRoleARN(arn) || a.Account != n.Account {
			return anywhereInvalid("%q is not the ARN of a role of account %s.", arn, n.Account)
		}
	}
	for _, arn := range passed {
		if err := passByARN(tx, c, arn, anywhereService); err != nil {
			return err
		}
	}
	return nil
}

// passByARN is PassRole for a role that need not exist yet.
func passByARN(tx *store.Tx, c *authpolicy.Caller, arn, service string) error {
	a, err := trellis.ParseARN(arn)
	if err != nil {
		return err
	}
	r, err := store.Get[*trellis.Role](tx, a.Account+"/"+trellis.LastPart(a.Resource))
	switch {
	case err == nil && r.ARN() == arn:
		return PassRole(c, r, service, "")
	case err != nil && !errors.Is(err, trellis.ErrNotExist):
		return err
	}
	return authorizeOn(c, passRole, arn, nil, "", passKeys(service, ""))
}

// GetAnywhereProfile returns a profile of the caller's account.
func (i *Identity) GetAnywhereProfile(ctx context.Context, c *authpolicy.Caller, name string) (*trellis.AnywhereProfile, error) {
	return anywhereGet[*trellis.AnywhereProfile](ctx, i, c, "rolesanywhere:GetProfile", name)
}

// ListAnywhereProfiles returns the profiles of the caller's account.
func (i *Identity) ListAnywhereProfiles(ctx context.Context, c *authpolicy.Caller) ([]*trellis.AnywhereProfile, error) {
	return anywhereList[*trellis.AnywhereProfile](ctx, i, c, "rolesanywhere:ListProfiles")
}

// ProfileChange is what UpdateProfile changes; nil leaves a part as it was.
type ProfileChange struct {
	Name, Alias, SessionPolicy  *string
	DurationSeconds             *int
	AcceptRoleSessionName       *bool
	RoleARNs, ManagedPolicyARNs []string
}

// UpdateAnywhereProfile changes a profile. It returns the alias that it had before, if that has changed.
func (i *Identity) UpdateAnywhereProfile(ctx context.Context, c *authpolicy.Caller, name string, change ProfileChange) (n *trellis.AnywhereProfile, before string, rev trellis.Revision, err error) {
	n, rev, err = anywhereChange(ctx, i, c, "rolesanywhere:UpdateProfile", name, nil, func(tx *store.Tx, n *trellis.AnywhereProfile) error {
		var passed []string
		if change.RoleARNs != nil {
			passed, n.RoleARNs = change.RoleARNs, change.RoleARNs
		}
		if change.ManagedPolicyARNs != nil {
			n.ManagedPolicyARNs = change.ManagedPolicyARNs
		}
		set(&n.Name, change.Name)
		set(&n.SessionPolicy, change.SessionPolicy)
		set(&n.DurationSeconds, change.DurationSeconds)
		set(&n.AcceptRoleSessionName, change.AcceptRoleSessionName)
		if before, err = realias(tx, n, &n.Alias, change.Alias); err != nil {
			return err
		}
		return checkProfile(tx, c, n, passed)
	})
	return n, before, rev, err
}

// EnableAnywhereProfile sets whether sessions are given with a profile.
func (i *Identity) EnableAnywhereProfile(ctx context.Context, c *authpolicy.Caller, action, name string, enabled bool) (*trellis.AnywhereProfile, trellis.Revision, error) {
	return anywhereChange(ctx, i, c, action, name, nil, func(_ *store.Tx, n *trellis.AnywhereProfile) error {
		n.Enabled = enabled
		return nil
	})
}

// DeleteAnywhereProfile removes a profile. Sessions that it gave go on.
func (i *Identity) DeleteAnywhereProfile(ctx context.Context, c *authpolicy.Caller, name string) (*trellis.AnywhereProfile, trellis.Revision, error) {
	return anywhereDelete[*trellis.AnywhereProfile](ctx, i, c, "rolesanywhere:DeleteProfile", name, nil)
}

// PutAttributeMapping adds specifiers to what becomes session tags of a field of certificates.
func (i *Identity) PutAttributeMapping(ctx context.Context, c *authpolicy.Caller, name string, rule trellis.X509Rule) (*trellis.AnywhereProfile, trellis.Revision, error) {
	if len(rule.Specifiers) == 0 {
		return nil, 0, anywhereInvalid("At least one mapping rule must be given.")
	}
	for _, s := range rule.Specifiers {
		if !certificate.IsSpecifier(rule.Field, s) {
			return nil, 0, anywhereInvalid("The specifier %q is not valid for the certificate field %s.", s, rule.Field)
		}
	}
	return anywhereChange(ctx, i, c, "rolesanywhere:PutAttributeMapping", name, nil, func(_ *store.Tx, n *trellis.AnywhereProfile) error {
		at := slices.IndexFunc(n.AttributeMappings, func(r trellis.X509Rule) bool { return r.Field == rule.Field })
		if at < 0 {
			at = len(n.AttributeMappings)
			n.AttributeMappings = append(n.AttributeMappings, trellis.X509Rule{Field: rule.Field})
		}
		r := &n.AttributeMappings[at]
		for _, s := range rule.Specifiers {
			if !slices.Contains(r.Specifiers, s) {
				r.Specifiers = append(r.Specifiers, s)
			}
		}
		if len(r.Specifiers) > maxSpecifiers {
			return anywhereInvalid("A certificate field has at most %d mapping rules.", maxSpecifiers)
		}
		return nil
	})
}

// maxSpecifiers bounds the specifiers of a field: a session has no more tags.
const maxSpecifiers = trellis.MaxTags

// DeleteAttributeMapping removes specifiers of a field, or without any of them the field.
func (i *Identity) DeleteAttributeMapping(ctx context.Context, c *authpolicy.Caller, name string, rule trellis.X509Rule) (*trellis.AnywhereProfile, trellis.Revision, error) {
	return anywhereChange(ctx, i, c, "rolesanywhere:DeleteAttributeMapping", name, nil, func(_ *store.Tx, n *trellis.AnywhereProfile) error {
		at := slices.IndexFunc(n.AttributeMappings, func(r trellis.X509Rule) bool { return r.Field == rule.Field })
		if at < 0 {
			return nil
		}
		r := &n.AttributeMappings[at]
		r.Specifiers = slices.DeleteFunc(r.Specifiers, func(s string) bool { return len(rule.Specifiers) == 0 || slices.Contains(rule.Specifiers, s) })
		if len(r.Specifiers) == 0 {
			n.AttributeMappings = slices.Delete(n.AttributeMappings, at, at+1)
		}
		return nil
	})
}
