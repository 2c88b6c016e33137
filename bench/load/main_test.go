package main

import "testing"

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
