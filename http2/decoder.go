package http2

import "github.com/trellis-project/trellis/http1"

// list is a header list as it was decoded.
type list struct {
	fields []entry
	arena  []byte // what strings that stand in no table are cut from
	size   int    // as SETTINGS_MAX_HEADER_LIST_SIZE counts (RFC 9113 6.5.2)
	over   bool   // the list was larger than http1.MaxHead: the rest of it was decoded and dropped
}

// decoder reads header blocks (RFC 7541). What is not fit for a field is noted and not refused here: the state
// that it shares with the peer's encoder must stay right.
type decoder struct {
	table dynamicTable
}

// decode reads a whole header block and adds its fields to l. It fails when the block is no HPACK; then the connection
// is lost.
func (d *decoder) decode(p []byte, l *list) bool {
	sized := true // the table's size may change only before the first field (RFC 7541 4.2)
	for len(p) > 0 {
		b := p[0]
		var ok bool
		switch {
		case b >= 0x80:
			var n int
			if n, p, ok = integer(p, 7); !ok {
				return false
			}
			e := d.entry(n)
			if e == nil {
				return false
			}
			l.add(e)
			sized = false
			continue
		case b >= 0x40:
			p, ok = d.literal(p, l, 6, true)
		case b >= 0x20:
			var n int
			n, p, ok = integer(p, 5)
			if !sized || n > tableSize {
				return false
			}
			d.table.setMax(n)
			if !ok {
				return false
			}
			continue
		default:
			p, ok = d.literal(p, l, 4, false)
		}
		if !ok {
			return false
		}
		sized = false
	}
	return true
}

// entry returns what an index stands for, or nil.
func (d *decoder) entry(index int) *entry {
	if index < len(staticTable) {
		if index == 0 {
			return nil
		}
		return &staticTable[index]
	}
	return d.table.at(index - len(staticTable))
}

// literal reads a field whose value, and maybe name, stands in the block (RFC 7541 6.2).
func (d *decoder) literal(p []byte, l *list, prefix uint, index bool) ([]byte, bool) {
	secret := !index && p[0]&0x10 != 0
	n, p, ok := integer(p, prefix)
	if !ok {
		return nil, false
	}
	mark := len(l.arena)
	var e entry
	if n != 0 {
		named := d.entry(n)
		if named == nil {
			return nil, false
		}
		e = *named
	} else {
		if e.name, p, ok = l.text(p); !ok {
			return nil, false
		}
		e.class = classOf(e.name)
	}
	if e.value, p, ok = l.text(p); !ok {
		return nil, false
	}
	e.badValue, e.secret = !fitValue(e.value), secret
	if index {
		e = d.table.add(e)
		l.arena = l.arena[:mark] // the table's strings stay
	}
	l.add(&e)
	if l.over {
		l.arena = l.arena[:mark]
	}
	return p, true
}

// add adds a field while the list may grow.
func (l *list) add(e *entry) {
	if l.size += e.size(); l.size > http1.MaxHead {
		l.over = true
		return
	}
	l.fields = append(l.fields, *e)
}

// text reads a string (RFC 7541 5.2).
func (l *list) text(p []byte) (s string, rest []byte, ok bool) {
	if len(p) == 0 {
		return "", nil, false
	}
	coded := p[0]&0x80 != 0
	n, p, ok := integer(p, 7)
	if !ok || n > len(p) {
		return "", nil, false
	}
	mark := len(l.arena)
	if coded {
		l.arena, ok = appendHuffman(l.arena, p[:n])
	} else {
		l.arena = append(l.arena, p[:n]...)
	}
	return view(l.arena[mark:]), p[n:], ok
}

// integer reads a number whose first bits, as many as prefix, stand in the first byte (RFC 7541 5.1). What needs
// more than five further bytes is more than anything here can be.
func integer(p []byte, prefix uint) (n int, rest []byte, ok bool) {
	most := 1<<prefix - 1
	n = int(p[0]) & most
	if n < most {
		return n, p[1:], true
	}
	for i := 1; i < len(p) && i <= 5; i++ {
		n += int(p[i]&0x7f) << (7 * (i - 1))
		if p[i] < 0x80 {
			return n, p[i+1:], n < 1<<31
		}
	}
	return 0, nil, false
}
