package controlplane

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/store"
)

// What an instance and an interface may have: as much as the largest instances of AWS (EC2 user guide, IP addresses for each
// network interface), since the sizes of instances mean nothing here.
const (
	MaxInterfaces         = 15 // of an instance
	MaxInterfaceAddresses = 50 // of an interface, in each family
	maxInterfaceGroups    = 5
	maxDescription        = 255 // characters
)

// NewNetworkInterface is what CreateNetworkInterface asks for.
type NewNetworkInterface struct {
	SubnetID           string
	Description        string
	SecurityGroupIDs   []string // the default group of the VPC when empty
	SecurityGroupNames []string // further ones, by name in the VPC
	PrivateIP          string   // the primary address; the first free one when empty
	SecondaryIPs       []string // chosen
	SecondaryCount     int      // free ones, in their place
	IPv6               []string // chosen
	IPv6Count          int      // free ones, in their place
	ClientToken        string
	Tags               map[string]string
}

// check finds what is wrong with the parameters by themselves.
func (in *NewNetworkInterface) check() error {
	switch {
	case in.SubnetID == "":
		return missingParameter("subnetId")
	case len(in.SecondaryIPs) > 0 && in.SecondaryCount != 0:
		return ec2Error("InvalidParameterCombination", "The parameters secondaryPrivateIpAddressCount and privateIpAddresses with secondary addresses may not be used together")
	case len(in.IPv6) > 0 && in.IPv6Count != 0:
		return ec2Error("InvalidParameterCombination", "The parameters ipv6AddressCount and ipv6Addresses may not be used together")
	case in.SecondaryCount < 0 || in.IPv6Count < 0:
		return ec2Error("InvalidParameterValue", "A count of addresses may not be negative.")
	case 1+len(in.SecondaryIPs)+in.SecondaryCount > MaxInterfaceAddresses || len(in.IPv6)+in.IPv6Count > MaxInterfaceAddresses:
		return tooManyAddresses()
	case len(in.SecurityGroupIDs)+len(in.SecurityGroupNames) > maxInterfaceGroups:
		return tooManyGroups()
	case len(in.Description) > maxDescription:
		return invalidParameter("description", in.Description, "It may have 255 characters.")
	}
	return nil
}

// tooManyGroups says that an interface has more security groups than one may.
func tooManyGroups() error {
	return ec2Error("SecurityGroupsPerInterfaceLimitExceeded", "The maximum number of security groups per interface has been reached.")
}

// tooManyAddresses says that an interface would have more addresses than one may.
func tooManyAddresses() error {
	return ec2Error("PrivateIpAddressLimitExceeded", "Number of private addresses will exceed limit.")
}

// CreateNetworkInterface makes an interface that no instance has yet.
func (p *Plane) CreateNetworkInterface(ctx context.Context, c EC2Call, in NewNetworkInterface) (out DescribedInterface, rev trellis.Revision, err error) {
	if err := in.check(); err != nil {
		return out, 0, err
	}
	arns := []string{p.ec2ARN(c, "network-interface/*"), p.ec2ARN(c, "subnet/"+in.SubnetID)}
	for _, id := range in.SecurityGroupIDs {
		arns = append(arns, p.ec2ARN(c, "security-group/"+id))
	}
	have, err := count[*trellis.ElasticNetworkInterface](ctx, p, c.account()+"/")
	if err != nil {
		return out, 0, err
	}
	rev, err = p.ec2Commit(ctx, func(tx *store.Tx) error {
		if err := p.allow(tx, c, "CreateNetworkInterface", authpolicy.TagKeys(nil, in.Tags, nil), arns...); err != nil {
			return err
		}
		n, err := store.Once(tx, c.account()+"/CreateNetworkInterface", in.ClientToken, in, func() (*trellis.ElasticNetworkInterface, error) {
			if err := p.roomForInterface(tx, c, have); err != nil {
				return nil, err
			}
			n, err := newInterface(tx, in, newAllocators(tx, c.account()))
			if err != nil {
				return nil, err
			}
			n.Meta, err = p.ec2Meta(tx, c, idInterface, in.Tags)
			tx.Put(n)
			return n, err
		})
		if err != nil {
			return err
		}
		x, err := p.around(tx, c.account())
		if err == nil {
			out = x.describe(n)
		}
		return err
	})
	return out, rev, err
}

// roomForInterface refuses one more interface than an account may have that has some, as counted before the transaction and on.
func (p *Plane) roomForInterface(tx *store.Tx, c EC2Call, have int) error {
	return ec2Room[*trellis.ElasticNetworkInterface](p, tx, c, quota.NetworkInterfaces, have, "NetworkInterfaceLimitExceeded")
}

// newInterface makes an interface with addresses, without an id and without putting it.
func newInterface(tx *store.Tx, in NewNetworkInterface, free *allocators) (*trellis.ElasticNetworkInterface, error) {
	subnet, err := find[*trellis.Subnet](tx, idSubnet, free.account, in.SubnetID)
	if err != nil {
		return nil, err
	}
	groups, err := free.groups(subnet, in)
	if err != nil {
		return nil, err
	}
	from, err := free.of(subnet)
	if err != nil {
		return nil, err
	}
	n := &trellis.ElasticNetworkInterface{VPCID: subnet.VPCID, SubnetID: subnet.ID, Description: in.Description, MAC: newMAC(), SecurityGroupIDs: groups}
	for _, chosen := range slices.Concat([]string{in.PrivateIP}, in.SecondaryIPs, make([]string, in.SecondaryCount)) {
		a, err := from.take4(chosen)
		if err != nil {
			return nil, err
		}
		n.IPv4 = append(n.IPv4, a)
	}
	for _, chosen := range slices.Concat(in.IPv6, make([]string, in.IPv6Count)) {
		a, err := from.take6(chosen)
		if err != nil {
			return nil, err
		}
		n.IPv6 = append(n.IPv6, a)
	}
	return n, nil
}

// allocators hand out the addresses of the subnets of an account to several interfaces of one transaction, and find the security groups
// of these. What that needs is read once, when it is needed.
type allocators struct {
	tx        *store.Tx
	account   string
	held      map[string]map[netip.Addr]bool
	each      map[string]*addresses
	allGroups func() ([]*trellis.SecurityGroup, error)
}

// newAllocators are the allocators of an account for one transaction.
func newAllocators(tx *store.Tx, account string) *allocators {
	return &allocators{tx: tx, account: account, allGroups: sync.OnceValues(func() ([]*trellis.SecurityGroup, error) {
		return store.List[*trellis.SecurityGroup](tx, account+"/")
	})}
}

// of is the allocator of a subnet.
func (a *allocators) of(subnet *trellis.Subnet) (*addresses, error) {
	if a.held == nil {
		var err error
		if a.held, err = heldAddresses(a.tx, a.account); err != nil {
			return nil, err
		}
		a.each = map[string]*addresses{}
	}
	if a.each[subnet.ID] == nil {
		a.each[subnet.ID] = addressesOf(subnet, a.held[subnet.ID])
	}
	return a.each[subnet.ID], nil
}

// findInterface reads an interface of the caller's account that users may change: one that is stored, or the first one of an
// instance, which is not stored yet.
func (p *Plane) findInterface(tx *store.Tx, account, id string) (*trellis.ElasticNetworkInterface, error) {
	if err := idInterface.check(id); err != nil {
		return nil, err
	}
	n, err := store.Get[*trellis.ElasticNetworkInterface](tx, account+"/"+id)
	if !errors.Is(err, trellis.ErrNotExist) {
		return n, err
	}
	all, err := p.interfaces(tx, account)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(d DescribedInterface) bool { return d.ID == id })
	switch {
	case i < 0:
		return nil, idInterface.notFound(id)
	case all[i].Managed:
		return nil, ec2Error("AuthFailure", "You do not have permission to access the specified resource: %s is an interface of its owner alone.", id)
	}
	return all[i].ElasticNetworkInterface, nil
}

// putInterface stores an interface. The first one of an instance is told by the instance, too: to all that look at instances.
func (p *Plane) putInterface(tx *store.Tx, n *trellis.ElasticNetworkInterface) error {
	n.UpdatedAt = p.now()
	if at := n.Attachment; at != nil && at.DeviceIndex == 0 {
		i, err := store.Get[*trellis.Instance](tx, n.Account+"/"+at.InstanceID)
		if err != nil {
			return err
		}
		i.SecurityGroupIDs, i.IPv6, i.UpdatedAt = n.SecurityGroupIDs, netip.Addr{}, n.UpdatedAt
		if len(n.IPv6) > 0 {
			i.IPv6 = n.IPv6[0]
		}
		tx.Put(i)
	}
	tx.Put(n)
	return tx.Claim("ec2id/"+n.ID, n.Key())
}

// deleteInterface removes an interface.
func deleteInterface(tx *store.Tx, n *trellis.ElasticNetworkInterface) {
	releaseEC2ID(tx, n.ID)
	tx.Delete(n)
}

// changeInterface changes one interface of the caller's account. The caller's policies must allow action on it and on further
// resources.
func (p *Plane) changeInterface(ctx context.Context, c EC2Call, action, id string, further []string, change func(*store.Tx, *trellis.ElasticNetworkInterface) error) (trellis.Revision, error) {
	return p.ec2Commit(ctx, func(tx *store.Tx) error {
		if err := p.allow(tx, c, action, nil, append([]string{p.ec2ARN(c, "network-interface/"+id)}, further...)...); err != nil {
			return err
		}
		n, err := p.findInterface(tx, c.account(), id)
		if err != nil {
			return err
		}
		if err := change(tx, n); err != nil {
			return err
		}
		return p.putInterface(tx, n)
	})
}

// changeInterfaceTags changes the tags of an interface.
func (p *Plane) changeInterfaceTags(tx *store.Tx, account, id string, change func(map[string]string) (map[string]string, error)) error {
	n, err := p.findInterface(tx, account, id)
	if err != nil {
		return err
	}
	if n.Tags, err = change(n.Tags); err != nil {
		return err
	}
	return p.putInterface(tx, n)
}

// DeleteNetworkInterface removes an interface that nothing has.
func (p *Plane) DeleteNetworkInterface(ctx context.Context, c EC2Call, id string) (trellis.Revision, error) {
	return p.ec2Commit(ctx, func(tx *store.Tx) error {
		if err := p.allow(tx, c, "DeleteNetworkInterface", nil, p.ec2ARN(c, "network-interface/"+id)); err != nil {
			return err
		}
		n, err := p.findInterface(tx, c.account(), id)
		var e *trellis.Error
		if errors.As(err, &e) && e.Code == "AuthFailure" || err == nil && n.Attachment != nil {
			return ec2Error("InvalidParameterValue", "Network interface '%s' is currently in use.", id)
		}
		if err == nil {
			deleteInterface(tx, n)
		}
		return err
	})
}

// InterfaceChange is what ModifyNetworkInterfaceAttribute changes: what is not nil.
type InterfaceChange struct {
	Description         *string
	SecurityGroupIDs    []string
	SourceDestCheck     *bool
	AttachmentID        string
	DeleteOnTermination *bool // of the attachment
}

// ModifyNetworkInterface changes attributes of an interface.
func (p *Plane) ModifyNetworkInterface(ctx context.Context, c EC2Call, action, id string, to InterfaceChange) (trellis.Revision, error) {
	switch {
	case to.Description == nil && to.SecurityGroupIDs == nil && to.SourceDestCheck == nil && to.AttachmentID == "" && to.DeleteOnTermination == nil:
		return 0, ec2Error("InvalidParameterCombination", "No attributes specified.")
	case len(to.SecurityGroupIDs) > maxInterfaceGroups:
		return 0, tooManyGroups()
	case to.Description != nil && len(*to.Description) > maxDescription:
		return 0, invalidParameter("description", *to.Description, "It may have 255 characters.")
	case to.DeleteOnTermination != nil && to.AttachmentID == "":
		return 0, missingParameter("attachment.attachmentId")
	}
	var groups []string
	for _, g := range to.SecurityGroupIDs {
		groups = append(groups, p.ec2ARN(c, "security-group/"+g))
	}
	return p.changeInterface(ctx, c, action, id, groups, func(tx *store.Tx, n *trellis.ElasticNetworkInterface) (err error) {
		if to.AttachmentID != "" {
			if n.Attachment == nil || AttachmentID(n) != to.AttachmentID {
				return idAttachment.notFound(to.AttachmentID)
			}
			if to.DeleteOnTermination != nil {
				n.Attachment.DeleteOnTermination = *to.DeleteOnTermination
			}
		}
		if to.Description != nil {
			n.Description = *to.Description
		}
		if to.SourceDestCheck != nil {
			n.NoSourceDestCheck = !*to.SourceDestCheck
		}
		if to.SecurityGroupIDs != nil {
			n.SecurityGroupIDs, err = groupsOfVPC(tx, n.Account, n.VPCID, to.SecurityGroupIDs)
		}
		return err
	})
}

// NetworkInterface is one interface of the caller's account, of anybody's, for DescribeNetworkInterfaceAttribute.
func (p *Plane) NetworkInterface(ctx context.Context, c EC2Call, id string) (out DescribedInterface, err error) {
	err = p.read(ctx, func(tx *store.Tx) error {
		if err := p.allow(tx, c, "DescribeNetworkInterfaceAttribute", nil, p.ec2ARN(c, "network-interface/"+id)); err != nil {
			return err
		}
		if err := idInterface.check(id); err != nil {
			return err
		}
		all, err := p.interfaces(tx, c.account())
		if err != nil {
			return err
		}
		i := slices.IndexFunc(all, func(d DescribedInterface) bool { return d.ID == id })
		if i < 0 {
			return idInterface.notFound(id)
		}
		out = all[i]
		return nil
	})
	return out, err
}
