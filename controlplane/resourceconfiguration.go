package controlplane

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/store"
)

// ResourceConfiguration is a resource configuration with the verification of its domain, nil when it has none.
type ResourceConfiguration struct {
	*trellis.ResourceConfiguration
	Verification *trellis.DomainVerification
}

// CreateResourceConfiguration makes a resource configuration. A child belongs to the networks and endpoints of its group
// when it is ACTIVE.
func (p *Plane) CreateResourceConfiguration(ctx context.Context, c *authpolicy.Caller, token string, in NewResourceConfiguration) (*ResourceConfiguration, trellis.Revision, error) {
	err := authorize(c, "vpc-lattice:CreateResourceConfiguration", authpolicy.TagKeys(nil, in.Tags, nil), trellis.LatticeARN(p.Region, account(c), "resourceconfiguration/*"))
	if err != nil {
		return nil, 0, err
	}
	if err := in.complete(); err != nil {
		return nil, 0, err
	}
	if err := p.validTags(in.Tags); err != nil {
		return nil, 0, err
	}
	have, err := count[*trellis.ResourceConfiguration](ctx, p, account(c)+"/")
	if err != nil {
		return nil, 0, err
	}
	view := &ResourceConfiguration{}
	rev, err := p.commit(ctx, func(tx *store.Tx) error {
		made, err := store.Once(tx, account(c)+"/CreateResourceConfiguration", token, in, func() (*trellis.ResourceConfiguration, error) {
			if err := roomFor[*trellis.ResourceConfiguration](p, tx, account(c), quota.ResourceConfigurations, account(c)+"/", have, "RESOURCE_CONFIGURATION"); err != nil {
				return nil, err
			}
			m := in.noun()
			m.Meta, m.Status = p.meta(c, "rcfg", in.Tags), trellis.StatusCreateInProgress
			return m, p.makeResourceConfiguration(tx, c, m, in)
		})
		if err == nil {
			view, err = p.viewConfiguration(tx, made)
		}
		return err
	})
	return view, rev, err
}

// makeResourceConfiguration puts a new configuration: below its group, or at its gateway.
func (p *Plane) makeResourceConfiguration(tx *store.Tx, c *authpolicy.Caller, m *trellis.ResourceConfiguration, in NewResourceConfiguration) error {
	if err := claim(tx, configurationName(m), m.Key(), "RESOURCE_CONFIGURATION", "A resource configuration with the name %s already exists.", m.Name); err != nil {
		return err
	}
	if m.Type == trellis.ChildConfiguration {
		if err := p.joinGroup(tx, c, m, in.Group); err != nil {
			return err
		}
	} else {
		ref, err := p.ref(c, in.Gateway, gatewayKind)
		if err != nil {
			return err
		}
		if ref.Account != m.Account {
			return trellis.NotFound(gatewayKind.typ, ref.ID)
		}
		m.GatewayID = ref.ID
	}
	g, err := get[*trellis.ResourceGateway](tx, trellis.Ref{Account: m.Account, ID: m.GatewayID}, gatewayKind.typ)
	if err != nil {
		return err
	}
	if err := p.ready(gatewayKind.typ, g.ID, g.Status); err != nil {
		return err
	}
	if err := p.reachable(tx, g, m); err != nil {
		return err
	}
	if err := p.useVerification(tx, c, m, in.Verification); err != nil {
		return err
	}
	tx.Mark(gatewayConfigurations(g.Key()), m.Key())
	tx.Put(m)
	return nil
}

// configurationName is the claim of a configuration's name.
func configurationName(m *trellis.ResourceConfiguration) string {
	return "resourceconfigurationname/" + m.Account + "/" + m.Name
}

// joinGroup puts a new child below its group, from which it has what it doesn't say itself.
func (p *Plane) joinGroup(tx *store.Tx, c *authpolicy.Caller, m *trellis.ResourceConfiguration, identifier string) error {
	ref, err := p.ref(c, identifier, configurationKind)
	if err != nil {
		return err
	}
	if ref.Account != m.Account {
		return trellis.NotFound(configurationKind.typ, ref.ID)
	}
	group, err := get[*trellis.ResourceConfiguration](tx, ref, configurationKind.typ)
	if err != nil {
		return err
	}
	if group.Type != trellis.GroupConfiguration {
		return field("resourceConfigurationGroupIdentifier", "Resource configuration "+group.ID+" is not a group.")
	}
	if err := p.ready(configurationKind.typ, group.ID, group.Status); err != nil {
		return err
	}
	if len(m.Ports) == 0 {
		m.Ports = group.Ports
	}
	if len(m.Ports) == 0 {
		return field("portRanges", "portRanges is required, as the group has none.")
	}
	if m.CustomDomainName != "" && group.GroupDomain != "" && !trellis.WithinDomain(m.CustomDomainName, group.GroupDomain) {
		return field("customDomainName", "customDomainName must be a sub-domain of the group's domain "+group.GroupDomain+".")
	}
	have, err := tx.Marked(groupChildren(group.Key()))
	if err != nil {
		return err
	}
	if err := p.room(tx, group.Account, quota.ChildrenPerGroup, len(have), configurationKind.typ); err != nil {
		return err
	}
	tx.Mark(groupChildren(group.Key()), m.Key())
	m.GatewayID, m.GroupID, m.Protocol, m.AllowShareable = group.GatewayID, group.ID, group.Protocol, group.AllowShareable
	return nil
}

// reachable checks that the gateway can reach where the resource is.
func (p *Plane) reachable(tx *store.Tx, g *trellis.ResourceGateway, m *trellis.ResourceConfiguration) error {
	const name = "resourceConfigurationDefinition.ipResource.ipAddress"
	switch {
	case !m.Address.IsValid():
		return nil
	case !g.IPAddressType.Has(m.Address.Is6()):
		return field(name, "Resource gateway "+g.ID+" has no addresses of the family of "+m.Address.String()+".")
	case m.Address.Is4():
		return nil
	}
	v, err := get[*trellis.VPC](tx, trellis.Ref{Account: g.Account, ID: g.VPCID}, "VPC")
	if err == nil && !v.Contains(m.Address) {
		return field(name, "An IPv6 address must be of VPC "+v.ID+".")
	}
	return err
}

// useVerification gives a configuration the verification of its domain, which covers the name.
func (p *Plane) useVerification(tx *store.Tx, c *authpolicy.Caller, m *trellis.ResourceConfiguration, identifier string) error {
	if identifier == "" {
		return nil
	}
	ref, err := p.ref(c, identifier, verificationKind)
	if err != nil {
		return err
	}
	if ref.Account != m.Account {
		return trellis.NotFound(verificationKind.typ, ref.ID)
	}
	v, err := get[*trellis.DomainVerification](tx, ref, verificationKind.typ)
	if err != nil {
		return err
	}
	name := m.CustomDomainName + m.GroupDomain // one of them at most
	if !v.Covers(name) {
		return field("domainVerificationIdentifier", "Domain verification "+v.ID+" is of "+v.DomainName+", which does not cover "+name+".")
	}
	m.DomainVerificationID = v.ID
	return nil
}

// viewConfiguration adds the verification of a configuration's domain, and the status to show.
func (p *Plane) viewConfiguration(tx *store.Tx, m *trellis.ResourceConfiguration) (*ResourceConfiguration, error) {
	v := &ResourceConfiguration{ResourceConfiguration: m}
	m.Status = p.shown(m, m.Status)
	if m.DomainVerificationID == "" {
		return v, nil
	}
	found, err := store.Get[*trellis.DomainVerification](tx, m.Account+"/"+m.DomainVerificationID)
	if errors.Is(err, trellis.ErrNotExist) {
		return v, nil // it was deleted since
	}
	v.Verification = found
	return v, err
}

// seenConfiguration is resolve for resource configurations: a child is shared by its group.
func (p *Plane) seenConfiguration(tx *store.Tx, c *authpolicy.Caller, identifier, action string) (*trellis.ResourceConfiguration, error) {
	m, err := resolve[*trellis.ResourceConfiguration](p, tx, c, identifier, configurationKind, action, nil)
	if err == nil || m == nil || m.GroupID == "" {
		return m, err
	}
	group := trellis.Ref{Account: m.Account, ID: m.GroupID}
	arn := trellis.LatticeARN(p.Region, group.Account, configurationKind.path+"/"+group.ID)
	if p.reach(tx, c, group, arn, configurationKind, action, nil) == nil {
		return m, nil
	}
	return m, err
}

// GetResourceConfiguration returns a resource configuration of the caller's or one that is shared with it.
func (p *Plane) GetResourceConfiguration(ctx context.Context, c *authpolicy.Caller, identifier string) (*ResourceConfiguration, error) {
	var v *ResourceConfiguration
	err := p.read(ctx, func(tx *store.Tx) error {
		m, err := p.seenConfiguration(tx, c, identifier, "vpc-lattice:GetResourceConfiguration")
		if err == nil {
			v, err = p.viewConfiguration(tx, m)
		}
		return err
	})
	return v, err
}

// ResourceConfigurationChange is what UpdateResourceConfiguration can change; nil leaves as it is.
type ResourceConfigurationChange struct {
	Definition     *ResourceDefinition
	AllowShareable *bool
	PortRanges     []string // replaces all; never empty
}

// UpdateResourceConfiguration changes where a resource is, its ports, and what networks it may join. Networks that it
// is in, and ports that children have from their group, stay as they are.
func (p *Plane) UpdateResourceConfiguration(ctx context.Context, c *authpolicy.Caller, identifier string, ch ResourceConfigurationChange) (*trellis.ResourceConfiguration, trellis.Revision, error) {
	var m *trellis.ResourceConfiguration
	rev, err := p.commit(ctx, func(tx *store.Tx) (err error) {
		m, err = own[*trellis.ResourceConfiguration](p, tx, c, identifier, configurationKind, "vpc-lattice:UpdateResourceConfiguration", nil)
		if err != nil {
			return err
		}
		if m.Status != trellis.StatusActive && m.Status != trellis.StatusUpdateFailed { // no ConflictException in the model
			return trellis.InvalidOther("Invalid resource status for this operation, resource id %s, status: %s.", m.ID, m.Status)
		}
		if err := ch.apply(m); err != nil {
			return err
		}
		g, err := store.Get[*trellis.ResourceGateway](tx, m.Account+"/"+m.GatewayID)
		if err != nil {
			return err
		}
		if err := p.reachable(tx, g, m); err != nil {
			return err
		}
		m.Status, m.UpdatedAt = trellis.StatusUpdateInProgress, p.now()
		tx.Put(m)
		return nil
	})
	return m, rev, err
}

// DeleteResourceConfiguration begins to delete a configuration that no network, endpoint or child uses. A child leaves
// the networks and endpoints of its group.
func (p *Plane) DeleteResourceConfiguration(ctx context.Context, c *authpolicy.Caller, identifier string) (trellis.Revision, error) {
	return p.commit(ctx, func(tx *store.Tx) error {
		m, err := own[*trellis.ResourceConfiguration](p, tx, c, identifier, configurationKind, "vpc-lattice:DeleteResourceConfiguration", nil)
		if err != nil || m.Status == trellis.StatusDeleteInProgress {
			return err
		}
		if m.Status == trellis.StatusCreateInProgress || m.Status == trellis.StatusUpdateInProgress {
			return badStatus(configurationKind.typ, m.ID, m.Status)
		}
		if m.Type != trellis.ChildConfiguration {
			if err := unusedConfiguration(tx, m); err != nil {
				return err
			}
		}
		m.Status, m.UpdatedAt = trellis.StatusDeleteInProgress, p.now()
		tx.Put(m)
		return nil
	})
}

// unusedConfiguration refuses to delete a configuration that something uses. That it is in networks is a
// ValidationException with these words, which Terraform waits by.
func unusedConfiguration(tx *store.Tx, m *trellis.ResourceConfiguration) error {
	networks, err := tx.Marked(configurationNetworks(m.Key()))
	if err != nil {
		return err
	}
	if len(networks) > 0 {
		return trellis.InvalidOther("Resource configuration %s has existing association with service networks. Delete them first.", m.ID)
	}
	endpoints, err := tx.Marked(configurationEndpoints(m.Key()))
	if err != nil {
		return err
	}
	if len(endpoints) > 0 {
		return trellis.Conflict(configurationKind.typ, m.ID, "Resource configuration %s is associated with %d VPC endpoints. Delete them, or their associations, first.", m.ID, len(endpoints))
	}
	children, err := tx.Marked(groupChildren(m.Key()))
	if err == nil && len(children) > 0 {
		return trellis.Conflict(configurationKind.typ, m.ID, "Resource configuration %s has %d child resource configurations. Delete them first.", m.ID, len(children))
	}
	return err
}

// ConfigurationFilter narrows a list of resource configurations to those of a gateway, a group and a domain
// verification, by their identifiers, as far as they are not empty.
type ConfigurationFilter struct{ Gateway, Group, Verification string }

// ListResourceConfigurations lists the caller's configurations and those shared with it, by id.
func (p *Plane) ListResourceConfigurations(ctx context.Context, c *authpolicy.Caller, f ConfigurationFilter, pg Page) ([]*trellis.ResourceConfiguration, string, error) {
	if err := authorize(c, "vpc-lattice:ListResourceConfigurations", nil, "*"); err != nil {
		return nil, "", err
	}
	keep, err := p.configurationFilter(c, f)
	if err != nil {
		return nil, "", err
	}
	var list []*trellis.ResourceConfiguration
	var next string
	err = p.read(ctx, func(tx *store.Tx) error {
		if list, err = visible[*trellis.ResourceConfiguration](p, tx, c, configurationKind); err != nil {
			return err
		}
		if list, err = withSharedChildren(tx, c, list); err != nil {
			return err
		}
		list = slices.DeleteFunc(list, func(m *trellis.ResourceConfiguration) bool { return !keep(m) })
		list, next = paginate(list, func(m *trellis.ResourceConfiguration) string { return m.ID }, pg)
		return nil
	})
	for _, m := range list {
		m.Status = p.shown(m, m.Status)
	}
	return list, next, err
}

// configurationFilter makes the test of a filter. What it names may be another account's, or nothing: then nothing
// passes.
func (p *Plane) configurationFilter(c *authpolicy.Caller, f ConfigurationFilter) (func(*trellis.ResourceConfiguration) bool, error) {
	var tests []func(*trellis.ResourceConfiguration) bool
	for _, t := range []struct {
		identifier string
		kind       resourceKind
		id         func(*trellis.ResourceConfiguration) string
	}{
		{f.Gateway, gatewayKind, func(m *trellis.ResourceConfiguration) string { return m.GatewayID }},
		{f.Group, configurationKind, func(m *trellis.ResourceConfiguration) string { return m.GroupID }},
		{f.Verification, verificationKind, func(m *trellis.ResourceConfiguration) string { return m.DomainVerificationID }},
	} {
		if t.identifier == "" {
			continue
		}
		ref, err := p.ref(c, t.identifier, t.kind)
		if err != nil {
			return nil, field(t.kind.path, t.kind.path+" must be of this Region.")
		}
		tests = append(tests, func(m *trellis.ResourceConfiguration) bool { return m.Account == ref.Account && t.id(m) == ref.ID })
	}
	return func(m *trellis.ResourceConfiguration) bool {
		return !slices.ContainsFunc(tests, func(test func(*trellis.ResourceConfiguration) bool) bool { return !test(m) })
	}, nil
}

// withSharedChildren adds the children of groups of others, which a share of the group shows.
func withSharedChildren(tx *store.Tx, c *authpolicy.Caller, list []*trellis.ResourceConfiguration) ([]*trellis.ResourceConfiguration, error) {
	for _, m := range list {
		if m.Account == account(c) || m.Type != trellis.GroupConfiguration {
			continue
		}
		children, err := children(tx, m.Key())
		if err != nil {
			return nil, err
		}
		list = append(list, children...)
	}
	slices.SortFunc(list, func(a, b *trellis.ResourceConfiguration) int { return strings.Compare(a.ID, b.ID) })
	return list, nil
}

// children reads the children of a group, by its key.
func children(tx *store.Tx, group string) ([]*trellis.ResourceConfiguration, error) {
	marked, err := tx.Marked(groupChildren(group))
	if err != nil {
		return nil, err
	}
	var out []*trellis.ResourceConfiguration
	for _, key := range marked {
		m, err := store.Get[*trellis.ResourceConfiguration](tx, key)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

// nextResourceConfiguration moves a resource configuration on.
func (p *Plane) nextResourceConfiguration(m *trellis.ResourceConfiguration) *settling {
	key, seen := m.Key(), m.Status
	switch seen {
	case trellis.StatusCreateInProgress, trellis.StatusUpdateInProgress:
		return &settling{shown: seen, step: func(tx *store.Tx) (bool, error) {
			if m.Type == trellis.ChildConfiguration && seen == trellis.StatusCreateInProgress {
				if again, err := p.enterChild(tx, key); again || err != nil {
					return again, err
				}
			}
			return activate(tx, key, seen, func(m *trellis.ResourceConfiguration) *trellis.Status { return &m.Status })
		}}
	case trellis.StatusDeleteInProgress:
		return &settling{step: func(tx *store.Tx) (bool, error) {
			m, err := store.Get[*trellis.ResourceConfiguration](tx, key)
			if err != nil || m.Status != trellis.StatusDeleteInProgress {
				return false, err
			}
			if again, err := p.leaveChild(tx, m); again || err != nil {
				return again, err
			}
			if err := p.dropGuards(tx, m.Ref()); err != nil {
				return false, err
			}
			tx.Unmark(gatewayConfigurations(m.Account+"/"+m.GatewayID), key)
			if m.GroupID != "" {
				tx.Unmark(groupChildren(m.Account+"/"+m.GroupID), key)
			}
			tx.Release(configurationName(m))
			tx.Delete(m)
			return false, nil
		}}
	}
	return nil
}

// enterChild puts a child into the networks and endpoints of its group, some of them at a time; again is true until it
// is in all.
func (p *Plane) enterChild(tx *store.Tx, key string) (again bool, err error) {
	m, err := store.Get[*trellis.ResourceConfiguration](tx, key)
	if err != nil || m.Status != trellis.StatusCreateInProgress {
		return false, err
	}
	group := m.Account + "/" + m.GroupID
	parents, err := tx.Marked(configurationNetworks(group))
	if err != nil {
		return false, err
	}
	for _, parent := range parents {
		a, err := store.Get[*trellis.ResourceAssociation](tx, parent)
		if err != nil {
			return false, err
		}
		in, made, err := p.associateChild(tx, a, m)
		again = again || !in
		if made || err != nil {
			return true, err
		}
	}
	joined, err := tx.Marked(configurationEndpoints(group))
	if err != nil {
		return false, err
	}
	for _, key := range joined {
		e, err := endpointOf(tx, key)
		if err != nil {
			return false, err
		}
		made, err := p.leadTo(tx, e, m.Ref(), trellis.Ref{})
		if isFull(err) {
			continue // the endpoint does not lead to it
		}
		if made || err != nil {
			return true, err
		}
	}
	return again, nil
}

// leaveChild takes a child that is deleted out of the networks and endpoints that its group is in, some at a time.
func (p *Plane) leaveChild(tx *store.Tx, m *trellis.ResourceConfiguration) (again bool, err error) {
	associations, err := tx.Marked(configurationNetworks(m.Key()))
	if err != nil {
		return false, err
	}
	if len(associations) > 0 {
		a, err := store.Get[*trellis.ResourceAssociation](tx, associations[0])
		if err != nil {
			return false, err
		}
		_, err = dropResourceAssociation(tx, a)
		return true, err
	}
	if m.GroupID == "" {
		return false, nil
	}
	joined, err := tx.Marked(configurationEndpoints(m.Account + "/" + m.GroupID))
	if err != nil {
		return false, err
	}
	for _, key := range joined {
		a, err := store.Get[*trellis.ResourceEndpointAssociation](tx, key)
		if err != nil {
			return false, err
		}
		tx.Delete(&trellis.EndpointAddress{Account: a.Account, EndpointID: a.EndpointID, Configuration: m.Ref()})
	}
	return false, nil
}
