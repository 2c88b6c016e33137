package main

import "testing"

// TestField finds fields in any case, with and without a number.
func TestField(t *testing.T) {
	head := []byte("POST /up HTTP/1.1\r\nHost: x\r\nContent-LENGTH: 1048576\r\nConnection: Close\r\n")
	for begin, want := range map[string]int{"\r\ncontent-length: ": 1048576, "\r\nconnection: close": 0, "\r\nexpect: ": -1} {
		if got := field(head, begin); got != want {
			t.Errorf("%q: %d, want %d", begin, got, want)
		}
	}
}

// TestChoose answers with bodies of the wanted size, and says so when it closes.
func TestChoose(t *testing.T) {
	tg := &target{blobs: map[int][]byte{}, small: []byte("small"), closing: []byte("closing")}
	for head, want := range map[string]int{
		"GET /svc00025/blob/65536 HTTP/1.1\r\nHost: x\r\n":          65536 + len("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 65536\r\n\r\n"),
		"GET /svc00025/items HTTP/1.1\r\nHost: x\r\n":               len("small"),
		"GET /svc00025/items HTTP/1.1\r\nconnection: close\r\nA: b": len("closing"),
	} {
		if got := len(tg.choose([]byte(head), &conn{})); got != want {
			t.Errorf("%q: %d bytes, want %d", head, got, want)
		}
	}
}
