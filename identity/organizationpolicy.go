package identity

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

// Limits of an organization's policies (Organizations user guide, quotas).
const (
	maxControlText     = 5120
	maxControlAttached = 5 // of a type, to a root, unit or account
)

// maxControls is how many policies of a type an organization may have.
var maxControls = map[string]int{ServiceControlPolicy: 10_000, ResourceControlPolicy: 1_000}

// fullAccess are the policies that AWS gives an organization, by type: attached everywhere from the start, so that a
// level forbids nothing until others take their place.
var fullAccess = map[string]trellis.OrganizationPolicy{
	ServiceControlPolicy: {ID: "p-FullAWSAccess", Name: "FullAWSAccess", Type: ServiceControlPolicy, AWSManaged: true,
		Description: "Allows access to every operation",
		Text:        `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`},
	ResourceControlPolicy: {ID: "p-RCPFullAWSAccess", Name: "RCPFullAWSAccess", Type: ResourceControlPolicy, AWSManaged: true,
		Description: "Allows access to every resource",
		Text:        `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}`},
}

// ControlPolicyARN is the ARN of a policy of an organization.
func ControlPolicyARN(o *trellis.Organization, p *trellis.OrganizationPolicy) string {
	kind := strings.ToLower(p.Type) + "/"
	if p.AWSManaged {
		return trellis.ARN{Partition: "aws", Service: "organizations", Account: "aws", Resource: "policy/" + kind + p.ID}.String()
	}
	return OrgARN(o, "policy", kind+p.ID)
}

// errNoControl is for a policy that a caller named.
func errNoControl(id string) *trellis.Error {
	return orgError("PolicyNotFoundException", "We can't find a policy with the PolicyId that you specified: %s.", id)
}

// errNoTarget is for what a caller wants a policy to be attached to.
func errNoTarget() *trellis.Error {
	return orgError("TargetNotFoundException", "You specified a target that doesn't exist.")
}

// checkControlType refuses the types of policies that Trellis does not have, and all where the organization shares
// nothing but bills.
func checkControlType(o *trellis.Organization, policyType string) error {
	if _, known := fullAccess[policyType]; !known || o.FeatureSet != "ALL" {
		return orgError("PolicyTypeNotAvailableForOrganizationException", "You can't use the specified policy type with the feature set currently enabled for this organization.")
	}
	return nil
}

// checkControl refuses the text of a policy that does not compile, is too long, or says what its type can't.
func checkControl(policyType, text string) error {
	if len(text) > maxControlText {
		return orgError("ConstraintViolationException", "You have exceeded the maximum size of a policy (%d bytes).", maxControlText)
	}
	if _, err := authpolicy.Parse(text, controlKind(policyType)); err != nil {
		return orgError("MalformedPolicyDocumentException", "The provided policy document does not meet the requirements of the specified policy type: %s", err)
	}
	return nil
}

// controlsOf reads the policies of an organization of a type; an empty one is all types.
func controlsOf(tx *store.Tx, o *trellis.Organization, policyType string) ([]*trellis.OrganizationPolicy, error) {
	all, err := store.List[*trellis.OrganizationPolicy](tx, o.ID+"/")
	return slices.DeleteFunc(all, func(p *trellis.OrganizationPolicy) bool { return policyType != "" && p.Type != policyType }), err
}

// putFullAccess attaches AWS's policy of a type to all that an organization has.
func (i *Identity) putFullAccess(tx *store.Tx, o *trellis.Organization, policyType string) error {
	p := fullAccess[policyType]
	p.OrgID, p.CreatedAt = o.ID, i.now()
	accounts, err := membersOf(tx, o)
	if err != nil {
		return err
	}
	units, err := store.List[*trellis.OrganizationalUnit](tx, o.ID+"/")
	if err != nil {
		return err
	}
	p.Targets = []string{o.RootID}
	for _, u := range units {
		p.Targets = append(p.Targets, u.ID)
	}
	for _, a := range accounts {
		p.Targets = append(p.Targets, a.ID)
	}
	slices.Sort(p.Targets)
	tx.Put(&p)
	return nil
}

// joinControls attaches AWS's policies to what is new in an organization.
func joinControls(tx *store.Tx, o *trellis.Organization, target string) error {
	all, err := controlsOf(tx, o, "")
	for _, p := range all {
		if p.AWSManaged {
			addTarget(p, target)
			tx.Put(p)
		}
	}
	return err
}

// leaveControls detaches all policies from what goes out of an organization.
func leaveControls(tx *store.Tx, o *trellis.Organization, target string) error {
	all, err := controlsOf(tx, o, "")
	for _, p := range all {
		if removeTarget(p, target) {
			tx.Put(p)
		}
	}
	return err
}

// addTarget attaches a policy, and tells whether it was not before.
func addTarget(p *trellis.OrganizationPolicy, target string) bool {
	at, found := slices.BinarySearch(p.Targets, target)
	if !found {
		p.Targets = slices.Insert(p.Targets, at, target)
	}
	return !found
}

// removeTarget detaches a policy, and tells whether it was attached before.
func removeTarget(p *trellis.OrganizationPolicy, target string) bool {
	at, found := slices.BinarySearch(p.Targets, target)
	if found {
		p.Targets = slices.Delete(p.Targets, at, at+1)
	}
	return found
}

// SetPolicyType enables a type of policies, with AWS's policy attached everywhere, or disables it, which detaches all of
// them.
func (i *Identity) SetPolicyType(ctx context.Context, c *authpolicy.Caller, root, policyType string, enabled bool) (o *trellis.Organization, rev trellis.Revision, err error) {
	action := "DisablePolicyType"
	if enabled {
		action = "EnablePolicyType"
	}
	rev, err = i.changeOrg(ctx, c, action, policyTypeKeys(policyType), func(tx *store.Tx, found *trellis.Organization) error {
		o = found
		if root != o.RootID {
			return orgError("RootNotFoundException", "You specified a root that doesn't exist.")
		}
		if err := checkControlType(o, policyType); err != nil {
			return err
		}
		at := slices.Index(o.PolicyTypes, policyType)
		switch {
		case enabled && at >= 0:
			return orgError("PolicyTypeAlreadyEnabledException", "The specified policy type is already enabled.")
		case enabled:
			o.PolicyTypes = append(o.PolicyTypes, policyType)
			tx.Put(o)
			return i.putFullAccess(tx, o, policyType)
		case at < 0:
			return errTypeNotEnabled()
		}
		o.PolicyTypes = slices.Delete(o.PolicyTypes, at, at+1)
		tx.Put(o)
		all, err := controlsOf(tx, o, policyType)
		for _, p := range all {
			p.Targets = nil
			tx.Put(p)
		}
		return err
	})
	return o, rev, err
}

// policyTypeKeys is the condition key of a type of policies.
func policyTypeKeys(policyType string) map[string][]string {
	return map[string][]string{"organizations:policytype": {policyType}}
}

// errTypeNotEnabled is for a type of policies that the root has not enabled.
func errTypeNotEnabled() *trellis.Error {
	return orgError("PolicyTypeNotEnabledException", "This operation can be performed only for enabled policy types.")
}

// CreateControlPolicy makes a policy of the organization out of its type, name, description, text and tags. It is attached
// to nothing.
func (i *Identity) CreateControlPolicy(ctx context.Context, c *authpolicy.Caller, in trellis.OrganizationPolicy) (p *trellis.OrganizationPolicy, o *trellis.Organization, rev trellis.Revision, err error) {
	if err := checkOrgTags(in.Tags); err != nil {
		return nil, nil, 0, err
	}
	keys := policyTypeKeys(in.Type)
	maps.Copy(keys, authpolicy.TagKeys(nil, in.Tags, nil))
	rev, err = i.changeOrg(ctx, c, "CreatePolicy", keys, func(tx *store.Tx, found *trellis.Organization) error {
		o = found
		if err := checkControlType(o, in.Type); err != nil {
			return err
		}
		if err := checkControl(in.Type, in.Text); err != nil {
			return err
		}
		all, err := controlsOf(tx, o, in.Type)
		if err != nil {
			return err
		}
		if len(all) >= maxControls[in.Type] {
			return orgError("ConstraintViolationException", "You have exceeded the number of policies of this type (%d) that an organization may have.", maxControls[in.Type])
		}
		p = &trellis.OrganizationPolicy{ID: "p-" + trellis.RandomHex(8), OrgID: o.ID, Type: in.Type, Name: in.Name, Description: in.Description,
			Text: in.Text, CreatedAt: i.now(), Tags: maps.Clone(in.Tags)}
		if err := freeControlName(all, p); err != nil {
			return err
		}
		tx.Put(p)
		return nil
	})
	return p, o, rev, err
}

// freeControlName refuses a name that another policy of the type has.
func freeControlName(all []*trellis.OrganizationPolicy, p *trellis.OrganizationPolicy) error {
	if slices.ContainsFunc(all, func(other *trellis.OrganizationPolicy) bool { return other.Name == p.Name && other.ID != p.ID }) {
		return orgError("DuplicatePolicyException", "A policy with the same name already exists.")
	}
	return nil
}

// controlFor reads a policy of the organization for an action that the caller's policies allow on it. Authorized by its ARN,
// the caller must be of the account that manages the organization, or one that has been given a part in that for reading.
func controlFor(tx *store.Tx, c *authpolicy.Caller, action, id string, reading bool) (*trellis.OrganizationPolicy, *trellis.Organization, error) {
	o, err := managed(tx, c)
	if reading {
		o, err = watched(tx, c)
	}
	if err != nil {
		return nil, nil, err
	}
	missing := errNoControl(id)
	p, err := get[*trellis.OrganizationPolicy](tx, o.ID+"/"+id, missing)
	resource, keys := "*", map[string][]string(nil)
	if err == nil {
		resource, keys = ControlPolicyARN(o, p), policyTypeKeys(p.Type)
	} else if err != error(missing) {
		return nil, nil, err
	}
	if denied := c.Authorize("organizations:"+action, resource, keys); denied != nil {
		return nil, nil, denied
	}
	return p, o, err
}

// changeControl changes a policy of the organization.
func (i *Identity) changeControl(ctx context.Context, c *authpolicy.Caller, action, id string, change func(*store.Tx, *trellis.Organization, *trellis.OrganizationPolicy) error) (p *trellis.OrganizationPolicy, o *trellis.Organization, rev trellis.Revision, err error) {
	rev, err = i.o.Store.Commit(ctx, func(tx *store.Tx) error {
		if p, o, err = controlFor(tx, c, action, id, false); err != nil {
			return err
		}
		return change(tx, o, p)
	})
	return p, o, rev, err
}

// errAWSControl is for a change of a policy that AWS has made.
func errAWSControl() *trellis.Error {
	return orgError("ConstraintViolationException", "You can't change or delete a policy that AWS manages.")
}

// UpdateControlPolicy changes the name, description or text of a policy of the organization; nil leaves one as it was.
func (i *Identity) UpdateControlPolicy(ctx context.Context, c *authpolicy.Caller, id string, name, description, text *string) (*trellis.OrganizationPolicy, *trellis.Organization, trellis.Revision, error) {
	return i.changeControl(ctx, c, "UpdatePolicy", id, func(tx *store.Tx, o *trellis.Organization, p *trellis.OrganizationPolicy) error {
		if p.AWSManaged {
			return errAWSControl()
		}
		if name != nil {
			all, err := controlsOf(tx, o, p.Type)
			if err != nil {
				return err
			}
			p.Name = *name
			if err := freeControlName(all, p); err != nil {
				return err
			}
		}
		if description != nil {
			p.Description = *description
		}
		if text != nil {
			if err := checkControl(p.Type, *text); err != nil {
				return err
			}
			p.Text = *text
		}
		tx.Put(p)
		return nil
	})
}

// DeleteControlPolicy removes a policy of the organization that is attached to nothing.
func (i *Identity) DeleteControlPolicy(ctx context.Context, c *authpolicy.Caller, id string) (trellis.Revision, error) {
	_, _, rev, err := i.changeControl(ctx, c, "DeletePolicy", id, func(tx *store.Tx, _ *trellis.Organization, p *trellis.OrganizationPolicy) error {
		if p.AWSManaged {
			return errAWSControl()
		}
		if len(p.Targets) > 0 {
			return orgError("PolicyInUseException", "The policy is attached to one or more entities. You must detach it from all roots, OUs, and accounts before performing this operation.")
		}
		tx.Delete(p)
		return nil
	})
	return rev, err
}

// AttachControlPolicy attaches a policy of the organization to its root, a unit or an account.
func (i *Identity) AttachControlPolicy(ctx context.Context, c *authpolicy.Caller, id, target string) (trellis.Revision, error) {
	_, _, rev, err := i.changeControl(ctx, c, "AttachPolicy", id, func(tx *store.Tx, o *trellis.Organization, p *trellis.OrganizationPolicy) error {
		others, err := attachable(tx, o, p, target)
		if err != nil {
			return err
		}
		if !addTarget(p, target) {
			return orgError("DuplicatePolicyAttachmentException", "The selected policy is already attached to the specified target.")
		}
		if others >= maxControlAttached {
			return orgError("ConstraintViolationException", "You have attached the maximum number of policies of this type (%d) to the specified target.", maxControlAttached)
		}
		tx.Put(p)
		return nil
	})
	return rev, err
}

// DetachControlPolicy detaches a policy of the organization. The last service control policy stays, and so does AWS's
// resource control policy, as without them nothing would be allowed.
func (i *Identity) DetachControlPolicy(ctx context.Context, c *authpolicy.Caller, id, target string) (trellis.Revision, error) {
	_, _, rev, err := i.changeControl(ctx, c, "DetachPolicy", id, func(tx *store.Tx, o *trellis.Organization, p *trellis.OrganizationPolicy) error {
		others, err := attachable(tx, o, p, target)
		if err != nil {
			return err
		}
		if !removeTarget(p, target) {
			return orgError("PolicyNotAttachedException", "The policy isn't attached to the specified target in the specified root.")
		}
		if others == 0 || p.Type == ResourceControlPolicy && p.AWSManaged {
			return orgError("ConstraintViolationException", "You can't detach the last policy of this type, or a policy that AWS requires, from the specified target.")
		}
		tx.Put(p)
		return nil
	})
	return rev, err
}

// attachable refuses a target that is not in the organization, and a type that is not enabled. It returns how many other
// policies of the type the target has.
func attachable(tx *store.Tx, o *trellis.Organization, p *trellis.OrganizationPolicy, target string) (others int, err error) {
	if !slices.Contains(o.PolicyTypes, p.Type) {
		return 0, errTypeNotEnabled()
	}
	if _, err := targetOf(tx, o, target); err != nil {
		return 0, err
	}
	all, err := controlsOf(tx, o, p.Type)
	for _, other := range all {
		if _, has := slices.BinarySearch(other.Targets, target); has && other.ID != p.ID {
			others++
		}
	}
	return others, err
}

// ControlTarget is what a policy of an organization can be attached to.
type ControlTarget struct {
	ID, ARN, Name string
	Type          string // ROOT, ORGANIZATIONAL_UNIT or ACCOUNT
}

// targetOf reads a target by its id.
func targetOf(tx *store.Tx, o *trellis.Organization, id string) (ControlTarget, error) {
	if id == o.RootID {
		return ControlTarget{id, OrgARN(o, "root", id), "Root", "ROOT"}, nil
	}
	if strings.HasPrefix(id, "ou-") {
		u, err := get[*trellis.OrganizationalUnit](tx, o.ID+"/"+id, errNoTarget())
		if err != nil {
			return ControlTarget{}, err
		}
		return ControlTarget{id, OrgARN(o, "ou", id), u.Name, "ORGANIZATIONAL_UNIT"}, nil
	}
	a, err := get[*trellis.Account](tx, id, errNoTarget())
	if err != nil {
		return ControlTarget{}, err
	}
	if a.OrgID != o.ID {
		return ControlTarget{}, errNoTarget()
	}
	return ControlTarget{id, OrgARN(o, "account", id), a.Name, "ACCOUNT"}, nil
}

// DescribeControlPolicy returns a policy of the organization, and the organization.
func (i *Identity) DescribeControlPolicy(ctx context.Context, c *authpolicy.Caller, id string) (p *trellis.OrganizationPolicy, o *trellis.Organization, err error) {
	err = i.o.Store.Read(ctx, func(tx *store.Tx) error {
		p, o, err = controlFor(tx, c, "DescribePolicy", id, true)
		return err
	})
	return p, o, err
}

// ControlTargets returns what a policy of the organization is attached to, by id.
func (i *Identity) ControlTargets(ctx context.Context, c *authpolicy.Caller, id string) (targets []ControlTarget, err error) {
	err = i.o.Store.Read(ctx, func(tx *store.Tx) error {
		targets = nil
		p, o, err := controlFor(tx, c, "ListTargetsForPolicy", id, true)
		if err != nil {
			return err
		}
		for _, id := range p.Targets {
			t, err := targetOf(tx, o, id)
			if err != nil {
				return fmt.Errorf("target %s of policy %s: %w", id, p.ID, err)
			}
			targets = append(targets, t)
		}
		return nil
	})
	return targets, err
}

// ListControlPolicies returns the policies of a type: all of the organization, or with a target those that are attached to
// it directly.
func (i *Identity) ListControlPolicies(ctx context.Context, c *authpolicy.Caller, policyType, target string) (found []*trellis.OrganizationPolicy, o *trellis.Organization, err error) {
	action := "ListPolicies"
	if target != "" {
		action = "ListPoliciesForTarget"
	}
	err = i.readOrg(ctx, c, action, func(tx *store.Tx, in *trellis.Organization) error {
		o = in
		if target != "" {
			if _, err := targetOf(tx, o, target); err != nil {
				return err
			}
		}
		found, err = controlsOf(tx, o, policyType)
		return err
	})
	if target != "" {
		found = slices.DeleteFunc(found, func(p *trellis.OrganizationPolicy) bool { return !slices.Contains(p.Targets, target) })
	}
	return found, o, err
}

// EffectivePolicy answers DescribeEffectivePolicy, which is about types of policies that are merged down to an account.
// Trellis has none of those, and those that it has do not merge.
func (i *Identity) EffectivePolicy(ctx context.Context, c *authpolicy.Caller) error {
	if err := c.Authorize("organizations:DescribeEffectivePolicy", "*", nil); err != nil {
		return err
	}
	return i.o.Store.Read(ctx, func(tx *store.Tx) error {
		if _, err := organizationOf(tx, c); err != nil {
			return err
		}
		return orgError("EffectivePolicyNotFoundException", "There is no effective policy of the specified type: the policy type is not enabled.")
	})
}
