package http2

import "slices"

// How many streams are remembered after their end. Of those that we reset, frames may be on their way for a round trip,
// in which many others come and go; of the rest, only a peer that errs sends more.
const (
	recentResets = 128
	recentEnds   = 32
)

// recent remembers how the last streams ended, since what their peer may still send depends on it (RFC 9113 5.1).
type recent struct{ resets, ends ring }

// ring holds the last numbers of streams.
type ring struct {
	ids []uint32
	n   int // the place of the next, once all are taken
}

// ways for a stream to have ended.
const (
	forgotten = iota // or never opened
	ended
	resetByUs
)

// add notes a number.
func (r *ring) add(id uint32, most int) {
	if len(r.ids) < most {
		r.ids = append(r.ids, id)
		return
	}
	r.ids[r.n] = id
	r.n = (r.n + 1) % most
}

// add notes the end of a stream.
func (r *recent) add(id uint32, reset bool) {
	if reset {
		r.resets.add(id, recentResets)
	} else {
		r.ends.add(id, recentEnds)
	}
}

// how tells the way in which a stream has ended.
func (r *recent) how(id uint32) int {
	switch {
	case slices.Contains(r.resets.ids, id):
		return resetByUs
	case slices.Contains(r.ends.ids, id):
		return ended
	}
	return forgotten
}
