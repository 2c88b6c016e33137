package dataplane

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/trellis-project/trellis"
)

// framedTarget is a target that is played frame by frame.
type framedTarget struct {
	*http2.Framer
	out bytes.Buffer
	enc *hpack.Encoder
}

// newFramedTarget begins HTTP/2 on a connection that the data plane has opened.
func newFramedTarget(c net.Conn) (*framedTarget, error) {
	if _, err := io.ReadFull(c, make([]byte, len(http2.ClientPreface))); err != nil {
		return nil, err
	}
	f := &framedTarget{Framer: http2.NewFramer(c, c)}
	f.enc = hpack.NewEncoder(&f.out)
	return f, f.WriteSettings()
}

// head sends a header block of names and values.
func (f *framedTarget) head(stream uint32, end bool, fields ...string) error {
	f.out.Reset()
	for i := 0; i < len(fields); i += 2 {
		f.enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: f.out.Bytes(), EndHeaders: true, EndStream: end})
}

// callTarget makes a client of a target of gRPC that does something with each request, once that is whole.
func callTarget(t *testing.T, listener trellis.Protocol, act func(f *framedTarget, stream uint32, n int, body string) error) (*world, func(fields ...string) (*http.Response, string)) {
	t.Helper()
	n := 0
	addr := behave(t, func(c net.Conn) {
		f, err := newFramedTarget(c)
		body := ""
		for err == nil {
			var frame http2.Frame
			if frame, err = f.ReadFrame(); err != nil {
				return
			}
			switch frame := frame.(type) {
			case *http2.SettingsFrame:
				if !frame.IsAck() {
					err = f.WriteSettingsAck()
				}
			case *http2.HeadersFrame:
				body = ""
			case *http2.DataFrame:
				body += string(frame.Data())
			}
			if data, is := frame.(*http2.DataFrame); is && data.StreamEnded() {
				n++
				err = act(f, data.StreamID, n, body)
			}
		}
	})
	w, client, base := versionsTo(t, listener, trellis.ProtocolHTTP, "GRPC", Options{Workers: 1}, addr)
	return w, func(fields ...string) (*http.Response, string) {
		t.Helper()
		req, err := http.NewRequest("POST", base+"/a.B/C", io.MultiReader(strings.NewReader("message")))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("content-type", "application/grpc")
		for i := 0; i < len(fields); i += 2 {
			req.Header.Set(fields[i], fields[i+1])
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, string(b)
	}
}

// framedClient is a client that is played frame by frame: what it writes leaves at once when it is sent.
type framedClient struct {
	*framedTarget
	c   net.Conn
	buf bytes.Buffer
}

// newFramedClient begins HTTP/2 with the data plane, without TLS.
func (w *world) newFramedClient(addr string) *framedClient {
	f := &framedClient{framedTarget: &framedTarget{}, c: connect(w.t, addr)}
	f.Framer, f.enc = http2.NewFramer(&f.buf, f.c), hpack.NewEncoder(&f.out)
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	f.buf.WriteString(http2.ClientPreface)
	f.WriteSettings()
	return f
}

// request writes the head of a request.
func (f *framedClient) request(stream uint32, end bool, method, path string, fields ...string) {
	f.head(stream, end, append([]string{":method", method, ":scheme", "http", ":authority", host, ":path", path}, fields...)...)
}

// send sends what was written.
func (f *framedClient) send() error {
	_, err := f.buf.WriteTo(f.c)
	return err
}

// field reads until a stream's answer has a head with a field, and returns that.
func (f *framedClient) field(t *testing.T, stream uint32, name string) string {
	t.Helper()
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if head, is := frame.(*http2.MetaHeadersFrame); is && head.StreamID == stream {
			for _, field := range head.Fields {
				if field.Name == name {
					return field.Value
				}
			}
			t.Fatalf("no %s in %v", name, head.Fields)
		}
	}
}

// TestCallRefused sends a call again that its target has not processed, with its message.
func TestCallRefused(t *testing.T) {
	w, _ := callTarget(t, trellis.ProtocolHTTP, func(f *framedTarget, stream uint32, n int, body string) error {
		if n < 3 {
			return f.WriteRSTStream(stream, http2.ErrCodeRefusedStream)
		}
		return f.head(stream, true, ":status", "200", "content-type", "application/grpc", "grpc-status", "0", "x-body", body)
	})
	f := w.newFramedClient(w.addr)
	f.request(1, false, "POST", "/a.B/C", "content-type", "application/grpc", "te", "trailers")
	f.WriteData(1, true, []byte("message"))
	if err := f.send(); err != nil {
		t.Fatal(err)
	}
	if got := f.field(t, 1, "x-body"); got != "message" {
		t.Errorf("the target got %q", got)
	}
	if r := w.record(0); r.FailureReason != "" || !r.GRPC || r.GRPCResponseCode != 0 || r.BytesReceived < 7 {
		t.Errorf("record %+v", r)
	}
}

// TestCallCut cuts calls short in many ways: the client hears of it as if it had called the target itself.
func TestCallCut(t *testing.T) {
	half := func(f *framedTarget, stream uint32) error {
		if err := f.head(stream, false, ":status", "200", "content-type", "application/grpc"); err != nil {
			return err
		}
		return f.WriteData(stream, false, []byte("half"))
	}
	reset := func(code http2.ErrCode) func(f *framedTarget, stream uint32) error {
		return func(f *framedTarget, stream uint32) error { return f.WriteRSTStream(stream, code) }
	}
	for _, c := range []struct {
		name   string
		half   bool // the answer has begun
		cut    func(f *framedTarget, stream uint32) error
		fields []string
		status int // of gRPC
	}{
		{name: "gone", cut: func(*framedTarget, uint32) error { return io.EOF }, status: 14},
		{name: "gone in the middle", half: true, cut: func(*framedTarget, uint32) error { return io.EOF }, status: 14},
		{name: "cancelled", cut: reset(http2.ErrCodeCancel), status: 1},
		{name: "cancelled in the middle", half: true, cut: reset(http2.ErrCodeCancel), status: 1},
		{name: "too late", cut: reset(http2.ErrCodeCancel), fields: []string{"grpc-timeout", "1n"}, status: 4},
		{name: "too late in the middle", half: true, cut: reset(http2.ErrCodeCancel), fields: []string{"grpc-timeout", "1n"}, status: 4},
		{name: "too much", cut: reset(http2.ErrCodeEnhanceYourCalm), status: 8},
		{name: "broken in the middle", half: true, cut: reset(http2.ErrCodeInternal), status: 13},
		{name: "no HTTP/2", half: true, cut: func(f *framedTarget, stream uint32) error { return f.WriteRawFrame(http2.FrameData, 0, 0, nil) }, status: 14},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, call := callTarget(t, trellis.ProtocolHTTPS, func(f *framedTarget, stream uint32, _ int, _ string) error {
				if c.half {
					if err := half(f, stream); err != nil {
						return err
					}
				}
				return c.cut(f, stream)
			})
			resp, body := call(c.fields...)
			got, want := resp.Header.Get("grpc-status")+resp.Trailer.Get("grpc-status"), fmt.Sprint(c.status)
			if got != want || c.half && (body != "half" || resp.StatusCode != 200) {
				t.Errorf("%d, %q, status of gRPC %q, want %s", resp.StatusCode, body, got, want)
			}
			if r := w.record(0); r.FailureReason != failTargetClosed || r.GRPCResponseCode != c.status || !r.GRPC {
				t.Errorf("record %+v", r)
			}
		})
	}
}
