"""A peer for TestOddPeers in Python: odd.py listen|connect ADDRESS PORT block|timeout|asyncio"""
import asyncio, errno, socket, struct, sys

role, address, port, style = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
family = socket.AF_INET6 if ":" in address else socket.AF_INET
LINGER = struct.pack("ii", 1, 0)


def say(text):
    print(text, flush=True)


def name(e):
    return errno.errorcode.get(e.errno, str(e)) if e.errno else type(e).__name__


def pattern(n):
    return bytes(i % 251 for i in range(n))


def total(h, b):
    for c in b:
        h = (h * 31 + c) & 0xFFFFFFFF
    return h


def rest(s):
    n = 0
    while True:
        try:
            b = s.recv(65536)
        except OSError as e:
            return f" {n} bytes, then {name(e)}"
        if not b:
            return f" {n} bytes, then end"
        n += len(b)


def line(s):
    b = b""
    while not b.endswith(b"\n"):
        c = s.recv(1)
        if not c:
            break
        b += c
    return b.decode()


def serve(s, first):
    s.settimeout(30 if style == "timeout" else None)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if first:
        line(s)
    s.sendall(b"ok\n")
    command, n = line(s).split()
    n, out = int(n), f"{command} {n}:"
    if command == "echo":
        got = 0
        while got < n:
            b = s.recv(65536)
            s.sendall(b)
            got += len(b)
        out += rest(s)
    elif command == "half":
        s.sendall(pattern(n))
        s.shutdown(socket.SHUT_WR)
        out += rest(s)
    elif command == "reset":
        s.sendall(pattern(n))
        s.recv(1)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
    elif command == "aborted":
        s.sendall(b"w")
        out += rest(s)
    elif command == "unread":
        s.recv(1)
    elif command == "slow":
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        got = h = 0
        while got < n:
            b = s.recv(512)
            if not b:
                break
            got, h = got + len(b), total(h, b)
        out += f" {got} bytes, sum {h}" + rest(s)
    elif command == "bytes":
        for i in range(n):
            s.sendall(bytes([i % 251]))
        out += rest(s)
    say(out)
    s.close()


async def arest(r):
    n = 0
    while True:
        try:
            b = await r.read(65536)
        except OSError as e:
            return f" {n} bytes, then {name(e)}"
        if not b:
            return f" {n} bytes, then end"
        n += len(b)


async def aserve(r, w, first):
    if first:
        await r.readline()
    w.write(b"ok\n")
    command, n = (await r.readline()).decode().split()
    n, out = int(n), f"{command} {n}:"
    if command == "echo":
        got = 0
        while got < n:
            b = await r.read(65536)
            w.write(b)
            await w.drain()
            got += len(b)
        out += await arest(r)
    elif command == "half":
        w.write(pattern(n))
        w.write_eof()
        out += await arest(r)
    elif command == "reset":
        w.write(pattern(n))
        await r.read(1)
        w.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
    elif command == "aborted":
        w.write(b"w")
        out += await arest(r)
    elif command == "unread":
        await r.read(1)
    elif command == "slow":
        got = h = 0
        while got < n:
            b = await r.read(512)
            if not b:
                break
            got, h = got + len(b), total(h, b)
        out += f" {got} bytes, sum {h}" + await arest(r)
    elif command == "bytes":
        for i in range(n):
            w.write(bytes([i % 251]))
            await w.drain()
        out += await arest(r)
    say(out)
    w.close()
    try:
        await w.wait_closed()
    except OSError:
        pass


async def amain():
    if role == "listen":
        server = await asyncio.start_server(lambda r, w: aserve(r, w, True), address, port)
        say("ready")
        await server.serve_forever()
    say("ready")
    while True:
        r, w = await asyncio.open_connection(address, port)
        await aserve(r, w, False)


def main():
    if style == "asyncio":
        return asyncio.run(amain())
    if role == "listen":
        ln = socket.create_server((address, port), family=family)
        say("ready")
        while True:
            serve(ln.accept()[0], True)
    say("ready")
    while True:
        serve(socket.create_connection((address, port), 30 if style == "timeout" else None), False)


try:
    main()
except (ConnectionRefusedError, KeyboardInterrupt):
    pass
