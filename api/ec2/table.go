// Package ec2 serves the part of EC2's API that makes networks for VPC Lattice: VPCs, subnets, security
// groups, instances, network interfaces, volumes, prefix lists, route tables, internet gateways and their tags. Package controlplane holds what the
// operations mean.
//
// An instance is a network namespace on the node, in which `trellis exec` runs commands. An extension lets
// the tag trellis:id in TagSpecifications choose the id of a VPC, subnet, security group, instance, prefix list
// or VPC endpoint, so that written examples with literal ids can be played.
package ec2

import (
	"context"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/controlplane"
)

// handler holds what the operations need.
type handler struct {
	plane  *controlplane.Plane
	region string
}

// New returns the service with its table.
func New(plane *controlplane.Plane) api.Service {
	h := &handler{plane: plane, region: plane.Region}
	return api.Service{
		Model: Model(),
		Operations: []api.Operation{
			api.Unserved("AllocateAddress"),
			api.Op("AssignIpv6Addresses", h.assignIpv6Addresses).Partly("without prefixes"),
			api.Op("AssignPrivateIpAddresses", h.assignPrivateIpAddresses).Partly("without prefixes"),
			api.Unserved("AssociateAddress"),
			api.Op("AssociateDhcpOptions", h.associateDhcpOptions),
			api.Op("AssociateIamInstanceProfile", h.associateIamInstanceProfile),
			api.Op("AssociateRouteTable", h.associateRouteTable),
			api.Op("AssociateSubnetCidrBlock", h.associateSubnetCidrBlock),
			api.Op("AssociateVpcCidrBlock", h.associateVpcCidrBlock),
			api.Op("AttachInternetGateway", h.attachInternetGateway),
			api.Op("AttachNetworkInterface", h.attachNetworkInterface).Partly("to instances of the same VPC"),
			api.Op("AttachVolume", h.attachVolume).Partly("a record: instances have no disks"),
			api.Op("AuthorizeSecurityGroupEgress", h.authorizeSecurityGroupEgress),
			api.Op("AuthorizeSecurityGroupIngress", h.authorizeSecurityGroupIngress),
			api.Op("CreateDhcpOptions", h.createDhcpOptions).Partly("domain and name servers are those of instances, time and NetBIOS servers and lease times are kept and shown"),
			api.Unserved("CreateEgressOnlyInternetGateway"),
			api.Op("CreateInternetGateway", h.createInternetGateway),
			api.Op("CreateKeyPair", h.createKeyPair).Partly("the format pem; ppk is refused"),
			api.Op("CreateManagedPrefixList", h.createManagedPrefixList),
			api.Unserved("CreateNatGateway"),
			api.Op("CreateNetworkAcl", h.createNetworkAcl),
			api.Op("CreateNetworkAclEntry", h.createNetworkAclEntry),
			api.Op("CreateNetworkInterface", h.createNetworkInterface).Unchecked("InterfaceType").Partly("of the type interface, without prefixes"),
			api.Op("CreateRoute", h.createRoute).Partly("to internet gateways, instances and network interfaces"),
			api.Op("CreateRouteTable", h.createRouteTable),
			api.Op("CreateSecurityGroup", h.createSecurityGroup),
			api.Op("CreateSubnet", h.createSubnet),
			api.Op("CreateTags", h.createTags),
			api.Op("CreateVolume", h.createVolume).Partly("a record: instances have no disks; there are no snapshots"),
			api.Op("CreateVpc", h.createVpc),
			api.Op("CreateVpcEndpoint", h.createVpcEndpoint).Partly("types ServiceNetwork and Resource; others are refused"),
			api.Unserved("CreateVpcPeeringConnection"),
			api.Op("DeleteDhcpOptions", h.deleteDhcpOptions),
			api.Unserved("DeleteEgressOnlyInternetGateway"),
			api.Op("DeleteInternetGateway", h.deleteInternetGateway),
			api.Op("DeleteKeyPair", h.deleteKeyPair),
			api.Op("DeleteManagedPrefixList", h.deleteManagedPrefixList),
			api.Unserved("DeleteNatGateway"),
			api.Op("DeleteNetworkAcl", h.deleteNetworkAcl),
			api.Op("DeleteNetworkAclEntry", h.deleteNetworkAclEntry),
			api.Op("DeleteNetworkInterface", h.deleteNetworkInterface),
			api.Op("DeleteRoute", h.deleteRoute),
			api.Op("DeleteRouteTable", h.deleteRouteTable),
			api.Op("DeleteSecurityGroup", h.deleteSecurityGroup),
			api.Op("DeleteSubnet", h.deleteSubnet),
			api.Op("DeleteTags", h.deleteTags),
			api.Op("DeleteVolume", h.deleteVolume),
			api.Op("DeleteVpc", h.deleteVpc),
			api.Op("DeleteVpcEndpoints", h.deleteVpcEndpoints),
			api.Op("DescribeAccountAttributes", h.describeAccountAttributes),
			api.Op("DescribeAddresses", h.describeAddresses).Partly("always empty"),
			api.Op("DescribeAvailabilityZones", h.describeAvailabilityZones),
			api.Op("DescribeDhcpOptions", h.describeDhcpOptions),
			api.Op("DescribeEgressOnlyInternetGateways", h.describeEgressOnlyInternetGateways).Partly("always empty"),
			api.Op("DescribeIamInstanceProfileAssociations", h.describeIamInstanceProfileAssociations),
			api.Op("DescribeImages", h.describeImages).Partly("one image, which stands for the namespace"),
			api.Op("DescribeInstanceAttribute", h.describeInstanceAttribute),
			api.Op("DescribeInstanceCreditSpecifications", h.describeInstanceCreditSpecifications),
			api.Op("DescribeInstanceStatus", h.describeInstanceStatus),
			api.Op("DescribeInstanceTypeOfferings", h.describeInstanceTypeOfferings),
			api.Op("DescribeInstanceTypes", h.describeInstanceTypes),
			api.Op("DescribeInstances", h.describeInstances),
			api.Op("DescribeInternetGateways", h.describeInternetGateways),
			api.Op("DescribeKeyPairs", h.describeKeyPairs),
			api.Op("DescribeManagedPrefixLists", h.describeManagedPrefixLists),
			api.Op("DescribeNatGateways", h.describeNatGateways).Partly("always empty"),
			api.Op("DescribeNetworkAcls", h.describeNetworkAcls),
			api.Op("DescribeNetworkInterfaceAttribute", h.describeNetworkInterfaceAttribute),
			api.Op("DescribeNetworkInterfaces", h.describeNetworkInterfaces),
			api.Op("DescribePrefixLists", h.describePrefixLists),
			api.Op("DescribeRegions", h.describeRegions),
			api.Op("DescribeRouteTables", h.describeRouteTables),
			api.Op("DescribeSecurityGroupReferences", h.describeSecurityGroupReferences).Partly("always empty"),
			api.Op("DescribeSecurityGroupRules", h.describeSecurityGroupRules),
			api.Op("DescribeSecurityGroups", h.describeSecurityGroups),
			api.Op("DescribeSubnets", h.describeSubnets),
			api.Op("DescribeTags", h.describeTags),
			api.Op("DescribeTransitGateways", h.describeTransitGateways).Partly("always empty"),
			api.Op("DescribeVolumes", h.describeVolumes),
			api.Op("DescribeVolumesModifications", h.describeVolumesModifications),
			api.Op("DescribeVpcAttribute", h.describeVpcAttribute),
			api.Op("DescribeVpcEndpointAssociations", h.describeVpcEndpointAssociations),
			api.Op("DescribeVpcEndpointServices", h.describeVpcEndpointServices).Partly("VPC Lattice's own"),
			api.Op("DescribeVpcEndpoints", h.describeVpcEndpoints),
			api.Op("DescribeVpcPeeringConnections", h.describeVpcPeeringConnections).Partly("always empty"),
			api.Op("DescribeVpcs", h.describeVpcs),
			api.Op("DescribeVpnGateways", h.describeVpnGateways).Partly("always empty"),
			api.Op("DetachInternetGateway", h.detachInternetGateway),
			api.Op("DetachNetworkInterface", h.detachNetworkInterface),
			api.Op("DetachVolume", h.detachVolume),
			api.Unserved("DisassociateAddress"),
			api.Op("DisassociateIamInstanceProfile", h.disassociateIamInstanceProfile),
			api.Op("DisassociateRouteTable", h.disassociateRouteTable),
			api.Op("DisassociateSubnetCidrBlock", h.disassociateSubnetCidrBlock),
			api.Op("DisassociateVpcCidrBlock", h.disassociateVpcCidrBlock),
			api.Op("GetInstanceMetadataDefaults", h.getInstanceMetadataDefaults),
			api.Op("GetManagedPrefixListEntries", h.getManagedPrefixListEntries),
			api.Op("ImportKeyPair", h.importKeyPair),
			api.Op("ModifyInstanceAttribute", h.modifyInstanceAttribute).Partly("not kernels, RAM disks, network drivers, enclaves"),
			api.Op("ModifyInstanceCapacityReservationAttributes", h.modifyInstanceCapacityReservationAttributes).Partly("there is no reserved capacity"),
			api.Op("ModifyInstanceCreditSpecification", h.modifyInstanceCreditSpecification).Partly("only shown"),
			api.Op("ModifyInstanceMaintenanceOptions", h.modifyInstanceMaintenanceOptions).Partly("only shown"),
			api.Op("ModifyInstanceMetadataDefaults", h.modifyInstanceMetadataDefaults),
			api.Op("ModifyInstanceMetadataOptions", h.modifyInstanceMetadataOptions),
			api.Op("ModifyManagedPrefixList", h.modifyManagedPrefixList),
			api.Op("ModifyNetworkInterfaceAttribute", h.modifyNetworkInterfaceAttribute).Partly("the description, security groups, attachment and, only as shown, the source and destination check"),
			api.Op("ModifyPrivateDnsNameOptions", h.modifyPrivateDnsNameOptions).Partly("only shown: resolvers don't answer instances' names"),
			api.Op("ModifySecurityGroupRules", h.modifySecurityGroupRules),
			api.Op("ModifySubnetAttribute", h.modifySubnetAttribute).Partly("mapPublicIpOnLaunch is kept and only shown: no instance has a public address"),
			api.Op("ModifyVolume", h.modifyVolume),
			api.Op("ModifyVpcAttribute", h.modifyVpcAttribute),
			api.Op("ModifyVpcEndpoint", h.modifyVpcEndpoint),
			api.Op("MonitorInstances", h.monitorInstances).Partly("only shown: instances have no metrics"),
			api.Unserved("ReleaseAddress"),
			api.Op("ReplaceIamInstanceProfileAssociation", h.replaceIamInstanceProfileAssociation),
			api.Op("ReplaceNetworkAclAssociation", h.replaceNetworkAclAssociation),
			api.Op("ReplaceNetworkAclEntry", h.replaceNetworkAclEntry),
			api.Op("ReplaceRoute", h.replaceRoute).Partly("to internet gateways, instances and network interfaces"),
			api.Op("ReplaceRouteTableAssociation", h.replaceRouteTableAssociation),
			api.Op("ResetNetworkInterfaceAttribute", h.resetNetworkInterfaceAttribute),
			api.Op("RevokeSecurityGroupEgress", h.revokeSecurityGroupEgress),
			api.Op("RevokeSecurityGroupIngress", h.revokeSecurityGroupIngress),
			api.Op("RunInstances", h.runInstances).Partly("instances are network namespaces of the node: sizes, images, disks and keys are echoed, user data is given out and never run; none has a public address, which is refused"),
			api.Op("StartInstances", h.startInstances),
			api.Op("StopInstances", h.stopInstances),
			api.Op("TerminateInstances", h.terminateInstances),
			api.Op("UnassignIpv6Addresses", h.unassignIpv6Addresses),
			api.Op("UnassignPrivateIpAddresses", h.unassignPrivateIpAddresses),
			api.Op("UnmonitorInstances", h.unmonitorInstances).Partly("only shown: instances have no metrics"),
			api.Op("UpdateSecurityGroupRuleDescriptionsEgress", h.updateRuleDescriptionsEgress),
			api.Op("UpdateSecurityGroupRuleDescriptionsIngress", h.updateRuleDescriptionsIngress),
		},
	}
}

// caller is the call as package controlplane takes it.
func caller(c *api.Call, dryRun *bool) controlplane.EC2Call {
	return controlplane.EC2Call{Caller: c.Caller, DryRun: api.Value(dryRun)}
}

// filters are the filters of a Describe operation.
func filters(in []Filter) []controlplane.Filter {
	var out []controlplane.Filter
	for _, f := range in {
		out = append(out, controlplane.Filter{Name: api.Value(f.Name), Values: f.Values})
	}
	return out
}

// query are the ids and filters of a Describe operation.
func query(ids []string, in []Filter) controlplane.Query {
	return controlplane.Query{IDs: ids, Filters: filters(in)}
}

// tags are tags as the wire has them, sorted by key.
func tags(m map[string]string) []Tag {
	var out []Tag
	for k, v := range m {
		out = append(out, Tag{Key: &k, Value: &v})
	}
	slices.SortFunc(out, func(a, b Tag) int { return strings.Compare(*a.Key, *b.Key) })
	return out
}

// tagSpecs are the tags that TagSpecifications give to a type of resource. A specification for another type
// than those the operation makes is an error, as on AWS.
func tagSpecs(specs []TagSpecification, resourceType string, others ...string) (map[string]string, error) {
	out := map[string]string{}
	for _, s := range specs {
		typ := api.Value(s.ResourceType)
		if typ != resourceType && !slices.Contains(others, typ) {
			return nil, trellis.NewError(400, "InvalidParameterValue", "'%s' is not a valid taggable resource type for this operation.", typ)
		}
		for _, t := range s.Tags {
			if typ == resourceType {
				out[api.Value(t.Key)] = api.Value(t.Value)
			}
		}
	}
	if len(out) == 0 {
		return nil, nil
	}
	return out, nil
}

// page cuts a page out of items by their ids. Without max it is all of the rest, as EC2 answers.
func page[T any](c *api.Call, items []T, id func(T) string, max *int32, token *string) ([]T, *string, error) {
	items, next, err := api.Cut(c, items, id, token, int(api.Value(max)))
	if err != nil {
		return nil, nil, trellis.NewError(400, "InvalidNextToken", "The token '%s' is invalid.", *token)
	}
	return items, next, nil
}

// createTags is CreateTags.
func (h *handler) createTags(ctx context.Context, c *api.Call, in *CreateTagsInput) (*CreateTagsOutput, error) {
	m := map[string]string{}
	for _, t := range in.Tags {
		m[api.Value(t.Key)] = api.Value(t.Value)
	}
	rev, err := h.plane.CreateTags(ctx, caller(c, in.DryRun), in.Resources, m)
	return api.Done(c, &CreateTagsOutput{}, rev, err)
}

// deleteTags is DeleteTags.
func (h *handler) deleteTags(ctx context.Context, c *api.Call, in *DeleteTagsInput) (*DeleteTagsOutput, error) {
	m := map[string]*string{}
	for _, t := range in.Tags {
		m[api.Value(t.Key)] = t.Value
	}
	rev, err := h.plane.DeleteTags(ctx, caller(c, in.DryRun), in.Resources, m)
	return api.Done(c, &DeleteTagsOutput{}, rev, err)
}

// describeTags is DescribeTags.
func (h *handler) describeTags(ctx context.Context, c *api.Call, in *DescribeTagsInput) (*DescribeTagsOutput, error) {
	all, err := h.plane.Tags(ctx, caller(c, in.DryRun), filters(in.Filters))
	if err != nil {
		return nil, err
	}
	all, next, err := page(c, all, func(t controlplane.ResourceTag) string { return t.ResourceID + " " + t.Key }, in.MaxResults, in.NextToken)
	return &DescribeTagsOutput{NextToken: next, Tags: api.Each(all, func(t controlplane.ResourceTag) TagDescription {
		return TagDescription{Key: &t.Key, ResourceId: &t.ResourceID, ResourceType: &t.ResourceType, Value: &t.Value}
	})}, err
}
