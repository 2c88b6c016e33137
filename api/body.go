package api

import (
	"bufio"
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/sigv4"
)

// MaxObject is how many bytes a streamed body may have.
const MaxObject = 1 << 30

// maxChunk is how many bytes a chunk whose signature is verified may have: it is held in memory before any of it is
// handed on. AWS's SDKs send 64 KiB, or 1 MiB.
const maxChunk = 16 << 20

// maxTrailer bounds what follows the last chunk.
const maxTrailer = 8 << 10

// checksums are the algorithms of checksums of a body, by the end of the header x-amz-checksum-… (S3 API reference,
// checking-object-integrity).
var checksums = map[string]func() hash.Hash{
	"crc32":     func() hash.Hash { return crc32.NewIEEE() },
	"crc32c":    func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) },
	"crc64nvme": func() hash.Hash { return crc64.New(crc64.MakeTable(0x9a6c9329ac4bc9b5)) }, // CRC-64/NVME, reversed
	"sha1":      sha1.New,
	"sha256":    sha256.New,
}

// NewChecksum returns the hash of an algorithm as S3 names it, nil for one that is not known.
func NewChecksum(algorithm string) hash.Hash {
	if f := checksums[strings.ToLower(algorithm)]; f != nil {
		return f()
	}
	return nil
}

// checksumHeader is what the names of headers with checksums begin with.
const checksumHeader = "X-Amz-Checksum-"

// Body is the body of a request that is not held in memory. Reading it to its end verifies what the request says of it:
// its length, hashes, checksums and the signatures of its chunks. The error of Read is a *trellis.Error when the client
// is wrong; what was read before must not be kept then.
type Body struct {
	from    io.Reader // the payload
	done    bool
	length  int64 // as declared
	read    int64
	sha256  string    // in hexadecimal, empty when it is not declared
	hash    hash.Hash // for sha256
	md5     string    // base64
	sum     hash.Hash // MD5
	name    string    // of the checksum's algorithm, in small letters; empty without
	value   string    // base64
	check   hash.Hash
	trailer func() http.Header // of a body in chunks
}

// newBody makes the body of a request whose signature is verified.
func newBody(from io.Reader, header http.Header, a *sigv4.Authorization, key *sigv4.Key, length int64) (*Body, error) {
	b := &Body{from: from, length: length, sum: md5.New(), md5: header.Get("Content-Md5")}
	chunked := strings.HasPrefix(a.PayloadHash, "STREAMING-")
	if chunked {
		n, err := strconv.ParseInt(header.Get("X-Amz-Decoded-Content-Length"), 10, 64)
		if err != nil || n < 0 {
			return nil, trellis.NewError(411, "MissingContentLength", "You must provide the Content-Length HTTP header.")
		}
		b.length = n
		c := &chunks{from: bufio.NewReader(from)}
		if a.PayloadHash != sigv4.StreamingUnsignedTrailer {
			c.signed = key.Chunks(a)
		}
		b.from, b.trailer = c, func() http.Header { return c.trailer }
	} else if a.PayloadHash != "" && a.PayloadHash != sigv4.UnsignedPayload {
		b.sha256, b.hash = a.PayloadHash, sha256.New()
	}
	switch {
	case b.length < 0:
		return nil, trellis.NewError(411, "MissingContentLength", "You must provide the Content-Length HTTP header.")
	case b.length > MaxObject:
		return nil, trellis.NewError(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size of %d bytes.", MaxObject)
	}
	for name, values := range header {
		if algorithm, ok := strings.CutPrefix(name, checksumHeader); ok && b.begin(algorithm) {
			b.value = values[0]
		}
	}
	if announced := header.Get("X-Amz-Trailer"); announced != "" && b.name == "" {
		if algorithm, ok := strings.CutPrefix(textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(announced)), checksumHeader); ok {
			b.begin(algorithm)
		}
	}
	return b, nil
}

// begin begins a checksum, if its algorithm is known.
func (b *Body) begin(algorithm string) bool {
	check := NewChecksum(algorithm)
	if check == nil {
		return false
	}
	b.name, b.check = strings.ToLower(algorithm), check
	return true
}

// Sums is what was found once all was read: MD5, and the checksum that came with it, an algorithm in small letters and
// base64, both empty for none.
func (b *Body) Sums() (md5 []byte, algorithm, checksum string) {
	return b.sum.Sum(nil), b.name, b.value
}

// Read reads, and verifies at the end.
func (b *Body) Read(p []byte) (int, error) {
	if b.done {
		return 0, io.EOF
	}
	n, err := b.from.Read(p)
	b.read += int64(n)
	b.sum.Write(p[:n])
	for _, h := range []hash.Hash{b.hash, b.check} {
		if h != nil {
			h.Write(p[:n])
		}
	}
	switch {
	case b.read > b.length:
		return n, incomplete()
	case errors.Is(err, io.EOF):
		b.done = true
		if fault := b.verify(); fault != nil {
			return n, fault
		}
	case err != nil:
		return n, readError(err)
	}
	return n, err
}

// incomplete is for a body of another length than declared.
func incomplete() error {
	return trellis.NewError(400, "IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header.")
}

// readError makes a client's error of a body that ends early or is too large.
func readError(err error) error {
	if e, ok := errors.AsType[*trellis.Error](err); ok {
		return e
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return trellis.NewError(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size of %d bytes.", MaxObject)
	}
	return incomplete()
}

// verify compares what was read with what was said of it.
func (b *Body) verify() error {
	if b.read != b.length {
		return incomplete()
	}
	if b.hash != nil && hex.EncodeToString(b.hash.Sum(nil)) != b.sha256 {
		return trellis.NewError(400, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed.")
	}
	if b.md5 != "" && b.md5 != base64.StdEncoding.EncodeToString(b.sum.Sum(nil)) {
		return trellis.NewError(400, "BadDigest", "The Content-MD5 you specified did not match what we received.")
	}
	if b.check == nil {
		return nil
	}
	if b.value == "" && b.trailer != nil {
		b.value = b.trailer().Get(checksumHeader + b.name)
	}
	if got := base64.StdEncoding.EncodeToString(b.check.Sum(nil)); got != b.value {
		return trellis.NewError(400, "BadDigest", "The %s you specified did not match the calculated checksum.", strings.ToUpper(b.name))
	}
	return nil
}

// chunks reads a body in aws-chunked form: SIZE[;chunk-signature=…] CRLF bytes CRLF …, a chunk of size 0, and trailers
// (S3 API reference, sigv4-streaming).
type chunks struct {
	from    *bufio.Reader
	signed  *sigv4.Chunks // nil when chunks are not signed
	left    []byte        // of a signed chunk, or nil
	plain   int64         // bytes left of one that is not signed
	ended   bool
	trailer http.Header
}

// malformed is for a body that is not in chunks.
func malformed() error {
	return trellis.NewError(400, "IncompleteBody", "The request body is not in the form of aws-chunked.")
}

// wrong is for a chunk with another signature.
func wrong() error {
	return trellis.NewError(403, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. Check your key and signing method.")
}

// Read reads what is in the chunks.
func (c *chunks) Read(p []byte) (n int, err error) {
	for {
		switch {
		case len(c.left) > 0:
			n = copy(p, c.left)
			c.left = c.left[n:]
			return n, nil
		case c.plain > 0:
			n, err = c.from.Read(p[:min(int64(len(p)), c.plain)])
			if c.plain -= int64(n); c.plain == 0 && err == nil {
				err = c.line("")
			}
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return n, err
		case c.ended:
			return 0, io.EOF
		}
		if err := c.next(); err != nil {
			return 0, err
		}
	}
}

// text reads a line without its end.
func (c *chunks) text() (string, error) {
	line, err := c.from.ReadSlice('\n')
	if err != nil {
		return "", malformed()
	}
	return string(bytes.TrimRight(line, "\r\n")), nil
}

// line reads a line that must say something.
func (c *chunks) line(want string) error {
	if got, err := c.text(); err != nil || got != want {
		return malformed()
	}
	return nil
}

// next begins the next chunk.
func (c *chunks) next() error {
	head, err := c.text()
	if err != nil {
		return err
	}
	digits, extension, _ := strings.Cut(head, ";")
	size, err := strconv.ParseInt(digits, 16, 64)
	if err != nil || size < 0 || size > MaxObject {
		return malformed()
	}
	if c.signed == nil {
		if size == 0 {
			return c.end()
		}
		c.plain = size
		return nil
	}
	signature, ok := strings.CutPrefix(extension, "chunk-signature=")
	if !ok || size > maxChunk {
		return malformed()
	}
	chunk := make([]byte, size)
	if _, err := io.ReadFull(c.from, chunk); err != nil {
		return malformed()
	}
	if !c.signed.Next(sha256.Sum256(chunk), signature) {
		return wrong()
	}
	if size == 0 {
		return c.end()
	}
	c.left = chunk
	return c.line("")
}

// end reads the trailers.
func (c *chunks) end() error {
	c.trailer, c.ended = http.Header{}, true
	var lines strings.Builder
	for read := 0; ; {
		line, err := c.text()
		if read += len(line); err != nil || read > maxTrailer {
			if err != nil && lines.Len() == 0 { // a body may end without the last empty line
				return nil
			}
			return malformed()
		}
		if line == "" {
			break
		}
		name, value, _ := strings.Cut(line, ":")
		if strings.EqualFold(name, "x-amz-trailer-signature") {
			if c.signed != nil && !c.signed.Trailer(lines.String(), value) {
				return wrong()
			}
			continue
		}
		lines.WriteString(strings.ToLower(name) + ":" + strings.TrimSpace(value) + "\n")
		c.trailer.Set(name, strings.TrimSpace(value))
	}
	return nil
}
