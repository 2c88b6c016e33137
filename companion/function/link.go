package function

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/trellis-project/trellis"
)

// LinkPath is what the paths of links to code begin with.
const LinkPath = "/trellis/code/"

// linkLife is how long who was given a link can follow it (Lambda API reference, FunctionCodeLocation).
const linkLife = 10 * time.Minute

// sign is the signature of a link to the code of a SHA-256 until some time.
func (f *Functions) sign(sum, until string) []byte {
	mac := hmac.New(sha256.New, f.Store.Key("links to code"))
	_, _ = mac.Write([]byte(sum + " " + until)) // never fails
	return mac.Sum(nil)
}

// Link is the path and query by which whoever has it gets code for a while, without a signature of AWS's. It is empty for code that is
// not kept here.
func (f *Functions) Link(c trellis.FunctionCode) string {
	sum, err := base64.StdEncoding.DecodeString(c.SHA256)
	if err != nil || !c.Kept {
		return ""
	}
	name, until := hex.EncodeToString(sum), strconv.FormatInt(f.Now().Add(linkLife).Unix(), 10)
	return LinkPath + name + ".zip?until=" + until + "&signature=" + hex.EncodeToString(f.sign(name, until))
}

// Linked is the code that a link is to.
func (f *Functions) Linked(path, query string) ([]byte, error) {
	name := strings.TrimSuffix(strings.TrimPrefix(path, LinkPath), ".zip")
	q, err := url.ParseQuery(query)
	until := q.Get("until")
	signature, notHex := hex.DecodeString(q.Get("signature"))
	seconds, notTime := strconv.ParseInt(until, 10, 64)
	if err != nil || notHex != nil || notTime != nil || !hmac.Equal(signature, f.sign(name, until)) || f.Now().After(time.Unix(seconds, 0)) {
		return nil, trellis.NewError(http.StatusForbidden, "AccessDenied", "Request has expired")
	}
	sum, err := hex.DecodeString(name)
	if err != nil {
		return nil, err
	}
	return f.Code(trellis.FunctionCode{SHA256: base64.StdEncoding.EncodeToString(sum)})
}
