package telemetry

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// groupFile is the file that says what a group is. It is replaced whole when that changes.
const groupFile = "group.json"

// groupMeta is what groupFile holds.
type groupMeta struct {
	Account       string            `json:"account"`
	Name          string            `json:"name"`
	CreatedMillis int64             `json:"createdMillis"`
	RetentionDays int32             `json:"retentionDays,omitempty"` // 0 keeps for ever
	Class         string            `json:"class"`
	KMSKeyID      string            `json:"kmsKeyId,omitempty"`
	Protected     bool              `json:"protected,omitempty"` // from deletion
	Tags          map[string]string `json:"tags,omitempty"`
	MetricFilters []MetricFilter    `json:"metricFilters,omitempty"`
}

// stream is what is known of a log stream without reading its events.
type stream struct {
	name                       string
	number                     uint64
	created                    int64 // ms
	bytes                      int64
	first, last, lastIngestion int64 // ms; 0 while there is no event
}

// group is an open log group.
type group struct {
	dir string
	log *slog.Logger

	mu       sync.RWMutex
	meta     groupMeta
	streams  map[string]*stream // by name
	numbers  map[uint64]*stream
	lastNum  uint64
	segments []*segment // oldest first; the last one is open for appending, if it is whole
	deleted  bool
	filters  []*liveFilter // those of meta at work; never changed, only replaced
}

// openGroup opens the group in a folder: it reads every segment once and removes a record that was cut off from the end of the newest.
func openGroup(dir string, log *slog.Logger) (*group, error) {
	g := &group{dir: dir, log: log, streams: map[string]*stream{}, numbers: map[uint64]*stream{}}
	b, err := os.ReadFile(filepath.Join(dir, groupFile))
	if err != nil {
		return nil, fmt.Errorf("open log group: %w", err)
	}
	if err := json.Unmarshal(b, &g.meta); err != nil {
		return nil, fmt.Errorf("open log group: read %s: %w", filepath.Join(dir, groupFile), err)
	}
	for _, f := range g.meta.MetricFilters {
		live, err := f.liven()
		if err != nil {
			return nil, fmt.Errorf("open log group %s: metric filter %s: %w", g.meta.Name, f.Name, err)
		}
		g.filters = append(g.filters, live)
	}
	names, err := filepath.Glob(filepath.Join(dir, "segment-*.log"))
	if err != nil {
		return nil, fmt.Errorf("open log group %s: %w", g.meta.Name, err)
	}
	slices.Sort(names)
	for i, name := range names {
		number, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimPrefix(filepath.Base(name), "segment-"), ".log"), 10, 32)
		if err != nil {
			continue // not ours
		}
		s := newSegment(dir, uint32(number))
		if err := g.load(s, i == len(names)-1); err != nil {
			return nil, fmt.Errorf("open log group %s: segment %d: %w", g.meta.Name, number, err)
		}
		g.segments = append(g.segments, s)
	}
	return g, nil
}

// load reads a segment for what it says of streams and times, and opens the newest one for appending.
func (g *group) load(s *segment, newest bool) error {
	f, err := os.OpenFile(s.path, os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	rr := newRecordReader(f)
	for {
		r, err := rr.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if errors.Is(err, errTorn) && newest {
			g.log.Info("cut-off log record removed", "log_group", g.meta.Name, "segment", s.path, "whole_bytes", rr.at)
			if err := f.Truncate(rr.at); err != nil {
				f.Close()
				return err
			}
			break
		}
		if errors.Is(err, errTorn) || errors.Is(err, errDamaged) {
			// The file stays as it is, for who wants to look; what comes next goes into a new one.
			g.log.Warn("log segment is damaged", "log_group", g.meta.Name, "segment", s.path, "whole_bytes", rr.at)
			newest = false
			break
		}
		if err != nil {
			f.Close()
			return err
		}
		g.replay(s, r)
	}
	s.size = rr.at
	if !newest {
		return f.Close()
	}
	s.file = f
	return nil
}

// replay takes a record into account that was read at the start.
func (g *group) replay(s *segment, r record) {
	switch r.kind {
	case recordStream:
		if g.numbers[r.stream] == nil {
			g.addStream(&stream{name: string(r.text), number: r.stream, created: r.time})
		}
	case recordGone:
		if st := g.numbers[r.stream]; st != nil {
			delete(g.numbers, r.stream)
			delete(g.streams, st.name)
		}
	case recordEvent:
		s.note(r.time)
		if st := g.numbers[r.stream]; st != nil {
			st.note(r.time, r.ingested, len(r.text))
		}
	}
}

// addStream makes a stream known.
func (g *group) addStream(st *stream) {
	g.streams[st.name], g.numbers[st.number] = st, st
	g.lastNum = max(g.lastNum, st.number)
}

// note takes an event of the stream into account.
func (st *stream) note(at, ingested int64, size int) {
	if st.bytes == 0 {
		st.first, st.last = at, at
	}
	st.first, st.last, st.lastIngestion = min(st.first, at), max(st.last, at), max(st.lastIngestion, ingested)
	st.bytes += int64(size) + eventOverhead
}

// write appends records to the newest segment, and begins a new one when that is full. The caller holds mu.
func (g *group) write(records []record) error {
	if g.deleted {
		return noGroup()
	}
	if n := len(g.segments); n == 0 || g.segments[n-1].size >= segmentBytes || g.segments[n-1].file == nil {
		if err := g.roll(); err != nil {
			return fmt.Errorf("write log events: %w", err)
		}
	}
	s := g.segments[len(g.segments)-1]
	var b []byte
	for _, r := range records {
		b = appendRecord(b, r)
	}
	if _, err := s.file.Write(b); err != nil {
		// What was written of it is not whole and must not stay before what comes next.
		if terr := s.file.Truncate(s.size); terr != nil {
			g.log.Error("log segment cannot be repaired", "log_group", g.meta.Name, "segment", s.path, "error", terr)
		}
		return fmt.Errorf("write log events: %w", err)
	}
	s.size += int64(len(b))
	s.unsynced = true
	for _, r := range records {
		if r.kind == recordEvent {
			s.note(r.time)
		}
	}
	return nil
}

// roll begins a new segment with the names of all streams. The caller holds mu.
func (g *group) roll() error {
	number := uint32(1)
	if n := len(g.segments); n > 0 {
		old := g.segments[n-1]
		number = old.number + 1
		if err := old.close(); err != nil {
			return err
		}
	}
	s := newSegment(g.dir, number)
	f, err := os.OpenFile(s.path, os.O_RDWR|os.O_APPEND|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	var b []byte
	for _, st := range g.streams {
		b = appendRecord(b, record{kind: recordStream, stream: st.number, time: st.created, text: []byte(st.name)})
	}
	if _, err := f.Write(b); err != nil {
		f.Close()
		os.Remove(s.path)
		return err
	}
	s.file, s.size, s.unsynced = f, int64(len(b)), true
	g.segments = append(g.segments, s)
	return nil
}

// close synchronizes and closes the file of a segment that was open for appending.
func (s *segment) close() error {
	if s.file == nil {
		return nil
	}
	err := errors.Join(s.file.Sync(), s.file.Close())
	s.file, s.unsynced = nil, false
	return err
}

// sync synchronizes the disk with what was written. Writers do not wait for it.
func (g *group) sync() error {
	g.mu.Lock()
	var file *os.File
	if n := len(g.segments); n > 0 && g.segments[n-1].unsynced {
		g.segments[n-1].unsynced = false
		file = g.segments[n-1].file
	}
	g.mu.Unlock()
	if file == nil {
		return nil
	}
	if err := file.Sync(); err != nil && !errors.Is(err, os.ErrClosed) { // closing it has synchronized it
		return err
	}
	return nil
}

// expire removes segments that hold nothing but events from before a time (ms), never the newest.
func (g *group) expire(before int64) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	var errs []error
	for len(g.segments) > 1 && g.segments[0].last < before {
		if err := os.Remove(g.segments[0].path); err != nil {
			errs = append(errs, err)
			break
		}
		g.segments = g.segments[1:]
	}
	return errors.Join(errs...)
}

// bound removes the oldest segments until the group takes no more than a number of bytes, never the newest. The caller
// holds mu.
func (g *group) bound(most int64) error {
	sum := int64(0)
	for _, s := range g.segments {
		sum += s.size
	}
	for len(g.segments) > 1 && sum > most {
		if err := os.Remove(g.segments[0].path); err != nil {
			return err
		}
		sum -= g.segments[0].size
		g.segments = g.segments[1:]
	}
	return nil
}

// shut synchronizes and closes the group's file. A later write, by whoever ends later, begins a new segment.
// The caller holds mu.
func (g *group) shut() error {
	if n := len(g.segments); n > 0 {
		return g.segments[n-1].close()
	}
	return nil
}

// saveMeta replaces groupFile. The caller holds mu, or nobody else has the group yet.
func (g *group) saveMeta(m groupMeta) error {
	b, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("write log group: %w", err)
	}
	if err := replaceFile(filepath.Join(g.dir, groupFile), b); err != nil {
		return fmt.Errorf("write log group: %w", err)
	}
	g.meta = m
	return nil
}

// replaceFile replaces a file whole: whoever reads it, after whatever end, has the old one or the new one.
func replaceFile(path string, b []byte) error {
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
