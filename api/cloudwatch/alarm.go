package cloudwatch

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/companion/alarm"
)

// The sizes of pages (CloudWatch API, DescribeAlarms and DescribeAlarmHistory).
const (
	usualAlarms  = 50
	usualHistory = 100
)

// putMetricAlarm serves PutMetricAlarm.
func (h *handler) putMetricAlarm(ctx context.Context, c *api.Call, in *PutMetricAlarmInput) (*PutMetricAlarmOutput, error) {
	if in.EvaluationCriteria != nil || in.EvaluationInterval != nil || in.EvaluationWindow != nil || in.ActionConfiguration != nil || in.WarmUpConfiguration != nil {
		return nil, invalid("EvaluationCriteria, EvaluationInterval, EvaluationWindow, ActionConfiguration and WarmUpConfiguration are not served by Trellis.")
	}
	if in.Statistic != nil && in.ExtendedStatistic != nil {
		return nil, trellis.NewError(400, "InvalidParameterCombinationException", "Statistic and ExtendedStatistic can't be combined.")
	}
	tags, err := fromTags(in.Tags)
	if err != nil {
		return nil, err
	}
	conf := trellis.AlarmConfiguration{
		Description: api.Value(in.AlarmDescription), ActionsEnabled: api.Or(in.ActionsEnabled, true), OKActions: in.OKActions, AlarmActions: in.AlarmActions,
		InsufficientDataActions: in.InsufficientDataActions, EvaluationPeriods: int(api.Value(in.EvaluationPeriods)), DatapointsToAlarm: int(api.Value(in.DatapointsToAlarm)),
		Threshold: in.Threshold, ThresholdMetricID: api.Value(in.ThresholdMetricId), ComparisonOperator: api.Value(in.ComparisonOperator),
		TreatMissingData: api.Value(in.TreatMissingData), EvaluateLowSampleCountPercentile: api.Value(in.EvaluateLowSampleCountPercentile),
		Metric: trellis.AlarmMetric{Namespace: api.Value(in.Namespace), Name: api.Value(in.MetricName), Dimensions: fromDimensions(in.Dimensions),
			Statistic: api.Or(in.Statistic, api.Value(in.ExtendedStatistic)), Period: int(api.Value(in.Period)), Unit: api.Value(in.Unit)},
	}
	for _, q := range in.Metrics {
		m := trellis.AlarmMetric{ID: q.Id, AccountID: api.Value(q.AccountId), Expression: api.Value(q.Expression), Label: q.Label, ReturnData: q.ReturnData, Period: int(api.Value(q.Period))}
		if s := q.MetricStat; s != nil {
			m.Namespace, m.Name, m.Dimensions = api.Value(s.Metric.Namespace), api.Value(s.Metric.MetricName), fromDimensions(s.Metric.Dimensions)
			m.Statistic, m.Period, m.Unit = s.Stat, int(s.Period), api.Value(s.Unit)
		}
		conf.Metrics = append(conf.Metrics, m)
	}
	rev, err := h.alarms.Put(ctx, c.Caller, in.AlarmName, conf, tags)
	return api.Done(c, &PutMetricAlarmOutput{}, rev, err)
}

// putCompositeAlarm serves PutCompositeAlarm.
func (h *handler) putCompositeAlarm(ctx context.Context, c *api.Call, in *PutCompositeAlarmInput) (*PutCompositeAlarmOutput, error) {
	if in.ActionConfiguration != nil {
		return nil, invalid("ActionConfiguration is not served by Trellis.")
	}
	tags, err := fromTags(in.Tags)
	if err != nil {
		return nil, err
	}
	conf := trellis.AlarmConfiguration{
		Description: api.Value(in.AlarmDescription), ActionsEnabled: api.Or(in.ActionsEnabled, true), OKActions: in.OKActions, AlarmActions: in.AlarmActions,
		InsufficientDataActions: in.InsufficientDataActions, Rule: in.AlarmRule,
	}
	if in.ActionsSuppressor != nil || in.ActionsSuppressorWaitPeriod != nil || in.ActionsSuppressorExtensionPeriod != nil {
		conf.Suppressor = &trellis.AlarmSuppressor{Alarm: api.Value(in.ActionsSuppressor), WaitPeriod: int(api.Or(in.ActionsSuppressorWaitPeriod, -1)),
			ExtensionPeriod: int(api.Or(in.ActionsSuppressorExtensionPeriod, -1))}
	}
	rev, err := h.alarms.PutComposite(ctx, c.Caller, in.AlarmName, conf, tags)
	return api.Done(c, &PutCompositeAlarmOutput{}, rev, err)
}

// compositeOf is a composite alarm on the wire.
func (h *handler) compositeOf(n *trellis.Alarm) CompositeAlarm {
	conf := &n.Configuration
	a := CompositeAlarm{
		AlarmName: &n.ID, AlarmArn: new(n.ARN(h.alarms.Region)), AlarmDescription: api.Some(conf.Description), AlarmRule: &conf.Rule, ActionsEnabled: &conf.ActionsEnabled,
		AlarmConfigurationUpdatedTimestamp: &n.ConfigurationUpdatedAt, OKActions: list(conf.OKActions), AlarmActions: list(conf.AlarmActions),
		InsufficientDataActions: list(conf.InsufficientDataActions), StateValue: new(string(n.State)), StateReason: &n.StateReason, StateReasonData: api.Some(n.StateReasonData),
		StateUpdatedTimestamp: &n.StateUpdatedAt, StateTransitionedTimestamp: &n.StateTransitionedAt,
	}
	if s := conf.Suppressor; s != nil {
		a.ActionsSuppressor, a.ActionsSuppressorWaitPeriod, a.ActionsSuppressorExtensionPeriod = &s.Alarm, new(int32(s.WaitPeriod)), new(int32(s.ExtensionPeriod))
	}
	return a
}

// fromDimensions are dimensions as alarms keep them.
func fromDimensions(list []Dimension) (all []trellis.AlarmDimension) {
	for _, d := range list {
		all = append(all, trellis.AlarmDimension(d))
	}
	return all
}

// toDimensions are dimensions on the wire.
func toDimensions(list []trellis.AlarmDimension) []Dimension {
	return api.Each(list, func(d trellis.AlarmDimension) Dimension { return Dimension(d) })
}

// isExtended tells whether a statistic is one of those that are asked for as ExtendedStatistic.
func isExtended(statistic string) bool {
	return !slices.Contains([]string{"Average", "Maximum", "Minimum", "SampleCount", "Sum"}, statistic)
}

// alarmOf is an alarm on the wire.
func (h *handler) alarmOf(n *trellis.Alarm) MetricAlarm {
	conf := &n.Configuration
	a := MetricAlarm{
		AlarmName: &n.ID, AlarmArn: new(n.ARN(h.alarms.Region)), AlarmDescription: api.Some(conf.Description), ActionsEnabled: &conf.ActionsEnabled,
		AlarmConfigurationUpdatedTimestamp: &n.ConfigurationUpdatedAt, OKActions: list(conf.OKActions), AlarmActions: list(conf.AlarmActions),
		InsufficientDataActions: list(conf.InsufficientDataActions), StateValue: new(string(n.State)), StateReason: &n.StateReason, StateReasonData: api.Some(n.StateReasonData),
		StateUpdatedTimestamp: &n.StateUpdatedAt, StateTransitionedTimestamp: &n.StateTransitionedAt, EvaluationPeriods: new(int32(conf.EvaluationPeriods)),
		DatapointsToAlarm: api.Some(int32(conf.DatapointsToAlarm)), Threshold: conf.Threshold, ThresholdMetricId: api.Some(conf.ThresholdMetricID),
		ComparisonOperator: &conf.ComparisonOperator, TreatMissingData: api.Some(conf.TreatMissingData), EvaluateLowSampleCountPercentile: api.Some(conf.EvaluateLowSampleCountPercentile),
		Dimensions: []Dimension{},
	}
	if len(conf.Metrics) > 0 {
		a.Metrics = api.Each(conf.Metrics, queryOf)
		return a
	}
	m := &conf.Metric
	a.Namespace, a.MetricName, a.Dimensions, a.Period, a.Unit = &m.Namespace, &m.Name, toDimensions(m.Dimensions), new(int32(m.Period)), api.Some(m.Unit)
	if isExtended(m.Statistic) {
		a.ExtendedStatistic = &m.Statistic
	} else {
		a.Statistic = &m.Statistic
	}
	return a
}

// list is a list that is never nil: alarms show their actions although there are none.
func list(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// queryOf is one of an alarm's metrics on the wire.
func queryOf(m trellis.AlarmMetric) MetricDataQuery {
	q := MetricDataQuery{Id: m.ID, AccountId: api.Some(m.AccountID), Label: m.Label, ReturnData: new(api.Or(m.ReturnData, true))}
	if m.Expression != "" {
		q.Expression, q.Period = &m.Expression, api.Some(int32(m.Period))
		return q
	}
	q.MetricStat = &MetricStat{Metric: &Metric{Namespace: &m.Namespace, MetricName: &m.Name, Dimensions: toDimensions(m.Dimensions)},
		Period: int32(m.Period), Stat: m.Statistic, Unit: api.Some(m.Unit)}
	return q
}

// ofTypes lets a query find alarms of the types that a request names: of metrics when it names none.
func ofTypes(q alarm.Query, types []string) alarm.Query {
	q.Metric, q.Composite = len(types) == 0 || slices.Contains(types, "MetricAlarm"), slices.Contains(types, "CompositeAlarm")
	return q
}

// describeAlarms serves DescribeAlarms. Of children and parents only that is told which DescribeAlarms tells of them on AWS.
func (h *handler) describeAlarms(ctx context.Context, c *api.Call, in *DescribeAlarmsInput) (*DescribeAlarmsOutput, error) {
	if len(in.AlarmNames) > 0 && in.AlarmNamePrefix != nil {
		return nil, trellis.NewError(400, "InvalidParameterCombinationException", "AlarmNames and AlarmNamePrefix can't be combined.")
	}
	q := ofTypes(alarm.Query{Names: in.AlarmNames, Prefix: api.Value(in.AlarmNamePrefix), ActionPrefix: api.Value(in.ActionPrefix), State: trellis.AlarmState(api.Value(in.StateValue))}, in.AlarmTypes)
	related := in.ChildrenOfAlarmName != nil || in.ParentsOfAlarmName != nil
	if related {
		alone := len(in.AlarmNames)+len(in.AlarmTypes) == 0 && in.AlarmNamePrefix == nil && in.ActionPrefix == nil && in.StateValue == nil
		if !alone || in.ChildrenOfAlarmName != nil && in.ParentsOfAlarmName != nil {
			return nil, trellis.NewError(400, "ValidationError", "ChildrenOfAlarmName and ParentsOfAlarmName can't be combined with other parameters than MaxRecords and NextToken.")
		}
		q = alarm.Query{Metric: true, Composite: true, ChildrenOf: api.Value(in.ChildrenOfAlarmName), ParentsOf: api.Value(in.ParentsOfAlarmName)}
	}
	found, err := h.alarms.Describe(ctx, c.Caller, "DescribeAlarms", q)
	if err != nil {
		return nil, err
	}
	page, next, err := api.Cut(c, found, func(n *trellis.Alarm) string { return n.ID }, in.NextToken, int(api.Or(in.MaxRecords, usualAlarms)))
	if err != nil {
		return nil, badToken()
	}
	out := &DescribeAlarmsOutput{MetricAlarms: []MetricAlarm{}, CompositeAlarms: []CompositeAlarm{}, NextToken: next}
	for _, n := range page {
		switch {
		case n.Composite() && related:
			a := h.compositeOf(n)
			out.CompositeAlarms = append(out.CompositeAlarms, CompositeAlarm{AlarmName: a.AlarmName, AlarmArn: a.AlarmArn, StateValue: a.StateValue, StateUpdatedTimestamp: a.StateUpdatedTimestamp})
		case n.Composite():
			out.CompositeAlarms = append(out.CompositeAlarms, h.compositeOf(n))
		case related:
			a := h.alarmOf(n)
			out.MetricAlarms = append(out.MetricAlarms, MetricAlarm{AlarmName: a.AlarmName, AlarmArn: a.AlarmArn, StateValue: a.StateValue, StateUpdatedTimestamp: a.StateUpdatedTimestamp})
		default:
			out.MetricAlarms = append(out.MetricAlarms, h.alarmOf(n))
		}
	}
	return out, nil
}

// badToken is InvalidNextToken.
func badToken() error {
	return trellis.NewError(400, "InvalidNextToken", "The next token specified is invalid.")
}

// describeAlarmsForMetric serves DescribeAlarmsForMetric.
func (h *handler) describeAlarmsForMetric(ctx context.Context, c *api.Call, in *DescribeAlarmsForMetricInput) (*DescribeAlarmsForMetricOutput, error) {
	found, err := h.alarms.Describe(ctx, c.Caller, "DescribeAlarmsForMetric", alarm.Query{Metric: true})
	if err != nil {
		return nil, err
	}
	statistic := api.Or(in.Statistic, api.Value(in.ExtendedStatistic))
	want := fromDimensions(in.Dimensions)
	byName := func(a, b trellis.AlarmDimension) int { return strings.Compare(a.Name, b.Name) }
	slices.SortFunc(want, byName)
	out := &DescribeAlarmsForMetricOutput{MetricAlarms: []MetricAlarm{}}
	for _, n := range found {
		m := &n.Configuration.Metric
		have := slices.SortedFunc(slices.Values(m.Dimensions), byName)
		if m.Name == in.MetricName && m.Namespace == in.Namespace && slices.Equal(have, want) && (statistic == "" || statistic == m.Statistic) &&
			(in.Period == nil || int(*in.Period) == m.Period) && (in.Unit == nil || *in.Unit == m.Unit) {
			out.MetricAlarms = append(out.MetricAlarms, h.alarmOf(n))
		}
	}
	return out, nil
}

// deleteAlarms serves DeleteAlarms.
func (h *handler) deleteAlarms(ctx context.Context, c *api.Call, in *DeleteAlarmsInput) (*DeleteAlarmsOutput, error) {
	rev, err := h.alarms.Delete(ctx, c.Caller, in.AlarmNames)
	return api.Done(c, &DeleteAlarmsOutput{}, rev, err)
}

// enableAlarmActions serves EnableAlarmActions.
func (h *handler) enableAlarmActions(ctx context.Context, c *api.Call, in *EnableAlarmActionsInput) (*EnableAlarmActionsOutput, error) {
	rev, err := h.alarms.SetActions(ctx, c.Caller, in.AlarmNames, true)
	return api.Done(c, &EnableAlarmActionsOutput{}, rev, err)
}

// disableAlarmActions serves DisableAlarmActions.
func (h *handler) disableAlarmActions(ctx context.Context, c *api.Call, in *DisableAlarmActionsInput) (*DisableAlarmActionsOutput, error) {
	rev, err := h.alarms.SetActions(ctx, c.Caller, in.AlarmNames, false)
	return api.Done(c, &DisableAlarmActionsOutput{}, rev, err)
}

// setAlarmState serves SetAlarmState.
func (h *handler) setAlarmState(ctx context.Context, c *api.Call, in *SetAlarmStateInput) (*SetAlarmStateOutput, error) {
	rev, err := h.alarms.SetState(ctx, c.Caller, in.AlarmName, trellis.AlarmState(in.StateValue), in.StateReason, api.Value(in.StateReasonData))
	return api.Done(c, &SetAlarmStateOutput{}, rev, err)
}

// describeAlarmHistory serves DescribeAlarmHistory.
func (h *handler) describeAlarmHistory(ctx context.Context, c *api.Call, in *DescribeAlarmHistoryInput) (*DescribeAlarmHistoryOutput, error) {
	q := ofTypes(alarm.Query{}, in.AlarmTypes)
	if in.AlarmName != nil {
		q.Names = []string{*in.AlarmName}
	}
	found, err := h.alarms.Describe(ctx, c.Caller, "DescribeAlarmHistory", q)
	if err != nil {
		return nil, err
	}
	type event struct {
		trellis.AlarmEvent
		alarm *trellis.Alarm
		key   string
	}
	var events []event
	for _, n := range found {
		for i, e := range n.History {
			at := e.At.UnixMilli()
			if in.StartDate != nil && e.At.Before(*in.StartDate) || in.EndDate != nil && !e.At.Before(*in.EndDate) || in.HistoryItemType != nil && *in.HistoryItemType != e.Type {
				continue
			}
			order := i
			if api.Value(in.ScanBy) != "TimestampAscending" {
				at, order = 1<<62-at, 1<<20-i
			}
			events = append(events, event{e, n, fmt.Sprintf("%020d %08d %s", at, order, n.ID)})
		}
	}
	page, next, err := api.Cut(c, events, func(e event) string { return e.key }, in.NextToken, int(api.Or(in.MaxRecords, usualHistory)))
	if err != nil {
		return nil, badToken()
	}
	return &DescribeAlarmHistoryOutput{NextToken: next, AlarmHistoryItems: api.Each(page, func(e event) AlarmHistoryItem {
		typ := "MetricAlarm"
		if e.alarm.Composite() {
			typ = "CompositeAlarm"
		}
		return AlarmHistoryItem{AlarmName: &e.alarm.ID, AlarmType: &typ, Timestamp: &e.At, HistoryItemType: &e.Type, HistorySummary: &e.Summary, HistoryData: &e.Data}
	})}, nil
}
