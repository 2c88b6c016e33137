package dataplane

import (
	"errors"
	"io"
	"time"

	"github.com/trellis-project/trellis/http1"
	"github.com/trellis-project/trellis/targetgroup"
)

// maxTargets is how many targets are tried when connecting fails: nothing has been sent to any of them then.
const maxTargets = 3

// maxInterim bounds the 1xx answers before the final one.
const maxInterim = 20

// forward sends the request to a target of the group and the answer to the client.
func (x *exchange) forward() {
	out := x.appendRequest(x.out[:0])
	if x.held {
		out = append(out, x.signed...)
	} else if !x.body.Done() {
		p := x.in[x.inPos:x.inEnd]
		keep, used, err := x.body.Next(p, false)
		if err != nil {
			x.c.last, x.unread = true, true
			x.answer(statusOf(err), failClientProtocol)
			return
		}
		out = append(out, p[:keep]...)
		x.inPos += used
	}
	x.out = out

	t, err := x.connect(out)
	if err != nil {
		x.answer(503, failTargetConnection)
		return
	}
	if !x.body.Done() {
		x.startUpload(t)
	} else {
		x.rec.RequestToTarget = time.Since(x.start)
	}
	reuse := x.relay(t)
	x.joinUpload(earlyAnswer)
	if t, clean := x.c.takeTarget(); reuse && clean && x.sent.reason == failNone {
		t.Target.Put(t)
	} else {
		t.Close()
	}
}

// errNoTarget says that no target could be connected to.
var errNoTarget = errors.New("no target could be connected to")

// connect finds a target that takes the head. Another target is tried when connecting failed, or when a waiting
// connection turned out to be closed before a byte was sent; never after.
func (x *exchange) connect(head []byte) (*targetgroup.Conn, error) {
	var last *targetgroup.Target
	for range maxTargets {
		target := x.group.Pick()
		for range len(x.group.Targets) {
			if target != last {
				break
			}
			target = x.group.Pick()
		}
		if target == nil {
			return nil, errNoTarget
		}
		x.rec.Target = target.Addr
		t, reused, err := target.Get(x.c.l.ctx)
		if err != nil {
			if target == last {
				return nil, err // it is the only one
			}
			last = target
			continue
		}
		x.c.setTarget(t)
		x.c.arm(writeTarget, x.idle)
		n, err := t.Write(head)
		x.c.rest(writeTarget)
		if err == nil || n > 0 || !reused {
			return t, nil // a write that failed shows when the answer is read
		}
		x.c.takeTarget()
		t.Close()
	}
	return nil, errNoTarget
}

// relay reads the target's answer and passes it on. It returns whether the target's connection is between two
// messages afterwards.
func (x *exchange) relay(t *targetgroup.Conn) (reuse bool) {
	n, head, ok := x.readHead(t)
	if !ok {
		return false
	}
	c, h := x.c, &x.resp
	x.rec.ResponseCode = h.Status
	x.respBody.Start(h)
	contentOnly := h.Framing == http1.Chunked && x.req.Minor == 0
	if x.respBody.UntilClose() || contentOnly || x.req.Minor == 0 {
		c.last = true
	}
	if c.l.draining.Load() {
		c.last = true
	}

	// The head goes out with as much of the body as came along.
	p := x.rb[head:n]
	keep, used, err := x.respBody.Next(p, contentOnly)
	if err != nil {
		x.targetFailed(502, failTargetProtocol)
		return false
	}
	out := append(x.appendResponse(x.out[:0]), p[:keep]...)
	x.out = out
	if err := c.write(out, x.idle); err != nil {
		x.clientGone()
		return false
	}
	rest := p[used:]
	if x.respBody.Done() {
		return len(rest) == 0 && !h.Close // bytes after the answer are no answer to anything
	}
	return x.stream(t, rest, contentOnly) && !h.Close
}

// readHead reads the head of the final answer into rb, passing interim ones on. It returns how many bytes are
// in rb and how many of them are the head. When it fails, it has answered.
func (x *exchange) readHead(t *targetgroup.Conn) (n, head int, ok bool) {
	c := x.c
	x.resp.Reset()
	for interim := 0; ; {
		if n > 0 {
			var err error
			head, err = http1.ParseResponse(x.rb[:n], &x.resp, x.req.Method == "HEAD")
			if err == nil && head > 0 && x.resp.Status < 200 {
				if interim++; interim > maxInterim {
					err = http1.ErrStatusLine
				} else if err := x.interim(); err != nil {
					x.clientGone()
					return 0, 0, false
				}
				if err == nil {
					n = copy(x.rb, x.rb[head:n])
					x.resp.Reset()
					continue
				}
			}
			if err != nil {
				x.targetFailed(502, failTargetProtocol)
				return 0, 0, false
			}
			if head > 0 {
				return n, head, true
			}
		}
		if n == len(x.rb) {
			x.growRB()
		}
		c.arm(readTarget, x.idle)
		m, err := t.Read(x.rb[n:])
		c.rest(readTarget)
		if x.answered.IsZero() && m > 0 {
			x.answered = time.Now()
		}
		n += m
		if m == 0 && err != nil {
			switch {
			case c.outlived.Load():
				x.targetFailed(0, failTooLong)
			case c.late(readTarget):
				x.targetFailed(500, failTargetTimeout)
			default:
				x.targetFailed(502, failTargetClosed)
			}
			return 0, 0, false
		}
	}
}

// interim passes a 1xx answer on to a client that can understand it. 100 goes only to who asked for it.
func (x *exchange) interim() error {
	if x.req.Minor == 0 || x.resp.Status == 100 && (!x.req.Continue || x.held) {
		return nil
	}
	x.out = x.appendInterim(x.out[:0])
	return x.c.write(x.out, x.idle)
}

// targetFailed answers for a target whose answer did not come or is not one. If the upload has failed on the
// client's side, that is the reason.
func (x *exchange) targetFailed(status int, reason string) {
	wasUploading := x.uploading
	x.joinUpload(earlyAnswer)
	if wasUploading && x.sent.status != 0 && x.sent.reason != failTargetClosed {
		status, reason = x.sent.status, x.sent.reason
	}
	if status == 0 {
		x.rec.FailureReason = reason
		x.c.abort()
		x.c.last = true
		return
	}
	x.answer(status, reason)
}

// stream passes on the rest of an answer's body. It returns whether the body ended as it should, with nothing
// after it.
func (x *exchange) stream(t *targetgroup.Conn, rest []byte, contentOnly bool) bool {
	c := x.c
	b := bigs.Get().(*[]byte)
	defer bigs.Put(b)
	buf := *b
	n := copy(buf, rest)
	for {
		c.arm(readTarget, x.idle)
		m, err := t.Read(buf[n:])
		c.rest(readTarget)
		n += m
		if m > 0 {
			keep, used, berr := x.respBody.Next(buf[:n], contentOnly)
			if keep > 0 {
				if c.write(buf[:keep], x.idle) != nil {
					x.clientGone()
					return false
				}
			}
			if berr != nil {
				x.cutShort(failTargetProtocol)
				return false
			}
			n = copy(buf, buf[used:n])
			if x.respBody.Done() {
				return n == 0
			}
			continue
		}
		if err == nil {
			continue
		}
		switch {
		case errors.Is(err, io.EOF) && x.respBody.UntilClose():
			return false
		case c.outlived.Load():
			x.cutShort(failTooLong)
		case c.late(readTarget):
			x.cutShort(failTargetTimeout)
		default:
			x.cutShort(failTargetClosed)
		}
		return false
	}
}

// cutShort ends an answer that cannot be completed, so that the client sees it.
func (x *exchange) cutShort(reason string) {
	x.rec.FailureReason = reason
	x.c.last = true
	x.c.abort()
}

// clientGone notes that the client takes no more.
func (x *exchange) clientGone() {
	x.rec.FailureReason = failClientClosed
	if x.c.outlived.Load() {
		x.rec.FailureReason = failTooLong
	}
	x.c.last = true
	x.c.abort()
}

// growRB moves what came from the target to a big buffer.
func (x *exchange) growRB() {
	if len(x.rb) >= bigBuffer {
		return // cannot be: a head of this size is refused before
	}
	b := make([]byte, bigBuffer) // stays with the exchange
	copy(b, x.rb)
	x.rb = b
}
