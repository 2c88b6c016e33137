package logs

import (
	"context"

	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/telemetry"
)

// createLogStream serves CreateLogStream.
func (h *handler) createLogStream(_ context.Context, c *api.Call, in *CreateLogStreamInput) (*CreateLogStreamOutput, error) {
	if err := h.onGroup(c, in.LogGroupName); err != nil {
		return nil, err
	}
	return &CreateLogStreamOutput{}, h.logs.CreateStream(c.Account, in.LogGroupName, in.LogStreamName)
}

// deleteLogStream serves DeleteLogStream.
func (h *handler) deleteLogStream(_ context.Context, c *api.Call, in *DeleteLogStreamInput) (*DeleteLogStreamOutput, error) {
	if err := h.onStream(c, in.LogGroupName, in.LogStreamName); err != nil {
		return nil, err
	}
	return &DeleteLogStreamOutput{}, h.logs.DeleteStream(c.Account, in.LogGroupName, in.LogStreamName)
}

// describeLogStreams serves DescribeLogStreams.
func (h *handler) describeLogStreams(_ context.Context, c *api.Call, in *DescribeLogStreamsInput) (*DescribeLogStreamsOutput, error) {
	group, err := groupOf(c, in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	if err := h.onGroup(c, group); err != nil {
		return nil, err
	}
	after, err := c.After(in.NextToken)
	if err != nil {
		return nil, err
	}
	f := telemetry.StreamFilter{Prefix: api.Or(in.LogStreamNamePrefix, ""), ByTime: api.Or(in.OrderBy, "") == "LastEventTime", Descending: api.Or(in.Descending, false)}
	streams, next, err := h.logs.Streams(c.Account, group, f, after, int(api.Or(in.Limit, pageSize)))
	if err != nil {
		return nil, err
	}
	out := &DescribeLogStreamsOutput{LogStreams: make([]LogStream, 0, len(streams)), NextToken: c.NextToken(next)}
	for _, s := range streams {
		out.LogStreams = append(out.LogStreams, LogStream{Arn: new(s.ARN), LogStreamName: new(s.Name), CreationTime: new(s.CreatedMillis),
			FirstEventTimestamp: api.Some(s.FirstEvent), LastEventTimestamp: api.Some(s.LastEvent), LastIngestionTime: api.Some(s.LastIngestion),
			StoredBytes: new(int64(0))}) // AWS reports 0 for every stream since 2019
	}
	return out, nil
}
