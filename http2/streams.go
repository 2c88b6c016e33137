package http2

import "slices"

// streams finds the open streams of a connection by their number: a hash table with open addressing. Numbers of
// streams that are open at the same time follow one another, so hardly two fall into one place.
type streams struct {
	slots []*Stream // a power of two of places, at most half full
	count int
}

// home is where the search for a number begins.
func (t *streams) home(id uint32) int { return int(id>>1) & (len(t.slots) - 1) }

// get returns an open stream, or nil.
func (t *streams) get(id uint32) *Stream {
	if t.count == 0 {
		return nil
	}
	for i := t.home(id); t.slots[i] != nil; i = (i + 1) & (len(t.slots) - 1) {
		if t.slots[i].id == id {
			return t.slots[i]
		}
	}
	return nil
}

// put adds a stream.
func (t *streams) put(s *Stream) {
	if 2*(t.count+1) > len(t.slots) {
		old := t.slots
		t.slots = make([]*Stream, max(8, 2*len(old)))
		for _, s := range old {
			if s != nil {
				t.place(s)
			}
		}
	}
	t.place(s)
	t.count++
}

// place puts a stream into the first free place.
func (t *streams) place(s *Stream) {
	i := t.home(s.id)
	for t.slots[i] != nil {
		i = (i + 1) & (len(t.slots) - 1)
	}
	t.slots[i] = s
}

// remove takes a stream out and moves up those that its place kept from theirs.
func (t *streams) remove(s *Stream) {
	mask := len(t.slots) - 1
	i := t.home(s.id)
	for t.slots[i] != s {
		i = (i + 1) & mask
	}
	t.slots[i] = nil
	t.count--
	for j := (i + 1) & mask; t.slots[j] != nil; j = (j + 1) & mask {
		if home := t.home(t.slots[j].id); (j-home)&mask >= (j-i)&mask {
			t.slots[i], t.slots[j] = t.slots[j], nil
			i = j
		}
	}
}

// each calls f for all streams that are open when it begins, and still are when their turn comes: f may close any.
func (t *streams) each(f func(*Stream)) {
	ids := make([]uint32, 0, t.count)
	for _, s := range t.slots {
		if s != nil {
			ids = append(ids, s.id)
		}
	}
	slices.Sort(ids)
	for _, id := range ids {
		if s := t.get(id); s != nil {
			f(s)
		}
	}
}
