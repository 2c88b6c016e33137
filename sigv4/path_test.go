package sigv4

import (
	"errors"
	"strings"
	"testing"
)

// spellings are paths that one server or another takes for "/v1/admin".
var spellings = []string{"//v1/admin", "/v1//admin", "/./v1/admin", "/v1/./admin", "/x/../v1/admin", "/v1/x/../admin", "/../v1/admin", "/v1/admin/.",
	"/v1/admin/x/..", "/%2e/v1/admin", "/x/%2e%2e/v1/admin", "/v1/%61dmin", "/v1%2Fadmin", "/v1%2fadmin", "/v1/admin/", "/v1/admin;x", "/v1\\admin", "/V1/admin",
	"/v1/admin%00", "/%76%31/admin", "/v1/admin%20"}

// TestOneSpelling checks that a signature holds for the path as it was signed and for no other spelling of it, and
// that each spelling can be signed as it is (docs/decisions/0010-one-form-of-the-path.md).
func TestOneSpelling(t *testing.T) {
	k := NewKey(testSecret)
	all := append([]string{"/v1/admin"}, spellings...)
	for _, signedPath := range all {
		in := ordinary()
		in.Path = signedPath
		r, a := signed(t, in)
		for _, sent := range all {
			r.Path = sent
			var buf []byte
			err := k.Verify(r, &a, latticeCheck, &buf)
			if (err == nil) != (sent == signedPath) {
				t.Errorf("signed %s, sent %s: %v", signedPath, sent, err)
			}
			var e *Error
			if err != nil && (!errors.As(err, &e) || e.Code != CodeInvalid || strings.Contains(e.Message, "as it is sent") == plainPath(sent)) {
				t.Errorf("signed %s, sent %s: %v", signedPath, sent, err)
			}
		}
	}
}

// TestSpellingsOfSigners checks what the real signers' paths come to: most normalize the path that they sign and send
// it as it was, so that theirs are refused where that makes a difference, and told why; aws-sdk-go-v2 signs what it
// sends, and curl sends what it signs.
func TestSpellingsOfSigners(t *testing.T) {
	for name, vs := range minted(t) {
		accepts := name == "aws-sdk-go-v2" || name == "curl"
		n := 0
		for _, v := range vs.Cases {
			if plainPath(v.Path) || name == "java" && v.Path == "/../../a" { // whose normal form it takes for the same
				continue
			}
			n++
			if (v.Want == "ok") != accepts {
				t.Errorf("%s: %s: want is %s", name, v.Name, v.Want)
			}
			_, err := verify(NewKey(vs.Secret), v.request(), Check{Region: vs.Region, Service: vs.Service, Now: vs.Now, DoubleEncode: true})
			if !accepts && (err == nil || !strings.Contains(err.Error(), "sign it as it is sent")) {
				t.Errorf("%s: %s: %v", name, v.Name, err)
			}
		}
		if want := map[bool]int{true: 1, false: 3}[name == "curl"]; n < want {
			t.Errorf("%s has only %d paths to normalize", name, n)
		}
	}
}
