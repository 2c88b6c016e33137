package dataplane

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// eager is a target that answers each request as soon as its head is there, and reads the body afterwards, as net/http
// has it. It notes what it was asked for.
type eager struct {
	ln   net.Listener
	mu   sync.Mutex
	seen []string // method, path and content of each request
	wg   sync.WaitGroup
}

// newEager starts an eager target, which gives every request the same answer.
func newEager(t *testing.T, answer string) *eager {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &eager{ln: ln}
	var conns []net.Conn
	e.wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			e.mu.Lock()
			conns = append(conns, c)
			e.mu.Unlock()
			e.wg.Go(func() {
				defer c.Close()
				for r := bufio.NewReader(c); ; {
					q, err := http.ReadRequest(r)
					if err != nil {
						return
					}
					io.WriteString(c, answer)
					body, err := io.ReadAll(q.Body)
					e.mu.Lock()
					e.seen = append(e.seen, fmt.Sprintf("%s %s %q", q.Method, q.RequestURI, body))
					e.mu.Unlock()
					if err != nil {
						return
					}
				}
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		e.mu.Lock()
		for _, c := range conns {
			c.Close()
		}
		e.mu.Unlock()
		e.wg.Wait()
	})
	return e
}

// TestEarlyAnswerAndMore checks what comes after an answer that came before the request was whole (RFC 9112 9.3, 9.5). The
// client goes on with a body that looks like a request, whole or cut short, and then sends one: the body is never taken for
// a request, neither here nor by the target, and another client's answer is its own.
func TestEarlyAnswerAndMore(t *testing.T) {
	const evil = "GET /smuggled HTTP/1.1\r\nHost: " + host + "\r\n\r\n"
	const length, chunked = "Content-Length: {n}\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n"
	const early = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly"
	for name, c := range map[string]struct{ fields, body, answer string }{
		"length":             {length, evil, early},
		"length, cut short":  {"Content-Length: 9{n}\r\n\r\n", evil, early},
		"refusal":            {length, evil, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 5\r\n\r\nearly"},
		"chunked":            {chunked, "{x}\r\n" + evil + "\r\n0\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nearly\r\n0\r\n\r\n"},
		"chunked, cut short": {chunked, "{x}\r\n" + evil, early},
		"chunked, bad end":   {chunked, "1\r\nx\r\n-1\r\n\r\n" + evil, early},
		"expectation":        {"Expect: 100-continue\r\n" + length, evil, "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 5\r\n\r\nearly"},
		"close":              {length, evil, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nearly"},
	} {
		t.Run(name, func(t *testing.T) {
			fill := strings.NewReplacer("{n}", strconv.Itoa(len(evil)), "{x}", strconv.FormatInt(int64(len(evil)), 16))
			e := newEager(t, c.answer)
			w := newWorld(t, e.ln.Addr().(*net.TCPAddr).AddrPort())
			w.serve(Options{})
			client := w.dial()
			defer client.Close()
			io.WriteString(client, "POST /a HTTP/1.1\r\nHost: "+host+"\r\n"+fill.Replace(c.fields))
			var got []byte
			for buf := make([]byte, 4096); !bytes.Contains(got, []byte("early")); {
				n, err := client.Read(buf)
				got = append(got, buf[:n]...)
				if err != nil {
					t.Fatalf("%q %v", got, err)
				}
			}
			io.WriteString(client, fill.Replace(c.body)+"GET /next HTTP/1.1\r\nHost: "+host+"\r\n\r\n")
			client.(*net.TCPConn).CloseWrite()
			rest, _ := io.ReadAll(client) // a reset is as good as an end
			other := string(w.exchangeBytes([]byte("GET /other HTTP/1.1\r\nHost: " + host + "\r\n\r\n")))
			if strings.Count(other, "HTTP/1.1 ") != 1 || strings.Count(other, "early") != 1 {
				t.Errorf("another client got %q", other)
			}
			if n := strings.Count(string(rest), "HTTP/1.1 "); n > 1 {
				t.Errorf("%d answers to one more request: %q", n, rest)
			}
			w.record(1)
			e.mu.Lock()
			defer e.mu.Unlock()
			for _, s := range e.seen {
				if strings.HasPrefix(s, "GET /smuggled") || strings.HasPrefix(s, "GET") && !strings.HasSuffix(s, ` ""`) ||
					strings.HasPrefix(s, "POST") && strings.Contains(s, "/next") && !strings.Contains(name, "cut short") {
					t.Errorf("the target saw %q", e.seen)
				}
			}
		})
	}
}
