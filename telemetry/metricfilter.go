package telemetry

import (
	"hash/maphash"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/trellis-project/trellis"
)

// The limits of metric filters (CloudWatch Logs API, PutMetricFilter).
const (
	maxMetricFilters    = 100 // of a log group
	maxFilterDimensions = 3
	maxDimensionValue   = 1024 // characters
	// maxCombinations bounds how many metrics a filter makes by its dimensions, where AWS switches it off; others count in none.
	maxCombinations = 1000
	// maxReported bounds for how many minutes a filter remembers that it has reported something.
	maxReported = 120
)

// MetricFilter makes values of a metric out of log events that match a pattern.
type MetricFilter struct {
	Name          string            `json:"name"` // unique in its log group
	Pattern       string            `json:"pattern"`
	Namespace     string            `json:"namespace"` // of the metric
	Metric        string            `json:"metric"`
	Value         string            `json:"value"` // a number, or the field of an event that has it
	Default       *float64          `json:"default,omitempty"`
	Dimensions    map[string]string `json:"dimensions,omitempty"` // names to the fields of events
	Unit          string            `json:"unit,omitempty"`
	CreatedMillis int64             `json:"createdMillis"`
	Group         string            `json:"-"` // of which it is, when it is shown
}

// liveFilter is a metric filter at work.
type liveFilter struct {
	MetricFilter
	pattern *pattern
	number  float64 // when Value is one
	field   bool    // or else it is the field that has it

	mu           sync.Mutex
	reported     []int64         // the latest minutes (ms) with a value, by the order in which they came
	combinations map[uint64]bool // of dimensions' values: hashes of metrics' keys, which may have kilobytes
}

// combinationSeed is the seed of hashes in liveFilter.
var combinationSeed = maphash.MakeSeed()

// metricRange is how far from 0 the values of metrics may be (CloudWatch API, MetricDatum).
var metricRange = math.Pow(2, 360)

// isValue tells whether a number can be the value of a metric.
func isValue(v float64) bool { return math.Abs(v) <= metricRange }

// liven compiles a metric filter, or says why it is none.
func (f MetricFilter) liven() (*liveFilter, error) {
	p, err := parsePattern(f.Pattern)
	if err != nil {
		return nil, err
	}
	l := &liveFilter{MetricFilter: f, pattern: p, combinations: map[uint64]bool{}}
	if l.number, err = strconv.ParseFloat(f.Value, 64); err != nil {
		l.field = true
	}
	fields := slices.Collect(maps.Values(f.Dimensions))
	if l.field {
		fields = append(fields, f.Value)
	}
	for _, field := range fields {
		if !strings.HasPrefix(field, "$") || p.has == nil || !p.has(field) {
			return nil, invalid("Invalid metric transformation: %s is neither a number nor a field of the filter pattern's log events", field)
		}
	}
	switch {
	case len(f.Dimensions) > maxFilterDimensions:
		return nil, invalid("Invalid metric transformation: a metric filter has at most %d dimensions", maxFilterDimensions)
	case len(f.Dimensions) > 0 && f.Default != nil:
		return nil, invalid("Invalid metric transformation: dimensions and default value are mutually exclusive properties.")
	case !isValue(l.number) || f.Default != nil && !isValue(*f.Default):
		return nil, invalid("Invalid metric transformation: a value is not in the range of metrics")
	case f.Namespace == "" || f.Metric == "" || f.Value == "":
		return nil, invalid("Invalid metric transformation: it has a namespace, a name and a value")
	}
	return l, nil
}

// measure is what an event adds to the filter's metric, false for nothing.
func (f *liveFilter) measure(m *message) (value float64, dimensions map[string]string, ok bool) {
	if !f.pattern.match(m) {
		return 0, nil, false
	}
	for name, field := range f.Dimensions {
		text, ok := f.pattern.value(m, field)
		if !ok || text == "" || len(text) > maxDimensionValue {
			return 0, nil, false
		}
		if dimensions == nil {
			dimensions = map[string]string{}
		}
		dimensions[name] = text
	}
	if !f.field {
		return f.number, dimensions, true
	}
	text, ok := f.pattern.value(m, f.Value)
	if !ok {
		return 0, nil, false
	}
	value, err := strconv.ParseFloat(text, 64)
	return value, dimensions, err == nil && isValue(value)
}

// admit tells whether the filter may have a metric, by its key: one of the first that it made.
func (f *liveFilter) admit(key string) bool {
	hash := maphash.String(combinationSeed, key)
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.combinations) < maxCombinations {
		f.combinations[hash] = true
	}
	return f.combinations[hash]
}

// report notes that a minute has a value, and tells whether it had none.
func (f *liveFilter) report(minute int64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if slices.Contains(f.reported, minute) {
		return false
	}
	f.reported = append(f.reported, minute)
	f.reported = f.reported[max(0, len(f.reported)-maxReported):]
	return true
}

// measured are the values that events give the metrics of filters, summed up by minute. A minute in which nothing has matched
// has the filter's default value, once.
func measured(filters []*liveFilter, events []Event) ([]Measured, error) {
	type of struct {
		key    string
		unit   string
		minute int64
	}
	found := map[of]*Measured{}
	take := func(f *liveFilter, minute int64, value float64, dimensions map[string]string) error {
		m := Metric{f.Namespace, f.Metric, dimensions}
		k := of{m.key(), f.Unit, minute}
		if !f.admit(k.key) {
			return nil
		}
		if found[k] == nil {
			found[k] = &Measured{Metric: m, Time: time.UnixMilli(minute), Set: Statistics{Unit: f.Unit}}
		}
		return found[k].Set.Take(value, 1)
	}
	minutes := map[int64]bool{}
	type in struct {
		filter *liveFilter
		minute int64
	}
	matched := map[in]bool{}
	for _, e := range events {
		minute := e.Millis - e.Millis%time.Minute.Milliseconds()
		minutes[minute] = true
		m := message{text: e.Message}
		for _, f := range filters {
			value, dimensions, ok := f.measure(&m)
			if !ok {
				continue
			}
			if at := (in{f, minute}); !matched[at] {
				matched[at] = true
				f.report(minute)
			}
			if err := take(f, minute, value, dimensions); err != nil {
				return nil, err
			}
		}
	}
	for _, f := range filters {
		for minute := range minutes {
			if f.Default != nil && !matched[in{f, minute}] && f.report(minute) {
				if err := take(f, minute, *f.Default, nil); err != nil {
					return nil, err
				}
			}
		}
	}
	out := make([]Measured, 0, len(found))
	for _, m := range found {
		out = append(out, *m)
	}
	return out, nil
}

// count lets events that were put count in the metrics of their group's filters. What cannot be kept is logged: the events are.
func (l *Logs) count(account string, filters []*liveFilter, events []Event) {
	if len(filters) == 0 || len(events) == 0 {
		return
	}
	values, err := measured(filters, events)
	if err == nil && len(values) > 0 {
		err = l.metrics.Put(account, values)
	}
	if err != nil {
		l.log.Error("values of metric filters not kept", "account", account, "error", err)
	}
}

// PutMetricFilter gives a log group a metric filter, in the place of one of the same name.
func (l *Logs) PutMetricFilter(account, groupName string, f MetricFilter) error {
	g, err := l.find(account, groupName)
	if err != nil {
		return err
	}
	live, err := f.liven()
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.meta.Class != "STANDARD" {
		return trellis.NewError(400, "InvalidOperationException", "Log groups of the class %s have no metric filters.", g.meta.Class)
	}
	live.CreatedMillis = l.millis()
	filters := slices.Clone(g.filters)
	if i := slices.IndexFunc(filters, func(o *liveFilter) bool { return o.Name == f.Name }); i >= 0 {
		live.CreatedMillis, filters[i] = filters[i].CreatedMillis, live
	} else if filters = append(filters, live); len(filters) > maxMetricFilters {
		return tooMany("A log group has at most %d metric filters", maxMetricFilters)
	}
	return g.setFilters(filters)
}

// DeleteMetricFilter takes a metric filter from a log group.
func (l *Logs) DeleteMetricFilter(account, groupName, name string) error {
	g, err := l.find(account, groupName)
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	filters := slices.DeleteFunc(slices.Clone(g.filters), func(f *liveFilter) bool { return f.Name == name })
	if len(filters) == len(g.filters) {
		return trellis.NewError(400, "ResourceNotFoundException", "The specified metric filter does not exist.")
	}
	return g.setFilters(filters)
}

// setFilters keeps other metric filters. The caller holds mu.
func (g *group) setFilters(filters []*liveFilter) error {
	m := g.meta
	m.MetricFilters = make([]MetricFilter, len(filters))
	for i, f := range filters {
		m.MetricFilters[i] = f.MetricFilter
	}
	if err := g.saveMeta(m); err != nil {
		return err
	}
	g.filters = filters
	return nil
}

// MetricFilterQuery asks for metric filters. What is empty asks for nothing.
type MetricFilterQuery struct {
	Group, Prefix, Namespace, Metric string
}

// MetricFilters returns up to limit metric filters of an account, by their groups' names and their own, those whose key follows
// after; next is the last one's key when there are more.
func (l *Logs) MetricFilters(account string, q MetricFilterQuery, after string, limit int) (found []MetricFilter, next string, err error) {
	groups := l.ofAccount(account)
	if q.Group != "" {
		g, err := l.find(account, q.Group)
		if err != nil {
			return nil, "", err
		}
		groups = []*group{g}
	}
	key := func(f MetricFilter) string { return f.Group + ":" + f.Name } // names of groups have no colons
	for _, g := range groups {
		g.mu.RLock()
		for _, f := range g.meta.MetricFilters {
			f.Group = g.meta.Name
			if strings.HasPrefix(f.Name, q.Prefix) && (q.Namespace == "" || q.Namespace == f.Namespace) && (q.Metric == "" || q.Metric == f.Metric) && key(f) > after {
				found = append(found, f)
			}
		}
		g.mu.RUnlock()
	}
	slices.SortFunc(found, func(a, b MetricFilter) int { return strings.Compare(key(a), key(b)) })
	if len(found) > limit {
		found = found[:limit]
		next = key(found[limit-1])
	}
	return found, next, nil
}

// PatternMatch is a message that matches a filter pattern, with the fields that the pattern names.
type PatternMatch struct {
	Number int64 // of the message, from 1
	Fields map[string]string
}

// TestPattern tells which messages match a filter pattern.
func TestPattern(text string, messages []string) ([]PatternMatch, error) {
	p, err := parsePattern(text)
	if err != nil {
		return nil, err
	}
	out := []PatternMatch{}
	for i, text := range messages {
		m := &message{text: []byte(text)}
		if !p.match(m) {
			continue
		}
		match := PatternMatch{int64(i + 1), map[string]string{}}
		if p.named != nil {
			match.Fields = p.named(m)
		}
		out = append(out, match)
	}
	return out, nil
}
