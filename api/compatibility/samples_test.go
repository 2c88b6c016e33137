//go:build thorough

package main

import (
	"fmt"
	"reflect"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
	"time"
)

// A tree is an input under wire names: map[string]any, []any, string, bool, int or float64. What follows makes trees of
// the generated structs by their tags alone, not by package wire, which is what the trees try.

// sample is a tree of a type that the model takes, with every member. path is where it stands; a type inside of
// itself is left out.
func sample(t reflect.Type, tag tags, above []reflect.Type) any {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == reflect.TypeFor[time.Time]():
		return 1767225600
	case t == reflect.TypeFor[[]byte]():
		return "YWJj"
	}
	switch t.Kind() {
	case reflect.Struct:
		out := map[string]any{}
		for m := range members(t) {
			if contains(above, m.Type) {
				continue
			}
			out[m.Tag.Get("wire")] = sample(m.Type, tags{m.Tag, ""}, append(above, t))
			if isUnion(t) {
				break
			}
		}
		return out
	case reflect.Slice:
		items := []any{}
		for range max(1, int(tag.bound("len", 0, 1))) {
			items = append(items, sample(t.Elem(), tags{tag.StructTag, "each"}, above))
		}
		return items
	case reflect.Map:
		return map[string]any{text(tags{tag.StructTag, "key"}): sample(t.Elem(), tags{tag.StructTag, "each"}, above)}
	case reflect.Bool:
		return true
	case reflect.Int32, reflect.Int64, reflect.Float64:
		return int(max(1, tag.bound("range", 0, 1)))
	}
	return text(tag)
}

// tags are the constraints of a member, of its items (each), its keys (key).
type tags struct {
	reflect.StructTag
	prefix string
}

// bound is the lower (0) or upper (1) end of a range, or otherwise.
func (t tags) bound(name string, side int, otherwise float64) float64 {
	parts := strings.Split(t.Get(t.prefix+name), ":")
	if len(parts) != 2 || parts[side] == "" {
		return otherwise
	}
	v, err := strconv.ParseFloat(parts[side], 64)
	if err != nil {
		panic(err)
	}
	return v
}

// members are the members of a struct, in order.
func members(t reflect.Type) func(yield func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for i := range t.NumField() {
			if f := t.Field(i); f.Name != "_" && !yield(f) {
				return
			}
		}
	}
}

// isUnion tells whether exactly one member of a struct is to be set.
func isUnion(t reflect.Type) bool {
	f, ok := t.FieldByName("_")
	return ok && f.Tag.Get("union") == "true"
}

// contains tells whether a type, below pointers and lists, is among others.
func contains(list []reflect.Type, t reflect.Type) bool {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	for _, l := range list {
		if l == t {
			return true
		}
	}
	return false
}

// text is a text that a member takes.
func text(t tags) string {
	if e := t.Get(t.prefix + "enum"); e != "" {
		first, _, _ := strings.Cut(e, "|")
		return first
	}
	least, most := int(t.bound("len", 0, 1)), int(t.bound("len", 1, 1<<20))
	pattern := t.Get(t.prefix + "pattern")
	if pattern == "" {
		return strings.Repeat("a", min(max(least, 1), most))
	}
	for more := range 300 {
		if s := written(strings.TrimPrefix(pattern, "^$|"), more); len(s) >= least && len(s) <= most && s != "" {
			return s
		}
	}
	panic("no text for the pattern " + pattern)
}

// lookAheads are what looks ahead or behind in patterns: what they forbid, written never makes.
var lookAheads = regexp.MustCompile(`\(\?<?![^()]*(?:\([^()]*\)[^()]*)*\)`)

// goPattern is a pattern as Go knows it, without look-aheads, and the one look-behind that there is.
func goPattern(pattern string) string {
	pattern = strings.ReplaceAll(lookAheads.ReplaceAllString(pattern, ""), "(?<!-)", "")
	pattern = strings.NewReplacer(`\u10000-\u10FFFF`, `\x{10000}-\x{10FFFF}`, `\uD800\uDC00-\uDBFF\uDFFF`, `\x{10000}-\x{10FFFF}`).Replace(pattern)
	pattern = codePoint.ReplaceAllString(pattern, `\x{$1}`)
	return manyTimes.ReplaceAllString(pattern, `{$1,}`)
}

// fits tells whether a pattern matches the whole of a text.
func fits(pattern, text string) bool {
	re := patterns[pattern]
	if re == nil {
		re = regexp.MustCompile("^(?:" + goPattern(pattern) + ")$")
		patterns[pattern] = re
	}
	return re.MatchString(text)
}

// patterns are those that were compiled, by their texts in the model.
var patterns = map[string]*regexp.Regexp{}

// What Java spells otherwise than Go: code points, and repetitions of more than a thousand times.
var (
	codePoint = regexp.MustCompile(`\\u([0-9A-Fa-f]{4})`)
	manyTimes = regexp.MustCompile(`\{(\d+),\d{4,}\}`)
)

// written is a text that a pattern matches, with more turns of what may be repeated.
func written(pattern string, more int) string {
	re, err := syntax.Parse(goPattern(pattern), syntax.Perl)
	if err != nil {
		panic(fmt.Sprintf("pattern %s: %v", pattern, err))
	}
	return write(re, more)
}

// write is a text that a part of a pattern matches.
func write(re *syntax.Regexp, more int) string {
	switch re.Op {
	case syntax.OpLiteral:
		return string(re.Rune)
	case syntax.OpCharClass:
		for _, c := range "ab/0-" {
			for i := 0; i < len(re.Rune); i += 2 {
				if re.Rune[i] <= c && c <= re.Rune[i+1] {
					return string(c)
				}
			}
		}
		return string(re.Rune[0])
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return "a"
	case syntax.OpCapture:
		return write(re.Sub[0], more)
	case syntax.OpConcat:
		out := ""
		for _, s := range re.Sub {
			out += write(s, more)
		}
		return out
	case syntax.OpAlternate:
		return write(re.Sub[0], more)
	case syntax.OpStar:
		return strings.Repeat(write(re.Sub[0], more), more)
	case syntax.OpQuest:
		if more > 0 {
			return write(re.Sub[0], more)
		}
	case syntax.OpPlus:
		return strings.Repeat(write(re.Sub[0], more), 1+more)
	case syntax.OpRepeat:
		n := re.Min + more
		if re.Max >= 0 {
			n = min(n, re.Max)
		}
		return strings.Repeat(write(re.Sub[0], more), n)
	}
	return "" // anchors, and what may be absent
}
