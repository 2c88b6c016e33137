package ec2

import (
	"context"
	"net/netip"
	"slices"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/controlplane"
)

// describeNetworkInterfaces is DescribeNetworkInterfaces: of instances that are not terminated, resource gateways, VPC
// endpoints and load balancers, and those that users made.
func (h *handler) describeNetworkInterfaces(ctx context.Context, c *api.Call, in *DescribeNetworkInterfacesInput) (*DescribeNetworkInterfacesOutput, error) {
	all, err := h.plane.NetworkInterfaces(ctx, caller(c, in.DryRun), query(in.NetworkInterfaceIds, in.Filters))
	if err != nil {
		return nil, err
	}
	all, next, err := page(c, all, func(d controlplane.DescribedInterface) string { return d.ID }, in.MaxResults, in.NextToken)
	return &DescribeNetworkInterfacesOutput{NextToken: next, NetworkInterfaces: api.Each(all, h.networkInterface)}, err
}

// networkInterface is a network interface as the wire has it.
func (h *handler) networkInterface(d controlplane.DescribedInterface) NetworkInterface {
	out := NetworkInterface{
		Attachment: attachment(d), AvailabilityZone: &d.AvailabilityZone, Description: &d.Description, Groups: groups(d.Groups), InterfaceType: &d.Type,
		MacAddress: &d.MAC, NetworkInterfaceId: &d.ID, OwnerId: &d.Account, RequesterManaged: &d.Managed, SourceDestCheck: new(!d.NoSourceDestCheck),
		Status: api.Some(d.Status()), SubnetId: &d.SubnetID, TagSet: tags(d.Tags), VpcId: &d.VPCID,
	}
	for at, a := range d.IPv4 {
		out.PrivateIpAddresses = append(out.PrivateIpAddresses, NetworkInterfacePrivateIpAddress{Primary: new(at == 0),
			PrivateDnsName: api.Some(h.plane.PrivateDNSName(a)), PrivateIpAddress: api.Some(a.String())})
	}
	if len(d.IPv4) > 0 {
		out.PrivateDnsName, out.PrivateIpAddress = out.PrivateIpAddresses[0].PrivateDnsName, out.PrivateIpAddresses[0].PrivateIpAddress
	}
	for _, a := range d.IPv6 {
		out.Ipv6Addresses = append(out.Ipv6Addresses, NetworkInterfaceIpv6Address{Ipv6Address: api.Some(a.String())})
	}
	if len(d.IPv6) > 0 {
		out.Ipv6Address = out.Ipv6Addresses[0].Ipv6Address
	}
	return out
}

// attachment is what joins an interface and an instance, nil when none has it.
func attachment(d controlplane.DescribedInterface) *NetworkInterfaceAttachment {
	a := d.Attachment
	if a == nil {
		return nil
	}
	return &NetworkInterfaceAttachment{AttachTime: &a.At, AttachmentId: api.Some(controlplane.AttachmentID(d.ElasticNetworkInterface)),
		DeleteOnTermination: &a.DeleteOnTermination, DeviceIndex: new(int32(a.DeviceIndex)), InstanceId: &a.InstanceID, InstanceOwnerId: &d.Account,
		NetworkCardIndex: new(int32(0)), Status: &d.AttachmentStatus}
}

// groups are security groups as the wire has them.
func groups(all []*trellis.SecurityGroup) []GroupIdentifier {
	return api.Each(all, func(g *trellis.SecurityGroup) GroupIdentifier {
		return GroupIdentifier{GroupId: &g.ID, GroupName: &g.Name}
	})
}

// interfaceOnly refuses what Trellis' network interfaces have not: other types, and prefixes in place of addresses.
func interfaceOnly(typ *string, prefixes int, prefixCounts ...*int32) error {
	switch t := api.Value(typ); t {
	case "", "interface":
	case "efa", "efa-only", "branch", "trunk":
		return trellis.NewError(400, "UnsupportedOperation", "Network interfaces of the type %s are not served.", t)
	default:
		return trellis.NewError(400, "InvalidParameterValue", "Value (%s) for parameter interfaceType is invalid.", t)
	}
	if prefixes > 0 || slices.ContainsFunc(prefixCounts, func(n *int32) bool { return api.Value(n) != 0 }) {
		return trellis.NewError(400, "UnsupportedOperation", "Prefixes of network interfaces are not served.")
	}
	return nil
}

// privateAddresses are the primary and the other addresses that a request chooses.
func privateAddresses(primary *string, list []PrivateIpAddressSpecification) (first string, others []string, err error) {
	first = api.Value(primary)
	for _, a := range list {
		switch {
		case !api.Value(a.Primary):
			others = append(others, api.Value(a.PrivateIpAddress))
		case first != "":
			return "", nil, trellis.NewError(400, "InvalidParameterCombination", "Only one primary private IP address can be specified.")
		default:
			first = api.Value(a.PrivateIpAddress)
		}
	}
	return first, others, nil
}

// createNetworkInterface is CreateNetworkInterface.
func (h *handler) createNetworkInterface(ctx context.Context, c *api.Call, in *CreateNetworkInterfaceInput) (*CreateNetworkInterfaceOutput, error) {
	if err := interfaceOnly(in.InterfaceType, len(in.Ipv4Prefixes)+len(in.Ipv6Prefixes), in.Ipv4PrefixCount, in.Ipv6PrefixCount); err != nil {
		return nil, err
	}
	if api.Value(in.EnablePrimaryIpv6) || in.ConnectionTrackingSpecification != nil {
		return nil, unsupported("primary IPv6 addresses, and settings of connection tracking")
	}
	t, err := tagSpecs(in.TagSpecifications, "network-interface")
	if err != nil {
		return nil, err
	}
	n := controlplane.NewNetworkInterface{SubnetID: in.SubnetId, Description: api.Value(in.Description), SecurityGroupIDs: in.Groups,
		SecondaryCount: int(api.Value(in.SecondaryPrivateIpAddressCount)), IPv6: ipv6Addresses(in.Ipv6Addresses), IPv6Count: int(api.Value(in.Ipv6AddressCount)),
		ClientToken: api.Value(in.ClientToken), Tags: t}
	if n.PrivateIP, n.SecondaryIPs, err = privateAddresses(in.PrivateIpAddress, in.PrivateIpAddresses); err != nil {
		return nil, err
	}
	d, rev, err := h.plane.CreateNetworkInterface(ctx, caller(c, in.DryRun), n)
	if err != nil {
		return nil, err
	}
	out := h.networkInterface(d)
	if d.Status() == "available" {
		out.Status = api.Some("pending") // as on AWS: clients wait for what DescribeNetworkInterfaces says
	}
	return api.Done(c, &CreateNetworkInterfaceOutput{ClientToken: in.ClientToken, NetworkInterface: &out}, rev, nil)
}

// ipv6Addresses are the IPv6 addresses that a request chooses.
func ipv6Addresses(list []InstanceIpv6Address) []string {
	var out []string
	for _, a := range list {
		out = append(out, api.Value(a.Ipv6Address))
	}
	return out
}

// deleteNetworkInterface is DeleteNetworkInterface.
func (h *handler) deleteNetworkInterface(ctx context.Context, c *api.Call, in *DeleteNetworkInterfaceInput) (*DeleteNetworkInterfaceOutput, error) {
	rev, err := h.plane.DeleteNetworkInterface(ctx, caller(c, in.DryRun), in.NetworkInterfaceId)
	return api.Done(c, &DeleteNetworkInterfaceOutput{}, rev, err)
}

// noNetworkCard says that instances have one network card.
func noNetworkCard(index int32) error {
	return trellis.NewError(400, "InvalidParameterValue", "Value (%d) for parameter networkCardIndex is invalid. Instances have one network card, 0.", index)
}

// attachNetworkInterface is AttachNetworkInterface.
func (h *handler) attachNetworkInterface(ctx context.Context, c *api.Call, in *AttachNetworkInterfaceInput) (*AttachNetworkInterfaceOutput, error) {
	if card := api.Value(in.NetworkCardIndex); card != 0 {
		return nil, noNetworkCard(card)
	}
	id, rev, err := h.plane.AttachNetworkInterface(ctx, caller(c, in.DryRun), in.NetworkInterfaceId, in.InstanceId, int(in.DeviceIndex))
	return api.Done(c, &AttachNetworkInterfaceOutput{AttachmentId: &id, NetworkCardIndex: new(int32(0))}, rev, err)
}

// detachNetworkInterface is DetachNetworkInterface.
func (h *handler) detachNetworkInterface(ctx context.Context, c *api.Call, in *DetachNetworkInterfaceInput) (*DetachNetworkInterfaceOutput, error) {
	rev, err := h.plane.DetachNetworkInterface(ctx, caller(c, in.DryRun), in.AttachmentId)
	return api.Done(c, &DetachNetworkInterfaceOutput{}, rev, err)
}

// describeNetworkInterfaceAttribute is DescribeNetworkInterfaceAttribute.
func (h *handler) describeNetworkInterfaceAttribute(ctx context.Context, c *api.Call, in *DescribeNetworkInterfaceAttributeInput) (*DescribeNetworkInterfaceAttributeOutput, error) {
	d, err := h.plane.NetworkInterface(ctx, caller(c, in.DryRun), in.NetworkInterfaceId)
	if err != nil {
		return nil, err
	}
	out := &DescribeNetworkInterfaceAttributeOutput{NetworkInterfaceId: &d.ID}
	switch api.Value(in.Attribute) {
	case "description":
		out.Description = &AttributeValue{Value: &d.Description}
	case "groupSet":
		out.Groups = groups(d.Groups)
	case "sourceDestCheck":
		out.SourceDestCheck = &AttributeBooleanValue{Value: new(!d.NoSourceDestCheck)}
	case "attachment":
		out.Attachment = attachment(d)
	case "associatePublicIpAddress":
		out.AssociatePublicIpAddress = new(bool)
	default:
		return nil, trellis.NewError(400, "MissingParameter", "The request must contain the parameter attribute")
	}
	return out, nil
}

// modifyNetworkInterfaceAttribute is ModifyNetworkInterfaceAttribute. What an interface has not is refused, so that nobody
// believes that it has changed.
func (h *handler) modifyNetworkInterfaceAttribute(ctx context.Context, c *api.Call, in *ModifyNetworkInterfaceAttributeInput) (*ModifyNetworkInterfaceAttributeOutput, error) {
	if in.EnaSrdSpecification != nil || in.ConnectionTrackingSpecification != nil || api.Value(in.EnablePrimaryIpv6) || api.Value(in.AssociatePublicIpAddress) || len(in.AssociatedSubnetIds) > 0 {
		return nil, trellis.NewError(400, "UnsupportedOperation", "Only the attributes description, groupSet, sourceDestCheck and attachment can be modified.")
	}
	to := controlplane.InterfaceChange{SecurityGroupIDs: in.Groups}
	if in.Description != nil {
		to.Description = new(api.Value(in.Description.Value))
	}
	if in.SourceDestCheck != nil {
		to.SourceDestCheck = in.SourceDestCheck.Value
	}
	if a := in.Attachment; a != nil {
		to.AttachmentID, to.DeleteOnTermination = api.Value(a.AttachmentId), a.DeleteOnTermination
	}
	rev, err := h.plane.ModifyNetworkInterface(ctx, caller(c, in.DryRun), "ModifyNetworkInterfaceAttribute", in.NetworkInterfaceId, to)
	return api.Done(c, &ModifyNetworkInterfaceAttributeOutput{}, rev, err)
}

// resetNetworkInterfaceAttribute is ResetNetworkInterfaceAttribute, of the source and destination check: it is on then.
func (h *handler) resetNetworkInterfaceAttribute(ctx context.Context, c *api.Call, in *ResetNetworkInterfaceAttributeInput) (*ResetNetworkInterfaceAttributeOutput, error) {
	rev, err := h.plane.ModifyNetworkInterface(ctx, caller(c, in.DryRun), "ResetNetworkInterfaceAttribute", in.NetworkInterfaceId, controlplane.InterfaceChange{SourceDestCheck: new(true)})
	return api.Done(c, &ResetNetworkInterfaceAttributeOutput{}, rev, err)
}

// assignPrivateIpAddresses is AssignPrivateIpAddresses.
func (h *handler) assignPrivateIpAddresses(ctx context.Context, c *api.Call, in *AssignPrivateIpAddressesInput) (*AssignPrivateIpAddressesOutput, error) {
	if err := interfaceOnly(nil, len(in.Ipv4Prefixes), in.Ipv4PrefixCount); err != nil {
		return nil, err
	}
	got, rev, err := h.plane.AssignAddresses(ctx, caller(c, nil), controlplane.MoreAddresses{Interface: in.NetworkInterfaceId, Chosen: in.PrivateIpAddresses,
		Count: int(api.Value(in.SecondaryPrivateIpAddressCount)), Reassign: api.Value(in.AllowReassignment)}, false)
	return api.Done(c, &AssignPrivateIpAddressesOutput{NetworkInterfaceId: &in.NetworkInterfaceId, AssignedPrivateIpAddresses: api.Each(got, func(a netip.Addr) AssignedPrivateIpAddress {
		return AssignedPrivateIpAddress{PrivateIpAddress: api.Some(a.String())}
	})}, rev, err)
}

// unassignPrivateIpAddresses is UnassignPrivateIpAddresses.
func (h *handler) unassignPrivateIpAddresses(ctx context.Context, c *api.Call, in *UnassignPrivateIpAddressesInput) (*UnassignPrivateIpAddressesOutput, error) {
	if err := interfaceOnly(nil, len(in.Ipv4Prefixes)); err != nil {
		return nil, err
	}
	_, rev, err := h.plane.UnassignAddresses(ctx, caller(c, nil), in.NetworkInterfaceId, in.PrivateIpAddresses, false)
	return api.Done(c, &UnassignPrivateIpAddressesOutput{}, rev, err)
}

// assignIpv6Addresses is AssignIpv6Addresses.
func (h *handler) assignIpv6Addresses(ctx context.Context, c *api.Call, in *AssignIpv6AddressesInput) (*AssignIpv6AddressesOutput, error) {
	if err := interfaceOnly(nil, len(in.Ipv6Prefixes), in.Ipv6PrefixCount); err != nil {
		return nil, err
	}
	got, rev, err := h.plane.AssignAddresses(ctx, caller(c, nil), controlplane.MoreAddresses{Interface: in.NetworkInterfaceId, Chosen: in.Ipv6Addresses, Count: int(api.Value(in.Ipv6AddressCount))}, true)
	return api.Done(c, &AssignIpv6AddressesOutput{NetworkInterfaceId: &in.NetworkInterfaceId, AssignedIpv6Addresses: api.Each(got, netip.Addr.String)}, rev, err)
}

// unassignIpv6Addresses is UnassignIpv6Addresses.
func (h *handler) unassignIpv6Addresses(ctx context.Context, c *api.Call, in *UnassignIpv6AddressesInput) (*UnassignIpv6AddressesOutput, error) {
	if err := interfaceOnly(nil, len(in.Ipv6Prefixes)); err != nil {
		return nil, err
	}
	gone, rev, err := h.plane.UnassignAddresses(ctx, caller(c, nil), in.NetworkInterfaceId, in.Ipv6Addresses, true)
	return api.Done(c, &UnassignIpv6AddressesOutput{NetworkInterfaceId: &in.NetworkInterfaceId, UnassignedIpv6Addresses: api.Each(gone, netip.Addr.String)}, rev, err)
}
