"""Writes and reads messages with botocore, for botocore_test.go.

First it prints a line of JSON for every listed operation: a request with every member set, as botocore
serializes it. Then it reads lines that are answers and prints what botocore's parser makes of each.
Arguments: SERVICE/PROTOCOL=Operation,Operation...
"""

import base64
import datetime
import json
import sys

import botocore.awsrequest
import botocore.config
import botocore.parsers
import botocore.serialize
import botocore.session

DEPTH = 7
INSTANT = datetime.datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=datetime.timezone.utc)


def fill(shape, depth=0):
    """Returns a value with every member set, or None where shapes nest too deeply."""
    kind = shape.type_name
    if kind == "structure":
        if depth > DEPTH:
            return None
        value = {}
        for name, member in shape.members.items():
            sub = fill(member, depth + 1)
            if sub is not None:
                value[name] = sub
                if getattr(shape, "is_tagged_union", False):
                    break
        return value
    if kind == "list":
        items = [fill(shape.member, depth + 1), fill(shape.member, depth + 1)]
        return None if items[0] is None else items
    if kind == "map":
        sub = fill(shape.value, depth + 1)
        return None if sub is None else {"a key": sub, "another": sub}
    if kind == "string":
        return shape.enum[0] if shape.enum else "%s é&<>+ /%%" % shape.name
    if kind in ("integer", "long"):
        return 7
    if kind in ("float", "double"):
        return 1.5
    if kind == "boolean":
        return True
    if kind == "timestamp":
        return INSTANT
    if kind == "blob":
        return b"\x00\xff<>"
    raise ValueError(kind)


def plain(value):
    """Turns times and bytes into what JSON and the Go side have for them."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.") + "%03dZ" % (value.microsecond // 1000)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value


def main():
    """Serves the test as the module's text says."""
    session = botocore.session.get_session()
    clients = {}
    for argument in sys.argv[1:]:
        service, names = argument.split("=")
        protocol = service.split("/")[1]
        client = session.create_client(service.split("/")[0], region_name="eu-west-1", endpoint_url="http://localhost",
                                       aws_access_key_id="a", aws_secret_access_key="b",
                                       config=botocore.config.Config(parameter_validation=False))
        clients[service] = client
        serializer = botocore.serialize.create_serializer(protocol, False)
        for name in names.split(","):
            model = client.meta.service_model.operation_model(name)
            params = fill(model.input_shape) if model.input_shape else {}
            wire = serializer.serialize_to_request(params, model)
            prepared = botocore.awsrequest.AWSRequest(
                method=wire["method"], url="http://localhost" + wire["url_path"], data=wire["body"],
                headers=wire["headers"], params=wire["query_string"]).prepare()
            body = prepared.body or b""
            if isinstance(body, str):
                body = body.encode()
            print(json.dumps({"service": service, "operation": name, "method": prepared.method,
                              "url": prepared.url[len("http://localhost"):],
                              "headers": {k: v if isinstance(v, str) else v.decode() for k, v in prepared.headers.items()},
                              "body": base64.b64encode(body).decode(), "value": plain(params)}), flush=True)
    print(json.dumps({"service": ""}), flush=True)
    for line in sys.stdin:
        answer = json.loads(line)
        model = clients[answer["service"]].meta.service_model
        parser = botocore.parsers.create_parser(answer["service"].split("/")[1])
        shape = model.operation_model(answer["operation"]).output_shape
        parsed = parser.parse({"status_code": answer["status"], "headers": botocore.awsrequest.HeadersDict(answer["headers"]),
                               "body": base64.b64decode(answer["body"] or "")}, shape)
        parsed.pop("ResponseMetadata", None)
        print(json.dumps({"value": plain(parsed)}), flush=True)


main()
