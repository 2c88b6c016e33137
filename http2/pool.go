package http2

// What a Pool keeps at most. A stream that has been used holds some kilobytes, a buffer up to some 100.
const (
	spareStreams = 256
	spareBuffers = 16
	keptArena    = 8 << 10 // of one stream, or of the list that heads are decoded into
	keptBuffer   = 128 << 10
)

// Pool keeps what the connections of one event loop use in turn, so that an idle one holds next to nothing. The zero
// Pool is ready.
type Pool struct {
	streams []*Stream
	buffers [][]byte
	list    list   // the header list at hand
	scratch []byte // strings of a list that nobody gets
	out     int    // buffers that hold output
}

// Held is how many connections have output that waits to be sent; none holds more than Options.MaxPending of it, and what
// the peer makes us say.
func (p *Pool) Held() int { return p.out }

// stream returns a stream that is nobody's.
func (p *Pool) stream() *Stream {
	if n := len(p.streams); n > 0 {
		s := p.streams[n-1]
		p.streams = p.streams[:n-1]
		return s
	}
	return new(Stream)
}

// putStream takes a stream back.
func (p *Pool) putStream(s *Stream) {
	if len(p.streams) < spareStreams {
		s.recycle()
		p.streams = append(p.streams, s)
	}
}

// buffer returns an empty buffer for output.
func (p *Pool) buffer() []byte {
	p.out++
	if n := len(p.buffers); n > 0 {
		b := p.buffers[n-1]
		p.buffers = p.buffers[:n-1]
		return b
	}
	return make([]byte, 0, 4<<10)
}

// putBuffer takes a buffer back.
func (p *Pool) putBuffer(b []byte) {
	p.out--
	if len(p.buffers) < spareBuffers && cap(b) <= keptBuffer {
		p.buffers = append(p.buffers, b[:0])
	}
}

// take empties the list for a header block whose strings go behind arena.
func (p *Pool) take(arena []byte) *list {
	l := &p.list
	l.fields, l.arena, l.size, l.over = l.fields[:0], arena, 0, false
	return l
}
