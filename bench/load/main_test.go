package main

import (
	"strings"
	"testing"
)

// TestAnswer tells whole answers from parts.
func TestAnswer(t *testing.T) {
	for in, want := range map[string]struct {
		status int
		whole  bool
		fails  bool
	}{
		"": {0, false, false},
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n":                {0, false, false},
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no":           {200, false, false},
		"HTTP/1.1 200 OK\r\nA: b\r\ncontent-length: 2\r\n\r\nok":  {200, true, false},
		"HTTP/1.1 404 Not Found\r\nCONTENT-LENGTH: 0\r\n\r\n":     {404, true, false},
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0":  {0, false, true},
		"HTTP/1.1 abc\r\nContent-Length: 0\r\n\r\n":               {0, false, true},
		"HTTP/1.1 200 OK\r\nX: content-length: 9\r\nY: z\r\n\r\n": {0, false, true},
	} {
		status, whole, err := answer([]byte(in))
		if status != want.status || whole != want.whole || (err != nil) != want.fails {
			t.Errorf("%q: %d %t %v", in, status, whole, err)
		}
	}
}

// TestGreeting is a whole record with a ClientHello that names the server (RFC 8446 5.1).
func TestGreeting(t *testing.T) {
	b, err := options{name: "passed.bench.test"}.greeting()
	if err != nil {
		t.Fatal(err)
	}
	if b[0] != 22 || len(b) != 5+int(b[3])<<8+int(b[4]) || !strings.Contains(string(b), "passed.bench.test") {
		t.Errorf("%d bytes that begin with %x", len(b), b[:5])
	}
}
