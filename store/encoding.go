package store

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/trellis-project/trellis"
)

// The prefixes of keys in etcd.
const (
	keyAll    = "trellis/"
	keySchema = "trellis/schema"
	keyNouns  = "trellis/n/"
	keyClaims = "trellis/c/"
	keyMarks  = "trellis/m/"
	keyTokens = "trellis/t/"
	keyIndex  = "trellis/x/"
)

// schemaVersion is the layout that this Trellis writes. It grows when an older one could misread the data.
const schemaVersion = 1

// schema is the value of the schema key.
type schema struct {
	Version int    `json:"version"`
	SealKey string `json:"sealKey"` // id of the key that seals
}

// nounKey is where a noun is kept.
func nounKey(k trellis.Kind, key string) string { return keyNouns + string(k) + "/" + key }

// splitNounKey is the reverse of nounKey; ok is false for a key that is not a noun's.
func splitNounKey(etcdKey string) (k trellis.Kind, key string, ok bool) {
	rest, ok := strings.CutPrefix(etcdKey, keyNouns)
	if !ok {
		return "", "", false
	}
	kind, key, ok := strings.Cut(rest, "/")
	return trellis.Kind(kind), key, ok
}

// encode makes a noun's value: its secrets are sealed, then all of it becomes JSON.
func (k *keyring) encode(n trellis.Noun) ([]byte, error) {
	if s, ok := n.(trellis.Sealable); ok {
		for i, secret := range s.Secrets() {
			err := secret.Seal(func(plain []byte) ([]byte, error) { return k.seal(plain, place(n, i)) })
			if err != nil {
				return nil, fmt.Errorf("encode %s %s: %w", n.Kind(), n.Key(), err)
			}
		}
	}
	b, err := json.Marshal(n)
	if err != nil {
		return nil, fmt.Errorf("encode %s %s: %w", n.Kind(), n.Key(), err)
	}
	return b, nil
}

// decode is the reverse of encode.
func (k *keyring) decode(kind trellis.Kind, key string, value []byte) (trellis.Noun, error) {
	n, err := trellis.NewNoun(kind)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(value, n); err != nil {
		return nil, fmt.Errorf("decode %s %s: %w", kind, key, err)
	}
	if s, ok := n.(trellis.Sealable); ok {
		for i, secret := range s.Secrets() {
			err := secret.Open(func(sealed []byte) ([]byte, error) { return k.open(sealed, place(n, i)) })
			if err != nil {
				return nil, fmt.Errorf("decode %s %s: %w", kind, key, err)
			}
		}
	}
	return n, nil
}
