package api

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"

	"github.com/trellis-project/trellis"
)

// tokenMAC is how many bytes of the authentication code a token carries.
const tokenMAC = 16

// letters is the alphabet of tokens: capitals and digits, which the models of all services let pass.
var letters = base32.StdEncoding.WithPadding(base32.NoPadding)

// Tokens makes and opens pagination tokens: base32 of an authentication code and the position, so that a
// client can neither read meaning into one by a documented form nor use another account's or operation's.
type Tokens struct {
	key []byte
}

// NewTokens returns Tokens under a key of at least 16 bytes. Nodes that share a key take each other's tokens.
func NewTokens(key []byte) *Tokens { return &Tokens{key: key} }

// Make returns the token for a position.
func (t *Tokens) Make(account, operation, after string) string {
	b := append(t.code(account, operation, after), after...)
	return letters.EncodeToString(b)
}

// Open returns the position of a token, or a ValidationException.
func (t *Tokens) Open(account, operation, token string) (string, error) {
	b, err := letters.DecodeString(token)
	// Compared as texts, since other texts stand for the same bytes: unused bits of the last letter, line breaks.
	if err != nil || len(b) <= tokenMAC || !hmac.Equal([]byte(t.Make(account, operation, string(b[tokenMAC:]))), []byte(token)) {
		return "", trellis.Invalid(trellis.FieldError{Name: "nextToken", Message: "The value of nextToken is not valid"})
	}
	return string(b[tokenMAC:]), nil
}

// code is the authentication code of a position.
func (t *Tokens) code(account, operation, after string) []byte {
	h := hmac.New(sha256.New, t.key)
	for _, s := range []string{account, operation, after} {
		h.Write([]byte(s))
		h.Write([]byte{0})
	}
	return h.Sum(nil)[:tokenMAC]
}
