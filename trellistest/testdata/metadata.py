"""Asks the instance metadata for what SDKs ask, by IPv4 and IPv6, and prints what is answered as JSON."""
import json
import sys

import botocore.session
import requests
from botocore.utils import InstanceMetadataRegionFetcher

out = {"region": InstanceMetadataRegionFetcher().retrieve_region()}
for mode, base in (("IPv4", "http://169.254.169.254"), ("IPv6", "http://[fd00:ec2::254]")):
    session = botocore.session.Session()
    session.set_config_variable("ec2_metadata_service_endpoint_mode", mode)
    credentials = session.get_credentials()
    out[mode] = {"method": credentials.method, "caller": session.create_client("sts", region_name=out["region"]).get_caller_identity()["Arn"]}
    token = requests.put(base + "/latest/api/token", headers={"X-aws-ec2-metadata-token-ttl-seconds": "60"})
    held = {"X-aws-ec2-metadata-token": token.text}
    for path in sys.argv[1:]:
        answer = requests.get(base + path, headers=held)
        out[mode][path] = [answer.status_code, answer.text if answer.ok else ""]
base = "http://169.254.169.254/latest/"
for name, answer in {
    "no token": requests.get(base + "meta-data/"),
    "made-up token": requests.get(base + "meta-data/", headers={"X-aws-ec2-metadata-token": "AAAA"}),
    "no ttl": requests.put(base + "api/token"),
    "long ttl": requests.put(base + "api/token", headers={"X-aws-ec2-metadata-token-ttl-seconds": "21601"}),
    "forwarded": requests.put(base + "api/token", headers={"X-aws-ec2-metadata-token-ttl-seconds": "60", "X-Forwarded-For": "10.0.0.1"}),
    "get token": requests.get(base + "api/token"),
    "post": requests.post(base + "meta-data/", headers=held),
    "nothing": requests.get(base + "meta-data/spot/instance-action", headers=held),
}.items():
    out[name] = [answer.status_code, answer.text.split("<h1>")[-1].split("</h1>")[0]]
print(json.dumps(out))
