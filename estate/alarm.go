package estate

import (
	"context"
	"strings"
)

// monitoring is the service of alarms and dashboards.
const monitoring = "monitoring"

// alarmKinds are the alarms on metrics and the dashboards of CloudWatch.
func alarmKinds() []*kind {
	return []*kind{
		plain{list: "DescribeAlarms", with: map[string]any{"AlarmTypes": []any{"MetricAlarm"}}, items: "MetricAlarms", own: "AlarmName", arn: "AlarmArn", whole: true}.of(
			&kind{name: "Alarm", service: monitoring, nameMember: "AlarmName", id: "AlarmName", create: "PutMetricAlarm", update: "PutMetricAlarm", make: makeAlarm, unmake: unmakeAlarm,
				members: []member{{name: "AlarmDescription", def: nothing}, {name: "ActionsEnabled", def: true}, {name: "AlarmActions", def: nothing}, {name: "OKActions", def: nothing},
					{name: "InsufficientDataActions", def: nothing}, {name: "Namespace", def: nothing}, {name: "MetricName", def: nothing}, {name: "Dimensions", set: true, def: nothing},
					{name: "Statistic", def: nothing}, {name: "ExtendedStatistic", def: nothing}, {name: "Period", def: nothing}, {name: "Unit", def: nothing},
					{name: "EvaluationPeriods", required: true}, {name: "DatapointsToAlarm", def: nothing}, {name: "Threshold", def: nothing}, {name: "ThresholdMetricId", def: nothing},
					{name: "ComparisonOperator", required: true}, {name: "TreatMissingData", def: "missing"}, {name: "EvaluateLowSampleCountPercentile", def: nothing}, {name: "Metrics", def: nothing}},
				defaults: map[string]any{"ReturnData": true},
				refs:     map[string]reference{"AlarmActions": {kinds: []string{"Function"}, arn: true}}}),
		plain{list: "ListDashboards", items: "DashboardEntries", own: "DashboardName", arn: "DashboardArn", get: "GetDashboard", whole: true}.of(
			&kind{name: "Dashboard", service: monitoring, nameMember: "DashboardName", id: "DashboardName", create: "PutDashboard", update: "PutDashboard", make: makeDashboard, unmake: unmakeDashboard,
				members: []member{{name: "DashboardBody", required: true, form: jsonText}}}),
	}
}

// makeAlarm creates an alarm.
func makeAlarm(ctx context.Context, s *session, t *thing, in map[string]any) error {
	t.arn = "arn:aws:cloudwatch:" + s.region + ":" + s.account + ":alarm:" + t.own
	return s.do(ctx, monitoring, "PutMetricAlarm", in)
}

// unmakeAlarm deletes an alarm.
func unmakeAlarm(ctx context.Context, s *session, t *thing) error {
	return unlessGone(s.do(ctx, monitoring, "DeleteAlarms", map[string]any{"AlarmNames": []any{t.own}}))
}

// makeDashboard creates a dashboard. What CloudWatch finds wrong with it is an error here.
func makeDashboard(ctx context.Context, s *session, t *thing, in map[string]any) error {
	t.arn = "arn:aws:cloudwatch::" + s.account + ":dashboard/" + t.own
	out, err := s.call(ctx, monitoring, "PutDashboard", in)
	var wrong []string
	for _, m := range list(out["DashboardValidationMessages"]) {
		wrong = append(wrong, text(structure(m)["DataPath"])+" "+text(structure(m)["Message"]))
	}
	if err == nil && len(wrong) > 0 {
		return failedError{"made, but some of it is wrong", strings.Join(wrong, "; ")}
	}
	return err
}

// unmakeDashboard deletes a dashboard.
func unmakeDashboard(ctx context.Context, s *session, t *thing) error {
	return unlessGone(s.do(ctx, monitoring, "DeleteDashboards", map[string]any{"DashboardNames": []any{t.own}}))
}
