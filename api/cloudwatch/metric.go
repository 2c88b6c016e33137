package cloudwatch

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/telemetry"
)

// Limits of calls about metrics (CloudWatch API, PutMetricData, ListMetrics, GetMetricStatistics and GetMetricData).
const (
	maxDatums   = 1000
	maxValues   = 150
	pageSize    = 500
	maxPoints   = 1440
	maxQueries  = 500
	maxAllPoint = 100_800
	maxPast     = 14 * 24 * time.Hour
	maxFuture   = 2 * time.Hour
)

// greatest is the largest value of a metric, and the least is the negative of it.
var greatest = math.Pow(2, 360)

// putMetricData serves PutMetricData.
func (h *handler) putMetricData(_ context.Context, c *api.Call, in *PutMetricDataInput) (*PutMetricDataOutput, error) {
	if err := c.Authorize("cloudwatch:PutMetricData", "*", map[string][]string{"cloudwatch:namespace": {in.Namespace}}); err != nil {
		return nil, err
	}
	if strings.HasPrefix(in.Namespace, "AWS/") {
		return nil, invalid("The value AWS/ for parameter Namespace is invalid.")
	}
	data := in.MetricData
	for _, e := range in.EntityMetricData {
		data = append(data, e.MetricData...)
	}
	if len(data) == 0 {
		return nil, trellis.NewError(400, "MissingRequiredParameterException", "The parameter MetricData is required.")
	}
	if len(data) > maxDatums {
		return nil, invalid("The collection MetricData must not have a size greater than %d.", maxDatums)
	}
	now := time.Now()
	values := make([]telemetry.Measured, len(data))
	for i := range data {
		d := &data[i]
		at := api.Or(d.Timestamp, now)
		if at.Before(now.Add(-maxPast)) || at.After(now.Add(maxFuture)) {
			return nil, invalid("The parameter MetricData.member.%d.Timestamp must specify a time no more than two weeks in the past and two hours in the future.", i+1)
		}
		set, err := statistics(d)
		if err != nil {
			return nil, err
		}
		dimensions, err := dimensions(d.Dimensions)
		if err != nil {
			return nil, err
		}
		values[i] = telemetry.Measured{Metric: telemetry.Metric{Namespace: in.Namespace, Name: d.MetricName, Dimensions: dimensions}, Time: at, Set: set}
	}
	return &PutMetricDataOutput{}, h.metrics.Put(c.Account, values)
}

// statistics sums up the values of a datum, which are given in exactly one way.
func statistics(d *MetricDatum) (telemetry.Statistics, error) {
	s := telemetry.Statistics{Unit: api.Or(d.Unit, "None")}
	ways := 0
	for _, given := range []bool{d.Value != nil, d.StatisticValues != nil, d.Values != nil} {
		if given {
			ways++
		}
	}
	values, counts := d.Values, d.Counts
	if d.Value != nil {
		values = []float64{*d.Value}
	}
	set := d.StatisticValues
	switch {
	case ways == 0:
		return s, trellis.NewError(400, "MissingRequiredParameterException", "At least one of the parameters Value, Values or StatisticValues must be specified for %s.", d.MetricName)
	case ways > 1:
		return s, trellis.NewError(400, "InvalidParameterCombinationException", "The parameters Value, Values and StatisticValues are mutually exclusive.")
	case len(counts) > 0 && len(counts) != len(d.Values):
		return s, invalid("The parameters Values and Counts must have the same size.")
	case len(values) > maxValues:
		return s, invalid("The collection Values must not have a size greater than %d.", maxValues)
	case set != nil && (set.SampleCount <= 0 || set.Minimum > set.Maximum):
		return s, invalid("The parameter StatisticValues of %s is invalid.", d.MetricName)
	case set != nil:
		s.Count, s.Sum, s.Minimum, s.Maximum = set.SampleCount, set.Sum, set.Minimum, set.Maximum
		values = []float64{set.Sum, set.Minimum, set.Maximum}
	}
	for i, v := range values {
		if math.Abs(v) > greatest {
			return s, invalid("The value %g of %s is out of range.", v, d.MetricName)
		}
		if set != nil {
			continue
		}
		count := 1.0
		if len(counts) > 0 {
			count = counts[i]
		}
		if count <= 0 {
			return s, invalid("The parameter Counts must be positive.")
		}
		if err := s.Take(v, count); err != nil {
			return s, err
		}
	}
	return s, nil
}

// dimensions makes a map of dimensions. A name that comes twice is refused.
func dimensions(list []Dimension) (map[string]string, error) {
	m := make(map[string]string, len(list))
	for _, d := range list {
		if _, twice := m[d.Name]; twice {
			return nil, invalid("No Metric may specify the same dimension twice: %s", d.Name)
		}
		m[d.Name] = d.Value
	}
	return m, nil
}

// listMetrics serves ListMetrics.
func (h *handler) listMetrics(_ context.Context, c *api.Call, in *ListMetricsInput) (*ListMetricsOutput, error) {
	if err := c.Authorize("cloudwatch:ListMetrics", "*", nil); err != nil {
		return nil, err
	}
	after, err := c.After(in.NextToken)
	if err != nil {
		return nil, invalid("The NextToken is not valid.")
	}
	f := telemetry.MetricQuery{Namespace: api.Value(in.Namespace), Name: api.Value(in.MetricName), Dimensions: map[string]*string{}}
	for _, d := range in.Dimensions {
		f.Dimensions[d.Name] = d.Value
	}
	if in.RecentlyActive != nil {
		f.Since = 3 * time.Hour
	}
	found, next, err := h.metrics.List(c.Account, f, after, pageSize)
	if err != nil {
		return nil, err
	}
	return &ListMetricsOutput{NextToken: c.NextToken(next), Metrics: api.Each(found, func(m telemetry.Metric) Metric {
		w := Metric{Namespace: &m.Namespace, MetricName: &m.Name, Dimensions: []Dimension{}}
		for k, v := range m.Dimensions {
			w.Dimensions = append(w.Dimensions, Dimension{k, v})
		}
		slices.SortFunc(w.Dimensions, func(a, b Dimension) int { return strings.Compare(a.Name, b.Name) })
		return w
	})}, nil
}

// checkRange refuses a question about no time, or periods that metrics are not kept in.
func checkRange(from, to time.Time, period int32) error {
	switch {
	case !from.Before(to):
		return trellis.NewError(400, "InvalidParameterCombinationException", "The parameter StartTime must be less than the parameter EndTime.")
	case period < 60 || period%60 != 0:
		return invalid("The parameter Period must be a multiple of 60: metrics are kept by the minute.")
	}
	return nil
}

// getMetricStatistics serves GetMetricStatistics.
func (h *handler) getMetricStatistics(_ context.Context, c *api.Call, in *GetMetricStatisticsInput) (*GetMetricStatisticsOutput, error) {
	if err := c.Authorize("cloudwatch:GetMetricStatistics", "*", nil); err != nil {
		return nil, err
	}
	if err := checkRange(in.StartTime, in.EndTime, in.Period); err != nil {
		return nil, err
	}
	if len(in.Statistics)+len(in.ExtendedStatistics) == 0 {
		return nil, trellis.NewError(400, "MissingRequiredParameterException", "At least one of the parameters Statistics and ExtendedStatistics must be specified.")
	}
	for _, s := range in.ExtendedStatistics {
		if !isExtended(s) || !telemetry.IsStatistic(s) {
			return nil, invalid("The value %s for parameter ExtendedStatistics is not supported.", s)
		}
	}
	if n := in.EndTime.Sub(in.StartTime) / time.Second / time.Duration(in.Period); n > maxPoints {
		return nil, trellis.NewError(400, "InvalidParameterCombinationException", "You have requested up to %d datapoints, which exceeds the limit of %d. You may reduce the datapoints requested by increasing Period, or decreasing the time range.", n, maxPoints)
	}
	dimensions, err := dimensions(in.Dimensions)
	if err != nil {
		return nil, err
	}
	points, err := h.metrics.Points(c.Account, telemetry.Metric{Namespace: in.Namespace, Name: in.MetricName, Dimensions: dimensions},
		in.StartTime, in.EndTime, int(in.Period), api.Value(in.Unit), false)
	if err != nil {
		return nil, err
	}
	out := &GetMetricStatisticsOutput{Label: &in.MetricName, Datapoints: []Datapoint{}}
	for _, p := range points {
		d := Datapoint{Timestamp: &p.Time, Unit: &p.Unit}
		into := map[string]**float64{"SampleCount": &d.SampleCount, "Average": &d.Average, "Sum": &d.Sum, "Minimum": &d.Minimum, "Maximum": &d.Maximum}
		for _, s := range in.Statistics {
			v, _ := p.Value(s)
			*into[s] = &v
		}
		for _, s := range in.ExtendedStatistics {
			if v, known := p.Value(s); known {
				if d.ExtendedStatistics == nil {
					d.ExtendedStatistics = map[string]float64{}
				}
				d.ExtendedStatistics[s] = v
			}
		}
		out.Datapoints = append(out.Datapoints, d)
	}
	return out, nil
}

// getMetricData serves GetMetricData, without expressions.
func (h *handler) getMetricData(_ context.Context, c *api.Call, in *GetMetricDataInput) (*GetMetricDataOutput, error) {
	if err := c.Authorize("cloudwatch:GetMetricData", "*", nil); err != nil {
		return nil, err
	}
	if len(in.MetricDataQueries) > maxQueries {
		return nil, invalid("The collection MetricDataQueries must not have a size greater than %d.", maxQueries)
	}
	after, err := c.After(in.NextToken) // how many points were on the pages before
	skip, bad := strconv.Atoi(cmp.Or(after, "0"))
	if err != nil || bad != nil {
		return nil, badToken()
	}
	first := skip
	out := &GetMetricDataOutput{MetricDataResults: []MetricDataResult{}}
	most := min(maxAllPoint, int(api.Or(in.MaxDatapoints, maxAllPoint)))
	if most < 1 {
		return nil, invalid("The parameter MaxDatapoints must be positive.")
	}
	ids, left := map[string]bool{}, most
	for _, q := range in.MetricDataQueries {
		if ids[q.Id] {
			return nil, invalid("The values for parameter id in MetricDataQueries are not unique.")
		}
		ids[q.Id] = true
		if q.Expression != nil || q.MetricStat == nil {
			return nil, invalid("Expressions are not served by Trellis: %s needs a MetricStat.", q.Id)
		}
		s := q.MetricStat
		if err := checkRange(in.StartTime, in.EndTime, s.Period); err != nil {
			return nil, err
		}
		if !telemetry.IsStatistic(s.Stat) {
			return nil, invalid("The value %s for parameter Stat is not supported.", s.Stat)
		}
		dimensions, err := dimensions(s.Metric.Dimensions)
		if err != nil {
			return nil, err
		}
		if q.ReturnData != nil && !*q.ReturnData {
			continue
		}
		metric := telemetry.Metric{Namespace: api.Value(s.Metric.Namespace), Name: api.Value(s.Metric.MetricName), Dimensions: dimensions}
		points, err := h.metrics.Points(c.Account, metric, in.StartTime, in.EndTime, int(s.Period), api.Value(s.Unit), true)
		if err != nil {
			return nil, err
		}
		if api.Value(in.ScanBy) != "TimestampAscending" {
			slices.Reverse(points)
		}
		r := MetricDataResult{Id: new(q.Id), Label: new(api.Or(q.Label, metric.Name)), StatusCode: new("Complete"), Timestamps: []time.Time{}, Values: []float64{}}
		for _, p := range points {
			v, known := p.Value(s.Stat)
			if !known {
				continue
			}
			if skip > 0 {
				skip--
				continue
			}
			if left == 0 {
				r.StatusCode, out.NextToken = new("PartialData"), c.NextToken(strconv.Itoa(first+most))
				break
			}
			left--
			r.Timestamps, r.Values = append(r.Timestamps, p.Time), append(r.Values, v)
		}
		out.MetricDataResults = append(out.MetricDataResults, r)
	}
	return out, nil
}
