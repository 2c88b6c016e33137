# Drives Systems Manager's parameters and Firehose's streams with boto3.
import boto3
from botocore.exceptions import ClientError

ssm, kms, firehose = boto3.client("ssm"), boto3.client("kms"), boto3.client("firehose", region_name="eu-west-1")

def refused(code, call, **kw):
    try:
        call(**kw)
    except ClientError as e:
        assert e.response["Error"]["Code"] == code, e
        return e.response
    raise AssertionError(f"{call} was not refused with {code}")

# Parameters.
assert ssm.put_parameter(Name="/orders/db/url", Value="one", Type="String", Description="where", Tags=[{"Key": "team", "Value": "shop"}]) ["Version"] == 1
refused("ParameterAlreadyExists", ssm.put_parameter, Name="/orders/db/url", Value="two", Type="String")
assert ssm.put_parameter(Name="/orders/db/url", Value="two", Overwrite=True)["Version"] == 2
ssm.put_parameter(Name="/orders/hosts", Value="a,b", Type="StringList")
ssm.put_parameter(Name="plain", Value="x", Type="String", AllowedPattern="[a-z]")
refused("ParameterPatternMismatchException", ssm.put_parameter, Name="plain", Value="X", Overwrite=True)
refused("ValidationException", ssm.put_parameter, Name="/aws/x", Value="x", Type="String")
refused("HierarchyTypeMismatchException", ssm.put_parameter, Name="plain", Value="x", Type="StringList", Overwrite=True)
refused("ValidationException", ssm.put_parameter, Name="big", Value="x" * 4097, Type="String")
assert ssm.put_parameter(Name="big", Value="x" * 4097, Type="String", Tier="Intelligent-Tiering")["Tier"] == "Advanced"

p = ssm.get_parameter(Name="/orders/db/url")["Parameter"]
assert p["Value"] == "two" and p["Version"] == 2 and p["ARN"] == "arn:aws:ssm:eu-west-1:111122223333:parameter/orders/db/url" and p["DataType"] == "text", p
assert ssm.get_parameter(Name=p["ARN"])["Parameter"]["Value"] == "two"
first = ssm.get_parameter(Name="/orders/db/url:1")["Parameter"]
assert first["Value"] == "one" and first["Selector"] == ":1" and first["Name"] == "/orders/db/url", first
refused("ParameterVersionNotFound", ssm.get_parameter, Name="/orders/db/url:3")
refused("ParameterNotFound", ssm.get_parameter, Name="/orders")
assert ssm.label_parameter_version(Name="/orders/db/url", ParameterVersion=1, Labels=["live", "1st"])["InvalidLabels"] == ["1st"]
assert ssm.get_parameter(Name="/orders/db/url:live")["Parameter"]["Value"] == "one"
ssm.label_parameter_version(Name="/orders/db/url", Labels=["live"])
history = ssm.get_parameter_history(Name="/orders/db/url")["Parameters"]
assert [(h["Version"], h["Value"], h["Labels"]) for h in history] == [(1, "one", []), (2, "two", ["live"])], history
assert ssm.unlabel_parameter_version(Name="/orders/db/url", ParameterVersion=2, Labels=["live", "none"])["RemovedLabels"] == ["live"]

key = kms.create_key()["KeyMetadata"]["KeyId"]
ssm.put_parameter(Name="/orders/secret", Value="s3cret", Type="SecureString")
ssm.put_parameter(Name="/orders/own", Value="s3cret", Type="SecureString", KeyId=key)
refused("InvalidKeyId", ssm.put_parameter, Name="/orders/none", Value="x", Type="SecureString", KeyId="alias/none")
for name in "/orders/secret", "/orders/own":
    assert "s3cret" not in ssm.get_parameter(Name=name)["Parameter"]["Value"]
    assert ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"] == "s3cret"
kms.disable_key(KeyId=key)
refused("InvalidKeyId", ssm.get_parameter, Name="/orders/own", WithDecryption=True)

got = ssm.get_parameters(Names=["/orders/hosts", "plain", "none", "/orders/db/url:9"])
assert {p["Name"] for p in got["Parameters"]} == {"/orders/hosts", "plain"} and sorted(got["InvalidParameters"]) == ["/orders/db/url:9", "none"], got
names = lambda **kw: [p["Name"] for page in ssm.get_paginator("get_parameters_by_path").paginate(PaginationConfig={"PageSize": 1}, **kw) for p in page["Parameters"]]
assert names(Path="/orders") == ["/orders/hosts", "/orders/own", "/orders/secret"]
assert names(Path="/orders/", Recursive=True)[0] == "/orders/db/url"
assert names(Path="/orders", ParameterFilters=[{"Key": "Type", "Values": ["StringList"]}]) == ["/orders/hosts"]
assert names(Path="/orders", Recursive=True, ParameterFilters=[{"Key": "Type", "Values": ["String"]}]) == ["/orders/db/url"]
described = lambda *f: [p["Name"] for page in ssm.get_paginator("describe_parameters").paginate(ParameterFilters=list(f)) for p in page["Parameters"]]
assert described({"Key": "Name", "Option": "Contains", "Values": ["o"]}) == ["/orders/db/url", "/orders/hosts", "/orders/own", "/orders/secret"]
assert described({"Key": "tag:team", "Values": ["shop"]}) == ["/orders/db/url"]
assert described({"Key": "Path", "Option": "OneLevel", "Values": ["/orders"]}) == ["/orders/hosts", "/orders/own", "/orders/secret"]
refused("InvalidFilterOption", ssm.describe_parameters, ParameterFilters=[{"Key": "Type", "Option": "Contains", "Values": ["x"]}])

ssm.add_tags_to_resource(ResourceType="Parameter", ResourceId="plain", Tags=[{"Key": "a", "Value": ""}, {"Key": "b", "Value": "2"}])
ssm.remove_tags_from_resource(ResourceType="Parameter", ResourceId="plain", TagKeys=["b"])
assert ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId="plain")["TagList"] == [{"Key": "a", "Value": ""}]
refused("InvalidResourceId", ssm.list_tags_for_resource, ResourceType="Parameter", ResourceId="none")
refused("InvalidResourceType", ssm.list_tags_for_resource, ResourceType="Document", ResourceId="none")

assert ssm.get_parameter(Name="/aws/service/global-infrastructure/regions/eu-west-1")["Parameter"]["Value"] == "eu-west-1"
assert ssm.get_parameter(Name="/aws/service/global-infrastructure/regions/eu-west-1/longName")["Parameter"]["Value"] == "Europe (Ireland)"
assert [z.rsplit("/", 1)[1] for z in names(Path="/aws/service/global-infrastructure/regions/eu-west-1/availability-zones")] == ["euw1-az1", "euw1-az2", "euw1-az3"]
assert ssm.get_parameter(Name="/aws/service/ami-amazon-linux-latest/amzn2-ami-hvm-x86_64-gp2")["Parameter"]["Value"].startswith("ami-")
assert "/aws/service/global-infrastructure/services/vpc-lattice" in names(Path="/aws/service/global-infrastructure/services")
ssm.delete_parameter(Name="plain")
refused("ParameterNotFound", ssm.delete_parameter, Name="plain")
gone = ssm.delete_parameters(Names=["/orders/hosts", "plain"])
assert gone["DeletedParameters"] == ["/orders/hosts"] and gone["InvalidParameters"] == ["plain"], gone

# Streams.
role = "arn:aws:iam::111122223333:role/deliver"
bucket = {"RoleARN": role, "BucketARN": "arn:aws:s3:::logs"}
arn = firehose.create_delivery_stream(DeliveryStreamName="access", ExtendedS3DestinationConfiguration=bucket | {"Prefix": "lattice/"}, Tags=[{"Key": "team", "Value": "shop"}])["DeliveryStreamARN"]
assert arn == "arn:aws:firehose:eu-west-1:111122223333:deliverystream/access", arn
refused("ResourceInUseException", firehose.create_delivery_stream, DeliveryStreamName="access", ExtendedS3DestinationConfiguration=bucket)
refused("InvalidArgumentException", firehose.create_delivery_stream, DeliveryStreamName="none")
refused("InvalidArgumentException", firehose.create_delivery_stream, DeliveryStreamName="none", ExtendedS3DestinationConfiguration=bucket | {"RoleARN": role + "er"})
refused("InvalidArgumentException", firehose.create_delivery_stream, DeliveryStreamName="none", DeliveryStreamType="KinesisStreamAsSource", ExtendedS3DestinationConfiguration=bucket)

def stream(name="access"):
    return firehose.describe_delivery_stream(DeliveryStreamName=name)["DeliveryStreamDescription"]

s = stream()
assert s["DeliveryStreamStatus"] == "ACTIVE" and s["VersionId"] == "1" and s["DeliveryStreamEncryptionConfiguration"]["Status"] == "DISABLED", s
d = s["Destinations"][0]["ExtendedS3DestinationDescription"]
assert d["BufferingHints"] == {"SizeInMBs": 5, "IntervalInSeconds": 300} and d["CompressionFormat"] == "UNCOMPRESSED" and d["Prefix"] == "lattice/" and d["S3BackupMode"] == "Disabled", d
update = dict(DeliveryStreamName="access", DestinationId=s["Destinations"][0]["DestinationId"], ExtendedS3DestinationUpdate={"CompressionFormat": "GZIP"})
refused("ConcurrentModificationException", firehose.update_destination, CurrentDeliveryStreamVersionId="7", **update)
firehose.update_destination(CurrentDeliveryStreamVersionId="1", **update)
s = stream()
d = s["Destinations"][0]["ExtendedS3DestinationDescription"]
assert s["VersionId"] == "2" and d["CompressionFormat"] == "GZIP" and d["Prefix"] == "lattice/" and d["BucketARN"] == "arn:aws:s3:::logs", s
firehose.create_delivery_stream(DeliveryStreamName="web", HttpEndpointDestinationConfiguration={
    "EndpointConfiguration": {"Url": "https://logs.example.com", "Name": "logs", "AccessKey": "s3cret"}, "S3Configuration": bucket, "RoleARN": role})
s = stream("web")
d = s["Destinations"][0]["HttpEndpointDestinationDescription"]
assert d["EndpointConfiguration"] == {"Url": "https://logs.example.com", "Name": "logs"} and d["S3DestinationDescription"]["BucketARN"] == "arn:aws:s3:::logs" and "s3cret" not in str(s), s
firehose.start_delivery_stream_encryption(DeliveryStreamName="web")
assert stream("web")["DeliveryStreamEncryptionConfiguration"]["KeyType"] == "AWS_OWNED_CMK"
firehose.stop_delivery_stream_encryption(DeliveryStreamName="web")
listed = firehose.list_delivery_streams(Limit=1)
assert listed["DeliveryStreamNames"] == ["access"] and listed["HasMoreDeliveryStreams"], listed
assert firehose.list_delivery_streams(ExclusiveStartDeliveryStreamName="access")["DeliveryStreamNames"] == ["web"]
firehose.tag_delivery_stream(DeliveryStreamName="access", Tags=[{"Key": "stage", "Value": "test"}])
firehose.untag_delivery_stream(DeliveryStreamName="access", TagKeys=["team"])
assert firehose.list_tags_for_delivery_stream(DeliveryStreamName="access")["Tags"] == [{"Key": "stage", "Value": "test"}]
quick = boto3.client("firehose", config=boto3.session.Config(retries={"total_max_attempts": 1}))
refused("ServiceUnavailableException", quick.put_record, DeliveryStreamName="access", Record={"Data": b"x"})
refused("ResourceNotFoundException", quick.put_record, DeliveryStreamName="none", Record={"Data": b"x"})
firehose.delete_delivery_stream(DeliveryStreamName="web")
refused("ResourceNotFoundException", firehose.describe_delivery_stream, DeliveryStreamName="web")
print("ok")
