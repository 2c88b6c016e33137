package http2

// recentStreams is how many streams are remembered after their end: as many as may be open at a time would be enough for
// frames on their way.
const recentStreams = 128

// recent remembers how the last streams ended, since what their peer may still send depends on it (RFC 9113 5.1).
type recent struct {
	ids []uint32 // twice the number, and one more when we reset it
	n   int      // of the next to be written
}

// ways for a stream to have ended.
const (
	forgotten = iota // or never opened
	ended
	resetByUs
)

// add notes the end of a stream.
func (r *recent) add(id uint32, reset bool) {
	v := id << 1
	if reset {
		v |= 1
	}
	if len(r.ids) < recentStreams {
		r.ids = append(r.ids, v)
		return
	}
	r.ids[r.n] = v
	r.n = (r.n + 1) % recentStreams
}

// how tells the way in which a stream has ended.
func (r *recent) how(id uint32) int {
	for _, v := range r.ids {
		if v>>1 == id {
			return ended + int(v&1)
		}
	}
	return forgotten
}
