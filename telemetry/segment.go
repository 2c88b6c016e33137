package telemetry

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"path/filepath"
)

const (
	// segmentBytes is the size at which a group goes on in a new segment.
	segmentBytes = 16 << 20
	// maxRecord bounds a record, so that a damaged length cannot ask for much memory.
	maxRecord = 2 << 20
	// recordHead is the size of the length and the checksum before each record's body.
	recordHead = 8
)

// The types of records, the first byte of their body.
const (
	recordEvent  = 1 // uvarint stream, varint time, varint ingestion time (ms), then the message
	recordStream = 2 // uvarint stream, varint creation time (ms), then the name
	recordGone   = 3 // uvarint stream: it was deleted, and its earlier events with it
)

// castagnoli is the polynomial of the records' checksums.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var (
	// errTorn says that a record is cut off: the process or machine ended while it was written. What lies
	// before it is whole, and nothing lies behind it.
	errTorn = errors.New("record is cut off")
	// errDamaged says that a record is not as it was written. What lies before it is whole.
	errDamaged = errors.New("record is damaged")
)

// segment is one file of a log group. Each begins by naming all streams of the group, so that older segments
// can be removed.
type segment struct {
	number       uint32
	path         string
	size         int64 // bytes that are whole
	first, last  int64 // times of events, ms; first > last while there is none
	unsynced     bool
	file         *os.File // open for appending in the newest one
	eventRecords int64
}

// segmentPath is the file of a segment.
func segmentPath(dir string, number uint32) string {
	return filepath.Join(dir, fmt.Sprintf("segment-%08d.log", number))
}

// newSegment describes an empty segment.
func newSegment(dir string, number uint32) *segment {
	return &segment{number: number, path: segmentPath(dir, number), first: math.MaxInt64, last: math.MinInt64}
}

// record is a decoded record.
type record struct {
	kind     byte
	stream   uint64
	time     int64 // of an event; of a stream when it was created
	ingested int64
	text     []byte // message or name, valid until the next record is read
	offset   int64  // where it begins in its segment
}

// appendRecord appends a record with its length and checksum to b.
func appendRecord(b []byte, r record) []byte {
	at := len(b)
	b = append(b, make([]byte, recordHead)...)
	b = append(b, r.kind)
	b = binary.AppendUvarint(b, r.stream)
	switch r.kind {
	case recordEvent:
		b = binary.AppendVarint(b, r.time)
		b = binary.AppendVarint(b, r.ingested)
	case recordStream:
		b = binary.AppendVarint(b, r.time)
	}
	b = append(b, r.text...)
	body := b[at+recordHead:]
	binary.LittleEndian.PutUint32(b[at:], uint32(len(body)))
	binary.LittleEndian.PutUint32(b[at+4:], crc32.Checksum(body, castagnoli))
	return b
}

// decodeRecord decodes a record's body. It returns errDamaged for what appendRecord cannot have written.
func decodeRecord(body []byte) (record, error) {
	if len(body) == 0 {
		return record{}, errDamaged
	}
	r := record{kind: body[0]}
	body = body[1:]
	bad := false
	next := func() int64 {
		v, n := binary.Varint(body)
		if n <= 0 {
			bad = true
			return 0
		}
		body = body[n:]
		return v
	}
	stream, n := binary.Uvarint(body)
	if n <= 0 {
		return record{}, errDamaged
	}
	r.stream, body = stream, body[n:]
	switch r.kind {
	case recordEvent:
		r.time = next()
		r.ingested = next()
	case recordStream:
		r.time = next()
	case recordGone:
	default:
		return record{}, errDamaged
	}
	if bad {
		return record{}, errDamaged
	}
	r.text = body
	return r, nil
}

// recordReader reads the records of a segment one after another.
type recordReader struct {
	r   *bufio.Reader
	buf []byte
	at  int64
}

// newRecordReader reads records from r.
func newRecordReader(r io.Reader) *recordReader {
	return &recordReader{r: bufio.NewReaderSize(r, 64<<10)}
}

// next returns the next record, io.EOF at the end, errTorn or errDamaged. at is then the end of the last whole record.
func (rr *recordReader) next() (record, error) {
	var head [recordHead]byte
	if _, err := io.ReadFull(rr.r, head[:]); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return record{}, errTorn
		}
		return record{}, err
	}
	n := binary.LittleEndian.Uint32(head[:4])
	if n > maxRecord {
		return record{}, errDamaged
	}
	if cap(rr.buf) < int(n) {
		rr.buf = make([]byte, n, max(int(n), 4096))
	}
	rr.buf = rr.buf[:n]
	if _, err := io.ReadFull(rr.r, rr.buf); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return record{}, errTorn
		}
		return record{}, err
	}
	if crc32.Checksum(rr.buf, castagnoli) != binary.LittleEndian.Uint32(head[4:]) {
		return record{}, errDamaged
	}
	r, err := decodeRecord(rr.buf)
	if err != nil {
		return record{}, err
	}
	r.offset = rr.at
	rr.at += recordHead + int64(n)
	return r, nil
}

// note widens what the segment says of its events by one of them.
func (s *segment) note(at int64) {
	s.first, s.last = min(s.first, at), max(s.last, at)
	s.eventRecords++
}
