# Asks a URL from many threads, half of them over kept connections, until standard input ends. As a correct client
# (RFC 9112 9.3.1) it sends a request again that failed on a used connection before a byte of its answer came, and
# nothing else. For each line of standard input it prints one when twice as many requests as there are threads have
# been answered since. In the end it prints how often each answer came, how many requests were sent again, and the longest wait for one.
import collections, http.client, json, sys, threading, time, urllib.parse
url, threads = urllib.parse.urlsplit(sys.argv[1]), int(sys.argv[2])
seen, again, slowest, stop, lock = collections.Counter(), 0, 0.0, threading.Event(), threading.Condition()
def ask(c):
    c.request("GET", url.path)
    r = c.getresponse()
    return f"{r.status} {r.read().decode().strip()}"
def work(kept):
    global again, slowest
    c = None
    while not stop.is_set():
        if c is None or not kept:
            c and c.close()
            c = http.client.HTTPConnection(url.netloc, timeout=30)
        used, began, repeated = c.sock is not None, time.monotonic(), 0
        try:
            try:
                answer = ask(c)
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                c.close()
                if not used:
                    raise
                repeated, answer = 1, ask(c)
        except Exception as e:
            answer = repr(e)
            c.close()
            time.sleep(0.05)
        with lock:
            seen[answer] += 1
            again += repeated
            slowest = max(slowest, time.monotonic() - began)
            lock.notify_all()
ts = [threading.Thread(target=work, args=(i % 2 == 0,)) for i in range(threads)]
[t.start() for t in ts]
print("started", flush=True)
for line in sys.stdin:
    with lock:
        enough = seen.total() + 2 * threads
        lock.wait_for(lambda: seen.total() >= enough)
    print("more", flush=True)
stop.set()
[t.join() for t in ts]
print(json.dumps({"seen": seen, "again": again, "slowest": slowest}))
