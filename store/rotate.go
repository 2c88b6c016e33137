package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/trellis-project/trellis"
)

// rotatePage is how many nouns one transaction of RotateKey seals anew.
const rotatePage = 200

// RotateKey makes a new sealing key and seals all secrets with it, in a data directory that no process has open. It returns
// how many nouns were sealed anew, and where the old key file is now: what was backed up before needs it. A RotateKey that
// is ended, however, leaves a store that opens, and a next one completes it.
func RotateKey(ctx context.Context, o Options) (nouns int, old string, err error) {
	path := filepath.Join(o.Dir, "seal.key")
	before, err := os.ReadFile(path)
	if err != nil {
		return 0, "", fmt.Errorf("rotate key: %w", err)
	}
	had, err := parseKeyring(string(before))
	if err != nil {
		return 0, "", fmt.Errorf("rotate key: %w", err)
	}
	// No process may read the key file between the new key and the end.
	lock, err := lockDir(o.Dir)
	if err != nil {
		return 0, "", err
	}
	line := newKeyLine()
	err = writeKeyFile(path, line+string(before))
	if err := errors.Join(err, lock.Close()); err != nil {
		return 0, "", fmt.Errorf("rotate key: %w", err)
	}
	s, err := New(o)
	if err != nil {
		return 0, "", err
	}
	err = s.use(ctx, func() error {
		nouns, err = s.sealAnew(ctx)
		return err
	})
	if err != nil {
		return nouns, "", fmt.Errorf("rotate key: the file %s holds the new key and the old one, until this is done again: %w", path, err)
	}
	old = path + "." + had.id()
	if err := errors.Join(writeKeyFile(old, string(before)), writeKeyFile(path, line)); err != nil {
		return nouns, "", fmt.Errorf("rotate key: %w", err)
	}
	return nouns, old, nil
}

// sealAnew writes each noun with secrets again, which seals them with the current key, and notes that key.
func (s *Store) sealAnew(ctx context.Context) (nouns int, err error) {
	for _, kind := range trellis.Kinds() {
		n, err := trellis.NewNoun(kind)
		if err != nil {
			return nouns, err
		}
		if _, ok := n.(trellis.Sealable); !ok {
			continue
		}
		from := nounKey(kind, "")
		to := clientv3.GetPrefixRangeEnd(from)
		for more := true; more; {
			var page []trellis.Noun
			_, err := s.Commit(ctx, func(tx *Tx) error {
				found, left, err := tx.scan(from, to, rotatePage)
				if err != nil {
					return err
				}
				page, err = decodeAll[trellis.Noun](tx, found)
				for _, n := range page {
					tx.Put(n)
				}
				more = left
				return err
			})
			if err != nil {
				return nouns, err
			}
			if nouns += len(page); len(page) > 0 {
				from = nounKey(kind, page[len(page)-1].Key()) + "\x00"
			}
		}
	}
	mine, err := json.Marshal(schema{schemaVersion, s.keys.id()})
	if err != nil {
		return nouns, err
	}
	_, err = s.Commit(ctx, func(tx *Tx) error {
		tx.set(keySchema, write{value: mine})
		return nil
	})
	return nouns, err
}
