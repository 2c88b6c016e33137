# Calls operations by boto3: reads a line of JSON for each, with number, account, service, operation and input, and answers with a line,
# which has the number and the output or the refusal. Calls run at once. The argument is the accounts' credentials.
import base64, concurrent.futures, datetime, json, sys, threading
import boto3, botocore
from botocore.exceptions import ClientError
from botocore.handlers import base64_encode_user_data

sessions = {name: boto3.Session(*keys) for name, keys in json.loads(sys.argv[1]).items()}
clients, lock = {}, threading.Lock()

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

def filled(v):
    if isinstance(v, dict):
        return base64.b64decode(v["$base64"]) if "$base64" in v else {k: filled(e) for k, e in v.items()}
    return [filled(e) for e in v] if isinstance(v, list) else v

def client(account, service):
    with lock:
        if (account, service) not in clients:
            made = clients[account, service] = sessions[account].client(service)
            made.meta.events.unregister("before-parameter-build.ec2.RunInstances", base64_encode_user_data)  # data has it in base64, as Go's SDK wants it
        return clients[account, service]

def answer(call):
    try:
        method = getattr(client(call["account"], call["service"]), botocore.xform_name(call["operation"]))
        out = method(**filled(call["input"]))
        said = {"output": plain(out), "status": out["ResponseMetadata"]["HTTPStatusCode"]}
    except ClientError as e:
        r = e.response
        said = {"code": r["Error"]["Code"], "message": r["Error"].get("Message", ""), "status": r["ResponseMetadata"]["HTTPStatusCode"]}
    except Exception as e:
        said = {"error": repr(e)}
    line = json.dumps(said | {"number": call["number"]}) + "\n"
    with lock:
        sys.stdout.write(line)
        sys.stdout.flush()

with concurrent.futures.ThreadPoolExecutor(16) as pool:
    for line in sys.stdin:
        pool.submit(answer, json.loads(line))
