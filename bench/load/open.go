package main

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/trellis-project/trellis/bench/socket"
)

// grace is how long answers are waited for after the last request was due.
const grace = time.Second

// conn is one connection and the request on it.
type conn struct {
	fd   int
	due  int64 // when its request was due, in nanoseconds from the start
	busy bool
	n    int // bytes of the answer in buf
	buf  []byte
}

// sample is what became of one request.
type sample struct {
	due, took int64 // nanoseconds
	status    int   // 0: unanswered
}

// opened is a run of open: who waits, who doesn't, what was seen.
type opened struct {
	options
	poll       *socket.Poll
	conns      []*conn // by descriptor
	free       []*conn
	request    []byte
	seen       []sample
	reconnects int
	start      time.Time
}

// open makes requests when they are due.
func open(o options) error {
	poll, err := socket.NewPoll()
	if err != nil {
		return err
	}
	r := &opened{options: o, poll: poll, request: o.request(), seen: make([]sample, 0, int(o.rate*o.length.Seconds()*1.5)+1000)}
	for range o.connections {
		c := &conn{buf: make([]byte, 16<<10)}
		if err := r.connect(c); err != nil {
			return err
		}
		r.free = append(r.free, c)
	}
	r.start = time.Now()
	if err := r.loop(); err != nil {
		return err
	}
	if err := r.write(); err != nil {
		return err
	}
	return say(map[string]any{"requests": len(r.seen), "reconnects": r.reconnects, "start": r.start.UnixNano()})
}

// loop sends and receives until every request is answered or the grace is over.
func (r *opened) loop() error {
	random := rand.New(rand.NewPCG(1, uint64(r.rate))) // every contestant is asked at the same moments
	gap := 1e9 / r.rate
	end := r.length.Nanoseconds()
	due := int64(random.ExpFloat64() * gap)
	for {
		now := r.now()
		for ; due <= now && due < end && len(r.free) > 0; due += int64(random.ExpFloat64() * gap) {
			if err := r.send(due); err != nil {
				return err
			}
		}
		if due >= end && len(r.free) == r.connections || now > end+grace.Nanoseconds() {
			break
		}
		wait := max(due-r.now(), 0)
		if due >= end || len(r.free) == 0 {
			wait = 5e6
		}
		ready, err := r.poll.Wait(wait)
		if err != nil {
			return err
		}
		for _, e := range ready {
			if err := r.receive(r.conns[e.Fd]); err != nil {
				return err
			}
		}
	}
	// What is unanswered, and what was due and never sent, took until now at least.
	now := r.now()
	for _, c := range r.conns {
		if c != nil && c.busy {
			r.seen = append(r.seen, sample{c.due, now - c.due, 0})
		}
	}
	for ; due < end; due += int64(random.ExpFloat64() * gap) {
		r.seen = append(r.seen, sample{due, now - due, 0})
	}
	return nil
}

// now is the time since the start.
func (r *opened) now() int64 { return time.Since(r.start).Nanoseconds() }

// connect opens a connection, which is free.
func (r *opened) connect(c *conn) error {
	fd, err := socket.Connect(r.to)
	if err != nil {
		return err
	}
	for len(r.conns) <= fd {
		r.conns = append(r.conns, nil)
	}
	r.conns[fd] = c
	c.fd, c.busy, c.n = fd, false, 0
	return r.poll.Add(fd)
}

// send makes the request that was due on the connection that was used last.
func (r *opened) send(due int64) error {
	c := r.free[len(r.free)-1]
	r.free = r.free[:len(r.free)-1]
	c.due, c.busy, c.n = due, true, 0
	if n, errno := socket.Write(c.fd, r.request); errno != 0 || n < len(r.request) {
		return r.lost(c)
	}
	return nil
}

// receive reads of an answer.
func (r *opened) receive(c *conn) error {
	if c == nil {
		return nil // it was closed while this round was handled
	}
	n, errno := socket.Read(c.fd, c.buf[c.n:])
	if errno == unix.EAGAIN {
		return nil
	}
	if errno != 0 || n == 0 {
		return r.lost(c)
	}
	if !c.busy {
		return fmt.Errorf("an answer that nobody asked for: %q", c.buf[:n])
	}
	c.n += n
	status, whole, err := answer(c.buf[:c.n])
	if err != nil {
		return err
	}
	if whole {
		r.seen = append(r.seen, sample{c.due, r.now() - c.due, status})
		c.busy, c.n = false, 0
		r.free = append(r.free, c)
	}
	return nil
}

// lost replaces a connection that the proxy has closed. The request on it, if there was one, has no answer.
func (r *opened) lost(c *conn) error {
	r.reconnects++
	r.conns[c.fd] = nil
	unix.Close(c.fd)
	if c.busy {
		r.seen = append(r.seen, sample{c.due, r.now() - c.due, 0})
	} else {
		for i, f := range r.free {
			if f == c {
				r.free = append(r.free[:i], r.free[i+1:]...)
				break
			}
		}
	}
	if err := r.connect(c); err != nil {
		return err
	}
	r.free = append(r.free, c)
	return nil
}

// write writes the samples.
func (r *opened) write() error {
	if r.samples == "" {
		return nil
	}
	f, err := os.Create(r.samples)
	if err != nil {
		return fmt.Errorf("samples: %w", err)
	}
	w := bufio.NewWriter(f)
	for _, s := range r.seen {
		fmt.Fprintf(w, "%.1f %.1f %d\n", float64(s.due)/1e3, float64(s.took)/1e3, s.status)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("samples: %w", err)
	}
	return f.Close()
}
