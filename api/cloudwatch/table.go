// Package cloudwatch serves CloudWatch on the wire: metrics, which package telemetry keeps, and alarms and dashboards, whose
// operations package companion/alarm means.
package cloudwatch

import (
	"context"
	"maps"
	"slices"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/companion/alarm"
	"github.com/trellis-project/trellis/telemetry"
)

// handler serves the operations.
type handler struct {
	alarms  *alarm.Alarms
	metrics *telemetry.Metrics
}

// New returns CloudWatch with its table of operations.
func New(a *alarm.Alarms, m *telemetry.Metrics) api.Service {
	h := &handler{a, m}
	return api.Service{Model: Model(), Operations: []api.Operation{
		api.Op("DeleteAlarms", h.deleteAlarms),
		api.Unserved("DeleteAnomalyDetector"),
		api.Op("DeleteDashboards", h.deleteDashboards),
		api.Unserved("DeleteInsightRules"),
		api.Unserved("DeleteMetricStream"),
		api.Op("DescribeAlarmHistory", h.describeAlarmHistory),
		api.Op("DescribeAlarms", h.describeAlarms),
		api.Op("DescribeAlarmsForMetric", h.describeAlarmsForMetric),
		api.Op("DescribeAnomalyDetectors", none[DescribeAnomalyDetectorsInput](DescribeAnomalyDetectorsOutput{})),
		api.Op("DescribeInsightRules", none[DescribeInsightRulesInput](DescribeInsightRulesOutput{})),
		api.Op("DisableAlarmActions", h.disableAlarmActions),
		api.Op("EnableAlarmActions", h.enableAlarmActions),
		api.Op("GetDashboard", h.getDashboard),
		api.Op("GetMetricData", h.getMetricData).Data(),
		api.Op("GetMetricStatistics", h.getMetricStatistics),
		api.Unserved("GetMetricStream"),
		api.Unserved("GetMetricWidgetImage"),
		api.Op("ListDashboards", h.listDashboards),
		api.Op("ListMetricStreams", none[ListMetricStreamsInput](ListMetricStreamsOutput{})),
		api.Op("ListMetrics", h.listMetrics),
		api.Op("ListTagsForResource", h.listTagsForResource),
		api.Unserved("PutAnomalyDetector"),
		api.Op("PutCompositeAlarm", h.putCompositeAlarm).Partly("its state follows from its rule; no actions are performed"),
		api.Op("PutDashboard", h.putDashboard),
		api.Unserved("PutInsightRule"),
		api.Op("PutMetricAlarm", h.putMetricAlarm),
		api.Op("PutMetricData", h.putMetricData).Data(),
		api.Unserved("PutMetricStream"),
		api.Op("SetAlarmState", h.setAlarmState),
		api.Op("TagResource", h.tagResource),
		api.Op("UntagResource", h.untagResource),
	}}
}

// none serves an operation that lists what there is none of.
func none[In, Out any](empty Out) func(context.Context, *api.Call, *In) (*Out, error) {
	return func(_ context.Context, c *api.Call, _ *In) (*Out, error) {
		return new(empty), c.Authorize("cloudwatch:"+c.Operation, "*", nil)
	}
}

// invalid is InvalidParameterValue.
func invalid(format string, args ...any) error {
	return trellis.NewError(400, "InvalidParameterValueException", format, args...)
}

// fromTags makes a map of a request's tags. A key that comes twice is refused.
func fromTags(tags []Tag) (map[string]string, error) {
	m := make(map[string]string, len(tags))
	for _, t := range tags {
		if _, twice := m[t.Key]; twice {
			return nil, invalid("The tag key %s is given twice.", t.Key)
		}
		m[t.Key] = t.Value
	}
	return m, nil
}

// listTagsForResource serves ListTagsForResource.
func (h *handler) listTagsForResource(ctx context.Context, c *api.Call, in *ListTagsForResourceInput) (*ListTagsForResourceOutput, error) {
	tags, err := h.alarms.Tags(ctx, c.Caller, in.ResourceARN)
	return &ListTagsForResourceOutput{Tags: api.Each(slices.Sorted(maps.Keys(tags)), func(k string) Tag { return Tag{k, tags[k]} })}, err
}

// tagResource serves TagResource.
func (h *handler) tagResource(ctx context.Context, c *api.Call, in *TagResourceInput) (*TagResourceOutput, error) {
	tags, err := fromTags(in.Tags)
	if err != nil {
		return nil, err
	}
	rev, err := h.alarms.Tag(ctx, c.Caller, in.ResourceARN, tags)
	return api.Done(c, &TagResourceOutput{}, rev, err)
}

// untagResource serves UntagResource.
func (h *handler) untagResource(ctx context.Context, c *api.Call, in *UntagResourceInput) (*UntagResourceOutput, error) {
	rev, err := h.alarms.Untag(ctx, c.Caller, in.ResourceARN, in.TagKeys)
	return api.Done(c, &UntagResourceOutput{}, rev, err)
}
