# Certificates with boto3: waiters, paging, order, filters and every error that a client can meet.
import sys
import boto3
from botocore.exceptions import ClientError

acm = boto3.client("acm")


def refused(code, call, **parameters):
    try:
        call(**parameters)
    except ClientError as e:
        got = e.response["Error"]["Code"]
        assert got == code, f"{call.__name__}: {e}, want {code}"
        assert "PRIVATE KEY" not in str(e), "the answer has a key"
        assert e.response["ResponseMetadata"]["HTTPStatusCode"] == 400, e
        return
    raise AssertionError(f"{call.__name__} was not refused with {code}")


certificate, key = (open(f"{sys.argv[1]}/{name}", "rb").read() for name in ("cert.pem", "key.pem"))
arns = [acm.import_certificate(Certificate=certificate, PrivateKey=key)["CertificateArn"] for _ in range(5)]
for algorithm in ("EC_prime256v1", "RSA_2048"):
    arn = acm.request_certificate(DomainName="a.example.com", SubjectAlternativeNames=["b.example.com", "*.a.example.com"], KeyAlgorithm=algorithm,
                                  DomainValidationOptions=[{"DomainName": "a.example.com", "ValidationDomain": "example.com"}])["CertificateArn"]
    acm.get_waiter("certificate_validated").wait(CertificateArn=arn, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    d = acm.describe_certificate(CertificateArn=arn)["Certificate"]
    assert d["SubjectAlternativeNames"] == ["a.example.com", "b.example.com", "*.a.example.com"], d
    assert d["Type"] == "AMAZON_ISSUED" and d["InUseBy"] == [] and d["RenewalEligibility"] == "ELIGIBLE", d
    assert d["NotBefore"] < d["IssuedAt"] < d["NotAfter"] and (d["NotAfter"] - d["NotBefore"]).days <= 90, d
    v = d["DomainValidationOptions"][0]
    assert "postmaster@example.com" in v["ValidationEmails"] and v["ValidationStatus"] == "SUCCESS", v
    arns.append(arn)
ec = arns[5]

pages = acm.get_paginator("list_certificates").paginate(SortBy="CREATED_AT", SortOrder="DESCENDING", PaginationConfig={"PageSize": 2})
seen = [c["CertificateArn"] for page in pages for c in page["CertificateSummaryList"]]
assert seen == [a for a in reversed(arns) if a != ec], seen
only = acm.list_certificates(Includes={"keyTypes": ["EC_prime256v1"]})["CertificateSummaryList"]
assert [c["CertificateArn"] for c in only] == [ec], only
assert len(acm.list_certificates(CertificateStatuses=["EXPIRED"])["CertificateSummaryList"]) == 0
assert len(acm.list_certificates(CertificateKeyPairOrigins=["CUSTOMER_PROVIDED"])["CertificateSummaryList"]) == 5

missing = arns[0][:-12] + "0" * 12
for call in (acm.describe_certificate, acm.get_certificate, acm.delete_certificate, acm.list_tags_for_certificate):
    refused("ResourceNotFoundException", call, CertificateArn=missing)
    refused("ResourceNotFoundException", call, CertificateArn=arns[0].replace(arns[0].split(":")[4], "111122223333"))
    refused("InvalidArnException", call, CertificateArn=arns[0].replace("certificate/", "other/"))
    refused("ValidationException", call, CertificateArn="arn:aws:iam::444455556666:user/x")
refused("ResourceNotFoundException", acm.import_certificate, CertificateArn=missing, Certificate=certificate, PrivateKey=key)
refused("ValidationException", acm.import_certificate, Certificate=certificate, PrivateKey=key[:-100])
refused("ValidationException", acm.import_certificate, Certificate=certificate + certificate, PrivateKey=key)
refused("ValidationException", acm.import_certificate, Certificate=key, PrivateKey=key)
refused("ValidationException", acm.import_certificate, Certificate=certificate, PrivateKey=key, CertificateChain=key)
refused("ValidationException", acm.import_certificate, CertificateArn=arns[0], Certificate=certificate, PrivateKey=key, Tags=[{"Key": "a"}])
refused("InvalidTagException", acm.import_certificate, Certificate=certificate, PrivateKey=key, Tags=[{"Key": "aws:a"}])
refused("InvalidTagException", acm.add_tags_to_certificate, CertificateArn=arns[0], Tags=[{"Key": "a"}, {"Key": "a"}])
acm.add_tags_to_certificate(CertificateArn=arns[0], Tags=[{"Key": f"k{i}", "Value": "v"} for i in range(50)])
refused("TooManyTagsException", acm.add_tags_to_certificate, CertificateArn=arns[0], Tags=[{"Key": "one more"}])
acm.remove_tags_from_certificate(CertificateArn=arns[0], Tags=[{"Key": f"k{i}"} for i in range(40)] + [{"Key": "k40", "Value": "other"}])
acm.untag_resource(ResourceArn=arns[0], TagKeys=[f"k{i}" for i in range(41, 50)])
assert acm.list_tags_for_resource(ResourceArn=arns[0])["Tags"] == [{"Key": "k40", "Value": "v"}]
refused("InvalidParameterException", acm.request_certificate, DomainName="-a.example.com")
refused("InvalidParameterException", acm.request_certificate, DomainName="localhost")
refused("InvalidParameterException", acm.request_certificate, DomainName="a.example.com", KeyAlgorithm="RSA_4096")
refused("InvalidDomainValidationOptionsException", acm.request_certificate, DomainName="a.example.com",
        DomainValidationOptions=[{"DomainName": "a.example.com", "ValidationDomain": "example.org"}])
refused("ValidationException", acm.list_certificates, SortBy="CREATED_AT")
refused("UnknownOperationException", acm.export_certificate, CertificateArn=arns[0], Passphrase=b"secret")
acm.import_certificate(CertificateArn=arns[0], Certificate=certificate, PrivateKey=key)
for a in arns:
    acm.delete_certificate(CertificateArn=a)
assert acm.list_certificates()["CertificateSummaryList"] == []
print("ok")
