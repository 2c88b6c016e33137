package dataplane

import (
	"net/http"
	"strconv"

	"github.com/trellis-project/trellis/http1"
)

// maxDiscard is how much of a body that nobody wants is read to keep the connection.
const maxDiscard = 256 << 10

// answer gives an answer of our own: the usual text of the status in one line, as VPC Lattice does.
func (x *exchange) answer(status int, reason string) {
	x.respond(status, http.StatusText(status), reason)
}

// deny answers a request that may not go on.
func (x *exchange) deny(d *denial) {
	x.rec.AuthDeniedReason = d.layer
	if d.close {
		x.c.last, x.unread = true, true
	}
	body := d.body
	if body == "" {
		body = http.StatusText(d.status)
	}
	x.respond(d.status, body, d.reason)
}

// refused answers a head that could not be read, and accounts for it. A status of 0 answers nothing.
func (x *exchange) refused(status int, reason string) {
	x.c.last, x.unread = true, true
	x.req.Framing, x.headLen, x.inPos = http1.NoBody, x.inEnd, x.inEnd
	x.body.Start(&x.req)
	x.beginRecord()
	if t := x.c.l.s.Table(); t != nil {
		x.locate(t)
	}
	x.answer(status, reason)
	x.account()
}

// respond writes an answer of our own and does away with the rest of the request's body.
func (x *exchange) respond(status int, body, reason string) {
	x.rec.ResponseCode, x.rec.FailureReason = status, reason
	c := x.c
	if !x.body.Done() && !x.uploading {
		_, used, err := x.body.Next(x.in[x.inPos:x.inEnd], true)
		x.inPos += used
		if err != nil || !x.body.Done() && (x.req.Continue || x.body.Left() > maxDiscard) {
			c.last, x.unread = true, true
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
		c.last = true
		return
	}
	if !c.last && !x.body.Done() {
		x.discard()
	}
}

// discard reads what is left of the body, so that the connection can go on.
func (x *exchange) discard() {
	c := x.c
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
	c.last, x.unread = true, true
}

// appendAnswerFields writes the fields that every answer bears.
func (x *exchange) appendAnswerFields(out []byte) []byte {
	out = http1.AppendField(out, "x-amzn-requestid", x.rec.RequestID)
	if x.c.last {
		out = append(out, "Connection: close\r\n"...)
	}
	return out
}
