package http1

import (
	"bytes"
	"flag"
	"testing"
)

// update rewrites what the case files expect.
var update = flag.Bool("update", false, "rewrite testdata")

// run feeds a chunked body in pieces of the given size and returns what is passed on and what follows.
func run(in []byte, size int, contentOnly bool) (kept, rest []byte, done bool, err error) {
	var b Body
	b.Start(&Head{Framing: Chunked})
	var buf []byte
	for off := 0; off < len(in) && !b.Done(); {
		n := min(size, len(in)-off)
		buf = append(buf, in[off:off+n]...)
		off += n
		keep, used, err := b.Next(buf, contentOnly)
		kept = append(kept, buf[:keep]...)
		if err != nil {
			return kept, nil, false, err
		}
		buf = append([]byte(nil), buf[used:]...)
		if b.Done() {
			buf = append(buf, in[off:]...)
		}
	}
	return kept, buf, b.Done(), nil
}

// TestChunked checks chunked bodies, whole and byte by byte.
func TestChunked(t *testing.T) {
	for _, c := range []struct {
		name, in, kept, content string
		err                     error
	}{
		{"plain", "5\r\nhello\r\n0\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n", "hello", nil},
		{"upper and lower hex", "A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", "A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789", nil},
		{"leading zeros", "0005\r\nhello\r\n000\r\n\r\n", "0005\r\nhello\r\n000\r\n\r\n", "hello", nil},
		{"extension", "5;a=b\r\nhello\r\n0;c\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n", "hello", nil},
		{"extension after space", "5 ;a=\"b\"\r\nhello\r\n0\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n", "hello", nil},
		{"trailer", "1\r\nx\r\n0\r\nX-Sum: 1\r\n\r\n", "1\r\nx\r\n0\r\nX-Sum: 1\r\n\r\n", "x", nil},
		{"dropped trailers", "0\r\nX-Amzn-Lattice-Identity: a\r\nx_amzn_lattice_network: b\r\nContent-Length: 3\r\nA: b\r\n\r\n", "0\r\nA: b\r\n\r\n", "", nil},
		{"extensions of every form", "5 ;\ta = b; c=\"d;\\\"\xe9\";e\r\nhello\r\n0\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n", "hello", nil},
		{"extension without a name", "5;\r\nhello\r\n", "", "", ErrChunkExtension},
		{"extension without a value", "5;a=\r\nhello\r\n", "", "", ErrChunkExtension},
		{"extension with an open quotation", "5;a=\"b\r\nhello\r\n", "", "", ErrChunkExtension},
		{"extension with an escape at its end", "5;a=\"b\\\r\nhello\r\n", "", "", ErrChunkExtension},
		{"extension with space at its end", "5;a \r\nhello\r\n", "", "", ErrChunkExtension},
		{"space without extension", "5 \r\nhello\r\n0\r\n\r\n", "", "", ErrChunkExtension},
		{"no size", "\r\nhello\r\n", "", "", ErrChunkSize},
		{"sign", "+5\r\nhello\r\n", "", "", ErrChunkSize},
		{"0x", "0x5\r\nhello\r\n", "", "", ErrChunkSize},
		{"underscore", "1_0\r\n", "", "", ErrChunkSize},
		{"overflow", "ffffffffffffffffff\r\n", "", "", ErrChunkSize},
		{"overflow by zeros", "000000000000000000000000000000000000000000000000005\r\n", "", "", ErrChunkSize},
		{"bare LF after size", "5\nhello\r\n", "", "", ErrChunkSize},
		{"bare LF in extension", "5;a\nhello\r\n", "", "", ErrChunkExtension},
		{"CR in extension", "5;a\rb\r\nhello\r\n", "", "", ErrChunkExtension},
		{"NUL in extension", "5;a\x00\r\nhello\r\n", "", "", ErrChunkExtension},
		{"bare LF after data", "5\r\nhello\n0\r\n\r\n", "5\r\nhello", "hello", ErrChunkEnd},
		{"data too long", "5\r\nhello!\r\n0\r\n\r\n", "5\r\nhello", "hello", ErrChunkEnd},
		{"bare CR after size", "5\rhello\r\n", "5", "", ErrChunkEnd},
		{"bare LF at end", "0\r\n\n", "0\r\n", "", ErrLineEnd},
		{"folded trailer", "0\r\nA: b\r\n c\r\n\r\n", "0\r\nA: b\r\n", "", ErrFolding},
		{"bad trailer", "0\r\nA b\r\n\r\n", "0\r\n", "", ErrFieldName},
		{"trailer with space before colon", "0\r\nA : b\r\n\r\n", "0\r\n", "", ErrFieldName},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, size := range []int{1, 2, 3, 7, 1000} {
				const next = "GET / HTTP/1.1\r\n"
				kept, rest, done, err := run([]byte(c.in+next), size, false)
				if err != c.err || string(kept) != c.kept && size == 1000 {
					t.Fatalf("in pieces of %d: kept %q, err %v; want %q, %v", size, kept, err, c.kept, c.err)
				}
				if c.err == nil && (!done || string(rest) != next || string(kept) != c.kept) {
					t.Fatalf("in pieces of %d: kept %q, done %v, rest %q", size, kept, done, rest)
				}
				content, _, _, _ := run([]byte(c.in), size, true)
				if c.err == nil && string(content) != c.content {
					t.Fatalf("in pieces of %d: content %q, want %q", size, content, c.content)
				}
			}
		})
	}
	if _, _, _, err := run([]byte("5;"+string(bytes.Repeat([]byte("a"), 2000))), 100, false); err != ErrChunkExtension {
		t.Errorf("long extension: %v", err)
	}
	many := bytes.Repeat([]byte("1;"+string(bytes.Repeat([]byte("e"), 500))+"\r\nx\r\n"), 100)
	if _, _, _, err := run(many, 4096, false); err != ErrChunkExtension {
		t.Errorf("many extensions: %v", err)
	}
	if _, _, _, err := run(append([]byte("0\r\n"), bytes.Repeat([]byte("a: b\r\n"), 5000)...), 4096, false); err != ErrTrailerTooLarge {
		t.Errorf("many trailers: %v", err)
	}
}
