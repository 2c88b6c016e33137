package alarm

import (
	"errors"
	"testing"

	"github.com/trellis-project/trellis"
)

// TestCheck breaks a configuration of an alarm in every way and compares the codes.
func TestCheck(t *testing.T) {
	const combination, value, missing = "InvalidParameterCombinationException", "InvalidParameterValueException", "MissingRequiredParameterException"
	metric := trellis.AlarmMetric{Namespace: "shop", Name: "calls", Statistic: "Sum", Period: 60}
	of := func(id string, m trellis.AlarmMetric) trellis.AlarmMetric { m.ID = id; return m }
	for name, test := range map[string]struct {
		change func(*trellis.AlarmConfiguration)
		code   string
	}{
		"as it is":                {func(*trellis.AlarmConfiguration) {}, ""},
		"no periods":              {func(c *trellis.AlarmConfiguration) { c.EvaluationPeriods = 0 }, missing},
		"no operator":             {func(c *trellis.AlarmConfiguration) { c.ComparisonOperator = "" }, missing},
		"no threshold":            {func(c *trellis.AlarmConfiguration) { c.Threshold = nil }, missing},
		"no metric":               {func(c *trellis.AlarmConfiguration) { c.Metric.Name = "" }, missing},
		"no namespace":            {func(c *trellis.AlarmConfiguration) { c.Metric.Namespace = "" }, missing},
		"no statistic":            {func(c *trellis.AlarmConfiguration) { c.Metric.Statistic = "" }, missing},
		"no period":               {func(c *trellis.AlarmConfiguration) { c.Metric.Period = 0 }, missing},
		"an odd period":           {func(c *trellis.AlarmConfiguration) { c.Metric.Period = 45 }, value},
		"a short period":          {func(c *trellis.AlarmConfiguration) { c.Metric.Period = 10 }, ""},
		"more than a day":         {func(c *trellis.AlarmConfiguration) { c.EvaluationPeriods = 1441 }, combination},
		"a day":                   {func(c *trellis.AlarmConfiguration) { c.EvaluationPeriods = 1440 }, ""},
		"a week of hours":         {func(c *trellis.AlarmConfiguration) { c.EvaluationPeriods, c.Metric.Period = 168, 3600 }, ""},
		"a percentile":            {func(c *trellis.AlarmConfiguration) { c.Metric.Statistic = "p99.9" }, ""},
		"a trimmed mean":          {func(c *trellis.AlarmConfiguration) { c.Metric.Statistic = "TM(10%:90%)" }, ""},
		"no percentile":           {func(c *trellis.AlarmConfiguration) { c.Metric.Statistic = "p101" }, value},
		"more datapoints":         {func(c *trellis.AlarmConfiguration) { c.DatapointsToAlarm = 9 }, value},
		"missing data":            {func(c *trellis.AlarmConfiguration) { c.TreatMissingData = "x" }, value},
		"few samples":             {func(c *trellis.AlarmConfiguration) { c.EvaluateLowSampleCountPercentile = "x" }, value},
		"no action":               {func(c *trellis.AlarmConfiguration) { c.OKActions = []string{"x"} }, value},
		"a band without a metric": {func(c *trellis.AlarmConfiguration) { c.ComparisonOperator = "LessThanLowerThreshold" }, combination},
		"a band and a threshold": {func(c *trellis.AlarmConfiguration) {
			c.ComparisonOperator, c.ThresholdMetricID = "LessThanLowerThreshold", "b"
		}, combination},
		"a dimension twice": {func(c *trellis.AlarmConfiguration) {
			c.Metric.Dimensions = []trellis.AlarmDimension{{Name: "a"}, {Name: "a"}}
		}, value},
		"a metric and metrics": {func(c *trellis.AlarmConfiguration) { c.Metrics = []trellis.AlarmMetric{of("m", metric)} }, combination},
		"metrics": {func(c *trellis.AlarmConfiguration) {
			c.Metric, c.Metrics = trellis.AlarmMetric{}, []trellis.AlarmMetric{of("m", metric)}
		}, ""},
		"two that return data": {func(c *trellis.AlarmConfiguration) {
			c.Metric, c.Metrics = trellis.AlarmMetric{}, []trellis.AlarmMetric{of("m", metric), of("n", metric)}
		}, value},
		"an id twice": {func(c *trellis.AlarmConfiguration) {
			c.Metric, c.Metrics = trellis.AlarmMetric{}, []trellis.AlarmMetric{of("m", metric), of("m", metric)}
		}, value},
		"a bad id": {func(c *trellis.AlarmConfiguration) {
			c.Metric, c.Metrics = trellis.AlarmMetric{}, []trellis.AlarmMetric{of("M", metric)}
		}, value},
		"neither metric nor formula": {func(c *trellis.AlarmConfiguration) {
			c.Metric, c.Metrics = trellis.AlarmMetric{}, []trellis.AlarmMetric{{ID: "m"}}
		}, value},
	} {
		c := trellis.AlarmConfiguration{EvaluationPeriods: 3, Threshold: new(1.5), ComparisonOperator: "GreaterThanThreshold", Metric: metric}
		test.change(&c)
		code := ""
		if e, ok := errors.AsType[*trellis.Error](check("name", &c)); ok {
			code = e.Code
		}
		if code != test.code {
			t.Errorf("%s: got %q, want %q", name, code, test.code)
		}
	}
}
