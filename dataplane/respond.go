package dataplane

import (
	"net/http"

	"github.com/trellis-project/trellis/http1"
)

// answer gives an answer of our own: the usual text of the status in one line, as VPC Lattice does.
func (x *exchange) answer(status int, reason string) {
	x.respond(status, http.StatusText(status), reason)
}

// deny answers a request that may not go on.
func (x *exchange) deny(d *denial) {
	x.rec.AuthDeniedReason = d.layer
	if d.close {
		x.last, x.unread = true, true
	}
	body := d.body
	if body == "" {
		body = http.StatusText(d.status)
	}
	x.respond(d.status, body, d.reason)
}

// refused answers a head that could not be read, and accounts for it. A status of 0 answers nothing.
func (x *exchange) refused(status int, reason string) {
	x.last, x.unread = true, true
	x.req.Framing, x.headLen, x.inPos = http1.NoBody, x.inEnd, x.inEnd
	x.body.Start(x.req)
	x.beginRecord()
	if t := x.l.s.Table(); t != nil {
		x.locate(t)
	}
	x.answer(status, reason)
	x.account()
}

// respond gives an answer of our own.
func (x *exchange) respond(status int, body, reason string) {
	x.rec.ResponseCode, x.rec.FailureReason = status, reason
	x.c.own(status, body)
}

// appendAnswerFields writes the fields that every answer bears.
func (x *exchange) appendAnswerFields(out []byte) []byte {
	out = http1.AppendField(out, "x-amzn-requestid", x.rec.RequestID)
	if x.last {
		out = append(out, "Connection: close\r\n"...)
	}
	return out
}
