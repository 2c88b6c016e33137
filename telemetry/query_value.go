package telemetry

import (
	"cmp"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
)

// value is a value of the query language: missing, a text or a number.
type value struct {
	present, numeric bool
	text             string // of a number: as it was written, may be empty
	number           float64
}

// textValue is a text.
func textValue(s string) value { return value{present: true, text: s} }

// numberValue is a number, missing when it is none.
func numberValue(f float64) value {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return value{}
	}
	return value{present: true, numeric: true, number: f}
}

// boolValue is 1 or 0.
func boolValue(b bool) value {
	if b {
		return numberValue(1)
	}
	return numberValue(0)
}

// String is the value as results show it.
func (v value) String() string {
	if v.numeric && v.text == "" {
		return strconv.FormatFloat(v.number, 'f', -1, 64)
	}
	return v.text
}

// asNumber is the value as a number, and false when it is none.
func (v value) asNumber() (float64, bool) {
	if v.numeric || !v.present {
		return v.number, v.numeric
	}
	f, err := strconv.ParseFloat(v.text, 64)
	return f, err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
}

// truth is the value as a condition.
func (v value) truth() bool {
	if v.numeric {
		return v.number != 0
	}
	return v.present && v.text != "" && v.text != "false" && v.text != "0"
}

// compareValues orders two values that are present: as numbers when both are, else as texts.
func compareValues(a, b value) int {
	x, ok1 := a.asNumber()
	y, ok2 := b.asNumber()
	if ok1 && ok2 {
		return cmp.Compare(x, y)
	}
	return strings.Compare(a.String(), b.String())
}

// timeLayout is how times are shown.
const timeLayout = "2006-01-02 15:04:05.000"

// timeValue is a time in ms as a number that is shown as a time.
func timeValue(millis float64) value {
	if math.Abs(millis) > 1<<53 {
		return value{}
	}
	v := numberValue(math.Floor(millis))
	v.text = time.UnixMilli(int64(v.number)).UTC().Format(timeLayout)
	return v
}

// row is an event, or a line of a statistic, on its way through a query.
type row struct {
	log      string // account:group
	stream   string
	at       position
	ingested int64
	message  string

	found map[string]value // the message's own fields, nil before they were looked for
	set   map[string]value // what commands computed
	stats bool             // a line of a statistic has only what is set
}

// get returns a field. What was computed hides what was found.
func (r *row) get(name string) value {
	if v, ok := r.set[name]; ok {
		return v
	}
	if r.stats {
		return value{}
	}
	switch name {
	case "@message":
		return textValue(r.message)
	case "@timestamp":
		return timeValue(float64(r.at.millis))
	case "@ingestionTime":
		return timeValue(float64(r.ingested))
	case "@logStream":
		return textValue(r.stream)
	case "@log":
		return textValue(r.log)
	}
	if r.found == nil {
		r.found = discover(r.message)
	}
	return r.found[name]
}

// put sets a computed field.
func (r *row) put(name string, v value) {
	if r.set == nil {
		r.set = map[string]value{}
	}
	r.set[name] = v
}

const (
	// maxFound bounds the fields that are found in one message, as CloudWatch Logs does.
	maxFound = 200
	// maxDepth bounds how deep they are looked for.
	maxDepth = 10
)

// discover finds the fields of a JSON message: names of nested ones are joined by dots, those of lists are
// their indexes. A message that is no JSON object has none.
func discover(message string) map[string]value {
	found := map[string]value{}
	if !strings.HasPrefix(strings.TrimLeft(message, " \t\r\n"), "{") {
		return found
	}
	d := json.NewDecoder(strings.NewReader(message))
	d.UseNumber()
	var doc map[string]any
	if d.Decode(&doc) == nil {
		flatten(found, "", doc, 0)
	}
	return found
}

// flatten adds what is in v under a name to found.
func flatten(found map[string]value, name string, v any, depth int) {
	if len(found) >= maxFound || depth > maxDepth {
		return
	}
	join := func(part string) string {
		if name == "" {
			return part
		}
		return name + "." + part
	}
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			flatten(found, join(k), e, depth+1)
		}
	case []any:
		for i, e := range v {
			flatten(found, join(strconv.Itoa(i)), e, depth+1)
		}
	case string:
		found[name] = textValue(v)
	case bool:
		found[name] = textValue(strconv.FormatBool(v))
	case json.Number:
		if f, err := v.Float64(); err == nil {
			found[name] = value{present: true, numeric: true, text: v.String(), number: f}
		}
	}
}
