package dataplane

import (
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"strings"

	"github.com/trellis-project/trellis/http1"
	"github.com/trellis-project/trellis/targetgroup"
)

// webSocket is the one protocol that a connection may switch to (RFC 6455). VPC Lattice knows none, so strict mode
// drops the wish, as it drops every Upgrade.
const webSocket = "websocket"

// asksForWebSocket looks whether a request wants to switch to WebSocket (RFC 6455 4.1). One that does not ask as it
// should is a request like any other: its Upgrade is dropped, so that no target switches when we do not.
func (x *exchange) asksForWebSocket() {
	h := x.req
	if !h.Upgrade || x.l.s.Strict || h.Method != "GET" || h.Minor == 0 || h.Framing != http1.NoBody ||
		!hasToken(h, http1.HopByHop, "upgrade", webSocket) || !hasToken(h, http1.Connection, "connection", "upgrade") ||
		only(h, "sec-websocket-version") != "13" {
		return
	}
	key := only(h, "sec-websocket-key")
	if b, err := base64.StdEncoding.DecodeString(key); err == nil && len(b) == 16 {
		x.webSocket, x.webSocketKey = true, key
	}
}

// only is the value of a field that there is once, else empty.
func only(h *http1.Head, name string) (value string) {
	n := 0
	for i := range h.Fields {
		if strings.EqualFold(h.Fields[i].Name, name) {
			value, n = h.Fields[i].Value, n+1
		}
	}
	if n != 1 {
		return ""
	}
	return value
}

// hasToken tells whether a field has a token in its list.
func hasToken(h *http1.Head, kind http1.Kind, name, token string) bool {
	for i, k := range h.Kinds {
		if k != kind || !strings.EqualFold(h.Fields[i].Name, name) {
			continue
		}
		for part := range strings.SplitSeq(h.Fields[i].Value, ",") {
			if strings.EqualFold(strings.Trim(part, " \t"), token) {
				return true
			}
		}
	}
	return false
}

// keyGUID is what a server proves its understanding with (RFC 6455 1.3).
const keyGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// newWebSocketKey makes a key for a client of HTTP/2, which sends none (RFC 8441 5).
func newWebSocketKey() string {
	var b [16]byte
	rand.Read(b[:])
	return base64.StdEncoding.EncodeToString(b[:])
}

// acceptOf is the answer to a key.
func acceptOf(key string) string {
	sum := sha1.Sum([]byte(key + keyGUID))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// appendUpgrade writes the fields that ask for the switch, or tell of it.
func appendUpgrade(out []byte) []byte {
	return append(out, "Connection: Upgrade\r\nUpgrade: websocket\r\n"...)
}

// switchProtocols passes the target's 101 on and carries what both sides send then. rest has come behind the head.
func (x *exchange) switchProtocols(t *targetgroup.Conn, rest []byte) {
	x.last = true
	x.rec.ResponseCode = x.resp.Status
	if only(x.resp, "sec-websocket-accept") != acceptOf(x.webSocketKey) {
		x.targetFailed(502, failTargetProtocol)
		return
	}
	side, first, err := x.c.switched()
	if err == nil && len(rest) > 0 {
		side.SetWriteDeadline(x.w.loop.Now() + x.idle)
		_, err = side.Write(rest)
		x.rec.BytesSent += int64(len(rest))
	}
	if err != nil {
		x.clientGone()
		return
	}
	x.rec.FailureReason = x.carry(side, t, first)
}
