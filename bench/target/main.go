// Command target is the cheapest target there is for a comparison: one thread that polls, a small answer, bodies of
// a wanted size (…/blob/SIZE) and a place to upload to. It stands in for applications, whose own cost is not what is
// compared, so it speaks as much HTTP/1.1 as the proxies of a comparison send. Who begins with HTTP/2 is answered so, gRPC
// too, and who begins with TLS gets bytes without end.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"log"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/trellis-project/trellis/bench/socket"
	"github.com/trellis-project/trellis/http2"
)

// conn is one connection. Most have neither a body nor an answer left over.
type conn struct {
	in      []byte // what was read of a head
	body    int    // bytes of an upload still to come
	headed  bool   // the head of the request that is uploaded was read
	out     []byte // of the answer, still to be written
	closing bool   // after out
	http2   *session
	endless bool // gets as many bytes as it takes
}

// target is all connections and what they share.
type target struct {
	poll      *socket.Poll
	listeners map[int]bool
	conns     []*conn // by descriptor
	free      []*conn // to be used again: nothing is collected
	scratch   []byte
	small     []byte
	closing   []byte         // small, with Connection: close
	blobs     map[int][]byte // answers by the size of their body
	pool      http2.Pool
	replies   []*reply // to be used again
}

// main reads the flags: addresses to listen on are the arguments.
func main() {
	flag.Parse()
	log.SetFlags(0)
	log.SetPrefix("target: ")
	if err := run(flag.Args()); err != nil {
		log.Fatal(err)
	}
}

// run answers until it is killed.
func run(addrs []string) error {
	if err := socket.Own(); err != nil {
		return err
	}
	poll, err := socket.NewPoll()
	if err != nil {
		return err
	}
	t := &target{poll: poll, listeners: map[int]bool{}, scratch: make([]byte, 256<<10), blobs: map[int][]byte{}}
	t.small = answer("", []byte(`{"order":12345,"ok":true}`+"\n"))
	t.closing = answer("Connection: close\r\n", []byte(`{"order":12345,"ok":true}`+"\n"))
	for _, addr := range addrs {
		fd, err := socket.Listen(addr)
		if err != nil {
			return err
		}
		t.listeners[fd] = true
		if err := poll.Add(fd); err != nil {
			return fmt.Errorf("poll: %w", err)
		}
	}
	for {
		ready, err := poll.Wait(-1)
		if err != nil {
			return err
		}
		for _, e := range ready {
			fd := int(e.Fd)
			if fd < len(t.conns) && t.conns[fd] != nil {
				if !t.serve(fd, t.conns[fd]) {
					t.end(fd)
				}
			} else if t.listeners[fd] {
				t.accept(fd)
			}
		}
	}
}

// answer is an answer with a body.
func answer(fields string, body []byte) []byte {
	return append(fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n", fields, len(body)), body...)
}

// accept takes all connections that wait.
func (t *target) accept(listener int) {
	for {
		fd, ok := socket.Accept(listener)
		if !ok {
			return
		}
		for len(t.conns) <= fd {
			t.conns = append(t.conns, nil)
		}
		if t.poll.Add(fd) != nil {
			unix.Close(fd)
			continue
		}
		if last := len(t.free) - 1; last >= 0 {
			t.conns[fd], t.free = t.free[last], t.free[:last]
		} else {
			t.conns[fd] = &conn{in: make([]byte, 0, 4096)}
		}
	}
}

// end closes a connection.
func (t *target) end(fd int) {
	c := t.conns[fd]
	*c = conn{in: c.in[:0]}
	t.free, t.conns[fd] = append(t.free, c), nil
	unix.Close(fd)
}

// serve reads and answers what there is. It returns false when the connection is over.
func (t *target) serve(fd int, c *conn) bool {
	switch {
	case c.http2 != nil:
		return c.http2.serve()
	case c.endless:
		return t.pour(fd)
	case len(c.out) > 0:
		return t.flush(fd, c)
	}
	to := t.scratch
	if !c.headed {
		to = c.in[len(c.in):cap(c.in)]
		if len(to) == 0 {
			log.Printf("a head of more than %d bytes", cap(c.in))
			return false
		}
	}
	n, errno := socket.Read(fd, to)
	if errno != 0 {
		return errno == unix.EAGAIN
	}
	if n == 0 {
		return false
	}
	if c.headed {
		c.body -= n
		return c.body > 0 || t.respond(fd, c, t.small)
	}
	c.in = c.in[:len(c.in)+n]
	switch {
	case c.in[0] == recordHandshake:
		c.endless = true
		return t.poll.AwaitRoom(fd, true) == nil
	case bytes.HasPrefix(c.in, []byte("PRI")):
		return t.begin(fd, c, c.in)
	}
	end := bytes.Index(c.in, []byte("\r\n\r\n"))
	if end < 0 {
		return true
	}
	head, rest := c.in[:end+2], len(c.in)-end-4
	if head[0] == 'P' {
		length := field(head, "\r\ncontent-length: ")
		if length < 0 {
			log.Printf("an upload without a length:\n%s", head)
			return false
		}
		if c.headed, c.body = true, length-rest; c.body > 0 {
			return true
		}
	}
	return t.respond(fd, c, t.choose(head, c))
}

// choose is the answer to the request of a head.
func (t *target) choose(head []byte, c *conn) []byte {
	line, _, _ := bytes.Cut(head, []byte("\r\n"))
	if i := bytes.Index(line, []byte("/blob/")); i >= 0 {
		return t.blob(number(line[i+len("/blob/"):]))
	}
	if field(head, "\r\nconnection: close") != -1 {
		c.closing = true
		return t.closing
	}
	return t.small
}

// blob is an answer with a large body, the same one every time.
func (t *target) blob(size int) []byte {
	if t.blobs[size] == nil {
		t.blobs[size] = answer("", bytes.Repeat([]byte("x"), size))
	}
	return t.blobs[size]
}

// respond answers, and makes the connection ready for the next request.
func (t *target) respond(fd int, c *conn, a []byte) bool {
	c.in, c.headed, c.body = c.in[:0], false, 0
	n, errno := socket.Write(fd, a)
	if errno != 0 && errno != unix.EAGAIN {
		return false
	}
	if errno == unix.EAGAIN {
		n = 0
	}
	if n < len(a) {
		c.out = a[n:]
		return t.poll.AwaitRoom(fd, true) == nil
	}
	return !c.closing
}

// flush writes more of an answer.
func (t *target) flush(fd int, c *conn) bool {
	n, errno := socket.Write(fd, c.out)
	if errno != 0 {
		return errno == unix.EAGAIN
	}
	if c.out = c.out[n:]; len(c.out) > 0 {
		return true
	}
	c.out = nil
	return t.poll.AwaitRoom(fd, false) == nil && !c.closing
}

// recordHandshake is the first byte of TLS (RFC 8446 5.1).
const recordHandshake = 22

// pour sends bytes until there is no room for more. The target needs no key to do so: who passes TLS through reads nothing
// but the ClientHello.
func (t *target) pour(fd int) bool {
	for {
		if _, errno := socket.Write(fd, t.scratch); errno != 0 {
			return errno == unix.EAGAIN
		}
	}
}

// field finds a field by its beginning, in lower case, and returns the number that follows: 0 when none does, -1
// when the field is missing.
func field(head []byte, begin string) int {
	for i := 0; i+len(begin) <= len(head); i++ {
		if head[i] == '\r' && equalFold(head[i:i+len(begin)], begin) {
			return number(head[i+len(begin):])
		}
	}
	return -1
}

// equalFold compares with text in lower case.
func equalFold(b []byte, lower string) bool {
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// number is the decimal number that b begins with.
func number(b []byte) int {
	i := 0
	for i < len(b) && '0' <= b[i] && b[i] <= '9' {
		i++
	}
	n, _ := strconv.Atoi(string(b[:i]))
	return n
}
