package telemetry

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
)

const (
	// maxRows bounds the results of a query.
	maxRows = 10_000
	// maxRowBytes bounds the messages that a query keeps at the same time; rows beyond it, at the end of the
	// order asked for, are left out.
	maxRowBytes = 64 << 20
)

// Field is one field of a result.
type Field struct{ Name, Value string }

// QueryStats says what a query has read.
type QueryStats struct {
	RecordsMatched, RecordsScanned, BytesScanned, GroupsScanned float64
}

// execution is a query on its way over the rows.
type execution struct {
	head    []command // fields, filter and parse: for each row at once
	sort    []sortKey // the last sort before tail
	tail    []command // from the first limit, stats or dedup on
	top     int       // how many rows head has to keep
	tally   *tally    // of a stats right after head
	display []column  // what results show
	names   []string  // names in the results' order, when display is empty
	rows    []*row
	size    int // bytes of the rows' messages
	stats   QueryStats
}

// plan prepares a parsed query.
func plan(commands []command, limit int) *execution {
	x := &execution{top: limit}
	i := 0
	for ; i < len(commands); i++ {
		c := commands[i]
		if c.limit > 0 || c.stats != nil || c.dedup != nil {
			break
		}
		if c.sort != nil {
			x.sort = c.sort
		} else {
			x.head = append(x.head, c)
		}
	}
	x.tail = commands[i:]
	limited := false
	for _, c := range x.tail {
		limited = limited || c.limit > 0
	}
	switch {
	case len(x.tail) > 0 && x.tail[0].stats != nil:
		x.tally = newTally(x.tail[0].stats)
	case len(x.tail) > 0 && x.tail[0].limit > 0:
		x.top = x.tail[0].limit
	case len(x.tail) > 0:
		x.top = maxRows
	}
	if !limited {
		x.tail = append(slices.Clone(x.tail), command{limit: limit})
	}
	var shown []column
	for _, c := range commands {
		switch {
		case c.display != nil:
			x.display = c.display
		case c.stats != nil:
			x.names, shown = c.stats.names(), nil
		case c.fields != nil:
			shown = append(shown, c.fields...)
		}
	}
	for _, c := range shown {
		if !slices.Contains(x.names, c.name) {
			x.names = append(x.names, c.name)
		}
	}
	if len(x.names) == 0 {
		x.names = []string{"@timestamp", "@message"}
	}
	return x
}

// each applies a command to a row and tells whether the row stays.
func (c *command) each(r *row) bool {
	switch {
	case c.filter != nil:
		return c.filter(r).truth()
	case c.parse != nil:
		c.parse.apply(r)
	default:
		for _, f := range c.fields {
			if !f.plain {
				r.put(f.name, f.expr(r))
			}
		}
	}
	return true
}

// add takes an event.
func (x *execution) add(r *row) {
	x.stats.RecordsScanned++
	x.stats.BytesScanned += float64(len(r.message))
	for i := range x.head {
		if !x.head[i].each(r) {
			return
		}
	}
	x.stats.RecordsMatched++
	if x.tally != nil {
		x.tally.add(r)
		return
	}
	r.found = nil // found again for the few rows that stay to the end
	x.rows = append(x.rows, r)
	if x.size += len(r.message); len(x.rows) >= 2*x.top || x.size > maxRowBytes {
		x.trim()
	}
}

// trim sorts the rows and keeps the first ones only.
func (x *execution) trim() {
	sortRows(x.rows, x.sort)
	n := 0
	x.size = 0
	for n < len(x.rows) && n < x.top && x.size+len(x.rows[n].message) <= maxRowBytes/2 {
		x.size += len(x.rows[n].message)
		n++
	}
	clear(x.rows[n:])
	x.rows = x.rows[:n]
}

// sortRows sorts by keys, the latest event first among equals or without keys. Rows that lack a key come last.
// Lines of a statistic keep their order among equals.
func sortRows(rows []*row, keys []sortKey) {
	values := make(map[*row][]value, len(rows))
	for _, r := range rows {
		vs := make([]value, len(keys))
		for i, k := range keys {
			vs[i] = k.expr(r)
		}
		values[r] = vs
		r.found = nil
	}
	slices.SortStableFunc(rows, func(a, b *row) int {
		va, vb := values[a], values[b]
		for i, k := range keys {
			switch {
			case !va[i].present && !vb[i].present:
				continue
			case !va[i].present:
				return 1
			case !vb[i].present:
				return -1
			}
			if c := compareValues(va[i], vb[i]); c != 0 {
				if k.descending {
					return -c
				}
				return c
			}
		}
		return b.at.compare(a.at)
	})
}

// results runs what is left of the query and returns its lines.
func (x *execution) results() [][]Field {
	tail := x.tail
	if x.tally != nil {
		x.rows = x.tally.rows()
		tail = tail[1:]
	} else {
		x.trim()
	}
	for i := range tail {
		x.rows = tail[i].all(x.rows)
	}
	out := make([][]Field, 0, len(x.rows))
	for _, r := range x.rows {
		var line []Field
		if x.display != nil {
			for _, c := range x.display {
				if v := c.expr(r); v.present {
					line = append(line, Field{c.name, v.String()})
				}
			}
		} else {
			for _, name := range x.names {
				if v := r.get(name); v.present {
					line = append(line, Field{name, v.String()})
				}
			}
		}
		if !r.stats {
			line = append(line, Field{"@ptr", r.pointer()})
		}
		out = append(out, line)
	}
	return out
}

// all applies a command to all rows.
func (c *command) all(rows []*row) []*row {
	switch {
	case c.limit > 0:
		return rows[:min(c.limit, len(rows))]
	case c.sort != nil:
		sortRows(rows, c.sort)
		return rows
	case c.stats != nil:
		t := newTally(c.stats)
		for _, r := range rows {
			t.add(r)
		}
		return t.rows()
	case c.dedup != nil:
		seen := map[string]bool{}
		return slices.DeleteFunc(rows, func(r *row) bool {
			id := ""
			for _, f := range c.dedup {
				id += f.expr(r).String() + "\x00"
			}
			was := seen[id]
			seen[id] = true
			return was
		})
	}
	return slices.DeleteFunc(rows, func(r *row) bool { return !c.each(r) })
}

// pointer is a name for an event, opaque to clients.
func (r *row) pointer() string {
	return base64.RawStdEncoding.EncodeToString(fmt.Appendf(nil, "%s/%s/%s", r.log, r.stream, r.at))
}

// execute runs a query over groups in a range of time until it is done or ctx is.
func (l *Logs) execute(ctx context.Context, groups []*group, in span, x *execution) ([][]Field, error) {
	n := 0
	for _, g := range groups {
		log := g.account() + ":" + g.name()
		x.stats.GroupsScanned++
		from := max(in.from, g.oldest(l.millis()))
		err := g.scan(span{from, in.to}, nil, func(r record, stream string, at position) error {
			if n++; n&1023 == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			x.add(&row{log: log, stream: stream, at: at, ingested: r.ingested, message: string(r.text)})
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return x.results(), nil
}
