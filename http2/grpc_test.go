package http2

import (
	"testing"
	"time"

	"github.com/trellis-project/trellis/http1"
)

// TestGRPC reads and writes what a proxy must know of gRPC.
func TestGRPC(t *testing.T) {
	for contentType, want := range map[string]bool{
		"application/grpc": true, "application/grpc+proto": true, "Application/GRPC; a=b": true,
		"application/grpc-web": false, "application/json": false, "": false,
	} {
		h := &http1.Head{Method: "POST", Fields: []http1.Field{{Name: "Content-Type", Value: contentType}}}
		if got := IsGRPC(h); got != want {
			t.Errorf("%s: %t", contentType, got)
		}
		if h.Method = "GET"; IsGRPC(h) {
			t.Errorf("GET with %s", contentType)
		}
	}
	for status, want := range map[int]int{200: 2, 400: 13, 401: 16, 403: 7, 404: 12, 429: 14, 500: 2, 502: 14, 503: 14, 504: 14} {
		if got := GRPCStatus(status); got != want {
			t.Errorf("%d: %d, want %d", status, got, want)
		}
	}
	for code, want := range map[Code]int{NoError: 13, RefusedStream: 14, Cancel: 1, EnhanceYourCalm: 8, InadequateSecurity: 7} {
		if got := code.GRPCStatus(); got != want {
			t.Errorf("%v: %d, want %d", code, got, want)
		}
	}
	for timeout, want := range map[string]int{"": 1, "1S": 4, "999m": 4, "1000m": 4, "1001m": 1, "2S": 1, "99999999n": 4, "1000000000n": 1, "900000u": 4, "1M": 1, "1H": 1, "1": 1,
		"S": 1, "-1S": 1, "0x": 1, "99999999H": 1} {
		if got := GRPCStatusOfReset(Cancel, []http1.Field{{Name: "te", Value: "trailers"}, {Name: "grpc-timeout", Value: timeout}}, time.Second); got != want {
			t.Errorf("cancelled after a second of %s: %d, want %d", timeout, got, want)
		}
	}
	if got := GRPCStatusOfReset(RefusedStream, []http1.Field{{Name: "grpc-timeout", Value: "1m"}}, time.Second); got != 14 {
		t.Errorf("refused: %d", got)
	}
	for value, want := range map[string]int{"0": 0, "16": 16, "": -1, "-1": -1, "x": -1} {
		got, ok := GRPCStatusOf([]http1.Field{{Name: "a", Value: "1"}, {Name: "grpc-status", Value: value}})
		if !ok {
			got = -1
		}
		if got != want {
			t.Errorf("grpc-status %q: %d", value, got)
		}
	}
	if _, ok := GRPCStatusOf(nil); ok {
		t.Error("a status of nothing")
	}
	if got := string(AppendGRPCMessage(nil, "50 % of äpples\n")); got != "50 %25 of %C3%A4pples%0A" {
		t.Error(got)
	}
}

// TestGRPCCall plays a call through a proxy: a head without a length, a message, trailers, and an answer of trailers
// alone.
func TestGRPCCall(t *testing.T) {
	p := started(t, true, Options{})
	p.receive(fr(headersFrame, whole, 1, fields(":method", "POST", ":scheme", "http", ":path", "/a.B/C", ":authority", "a.b",
		"content-type", "application/grpc", "te", "trailers", "grpc-timeout", "1S")), fr(dataFrame, end, 1, []byte("\x00\x00\x00\x00\x01x")))
	s := p.told[1]
	if !IsGRPC(&s.head) {
		t.Error("not known as gRPC")
	}
	b, _ := s.Answer(200)
	b.Field("content-type", "application/grpc")
	b.Field("grpc-status", "7")
	b.Bytes("grpc-message", AppendGRPCMessage(nil, "no"))
	b.Send(true)
	p.want(`1 POST /a.B/C host="a.b" content-type="application/grpc" te="trailers" grpc-timeout="1S" length unknown`,
		`1 data "\x00\x00\x00\x00\x01x" end`,
		`1 HEADERS :status="200" content-type="application/grpc" grpc-status="7" grpc-message="no" end`)
}
