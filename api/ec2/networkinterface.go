package ec2

import (
	"context"

	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/controlplane"
)

// describeNetworkInterfaces is DescribeNetworkInterfaces: of instances that are not terminated, resource gateways and VPC
// endpoints.
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
		AvailabilityZone: &d.AvailabilityZone, Description: &d.Description, InterfaceType: &d.Type, MacAddress: &d.MAC, NetworkInterfaceId: &d.ID,
		OwnerId: &d.Owner.Account, RequesterManaged: new(d.Instance == nil), SourceDestCheck: new(true), Status: api.Some("in-use"), SubnetId: &d.SubnetID, VpcId: &d.VPCID,
	}
	for _, g := range d.Groups {
		out.Groups = append(out.Groups, GroupIdentifier{GroupId: &g.ID, GroupName: &g.Name})
	}
	if d.Instance != nil {
		out.Attachment = &NetworkInterfaceAttachment{AttachTime: &d.Owner.CreatedAt, AttachmentId: api.Some(controlplane.DerivedID("eni-attach", d.ID)),
			DeleteOnTermination: new(true), DeviceIndex: new(int32(0)), InstanceId: &d.Instance.ID, InstanceOwnerId: &d.Owner.Account,
			NetworkCardIndex: new(int32(0)), Status: api.Some("attached")}
	}
	if d.IPv4.IsValid() {
		out.PrivateDnsName, out.PrivateIpAddress = api.Some(d.PrivateDNSName(h.plane)), api.Some(d.IPv4.String())
		out.PrivateIpAddresses = []NetworkInterfacePrivateIpAddress{{Primary: new(true), PrivateDnsName: out.PrivateDnsName, PrivateIpAddress: out.PrivateIpAddress}}
	}
	if d.IPv6.IsValid() {
		out.Ipv6Address = api.Some(d.IPv6.String())
		out.Ipv6Addresses = []NetworkInterfaceIpv6Address{{Ipv6Address: out.Ipv6Address}}
	}
	return out
}
