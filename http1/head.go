package http1

import "bytes"

// Limits of a head (VPC Lattice user guide, monitoring-access-logs: 60 K and 100 headers).
const (
	MaxHead   = 60 << 10 // bytes of a head, its last empty line included
	MaxFields = 100
	MaxLine   = 16 << 10 // bytes of a request line, status line or field line
)

// Framing says how the end of a body is told (RFC 9112 6.3).
type Framing uint8

// The framings.
const (
	NoBody     Framing = iota
	ByLength           // Head.Length bytes
	Chunked            // chunks and trailers
	UntilClose         // of a response: all until the connection ends
)

// Head is the head of a request or response. It is used again and again: Parse empties it first. Its
// strings are views of the parsed buffer.
type Head struct {
	Method   string // of a request
	Target   string // of a request, as it came
	Path     string // of a request, raw, never empty: origin-form's path, or "*"
	RawQuery string // of a request, raw, without '?'
	HasQuery bool   // a '?' was there, maybe with nothing after it
	Host     string // of a request: the absolute target's authority, else the Host field's value
	Absolute bool   // of a request: the target was in absolute-form

	Status int    // of a response
	Reason string // of a response

	Minor  int // 0 or 1: the version is HTTP/1.Minor; higher ones count as 1
	Fields []Field
	Kinds  []Kind    // of Fields, one for each
	Secret [2]uint64 // the fields, by their place, that no hop may put into a table of HTTP/2 (RFC 7541 7.1.3)

	Framing  Framing
	Length   int64 // of ByLength
	Declared bool  // a Content-Length was there: Length is its value even if Framing is NoBody
	Coded    bool  // Transfer-Encoding: chunked was there, even if Framing is NoBody

	Close     bool // the sender will close the connection after this message, or says HTTP/1.0
	Nominated bool // Connection names fields to drop
	Continue  bool // Expect: 100-continue
	Upgrade   bool // the sender would like to switch protocols
	HasDate   bool

	Switching bool // of a response, said before it is parsed: the request asked to switch protocols, so 101 may come

	scan int // where looking for the end of the head goes on
	line int // where the line at scan begins
	seen bool
}

// Reset empties the head before the first Parse of a message.
func (h *Head) Reset() {
	*h = Head{Fields: h.Fields[:0], Kinds: h.Kinds[:0]}
}

// ParseRequest reads the head of a request at the start of buf. It returns how many bytes the head has,
// or 0 when bytes are missing: call it again with the same head and a longer buf. h must have been Reset
// before the first call. An error is always an *Error.
func ParseRequest(buf []byte, h *Head) (int, error) {
	skip := 0
	if len(buf) >= 2 && buf[0] == '\r' && buf[1] == '\n' {
		skip = 2 // one empty line before a request is let pass (RFC 9112 2.2)
	}
	end, err := h.end(buf, skip, true)
	if end == 0 || err != nil {
		return 0, err
	}
	i := skip + bytes.IndexByte(buf[skip:end], '\n')
	if err := h.requestLine(buf[skip : i-1]); err != nil {
		return 0, err
	}
	if err := h.fields(buf[i+1 : end-2]); err != nil {
		return 0, err
	}
	if err := h.frameRequest(); err != nil {
		return 0, err
	}
	return end, nil
}

// ParseResponse is ParseRequest for the head of a response. toHead tells that the request was a HEAD.
func ParseResponse(buf []byte, h *Head, toHead bool) (int, error) {
	end, err := h.end(buf, 0, false)
	if end == 0 || err != nil {
		return 0, err
	}
	i := bytes.IndexByte(buf[:end], '\n')
	if err := h.statusLine(buf[:i-1]); err != nil {
		return 0, err
	}
	if err := h.fields(buf[i+1 : end-2]); err != nil {
		return 0, err
	}
	if err := h.frameResponse(toHead); err != nil {
		return 0, err
	}
	return end, nil
}

// end finds the end of the head, and refuses as early as it can: a client with a bad first line shall
// not wait for a time-out. Bytes that were looked at are not looked at again.
func (h *Head) end(buf []byte, skip int, request bool) (int, error) {
	if h.scan < skip {
		h.scan, h.line = skip, skip
	}
	if len(buf) > skip && !h.seen {
		if request && class[buf[skip]]&isToken == 0 && buf[skip] != '\r' {
			return 0, ErrRequestLine
		}
		if !request && buf[0] != 'H' {
			return 0, ErrStatusLine
		}
	}
	for h.scan < len(buf) {
		i := bytes.IndexByte(buf[h.scan:], '\n')
		if i < 0 {
			h.scan = len(buf)
			break
		}
		i += h.scan
		if i == 0 || buf[i-1] != '\r' {
			return 0, ErrLineEnd
		}
		if i-h.line > MaxLine {
			return 0, tooLong(h.seen || !request)
		}
		if !h.seen {
			h.seen = true
			if i-1 == h.line {
				return 0, ErrRequestLine // a second empty line
			}
			if request {
				if err := h.requestLine(buf[h.line : i-1]); err != nil {
					return 0, err
				}
			}
		} else if i-1 == h.line {
			if i >= MaxHead {
				return 0, ErrHeadTooLarge
			}
			return i + 1, nil
		}
		h.scan, h.line = i+1, i+1
	}
	switch {
	case len(buf)-h.line > MaxLine:
		return 0, tooLong(h.seen || !request)
	case len(buf) >= MaxHead:
		return 0, ErrHeadTooLarge
	}
	return 0, nil
}

// tooLong is the error about a line that is too long.
func tooLong(isField bool) error {
	if isField {
		return ErrFieldTooLong
	}
	return ErrTargetTooLong
}

// fields reads the field lines of b, each of which ends with CRLF.
func (h *Head) fields(b []byte) error {
	h.Fields, h.Kinds = h.Fields[:0], h.Kinds[:0]
	for len(b) > 0 {
		if b[0] == ' ' || b[0] == '\t' {
			return ErrFolding
		}
		end := bytes.IndexByte(b, '\n')
		line := b[:end-1]
		b = b[end+1:]
		name, value, err := splitField(line)
		if err != nil {
			return err
		}
		if len(h.Fields) == MaxFields {
			return ErrTooManyFields
		}
		h.Fields = append(h.Fields, Field{view(name), view(value)})
		h.Kinds = append(h.Kinds, KindOf(view(name)))
	}
	return nil
}

// splitField splits a field line, without its end, and checks both parts.
func splitField(line []byte) (name, value []byte, err error) {
	colon := 0
	for colon < len(line) && class[line[colon]]&isToken != 0 {
		colon++
	}
	if colon == 0 || colon == len(line) || line[colon] != ':' {
		return nil, nil, ErrFieldName
	}
	if !validValue(line[colon+1:]) {
		return nil, nil, ErrFieldValue
	}
	return line[:colon], trim(line[colon+1:]), nil
}

// Of returns the value of the first field of a kind, or "".
func (h *Head) Of(k Kind) string {
	for i, x := range h.Kinds {
		if x == k {
			return h.Fields[i].Value
		}
	}
	return ""
}
