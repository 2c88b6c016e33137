package telemetry

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

// maxPageBytes bounds what one page of events holds (CloudWatch Logs API, GetLogEvents).
const maxPageBytes = 1 << 20

// position orders events: by time, then by where they were written.
type position struct {
	millis int64
	seq    uint64 // segment number << 32 | offset in it
}

// compare orders positions.
func (p position) compare(o position) int {
	return cmp.Or(cmp.Compare(p.millis, o.millis), cmp.Compare(p.seq, o.seq))
}

// String is the position in the form of a page token's end.
func (p position) String() string { return fmt.Sprintf("%d-%d", p.millis, p.seq) }

// parsePosition reads String's form.
func parsePosition(s string) (p position, err error) {
	i := strings.LastIndexByte(s, '-')
	if i < 0 {
		return p, invalid("The specified nextToken is invalid.")
	}
	millis, err1 := strconv.ParseInt(s[:i], 10, 64)
	seq, err2 := strconv.ParseUint(s[i+1:], 10, 64)
	if err1 != nil || err2 != nil {
		return p, invalid("The specified nextToken is invalid.")
	}
	return position{millis, seq}, nil
}

// LogEvent is an event that was read.
type LogEvent struct {
	ID             string // unique in its group
	Stream         string
	Millis         int64
	IngestedMillis int64
	Message        string

	at position
}

// span is a range of time in ms, both ends included.
type span struct{ from, to int64 }

// scan calls each for every event of the group in a range of time, in the order of writing, until it returns
// an error. The message is valid during the call only. wanted chooses streams, nil all.
func (g *group) scan(in span, wanted func(stream string) bool, each func(r record, stream string, at position) error) error {
	segments, names := g.holding(in, wanted)
	for _, s := range segments {
		if err := s.scan(in, names, each); err != nil {
			return err
		}
	}
	return nil
}

// holding are copies of the segments that hold events in a range of time, oldest first, and the names of the streams
// that are wanted, by number.
func (g *group) holding(in span, wanted func(stream string) bool) ([]segment, map[uint64]string) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	segments := make([]segment, 0, len(g.segments))
	for _, s := range g.segments {
		if s.first <= in.to && s.last >= in.from {
			segments = append(segments, *s)
		}
	}
	names := make(map[uint64]string, len(g.streams))
	for n, st := range g.numbers {
		if wanted == nil || wanted(st.name) {
			names[n] = st.name
		}
	}
	return segments, names
}

// scan is group.scan for one segment. The segment is a copy: what is written meanwhile is not read.
func (s *segment) scan(in span, names map[uint64]string, each func(r record, stream string, at position) error) error {
	f, err := os.Open(s.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil // it expired meanwhile
	}
	if err != nil {
		return fmt.Errorf("read log segment: %w", err)
	}
	defer f.Close()
	rr := newRecordReader(io.LimitReader(f, s.size))
	for {
		r, err := rr.next()
		if errors.Is(err, io.EOF) || errors.Is(err, errTorn) || errors.Is(err, errDamaged) {
			return nil // a damaged end was told of at the start
		}
		if err != nil {
			return fmt.Errorf("read log segment: %w", err)
		}
		if r.kind != recordEvent || r.time < in.from || r.time > in.to {
			continue
		}
		if name, ok := names[r.stream]; ok {
			if err := each(r, name, position{r.time, uint64(s.number)<<32 | uint64(r.offset)}); err != nil {
				return err
			}
		}
	}
}

// event makes a LogEvent of a record.
func event(r record, stream string, at position) LogEvent {
	return LogEvent{ID: fmt.Sprintf("%020d%020d", at.millis, at.seq), Stream: stream, Millis: r.time, IngestedMillis: r.ingested, Message: string(r.text), at: at}
}

// page collects the first events by position, or the last ones, without keeping many more than one answer holds.
type page struct {
	limit  int
	last   bool // the last ones instead of the first
	events []LogEvent
	size   int  // bytes of the events' messages
	cut    bool // there were more
}

// order puts first what is nearer to where the page begins.
func (p *page) order(a, b LogEvent) int {
	if p.last {
		return b.at.compare(a.at)
	}
	return a.at.compare(b.at)
}

// wants tells whether an event at a position could be on the page.
func (p *page) wants(at position) bool {
	if len(p.events) < 2*p.limit && p.size < 4*maxPageBytes {
		return true
	}
	p.trim()
	return p.order(LogEvent{at: at}, p.events[len(p.events)-1]) < 0
}

// add takes an event that the page wants.
func (p *page) add(e LogEvent) {
	p.events = append(p.events, e)
	p.size += len(e.Message)
}

// trim sorts and drops what is not on the page.
func (p *page) trim() {
	slices.SortFunc(p.events, p.order)
	n, counted := 0, 0
	p.size = 0
	for n < len(p.events) && n < p.limit {
		counted += len(p.events[n].Message) + eventOverhead
		if counted > maxPageBytes && n > 0 {
			break
		}
		p.size += len(p.events[n].Message)
		n++
	}
	p.cut = p.cut || n < len(p.events)
	clear(p.events[n:])
	p.events = p.events[:n]
}

// done returns the page's events by time.
func (p *page) done() []LogEvent {
	p.trim()
	if p.last {
		slices.Reverse(p.events)
	}
	return p.events
}

// rangeOf is the range of a question in the group, limited by its retention. to is the first moment that does
// not belong to it, 0 none.
func (l *Logs) rangeOf(g *group, from, to int64) span {
	in := span{max(from, g.oldest(l.millis())), 1<<62 - 1}
	if to > 0 {
		in.to = to - 1
	}
	return in
}

// GetQuery asks for events of one stream.
type GetQuery struct {
	From, To int64 // ms; To does not belong to it, 0 is the end
	FromHead bool  // the earliest first, else the latest
	Limit    int   // 1 to 10,000
	Token    string
}

// Events are the events of a page by time, and the tokens of the neighbouring pages.
type Events struct {
	Events            []LogEvent
	Forward, Backward string
}

// Get returns a page of a stream's events. At an end, the token of that direction is the one that was given
// (CloudWatch Logs API, GetLogEvents).
func (l *Logs) Get(account, groupName, streamName string, q GetQuery) (Events, error) {
	g, err := l.find(account, groupName)
	if err != nil {
		return Events{}, err
	}
	g.mu.RLock()
	known := g.streams[streamName] != nil
	g.mu.RUnlock()
	if !known {
		return Events{}, noStream()
	}
	p := page{limit: q.Limit, last: !q.FromHead}
	var border position
	if q.Token != "" {
		direction, rest, _ := strings.Cut(q.Token, "/")
		if direction != "f" && direction != "b" {
			return Events{}, invalid("The specified nextToken is invalid.")
		}
		if border, err = parsePosition(rest); err != nil {
			return Events{}, err
		}
		p.last = direction == "b"
	}
	err = g.scan(l.rangeOf(g, q.From, q.To), func(name string) bool { return name == streamName },
		func(r record, stream string, at position) error {
			if q.Token != "" {
				if c := at.compare(border); p.last && c >= 0 || !p.last && c <= 0 {
					return nil
				}
			}
			if p.wants(at) {
				p.add(event(r, stream, at))
			}
			return nil
		})
	if err != nil {
		return Events{}, err
	}
	out := Events{Events: p.done()}
	if n := len(out.Events); n > 0 {
		out.Backward, out.Forward = "b/"+out.Events[0].at.String(), "f/"+out.Events[n-1].at.String()
		return out, nil
	}
	// Nothing there: both tokens stay at the border. Without one, they stand where the next event will be
	// after, or before.
	if q.Token == "" {
		border = position{q.From, 0}
	}
	out.Forward, out.Backward = "f/"+border.String(), "b/"+border.String()
	return out, nil
}

// FilterQuery asks for events of many streams.
type FilterQuery struct {
	From, To int64 // ms; To belongs to it, 0 is the end
	Streams  []string
	Prefix   string // of streams' names
	Pattern  string // a filter pattern; empty matches all
	Limit    int    // 1 to 10,000
	After    string // position of the last page's end
}

// Filter returns a page of a group's events that match, by time; next is the position of its end when there
// may be more (CloudWatch Logs API, FilterLogEvents).
func (l *Logs) Filter(account, groupName string, q FilterQuery) (events []LogEvent, next string, err error) {
	g, err := l.find(account, groupName)
	if err != nil {
		return nil, "", err
	}
	pattern, err := parsePattern(q.Pattern)
	if err != nil {
		return nil, "", err
	}
	after := position{-1 << 62, 0}
	if q.After != "" {
		if after, err = parsePosition(q.After); err != nil {
			return nil, "", err
		}
	}
	g.mu.RLock()
	for _, name := range q.Streams {
		if g.streams[name] == nil {
			g.mu.RUnlock()
			return nil, "", noStream()
		}
	}
	g.mu.RUnlock()
	to := q.To
	if to > 0 {
		to++
	}
	p := page{limit: q.Limit}
	err = g.scan(l.rangeOf(g, max(q.From, after.millis), to), func(name string) bool {
		return strings.HasPrefix(name, q.Prefix) && (len(q.Streams) == 0 || slices.Contains(q.Streams, name))
	}, func(r record, stream string, at position) error {
		if at.compare(after) > 0 && p.wants(at) && pattern.match(&message{text: r.text}) {
			p.add(event(r, stream, at))
		}
		return nil
	})
	if err != nil {
		return nil, "", err
	}
	events = p.done()
	if p.cut {
		next = events[len(events)-1].at.String()
	}
	return events, next, nil
}
