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

// written are the canonical requests that a verifier takes for a request, the one that Sign uses first.
func written(r *Request, a *Authorization) [][]byte {
	var out [][]byte
	for _, f := range forms {
		b, start, err := appendCanonical(nil, r, a, a.PayloadHash, true, f)
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
