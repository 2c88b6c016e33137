package telemetry

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

const (
	// maxBuckets bounds the lines of one stats command.
	maxBuckets = 10_000
	// maxSamples bounds what one pct, median or count_distinct keeps; beyond it they are inexact.
	maxSamples = 100_000
)

// statistic is the stats command.
type statistic struct {
	aggs []aggregation
	by   []column
}

// aggregation is one value of stats.
type aggregation struct {
	name    string
	arg     expr // nil for count(*)
	percent float64
	make    func(percent float64) accumulator
}

// accumulator takes the values of one bucket and gives the result.
type accumulator interface {
	// add takes a value that is present, and the row that it is of.
	add(v value, r *row)
	// result is the value for all that was added; missing when there is none.
	result() value
}

// aggregates make the accumulators of stats by name.
var aggregates = map[string]func(percent float64) accumulator{
	"count":          func(float64) accumulator { return new(counter) },
	"count_distinct": func(float64) accumulator { return &distinct{seen: map[string]bool{}} },
	"sum":            func(float64) accumulator { return &moment{sum: true} },
	"avg":            func(float64) accumulator { return &moment{} },
	"min":            func(float64) accumulator { return &edge{sign: -1} },
	"max":            func(float64) accumulator { return &edge{sign: 1} },
	"stddev":         func(float64) accumulator { return &moment{deviation: true} },
	"pct":            func(p float64) accumulator { return &samples{percent: p} },
	"median":         func(float64) accumulator { return &samples{percent: 50} },
	"earliest":       func(float64) accumulator { return &byTime{sign: -1} },
	"latest":         func(float64) accumulator { return &byTime{sign: 1} },
}

// counter counts.
type counter struct{ n float64 }

// add counts one more.
func (c *counter) add(value, *row) { c.n++ }

// result is how many there were.
func (c *counter) result() value { return numberValue(c.n) }

// distinct counts different values.
type distinct struct{ seen map[string]bool }

// add notes the value.
func (d *distinct) add(v value, _ *row) {
	if len(d.seen) < maxSamples {
		d.seen[v.String()] = true
	}
}

// result is how many different values there were.
func (d *distinct) result() value { return numberValue(float64(len(d.seen))) }

// moment is a sum, mean or standard deviation (of the population).
type moment struct {
	sum, deviation  bool
	n, total, sumSq float64
}

// add takes the value if it is a number.
func (m *moment) add(v value, _ *row) {
	if f, ok := v.asNumber(); ok {
		m.n++
		m.total += f
		m.sumSq += f * f
	}
}

// result is the sum, mean or deviation; missing without numbers.
func (m *moment) result() value {
	switch {
	case m.n == 0:
		return value{}
	case m.sum:
		return numberValue(m.total)
	case m.deviation:
		mean := m.total / m.n
		return numberValue(math.Sqrt(max(m.sumSq/m.n-mean*mean, 0)))
	}
	return numberValue(m.total / m.n)
}

// edge is the greatest or least value.
type edge struct {
	sign int
	best value
}

// add keeps the value if it is beyond the one before.
func (e *edge) add(v value, _ *row) {
	if !e.best.present || compareValues(v, e.best)*e.sign > 0 {
		e.best = v
	}
}

// result is the value that was kept.
func (e *edge) result() value { return e.best }

// samples is a percentile.
type samples struct {
	percent float64
	all     []float64
}

// add keeps the value if it is a number.
func (s *samples) add(v value, _ *row) {
	if f, ok := v.asNumber(); ok && len(s.all) < maxSamples {
		s.all = append(s.all, f)
	}
}

// result is the percentile by nearest rank.
func (s *samples) result() value {
	if len(s.all) == 0 {
		return value{}
	}
	slices.Sort(s.all)
	rank := int(math.Ceil(s.percent/100*float64(len(s.all)))) - 1
	return numberValue(s.all[min(max(rank, 0), len(s.all)-1)])
}

// byTime is the value of the earliest or latest event.
type byTime struct {
	sign int
	at   position
	best value
}

// add keeps the value if its event is earlier, or later.
func (b *byTime) add(v value, r *row) {
	if !b.best.present || r.at.compare(b.at)*b.sign > 0 {
		b.at, b.best = r.at, v
	}
}

// result is the value that was kept.
func (b *byTime) result() value { return b.best }

// statistic parses what follows stats.
func (p *parser) statistic() (*statistic, error) {
	s := &statistic{}
	for {
		a, err := p.aggregation()
		if err != nil {
			return nil, err
		}
		s.aggs = append(s.aggs, a)
		if !p.take(",") {
			break
		}
	}
	var err error
	if p.take("by") {
		s.by, err = p.columns(true)
	}
	return s, err
}

// aggregation parses count(*), pct(field, 95) and the like, with its alias.
func (p *parser) aggregation() (a aggregation, err error) {
	name := p.next()
	lower := strings.ToLower(name.text)
	mk, ok := aggregates[lower]
	if name.kind != tokenName || !ok {
		return a, malformed(p.query, name.at, "stats does not know %s", p.query[name.at:name.end])
	}
	a.make = mk
	if !p.take("(") {
		return a, p.unexpected()
	}
	if lower == "count" && (p.take("*") || p.peek().is(")")) {
		a.arg = nil
	} else if a.arg, err = p.expression(); err != nil {
		return a, err
	}
	if lower == "pct" {
		if !p.take(",") {
			return a, p.unexpected()
		}
		t := p.next()
		f, ok := textValue(t.text).asNumber()
		if t.kind != tokenNumber || !ok || f > 100 {
			return a, malformed(p.query, t.at, "pct takes a percentage from 0 to 100")
		}
		a.percent = f
	}
	if !p.take(")") {
		return a, p.unexpected()
	}
	a.name = strings.TrimSpace(p.query[name.at:p.peek().at])
	if p.take("as") {
		t := p.next()
		if t.kind != tokenName && t.kind != tokenQuoted {
			return a, malformed(p.query, t.at, "a name is missing after as")
		}
		a.name = t.text
	}
	return a, nil
}

// bucket is one line of a statistic that is being made.
type bucket struct {
	keys []value
	accs []accumulator
}

// tally makes the lines of a statistic while rows come in.
type tally struct {
	s       *statistic
	buckets map[string]*bucket
	full    bool // there were more buckets than maxBuckets
}

// newTally begins a statistic.
func newTally(s *statistic) *tally { return &tally{s: s, buckets: map[string]*bucket{}} }

// add counts a row.
func (t *tally) add(r *row) {
	keys := make([]value, len(t.s.by))
	var id strings.Builder
	for i, c := range t.s.by {
		keys[i] = c.expr(r)
		id.WriteString(keys[i].String())
		id.WriteByte(0)
	}
	b := t.buckets[id.String()]
	if b == nil {
		if len(t.buckets) >= maxBuckets {
			t.full = true
			return
		}
		b = &bucket{keys: keys}
		for _, a := range t.s.aggs {
			b.accs = append(b.accs, a.make(a.percent))
		}
		t.buckets[id.String()] = b
	}
	for i, a := range t.s.aggs {
		v := boolValue(true)
		if a.arg != nil {
			v = a.arg(r)
		}
		if v.present {
			b.accs[i].add(v, r)
		}
	}
}

// rows are the lines, by their keys.
func (t *tally) rows() []*row {
	if len(t.buckets) == 0 && len(t.s.by) == 0 {
		t.buckets[""] = &bucket{}
		for _, a := range t.s.aggs {
			t.buckets[""].accs = append(t.buckets[""].accs, a.make(a.percent))
		}
	}
	buckets := make([]*bucket, 0, len(t.buckets))
	for _, b := range t.buckets {
		buckets = append(buckets, b)
	}
	slices.SortFunc(buckets, func(a, b *bucket) int {
		for i := range a.keys {
			if c := cmp.Or(compareValues(a.keys[i], b.keys[i]), strings.Compare(a.keys[i].String(), b.keys[i].String())); c != 0 {
				return c
			}
		}
		return 0
	})
	rows := make([]*row, 0, len(buckets))
	for _, b := range buckets {
		r := &row{stats: true}
		for i, c := range t.s.by {
			r.put(c.name, b.keys[i])
		}
		for i, a := range t.s.aggs {
			r.put(a.name, b.accs[i].result())
		}
		rows = append(rows, r)
	}
	return rows
}

// names are the names of a line's fields.
func (s *statistic) names() []string {
	var names []string
	for _, c := range s.by {
		names = append(names, c.name)
	}
	for _, a := range s.aggs {
		names = append(names, a.name)
	}
	return names
}
