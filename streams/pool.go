package streams

// spareStreams is how many streams a Pool keeps at most.
const spareStreams = 256

// Pool keeps streams for the sessions of one event loop to use again: a request of HTTP/2 leaves no garbage. The zero Pool
// is ready.
type Pool struct{ spare []*Stream }

// stream returns a stream that is nobody's.
func (p *Pool) stream() *Stream {
	n := len(p.spare)
	if n == 0 {
		return new(Stream)
	}
	st := p.spare[n-1]
	p.spare = p.spare[:n-1]
	return st
}

// Recycle is Release by who knows that no other fiber uses the stream, or will. It is somebody else's afterwards.
func (st *Stream) Recycle() {
	st.Release()
	p := st.session.o.Pool
	if p == nil || len(p.spare) >= spareStreams {
		return
	}
	*st = Stream{}
	p.spare = append(p.spare, st)
}
