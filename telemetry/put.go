package telemetry

import (
	"context"
	"slices"
	"time"

	"github.com/trellis-project/trellis"
)

// The limits of one Put (CloudWatch Logs API, PutLogEvents).
const (
	maxBatchBytes  = 1 << 20
	maxBatchEvents = 10_000
	eventOverhead  = 26 // bytes that count for each event besides its message
	maxSpan        = 24 * time.Hour
	maxFuture      = 2 * time.Hour
	maxPast        = 14 * 24 * time.Hour
)

// Event is one log event to be put.
type Event struct {
	Millis  int64 // since 1970
	Message []byte
}

// Rejected says which events of a batch were not taken; -1 means none. The others were.
type Rejected struct {
	TooNewStart int // index of the first event that is more than two hours in the future
	TooOldEnd   int // index after the last event that is more than 14 days old
	ExpiredEnd  int // index after the last event that is past the group's retention
}

// None tells whether every event was taken.
func (r Rejected) None() bool { return r.TooNewStart < 0 && r.TooOldEnd < 0 && r.ExpiredEnd < 0 }

// Put adds events, in the order of time, to a log stream. They can be read, and count in the metrics of the group's filters, when
// it returns.
func (l *Logs) Put(account, groupName, streamName string, events []Event) (Rejected, error) {
	g, err := l.find(account, groupName)
	if err != nil {
		return Rejected{-1, -1, -1}, err
	}
	if err := checkBatch(events); err != nil {
		return Rejected{-1, -1, -1}, err
	}
	rejected, kept, filters, err := l.accept(g, streamName, events)
	if err == nil {
		l.count(account, filters, kept)
	}
	return rejected, err
}

// accept writes those of the events that can be kept, and returns them with the metric filters that they were put under.
func (l *Logs) accept(g *group, streamName string, events []Event) (rejected Rejected, keep []Event, filters []*liveFilter, err error) {
	rejected = Rejected{-1, -1, -1}
	g.mu.Lock()
	defer g.mu.Unlock()
	st := g.streams[streamName]
	if st == nil {
		return rejected, nil, nil, noStream()
	}
	now := l.millis()
	expired := int64(-1 << 62)
	if g.meta.RetentionDays > 0 {
		expired = now - int64(g.meta.RetentionDays)*24*3600*1000
	}
	keep = make([]Event, 0, len(events))
	for i, e := range events {
		switch {
		case e.Millis > now+maxFuture.Milliseconds():
			if rejected.TooNewStart < 0 {
				rejected.TooNewStart = i
			}
		case e.Millis < now-maxPast.Milliseconds():
			rejected.TooOldEnd = i + 1
		case e.Millis < expired:
			rejected.ExpiredEnd = i + 1
		default:
			keep = append(keep, e)
		}
	}
	return rejected, keep, g.filters, g.put(st, keep, now)
}

// checkBatch holds a batch against the limits that refuse it whole.
func checkBatch(events []Event) error {
	if len(events) == 0 || len(events) > maxBatchEvents {
		return invalid("A batch has 1 to %d log events", maxBatchEvents)
	}
	size := 0
	for i, e := range events {
		if len(e.Message) == 0 {
			return invalid("Log event message is empty")
		}
		size += len(e.Message) + eventOverhead
		if i > 0 && e.Millis < events[i-1].Millis {
			return invalid("Log events in a single PutLogEvents request must be in chronological order.")
		}
	}
	if size > maxBatchBytes {
		return invalid("Upload too large: %d bytes exceeds limit of %d", size, maxBatchBytes)
	}
	if events[len(events)-1].Millis-events[0].Millis > maxSpan.Milliseconds() {
		return invalid("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")
	}
	return nil
}

// put writes events that were checked. The caller holds mu.
func (g *group) put(st *stream, events []Event, now int64) error {
	if len(events) == 0 {
		return nil
	}
	records := make([]record, len(events))
	for i, e := range events {
		records[i] = record{kind: recordEvent, stream: st.number, time: e.Millis, ingested: now, text: e.Message}
	}
	if err := g.write(records); err != nil {
		return err
	}
	for _, e := range events {
		st.note(e.Millis, now, len(e.Message))
	}
	return nil
}

// Deliver adds events of Trellis itself, for example access log rows, to the log group that an ARN names. The
// stream is made when it does not exist. The messages are not kept. A log group that does not exist is an
// error: a subscription does not make one.
func (l *Logs) Deliver(ctx context.Context, groupARN, streamName string, events []Event) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	arn, name, err := trellis.ParseLogGroupARN(groupARN)
	if err != nil {
		return err
	}
	g, err := l.find(arn.Account, name)
	if err != nil {
		return err
	}
	for _, e := range events {
		if len(e.Message) > maxBatchBytes {
			return invalid("Log event too large: %d bytes exceeds limit of %d", len(e.Message), maxBatchBytes)
		}
	}
	filters, err := l.deliver(g, streamName, events)
	if err == nil {
		l.count(arn.Account, filters, events)
	}
	return err
}

// deliver writes events to a stream, which it makes when there is none, and returns the metric filters that they were put under.
func (l *Logs) deliver(g *group, streamName string, events []Event) (filters []*liveFilter, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	st := g.streams[streamName]
	if st == nil {
		if st, err = g.makeStream(streamName, l.millis()); err != nil {
			return nil, err
		}
	}
	for batch := range slices.Chunk(events, maxBatchEvents) {
		if err := g.put(st, batch, l.millis()); err != nil {
			return nil, err
		}
	}
	return g.filters, nil
}
