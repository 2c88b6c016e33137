# Attaches a second network interface to the instance sys.argv[2] in the subnet sys.argv[1], gives both interfaces further
# addresses, and prints which addresses the instance has then, one a line, those of IPv6 in brackets.
import sys
import boto3
from botocore.exceptions import ClientError

ec2, (subnet, instance) = boto3.client("ec2"), sys.argv[1:]

def refused(code, call, **kw):
    try:
        call(**kw)
    except ClientError as e:
        assert e.response["Error"]["Code"] == code, e
        return
    raise AssertionError(f"{call} was not refused with {code}")

def nic(id):
    return ec2.describe_network_interfaces(NetworkInterfaceIds=[id])["NetworkInterfaces"][0]

for more, code in [({"DryRun": True}, "DryRunOperation"), ({"InterfaceType": "efa"}, "UnsupportedOperation"), ({"Ipv4PrefixCount": 1}, "UnsupportedOperation"),
                   ({"PrivateIpAddresses": [{"Primary": True, "PrivateIpAddress": a} for a in ("10.0.1.8", "10.0.1.9")]}, "InvalidParameterCombination"),
                   ({"TagSpecifications": [{"ResourceType": "vpc", "Tags": []}]}, "InvalidParameterValue")]:
    refused(code, ec2.create_network_interface, SubnetId=subnet, **more)
made = ec2.create_network_interface(SubnetId=subnet, Description="second", PrivateIpAddresses=[{"Primary": False, "PrivateIpAddress": "10.0.1.21"},
    {"Primary": True, "PrivateIpAddress": "10.0.1.20"}], Ipv6AddressCount=1, InterfaceType="interface",
    TagSpecifications=[{"ResourceType": "network-interface", "Tags": [{"Key": "Name", "Value": "second"}]}])["NetworkInterface"]
id = made["NetworkInterfaceId"]
assert made["Status"] == "pending" and made["PrivateIpAddress"] == "10.0.1.20" and not made["RequesterManaged"] and "Attachment" not in made, made
ec2.get_waiter("network_interface_available").wait(NetworkInterfaceIds=[id])
ec2.modify_network_interface_attribute(NetworkInterfaceId=id, Description={"Value": "changed"})
ec2.modify_network_interface_attribute(NetworkInterfaceId=id, SourceDestCheck={"Value": False})
refused("UnsupportedOperation", ec2.modify_network_interface_attribute, NetworkInterfaceId=id, EnablePrimaryIpv6=True)
for attribute, key, want in [("description", "Description", {"Value": "changed"}), ("sourceDestCheck", "SourceDestCheck", {"Value": False})]:
    assert ec2.describe_network_interface_attribute(NetworkInterfaceId=id, Attribute=attribute)[key] == want
ec2.reset_network_interface_attribute(NetworkInterfaceId=id, SourceDestCheck="true")
group = ec2.describe_network_interface_attribute(NetworkInterfaceId=id, Attribute="groupSet")["Groups"][0]
assert group["GroupName"] == "default" and nic(id)["SourceDestCheck"] is True

refused("InvalidParameterValue", ec2.attach_network_interface, NetworkInterfaceId=id, InstanceId=instance, DeviceIndex=1, NetworkCardIndex=1)
attachment = ec2.attach_network_interface(NetworkInterfaceId=id, InstanceId=instance, DeviceIndex=1)["AttachmentId"]
ec2.modify_network_interface_attribute(NetworkInterfaceId=id, Attachment={"AttachmentId": attachment, "DeleteOnTermination": True})
shown = ec2.describe_network_interface_attribute(NetworkInterfaceId=id, Attribute="attachment")["Attachment"]
assert (shown["AttachmentId"], shown["InstanceId"], shown["DeviceIndex"], shown["Status"], shown["DeleteOnTermination"]) == (attachment, instance, 1, "attached", True), shown
assert nic(id)["Status"] == "in-use" and nic(id)["TagSet"] == [{"Key": "Name", "Value": "second"}]
refused("InvalidParameterValue", ec2.delete_network_interface, NetworkInterfaceId=id)

first = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]["NetworkInterfaces"][0]["NetworkInterfaceId"]
got = ec2.assign_private_ip_addresses(NetworkInterfaceId=first, PrivateIpAddresses=["10.0.1.30", "10.0.1.31"])["AssignedPrivateIpAddresses"]
assert [a["PrivateIpAddress"] for a in got] == ["10.0.1.30", "10.0.1.31"], got
ec2.unassign_private_ip_addresses(NetworkInterfaceId=first, PrivateIpAddresses=["10.0.1.31"])
v6 = ec2.assign_ipv6_addresses(NetworkInterfaceId=first, Ipv6AddressCount=2)["AssignedIpv6Addresses"]
assert ec2.unassign_ipv6_addresses(NetworkInterfaceId=first, Ipv6Addresses=v6[1:])["UnassignedIpv6Addresses"] == v6[1:]
# The text that AWS's own clients go by when they look for what keeps a subnet.
refused("DependencyViolation", ec2.delete_subnet, SubnetId=subnet)
nics = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]["NetworkInterfaces"]
assert [n["Attachment"]["DeviceIndex"] for n in nics] == [0, 1], nics
for n in nics:
    for a in n["PrivateIpAddresses"]:
        print(a["PrivateIpAddress"])
    for a in n["Ipv6Addresses"]:
        print("[" + a["Ipv6Address"] + "]")
