# Calls operations by boto3: reads a line of JSON for each, with account, service, operation and input, and answers with a line,
# which has the output or the refusal. The arguments are the accounts' credentials.
import datetime, json, sys
import boto3, botocore
from botocore.exceptions import ClientError

sessions = {name: boto3.Session(*keys) for name, keys in json.loads(sys.argv[1]).items()}
clients = {}

def plain(v):
    if isinstance(v, dict):
        return {k: plain(e) for k, e in v.items() if k != "ResponseMetadata"}
    if isinstance(v, list):
        return [plain(e) for e in v]
    if isinstance(v, datetime.datetime):
        return v.isoformat()
    if isinstance(v, bytes):
        return v.decode()
    if hasattr(v, "read"):
        return v.read().decode()
    return v

def client(account, service):
    if (account, service) not in clients:
        clients[account, service] = sessions[account].client(service)
    return clients[account, service]

for line in sys.stdin:
    call = json.loads(line)
    try:
        c = client(call["account"], call["service"])
        method = botocore.xform_name(call["operation"])
        out = getattr(c, method)(**call["input"])
        answer = {"output": plain(out), "status": out["ResponseMetadata"]["HTTPStatusCode"]}
    except ClientError as e:
        r = e.response
        answer = {"code": r["Error"]["Code"], "message": r["Error"].get("Message", ""), "status": r["ResponseMetadata"]["HTTPStatusCode"]}
    except Exception as e:
        answer = {"error": repr(e)}
    print(json.dumps(answer), flush=True)
