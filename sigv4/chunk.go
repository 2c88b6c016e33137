package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"strings"
)

// The payload hashes of bodies that come in chunks (S3 API reference, sigv4-streaming and
// sigv4-streaming-trailers): with a signature in each chunk, the same with signed trailers, and with trailers alone.
const (
	StreamingPayload         = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	StreamingPayloadTrailer  = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	StreamingUnsignedTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
)

// Chunks verifies the signatures of the chunks of one body, each of which signs the one before it.
type Chunks struct {
	key       []byte
	previous  string
	timestamp string
	scope     string
}

// Chunks begins with the signature of the request itself, which must have been verified.
func (k *Key) Chunks(a *Authorization) *Chunks {
	return &Chunks{key: derive(k.secret, a.Date, a.Region, a.Service), previous: a.Signature, timestamp: a.Timestamp,
		scope: a.Date + "/" + a.Region + "/" + a.Service + "/" + terminator}
}

// Next tells whether a signature is that of the next chunk, whose bytes have the hash.
func (c *Chunks) Next(hash [sha256.Size]byte, signature string) bool {
	return c.next("AWS4-HMAC-SHA256-PAYLOAD", EmptyPayloadHash+"\n"+hex.EncodeToString(hash[:]), signature)
}

// Trailer tells whether a signature is that of the trailer: lines of name:value, each with its end.
func (c *Chunks) Trailer(lines, signature string) bool {
	return c.next("AWS4-HMAC-SHA256-TRAILER", HashPayload([]byte(lines)), signature)
}

// next compares a signature and takes it as the one before the next.
func (c *Chunks) next(kind, rest, signature string) bool {
	text := strings.Join([]string{kind, c.timestamp, c.scope, c.previous, rest}, "\n")
	m := hmac.New(sha256.New, c.key)
	m.Write([]byte(text))
	want := hex.EncodeToString(m.Sum(nil))
	c.previous = want
	return subtle.ConstantTimeCompare([]byte(want), []byte(signature)) == 1
}
