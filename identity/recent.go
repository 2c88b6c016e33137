package identity

import (
	"maps"
	"sync"
	"sync/atomic"
)

// recent remembers values by key up to a limit. Reading takes no lock: the map is replaced whole when a
// value is added, which happens once a session.
type recent[T any] struct {
	limit int
	mu    sync.Mutex // of add
	m     atomic.Pointer[map[string]T]
}

// newRecent returns an empty recent.
func newRecent[T any](limit int) *recent[T] {
	r := &recent[T]{limit: limit}
	r.m.Store(&map[string]T{})
	return r
}

// get returns what was added under a key.
func (r *recent[T]) get(key string) (T, bool) {
	v, ok := (*r.m.Load())[key]
	return v, ok
}

// add remembers a value. When the limit is reached, half of what was remembered, by chance, is forgotten.
func (r *recent[T]) add(key string, v T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := *r.m.Load()
	next := maps.Clone(old)
	if len(old) >= r.limit {
		next = make(map[string]T, r.limit)
		for k, have := range old {
			if next[k] = have; len(next) >= r.limit/2 {
				break
			}
		}
	}
	next[key] = v
	r.m.Store(&next)
}
