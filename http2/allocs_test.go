package http2

import (
	"testing"

	"github.com/trellis-project/trellis/http1"
)

// TestAllocations holds requests and answers of both sides, after the first few, to no allocation.
func TestAllocations(t *testing.T) {
	server := NewServer(Options{}, &server{body: make([]byte, 300)})
	client := NewClient(Options{}, quiet{})
	move := func(from, to *Conn) {
		n, err := to.Receive(from.Pending())
		if err != nil || n != len(from.Pending()) {
			t.Fatal(n, err)
		}
		from.Sent(n)
	}
	move(client, server)
	move(server, client)
	h := parsed(t, "GET /a HTTP/1.1", "Host: a.b", "User-Agent: curl", "Accept: */*", "X-Amzn-RequestId: 1")
	exchange := func() {
		s, b, err := client.Open(h, "http", "")
		if err != nil {
			t.Fatal(err)
		}
		b.Fields(h, 1<<http1.RequestID)
		b.Number("x-number", int64(s.ID()))
		b.Send(true)
		move(client, server)
		move(server, client)
		s.Release()
	}
	for range 200 {
		exchange()
	}
	if n := testing.AllocsPerRun(200, exchange); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
