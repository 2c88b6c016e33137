package controlplane

import (
	"context"
	"crypto/rand"
	"net/netip"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/store"
)

// NewVPC is what CreateVpc asks for.
type NewVPC struct {
	CIDR               string
	AmazonProvidedIPv6 bool   // take a random /56
	IPv6CIDR           string // or this one, a /56
	Tags               map[string]string
}

// CreateVPC makes a VPC and its default security group. The CIDR is /16 to /28; bits behind the prefix
// are cleared, as AWS does.
func (p *Plane) CreateVPC(ctx context.Context, c EC2Call, in NewVPC) (*trellis.VPC, trellis.Revision, error) {
	if err := c.allow("CreateVpc", authpolicy.TagKeys(nil, in.Tags, nil), p.ec2ARN(c, "vpc/*")); err != nil {
		return nil, 0, err
	}
	cidr, err := vpcBlock("cidrBlock", in.CIDR)
	if err != nil {
		return nil, 0, err
	}
	v6, err := vpcIPv6Block(in.AmazonProvidedIPv6, in.IPv6CIDR)
	if err != nil {
		return nil, 0, err
	}
	have, err := count[*trellis.VPC](ctx, p, c.account()+"/")
	if err != nil {
		return nil, 0, err
	}
	var vpc *trellis.VPC
	rev, err := p.ec2Commit(ctx, func(tx *store.Tx) error {
		if err := ec2Room[*trellis.VPC](p, tx, c, quota.VPCs, have, "VpcLimitExceeded"); err != nil {
			return err
		}
		meta, err := p.ec2Meta(tx, c, idVPC, in.Tags)
		if err != nil {
			return err
		}
		vpc = &trellis.VPC{Meta: meta, CIDR: cidr, IPv6CIDR: v6, EnableDNSSupport: true, Attachment: trellis.AttachmentLab}
		tx.Put(vpc)
		group, err := p.defaultGroup(tx, c, vpc)
		if err != nil {
			return err
		}
		tx.Put(group)
		return nil
	})
	return vpc, rev, err
}

// vpcBlock reads an IPv4 block of a VPC.
func vpcBlock(parameter, s string) (netip.Prefix, error) {
	if s == "" {
		return netip.Prefix{}, missingParameter(parameter)
	}
	b, err := netip.ParsePrefix(s)
	if err != nil || !b.Addr().Is4() {
		return netip.Prefix{}, invalidParameter(parameter, s, "This is not a valid CIDR block.")
	}
	b = b.Masked()
	if b.Bits() < 16 || b.Bits() > 28 || slices.ContainsFunc(reservedBlocks, b.Overlaps) {
		return netip.Prefix{}, ec2Error("InvalidVpc.Range", "The CIDR '%s' is invalid.", s)
	}
	return b, nil
}

// reservedBlocks can be no VPC's: this host, loopback, link-local (where VPC Lattice itself lives) and multicast.
var reservedBlocks = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("127.0.0.0/8"),
	netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("224.0.0.0/3"),
}

// vpcIPv6Block reads, or makes, the IPv6 block of a VPC: a /56, or no valid prefix when none is asked for.
func vpcIPv6Block(random bool, s string) (netip.Prefix, error) {
	if random {
		a := [16]byte{0x26, 0x00, 0x1f, 0x14}
		rand.Read(a[4:7]) // never fails (crypto/rand, Go 1.24)
		return netip.PrefixFrom(netip.AddrFrom16(a), 56), nil
	}
	if s == "" {
		return netip.Prefix{}, nil
	}
	b, err := netip.ParsePrefix(s)
	if err != nil || !b.Addr().Is6() || b.Addr().Is4In6() || b.Bits() != 56 {
		return netip.Prefix{}, invalidParameter("ipv6CidrBlock", s, "This is not a valid IPv6 CIDR block of size /56.")
	}
	return b.Masked(), nil
}

// VPCs is DescribeVpcs.
func (p *Plane) VPCs(ctx context.Context, c EC2Call, q Query) ([]*trellis.VPC, error) {
	return describe(ctx, p, c, "DescribeVpcs", idVPC, q, &trellis.VPC{}, func(_ *store.Tx, v *trellis.VPC) (attributes, map[string]string) {
		a := attributes{
			"vpc-id": {v.ID}, "owner-id": {v.Account}, "state": {"available"}, "is-default": flag(v.IsDefault), "isDefault": flag(v.IsDefault),
			"cidr": {v.CIDR.String()}, "cidr-block": {v.CIDR.String()}, "cidrBlock": {v.CIDR.String()}, "dhcp-options-id": {DHCPOptionsOf(v)},
			"cidr-block-association.state": {"associated"}, "ipv6-cidr-block-association.state": nil,
			"cidr-block-association.cidr-block": nil, "cidr-block-association.association-id": nil,
			"ipv6-cidr-block-association.ipv6-cidr-block": nil, "ipv6-cidr-block-association.association-id": nil,
		}
		for _, b := range append([]netip.Prefix{v.CIDR}, v.MoreCIDRs...) {
			a["cidr-block-association.cidr-block"] = append(a["cidr-block-association.cidr-block"], b.String())
			a["cidr-block-association.association-id"] = append(a["cidr-block-association.association-id"], CIDRAssociationID(v.ID, b))
		}
		if v.IPv6CIDR.IsValid() {
			a["ipv6-cidr-block-association.state"] = []string{"associated"}
			a["ipv6-cidr-block-association.ipv6-cidr-block"] = []string{v.IPv6CIDR.String()}
			a["ipv6-cidr-block-association.association-id"] = []string{CIDRAssociationID(v.ID, v.IPv6CIDR)}
		}
		return a, v.Tags
	})
}

// DeleteVPC removes a VPC with its default security group, its main route table and its default network ACL. Anything else inside it,
// or associated with it, is a DependencyViolation.
func (p *Plane) DeleteVPC(ctx context.Context, c EC2Call, id string) (trellis.Revision, error) {
	return p.ec2Commit(ctx, func(tx *store.Tx) error {
		if err := p.allow(tx, c, "DeleteVpc", nil, p.ec2ARN(c, "vpc/"+id)); err != nil {
			return err
		}
		v, err := find[*trellis.VPC](tx, idVPC, c.account(), id)
		if err != nil {
			return err
		}
		group, with, err := vpcIsEmpty(tx, v)
		if err != nil {
			return err
		}
		for _, n := range with {
			releaseEC2ID(tx, n.Common().ID)
			tx.Delete(n)
		}
		if group != nil {
			deleteGroup(tx, group)
		}
		releaseEC2ID(tx, v.ID)
		tx.Delete(v)
		return nil
	})
}

// vpcIsEmpty returns the default security group and, where they are stored, the main route table and the default network ACL of a VPC
// that holds nothing else.
func vpcIsEmpty(tx *store.Tx, v *trellis.VPC) (defaultGroup *trellis.SecurityGroup, with []trellis.Owned, err error) {
	dependency := ec2Error("DependencyViolation", "The vpc '%s' has dependencies and cannot be deleted.", v.ID)
	prefix := v.Account + "/"
	subnets, err := store.List[*trellis.Subnet](tx, prefix)
	if err != nil {
		return nil, nil, err
	}
	if slices.ContainsFunc(subnets, func(s *trellis.Subnet) bool { return s.VPCID == v.ID }) {
		return nil, nil, dependency
	}
	instances, err := store.List[*trellis.Instance](tx, prefix)
	if err != nil {
		return nil, nil, err
	}
	if slices.ContainsFunc(instances, func(i *trellis.Instance) bool { return i.VPCID == v.ID && i.State != trellis.InstanceTerminated }) {
		return nil, nil, dependency
	}
	targets, err := store.List[*trellis.TargetGroup](tx, prefix)
	if err != nil {
		return nil, nil, err
	}
	if slices.ContainsFunc(targets, func(g *trellis.TargetGroup) bool { return g.VPCID == v.ID }) {
		return nil, nil, dependency
	}
	associations, err := tx.Marked(vpcNetworks(v.Key()))
	if err != nil {
		return nil, nil, err
	}
	if len(associations) > 0 {
		return nil, nil, dependency
	}
	groups, err := store.List[*trellis.SecurityGroup](tx, prefix)
	if err != nil {
		return nil, nil, err
	}
	for _, g := range groups {
		switch {
		case g.VPCID != v.ID:
		case g.Name == defaultGroupName:
			defaultGroup = g
		default:
			return nil, nil, dependency
		}
	}
	for _, of := range []func(*store.Tx, *trellis.VPC) (trellis.Owned, bool, error){routingOf, aclsOf} {
		n, held, err := of(tx, v)
		if err != nil {
			return nil, nil, err
		}
		if held {
			return nil, nil, dependency
		}
		if n != nil {
			with = append(with, n)
		}
	}
	return defaultGroup, with, nil
}

// VPC is one VPC of the caller's account, for DescribeVpcAttribute and what is derived of a VPC.
func (p *Plane) VPC(ctx context.Context, c EC2Call, action, id string) (v *trellis.VPC, err error) {
	err = p.read(ctx, func(tx *store.Tx) error {
		if err := p.allow(tx, c, action, nil, p.ec2ARN(c, "vpc/"+id)); err != nil {
			return err
		}
		v, err = find[*trellis.VPC](tx, idVPC, c.account(), id)
		return err
	})
	return v, err
}

// ModifyVPC changes the DNS attributes that are not nil.
func (p *Plane) ModifyVPC(ctx context.Context, c EC2Call, id string, dnsSupport, dnsHostnames *bool) (trellis.Revision, error) {
	return p.ec2Commit(ctx, func(tx *store.Tx) error {
		if err := p.allow(tx, c, "ModifyVpcAttribute", nil, p.ec2ARN(c, "vpc/"+id)); err != nil {
			return err
		}
		v, err := find[*trellis.VPC](tx, idVPC, c.account(), id)
		if err != nil {
			return err
		}
		if dnsSupport != nil {
			v.EnableDNSSupport = *dnsSupport
		}
		if dnsHostnames != nil {
			v.EnableDNSHostnames = *dnsHostnames
		}
		v.UpdatedAt = p.now()
		tx.Put(v)
		return nil
	})
}

// CIDRAssociationID is the id of a block's association with its VPC or subnet. It is made of the two, so
// that it needs no place in the noun: vpc-cidr-assoc-… or subnet-cidr-assoc-….
func CIDRAssociationID(id string, b netip.Prefix) string {
	kind, _, _ := strings.Cut(id, "-")
	return kind + "-cidr-assoc-" + DerivedID("", id+" "+b.String())
}
