package sigv4

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// suiteContext is how a case of AWS's signing suite is signed: its context.json.
type suiteContext struct {
	Credentials struct {
		ID     string `json:"access_key_id"`
		Secret string `json:"secret_access_key"`
		Token  string `json:"token"`
	} `json:"credentials"`
	Normalize bool      `json:"normalize"` // the path that is signed
	Region    string    `json:"region"`
	Service   string    `json:"service"`
	SignBody  bool      `json:"sign_body"` // x-amz-content-sha256 is there
	Time      time.Time `json:"timestamp"`
	OmitToken bool      `json:"omit_session_token"` // it is added after the signature
}

// suiteFile reads a file of a case, empty when there is none.
func suiteFile(t *testing.T, dir, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return string(b)
}

// suiteRequest reads a request in the form of the suite, whose paths may hold spaces and whose values may go on in
// the next line, and its body.
func suiteRequest(text string) (*Request, string) {
	head, body, _ := strings.Cut(text, "\n\n")
	lines := strings.Split(strings.TrimRight(head, "\n"), "\n")
	method, rest, _ := strings.Cut(lines[0], " ")
	target := strings.TrimSuffix(rest, " HTTP/1.1") // one has no version
	r := &Request{Method: method}
	r.Path, r.RawQuery, _ = strings.Cut(target, "?")
	for _, l := range lines[1:] {
		if strings.HasPrefix(l, " ") { // obs-fold (RFC 9112 section 5.2), which is read as spaces
			r.Headers[len(r.Headers)-1].Value += l
			continue
		}
		name, value, _ := strings.Cut(l, ":")
		r.Headers = append(r.Headers, Field{name, value})
	}
	return r, strings.TrimSuffix(body, "\n")
}

// normal is a path as those sign it that normalize it.
func normal(p string) string {
	clean := path.Clean("/" + p)
	if clean != "/" && (strings.HasSuffix(p, "/") || strings.HasSuffix(p, "/.") || strings.HasSuffix(p, "/..")) {
		clean += "/"
	}
	return clean
}

// TestSuite runs AWS's signing suite, which the crate aws-sigv4 carries: canonical requests, strings to sign and
// signatures are those of the suite, and the verifier takes the signed requests. Of a path that the suite normalizes,
// the normal form is what is compared, and the verifier refuses the request as it is sent
// (docs/decisions/0010-one-form-of-the-path.md).
func TestSuite(t *testing.T) {
	root := os.Getenv("TRELLIS_VENVS")
	if root == "" {
		root = "../.cache"
	}
	for version, least := range map[string]int{"v4": 40, "v4a": 38} {
		dirs, err := filepath.Glob(filepath.Join(root, "signers/rust/aws-signing-test-suite", version, "*"))
		if err != nil || len(dirs) < least {
			t.Fatalf("%d cases of AWS's signing suite %s, want %d: run `make tools`, which fetches them. %v", len(dirs), version, least, err)
		}
		for _, dir := range dirs {
			t.Run(version+"/"+filepath.Base(dir), func(t *testing.T) {
				ran := 0
				for _, place := range []string{"header-", "query-"} {
					if want := suiteFile(t, dir, place+"canonical-request.txt"); want != "" {
						suiteCase(t, dir, place, want)
						ran++
					}
				}
				if ran == 0 {
					t.Error("nothing to compare")
				}
			})
		}
	}
}

// suiteCase compares one form of a case, whose canonical request is want.
func suiteCase(t *testing.T, dir, place, want string) {
	var c suiteContext
	if text := suiteFile(t, dir, "context.json"); text != "" {
		if err := json.Unmarshal([]byte(text), &c); err != nil {
			t.Fatal(err)
		}
	}
	asymmetric := filepath.Base(filepath.Dir(dir)) == "v4a"
	r, body := suiteRequest(suiteFile(t, dir, place+"signed-request.txt"))
	sent := r.Path
	if c.Normalize {
		r.Path = normal(r.Path)
	}
	lines := strings.Split(want, "\n")
	if c.Time.IsZero() { // two cases have but a canonical request, which was made at another time
		for _, l := range lines {
			if v, is := strings.CutPrefix(l, "x-amz-date:"); is {
				dropFold(r, "x-amz-date")
				r.Headers = append(r.Headers, Field{"X-Amz-Date", v})
			}
		}
	}
	if c.OmitToken && place == "query-" {
		// Some services have the token added to the query after the signature is made. Here all of the query is signed.
		if got, err := verify(NewKey(c.Credentials.Secret), r, Check{Region: c.Region, Service: c.Service, Now: c.Time, DoubleEncode: true}); got != CodeInvalid {
			t.Errorf("the verifier says %s %v", got, err)
		}
		return
	}
	a := Authorization{SignedHeaders: lines[len(lines)-2], Presigned: place == "query-"}
	b, start, err := appendCanonical(nil, r, &a, lines[len(lines)-1], true, form{})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(b[start:]); got != want {
		t.Errorf("canonical request:\ngot  %q\nwant %q", got, want)
	}
	signature := strings.TrimSpace(suiteFile(t, dir, place+"signature.txt"))
	if signature == "" {
		return
	}
	sum := sum(b[start:])
	stamp := c.Time.UTC().Format(timeFormat)
	key := NewKey(c.Credentials.Secret)
	if toSign := suiteFile(t, dir, place+"string-to-sign.txt"); asymmetric {
		if got := Asymmetric + "\n" + stamp + "\n" + stamp[:8] + "/" + c.Service + "/aws4_request\n" + hex.EncodeToString(sum[:]); got != toSign {
			t.Errorf("string to sign:\ngot  %q\nwant %q", got, toSign)
		}
		suitePublicKey(t, dir, key, &c, stamp, signature, sum)
	} else {
		b, sig := key.signing(stamp[:8], c.Region, c.Service).sign(nil, stamp, sum)
		if got := string(b[len(b)-len(toSign):]); got != toSign || string(sig[:]) != signature {
			t.Errorf("string to sign:\ngot  %q %s\nwant %q %s", got, sig, toSign, signature)
		}
		suiteSign(t, dir, place, &c, body)
	}
	check := Check{Region: c.Region, Service: c.Service, Now: c.Time, DoubleEncode: true, PayloadHash: HashPayload([]byte(body))}
	if got, err := verify(key, r, check); got != "ok" {
		t.Errorf("the verifier says %v", err)
	}
	if r.Path = sent; normal(sent) == sent || !c.Normalize {
		return
	}
	if got, err := verify(key, r, check); got != CodeInvalid {
		t.Errorf("the verifier says %v of a path that is not what was signed", err)
	}
}

// dropFold removes a field by its lower-case name.
func dropFold(r *Request, lower string) {
	r.Headers = slices.DeleteFunc(r.Headers, func(f Field) bool { return fold(f.Name, lower) })
}

// suitePublicKey compares the public key that SigV4A derives, and verifies the suite's own signature with it.
func suitePublicKey(t *testing.T, dir string, key *Key, c *suiteContext, stamp, signature string, sum [32]byte) {
	t.Helper()
	var want struct{ X, Y string }
	if err := json.Unmarshal([]byte(suiteFile(t, dir, "public-key.json")), &want); err != nil {
		t.Fatal(err)
	}
	public, err := key.publicKey(c.Credentials.ID)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := public.Bytes()
	if err != nil || hex.EncodeToString(raw) != "04"+want.X+want.Y {
		t.Errorf("public key: got %x %v, want %s %s", raw, err, want.X, want.Y)
	}
	der, err := hex.DecodeString(signature)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(appendStringToSign(nil, Asymmetric, stamp, stamp[:8], "", c.Service, sum))
	if !ecdsa.VerifyASN1(public, digest[:], der) {
		t.Error("the suite's signature does not verify")
	}
}

// suiteSign signs the unsigned request and expects the suite's Authorization.
func suiteSign(t *testing.T, dir, place string, c *suiteContext, body string) {
	t.Helper()
	if place != "header-" || c.OmitToken || body != "" && !c.SignBody {
		return // Sign does none of these
	}
	r, _ := suiteRequest(suiteFile(t, dir, "request.txt"))
	signed, _ := suiteRequest(suiteFile(t, dir, "header-signed-request.txt"))
	if r.Path = signed.Path; c.Normalize { // which one case spells in another way
		r.Path = normal(r.Path)
	}
	hash := ""
	if c.SignBody {
		hash = HashPayload([]byte(body))
	}
	out := Sign(r, c.Credentials.ID, c.Credentials.Secret, c.Credentials.Token, c.Region, c.Service, hash, c.Time)
	want, _ := find(signed.Headers, "authorization")
	if got := out[len(out)-1].Value; got != want {
		t.Errorf("Sign:\ngot  %s\nwant %s", got, want)
	}
}
