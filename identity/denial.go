package identity

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
)

// denialKeyPurpose is the purpose of the store's key that seals refusals.
const denialKeyPurpose = "authorization messages"

// denialVersion is the first byte of a sealed refusal: AES-256-GCM, nonce (12 bytes), JSON.
const denialVersion = 1

// sealedDenial is what is sealed: whose it is, and the text that DecodeAuthorizationMessage shows.
type sealedDenial struct {
	Account string          `json:"a"`
	Text    json.RawMessage `json:"t"`
}

// denialText is a refusal in the form of AWS (STS API reference, DecodeAuthorizationMessage). It holds no secret.
type denialText struct {
	Allowed           bool                    `json:"allowed"`
	ExplicitDeny      bool                    `json:"explicitDeny"`
	MatchedStatements denialItems[denialItem] `json:"matchedStatements"`
	Failures          denialItems[denialItem] `json:"failures"`
	Context           denialContext           `json:"context"`
}

// denialItems is a list as the message has it.
type denialItems[T any] struct {
	Items []T `json:"items"`
}

// denialItem is a statement that denied, or a layer without an allow.
type denialItem struct {
	StatementID string `json:"statementId,omitempty"`
	Effect      string `json:"effect,omitempty"`
	Policy      string `json:"policy,omitempty"`
	Layer       string `json:"layer"`
}

// denialContext is who wanted what.
type denialContext struct {
	Principal struct {
		ID   string `json:"id"`
		Name string `json:"name"`
		ARN  string `json:"arn"`
	} `json:"principal"`
	Action     string                `json:"action"`
	Resource   string                `json:"resource"`
	Conditions denialItems[struct{}] `json:"conditions"`
}

// SealDenial makes the text that EC2 adds to a refusal: only this installation opens it.
func (i *Identity) SealDenial(d *trellis.Denial) string {
	m := denialText{ExplicitDeny: d.Explicit}
	m.MatchedStatements.Items, m.Failures.Items, m.Context.Conditions.Items = []denialItem{}, []denialItem{}, []struct{}{}
	if d.Explicit {
		m.MatchedStatements.Items = append(m.MatchedStatements.Items, denialItem{StatementID: d.Sid, Effect: "DENY", Policy: d.Policy, Layer: d.Layer})
	} else {
		m.Failures.Items = append(m.Failures.Items, denialItem{Layer: d.Layer})
	}
	m.Context.Principal.ID, m.Context.Principal.ARN = d.Principal.UserID, d.Principal.ARN
	m.Context.Principal.Name = trellis.LastPart(d.Principal.ARN)
	m.Context.Action, m.Context.Resource = d.Action, printable(d.Resource)
	text, err := json.Marshal(m)
	if err != nil {
		return "" // texts always marshal
	}
	plain, err := json.Marshal(sealedDenial{Account: d.Principal.Account, Text: text})
	if err != nil {
		return ""
	}
	gcm, err := sessionCipher(i.o.Store.Key(denialKeyPurpose))
	if err != nil {
		return ""
	}
	nonce := make([]byte, gcm.NonceSize())
	rand.Read(nonce) // never fails (crypto/rand, Go 1.24)
	return base64.RawURLEncoding.EncodeToString(gcm.Seal(append([]byte{denialVersion}, nonce...), nonce, plain, []byte("trellis denial")))
}

// OpenDenial shows a refusal of the caller's account to who may call sts:DecodeAuthorizationMessage.
func (i *Identity) OpenDenial(c *authpolicy.Caller, encoded string) (string, error) {
	if err := c.Authorize("sts:DecodeAuthorizationMessage", "*", nil); err != nil {
		return "", err
	}
	invalid := trellis.NewError(400, "InvalidAuthorizationMessageException", "The message is not valid.")
	gcm, err := sessionCipher(i.o.Store.Key(denialKeyPurpose))
	if err != nil {
		return "", err
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil || len(b) < 1+gcm.NonceSize() || b[0] != denialVersion {
		return "", invalid
	}
	b = b[1:]
	plain, err := gcm.Open(nil, b[:gcm.NonceSize()], b[gcm.NonceSize():], []byte("trellis denial"))
	var d sealedDenial
	if err != nil || json.Unmarshal(plain, &d) != nil || d.Account != c.Principal.Account {
		return "", invalid
	}
	return string(d.Text), nil
}
