//go:build thorough

package signers_test

import (
	"bytes"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// framed is a client's connection of HTTP/2 by prior knowledge, which sends requests byte by byte as they were signed,
// one after the other.
type framed struct {
	t      *testing.T
	conn   net.Conn
	framer *http2.Framer
	encode *hpack.Encoder
	block  bytes.Buffer
	stream uint32
}

// dial opens one.
func dial(t *testing.T, addr string) *framed {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(5 * time.Minute))
	f := &framed{t: t, conn: conn, framer: http2.NewFramer(conn, conn), stream: 1}
	f.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	f.encode = hpack.NewEncoder(&f.block)
	if _, err := conn.Write([]byte(http2.ClientPreface)); err != nil {
		t.Fatal(err)
	}
	if err := f.framer.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	return f
}

// send is send of HTTP/1.1: Host becomes :authority, names are in small letters, and values lose the spaces at their ends,
// which HTTP/2 has not (RFC 9113 section 8.2.1).
func (f *framed) send(c *signed) (int, string) {
	f.t.Helper()
	f.block.Reset()
	target := c.Path
	if c.Query != "" {
		target += "?" + c.Query
	}
	field := func(name, value string) {
		if err := f.encode.WriteField(hpack.HeaderField{Name: name, Value: value}); err != nil {
			f.t.Fatal(err)
		}
	}
	field(":method", c.Method)
	field(":scheme", "http")
	for _, h := range c.Headers {
		if strings.EqualFold(h[0], "Host") {
			field(":authority", h[1])
		}
	}
	field(":path", target)
	for _, h := range c.Headers {
		if !strings.EqualFold(h[0], "Host") {
			field(strings.ToLower(h[0]), strings.Trim(h[1], " \t"))
		}
	}
	id := f.stream
	f.stream += 2
	err := f.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: f.block.Bytes(), EndHeaders: true, EndStream: c.Body == ""})
	if err == nil && c.Body != "" {
		err = f.framer.WriteData(id, true, []byte(c.Body))
	}
	if err != nil {
		f.t.Fatal(err)
	}
	return f.answer(c, id)
}

// answer reads frames until the answer has ended.
func (f *framed) answer(c *signed, id uint32) (status int, body string) {
	f.t.Helper()
	for {
		frame, err := f.framer.ReadFrame()
		if err != nil {
			f.t.Fatalf("%s: %v", c.Name, err)
		}
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				if err := f.framer.WriteSettingsAck(); err != nil {
					f.t.Fatal(err)
				}
			}
		case *http2.MetaHeadersFrame:
			if status, err = strconv.Atoi(frame.PseudoValue("status")); err != nil {
				f.t.Fatal(c.Name, err)
			}
			if frame.StreamEnded() {
				return status, body
			}
		case *http2.DataFrame:
			body += string(frame.Data())
			if frame.StreamEnded() {
				return status, body
			}
		case *http2.RSTStreamFrame:
			if frame.StreamID == id { // one that is malformed is reset after its answer
				f.t.Fatalf("%s: the stream was reset: %v", c.Name, frame.ErrCode)
			}
		case *http2.GoAwayFrame:
			f.t.Fatalf("%s: GOAWAY %v %s", c.Name, frame.ErrCode, frame.DebugData())
		}
	}
}
