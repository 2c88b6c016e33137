package routing

import (
	"hash/maphash"
	"math/bits"
	"slices"
)

// buckets is how many parts a dict has, a power of two: changing one entry of 10,000 copies about 80 others.
const buckets = 128

// seed makes all dicts put a key into the same bucket.
var seed = maphash.MakeSeed()

// dict is a map by texts that is never changed and shares what is equal with the one that it was made from. Its
// zero value is empty. A part is a list, not a map, because most of what looking something up costs is waiting for
// memory: the value stands beside the hash by which it is found.
type dict[V any] struct {
	parts *[buckets]part[V]
}

// part are the entries of one bucket, by hash.
type part[V any] []entry[V]

// entry is one key with its value.
type entry[V any] struct {
	hash  uint64
	key   string
	value V
}

// from is where the entries of a hash begin, if there are any. Hashes are spread evenly, so it begins near there.
func (p part[V]) from(hash uint64) int {
	near, _ := bits.Mul64(hash, uint64(len(p)))
	i := int(near)
	for i > 0 && p[i-1].hash >= hash {
		i--
	}
	for i < len(p) && p[i].hash < hash {
		i++
	}
	return i
}

// place is where the entry of a key is, or else is to be.
func (p part[V]) place(hash uint64, key string) (at int, found bool) {
	for at = p.from(hash); at < len(p) && p[at].hash == hash; at++ {
		if p[at].key == key {
			return at, true
		}
	}
	return at, false
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
	hash := maphash.Bytes(seed, key)
	p := d.parts[hash%buckets]
	for at := p.from(hash); at < len(p) && p[at].hash == hash; at++ {
		if p[at].key == string(key) {
			return p[at].value, true
		}
	}
	return v, false
}

// find finds a value.
func (d dict[V]) find(key string) (v V, ok bool) {
	if d.parts == nil {
		return v, false
	}
	hash := maphash.String(seed, key)
	p := d.parts[hash%buckets]
	if at, ok := p.place(hash, key); ok {
		return p[at].value, true
	}
	return v, false
}

// all yields every entry, in no order.
func (d dict[V]) all(yield func(string, V) bool) {
	if d.parts == nil {
		return
	}
	for _, p := range d.parts {
		for i := range p {
			if !yield(p[i].key, p[i].value) {
				return
			}
		}
	}
}

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
		d.parts, d.edited = new([buckets]part[V]), true
	}
	return d
}

// part returns a part that may be changed.
func (d *draft[V]) part(i uint64) *part[V] {
	if !d.edited {
		parts := *d.parts
		d.parts, d.edited = &parts, true
	}
	if !d.own[i] {
		d.parts[i], d.own[i] = append(make(part[V], 0, len(d.parts[i])+1), d.parts[i]...), true
	}
	return &d.parts[i]
}

// set adds or replaces an entry.
func (d *draft[V]) set(key string, v V) {
	hash := maphash.String(seed, key)
	p := d.part(hash % buckets)
	at, found := p.place(hash, key)
	if found {
		(*p)[at].value = v
		return
	}
	if len(*p) == cap(*p) { // these lists stay for long, so there is little room in them
		*p = append(make(part[V], 0, len(*p)+len(*p)/8+1), *p...)
	}
	*p = slices.Insert(*p, at, entry[V]{hash, key, v})
}

// remove removes an entry, if it is there.
func (d *draft[V]) remove(key string) {
	if _, ok := d.find(key); !ok {
		return
	}
	hash := maphash.String(seed, key)
	p := d.part(hash % buckets)
	at, _ := p.place(hash, key)
	if *p = slices.Delete(*p, at, at+1); len(*p) == 0 {
		*p = nil
	}
}
