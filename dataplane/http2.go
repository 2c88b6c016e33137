package dataplane

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/trellis-project/trellis/http1"
	"github.com/trellis-project/trellis/http2"
	"github.com/trellis-project/trellis/reactor"
	"github.com/trellis-project/trellis/streams"
	"github.com/trellis-project/trellis/targetgroup"
)

// session is a connection of HTTP/2 with a client.
type session struct {
	*streams.Session
	c       *conn
	leaving bool // GOAWAY was said
}

// maxStreams is how many requests a client may have under way on a connection. Its window has room for all of them: bodies
// that a target does not take stop no others.
const maxStreams = 128

// beginHTTP2 makes a connection one of HTTP/2. first has been read already.
func (c *conn) beginHTTP2(first []byte) {
	s := &session{c: c}
	c.http2 = s
	s.Session = streams.NewServer(streams.Options{Loop: c.w.loop, Transport: c, Request: s.request, Refused: s.refused, Changed: s.changed,
		Patience: func() time.Duration { return c.w.patience(defaultIdle) },
		HTTP2: http2.Options{MaxStreams: maxStreams, StreamWindow: reactor.BufferSize, ConnWindow: maxStreams * reactor.BufferSize,
			Connect: !c.l.s.Strict, Pool: &c.w.http2},
		Pool: &c.w.streams})
	if len(first) > 0 {
		s.Take(first)
	}
	if c.l.draining.Load() {
		s.leave()
	}
	s.read()
}

// read takes what has come: one buffer of it, since others wait for their turn. It ends the turn of the connection.
func (s *session) read() {
	c := s.c
	s.Read()
	switch {
	case c.state == over:
	case s.Err() == nil && c.HasNews():
		c.w.enqueue(c)
	default:
		c.state = carrying
		c.SetReadDeadline(0)
		if s.Partial() {
			c.SetReadDeadline(c.w.loop.Now() + headTimeout)
		}
		s.changed()
	}
}

// changed is told when something has happened to the session. It ends the connection when nothing is left to be done.
func (s *session) changed() {
	c := s.c
	if c.state != carrying && c.state != idle || s.Session == nil {
		return
	}
	switch {
	case s.Streams() > 0 || s.Sending():
	case s.Err() != nil || s.HTTP2.Drained():
		c.end()
	case c.state == carrying:
		c.rest()
	}
}

// retire says goodbye to a client that has no requests, or may have no more.
func (s *session) retire() {
	s.leaving = true
	s.HTTP2.ShutdownNow()
	s.Flush()
	s.changed()
}

// leave says that the connection takes no new requests: at once with GOAWAY, and after a moment, in which those that were
// on their way have come, with the last one that is served (RFC 9113 6.8).
func (s *session) leave() {
	if s.leaving {
		return
	}
	s.leaving = true
	s.HTTP2.Shutdown()
	s.Flush()
	s.c.w.loop.After(firstRequest, func() {
		if s.c.state != over {
			s.retire()
		}
	})
}

// stream is a request of HTTP/2, as the client of an exchange.
type stream struct {
	*streams.Stream
	of   *session
	x    *exchange
	sent bool   // the body went with the head
	came int    // what a call of gRPC has come to by the word of its target, 0 when it has said nothing
	out  []byte // what went, and room for the next
	lost func() // clientLeft
}

// newStream returns a stream that is nobody's.
func (w *worker) newStream() *stream {
	n := len(w.multiplexed)
	if n == 0 {
		r := new(stream)
		r.lost = r.clientLeft
		return r
	}
	r := w.multiplexed[n-1]
	w.multiplexed = w.multiplexed[:n-1]
	return r
}

// freeStream takes a stream back that was recycled.
func (w *worker) freeStream(r *stream) {
	*r = stream{out: r.out[:0], lost: r.lost}
	if len(w.multiplexed) < exchangesKept {
		w.multiplexed = append(w.multiplexed, r)
	}
}

// request takes a request. It is served when its account has its turn. When there is no room even for requests that wait to
// be refused, it is refused at once: its client may send it elsewhere, and knows that nothing was done.
func (s *session) request(st *streams.Stream) {
	if s.c.w.overrun() {
		s.c.w.s.refused.Add(1)
		st.Reset(http2.RefusedStream)
		st.Release()
		return
	}
	r := s.adopt(st)
	r.x.req = st.Head
	s.c.w.line(s.c.tenant, r)
}

// adopt makes a stream one that is served.
func (s *session) adopt(st *streams.Stream) *stream {
	c := s.c
	if c.state == idle {
		c.w.waiting.remove(c)
		c.state = carrying
	}
	c.asked = true
	r := c.w.newStream()
	r.Stream, r.of = st, s
	x := c.w.exchange(r, c.l, c.tenant, c.remote)
	r.x = x
	x.conn, x.tls, x.version = c, c.tls, 2
	x.began, x.start = c.w.loop.Now(), c.w.loop.Time()
	st.Gone = r.lost
	return r
}

// clientLeft ends the wait for an answer that nobody takes.
func (r *stream) clientLeft() {
	r.x.outlived = r.of.c.outlived
	if r.x.target != nil {
		r.x.target.Interrupt(errClientGone)
	}
}

// refused answers a request that is not served: it is malformed, or too large.
func (s *session) refused(st *streams.Stream, why *http1.Error) {
	r := s.adopt(st)
	r.x.req.Method, r.x.req.Minor = "", 1
	r.x.badHead = why
	s.c.w.line(s.c.tenant, r)
}

// turn is waiting's: the stream's request is served.
func (r *stream) turn() { r.of.c.w.loop.Go(r) }

// Run serves the request. It is a fiber's task.
func (r *stream) Run() {
	x := r.x
	defer func() {
		if p := recover(); p != nil {
			x.w.s.panicked(p)
			x.abandon()
			r.Reset(http2.InternalError)
			r.Release()
		}
	}()
	switch {
	case r.Err() != nil:
		r.drop()
	case x.badHead != nil:
		x.refused(x.badHead.Status, failClientProtocol)
	default:
		x.headLen = headSize(x.req)
		x.grpc = http2.IsGRPC(x.req)
		if r.HTTP2.Upgrade() != "" {
			r.upgrade()
		}
		x.serve()
	}
	w := x.w
	r.of.c.idleIn = x.idle
	x.free()
	r.Recycle() // an upload has been joined
	w.freeStream(r)
}

// upgrade makes a request for WebSocket, which is a CONNECT in HTTP/2 (RFC 8441), what it is in HTTP/1.1: a GET. So it
// is to rules and policies, too.
func (r *stream) upgrade() {
	x := r.x
	x.req.Method, x.req.Framing, x.req.Coded, x.req.Declared = "GET", http1.NoBody, false, false
	if r.HTTP2.Upgrade() == webSocket {
		x.webSocket, x.webSocketKey = true, newWebSocketKey()
	} else {
		x.unserved = true
	}
}

// drop accounts for a request that its client gave up before it had its turn.
func (r *stream) drop() {
	x := r.x
	x.headLen = headSize(x.req)
	x.beginRecord()
	x.rec.FailureReason = failClientClosed
	x.account()
}

// headSize is about how many bytes a head would take in HTTP/1.1, for access logs: what it took in HTTP/2 depends on the
// heads before it.
func headSize(h *http1.Head) int {
	n := len(h.Method) + len(h.Path) + len(h.RawQuery) + len("  HTTP/1.1\r\n\r\n")
	for i := range h.Fields {
		n += len(h.Fields[i].Name) + len(h.Fields[i].Value) + len(": \r\n")
	}
	return n
}

// bodyDone is client's.
func (r *stream) bodyDone() bool { return r.x.req.Framing == http1.NoBody || r.x.held || r.sent }

// smallBody is the size of bodies that are sent with their head.
const smallBody = 8 << 10

// whole is a small body that is all there, behind chunkHead bytes of room; nil if there is none.
func (r *stream) whole() ([]byte, error) {
	n := len(r.Waiting())
	if !r.HTTP2.Ended() || n == 0 || n > smallBody || r.Trailers() != nil {
		return nil, nil
	}
	b := append(r.out[:0], make([]byte, chunkHead+n)...)
	r.out = b
	if _, err := r.Stream.Read(b[chunkHead:]); err != nil {
		return nil, err
	}
	r.x.rec.BytesReceived += int64(n)
	r.sent = true
	return b, nil
}

// first is client's: a small body that is all there goes with the head.
func (r *stream) first() ([]byte, error) {
	b, err := r.whole()
	switch {
	case b == nil:
		return nil, err
	case r.x.req.Framing != http1.Chunked:
		return b[chunkHead:], nil
	}
	return append(frameChunk(b, len(b)-chunkHead), "0\r\n\r\n"...), nil
}

// upload is client's. What comes is framed again for a target of HTTP/1.1.
func (r *stream) upload(t receiver) (res uploadResult) {
	x, loop := r.x, r.of.c.w.loop
	up, streaming := t.(*targetgroup.Stream)
	chunked := !streaming && x.req.Framing == http1.Chunked
	for {
		r.SetReadDeadline(loop.Now() + x.w.patience(x.idle))
		err := r.WaitRead()
		if err == nil {
			var n int
			var failed error
			n, err, failed = r.sendOn(t, chunked)
			res.received += int64(n)
			if failed != nil {
				res.reason = failTargetClosed
				return res
			}
		}
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			if err := r.endUpload(t, up, streaming, chunked); err != nil {
				res.reason = failTargetClosed
				return res
			}
			res.took = loop.Refresh() - x.began
			return res
		case reactor.IsTimeout(err):
			res.status, res.reason = 408, failClientProtocol
			return res
		default:
			res.status, res.reason = 400, failClientClosed
			return res
		}
	}
}

// sendOn sends on what has come of the request's body: n bytes. err is the client's error, failed the target's.
func (r *stream) sendOn(t receiver, chunked bool) (n int, err, failed error) {
	x, loop := r.x, r.of.c.w.loop
	b := loop.Buffer()
	defer loop.Release(b)
	n, err = r.Stream.Read(b[chunkHead : len(b)-chunkTail])
	if n > 0 {
		piece := b[chunkHead : chunkHead+n]
		if chunked {
			piece = frameChunk(b, n)
		}
		t.SetWriteDeadline(loop.Now() + x.idle)
		_, failed = t.Write(piece)
		t.SetReadDeadline(loop.Now() + x.idle)
	}
	return n, err, failed
}

// endUpload ends the request's body, with its trailers.
func (r *stream) endUpload(t receiver, up *targetgroup.Stream, streaming, chunked bool) error {
	switch {
	case streaming && r.Trailers() != nil:
		return up.WriteTrailers(r.Trailers())
	case streaming:
		_, err := up.WriteData(nil, true)
		return err
	case chunked:
		out := append([]byte(nil), "0\r\n"...)
		for _, f := range r.Trailers() {
			out = http1.AppendField(out, f.Name, f.Value)
		}
		_, err := t.Write(append(out, "\r\n"...))
		return err
	}
	return nil
}

// Room around a piece for what frames a chunk: at most six hexadecimal digits and two line ends.
const (
	chunkHead = 8
	chunkTail = 2
)

// frameChunk makes a chunk of the n bytes behind chunkHead.
func frameChunk(b []byte, n int) []byte {
	var digits [chunkHead]byte
	d := append(strconv.AppendInt(digits[:0], int64(n), 16), "\r\n"...)
	from := chunkHead - len(d)
	copy(b[from:], d)
	return append(b[from:chunkHead+n], "\r\n"...)
}

// hold is client's.
func (r *stream) hold() (string, *denial) {
	x, h := r.x, sha256.New()
	if x.req.Framing == http1.ByLength && x.req.Length > maxSigned {
		return "", &denial{status: 413, reason: failClientProtocol}
	}
	buf := x.w.loop.Buffer()
	defer x.w.loop.Release(buf)
	for {
		r.SetReadDeadline(x.w.loop.Now() + x.w.patience(x.idle))
		n, err := r.Stream.Read(buf)
		x.rec.BytesReceived += int64(n)
		h.Write(buf[:n])
		x.keep(append(x.signed, buf[:n]...))
		switch {
		case len(x.signed) > maxSigned:
			return "", &denial{status: 413, reason: failClientProtocol}
		case errors.Is(err, io.EOF):
			x.held = true
			x.req.Framing, x.req.Length, x.req.Declared, x.req.Coded = http1.ByLength, int64(len(x.signed)), true, false
			return hex.EncodeToString(h.Sum(nil)), nil
		case reactor.IsTimeout(err):
			return "", &denial{status: 408, reason: failClientProtocol}
		case err != nil:
			return "", &denial{status: 400, reason: failClientClosed}
		}
	}
}

// stopUpload is client's.
func (r *stream) stopUpload(err error) { r.Interrupt(err) }

// contentOnly is client's.
func (r *stream) contentOnly() bool { return true }

// stir puts off what ends the wait for more of the request while the answer is on its way.
func (r *stream) stir() {
	now := r.x.w.loop.Now()
	r.SetReadDeadline(now + r.x.idle)
	r.SetWriteDeadline(now + r.x.w.patience(r.x.idle))
}

// interim is client's.
func (r *stream) interim() error {
	x := r.x
	if x.resp.Status == 100 && (!x.req.Continue || x.held) || x.resp.Status == 101 {
		return nil
	}
	r.stir()
	b, err := r.Answer(x.resp.Status)
	if err != nil {
		return err
	}
	b.Fields(x.resp, 0)
	b.Send(false)
	r.Flush()
	return nil
}

// head is client's.
func (r *stream) head(piece []byte, whole bool) error {
	x := r.x
	r.stir()
	b, err := r.Answer(x.resp.Status)
	if err != nil {
		return err
	}
	b.Fields(x.resp, toClient)
	b.Length(x.resp)
	if !x.resp.HasDate {
		b.Bytes("date", x.w.dateOf())
	}
	b.Field("x-amzn-requestid", x.rec.RequestID)
	x.rec.BytesSent += int64(headSize(x.resp))
	b.Send(whole && len(piece) == 0 && x.respBody.Trailers() == nil)
	if len(piece) == 0 && x.respBody.Trailers() == nil {
		r.Flush()
		return nil
	}
	return r.data(piece, whole)
}

// data is client's.
func (r *stream) data(piece []byte, whole bool) error {
	if len(piece) == 0 && !whole {
		return nil
	}
	r.stir()
	trailers := r.x.respBody.Trailers() // of a target of HTTP/1.1
	n, err := r.WriteData(piece, whole && trailers == nil)
	r.x.rec.BytesSent += int64(n)
	if err == nil && whole && trailers != nil {
		err = r.WriteTrailers(trailers)
	}
	return err
}

// switched is client's: to HTTP/2 the switch is an answer like any other (RFC 8441 5).
func (r *stream) switched() (side, []byte, error) {
	x := r.x
	r.stir()
	b, err := r.Answer(200)
	if err != nil {
		return nil, nil, err
	}
	for i, f := range x.resp.Fields {
		if x.resp.Passes(i, toClient) && !strings.EqualFold(f.Name, "sec-websocket-accept") {
			b.Field(f.Name, f.Value)
		}
	}
	b.Field("x-amzn-requestid", x.rec.RequestID)
	b.Send(false)
	r.Flush()
	x.rec.ResponseCode = 200
	return r, nil, nil
}

// own is client's. To gRPC the answer is one that has no message but says why.
func (r *stream) own(status int, body string) {
	x := r.x
	r.Interrupt(nil)
	r.stir()
	b, err := r.Answer(status)
	if err != nil {
		return
	}
	if x.grpc {
		b.Field("content-type", "application/grpc")
		r.callStatus(b, status, body)
		body = ""
	} else {
		b.Field("content-type", "text/plain")
		b.Number("content-length", int64(len(body)))
	}
	b.Bytes("date", x.w.dateOf())
	b.Field("x-amzn-requestid", x.rec.RequestID)
	if x.req.Method == "HEAD" {
		body = ""
	}
	b.Send(body == "")
	x.rec.BytesSent += int64(len(body)) + int64(len("content-type: text/plain\r\n"))
	if body != "" {
		r.WriteData([]byte(body), true)
		return
	}
	r.Flush()
}

// endCall ends a call of gRPC whose answer has begun with a status of gRPC, so that its client knows what to make of it: a
// reset would be an internal error to it.
func (r *stream) endCall(status int, why string) error {
	r.Interrupt(nil)
	r.stir()
	b, err := r.Trailing()
	if err != nil {
		return err
	}
	r.callStatus(b, status, why)
	b.Send(true)
	r.Flush()
	return nil
}

// callStatus writes the status of gRPC for a call that ends for a reason, which has a status of HTTP.
func (r *stream) callStatus(b *http2.Block, status int, why string) {
	code := r.came
	if code == 0 {
		code = http2.GRPCStatus(status)
	}
	b.Number("grpc-status", int64(code))
	b.Bytes("grpc-message", http2.AppendGRPCMessage(nil, why))
	r.x.rec.GRPC, r.x.rec.GRPCResponseCode = true, code
}

// abort is client's.
func (r *stream) abort() { r.Reset(http2.InternalError) }

// gone is client's.
func (r *stream) gone() bool { return r.Err() != nil }
