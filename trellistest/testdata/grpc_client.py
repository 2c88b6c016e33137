# Makes all the calls of gRPC that Go's client makes, and prints how each ended.
import concurrent.futures, json, sys, threading, time
import grpc
address, root = sys.argv[1:3]
channel = grpc.secure_channel(address, grpc.ssl_channel_credentials(open(root, "rb").read()),
                              [("grpc.max_receive_message_length", 8 << 20)])
method = lambda kind, name: getattr(channel, kind)("/calls.Calls/" + name)
unary = lambda name, message=b"", timeout=20, **more: method("unary_unary", name)(message, timeout=timeout, **more)
words = lambda e: e.code().name

def try_unary():
    out, call = method("unary_unary", "Echo").with_call(b"hello", timeout=20, metadata=[("x-mine", "mine"), ("x-data-bin", b"\0\xff")])
    head, trailer = dict(call.initial_metadata()), dict(call.trailing_metadata())
    return f"{out.decode()}, seen {head['x-seen']}, end {trailer['x-end']}, data {head['x-data-bin'].hex()}"

def try_upload():
    return method("stream_unary", "Sum")((bytes(500) for _ in range(1000)), timeout=20).decode()

def try_download():
    sizes = [len(m) for m in method("unary_stream", "Count")(b"5000 100", timeout=20)]
    return f"{len(sizes)} messages, {sum(sizes)} bytes"

def try_talk():
    came = threading.Semaphore(1)
    def ask():
        for i in range(100):
            came.acquire()
            yield b"word %d" % i
    n = 0
    for out in method("stream_stream", "Talk")(ask(), timeout=20):
        n += out == b"word %d" % n
        came.release()
    return f"{n} answers"

def failure(call):
    try:
        call()
    except grpc.RpcError as e:
        return e
    return None

def try_deadline():
    e = failure(lambda: unary("Sleep", b"python deadline", timeout=0.3))
    return words(e) + " " + unary("Ended", b"python deadline").decode()

def try_cancel():
    call = method("unary_unary", "Wait").future(b"python cancel", timeout=20)
    threading.Timer(0.2, call.cancel).start()
    try:
        call.result()
    except grpc.FutureCancelledError:
        pass
    return words(call) + " " + unary("Ended", b"python cancel").decode()

def try_status():
    e = failure(lambda: unary("Fail"))
    return words(e) + " " + e.details()

def try_large():
    return f"{len(unary('Echo', bytes(4_000_000)))} bytes"

def try_many():
    calls = [method("unary_unary", "Echo").future(b"%d" % i, timeout=30) for i in range(500)]
    return f"{sum(c.result() == b'%d' % i for i, c in enumerate(calls))} answers"

def try_denied():
    e = failure(lambda: unary("Denied"))
    return words(e) + " " + e.details().partition("is ")[2].partition(" to")[0]

def try_nowhere():
    return words(failure(lambda: unary("Nowhere")))

def try_exit():
    came = threading.Semaphore(1)
    def ask():
        for _ in range(2):
            came.acquire()
            yield b"hello"
        came.acquire()
    answers = method("stream_stream", "Exit")(ask(), timeout=20)
    out = next(answers).decode()
    came.release()
    e = failure(lambda: next(answers))
    came.release()
    return f"{out} {words(e)} {words(failure(lambda: unary('Exit')))}"

got = {}
for name, f in [(n[4:], f) for n, f in list(globals().items()) if n.startswith("try_")]:
    try:
        got[name] = f()
    except Exception as e:
        got[name] = repr(e)
print(json.dumps(got))
