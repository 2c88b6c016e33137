package http1

import "strconv"

// AppendRequestLine writes the request line in origin-form, as a proxy speaks to a target.
func AppendRequestLine(dst []byte, h *Head) []byte {
	dst = append(dst, h.Method...)
	dst = append(dst, ' ')
	dst = append(dst, h.Path...)
	if h.HasQuery {
		dst = append(dst, '?')
		dst = append(dst, h.RawQuery...)
	}
	return append(dst, " HTTP/1.1\r\n"...)
}

// AppendStatusLine writes the status line.
func AppendStatusLine(dst []byte, status int, reason string) []byte {
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(status), 10)
	dst = append(dst, ' ')
	dst = append(dst, reason...)
	return append(dst, "\r\n"...)
}

// AppendField writes one field line. The value must be a valid one.
func AppendField(dst []byte, name, value string) []byte {
	dst = append(dst, name...)
	dst = append(dst, ": "...)
	dst = append(dst, value...)
	return append(dst, "\r\n"...)
}

// Mask is a set of kinds.
type Mask uint32

// endToEnd are the kinds of fields that AppendFields always leaves out: what is about one connection, what
// only the network may say, what AppendFraming writes, and names that could be taken for those.
const endToEnd = ^Mask(1<<HopByHop | 1<<Connection | 1<<ContentLength | 1<<TransferEncoding | 1<<Lattice | 1<<Shadow | 1<<Confusable)

// AppendFields writes the fields that may go to the next hop, but those of the kinds in drop. Fields that
// Connection names stay behind too (RFC 9110 7.6.1), but for Host, which a request cannot be without.
// Max-Forwards is one less where it counts.
func AppendFields(dst []byte, h *Head, drop Mask) []byte {
	pass := endToEnd &^ drop
	for i, k := range h.Kinds {
		if pass&(1<<k) == 0 || h.Nominated && h.nominates(i) {
			continue
		}
		f := &h.Fields[i]
		if k == MaxForwards && h.countsHops() {
			dst = append(append(dst, f.Name...), ": "...)
			dst = append(strconv.AppendInt(dst, h.HopsLeft(i), 10), "\r\n"...)
			continue
		}
		dst = AppendField(dst, f.Name, f.Value)
	}
	return dst
}

// Passes tells whether a field, by its place, may go to the next hop when those of the kinds in drop may not.
func (h *Head) Passes(i int, drop Mask) bool {
	return (endToEnd&^drop)&(1<<h.Kinds[i]) != 0 && !(h.Nominated && h.nominates(i))
}

// HopsLeft returns what a Max-Forwards field, by its place, says to the next hop, or -1 when the field goes on as it is.
func (h *Head) HopsLeft(i int) int64 {
	if h.Kinds[i] != MaxForwards || !h.countsHops() {
		return -1
	}
	n, _ := decimal(h.Fields[i].Value)
	return n - 1
}

// nominates tells whether a Connection field names a field, by its place, that is not Host.
func (h *Head) nominates(i int) bool {
	if h.Kinds[i] == Host {
		return false
	}
	name := h.Fields[i].Name
	for i, k := range h.Kinds {
		if k != Connection {
			continue
		}
		for t, v := "", h.Fields[i].Value; v != ""; {
			if t, v = nextToken(v); foldEqual(t, name) {
				return true
			}
		}
	}
	return false
}

// foldEqual compares two names, ignoring ASCII case.
func foldEqual(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		x, y := a[i], b[i]
		if x >= 'A' && x <= 'Z' {
			x |= 0x20
		}
		if y >= 'A' && y <= 'Z' {
			y |= 0x20
		}
		if x != y {
			return false
		}
	}
	return true
}

// AppendFraming writes the field that frames the body: Content-Length or Transfer-Encoding, or nothing.
func AppendFraming(dst []byte, h *Head) []byte {
	switch {
	case h.Coded:
		return append(dst, "Transfer-Encoding: chunked\r\n"...)
	case h.Declared:
		dst = append(dst, "Content-Length: "...)
		dst = strconv.AppendInt(dst, h.Length, 10)
		return append(dst, "\r\n"...)
	}
	return dst
}
