package dataplane

import (
	"time"

	"github.com/trellis-project/trellis/targetgroup"
)

// uploadResult is how sending a body to a target ended.
type uploadResult struct {
	received int64
	took     time.Duration // from the request's start to the last byte sent
	status   int           // to answer, when the client is at fault
	reason   string        // failNone when the whole body was sent
}

// startUpload begins to send the rest of the body beside the reading of the answer, which may come early.
func (x *exchange) startUpload(t *targetgroup.Conn) {
	b := bigs.Get().(*[]byte)
	n := copy(*b, x.in[x.inPos:x.inEnd])
	x.inPos, x.uploading, x.uploaded = x.inEnd, true, make(chan uploadResult, 1)
	go x.upload(t, b, n)
}

// upload sends the body. The first n bytes of the buffer are of it already.
func (x *exchange) upload(t *targetgroup.Conn, b *[]byte, n int) {
	r := x.pump(t, *b, n)
	bigs.Put(b)
	if r.reason == failClientClosed || r.reason == failClientProtocol {
		t.Close() // the target must see that the body is cut short; this also ends the wait for its answer
	}
	x.uploaded <- r
}

// pump is upload's loop.
func (x *exchange) pump(t *targetgroup.Conn, buf []byte, n int) (r uploadResult) {
	c := x.c
	for {
		keep, used, err := x.body.Next(buf[:n], false)
		if keep > 0 {
			c.arm(writeTarget, x.idle)
			if _, err := t.Write(buf[:keep]); err != nil {
				r.reason = failTargetClosed
				return r
			}
			c.rest(writeTarget)
			c.prolong(readTarget, x.idle)
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
			r.took = time.Since(x.start)
			return r
		}
		c.arm(readClient, x.idle)
		m, err := c.nc.Read(buf[n:])
		c.rest(readClient)
		if m == 0 && err != nil {
			r.status, r.reason = 400, failClientClosed
			if c.late(readClient) {
				r.status, r.reason = 408, failClientProtocol
			}
			return r
		}
		n += m
		r.received += int64(m)
	}
}

// joinUpload waits for the upload to end, at most for the given time; then it ends it. Afterwards x.sent says
// how it went.
func (x *exchange) joinUpload(within time.Duration) {
	if !x.uploading {
		return
	}
	x.uploading = false
	select {
	case x.sent = <-x.uploaded:
	default:
		timer := time.NewTimer(within)
		select {
		case x.sent = <-x.uploaded:
			timer.Stop()
		case <-timer.C:
			x.c.nc.SetReadDeadline(long)
			x.c.mu.Lock()
			if x.c.target != nil {
				x.c.target.SetWriteDeadline(long)
			}
			x.c.mu.Unlock()
			x.sent = <-x.uploaded
			if x.sent.reason != failNone {
				x.sent.reason = failTargetClosed // neither side is to blame: the answer came first
			}
		}
	}
	x.rec.BytesReceived += x.sent.received
	x.rec.RequestToTarget = x.sent.took
	if x.sent.reason != failNone {
		x.c.last, x.unread = true, true
	}
}
