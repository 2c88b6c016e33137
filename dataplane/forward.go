package dataplane

import (
	"errors"
	"io"

	"golang.org/x/sys/unix"

	"github.com/trellis-project/trellis/http1"
	"github.com/trellis-project/trellis/reactor"
	"github.com/trellis-project/trellis/targetgroup"
)

// maxTargets is how many targets are tried when connecting fails: nothing has been sent to any of them then.
const maxTargets = 3

// maxInterim bounds the 1xx answers before the final one.
const maxInterim = 20

// forward sends the request to a target of the group and the answer to the client.
func (x *exchange) forward() {
	loop := x.w.loop
	first := x.signed // of the body: what is there already
	if !x.held && !x.c.bodyDone() {
		var err error
		if first, err = x.c.first(); err != nil {
			x.last, x.unread = true, true
			x.answer(statusOf(err), failClientProtocol)
			return
		}
	}
	t, err := x.connect(first)
	if err != nil {
		x.answer(503, failTargetConnection)
		return
	}
	if x.c.gone() { // while the target was connected to
		t.Interrupt(errClientGone)
	}
	if !x.c.bodyDone() {
		x.startUpload()
	} else {
		x.rec.RequestToTarget = loop.Now() - x.began
	}
	reuse := x.relay(t)
	x.joinUpload(earlyAnswer)
	x.target = nil
	if reuse && x.sent.reason == failNone {
		x.w.pool.Put(t)
	} else {
		t.Close()
	}
}

// errNoTarget says that no target could be connected to.
var errNoTarget = errors.New("no target could be connected to")

// connect finds a target that takes the head and the beginning of the body. Another target is tried when connecting
// failed, or when a waiting connection turned out to be closed before a byte was sent; never after.
func (x *exchange) connect(first []byte) (*targetgroup.Conn, error) {
	w := x.w
	var last *targetgroup.Target
	for range maxTargets {
		target := x.pickOther(last)
		if target == nil {
			return nil, errNoTarget
		}
		x.rec.Target = target.Addr
		t, reused, err := w.pool.Get(target)
		if errors.Is(err, unix.EMFILE) && w.makeRoom(nil, x.tenant.of) {
			t, reused, err = w.pool.Get(target)
		}
		if err != nil {
			if target == last {
				return nil, err // it is the only one
			}
			last = target
			continue
		}
		x.target = t
		n, err := x.send(t, first)
		if err == nil || n > 0 || !reused {
			return t, nil // a write that failed shows when the answer is read
		}
		x.target = nil
		t.Close()
	}
	return nil, errNoTarget
}

// pickOther picks a target, another one than the last if there is one. It is nil when there is none at all.
func (x *exchange) pickOther(last *targetgroup.Target) *targetgroup.Target {
	target := x.group.Pick()
	for range len(x.group.Targets) {
		if target != last {
			break
		}
		target = x.group.Pick()
	}
	return target
}

// send sends the head and the beginning of the body to a target.
func (x *exchange) send(t *targetgroup.Conn, first []byte) (int, error) {
	loop := x.w.loop
	b := loop.Buffer()
	defer loop.Release(b)
	t.SetWriteDeadline(loop.Now() + x.idle)
	return t.Write(append(x.appendRequest(b[:0]), first...))
}

// relay reads the target's answer and passes it on. It returns whether the target's connection is between two
// messages afterwards.
func (x *exchange) relay(t *targetgroup.Conn) (reuse bool) {
	loop := x.w.loop
	b, n, head, ok := x.readHead(t)
	if b != nil {
		defer func() { loop.Release(b) }()
	}
	if !ok {
		return false
	}
	h := x.resp
	if h.Status == 101 {
		x.switchProtocols(t, b[head:n])
		return false
	}
	x.rec.ResponseCode = h.Status
	x.respBody.Start(h)
	contentOnly := x.c.contentOnly()
	if x.version == 2 {
		x.respBody.KeepTrailers()
	}

	// The head goes out with as much of the body as came along.
	p := b[head:n]
	keep, used, err := x.respBody.Next(p, contentOnly)
	if err != nil {
		x.targetFailed(502, failTargetProtocol)
		return false
	}
	if err := x.c.head(p[:keep], x.respBody.Done()); err != nil {
		x.clientGone()
		return false
	}
	if x.respBody.Done() {
		return used == len(p) && !h.Close // bytes after the answer are no answer to anything
	}
	var whole bool
	b, whole = x.stream(t, b, copy(b, p[used:]), contentOnly)
	return whole && !h.Close
}

// readHead reads the head of the final answer into a buffer of the loop, passing interim ones on. It returns the
// buffer, which the caller releases unless it is nil, how many bytes are in it and how many of them are the head.
// When it fails, it has answered.
func (x *exchange) readHead(t *targetgroup.Conn) (b []byte, n, head int, ok bool) {
	loop := x.w.loop
	x.resp.Reset()
	x.resp.Switching = x.webSocket
	for interim := 0; ; {
		if n > 0 {
			var err error
			head, err = http1.ParseResponse(b[:n], x.resp, x.req.Method == "HEAD")
			if err == nil && head > 0 && x.resp.Status < 200 && x.resp.Status != 101 {
				if interim++; interim > maxInterim {
					err = http1.ErrStatusLine
				} else if err := x.c.interim(); err != nil {
					x.clientGone()
					return b, 0, 0, false
				}
				if err == nil {
					n = copy(b, b[head:n])
					x.resp.Reset()
					x.resp.Switching = x.webSocket
					continue
				}
			}
			if err != nil {
				x.targetFailed(502, failTargetProtocol)
				return b, 0, 0, false
			}
			if head > 0 {
				return b, n, head, true
			}
		}
		t.SetReadDeadline(loop.Now() + x.idle)
		var m int
		err := t.WaitRead()
		if err == nil {
			if b == nil {
				b = loop.Buffer()
			}
			m, err = t.Read(b[n:])
		}
		if err != nil {
			x.noAnswer(err)
			return b, 0, 0, false
		}
		if x.answered == 0 {
			x.answered = loop.Now()
		}
		n += m
	}
}

// noAnswer answers for a target of which no answer came.
func (x *exchange) noAnswer(err error) {
	switch {
	case x.outlived:
		x.targetFailed(0, failTooLong)
	case errors.Is(err, errClientGone):
		x.clientGone()
	case reactor.IsTimeout(err):
		x.targetFailed(500, failTargetTimeout)
	default:
		x.targetFailed(502, failTargetClosed)
	}
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
		x.last = true
		return
	}
	x.answer(status, reason)
}

// stream passes on the rest of an answer's body, of which n bytes are in the buffer. It returns a buffer to release,
// and whether the body ended as it should, with nothing after it.
func (x *exchange) stream(t *targetgroup.Conn, buf []byte, n int, contentOnly bool) ([]byte, bool) {
	loop := x.w.loop
	for {
		t.SetReadDeadline(loop.Now() + x.idle)
		var m int
		var err error
		if n == 0 { // no buffer is held while nothing comes
			loop.Release(buf)
			err = t.WaitRead()
			buf = loop.Buffer()
		}
		if err == nil {
			m, err = t.Read(buf[n:])
		}
		if err != nil {
			switch {
			case errors.Is(err, io.EOF) && x.respBody.UntilClose():
				if x.c.data(nil, true) != nil {
					x.clientGone()
				}
			case x.outlived:
				x.cutShort(failTooLong)
			case errors.Is(err, errClientGone):
				x.clientGone()
			case reactor.IsTimeout(err):
				x.cutShort(failTargetTimeout)
			default:
				x.cutShort(failTargetClosed)
			}
			return buf, false
		}
		n += m
		keep, used, err := x.respBody.Next(buf[:n], contentOnly)
		if (keep > 0 || x.respBody.Done()) && x.c.data(buf[:keep], err == nil && x.respBody.Done()) != nil {
			x.clientGone()
			return buf, false
		}
		if err != nil {
			x.cutShort(failTargetProtocol)
			return buf, false
		}
		n = copy(buf, buf[used:n])
		if x.respBody.Done() {
			return buf, n == 0
		}
	}
}

// cutShort ends an answer that cannot be completed by a reset: it must not look like one that ended (RFC 9112 8).
func (x *exchange) cutShort(reason string) {
	x.rec.FailureReason = reason
	x.last = true
	x.c.abort()
}

// clientGone notes that the client takes no more.
func (x *exchange) clientGone() {
	x.rec.FailureReason = failClientClosed
	if x.outlived {
		x.rec.FailureReason = failTooLong
	}
	x.last = true
	x.c.abort()
}
