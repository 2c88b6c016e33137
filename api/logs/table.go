// Package logs serves CloudWatch Logs on the wire. What its operations mean is package telemetry's matter.
package logs

import (
	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/telemetry"
)

// handler serve the operations; each authorizes the caller and translates between the wire and telemetry.
type handler struct{ logs *telemetry.Logs }

// New returns CloudWatch Logs with its table of operations.
func New(l *telemetry.Logs) api.Service {
	h := &handler{l}
	return api.Service{Model: Model(), Operations: []api.Operation{
		api.Op("CreateLogGroup", h.createLogGroup),
		api.Op("CreateLogStream", h.createLogStream),
		api.Op("DeleteLogGroup", h.deleteLogGroup),
		api.Op("DeleteLogStream", h.deleteLogStream),
		api.Op("DeleteMetricFilter", h.deleteMetricFilter),
		api.Op("DeleteResourcePolicy", h.deleteResourcePolicy).Partly("of the account"),
		api.Op("DeleteRetentionPolicy", h.deleteRetentionPolicy),
		api.Unserved("DeleteSubscriptionFilter"),
		api.Op("DescribeLogGroups", h.describeLogGroups),
		api.Op("DescribeLogStreams", h.describeLogStreams),
		api.Op("DescribeMetricFilters", h.describeMetricFilters),
		api.Op("DescribeQueries", h.describeQueries),
		api.Op("DescribeResourcePolicies", h.describeResourcePolicies).Partly("of the account"),
		api.Op("DescribeSubscriptionFilters", h.describeSubscriptionFilters).Partly("always empty"),
		api.Op("FilterLogEvents", h.filterLogEvents),
		api.Op("GetLogEvents", h.getLogEvents),
		api.Op("GetQueryResults", h.getQueryResults),
		api.Op("ListTagsForResource", h.listTagsForResource),
		api.Op("ListTagsLogGroup", h.listTagsLogGroup),
		api.Op("PutLogEvents", h.putLogEvents).Data(),
		api.Op("PutMetricFilter", h.putMetricFilter).Partly("on logs as they come, not transformed ones"),
		api.Op("PutResourcePolicy", h.putResourcePolicy).Partly("of the account; nothing that Trellis delivers asks it"),
		api.Op("PutRetentionPolicy", h.putRetentionPolicy),
		api.Unserved("PutSubscriptionFilter"),
		api.Op("StartQuery", h.startQuery),
		api.Op("StopQuery", h.stopQuery),
		api.Op("TagLogGroup", h.tagLogGroup),
		api.Op("TagResource", h.tagResource),
		api.Op("TestMetricFilter", h.testMetricFilter),
		api.Op("UntagLogGroup", h.untagLogGroup),
		api.Op("UntagResource", h.untagResource),
	}}
}

// onGroup authorizes the operation on a log group of the caller's account, as AWS names it in policies:
// …:log-group:NAME:*.
func (h *handler) onGroup(c *api.Call, name string) error {
	return c.Authorize("logs:"+c.Operation, h.logs.GroupARN(c.Account, name)+":*", nil)
}

// onStream authorizes the operation on a log stream: …:log-group:NAME:log-stream:STREAM.
func (h *handler) onStream(c *api.Call, group, stream string) error {
	return c.Authorize("logs:"+c.Operation, h.logs.GroupARN(c.Account, group)+":log-stream:"+stream, nil)
}

// groupOf returns the name of the log group that a request means: by name, or by an identifier, which is a
// name or an ARN. Exactly one of them is given. Another account's group is as one that does not exist.
func groupOf(c *api.Call, name, identifier *string) (string, error) {
	switch {
	case name != nil && identifier != nil:
		return "", invalid("LogGroupName and LogGroupIdentifier cannot be both set")
	case name != nil:
		return *name, nil
	case identifier != nil:
		return fromIdentifier(c, *identifier)
	}
	return "", invalid("LogGroupName or LogGroupIdentifier is missing")
}

// fromIdentifier returns the name that an identifier, a name or an ARN, means.
func fromIdentifier(c *api.Call, identifier string) (string, error) {
	if len(identifier) < 4 || identifier[:4] != "arn:" {
		return identifier, nil
	}
	a, name, err := trellis.ParseLogGroupARN(identifier)
	if err != nil {
		return "", invalid("Invalid log group ARN: %s", identifier)
	}
	if a.Account != c.Account {
		return "", trellis.NewError(400, "ResourceNotFoundException", "The specified log group does not exist.")
	}
	return name, nil
}

// invalid is InvalidParameterException.
func invalid(format string, args ...any) error {
	return trellis.NewError(400, "InvalidParameterException", format, args...)
}
