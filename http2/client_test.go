package http2

import (
	"testing"

	"github.com/trellis-project/trellis/http1"
)

// ask opens a request without a body.
func ask(p *peer, method, path string) *Stream {
	p.t.Helper()
	s, b, err := p.Open(&http1.Head{Method: method, Path: path, Host: "a.b"}, "http", "")
	if err != nil {
		p.t.Fatal(err)
	}
	b.Send(true)
	return s
}

// answered is a head of an answer on stream 1.
func answered(flags uint8, pairs ...string) []byte {
	return fr(headersFrame, whole|flags, 1, fields(append([]string{":status"}, pairs...)...))
}

// TestAnswers plays to a client what a server may answer a GET, and what not.
func TestAnswers(t *testing.T) {
	const reset = "1 RST_STREAM PROTOCOL_ERROR"
	for name, c := range map[string]struct {
		method string
		in     []byte
		want   []string
	}{
		"without a body":          {"GET", answered(end, "200"), []string{"1 200 end"}},
		"with one":                {"GET", join(answered(0, "200"), fr(dataFrame, end, 1, []byte("x"))), []string{"1 200 length unknown", `1 data "x" end`}},
		"with its length":         {"GET", join(answered(0, "200", "content-length", "1"), fr(dataFrame, end, 1, []byte("x"))), []string{`1 200 content-length="1" length 1`, `1 data "x" end`}},
		"with less":               {"GET", join(answered(0, "200", "content-length", "2"), fr(dataFrame, end, 1, []byte("x"))), []string{`1 200 content-length="2" length 2`, "1 ended: PROTOCOL_ERROR", reset}},
		"with none":               {"GET", answered(end, "200", "content-length", "2"), []string{"1 refused: Content-Length with a body that has ended", reset}},
		"HEAD":                    {"HEAD", answered(end, "200", "content-length", "2"), []string{`1 200 content-length="2" end`}},
		"HEAD with a body":        {"HEAD", join(answered(0, "200", "content-length", "2"), fr(dataFrame, end, 1, []byte("xy"))), []string{`1 200 content-length="2"`, "1 ended: PROTOCOL_ERROR", reset}},
		"304":                     {"GET", answered(end, "304", "content-length", "2"), []string{`1 304 content-length="2" end`}},
		"204 with a body":         {"GET", join(answered(0, "204"), fr(dataFrame, end, 1, []byte("xy"))), []string{"1 204", "1 ended: PROTOCOL_ERROR", reset}},
		"interim":                 {"GET", join(answered(0, "103", "link", "x"), answered(end, "200")), []string{`1 103 link="x"`, "1 200 end"}},
		"interim that ends":       {"GET", answered(end, "103"), []string{"1 refused: interim answer that ends its stream", reset}},
		"switched protocols":      {"GET", answered(0, "101"), []string{"1 refused: protocol switched without a request to switch it", reset}},
		"trailers":                {"GET", join(answered(0, "200"), fr(headersFrame, endOnce, 1, fields("grpc-status", "0"))), []string{"1 200 length unknown", "1 trailers [{grpc-status 0}]"}},
		"trailers that don't end": {"GET", join(answered(0, "200"), fr(headersFrame, whole, 1, fields("grpc-status", "0"))), []string{"1 200 length unknown", "1 ended: PROTOCOL_ERROR", reset}},
		"data first":              {"GET", fr(dataFrame, 0, 1, []byte("x")), []string{"1 ended: PROTOCOL_ERROR", reset}},
		"no status":               {"GET", fr(headersFrame, endOnce, 1, fields("a", "b")), []string{"1 refused: pseudo-header missing", reset}},
		"bad status":              {"GET", answered(end, "2000"), []string{"1 refused: bad status", reset}},
		"status below 100":        {"GET", answered(end, "099"), []string{"1 refused: bad status", reset}},
		"a request's pseudo":      {"GET", answered(end, "200", ":path", "/"), []string{"1 refused: pseudo-header that the message can't have", reset}},
		"about the connection":    {"GET", answered(end, "200", "connection", "close"), []string{"1 refused: field about a connection of HTTP/1.1", reset}},
		"line end in a value":     {"GET", answered(end, "200", "a", "b\r\nset-cookie: c"), []string{"1 refused: bad field value", reset}},
		"no more of the request":  {"GET", join(answered(end, "200"), fr(resetFrame, 0, 1, number(0))), []string{"1 200 end"}},
		"refused":                 {"GET", fr(resetFrame, 0, 1, number(uint32(RefusedStream))), []string{"1 ended: REFUSED_STREAM"}},
		"of nobody's stream":      {"GET", fr(headersFrame, endOnce, 3, fields(":status", "200")), []string{dead("0", "PROTOCOL_ERROR")}},
		"on an even stream":       {"GET", fr(headersFrame, endOnce, 2, fields(":status", "200")), []string{dead("0", "PROTOCOL_ERROR")}},
		"a promise":               {"GET", fr(pushFrame, whole, 1, join(number(2), get())), []string{dead("0", "PROTOCOL_ERROR")}},
		"another after the end":   {"GET", join(answered(end, "200"), answered(end, "200")), []string{"1 200 end", dead("0", "STREAM_CLOSED")}},
		"data after the end":      {"GET", join(answered(end, "200"), fr(dataFrame, 0, 1, []byte("x"))), []string{"1 200 end", "1 RST_STREAM STREAM_CLOSED"}},
		"fields never to be kept": {"GET", fr(headersFrame, endOnce, 1, append(fields(":status", "200"), 0x10, 1, 'a', 1, 'b')), []string{`1 200 a="b" end`}},
	} {
		t.Run(name, func(t *testing.T) {
			p := started(t, false, Options{})
			ask(p, c.method, "/")
			p.flush()
			p.receive(c.in)
			p.want(c.want...)
		})
	}
}

// TestInterims ends a stream whose interim answers don't.
func TestInterims(t *testing.T) {
	p := started(t, false, Options{})
	ask(p, "GET", "/")
	p.flush()
	for range interims {
		p.receive(answered(0, "103"))
	}
	p.events = nil
	p.receive(answered(0, "103"))
	p.want("1 ended: ENHANCE_YOUR_CALM", "1 RST_STREAM ENHANCE_YOUR_CALM")
}

// TestOpen holds a client to what the server allows, and to the numbers that there are (5.1.1, 5.1.2).
func TestOpen(t *testing.T) {
	h := &http1.Head{Method: "GET", Path: "/", Host: "a.b"}
	p := started(t, false, Options{})
	p.receive(fr(settingsFrame, 0, 0, setting(settingMaxStreams, 2)))
	ask(p, "GET", "/")
	if n := p.Room(); n != 1 {
		t.Errorf("room for %d", n)
	}
	ask(p, "GET", "/")
	if _, _, err := p.Open(h, "http", ""); err != ErrBusy {
		t.Errorf("the third: %v", err)
	}
	if n := p.Room(); n != 0 {
		t.Errorf("room for %d", n)
	}
	p.receive(answered(end, "200"))
	ask(p, "GET", "/")
	if _, _, err := p.Open(&http1.Head{Method: "CONNECT", Path: "/", Host: "a.b"}, "http", "websocket"); err != ErrBusy {
		t.Errorf("the fourth: %v", err)
	}

	p = started(t, false, Options{})
	if _, _, err := p.Open(h, "http", "websocket"); err != ErrConnect {
		t.Errorf("extended CONNECT that was not offered: %v", err)
	}
	p.receive(fr(settingsFrame, 0, 0, setting(settingConnect, 1)))
	_, b, err := p.Open(&http1.Head{Method: "CONNECT", Path: "/", Host: "a.b"}, "http", "websocket")
	if err != nil {
		t.Fatal(err)
	}
	b.Send(false)
	p.want("settings", `1 HEADERS :method="CONNECT" :protocol="websocket" :scheme="http" :authority="a.b" :path="/"`)
	p.next = maxID
	ask(p, "GET", "/")
	if _, _, err := p.Open(h, "http", ""); err != ErrExhausted {
		t.Errorf("above the last number: %v", err)
	}
}

// TestConnect tells a server's owner of an extended CONNECT (RFC 8441).
func TestConnect(t *testing.T) {
	p := started(t, true, Options{Connect: true})
	connect := func(id uint32, pairs ...string) []byte {
		return fr(headersFrame, whole, id, fields(append([]string{":method", "CONNECT", ":protocol", "websocket"}, pairs...)...))
	}
	p.receive(connect(1, ":scheme", "http", ":authority", "a.b", ":path", "/chat"))
	p.want(`1 CONNECT /chat host="a.b" length unknown`)
	if got := p.told[1].Upgrade(); got != "websocket" {
		t.Errorf("upgrade to %q", got)
	}
	p.receive(connect(3, ":authority", "a.b"))
	p.want("3 refused: pseudo-header missing", "3 RST_STREAM PROTOCOL_ERROR")
	p.receive(fr(headersFrame, whole, 5, fields(":method", "CONNECT", ":protocol", "web socket", ":scheme", "http", ":authority", "a.b", ":path", "/")))
	p.want("5 refused: bad protocol", "5 RST_STREAM PROTOCOL_ERROR")
	p.receive(fr(headersFrame, whole, 7, get(":protocol", "x")))
	p.want("7 refused: pseudo-header that the message can't have", "7 RST_STREAM PROTOCOL_ERROR")
}

// TestShutdown lets a server go in two steps, and a client tell which requests were not served (6.8).
func TestShutdown(t *testing.T) {
	p := started(t, true, Options{})
	answering(p, []byte("x"))
	p.Shutdown()
	p.Shutdown()
	p.want(dead("2147483647", "NO_ERROR"))
	p.receive(fr(headersFrame, endOnce, 1, get()))
	p.want(fine, `1 HEADERS :status="200"`, `1 DATA "x" end`)
	p.onHead = nil
	p.receive(fr(headersFrame, endOnce, 3, get()))
	p.ShutdownNow()
	p.want(`3 GET / host="a.b" end`, dead("3", "NO_ERROR"))
	p.receive(fr(headersFrame, endOnce, 5, get()))
	p.want("5 RST_STREAM REFUSED_STREAM")
	if err := p.receive(fr(pushFrame, whole, 1, nil)); err != ErrPush {
		t.Error(err)
	}
	p.want(dead("3", "PROTOCOL_ERROR")) // the last stream can't go up
	if p.Drained() {
		t.Error("drained before the last answer")
	}
	p.told[3].Release()
	if !p.Drained() {
		t.Error("not drained")
	}

	p = started(t, false, Options{})
	ask(p, "GET", "/")
	p.flush()
	p.ShutdownNow()
	p.want(dead("0", "NO_ERROR"))
	if _, _, err := p.Open(&http1.Head{Method: "GET", Path: "/"}, "http", ""); err != ErrDraining || p.Drained() {
		t.Error(err)
	}
	p.receive(answered(end, "200"))
	p.want("1 200 end")
	if !p.Drained() {
		t.Error("not drained")
	}

	p = started(t, false, Options{})
	for range 3 {
		ask(p, "GET", "/")
	}
	p.flush()
	p.receive(fr(goawayFrame, 0, 0, number(maxID, 0)))
	p.want("goaway 2147483647 NO_ERROR")
	if _, _, err := p.Open(&http1.Head{Method: "GET", Path: "/"}, "http", ""); err != ErrDraining {
		t.Error(err)
	}
	p.receive(fr(goawayFrame, 0, 0, number(3, 0)), answered(end, "200"))
	p.want("5 ended: REFUSED_STREAM", "goaway 3 NO_ERROR", "1 200 end")
	p.Abort(InternalError)
	p.want("3 ended: INTERNAL_ERROR")
	if !p.Drained() {
		t.Error("not drained")
	}
}

// TestPing asks for a sign of life.
func TestPing(t *testing.T) {
	p := started(t, false, Options{})
	p.Ping([8]byte([]byte("anybody?")))
	p.want("PING anybody? ack=false")
	p.receive(fr(pingFrame, ackFlag, 0, []byte("anybody?")))
	p.want("pong anybody?")
}
