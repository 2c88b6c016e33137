package alarm

import (
	"regexp"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
)

const day = 24 * 60 * 60 // seconds

// percentile is the form of statistics that are no plain ones (CloudWatch user guide, statistics definitions).
var percentile = regexp.MustCompile(`^(p(\d{1,2}(\.\d{0,10})?|100)|(tm|tc|ts|wm)(\d{1,2}(\.\d{0,10})?|100)|IQM|(TM|TC|TS|WM|PR)\([^()]*:[^()]*\))$`)

// plain are the statistics that have a name.
var plain = []string{"Average", "Maximum", "Minimum", "SampleCount", "Sum"}

// identifier is the form of the ids of an alarm's metrics.
var identifier = regexp.MustCompile(`^[a-z][A-Za-z0-9_]*$`)

// check refuses a configuration that no alarm can have (CloudWatch API, PutMetricAlarm).
func check(name string, conf *trellis.AlarmConfiguration) error {
	combination := func(text string) error { return fault("InvalidParameterCombinationException", "%s", text) }
	value := func(format string, args ...any) error {
		return fault("InvalidParameterValueException", format, args...)
	}
	missing := func(what string) error {
		return fault("MissingRequiredParameterException", "The parameter %s is required.", what)
	}
	m := &conf.Metric
	if err := checkCommon(name, conf); err != nil {
		return err
	}
	switch {
	case conf.EvaluationPeriods < 1:
		return missing("EvaluationPeriods")
	case conf.ComparisonOperator == "":
		return missing("ComparisonOperator")
	case conf.DatapointsToAlarm > conf.EvaluationPeriods:
		return value("The parameter DatapointsToAlarm must be at most EvaluationPeriods.")
	case conf.TreatMissingData != "" && !slices.Contains([]string{"breaching", "ignore", "missing", "notBreaching"}, conf.TreatMissingData):
		return value("The value %s for parameter TreatMissingData is not supported.", conf.TreatMissingData)
	case conf.EvaluateLowSampleCountPercentile != "" && !slices.Contains([]string{"evaluate", "ignore"}, conf.EvaluateLowSampleCountPercentile):
		return value("The value %s for parameter EvaluateLowSampleCountPercentile is not supported.", conf.EvaluateLowSampleCountPercentile)
	case (conf.ThresholdMetricID != "") != slices.Contains([]string{"GreaterThanUpperThreshold", "LessThanLowerOrGreaterThanUpperThreshold", "LessThanLowerThreshold"}, conf.ComparisonOperator):
		return combination("ThresholdMetricId goes with the comparison operators of anomaly detection alone.")
	case conf.ThresholdMetricID == "" && conf.Threshold == nil:
		return missing("Threshold")
	case conf.ThresholdMetricID != "" && conf.Threshold != nil:
		return combination("Threshold and ThresholdMetricId can't be combined.")
	}
	if len(conf.Metrics) > 0 {
		if m.Name != "" || m.Namespace != "" || m.Statistic != "" || m.Period != 0 || len(m.Dimensions) > 0 || m.Unit != "" {
			return combination("Metrics can't be combined with MetricName, Namespace, Dimensions, Period, Unit, Statistic or ExtendedStatistic.")
		}
		return checkMetrics(conf)
	}
	switch {
	case m.Name == "":
		return missing("MetricName")
	case m.Namespace == "":
		return missing("Namespace")
	case m.Period == 0:
		return missing("Period")
	case m.Statistic == "":
		return missing("Statistic")
	}
	return checkMetric(m, conf)
}

// checkCommon refuses what no alarm of either kind can have.
func checkCommon(name string, conf *trellis.AlarmConfiguration) error {
	if strings.HasPrefix(name, " ") || strings.TrimSpace(name) == "" {
		return fault("InvalidParameterValueException", "The value %q for parameter AlarmName is invalid.", name)
	}
	for _, list := range [][]string{conf.OKActions, conf.AlarmActions, conf.InsufficientDataActions} {
		for _, arn := range list {
			if _, err := trellis.ParseARN(arn); err != nil {
				return fault("InvalidParameterValueException", "Invalid arn syntax: %s", arn)
			}
		}
	}
	return nil
}

// checkMetric refuses a metric that no alarm can watch.
func checkMetric(m *trellis.AlarmMetric, conf *trellis.AlarmConfiguration) error {
	most := day
	if m.Period >= 3600 {
		most = 7 * day
	}
	switch {
	case !slices.Contains([]int{10, 20, 30}, m.Period) && m.Period%60 != 0:
		return fault("InvalidParameterValueException", "The parameter Period must be 10, 20, 30 or a multiple of 60.")
	case m.Period*conf.EvaluationPeriods > most:
		return fault("InvalidParameterCombinationException", "Metrics cannot be checked across more than a day (EvaluationPeriods * Period must be <= 86400), or, with periods of an hour and more, a week.")
	case !slices.Contains(plain, m.Statistic) && !percentile.MatchString(m.Statistic):
		return fault("InvalidParameterValueException", "The value %s for parameter ExtendedStatistic is invalid.", m.Statistic)
	}
	seen := map[string]bool{}
	for _, d := range m.Dimensions {
		if seen[d.Name] {
			return fault("InvalidParameterValueException", "The dimension %s is given twice.", d.Name)
		}
		seen[d.Name] = true
	}
	return nil
}

// checkMetrics refuses metrics and expressions that no alarm can have: exactly one of them is watched.
func checkMetrics(conf *trellis.AlarmConfiguration) error {
	value := func(format string, args ...any) error {
		return fault("InvalidParameterValueException", format, args...)
	}
	if len(conf.Metrics) > 20 {
		return value("Metrics has at most 20 members.")
	}
	returned, ids := 0, map[string]bool{}
	for i := range conf.Metrics {
		m := &conf.Metrics[i]
		switch {
		case !identifier.MatchString(m.ID):
			return value("The value %s for parameter Id is invalid: it begins with a small letter, and has letters, digits and _.", m.ID)
		case ids[m.ID]:
			return value("The id %s is given twice.", m.ID)
		case (m.Expression == "") == (m.Name == ""):
			return value("Each of Metrics has either an Expression or a MetricStat.")
		case m.Expression == "" && m.Namespace == "":
			return fault("MissingRequiredParameterException", "The parameter Namespace is required.")
		}
		if ids[m.ID] = true; m.Expression == "" {
			if err := checkMetric(m, conf); err != nil {
				return err
			}
		}
		if m.ReturnData == nil || *m.ReturnData {
			returned++
		}
	}
	want := 1
	if conf.ThresholdMetricID != "" {
		want = 2 // the metric and its band
		if !ids[conf.ThresholdMetricID] {
			return value("ThresholdMetricId %s is not the id of one of Metrics.", conf.ThresholdMetricID)
		}
	}
	if returned != want {
		return value("Exactly %d element of the metrics list should return data.", want)
	}
	return nil
}

// checkTags refuses tags that CloudWatch would refuse.
func checkTags(tags map[string]string) error {
	if len(tags) > trellis.MaxTags {
		return fault("InvalidParameterValueException", "A resource has at most %d tags.", trellis.MaxTags)
	}
	for k, v := range tags {
		if f := trellis.CheckTag(k, v); f != "" {
			return fault("InvalidParameterValueException", "%s", f)
		}
	}
	return nil
}
