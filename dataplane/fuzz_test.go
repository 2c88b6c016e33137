package dataplane

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/trellis-project/trellis"
)

// framed are the bytes that f writes as a client of HTTP/2, behind the preface.
func framed(f func(*framedTarget)) []byte {
	var b bytes.Buffer
	t := &framedTarget{Framer: http2.NewFramer(&b, nil)}
	t.enc = hpack.NewEncoder(&t.out)
	t.AllowIllegalWrites = true
	t.WriteSettings()
	f(t)
	return b.Bytes()
}

// FuzzConnection sends bytes to the data plane, as HTTP/2 by prior knowledge or as the beginning of TLS: nothing panics,
// and nothing is left when the client has gone.
func FuzzConnection(f *testing.F) {
	panicked := slog.New(slog.NewTextHandler(failing{}, &slog.HandlerOptions{Level: slog.LevelError}))
	addr := server(f, trellis.ProtocolHTTP, "HTTP2", func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	plain, _, _ := versionsTo(f, trellis.ProtocolHTTP, trellis.ProtocolHTTP, "HTTP2", Options{Workers: 1, Logger: panicked}, addr)
	secure, _, _ := versionsTo(f, trellis.ProtocolHTTPS, trellis.ProtocolHTTP, "HTTP2", Options{Workers: 1, Logger: panicked}, addr)

	head := func(t *framedTarget, stream uint32, end bool, method, path string, fields ...string) {
		t.head(stream, end, append([]string{":method", method, ":scheme", "http", ":authority", host, ":path", path}, fields...)...)
	}
	f.Add(framed(func(t *framedTarget) { head(t, 1, true, "GET", "/"); head(t, 3, true, "GET", "/fixed404") }), false, false)
	f.Add(framed(func(t *framedTarget) {
		head(t, 1, false, "POST", "/", "content-type", "application/grpc", "te", "trailers", "grpc-timeout", "1S")
		t.WriteData(1, false, []byte("one"))
		t.WriteWindowUpdate(1, 1000)
		t.WriteData(1, true, []byte("two"))
	}), false, true)
	f.Add(framed(func(t *framedTarget) {
		head(t, 1, false, "PUT", "/", "content-length", "3", "expect", "100-continue")
		t.WriteDataPadded(1, false, []byte("abc"), make([]byte, 9))
		t.head(1, true, "x-trailer", "yes")
		head(t, 3, false, "POST", "/")
		t.WriteRSTStream(3, http2.ErrCodeCancel)
	}), false, false)
	f.Add(framed(func(t *framedTarget) {
		t.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1}, http2.Setting{ID: http2.SettingHeaderTableSize, Val: 0})
		head(t, 1, false, "POST", "/")
		t.WriteData(1, true, make([]byte, 5000))
		t.WritePing(false, [8]byte{1})
		t.WriteGoAway(0, http2.ErrCodeNo, nil)
	}), false, false)
	f.Add(greetingOf(f, host), true, false)
	f.Add(greetingOf(f, "nobody.example.com"), true, true)
	f.Add([]byte("GET / HTTP/1.1\r\nHost: "+host+"\r\n\r\n"), true, true)

	f.Fuzz(func(t *testing.T, in []byte, tls, half bool) {
		w := plain
		if tls {
			w = secure
		} else {
			in = append([]byte(http2.ClientPreface), in...)
		}
		w.mu.Lock()
		w.records = w.records[:0]
		w.mu.Unlock()
		before := w.server.Stats().Accepted
		c := connect(t, w.addr)
		go io.Copy(io.Discard, c)
		c.Write(in)
		for range 20 { // what it asks for may be answered
			if yield(); w.server.Stats().Accepted > before && w.inFlight() == 0 {
				break
			}
		}
		if half {
			c.(*net.TCPConn).CloseWrite()
		} else {
			leave(c)
		}
		eventually(t, "nothing is left", func() bool {
			left := w.server.Stats().Open != 0
			w.workers(func(x *worker) { left = left || x.memory() != 0 || len(x.tenants) != 0 })
			return !left
		})
	})
}

// failing is a log whose lines are failures.
type failing struct{}

// Write panics: a fuzz test may not be failed from another goroutine.
func (failing) Write(b []byte) (int, error) {
	panic(string(b))
}
