package telemetry

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// maxStreams bounds the streams of a group: each costs memory while the process runs.
const maxStreams = 100_000

// streamName is what a log stream may be called.
var streamName = regexp.MustCompile(`^[^:*]{1,512}$`)

// LogStream is a log stream as it is shown. Times are in ms, 0 while there is no event.
type LogStream struct {
	Name                                 string
	ARN                                  string
	CreatedMillis                        int64
	FirstEvent, LastEvent, LastIngestion int64
	Bytes                                int64
}

// StreamFilter chooses and orders log streams.
type StreamFilter struct {
	Prefix     string
	ByTime     bool // by the time of the last event, else by name
	Descending bool
}

// CreateStream makes a log stream.
func (l *Logs) CreateStream(account, groupName, name string) error {
	if !streamName.MatchString(name) {
		return invalid("Invalid log stream name: %s", name)
	}
	g, err := l.find(account, groupName)
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	_, err = g.makeStream(name, l.millis())
	return err
}

// makeStream makes a log stream. The caller holds mu.
func (g *group) makeStream(name string, now int64) (*stream, error) {
	if g.streams[name] != nil {
		return nil, exists("log stream")
	}
	if len(g.streams) >= maxStreams {
		return nil, tooMany("A log group has at most %d log streams", maxStreams)
	}
	st := &stream{name: name, number: g.lastNum + 1, created: now}
	if err := g.write([]record{{kind: recordStream, stream: st.number, time: now, text: []byte(name)}}); err != nil {
		return nil, err
	}
	g.addStream(st)
	return st, nil
}

// DeleteStream removes a log stream and its events.
func (l *Logs) DeleteStream(account, groupName, name string) error {
	g, err := l.find(account, groupName)
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	st := g.streams[name]
	if st == nil {
		return noStream()
	}
	if err := g.write([]record{{kind: recordGone, stream: st.number}}); err != nil {
		return err
	}
	delete(g.streams, name)
	delete(g.numbers, st.number)
	return nil
}

// Streams returns up to limit log streams of a group from a position on; next is the position of the next
// page, empty at the end.
func (l *Logs) Streams(account, groupName string, f StreamFilter, after string, limit int) (streams []LogStream, next string, err error) {
	if f.ByTime && f.Prefix != "" {
		return nil, "", invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
	}
	g, err := l.find(account, groupName)
	if err != nil {
		return nil, "", err
	}
	g.mu.RLock()
	for _, st := range g.streams {
		if strings.HasPrefix(st.name, f.Prefix) {
			streams = append(streams, LogStream{Name: st.name, ARN: l.GroupARN(account, groupName) + ":log-stream:" + st.name,
				CreatedMillis: st.created, FirstEvent: st.first, LastEvent: st.last, LastIngestion: st.lastIngestion, Bytes: st.bytes})
		}
	}
	g.mu.RUnlock()
	order := func(a, b LogStream) int {
		c := cmp.Compare(a.Name, b.Name)
		if f.ByTime {
			c = cmp.Or(cmp.Compare(a.LastEvent, b.LastEvent), c)
		}
		if f.Descending {
			c = -c
		}
		return c
	}
	slices.SortFunc(streams, order)
	if after != "" {
		at, name, _ := strings.Cut(after, "/")
		last, err := strconv.ParseInt(at, 10, 64)
		if err != nil {
			return nil, "", invalid("The specified nextToken is invalid.")
		}
		i, found := slices.BinarySearchFunc(streams, LogStream{Name: name, LastEvent: last}, order)
		if found {
			i++
		}
		streams = streams[i:]
	}
	if len(streams) > limit {
		streams = streams[:limit]
		last := streams[limit-1]
		next = fmt.Sprintf("%d/%s", last.LastEvent, last.Name)
	}
	return streams, next, nil
}
