package controlplane

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"slices"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/store"
)

// DerivedID is an id that follows from a text, for what Trellis shows but does not keep, such as the main
// route table of a VPC: prefix, a hyphen unless the prefix is empty, and 17 hexadecimal digits.
func DerivedID(prefix, of string) string {
	sum := sha256.Sum256([]byte(prefix + " of " + of))
	id := "0" + hex.EncodeToString(sum[:8])
	if prefix == "" {
		return id
	}
	return prefix + "-" + id
}

// AssociateVPCCIDR adds a block to a VPC: an IPv4 one, or an IPv6 one when the VPC has none.
func (p *Plane) AssociateVPCCIDR(ctx context.Context, c EC2Call, id string, in NewVPC) (v *trellis.VPC, b netip.Prefix, rev trellis.Revision, err error) {
	if in.CIDR == "" && in.IPv6CIDR == "" && !in.AmazonProvidedIPv6 {
		return nil, b, 0, missingParameter("cidrBlock")
	}
	if in.CIDR != "" {
		b, err = vpcBlock("cidrBlock", in.CIDR)
	} else {
		b, err = vpcIPv6Block(in.AmazonProvidedIPv6, in.IPv6CIDR)
	}
	if err != nil {
		return nil, b, 0, err
	}
	rev, err = p.ec2Commit(ctx, func(tx *store.Tx) (err error) {
		if err := p.allow(tx, c, "AssociateVpcCidrBlock", nil, p.ec2ARN(c, "vpc/"+id)); err != nil {
			return err
		}
		if v, err = find[*trellis.VPC](tx, idVPC, c.account(), id); err != nil {
			return err
		}
		if b.Addr().Is6() {
			if v.IPv6CIDR.IsValid() {
				return ec2Error("VpcCidrConflict", "The VPC '%s' already has an IPv6 CIDR block.", id)
			}
			v.IPv6CIDR = b
			if err := p.letIPv6Pass(tx, v); err != nil {
				return err
			}
		} else {
			blocks := append([]netip.Prefix{v.CIDR}, v.MoreCIDRs...)
			if slices.ContainsFunc(blocks, b.Overlaps) {
				return ec2Error("InvalidVpc.Range", "The CIDR '%s' conflicts with another CIDR of the VPC.", b)
			}
			if most, full, err := p.Quotas.Reached(tx, v.Account, quota.BlocksPerVPC, len(blocks)); err != nil {
				return err
			} else if full {
				return ec2Error("CidrLimitExceeded", "This network '%s' has met its maximum number of allowed CIDRs: %d", id, most)
			}
			v.MoreCIDRs = append(v.MoreCIDRs, b)
		}
		v.UpdatedAt = p.now()
		tx.Put(v)
		return nil
	})
	return v, b, rev, err
}

// DisassociateVPCCIDR takes a block from a VPC by the id of its association. The primary block stays for
// ever, and a block that a subnet uses stays while it does.
func (p *Plane) DisassociateVPCCIDR(ctx context.Context, c EC2Call, associationID string) (v *trellis.VPC, b netip.Prefix, rev trellis.Revision, err error) {
	rev, err = p.ec2Commit(ctx, func(tx *store.Tx) error {
		vpcs, err := store.List[*trellis.VPC](tx, c.account()+"/")
		if err != nil {
			return err
		}
		at, id := -1, "*"
		for i, one := range vpcs {
			for _, block := range vpcBlocks(one) {
				if CIDRAssociationID(one.ID, block) == associationID {
					at, id, b = i, one.ID, block
				}
			}
		}
		if err := p.allow(tx, c, "DisassociateVpcCidrBlock", nil, p.ec2ARN(c, "vpc/"+id)); err != nil {
			return err
		}
		if at < 0 {
			return ec2Error("InvalidVpcCidrBlockAssociationID.NotFound", "The vpc CIDR block association ID '%s' does not exist", associationID)
		}
		v = vpcs[at]
		if b == v.CIDR {
			return ec2Error("OperationNotPermitted", "The vpc CIDR block with association ID %s may not be disassociated. It is the primary IPv4 CIDR block of the VPC", associationID)
		}
		subnets, err := store.List[*trellis.Subnet](tx, c.account()+"/")
		if err != nil {
			return err
		}
		used := func(s *trellis.Subnet) bool {
			return s.VPCID == v.ID && (b.Overlaps(s.CIDR) || s.IPv6CIDR.IsValid() && b.Overlaps(s.IPv6CIDR))
		}
		if slices.ContainsFunc(subnets, used) {
			return ec2Error("InvalidCidrBlock.InUse", "The vpc CIDR block with association ID %s may not be disassociated. Subnets in the VPC use it", associationID)
		}
		if b == v.IPv6CIDR {
			v.IPv6CIDR = netip.Prefix{}
		} else {
			v.MoreCIDRs = slices.DeleteFunc(v.MoreCIDRs, func(more netip.Prefix) bool { return more == b })
		}
		v.UpdatedAt = p.now()
		tx.Put(v)
		return nil
	})
	return v, b, rev, err
}
