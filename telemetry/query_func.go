package telemetry

import (
	"math"
	"strconv"
	"strings"
)

// function is a function of the query language on values.
type function struct {
	min, max int // how many arguments; max < 0: any number
	call     func(args []value) value
}

// functions are the functions that take values only.
var functions = map[string]function{
	"abs":      {1, 1, numeric(math.Abs)},
	"ceil":     {1, 1, numeric(math.Ceil)},
	"floor":    {1, 1, numeric(math.Floor)},
	"log":      {1, 1, numeric(math.Log)},
	"sqrt":     {1, 1, numeric(math.Sqrt)},
	"greatest": {1, -1, func(a []value) value { return extreme(a, 1) }},
	"least":    {1, -1, func(a []value) value { return extreme(a, -1) }},
	"strlen": {1, 1, func(a []value) value {
		return present(a[0], func(s string) value { return numberValue(float64(len([]rune(s)))) })
	}},
	"tolower": {1, 1, text(strings.ToLower)},
	"toupper": {1, 1, text(strings.ToUpper)},
	"trim":    {1, 1, text(strings.TrimSpace)},
	"ltrim":   {1, 1, text(func(s string) string { return strings.TrimLeft(s, " \t\r\n") })},
	"rtrim":   {1, 1, text(func(s string) string { return strings.TrimRight(s, " \t\r\n") })},
	"concat":  {1, -1, concat},
	"substr":  {2, 3, substr},
	"replace": {3, 3, func(a []value) value {
		return present(a[0], func(s string) value { return textValue(strings.ReplaceAll(s, a[1].String(), a[2].String())) })
	}},
	"strcontains": {2, 2, func(a []value) value {
		return boolValue(a[0].present && strings.Contains(a[0].String(), a[1].String()))
	}},
	"isempty":    {1, 1, func(a []value) value { return boolValue(a[0].String() == "") }},
	"isblank":    {1, 1, func(a []value) value { return boolValue(strings.TrimSpace(a[0].String()) == "") }},
	"ispresent":  {1, 1, func(a []value) value { return boolValue(a[0].present) }},
	"coalesce":   {1, -1, coalesce},
	"frommillis": {1, 1, func(a []value) value { f, ok := a[0].asNumber(); return when(ok, timeValue(f)) }},
	"tomillis":   {1, 1, func(a []value) value { f, ok := a[0].asNumber(); return when(ok, numberValue(f)) }},
}

// numeric makes a function of a function on numbers.
func numeric(f func(float64) float64) func([]value) value {
	return func(a []value) value {
		x, ok := a[0].asNumber()
		return when(ok, numberValue(f(x)))
	}
}

// text makes a function of a function on texts.
func text(f func(string) string) func([]value) value {
	return func(a []value) value { return present(a[0], func(s string) value { return textValue(f(s)) }) }
}

// present is f of a value's text, missing when the value is.
func present(v value, f func(string) value) value {
	if !v.present {
		return v
	}
	return f(v.String())
}

// when is v, or missing.
func when(ok bool, v value) value {
	if !ok {
		return value{}
	}
	return v
}

// extreme is the greatest (sign 1) or least (-1) of the values that are present.
func extreme(a []value, sign int) (best value) {
	for _, v := range a {
		if v.present && (!best.present || compareValues(v, best)*sign > 0) {
			best = v
		}
	}
	return best
}

// concat joins texts.
func concat(a []value) value {
	var b strings.Builder
	for _, v := range a {
		b.WriteString(v.String())
	}
	return textValue(b.String())
}

// substr is the part of a text from an index on, of a length if there is a third argument.
func substr(a []value) value {
	from, ok := a[1].asNumber()
	if !a[0].present || !ok {
		return value{}
	}
	s := []rune(a[0].String())
	start := int(min(max(from, 0), float64(len(s))))
	end := len(s)
	if len(a) == 3 {
		n, ok := a[2].asNumber()
		if !ok {
			return value{}
		}
		end = start + int(min(max(n, 0), float64(len(s)-start)))
	}
	return textValue(string(s[start:end]))
}

// coalesce is the first value that is present.
func coalesce(a []value) value {
	for _, v := range a {
		if v.present {
			return v
		}
	}
	return value{}
}

// call parses the arguments of a function whose name was read.
func (p *parser) call(name token) (expr, error) {
	p.next() // the parenthesis
	lower := strings.ToLower(name.text)
	switch lower {
	case "bin":
		period, err := p.period()
		if err != nil {
			return nil, err
		}
		if !p.take(")") {
			return nil, p.unexpected()
		}
		return func(r *row) value { return floorTime(r.get("@timestamp"), period) }, nil
	case "datefloor", "dateceil":
		a, err := p.expression()
		if err != nil {
			return nil, err
		}
		if !p.take(",") {
			return nil, p.unexpected()
		}
		period, err := p.period()
		if err != nil {
			return nil, err
		}
		if !p.take(")") {
			return nil, p.unexpected()
		}
		return func(r *row) value {
			v := a(r)
			low := floorTime(v, period)
			if f, _ := v.asNumber(); lower == "dateceil" && low.present && low.number < f {
				return timeValue(low.number + period)
			}
			return low
		}, nil
	}
	f, ok := functions[lower]
	if !ok {
		if _, isStat := aggregates[lower]; isStat {
			return nil, malformed(p.query, name.at, "%s is for stats only", name.text)
		}
		return nil, malformed(p.query, name.at, "unknown function %s", name.text)
	}
	var args []expr
	for !p.take(")") {
		if len(args) > 0 && !p.take(",") {
			return nil, p.unexpected()
		}
		e, err := p.expression()
		if err != nil {
			return nil, err
		}
		args = append(args, e)
	}
	if len(args) < f.min || f.max >= 0 && len(args) > f.max {
		return nil, malformed(p.query, name.at, "%s does not take %d arguments", name.text, len(args))
	}
	return func(r *row) value {
		vs := make([]value, len(args))
		for i, a := range args {
			vs[i] = a(r)
		}
		return f.call(vs)
	}, nil
}

// periods are the units of periods in ms.
var periods = map[string]float64{
	"ms": 1, "msec": 1, "millisecond": 1, "s": 1e3, "sec": 1e3, "second": 1e3, "m": 6e4, "min": 6e4, "minute": 6e4,
	"h": 36e5, "hr": 36e5, "hour": 36e5, "d": 864e5, "day": 864e5, "w": 6048e5, "week": 6048e5,
}

// period parses a period such as 5m, in ms.
func (p *parser) period() (float64, error) {
	t := p.next()
	if t.kind == tokenPeriod {
		i := strings.IndexFunc(t.text, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
		n, err := strconv.ParseFloat(t.text[:i], 64)
		unit := strings.ToLower(t.text[i:])
		ms, ok := periods[unit]
		if !ok {
			ms, ok = periods[strings.TrimSuffix(unit, "s")]
		}
		if err == nil && ok && n > 0 {
			return n * ms, nil
		}
	}
	return 0, malformed(p.query, t.at, "a period such as 5m is missing")
}

// floorTime is a time rounded down to a whole number of periods.
func floorTime(v value, period float64) value {
	f, ok := v.asNumber()
	return when(ok, timeValue(math.Floor(f/period)*period))
}
