package store

import (
	"hash/maphash"
	"reflect"

	"github.com/trellis-project/trellis"
)

// texts remembers strings that nouns had lately, so that equal ones share their bytes: what is kept of a million nouns names
// the same accounts, services and statuses again and again. It forgets by chance, and so stays small.
type texts struct {
	seed  maphash.Seed
	known []string // each at the place that its hash says
}

// newTexts returns texts that remember nothing.
func newTexts() *texts { return &texts{maphash.MakeSeed(), make([]string, 4096)} }

// share lets the strings of a noun, which nobody else has yet, be those that are remembered.
func (t *texts) share(n trellis.Noun) { t.shareAll(reflect.ValueOf(n).Elem()) }

// shareAll is share for a value and all that it holds. Maps are few, and stay as they are.
func (t *texts) shareAll(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		if s := v.String(); s != "" {
			v.SetString(t.one(s))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() {
				t.shareAll(f)
			}
		}
	case reflect.Pointer:
		if !v.IsNil() {
			t.shareAll(v.Elem())
		}
	case reflect.Slice:
		switch v.Type().Elem().Kind() {
		case reflect.String, reflect.Struct, reflect.Pointer:
			for i := range v.Len() {
				t.shareAll(v.Index(i))
			}
		}
	}
}

// one is the string that is kept in place of an equal one.
func (t *texts) one(s string) string {
	at := &t.known[maphash.String(t.seed, s)%uint64(len(t.known))]
	if *at != s {
		*at = s
	}
	return *at
}
