package routing

import (
	"hash/maphash"
	"maps"
)

// buckets is how many parts a dict has, a power of two: changing one entry of 10,000 copies about 40 others.
const buckets = 256

// seed makes all dicts put a key into the same bucket.
var seed = maphash.MakeSeed()

// dict is a map by texts that is never changed and shares what is equal with the one that it was made from. Its
// zero value is empty.
type dict[V any] struct {
	parts *[buckets]map[string]V
}

// get finds a value, the zero value when there is none. It allocates nothing.
func (d dict[V]) get(key string) V {
	v, _ := d.find(key)
	return v
}

// name finds a value by a key in bytes. It allocates nothing.
func (d dict[V]) name(key []byte) (v V, ok bool) {
	if d.parts == nil {
		return v, false
	}
	v, ok = d.parts[maphash.Bytes(seed, key)%buckets][string(key)]
	return v, ok
}

// find finds a value.
func (d dict[V]) find(key string) (v V, ok bool) {
	if d.parts == nil {
		return v, false
	}
	v, ok = d.parts[bucket(key)][key]
	return v, ok
}

// all yields every entry, in no order.
func (d dict[V]) all(yield func(string, V) bool) {
	if d.parts == nil {
		return
	}
	for _, part := range d.parts {
		for k, v := range part {
			if !yield(k, v) {
				return
			}
		}
	}
}

// bucket is where a key is.
func bucket(key string) uint64 { return maphash.String(seed, key) % buckets }

// draft makes a dict out of another, whose parts are copied at their first change.
type draft[V any] struct {
	dict[V]
	edited bool
	own    [buckets]bool
}

// edit begins a draft.
func edit[V any](from dict[V]) *draft[V] {
	d := &draft[V]{dict: from}
	if from.parts == nil {
		d.parts, d.edited = new([buckets]map[string]V), true
	}
	return d
}

// part returns a part that may be changed, nil when it is empty.
func (d *draft[V]) part(i uint64) map[string]V {
	if !d.edited {
		parts := *d.parts
		d.parts, d.edited = &parts, true
	}
	if !d.own[i] {
		d.parts[i], d.own[i] = maps.Clone(d.parts[i]), true
	}
	return d.parts[i]
}

// set adds or replaces an entry.
func (d *draft[V]) set(key string, v V) {
	i := bucket(key)
	if d.part(i) == nil {
		d.parts[i] = map[string]V{}
	}
	d.parts[i][key] = v
}

// remove removes an entry, if it is there.
func (d *draft[V]) remove(key string) {
	if _, ok := d.find(key); !ok {
		return
	}
	i := bucket(key)
	delete(d.part(i), key)
	if len(d.parts[i]) == 0 {
		d.parts[i] = nil
	}
}
