package trellis

import (
	"encoding/json"
	"errors"
	"log/slog"
)

// Secret is a text that is never printed, logged or written in the clear: formatting gives [redacted],
// and its JSON form is the sealed one, which package store makes when it writes a noun and opens when it
// reads one.
type Secret struct {
	plain  string
	sealed []byte
}

// NewSecret returns a secret with a known text.
func NewSecret(plain string) Secret { return Secret{plain: plain} }

// Reveal returns the text. Call it only where the text is used (a signature, the answer that creates it).
func (s Secret) Reveal() string { return s.plain }

// IsZero tells whether there is no text, neither in the clear nor sealed: such a secret need not be written.
func (s Secret) IsZero() bool { return s.plain == "" && len(s.sealed) == 0 }

// Seal encrypts the text with seal and keeps the result beside it for MarshalJSON.
func (s *Secret) Seal(seal func(plain []byte) ([]byte, error)) (err error) {
	s.sealed, err = seal([]byte(s.plain))
	return err
}

// Open decrypts what UnmarshalJSON has read.
func (s *Secret) Open(open func(sealed []byte) ([]byte, error)) error {
	p, err := open(s.sealed)
	s.plain = string(p)
	return err
}

// String hides the text.
func (Secret) String() string { return "[redacted]" }

// GoString hides the text from %#v.
func (Secret) GoString() string { return "[redacted]" }

// LogValue hides the text from slog.
func (Secret) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// MarshalJSON writes the sealed form, and fails when there is none rather than showing the text.
func (s Secret) MarshalJSON() ([]byte, error) {
	if s.sealed == nil && s.plain != "" {
		return nil, errors.New("secret is not sealed")
	}
	return json.Marshal(s.sealed)
}

// UnmarshalJSON reads the sealed form.
func (s *Secret) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, &s.sealed) }

// Sealable is a noun that holds secrets.
type Sealable interface {
	Noun
	// Secrets returns pointers to all secrets of the noun, so that the store can seal and open them.
	Secrets() []*Secret
}
