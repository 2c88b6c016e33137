# A TCP server at a port: sends back what comes, and ends when the client has.
import socket, sys, threading

def serve(c):
    with c:
        while data := c.recv(1 << 16):
            c.sendall(data)
        c.shutdown(socket.SHUT_WR)

def echo(c):
    try:
        serve(c)
    except OSError:
        pass

server = socket.create_server(("", int(sys.argv[1])), backlog=4096)
while True:
    threading.Thread(target=echo, args=(server.accept()[0],), daemon=True).start()
