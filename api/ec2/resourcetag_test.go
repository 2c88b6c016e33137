package ec2_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api/ec2"
	"github.com/trellis-project/trellis/store"
)

// nothingNamed are the operations that change something and name nothing that exists. Those that describe are asked about
// everything, but for those below that say an attribute of one resource.
var nothingNamed = []string{"CreateDhcpOptions", "CreateInternetGateway", "CreateKeyPair", "CreateManagedPrefixList", "CreateVolume", "CreateVpc", "GetInstanceMetadataDefaults", "ImportKeyPair", "ModifyInstanceMetadataDefaults"}

// TestResourceTags calls every operation that names resources, as somebody who is denied what has a tag: each resource by
// itself, by aws:ResourceTag and by ec2:ResourceTag.
func TestResourceTags(t *testing.T) {
	l := newLab(t)
	c, id := l.Client, map[string]string{} // id by the name of the resource
	vpc := call[ec2.CreateVpcOutput](t, c, "CreateVpc", &ec2.CreateVpcInput{CidrBlock: ptr("10.0.0.0/16"), AmazonProvidedIpv6CidrBlock: ptr(true)}).Vpc
	id["vpc"] = *vpc.VpcId
	more := call[ec2.AssociateVpcCidrBlockOutput](t, c, "AssociateVpcCidrBlock", &ec2.AssociateVpcCidrBlockInput{VpcId: id["vpc"], CidrBlock: ptr("10.1.0.0/16")}).CidrBlockAssociation.AssociationId
	subnet := func(name, block string, v6 *string) ec2.Subnet {
		s := *call[ec2.CreateSubnetOutput](t, c, "CreateSubnet", &ec2.CreateSubnetInput{VpcId: id["vpc"], CidrBlock: &block, Ipv6CidrBlock: v6}).Subnet
		id[name] = *s.SubnetId
		return s
	}
	block := strings.Replace(*vpc.Ipv6CidrBlockAssociationSet[0].Ipv6CidrBlock, "/56", "/64", 1)
	v6 := subnet("subnet", "10.0.1.0/24", &block).Ipv6CidrBlockAssociationSet[0].AssociationId
	subnet("other subnet", "10.0.2.0/24", nil)
	for _, name := range []string{"group", "other group"} {
		id[name] = *call[ec2.CreateSecurityGroupOutput](t, c, "CreateSecurityGroup", &ec2.CreateSecurityGroupInput{VpcId: vpc.VpcId, GroupName: name, Description: name}).GroupId
	}
	id["group rule"] = *call[ec2.AuthorizeSecurityGroupIngressOutput](t, c, "AuthorizeSecurityGroupIngress", &ec2.AuthorizeSecurityGroupIngressInput{GroupId: ptr(id["group"]),
		IpProtocol: ptr("tcp"), FromPort: ptr[int32](80), ToPort: ptr[int32](80), CidrIp: ptr("10.0.0.0/8")}).SecurityGroupRules[0].SecurityGroupRuleId
	rules := []ec2.IpPermission{{IpProtocol: ptr("tcp"), FromPort: ptr[int32](81), ToPort: ptr[int32](81), IpRanges: []ec2.IpRange{{CidrIp: ptr("10.0.0.0/8")}}}}
	id["prefix list"] = *call[ec2.CreateManagedPrefixListOutput](t, c, "CreateManagedPrefixList", &ec2.CreateManagedPrefixListInput{PrefixListName: "on-premises", AddressFamily: "IPv4", MaxEntries: 2}).PrefixList.PrefixListId
	for _, name := range []string{"gateway", "other gateway"} {
		id[name] = *call[ec2.CreateInternetGatewayOutput](t, c, "CreateInternetGateway", &ec2.CreateInternetGatewayInput{}).InternetGateway.InternetGatewayId
	}
	call[ec2.AttachInternetGatewayOutput](t, c, "AttachInternetGateway", &ec2.AttachInternetGatewayInput{InternetGatewayId: id["gateway"], VpcId: id["vpc"]})
	id["table"] = *call[ec2.CreateRouteTableOutput](t, c, "CreateRouteTable", &ec2.CreateRouteTableInput{VpcId: id["vpc"]}).RouteTable.RouteTableId
	routed := call[ec2.AssociateRouteTableOutput](t, c, "AssociateRouteTable", &ec2.AssociateRouteTableInput{RouteTableId: id["table"], SubnetId: ptr(id["subnet"])}).AssociationId
	main := call[ec2.DescribeRouteTablesOutput](t, c, "DescribeRouteTables", &ec2.DescribeRouteTablesInput{Filters: filter("association.main", "true")}).RouteTables[0]
	id["main table"] = *main.RouteTableId // which is stored by its tag
	id["DHCP options"] = *call[ec2.CreateDhcpOptionsOutput](t, c, "CreateDhcpOptions", &ec2.CreateDhcpOptionsInput{DhcpConfigurations: []ec2.NewDhcpConfiguration{{Key: ptr("domain-name"), Values: []string{"a"}}}}).DhcpOptions.DhcpOptionsId
	id["key pair"] = *call[ec2.CreateKeyPairOutput](t, c, "CreateKeyPair", &ec2.CreateKeyPairInput{KeyName: "mine", KeyType: ptr("ed25519")}).KeyPairId
	id["network ACL"] = *call[ec2.CreateNetworkAclOutput](t, c, "CreateNetworkAcl", &ec2.CreateNetworkAclInput{VpcId: id["vpc"]}).NetworkAcl.NetworkAclId
	held := call[ec2.DescribeNetworkAclsOutput](t, c, "DescribeNetworkAcls", &ec2.DescribeNetworkAclsInput{Filters: filter("default", "true")}).NetworkAcls[0]
	id["default network ACL"] = *held.NetworkAclId // which is stored by its tag
	_, err := l.store.Commit(t.Context(), func(tx *store.Tx) error {
		tx.Put(&trellis.Role{Meta: trellis.Meta{Account: account, ID: "AROAEXAMPLE"}, Name: "orders", TrustPolicy: `{}`})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	profile := &ec2.IamInstanceProfileSpecification{Name: ptr("orders")}
	run := func(group string) *ec2.RunInstancesInput {
		return &ec2.RunInstancesInput{ImageId: ptr("ami-12345678"), MinCount: 1, MaxCount: 1, SubnetId: ptr(id["subnet"]), SecurityGroupIds: []string{id[group]}, IamInstanceProfile: profile}
	}
	id["instance"] = *call[ec2.RunInstancesOutput](t, c, "RunInstances", run("other group")).Instances[0].InstanceId
	with := call[ec2.DescribeIamInstanceProfileAssociationsOutput](t, c, "DescribeIamInstanceProfileAssociations", &ec2.DescribeIamInstanceProfileAssociationsInput{}).IamInstanceProfileAssociations[0].AssociationId
	attached := call[ec2.RunInstancesOutput](t, c, "RunInstances", &ec2.RunInstancesInput{ImageId: ptr("ami-12345678"), MinCount: 1, MaxCount: 1, SubnetId: ptr(id["subnet"])}).Instances[0].NetworkInterfaces[0]
	id["first interface"] = *attached.NetworkInterfaceId // which is stored by its tag
	id["interface"] = *call[ec2.CreateNetworkInterfaceOutput](t, c, "CreateNetworkInterface", &ec2.CreateNetworkInterfaceInput{SubnetId: id["subnet"]}).NetworkInterface.NetworkInterfaceId
	second := call[ec2.CreateNetworkInterfaceOutput](t, c, "CreateNetworkInterface", &ec2.CreateNetworkInterfaceInput{SubnetId: id["subnet"]}).NetworkInterface.NetworkInterfaceId
	id["second interface"] = *second
	attachment := call[ec2.AttachNetworkInterfaceOutput](t, c, "AttachNetworkInterface", &ec2.AttachNetworkInterfaceInput{NetworkInterfaceId: *second, InstanceId: id["instance"], DeviceIndex: 1}).AttachmentId
	network, _, err := l.plane.CreateServiceNetwork(t.Context(), l.caller.Load(), "", trellis.ServiceNetwork{Name: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	endpoint := &ec2.CreateVpcEndpointInput{VpcId: id["vpc"], VpcEndpointType: ptr("ServiceNetwork"), ServiceNetworkArn: ptr(network.ARN("eu-west-1")), SubnetIds: []string{id["subnet"]}, SecurityGroupIds: []string{id["group"]}}
	id["endpoint"] = *call[ec2.CreateVpcEndpointOutput](t, c, "CreateVpcEndpoint", endpoint).VpcEndpoint.VpcEndpointId
	id["volume"] = *call[ec2.CreateVolumeOutput](t, c, "CreateVolume", &ec2.CreateVolumeInput{AvailabilityZone: ptr("eu-west-1a"), Size: ptr[int32](1)}).VolumeId
	for _, name := range slices.Sorted(maps.Keys(id)) {
		call[ec2.CreateTagsOutput](t, c, "CreateTags", &ec2.CreateTagsInput{Resources: []string{id[name]}, Tags: []ec2.Tag{{Key: ptr("Is"), Value: ptr(name)}}})
	}

	group, instance, cidr := ptr(id["group"]), []string{id["instance"]}, ptr("10.9.0.0/16")
	everything := slices.Sorted(maps.Values(id))
	byName := run("group")
	byName.SecurityGroupIds, byName.SecurityGroups = nil, []string{"group"}
	byInterface := run("group")
	byInterface.SubnetId, byInterface.SecurityGroupIds, byInterface.NetworkInterfaces = nil, nil, []ec2.InstanceNetworkInterfaceSpecification{{DeviceIndex: ptr[int32](0), NetworkInterfaceId: ptr(id["interface"])}}
	withKey := run("group")
	withKey.KeyName = ptr("mine")
	covered := map[string]bool{}
	for _, x := range []struct {
		operation string
		in        any
		names     []string // of the resources
	}{
		{"AssignIpv6Addresses", &ec2.AssignIpv6AddressesInput{NetworkInterfaceId: id["interface"], Ipv6AddressCount: ptr[int32](1)}, []string{"interface"}},
		{"AssignPrivateIpAddresses", &ec2.AssignPrivateIpAddressesInput{NetworkInterfaceId: id["first interface"], SecondaryPrivateIpAddressCount: ptr[int32](1)}, []string{"first interface"}},
		{"AssociateDhcpOptions", &ec2.AssociateDhcpOptionsInput{DhcpOptionsId: id["DHCP options"], VpcId: id["vpc"]}, []string{"DHCP options", "vpc"}},
		{"AssociateDhcpOptions", &ec2.AssociateDhcpOptionsInput{DhcpOptionsId: "default", VpcId: id["vpc"]}, []string{"vpc"}},
		{"AssociateIamInstanceProfile", &ec2.AssociateIamInstanceProfileInput{InstanceId: id["instance"], IamInstanceProfile: profile}, []string{"instance"}},
		{"AssociateRouteTable", &ec2.AssociateRouteTableInput{RouteTableId: id["table"], SubnetId: ptr(id["other subnet"])}, []string{"table", "other subnet"}},
		{"AssociateRouteTable", &ec2.AssociateRouteTableInput{RouteTableId: id["main table"], GatewayId: ptr(id["gateway"])}, []string{"main table", "gateway"}},
		{"AssociateSubnetCidrBlock", &ec2.AssociateSubnetCidrBlockInput{SubnetId: id["subnet"], Ipv6CidrBlock: &block}, []string{"subnet"}},
		{"AssociateVpcCidrBlock", &ec2.AssociateVpcCidrBlockInput{VpcId: id["vpc"], CidrBlock: cidr}, []string{"vpc"}},
		{"AttachInternetGateway", &ec2.AttachInternetGatewayInput{InternetGatewayId: id["other gateway"], VpcId: id["vpc"]}, []string{"other gateway", "vpc"}},
		{"AttachNetworkInterface", &ec2.AttachNetworkInterfaceInput{NetworkInterfaceId: id["interface"], InstanceId: id["instance"], DeviceIndex: 2}, []string{"interface", "instance"}},
		{"AttachVolume", &ec2.AttachVolumeInput{VolumeId: id["volume"], InstanceId: id["instance"], Device: "/dev/sdf"}, []string{"volume", "instance"}},
		{"AuthorizeSecurityGroupEgress", &ec2.AuthorizeSecurityGroupEgressInput{GroupId: *group, IpPermissions: rules}, []string{"group"}},
		{"AuthorizeSecurityGroupIngress", &ec2.AuthorizeSecurityGroupIngressInput{GroupId: group, IpPermissions: rules}, []string{"group"}},
		{"CreateNetworkInterface", &ec2.CreateNetworkInterfaceInput{SubnetId: id["subnet"], Groups: []string{*group}}, []string{"subnet", "group"}},
		{"CreateNetworkAcl", &ec2.CreateNetworkAclInput{VpcId: id["vpc"]}, []string{"vpc"}},
		{"CreateNetworkAclEntry", &ec2.CreateNetworkAclEntryInput{NetworkAclId: id["network ACL"], RuleNumber: 1, RuleAction: "deny", Protocol: "-1", CidrBlock: cidr}, []string{"network ACL"}},
		{"CreateRoute", &ec2.CreateRouteInput{RouteTableId: id["table"], DestinationCidrBlock: cidr, GatewayId: ptr(id["gateway"])}, []string{"table"}},
		{"CreateRouteTable", &ec2.CreateRouteTableInput{VpcId: id["vpc"]}, []string{"vpc"}},
		{"CreateSecurityGroup", &ec2.CreateSecurityGroupInput{VpcId: vpc.VpcId, GroupName: "new", Description: "new"}, []string{"vpc"}},
		{"CreateSubnet", &ec2.CreateSubnetInput{VpcId: id["vpc"], CidrBlock: ptr("10.0.3.0/24")}, []string{"vpc"}},
		{"CreateTags", &ec2.CreateTagsInput{Resources: everything, Tags: []ec2.Tag{{Key: ptr("Is"), Value: ptr("free")}}}, slices.Sorted(maps.Keys(id))},
		{"CreateVpcEndpoint", endpoint, []string{"vpc", "subnet", "group"}},
		{"DeleteDhcpOptions", &ec2.DeleteDhcpOptionsInput{DhcpOptionsId: id["DHCP options"]}, []string{"DHCP options"}},
		{"DeleteInternetGateway", &ec2.DeleteInternetGatewayInput{InternetGatewayId: id["gateway"]}, []string{"gateway"}},
		{"DeleteKeyPair", &ec2.DeleteKeyPairInput{KeyName: ptr("mine")}, []string{"key pair"}},
		{"DeleteKeyPair", &ec2.DeleteKeyPairInput{KeyPairId: ptr(id["key pair"])}, []string{"key pair"}},
		{"DeleteManagedPrefixList", &ec2.DeleteManagedPrefixListInput{PrefixListId: id["prefix list"]}, []string{"prefix list"}},
		{"DeleteNetworkInterface", &ec2.DeleteNetworkInterfaceInput{NetworkInterfaceId: id["interface"]}, []string{"interface"}},
		{"DeleteNetworkAcl", &ec2.DeleteNetworkAclInput{NetworkAclId: id["network ACL"]}, []string{"network ACL"}},
		{"DeleteNetworkAclEntry", &ec2.DeleteNetworkAclEntryInput{NetworkAclId: id["default network ACL"], RuleNumber: 100}, []string{"default network ACL"}},
		{"DeleteRoute", &ec2.DeleteRouteInput{RouteTableId: id["table"], DestinationCidrBlock: cidr}, []string{"table"}},
		{"DeleteRouteTable", &ec2.DeleteRouteTableInput{RouteTableId: id["table"]}, []string{"table"}},
		{"DeleteSecurityGroup", &ec2.DeleteSecurityGroupInput{GroupId: group}, []string{"group"}},
		{"DeleteSubnet", &ec2.DeleteSubnetInput{SubnetId: id["subnet"]}, []string{"subnet"}},
		{"DeleteTags", &ec2.DeleteTagsInput{Resources: everything}, slices.Sorted(maps.Keys(id))},
		{"DeleteVolume", &ec2.DeleteVolumeInput{VolumeId: id["volume"]}, []string{"volume"}},
		{"DeleteVpc", &ec2.DeleteVpcInput{VpcId: id["vpc"]}, []string{"vpc"}},
		{"DeleteVpcEndpoints", &ec2.DeleteVpcEndpointsInput{VpcEndpointIds: []string{id["endpoint"]}}, []string{"endpoint"}},
		{"DescribeInstanceAttribute", &ec2.DescribeInstanceAttributeInput{InstanceId: id["instance"], Attribute: "groupSet"}, []string{"instance"}},
		{"DescribeNetworkInterfaceAttribute", &ec2.DescribeNetworkInterfaceAttributeInput{NetworkInterfaceId: id["interface"], Attribute: ptr("description")}, []string{"interface"}},
		{"DescribeVpcAttribute", &ec2.DescribeVpcAttributeInput{VpcId: id["vpc"], Attribute: "enableDnsSupport"}, []string{"vpc"}},
		{"DetachInternetGateway", &ec2.DetachInternetGatewayInput{InternetGatewayId: id["gateway"], VpcId: id["vpc"]}, []string{"gateway", "vpc"}},
		{"DetachNetworkInterface", &ec2.DetachNetworkInterfaceInput{AttachmentId: *attachment}, []string{"second interface", "instance"}},
		{"DetachVolume", &ec2.DetachVolumeInput{VolumeId: id["volume"], InstanceId: ptr(id["instance"])}, []string{"volume", "instance"}},
		{"DisassociateIamInstanceProfile", &ec2.DisassociateIamInstanceProfileInput{AssociationId: *with}, []string{"instance"}},
		{"DisassociateRouteTable", &ec2.DisassociateRouteTableInput{AssociationId: *routed}, []string{"table"}},
		{"DisassociateRouteTable", &ec2.DisassociateRouteTableInput{AssociationId: *main.Associations[0].RouteTableAssociationId}, []string{"main table"}},
		{"DisassociateSubnetCidrBlock", &ec2.DisassociateSubnetCidrBlockInput{AssociationId: *v6}, []string{"subnet"}},
		{"DisassociateVpcCidrBlock", &ec2.DisassociateVpcCidrBlockInput{AssociationId: *more}, []string{"vpc"}},
		{"GetManagedPrefixListEntries", &ec2.GetManagedPrefixListEntriesInput{PrefixListId: id["prefix list"]}, []string{"prefix list"}},
		{"ModifyInstanceAttribute", &ec2.ModifyInstanceAttributeInput{InstanceId: id["instance"], Groups: []string{*group}}, []string{"instance", "group"}},
		{"ModifyInstanceCapacityReservationAttributes", &ec2.ModifyInstanceCapacityReservationAttributesInput{InstanceId: id["instance"], CapacityReservationSpecification: &ec2.CapacityReservationSpecification{CapacityReservationPreference: ptr("open")}}, []string{"instance"}},
		{"ModifyInstanceCreditSpecification", &ec2.ModifyInstanceCreditSpecificationInput{InstanceCreditSpecifications: []ec2.InstanceCreditSpecificationRequest{{InstanceId: id["instance"], CpuCredits: ptr("standard")}}}, []string{"instance"}},
		{"ModifyInstanceMaintenanceOptions", &ec2.ModifyInstanceMaintenanceOptionsInput{InstanceId: id["instance"]}, []string{"instance"}},
		{"ModifyInstanceMetadataOptions", &ec2.ModifyInstanceMetadataOptionsInput{InstanceId: id["instance"], HttpTokens: ptr("required")}, []string{"instance"}},
		{"ModifyManagedPrefixList", &ec2.ModifyManagedPrefixListInput{PrefixListId: id["prefix list"], PrefixListName: ptr("other")}, []string{"prefix list"}},
		{"ModifyNetworkInterfaceAttribute", &ec2.ModifyNetworkInterfaceAttributeInput{NetworkInterfaceId: id["interface"], Groups: []string{*group}}, []string{"interface", "group"}},
		{"ModifySecurityGroupRules", &ec2.ModifySecurityGroupRulesInput{GroupId: *group, SecurityGroupRules: []ec2.SecurityGroupRuleUpdate{{SecurityGroupRuleId: id["group rule"],
			SecurityGroupRule: &ec2.SecurityGroupRuleRequest{IpProtocol: ptr("-1"), CidrIpv4: cidr}}}}, []string{"group", "group rule"}},
		{"ModifySubnetAttribute", &ec2.ModifySubnetAttributeInput{SubnetId: id["subnet"], MapPublicIpOnLaunch: &ec2.AttributeBooleanValue{Value: ptr(true)}}, []string{"subnet"}},
		{"ModifyVolume", &ec2.ModifyVolumeInput{VolumeId: id["volume"], Size: ptr[int32](2)}, []string{"volume"}},
		{"ModifyVpcAttribute", &ec2.ModifyVpcAttributeInput{VpcId: id["vpc"], EnableDnsSupport: &ec2.AttributeBooleanValue{Value: ptr(false)}}, []string{"vpc"}},
		{"ModifyVpcEndpoint", &ec2.ModifyVpcEndpointInput{VpcEndpointId: id["endpoint"], AddSubnetIds: []string{id["other subnet"]}, RemoveSubnetIds: []string{id["subnet"]},
			AddSecurityGroupIds: []string{id["other group"]}, RemoveSecurityGroupIds: []string{*group}}, []string{"endpoint", "subnet", "other subnet", "group", "other group"}},
		{"ModifyPrivateDnsNameOptions", &ec2.ModifyPrivateDnsNameOptionsInput{InstanceId: id["instance"]}, []string{"instance"}},
		{"MonitorInstances", &ec2.MonitorInstancesInput{InstanceIds: instance}, []string{"instance"}},
		{"ReplaceIamInstanceProfileAssociation", &ec2.ReplaceIamInstanceProfileAssociationInput{AssociationId: *with, IamInstanceProfile: profile}, []string{"instance"}},
		{"ReplaceNetworkAclAssociation", &ec2.ReplaceNetworkAclAssociationInput{AssociationId: *held.Associations[0].NetworkAclAssociationId, NetworkAclId: id["network ACL"]}, []string{"network ACL"}},
		{"ReplaceNetworkAclEntry", &ec2.ReplaceNetworkAclEntryInput{NetworkAclId: id["default network ACL"], RuleNumber: 100, RuleAction: "deny", Protocol: "-1", CidrBlock: cidr}, []string{"default network ACL"}},
		{"ReplaceRoute", &ec2.ReplaceRouteInput{RouteTableId: id["table"], DestinationCidrBlock: cidr, GatewayId: ptr(id["gateway"])}, []string{"table"}},
		{"ReplaceRouteTableAssociation", &ec2.ReplaceRouteTableAssociationInput{AssociationId: *routed, RouteTableId: id["main table"]}, []string{"main table"}},
		{"ResetNetworkInterfaceAttribute", &ec2.ResetNetworkInterfaceAttributeInput{NetworkInterfaceId: id["interface"]}, []string{"interface"}},
		{"RevokeSecurityGroupEgress", &ec2.RevokeSecurityGroupEgressInput{GroupId: *group, IpPermissions: rules}, []string{"group"}},
		{"RevokeSecurityGroupIngress", &ec2.RevokeSecurityGroupIngressInput{GroupId: group, IpPermissions: rules}, []string{"group"}},
		{"RunInstances", run("group"), []string{"subnet", "group"}},
		{"RunInstances", byName, []string{"subnet", "group"}},
		{"RunInstances", withKey, []string{"subnet", "group", "key pair"}},
		{"RunInstances", byInterface, []string{"interface"}},
		{"StartInstances", &ec2.StartInstancesInput{InstanceIds: instance}, []string{"instance"}},
		{"StopInstances", &ec2.StopInstancesInput{InstanceIds: instance}, []string{"instance"}},
		{"TerminateInstances", &ec2.TerminateInstancesInput{InstanceIds: instance}, []string{"instance"}},
		{"UnassignIpv6Addresses", &ec2.UnassignIpv6AddressesInput{NetworkInterfaceId: id["interface"], Ipv6Addresses: []string{"::1"}}, []string{"interface"}},
		{"UnassignPrivateIpAddresses", &ec2.UnassignPrivateIpAddressesInput{NetworkInterfaceId: id["interface"], PrivateIpAddresses: []string{"10.0.1.9"}}, []string{"interface"}},
		{"UnmonitorInstances", &ec2.UnmonitorInstancesInput{InstanceIds: instance}, []string{"instance"}},
		{"UpdateSecurityGroupRuleDescriptionsEgress", &ec2.UpdateSecurityGroupRuleDescriptionsEgressInput{GroupId: group, IpPermissions: rules}, []string{"group"}},
		{"UpdateSecurityGroupRuleDescriptionsIngress", &ec2.UpdateSecurityGroupRuleDescriptionsIngressInput{GroupId: group, IpPermissions: rules}, []string{"group"}},
	} {
		covered[x.operation] = true
		for _, name := range x.names {
			for _, service := range []string{"aws", "ec2"} {
				l.become(t, `{"Effect":"Allow","Action":"*","Resource":"*"}, {"Effect":"Deny","Action":"ec2:*","Resource":"*","Condition":{"StringEquals":{`+
					fmt.Sprintf("%q:%q", service+":ResourceTag/is", name)+`}}}`)
				t.Run(x.operation+"/"+name+"/"+service, func(t *testing.T) { refused(t, c, x.operation, x.in, "UnauthorizedOperation") })
			}
		}
	}
	for _, o := range ec2.New(l.plane).Operations {
		if o.Served && !covered[o.Name] && !strings.HasPrefix(o.Name, "Describe") && !slices.Contains(nothingNamed, o.Name) {
			t.Errorf("%s names resources: give it a row", o.Name)
		}
	}
}
