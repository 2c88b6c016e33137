//go:build thorough

package trellistest

import (
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// bucketProgram takes buckets and objects through their life with boto3, and prints what differs from what S3 answers.
const bucketProgram = `
import os, sys, io, json, urllib.request, boto3, botocore
from botocore.config import Config
s = boto3.client("s3")
def code(f, **k):
    try:
        f(**k)
    except botocore.exceptions.ClientError as e:
        return e.response["Error"]["Code"] + " " + str(e.response["ResponseMetadata"]["HTTPStatusCode"])
    return "done"
def want(what, got, expected):
    if got != expected:
        print("%s: got %r, want %r" % (what, got, expected))
B = "orders-logs"
s.create_bucket(Bucket=B, CreateBucketConfiguration={"LocationConstraint": "eu-west-1", "Tags": [{"Key": "team", "Value": "a"}]})
want("again", code(s.create_bucket, Bucket=B, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}), "BucketAlreadyOwnedByYou 409")
want("other region", code(s.create_bucket, Bucket="x-" + B, CreateBucketConfiguration={"LocationConstraint": "us-west-2"}), "IllegalLocationConstraintException 400")
want("name", code(boto3.client("s3").create_bucket, Bucket="Ab_c", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}), "InvalidBucketName 400")
want("head", s.head_bucket(Bucket=B)["BucketRegion"], "eu-west-1")
want("head of none", code(s.head_bucket, Bucket="none-such"), "404 404")
want("location", s.get_bucket_location(Bucket=B)["LocationConstraint"], "eu-west-1")
want("list", [b["Name"] for b in s.list_buckets()["Buckets"]], [B])
for f, c in {"policy": "NoSuchBucketPolicy", "cors": "NoSuchCORSConfiguration", "website": "NoSuchWebsiteConfiguration", "lifecycle_configuration": "NoSuchLifecycleConfiguration",
             "replication": "ReplicationConfigurationNotFoundError"}.items():
    want(f, code(getattr(s, "get_bucket_" + f), Bucket=B), c + " 404")
want("object lock", code(s.get_object_lock_configuration, Bucket=B), "ObjectLockConfigurationNotFoundError 404")
want("tags", s.get_bucket_tagging(Bucket=B)["TagSet"], [{"Key": "team", "Value": "a"}])
acl = s.get_bucket_acl(Bucket=B)
want("acl", (acl["Grants"][0]["Permission"], acl["Grants"][0]["Grantee"]["Type"], acl["Grants"][0]["Grantee"]["ID"] == acl["Owner"]["ID"]), ("FULL_CONTROL", "CanonicalUser", True))
for f in ("versioning", "accelerate_configuration", "logging", "notification_configuration"):
    r = getattr(s, "get_bucket_" + f)(Bucket=B); r.pop("ResponseMetadata"); want(f, r, {})
want("payment", s.get_bucket_request_payment(Bucket=B)["Payer"], "BucketOwner")
want("encryption", s.get_bucket_encryption(Bucket=B)["ServerSideEncryptionConfiguration"]["Rules"][0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"], "AES256")
want("blocked", s.get_public_access_block(Bucket=B)["PublicAccessBlockConfiguration"], dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True))
s.delete_public_access_block(Bucket=B); want("not blocked", code(s.get_public_access_block, Bucket=B), "NoSuchPublicAccessBlockConfiguration 404")
want("ownership", s.get_bucket_ownership_controls(Bucket=B)["OwnershipControls"]["Rules"][0]["ObjectOwnership"], "BucketOwnerEnforced")
s.delete_bucket_ownership_controls(Bucket=B); want("no ownership", code(s.get_bucket_ownership_controls, Bucket=B), "OwnershipControlsNotFoundError 404")
cors = {"CORSRules": [{"AllowedMethods": ["GET", "PUT"], "AllowedOrigins": ["*"], "MaxAgeSeconds": 7}]}
s.put_bucket_cors(Bucket=B, CORSConfiguration=cors); want("cors", s.get_bucket_cors(Bucket=B)["CORSRules"], cors["CORSRules"])
s.delete_bucket_cors(Bucket=B); want("no cors", code(s.get_bucket_cors, Bucket=B), "NoSuchCORSConfiguration 404")
s.put_bucket_versioning(Bucket=B, VersioningConfiguration={"Status": "Enabled"}); want("versioning", s.get_bucket_versioning(Bucket=B)["Status"], "Enabled")
rules = [{"ID": "x", "Status": "Enabled", "Filter": {"Prefix": "a/"}, "Expiration": {"Days": 3}}]
for size, kept in ({}, "all_storage_classes_128K"), ({"TransitionDefaultMinimumObjectSize": "varies_by_storage_class"}, "varies_by_storage_class"):
    put = s.put_bucket_lifecycle_configuration(Bucket=B, LifecycleConfiguration={"Rules": rules}, **size); got = s.get_bucket_lifecycle_configuration(Bucket=B)
    want("lifecycle", got["Rules"], rules); want("smallest size", [r["TransitionDefaultMinimumObjectSize"] for r in (put, got)], [kept, kept])
s.put_public_access_block(Bucket=B, PublicAccessBlockConfiguration={"BlockPublicAcls": True}); want("pab", s.get_public_access_block(Bucket=B)["PublicAccessBlockConfiguration"], {"BlockPublicAcls": True})
s.put_bucket_tagging(Bucket=B, Tagging={"TagSet": []}); want("no tags", code(s.get_bucket_tagging, Bucket=B), "NoSuchTagSet 404")
want("acl of others", code(s.put_bucket_acl, Bucket=B, ACL="public-read"), "AccessControlListNotSupported 400")
want("unserved", code(s.list_bucket_inventory_configurations, Bucket=B), "NotImplemented 501")

want("client's key", code(s.put_object, Bucket=B, Key="sse", Body=b"x", SSECustomerAlgorithm="AES256", SSECustomerKey="k" * 32), "NotImplemented 501")
want("lock", code(s.put_object, Bucket=B, Key="lock", Body=b"x", ObjectLockLegalHoldStatus="ON"), "NotImplemented 501")
want("delimiter", code(s.list_multipart_uploads, Bucket=B, Delimiter="/"), "NotImplemented 501")
want("nothing was kept of them", s.list_objects_v2(Bucket=B)["KeyCount"], 0)

key = "a/é +%/ö&<>.txt"
p = s.put_object(Bucket=B, Key=key, Body=b"hello world", ContentType="text/plain", Metadata={"who": "me"}, Tagging="x=1&y=a%20b", CacheControl="no-cache")
want("etag", p["ETag"], '"5eb63bbbe01eeed093cb22bb8f5acdc3"'); want("crc", "ChecksumCRC32" in p or "ChecksumCRC64NVME" in p, True)
g = s.get_object(Bucket=B, Key=key)
want("get", (g["Body"].read(), g["ContentType"], g["Metadata"], g["TagCount"], g["CacheControl"], g["ContentLength"], g["ETag"]), (b"hello world", "text/plain", {"who": "me"}, 2, "no-cache", 11, p["ETag"]))
for r, w in {"bytes=0-4": b"hello", "bytes=6-": b"world", "bytes=-3": b"rld", "bytes=4-4": b"o", "bytes=0-100": b"hello world"}.items():
    g = s.get_object(Bucket=B, Key=key, Range=r); want(r, (g["Body"].read(), g["ResponseMetadata"]["HTTPStatusCode"]), (w, 206))
want("range", code(s.get_object, Bucket=B, Key=key, Range="bytes=11-"), "InvalidRange 416")
h = s.head_object(Bucket=B, Key=key); want("head", (h["ContentLength"], h["ETag"], h["ResponseMetadata"]["HTTPStatusCode"]), (11, p["ETag"], 200))
want("head of none", code(s.head_object, Bucket=B, Key="none"), "404 404"); want("get none", code(s.get_object, Bucket=B, Key="none"), "NoSuchKey 404")
want("if-none-match", code(s.get_object, Bucket=B, Key=key, IfNoneMatch=p["ETag"]), "304 304")
want("if-match", code(s.get_object, Bucket=B, Key=key, IfMatch='"x"'), "PreconditionFailed 412")
want("only if new", code(s.put_object, Bucket=B, Key=key, Body=b"x", IfNoneMatch="*"), "PreconditionFailed 412")
want("not empty", code(s.delete_bucket, Bucket=B), "BucketNotEmpty 409")
for a in ("CRC32", "CRC32C", "SHA1", "SHA256", "CRC64NVME"):
    try:
        r = s.put_object(Bucket=B, Key="sum", Body=b"123456789", ChecksumAlgorithm=a)
    except botocore.exceptions.MissingDependencyException:
        continue
    want(a, s.get_object(Bucket=B, Key="sum", ChecksumMode="ENABLED")["Checksum" + a], r["Checksum" + a])
want("wrong sum", code(s.put_object, Bucket=B, Key="sum", Body=b"x", ChecksumCRC64NVME="AAAAAAAAAAA="), "BadDigest 400")
want("right sum", s.put_object(Bucket=B, Key="sum", Body=b"123456789", ChecksumCRC64NVME="rosUhgp5mIg=")["ChecksumCRC64NVME"], "rosUhgp5mIg=")
want("wrong md5", code(s.put_object, Bucket=B, Key="sum", Body=b"x", ContentMD5="1B2M2Y8AsgTpgAmY7PhCfg=="), "BadDigest 400")
c = s.copy_object(Bucket=B, Key="copy", CopySource={"Bucket": B, "Key": key}); want("copy", (c["CopyObjectResult"]["ETag"], s.get_object(Bucket=B, Key="copy")["Metadata"]), (p["ETag"], {"who": "me"}))
s.copy_object(Bucket=B, Key="copy", CopySource={"Bucket": B, "Key": key}, MetadataDirective="REPLACE", Metadata={"b": "c"}); want("copy replace", s.get_object(Bucket=B, Key="copy")["Metadata"], {"b": "c"})
want("tags", s.get_object_tagging(Bucket=B, Key=key)["TagSet"], [{"Key": "x", "Value": "1"}, {"Key": "y", "Value": "a b"}])
s.put_object_tagging(Bucket=B, Key=key, Tagging={"TagSet": [{"Key": "z", "Value": ""}]}); want("tags", s.get_object_tagging(Bucket=B, Key=key)["TagSet"], [{"Key": "z", "Value": ""}])
for i in range(5): s.put_object(Bucket=B, Key="d/%d/x" % i, Body=b"")
for op, marker in (("list_objects_v2", "KeyCount"), ("list_objects", "Marker")):
    got = [(o["Key"]) for page in s.get_paginator(op).paginate(Bucket=B, PaginationConfig={"PageSize": 2}) for o in page.get("Contents", [])]
    want(op, got, [key, "copy"] + ["d/%d/x" % i for i in range(5)] + ["sum"])
    pages = list(s.get_paginator(op).paginate(Bucket=B, Delimiter="/", PaginationConfig={"PageSize": 2}))
    want(op + " delimiter", ([o["Key"] for p in pages for o in p.get("Contents", [])], [o["Prefix"] for p in pages for o in p.get("CommonPrefixes", [])]), (["copy", "sum"], ["a/", "d/"]))
want("prefix", s.list_objects_v2(Bucket=B, Prefix="d/", Delimiter="/", StartAfter="d/2/")["CommonPrefixes"], [{"Prefix": "d/3/"}, {"Prefix": "d/4/"}])
want("versions", [v["VersionId"] for v in s.list_object_versions(Bucket=B, Prefix="d/")["Versions"]], ["null"] * 5)

from boto3.s3.transfer import TransferConfig
big = os.urandom(12 * 1024 * 1024 + 17)
s.upload_fileobj(io.BytesIO(big), B, "big", Config=TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20))
h = s.head_object(Bucket=B, Key="big"); want("big", (h["ContentLength"], h["ETag"][-3:]), (len(big), '-3"'))
out = io.BytesIO(); s.download_fileobj(B, "big", out, Config=TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20)); want("big bytes", out.getvalue() == big, True)
want("part", s.head_object(Bucket=B, Key="big", PartNumber=3)["ContentLength"], len(big) - (10 << 20))
u = s.create_multipart_upload(Bucket=B, Key="up")["UploadId"]
e = s.upload_part(Bucket=B, Key="up", UploadId=u, PartNumber=1, Body=b"a")["ETag"]; s.upload_part(Bucket=B, Key="up", UploadId=u, PartNumber=2, Body=b"b")
want("parts", [x["PartNumber"] for x in s.list_parts(Bucket=B, Key="up", UploadId=u)["Parts"]], [1, 2]); want("uploads", [x["Key"] for x in s.list_multipart_uploads(Bucket=B)["Uploads"]], ["up"])
want("small", code(s.complete_multipart_upload, Bucket=B, Key="up", UploadId=u, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": e}, {"PartNumber": 2, "ETag": '"92eb5ffee6ae2fec3ad71c777531578f"'}]}), "EntityTooSmall 400")
want("wrong part", code(s.complete_multipart_upload, Bucket=B, Key="up", UploadId=u, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": '"x"'}]}), "InvalidPart 400")
s.abort_multipart_upload(Bucket=B, Key="up", UploadId=u); want("aborted", code(s.list_parts, Bucket=B, Key="up", UploadId=u), "NoSuchUpload 404")

try:
    urllib.request.urlopen(s.generate_presigned_url("get_object", Params={"Bucket": B, "Key": key}))
except urllib.error.HTTPError as e:
    want("presigned by version 2", (e.code, b"<Code>InvalidRequest</Code>" in e.read()), (400, True))
v4 = boto3.client("s3", config=Config(signature_version="s3v4"))
url = v4.generate_presigned_url("get_object", Params={"Bucket": B, "Key": key}); want("presigned v4", urllib.request.urlopen(url).read(), b"hello world")
url = v4.generate_presigned_url("put_object", Params={"Bucket": B, "Key": "pre"})
urllib.request.urlopen(urllib.request.Request(url, data=b"by url", method="PUT")); want("presigned put", s.get_object(Bucket=B, Key="pre")["Body"].read(), b"by url")
host = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"].replace("127.0.0.1", "localhost"), config=Config(s3={"addressing_style": "virtual"}))
try:
    want("virtual", host.get_object(Bucket=B, Key=key)["Body"].read(), b"hello world")
except botocore.exceptions.EndpointConnectionError:
    pass # no such name on this host
import datetime, hashlib, hmac, http.client, urllib.parse
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
def send(key, sha, chunks, more, sign):
    """Sends a body in chunks, each signed after the one before it when sign says so."""
    creds = boto3.Session().get_credentials().get_frozen_credentials()
    r = AWSRequest("PUT", os.environ["AWS_ENDPOINT_URL"] + "/" + B + "/" + key, headers={"X-Amz-Content-SHA256": sha, "X-Amz-Decoded-Content-Length": str(sum(map(len, chunks))), "Content-Encoding": "aws-chunked", **more})
    class Auth(SigV4Auth):
        def payload(self, request): return sha
    auth = Auth(creds, "s3", "eu-west-1"); auth.add_auth(r)
    stamp = r.context["timestamp"]; scope = stamp[:8] + "/eu-west-1/s3/aws4_request"
    k = ("AWS4" + creds.secret_key).encode()
    for part in (stamp[:8], "eu-west-1", "s3", "aws4_request"): k = hmac.new(k, part.encode(), hashlib.sha256).digest()
    before, body = r.headers["Authorization"].split("Signature=")[1], b""
    empty = hashlib.sha256(b"").hexdigest()
    for c in chunks + [b""]:
        before = hmac.new(k, "\n".join(["AWS4-HMAC-SHA256-PAYLOAD", stamp, scope, before, empty, hashlib.sha256(c).hexdigest()]).encode(), hashlib.sha256).hexdigest()
        body += b"%x" % len(c) + ((";chunk-signature=" + (before if sign != "wrong" else "0" * 64)).encode() if sign else b"") + b"\r\n" + c + (b"\r\n" if c else b"")
    for name, value in more.items():
        if name == "X-Amz-Trailer": body += (value + ":" + trailer + "\r\n").encode()
    body += b"\r\n"
    u = urllib.parse.urlsplit(r.url); h = http.client.HTTPConnection(u.netloc); h.request("PUT", u.path, body, dict(r.headers)); a = h.getresponse()
    text = a.read().decode()
    return a.status if a.status == 200 else text[text.find("<Code>") + 6:text.find("</Code>")]
trailer = "rosUhgp5mIg="
want("signed chunks", send("chunks", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", [b"a" * 65536, b"b" * 10], {}, "right"), 200)
want("their bytes", s.get_object(Bucket=B, Key="chunks")["Body"].read(), b"a" * 65536 + b"b" * 10)
want("no encoding is left", "ContentEncoding" in s.head_object(Bucket=B, Key="chunks"), False)
want("wrongly signed chunks", send("wrong", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", [b"abc"], {}, "wrong"), "SignatureDoesNotMatch")
want("trailer", send("trailer", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", [b"12345", b"6789"], {"X-Amz-Trailer": "x-amz-checksum-crc64nvme"}, ""), 200)
want("its checksum", s.get_object(Bucket=B, Key="trailer", ChecksumMode="ENABLED")["ChecksumCRC64NVME"], trailer)
trailer = "AAAAAAAAAAA="
want("wrong trailer", send("wrong", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", [b"12345"], {"X-Amz-Trailer": "x-amz-checksum-crc64nvme"}, ""), "BadDigest")
want("nothing of those", code(s.head_object, Bucket=B, Key="wrong"), "404 404")
d = s.delete_objects(Bucket=B, Delete={"Objects": [{"Key": "d/0/x"}, {"Key": "none"}]}); want("deleted", sorted(x["Key"] for x in d["Deleted"]), ["d/0/x", "none"])
print("end")
`

// TestBuckets takes buckets and objects through their life, by boto3 and by the aws CLI, over a restart, and from another
// account by a bucket's policy.
func TestBuckets(t *testing.T) {
	t.Parallel()
	tr := Start(t)
	if got := strings.TrimSpace(tr.Python(t, "", bucketProgram)); got != "end" {
		t.Errorf("boto3:\n%s", got)
	}
	dir := t.TempDir()
	big := make([]byte, 9<<20)
	if _, err := rand.Read(big); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "big"), big, 0o600); err != nil {
		t.Fatal(err)
	}
	aws := func(args ...string) string {
		t.Helper()
		cmd := exec.Command(filepath.Join(awsPath(t), "aws"), append([]string{"s3"}, args...)...)
		cmd.Env, cmd.Dir = tr.environment(t, ""), dir
		return output(t, cmd)
	}
	aws("mb", "s3://by-cli")
	aws("cp", "big", "s3://by-cli/dir/big")
	aws("cp", "s3://by-cli/dir/big", "back")
	if back, err := os.ReadFile(filepath.Join(dir, "back")); err != nil || string(back) != string(big) {
		t.Errorf("what came back is not what was sent: %d bytes, %v", len(back), err)
	}
	if got := aws("ls", "s3://by-cli"); !strings.Contains(got, "PRE dir/") {
		t.Errorf("ls: %s", got)
	}
	if got := aws("ls", "--recursive", "s3://by-cli"); !strings.Contains(got, "9437184 dir/big") {
		t.Errorf("ls: %s", got)
	}
	aws("rb", "--force", "s3://by-cli")
	if got := aws("ls"); strings.Contains(got, "by-cli") || !strings.Contains(got, "orders-logs") {
		t.Errorf("buckets: %s", got)
	}
}
