package sigv4

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// update writes the errors of testdata/verifier.txt anew.
var update = flag.Bool("update", false, "write what the verifier says into testdata/verifier.txt")

// attempt is a request on its way to the verifier: what a caller signed, and what was done to it since.
type attempt struct {
	r      Request
	body   string
	secret string // the verifier's
	check  Check
}

// bases are the requests that the cases begin with, each accepted as it is.
var bases = map[string]func(t testing.TB, before func(*attempt)) *attempt{
	// full is a request as VPC Lattice wants it.
	"full": func(t testing.TB, before func(*attempt)) *attempt {
		a := newAttempt(before, Request{Method: "POST", Path: "/v1/orders/42", RawQuery: "a=1&b=two", Headers: []Field{
			{"Host", testHost}, {"Content-Type", "application/json"}, {"X-Team", "payments"}}}, `{"item":1}`)
		a.r.Headers = append(a.r.Headers, Sign(&a.r, testKeyID, testSecret, testToken, "eu-west-1", "vpc-lattice-svcs", UnsignedPayload, testTime)...)
		return a
	},
	// hashed names the hash of its body.
	"hashed": func(t testing.TB, before func(*attempt)) *attempt {
		a := newAttempt(before, Request{Method: "POST", Path: "/v1/orders", Headers: []Field{{"Host", testHost}}}, `{"item":1}`)
		a.r.Headers = append(a.r.Headers, Sign(&a.r, testKeyID, testSecret, "", "eu-west-1", "vpc-lattice-svcs", HashPayload([]byte(a.body)), testTime)...)
		return a
	},
	// plain signs its empty body and does not say so, as botocore does.
	"plain": func(t testing.TB, before func(*attempt)) *attempt {
		a := newAttempt(before, Request{Method: "GET", Path: "/v1/orders", Headers: []Field{{"Host", testHost}}}, "")
		a.r.Headers = append(a.r.Headers, Sign(&a.r, testKeyID, testSecret, "", "eu-west-1", "vpc-lattice-svcs", "", testTime)...)
		return a
	},
	// presigned is a URL that holds for ten minutes.
	"presigned": func(t testing.TB, before func(*attempt)) *attempt {
		a := newAttempt(before, Request{Method: "GET", Path: "/v1/orders", RawQuery: "a=1", Headers: []Field{{"Host", testHost}}}, "")
		a.presign(t, Algorithm, "/eu-west-1", "")
		return a
	},
	// asymmetric is signed with SigV4A for the regions us-east-1 and eu-*.
	"asymmetric": func(t testing.TB, before func(*attempt)) *attempt {
		a := newAttempt(before, Request{Method: "GET", Path: "/v1/orders", RawQuery: "a=1", Headers: []Field{{"Host", testHost},
			{"X-Amz-Date", "20261122T191723Z"}, {"X-Amz-Content-Sha256", UnsignedPayload}, {"X-Amz-Region-Set", "us-east-1, eu-*"}}}, "")
		list := signedHeaders(a.r.Headers)
		a.r.Headers = append(a.r.Headers, Field{"Authorization", Asymmetric + " Credential=" + testKeyID + "/20261122/vpc-lattice-svcs/aws4_request, SignedHeaders=" + list +
			", Signature=" + a.signAsymmetric(t, list, UnsignedPayload)})
		return a
	},
	// asymmetric-presigned is a URL of SigV4A.
	"asymmetric-presigned": func(t testing.TB, before func(*attempt)) *attempt {
		a := newAttempt(before, Request{Method: "GET", Path: "/v1/orders", Headers: []Field{{"Host", testHost}}}, "")
		a.presign(t, Asymmetric, "", "&X-Amz-Region-Set=eu-west-1")
		return a
	},
}

// newAttempt is a request that is not signed yet.
func newAttempt(before func(*attempt), r Request, body string) *attempt {
	a := &attempt{r: r, body: body, secret: testSecret, check: latticeCheck}
	before(a)
	return a
}

// presign adds the query of a presigned URL.
func (a *attempt) presign(t testing.TB, algorithm, region, more string) {
	a.r.RawQuery = strings.TrimPrefix(a.r.RawQuery+"&X-Amz-Algorithm="+algorithm+"&X-Amz-Credential="+
		url.QueryEscape(testKeyID+"/20261122"+region+"/vpc-lattice-svcs/aws4_request")+"&X-Amz-Date=20261122T191723Z&X-Amz-Expires=600"+more+"&X-Amz-SignedHeaders=host", "&")
	signature := ""
	if algorithm == Asymmetric {
		signature = a.signAsymmetric(t, "host", EmptyPayloadHash)
	} else {
		b, start, err := appendCanonical(nil, &a.r, &Authorization{SignedHeaders: "host", Presigned: true}, EmptyPayloadHash, true, form{})
		if err != nil {
			t.Fatal(err)
		}
		_, sig := NewKey(testSecret).signing("20261122", "eu-west-1", "vpc-lattice-svcs").sign(nil, "20261122T191723Z", sum(b[start:]))
		signature = string(sig[:])
	}
	a.r.RawQuery += "&X-Amz-Signature=" + signature
}

// signAsymmetric makes a signature of SigV4A.
func (a *attempt) signAsymmetric(t testing.TB, list, payload string) string {
	b, start, err := appendCanonical(nil, &a.r, &Authorization{SignedHeaders: list, Presigned: true}, payload, true, form{})
	if err != nil {
		t.Fatal(err)
	}
	private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), deriveScalar(testSecret, testKeyID))
	if err != nil {
		t.Fatal(err)
	}
	canonical := sha256.Sum256(b[start:])
	digest := sha256.Sum256([]byte(Asymmetric + "\n20261122T191723Z\n20261122/vpc-lattice-svcs/aws4_request\n" + hex.EncodeToString(canonical[:])))
	signature, err := ecdsa.SignASN1(rand.Reader, private, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(signature)
}

// edits are what a line of testdata/verifier.txt may do, by its first word. Words are quoted as in Go where they
// hold spaces or odd bytes.
var edits = map[string]func(a *attempt, w []string){
	"method": func(a *attempt, w []string) { a.r.Method = w[0] },
	"path":   func(a *attempt, w []string) { a.r.Path = w[0] },
	"query":  func(a *attempt, w []string) { a.r.RawQuery = w[0] },
	"body":   func(a *attempt, w []string) { a.body = w[0] },
	"secret": func(a *attempt, w []string) { a.secret = w[0] },
	"region": func(a *attempt, w []string) { a.check.Region = w[0] },
	// service is what the verifier is for.
	"service": func(a *attempt, w []string) { a.check.Service = w[0] },
	// now is the verifier's clock, from when the request was signed.
	"now": func(a *attempt, w []string) {
		d, err := time.ParseDuration(w[0])
		if err != nil {
			panic(err)
		}
		a.check.Now = testTime.Add(d)
	},
	"add":     func(a *attempt, w []string) { a.r.Headers = append(slices.Clip(a.r.Headers), Field{w[0], w[1]}) },
	"drop":    func(a *attempt, w []string) { drop(&a.r, w[0]) },
	"set":     func(a *attempt, w []string) { a.change(w[0], func(string) string { return w[1] }) },
	"suffix":  func(a *attempt, w []string) { a.change(w[0], func(v string) string { return v + w[1] }) },
	"prefix":  func(a *attempt, w []string) { a.change(w[0], func(v string) string { return w[1] + v }) },
	"rename":  func(a *attempt, w []string) { a.rename(w[0], w[1]) },
	"reverse": func(a *attempt, w []string) { slices.Reverse(a.r.Headers) },
	// auth replaces a text in Authorization, once.
	"auth": func(a *attempt, w []string) {
		a.change("Authorization", func(v string) string { return replaced(v, w[0], w[1]) })
	},
	// in replaces a text in the query, once.
	"in": func(a *attempt, w []string) { a.r.RawQuery = replaced(a.r.RawQuery, w[0], w[1]) },
	// signature changes it: a digit by its place, its case, or the whole.
	"signature": func(a *attempt, w []string) { a.changeSignature(w) },
}

// replaced is strings.Replace that must find something.
func replaced(s, old, by string) string {
	if !strings.Contains(s, old) {
		panic(strconv.Quote(old) + " is not in " + s)
	}
	return strings.Replace(s, old, by, 1)
}

// change changes the first field of a name.
func (a *attempt) change(name string, by func(string) string) {
	i := slices.IndexFunc(a.r.Headers, func(f Field) bool { return f.Name == name })
	if i < 0 {
		panic("there is no field " + name)
	}
	a.r.Headers[i].Value = by(a.r.Headers[i].Value)
}

// rename gives a field another name.
func (a *attempt) rename(from, to string) {
	for i := range a.r.Headers {
		if a.r.Headers[i].Name == from {
			a.r.Headers[i].Name = to
		}
	}
}

// changeSignature changes the signature where it is.
func (a *attempt) changeSignature(w []string) {
	edit := func(v string) string {
		head, sig, _ := strings.Cut(v, "Signature=")
		switch {
		case w[0] == "upper":
			sig = strings.ToUpper(sig)
		case w[0] == "=":
			sig = w[1]
		default:
			at, err := strconv.Atoi(w[0])
			if err != nil {
				panic(err)
			}
			digit := byte('0')
			if sig[at] == '0' {
				digit = '1'
			}
			sig = sig[:at] + string(digit) + sig[at+1:]
		}
		return head + "Signature=" + sig
	}
	if strings.Contains(a.r.RawQuery, "X-Amz-Signature=") {
		a.r.RawQuery = edit(a.r.RawQuery)
		return
	}
	a.change("Authorization", edit)
}

// words splits a line.
func words(t *testing.T, line string) []string {
	var out []string
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimLeft(line, " ") {
		if line[0] != '"' {
			var w string
			w, line, _ = strings.Cut(line, " ")
			out = append(out, w)
			continue
		}
		q, err := strconv.QuotedPrefix(line)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		w, _ := strconv.Unquote(q)
		out, line = append(out, w), line[len(q):]
	}
	return out
}

// judge runs a case: its first line is the base, the last what must come of it, and those between are edits, with
// "before" in front when they come before the signature.
func judge(t *testing.T, lines []string) string {
	var before, after [][]string
	for _, line := range lines[1:] {
		w := words(t, line)
		if w[0] == "before" {
			before = append(before, w[1:])
		} else {
			after = append(after, w)
		}
	}
	apply := func(a *attempt, all [][]string) {
		for _, w := range all {
			edit := edits[w[0]]
			if edit == nil {
				t.Fatalf("%v is no edit", w)
			}
			edit(a, w[1:])
		}
	}
	base := bases[lines[0]]
	if base == nil {
		t.Fatalf("%s is no base", lines[0])
	}
	a := base(t, func(a *attempt) { apply(a, before) })
	apply(a, after)
	return a.judge(NewKey(a.secret))
}

// judge does what a server does that knows one key.
func (a *attempt) judge(k *Key) string {
	claimed, is, err := Parse(&a.r)
	switch {
	case !is:
		return "unsigned"
	case err != nil:
		return err.Error()
	case claimed.AccessKeyID != testKeyID:
		return "unknown key " + claimed.AccessKeyID
	}
	a.check.PayloadHash = HashPayload([]byte(a.body))
	var buf []byte
	if err := k.Verify(&a.r, &claimed, a.check, &buf); err != nil {
		return err.Error()
	}
	return "ok"
}

// TestVerifier judges the requests of testdata/verifier.txt, most of which must be refused.
func TestVerifier(t *testing.T) {
	text, err := os.ReadFile("testdata/verifier.txt")
	if err != nil {
		t.Fatal(err)
	}
	cases, refused := 0, 0
	var out []string
	for _, block := range strings.Split(strings.TrimRight(string(text), "\n"), "\n\n") {
		lines := strings.Split(block, "\n")
		name := strings.TrimPrefix(lines[0], "# ")
		if len(lines) == 1 { // a heading
			out = append(out, block)
			continue
		}
		if name == lines[0] || len(lines) < 3 || !strings.HasPrefix(lines[len(lines)-1], "= ") {
			t.Fatalf("no case: a name after #, a base, edits, and what must come of it after =: %s", block)
		}
		t.Run(name, func(t *testing.T) {
			got, want := judge(t, lines[1:len(lines)-1]), lines[len(lines)-1][2:]
			if got != want && !*update {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if want != "ok" {
				refused++
			}
			lines[len(lines)-1] = "= " + got
		})
		cases++
		out = append(out, strings.Join(lines, "\n"))
	}
	if cases < 130 || refused < 100 {
		t.Errorf("%d cases, %d of them refused, want at least 130 and 100", cases, refused)
	}
	if *update {
		if err := os.WriteFile("testdata/verifier.txt", []byte(strings.Join(out, "\n\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestEveryByte changes each byte of what is signed, and each digit of the signature, and expects a refusal.
func TestEveryByte(t *testing.T) {
	for name, base := range bases {
		parts := func(a *attempt) []*string {
			out := []*string{&a.r.Method, &a.r.Path, &a.r.RawQuery}
			for i := range a.r.Headers {
				out = append(out, &a.r.Headers[i].Value)
			}
			return out
		}
		good := base(t, func(*attempt) {})
		k := NewKey(testSecret)
		if got := good.judge(k); got != "ok" {
			t.Fatal(name, got)
		}
		for _, part := range parts(good) {
			whole := *part
			for at := range len(whole) {
				b := []byte(whole)
				b[at] ^= 1
				// A changed space between the parameters of Authorization, or in a list of regions, may say the same.
				if *part = string(b); whole[at] == ' ' {
					continue
				}
				if good.judge(k) == "ok" {
					t.Errorf("%s: %q is accepted for %q", name, *part, whole)
				}
			}
			*part = whole
		}
	}
}
