package identity

import (
	"crypto/rand"
	"encoding/base64"
	"time"

	"github.com/trellis-project/trellis"
)

// SessionKeyPurpose is the purpose of the store's key that seals session tokens: store.Key(SessionKeyPurpose).
const SessionKeyPurpose = "session tokens"

// session is what a session token holds. Fields that older tokens lack are empty in them.
type session struct {
	Kind           sessionKind         `json:"o,omitempty"`
	AccessKeyID    string              `json:"k"`
	Secret         tokenSecret         `json:"s"`
	Account        string              `json:"a"`
	RoleName       string              `json:"r"` // or the user's; empty for the root of an account
	RoleID         string              `json:"i"` // AROA… or AIDA…: what is made anew under the same name is another
	Name           string              `json:"n"` // of the session
	Tags           map[string]string   `json:"t,omitempty"`
	TransitiveTags []string            `json:"x,omitempty"` // keys of Tags
	Policy         string              `json:"p,omitempty"` // session policy, inline
	PolicyARNs     []string            `json:"m,omitempty"` // managed policies as session policies
	SourceIdentity string              `json:"d,omitempty"`
	Provider       string              `json:"f,omitempty"` // ARN of the identity provider that vouched
	X509           *trellis.X509       `json:"c,omitempty"` // of the certificate that vouched
	Context        map[string][]string `json:"y,omitempty"` // condition keys in lower case that hold for the session
	IssuedAt       time.Time           `json:"b"`
	Expires        time.Time           `json:"e"`
}

// sessionKind is whose a session is.
type sessionKind string

// The kinds of sessions.
const (
	roleSession      sessionKind = ""          // of a role: AssumeRole and its siblings
	userSession      sessionKind = "user"      // of a user, or of the root of an account: GetSessionToken
	federatedSession sessionKind = "federated" // of whom a user vouches for: GetFederationToken
)

// tokenSecret is the secret access key inside of a session token. Its JSON form is the text, since the token is
// sealed as a whole; formatting hides it.
type tokenSecret string

// String hides the text.
func (tokenSecret) String() string { return "[redacted]" }

// GoString hides the text from %#v.
func (tokenSecret) GoString() string { return "[redacted]" }

// newID returns a unique id of IAM: a prefix such as AIDA and n random letters and digits of base 32.
func newID(prefix string, n int) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	b := make([]byte, n)
	rand.Read(b)
	for i := range b {
		b[i] = alphabet[b[i]&31]
	}
	return prefix + string(b)
}

// newSecret returns a secret access key: 40 characters of base 64.
func newSecret() trellis.Secret {
	b := make([]byte, 30)
	rand.Read(b)
	return trellis.NewSecret(base64.StdEncoding.EncodeToString(b))
}
