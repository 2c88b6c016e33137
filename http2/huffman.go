package http2

import (
	"encoding/binary"
	"slices"
)

// huffmanLengths are the lengths in bits of the codes of all bytes and of EOS (RFC 7541 appendix B). The codes follow
// from them: they are given out in the order of length, then of the byte.
var huffmanLengths = [257]uint8{
	13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
	28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
	6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
	5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
	13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
	7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
	15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
	6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
	20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
	24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
	22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
	21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
	26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
	19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
	20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
	26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
	30,
}

// Sizes of the codes: no code is shorter than 5 bits or longer than 30. The next bits that are looked up at once hold
// two codes of what is usual in fields.
const (
	shortest  = 5
	longest   = 30
	quickBits = 12
	endOfText = 256
)

// quickCode is what quickBits bits begin with: one or two bytes, with the length of the first code and of both; or
// nothing, when the first code is longer.
type quickCode struct{ first, second, length, both uint8 }

// huffmanCodes is what huffmanLengths say, for decoding.
var huffmanCodes = func() (t struct {
	quick [1 << quickBits]quickCode
	first [longest + 1]uint32         // the first code of each length
	count [longest + 1]uint32         // how many codes have it
	start [longest + 1]uint32         // where their bytes begin in order
	order [len(huffmanLengths)]uint16 // all bytes and EOS, in the order of their codes
}) {
	code, n := uint32(0), uint32(0)
	for length := shortest; length <= longest; length++ {
		t.first[length], t.start[length] = code, n
		for c, l := range huffmanLengths {
			if int(l) != length {
				continue
			}
			if length <= quickBits {
				for i := code << (quickBits - length); i < (code+1)<<(quickBits-length); i++ {
					t.quick[i] = quickCode{uint8(c), 0, uint8(length), uint8(length)}
				}
			}
			t.order[n] = uint16(c)
			code, n = code+1, n+1
		}
		t.count[length] = n - t.start[length]
		code <<= 1
	}
	one := t.quick
	for i := range t.quick {
		q := &t.quick[i]
		if next := one[i<<q.length&(1<<quickBits-1)]; q.length > 0 && next.length > 0 && q.length+next.length <= quickBits {
			q.second, q.both = next.first, q.length+next.length
		}
	}
	return t
}()

// appendHuffman decodes src behind dst. It fails when EOS is in it, or when what fills the last byte is not the
// beginning of EOS or as long as a byte (RFC 7541 5.2).
func appendHuffman(dst, src []byte) ([]byte, bool) {
	n := len(dst)
	most := len(src)*8/shortest + 2 // two bytes are written at once, even if one is enough
	dst = slices.Grow(dst, most)[:n+most]
	var bits uint64 // the next ones, from the highest down
	var have uint   // how many of them are there
	for {
		if len(src) >= 8 {
			bits |= binary.BigEndian.Uint64(src) >> have
			more := (63 - have) >> 3
			src, have = src[more:], have+more*8
		} else {
			for have <= 56 && len(src) > 0 {
				bits |= uint64(src[0]) << (56 - have)
				src, have = src[1:], have+8
			}
		}
		for have >= longest || len(src) == 0 {
			q := huffmanCodes.quick[bits>>(64-quickBits)]
			if both := uint(q.both); q.length > 0 && both <= have {
				dst[n], dst[n+1] = q.first, q.second
				n++
				if q.both > q.length {
					n++
				}
				bits, have = bits<<both, have-both
				continue
			}
			length, c := uint(q.length), uint16(q.first)
			if length == 0 {
				length, c = slowHuffman(bits)
			}
			if length == 0 || length > have {
				// Only padding is left: fewer bits than a byte, all set.
				rest := uint64(1)<<have - 1
				return dst[:n], len(src) == 0 && have < 8 && (have == 0 || bits>>(64-have) == rest)
			}
			if c == endOfText {
				return dst[:n], false
			}
			dst[n] = byte(c)
			n++
			bits, have = bits<<length, have-length
		}
	}
}

// slowHuffman finds a code that is longer than quickBits at the top of bits. The length is 0 when there is none.
func slowHuffman(bits uint64) (length uint, c uint16) {
	for length = quickBits + 1; length <= longest; length++ {
		code := uint32(bits >> (64 - length))
		if i := code - huffmanCodes.first[length]; code >= huffmanCodes.first[length] && i < huffmanCodes.count[length] {
			return length, huffmanCodes.order[huffmanCodes.start[length]+i]
		}
	}
	return 0, 0
}
