package logs

import (
	"context"

	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/telemetry"
)

// maxEvents is the largest page, and the usual one, of events.
const maxEvents = 10_000

// putLogEvents serves PutLogEvents. Sequence tokens are taken and not looked at, as on AWS.
func (h *handler) putLogEvents(_ context.Context, c *api.Call, in *PutLogEventsInput) (*PutLogEventsOutput, error) {
	if err := h.onStream(c, in.LogGroupName, in.LogStreamName); err != nil {
		return nil, err
	}
	events := make([]telemetry.Event, len(in.LogEvents))
	for i, e := range in.LogEvents {
		events[i] = telemetry.Event{Millis: e.Timestamp, Message: []byte(e.Message)}
	}
	rejected, err := h.logs.Put(c.Account, in.LogGroupName, in.LogStreamName, events)
	if err != nil {
		return nil, err
	}
	out := &PutLogEventsOutput{}
	if !rejected.None() {
		out.RejectedLogEventsInfo = &RejectedLogEventsInfo{TooNewLogEventStartIndex: index(rejected.TooNewStart),
			TooOldLogEventEndIndex: index(rejected.TooOldEnd), ExpiredLogEventEndIndex: index(rejected.ExpiredEnd)}
	}
	return out, nil
}

// index is an index on the wire, nil for -1.
func index(i int) *int32 {
	if i < 0 {
		return nil
	}
	return new(int32(i))
}

// getLogEvents serves GetLogEvents.
func (h *handler) getLogEvents(_ context.Context, c *api.Call, in *GetLogEventsInput) (*GetLogEventsOutput, error) {
	group, err := groupOf(c, in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	if err := h.onStream(c, group, in.LogStreamName); err != nil {
		return nil, err
	}
	token, err := c.After(in.NextToken)
	if err != nil {
		return nil, err
	}
	page, err := h.logs.Get(c.Account, group, in.LogStreamName, telemetry.GetQuery{From: api.Or(in.StartTime, 0), To: api.Or(in.EndTime, 0),
		FromHead: api.Or(in.StartFromHead, false), Limit: int(api.Or(in.Limit, maxEvents)), Token: token})
	if err != nil {
		return nil, err
	}
	out := &GetLogEventsOutput{Events: make([]OutputLogEvent, 0, len(page.Events)),
		NextForwardToken: c.NextToken(page.Forward), NextBackwardToken: c.NextToken(page.Backward)}
	for _, e := range page.Events {
		out.Events = append(out.Events, OutputLogEvent{IngestionTime: new(e.IngestedMillis), Message: new(e.Message), Timestamp: new(e.Millis)})
	}
	return out, nil
}

// filterLogEvents serves FilterLogEvents. Events of all streams always come interleaved by time.
func (h *handler) filterLogEvents(_ context.Context, c *api.Call, in *FilterLogEventsInput) (*FilterLogEventsOutput, error) {
	group, err := groupOf(c, in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	if err := h.onGroup(c, group); err != nil {
		return nil, err
	}
	if in.LogStreamNamePrefix != nil && len(in.LogStreamNames) > 0 {
		return nil, invalid("LogStreamNames and LogStreamNamePrefix cannot be both set")
	}
	after, err := c.After(in.NextToken)
	if err != nil {
		return nil, err
	}
	events, next, err := h.logs.Filter(c.Account, group, telemetry.FilterQuery{From: api.Or(in.StartTime, 0), To: api.Or(in.EndTime, 0),
		Streams: in.LogStreamNames, Prefix: api.Or(in.LogStreamNamePrefix, ""), Pattern: api.Or(in.FilterPattern, ""), Limit: int(api.Or(in.Limit, maxEvents)), After: after})
	if err != nil {
		return nil, err
	}
	out := &FilterLogEventsOutput{Events: make([]FilteredLogEvent, 0, len(events)), NextToken: c.NextToken(next), SearchedLogStreams: []SearchedLogStream{}}
	for _, e := range events {
		out.Events = append(out.Events, FilteredLogEvent{EventId: new(e.ID), IngestionTime: new(e.IngestedMillis), LogStreamName: new(e.Stream),
			Message: new(e.Message), Timestamp: new(e.Millis)})
	}
	return out, nil
}
