package sigv4

import "time"

// Field is one header field. It is an alias of a plain struct, so that the codec's fields pass unconverted.
type Field = struct{ Name, Value string }

// Algorithm is the usual algorithm. The other one is Asymmetric.
const Algorithm = "AWS4-HMAC-SHA256"

// UnsignedPayload stands for the payload's hash where the payload is not signed.
const UnsignedPayload = "UNSIGNED-PAYLOAD"

// EmptyPayloadHash is the SHA-256 of no bytes.
const EmptyPayloadHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// MaxSkew is how far the clock of a signer may be off in either direction.
const MaxSkew = 5 * time.Minute

// MaxExpires is the longest life of a presigned URL.
const MaxExpires = 7 * 24 * time.Hour

// Request is what a signature covers, as it is on the wire.
type Request struct {
	Method   string
	Path     string // raw: not decoded, without the query
	RawQuery string // without the question mark
	Headers  []Field
	Host     string // used when Headers has no Host field
}

// Authorization is what a request claims about its signature. Its strings are parts of the request's own.
type Authorization struct {
	AccessKeyID   string
	Asymmetric    bool   // SigV4A; Region is empty until Verify has found the verifier's in RegionSet
	RegionSet     string // of SigV4A, for example eu-west-1,us-* or *
	Date          string // of the credential scope, YYYYMMDD
	Region        string // of the credential scope
	Service       string // of the credential scope
	SignedHeaders string // lower-case names, sorted, joined by semicolons
	Signature     string // hexadecimal
	SessionToken  string // empty for long-lived keys
	// PayloadHash is the value of x-amz-content-sha256, empty when the request has none.
	PayloadHash string
	// PayloadHashSigned tells whether x-amz-content-sha256 is among the signed headers (of a presigned URL:
	// or in the query).
	PayloadHashSigned bool
	Timestamp         string    // as it enters the string to sign, YYYYMMDDTHHMMSSZ
	Time              time.Time // Timestamp
	Presigned         bool      // the signature is in the query
	Expires           time.Duration
}

// Check is what the verifier demands.
type Check struct {
	Region  string
	Service string
	Now     time.Time
	// DoubleEncode encodes the path of the wire once more, as signers do for every service but S3.
	DoubleEncode bool
	// Chunked takes bodies in chunks, whose signatures the caller verifies by Key.Chunks.
	Chunked bool
	// PayloadHash is the hexadecimal SHA-256 of the body that was received. It is used when the request
	// names no hash, and must be equal when the request names one. Leave it empty when the body was not
	// read: then a named hash enters the signature unchecked, and the caller compares it with the body later.
	PayloadHash string
}

// Error is why a signature is refused: a code of AWS's and its sentence.
type Error struct{ Code, Message string }

// Error is the code and the message, as the body of a 403 has them.
func (e *Error) Error() string { return e.Code + ": " + e.Message }
