package controlplane

import (
	"context"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/store"
)

// DescribedInterface is a network interface of an instance, a resource gateway, a VPC endpoint or a load balancer.
type DescribedInterface struct {
	trellis.NetworkInterface
	Owner            *trellis.Meta     // of what has the interface
	Instance         *trellis.Instance // nil when no instance has it
	VPCID            string
	AvailabilityZone string
	Type             string // interface or vpc_endpoint
	Description      string
	Groups           []*trellis.SecurityGroup
}

// PrivateDNSName is the private name of the interface's first address.
func (d DescribedInterface) PrivateDNSName(p *Plane) string {
	return p.PrivateDNSName(&trellis.Instance{PrivateIP: d.IPv4})
}

// NetworkInterfaces is DescribeNetworkInterfaces. An instance that is not terminated has one interface; resource gateways,
// VPC endpoints and load balancers have one in each of their subnets.
func (p *Plane) NetworkInterfaces(ctx context.Context, c EC2Call, q Query) ([]DescribedInterface, error) {
	if err := c.allow("DescribeNetworkInterfaces", nil, "*"); err != nil {
		return nil, err
	}
	for _, id := range q.IDs {
		if err := idInterface.check(id); err != nil {
			return nil, err
		}
	}
	if err := q.check(p.interfaceAttributes(DescribedInterface{Owner: &trellis.Meta{}})); err != nil {
		return nil, err
	}
	var out []DescribedInterface
	err := p.read(ctx, func(tx *store.Tx) error {
		all, err := p.interfaces(tx, c.account())
		if err != nil {
			return err
		}
		out = nil
		for _, d := range all {
			ok, err := q.matches(p.interfaceAttributes(d), nil)
			if err != nil {
				return err
			}
			if ok && (len(q.IDs) == 0 || slices.Contains(q.IDs, d.ID)) {
				out = append(out, d)
			}
		}
		for _, id := range q.IDs {
			if !slices.ContainsFunc(all, func(d DescribedInterface) bool { return d.ID == id }) {
				return idInterface.notFound(id)
			}
		}
		return nil
	})
	return out, err
}

// interfaces are the interfaces of an account, by id.
func (p *Plane) interfaces(tx *store.Tx, account string) ([]DescribedInterface, error) {
	zones, groups := map[string]string{}, map[string]*trellis.SecurityGroup{}
	subnets, err := store.List[*trellis.Subnet](tx, account+"/")
	if err != nil {
		return nil, err
	}
	for _, s := range subnets {
		zones[s.ID] = s.AvailabilityZone
	}
	every, err := store.List[*trellis.SecurityGroup](tx, account+"/")
	if err != nil {
		return nil, err
	}
	for _, g := range every {
		groups[g.ID] = g
	}
	var out []DescribedInterface
	add := func(d DescribedInterface, groupIDs []string) {
		if d.AvailabilityZone = zones[d.SubnetID]; d.AvailabilityZone == "" {
			d.AvailabilityZone = p.Region + "a"
		}
		for _, id := range groupIDs {
			if g := groups[id]; g != nil {
				d.Groups = append(d.Groups, g)
			}
		}
		out = append(out, d)
	}
	instances, err := store.List[*trellis.Instance](tx, account+"/")
	if err != nil {
		return nil, err
	}
	for _, i := range instances {
		if i.State != trellis.InstanceTerminated {
			n := trellis.NetworkInterface{ID: i.InterfaceID, SubnetID: i.SubnetID, MAC: i.MAC, IPv4: i.PrivateIP, IPv6: i.IPv6}
			add(DescribedInterface{NetworkInterface: n, Owner: &i.Meta, Instance: i, VPCID: i.VPCID, Type: "interface"}, i.SecurityGroupIDs)
		}
	}
	gateways, err := store.List[*trellis.ResourceGateway](tx, account+"/")
	if err != nil {
		return nil, err
	}
	for _, g := range gateways {
		for _, n := range g.Interfaces {
			add(DescribedInterface{NetworkInterface: n, Owner: &g.Meta, VPCID: g.VPCID, Type: "interface", Description: "VPC Lattice Resource Gateway " + g.ID}, g.SecurityGroupIDs)
		}
	}
	balancers, err := store.List[*trellis.LoadBalancer](tx, account+"/")
	if err != nil {
		return nil, err
	}
	for _, b := range balancers {
		for _, n := range b.Interfaces {
			add(DescribedInterface{NetworkInterface: n, Owner: &b.Meta, VPCID: b.VPCID, Type: "interface", Description: "ELB " + b.ID}, b.SecurityGroupIDs)
		}
	}
	endpoints, err := store.List[*trellis.VPCEndpoint](tx, account+"/")
	for _, e := range endpoints {
		for _, n := range e.Interfaces {
			add(DescribedInterface{NetworkInterface: n, Owner: &e.Meta, VPCID: e.VPCID, Type: "vpc_endpoint", Description: "VPC Endpoint Interface " + e.ID}, e.SecurityGroupIDs)
		}
	}
	slices.SortFunc(out, func(a, b DescribedInterface) int { return strings.Compare(a.ID, b.ID) })
	return out, err
}

// interfaceAttributes are the filters of DescribeNetworkInterfaces.
func (p *Plane) interfaceAttributes(d DescribedInterface) attributes {
	a := attributes{
		"network-interface-id": {d.ID}, "vpc-id": one(d.VPCID), "subnet-id": one(d.SubnetID), "owner-id": {d.Owner.Account}, "group-id": nil, "group-name": nil,
		"attachment.instance-id": nil, "attachment.status": nil, "attachment.device-index": nil, "attachment.instance-owner-id": nil,
		"attachment.attachment-id": nil, "attachment.delete-on-termination": nil,
		"availability-zone": {d.AvailabilityZone}, "status": {"in-use"}, "description": {d.Description}, "mac-address": {d.MAC}, "interface-type": {d.Type},
		"private-ip-address": nil, "addresses.private-ip-address": nil, "private-dns-name": nil, "requester-id": nil, "requester-managed": flag(d.Instance == nil),
		"source-dest-check": flag(true), "ipv6-addresses.ipv6-address": nil,
		"association.public-ip": nil, "association.allocation-id": nil, "addresses.association.public-ip": nil,
	}
	for _, g := range d.Groups {
		a["group-id"], a["group-name"] = append(a["group-id"], g.ID), append(a["group-name"], g.Name)
	}
	if d.IPv4.IsValid() {
		a["private-ip-address"], a["private-dns-name"] = []string{d.IPv4.String()}, []string{d.PrivateDNSName(p)}
		a["addresses.private-ip-address"] = a["private-ip-address"]
	}
	if d.IPv6.IsValid() {
		a["ipv6-addresses.ipv6-address"] = []string{d.IPv6.String()}
	}
	if d.Instance != nil {
		a["attachment.instance-id"], a["attachment.instance-owner-id"] = []string{d.Instance.ID}, []string{d.Owner.Account}
		a["attachment.status"], a["attachment.device-index"] = []string{"attached"}, []string{"0"}
		a["attachment.attachment-id"], a["attachment.delete-on-termination"] = []string{DerivedID("eni-attach", d.ID)}, flag(true)
	}
	return a
}
