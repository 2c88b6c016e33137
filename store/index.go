package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/trellis-project/trellis"
)

// indexKey is where the index says that a noun is found by a term. With an empty key it is what all entries of the term begin with.
func indexKey(k trellis.Kind, term, key string) string {
	return keyIndex + string(k) + "/" + term + "//" + key
}

// index makes the index say what a noun will be found by when the transaction has written it, nil for one that is deleted.
func (tx *Tx) index(kind trellis.Kind, key string, terms []string) {
	if !trellis.Indexed(kind) {
		return
	}
	had, err := tx.Get(kind, key)
	var before []string
	switch {
	case err == nil:
		before = trellis.Terms(had)
	case !errors.Is(err, trellis.ErrNotExist):
		tx.fail(err)
		return
	}
	for _, term := range before {
		if !slices.Contains(terms, term) {
			tx.set(indexKey(kind, term, key), write{delete: true})
		}
	}
	for _, term := range terms {
		if !slices.Contains(before, term) {
			tx.set(indexKey(kind, term, key), write{value: []byte("1")})
		}
	}
}

// Find returns the nouns that are found by a term, by key. Inside a Commit this also guards against nouns that others let be
// found by it meanwhile.
func Find[T trellis.Noun](tx *Tx, term string) ([]T, error) {
	var zero T
	kind, from := zero.Kind(), indexKey(zero.Kind(), term, "")
	entries, _, err := tx.scan(from, clientv3.GetPrefixRangeEnd(from), 0)
	if err != nil {
		return nil, err
	}
	keys := make([]string, len(entries))
	for i, e := range entries {
		keys[i] = nounKey(kind, strings.TrimPrefix(e.key, from))
	}
	if err := tx.fetch(keys); err != nil {
		return nil, err
	}
	found := make([]entry, 0, len(keys))
	for _, key := range keys {
		value, err := tx.value(key)
		if err != nil {
			return nil, err
		}
		if value != nil {
			found = append(found, entry{key, value})
		}
	}
	nouns, err := decodeAll[T](tx, found)
	// An entry can be left over of what a Trellis has changed that knew no index.
	return slices.DeleteFunc(nouns, func(n T) bool { return !slices.Contains(trellis.Terms(n), term) }), err
}

// fetchBatch is how many keys fetch asks for at once: etcd takes so many operations in a transaction.
const fetchBatch = 128

// fetch reads keys that the transaction has not read yet, many at a time. A read before it has chosen the revision.
func (tx *Tx) fetch(keys []string) error {
	keys = slices.DeleteFunc(slices.Clone(keys), func(key string) bool {
		_, known := tx.reads[key]
		return known
	})
	for batch := range slices.Chunk(keys, fetchBatch) {
		resp, err := ask(tx, func(ctx context.Context, c *clientv3.Client, opts ...clientv3.OpOption) (*clientv3.TxnResponse, error) {
			ops := make([]clientv3.Op, len(batch))
			for i, key := range batch {
				ops[i] = clientv3.OpGet(key, opts...)
			}
			return c.Txn(ctx).Then(ops...).Commit()
		})
		if err != nil {
			return err
		}
		for i, key := range batch {
			tx.reads[key] = read{}
			if kvs := resp.Responses[i].GetResponseRange().Kvs; len(kvs) == 1 {
				tx.reads[key] = read{kvs[0].Value, kvs[0].ModRevision}
			}
		}
	}
	return nil
}

// How many nouns, and terms of theirs, reindex looks at in one read, and how many nouns it puts into the index in one commit:
// each may have thousands of terms.
const (
	reindexRead  = 1000
	reindexTerms = 10_000
	reindexWrite = 10
)

// reindex adds what the index does not say of nouns that an older Trellis has written, which knew no index.
func (s *Store) reindex(ctx context.Context) error {
	do := func(readOnly bool, fn func(*Tx) error) error { // as Read and Commit, which wait until the store is ready
		bounded, cancel := context.WithTimeoutCause(ctx, s.o.Timeout, errTimeout)
		defer cancel()
		_, err := s.attempt(bounded, ctx, fn, readOnly)
		return err
	}
	for _, kind := range trellis.Kinds() {
		if !trellis.Indexed(kind) {
			continue
		}
		for from, more := nounKey(kind, ""), true; more; {
			var missing []string // keys of nouns
			var next string
			err := do(true, func(tx *Tx) (err error) {
				missing, next, more, err = tx.unindexed(kind, from)
				return err
			})
			if err != nil {
				return err
			}
			for page := range slices.Chunk(missing, reindexWrite) {
				if err := do(false, func(tx *Tx) error { return tx.indexAnew(kind, page) }); err != nil {
					return err
				}
			}
			from = next
		}
	}
	return nil
}

// unindexed looks at some nouns of a kind from an etcd key on: the keys of those that the index does not know by all their terms,
// and where to go on.
func (tx *Tx) unindexed(kind trellis.Kind, from string) (missing []string, next string, more bool, err error) {
	found, more, err := tx.scan(from, clientv3.GetPrefixRangeEnd(nounKey(kind, "")), reindexRead)
	if err != nil || len(found) == 0 {
		return nil, "", false, err
	}
	nouns, err := decodeAll[trellis.Noun](tx, found)
	if err != nil {
		return nil, "", false, err
	}
	var wanted []string
	for i, n := range nouns {
		if len(wanted) > reindexTerms { // the others the next time
			nouns, found, more = nouns[:i], found[:i], true
			break
		}
		for _, term := range trellis.Terms(n) {
			wanted = append(wanted, indexKey(kind, term, n.Key()))
		}
	}
	if err := tx.fetch(wanted); err != nil {
		return nil, "", false, err
	}
	for _, n := range nouns {
		if slices.ContainsFunc(trellis.Terms(n), func(term string) bool { return tx.reads[indexKey(kind, term, n.Key())].mod == 0 }) {
			missing = append(missing, n.Key())
		}
	}
	return missing, found[len(found)-1].key + "\x00", more, nil
}

// indexAnew puts nouns into the index by all their terms.
func (tx *Tx) indexAnew(kind trellis.Kind, keys []string) error {
	for _, key := range keys {
		n, err := tx.Get(kind, key)
		if errors.Is(err, trellis.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("put %s %s into the index: %w", kind, key, err)
		}
		for _, term := range trellis.Terms(n) {
			tx.set(indexKey(kind, term, key), write{value: []byte("1")})
		}
	}
	return nil
}
