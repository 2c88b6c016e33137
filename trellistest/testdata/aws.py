"""The unmodified aws CLI, loaded once: each command is a fork of this process that takes on the arguments, environment, folder
and files of who asks for it. Starting Python and loading the CLI costs more than most commands do."""
import array, gc, json, os, select, socket, sys

import awscli.clidriver

path = sys.argv[1]
loaded = os.environ["AWS_DATA_PATH"]  # where the CLI has its models: loading it sets that
awscli.clidriver.create_clidriver()  # loads what a command loads later
gc.collect()
gc.freeze()


def take(conn):
    """Reads a command: a line of JSON, with the three standard files in front."""
    fds = array.array("i")
    data, rights, _, _ = conn.recvmsg(1 << 16, socket.CMSG_SPACE(3 * fds.itemsize))
    for level, kind, value in rights:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(value)
    while not data.endswith(b"\n"):
        more = conn.recv(1 << 16)
        if not more:
            raise EOFError
        data += more
    return json.loads(data), fds


def run(conn):
    """Is the command."""
    command, fds = take(conn)
    for to, fd in enumerate(fds):
        os.dup2(fd, to)
        os.close(fd)
    os.chdir(command["dir"])
    os.environ.clear()
    os.environ.update({"AWS_DATA_PATH": loaded}, **dict(v.split("=", 1) for v in command["env"]))
    sys.argv = ["aws", *command["args"]]
    code = 1
    try:
        code = awscli.clidriver.main()
    except SystemExit as e:
        code = e.code or 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        conn.sendall(b"%d\n" % code)


listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
listener.bind(path)
listener.listen(64)
print("ready", flush=True)
while listener in select.select([listener, 0], [], [])[0]:  # until who has started it closes its input
    conn, _ = listener.accept()
    if os.fork() == 0:
        listener.close()
        try:
            run(conn)
        finally:
            os._exit(0)
    conn.close()
    try:
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass
    except ChildProcessError:
        pass
