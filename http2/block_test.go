package http2

import (
	"fmt"
	"strings"
	"testing"

	"github.com/trellis-project/trellis/http1"
)

// parsed is the head of a request in HTTP/1.1.
func parsed(t testing.TB, lines ...string) *http1.Head {
	t.Helper()
	h := new(http1.Head)
	h.Reset()
	if n, err := http1.ParseRequest([]byte(strings.Join(lines, "\r\n")+"\r\n\r\n"), h); n == 0 || err != nil {
		t.Fatal(n, err)
	}
	return h
}

// TestRequestFields writes a request of HTTP/1.1 for a target that speaks HTTP/2: nothing about the connection, names in
// lower case, credentials that go into no table, and what the network adds.
func TestRequestFields(t *testing.T) {
	h := parsed(t, "POST /a?b HTTP/1.1", "Host: A.b:80", "Connection: close, X-Hop", "X-Hop: 1", "Keep-Alive: 3",
		"Proxy-Connection: x", "TE: trailers", "Upgrade: h2c", "HTTP2-Settings: AA", "Transfer-Encoding: chunked", "X-Many: Words",
		"Authorization: AWS4", "Cookie: a=b; c=d", "X-Amz-Security-Token: t", "x-amzn-lattice-identity: me", "X_Amzn_Lattice_Identity: me",
		"X-Forwarded-For: 1.2.3.4")
	p := started(t, false, Options{})
	s, b, err := p.Open(h, "http", "")
	if err != nil {
		t.Fatal(err)
	}
	b.Fields(h, 1<<http1.ForwardedFor)
	b.Length(h)
	b.Bytes("x-forwarded-for", []byte("1.2.3.4, 5.6.7.8"))
	b.Number("x-forwarded-port", 80)
	b.Secret("x-key", "k")
	b.Send(false)
	s.WriteData([]byte("x"), false)
	b, err = s.Trailers()
	if err != nil {
		t.Fatal(err)
	}
	b.Field("Grpc-Status", "0")
	b.Send(true)
	p.want(`1 HEADERS :method="POST" :scheme="http" :authority="A.b:80" :path="/a?b" te="trailers" x-many="Words" authorization="AWS4"(secret) `+
		`cookie="a=b; c=d"(secret) x-amz-security-token="t"(secret) x-forwarded-for="1.2.3.4, 5.6.7.8" x-forwarded-port="80" x-key="k"(secret)`,
		`1 DATA "x"`, `1 HEADERS grpc-status="0" end`)

	h = parsed(t, "OPTIONS * HTTP/1.1", "Host: a", "Max-Forwards: 3", "Content-Length: 0")
	_, b, _ = p.Open(h, "http", "")
	b.Fields(h, 0)
	b.Length(h)
	b.Send(true)
	p.want(`3 HEADERS :method="OPTIONS" :scheme="http" :authority="a" :path="*" max-forwards="2" content-length="0" end`)
}

// TestSecretsStaySecret passes on as never to be kept what came so (RFC 7541 7.1.3).
func TestSecretsStaySecret(t *testing.T) {
	target := started(t, false, Options{})
	p := started(t, true, Options{})
	p.onHead = func(_ *Stream, h *http1.Head, _ bool) {
		_, b, _ := target.Open(h, "http", "")
		b.Fields(h, 0)
		b.Send(true)
	}
	p.receive(fr(headersFrame, endOnce, 1, join(get("a", "b"), []byte{0x10, 1, 'c', 1, 'd'}, fields("e", "f"))))
	target.want(`1 HEADERS :method="GET" :scheme="http" :authority="a.b" :path="/" a="b" c="d"(secret) e="f" end`)
}

// TestAnswerFields writes answers, interim ones before.
func TestAnswerFields(t *testing.T) {
	p := started(t, true, Options{})
	p.onHead = func(s *Stream, _ *http1.Head, _ bool) {
		b, _ := s.Answer(100)
		b.Send(false)
		b, _ = s.Answer(418)
		b.Field("Content-Type", "text/plain")
		b.Send(false)
		n, err := s.WriteData([]byte("tea"), false)
		if n != 3 || err != nil {
			t.Error(n, err)
		}
		b, _ = s.Trailers()
		b.Field("a", "b")
		b.Send(false) // trailers always end
		if _, err := s.WriteData([]byte("more"), true); err != ErrClosed {
			t.Error(err)
		}
		if _, err := s.Answer(200); err != ErrClosed {
			t.Error(err)
		}
	}
	p.receive(fr(headersFrame, endOnce, 1, get()))
	p.want(fine, `1 HEADERS :status="100"`, `1 HEADERS :status="418" content-type="text/plain"`, `1 DATA "tea"`, `1 HEADERS a="b" end`)
}

// TestReleased does nothing with a stream that its owner has released.
func TestReleased(t *testing.T) {
	p := started(t, true, Options{})
	p.receive(open)
	p.want(strings.TrimSuffix(opened, "; "))
	s := p.told[1]
	s.Release()
	p.want("1 RST_STREAM CANCEL")
	s.Release()
	s.Reset(Cancel)
	s.Consumed(1)
	if _, err := s.WriteData([]byte("x"), true); err != ErrClosed {
		t.Error(err)
	}
	if _, err := s.Answer(200); err != ErrClosed {
		t.Error(err)
	}
	if _, err := s.Trailers(); err != ErrClosed {
		t.Error(err)
	}
	if s.Room() != 0 || !s.Closed() {
		t.Error("is open")
	}
	p.want()
}

// TestStatuses writes every status, those of the static table too.
func TestStatuses(t *testing.T) {
	for status := 200; status < 600; status++ {
		p := started(t, true, Options{})
		p.onHead = func(s *Stream, _ *http1.Head, _ bool) {
			b, _ := s.Answer(status)
			b.Send(true)
		}
		p.receive(fr(headersFrame, endOnce, 1, get()))
		p.want(fine, fmt.Sprintf(`1 HEADERS :status="%d" end`, status))
	}
}

// TestLargeBlocks cuts heads into frames that every peer takes (4.2, 6.10).
func TestLargeBlocks(t *testing.T) {
	for _, size := range []int{maxFrame - 20, maxFrame - 10, maxFrame, 2 * maxFrame, 3*maxFrame + 100} {
		p := started(t, true, Options{})
		value := strings.Repeat("v", size)
		p.onHead = func(s *Stream, _ *http1.Head, _ bool) {
			b, _ := s.Answer(200)
			b.Field("a", value)
			b.Send(false)
			s.WriteData([]byte("x"), true)
		}
		p.receive(fr(headersFrame, endOnce, 1, get()))
		for b := p.Pending(); len(b) > 0; b = b[frameHead+int(b[0])<<16+int(b[1])<<8+int(b[2]):] {
			if n := int(b[1])<<8 | int(b[2]); n > maxFrame {
				t.Fatalf("a frame of %d bytes", n)
			}
		}
		p.want(fine, fmt.Sprintf(`1 HEADERS :status="200" a=%q`, value), `1 DATA "x" end`)
	}
}

// TestRepeatedFields sends what repeats as an index from the third time on, and what doesn't in full.
func TestRepeatedFields(t *testing.T) {
	p := started(t, true, Options{})
	n := 0
	p.onHead = func(s *Stream, _ *http1.Head, _ bool) {
		b, _ := s.Answer(200)
		b.Field("x-amzn-lattice-target", strings.Repeat("arn:aws:vpc-lattice:", 10))
		b.Number("x-amzn-requestid", int64(n))
		b.Send(true)
		s.Release()
	}
	var sizes []int
	for ; n < 5; n++ {
		p.receive(fr(headersFrame, endOnce, uint32(2*n+1), get()))
		sizes = append(sizes, len(p.Pending()))
		p.Sent(len(p.Pending()))
	}
	if sizes[1] < sizes[0] || sizes[2] > 40 || sizes[4] > 40 {
		t.Errorf("heads of %d bytes", sizes)
	}
	if p.enc.table.count != 1 {
		t.Errorf("%d entries in the table", p.enc.table.count)
	}
}
