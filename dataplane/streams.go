package dataplane

import (
	"errors"
	"io"

	"golang.org/x/sys/unix"

	"github.com/trellis-project/trellis/http1"
	"github.com/trellis-project/trellis/http2"
	"github.com/trellis-project/trellis/reactor"
	"github.com/trellis-project/trellis/streams"
	"github.com/trellis-project/trellis/targetgroup"
)

// forwardStream is forward for targets that speak HTTP/2: the request is one of the streams of a connection.
func (x *exchange) forwardStream() {
	r, body := x.c.(*stream), x.signed // of the body: what is there already
	if !x.held && !r.bodyDone() {
		b, err := r.whole()
		if err != nil {
			x.answer(statusOf(err), failClientProtocol)
			return
		}
		if b != nil {
			body = b[chunkHead:]
		}
	}
	for range maxTargets {
		t, err := x.open(body)
		if errors.Is(err, http2.ErrConnect) {
			x.answer(501, failTargetProtocol)
			return
		}
		if err != nil {
			x.answer(503, failTargetConnection)
			return
		}
		if x.c.gone() {
			t.Interrupt(errClientGone)
		}
		if !x.c.bodyDone() {
			x.startUpload()
		} else {
			x.rec.RequestToTarget = x.w.loop.Now() - x.began
		}
		again := x.relayStream(t, r)
		x.joinUpload(earlyAnswer)
		x.target = nil
		t.Recycle()
		if !again {
			return
		}
	}
	x.answer(503, failTargetConnection)
}

// open finds a target that takes the head of the request, and all of its body if that is there already.
func (x *exchange) open(body []byte) (*targetgroup.Stream, error) {
	w := x.w
	scheme := "http"
	if x.group.Protocol == "HTTPS" {
		scheme = "https"
	}
	upgrade := ""
	if x.webSocket {
		upgrade = webSocket
	}
	var last *targetgroup.Target
	for range maxTargets {
		target := x.pickOther(last)
		if target == nil {
			return nil, errNoTarget
		}
		x.rec.Target = target.Addr
		t, b, _, err := w.pool.Open(target, x.req, scheme, upgrade)
		if errors.Is(err, unix.EMFILE) && w.makeRoom(nil, x.tenant.of) {
			t, b, _, err = w.pool.Open(target, x.req, scheme, upgrade)
		}
		if err != nil {
			if target == last {
				return nil, err
			}
			last = target
			continue
		}
		x.target = t
		x.writeRequest(b, x.c.bodyDone() && len(body) == 0 && !x.webSocket)
		t.SetWriteDeadline(w.loop.Now() + x.idle)
		if len(body) > 0 {
			if _, err := t.WriteData(body, true); err != nil {
				return t, nil // shows when the answer is read
			}
		}
		t.Flush()
		return t, nil
	}
	return nil, errNoTarget
}

// relayStream reads the target's answer and passes it on. again tells that the request was not processed and may be sent
// to another target.
func (x *exchange) relayStream(t *targetgroup.Stream, r *stream) (again bool) {
	loop := x.w.loop
	for interims := 0; ; interims++ {
		t.SetReadDeadline(loop.Now() + x.idle)
		head, ended, err := t.WaitHead()
		var reset *streams.Ended
		var bad *http1.Error
		switch {
		case errors.As(err, &reset) && reset.Code == http2.RefusedStream && !x.uploading:
			return true
		case errors.As(err, &bad):
			x.targetFailed(502, failTargetProtocol)
			return false
		case err != nil:
			x.noteReset(r, err)
			x.noAnswer(err)
			return false
		}
		if x.answered == 0 {
			x.answered = loop.Now()
		}
		x.resp = head
		if head.Status < 200 {
			if interims == maxInterim {
				x.targetFailed(502, failTargetProtocol)
				return false
			}
			if r.interim() != nil {
				x.clientGone()
				return false
			}
			continue
		}
		x.rec.ResponseCode = head.Status
		if x.webSocket && head.Status < 300 && !ended {
			x.switchStreams(t, r)
			return false
		}
		x.noteGRPC(head.Fields)
		if r.head(nil, ended) != nil {
			x.clientGone()
			return false
		}
		if !ended {
			x.streamOn(t, r)
		}
		return false
	}
}

// switchStreams passes the target's consent to WebSocket on and carries what both sides send then (RFC 8441 5).
func (x *exchange) switchStreams(t *targetgroup.Stream, r *stream) {
	if _, _, err := r.switched(); err != nil {
		x.clientGone()
		return
	}
	x.rec.FailureReason = x.carry(r, t, nil)
}

// streamOn passes on the body of an answer and its trailers.
func (x *exchange) streamOn(t *targetgroup.Stream, r *stream) {
	loop := x.w.loop
	for {
		t.SetReadDeadline(loop.Now() + x.idle)
		err := t.WaitRead()
		if err == nil {
			b := loop.Buffer()
			var n int
			n, err = t.Read(b)
			whole := err == nil && t.Ended() && t.Trailers() == nil
			if n > 0 && r.data(b[:n], whole) != nil {
				loop.Release(b)
				x.clientGone()
				return
			}
			loop.Release(b)
			if whole {
				return
			}
		}
		switch {
		case err == nil:
			continue
		case errors.Is(err, io.EOF):
			x.endStream(t.Trailers(), r)
		case x.outlived:
			x.cutStream(r, err, failTooLong)
		case errors.Is(err, errClientGone):
			x.clientGone()
		case reactor.IsTimeout(err):
			x.cutStream(r, err, failTargetTimeout)
		default:
			x.cutStream(r, err, failTargetClosed)
		}
		return
	}
}

// cutStream ends an answer that cannot be completed. A client of gRPC is told what it would see if it had called the target
// itself: that it is gone (UNAVAILABLE), or for what it has reset the stream.
func (x *exchange) cutStream(r *stream, err error, reason string) {
	x.noteReset(r, err)
	if !x.grpc || r.endCall(502, reason) != nil {
		x.cutShort(reason)
		return
	}
	x.rec.FailureReason = reason
}

// noteReset notes what a call of gRPC has come to, if its target has reset it.
func (x *exchange) noteReset(r *stream, err error) {
	var reset *streams.Ended
	if errors.As(err, &reset) && !reset.Lost {
		r.came = http2.GRPCStatusOfReset(reset.Code, x.req.Fields, x.w.loop.Refresh()-x.began)
	}
}

// endStream ends the answer, with the target's trailers if there are any.
func (x *exchange) endStream(trailers []http1.Field, r *stream) {
	var err error
	if trailers == nil {
		err = r.data(nil, true)
	} else {
		x.noteGRPC(trailers)
		err = r.WriteTrailers(trailers)
	}
	if err != nil {
		x.clientGone()
	}
}

// noteGRPC notes the status of gRPC for the access log.
func (x *exchange) noteGRPC(fields []http1.Field) {
	if x.grpc {
		if status, ok := http2.GRPCStatusOf(fields); ok {
			x.rec.GRPC, x.rec.GRPCResponseCode = true, status
		}
	}
}

// writeRequest writes the fields that the target gets, as appendRequest does for HTTP/1.1.
func (x *exchange) writeRequest(b *http2.Block, whole bool) {
	h, out := x.req, x.scratch[:0]
	drop := toTarget
	if !h.Continue || x.held {
		drop |= 1 << http1.Expect
	}
	b.Fields(h, drop)
	b.Length(h)
	put := func(name string, value []byte) {
		b.Bytes(name, value)
		out = value[:0]
	}
	put("x-forwarded-for", x.appendForwardedFor(out))
	b.Number("x-forwarded-port", int64(x.l.port))
	b.Field("x-forwarded-proto", x.scheme())
	if x.caller != nil {
		put("x-amzn-lattice-identity", x.appendIdentity(out))
		put("x-amzn-lattice-identity-tags", x.appendIdentityTags(out))
	}
	put("x-amzn-lattice-network", x.appendNetwork(out))
	put("x-amzn-lattice-target", x.appendTarget(out))
	b.Field("x-amzn-requestid", x.rec.RequestID)
	x.scratch = out
	b.Send(whole)
}
