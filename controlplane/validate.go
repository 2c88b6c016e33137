package controlplane

import (
	"context"
	"errors"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/store"
)

// field is a ValidationException about one field.
func field(name, message string) error {
	return trellis.Invalid(trellis.FieldError{Name: name, Message: message})
}

// firstError takes a joined error apart, so that a client sees a *trellis.Error: all bad fields in one
// ValidationException.
func firstError(err error) error {
	var fields []trellis.FieldError
	for _, e := range leaves(err) {
		var te *trellis.Error
		if !errors.As(e, &te) || te.Code != "ValidationException" || len(te.Fields) == 0 {
			return e
		}
		fields = append(fields, te.Fields...)
	}
	if fields == nil {
		return nil
	}
	return trellis.Invalid(fields...)
}

// leaves are the errors that an error joins, in order: itself when it joins none.
func leaves(err error) (out []error) {
	var joined interface{ Unwrap() []error }
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &joined):
		return []error{err}
	}
	for _, e := range joined.Unwrap() {
		out = append(out, leaves(e)...)
	}
	return out
}

// validName checks a name as the patterns of the API model do: small letters, digits and single hyphens
// inside, not beginning like an id of its own kind (reserved, for example "svc-").
func validName(fieldName, name, reserved string, least, most int) error {
	switch {
	case len(name) < least || len(name) > most:
		return trellis.Invalid(trellis.FieldError{Name: fieldName, Message: "The length of " + fieldName + " is not within its limits."})
	case strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "",
		strings.HasPrefix(name, "-"), strings.HasSuffix(name, "-"), strings.Contains(name, "--"):
		return field(fieldName, "Only small letters, digits and single hyphens between them are valid in "+fieldName+".")
	case reserved != "" && strings.HasPrefix(name, reserved):
		return field(fieldName, fieldName+" must not begin with "+reserved+".")
	}
	return nil
}

// validAuthType checks an auth type.
func validAuthType(a trellis.AuthType) error {
	if a != trellis.AuthNone && a != trellis.AuthIAM {
		return field("authType", "authType must be NONE or AWS_IAM.")
	}
	return nil
}

// validTags checks the tags that a resource shall have (VPC Lattice API, TagMap).
func (p *Plane) validTags(tags map[string]string) error {
	if most := p.Quotas.Default(quota.TagsPerResource); len(tags) > most {
		return trellis.InvalidOther("A resource can have at most %d tags.", most)
	}
	for k, v := range tags {
		if fault := trellis.CheckTag(k, v); fault != "" {
			return field("tags", string(fault))
		}
		if strings.ContainsFunc(k, badTagRune) || strings.ContainsFunc(v, badTagRune) {
			return field("tags", "A tag contains a character that is not allowed.")
		}
	}
	return nil
}

// badTagRune tells whether a character may not stand in a tag: control characters, and what AWS's set of
// letters, digits, spaces and _.:/=+-@ leaves out of ASCII.
func badTagRune(r rune) bool {
	if r >= 0x80 {
		return r < 0xa0
	}
	return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && !strings.ContainsRune(" _.:/=+-@", r)
}

// count is how many nouns of a kind have a key prefix.
func count[T trellis.Noun](ctx context.Context, p *Plane, prefix string) (n int, err error) {
	err = p.read(ctx, func(tx *store.Tx) error {
		n, err = store.Count[T](tx, prefix)
		return err
	})
	return n, err
}

// countMarked is how many members a set has.
func countMarked(ctx context.Context, p *Plane, set string) (n int, err error) {
	err = p.read(ctx, func(tx *store.Tx) error {
		members, err := tx.Marked(set)
		n = len(members)
		return err
	})
	return n, err
}
