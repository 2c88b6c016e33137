package ec2

import (
	"context"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/controlplane"
)

// vpcEndpoint is a VPC endpoint as the wire has it.
func (h *handler) vpcEndpoint(d *controlplane.DescribedEndpoint) VpcEndpoint {
	out := VpcEndpoint{
		VpcEndpointId: &d.ID, VpcEndpointType: api.Some(string(d.Type)), VpcId: &d.VPCID, State: &d.State, SubnetIds: trellis.Subnets(d.Interfaces),
		IpAddressType: api.Some(strings.ToLower(string(d.IPAddressType))), PrivateDnsEnabled: &d.PrivateDNSEnabled, RequesterManaged: new(bool),
		CreationTimestamp: &d.CreatedAt, Tags: tags(d.Tags), OwnerId: &d.Account, ServiceRegion: &h.region,
	}
	for _, g := range d.Groups {
		out.Groups = append(out.Groups, SecurityGroupIdentifier{GroupId: &g.ID, GroupName: &g.Name})
	}
	for _, n := range d.Interfaces {
		out.NetworkInterfaceIds = append(out.NetworkInterfaceIds, n.ID)
	}
	if d.DNSPreference != "" || len(d.DNSDomains) > 0 {
		out.DnsOptions = &DnsOptions{PrivateDnsPreference: api.Some(d.DNSPreference), PrivateDnsSpecifiedDomains: d.DNSDomains}
	}
	if d.Type == trellis.ServiceNetworkEndpoint {
		out.ServiceNetworkArn = api.Some(trellis.LatticeARN(h.region, d.ServiceNetwork.Account, "servicenetwork/"+d.ServiceNetwork.ID))
		return out
	}
	out.ResourceConfigurationArn = api.Some(trellis.LatticeARN(h.region, d.Configuration.Account, "resourceconfiguration/"+d.Configuration.ID))
	return out
}

// dnsChoice is what DnsOptions say of private names. Options that only other types of endpoints have are refused.
func dnsChoice(o *DnsOptionsSpecification) (preference *string, domains []string, err error) {
	if o == nil {
		return nil, nil, nil
	}
	if o.PrivateDnsOnlyForInboundResolverEndpoint != nil && *o.PrivateDnsOnlyForInboundResolverEndpoint {
		return nil, nil, trellis.NewError(400, "UnsupportedOperation", "PrivateDnsOnlyForInboundResolverEndpoint is for endpoints of type Gateway.")
	}
	return o.PrivateDnsPreference, o.PrivateDnsSpecifiedDomains, nil
}

// createVpcEndpoint is CreateVpcEndpoint, of the types ServiceNetwork and Resource.
func (h *handler) createVpcEndpoint(ctx context.Context, c *api.Call, in *CreateVpcEndpointInput) (*CreateVpcEndpointOutput, error) {
	t, err := tagSpecs(in.TagSpecifications, "vpc-endpoint")
	if err != nil {
		return nil, err
	}
	preference, domains, err := dnsChoice(in.DnsOptions)
	if err != nil {
		return nil, err
	}
	if len(in.SubnetConfigurations) > 0 || api.Value(in.PolicyDocument) != "" || len(in.RouteTableIds) > 0 {
		return nil, trellis.NewError(400, "UnsupportedOperation", "Chosen addresses, endpoint policies and route tables of VPC endpoints are not served.")
	}
	d, rev, err := h.plane.CreateVPCEndpoint(ctx, caller(c, in.DryRun), controlplane.NewVPCEndpoint{
		Type: trellis.EndpointType(api.Value(in.VpcEndpointType)), VPCID: in.VpcId, ServiceNetworkARN: api.Value(in.ServiceNetworkArn),
		ConfigurationARN: api.Value(in.ResourceConfigurationArn), SubnetIDs: in.SubnetIds, SecurityGroupIDs: in.SecurityGroupIds,
		IPAddressType:     trellis.IPAddressType(strings.ToUpper(api.Value(in.IpAddressType))),
		PrivateDNSEnabled: api.Value(in.PrivateDnsEnabled), DNSPreference: api.Value(preference), DNSDomains: domains,
		ClientToken: api.Value(in.ClientToken), Tags: t,
	})
	if err != nil {
		return nil, err
	}
	w := h.vpcEndpoint(d)
	return api.Done(c, &CreateVpcEndpointOutput{VpcEndpoint: &w, ClientToken: in.ClientToken}, rev, nil)
}

// describeVpcEndpoints is DescribeVpcEndpoints.
func (h *handler) describeVpcEndpoints(ctx context.Context, c *api.Call, in *DescribeVpcEndpointsInput) (*DescribeVpcEndpointsOutput, error) {
	all, err := h.plane.VPCEndpoints(ctx, caller(c, in.DryRun), query(in.VpcEndpointIds, in.Filters))
	if err != nil {
		return nil, err
	}
	all, next, err := page(c, all, func(d *controlplane.DescribedEndpoint) string { return d.ID }, in.MaxResults, in.NextToken)
	return &DescribeVpcEndpointsOutput{NextToken: next, VpcEndpoints: api.Each(all, h.vpcEndpoint)}, err
}

// modifyVpcEndpoint is ModifyVpcEndpoint.
func (h *handler) modifyVpcEndpoint(ctx context.Context, c *api.Call, in *ModifyVpcEndpointInput) (*ModifyVpcEndpointOutput, error) {
	preference, domains, err := dnsChoice(in.DnsOptions)
	if err != nil {
		return nil, err
	}
	if len(in.SubnetConfigurations)+len(in.AddRouteTableIds)+len(in.RemoveRouteTableIds) > 0 || api.Value(in.PolicyDocument) != "" || in.IpAddressType != nil {
		return nil, trellis.NewError(400, "UnsupportedOperation", "The addresses, policy, route tables and IP address type of a VPC endpoint cannot be modified.")
	}
	rev, err := h.plane.ModifyVPCEndpoint(ctx, caller(c, in.DryRun), in.VpcEndpointId, controlplane.VPCEndpointChange{
		AddSubnets: in.AddSubnetIds, RemoveSubnets: in.RemoveSubnetIds, AddGroups: in.AddSecurityGroupIds, RemoveGroups: in.RemoveSecurityGroupIds,
		PrivateDNSEnabled: in.PrivateDnsEnabled, DNSPreference: preference, DNSDomains: domains,
	})
	return api.Done(c, &ModifyVpcEndpointOutput{Return: new(true)}, rev, err)
}

// deleteVpcEndpoints is DeleteVpcEndpoints.
func (h *handler) deleteVpcEndpoints(ctx context.Context, c *api.Call, in *DeleteVpcEndpointsInput) (*DeleteVpcEndpointsOutput, error) {
	failed, rev, err := h.plane.DeleteVPCEndpoints(ctx, caller(c, in.DryRun), in.VpcEndpointIds)
	if err != nil {
		return nil, err
	}
	out := &DeleteVpcEndpointsOutput{}
	for i, id := range in.VpcEndpointIds {
		if e := failed[id]; e != nil && !slices.Contains(in.VpcEndpointIds[:i], id) {
			out.Unsuccessful = append(out.Unsuccessful, UnsuccessfulItem{ResourceId: &id, Error: &UnsuccessfulItemError{Code: &e.Code, Message: &e.Message}})
		}
	}
	return api.Done(c, out, rev, nil)
}

// describeVpcEndpointAssociations is DescribeVpcEndpointAssociations.
func (h *handler) describeVpcEndpointAssociations(ctx context.Context, c *api.Call, in *DescribeVpcEndpointAssociationsInput) (*DescribeVpcEndpointAssociationsOutput, error) {
	all, err := h.plane.EndpointLeads(ctx, caller(c, in.DryRun), query(in.VpcEndpointIds, in.Filters))
	if err != nil {
		return nil, err
	}
	all, next, err := page(c, all, func(l controlplane.EndpointLead) string { return l.Endpoint.ID + " " + l.ID }, in.MaxResults, in.NextToken)
	return &DescribeVpcEndpointAssociationsOutput{NextToken: next, VpcEndpointAssociations: api.Each(all, func(l controlplane.EndpointLead) VpcEndpointAssociation {
		out := VpcEndpointAssociation{Id: &l.ID, VpcEndpointId: &l.Endpoint.ID, AssociatedResourceArn: &l.ResourceARN, AssociatedResourceAccessibility: api.Some(l.Accessibility()),
			ResourceConfigurationGroupArn: api.Some(l.GroupARN), FailureReason: api.Some(l.FailureReason),
			DnsEntry: &DnsEntry{DnsName: &l.Name, HostedZoneId: api.Some(controlplane.HostedZoneID(h.region))}}
		if l.Network != nil {
			out.ServiceNetworkArn, out.ServiceNetworkName = api.Some(l.Network.ARN(h.region)), &l.Network.Name
		}
		if l.PrivateName != "" {
			out.PrivateDnsEntry = &DnsEntry{DnsName: &l.PrivateName}
		}
		if l.FailureReason != "" {
			out.FailureCode = api.Some("InsufficientFreeAddressesInSubnet")
		}
		return out
	})}, err
}
