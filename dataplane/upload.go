package dataplane

import (
	"errors"
	"time"

	"github.com/trellis-project/trellis/reactor"
	"github.com/trellis-project/trellis/targetgroup"
)

// uploadResult is how sending a body to a target ended.
type uploadResult struct {
	received int64
	took     time.Duration // from the request's start to the last byte sent
	status   int           // to answer, when the client is at fault
	reason   string        // failNone when the whole body was sent
}

// uploading is an exchange as the task of the fiber that sends its body, beside the one that reads the answer.
type uploading exchange

// startUpload begins to send the rest of the body beside the reading of the answer, which may come early.
func (x *exchange) startUpload() {
	x.uploading = true
	x.c.w.loop.Go((*uploading)(x))
}

// Run sends the body. It is a fiber's task.
func (u *uploading) Run() {
	x := (*exchange)(u)
	t := x.c.target
	x.sent = x.pump(t)
	if x.sent.reason == failClientClosed || x.sent.reason == failClientProtocol {
		t.Close() // the target must see that the body is cut short; this also ends the wait for its answer
	}
	x.uploaded.Set()
}

// pump is Run's loop. A buffer is held only while there is something in it.
func (x *exchange) pump(t *targetgroup.Conn) (r uploadResult) {
	c := x.c
	loop := c.w.loop
	buf := loop.Buffer()
	defer func() { loop.Release(buf) }()
	n := copy(buf, x.in[x.inPos:x.inEnd])
	x.inPos = x.inEnd
	for {
		keep, used, err := x.body.Next(buf[:n], false)
		if keep > 0 {
			t.SetWriteDeadline(loop.Now() + x.idle)
			if _, err := t.Write(buf[:keep]); err != nil {
				r.reason = failTargetClosed
				return r
			}
			t.SetReadDeadline(loop.Now() + x.idle) // the answer is not late while the body is on its way
		}
		if err != nil {
			r.status, r.reason = statusOf(err), failClientProtocol
			return r
		}
		n = copy(buf, buf[used:n])
		if x.body.Done() {
			if n > 0 {
				x.ahead = append([]byte(nil), buf[:n]...)
				r.received -= int64(n)
			}
			r.took = loop.Refresh() - x.began
			return r
		}
		c.SetReadDeadline(loop.Now() + c.w.patience(x.idle))
		if n == 0 {
			loop.Release(buf)
			err = c.WaitRead()
			buf = loop.Buffer()
		}
		var m int
		if err == nil {
			m, err = c.Read(buf[n:])
		}
		if err != nil {
			r.status, r.reason = 400, failClientClosed
			if reactor.IsTimeout(err) {
				r.status, r.reason = 408, failClientProtocol
			}
			return r
		}
		n += m
		r.received += int64(m)
	}
}

// errAnswered ends the waits of an upload whose answer has come before its end.
var errAnswered = errors.New("the answer came before the end of the request")

// joinUpload waits for the upload to end, at most for the given time; then it ends it. Afterwards x.sent says
// how it went.
func (x *exchange) joinUpload(within time.Duration) {
	if !x.uploading {
		return
	}
	x.uploading = false
	c, loop := x.c, x.c.w.loop
	if loop.Await(&x.uploaded, within) != nil {
		c.Interrupt(errAnswered)
		if c.target != nil {
			c.target.Interrupt(errAnswered)
		}
		loop.Await(&x.uploaded, time.Hour)
		c.Interrupt(nil)
		if x.sent.reason != failNone {
			x.sent.reason = failTargetClosed // neither side is to blame: the answer came first
		}
	}
	x.rec.BytesReceived += x.sent.received
	x.rec.RequestToTarget = x.sent.took
	if x.sent.reason != failNone {
		c.last, x.unread = true, true
	}
}
