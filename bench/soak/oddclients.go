package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"time"
)

// oddCases are the ways in which a raw client misbehaves. Each gets a whole connection for itself.
var oddCases = []struct {
	name string
	do   func(*oddClient)
}{
	{"one-byte-writes", (*oddClient).oneByteWrites},
	{"slow-sender", (*oddClient).slowSender},
	{"slow-reader", (*oddClient).slowReader},
	{"pipeline", (*oddClient).pipeline},
	{"half-closed-client", (*oddClient).halfClose},
	{"idle-and-back", (*oddClient).idleAndBack},
	{"trailers", (*oddClient).trailers},
	{"reset-in-answer", (*oddClient).resetInAnswer},
	{"reset-at-once", (*oddClient).resetAtOnce},
	{"abort-upload", (*oddClient).abortUpload},
	{"bad-request", (*oddClient).badRequest},
	{"leave-early", (*oddClient).leaveEarly},
}

// oddClient is one misbehaving connection.
type oddClient struct {
	*net.TCPConn
	r    *bufio.Reader
	host string
	want string
	rng  *rand.Rand
	c    *call
}

// oddCall makes one odd call to a target of the service mix.
func oddCall(cfg *clientConfig, rng *rand.Rand) *call {
	odd := oddCases[rng.IntN(len(oddCases))]
	want := []string{"go", "node", "threads"}[rng.IntN(3)]
	for want != "go" && !contains(cfg.Wants, want) {
		want = "go"
	}
	c := stopwatch("odd", "mix", odd.name, want)
	defer func() { c.End = time.Now().UnixNano() }()
	host := cfg.Services["mix"]
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	nc, err := new(net.Dialer).DialContext(ctx, "tcp4", host+":80")
	if err != nil {
		c.fail(classify(err, false), "%v", err)
		return c
	}
	defer nc.Close()
	c.Born = time.Now().UnixNano()
	nc.SetDeadline(time.Now().Add(2 * callTimeout))
	o := &oddClient{TCPConn: nc.(*net.TCPConn), r: bufio.NewReader(nc), host: host, want: want, rng: rng, c: c}
	odd.do(o)
	if c.Text != "" || c.Status >= 400 {
		c.Text = fmt.Sprintf("%s→%s: %s", nc.LocalAddr(), nc.RemoteAddr(), c.Text)
	}
	return c
}

// contains tells whether a list has a text.
func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

// get is a request for a pattern, and its plan.
func (o *oddClient) get(size int64) (string, *plan) {
	p := &plan{method: http.MethodGet, nonce: nonce(o.rng), size: size, upload: -1, want: o.want}
	return fmt.Sprintf("GET /echo?n=%s&size=%d HTTP/1.1\r\nHost: %s\r\nx-want: %s\r\n\r\n", p.nonce, size, o.host, o.want), p
}

// post is the head of an upload, its body, and its plan.
func (o *oddClient) post(n int64) (head, body string, p *plan) {
	p = &plan{method: http.MethodPost, nonce: nonce(o.rng), size: -1, upload: n, want: o.want}
	b, _ := io.ReadAll(newPattern(p.nonce, n)) // a pattern does not fail
	return fmt.Sprintf("POST /sum?n=%s HTTP/1.1\r\nHost: %s\r\nx-want: %s\r\nContent-Length: %d\r\n\r\n", p.nonce, o.host, o.want, n), string(b), p
}

// send sends, and notes a failure.
func (o *oddClient) send(s string) bool {
	if _, err := io.WriteString(o.TCPConn, s); err != nil {
		o.c.fail(classify(err, false), "send: %v", err)
		return false
	}
	return true
}

// receive reads one answer and holds it against a plan.
func (o *oddClient) receive(p *plan) bool {
	res, err := http.ReadResponse(o.r, &http.Request{Method: p.method})
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	if err != nil {
		o.c.fail(classify(err, false), "read the head of %s: %v", p.nonce, err)
		return false
	}
	defer res.Body.Close()
	p.verify(o.c, res.StatusCode, res.Header.Get("X-From"), res.Header.Get("X-Nonce"), res.Body)
	if o.c.Text != "" {
		o.c.Text += ", request id " + res.Header.Get("X-Amzn-Requestid")
	}
	return o.c.Err == "" && o.c.Status == http.StatusOK
}

// oneByteWrites sends a request in as many packets as it has bytes.
func (o *oddClient) oneByteWrites() {
	o.SetNoDelay(true)
	req, p := o.get(500)
	for i := range req {
		if !o.send(req[i : i+1]) {
			return
		}
	}
	o.receive(p)
}

// slowSender takes two seconds for the head, within what Trellis allows, and as many for a body.
func (o *oddClient) slowSender() {
	head, body, p := o.post(2000)
	for _, part := range []string{head[:10], head[10:60], head[60:], body[:1], body[1:700], body[700:]} {
		if !o.send(part) {
			return
		}
		time.Sleep(600 * time.Millisecond)
	}
	o.receive(p)
}

// slowReader takes seconds to read an answer that fills all buffers in between.
func (o *oddClient) slowReader() {
	o.SetReadBuffer(16 << 10)
	req, p := o.get(1 << 20)
	if !o.send(req) {
		return
	}
	o.r = bufio.NewReader(slowly{o.TCPConn})
	o.receive(p)
}

// slowly reads 32 KiB each 50 ms.
type slowly struct{ io.Reader }

// Read waits and reads.
func (s slowly) Read(b []byte) (int, error) {
	time.Sleep(50 * time.Millisecond)
	return s.Reader.Read(b[:min(len(b), 32<<10)])
}

// pipeline sends five requests at once; the answers must come in order.
func (o *oddClient) pipeline() {
	var all strings.Builder
	var plans []*plan
	for range 5 {
		if o.rng.IntN(3) == 0 {
			head, body, p := o.post(o.rng.Int64N(3000))
			all.WriteString(head + body)
			plans = append(plans, p)
			continue
		}
		req, p := o.get(o.rng.Int64N(9000))
		all.WriteString(req)
		plans = append(plans, p)
	}
	if !o.send(all.String()) {
		return
	}
	for _, p := range plans {
		if !o.receive(p) {
			return
		}
	}
}

// halfClose ends its sending side after the request; the answer must come all the same.
func (o *oddClient) halfClose() {
	req, p := o.get(5000)
	if o.send(req) {
		o.CloseWrite()
		o.receive(p)
	}
}

// idleAndBack is silent for long between two requests of a connection.
func (o *oddClient) idleAndBack() {
	for i := range 2 {
		req, p := o.get(1000)
		if !o.send(req) || !o.receive(p) {
			return
		}
		if i == 0 {
			time.Sleep(time.Duration(4+o.rng.IntN(12)) * time.Second)
			o.c.Start, o.c.Status, o.c.From = time.Now().UnixNano(), 0, "" // the second one is what may meet a fault
		}
	}
}

// trailers sends a chunked body with extensions and trailers.
func (o *oddClient) trailers() {
	_, body, p := o.post(3000)
	var b strings.Builder
	fmt.Fprintf(&b, "POST /sum?n=%s HTTP/1.1\r\nHost: %s\r\nx-want: %s\r\nTransfer-Encoding: chunked\r\n\r\n", p.nonce, o.host, o.want)
	for len(body) > 0 {
		n := min(len(body), 1+o.rng.IntN(400))
		fmt.Fprintf(&b, "%x;e=\"f\"\r\n%s\r\n", n, body[:n])
		body = body[n:]
	}
	if o.send(b.String()+"0\r\nX-T: u\r\n\r\n") && o.receive(p) {
		req, p := o.get(10) // the connection must be between two messages
		if o.send(req) {
			o.receive(p)
		}
	}
}

// resetInAnswer goes away with a reset in the middle of an answer.
func (o *oddClient) resetInAnswer() {
	req, _ := o.get(2 << 20)
	if o.send(req) {
		io.CopyN(io.Discard, o.r, 1+o.rng.Int64N(1<<20))
		o.SetLinger(0)
	}
}

// resetAtOnce goes away with a reset right after the request.
func (o *oddClient) resetAtOnce() {
	req, _ := o.get(100)
	o.send(req)
	o.SetLinger(0)
}

// leaveEarly closes after the request, without waiting for the answer.
func (o *oddClient) leaveEarly() {
	req, _ := o.get(100000)
	o.send(req)
}

// abortUpload closes in the middle of its body.
func (o *oddClient) abortUpload() {
	head, body, _ := o.post(300000)
	o.send(head + body[:100000+o.rng.IntN(100000)])
	if o.rng.IntN(2) == 0 {
		o.SetLinger(0)
	}
}

// badRequests are refused by a status of 400 to 505, and never reach a target. HOST stands for the service's name.
var badRequests = []string{
	"GET / HTTP/1.1\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: HOST\r\nHost: HOST\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: HOST\r\nbad name: x\r\n\r\n",
	"GET  / HTTP/1.1\r\nHost: HOST\r\n\r\n",
	"POST /sum HTTP/1.1\r\nHost: HOST\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"POST /sum HTTP/1.1\r\nHost: HOST\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
	"POST /sum HTTP/1.1\r\nHost: HOST\r\nContent-Length: -1\r\n\r\n",
	"POST /sum HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: gzip\r\n\r\n",
	"GET / HTTP/3.7\r\nHost: HOST\r\n\r\n",
	"\x80\x2e\x01\x00\x02\x00\x15\x00\x00 this is SSL 2\r\n\r\n", // which begins as TLS does not
}

// badRequest sends one that must be refused, and nothing may come after the refusal.
func (o *oddClient) badRequest() {
	req := strings.ReplaceAll(badRequests[o.rng.IntN(len(badRequests))], "HOST", o.host)
	if !o.send(req) {
		return
	}
	res, err := http.ReadResponse(o.r, nil)
	if err != nil {
		o.c.fail(classify(err, false), "bad request %q: %v", req, err)
		return
	}
	o.c.Status, o.c.From, o.c.Text = res.StatusCode, res.Header.Get("X-From"), fmt.Sprintf("bad request %q", req)
	io.Copy(io.Discard, res.Body)
	if n, _ := io.Copy(io.Discard, o.r); n > 0 {
		o.c.fail(errWrong, "bad request %q: %d bytes after its answer", req, n)
	}
}
