package wire

import (
	"encoding/json"
	"maps"
	"math"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The formats of timestamps, as the models name them.
const (
	iso8601       = "iso8601"
	rfc822        = "rfc822"
	unixTimestamp = "unixTimestamp"
)

// parseTime reads a timestamp. Numbers are seconds since 1970 whatever the format says, since clients send both.
func parseTime(format string, tree any) (time.Time, bool) {
	var text string
	switch t := tree.(type) {
	case json.Number:
		text = t.String()
	case string:
		text = t
	case time.Time: // CBOR has times of its own
		return t.UTC().Round(time.Millisecond), math.Abs(float64(t.Unix())) < 1e12
	default:
		return time.Time{}, false
	}
	if format == rfc822 {
		if t, err := http.ParseTime(text); err == nil {
			return t.UTC(), true
		}
	}
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return t.UTC(), true
	}
	if seconds, err := strconv.ParseFloat(text, 64); err == nil && math.Abs(seconds) < 1e12 {
		return time.UnixMilli(int64(math.Round(seconds * 1000))).UTC(), true
	}
	return time.Time{}, false
}

// formatTime writes a timestamp with milliseconds, as AWS does. number says that it is a JSON number.
func formatTime(format string, t time.Time) (text string, number bool) {
	switch format {
	case rfc822:
		return t.UTC().Format(http.TimeFormat), false
	case unixTimestamp:
		return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', -1, 64), true
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z"), false
}

// sortedKeys returns the keys of a map in order.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// contains tells whether a wire name stands in a list; a list that AWS's clients would write may begin with
// another case.
func contains(list []string, name string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, name) })
}

// timeOf returns the time in a value.
func timeOf(v reflect.Value) time.Time { return v.Interface().(time.Time) }

// mapKeys returns the keys of a map value in order, so that the same value has the same bytes.
func mapKeys(v reflect.Value) []string {
	keys := make([]string, 0, v.Len())
	for _, k := range v.MapKeys() {
		keys = append(keys, k.String())
	}
	slices.Sort(keys)
	return keys
}
