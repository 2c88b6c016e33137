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

// VPCNetwork is a VPC with its default network ACL, which allows everything and has all the subnets.
type VPCNetwork struct {
	*trellis.VPC
	NetworkACLID string
	Subnets      []*trellis.Subnet
}

// ACLAssociationID is the id of the association of a subnet with its network ACL.
func ACLAssociationID(s *trellis.Subnet) string { return DerivedID("aclassoc", s.ID) }

// networkACLAttributes are the filters of DescribeNetworkAcls.
func networkACLAttributes(v VPCNetwork) attributes {
	a := attributes{"vpc-id": {v.ID}, "network-acl-id": {v.NetworkACLID}, "owner-id": {v.Account}, "default": flag(true),
		"association.network-acl-id": nil, "association.subnet-id": nil, "association.association-id": nil,
		"entry.cidr": {"0.0.0.0/0"}, "entry.ipv6-cidr": nil, "entry.egress": {"true", "false"}, "entry.protocol": {"-1"}, "entry.rule-action": {"allow", "deny"},
		"entry.rule-number": {"100", "32767"}, "entry.icmp.code": nil, "entry.icmp.type": nil, "entry.port-range.from": nil, "entry.port-range.to": nil}
	if v.IPv6CIDR.IsValid() {
		a["entry.ipv6-cidr"], a["entry.rule-number"] = []string{"::/0"}, append(a["entry.rule-number"], "101", "32768")
	}
	for _, s := range v.Subnets {
		a["association.network-acl-id"] = []string{v.NetworkACLID}
		a["association.subnet-id"], a["association.association-id"] = append(a["association.subnet-id"], s.ID), append(a["association.association-id"], ACLAssociationID(s))
	}
	return a
}

// NetworkACLs is DescribeNetworkAcls: the default network ACL of each VPC, with all its subnets.
func (p *Plane) NetworkACLs(ctx context.Context, c EC2Call, q Query) ([]VPCNetwork, error) {
	if err := c.allow("DescribeNetworkAcls", nil, "*"); err != nil {
		return nil, err
	}
	for _, id := range q.IDs {
		if err := idNetworkACL.check(id); err != nil {
			return nil, err
		}
	}
	if err := q.check(networkACLAttributes(VPCNetwork{VPC: &trellis.VPC{}})); err != nil {
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
			n := VPCNetwork{VPC: v, NetworkACLID: DerivedID("acl", v.ID)}
			for _, s := range subnets {
				if s.VPCID == v.ID {
					n.Subnets = append(n.Subnets, s)
				}
			}
			seen[n.NetworkACLID] = true
			ok, err := q.matches(networkACLAttributes(n), nil)
			if err != nil {
				return err
			}
			if ok && (len(q.IDs) == 0 || slices.Contains(q.IDs, n.NetworkACLID)) {
				out = append(out, n)
			}
		}
		for _, id := range q.IDs {
			if !seen[id] {
				return idNetworkACL.notFound(id)
			}
		}
		return nil
	})
	return out, err
}

// DHCPOptionsID is the id of the DHCP options of an account, which all its VPCs have.
func DHCPOptionsID(account string) string { return DerivedID("dopt", account) }

// CheckDHCPOptionsID refuses ids of DHCP options that an account does not have.
func CheckDHCPOptionsID(account, id string) error {
	k := idKind{prefix: "dopt", code: "InvalidDhcpOptionsID", malformed: "InvalidDhcpOptionsId.Malformed", noun: "dhcpOption ID"}
	if err := k.check(id); err != nil {
		return err
	}
	if id != DHCPOptionsID(account) {
		return k.notFound(id)
	}
	return nil
}

// CheckImageID refuses an image id that cannot be one.
func CheckImageID(id string) error { return idImage.check(id) }

// SecurityGroupsExist answers an error when a security group of ids does not exist in the caller's account.
func (p *Plane) SecurityGroupsExist(ctx context.Context, c EC2Call, ids []string) error {
	return p.read(ctx, func(tx *store.Tx) error {
		_, err := queried[*trellis.SecurityGroup](tx, idSecurityGroup, c.account(), ids)
		return err
	})
}
