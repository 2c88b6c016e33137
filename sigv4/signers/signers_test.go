//go:build thorough

// Package signers_test runs the signers of AWS's SDKs, the Common Runtime and curl over one list of odd requests
// (../testdata/signers/cases.json) and holds the verifier to what they make: TestMint at a fixed time, which is kept
// in ../testdata/vectors, and TestLive now, through a real listener of the data plane.
//
// Each signer is a small program that reads a job as JSON and writes what it signed, as job and output here have them.
package signers_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trellis-project/trellis/sigv4"
)

// update writes ../testdata/vectors anew.
var update = flag.Bool("update", false, "write the vectors that the signers mint")

// AWS's documented example credentials, and what is called with them.
const (
	keyID   = "AKIAIOSFODNN7EXAMPLE"
	secret  = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	token   = "IQoJb3JpZ2luX2VjEXAMPLETOKEN//////////wEaCXVzLWVhc3QtMSJHMEUCIQD+/=="
	region  = "eu-west-1"
	service = "vpc-lattice-svcs"
	host    = "orders-0123456789abcdef0.7d67968.vpc-lattice-svcs.eu-west-1.on.aws"
)

// minted is the time of the vectors.
var minted = time.Date(2026, 11, 22, 19, 17, 23, 0, time.UTC)

// job is what a signer reads.
type job struct {
	Key       string    `json:"key"`
	Secret    string    `json:"secret"`
	Service   string    `json:"service"`
	Region    string    `json:"region"`
	RegionSet string    `json:"regionSet"` // signs with SigV4A when it is not empty
	Time      string    `json:"time"`      // YYYYMMDDTHHMMSSZ
	Cases     []request `json:"cases"`
}

// request is one request to sign.
type request struct {
	Name    string      `json:"name"`
	Method  string      `json:"method"`
	Host    string      `json:"host"`
	Target  string      `json:"target"` // path and query, as they are to go to the wire
	Headers [][2]string `json:"headers"`
	Body    string      `json:"body"`
	Payload string      `json:"payload"` // unsigned, signed (x-amz-content-sha256 has the hash), or plain (there is no such field)
	Token   string      `json:"token"`
	Presign bool        `json:"presign"` // for 300 seconds
}

// output is what a signer writes, and a file of vectors.
type output struct {
	Generator string   `json:"generator"`
	Cases     []signed `json:"cases"`
}

// signed is a request as the signer would send it.
type signed struct {
	Name    string      `json:"name"`
	Method  string      `json:"method,omitempty"`
	Path    string      `json:"path"`
	Query   string      `json:"query"`
	Headers [][2]string `json:"headers"`
	Body    string      `json:"body,omitempty"`
	Want    string      `json:"want,omitempty"`  // ok, or how the error begins
	Error   string      `json:"error,omitempty"` // why the signer did not sign it; not kept
}

// What becomes of a request.
const (
	ok       = "ok"
	mismatch = "InvalidSignatureException: The request signature we calculated does not match"
)

// readCases reads the list. A case there has the parts of a request that matter.
func readCases(t *testing.T) []request {
	t.Helper()
	b, err := os.ReadFile("../testdata/signers/cases.json")
	if err != nil {
		t.Fatal(err)
	}
	var in []struct {
		request
		WithToken, LongToken, WithPort bool
	}
	if err := json.Unmarshal(b, &in); err != nil {
		t.Fatal(err)
	}
	var cases []request
	for _, c := range in {
		r := c.request
		r.Host = host
		if c.WithPort {
			r.Host += ":8080"
		}
		if c.WithToken {
			r.Token = token
		}
		if c.LongToken {
			r.Token = strings.Repeat(token, 20)
		}
		if r.Method == "" {
			r.Method = "GET"
		}
		if r.Headers == nil {
			r.Headers = [][2]string{}
		}
		switch {
		case r.Presign:
			r.Payload = "plain"
		case r.Payload == "":
			r.Payload = "unsigned"
		}
		cases = append(cases, r)
	}
	if len(cases) < 60 {
		t.Fatalf("%d cases, want at least 60", len(cases))
	}
	return cases
}

// sign runs the signer over the cases at a time.
func (s *signer) sign(t *testing.T, cases []request, at time.Time) output {
	t.Helper()
	in, err := json.Marshal(job{Key: keyID, Secret: secret, Service: service, Region: region, RegionSet: s.regionSet, Time: at.UTC().Format("20060102T150405Z"), Cases: cases})
	if err != nil {
		t.Fatal(err)
	}
	cmd := s.command(t)
	cmd.Stdin = bytes.NewReader(in)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	b, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", s.name, err, stderr.Bytes())
	}
	var out output
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatalf("%s: %v in %.200s", s.name, err, b)
	}
	if len(out.Cases) != len(cases) {
		t.Fatalf("%s signed %d of %d cases", s.name, len(out.Cases), len(cases))
	}
	for i := range out.Cases {
		c := &out.Cases[i]
		if c.Name != cases[i].Name {
			t.Fatalf("%s signed %q for %q", s.name, c.Name, cases[i].Name)
		}
		c.Method, c.Body, c.Want = cases[i].Method, cases[i].Body, s.want(cases[i].Name, c.Path)
		slices.SortStableFunc(c.Headers, func(a, b [2]string) int { return strings.Compare(strings.ToLower(a[0]), strings.ToLower(b[0])) })
	}
	return out
}

// dirty is a path that has another normal form.
var dirty = regexp.MustCompile(`//|/\.\.?(/|$)`)

// want is what must become of a case: signers that normalize the path are refused where that changes it
// (docs/decisions/0010-one-form-of-the-path.md), and what is listed.
func (s *signer) want(name, path string) string {
	if s.refused[name] != "" || s.normalizes && dirty.MatchString(path) && !slices.Contains(s.keeps, name) {
		return mismatch
	}
	return ok
}

// accepted drops the cases that the signer is known not to sign, and fails for others.
func (s *signer) accepted(t *testing.T, out output) []signed {
	t.Helper()
	var cases []signed
	for _, c := range out.Cases {
		if (c.Error != "") != (s.unable[c.Name] != "") {
			t.Errorf("%s: %s: error %q, known is %q", s.name, c.Name, c.Error, s.unable[c.Name])
		}
		if c.Error == "" {
			cases = append(cases, c)
		}
	}
	if len(cases) < 40 {
		t.Errorf("%s signed only %d cases", s.name, len(cases))
	}
	return cases
}

// verify does what a server does, without a socket.
func verify(c *signed, at time.Time) error {
	r := &sigv4.Request{Method: c.Method, Path: c.Path, RawQuery: c.Query}
	for _, h := range c.Headers {
		r.Headers = append(r.Headers, sigv4.Field{Name: h[0], Value: h[1]})
	}
	a, is, err := sigv4.Parse(r)
	if err != nil {
		return err
	}
	if !is {
		return errors.New("it is not signed")
	}
	var buf []byte
	return sigv4.NewKey(secret).Verify(r, &a, sigv4.Check{Region: region, Service: service, Now: at, DoubleEncode: true, PayloadHash: sigv4.HashPayload([]byte(c.Body))}, &buf)
}

// compare tells how an error differs from what is wanted.
func compare(err error, want string) string {
	switch {
	case want == ok && err == nil, want != ok && err != nil && strings.HasPrefix(err.Error(), want):
		return ""
	}
	return fmt.Sprintf("got %v, want %s", err, want)
}

// TestMint has every signer sign the cases at the time of the vectors: what it makes must be judged as expected, and,
// where it signs the same each time, be the vectors.
func TestMint(t *testing.T) {
	for _, s := range signers {
		t.Run(s.name, func(t *testing.T) {
			out := s.sign(t, readCases(t), minted)
			cases := s.accepted(t, out)
			for i := range cases {
				if diff := compare(verify(&cases[i], minted), cases[i].Want); diff != "" {
					t.Errorf("%s: %s", cases[i].Name, diff)
				}
			}
			s.keep(t, out.Generator, cases)
		})
	}
}

// keep compares what was signed with the file of vectors, or writes it. Signatures of SigV4A are random with some
// signers, so those are compared without.
func (s *signer) keep(t *testing.T, generator string, cases []signed) {
	t.Helper()
	var b bytes.Buffer
	fmt.Fprintf(&b, "{\"generator\": %q, \"key\": %q, \"secret\": %q, \"now\": %q, \"region\": %q, \"service\": %q,\n\"cases\": [\n", generator, keyID, secret,
		minted.Format(time.RFC3339), region, service)
	for i, c := range cases {
		line, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(line)
		b.WriteString([]string{",\n", "\n]}\n"}[min(1, i/(len(cases)-1))])
	}
	path := filepath.Join("../testdata/vectors", s.name+".json")
	if *update {
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if masked(have) != masked(b.Bytes()) {
		t.Errorf("%s is not what the signer makes: run go test ./sigv4/signers -run TestMint -update and look at the difference", path)
	}
}

// random is a signature of SigV4A.
var random = regexp.MustCompile(`30[0-9a-f]{130,142}`)

// masked is a file of vectors without what is random.
func masked(b []byte) string { return string(random.ReplaceAll(b, []byte("(ECDSA)"))) }

// cached is a path below the folder that `make tools` fills.
func cached(t *testing.T, path string) string {
	t.Helper()
	root := os.Getenv("TRELLIS_VENVS")
	if root == "" {
		root = "../../.cache"
	}
	full, err := filepath.Abs(filepath.Join(root, "signers", path))
	if err == nil {
		_, err = os.Stat(full)
	}
	if err != nil {
		t.Fatalf("a signer is missing, run `make tools`: %v", err)
	}
	return full
}
