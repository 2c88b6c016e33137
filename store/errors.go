package store

import (
	"context"
	"errors"
	"fmt"
)

// ErrUnavailable says that etcd did not answer in time, is full, or has stopped. A Commit that fails with
// it may have happened or not: only reading again tells.
var ErrUnavailable = errors.New("the store is unavailable")

// ErrConflict says that a Commit lost against others until its time was over. Nothing was written.
var ErrConflict = errors.New("too many concurrent changes of the same nouns")

// TakenError says that a unique name belongs to another.
type TakenError struct {
	Name   string // what was claimed
	Holder string // who holds it
}

// Error names the claim and its holder.
func (e *TakenError) Error() string { return fmt.Sprintf("%s is taken by %s", e.Name, e.Holder) }

// TokenReusedError says that a client token came again with other parameters.
type TokenReusedError struct {
	Token string
	Key   string // of the noun that the token made
}

// Error names the token.
func (e *TokenReusedError) Error() string {
	return fmt.Sprintf("client token %s was used before with other parameters", e.Token)
}

// InUseError says that another process has the data directory open.
type InUseError struct{ Dir string }

// Error says which directory, and what to do.
func (e *InUseError) Error() string {
	return fmt.Sprintf("data directory %s is in use by another Trellis: stop it, or choose another directory", e.Dir)
}

// SchemaError says that a newer Trellis wrote the data.
type SchemaError struct{ Found, Known int }

// Error says what was found and what this Trellis knows.
func (e *SchemaError) Error() string {
	return fmt.Sprintf("the data has schema version %d, this Trellis knows versions up to %d: start the newer Trellis that wrote it", e.Found, e.Known)
}

// unavailable wraps what etcd answered so that errors.Is finds ErrUnavailable. The caller's own
// cancellation stays what it is.
func unavailable(caller context.Context, doing string, err error) error {
	if cause := context.Cause(caller); cause != nil {
		return fmt.Errorf("%s: %w", doing, cause)
	}
	if errors.Is(err, ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%s: %w: %w", doing, ErrUnavailable, err)
}
