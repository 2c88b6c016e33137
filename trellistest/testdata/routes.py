# Calls with boto3 what Terraform's aws_internet_gateway, aws_route_table, aws_route, aws_route_table_association,
# aws_main_route_table_association and aws_default_security_group call to create, read, update and delete.
import boto3
from botocore.exceptions import ClientError

ec2 = boto3.client("ec2")

def refused(code, call, **kw):
    try:
        call(**kw)
    except ClientError as e:
        assert e.response["Error"]["Code"] == code, e
        return
    raise AssertionError(f"{call} was not refused with {code}")

def named(kind, name):
    return [{"ResourceType": kind, "Tags": [{"Key": "Name", "Value": name}]}]

def table(**filters):
    found = ec2.describe_route_tables(Filters=[{"Name": k.replace("__", ".").replace("_", "-"), "Values": [v]} for k, v in filters.items()])["RouteTables"]
    assert len(found) == 1, found
    return found[0]

vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=named("vpc", "net"))["Vpc"]["VpcId"]
ec2.associate_vpc_cidr_block(VpcId=vpc, CidrBlock="10.1.0.0/16")
subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.1.1.0/24")["Subnet"]["SubnetId"]

# aws_internet_gateway
refused("DryRunOperation", ec2.create_internet_gateway, DryRun=True)
gateway = ec2.create_internet_gateway(TagSpecifications=named("internet-gateway", "out"))["InternetGateway"]
assert gateway["Attachments"] == [] and gateway["Tags"] == [{"Key": "Name", "Value": "out"}], gateway
gateway = gateway["InternetGatewayId"]
ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
assert ec2.describe_internet_gateways(InternetGatewayIds=[gateway])["InternetGateways"][0]["Attachments"] == [{"State": "available", "VpcId": vpc}]

# aws_route_table, aws_route
made = ec2.create_route_table(VpcId=vpc, TagSpecifications=named("route-table", "public"), ClientToken="t")["RouteTable"]
assert made["Associations"] == [] and {r["DestinationCidrBlock"] for r in made["Routes"]} == {"10.0.0.0/16", "10.1.0.0/16"}, made
assert all(r["GatewayId"] == "local" and r["Origin"] == "CreateRouteTable" and r["State"] == "active" for r in made["Routes"]), made
rtb = made["RouteTableId"]
assert ec2.create_route(RouteTableId=rtb, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)["Return"]
ec2.create_route(RouteTableId=rtb, DestinationIpv6CidrBlock="::/0", GatewayId=gateway)
routes = {r.get("DestinationCidrBlock", r.get("DestinationIpv6CidrBlock")): r for r in table(route_table_id=rtb)["Routes"]}
assert routes["0.0.0.0/0"] == {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": gateway, "Origin": "CreateRoute", "State": "active"}, routes
assert routes["::/0"]["DestinationIpv6CidrBlock"] == "::/0"
ec2.replace_route(RouteTableId=rtb, DestinationIpv6CidrBlock="::/0", GatewayId=gateway)
ec2.delete_route(RouteTableId=rtb, DestinationIpv6CidrBlock="::/0")
refused("InvalidRoute.NotFound", ec2.delete_route, RouteTableId=rtb, DestinationIpv6CidrBlock="::/0")
refused("NatGatewayNotFound", ec2.create_route, RouteTableId=rtb, DestinationCidrBlock="192.168.0.0/16", NatGatewayId="nat-0123456789abcdef0")
lists = ec2.describe_managed_prefix_lists(Filters=[{"Name": "prefix-list-name", "Values": [f"com.amazonaws.{ec2.meta.region_name}.vpc-lattice"]}])["PrefixLists"]
ec2.create_route(RouteTableId=rtb, DestinationPrefixListId=lists[0]["PrefixListId"], GatewayId=gateway)

# aws_route_table_association
association = ec2.associate_route_table(RouteTableId=rtb, SubnetId=subnet)
assert association["AssociationState"] == {"State": "associated"}, association
association = association["AssociationId"]
found = table(association__route_table_association_id=association)
assert [a["SubnetId"] for a in found["Associations"] if a["RouteTableAssociationId"] == association and not a["Main"]] == [subnet], found
assert table(association__subnet_id=subnet)["RouteTableId"] == rtb

# aws_main_route_table_association: another table becomes main, then the first comes back.
main = table(vpc_id=vpc, association__main="true")
new = ec2.replace_route_table_association(AssociationId=main["Associations"][0]["RouteTableAssociationId"], RouteTableId=rtb)["NewAssociationId"]
found = table(association__route_table_association_id=new)
assert found["RouteTableId"] == rtb and [a["Main"] for a in found["Associations"] if a["RouteTableAssociationId"] == new] == [True], found
refused("DependencyViolation", ec2.delete_vpc, VpcId=vpc)
ec2.replace_route_table_association(AssociationId=new, RouteTableId=main["RouteTableId"])
assert table(vpc_id=vpc, association__main="true")["RouteTableId"] == main["RouteTableId"]

# aws_default_security_group takes the rules of the default group away, and gives it others.
default = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["default"]}, {"Name": "vpc-id", "Values": [vpc]}])["SecurityGroups"][0]
ec2.revoke_security_group_ingress(GroupId=default["GroupId"], IpPermissions=default["IpPermissions"])
ec2.revoke_security_group_egress(GroupId=default["GroupId"], IpPermissions=default["IpPermissionsEgress"])
ec2.authorize_security_group_ingress(GroupId=default["GroupId"], IpPermissions=[{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}])
ec2.create_tags(Resources=[default["GroupId"], rtb, gateway], Tags=[{"Key": "team", "Value": ""}])
default = ec2.describe_security_groups(GroupIds=[default["GroupId"]])["SecurityGroups"][0]
assert len(default["IpPermissions"]) == 1 and default["IpPermissionsEgress"] == [] and default["Tags"] == [{"Key": "team", "Value": ""}], default
refused("CannotDelete", ec2.delete_security_group, GroupId=default["GroupId"])
tagged = {(t["ResourceType"], t["ResourceId"]) for p in ec2.get_paginator("describe_tags").paginate(Filters=[{"Name": "key", "Values": ["team"]}], PaginationConfig={"PageSize": 5}) for t in p["Tags"]}
assert tagged == {("security-group", default["GroupId"]), ("route-table", rtb), ("internet-gateway", gateway)}, tagged

# What clients look at in passing.
acl = ec2.describe_network_acls(Filters=[{"Name": "association.subnet-id", "Values": [subnet]}])["NetworkAcls"]
assert len(acl) == 1 and acl[0]["IsDefault"] and acl[0]["VpcId"] == vpc, acl
made = ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]
ec2.create_network_acl_entry(NetworkAclId=made["NetworkAclId"], RuleNumber=100, Egress=False, RuleAction="allow", Protocol="6", CidrBlock="10.0.0.9/8", PortRange={"From": 80, "To": 81})
moved = ec2.replace_network_acl_association(AssociationId=acl[0]["Associations"][0]["NetworkAclAssociationId"], NetworkAclId=made["NetworkAclId"])["NewAssociationId"]
held = ec2.describe_network_acls(Filters=[{"Name": "association.subnet-id", "Values": [subnet]}])["NetworkAcls"][0]
assert held["NetworkAclId"] == made["NetworkAclId"] and held["Entries"][1] == {"CidrBlock": "10.0.0.0/8", "Egress": False, "PortRange": {"From": 80, "To": 81}, "Protocol": "6", "RuleAction": "allow", "RuleNumber": 100}, held
refused("DependencyViolation", ec2.delete_network_acl, NetworkAclId=made["NetworkAclId"])
ec2.replace_network_acl_association(AssociationId=moved, NetworkAclId=acl[0]["NetworkAclId"])
ec2.delete_network_acl(NetworkAclId=made["NetworkAclId"])
options = ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["DhcpOptionsId"]
assert ec2.describe_dhcp_options(DhcpOptionsIds=[options])["DhcpOptions"][0]["DhcpConfigurations"][1]["Values"] == [{"Value": "AmazonProvidedDNS"}]
own = ec2.create_dhcp_options(DhcpConfigurations=[{"Key": "domain-name", "Values": ["corp.example"]}])["DhcpOptions"]
ec2.associate_dhcp_options(DhcpOptionsId=own["DhcpOptionsId"], VpcId=vpc)
refused("DependencyViolation", ec2.delete_dhcp_options, DhcpOptionsId=own["DhcpOptionsId"])
assert {o["DhcpOptionsId"] for p in ec2.get_paginator("describe_dhcp_options").paginate() for o in p["DhcpOptions"]} == {options, own["DhcpOptionsId"]}
ec2.associate_dhcp_options(DhcpOptionsId="default", VpcId=vpc)
ec2.delete_dhcp_options(DhcpOptionsId=own["DhcpOptionsId"])
assert ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["DhcpOptionsId"] == "default"
service = f"com.amazonaws.{ec2.meta.region_name}.vpc-lattice"
assert ec2.describe_vpc_endpoint_services(ServiceNames=[service])["ServiceDetails"][0]["ServiceName"] == service
refused("InvalidServiceName", ec2.describe_vpc_endpoint_services, ServiceNames=["com.example"])
offered = ec2.describe_instance_type_offerings(LocationType="availability-zone", Filters=[{"Name": "instance-type", "Values": ["t3.micro"]}])["InstanceTypeOfferings"]
assert len(offered) == 3, offered
assert ec2.describe_security_group_references(GroupId=[default["GroupId"]])["SecurityGroupReferenceSet"] == []
for call, key in ((ec2.describe_vpc_peering_connections, "VpcPeeringConnections"), (ec2.describe_nat_gateways, "NatGateways"),
                  (ec2.describe_addresses, "Addresses"), (ec2.describe_vpn_gateways, "VpnGateways"), (ec2.describe_egress_only_internet_gateways, "EgressOnlyInternetGateways"),
                  (ec2.describe_transit_gateways, "TransitGateways")):
    assert call()[key] == [], key
refused("InvalidKeyPair.NotFound", ec2.describe_key_pairs, KeyNames=["mine"])
made = ec2.create_key_pair(KeyName="mine", TagSpecifications=[{"ResourceType": "key-pair", "Tags": [{"Key": "Name", "Value": "mine"}]}])
assert made["KeyMaterial"].startswith("-----BEGIN RSA PRIVATE KEY-----") and len(made["KeyFingerprint"]) == 59, made["KeyFingerprint"]
refused("InvalidKeyPair.Duplicate", ec2.create_key_pair, KeyName="mine")
public = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBRqaW7v+q8sE85Kj00C2yU5mpOzzlpWJ6FkQjEz+iKw"
assert ec2.import_key_pair(KeyName="other", PublicKeyMaterial=public + " me@host")["KeyFingerprint"] == "KxO1j5PAJi6ttfteXv9TIqjeBRJydyQ+1zeDZ7zudlM="
refused("InvalidKey.Format", ec2.import_key_pair, KeyName="third", PublicKeyMaterial="file://me.pub")
other = ec2.describe_key_pairs(Filters=[{"Name": "key-name", "Values": ["oth*"]}], IncludePublicKey=True)["KeyPairs"]
assert [(k["KeyName"], k["KeyType"], k["PublicKey"]) for k in other] == [("other", "ed25519", public + " other")], other
ec2.get_waiter("key_pair_exists").wait(KeyNames=["mine"])
assert ec2.delete_key_pair(KeyName="mine")["KeyPairId"] == made["KeyPairId"] and ec2.delete_key_pair(KeyPairId=other[0]["KeyPairId"])["Return"]
assert ec2.describe_key_pairs()["KeyPairs"] == []

# All goes, in Terraform's order.
refused("DependencyViolation", ec2.delete_route_table, RouteTableId=rtb)
ec2.disassociate_route_table(AssociationId=association)
refused("InvalidAssociationID.NotFound", ec2.disassociate_route_table, AssociationId=association)
ec2.delete_route_table(RouteTableId=rtb)
refused("InvalidRouteTableID.NotFound", ec2.describe_route_tables, RouteTableIds=[rtb])
ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
refused("Gateway.NotAttached", ec2.detach_internet_gateway, InternetGatewayId=gateway, VpcId=vpc)
ec2.delete_internet_gateway(InternetGatewayId=gateway)
refused("InvalidInternetGatewayID.NotFound", ec2.describe_internet_gateways, InternetGatewayIds=[gateway])
ec2.delete_subnet(SubnetId=subnet)
ec2.delete_vpc(VpcId=vpc)
print("ok")
