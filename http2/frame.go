package http2

import "encoding/binary"

// Sizes of frames (RFC 9113 4.1, 4.2). What is received is never larger than what every receiver must take: a frame
// so fits the buffer of an event loop.
const (
	frameHead = 9
	maxFrame  = 16384
)

// kinds of frames (RFC 9113 6).
const (
	dataFrame uint8 = iota
	headersFrame
	priorityFrame
	resetFrame
	settingsFrame
	pushFrame
	pingFrame
	goawayFrame
	windowFrame
	continuationFrame
)

// flags of frames.
const (
	endStreamFlag  = 0x1
	ackFlag        = 0x1
	endHeadersFlag = 0x4
	paddedFlag     = 0x8
	priorityFlag   = 0x20
)

// maxID is the highest number of a stream, and the largest window.
const maxID = 1<<31 - 1

// frame is a frame that came.
type frame struct {
	kind, flags uint8
	id          uint32
	payload     []byte
}

// has tells whether a flag is set.
func (f *frame) has(flag uint8) bool { return f.flags&flag != 0 }

// unpad takes the padding off a payload (RFC 9113 6.1).
func (f *frame) unpad() bool {
	if !f.has(paddedFlag) {
		return true
	}
	if len(f.payload) == 0 || int(f.payload[0]) >= len(f.payload) {
		return false
	}
	f.payload = f.payload[1 : len(f.payload)-int(f.payload[0])]
	return true
}

// appendFrame writes the head of a frame.
func appendFrame(dst []byte, length int, kind, flags uint8, id uint32) []byte {
	return append(dst, byte(length>>16), byte(length>>8), byte(length), kind, flags, byte(id>>24), byte(id>>16), byte(id>>8), byte(id))
}

// appendNumber writes a frame whose payload is one number: RST_STREAM or WINDOW_UPDATE.
func appendNumber(dst []byte, kind uint8, id, n uint32) []byte {
	return binary.BigEndian.AppendUint32(appendFrame(dst, 4, kind, 0, id), n)
}

// appendSetting writes one setting of a SETTINGS frame.
func appendSetting(dst []byte, name uint16, value uint32) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(dst, name), value)
}
