package dataplane

import (
	"encoding/json"
	"math/rand/v2"
	"unsafe"

	"github.com/trellis-project/trellis/http1"
)

// The reasons of failures in access logs (VPC Lattice user guide, monitoring-access-logs).
const (
	failNone               = ""
	failTargetConnection   = "TargetConnectionError"
	failTargetProtocol     = "TargetProtocolError"
	failTargetTimeout      = "TargetDataTimeout"
	failTargetClosed       = "TargetConnectionClosed"
	failClientClosed       = "ClientConnectionClosed"
	failClientAccessDenied = "ClientAccessDenied"
	failClientProtocol     = "ClientProtocolError"
	failTooLong            = "ConnectionDurationExceeded"
	failInternal           = "InternalError"
)

// maxRequestID is how much of a client's x-amzn-requestid counts (monitoring-access-logs).
const maxRequestID = 512

// beginRecord notes what is known from the head alone.
func (x *exchange) beginRecord() {
	r, h := &x.rec, &x.req
	r.Start, r.Source, r.SourceVPCID = x.start, x.c.remote, x.c.l.vpcID
	r.Protocol = "HTTP/1.1"
	if h.Minor == 0 {
		r.Protocol = "HTTP/1.0"
	}
	r.Method, r.Path, r.Host = h.Method, h.Path, h.Host
	r.BytesReceived += int64(x.headLen) + int64(x.inBody())
	for i, k := range h.Kinds {
		switch k {
		case http1.UserAgent:
			r.UserAgent = h.Fields[i].Value
		case http1.RequestID:
			if r.RequestID == "" {
				r.RequestID = h.Fields[i].Value[:min(len(h.Fields[i].Value), maxRequestID)]
			}
		}
	}
	if r.RequestID == "" {
		r.RequestID = x.newRequestID()
	}
}

// inBody is how many bytes of this request's body came with its head, as far as that is known without reading
// chunks.
func (x *exchange) inBody() int {
	n := x.inEnd - x.inPos
	switch x.req.Framing {
	case http1.ByLength:
		return int(min(int64(n), x.req.Length))
	case http1.Chunked:
		return n
	}
	return 0
}

// newRequestID makes a random UUID. It names a request; nothing is secret about it.
func (x *exchange) newRequestID() string {
	const hex = "0123456789abcdef"
	a, b := rand.Uint64(), rand.Uint64()
	a = a&^0xf000 | 0x4000
	b = b&^(3<<62) | 2<<62
	i := 0
	for _, v := range [2]uint64{a, b} {
		for s := 60; s >= 0; s -= 4 {
			if i == 8 || i == 13 || i == 18 || i == 23 {
				x.reqID[i] = '-'
				i++
			}
			x.reqID[i] = hex[v>>s&15]
			i++
		}
	}
	return unsafe.String(&x.reqID[0], len(x.reqID))
}

// account ends the record and hands it to the log.
func (x *exchange) account() {
	w := x.c.w
	now := w.loop.Refresh()
	r := &x.rec
	r.Duration = now - x.began
	if x.answered != 0 {
		r.ResponseFromTarget = now - x.answered
	}
	w.s.Log(w.index, r)
}

// tagsJSON is a caller's tags as the log has them.
func tagsJSON(tags map[string]string) string {
	b, err := json.Marshal(tags)
	if err != nil {
		return "" // maps of strings always encode
	}
	return string(b)
}
