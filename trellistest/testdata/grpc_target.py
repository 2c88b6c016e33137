# A target of gRPC with the methods of Go's: grpc_target.py PORT
import os, sys, threading
from concurrent import futures
import grpc

ended, lock = {}, threading.Lock()

def end(name):
    with lock:
        return ended.setdefault(name, threading.Event())

def echo(messages, call):
    said = dict(call.invocation_metadata())
    if "x-mine" in said:
        call.send_initial_metadata([("x-seen", said["x-mine"]), ("x-data-bin", said["x-data-bin"])])
        call.set_trailing_metadata([("x-end", said["x-mine"])])
    yield next(messages)

def sum_(messages, call):
    sizes = [len(m) for m in messages]
    yield f"{len(sizes)} messages, {sum(sizes)} bytes".encode()

def count(messages, call):
    n, size = map(int, next(messages).split())
    for _ in range(n):
        yield bytes(size)

def talk(messages, call):
    yield from messages

def wait(messages, call):
    name = next(messages)
    call.add_callback(end(name).set)
    end(name).wait()
    return
    yield

def has_ended(messages, call):
    end(next(messages)).wait()
    yield b"ended"

def fail(messages, call):
    call.abort(grpc.StatusCode.FAILED_PRECONDITION, "not now: 100 % of ü")
    yield

def exit_(messages, call):
    yield next(messages)
    next(messages)
    os._exit(0)

methods = {"Echo": echo, "Sum": sum_, "Count": count, "Talk": talk, "Wait": wait, "Sleep": wait, "Ended": has_ended, "Fail": fail, "Exit": exit_}

class Calls(grpc.GenericRpcHandler):
    def service(self, details):
        f = methods.get(details.method.removeprefix("/calls.Calls/"))
        return f and grpc.stream_stream_rpc_method_handler(f)

server = grpc.server(futures.ThreadPoolExecutor(64), handlers=[Calls()], options=[("grpc.max_receive_message_length", 8 << 20)])
server.add_insecure_port("0.0.0.0:" + sys.argv[1])
server.start()
server.wait_for_termination()
