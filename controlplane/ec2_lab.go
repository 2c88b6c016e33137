package controlplane

import (
	"context"
	"slices"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/store"
)

// AllowEC2 checks the caller's policies for an operation that reads nothing of the account, such as
// DescribeRegions.
func (p *Plane) AllowEC2(c EC2Call, action string) error { return c.allow(action, nil, "*") }

// MatchEC2 keeps of items those that pass the filters. attrs gives the values of the operation's filters;
// it is for what is computed and not stored, such as images and zones.
func MatchEC2[T any](items []T, filters []Filter, attrs func(T) (map[string][]string, map[string]string)) ([]T, error) {
	q := Query{Filters: filters}
	var empty T
	known, _ := attrs(empty)
	if err := q.check(known); err != nil {
		return nil, err
	}
	var out []T
	for _, item := range items {
		a, tags := attrs(item)
		ok, err := q.matches(a, tags)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, item)
		}
	}
	return out, nil
}

// VPCNetwork is a VPC with what AWS makes beside it: the main route table, whose routes of VPC Lattice are
// there while a service network is associated, and the default network ACL, which allows everything.
type VPCNetwork struct {
	*trellis.VPC
	RouteTableID string
	NetworkACLID string
	Associated   bool // with a service network
	Subnets      []*trellis.Subnet
}

// RouteTables is DescribeRouteTables: the main route table of each VPC.
func (p *Plane) RouteTables(ctx context.Context, c EC2Call, q Query) ([]VPCNetwork, error) {
	return p.vpcNetworks(ctx, c, "DescribeRouteTables", idRouteTable, q, func(v VPCNetwork) attributes {
		return attributes{"vpc-id": {v.ID}, "route-table-id": {v.RouteTableID}, "owner-id": {v.Account}, "association.main": flag(true),
			"association.route-table-id": {v.RouteTableID}, "association.route-table-association-id": {DerivedID("rtbassoc", v.ID)},
			"association.subnet-id": nil, "association.gateway-id": nil, "route.destination-cidr-block": {v.CIDR.String()},
			"route.gateway-id": {"local"}, "route.state": {"active"}, "route.origin": {"CreateRouteTable"}}
	}, func(v VPCNetwork) string { return v.RouteTableID })
}

// NetworkACLs is DescribeNetworkAcls: the default network ACL of each VPC, with all its subnets.
func (p *Plane) NetworkACLs(ctx context.Context, c EC2Call, q Query) ([]VPCNetwork, error) {
	return p.vpcNetworks(ctx, c, "DescribeNetworkAcls", idNetworkACL, q, func(v VPCNetwork) attributes {
		var subnets []string
		for _, s := range v.Subnets {
			subnets = append(subnets, s.ID)
		}
		return attributes{"vpc-id": {v.ID}, "network-acl-id": {v.NetworkACLID}, "owner-id": {v.Account}, "default": flag(true),
			"association.network-acl-id": {v.NetworkACLID}, "association.subnet-id": subnets, "association.association-id": nil}
	}, func(v VPCNetwork) string { return v.NetworkACLID })
}

// vpcNetworks lists what is derived of the account's VPCs, by the derived id.
func (p *Plane) vpcNetworks(ctx context.Context, c EC2Call, action string, k idKind, q Query, attrs func(VPCNetwork) attributes, id func(VPCNetwork) string) ([]VPCNetwork, error) {
	if err := c.allow(action, nil, "*"); err != nil {
		return nil, err
	}
	for _, id := range q.IDs {
		if err := k.check(id); err != nil {
			return nil, err
		}
	}
	if err := q.check(attrs(VPCNetwork{VPC: &trellis.VPC{}})); err != nil {
		return nil, err
	}
	var out []VPCNetwork
	err := p.read(ctx, func(tx *store.Tx) error {
		out = nil
		vpcs, err := store.List[*trellis.VPC](tx, c.account()+"/")
		if err != nil {
			return err
		}
		subnets, err := store.List[*trellis.Subnet](tx, c.account()+"/")
		if err != nil {
			return err
		}
		seen := map[string]bool{}
		for _, v := range vpcs {
			n := VPCNetwork{VPC: v, RouteTableID: DerivedID("rtb", v.ID), NetworkACLID: DerivedID("acl", v.ID)}
			for _, s := range subnets {
				if s.VPCID == v.ID {
					n.Subnets = append(n.Subnets, s)
				}
			}
			associations, err := tx.Marked(vpcNetworks(v.Key()))
			if err != nil {
				return err
			}
			n.Associated = len(associations) > 0
			seen[id(n)] = true
			ok, err := q.matches(attrs(n), nil)
			if err != nil {
				return err
			}
			if ok && (len(q.IDs) == 0 || slices.Contains(q.IDs, id(n))) {
				out = append(out, n)
			}
		}
		for _, id := range q.IDs {
			if !seen[id] {
				return k.notFound(id)
			}
		}
		return nil
	})
	return out, err
}

// CheckImageID refuses an image id that cannot be one.
func CheckImageID(id string) error { return idImage.check(id) }
