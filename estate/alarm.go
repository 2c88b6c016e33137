package estate

import (
	"context"
	"regexp"
	"strings"
)

// monitoring is the service of alarms and dashboards.
const monitoring = "monitoring"

// alarmKinds are the alarms and dashboards of CloudWatch.
func alarmKinds() []*kind {
	toAlarm := reference{kinds: []string{"Alarm", "CompositeAlarm"}, arn: true}
	return []*kind{
		alarms("MetricAlarm").of(
			&kind{name: "Alarm", service: monitoring, nameMember: "AlarmName", id: "AlarmName", create: "PutMetricAlarm", update: "PutMetricAlarm", make: makeAlarm, unmake: unmakeAlarm,
				members: []member{{name: "AlarmDescription", def: nothing}, {name: "ActionsEnabled", def: true}, {name: "AlarmActions", def: nothing}, {name: "OKActions", def: nothing},
					{name: "InsufficientDataActions", def: nothing}, {name: "Namespace", def: nothing}, {name: "MetricName", def: nothing}, {name: "Dimensions", set: true, def: nothing},
					{name: "Statistic", def: nothing}, {name: "ExtendedStatistic", def: nothing}, {name: "Period", def: nothing}, {name: "Unit", def: nothing},
					{name: "EvaluationPeriods", required: true}, {name: "DatapointsToAlarm", def: nothing}, {name: "Threshold", def: nothing}, {name: "ThresholdMetricId", def: nothing},
					{name: "ComparisonOperator", required: true}, {name: "TreatMissingData", def: "missing"}, {name: "EvaluateLowSampleCountPercentile", def: nothing}, {name: "Metrics", def: nothing}},
				defaults: map[string]any{"ReturnData": true},
				refs:     map[string]reference{"AlarmActions": {kinds: []string{"Function"}, arn: true}}}),
		alarms("CompositeAlarm").of(
			&kind{name: "CompositeAlarm", service: monitoring, nameMember: "AlarmName", id: "AlarmName", create: "PutCompositeAlarm", update: "PutCompositeAlarm", make: makeAlarm, unmake: unmakeAlarm, wrap: joinRule,
				members: []member{{name: "AlarmRule", required: true, form: ruleText, norm: ruleNorm}, {name: "AlarmDescription", def: nothing}, {name: "ActionsEnabled", def: true}, {name: "AlarmActions", def: nothing},
					{name: "OKActions", def: nothing}, {name: "InsufficientDataActions", def: nothing}, {name: "ActionsSuppressor", def: nothing}, {name: "ActionsSuppressorWaitPeriod", def: nothing},
					{name: "ActionsSuppressorExtensionPeriod", def: nothing}},
				refs: map[string]reference{"AlarmActions": {kinds: []string{"Function"}, arn: true}, "ActionsSuppressor": toAlarm, ruleAlarm: toAlarm}}),
		plain{list: "ListDashboards", items: "DashboardEntries", own: "DashboardName", arn: "DashboardArn", get: "GetDashboard", whole: true}.of(
			&kind{name: "Dashboard", service: monitoring, nameMember: "DashboardName", id: "DashboardName", create: "PutDashboard", update: "PutDashboard", make: makeDashboard, unmake: unmakeDashboard,
				members: []member{{name: "DashboardBody", required: true, form: jsonText}}}),
	}
}

// alarms are the operations on alarms of a type.
func alarms(typ string) plain {
	return plain{list: "DescribeAlarms", with: map[string]any{"AlarmTypes": []any{typ}}, items: typ + "s", own: "AlarmName", arn: "AlarmArn", more: withAlarms, whole: true}
}

// ruleAlarm is the member of a part of a rule that is an alarm.
const ruleAlarm = "AlarmName"

// inRule finds what a rule asks of an alarm: a function of its state, with its name or ARN, in quotation marks or without.
var inRule = regexp.MustCompile(`(?i)\b(?:ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*(?:"((?:[^"\\]|\\.)*)"|([^")]*[^")\s]))\s*\)`)

// Spaces in a rule mean as little as line breaks; quotation marks and backslashes in names have one before them.
var (
	spaces  = regexp.MustCompile(`\s+`)
	escaped = regexp.MustCompile(`\\(.)`)
	escape  = strings.NewReplacer(`"`, `\"`, `\`, `\\`)
)

// splitRule takes a rule apart into texts and the alarms between them, so that those are references like others.
func splitRule(rule string) []any {
	var parts []any
	add := func(s string) { parts = append(parts, spaces.ReplaceAllString(s, " ")) }
	rule = strings.TrimSpace(rule)
	end := 0
	for _, m := range inRule.FindAllStringSubmatchIndex(rule, -1) {
		from, to := m[4], m[5]
		name := ""
		if from >= 0 {
			name = rule[from:to]
		} else {
			from, to = m[2]-1, m[3]+1
			name = escaped.ReplaceAllString(rule[m[2]:m[3]], "$1")
		}
		add(rule[end:from])
		parts, end = append(parts, map[string]any{ruleAlarm: name}), to
	}
	add(rule[end:])
	return parts
}

// ruleNorm is a rule that was taken apart as its text.
func ruleNorm(v any) any {
	var out strings.Builder
	for _, part := range list(v) {
		name, is := structure(part)[ruleAlarm]
		if !is {
			out.WriteString(text(part))
			continue
		}
		if r, ok := name.(Ref); ok {
			name = r.Name
		}
		out.WriteString(`"` + escape.Replace(text(name)) + `"`)
	}
	return out.String()
}

// joinRule makes the text of a rule that was taken apart.
func joinRule(in map[string]any) map[string]any {
	if rule, ok := in["AlarmRule"].([]any); ok {
		in["AlarmRule"] = ruleNorm(rule)
	}
	return in
}

// withAlarms takes the rule of a composite alarm apart. Alarms that it names without saying whose are those of its account.
func withAlarms(_ context.Context, s *session, _ map[string]any, t *thing) error {
	rule, is := t.members["AlarmRule"].(string)
	if !is {
		return nil
	}
	t.members["AlarmRule"] = splitRule(rule)
	for _, name := range []string{"AlarmRule", "ActionsSuppressor"} {
		t.members[name] = walk(t.members[name], name, func(leaf string, v any) any {
			if (leaf == ruleAlarm || leaf == "ActionsSuppressor") && v != nil && !strings.HasPrefix(text(v), "arn:") {
				return alarmARN(s, text(v))
			}
			return v
		})
	}
	return nil
}

// alarmARN is the ARN of an alarm.
func alarmARN(s *session, name string) string {
	return "arn:aws:cloudwatch:" + s.region + ":" + s.account + ":alarm:" + name
}

// makeAlarm creates an alarm.
func makeAlarm(ctx context.Context, s *session, t *thing, in map[string]any) error {
	t.arn = alarmARN(s, t.own)
	return s.do(ctx, monitoring, t.kind.create, in)
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
