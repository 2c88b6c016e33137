package http2

import (
	"encoding/binary"
	"math/bits"
	"strconv"
	"unsafe"
)

// Sizes of what the encoder remembers by hash. A slot holds the last that fell into it: who is pushed out is sent in
// full once more, and nothing else happens.
const (
	exactSlots = 128
	nameSlots  = 32
	seenSlots  = 64
)

// encoder writes header blocks (RFC 7541). A field goes into the table when the same one comes for the second time, so
// that what never repeats (ids, dates of requests, signatures) doesn't push out what does. Strings are not Huffman-coded:
// that would cost more time than the bytes are worth inside of a data centre.
type encoder struct {
	table   dynamicTable
	known   *encoderSlots
	resized bool // the peer must be told of the table's size
}

// encoderSlots finds entries of the table. Numbers are one more than the table's, 0 is nothing.
type encoderSlots struct {
	exact [exactSlots]uint32 // by the hash of name and value
	names [nameSlots]uint32  // by the hash of the name
	seen  [seenSlots]uint32  // hashes of fields that were sent once, and are not in the table
}

// limit holds the table to what the peer's SETTINGS_HEADER_TABLE_SIZE says. Of several sizes since the last block the
// smallest stays: one change is then enough to tell of, and some decoders take no more.
func (e *encoder) limit(size uint32) {
	n := int(min(size, tableSize))
	if e.resized {
		n = min(n, e.table.max)
	}
	if n != e.table.max {
		e.resized = true
		e.table.setMax(n)
	}
}

// begin writes what must stand first in a block: a change of the table's size (RFC 7541 4.2).
func (e *encoder) begin(dst []byte) []byte {
	if !e.resized {
		return dst
	}
	e.resized = false
	return appendInteger(dst, 0x20, 5, e.table.max)
}

// field writes a field. The name must be in lower case. What is secret goes into no table, here and further on.
func (e *encoder) field(dst []byte, name, value string, secret bool) []byte {
	nameHash := hash(name)
	index := staticName(name, nameHash)
	if index != 0 && !secret {
		for i := index; i < len(staticTable) && staticTable[i].name == name; i++ {
			if staticTable[i].value == value {
				return append(dst, 0x80|byte(i))
			}
		}
	}
	if secret {
		return e.literal(dst, 0x10, 4, index, name, value)
	}
	if e.known == nil {
		e.known = new(encoderSlots)
	}
	h := hash(value)*0x9e3779b1 ^ nameHash
	exact := &e.known.exact[h%exactSlots]
	if *exact != 0 {
		if f, age := e.table.numbered(*exact - 1); f != nil && f.name == name && f.value == value {
			return appendInteger(dst, 0x80, 7, len(staticTable)+age)
		}
	}
	named := &e.known.names[nameHash%nameSlots]
	if index == 0 && *named != 0 {
		if f, age := e.table.numbered(*named - 1); f != nil && f.name == name {
			index = len(staticTable) + age
		}
	}
	seen := &e.known.seen[h>>16%seenSlots]
	if size := len(name) + len(value) + overhead; *seen != h || size > e.table.max/2 {
		*seen = h
		return e.literal(dst, 0, 4, index, name, value)
	}
	dst = e.literal(dst, 0x40, 6, index, name, value)
	e.table.add(entry{name: name, value: value})
	*exact, *named = e.table.added, e.table.added
	return dst
}

// literal writes a field with its value, and with its name unless it has an index.
func (e *encoder) literal(dst []byte, pattern byte, prefix uint, index int, name, value string) []byte {
	dst = appendInteger(dst, pattern, prefix, index)
	if index == 0 {
		dst = appendText(dst, name)
	}
	return appendText(dst, value)
}

// status writes the status of an answer.
func (e *encoder) status(dst []byte, code int) []byte {
	switch code {
	case 200:
		return append(dst, 0x80|8)
	case 204:
		return append(dst, 0x80|9)
	case 206:
		return append(dst, 0x80|10)
	case 304:
		return append(dst, 0x80|11)
	case 400:
		return append(dst, 0x80|12)
	case 404:
		return append(dst, 0x80|13)
	case 500:
		return append(dst, 0x80|14)
	}
	return strconv.AppendInt(append(dst, 8, 3), int64(code), 10)
}

// appendText writes a string as it is.
func appendText(dst []byte, s string) []byte {
	return append(appendInteger(dst, 0, 7, len(s)), s...)
}

// appendInteger writes a number behind a pattern whose lower bits, as many as prefix, are its first (RFC 7541 5.1).
func appendInteger(dst []byte, pattern byte, prefix uint, n int) []byte {
	most := 1<<prefix - 1
	if n < most {
		return append(dst, pattern|byte(n))
	}
	dst = append(dst, pattern|byte(most))
	for n -= most; n >= 0x80; n >>= 7 {
		dst = append(dst, byte(n)|0x80)
	}
	return append(dst, byte(n))
}

// hash mixes the length and the first, middle and last bytes of a string: names differ there, and so do most values.
// Who makes values that differ elsewhere only gets them sent in full.
func hash(s string) uint32 {
	const a, b = 0x9e3779b97f4a7c15, 0xd6e8feb86659fd93
	n := len(s)
	p := unsafe.Slice(unsafe.StringData(s), n)
	var x, y uint64
	switch {
	case n >= 16:
		x = binary.LittleEndian.Uint64(p) ^ bits.RotateLeft64(binary.LittleEndian.Uint64(p[n/2-4:]), 21)
		y = binary.LittleEndian.Uint64(p[n-8:])
	case n >= 8:
		x, y = binary.LittleEndian.Uint64(p), binary.LittleEndian.Uint64(p[n-8:])
	case n >= 4:
		x, y = uint64(binary.LittleEndian.Uint32(p)), uint64(binary.LittleEndian.Uint32(p[n-4:]))
	case n > 0:
		x, y = uint64(p[0])|uint64(p[n/2])<<8, uint64(p[n-1])
	}
	x = (x ^ uint64(n)) * a
	x = (x ^ x>>32 ^ y) * b
	return uint32(x >> 32)
}

// staticNames finds the first entry of a name in the static table, by its hash: the place, or one of those after it.
var staticNames = func() (t [256]uint8) {
	for i := len(staticTable) - 1; i > 0; i-- {
		if i > 1 && staticTable[i-1].name == staticTable[i].name {
			continue
		}
		at := uint8(hash(staticTable[i].name))
		for t[at] != 0 {
			at++
		}
		t[at] = uint8(i)
	}
	return t
}()

// staticName returns the index of a name's first entry in the static table, or 0.
func staticName(name string, h uint32) int {
	for at := uint8(h); staticNames[at] != 0; at++ {
		if i := staticNames[at]; staticTable[i].name == name {
			return int(i)
		}
	}
	return 0
}
