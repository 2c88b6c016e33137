package telemetry

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/trellis-project/trellis"
)

const (
	// metricDays is how long metrics are kept, as long as CloudWatch keeps them by the minute.
	metricDays = 15
	// metricBytes bounds what an account's metrics take on the disk: the oldest go first.
	metricBytes = 256 << 20
	// activeFor is for how long a metric without new values is listed (CloudWatch API, ListMetrics).
	activeFor = 14 * 24 * time.Hour
	// metricGroup is the name of the group that holds an account's metrics: a stream for each.
	metricGroup = "metrics"
)

// Metrics are the metrics of all accounts: statistic sets of one minute each, in segments as log events are.
type Metrics struct {
	dir string
	now func() time.Time
	log *slog.Logger

	mu     sync.Mutex
	groups map[string]*group // by account
}

// Metric names what is measured.
type Metric struct {
	Namespace  string            `json:"namespace"`
	Name       string            `json:"name"`
	Dimensions map[string]string `json:"dimensions,omitempty"`
}

// key is the metric as the name of its stream: maps are written in the order of their keys.
func (m Metric) key() string {
	b, _ := json.Marshal(m) // texts cannot fail
	return string(b)
}

// Measured are values of a metric at a time.
type Measured struct {
	Metric
	Time time.Time
	Set  Statistics
}

// openMetrics opens the metrics below dir.
func openMetrics(dir string, o Options) (*Metrics, error) {
	m := &Metrics{dir: dir, now: o.Now, log: o.Log, groups: map[string]*group{}}
	files, err := filepath.Glob(filepath.Join(dir, "*", groupFile))
	if err != nil {
		return nil, fmt.Errorf("open metrics: %w", err)
	}
	for _, f := range files {
		g, err := openGroup(filepath.Dir(f), o.Log)
		if err != nil {
			return nil, errors.Join(err, m.shut())
		}
		m.groups[g.meta.Account] = g
	}
	return m, nil
}

// group finds an account's metrics; with make, it makes what is not there yet.
func (m *Metrics) group(account string, make bool) (*group, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	g := m.groups[account]
	if g != nil || !make {
		return g, nil
	}
	g = &group{dir: filepath.Join(m.dir, account), log: m.log, streams: map[string]*stream{}, numbers: map[uint64]*stream{}}
	if err := os.MkdirAll(g.dir, 0o700); err != nil {
		return nil, fmt.Errorf("keep metrics: %w", err)
	}
	if err := g.saveMeta(groupMeta{Account: account, Name: metricGroup, CreatedMillis: m.now().UnixMilli(), RetentionDays: metricDays}); err != nil {
		return nil, err
	}
	m.groups[account] = g
	return g, nil
}

// Put keeps values of an account. They are written when it returns.
func (m *Metrics) Put(account string, values []Measured) error {
	g, err := m.group(account, true)
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	now := m.now().UnixMilli()
	for _, v := range values {
		key := v.key()
		st := g.streams[key]
		if st == nil {
			if st, err = g.makeStream(key, now); err != nil {
				return err
			}
		}
		text, err := v.Set.encode()
		if err != nil {
			return err
		}
		if err := g.put(st, []Event{{Millis: v.Time.Truncate(time.Minute).UnixMilli(), Message: text}}, now); err != nil {
			return err
		}
	}
	return g.bound(metricBytes)
}

// MetricQuery asks for metrics. What is empty asks for nothing.
type MetricQuery struct {
	Namespace, Name string
	Dimensions      map[string]*string // that it has, with a value or with any
	Since           time.Duration      // how long ago the last value may be
}

// fits tells whether a metric is asked for.
func (f *MetricQuery) fits(m *Metric) bool {
	for k, want := range f.Dimensions {
		if v, has := m.Dimensions[k]; !has || want != nil && *want != v {
			return false
		}
	}
	return (f.Namespace == "" || f.Namespace == m.Namespace) && (f.Name == "" || f.Name == m.Name)
}

// List returns up to limit metrics of an account that had values lately, those whose key follows after; next is the last
// one's key when there are more.
func (m *Metrics) List(account string, f MetricQuery, after string, limit int) (found []Metric, next string, err error) {
	g, err := m.group(account, false)
	if err != nil || g == nil {
		return nil, "", err
	}
	if f.Since == 0 {
		f.Since = activeFor
	}
	oldest := m.now().Add(-f.Since).UnixMilli()
	g.mu.RLock()
	var keys []string
	for key, st := range g.streams {
		if key > after && st.last >= oldest {
			keys = append(keys, key)
		}
	}
	g.mu.RUnlock()
	slices.Sort(keys)
	for i, key := range keys {
		var metric Metric
		if err := json.NewDecoder(strings.NewReader(key)).Decode(&metric); err != nil {
			return nil, "", fmt.Errorf("read the name of a metric: %w", err)
		}
		if !f.fits(&metric) {
			continue
		}
		if len(found) == limit {
			return found, keys[i-1], nil
		}
		found = append(found, metric)
	}
	return found, "", nil
}

// Point are the values of a metric within one period.
type Point struct {
	Time time.Time // when the period begins
	Statistics
}

// Points returns what an account's metric measured from a time to before another, in periods of so many seconds, a multiple
// of 60, by time and unit. unit chooses values, empty takes all of them; with merge, units are not told apart.
func (m *Metrics) Points(account string, metric Metric, from, to time.Time, period int, unit string, merge bool) ([]Point, error) {
	g, err := m.group(account, false)
	if err != nil || g == nil {
		return nil, err
	}
	type at struct {
		millis int64
		unit   string
	}
	found := map[at]*Statistics{}
	step := int64(period) * 1000
	in := span{from.Truncate(time.Minute).UnixMilli(), to.UnixMilli() - 1}
	in.from = max(in.from/step*step, g.oldest(m.now().UnixMilli()))
	key := metric.key()
	err = g.scan(in, func(name string) bool { return name == key }, func(r record, _ string, _ position) error {
		s, err := decodeStatistics(r.text)
		if err != nil {
			return err
		}
		if unit != "" && s.Unit != unit {
			return nil
		}
		a := at{r.time / step * step, s.Unit}
		if merge {
			a.unit = ""
		}
		if found[a] == nil {
			found[a] = s
			return nil
		}
		return found[a].Add(s)
	})
	if err != nil {
		return nil, err
	}
	points := make([]Point, 0, len(found))
	for a, s := range found {
		points = append(points, Point{time.UnixMilli(a.millis).UTC(), *s})
	}
	slices.SortFunc(points, func(a, b Point) int {
		if c := a.Time.Compare(b.Time); c != 0 {
			return c
		}
		return strings.Compare(a.Unit, b.Unit)
	})
	return points, nil
}

// all are the groups of all accounts.
func (m *Metrics) all() []*group {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Values(m.groups))
}

// sync synchronizes the disk.
func (m *Metrics) sync() {
	for _, g := range m.all() {
		if err := g.sync(); err != nil {
			m.log.Error("metrics not synchronized", "account", g.account(), "error", err)
		}
	}
}

// expire removes what is past its retention from the disk.
func (m *Metrics) expire() {
	for _, g := range m.all() {
		if err := g.expire(g.oldest(m.now().UnixMilli())); err != nil {
			m.log.Error("expired metrics not removed", "account", g.account(), "error", err)
		}
	}
}

// shut closes all files.
func (m *Metrics) shut() error {
	var errs []error
	for _, g := range m.all() {
		g.mu.Lock()
		errs = append(errs, g.shut())
		g.mu.Unlock()
	}
	return errors.Join(errs...)
}

// errMetric is InvalidParameterValue of CloudWatch.
func errMetric(format string, args ...any) error {
	return trellis.NewError(400, "InvalidParameterValueException", format, args...)
}
