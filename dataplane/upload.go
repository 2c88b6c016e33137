package dataplane

import (
	"errors"
	"time"
)

// uploadResult is how sending a body to a target ended.
type uploadResult struct {
	received int64
	took     time.Duration // from the request's start to the last byte sent
	status   int           // to answer, when the client is at fault
	reason   string        // failNone when the whole body was sent
	panicked bool          // and that is all that is known
}

// uploading is an exchange as the task of the fiber that sends its body, beside the one that reads the answer.
type uploading exchange

// startUpload begins to send the rest of the body beside the reading of the answer, which may come early.
func (x *exchange) startUpload() {
	x.uploading = true
	x.w.loop.Go((*uploading)(x))
}

// Run sends the body. It is a fiber's task.
func (u *uploading) Run() {
	x := (*exchange)(u)
	t := x.target
	defer func() {
		if p := recover(); p != nil {
			x.w.s.panicked(p)
			x.sent.panicked = true
			t.Close() // as below
		}
		x.uploaded.Set()
	}()
	x.sent = x.c.upload(t)
	if x.sent.reason == failClientClosed || x.sent.reason == failClientProtocol {
		t.Close() // the target must see that the body is cut short; this also ends the wait for its answer
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
	loop := x.w.loop
	if loop.Await(&x.uploaded, within) != nil {
		x.c.stopUpload(errAnswered)
		if x.target != nil {
			x.target.Interrupt(errAnswered)
		}
		loop.Await(&x.uploaded, time.Hour)
		x.c.stopUpload(nil)
		if x.sent.reason != failNone {
			x.sent.reason = failTargetClosed // neither side is to blame: the answer came first
		}
	}
	if x.sent.panicked {
		panic(errPanicked)
	}
	x.rec.BytesReceived += x.sent.received
	x.rec.RequestToTarget = x.sent.took
	if x.sent.reason != failNone {
		x.last, x.unread = true, true
	}
}
