package logs

import (
	"context"

	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/telemetry"
)

// putMetricFilter serves PutMetricFilter.
func (h *handler) putMetricFilter(_ context.Context, c *api.Call, in *PutMetricFilterInput) (*PutMetricFilterOutput, error) {
	if err := h.onGroup(c, in.LogGroupName); err != nil {
		return nil, err
	}
	if api.Value(in.ApplyOnTransformedLogs) || api.Value(in.FieldSelectionCriteria) != "" || len(in.EmitSystemFieldDimensions) > 0 {
		return nil, invalid("applyOnTransformedLogs, fieldSelectionCriteria and emitSystemFieldDimensions are not served by Trellis.")
	}
	t := in.MetricTransformations[0]
	return &PutMetricFilterOutput{}, h.logs.PutMetricFilter(c.Account, in.LogGroupName, telemetry.MetricFilter{Name: in.FilterName, Pattern: in.FilterPattern,
		Namespace: t.MetricNamespace, Metric: t.MetricName, Value: t.MetricValue, Default: t.DefaultValue, Dimensions: t.Dimensions, Unit: api.Value(t.Unit)})
}

// describeMetricFilters serves DescribeMetricFilters, of one log group or of all.
func (h *handler) describeMetricFilters(_ context.Context, c *api.Call, in *DescribeMetricFiltersInput) (*DescribeMetricFiltersOutput, error) {
	if err := h.onGroup(c, api.Or(in.LogGroupName, "*")); err != nil {
		return nil, err
	}
	if (in.MetricName == nil) != (in.MetricNamespace == nil) {
		return nil, invalid("metricName and metricNamespace go together.")
	}
	after, err := c.After(in.NextToken)
	if err != nil {
		return nil, err
	}
	found, next, err := h.logs.MetricFilters(c.Account, telemetry.MetricFilterQuery{Group: api.Value(in.LogGroupName), Prefix: api.Value(in.FilterNamePrefix),
		Namespace: api.Value(in.MetricNamespace), Metric: api.Value(in.MetricName)}, after, int(api.Or(in.Limit, pageSize)))
	if err != nil {
		return nil, err
	}
	return &DescribeMetricFiltersOutput{NextToken: c.NextToken(next), MetricFilters: api.Each(found, func(f telemetry.MetricFilter) MetricFilter {
		return MetricFilter{CreationTime: &f.CreatedMillis, FilterName: &f.Name, FilterPattern: &f.Pattern, LogGroupName: &f.Group, ApplyOnTransformedLogs: new(bool),
			MetricTransformations: []MetricTransformation{{DefaultValue: f.Default, Dimensions: f.Dimensions, MetricName: f.Metric, MetricNamespace: f.Namespace, MetricValue: f.Value, Unit: api.Some(f.Unit)}}}
	})}, nil
}

// deleteMetricFilter serves DeleteMetricFilter.
func (h *handler) deleteMetricFilter(_ context.Context, c *api.Call, in *DeleteMetricFilterInput) (*DeleteMetricFilterOutput, error) {
	if err := h.onGroup(c, in.LogGroupName); err != nil {
		return nil, err
	}
	return &DeleteMetricFilterOutput{}, h.logs.DeleteMetricFilter(c.Account, in.LogGroupName, in.FilterName)
}

// testMetricFilter serves TestMetricFilter.
func (h *handler) testMetricFilter(_ context.Context, c *api.Call, in *TestMetricFilterInput) (*TestMetricFilterOutput, error) {
	if err := c.Authorize("logs:TestMetricFilter", "*", nil); err != nil {
		return nil, err
	}
	matches, err := telemetry.TestPattern(in.FilterPattern, in.LogEventMessages)
	return &TestMetricFilterOutput{Matches: api.Each(matches, func(m telemetry.PatternMatch) MetricFilterMatchRecord {
		return MetricFilterMatchRecord{EventNumber: &m.Number, EventMessage: &in.LogEventMessages[m.Number-1], ExtractedValues: m.Fields}
	})}, err
}

// describeSubscriptionFilters serves DescribeSubscriptionFilters: there are none.
func (h *handler) describeSubscriptionFilters(_ context.Context, c *api.Call, in *DescribeSubscriptionFiltersInput) (*DescribeSubscriptionFiltersOutput, error) {
	if err := h.onGroup(c, in.LogGroupName); err != nil {
		return nil, err
	}
	_, err := h.logs.Group(c.Account, in.LogGroupName)
	return &DescribeSubscriptionFiltersOutput{SubscriptionFilters: []SubscriptionFilter{}}, err
}
