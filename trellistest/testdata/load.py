# Asks a URL from many threads, over kept and over fresh connections, until standard input ends; prints how
# often each answer came.
import collections, http.client, json, sys, threading, urllib.parse
url, threads = urllib.parse.urlsplit(sys.argv[1]), int(sys.argv[2])
seen, stop = collections.Counter(), threading.Event()
def work(fresh):
    c = None
    while not stop.is_set():
        if c is None or fresh:
            c = http.client.HTTPConnection(url.netloc, timeout=10)
        try:
            c.request("POST", url.path, body=b"hello")
            r = c.getresponse()
            seen[f"{r.status} {r.read().split(chr(10).encode())[0].decode()}"] += 1
        except Exception as e:
            seen[repr(e)] += 1
            c = None
ts = [threading.Thread(target=work, args=(i % 2 == 0,)) for i in range(threads)]
[t.start() for t in ts]
print("started", flush=True)
sys.stdin.read()
stop.set()
[t.join() for t in ts]
print(json.dumps(seen))
