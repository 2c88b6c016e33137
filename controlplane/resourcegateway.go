package controlplane

import (
	"context"
	"errors"
	"slices"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/store"
)

// NewResourceGateway is what CreateResourceGateway asks for.
type NewResourceGateway struct {
	Name                string
	VPCID               string
	SubnetIDs           []string
	SecurityGroupIDs    []string // the default group of the VPC when empty
	IPAddressType       trellis.IPAddressType
	IPv4AddressesPerENI int // 16 when 0
	DNSResolution       trellis.DNSResolution
	Tags                map[string]string
}

// CreateResourceGateway makes a resource gateway in subnets of one VPC of the caller's.
func (p *Plane) CreateResourceGateway(ctx context.Context, c *authpolicy.Caller, token string, in NewResourceGateway) (*trellis.ResourceGateway, trellis.Revision, error) {
	k := authpolicy.TagKeys(keys{"vpc-lattice:vpcid": {in.VPCID}, "vpc-lattice:securitygroupids": in.SecurityGroupIDs}, in.Tags, nil)
	if err := authorize(c, "vpc-lattice:CreateResourceGateway", k, trellis.LatticeARN(p.Region, account(c), "resourcegateway/*")); err != nil {
		return nil, 0, err
	}
	if err := in.complete(); err != nil {
		return nil, 0, err
	}
	if err := p.validTags(in.Tags); err != nil {
		return nil, 0, err
	}
	var g *trellis.ResourceGateway
	rev, err := p.commit(ctx, func(tx *store.Tx) (err error) {
		g, err = store.Once(tx, account(c)+"/CreateResourceGateway", token, in, func() (*trellis.ResourceGateway, error) {
			m := &trellis.ResourceGateway{Meta: p.meta(c, "rgw", in.Tags), Name: in.Name, Status: trellis.StatusCreateInProgress, VPCID: in.VPCID,
				IPAddressType: in.IPAddressType, IPv4AddressesPerENI: in.IPv4AddressesPerENI, DNSResolution: in.DNSResolution}
			return m, p.makeResourceGateway(tx, m, in)
		})
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	g.Status = p.shown(g, g.Status)
	return g, rev, nil
}

// complete checks what can be checked by itself, and fills in the defaults.
func (in *NewResourceGateway) complete() error {
	err := validName("name", in.Name, "rgw-", 3, 40)
	if in.VPCID == "" {
		err = errors.Join(err, field("vpcIdentifier", "vpcIdentifier is required."))
	}
	if len(in.SubnetIDs) == 0 {
		err = errors.Join(err, field("subnetIds", "subnetIds must hold at least one subnet."))
	}
	if in.IPAddressType == "" {
		in.IPAddressType = trellis.IPv4Addresses
	}
	if in.DNSResolution == "" {
		in.DNSResolution = trellis.ResolvePublic
	}
	if in.IPv4AddressesPerENI == 0 && in.IPAddressType.Has(false) {
		in.IPv4AddressesPerENI = 16
	}
	err = errors.Join(err, validIPAddressType("ipAddressType", in.IPAddressType), validDNSResolution(in.DNSResolution))
	if in.IPv4AddressesPerENI != 0 && (in.IPv4AddressesPerENI < 1 || in.IPv4AddressesPerENI > 62 || !in.IPAddressType.Has(false)) {
		err = errors.Join(err, field("ipv4AddressesPerEni", "ipv4AddressesPerEni must be from 1 to 62, of a gateway with IPv4 addresses."))
	}
	return firstError(err)
}

// validIPAddressType checks an IP address type.
func validIPAddressType(name string, t trellis.IPAddressType) error {
	if t != trellis.IPv4Addresses && t != trellis.IPv6Addresses && t != trellis.DualStackAddresses {
		return field(name, name+" must be IPV4, IPV6 or DUALSTACK.")
	}
	return nil
}

// validDNSResolution checks a way of DNS resolution.
func validDNSResolution(r trellis.DNSResolution) error {
	if r != trellis.ResolvePublic && r != trellis.ResolveInVPC {
		return field("resourceConfigDnsResolution", "resourceConfigDnsResolution must be PUBLIC or IN_VPC.")
	}
	return nil
}

// makeResourceGateway puts a new gateway with an interface in each of its subnets.
func (p *Plane) makeResourceGateway(tx *store.Tx, g *trellis.ResourceGateway, in NewResourceGateway) error {
	if err := claim(tx, gatewayName(g), g.Key(), "RESOURCE_GATEWAY", "A resource gateway with the name %s already exists.", g.Name); err != nil {
		return err
	}
	v, err := get[*trellis.VPC](tx, trellis.Ref{Account: g.Account, ID: g.VPCID}, "VPC")
	if err != nil {
		return err
	}
	others, err := tx.Marked(vpcGateways(v.Key()))
	if err != nil {
		return err
	}
	if err := p.room(tx, v.Account, quota.ResourceGatewaysPerVPC, len(others), "RESOURCE_GATEWAY"); err != nil {
		return err
	}
	var subnets []*trellis.Subnet
	for i, id := range in.SubnetIDs {
		s, err := get[*trellis.Subnet](tx, trellis.Ref{Account: g.Account, ID: id}, "SUBNET")
		switch {
		case err != nil:
			return err
		case s.VPCID != v.ID:
			return field("subnetIds", "Subnet "+id+" is not in VPC "+v.ID+".")
		case slices.Contains(in.SubnetIDs[:i], id):
			return field("subnetIds", "Subnet "+id+" is named twice.")
		case g.IPAddressType.Has(true) && !s.IPv6CIDR.IsValid():
			return field("ipAddressType", "Subnet "+id+" has no IPv6 CIDR block.")
		}
		subnets = append(subnets, s)
	}
	if g.SecurityGroupIDs, err = p.groupsOrDefault(tx, v, in.SecurityGroupIDs); err != nil {
		return err
	}
	if g.Interfaces, err = newInterfaces(tx, g.Account, subnets, g.IPAddressType); err != nil {
		return fullSubnet(err)
	}
	for _, id := range g.SecurityGroupIDs {
		tx.Mark(securityGroupUse(g.Account+"/"+id), g.Key())
	}
	tx.Mark(vpcGateways(v.Key()), g.Key())
	tx.Put(g)
	return nil
}

// fullSubnet is EC2's error about a subnet without a free address in VPC Lattice's words.
func fullSubnet(err error) error {
	if isFull(err) {
		return field("subnetIds", "A subnet has no free address for the resource gateway.")
	}
	return err
}

// groupsOrDefault checks security groups of a VPC; without any it is the VPC's default group, if it has one.
func (p *Plane) groupsOrDefault(tx *store.Tx, v *trellis.VPC, ids []string) ([]string, error) {
	if len(ids) > 0 {
		return ids, p.checkSecurityGroups(tx, v, ids)
	}
	groups, err := store.List[*trellis.SecurityGroup](tx, v.Account+"/")
	for _, g := range groups {
		if g.VPCID == v.ID && g.Name == defaultGroupName {
			return []string{g.ID}, nil
		}
	}
	return nil, err
}

// gatewayName is the claim of a gateway's name.
func gatewayName(g *trellis.ResourceGateway) string {
	return "resourcegatewayname/" + g.Account + "/" + g.Name
}

// GetResourceGateway returns a resource gateway of the caller's.
func (p *Plane) GetResourceGateway(ctx context.Context, c *authpolicy.Caller, identifier string) (*trellis.ResourceGateway, error) {
	var g *trellis.ResourceGateway
	err := p.read(ctx, func(tx *store.Tx) (err error) {
		g, err = own[*trellis.ResourceGateway](p, tx, c, identifier, gatewayKind, "vpc-lattice:GetResourceGateway", nil)
		return err
	})
	if err != nil {
		return nil, err
	}
	g.Status = p.shown(g, g.Status)
	return g, nil
}

// ResourceGatewayChange is what UpdateResourceGateway can change; nil and empty leave as it is.
type ResourceGatewayChange struct {
	SecurityGroupIDs []string // replaces all; the VPC's default group when empty
	DNSResolution    trellis.DNSResolution
}

// UpdateResourceGateway changes a resource gateway.
func (p *Plane) UpdateResourceGateway(ctx context.Context, c *authpolicy.Caller, identifier string, ch ResourceGatewayChange) (*trellis.ResourceGateway, trellis.Revision, error) {
	var g *trellis.ResourceGateway
	rev, err := p.commit(ctx, func(tx *store.Tx) (err error) {
		k := keys{"vpc-lattice:securitygroupids": ch.SecurityGroupIDs}
		if g, err = own[*trellis.ResourceGateway](p, tx, c, identifier, gatewayKind, "vpc-lattice:UpdateResourceGateway", k); err != nil {
			return err
		}
		if g.Status != trellis.StatusActive && g.Status != trellis.StatusUpdateFailed {
			return badStatus("RESOURCE_GATEWAY", g.ID, g.Status)
		}
		if ch.SecurityGroupIDs != nil {
			if err := p.replaceGatewayGroups(tx, g, ch.SecurityGroupIDs); err != nil {
				return err
			}
		}
		if ch.DNSResolution != "" {
			if err := validDNSResolution(ch.DNSResolution); err != nil {
				return err
			}
			g.DNSResolution = ch.DNSResolution
		}
		g.Status, g.UpdatedAt = trellis.StatusUpdateInProgress, p.now()
		tx.Put(g)
		return nil
	})
	return g, rev, err
}

// replaceGatewayGroups gives a gateway other security groups. An empty list is allowed by the model, and means what it means
// when a gateway is made.
func (p *Plane) replaceGatewayGroups(tx *store.Tx, g *trellis.ResourceGateway, ids []string) error {
	v, err := store.Get[*trellis.VPC](tx, g.Account+"/"+g.VPCID)
	if err != nil {
		return err
	}
	if ids, err = p.groupsOrDefault(tx, v, ids); err != nil {
		return err
	}
	for _, id := range g.SecurityGroupIDs {
		tx.Unmark(securityGroupUse(g.Account+"/"+id), g.Key())
	}
	for _, id := range ids {
		tx.Mark(securityGroupUse(g.Account+"/"+id), g.Key())
	}
	g.SecurityGroupIDs = ids
	return nil
}

// DeleteResourceGateway begins to delete a gateway that no resource configuration uses.
func (p *Plane) DeleteResourceGateway(ctx context.Context, c *authpolicy.Caller, identifier string) (*trellis.ResourceGateway, trellis.Revision, error) {
	var g *trellis.ResourceGateway
	rev, err := p.commit(ctx, func(tx *store.Tx) (err error) {
		g, err = own[*trellis.ResourceGateway](p, tx, c, identifier, gatewayKind, "vpc-lattice:DeleteResourceGateway", nil)
		if err != nil || g.Status == trellis.StatusDeleteInProgress {
			return err
		}
		if g.Status == trellis.StatusCreateInProgress || g.Status == trellis.StatusUpdateInProgress {
			return badStatus("RESOURCE_GATEWAY", g.ID, g.Status)
		}
		used, err := tx.Marked(gatewayConfigurations(g.Key()))
		if err != nil {
			return err
		}
		if len(used) > 0 {
			return trellis.Conflict("RESOURCE_GATEWAY", g.ID, "Resource gateway %s is in use by %d resource configurations. Delete them first.", g.ID, len(used))
		}
		g.Status, g.UpdatedAt = trellis.StatusDeleteInProgress, p.now()
		tx.Put(g)
		return nil
	})
	return g, rev, err
}

// ListResourceGateways lists the caller's resource gateways, by id.
func (p *Plane) ListResourceGateways(ctx context.Context, c *authpolicy.Caller, pg Page) ([]*trellis.ResourceGateway, string, error) {
	if err := authorize(c, "vpc-lattice:ListResourceGateways", nil, "*"); err != nil {
		return nil, "", err
	}
	var list []*trellis.ResourceGateway
	var next string
	err := p.read(ctx, func(tx *store.Tx) (err error) {
		list, err = store.List[*trellis.ResourceGateway](tx, account(c)+"/")
		list, next = paginate(list, func(g *trellis.ResourceGateway) string { return g.ID }, pg)
		return err
	})
	for _, g := range list {
		g.Status = p.shown(g, g.Status)
	}
	return list, next, err
}

// nextResourceGateway moves a resource gateway on.
func (p *Plane) nextResourceGateway(g *trellis.ResourceGateway) *settling {
	key, seen := g.Key(), g.Status
	switch seen {
	case trellis.StatusCreateInProgress, trellis.StatusUpdateInProgress:
		return &settling{shown: seen, step: func(tx *store.Tx) (bool, error) {
			return activate(tx, key, seen, func(g *trellis.ResourceGateway) *trellis.Status { return &g.Status })
		}}
	case trellis.StatusDeleteInProgress:
		return &settling{step: func(tx *store.Tx) (bool, error) {
			g, err := store.Get[*trellis.ResourceGateway](tx, key)
			if err != nil || g.Status != trellis.StatusDeleteInProgress {
				return false, err
			}
			for _, id := range g.SecurityGroupIDs {
				tx.Unmark(securityGroupUse(g.Account+"/"+id), key)
			}
			tx.Unmark(vpcGateways(g.Account+"/"+g.VPCID), key)
			tx.Release(gatewayName(g))
			tx.Delete(g)
			return false, nil
		}}
	}
	return nil
}
