package sigv4

import (
	"bytes"
	"crypto/sha256"
	"strings"
	"testing"
)

// sum is sha256.Sum256 under a name that tests read well with.
func sum(b []byte) [sha256.Size]byte { return sha256.Sum256(b) }

// FuzzAuthHeader reads any text as an Authorization header and as a query: it never panics, an error is always
// an Error of one printable line, and nothing that was not made by the key is accepted.
func FuzzAuthHeader(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261122/eu-west-1/vpc-lattice-svcs/aws4_request, SignedHeaders=host;x-amz-date, Signature=fafa60be892f5b66f6d323b082de6be2c55534b72f4bc32e910e4a7a387f8ce9", "")
	f.Add("Bearer abc", "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a%2Fb%2Fc%2Fd%2Faws4_request")
	f.Add("AWS4-HMAC-SHA256 ,,=,Credential=", "X-Amz-Expires=1&X-Amz-Signature=&X-Amz-Date=20261122T191723Z")
	f.Add("AWS4-ECDSA-P256-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261122/vpc-lattice-svcs/aws4_request, SignedHeaders=host;x-amz-date;x-amz-region-set, Signature=30060201010201", "")
	k := NewKey(testSecret)
	f.Fuzz(func(t *testing.T, header, query string) {
		r := &Request{Method: "GET", Path: "/", RawQuery: query,
			Headers: []Field{{"Host", "another.example"}, {"X-Amz-Date", "20261122T191723Z"}, {"X-Amz-Region-Set", "*"}, {"Authorization", header}}}
		got, err := verify(k, r, latticeCheck)
		if got == "ok" || got == "not an Error" {
			t.Fatalf("%s: %v", got, err)
		}
		if err != nil && strings.ContainsAny(err.Error(), "\r\n\x00") {
			t.Fatalf("error of more than one line: %q", err)
		}
	})
}

// FuzzCanonicalRequest signs any request and verifies it, then changes one byte: a request is accepted exactly
// when its canonical form stays as it was signed.
func FuzzCanonicalRequest(f *testing.F) {
	f.Add("GET", "/v1/orders/42", "a=1&b=2", "payments", uint(3), byte(1))
	f.Add("POST", "/a//b/./../c%20d", "q=%2F&&x=+", " a  b\t", uint(20), byte(0x20))
	f.Add("PUT", "/arn%3Aaws%3Avpc-lattice", "list", "", uint(0), byte(4))
	k := NewKey(testSecret)
	f.Fuzz(func(t *testing.T, method, path, query, value string, at uint, flip byte) {
		if presigned(query) || flip == 0 {
			return
		}
		r, a := signed(t, Request{Method: method, Path: path, RawQuery: query, Headers: []Field{{"Host", testHost}, {"X-Value", value}}})
		var buf []byte
		if err := k.Verify(r, &a, latticeCheck, &buf); err != nil {
			t.Fatalf("what was signed is refused: %v", err)
		}
		parts := []*string{&r.Method, &r.Path, &r.RawQuery, &r.Headers[0].Value, &r.Headers[1].Value}
		n := 0
		for _, p := range parts {
			n += len(*p)
		}
		if n == 0 {
			return
		}
		before := written(r, &a)
		at %= uint(n)
		for _, p := range parts {
			if at < uint(len(*p)) {
				b := []byte(*p)
				b[at] ^= flip
				*p = string(b)
				break
			}
			at -= uint(len(*p))
		}
		same := false
		for _, after := range written(r, &a) {
			same = same || bytes.Equal(after, before[0])
		}
		if presigned(r.RawQuery) {
			return
		}
		if err := k.Verify(r, &a, latticeCheck, &buf); (err == nil) != same {
			t.Fatalf("same canonical request: %t, but verified: %v", same, err)
		}
	})
}

// FuzzPresigned presigns any request and verifies it, then changes one byte of it: the URL is accepted exactly when it
// still says what was signed, and bears the same signature.
func FuzzPresigned(f *testing.F) {
	f.Add("/v1/orders/42", "a=1&b=2", uint(3), byte(1))
	f.Add("/a//b", "q=%2F&&x=+", uint(40), byte(0x20))
	f.Add("/", "", uint(200), byte(1))
	f.Add("/", "X-Amz-Expires=9&x", uint(2), byte(0x20))
	k := NewKey(testSecret)
	f.Fuzz(func(t *testing.T, path, query string, at uint, flip byte) {
		if flip == 0 || strings.Contains(query, "X-Amz-") {
			return
		}
		a := newAttempt(func(*attempt) {}, Request{Method: "GET", Path: path, RawQuery: query, Headers: []Field{{"Host", testHost}}}, "")
		a.presign(t, Algorithm, "/eu-west-1", "")
		if got := a.judge(k); got != "ok" {
			t.Fatalf("what was signed is refused: %s", got)
		}
		claimed, _, _ := Parse(&a.r)
		before := written(&a.r, &claimed)[0]
		signature := claimed.Signature
		part := &a.r.RawQuery
		if at %= uint(len(path) + len(*part)); at < uint(len(path)) {
			part = &a.r.Path
		} else {
			at -= uint(len(path))
		}
		b := []byte(*part)
		b[at] ^= flip
		*part = string(b)
		got := a.judge(k)
		changed, is, err := Parse(&a.r)
		same := false
		if is && err == nil && changed.Signature == signature {
			for _, after := range written(&a.r, &changed) {
				same = same || bytes.Equal(after, before)
			}
		}
		if (got == "ok") != same {
			t.Fatalf("same canonical request: %t, but %s", same, got)
		}
	})
}

// written are the canonical requests that a verifier takes for a request, the one that Sign uses first.
func written(r *Request, a *Authorization) [][]byte {
	var out [][]byte
	for _, f := range forms {
		payload, err := a.payload("")
		if err != nil {
			return nil
		}
		b, start, err := appendCanonical(nil, r, a, payload, true, f)
		if err == nil {
			out = append(out, b[start:])
		}
	}
	return out
}

// BenchmarkVerifyAsymmetric is the cost of a SigV4A signature: that of a verification of ECDSA.
func BenchmarkVerifyAsymmetric(b *testing.B) {
	a := bases["asymmetric"](b, func(*attempt) {})
	k := NewKey(testSecret)
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		claimed, _, err := Parse(&a.r)
		if err != nil {
			b.Fatal(err)
		}
		if err := k.Verify(&a.r, &claimed, a.check, &buf); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkVerify is the cost of a request of the data plane, with a session token of usual length.
func BenchmarkVerify(b *testing.B) {
	in := ordinary()
	in.Headers = append(in.Headers, Sign(&in, testKeyID, testSecret, strings.Repeat("IQoJb3JpZ2luX2VjE", 40), "eu-west-1", "vpc-lattice-svcs", UnsignedPayload, testTime)...)
	k := NewKey(testSecret)
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		a, _, err := Parse(&in)
		if err != nil {
			b.Fatal(err)
		}
		if err := k.Verify(&in, &a, latticeCheck, &buf); err != nil {
			b.Fatal(err)
		}
	}
}
