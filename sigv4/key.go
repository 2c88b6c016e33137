package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// derivedKept is how many signing keys a Key keeps. A verifier has one region and service, so two days around
// midnight are the usual most.
const derivedKept = 4

// Key verifies the signatures of one secret access key. It derives the signing key of a date, region and
// service once; reading the derived ones takes no lock. It is safe for concurrent use and never printed.
type Key struct {
	secret  string
	derived atomic.Pointer[[]*signingKey] // newest first, never changed, only replaced
	pair    atomic.Pointer[keyPair]       // of SigV4A
}

// signingKey is the key of one credential scope in the form that HMAC uses: xored into the two pads. States of SHA-256
// after the pads would save two blocks of about thirty for a request, and cost an allocation each.
type signingKey struct {
	date, region, service string
	inner, outer          [sha256.BlockSize]byte
}

// NewKey returns the Key of a secret access key.
func NewKey(secret string) *Key { return &Key{secret: secret} }

// String hides the secret.
func (*Key) String() string { return "[redacted]" }

// GoString hides the secret from %#v.
func (*Key) GoString() string { return "[redacted]" }

// LogValue hides the secret from slog.
func (*Key) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// signing returns the signing key of a scope.
func (k *Key) signing(date, region, service string) *signingKey {
	have := k.derived.Load()
	if have != nil {
		for _, s := range *have {
			if s.date == date && s.region == region && s.service == service {
				return s
			}
		}
	}
	s := &signingKey{date: strings.Clone(date), region: strings.Clone(region), service: strings.Clone(service)}
	s.setKey(derive(k.secret, date, region, service))
	next := []*signingKey{s}
	if have != nil {
		next = append(next, (*have)[:min(len(*have), derivedKept-1)]...)
	}
	// When another goroutine was faster, its entry stays and this one is derived again when it is needed.
	k.derived.CompareAndSwap(have, &next)
	return s
}

// setKey fills the pads (RFC 2104).
func (s *signingKey) setKey(key []byte) {
	copy(s.inner[:], key)
	copy(s.outer[:], key)
	for i := range s.inner {
		s.inner[i] ^= 0x36
		s.outer[i] ^= 0x5c
	}
}

// derive is the chain of HMACs from a secret access key to a signing key.
func derive(secret, date, region, service string) []byte {
	k := []byte("AWS4" + secret)
	for _, part := range [...]string{date, region, service, terminator} {
		m := hmac.New(sha256.New, k)
		m.Write([]byte(part))
		k = m.Sum(nil)
	}
	return k
}

// appendStringToSign appends the string to sign. The region is empty with SigV4A.
func appendStringToSign(b []byte, algorithm, timestamp, date, region, service string, canonical [sha256.Size]byte) []byte {
	b = append(b, algorithm...)
	b = append(b, '\n')
	b = append(b, timestamp...)
	b = append(b, '\n')
	b = append(b, date...)
	b = append(b, '/')
	if region != "" {
		b = append(b, region...)
		b = append(b, '/')
	}
	b = append(b, service...)
	b = append(b, "/"+terminator+"\n"...)
	return hex.AppendEncode(b, canonical[:])
}

// sign appends inner pad and string to sign to b and returns the signature in hexadecimal.
func (s *signingKey) sign(b []byte, timestamp string, canonical [sha256.Size]byte) ([]byte, [2 * sha256.Size]byte) {
	start := len(b)
	b = append(b, s.inner[:]...)
	b = appendStringToSign(b, Algorithm, timestamp, s.date, s.region, s.service, canonical)
	inner := sha256.Sum256(b[start:])

	var outer [sha256.BlockSize + sha256.Size]byte
	copy(outer[:], s.outer[:])
	copy(outer[sha256.BlockSize:], inner[:])
	sum := sha256.Sum256(outer[:])
	var sig [2 * sha256.Size]byte
	hex.Encode(sig[:], sum[:])
	return b, sig
}

// Verify returns nil when the request bears the signature that this key makes of it, else an *Error. The
// result of Parse must be of the same request. *buf is scratch of any size, grown as needed and kept for the
// next call; with a buffer that has grown to the requests, success allocates nothing (SigV4A does).
//
// It does not decide which payload hash is acceptable: see Authorization.PayloadHash and Check.PayloadHash. A
// request that names no hash is verified with Check.PayloadHash or, when that is empty, as one without a body.
func (k *Key) Verify(r *Request, a *Authorization, c Check, buf *[]byte) error {
	payload, err := a.check(&c)
	if err != nil {
		return err
	}
	if a.Asymmetric {
		return k.verifyAsymmetric(r, a, &c, payload, buf)
	}
	if len(a.Signature) != 2*sha256.Size {
		return mismatch(r, &c)
	}
	var want [2 * sha256.Size]byte
	copy(want[:], a.Signature)
	key := k.signing(a.Date, a.Region, a.Service)
	for _, f := range forms {
		if f.same(r) {
			continue
		}
		b, start, err := appendCanonical((*buf)[:0], r, a, payload, c.DoubleEncode, f)
		*buf = b
		if err != nil {
			return err
		}
		var sig [2 * sha256.Size]byte
		*buf, sig = key.sign(b[:0], a.Timestamp, sha256.Sum256(b[start:]))
		if subtle.ConstantTimeCompare(sig[:], want[:]) == 1 {
			return nil
		}
	}
	return mismatch(r, &c)
}

// mismatch is AWS's sentence for a wrong signature, and one of ours for who signs another path or query than it sends.
func mismatch(r *Request, c *Check) error {
	text := "The request signature we calculated does not match the signature you provided. " +
		"Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
	if c.DoubleEncode && !plainPath(r.Path) {
		text += " The path has doubled slashes or dot segments: send it without them, or sign it as it is sent."
	}
	if strings.IndexByte(r.RawQuery, '+') >= 0 {
		text += " A plus sign in the query is a space: send and sign it as %20, and a plus sign as %2B."
	}
	return &Error{CodeInvalid, text}
}

// check compares scope and time with what the verifier demands, and returns the hash that stands for the payload.
func (a *Authorization) check(c *Check) (payload string, err error) {
	if err := a.checkScope(c); err != nil {
		return "", err
	}
	if err := a.checkTime(c.Now); err != nil {
		return "", err
	}
	if c.Chunked && (a.PayloadHash == StreamingPayload || a.PayloadHash == StreamingPayloadTrailer || a.PayloadHash == StreamingUnsignedTrailer) {
		return a.PayloadHash, nil
	}
	return a.payload(c.PayloadHash)
}

// checkScope compares the credential scope with what the verifier is for.
func (a *Authorization) checkScope(c *Check) error {
	if a.Asymmetric && !inRegionSet(a.RegionSet, c.Region) || !a.Asymmetric && a.Region != c.Region {
		return &Error{CodeInvalid, "Credential should be scoped to a valid region."}
	}
	if a.Service != c.Service {
		return &Error{CodeInvalid, "Credential should be scoped to correct service: '" + c.Service + "'."}
	}
	if len(a.Timestamp) < 8 || a.Date != a.Timestamp[:8] {
		return &Error{CodeInvalid, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '" +
			printable(a.Date) + "' != '" + printable(a.Timestamp[:min(8, len(a.Timestamp))]) + "', from '" + printable(a.Timestamp) + "'."}
	}
	return nil
}

// checkTime compares the time of the signature with the clock.
func (a *Authorization) checkTime(now time.Time) error {
	life := MaxSkew
	if a.Presigned {
		life = a.Expires
	}
	stamp := func(t time.Time) string { return t.UTC().Format(timeFormat) }
	if now.Sub(a.Time) > life {
		return &Error{CodeInvalid, "Signature expired: " + stamp(a.Time) + " is now earlier than " +
			stamp(now.Add(-life)) + " (" + stamp(now) + " - " + minutes(life) + ".)"}
	}
	if a.Time.Sub(now) > MaxSkew {
		return &Error{CodeInvalid, "Signature not yet current: " + stamp(a.Time) + " is still later than " +
			stamp(now.Add(MaxSkew)) + " (" + stamp(now) + " + " + minutes(MaxSkew) + ".)"}
	}
	return nil
}

// minutes prints a duration as AWS's sentences do.
func minutes(d time.Duration) string {
	if d%time.Minute != 0 {
		return d.String()
	}
	return strconv.Itoa(int(d/time.Minute)) + " min"
}

// payload is the hash that enters the canonical request.
func (a *Authorization) payload(received string) (string, error) {
	switch {
	case a.PayloadHash == "" && received == "":
		return EmptyPayloadHash, nil
	case a.PayloadHash == "":
		return received, nil
	case a.PayloadHash == UnsignedPayload:
		return a.PayloadHash, nil
	case strings.HasPrefix(a.PayloadHash, "STREAMING-"):
		return "", &Error{CodeInvalid, "Payloads that are signed in chunks are not supported: 'x-amz-content-sha256' must be UNSIGNED-PAYLOAD or a SHA-256 in hexadecimal, not '" +
			printable(a.PayloadHash) + "'."}
	case !isHash(a.PayloadHash):
		return "", &Error{CodeInvalid, "The value of 'x-amz-content-sha256' must be UNSIGNED-PAYLOAD or a SHA-256 in hexadecimal."}
	case received != "" && received != a.PayloadHash:
		return "", &Error{CodeInvalid, "The provided 'x-amz-content-sha256' header does not match what was computed."}
	}
	return a.PayloadHash, nil
}

// isHash tells whether s is a SHA-256 in lower-case hexadecimal.
func isHash(s string) bool {
	if len(s) != 2*sha256.Size {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f') {
			return false
		}
	}
	return true
}

// HashPayload returns the SHA-256 of a body in hexadecimal.
func HashPayload(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}
