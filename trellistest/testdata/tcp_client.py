# A TCP client of tcp_echo.py: tcp_client.py HOST PORT once|large|many|stay. It prints "ok" or what went wrong.
import hashlib, socket, sys, threading

host, port, what = sys.argv[1], int(sys.argv[2]), sys.argv[3]

def connect():
    c = socket.socket(socket.AF_INET)
    c.settimeout(2)
    c.connect((host, port))
    return c

def talk(c, text):
    c.settimeout(20)
    c.sendall(text)
    c.shutdown(socket.SHUT_WR)
    got = b""
    while data := c.recv(1 << 16):
        got += data
    assert got == text, got[:100]

def once():
    with connect() as c:
        talk(c, b"hello")

def large():  # 100 MB both ways at the same time, then the client's end before the server's
    block, n = bytes(range(256)) * 4096, 100
    sent, got = hashlib.sha256(), hashlib.sha256()
    with connect() as c:
        c.settimeout(60)
        def send():
            for i in range(n):
                c.sendall(block)
                sent.update(block)
            c.shutdown(socket.SHUT_WR)
        t = threading.Thread(target=send)
        t.start()
        while data := c.recv(1 << 16):
            got.update(data)
        t.join()
    assert got.digest() == sent.digest(), "what came back is something else"

def many():
    conns = [connect() for _ in range(1000)]
    for i, c in enumerate(conns):
        with c:
            talk(c, b"hello %d" % i)

def stay():  # keeps a connection, and uses it for each line that it reads
    with connect() as c:
        c.settimeout(20)
        print("connected", flush=True)
        for line in sys.stdin:
            c.sendall(line.encode())
            print(c.recv(1 << 16).decode() or "ended\n", end="", flush=True)

try:
    {"once": once, "large": large, "many": many, "stay": stay}[what]()
    print("ok")
except OSError as e:
    print("timed out" if isinstance(e, TimeoutError) else e)
