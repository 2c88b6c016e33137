package http2

import (
	"bytes"
	"testing"

	"github.com/trellis-project/trellis/http1"
	"golang.org/x/net/http2/hpack"
)

// usual are the fields of a request as a client in a VPC sends it.
var usual = []hpack.HeaderField{
	{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: "http"},
	{Name: ":authority", Value: "orders-0123456789.7d67968.vpc-lattice-svcs.eu-west-1.on.aws"},
	{Name: ":path", Value: "/api/orders/17?expand=items"}, {Name: "user-agent", Value: "curl/7.88.1"},
	{Name: "accept", Value: "application/json"}, {Name: "x-request-id", Value: "6f1c1b0e-7a3f-4a0e-9d47-1f2e3d4c5b6a"},
	{Name: "accept-encoding", Value: "gzip, deflate"}, {Name: "traceparent", Value: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
	{Name: "x-tenant", Value: "blue"},
}

// block writes header blocks as a client does: by x/net's encoder, with Huffman codes and a dynamic table.
type block struct {
	buf bytes.Buffer
	enc *hpack.Encoder
}

func newBlock() *block {
	b := &block{}
	b.enc = hpack.NewEncoder(&b.buf)
	return b
}

func (b *block) write(fields []hpack.HeaderField) []byte {
	b.buf.Reset()
	for _, f := range fields {
		b.enc.WriteField(f)
	}
	return b.buf.Bytes()
}

// quiet is a handler that eats what comes.
type quiet struct{}

func (quiet) Head(*Stream, *http1.Head, bool)   {}
func (quiet) Refused(s *Stream, _ *http1.Error) { s.Release() }
func (quiet) Data(s *Stream, p []byte, _ bool)  { s.Consumed(len(p)) }
func (quiet) Trailers(*Stream, []http1.Field)   {}
func (quiet) Reset(s *Stream, _ Code)           { s.Release() }
func (quiet) Writable(*Stream)                  {}
func (quiet) Settings()                         {}
func (quiet) Goaway(uint32, Code)               {}
func (quiet) Pong([8]byte)                      {}

// server answers every request with a small body.
type server struct {
	quiet
	body []byte
}

func (h *server) Head(s *Stream, _ *http1.Head, _ bool) {
	b, _ := s.Answer(200)
	b.Field("content-type", "application/json")
	b.Field("date", "Fri, 27 Nov 2026 03:00:00 GMT")
	b.Number("content-length", int64(len(h.body)))
	b.Field("cache-control", "no-store")
	b.Field("x-amzn-requestid", "6f1c1b0e-7a3f-4a0e-9d47-1f2e3d4c5b6a")
	b.Send(false)
	s.WriteData(h.body, true)
	s.Release()
}

// echo sends back what comes.
type echo struct{ quiet }

func (echo) Head(s *Stream, _ *http1.Head, _ bool) {
	b, _ := s.Answer(200)
	b.Send(false)
}

func (echo) Data(s *Stream, p []byte, end bool) {
	s.WriteData(p, end)
	s.Consumed(len(p))
}

// BenchmarkServer is a request of ten fields and its answer of six with a small body, as bytes in and bytes out.
func BenchmarkServer(b *testing.B) {
	h := &server{body: make([]byte, 300)}
	c := NewServer(Options{}, h)
	c.Receive(join([]byte(preface), fr(settingsFrame, 0, 0, nil), fr(windowFrame, 0, 0, number(1<<30))))
	client := newBlock()
	client.write(usual)
	first := bytes.Clone(client.buf.Bytes())
	again := bytes.Clone(client.write(usual))
	c.Receive(fr(headersFrame, endOnce, 1, first))
	in := fr(headersFrame, endOnce, 3, again)
	var out int
	b.ReportAllocs()
	for id := uint32(3); b.Loop(); id += 2 {
		in[5], in[6], in[7], in[8] = byte(id>>24), byte(id>>16), byte(id>>8), byte(id)
		c.sendable = 1 << 20
		if _, err := c.Receive(in); err != nil {
			b.Fatal(err)
		}
		out = len(c.Pending())
		c.Sent(out)
	}
	b.ReportMetric(float64(len(in)), "B-in")
	b.ReportMetric(float64(out), "B-out")
}

// BenchmarkServerLiteral is BenchmarkServer for a client that puts nothing into its table: all strings are Huffman-coded.
func BenchmarkServerLiteral(b *testing.B) {
	h := &server{body: make([]byte, 300)}
	c := NewServer(Options{}, h)
	c.Receive(join([]byte(preface), fr(settingsFrame, 0, 0, nil), fr(windowFrame, 0, 0, number(1<<30))))
	client := newBlock()
	client.enc.SetMaxDynamicTableSize(0)
	client.write(usual)
	in := fr(headersFrame, endOnce, 1, bytes.Clone(client.write(usual)))
	b.ReportAllocs()
	for id := uint32(1); b.Loop(); id += 2 {
		in[5], in[6], in[7], in[8] = byte(id>>24), byte(id>>16), byte(id>>8), byte(id)
		c.sendable = 1 << 20
		if _, err := c.Receive(in); err != nil {
			b.Fatal(err)
		}
		c.Sent(len(c.Pending()))
	}
}

// BenchmarkClient is the same as BenchmarkServer for the side of the target: a request is written, an answer read.
func BenchmarkClient(b *testing.B) {
	c := NewClient(Options{}, quiet{})
	c.Receive(fr(settingsFrame, 0, 0, nil))
	req := parsed(b, "GET /api/orders/17?expand=items HTTP/1.1", "Host: orders-0123456789.7d67968.vpc-lattice-svcs.eu-west-1.on.aws",
		"User-Agent: curl/7.88.1", "Accept: application/json", "X-Request-Id: 6f1c1b0e-7a3f-4a0e-9d47-1f2e3d4c5b6a", "X-Tenant: blue")
	target := newBlock()
	answer := []hpack.HeaderField{{Name: ":status", Value: "200"}, {Name: "content-type", Value: "application/json"}, {Name: "content-length", Value: "300"},
		{Name: "date", Value: "Fri, 27 Nov 2026 03:00:00 GMT"}, {Name: "server", Value: "nginx"}}
	target.write(answer)
	first := bytes.Clone(target.buf.Bytes())
	data := fr(dataFrame, endStreamFlag, 1, make([]byte, 300))
	in := join(fr(headersFrame, whole, 1, bytes.Clone(target.write(answer))), data)
	exchange := func(in []byte) {
		s, blk, err := c.Open(req, "http", "")
		if err != nil {
			b.Fatal(err)
		}
		blk.Fields(req, 0)
		blk.Field("x-amzn-lattice-network", "SourceVpcArn=arn:aws:ec2:eu-west-1:111122223333:vpc/vpc-0123456789abcdef0")
		blk.Field("x-amzn-lattice-target", "ServiceArn=arn:aws:vpc-lattice:eu-west-1:111122223333:service/svc-0123456789abcdef0;ServiceNetworkArn=arn:aws:vpc-lattice:eu-west-1:111122223333:servicenetwork/sn-0123456789abcdef0;TargetGroupArn=arn:aws:vpc-lattice:eu-west-1:111122223333:targetgroup/tg-0123456789abcdef0")
		blk.Send(true)
		c.Sent(len(c.Pending()))
		for _, at := range []int{5, len(in) - len(data) + 5} {
			id := s.ID()
			in[at], in[at+1], in[at+2], in[at+3] = byte(id>>24), byte(id>>16), byte(id>>8), byte(id)
		}
		if n, err := c.Receive(in); n != len(in) || err != nil {
			b.Fatal(n, err)
		}
		s.Release()
	}
	exchange(join(fr(headersFrame, whole, 1, first), data))
	b.ReportAllocs()
	for b.Loop() {
		exchange(in)
	}
}

// BenchmarkData passes 16 KiB frames of a request body on as an answer.
func BenchmarkData(b *testing.B) {
	c := NewServer(Options{}, echo{})
	c.Receive(join([]byte(preface), fr(settingsFrame, 0, 0, nil), fr(headersFrame, whole, 1, post())))
	in := fr(dataFrame, 0, 1, make([]byte, maxFrame))
	b.SetBytes(maxFrame)
	b.ReportAllocs()
	for b.Loop() {
		c.sendable, c.streams.get(1).sendable = 1<<20, 1<<20
		if _, err := c.Receive(in); err != nil {
			b.Fatal(err)
		}
		c.Sent(len(c.Pending()))
	}
}

// BenchmarkHuffman decodes 100 bytes of a usual value.
func BenchmarkHuffman(b *testing.B) {
	in := hpack.AppendHuffmanString(nil, "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36")
	var out []byte
	b.ReportAllocs()
	for b.Loop() {
		out, _ = appendHuffman(out[:0], in)
	}
}

// BenchmarkHPACK decodes the fields of BenchmarkServer, from the table and in full, by this package and by x/net's: what
// that costs is why there is one of our own.
func BenchmarkHPACK(b *testing.B) {
	for name, table := range map[string]uint32{"indexed": tableSize, "literal": 0} {
		client := newBlock()
		client.enc.SetMaxDynamicTableSize(table)
		first := bytes.Clone(client.write(usual))
		again := bytes.Clone(client.write(usual))
		b.Run(name+"/ours", func(b *testing.B) {
			d, l := decoder{}, list{}
			d.table.max = tableSize
			d.decode(first, &l)
			b.ReportAllocs()
			for b.Loop() {
				l.fields, l.arena, l.size = l.fields[:0], l.arena[:0], 0
				d.decode(again, &l)
			}
		})
		b.Run(name+"/x-net", func(b *testing.B) {
			d := hpack.NewDecoder(tableSize, func(hpack.HeaderField) {})
			d.Write(first)
			b.ReportAllocs()
			for b.Loop() {
				d.Write(again)
				d.Close()
			}
		})
	}
}
