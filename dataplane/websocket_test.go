package dataplane

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/trellis-project/trellis"
)

// The key of RFC 6455 1.3, and what a server answers to it.
const (
	wsKey    = "dGhlIHNhbXBsZSBub25jZQ=="
	wsAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
	wsAsk    = "GET /chat HTTP/1.1\r\nHost: " + host + "\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + wsKey + "\r\n\r\n"
)

// shout switches protocols and answers what comes in capitals, until the client ends.
func shout(accept func(key string) string) func(c net.Conn) {
	return func(c net.Conn) {
		r := bufio.NewReader(c)
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		key := req.Header.Get("Sec-WebSocket-Key")
		if req.Header.Get("Upgrade") != "websocket" || req.Header.Get("Sec-WebSocket-Version") != "13" {
			io.WriteString(c, "HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n")
			return
		}
		fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\nwelcome\n", accept(key))
		for {
			line, err := r.ReadString('\n')
			io.WriteString(c, strings.ToUpper(line))
			if err != nil {
				return
			}
		}
	}
}

// TestWebSocket switches to WebSocket and back to nothing: bytes that come before the switch and after it go both ways,
// and ends are passed on.
func TestWebSocket(t *testing.T) {
	w := newWorld(t, behave(t, shout(acceptOf)))
	w.serve(Options{})
	c := w.dial()
	defer c.Close()
	io.WriteString(c, wsAsk+"sent ahead\n")
	r := bufio.NewReader(c)
	resp, err := http.ReadResponse(r, nil)
	if err != nil || resp.StatusCode != 101 || resp.Header.Get("Upgrade") != "websocket" || resp.Header.Get("Sec-WebSocket-Accept") != wsAccept {
		t.Fatalf("%v %v", resp, err)
	}
	for _, want := range []string{"welcome\n", "SENT AHEAD\n"} {
		if line, err := r.ReadString('\n'); line != want || err != nil {
			t.Fatalf("%q, %v, want %q", line, err, want)
		}
	}
	big := strings.Repeat("x", 300_000) + "\n"
	go io.WriteString(c, big)
	if line, err := r.ReadString('\n'); line != strings.ToUpper(big) || err != nil {
		t.Fatalf("%d bytes, %v", len(line), err)
	}
	c.(*net.TCPConn).CloseWrite()
	if rest, err := io.ReadAll(r); err != nil || len(rest) != 0 {
		t.Errorf("%q, %v", rest, err)
	}
	if rec := w.record(0); rec.ResponseCode != 101 || rec.FailureReason != "" || rec.BytesReceived < 300_000 || rec.BytesSent < 300_000 {
		t.Errorf("record %+v", rec)
	}
}

// TestWebSocketNot looks at what does not lead to a switch: the target is never asked, or what it says is refused.
func TestWebSocketNot(t *testing.T) {
	for name, c := range map[string]struct {
		o      Options
		ask    string
		accept func(string) string
		status int
	}{
		"a wrong version":   {ask: strings.Replace(wsAsk, ": 13", ": 8", 1), status: 426},
		"no key":            {ask: strings.Replace(wsAsk, wsKey, "x", 1), status: 426},
		"another method":    {ask: strings.Replace(wsAsk, "GET", "POST", 1), status: 426},
		"not nominated":     {ask: strings.Replace(wsAsk, ", Upgrade", "", 1), status: 426},
		"a wrong answer":    {ask: wsAsk, accept: func(string) string { return "x" }, status: 502},
		"strict":            {o: Options{Strict: true}, ask: wsAsk, status: 426},
		"with a body":       {ask: strings.Replace(wsAsk, "\r\n\r\n", "\r\nContent-Length: 1\r\n\r\nx", 1), status: 426},
		"another protocol":  {ask: strings.Replace(wsAsk, "Upgrade: websocket", "Upgrade: h2c", 1), status: 426},
		"of an old version": {ask: strings.Replace(wsAsk, "HTTP/1.1", "HTTP/1.0", 1), status: 426},
	} {
		t.Run(name, func(t *testing.T) {
			if c.accept == nil {
				c.accept = acceptOf
			}
			w := newWorld(t, behave(t, shout(c.accept)))
			w.serve(c.o)
			conn := w.dial()
			defer conn.Close()
			io.WriteString(conn, c.ask)
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil || resp.StatusCode != c.status {
				t.Errorf("%v %v, want %d", resp, err, c.status)
			}
		})
	}
}

// TestWebSocketIdle ends a WebSocket over which nothing was sent for the idle timeout.
func TestWebSocketIdle(t *testing.T) {
	onClock(t, Options{}, shout(acceptOf), func(w *world, k *clock) {
		c := w.dial()
		defer c.Close()
		r := bufio.NewReader(c)
		io.WriteString(c, wsAsk)
		if _, err := http.ReadResponse(r, nil); err != nil {
			t.Fatal(err)
		}
		r.ReadString('\n')
		for range 3 {
			k.advance(50 * time.Second)
			io.WriteString(c, "on\n")
			if line, err := r.ReadString('\n'); line != "ON\n" || err != nil {
				t.Fatalf("%q, %v", line, err)
			}
		}
		done, _ := all(c)
		k.lasts("a WebSocket", defaultIdle, done)
	})
}

// speaksHTTP2 is a target of HTTP/2 that allows extended CONNECT, or not, and answers WebSocket and what comes then in capitals.
// To other requests it answers 413 at once, whatever is still to come, and says that it wants no more (RFC 9113 8.1).
func speaksHTTP2(connect bool) func(net.Conn) {
	return func(c net.Conn) {
		if _, err := io.ReadFull(c, make([]byte, len(http2.ClientPreface))); err != nil {
			return
		}
		f := http2.NewFramer(c, c)
		f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
		var settings []http2.Setting
		if connect {
			settings = append(settings, http2.Setting{ID: http2.SettingEnableConnectProtocol, Val: 1})
		}
		f.WriteSettings(settings...)
		answer := func(id uint32, status string) {
			var b bytes.Buffer
			hpack.NewEncoder(&b).WriteField(hpack.HeaderField{Name: ":status", Value: status})
			f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: b.Bytes(), EndHeaders: true})
		}
		for {
			frame, err := f.ReadFrame()
			if err != nil {
				return
			}
			switch frame := frame.(type) {
			case *http2.MetaHeadersFrame:
				if frame.PseudoValue("method") == "CONNECT" && frame.PseudoValue("protocol") == "websocket" && !frame.StreamEnded() {
					answer(frame.StreamID, "200")
					f.WriteData(frame.StreamID, false, []byte("welcome\n"))
					break
				}
				answer(frame.StreamID, "413")
				f.WriteData(frame.StreamID, true, []byte("too much"))
				if !frame.StreamEnded() {
					f.WriteRSTStream(frame.StreamID, http2.ErrCodeNo)
				}
			case *http2.DataFrame:
				f.WriteWindowUpdate(0, uint32(len(frame.Data())+1))
				if connect {
					f.WriteData(frame.StreamID, frame.StreamEnded(), bytes.ToUpper(frame.Data()))
				}
			}
		}
	}
}

// TestEarlyAnswerHTTP2 uploads to a target that answers before the body has come and resets the stream without an error: its
// answer is the client's.
func TestEarlyAnswerHTTP2(t *testing.T) {
	w, client, base := versionsTo(t, trellis.ProtocolHTTP, trellis.ProtocolHTTP, "HTTP2", Options{}, behave(t, speaksHTTP2(false)))
	for range 5 {
		in, out := io.Pipe()
		go func() {
			piece := make([]byte, 64<<10)
			for {
				if _, err := out.Write(piece); err != nil { // the client has its answer
					return
				}
			}
		}()
		resp, err := client.Post(base+"/", "text/plain", in)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		in.Close()
		resp.Body.Close()
		if resp.StatusCode != 413 || string(body) != "too much" || err != nil {
			t.Errorf("%s %q %v", resp.Status, body, err)
		}
	}
	w.settle()
}

// TestWebSocketHTTP2 asks for WebSocket by HTTP/2 (RFC 8441): rules see the GET that it is. Targets of HTTP/1.1 see one too,
// targets of HTTP/2 a CONNECT if they take that.
func TestWebSocketHTTP2(t *testing.T) {
	for name, c := range map[string]struct {
		version string
		target  func(net.Conn)
		taken   bool
	}{
		"to HTTP/1.1":               {"HTTP1", shout(acceptOf), true},
		"to HTTP/2":                 {"HTTP2", speaksHTTP2(true), true},
		"to HTTP/2 without CONNECT": {"HTTP2", speaksHTTP2(false), false},
	} {
		t.Run(name, func(t *testing.T) { webSocketHTTP2(t, c.version, c.target, c.taken) })
	}
}

// webSocketHTTP2 asks a target for WebSocket, twice, which it takes or does not.
func webSocketHTTP2(t *testing.T, version string, target func(net.Conn), taken bool) {
	w := newWorld(t, behave(t, target))
	g := *must(trellis.Get[*trellis.TargetGroup](w.st, account+"/"+groupID))
	g.ProtocolVersion = version
	w.st.Put(&g)
	w.st.Put(&trellis.Rule{Meta: meta("rule-get"), ServiceID: svcID, ListenerID: lisID, Name: "get", Priority: 1, Match: trellis.HTTPMatch{Method: "CONNECT"}, Action: trellis.Action{FixedResponse: 500}})
	w.serve(Options{})
	c := w.dial()
	defer c.Close()
	io.WriteString(c, http2.ClientPreface)
	f := http2.NewFramer(c, c)
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	f.WriteSettings()
	ask := func(id uint32, protocol string) {
		var b bytes.Buffer
		e := hpack.NewEncoder(&b)
		for _, h := range [][2]string{{":method", "CONNECT"}, {":protocol", protocol}, {":scheme", "http"}, {":path", "/chat"}, {":authority", host}, {"sec-websocket-version", "13"}} {
			e.WriteField(hpack.HeaderField{Name: h[0], Value: h[1]})
		}
		f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: b.Bytes(), EndHeaders: true})
	}
	text, status, ended := map[uint32]string{}, map[uint32]string{}, map[uint32]bool{}
	for _, id := range []uint32{1, 3} {
		ask(id, "websocket")
		f.WriteData(id, false, []byte("hello\n"))
	}
	ask(5, "connect-udp")
	allowed := false
	for !ended[1] || !ended[3] || !ended[5] {
		frame, err := f.ReadFrame()
		if err != nil {
			t.Fatalf("%v after %v", err, text)
		}
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if v, ok := frame.Value(http2.SettingEnableConnectProtocol); ok && v == 1 {
				allowed = true
			}
		case *http2.MetaHeadersFrame:
			id := frame.StreamID
			status[id], ended[id] = frame.PseudoValue("status"), ended[id] || frame.StreamEnded()
		case *http2.DataFrame:
			id := frame.StreamID
			if text[id] += string(frame.Data()); strings.HasSuffix(text[id], "HELLO\n") && !ended[id] {
				f.WriteData(id, true, nil)
			}
			ended[id] = ended[id] || frame.StreamEnded()
		}
	}
	want := "501 Not Implemented"
	if taken {
		want = "200 welcome\nHELLO\n"
	}
	for _, id := range []uint32{1, 3} {
		if got := status[id] + " " + text[id]; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if status[5] != "501" || !allowed {
		t.Errorf("another protocol: %s; extended CONNECT allowed %t", status[5], allowed)
	}
	c.Close()
	w.settle()
}
