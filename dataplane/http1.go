package dataplane

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"

	"github.com/trellis-project/trellis/http1"
	"github.com/trellis-project/trellis/reactor"
)

// maxDiscard is how much of a body that nobody wants is read to keep the connection.
const maxDiscard = 256 << 10

// bodyDone is client's.
func (c *conn) bodyDone() bool { return c.x.body.Done() }

// first is client's.
func (c *conn) first() ([]byte, error) {
	x := c.x
	p := x.in[x.inPos:x.inEnd]
	keep, used, err := x.body.Next(p, false)
	if err != nil {
		return nil, err
	}
	x.inPos += used
	return p[:keep], nil
}

// upload is client's. A buffer is held only while there is something in it.
func (c *conn) upload(t receiver) (r uploadResult) {
	x, loop := c.x, c.w.loop
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

// hold is client's.
func (c *conn) hold() (string, *denial) {
	x, h := c.x, sha256.New()
	if x.req.Framing == http1.ByLength && x.req.Length > maxSigned {
		return "", &denial{status: 413, reason: failClientProtocol, close: true}
	}
	x.held = true
	x.keep(make([]byte, 0, min(max(x.req.Length, headBuffer), maxSigned)))
	if x.req.Continue && x.inPos == x.inEnd {
		if err := c.write([]byte("HTTP/1.1 100 Continue\r\n\r\n"), x.idle); err != nil {
			return "", &denial{status: 400, reason: failClientClosed, close: true}
		}
	}
	buf := c.w.loop.Buffer()
	defer c.w.loop.Release(buf)
	p := x.in[x.inPos:x.inEnd]
	x.inPos = x.inEnd
	for {
		for {
			part, n, err := x.body.Step(p)
			if err != nil {
				return "", &denial{status: statusOf(err), reason: failClientProtocol, close: true}
			}
			if n == 0 {
				break
			}
			if part == http1.Data {
				h.Write(p[:n])
			}
			if part != http1.Dropped {
				x.keep(append(x.signed, p[:n]...))
			}
			p = p[n:]
		}
		if len(x.signed) > maxSigned {
			return "", &denial{status: 413, reason: failClientProtocol, close: true}
		}
		if x.body.Done() {
			x.ahead = append([]byte(nil), p...)
			return hex.EncodeToString(h.Sum(nil)), nil
		}
		n := copy(buf, p)
		m, err := c.read(buf[n:], x.idle)
		x.rec.BytesReceived += int64(m)
		if err != nil {
			if reactor.IsTimeout(err) {
				return "", &denial{status: 408, reason: failClientProtocol, close: true}
			}
			return "", &denial{status: 400, reason: failClientClosed, close: true}
		}
		p = buf[:n+m]
	}
}

// stopUpload is client's.
func (c *conn) stopUpload(err error) { c.Interrupt(err) }

// contentOnly is client's: HTTP/1.0 knows no chunks.
func (c *conn) contentOnly() bool { return c.x.resp.Framing == http1.Chunked && c.x.req.Minor == 0 }

// interim is client's. HTTP/1.0 knows no 1xx, and 100 goes only to who asked for it.
func (c *conn) interim() error {
	x := c.x
	if x.req.Minor == 0 || x.resp.Status == 100 && (!x.req.Continue || x.held) {
		return nil
	}
	b := c.w.loop.Buffer()
	defer c.w.loop.Release(b)
	return c.write(x.appendInterim(b[:0]), x.idle)
}

// head is client's.
func (c *conn) head(piece []byte, whole bool) error {
	x := c.x
	if x.respBody.UntilClose() || c.contentOnly() || x.req.Minor == 0 {
		x.last = true
	}
	if c.l.draining.Load() || x.uploading && !x.uploaded.IsSet() {
		x.last = true // an answer that comes before the end of the request may leave some of it unread
	}
	b := c.w.loop.Buffer()
	defer c.w.loop.Release(b)
	out := x.appendResponse(b[:0])
	if len(piece) <= copied {
		return c.write(append(out, piece...), x.idle)
	}
	return c.write2(out, piece, x.idle)
}

// data is client's.
func (c *conn) data(piece []byte, _ bool) error {
	if len(piece) == 0 {
		return nil
	}
	return c.write(piece, c.x.idle)
}

// switched is client's.
func (c *conn) switched() (side, []byte, error) {
	x := c.x
	b := c.w.loop.Buffer()
	defer c.w.loop.Release(b)
	out := http1.AppendStatusLine(b[:0], x.resp.Status, x.resp.Reason)
	out = http1.AppendFields(out, x.resp, toClient)
	out = appendUpgrade(out)
	out = http1.AppendField(out, "x-amzn-requestid", x.rec.RequestID)
	err := c.write(append(out, "\r\n"...), x.idle)
	first := x.in[x.inPos:x.inEnd]
	x.inPos = x.inEnd
	return c, first, err
}

// own is client's. It does away with the rest of the request's body.
func (c *conn) own(status int, body string) {
	x := c.x
	if !x.body.Done() && !x.uploading {
		_, used, err := x.body.Next(x.in[x.inPos:x.inEnd], true)
		x.inPos += used
		if err != nil || !x.body.Done() && (x.req.Continue || x.body.Left() > maxDiscard) {
			x.last, x.unread = true, true
		}
	}
	b := c.w.loop.Buffer()
	out := http1.AppendStatusLine(b[:0], status, http.StatusText(status))
	out = append(out, "Content-Type: text/plain\r\nContent-Length: "...)
	out = strconv.AppendInt(out, int64(len(body)), 10)
	out = append(out, "\r\n"...)
	out = x.appendAnswerFields(out)
	out = c.w.appendDate(out)
	out = append(out, "\r\n"...)
	if x.req.Method != "HEAD" {
		out = append(out, body...)
	}
	err := c.write(out, x.idle)
	c.w.loop.Release(b)
	if err != nil {
		x.last = true
		return
	}
	if !x.last && !x.body.Done() {
		c.discard()
	}
}

// discard reads what is left of the body, so that the connection can go on.
func (c *conn) discard() {
	x := c.x
	buf := c.w.loop.Buffer()
	defer c.w.loop.Release(buf)
	n, total := copy(buf, x.in[x.inPos:x.inEnd]), 0
	x.inPos = x.inEnd
	for total < maxDiscard {
		_, used, err := x.body.Next(buf[:n], true)
		if err != nil {
			break
		}
		n = copy(buf, buf[used:n])
		if x.body.Done() {
			x.ahead = append([]byte(nil), buf[:n]...)
			return
		}
		m, err := c.read(buf[n:], headTimeout)
		if err != nil {
			break
		}
		n, total = n+m, total+m
		x.rec.BytesReceived += int64(m)
	}
	x.last, x.unread = true, true
}

// abort is client's.
func (c *conn) abort() { c.Abort() }

// gone is client's.
func (c *conn) gone() bool { return c.Gone() }
