package http1

import (
	"bytes"
	"math"
)

// Limits of what surrounds chunks.
const (
	MaxChunkLine = 1 << 10 // a chunk's size line, extensions included
	MaxTrailers  = 8 << 10 // all trailers
	maxExtension = 16 << 10
)

// Part says what a piece of a body is.
type Part uint8

// The parts.
const (
	Data    Part = iota // content
	Frame               // chunk sizes, line ends, trailers: part of the message, not of the content
	Dropped             // chunk extensions and trailers that are not passed on
)

// states of a Body.
const (
	inData    uint8 = iota // left bytes of content
	atSize                 // before a chunk's size
	atExt                  // between a chunk's size and its line end
	atSizeEnd              // before the line end of a chunk's size
	atDataEnd              // before the line end of a chunk's data
	atTrailer              // before a trailer or the last line end
	untilEOF
	done
)

// Body tells where a body ends. It holds no bytes: who reads the body shows it what has come.
type Body struct {
	left    int64
	state   uint8
	chunked bool
	extra   int // bytes of extensions or trailers so far
	ext     int // bytes of the extension at hand

	keeps    bool
	trailers []Field
}

// Start begins the body of a head.
func (b *Body) Start(h *Head) {
	*b = Body{state: done}
	switch h.Framing {
	case ByLength:
		b.state, b.left = inData, h.Length
	case Chunked:
		b.state, b.chunked = atSize, true
	case UntilClose:
		b.state = untilEOF
	}
}

// KeepTrailers makes Trailers return those that come from now on, for a receiver to whom content alone is passed on.
func (b *Body) KeepTrailers() { b.keeps = true }

// Trailers are the trailers that were kept: those that may be passed on.
func (b *Body) Trailers() []Field { return b.trailers }

// Done tells that the body has ended: what follows belongs to the next message. A body UntilClose never
// says so.
func (b *Body) Done() bool { return b.state == done }

// UntilClose tells that the body ends with the connection.
func (b *Body) UntilClose() bool { return b.state == untilEOF }

// Left is how many bytes of content are known to be missing, of this body or of this chunk.
func (b *Body) Left() int64 { return b.left }

// Step returns the next piece of the body at the start of p: what it is and how long. n is 0 when the body
// is done or p holds too few bytes to tell; then the caller keeps p and adds to it (never more than
// MaxChunkLine or MaxTrailers bytes). An error is always an *Error.
func (b *Body) Step(p []byte) (part Part, n int, err error) {
	if len(p) == 0 {
		return Data, 0, nil
	}
	switch b.state {
	case untilEOF:
		return Data, len(p), nil
	case inData:
		n = len(p)
		if int64(n) >= b.left {
			n = int(b.left)
			if b.state = done; b.chunked {
				b.state = atDataEnd
			}
		}
		b.left -= int64(n)
		return Data, n, nil
	case atSize:
		n, err = b.size(p)
		return Frame, n, err
	case atExt:
		b.state = atSizeEnd
		n, b.ext = b.ext, 0
		return Dropped, n, nil
	case atSizeEnd, atDataEnd:
		if p[0] != '\r' || len(p) > 1 && p[1] != '\n' {
			return Frame, 0, ErrChunkEnd
		}
		if len(p) == 1 {
			return Frame, 0, nil
		}
		switch {
		case b.state == atDataEnd:
			b.state = atSize
		case b.left == 0:
			b.state, b.extra = atTrailer, 0
		default:
			b.state = inData
		}
		return Frame, 2, nil
	case atTrailer:
		return b.trailer(p)
	}
	return Data, 0, nil
}

// size reads the digits of a chunk's size line, once the line is whole.
func (b *Body) size(p []byte) (int, error) {
	var left int64
	i := 0
	for ; i < len(p); i++ {
		d := hexDigit(p[i])
		if d < 0 {
			break
		}
		if left > math.MaxInt64>>8 || i > 32 {
			return 0, ErrChunkSize
		}
		left = left<<4 | int64(d)
	}
	if i == len(p) {
		return 0, nil
	}
	if i == 0 {
		return 0, ErrChunkSize
	}
	if p[i] == '\r' {
		b.left, b.state = left, atSizeEnd
		return i, nil
	}
	if p[i] != ';' && p[i] != ' ' && p[i] != '\t' {
		return 0, ErrChunkSize
	}
	end := bytes.IndexByte(p[i:], '\n')
	if end < 0 {
		if len(p) >= MaxChunkLine {
			return 0, ErrChunkExtension
		}
		if j := bytes.IndexByte(p[i:], '\r'); j >= 0 && i+j+1 < len(p) || !validValue(bytes.TrimSuffix(p[i:], []byte("\r"))) {
			return 0, ErrChunkExtension
		}
		return 0, nil
	}
	b.ext = end - 1
	b.extra += b.ext
	if end > MaxChunkLine || b.extra > maxExtension {
		return 0, ErrChunkExtension
	}
	ext := p[i : i+end-1]
	if p[i+end-1] != '\r' || !validExtensions(ext) {
		return 0, ErrChunkExtension
	}
	b.left, b.state = left, atExt
	return i, nil
}

// validExtensions tells whether b is what may stand behind a chunk's size: a semicolon, a name and maybe a value,
// any number of times, with white space only before a semicolon and around it and an equals sign (RFC 9112 7.1.1).
func validExtensions(b []byte) bool {
	blank := func() {
		for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
			b = b[1:]
		}
	}
	token := func() bool {
		n := 0
		for n < len(b) && class[b[n]]&isToken != 0 {
			n++
		}
		b = b[n:]
		return n > 0
	}
	for len(b) > 0 {
		blank()
		if len(b) == 0 || b[0] != ';' {
			return false
		}
		b = b[1:]
		blank()
		if !token() {
			return false
		}
		rest := b
		blank()
		if len(b) == 0 || b[0] != '=' {
			b = rest // white space here must be followed by a semicolon
			continue
		}
		b = b[1:]
		blank()
		if len(b) == 0 || b[0] != '"' {
			if !token() {
				return false
			}
			continue
		}
		i := 1
		for i < len(b) && b[i] != '"' {
			if b[i] == '\\' {
				i++
			}
			if i == len(b) || class[b[i]]&isValue == 0 {
				return false
			}
			i++
		}
		if i >= len(b) {
			return false // the quotation has no end
		}
		b = b[i+1:]
	}
	return true
}

// trailer reads one trailer line or the empty line at the end. A trailer that says what only a head may say
// (framing, routing, credentials, identity) is dropped (RFC 9110 6.5.1).
func (b *Body) trailer(p []byte) (Part, int, error) {
	end := bytes.IndexByte(p, '\n')
	if end < 0 {
		if b.extra+len(p) > MaxTrailers {
			return Frame, 0, ErrTrailerTooLarge
		}
		if p[0] == '\r' && len(p) > 1 {
			return Frame, 0, ErrLineEnd
		}
		return Frame, 0, nil
	}
	if end == 0 || p[end-1] != '\r' {
		return Frame, 0, ErrLineEnd
	}
	if end == 1 {
		b.state = done
		return Frame, 2, nil
	}
	if b.extra += end + 1; b.extra > MaxTrailers {
		return Frame, 0, ErrTrailerTooLarge
	}
	if p[0] == ' ' || p[0] == '\t' {
		return Frame, 0, ErrFolding
	}
	name, value, err := splitField(p[:end-1])
	if err != nil {
		return Frame, 0, err
	}
	if KindOf(view(name)) != Other {
		return Dropped, end + 1, nil
	}
	if b.keeps {
		b.trailers = append(b.trailers, Field{string(name), string(value)})
	}
	return Frame, end + 1, nil
}

// hexDigit is the value of a hexadecimal digit, or -1.
func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

// Next goes as far through p as it can. It moves what is to be passed on to the front of p and returns how
// long that is (keep) and how much of p it has used (used). With contentOnly, only content is kept, for a
// receiver that knows no chunks. What follows used is either the rest of an unfinished line or, when the
// body is Done, not part of the body.
func (b *Body) Next(p []byte, contentOnly bool) (keep, used int, err error) {
	for used < len(p) {
		part, n, err := b.Step(p[used:])
		if err != nil {
			return keep, used, err
		}
		if n == 0 {
			// atExt has nothing to drop when the extension is empty; it never is. Done or too few bytes.
			break
		}
		if part == Data || part == Frame && !contentOnly {
			if keep != used {
				copy(p[keep:], p[used:used+n])
			}
			keep += n
		}
		used += n
	}
	return keep, used, nil
}
