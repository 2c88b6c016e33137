package http2

import (
	"bytes"
	"strings"
	"testing"
)

// rfcCase is what comes to a server after the greetings, and what it does.
type rfcCase struct {
	section, name string
	in            [][]byte
	want          string // events, then frames, joined by "; "
}

const fine = `1 GET / host="a.b" end`

// open is a request without an end on stream 1, and what is told of it.
var (
	open   = fr(headersFrame, whole, 1, post())
	opened = `1 POST / host="a.b" length unknown; `
)

// dead is a connection that ends, with the last stream that was opened.
func dead(last, code string) string { return "GOAWAY " + last + " " + code }

// bad is a request whose head is malformed.
func bad(reason string) string {
	return "1 refused: " + reason + "; 1 RST_STREAM PROTOCOL_ERROR"
}

// request is one with these fields after its pseudo-headers.
func request(flags uint8, pairs ...string) [][]byte {
	return [][]byte{fr(headersFrame, whole|flags, 1, post(pairs...))}
}

// head is a whole request of these fields alone.
func head(pairs ...string) [][]byte {
	return [][]byte{fr(headersFrame, endOnce, 1, fields(pairs...))}
}

func join(b ...[]byte) []byte { return bytes.Join(b, nil) }

var rfcCases = []rfcCase{
	{"4.1", "a kind that is not known is ignored", [][]byte{fr(200, 0xff, 1, []byte("x")), fr(headersFrame, endOnce, 1, get())}, fine},
	{"4.1", "the reserved bit is ignored", [][]byte{fr(headersFrame, endOnce, 1|1<<31, get())}, fine},
	{"4.1", "flags without a meaning are ignored", [][]byte{fr(headersFrame, endOnce|0x52, 1, get())}, fine},
	{"4.2", "the largest frame", [][]byte{open, fr(dataFrame, 0, 1, make([]byte, maxFrame))}, ""},
	{"4.2", "a larger one", [][]byte{open, fr(dataFrame, 0, 1, make([]byte, maxFrame+1))}, opened + dead("1", "FRAME_SIZE_ERROR")},
	{"4.3", "a bad header block", [][]byte{fr(headersFrame, endOnce, 1, []byte{0x80})}, dead("1", "COMPRESSION_ERROR")},
	{"4.3", "a header block that breaks off", [][]byte{fr(headersFrame, endOnce, 1, []byte{0x40, 5, 'a'})}, dead("1", "COMPRESSION_ERROR")},
	{"4.3", "a change of the table's size behind a field", [][]byte{fr(headersFrame, endOnce, 1, append(get(), 0x20))}, dead("1", "COMPRESSION_ERROR")},
	{"4.3", "other frames inside of a header block", [][]byte{fr(headersFrame, end, 1, get()), fr(priorityFrame, 0, 1, make([]byte, 5))}, dead("0", "PROTOCOL_ERROR")},
	{"4.3", "unknown frames inside of a header block", [][]byte{fr(headersFrame, end, 1, get()), fr(200, 0, 0, nil)}, dead("0", "PROTOCOL_ERROR")},
	{"5.1", "idle: DATA", [][]byte{fr(dataFrame, 0, 1, nil)}, dead("0", "PROTOCOL_ERROR")},
	{"5.1", "idle: RST_STREAM", [][]byte{fr(resetFrame, 0, 1, number(8))}, dead("0", "PROTOCOL_ERROR")},
	{"5.1", "idle: WINDOW_UPDATE", [][]byte{fr(windowFrame, 0, 1, number(8))}, dead("0", "PROTOCOL_ERROR")},
	{"5.1", "idle: CONTINUATION", [][]byte{fr(continuationFrame, whole, 1, get())}, dead("0", "PROTOCOL_ERROR")},
	{"5.1", "idle: PRIORITY", [][]byte{fr(priorityFrame, 0, 5, number(3, 0)[:5])}, ""},
	{"5.1", "half-closed: DATA", [][]byte{fr(headersFrame, endOnce, 1, get()), fr(dataFrame, 0, 1, []byte("x"))}, fine + "; 1 ended: STREAM_CLOSED; 1 RST_STREAM STREAM_CLOSED"},
	{"5.1", "half-closed: HEADERS", [][]byte{fr(headersFrame, endOnce, 1, get()), fr(headersFrame, endOnce, 1, get())}, fine + "; 1 ended: STREAM_CLOSED; 1 RST_STREAM STREAM_CLOSED"},
	{"5.1", "half-closed: WINDOW_UPDATE, PRIORITY", [][]byte{fr(headersFrame, endOnce, 1, get()), fr(windowFrame, 0, 1, number(1000)), fr(priorityFrame, 0, 1, number(3, 0)[:5])}, fine},
	{"5.1", "reset: DATA", [][]byte{open, fr(resetFrame, 0, 1, number(8)), fr(dataFrame, 0, 1, []byte("x"))}, opened + "1 ended: CANCEL; 1 RST_STREAM STREAM_CLOSED"},
	{"5.1", "reset: HEADERS", [][]byte{open, fr(resetFrame, 0, 1, number(8)), fr(headersFrame, endOnce, 1, get())}, opened + "1 ended: CANCEL; " + dead("1", "STREAM_CLOSED")},
	{"5.1", "reset: WINDOW_UPDATE, RST_STREAM", [][]byte{open, fr(resetFrame, 0, 1, number(8)), fr(windowFrame, 0, 1, number(1000)), fr(resetFrame, 0, 1, number(8))}, opened + "1 ended: CANCEL"},
	{"5.1", "reset by us: what is on its way is dropped", [][]byte{fr(headersFrame, whole, 1, post("content-length", "1")), fr(dataFrame, 0, 1, []byte("xx")), fr(dataFrame, 0, 1, []byte("xx")), fr(headersFrame, endOnce, 1, fields("a", "b")), fr(windowFrame, 0, 1, number(9))},
		`1 POST / host="a.b" content-length="1" length 1; 1 ended: PROTOCOL_ERROR; 1 RST_STREAM PROTOCOL_ERROR`},
	{"5.1", "refused: what is on its way is dropped", [][]byte{fr(headersFrame, whole|priorityFlag, 1, join(number(1, 0)[:5], post())), fr(dataFrame, 0, 1, []byte("x")), fr(headersFrame, endOnce, 1, fields("a", "b"))}, "1 RST_STREAM PROTOCOL_ERROR"},
	{"5.1.1", "an even number", [][]byte{fr(headersFrame, endOnce, 2, get())}, dead("0", "PROTOCOL_ERROR")},
	{"5.1.1", "a lower number", [][]byte{fr(headersFrame, endOnce, 5, get()), fr(headersFrame, endOnce, 3, get())}, `5 GET / host="a.b" end; ` + dead("5", "PROTOCOL_ERROR")},
	{"5.3.1", "HEADERS that depend on themselves", [][]byte{fr(headersFrame, endOnce|priorityFlag, 1, join(number(1, 0)[:5], get()))}, "1 RST_STREAM PROTOCOL_ERROR"},
	{"5.3.1", "PRIORITY that depends on itself", [][]byte{open, fr(priorityFrame, 0, 1, number(1, 0)[:5])}, opened + "1 ended: PROTOCOL_ERROR; 1 RST_STREAM PROTOCOL_ERROR"},
	{"5.3.1", "PRIORITY that depends on itself, idle", [][]byte{fr(priorityFrame, 0, 1, number(1, 0)[:5])}, dead("0", "PROTOCOL_ERROR")},
	{"6.1", "DATA on stream 0", [][]byte{fr(dataFrame, 0, 0, nil)}, dead("0", "PROTOCOL_ERROR")},
	{"6.1", "padding is taken off", [][]byte{open, fr(dataFrame, paddedFlag|end, 1, []byte{2, 'x', 0, 0})}, opened + `1 data "x" end`},
	{"6.1", "only padding", [][]byte{open, fr(dataFrame, paddedFlag|end, 1, []byte{2, 0, 0})}, opened + `1 data "" end`},
	{"6.1", "padding as long as the frame", [][]byte{open, fr(dataFrame, paddedFlag, 1, []byte{3, 0, 0})}, opened + dead("1", "PROTOCOL_ERROR")},
	{"6.1", "padding of nothing", [][]byte{open, fr(dataFrame, paddedFlag, 1, nil)}, opened + dead("1", "PROTOCOL_ERROR")},
	{"6.2", "HEADERS on stream 0", [][]byte{fr(headersFrame, endOnce, 0, get())}, dead("0", "PROTOCOL_ERROR")},
	{"6.2", "HEADERS with padding and priority", [][]byte{fr(headersFrame, endOnce|paddedFlag|priorityFlag, 1, join([]byte{3}, number(5, 0)[:5], get(), make([]byte, 3)))}, fine},
	{"6.2", "HEADERS with too much padding", [][]byte{fr(headersFrame, endOnce|paddedFlag, 1, []byte{1})}, dead("0", "PROTOCOL_ERROR")},
	{"6.2", "HEADERS too short for a priority", [][]byte{fr(headersFrame, endOnce|priorityFlag, 1, number(3))}, dead("0", "FRAME_SIZE_ERROR")},
	{"6.3", "PRIORITY on stream 0", [][]byte{fr(priorityFrame, 0, 0, make([]byte, 5))}, dead("0", "PROTOCOL_ERROR")},
	{"6.3", "PRIORITY of a wrong length", [][]byte{open, fr(priorityFrame, 0, 1, make([]byte, 4))}, opened + "1 ended: FRAME_SIZE_ERROR; 1 RST_STREAM FRAME_SIZE_ERROR"},
	{"6.4", "RST_STREAM on stream 0", [][]byte{fr(resetFrame, 0, 0, number(8))}, dead("0", "PROTOCOL_ERROR")},
	{"6.4", "RST_STREAM of a wrong length", [][]byte{open, fr(resetFrame, 0, 1, nil)}, opened + dead("1", "FRAME_SIZE_ERROR")},
	{"6.4", "RST_STREAM with a code that is not known", [][]byte{open, fr(resetFrame, 0, 1, number(99))}, opened + "1 ended: 99"},
	{"6.5", "SETTINGS on a stream", [][]byte{fr(settingsFrame, 0, 1, nil)}, dead("0", "PROTOCOL_ERROR")},
	{"6.5", "SETTINGS of a wrong length", [][]byte{fr(settingsFrame, 0, 0, make([]byte, 5))}, dead("0", "FRAME_SIZE_ERROR")},
	{"6.5", "an acknowledgement with settings", [][]byte{fr(settingsFrame, ackFlag, 0, make([]byte, 6))}, dead("0", "FRAME_SIZE_ERROR")},
	{"6.5.2", "ENABLE_PUSH of 2", [][]byte{fr(settingsFrame, 0, 0, setting(settingPush, 2))}, dead("0", "PROTOCOL_ERROR")},
	{"6.5.2", "INITIAL_WINDOW_SIZE of 2^31", [][]byte{fr(settingsFrame, 0, 0, setting(settingWindow, 1<<31))}, dead("0", "FLOW_CONTROL_ERROR")},
	{"6.5.2", "MAX_FRAME_SIZE of 16383", [][]byte{fr(settingsFrame, 0, 0, setting(settingMaxFrame, maxFrame-1))}, dead("0", "PROTOCOL_ERROR")},
	{"6.5.2", "MAX_FRAME_SIZE of 2^24", [][]byte{fr(settingsFrame, 0, 0, setting(settingMaxFrame, 1<<24))}, dead("0", "PROTOCOL_ERROR")},
	{"6.5.2", "a setting that is not known", [][]byte{fr(settingsFrame, 0, 0, setting(99, 1))}, "settings"},
	{"RFC 8441 3", "ENABLE_CONNECT_PROTOCOL of 2", [][]byte{fr(settingsFrame, 0, 0, setting(settingConnect, 2))}, dead("0", "PROTOCOL_ERROR")},
	{"RFC 8441 3", "ENABLE_CONNECT_PROTOCOL taken back", [][]byte{fr(settingsFrame, 0, 0, setting(settingConnect, 1)), fr(settingsFrame, 0, 0, setting(settingConnect, 0))}, "settings; " + dead("0", "PROTOCOL_ERROR")},
	{"6.6", "PUSH_PROMISE from a client", [][]byte{open, fr(pushFrame, whole, 1, join(number(2), get()))}, opened + dead("1", "PROTOCOL_ERROR")},
	{"6.7", "PING", [][]byte{fr(pingFrame, 0, 0, []byte("12345678"))}, "PING 12345678 ack=true"},
	{"6.7", "an answer to PING", [][]byte{fr(pingFrame, ackFlag, 0, []byte("12345678"))}, "pong 12345678"},
	{"6.7", "PING on a stream", [][]byte{fr(pingFrame, 0, 1, []byte("12345678"))}, dead("0", "PROTOCOL_ERROR")},
	{"6.7", "PING of a wrong length", [][]byte{fr(pingFrame, 0, 0, []byte("1234567"))}, dead("0", "FRAME_SIZE_ERROR")},
	{"6.8", "GOAWAY on a stream", [][]byte{fr(goawayFrame, 0, 1, number(0, 0))}, dead("0", "PROTOCOL_ERROR")},
	{"6.8", "GOAWAY too short", [][]byte{fr(goawayFrame, 0, 0, number(0))}, dead("0", "FRAME_SIZE_ERROR")},
	{"6.8", "GOAWAY, and requests go on", [][]byte{fr(goawayFrame, 0, 0, join(number(0, 0), []byte("bye"))), fr(headersFrame, endOnce, 1, get())}, "goaway 0 NO_ERROR; " + fine},
	{"6.8", "GOAWAY that goes up", [][]byte{fr(goawayFrame, 0, 0, number(0, 0)), fr(goawayFrame, 0, 0, number(2, 0))}, "goaway 0 NO_ERROR; " + dead("0", "PROTOCOL_ERROR")},
	{"6.9", "WINDOW_UPDATE of 0", [][]byte{fr(windowFrame, 0, 0, number(0))}, dead("0", "PROTOCOL_ERROR")},
	{"6.9", "WINDOW_UPDATE of 0 on a stream", [][]byte{open, fr(windowFrame, 0, 1, number(0))}, opened + "1 ended: PROTOCOL_ERROR; 1 RST_STREAM PROTOCOL_ERROR"},
	{"6.9", "WINDOW_UPDATE of a wrong length", [][]byte{fr(windowFrame, 0, 0, make([]byte, 3))}, dead("0", "FRAME_SIZE_ERROR")},
	{"6.9.1", "a window too large", [][]byte{fr(windowFrame, 0, 0, number(maxID))}, dead("0", "FLOW_CONTROL_ERROR")},
	{"6.9.1", "a stream's window too large", [][]byte{open, fr(windowFrame, 0, 1, number(maxID))}, opened + "1 ended: FLOW_CONTROL_ERROR; 1 RST_STREAM FLOW_CONTROL_ERROR"},
	{"6.9.2", "a window too large by SETTINGS", [][]byte{open, fr(windowFrame, 0, 1, number(1000)), fr(settingsFrame, 0, 0, setting(settingWindow, maxID))}, opened + dead("1", "FLOW_CONTROL_ERROR")},
	{"6.10", "CONTINUATION", [][]byte{fr(headersFrame, end, 1, get()[:9]), fr(continuationFrame, 0, 1, get()[9:20]), fr(continuationFrame, whole, 1, get()[20:])}, fine},
	{"6.10", "CONTINUATION on another stream", [][]byte{fr(headersFrame, end, 1, get()), fr(continuationFrame, whole, 3, nil)}, dead("0", "PROTOCOL_ERROR")},
	{"6.10", "CONTINUATION on stream 0", [][]byte{fr(headersFrame, end, 1, get()), fr(continuationFrame, whole, 0, nil)}, dead("0", "PROTOCOL_ERROR")},
	{"6.10", "CONTINUATION after the end of a block", [][]byte{fr(headersFrame, endOnce, 1, get()), fr(continuationFrame, whole, 1, nil)}, fine + "; " + dead("1", "PROTOCOL_ERROR")},

	{"8.1", "trailers", [][]byte{open, fr(dataFrame, 0, 1, []byte("x")), fr(headersFrame, endOnce, 1, fields("grpc-status", "0", "host", "c", "content-length", "9", "x-amzn-lattice-identity", "me"))}, opened + `1 data "x"; 1 trailers [{grpc-status 0}]`},
	{"8.1", "trailers without an end", [][]byte{open, fr(headersFrame, whole, 1, fields("a", "b"))}, opened + "1 ended: PROTOCOL_ERROR; 1 RST_STREAM PROTOCOL_ERROR"},
	{"8.1", "pseudo-header in trailers", [][]byte{open, fr(headersFrame, endOnce, 1, fields(":path", "/"))}, opened + "1 ended: PROTOCOL_ERROR; 1 RST_STREAM PROTOCOL_ERROR"},
	{"8.1", "field about the connection in trailers", [][]byte{open, fr(headersFrame, endOnce, 1, fields("connection", "close"))}, opened + "1 ended: PROTOCOL_ERROR; 1 RST_STREAM PROTOCOL_ERROR"},
	{"8.1", "bad value in trailers", [][]byte{open, fr(headersFrame, endOnce, 1, fields("a", "b\r\nc: d"))}, opened + "1 ended: PROTOCOL_ERROR; 1 RST_STREAM PROTOCOL_ERROR"},
	{"8.1", "too many trailers", [][]byte{open, fr(headersFrame, endOnce, 1, bytes.Repeat(fields("a", "b"), 101))}, opened + "1 ended: ENHANCE_YOUR_CALM; 1 RST_STREAM ENHANCE_YOUR_CALM"},
	{"8.1.1", "content-length", append(request(0, "content-length", "2"), fr(dataFrame, 0, 1, []byte("x")), fr(dataFrame, end, 1, []byte("y"))), `1 POST / host="a.b" content-length="2" length 2; 1 data "x"; 1 data "y" end`},
	{"8.1.1", "content-length and more data", append(request(0, "content-length", "2"), fr(dataFrame, 0, 1, []byte("xyz"))), `1 POST / host="a.b" content-length="2" length 2; 1 ended: PROTOCOL_ERROR; 1 RST_STREAM PROTOCOL_ERROR`},
	{"8.1.1", "content-length and less data", append(request(0, "content-length", "2"), fr(dataFrame, end, 1, []byte("x"))), `1 POST / host="a.b" content-length="2" length 2; 1 ended: PROTOCOL_ERROR; 1 RST_STREAM PROTOCOL_ERROR`},
	{"8.1.1", "content-length and trailers too early", append(request(0, "content-length", "2"), fr(headersFrame, endOnce, 1, fields("a", "b"))), `1 POST / host="a.b" content-length="2" length 2; 1 ended: PROTOCOL_ERROR; 1 RST_STREAM PROTOCOL_ERROR`},
	{"8.1.1", "content-length and no data", request(end, "content-length", "2"), bad("Content-Length with a body that has ended")},
	{"8.1.1", "content-length 0 and data", append(request(0, "content-length", "0"), fr(dataFrame, 0, 1, []byte("x"))), `1 POST / host="a.b" content-length="0"; 1 ended: PROTOCOL_ERROR; 1 RST_STREAM PROTOCOL_ERROR`},
	{"8.1.1", "content-length that differs", request(0, "content-length", "2", "content-length", "3"), bad("repeated Content-Length")},
	{"8.1.1", "content-length with a sign", request(0, "content-length", "+2"), bad("bad Content-Length")},
	{"8.1.1", "content-length as a list", request(0, "content-length", "2, 2"), bad("bad Content-Length")},
	{"8.1.1", "content-length of nothing", request(0, "content-length", ""), bad("bad Content-Length")},
	{"8.1.1", "content-length too large", request(0, "content-length", strings.Repeat("9", 30)), bad("bad Content-Length")},
	{"8.2", "name in upper case", request(end, "X-A", "b"), bad("bad field name")},
	{"8.2", "empty name", request(end, "", "b"), bad("bad field name")},
	{"8.2.1", "space in a name", request(end, "a b", "c"), bad("bad field name")},
	{"8.2.1", "colon in a name", request(end, "a:", "c"), bad("bad field name")},
	{"8.2.1", "line end in a name", request(end, "a\r\n", "c"), bad("bad field name")},
	{"8.2.1", "NUL in a value", request(end, "a", "b\x00"), bad("bad field value")},
	{"8.2.1", "line feed in a value", request(end, "a", "b\nc"), bad("bad field value")},
	{"8.2.1", "carriage return in a value", request(end, "a", "b\rc"), bad("bad field value")},
	{"8.2.1", "another control character in a value", request(end, "a", "b\x1bc"), bad("bad field value")},
	{"8.2.1", "value that begins with a space", request(end, "a", " b"), bad("bad field value")},
	{"8.2.1", "value that ends with a tab", request(end, "a", "b\t"), bad("bad field value")},
	{"8.2.1", "bytes above ASCII in a value", request(end, "a", "\xc3\xa4"), `1 POST / host="a.b" a="ä" end`},
	{"8.2.2", "connection", request(end, "connection", "x"), bad("field about a connection of HTTP/1.1")},
	{"8.2.2", "keep-alive", request(end, "keep-alive", "x"), bad("field about a connection of HTTP/1.1")},
	{"8.2.2", "proxy-connection", request(end, "proxy-connection", "x"), bad("field about a connection of HTTP/1.1")},
	{"8.2.2", "transfer-encoding", request(0, "transfer-encoding", "chunked"), bad("field about a connection of HTTP/1.1")},
	{"8.2.2", "upgrade", request(end, "upgrade", "h2c"), bad("field about a connection of HTTP/1.1")},
	{"8.2.2", "te: trailers", request(end, "te", "trailers"), `1 POST / host="a.b" te="trailers" end`},
	{"8.2.2", "te: gzip", request(end, "te", "trailers, gzip"), bad("TE that asks for more than trailers")},
	{"8.2.3", "crumbs of a cookie", request(end, "cookie", "a=b", "x", "y", "cookie", "c=d", "cookie", "", "cookie", "e=f"), `1 POST / host="a.b" cookie="a=b; c=d; e=f" x="y" end`},
	{"8.2.3", "a cookie that must not be kept in a table", [][]byte{fr(headersFrame, endOnce, 1, join(get(), []byte{0x10}, fields("cookie", "a")[1:], []byte{0x10}, fields("cookie", "b")[1:]))}, `1 GET / host="a.b" cookie="a; b" end`},
	{"8.2.3", "crumbs of too large a cookie", [][]byte{cut(1, end, get("cookie", strings.Repeat("a", 9000), "cookie", strings.Repeat("b", 9000)))}, "1 refused: field line too long; 1 RST_STREAM CANCEL"},
	{"8.3", "pseudo-header after a field", head(":method", "GET", ":scheme", "http", "a", "b", ":path", "/", ":authority", "a.b"), bad("pseudo-header after a field")},
	{"8.3", "pseudo-header that is not known", request(end, ":x", "y"), bad("pseudo-header that the message can't have")},
	{"8.3", "pseudo-header of an answer", request(end, ":status", "200"), bad("pseudo-header that the message can't have")},
	{"8.3.1", "method missing", head(":scheme", "http", ":path", "/", ":authority", "a.b"), bad("pseudo-header missing")},
	{"8.3.1", "scheme missing", head(":method", "GET", ":path", "/", ":authority", "a.b"), bad("pseudo-header missing")},
	{"8.3.1", "path missing", head(":method", "GET", ":scheme", "http", ":authority", "a.b"), bad("pseudo-header missing")},
	{"8.3.1", "path repeated", request(end, ":path", "/"), bad("pseudo-header repeated")},
	{"8.3.1", "method repeated", request(end, ":method", "GET"), bad("pseudo-header repeated")},
	{"8.3.1", "empty path", head(":method", "GET", ":scheme", "http", ":path", "", ":authority", "a.b"), bad("bad request target")},
	{"8.3.1", "path that doesn't begin with a slash", head(":method", "GET", ":scheme", "http", ":path", "a", ":authority", "a.b"), bad("bad request target")},
	{"8.3.1", "path in absolute-form", head(":method", "GET", ":scheme", "http", ":path", "http://c/", ":authority", "a.b"), bad("bad request target")},
	{"8.3.1", "path with a space", head(":method", "GET", ":scheme", "http", ":path", "/a HTTP/1.1", ":authority", "a.b"), bad("bad request target")},
	{"8.3.1", "path with a line end", head(":method", "GET", ":scheme", "http", ":path", "/\r\nx: y", ":authority", "a.b"), bad("bad request target")},
	{"8.3.1", "path with a fragment", head(":method", "GET", ":scheme", "http", ":path", "/#a", ":authority", "a.b"), bad("bad request target")},
	{"8.3.1", "path * with OPTIONS", head(":method", "OPTIONS", ":scheme", "http", ":path", "*", ":authority", "a.b"), `1 OPTIONS * host="a.b" end`},
	{"8.3.1", "path * with GET", head(":method", "GET", ":scheme", "http", ":path", "*", ":authority", "a.b"), bad("bad request target")},
	{"8.3.1", "query", head(":method", "GET", ":scheme", "https", ":path", "/a?b=c?d", ":authority", "a.b"), `1 GET /a?b=c?d host="a.b" end`},
	{"8.3.1", "bad method", head(":method", "G ET", ":scheme", "http", ":path", "/", ":authority", "a.b"), bad("bad method")},
	{"8.3.1", "empty method", head(":method", "", ":scheme", "http", ":path", "/", ":authority", "a.b"), bad("bad method")},
	{"8.3.1", "method in other letters", head(":method", "get", ":scheme", "http", ":path", "/", ":authority", "a.b"), bad("bad method")},
	{"8.3.1", "bad scheme", head(":method", "GET", ":scheme", "http://c/", ":path", "/", ":authority", "a.b"), bad("bad scheme")},
	{"8.3.1", "a scheme that is not served", head(":method", "GET", ":scheme", "ftp", ":path", "/", ":authority", "a.b"), "1 refused: a scheme that is neither http nor https; 1 RST_STREAM CANCEL"},
	{"8.3.1", "user in the authority", head(":method", "GET", ":scheme", "http", ":path", "/", ":authority", "me@a.b"), bad("missing, repeated or bad Host")},
	{"8.3.1", "empty authority", head(":method", "GET", ":scheme", "http", ":path", "/", ":authority", ""), bad("missing, repeated or bad Host")},
	{"8.3.1", "host instead of authority", head(":method", "GET", ":scheme", "http", ":path", "/", "host", "a.b"), fine},
	{"8.3.1", "neither host nor authority", head(":method", "GET", ":scheme", "http", ":path", "/"), bad("missing, repeated or bad Host")},
	{"8.3.1", "host and authority", request(end, "host", "A.B"), `1 POST / host="a.b" end`},
	{"8.3.1", "host that differs from the authority", request(end, "host", "c"), bad("Host differs from the authority")},
	{"8.3.1", "host twice", request(end, "host", "a.b", "host", "a.b"), bad("missing, repeated or bad Host")},
	{"8.5", "CONNECT", head(":method", "CONNECT", ":authority", "a.b:80"), "1 refused: CONNECT is not served; 1 RST_STREAM CANCEL"},
	{"8.5", "CONNECT with a path", head(":method", "CONNECT", ":authority", "a.b:80", ":path", "/", ":scheme", "http"), bad("pseudo-header that the message can't have")},
	{"RFC 8441 4", "a protocol that was not offered", head(":method", "CONNECT", ":protocol", "websocket", ":authority", "a.b:80", ":path", "/", ":scheme", "http"), bad("pseudo-header that the message can't have")},
	{"RFC 9112 11.2", "a name like content-length", request(end, "content_length", "3"), "1 refused: a name like Content-Length or Transfer-Encoding; 1 RST_STREAM CANCEL"},
	{"RFC 9110 10.1.1", "an expectation that is not known", request(0, "expect", "more"), "1 refused: unknown expectation; 1 RST_STREAM CANCEL"},
}

// TestRFC plays to a server what each section speaks of.
func TestRFC(t *testing.T) {
	for _, c := range rfcCases {
		t.Run(c.section+" "+c.name, func(t *testing.T) {
			p := started(t, true, Options{})
			err := p.receive(c.in...)
			if c.want == "" && err == nil && len(p.flush()) == 0 {
				return
			}
			got := strings.Join(append(p.events, p.flush()...), "; ")
			if got != c.want {
				t.Errorf("got:\n  %s\nwant:\n  %s", got, c.want)
			}
			p.events = nil
			p.Abort(Cancel)
			for _, e := range p.events {
				if id, _, _ := strings.Cut(e, " "); !strings.Contains("; "+got, "; "+id+" ") {
					t.Errorf("told of the end of a stream that was not told of: %s", e)
				}
			}
			if (err != nil) != strings.Contains(got, "GOAWAY") {
				t.Errorf("Receive returned %v", err)
			}
		})
	}
}

// TestGreeting plays what comes first (3.4).
func TestGreeting(t *testing.T) {
	for name, c := range map[string]struct {
		server bool
		in     []byte
		want   string
	}{
		"a client's":              {true, join([]byte(preface), fr(settingsFrame, 0, 0, nil)), "settings"},
		"HTTP/1.1":                {true, []byte("GET / HTTP/1.1\r\n"), dead("0", "PROTOCOL_ERROR")},
		"no SETTINGS":             {true, join([]byte(preface), fr(pingFrame, 0, 0, make([]byte, 8))), dead("0", "PROTOCOL_ERROR")},
		"an acknowledgement":      {true, join([]byte(preface), fr(settingsFrame, ackFlag, 0, nil)), dead("0", "PROTOCOL_ERROR")},
		"a server's":              {false, fr(settingsFrame, 0, 0, setting(settingMaxStreams, 3)), "settings"},
		"a server's, no SETTINGS": {false, fr(windowFrame, 0, 0, number(1)), dead("0", "PROTOCOL_ERROR")},
		"a server that may push":  {false, fr(settingsFrame, 0, 0, setting(settingPush, 1)), dead("0", "PROTOCOL_ERROR")},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPeer(t, c.server, Options{})
			p.receive(c.in)
			if got := strings.Join(append(p.events, p.flush()...), "; "); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// TestIsPreface tells HTTP/2 from HTTP/1.1 by the first bytes.
func TestIsPreface(t *testing.T) {
	for in, want := range map[string][2]bool{
		"": {false, true}, "P": {false, true}, "POST / HTTP/1.1": {false, false}, "PRI * HTTP/2.0\r\n\r\n": {false, true},
		"PRI * HTTP/1.1\r\n": {false, false}, preface: {true, false}, preface + "\x00": {true, false},
	} {
		if is, undecided := IsPreface([]byte(in)); is != want[0] || undecided != want[1] {
			t.Errorf("%q: %t, %t", in, is, undecided)
		}
	}
}
