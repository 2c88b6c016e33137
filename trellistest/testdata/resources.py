# Drives TCP resources and VPC endpoints with boto3 alone, and prints what is left for the next start.
import json, sys, time
import boto3
from botocore.exceptions import ClientError

lattice, ec2 = boto3.client("vpc-lattice"), boto3.client("ec2")

def refused(code, call, **kw):
    try:
        call(**kw)
    except ClientError as e:
        assert e.response["Error"]["Code"] == code, e
        return e.response
    raise AssertionError(f"{call} was not refused with {code}")

def until(call, want, key="status", **kw):
    for _ in range(600):
        got = call(**kw)
        if got[key] == want:
            return got
        time.sleep(0.05)
    raise AssertionError(got)

def gone(call, **kw):
    for _ in range(600):
        try:
            call(**kw)
        except ClientError as e:
            assert e.response["Error"]["Code"].endswith(("ResourceNotFoundException", ".NotFound")), e
            return
        time.sleep(0.05)
    raise AssertionError(f"{kw} is still there")

if sys.argv[1] == "again":  # after a restart: the same addresses and names, and everything can go
    was = json.loads(sys.argv[2])
    e = ec2.describe_vpc_endpoints(VpcEndpointIds=[was["endpoint"]])["VpcEndpoints"][0]
    assert e["State"] == "available", e
    nics = ec2.describe_network_interfaces(NetworkInterfaceIds=e["NetworkInterfaceIds"])["NetworkInterfaces"]
    assert [n["PrivateIpAddress"] for n in nics] == was["addresses"], nics
    a = lattice.get_service_network_resource_association(serviceNetworkResourceAssociationIdentifier=was["association"])
    assert a["status"] == "ACTIVE" and a["dnsEntry"]["domainName"] == was["name"], a
    assert ec2.delete_vpc_endpoints(VpcEndpointIds=[was["endpoint"]])["Unsuccessful"] == []
    gone(ec2.describe_vpc_endpoints, VpcEndpointIds=[was["endpoint"]])
    lattice.delete_service_network_resource_association(serviceNetworkResourceAssociationIdentifier=was["association"])
    gone(lattice.get_service_network_resource_association, serviceNetworkResourceAssociationIdentifier=was["association"])
    lattice.delete_resource_configuration(resourceConfigurationIdentifier=was["configuration"])
    gone(lattice.get_resource_configuration, resourceConfigurationIdentifier=was["configuration"])
    assert lattice.delete_resource_gateway(resourceGatewayIdentifier=was["gateway"])["status"] == "DELETE_IN_PROGRESS"
    gone(lattice.get_resource_gateway, resourceGatewayIdentifier=was["gateway"])
    lattice.delete_service_network(serviceNetworkIdentifier=was["network"])
    ec2.delete_subnet(SubnetId=was["subnet"])
    ec2.delete_vpc(VpcId=was["vpc"])
    print("ok")
    sys.exit()

vpc = ec2.create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.77.1.0/24")["Subnet"]["SubnetId"]
network = lattice.create_service_network(name="data", sharingConfig={"enabled": False})
gateway = lattice.create_resource_gateway(name="to-data", vpcIdentifier=vpc, subnetIds=[subnet], tags={"team": "data"})
assert gateway["status"] == "CREATE_IN_PROGRESS" and gateway["ipv4AddressesPerEni"] == 16, gateway
until(lattice.get_resource_gateway, "ACTIVE", resourceGatewayIdentifier=gateway["arn"])
assert lattice.list_tags_for_resource(resourceArn=gateway["arn"])["tags"] == {"team": "data"}

config = lattice.create_resource_configuration(name="orders-db", type="SINGLE", portRanges=["5432"], protocol="TCP", resourceGatewayIdentifier=gateway["id"],
    customDomainName="db.example.com", resourceConfigurationDefinition={"ipResource": {"ipAddress": "10.77.1.50"}})
until(lattice.get_resource_configuration, "ACTIVE", resourceConfigurationIdentifier=config["id"])
refused("ConflictException", lattice.delete_resource_gateway, resourceGatewayIdentifier=gateway["id"])
association = lattice.create_service_network_resource_association(resourceConfigurationIdentifier=config["arn"], serviceNetworkIdentifier=network["id"], privateDnsEnabled=True)
full = until(lattice.get_service_network_resource_association, "ACTIVE", serviceNetworkResourceAssociationIdentifier=association["arn"])
assert full["privateDnsEntry"] == {"domainName": "db.example.com"} and full["dnsEntry"]["domainName"].startswith(association["id"] + "." + config["id"]), full
e = refused("ValidationException", lattice.delete_resource_configuration, resourceConfigurationIdentifier=config["id"])
assert "has existing association with service networks" in e["message"], e
assert [n["numberOfAssociatedResourceConfigurations"] for n in lattice.list_service_networks()["items"]] == [1]

# pages that stay in order, and tokens of others
for i in range(5):
    lattice.create_resource_configuration(name=f"spare-{i}", type="GROUP", resourceGatewayIdentifier=gateway["id"])
pages = list(lattice.get_paginator("list_resource_configurations").paginate(PaginationConfig={"PageSize": 2}))
ids = [c["id"] for p in pages for c in p["items"]]
assert len(pages) == 3 and len(ids) == 6 and ids == sorted(ids), pages
token = lattice.list_resource_configurations(maxResults=2)["nextToken"]
refused("ValidationException", lattice.list_resource_gateways, nextToken=token)
refused("ValidationException", lattice.list_resource_configurations, nextToken=token[:-1] + ("A" if token[-1] != "A" else "B"))
for c in [c for p in pages for c in p["items"] if c["name"].startswith("spare-")]:
    until(lattice.get_resource_configuration, "ACTIVE", resourceConfigurationIdentifier=c["id"])
    lattice.delete_resource_configuration(resourceConfigurationIdentifier=c["id"])
    gone(lattice.get_resource_configuration, resourceConfigurationIdentifier=c["id"])

# endpoints
refused("UnsupportedOperation", ec2.create_vpc_endpoint, VpcId=vpc, VpcEndpointType="Interface", ServiceName="com.amazonaws.eu-west-1.s3")
e = ec2.create_vpc_endpoint(VpcId=vpc, VpcEndpointType="ServiceNetwork", ServiceNetworkArn=network["arn"], SubnetIds=[subnet],
    TagSpecifications=[{"ResourceType": "vpc-endpoint", "Tags": [{"Key": "team", "Value": "data"}]}])["VpcEndpoint"]
assert e["State"] == "pending" and e["ServiceNetworkArn"] == network["arn"] and e["Tags"] == [{"Key": "team", "Value": "data"}] and len(e["Groups"]) == 1, e
one = lambda **kw: ec2.describe_vpc_endpoints(**kw)["VpcEndpoints"][0]
until(one, "available", "State", Filters=[{"Name": "vpc-id", "Values": [vpc]}, {"Name": "vpc-endpoint-type", "Values": ["ServiceNetwork"]}])
leads = ec2.describe_vpc_endpoint_associations(VpcEndpointIds=[e["VpcEndpointId"]])["VpcEndpointAssociations"]
assert len(leads) == 1 and leads[0]["AssociatedResourceArn"] == config["arn"] and leads[0]["AssociatedResourceAccessibility"] == "Accessible", leads
assert leads[0]["DnsEntry"]["DnsName"].startswith(f"{e['VpcEndpointId']}-{association['id']}.{config['id']}.4232ccc.vpc-lattice-rsc."), leads
assert lattice.list_service_network_vpc_endpoint_associations(serviceNetworkIdentifier=network["id"])["items"][0]["vpcEndpointId"] == e["VpcEndpointId"]
r = ec2.create_vpc_endpoint(VpcId=vpc, VpcEndpointType="Resource", ResourceConfigurationArn=config["arn"], SubnetIds=[subnet], PrivateDnsEnabled=True,
    DnsOptions={"PrivateDnsPreference": "ALL_DOMAINS"})["VpcEndpoint"]
until(one, "available", "State", VpcEndpointIds=[r["VpcEndpointId"]])
got = lattice.list_resource_endpoint_associations(resourceConfigurationIdentifier=config["id"], vpcEndpointId=r["VpcEndpointId"])["items"]
assert len(got) == 1 and got[0]["resourceConfigurationName"] == "orders-db", got
assert ec2.modify_vpc_endpoint(VpcEndpointId=r["VpcEndpointId"], PrivateDnsEnabled=False)["Return"] is True
assert one(VpcEndpointIds=[r["VpcEndpointId"]])["DnsOptions"]["PrivateDnsPreference"] == "ALL_DOMAINS"
lattice.delete_resource_endpoint_association(resourceEndpointAssociationIdentifier=got[0]["arn"])
assert one(VpcEndpointIds=[r["VpcEndpointId"]])["State"] == "rejected"
failed = ec2.delete_vpc_endpoints(VpcEndpointIds=[r["VpcEndpointId"], "vpce-0123456789abcdef0"])["Unsuccessful"]
assert [f["ResourceId"] for f in failed] == ["vpce-0123456789abcdef0"] and failed[0]["Error"]["Code"] == "InvalidVpcEndpointId.NotFound", failed
gone(ec2.describe_vpc_endpoints, VpcEndpointIds=[r["VpcEndpointId"]])

# a domain that nobody has
v = lattice.start_domain_verification(domainName="trellis.invalid")
assert v["status"] == "PENDING" and v["txtMethodConfig"]["name"].startswith("_") and v["txtMethodConfig"]["value"].startswith("vpc-lattice:"), v
lattice.delete_domain_verification(domainVerificationIdentifier=v["id"])

nics = ec2.describe_network_interfaces(Filters=[{"Name": "interface-type", "Values": ["vpc_endpoint"]}])["NetworkInterfaces"]
print(json.dumps({"vpc": vpc, "subnet": subnet, "network": network["id"], "gateway": gateway["id"], "configuration": config["id"], "association": association["id"],
    "endpoint": e["VpcEndpointId"], "addresses": [n["PrivateIpAddress"] for n in nics], "name": full["dnsEntry"]["domainName"]}))
