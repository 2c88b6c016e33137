package store

import (
	"encoding/json"
	"reflect"
	"testing"
	"unsafe"

	"github.com/trellis-project/trellis"
)

// TestTextsChangeNoNoun shares the strings of nouns of all kinds, all of whose fields are set: they read as before.
func TestTextsChangeNoNoun(t *testing.T) {
	texts := newTexts()
	for range 2 {
		for _, kind := range trellis.Kinds() {
			n, err := trellis.NewNoun(kind)
			if err != nil {
				t.Fatal(err)
			}
			fill(reflect.ValueOf(n).Elem())
			if s, ok := n.(trellis.Sealable); ok {
				for _, secret := range s.Secrets() {
					if err := secret.Seal(func(plain []byte) ([]byte, error) { return plain, nil }); err != nil {
						t.Fatal(err)
					}
				}
			}
			before, err := json.Marshal(n)
			if err != nil {
				t.Fatal(err)
			}
			texts.share(n)
			if after, err := json.Marshal(n); err != nil || string(after) != string(before) {
				t.Errorf("%s: %s, %v, want %s", kind, after, err, before)
			}
		}
	}
}

// TestTextsAreShared finds equal strings of nouns that were decoded one after the other to be the same bytes.
func TestTextsAreShared(t *testing.T) {
	texts := newTexts()
	decoded := func() *trellis.Rule {
		r := &trellis.Rule{}
		if err := json.Unmarshal([]byte(`{"account":"111122223333","match":{"path":{"prefix":"/a/"}},"action":{"forward":[{"targetGroupId":"tg-1"}]}}`), r); err != nil {
			t.Fatal(err)
		}
		texts.share(r)
		return r
	}
	a, b := decoded(), decoded()
	for _, pair := range [][2]string{{a.Account, b.Account}, {a.Match.Path.Prefix, b.Match.Path.Prefix}, {a.Action.Forward[0].TargetGroupID, b.Action.Forward[0].TargetGroupID}} {
		if pair[0] == "" || unsafe.StringData(pair[0]) != unsafe.StringData(pair[1]) {
			t.Errorf("%q and %q are not shared", pair[0], pair[1])
		}
	}
}
