package sigv4

import "time"

// Parse finds the signature of a request. The bool is false for a request that is not signed at all.
func Parse(r *Request) (Authorization, bool, error) { return Authorization{}, false, nil }

// Key verifies the signatures of one secret access key.
type Key struct{ secret string }

// NewKey returns a Key. It is safe for concurrent use.
func NewKey(secret string) *Key { return &Key{secret: secret} }

// Verify returns nil when the signature is right, else an *Error.
func (k *Key) Verify(r *Request, a *Authorization, c Check, buf *[]byte) error { return nil }

// Sign returns the header fields that sign a request.
func Sign(r *Request, accessKeyID, secret, token, region, service, payloadHash string, at time.Time) []Field {
	return nil
}

// HashPayload returns the hexadecimal SHA-256 of a body.
func HashPayload(body []byte) string { return "" }
