package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/trellis-project/trellis"
)

// Tx is one attempt of a Read or Commit. It is for the goroutine that runs fn, during fn. It reads what it
// has written itself.
type Tx struct {
	ctx      context.Context
	s        *Store
	readOnly bool
	rev      trellis.Revision // what is read, 0 before the first read
	reads    map[string]read  // by etcd key
	ranges   []keyRange
	writes   map[string]write // by etcd key
	err      error            // of a Put or Delete, reported when fn has returned
	broken   error            // a read failed, so fn's result means nothing
	stale    bool             // the revision is gone: run fn again
}

// read is what a key held.
type read struct {
	value []byte
	mod   int64 // revision of its last change, 0 when it did not exist
}

// keyRange is a range of etcd keys that was read, [from, to).
type keyRange struct{ from, to string }

// write is what a key shall hold.
type write struct {
	value  []byte
	delete bool
	lease  clientv3.LeaseID
}

// etcdError marks what etcd answered, as opposed to what fn decided.
type etcdError struct{ err error }

// Error is the text of etcd's error.
func (e *etcdError) Error() string { return e.err.Error() }

// Unwrap makes it findable as ErrUnavailable.
func (e *etcdError) Unwrap() []error { return []error{ErrUnavailable, e.err} }

// get asks etcd for a key or a range.
func (tx *Tx) get(key string, opts ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	resp, err := ask(tx, func(ctx context.Context, c *clientv3.Client, at ...clientv3.OpOption) (*clientv3.GetResponse, error) {
		return c.Get(ctx, key, slices.Concat(opts, at)...)
	})
	if err == nil && tx.rev == 0 {
		tx.rev = resp.Header.Revision
	}
	return resp, err
}

// ask lets f ask etcd at the transaction's revision, which is in the options. The first read is linearizable and chooses the
// revision; any member that has come so far answers the others. One that has not, waits until it has.
func ask[R any](tx *Tx, f func(ctx context.Context, c *clientv3.Client, at ...clientv3.OpOption) (R, error)) (resp R, err error) {
	do := func(at ...clientv3.OpOption) (R, error) {
		return call(tx.ctx, tx.s, func(ctx context.Context, c *clientv3.Client) (R, error) { return f(ctx, c, at...) })
	}
	if tx.rev == 0 {
		resp, err = do()
	} else if resp, err = do(clientv3.WithRev(tx.rev), clientv3.WithSerializable()); errors.Is(err, rpctypes.ErrFutureRev) {
		resp, err = do(clientv3.WithRev(tx.rev))
	}
	if err != nil {
		if errors.Is(err, rpctypes.ErrCompacted) {
			tx.stale = true
		}
		tx.broken = &etcdError{err}
		err = tx.broken
	}
	return resp, err
}

// value returns what a key holds: what the transaction wrote, else what it read. nil: nothing.
func (tx *Tx) value(key string) ([]byte, error) {
	if w, ok := tx.writes[key]; ok {
		return w.value, nil
	}
	r, err := tx.stored(key)
	return r.value, err
}

// stored returns what a key held before the transaction.
func (tx *Tx) stored(key string) (r read, err error) {
	if r, ok := tx.reads[key]; ok {
		return r, nil
	}
	resp, err := tx.get(key)
	if err != nil {
		return r, err
	}
	if len(resp.Kvs) == 1 {
		r = read{resp.Kvs[0].Value, resp.Kvs[0].ModRevision}
	}
	tx.reads[key] = r
	return r, nil
}

// entry is a key and its value.
type entry struct {
	key   string
	value []byte
}

// rangePage is how many entries etcd is asked for at once, where all are wanted. For each page etcd counts what is behind it
// too, so small pages of a million entries would take minutes.
const rangePage = 20_000

// scan returns the entries of [from, to) by key, at most limit when that is not 0, with the transaction's
// own writes. more says that there are further ones.
func (tx *Tx) scan(from, to string, limit int) (found []entry, more bool, err error) {
	var own []string // keys that the transaction wrote itself, in order, not yet taken
	for key := range tx.writes {
		if key >= from && key < to {
			own = append(own, key)
		}
	}
	slices.Sort(own)
	full := func() bool { return limit > 0 && len(found) > limit }
	takeOwn := func() {
		if w := tx.writes[own[0]]; !w.delete {
			found = append(found, entry{own[0], w.value})
		}
		own = own[1:]
	}
	page := int64(rangePage)
	if limit > 0 {
		page = min(page, int64(limit)+1)
	}
	for next, last := from, false; !last && !full(); {
		resp, err := tx.get(next, clientv3.WithRange(to), clientv3.WithLimit(page))
		if err != nil {
			return nil, false, err
		}
		end := to
		if last = !resp.More; !last {
			end = string(resp.Kvs[len(resp.Kvs)-1].Key) + "\x00"
		}
		tx.ranges = append(tx.ranges, keyRange{next, end})
		next = end
		for _, kv := range resp.Kvs {
			key := string(kv.Key)
			tx.reads[key] = read{kv.Value, kv.ModRevision}
			for len(own) > 0 && own[0] < key {
				takeOwn()
			}
			if len(own) > 0 && own[0] == key {
				takeOwn()
				continue
			}
			found = append(found, entry{key, kv.Value})
		}
	}
	for len(own) > 0 && !full() {
		takeOwn()
	}
	if full() {
		return found[:limit], true, nil
	}
	return found, false, nil
}

// set remembers a write.
func (tx *Tx) set(key string, w write) {
	if tx.readOnly {
		tx.fail(errors.New("a write inside of Read"))
		return
	}
	tx.writes[key] = w
}

// fail keeps the first error of a method that returns none.
func (tx *Tx) fail(err error) {
	if tx.err == nil {
		tx.err = err
	}
}

// Put writes a noun. Later changes of n are not seen.
func (tx *Tx) Put(n trellis.Noun) {
	b, err := tx.s.keys.encode(n)
	if err != nil {
		tx.fail(err)
		return
	}
	tx.index(n.Kind(), n.Key(), trellis.Terms(n))
	tx.set(nounKey(n.Kind(), n.Key()), write{value: b})
}

// Delete removes a noun. A noun that does not exist is no error.
func (tx *Tx) Delete(n trellis.Noun) {
	tx.index(n.Kind(), n.Key(), nil)
	tx.set(nounKey(n.Kind(), n.Key()), write{delete: true})
}

// Get returns a noun by its key, or trellis.ErrNotExist. The noun is a fresh copy that may be changed and Put.
func Get[T trellis.Noun](tx *Tx, key string) (T, error) {
	var zero T
	n, err := tx.Get(zero.Kind(), key)
	if err != nil {
		return zero, err
	}
	return n.(T), nil
}

// Get is the function Get for a kind that is known at run time only.
func (tx *Tx) Get(kind trellis.Kind, key string) (trellis.Noun, error) {
	b, err := tx.value(nounKey(kind, key))
	if err != nil {
		return nil, err
	}
	if b == nil {
		return nil, fmt.Errorf("%s %s: %w", kind, key, trellis.ErrNotExist)
	}
	return tx.s.keys.decode(kind, key, b)
}

// List is the function List for a kind that is known at run time only.
func (tx *Tx) List(kind trellis.Kind, prefix string) ([]trellis.Noun, error) {
	return list[trellis.Noun](tx, kind, prefix)
}

// List returns the nouns whose keys begin with prefix, by key. Inside a Commit this also guards against
// nouns that others add to the range or remove from it.
func List[T trellis.Noun](tx *Tx, prefix string) ([]T, error) {
	var zero T
	return list[T](tx, zero.Kind(), prefix)
}

// list is List of a kind.
func list[T trellis.Noun](tx *Tx, kind trellis.Kind, prefix string) ([]T, error) {
	from := nounKey(kind, prefix)
	found, _, err := tx.scan(from, clientv3.GetPrefixRangeEnd(from), 0)
	if err != nil {
		return nil, err
	}
	return decodeAll[T](tx, found)
}

// Page returns up to limit nouns whose keys begin with prefix and follow the key after ("" from the
// start). next is the after of the following page, "" at the end.
func Page[T trellis.Noun](tx *Tx, prefix, after string, limit int) (items []T, next string, err error) {
	var zero T
	from := nounKey(zero.Kind(), prefix)
	to := clientv3.GetPrefixRangeEnd(from)
	if begin := nounKey(zero.Kind(), after) + "\x00"; after != "" && begin > from {
		from = begin
	}
	if from >= to {
		return nil, "", nil
	}
	found, more, err := tx.scan(from, to, limit)
	if err != nil {
		return nil, "", err
	}
	items, err = decodeAll[T](tx, found)
	if err == nil && more {
		next = items[len(items)-1].Key()
	}
	return items, next, err
}

// Count returns how many nouns have keys that begin with prefix, and reads none of them. Inside a Commit this also guards
// against nouns that others add to the range, so that a quota holds; what they remove meanwhile may still be counted.
func Count[T trellis.Noun](tx *Tx, prefix string) (int, error) {
	var zero T
	from := nounKey(zero.Kind(), prefix)
	to := clientv3.GetPrefixRangeEnd(from)
	resp, err := tx.get(from, clientv3.WithRange(to), clientv3.WithCountOnly())
	if err != nil {
		return 0, err
	}
	tx.ranges = append(tx.ranges, keyRange{from, to})
	n := int(resp.Count)
	for key, w := range tx.writes {
		if key < from || key >= to {
			continue
		}
		had, err := tx.stored(key)
		switch {
		case err != nil:
			return 0, err
		case had.mod == 0 && !w.delete:
			n++
		case had.mod != 0 && w.delete:
			n--
		}
	}
	return n, nil
}

// decodeAll decodes entries of one kind.
func decodeAll[T trellis.Noun](tx *Tx, found []entry) ([]T, error) {
	items := make([]T, 0, len(found))
	for _, e := range found {
		kind, key, _ := splitNounKey(e.key)
		n, err := tx.s.keys.decode(kind, key, e.value)
		if err != nil {
			return nil, err
		}
		items = append(items, n.(T))
	}
	return items, nil
}

// Claim takes a unique name for holder, for example "servicename/111122223333/orders". Claiming again what
// one holds is no error; *TakenError when another holds it.
func (tx *Tx) Claim(name, holder string) error {
	b, err := tx.value(keyClaims + name)
	if err != nil {
		return err
	}
	if b != nil && string(b) != holder {
		return &TakenError{name, string(b)}
	}
	if b == nil {
		tx.set(keyClaims+name, write{value: []byte(holder)})
	}
	return nil
}

// Release gives a name back.
func (tx *Tx) Release(name string) { tx.set(keyClaims+name, write{delete: true}) }

// Mark adds member to a set: that it refers to what the set stands for. The set's name holds no "//".
func (tx *Tx) Mark(set, member string) {
	tx.set(keyMarks+set+"//"+member, write{value: []byte("1")})
}

// Unmark takes member out of a set.
func (tx *Tx) Unmark(set, member string) { tx.set(keyMarks+set+"//"+member, write{delete: true}) }

// Marked returns the members of a set, sorted, and guards the set as List guards a range.
func (tx *Tx) Marked(set string) ([]string, error) {
	from := keyMarks + set + "//"
	found, _, err := tx.scan(from, clientv3.GetPrefixRangeEnd(from), 0)
	members := make([]string, 0, len(found))
	for _, e := range found {
		members = append(members, strings.TrimPrefix(e.key, from))
	}
	return members, err
}

// finish writes what the transaction asked for, provided that nothing it read has changed. retry says that
// something has.
func (tx *Tx) finish() (rev trellis.Revision, retry bool, err error) {
	if len(tx.writes) == 0 {
		if tx.rev == 0 && !tx.readOnly {
			_, err = tx.get(keySchema, clientv3.WithKeysOnly())
		}
		return tx.rev, tx.stale, err
	}
	var guards []clientv3.Cmp
	for key, r := range tx.reads {
		guards = append(guards, clientv3.Compare(clientv3.ModRevision(key), "=", r.mod))
	}
	for _, r := range tx.ranges {
		guards = append(guards, clientv3.Compare(clientv3.ModRevision(r.from), "<", tx.rev+1).WithRange(r.to))
	}
	var ops []clientv3.Op
	for _, key := range slices.Sorted(maps.Keys(tx.writes)) {
		switch w := tx.writes[key]; {
		case w.delete:
			ops = append(ops, clientv3.OpDelete(key))
		case w.lease != 0:
			ops = append(ops, clientv3.OpPut(key, string(w.value), clientv3.WithLease(w.lease)))
		default:
			ops = append(ops, clientv3.OpPut(key, string(w.value)))
		}
	}
	resp, err := call(tx.ctx, tx.s, func(ctx context.Context, c *clientv3.Client) (*clientv3.TxnResponse, error) {
		return c.Txn(ctx).If(guards...).Then(ops...).Commit()
	})
	if errors.Is(err, rpctypes.ErrLeaseNotFound) {
		tx.s.forgetLease()
		return 0, true, nil
	}
	if err != nil {
		return 0, false, err
	}
	return resp.Header.Revision, !resp.Succeeded, nil
}
