package dataplane

import (
	"encoding/binary"
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
	failRateLimited        = "ClientRateLimited"
	failInternal           = "InternalError"
)

// maxRequestID is how much of a client's x-amzn-requestid counts (monitoring-access-logs).
const maxRequestID = 512

// beginRecord notes what is known from the head alone.
func (x *exchange) beginRecord() {
	r, h := &x.rec, x.req
	r.Start, r.Source, r.SourceVPCID = x.start, x.from, x.l.vpcID
	switch {
	case x.version == 2:
		r.Protocol = "HTTP/2"
	case h.Minor == 0:
		r.Protocol = "HTTP/1.0"
	default:
		r.Protocol = "HTTP/1.1"
	}
	if tls := x.tls; tls != nil {
		r.TLSCipher, r.TLSVersion, r.ServerName = tls.cipher, tls.version, tls.serverName
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

// hexPairs is the two hexadecimal digits of each byte.
var hexPairs = func() (t [256][2]byte) {
	const digits = "0123456789abcdef"
	for i := range t {
		t[i] = [2]byte{digits[i>>4], digits[i&15]}
	}
	return t
}()

// uuidPlaces is where the digits of each byte of a UUID stand in its text (RFC 9562 4).
var uuidPlaces = [16]int{0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34}

// newRequestID makes a random UUID. It names a request; nothing is secret about it.
func (x *exchange) newRequestID() string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], rand.Uint64())
	binary.BigEndian.PutUint64(b[8:], rand.Uint64())
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80 // version 4
	for i, at := range uuidPlaces {
		copy(x.reqID[at:at+2], hexPairs[b[i]][:])
	}
	x.reqID[8], x.reqID[13], x.reqID[18], x.reqID[23] = '-', '-', '-', '-'
	return unsafe.String(&x.reqID[0], len(x.reqID))
}

// account ends the record and hands it to the log.
func (x *exchange) account() {
	w := x.w
	now := w.loop.Refresh()
	r := &x.rec
	r.Duration = now - x.began
	if x.answered != 0 {
		r.ResponseFromTarget = now - x.answered
	}
	w.requests.Add(1)
	if r.FailureReason != failNone {
		w.failed(Failure{r.FailureReason, r.ResponseCode})
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
