package sigv4

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// The documented example credentials of AWS, which the vectors of testdata are signed with too.
const (
	testKeyID  = "AKIAIOSFODNN7EXAMPLE"
	testSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	testToken  = "IQoJb3JpZ2luX2VjEXAMPLETOKEN//////////wEaCXVzLWVhc3QtMSJHMEUCIQD+/=="
	testHost   = "orders-0123456789abcdef0.7d67968.vpc-lattice-svcs.eu-west-1.on.aws"
)

// testTime is when the tests sign.
var testTime = time.Date(2026, 11, 22, 19, 17, 23, 0, time.UTC)

// vectors is a file of testdata, see testdata/generate.py.
type vectors struct {
	Key, Secret string
	Cases       []vector
}

// vector is one request with what must become of it: ok, unsigned, or the code of the error.
type vector struct {
	Name, Method, Path, Query, Body, Service, Region, Want string
	Headers                                                [][2]string
	Now                                                    time.Time
}

// request is the vector as the verifier sees it.
func (v *vector) request() *Request {
	r := &Request{Method: v.Method, Path: v.Path, RawQuery: v.Query}
	for _, h := range v.Headers {
		r.Headers = append(r.Headers, Field{h[0], h[1]})
	}
	return r
}

// verify does what a server does with a request, and returns ok, unsigned, or the code of the error.
func verify(k *Key, r *Request, c Check) (string, error) {
	a, signed, err := Parse(r)
	if !signed {
		return "unsigned", err
	}
	if err == nil {
		var buf []byte
		err = k.Verify(r, &a, c, &buf)
	}
	if e := (*Error)(nil); errors.As(err, &e) {
		return e.Code, err
	}
	if err != nil {
		return "not an Error", err
	}
	return "ok", nil
}

// readVectors reads a file of testdata and demands a least number of cases.
func readVectors(t testing.TB, name string, least int) vectors {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var vs vectors
	if err := json.Unmarshal(b, &vs); err != nil {
		t.Fatal(err)
	}
	if len(vs.Cases) < least {
		t.Fatalf("%s has %d cases, want at least %d", name, len(vs.Cases), least)
	}
	return vs
}

// TestVectors holds the verifier against what botocore signs, and against small changes of it.
func TestVectors(t *testing.T) {
	for _, f := range []struct {
		name  string
		least int
	}{{"signing.json", 40}, {"crt.json", 70}, {"gosdk.json", 50}, {"verifying.json", 130}} {
		vs := readVectors(t, f.name, f.least)
		key := NewKey(vs.Secret)
		for _, v := range vs.Cases {
			t.Run(strings.TrimSuffix(f.name, ".json")+"/"+v.Name, func(t *testing.T) {
				c := Check{Region: v.Region, Service: v.Service, Now: v.Now, DoubleEncode: v.Service != "s3", PayloadHash: HashPayload([]byte(v.Body))}
				if got, err := verify(key, v.request(), c); got != v.Want {
					t.Errorf("got %s (%v), want %s", got, err, v.Want)
				}
			})
		}
	}
}

// TestSignAgrees signs the vectors with Sign and expects botocore's signature wherever both sign the same
// headers and write the query in the same form.
func TestSignAgrees(t *testing.T) {
	agreed := 0
	vs := readVectors(t, "signing.json", 40)
	for _, v := range vs.Cases {
		r := v.request()
		a, _, err := Parse(r)
		if err != nil {
			t.Fatal(v.Name, err)
		}
		if a.Presigned || v.Want != "ok" {
			continue // botocore normalizes the path, Sign does not
		}
		in := *r
		in.Headers = nil
		for _, h := range r.Headers {
			if n := strings.ToLower(h.Name); n != "authorization" && n != "x-amz-date" && n != "x-amz-content-sha256" && n != "x-amz-security-token" {
				in.Headers = append(in.Headers, h)
			}
		}
		hash := a.PayloadHash
		if hash == "" && v.Body != "" {
			continue // Sign would name the hash, which adds a header
		}
		out := Sign(&in, testKeyID, vs.Secret, a.SessionToken, v.Region, v.Service, hash, a.Time)
		want, _ := find(r.Headers, "authorization")
		if got := out[len(out)-1].Value; got == want {
			agreed++
		} else if !strings.HasPrefix(v.Name, "query with") {
			t.Errorf("%s: got %s, want %s", v.Name, got, want)
		}
	}
	if agreed < 40 {
		t.Errorf("only %d vectors have the same signature", agreed)
	}
}

// signed returns a request signed as VPC Lattice wants it, with its Authorization parsed.
func signed(t testing.TB, r Request) (*Request, Authorization) {
	t.Helper()
	r.Headers = append(r.Headers, Sign(&r, testKeyID, testSecret, testToken, "eu-west-1", "vpc-lattice-svcs", UnsignedPayload, testTime)...)
	a, ok, err := Parse(&r)
	if err != nil || !ok {
		t.Fatalf("parse: signed %t, %v", ok, err)
	}
	return &r, a
}

// latticeCheck is what the data plane demands.
var latticeCheck = Check{Region: "eu-west-1", Service: "vpc-lattice-svcs", Now: testTime, DoubleEncode: true}

// ordinary is a request with a bit of everything.
func ordinary() Request {
	return Request{Method: "GET", Path: "/v1/orders/42%20x", RawQuery: "b=2&a=1&list=%2Fx",
		Headers: []Field{{"Host", testHost}, {"Accept", "*/*"}, {"Content-Type", "application/json; charset=utf-8"}, {"X-Team", "a  b"}}}
}

// TestAllocations holds Parse and a successful Verify to zero allocations.
func TestAllocations(t *testing.T) {
	dirty := ordinary()
	dirty.Path = "/a//b/./c/../d"
	many := ordinary()
	for i := range 24 {
		many.RawQuery += fmt.Sprintf("&k%d=%d", 24-i, i)
	}
	for name, in := range map[string]Request{"ordinary": ordinary(), "path to normalize": dirty, "many parameters": many} {
		t.Run(name, func(t *testing.T) {
			r, _ := signed(t, in)
			k := NewKey(testSecret)
			var buf []byte
			if n := testing.AllocsPerRun(100, func() {
				a, ok, err := Parse(r)
				if err != nil || !ok {
					t.Fatal(err)
				}
				if err := k.Verify(r, &a, latticeCheck, &buf); err != nil {
					t.Fatal(err)
				}
			}); n != 0 {
				t.Errorf("%v allocations, want 0", n)
			}
		})
	}
}

// TestKeyConcurrently verifies over the scopes of several days at once: what is derived by one goroutine must
// serve the others, and never more than derivedKept are kept.
func TestKeyConcurrently(t *testing.T) {
	k := NewKey(testSecret)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			var buf []byte
			for i := range 40 {
				at := testTime.AddDate(0, 0, (g+i)%6)
				r := ordinary()
				r.Headers = append(r.Headers, Sign(&r, testKeyID, testSecret, "", "eu-west-1", "vpc-lattice-svcs", UnsignedPayload, at)...)
				a, _, err := Parse(&r)
				if err != nil {
					t.Error(err)
					return
				}
				c := latticeCheck
				c.Now = at
				if err := k.Verify(&r, &a, c, &buf); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := len(*k.derived.Load()); n > derivedKept {
		t.Errorf("%d signing keys are kept, want at most %d", n, derivedKept)
	}
}

// TestKeyOutlivesStrings verifies that a Key keeps no part of a request, whose strings are views of a buffer
// that is used again.
func TestKeyOutlivesStrings(t *testing.T) {
	k := NewKey(testSecret)
	date, region, service := []byte("20261122"), []byte("eu-west-1"), []byte("vpc-lattice-svcs")
	k.signing(string(date), string(region), string(service))
	first := (*k.derived.Load())[0]
	if again := k.signing("20261122", "eu-west-1", "vpc-lattice-svcs"); again != first {
		t.Error("the signing key was derived twice")
	}
}

// TestMessages holds the sentences that clients and their documentation know.
func TestMessages(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(r *Request, c *Check)
		want   string
	}{
		"wrong signature": {func(r *Request, c *Check) { r.Method = "PUT" },
			"InvalidSignatureException: The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."},
		"late": {func(r *Request, c *Check) { c.Now = testTime.Add(6 * time.Minute) },
			"InvalidSignatureException: Signature expired: 20261122T191723Z is now earlier than 20261122T191823Z (20261122T192323Z - 5 min.)"},
		"early": {func(r *Request, c *Check) { c.Now = testTime.Add(-6 * time.Minute) },
			"InvalidSignatureException: Signature not yet current: 20261122T191723Z is still later than 20261122T191623Z (20261122T191123Z + 5 min.)"},
		"region": {func(r *Request, c *Check) { c.Region = "us-east-1" },
			"InvalidSignatureException: Credential should be scoped to a valid region."},
		"service": {func(r *Request, c *Check) { c.Service = "sts" },
			"InvalidSignatureException: Credential should be scoped to correct service: 'sts'."},
		"token gone": {func(r *Request, c *Check) { drop(r, "X-Amz-Security-Token") },
			"IncompleteSignatureException: 'x-amz-security-token' is named as a SignedHeader, but it does not exist in the HTTP request."},
		"date gone": {func(r *Request, c *Check) { drop(r, "X-Amz-Date") },
			"IncompleteSignatureException: Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."},
		"only the algorithm": {func(r *Request, c *Check) { r.Headers[len(r.Headers)-1].Value = Algorithm },
			"IncompleteSignatureException: Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter."},
		"control characters": {func(r *Request, c *Check) { r.Headers[len(r.Headers)-1].Value = "AWS4-HMAC-SHA256 a\r\nb" },
			"IncompleteSignatureException: 'a??b' not a valid key=value pair (missing equal-sign) in Authorization header."},
	} {
		t.Run(name, func(t *testing.T) {
			r, _ := signed(t, ordinary())
			c := latticeCheck
			tt.change(r, &c)
			if _, err := verify(NewKey(testSecret), r, c); err == nil || err.Error() != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

// TestTokenGone refuses a request that lost its session token by parsing alone: its key id means nothing without
// the token, so whoever looked it up would only say that the credentials are unknown.
func TestTokenGone(t *testing.T) {
	r, _ := signed(t, ordinary())
	drop(r, "X-Amz-Security-Token")
	const want = "IncompleteSignatureException: 'x-amz-security-token' is named as a SignedHeader, but it does not exist in the HTTP request."
	if _, isSigned, err := Parse(r); !isSigned || err == nil || err.Error() != want {
		t.Errorf("%v %v", isSigned, err)
	}
}

// drop removes a field.
func drop(r *Request, name string) {
	var left []Field
	for _, f := range r.Headers {
		if f.Name != name {
			left = append(left, f)
		}
	}
	r.Headers = left
}

// TestHostOutsideHeaders verifies requests whose engine keeps Host apart from the fields.
func TestHostOutsideHeaders(t *testing.T) {
	r := ordinary()
	drop(&r, "Host")
	r.Host = testHost
	s, a := signed(t, r)
	var buf []byte
	if err := NewKey(testSecret).Verify(s, &a, latticeCheck, &buf); err != nil {
		t.Fatal(err)
	}
	s.Host = "other"
	if err := NewKey(testSecret).Verify(s, &a, latticeCheck, &buf); err == nil {
		t.Error("another host is accepted")
	}
}

// TestDateField accepts the Date field in both forms when there is no X-Amz-Date.
func TestDateField(t *testing.T) {
	r := Request{Method: "GET", Path: "/", Headers: []Field{{"Host", testHost}, {"Date", "Sun, 22 Nov 2026 19:17:23 GMT"}}}
	a := Authorization{SignedHeaders: "date;host"}
	b, start, err := appendCanonical(nil, &r, &a, EmptyPayloadHash, true, form{})
	if err != nil {
		t.Fatal(err)
	}
	k := NewKey(testSecret)
	_, sig := k.signing("20261122", "eu-west-1", "vpc-lattice-svcs").sign(nil, "20261122T191723Z", sum(b[start:]))
	r.Headers = append(r.Headers, Field{"Authorization", Algorithm + " Credential=" + testKeyID +
		"/20261122/eu-west-1/vpc-lattice-svcs/aws4_request,SignedHeaders=date;host,Signature=" + string(sig[:])})
	if got, err := verify(k, &r, latticeCheck); got != "ok" {
		t.Error(got, err)
	}
}

// TestSecretIsNotPrinted formats a Key in the usual ways.
func TestSecretIsNotPrinted(t *testing.T) {
	k := NewKey(testSecret)
	for _, f := range []string{"%v", "%+v", "%#v", "%s"} {
		if s := fmt.Sprintf(f, k); strings.Contains(s, "wJalr") {
			t.Errorf("%s prints %s", f, s)
		}
	}
}
