package store

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/trellis-project/trellis"
)

// writeOld makes testdata/schema-N.* out of the nouns of now, when a schema version is new.
var writeOld = flag.Bool("write-old", false, "write a store of the present schema version for TestOldStores")

// TestOldStores restores stores that earlier versions wrote, one for each schema version, with every field of every kind of
// noun that there was: all of them are read, and no field is lost. A change that fails here needs a new schema version and
// something that carries the older ones over.
func TestOldStores(t *testing.T) {
	if *writeOld {
		writeStore(t)
	}
	olds, err := filepath.Glob("testdata/schema-*.snapshot")
	if err != nil || len(olds) < schemaVersion {
		t.Fatalf("%v %v: want one for each of %d schema versions", olds, err, schemaVersion)
	}
	for _, old := range olds {
		t.Run(filepath.Base(old), func(t *testing.T) {
			o := Options{Dir: t.TempDir()}
			key, err := os.ReadFile("testdata/schema.key")
			if err == nil {
				err = os.WriteFile(filepath.Join(o.Dir, "seal.key"), key, 0o600)
			}
			if err == nil {
				err = Restore(t.Context(), o, old)
			}
			if err == nil {
				err = Use(t.Context(), o, func(s *Store) error { return lossless(t, s) })
			}
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

// lossless reads all nouns and holds what they would be written as against what was written.
func lossless(t *testing.T, s *Store) error {
	return s.Read(t.Context(), func(tx *Tx) error {
		found, _, err := tx.scan(keyNouns, keyNouns+"\xff", 0)
		if err != nil {
			return err
		}
		if len(found) < 50 {
			t.Errorf("only %d nouns", len(found))
		}
		for _, e := range found {
			kind, key, _ := splitNounKey(e.key)
			n, err := s.keys.decode(kind, key, e.value)
			if err != nil {
				t.Error(err)
				continue
			}
			if n.Key() != key {
				t.Errorf("%s %s has the key %s now", kind, key, n.Key())
			}
			again, err := s.keys.encode(n)
			if err != nil {
				return err
			}
			var was, is any
			if err := json.Unmarshal(e.value, &was); err != nil {
				return err
			}
			if err := json.Unmarshal(again, &is); err != nil {
				return err
			}
			secrets := 0
			if sealed, ok := n.(trellis.Sealable); ok {
				secrets = len(sealed.Secrets())
				for i, secret := range sealed.Secrets() {
					if secret.Reveal() != "text" {
						t.Errorf("%s: secret %d is %q", kind, i, secret.Reveal())
					}
				}
			}
			if lost := missing(was, is, string(kind)); len(lost) > secrets { // sealing anew gives another text
				t.Errorf("of %s is lost: %v", kind, lost)
			}
		}
		return nil
	})
}

// missing are the places at which a JSON value is not what it was.
func missing(was, is any, at string) (places []string) {
	switch was := was.(type) {
	case map[string]any:
		m, _ := is.(map[string]any)
		for name, v := range was {
			places = append(places, missing(v, m[name], at+"."+name)...)
		}
	case []any:
		l, _ := is.([]any)
		for i, v := range was {
			if i >= len(l) {
				return append(places, fmt.Sprintf("%s[%d]", at, i))
			}
			places = append(places, missing(v, l[i], fmt.Sprintf("%s[%d]", at, i))...)
		}
	default:
		if !reflect.DeepEqual(was, is) {
			return []string{at}
		}
	}
	return places
}

// writeStore makes a snapshot with a noun of each kind, all of whose fields are set.
func writeStore(t *testing.T) {
	t.Helper()
	o := Options{Dir: t.TempDir()}
	if err := os.MkdirAll("testdata", 0o755); err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile("testdata/schema.key")
	if err != nil {
		key = []byte(newKeyLine())
		err = os.WriteFile("testdata/schema.key", key, 0o644)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(o.Dir, "seal.key"), key, 0o600)
	}
	if err == nil {
		err = Use(t.Context(), o, func(s *Store) error { return writeAll(t.Context(), s) })
	}
	if err != nil {
		t.Fatal(err)
	}
}

// writeAll puts all nouns and writes the snapshot.
func writeAll(ctx context.Context, s *Store) error {
	_, err := s.Commit(ctx, func(tx *Tx) error {
		for _, kind := range trellis.Kinds() {
			n, err := trellis.NewNoun(kind)
			if err != nil {
				return err
			}
			fill(reflect.ValueOf(n).Elem())
			tx.Put(n)
		}
		return nil
	})
	if err != nil {
		return err
	}
	f, err := os.Create(fmt.Sprintf("testdata/schema-%d.snapshot", schemaVersion))
	if err != nil {
		return err
	}
	defer f.Close()
	return s.Backup(ctx, f)
}

// fill sets a value and all that is in it to something that is not zero.
func fill(v reflect.Value) {
	switch v.Addr().Interface().(type) {
	case *time.Time:
		v.Set(reflect.ValueOf(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)))
		return
	case *netip.Addr:
		v.Set(reflect.ValueOf(netip.MustParseAddr("10.0.0.1")))
		return
	case *netip.Prefix:
		v.Set(reflect.ValueOf(netip.MustParsePrefix("10.0.0.0/16")))
		return
	case *trellis.Secret:
		v.Set(reflect.ValueOf(trellis.NewSecret("text")))
		return
	case *json.RawMessage:
		v.Set(reflect.ValueOf(json.RawMessage(`"text"`)))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("text")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(7)
	case reflect.Float32, reflect.Float64:
		v.SetFloat(7.5)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i))
		}
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key)
		fill(value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i))
			}
		}
	}
}
