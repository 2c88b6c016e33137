# Shares a service network, a service and permissions among four accounts with boto3: the owner, one in its organization, and two outside of it.
import json, sys, time
import boto3
from botocore.exceptions import ClientError

def refused(code, call, **kw):
    try:
        call(**kw)
    except ClientError as e:
        assert e.response["Error"]["Code"] == code, e
        return
    raise AssertionError(f"{call} was not refused with {code}")

def session(account):
    if account is None:
        return boto3.Session()
    c = boto3.client("sts").assume_role(RoleArn=f"arn:aws:iam::{account}:role/OrganizationAccountAccessRole", RoleSessionName="test")["Credentials"]
    return boto3.Session(c["AccessKeyId"], c["SecretAccessKey"], c["SessionToken"])

organizations = boto3.client("organizations")
organizations.create_organization(FeatureSet="ALL")
me = boto3.client("sts").get_caller_identity()["Account"]
accounts = []
for name in ("inside", "outside", "refuser"):
    made = organizations.create_account(AccountName=name, Email=f"{name}@example.com")["CreateAccountStatus"]
    while made["State"] == "IN_PROGRESS":
        made = organizations.describe_create_account_status(CreateAccountRequestId=made["Id"])["CreateAccountStatus"]
    accounts.append(made["AccountId"])
sessions = [session(a) for a in accounts]
inside, outside, refuser = accounts
for a in (outside, refuser):
    organizations.remove_account_from_organization(AccountId=a)
owner, (ram_in, ram_out, ram_ref) = boto3.client("ram"), [s.client("ram") for s in sessions]
lattice, (lattice_in, lattice_out, _) = boto3.client("vpc-lattice"), [s.client("vpc-lattice") for s in sessions]
organization = organizations.describe_organization()["Organization"]["Arn"]

network = lattice.create_service_network(name="platform-mesh")["arn"]
refused("OperationNotPermittedException", owner.create_resource_share, name="no", principals=[organization])
owner.enable_sharing_with_aws_organization()
share = owner.create_resource_share(name="mesh", resourceArns=[network], principals=[organization], allowExternalPrincipals=False, tags=[{"key": "team", "value": ""}], clientToken="t")["resourceShare"]
arn = share["resourceShareArn"]
assert owner.create_resource_share(name="mesh", resourceArns=[network], principals=[organization], allowExternalPrincipals=False, tags=[{"key": "team", "value": ""}], clientToken="t")["resourceShare"]["resourceShareArn"] == arn
refused("IdempotentParameterMismatchException", owner.create_resource_share, name="other", clientToken="t")
refused("OperationNotPermittedException", owner.associate_resource_share, resourceShareArn=arn, principals=[outside])
for principal in (f"arn:aws:iam::{outside}:role/x", f"arn:aws:iam::{outside}:user/x", "vpc-lattice.amazonaws.com", me):
    refused("InvalidParameterException", owner.associate_resource_share, resourceShareArn=arn, principals=[principal])
# Inside of the organization it is there at once.
assert lattice_in.get_service_network(serviceNetworkIdentifier=network)["name"] == "platform-mesh"
assert [s["name"] for s in ram_in.get_resource_shares(resourceOwner="OTHER-ACCOUNTS")["resourceShares"]] == ["mesh"]
assert ram_in.get_resource_share_invitations()["resourceShareInvitations"] == []
refused("ResourceNotFoundException", lattice_out.get_service_network, serviceNetworkIdentifier=network)

# Outside it is an invitation.
owner.update_resource_share(resourceShareArn=arn, allowExternalPrincipals=True)
owner.associate_resource_share(resourceShareArn=arn, principals=[outside, refuser])
status = lambda: {a["associatedEntity"]: a["status"] for p in owner.get_paginator("get_resource_share_associations").paginate(associationType="PRINCIPAL", PaginationConfig={"PageSize": 1}) for a in p["resourceShareAssociations"]}
assert status() == {organization: "ASSOCIATED", outside: "ASSOCIATING", refuser: "ASSOCIATING"}, status()
invitation = ram_out.get_resource_share_invitations()["resourceShareInvitations"][0]
assert invitation["status"] == "PENDING" and invitation["senderAccountId"] == me and invitation["resourceShareName"] == "mesh", invitation
invitation = invitation["resourceShareInvitationArn"]
pending = ram_out.list_pending_invitation_resources(resourceShareInvitationArn=invitation)["resources"]
assert [(r["arn"], r["type"], r["status"]) for r in pending] == [(network, "vpc-lattice:ServiceNetwork", "PENDING")], pending
refused("ResourceNotFoundException", lattice_out.get_service_network, serviceNetworkIdentifier=network)
refused("ResourceShareInvitationArnNotFoundException", ram_ref.accept_resource_share_invitation, resourceShareInvitationArn=invitation)
assert ram_out.accept_resource_share_invitation(resourceShareInvitationArn=invitation)["resourceShareInvitation"]["status"] == "ACCEPTED"
refused("ResourceShareInvitationAlreadyAcceptedException", ram_out.reject_resource_share_invitation, resourceShareInvitationArn=invitation)
ram_ref.reject_resource_share_invitation(resourceShareInvitationArn=ram_ref.get_resource_share_invitations()["resourceShareInvitations"][0]["resourceShareInvitationArn"])
assert status() == {organization: "ASSOCIATED", outside: "ASSOCIATED", refuser: "FAILED"}, status()
assert lattice_out.get_service_network(serviceNetworkIdentifier=network)["name"] == "platform-mesh"

# What the permission says decides, at once.
permissions = owner.list_resource_share_permissions(resourceShareArn=arn)["permissions"]
assert [(p["name"], p["status"], p["isResourceTypeDefault"]) for p in permissions] == [("AWSRAMPermissionVpcLatticeServiceNetworkReadWrite", "ASSOCIATED", True)], permissions
read = "AWSRAMPermissionVpcLatticeServiceNetworkReadWrite"
ec2 = sessions[1].client("ec2")
vpcs = [ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"] for _ in range(2)]
see = owner.create_permission(name="see", resourceType="vpc-lattice:ServiceNetwork", policyTemplate=json.dumps({"Effect": "Allow", "Action": ["vpc-lattice:GetServiceNetwork"]}))["permission"]
assert see["permissionType"] == "CUSTOMER_MANAGED" and see["version"] == "1" and see["defaultVersion"], see
refused("InvalidParameterException", owner.associate_resource_share_permission, resourceShareArn=arn, permissionArn=see["arn"])
owner.associate_resource_share_permission(resourceShareArn=arn, permissionArn=see["arn"], replace=True)
refused("AccessDeniedException", lattice_out.create_service_network_vpc_association, serviceNetworkIdentifier=network, vpcIdentifier=vpcs[0])
more = owner.create_permission_version(permissionArn=see["arn"], policyTemplate=json.dumps({"Effect": "Allow", "Action": ["vpc-lattice:GetServiceNetwork", "vpc-lattice:CreateServiceNetworkVpcAssociation"]}))["permission"]
assert more["version"] == "2" and json.loads(more["permission"])["Effect"] == "Allow", more
assert [p["version"] for p in owner.list_permission_versions(permissionArn=see["arn"])["permissions"]] == ["1", "2"]
refused("AccessDeniedException", lattice_out.create_service_network_vpc_association, serviceNetworkIdentifier=network, vpcIdentifier=vpcs[0])
work = owner.replace_permission_associations(fromPermissionArn=see["arn"], fromPermissionVersion=1, toPermissionArn=see["arn"])["replacePermissionAssociationsWork"]
assert [w["status"] for w in owner.list_replace_permission_associations_work(workIds=[work["id"]])["replacePermissionAssociationsWorks"]] == ["COMPLETED"]
assert [(a["arn"], a["permissionVersion"]) for a in owner.list_permission_associations(resourceShareArn=arn)["permissions"]] == [(see["arn"], "2")]
association = lattice_out.create_service_network_vpc_association(serviceNetworkIdentifier=network, vpcIdentifier=vpcs[0])["id"]
owner.delete_permission_version(permissionArn=see["arn"], permissionVersion=1)
refused("OperationNotPermittedException", owner.delete_permission, permissionArn=see["arn"])
owner.tag_resource(resourceArn=see["arn"], tags=[{"key": "team", "value": "net"}])
assert owner.get_permission(permissionArn=see["arn"])["permission"]["tags"] == [{"key": "team", "value": "net"}]
policy = json.loads(owner.get_resource_policies(resourceArns=[network], principal=outside)["policies"][0])
assert [s["Principal"] for s in policy["Statement"]] == [{"AWS": f"arn:aws:iam::{outside}:root"}], policy
refused("ResourceArnNotFoundException", ram_out.get_resource_policies, resourceArns=[network])
assert {t["resourceType"] for t in owner.list_resource_types()["resourceTypes"]} == {"vpc-lattice:ServiceNetwork", "vpc-lattice:Service", "vpc-lattice:ResourceConfiguration"}
assert owner.list_source_associations()["sourceAssociations"] == []
refused("InvalidParameterException", owner.promote_resource_share_created_from_policy, resourceShareArn=arn)
refused("OperationNotPermittedException", owner.delete_permission, permissionArn=f"arn:aws:ram::aws:permission/{read}")

# When the share ends, what was made by it stays, and nothing new is made.
while lattice_out.get_service_network_vpc_association(serviceNetworkVpcAssociationIdentifier=association)["status"] != "ACTIVE":
    time.sleep(0.05)
owner.disassociate_resource_share(resourceShareArn=arn, principals=[outside])
refused("ResourceNotFoundException", lattice_out.get_service_network, serviceNetworkIdentifier=network)
refused("ResourceNotFoundException", lattice_out.create_service_network_vpc_association, serviceNetworkIdentifier=network, vpcIdentifier=vpcs[1])
assert lattice_out.get_service_network_vpc_association(serviceNetworkVpcAssociationIdentifier=association)["status"] == "ACTIVE"
assert lattice_in.get_service_network(serviceNetworkIdentifier=network)["name"] == "platform-mesh"
organizations.remove_account_from_organization(AccountId=inside)
refused("ResourceNotFoundException", lattice_in.get_service_network, serviceNetworkIdentifier=network)
owner.delete_resource_share(resourceShareArn=arn)
refused("UnknownResourceException", owner.associate_resource_share, resourceShareArn=arn, principals=[inside])
owner.delete_permission(permissionArn=see["arn"])
refused("UnknownResourceException", owner.get_permission, permissionArn=see["arn"])
print("ok")
