package identity

import (
	"context"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

// maxUnitDepth is how deep organizational units nest below the root (Organizations user guide, quotas).
const maxUnitDepth = 5

// RAMService is the service principal whose access lets RAM share within the organization without invitations.
const RAMService = "ram.amazonaws.com"

// OrgARN is the ARN of something in an organization: kind is account, ou, root or organization; id is empty
// for the organization itself.
func OrgARN(o *trellis.Organization, kind, id string) string {
	resource := kind + "/" + o.ID
	if id != "" {
		resource += "/" + id
	}
	return trellis.ARN{Partition: "aws", Service: "organizations", Account: o.ManagementAccountID, Resource: resource}.String()
}

// errNotInUse is for an account outside of every organization.
func errNotInUse() *trellis.Error {
	return orgError("AWSOrganizationsNotInUseException", "Your account is not a member of an organization.")
}

// errNotManagement is for a member account that asks what only the management account may.
func errNotManagement() *trellis.Error {
	return orgError("AccessDeniedException", "You don't have permissions to access this resource.")
}

// organizationOf reads the organization of the caller's account.
func organizationOf(tx *store.Tx, c *authpolicy.Caller) (*trellis.Organization, error) {
	a, err := get[*trellis.Account](tx, c.Principal.Account, errNotInUse())
	if err != nil {
		return nil, err
	}
	if a.OrgID == "" {
		return nil, errNotInUse()
	}
	return get[*trellis.Organization](tx, a.OrgID, errNotInUse())
}

// managed reads the organization that the caller's account manages.
func managed(tx *store.Tx, c *authpolicy.Caller) (*trellis.Organization, error) {
	o, err := organizationOf(tx, c)
	if err != nil {
		return nil, err
	}
	if o.ManagementAccountID != c.Principal.Account {
		return nil, errNotManagement()
	}
	return o, nil
}

// changeOrg changes something of the organization that the caller manages.
func (i *Identity) changeOrg(ctx context.Context, c *authpolicy.Caller, action string, keys map[string][]string, change func(*store.Tx, *trellis.Organization) error) (trellis.Revision, error) {
	return i.commit(ctx, c, "organizations:"+action, "*", keys, func(tx *store.Tx) error {
		o, err := managed(tx, c)
		if err != nil {
			return err
		}
		return change(tx, o)
	})
}

// readOrg reads something of the organization that the caller manages, or has a part in as delegated administrator.
func (i *Identity) readOrg(ctx context.Context, c *authpolicy.Caller, action string, fn func(*store.Tx, *trellis.Organization) error) error {
	return i.read(ctx, c, "organizations:"+action, "*", func(tx *store.Tx) error {
		o, err := watched(tx, c)
		if err != nil {
			return err
		}
		return fn(tx, o)
	})
}

// CreateOrganization makes the caller's account the management account of a new organization, and returns both.
func (i *Identity) CreateOrganization(ctx context.Context, c *authpolicy.Caller, featureSet string) (*trellis.Organization, *trellis.Account, trellis.Revision, error) {
	if featureSet == "" {
		featureSet = "ALL"
	}
	o := &trellis.Organization{
		ID: i.o.OrganizationID, ManagementAccountID: c.Principal.Account, RootID: "r-" + trellis.RandomHex(4),
		FeatureSet: featureSet, CreatedAt: i.now(),
	}
	if o.ID == "" {
		o.ID = "o-" + trellis.RandomHex(10)
	}
	var a *trellis.Account
	rev, err := i.commit(ctx, c, "organizations:CreateOrganization", "*", nil, func(tx *store.Tx) (err error) {
		a, err = get[*trellis.Account](tx, c.Principal.Account, errNotInUse())
		if err != nil {
			return err
		}
		if a.OrgID != "" {
			return orgError("AlreadyInOrganizationException", "The AWS account is already a member of an organization.")
		}
		if err := tx.Claim("organization/"+o.ID, o.ManagementAccountID); err != nil {
			return err
		}
		a.OrgID, a.ParentID = o.ID, o.RootID
		tx.Put(o)
		tx.Put(a)
		if o.FeatureSet != "ALL" {
			return nil
		}
		for policyType := range fullAccess {
			if err := i.putFullAccess(tx, o, policyType); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, nil, 0, err
	}
	return o, a, rev, nil
}

// DescribeOrganization returns the organization of the caller's account, and the management account. Members
// may ask too.
func (i *Identity) DescribeOrganization(ctx context.Context, c *authpolicy.Caller) (o *trellis.Organization, management *trellis.Account, err error) {
	err = i.read(ctx, c, "organizations:DescribeOrganization", "*", func(tx *store.Tx) error {
		if o, err = organizationOf(tx, c); err != nil {
			return err
		}
		management, err = get[*trellis.Account](tx, o.ManagementAccountID, errNotInUse())
		return err
	})
	return o, management, err
}

// DeleteOrganization ends an organization that has no other accounts and no organizational units.
func (i *Identity) DeleteOrganization(ctx context.Context, c *authpolicy.Caller) (trellis.Revision, error) {
	return i.changeOrg(ctx, c, "DeleteOrganization", nil, func(tx *store.Tx, o *trellis.Organization) error {
		accounts, err := membersOf(tx, o)
		if err != nil {
			return err
		}
		units, err := store.List[*trellis.OrganizationalUnit](tx, o.ID+"/")
		if err != nil {
			return err
		}
		if len(accounts) > 1 || len(units) > 0 {
			return orgError("OrganizationNotEmptyException", "To delete an organization, you must first remove all member accounts and organizational units.")
		}
		for _, a := range accounts {
			a.OrgID, a.ParentID = "", ""
			tx.Put(a)
		}
		services, err := tx.Marked(serviceAccess(o))
		if err != nil {
			return err
		}
		controls, err := controlsOf(tx, o, "")
		if err != nil {
			return err
		}
		for _, p := range controls {
			tx.Delete(p)
		}
		handshakes, err := store.List[*trellis.Handshake](tx, "")
		if err != nil {
			return err
		}
		for _, h := range handshakes {
			if h.OrgID == o.ID {
				tx.Delete(h)
			}
		}
		for _, s := range services {
			tx.Unmark(serviceAccess(o), s)
		}
		tx.Release("organization/" + o.ID)
		tx.Delete(o)
		return nil
	})
}

// Roots returns the organization, whose one root it names.
func (i *Identity) Roots(ctx context.Context, c *authpolicy.Caller) (o *trellis.Organization, err error) {
	err = i.readOrg(ctx, c, "ListRoots", func(_ *store.Tx, found *trellis.Organization) error {
		o = found
		return nil
	})
	return o, err
}

// membersOf returns the accounts of an organization.
func membersOf(tx *store.Tx, o *trellis.Organization) ([]*trellis.Account, error) {
	accounts, err := store.List[*trellis.Account](tx, "")
	return slices.DeleteFunc(accounts, func(a *trellis.Account) bool { return a.OrgID != o.ID }), err
}

// checkParent refuses a parent that is neither the organization's root nor one of its units.
func checkParent(tx *store.Tx, o *trellis.Organization, id string, missing *trellis.Error) error {
	if id == o.RootID {
		return nil
	}
	_, err := get[*trellis.OrganizationalUnit](tx, o.ID+"/"+id, missing)
	return err
}

// errNoParent is for a parent that a caller named.
func errNoParent(id string) *trellis.Error {
	return orgError("ParentNotFoundException", "You specified parent %s, which doesn't exist.", id)
}

// Parent returns the id of what an account or organizational unit is directly below.
func (i *Identity) Parent(ctx context.Context, c *authpolicy.Caller, child string) (parent string, err error) {
	missing := orgError("ChildNotFoundException", "You specified child %s, which doesn't exist.", child)
	err = i.readOrg(ctx, c, "ListParents", func(tx *store.Tx, o *trellis.Organization) error {
		if strings.HasPrefix(child, "ou-") {
			u, err := get[*trellis.OrganizationalUnit](tx, o.ID+"/"+child, missing)
			if err == nil {
				parent = u.ParentID
			}
			return err
		}
		a, err := get[*trellis.Account](tx, child, missing)
		if err != nil {
			return err
		}
		if a.OrgID != o.ID {
			return missing
		}
		parent = a.ParentID
		return nil
	})
	return parent, err
}

// serviceAccess is the set of services that may act in an organization.
func serviceAccess(o *trellis.Organization) string { return "organizationservices/" + o.ID }

// SetServiceAccess lets a service, for example ram.amazonaws.com, act in the organization, or no longer.
func (i *Identity) SetServiceAccess(ctx context.Context, c *authpolicy.Caller, service string, enabled bool) (trellis.Revision, error) {
	action := "DisableAWSServiceAccess"
	if enabled {
		action = "EnableAWSServiceAccess"
	}
	keys := map[string][]string{"organizations:serviceprincipal": {service}}
	return i.changeOrg(ctx, c, action, keys, func(tx *store.Tx, o *trellis.Organization) error {
		if !strings.Contains(service, ".") {
			return orgError("InvalidInputException", "You specified an unrecognized service principal.")
		}
		if enabled {
			tx.Mark(serviceAccess(o), service)
		} else {
			tx.Unmark(serviceAccess(o), service)
		}
		if service == RAMService && o.SharingEnabled != enabled {
			o.SharingEnabled = enabled
			tx.Put(o)
		}
		return nil
	})
}

// ListServiceAccess returns the services that may act in the organization.
func (i *Identity) ListServiceAccess(ctx context.Context, c *authpolicy.Caller) (services []string, err error) {
	err = i.readOrg(ctx, c, "ListAWSServiceAccessForOrganization", func(tx *store.Tx, o *trellis.Organization) error {
		if services, err = tx.Marked(serviceAccess(o)); err != nil {
			return err
		}
		if o.SharingEnabled && !slices.Contains(services, RAMService) {
			services = append(services, RAMService)
			slices.Sort(services)
		}
		return nil
	})
	return services, err
}
