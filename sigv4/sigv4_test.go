package sigv4

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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

// vectors is a file of testdata: what a signer made at one time, see package signers_test.
type vectors struct {
	Generator, Key, Secret, Region, Service string
	Now                                     time.Time
	Cases                                   []vector
}

// vector is one request with what must become of it: ok, or how the error begins.
type vector struct {
	Name, Method, Path, Query, Body, Want string
	Headers                               [][2]string
	Now                                   time.Time // of those that were made at another time each
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

// minted are the files of what the signers make.
func minted(t testing.TB) map[string]vectors {
	t.Helper()
	paths, err := filepath.Glob("testdata/vectors/*.json")
	if err != nil || len(paths) < 11 {
		t.Fatal(paths, err)
	}
	all := map[string]vectors{}
	for _, p := range paths {
		name := filepath.Base(p)
		all[strings.TrimSuffix(name, ".json")] = readVectors(t, "vectors/"+name, 70)
	}
	return all
}

// TestVectors holds the verifier against what the signers of AWS's SDKs, the Common Runtime and curl make.
func TestVectors(t *testing.T) {
	for name, vs := range minted(t) {
		key := NewKey(vs.Secret)
		for _, v := range vs.Cases {
			t.Run(name+"/"+v.Name, func(t *testing.T) {
				c := Check{Region: vs.Region, Service: vs.Service, Now: vs.Now, DoubleEncode: true, PayloadHash: HashPayload([]byte(v.Body))}
				got, err := verify(key, v.request(), c)
				if err != nil {
					got = err.Error()
				}
				if v.Want == "" || !strings.HasPrefix(got, v.Want) {
					t.Errorf("got %s, want %s", got, v.Want)
				}
			})
		}
	}
}

// TestSignAgrees signs the vectors with Sign and expects aws-sdk-go-v2's signature, which signs the path as Sign does.
func TestSignAgrees(t *testing.T) {
	vs := minted(t)["aws-sdk-go-v2"]
	agreed := 0
	for _, v := range vs.Cases {
		r := v.request()
		a, _, err := Parse(r)
		if err != nil {
			t.Fatal(v.Name, err)
		}
		if a.Presigned || a.PayloadHash == "" && v.Body != "" {
			continue // Sign makes neither: it names the hash of a body
		}
		in := *r
		in.Headers = nil
		for _, h := range r.Headers {
			if n := strings.ToLower(h.Name); n != "authorization" && n != "x-amz-date" && n != "x-amz-content-sha256" && n != "x-amz-security-token" {
				in.Headers = append(in.Headers, h)
			}
		}
		out := Sign(&in, testKeyID, vs.Secret, a.SessionToken, vs.Region, vs.Service, a.PayloadHash, a.Time)
		want, _ := find(r.Headers, "authorization")
		if got := out[len(out)-1].Value; got == want {
			agreed++
		} else if v.Name != "header: tabs" { // which that SDK keeps
			t.Errorf("%s: got %s, want %s", v.Name, got, want)
		}
	}
	if agreed < 60 {
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
			"IncompleteSignatureException: Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. Authorization=AWS4-HMAC-SHA256"},
		"only the algorithm": {func(r *Request, c *Check) { r.Headers[len(r.Headers)-1].Value = Algorithm },
			"IncompleteSignatureException: Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. Authorization=AWS4-HMAC-SHA256"},
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
