package controlplane

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/store"
)

// NewSubnet is what CreateSubnet asks for.
type NewSubnet struct {
	VPCID              string
	CIDR               string // /16 to /28 inside one block of the VPC
	IPv6CIDR           string // /64 inside the VPC's IPv6 block, or empty
	AvailabilityZone   string // the first zone of the region when both this
	AvailabilityZoneID string // and this are empty
	Tags               map[string]string
}

// zone finds the availability zone of a new subnet.
func (p *Plane) zone(name, id string) (string, error) {
	zones := trellis.Zones(p.Region)
	if name == "" && id == "" {
		return zones[0].Name, nil
	}
	var names []string
	for _, z := range zones {
		if name == z.Name && (id == "" || id == z.ID) || name == "" && id == z.ID {
			return z.Name, nil
		}
		names = append(names, z.Name)
	}
	if name == "" {
		name = id
	}
	return "", invalidParameter("availabilityZone", name,
		"Subnets can currently only be created in the following availability zones: "+strings.Join(names, ", ")+".")
}

// CreateSubnet makes a subnet inside a VPC. Subnets of a VPC never overlap.
func (p *Plane) CreateSubnet(ctx context.Context, c EC2Call, in NewSubnet) (*trellis.Subnet, trellis.Revision, error) {
	if in.VPCID == "" {
		return nil, 0, missingParameter("vpcId")
	}
	if in.CIDR == "" {
		return nil, 0, missingParameter("cidrBlock")
	}
	cidr, err := netip.ParsePrefix(in.CIDR)
	if err != nil || !cidr.Addr().Is4() {
		return nil, 0, invalidParameter("cidrBlock", in.CIDR, "This is not a valid CIDR block.")
	}
	cidr = cidr.Masked()
	zone, err := p.zone(in.AvailabilityZone, in.AvailabilityZoneID)
	if err != nil {
		return nil, 0, err
	}
	var subnet *trellis.Subnet
	rev, err := p.ec2Commit(ctx, func(tx *store.Tx) error {
		if err := p.allow(tx, c, "CreateSubnet", authpolicy.TagKeys(nil, in.Tags, nil), p.ec2ARN(c, "subnet/*"), p.ec2ARN(c, "vpc/"+in.VPCID)); err != nil {
			return err
		}
		v, err := find[*trellis.VPC](tx, idVPC, c.account(), in.VPCID)
		if err != nil {
			return err
		}
		within := func(b netip.Prefix) bool { return b.Bits() <= cidr.Bits() && b.Contains(cidr.Addr()) }
		if cidr.Bits() < 16 || cidr.Bits() > 28 || !slices.ContainsFunc(append([]netip.Prefix{v.CIDR}, v.MoreCIDRs...), within) {
			return ec2Error("InvalidSubnet.Range", "The CIDR '%s' is invalid.", in.CIDR)
		}
		v6, err := subnetIPv6Block(v, in.IPv6CIDR)
		if err != nil {
			return err
		}
		have, err := subnetConflict(tx, v, "", cidr, v6)
		if err != nil {
			return err
		}
		if _, full, err := p.Quotas.Reached(tx, v.Account, quota.SubnetsPerVPC, have); err != nil {
			return err
		} else if full {
			return ec2Error("SubnetLimitExceeded", "The maximum number of subnets has been reached.")
		}
		meta, err := p.ec2Meta(tx, c, idSubnet, in.Tags)
		if err != nil {
			return err
		}
		subnet = &trellis.Subnet{Meta: meta, VPCID: v.ID, CIDR: cidr, IPv6CIDR: v6, AvailabilityZone: zone}
		tx.Put(subnet)
		return nil
	})
	return subnet, rev, err
}

// subnetIPv6Block reads the IPv6 block of a subnet of v, which must be a /64 of the VPC's own.
func subnetIPv6Block(v *trellis.VPC, s string) (netip.Prefix, error) {
	if s == "" {
		return netip.Prefix{}, nil
	}
	b, err := netip.ParsePrefix(s)
	if err != nil || !b.Addr().Is6() {
		return netip.Prefix{}, invalidParameter("ipv6CidrBlock", s, "This is not a valid IPv6 CIDR block.")
	}
	b = b.Masked()
	if b.Bits() != 64 || !v.IPv6CIDR.IsValid() || !v.IPv6CIDR.Contains(b.Addr()) {
		return netip.Prefix{}, ec2Error("InvalidSubnet.Range", "The IPv6 CIDR '%s' is invalid.", s)
	}
	return b, nil
}

// subnetConflict refuses blocks that overlap those of another subnet of the VPC than except.
func subnetConflict(tx *store.Tx, v *trellis.VPC, except string, cidr, v6 netip.Prefix) (others int, err error) {
	subnets, err := store.List[*trellis.Subnet](tx, v.Account+"/")
	if err != nil {
		return 0, err
	}
	for _, s := range subnets {
		if s.VPCID != v.ID || s.ID == except {
			continue
		}
		others++
		if cidr.IsValid() && s.CIDR.Overlaps(cidr) {
			return 0, ec2Error("InvalidSubnet.Conflict", "The CIDR '%s' conflicts with another subnet", cidr)
		}
		if v6.IsValid() && s.IPv6CIDR.IsValid() && s.IPv6CIDR.Overlaps(v6) {
			return 0, ec2Error("InvalidSubnet.Conflict", "The IPv6 CIDR '%s' conflicts with another subnet", v6)
		}
	}
	return others, nil
}

// DescribedSubnet is a subnet and how many of its IPv4 addresses are free.
type DescribedSubnet struct {
	*trellis.Subnet
	AvailableAddresses int
}

// Subnets is DescribeSubnets.
func (p *Plane) Subnets(ctx context.Context, c EC2Call, q Query) ([]DescribedSubnet, error) {
	var held map[string]map[netip.Addr]bool
	used := func(tx *store.Tx, id string) int {
		if held == nil {
			// A read that fails makes the one that follows fail the same way, which says so.
			held, _ = heldAddresses(tx, c.account())
		}
		return held4(held[id])
	}
	subnets, err := describe(ctx, p, c, "DescribeSubnets", idSubnet, q, &trellis.Subnet{}, func(tx *store.Tx, s *trellis.Subnet) (attributes, map[string]string) {
		a := attributes{
			"subnet-id": {s.ID}, "vpc-id": {s.VPCID}, "owner-id": {s.Account}, "state": {"available"},
			"cidr": {s.CIDR.String()}, "cidr-block": {s.CIDR.String()}, "cidrBlock": {s.CIDR.String()},
			"availability-zone": {s.AvailabilityZone}, "availabilityZone": {s.AvailabilityZone}, "availability-zone-id": {p.zoneID(s.AvailabilityZone)},
			"default-for-az": flag(false), "defaultForAz": flag(false), "map-public-ip-on-launch": flag(s.MapPublicIP),
			"subnet-arn": {s.ARN(p.Region)}, "ipv6-native": flag(false),
			"available-ip-address-count":                  {strconv.Itoa(UsableAddresses(s.CIDR) - used(tx, s.ID))},
			"ipv6-cidr-block-association.ipv6-cidr-block": nil, "ipv6-cidr-block-association.association-id": nil, "ipv6-cidr-block-association.state": nil,
		}
		if s.IPv6CIDR.IsValid() {
			a["ipv6-cidr-block-association.ipv6-cidr-block"] = []string{s.IPv6CIDR.String()}
			a["ipv6-cidr-block-association.association-id"] = []string{CIDRAssociationID(s.ID, s.IPv6CIDR)}
			a["ipv6-cidr-block-association.state"] = []string{"associated"}
		}
		return a, s.Tags
	})
	out := make([]DescribedSubnet, len(subnets))
	for i, s := range subnets {
		out[i] = DescribedSubnet{s, UsableAddresses(s.CIDR) - held4(held[s.ID])}
	}
	return out, err
}

// UsableAddresses is how many instances fit into an IPv4 block: AWS keeps the first four addresses and the last.
func UsableAddresses(b netip.Prefix) int {
	if !b.Addr().Is4() {
		return 0
	}
	return 1<<(32-b.Bits()) - 5
}

// zoneID is the id of an availability zone by its name.
func (p *Plane) zoneID(name string) string {
	for _, z := range trellis.Zones(p.Region) {
		if z.Name == name {
			return z.ID
		}
	}
	return ""
}

// DeleteSubnet removes a subnet in which nothing has an address, and no function runs.
func (p *Plane) DeleteSubnet(ctx context.Context, c EC2Call, id string) (trellis.Revision, error) {
	return p.ec2Commit(ctx, func(tx *store.Tx) error {
		if err := p.allow(tx, c, "DeleteSubnet", nil, p.ec2ARN(c, "subnet/"+id)); err != nil {
			return err
		}
		s, err := find[*trellis.Subnet](tx, idSubnet, c.account(), id)
		if err != nil {
			return err
		}
		held, err := heldAddresses(tx, s.Account)
		if err != nil {
			return err
		}
		functions, err := store.List[*trellis.Function](tx, s.Account+"/")
		if err != nil {
			return err
		}
		inside := slices.ContainsFunc(functions, func(f *trellis.Function) bool { return f.VPC != nil && slices.Contains(f.VPC.SubnetIDs, s.ID) })
		if inside || len(held[s.ID]) > 0 {
			return ec2Error("DependencyViolation", "The subnet '%s' has dependencies and cannot be deleted.", s.ID)
		}
		if err := errors.Join(leaveRouteTables(tx, s), leaveNetworkACLs(tx, s)); err != nil {
			return err
		}
		releaseEC2ID(tx, s.ID)
		tx.Delete(s)
		return nil
	})
}

// ModifySubnet changes whether instances get a public address, which Trellis keeps and shows only.
func (p *Plane) ModifySubnet(ctx context.Context, c EC2Call, id string, mapPublicIP *bool) (trellis.Revision, error) {
	return p.ec2Commit(ctx, func(tx *store.Tx) error {
		if err := p.allow(tx, c, "ModifySubnetAttribute", nil, p.ec2ARN(c, "subnet/"+id)); err != nil {
			return err
		}
		s, err := find[*trellis.Subnet](tx, idSubnet, c.account(), id)
		if err != nil {
			return err
		}
		if mapPublicIP != nil {
			s.MapPublicIP = *mapPublicIP
		}
		s.UpdatedAt = p.now()
		tx.Put(s)
		return nil
	})
}

// AssociateSubnetCIDR gives a subnet without an IPv6 block one.
func (p *Plane) AssociateSubnetCIDR(ctx context.Context, c EC2Call, id, cidr string) (s *trellis.Subnet, rev trellis.Revision, err error) {
	if cidr == "" {
		return nil, 0, missingParameter("ipv6CidrBlock")
	}
	rev, err = p.ec2Commit(ctx, func(tx *store.Tx) (err error) {
		if err := p.allow(tx, c, "AssociateSubnetCidrBlock", nil, p.ec2ARN(c, "subnet/"+id)); err != nil {
			return err
		}
		if s, err = find[*trellis.Subnet](tx, idSubnet, c.account(), id); err != nil {
			return err
		}
		if s.IPv6CIDR.IsValid() {
			return ec2Error("InvalidSubnet.Conflict", "The subnet '%s' already has an IPv6 CIDR block", id)
		}
		v, err := find[*trellis.VPC](tx, idVPC, c.account(), s.VPCID)
		if err != nil {
			return err
		}
		b, err := subnetIPv6Block(v, cidr)
		if err != nil {
			return err
		}
		if _, err := subnetConflict(tx, v, s.ID, netip.Prefix{}, b); err != nil {
			return err
		}
		s.IPv6CIDR, s.UpdatedAt = b, p.now()
		tx.Put(s)
		return nil
	})
	return s, rev, err
}

// DisassociateSubnetCIDR takes the IPv6 block from a subnet by the id of its association. It is refused
// while something has an address of it. The answer is the subnet with the block that it had.
func (p *Plane) DisassociateSubnetCIDR(ctx context.Context, c EC2Call, associationID string) (s *trellis.Subnet, had netip.Prefix, rev trellis.Revision, err error) {
	rev, err = p.ec2Commit(ctx, func(tx *store.Tx) error {
		subnets, err := store.List[*trellis.Subnet](tx, c.account()+"/")
		if err != nil {
			return err
		}
		i := slices.IndexFunc(subnets, func(s *trellis.Subnet) bool {
			return s.IPv6CIDR.IsValid() && CIDRAssociationID(s.ID, s.IPv6CIDR) == associationID
		})
		id := "*"
		if i >= 0 {
			id = subnets[i].ID
		}
		if err := p.allow(tx, c, "DisassociateSubnetCidrBlock", nil, p.ec2ARN(c, "subnet/"+id)); err != nil {
			return err
		}
		if i < 0 {
			return ec2Error("InvalidSubnetCidrBlockAssociationID.NotFound", "The subnet CIDR block association ID '%s' does not exist", associationID)
		}
		s, had = subnets[i], subnets[i].IPv6CIDR
		held, err := heldAddresses(tx, s.Account)
		if err != nil {
			return err
		}
		if len(held[s.ID]) > held4(held[s.ID]) {
			return ec2Error("InvalidCidrBlock.InUse", "The subnet CIDR block with association ID %s is in use", associationID)
		}
		s.IPv6CIDR, s.UpdatedAt = netip.Prefix{}, p.now()
		tx.Put(s)
		return nil
	})
	return s, had, rev, err
}
