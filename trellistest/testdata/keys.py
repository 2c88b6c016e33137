# Drives KMS with boto3: makes and uses keys, and prints a key and a ciphertext for the runs that follow.
import base64, json, sys
import boto3
from botocore.exceptions import ClientError

kms = boto3.client("kms")

def refused(code, call, **kw):
    try:
        call(**kw)
    except ClientError as e:
        assert e.response["Error"]["Code"] == code, e
        return e.response
    raise AssertionError(f"{call} was not refused with {code}")

context = {"order": "17"}
if sys.argv[1] == "grants":  # another account, whose user has a grant that may be handed on, but no policy for keys
    key, token = sys.argv[2:4]
    iam = boto3.client("iam")
    iam.create_user(UserName="bare")
    own = iam.create_access_key(UserName="bare")["AccessKey"]
    bare = boto3.Session(own["AccessKeyId"], own["SecretAccessKey"])
    kms = bare.client("kms")
    text = kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext=context, GrantTokens=[token])["CiphertextBlob"]
    refused("AccessDeniedException", kms.encrypt, KeyId=key, Plaintext=b"x")
    refused("AccessDeniedException", kms.decrypt, CiphertextBlob=text, EncryptionContext=context)
    refused("DryRunOperationException", kms.encrypt, KeyId=key, Plaintext=b"x", EncryptionContext=context, DryRun=True)
    refused("InvalidGrantTokenException", kms.encrypt, KeyId=key, Plaintext=b"x", EncryptionContext=context, GrantTokens=["x"])
    me = bare.client("sts").get_caller_identity()["Arn"]
    refused("AccessDeniedException", kms.create_grant, KeyId=key, GranteePrincipal=me, Operations=["Encrypt"])
    kms.create_grant(KeyId=key, GranteePrincipal=me, Operations=["Encrypt"], Constraints={"EncryptionContextEquals": context})
    refused("AccessDeniedException", kms.list_grants, KeyId=key)
    refused("AccessDeniedException", kms.list_retirable_grants, RetiringPrincipal=me)
    kms.retire_grant(GrantToken=token)
    kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext=context)  # by the grant that it made itself
    print("ok")
    sys.exit()
if sys.argv[1] == "abroad":  # another account, which the key's policy lets decrypt
    got = kms.decrypt(CiphertextBlob=base64.b64decode(sys.argv[3]), EncryptionContext=context)
    assert got["Plaintext"] == b"secret" and got["KeyId"] == sys.argv[2], got
    refused("AccessDeniedException", kms.encrypt, KeyId=sys.argv[2], Plaintext=b"x")
    refused("AccessDeniedException", kms.schedule_key_deletion, KeyId=sys.argv[2])
    assert kms.list_keys()["Keys"] == [] and kms.list_aliases()["Aliases"] == []
    print("ok")
    sys.exit()
if sys.argv[1] == "again":
    assert kms.decrypt(CiphertextBlob=base64.b64decode(sys.argv[3]), EncryptionContext=context)["Plaintext"] == b"secret"
    gone = kms.schedule_key_deletion(KeyId=sys.argv[2], PendingWindowInDays=7)
    assert gone["KeyState"] == "PendingDeletion" and gone["PendingWindowInDays"] == 7, gone
    refused("KMSInvalidStateException", kms.encrypt, KeyId=sys.argv[2], Plaintext=b"x")
    assert kms.describe_key(KeyId=sys.argv[2])["KeyMetadata"]["DeletionDate"] == gone["DeletionDate"]
    kms.cancel_key_deletion(KeyId=sys.argv[2])
    kms.enable_key(KeyId=sys.argv[2])
    print("ok")
    sys.exit()

key = kms.create_key(Description="orders", Tags=[{"TagKey": "team", "TagValue": "shop"}])["KeyMetadata"]
assert key["KeyState"] == "Enabled" and key["Enabled"] and key["KeySpec"] == "SYMMETRIC_DEFAULT" and key["KeyManager"] == "CUSTOMER" and not key["MultiRegion"], key
kms.create_alias(AliasName="alias/orders", TargetKeyId=key["KeyId"])
refused("AlreadyExistsException", kms.create_alias, AliasName="alias/orders", TargetKeyId=key["KeyId"])
for name in key["KeyId"], key["Arn"], "alias/orders", "arn:aws:kms:eu-west-1:111122223333:alias/orders":
    assert kms.describe_key(KeyId=name)["KeyMetadata"] == key, name
refused("NotFoundException", kms.describe_key, KeyId="alias/none")
refused("UnsupportedOperationException", kms.create_key, KeySpec="ECC_SECG_P256K1", KeyUsage="SIGN_VERIFY")
refused("ValidationException", kms.create_key, KeyUsage="SIGN_VERIFY")

policy = json.loads(kms.get_key_policy(KeyId=key["KeyId"])["Policy"])
assert policy["Statement"][0]["Principal"] == {"AWS": "arn:aws:iam::111122223333:root"}, policy
assert kms.list_key_policies(KeyId=key["KeyId"])["PolicyNames"] == ["default"]
policy["Statement"].append({"Effect": "Allow", "Principal": {"AWS": "444455556666"}, "Action": "kms:Decrypt", "Resource": "*"})
kms.put_key_policy(KeyId=key["KeyId"], Policy=json.dumps(policy))
refused("MalformedPolicyDocumentException", kms.put_key_policy, KeyId=key["KeyId"], Policy='{"Version":"2012-10-17","Statement":[]}')

text = kms.encrypt(KeyId="alias/orders", Plaintext=b"secret", EncryptionContext=context)["CiphertextBlob"]
assert kms.decrypt(CiphertextBlob=text, EncryptionContext=context)["Plaintext"] == b"secret"
refused("InvalidCiphertextException", kms.decrypt, CiphertextBlob=text, EncryptionContext={"order": "18"})
other = kms.create_key()["KeyMetadata"]["KeyId"]
refused("IncorrectKeyException", kms.decrypt, CiphertextBlob=text, EncryptionContext=context, KeyId=other)
moved = kms.re_encrypt(CiphertextBlob=text, SourceEncryptionContext=context, DestinationKeyId=other)
assert kms.decrypt(CiphertextBlob=moved["CiphertextBlob"])["KeyId"] == moved["KeyId"] != moved["SourceKeyId"] == key["Arn"], moved
data = kms.generate_data_key(KeyId=other, KeySpec="AES_256")
assert len(data["Plaintext"]) == 32 and kms.decrypt(CiphertextBlob=data["CiphertextBlob"])["Plaintext"] == data["Plaintext"]
assert "Plaintext" not in kms.generate_data_key_without_plaintext(KeyId=other, NumberOfBytes=64)
assert len(kms.generate_random(NumberOfBytes=16)["Plaintext"]) == 16
kms.disable_key(KeyId=other)
refused("DisabledException", kms.encrypt, KeyId=other, Plaintext=b"x")

assert not kms.get_key_rotation_status(KeyId=key["KeyId"])["KeyRotationEnabled"]
kms.enable_key_rotation(KeyId=key["KeyId"], RotationPeriodInDays=90)
assert kms.get_key_rotation_status(KeyId=key["KeyId"])["RotationPeriodInDays"] == 90
kms.rotate_key_on_demand(KeyId=key["KeyId"])
assert [r["RotationType"] for r in kms.list_key_rotations(KeyId=key["KeyId"])["Rotations"]] == ["ON_DEMAND"]
kms.disable_key_rotation(KeyId=key["KeyId"])
kms.update_key_description(KeyId=key["KeyId"], Description="orders and tills")
assert kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]["Description"] == "orders and tills"
kms.tag_resource(KeyId=key["KeyId"], Tags=[{"TagKey": "stage", "TagValue": ""}])
kms.untag_resource(KeyId=key["KeyId"], TagKeys=["team"])
assert kms.list_resource_tags(KeyId=key["KeyId"])["Tags"] == [{"TagKey": "stage", "TagValue": ""}]
refused("TagException", kms.tag_resource, KeyId=key["KeyId"], Tags=[{"TagKey": "aws:x", "TagValue": ""}])

managed = kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]
assert managed["KeyManager"] == "AWS" and kms.get_key_rotation_status(KeyId=managed["KeyId"])["KeyRotationEnabled"], managed
refused("AccessDeniedException", kms.encrypt, KeyId="alias/aws/s3", Plaintext=b"x")
listed = {k["KeyId"] for p in kms.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 1}) for k in p["Keys"]}
assert {key["KeyId"], other, managed["KeyId"]} <= listed, listed
assert [a["AliasName"] for p in kms.get_paginator("list_aliases").paginate() for a in p["Aliases"]] == ["alias/aws/s3", "alias/orders"]
kms.create_alias(AliasName="alias/second", TargetKeyId=key["KeyId"])
kms.update_alias(AliasName="alias/second", TargetKeyId=key["Arn"])
kms.delete_alias(AliasName="alias/second")

for spec, usage, field, algorithm in (("RSA_2048", "SIGN_VERIFY", "SigningAlgorithms", "RSASSA_PSS_SHA_256"), ("ECC_NIST_P384", "SIGN_VERIFY", "SigningAlgorithms", "ECDSA_SHA_384")):
    pair = kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]
    assert pair["KeySpec"] == spec and pair["KeyUsage"] == usage and algorithm in pair[field] and "CurrentKeyMaterialId" not in pair and "EncryptionAlgorithms" not in pair, pair
    public = kms.get_public_key(KeyId=pair["KeyId"])
    assert public["KeyId"] == pair["Arn"] and public[field] == pair[field], public
    signed = kms.sign(KeyId=pair["KeyId"], Message=b"an order", SigningAlgorithm=algorithm)
    assert kms.verify(KeyId=pair["KeyId"], Message=b"an order", Signature=signed["Signature"], SigningAlgorithm=algorithm)["SignatureValid"]
    refused("KMSInvalidSignatureException", kms.verify, KeyId=pair["KeyId"], Message=b"an odder", Signature=signed["Signature"], SigningAlgorithm=algorithm)
    refused("ValidationException", kms.sign, KeyId=pair["KeyId"], Message=b"an order", MessageType="DIGEST", SigningAlgorithm=algorithm)
    refused("InvalidKeyUsageException", kms.encrypt, KeyId=pair["KeyId"], Plaintext=b"x")
    refused("UnsupportedOperationException", kms.enable_key_rotation, KeyId=pair["KeyId"])
    assert not kms.get_key_rotation_status(KeyId=pair["KeyId"])["KeyRotationEnabled"]
hidden = kms.create_key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"]["KeyId"]
for algorithm in "RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256":
    letter = kms.encrypt(KeyId=hidden, Plaintext=b"secret", EncryptionAlgorithm=algorithm)["CiphertextBlob"]
    assert kms.decrypt(KeyId=hidden, CiphertextBlob=letter, EncryptionAlgorithm=algorithm)["Plaintext"] == b"secret"
    refused("ValidationException", kms.encrypt, KeyId=hidden, Plaintext=b"x" * 240, EncryptionAlgorithm=algorithm)
mac = kms.create_key(KeySpec="HMAC_512", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]
assert mac["MacAlgorithms"] == ["HMAC_SHA_512"], mac
code = kms.generate_mac(KeyId=mac["KeyId"], Message=b"an order", MacAlgorithm="HMAC_SHA_512")["Mac"]
assert kms.verify_mac(KeyId=mac["KeyId"], Message=b"an order", MacAlgorithm="HMAC_SHA_512", Mac=code)["MacValid"]
refused("KMSInvalidMacException", kms.verify_mac, KeyId=mac["KeyId"], Message=b"an odder", MacAlgorithm="HMAC_SHA_512", Mac=code)
refused("InvalidKeyUsageException", kms.generate_mac, KeyId=mac["KeyId"], Message=b"an order", MacAlgorithm="HMAC_SHA_256")
pair = kms.generate_data_key_pair(KeyId=key["KeyId"], KeyPairSpec="ECC_NIST_P256")
assert kms.decrypt(CiphertextBlob=pair["PrivateKeyCiphertextBlob"])["Plaintext"] == pair["PrivateKeyPlaintext"], pair
assert "PrivateKeyPlaintext" not in kms.generate_data_key_pair_without_plaintext(KeyId=key["KeyId"], KeyPairSpec="RSA_2048")
agrees = [kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT")["KeyMetadata"]["KeyId"] for _ in range(2)]
secrets = {kms.derive_shared_secret(KeyId=mine, KeyAgreementAlgorithm="ECDH", PublicKey=kms.get_public_key(KeyId=theirs)["PublicKey"])["SharedSecret"]
           for mine, theirs in (agrees, agrees[::-1])}
assert len(secrets) == 1, secrets

user = "arn:aws:iam::444455556666:user/bare"
grant = {"KeyId": key["KeyId"], "GranteePrincipal": user, "Operations": ["Encrypt", "CreateGrant", "RetireGrant"], "Name": "orders", "Constraints": {"EncryptionContextSubset": context}}
made = kms.create_grant(**grant)
again = kms.create_grant(**grant)
assert again["GrantId"] == made["GrantId"] and again["GrantToken"] != made["GrantToken"], again
listed = kms.list_grants(KeyId=key["Arn"])["Grants"]
assert [(g["GrantId"], g["Name"], g["GranteePrincipal"], sorted(g["Operations"]), g["Constraints"], g["KeyId"]) for g in listed] == [
    (made["GrantId"], "orders", user, sorted(grant["Operations"]), grant["Constraints"], key["Arn"])], listed
refused("ValidationException", kms.create_grant, KeyId=key["KeyId"], GranteePrincipal=user, Operations=["Sign"])
refused("InvalidArnException", kms.create_grant, KeyId=key["KeyId"], GranteePrincipal="nobody", Operations=["Encrypt"])
retirable = kms.create_grant(KeyId=key["KeyId"], GranteePrincipal=user, Operations=["Decrypt"], RetiringPrincipal="arn:aws:iam::111122223333:user/retirer")
assert [g["GrantId"] for p in kms.get_paginator("list_retirable_grants").paginate(RetiringPrincipal="arn:aws:iam::111122223333:user/retirer", PaginationConfig={"PageSize": 1})
        for g in p["Grants"]] == [retirable["GrantId"]]
assert len([g for p in kms.get_paginator("list_grants").paginate(KeyId=key["KeyId"], PaginationConfig={"PageSize": 1}) for g in p["Grants"]]) == 2
refused("DryRunOperationException", kms.revoke_grant, KeyId=key["KeyId"], GrantId=retirable["GrantId"], DryRun=True)
kms.revoke_grant(KeyId=key["KeyId"], GrantId=retirable["GrantId"])
refused("NotFoundException", kms.revoke_grant, KeyId=key["KeyId"], GrantId=retirable["GrantId"])
print(made["GrantToken"], end=" ")
print(key["Arn"], base64.b64encode(text).decode())
