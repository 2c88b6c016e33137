# A target on asyncio's streams: it closes connections that idle for a second.
import asyncio, os, urllib.parse, zlib

NAME = os.environ["SOAK_NAME"]
HOST, PORT = os.environ["SOAK_LISTEN"].rsplit(":", 1)


def pattern(nonce, size):
    out, have, i = [], 0, 0
    while have < size:
        line = b"%s %d\n" % (nonce.encode(), i)
        out.append(line)
        have += len(line)
        i += 1
    return b"".join(out)[:size]


async def body(reader, fields):
    if fields.get("transfer-encoding") == "chunked":
        while True:
            n = int((await reader.readline()).split(b";")[0], 16)
            if n == 0:
                while (await reader.readline()).strip():
                    pass
                return
            yield await reader.readexactly(n)
            await reader.readline()
    left = int(fields.get("content-length", 0))
    while left > 0:
        part = await reader.read(min(left, 65536))
        if not part:
            raise ConnectionError
        left -= len(part)
        yield part


async def serve(reader, writer):
    try:
        while True:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 1)
            lines = head.decode("latin1").split("\r\n")
            method, path, _ = lines[0].split(" ")
            fields = {n.lower(): v.strip() for n, _, v in (l.partition(":") for l in lines[1:] if l)}
            url = urllib.parse.urlsplit(path)
            q = dict(urllib.parse.parse_qsl(url.query))
            crc = n = 0
            async for part in body(reader, fields):
                crc, n = zlib.crc32(part, crc), n + len(part)
            answer = b"%08x %d\n" % (crc, n) if url.path == "/sum" else b"ok\n" if url.path == "/healthz" else pattern(q.get("n", ""), int(q.get("size", 0)))
            await asyncio.sleep(int(q.get("ms", 0)) / 1000)
            out = "HTTP/1.1 200 OK\r\nX-From: %s\r\nX-Nonce: %s\r\n" % (NAME, q.get("n", ""))
            if "close" in q:
                out += "Connection: close\r\n"
            if "chunked" in q:
                writer.write((out + "Transfer-Encoding: chunked\r\n\r\n").encode())
                for at in range(0, len(answer), 777):
                    part = answer[at : at + 777]
                    writer.write(b"%x\r\n%s\r\n" % (len(part), part))
                    await writer.drain()
                writer.write(b"0\r\n\r\n")
            else:
                writer.write((out + "Content-Length: %d\r\n\r\n" % len(answer)).encode())
                if method != "HEAD":
                    pieces = int(q.get("pieces", 1))
                    step = max(1, -(-len(answer) // pieces))
                    for at in range(0, len(answer), step):
                        writer.write(answer[at : at + step])
                        await writer.drain()
                        if pieces > 1:
                            await asyncio.sleep(0.02)
            await writer.drain()
            if "close" in q:
                break
    except (asyncio.TimeoutError, asyncio.IncompleteReadError, ConnectionError, ValueError):
        pass
    finally:
        writer.close()


async def main():
    server = await asyncio.start_server(serve, HOST or None, int(PORT), backlog=256)
    await server.serve_forever()


asyncio.run(main())
