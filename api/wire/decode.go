package wire

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A tree is what every protocol's reader makes of bytes: nil, bool, string, json.Number, []any, or
// map[string]any under wire names; of CBOR also int64, uint64, float64, []byte and time.Time. Protocols that know only text (query, XML, headers) give strings for all scalars.

// decoder fills structs from trees and collects what is bad.
type decoder struct {
	problems problems
	text     bool   // scalars come as text
	check    bool   // hold values against the model's constraints
	time     string // the protocol's format of timestamps in this place
	// name is the name of a field in a tree; its wire name by default.
	name      func(*field) string
	unchecked []string // top-level wire names whose constraints are not checked
}

// key returns the name of a field in the tree.
func (d *decoder) key(f *field) string {
	if d.name != nil {
		return d.name(f)
	}
	return f.wire
}

// structure fills v, a struct, from a tree.
func (d *decoder) structure(sh *shape, tree any, v reflect.Value, path string) {
	m, ok := tree.(map[string]any)
	if !ok {
		d.problems.malformed(path, "a structure")
		return
	}
	set := 0
	for _, f := range sh.fields {
		at := join(path, f.wire)
		sub, ok := m[d.key(f)]
		if !ok || sub == nil {
			if f.required && d.check {
				d.problems.missing(at)
			}
			continue
		}
		set++
		d.field(f, sub, v.Field(f.index), at, path == "" && contains(d.unchecked, f.wire))
	}
	if sh.union && d.check && (set != 1 || !d.text && strange(sh, m)) {
		d.problems = append(d.problems, Problem{Kind: Constraint, Path: path,
			Message: "Value at '" + path + "' failed to satisfy constraint: Member must have exactly one value set"})
	}
}

// strange tells whether a union's tree has more than its members: something else is meant then than is known. __type
// is no member (Smithy, awsJson1_1, shape serialization).
func strange(sh *shape, tree map[string]any) bool {
	for name, sub := range tree {
		known := name == "__type" || sub == nil
		for _, f := range sh.fields {
			known = known || f.wire == name
		}
		if !known {
			return true
		}
	}
	return false
}

// field fills one member.
func (d *decoder) field(f *field, tree any, v reflect.Value, path string, free bool) {
	before := d.check
	if free {
		d.check = false
	}
	d.value(f, f.shape, &f.check, tree, v, path)
	d.check = before
}

// value fills v by its shape. f tells names and formats, c the constraints of this level.
func (d *decoder) value(f *field, sh *shape, c *checks, tree any, v reflect.Value, path string) {
	switch sh.kind {
	case kindStruct:
		if v.Kind() == reflect.Pointer {
			v.Set(reflect.New(sh.typ))
			v = v.Elem()
		}
		d.structure(sh, tree, v, path)
		return
	case kindList:
		items, ok := tree.([]any)
		if !ok {
			d.problems.malformed(path, "a list")
			return
		}
		list := reflect.MakeSlice(sh.typ, len(items), len(items))
		for i, item := range items {
			at := path + "." + strconv.Itoa(i+1) + ".member"
			if item == nil {
				d.problems.missing(at)
				continue
			}
			d.value(f, sh.elem, &f.each, item, list.Index(i), at)
		}
		v.Set(list)
		if d.check {
			c.size(&d.problems, path, len(items))
		}
		return
	case kindMap:
		d.entries(f, sh, c, tree, v, path)
		return
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(sh.typ))
		v = v.Elem()
	}
	d.scalar(f, sh, c, tree, v, path)
}

// entries fills a map.
func (d *decoder) entries(f *field, sh *shape, c *checks, tree any, v reflect.Value, path string) {
	m, ok := tree.(map[string]any)
	if !ok {
		d.problems.malformed(path, "a map")
		return
	}
	out := reflect.MakeMapWithSize(sh.typ, len(m))
	for _, k := range sortedKeys(m) {
		at := path + "." + k + ".member"
		if d.check {
			f.keys.text(&d.problems, path+"."+k+".key", k, f.secret)
		}
		if m[k] == nil {
			d.problems.missing(at)
			continue
		}
		item := reflect.New(sh.elem.typ).Elem()
		d.value(f, sh.elem, &f.each, m[k], item, at)
		out.SetMapIndex(reflect.ValueOf(k), item)
	}
	v.Set(out)
	if d.check {
		c.size(&d.problems, path, len(m))
	}
}

// scalar fills a string, number, boolean, timestamp or blob.
func (d *decoder) scalar(f *field, sh *shape, c *checks, tree any, v reflect.Value, path string) {
	s, isText := tree.(string)
	switch sh.kind {
	case kindString:
		if !isText || !utf8.ValidString(s) {
			d.problems.malformed(path, "a string")
			return
		}
		v.SetString(s)
		if d.check {
			c.text(&d.problems, path, s, f.secret)
		}
	case kindInt32, kindInt64:
		bits := 64
		if sh.kind == kindInt32 {
			bits = 32
		}
		n, err := strconv.ParseInt(d.number(tree), 10, bits)
		if err != nil {
			d.problems.malformed(path, "an integer")
			return
		}
		v.SetInt(n)
		if d.check {
			c.amount(&d.problems, path, float64(n))
		}
	case kindFloat:
		x, err := strconv.ParseFloat(d.number(tree), 64)
		if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
			d.problems.malformed(path, "a number")
			return
		}
		v.SetFloat(x)
		if d.check {
			c.amount(&d.problems, path, x)
		}
	case kindBool:
		b, ok := tree.(bool)
		if d.text && isText {
			b, ok = strings.EqualFold(s, "true"), strings.EqualFold(s, "true") || strings.EqualFold(s, "false")
		}
		if !ok {
			d.problems.malformed(path, "a boolean")
			return
		}
		v.SetBool(b)
	case kindTime:
		format := f.time
		if format == "" {
			format = d.time
		}
		t, ok := parseTime(format, tree)
		if !ok {
			d.problems.malformed(path, "a timestamp")
			return
		}
		v.Set(reflect.ValueOf(t))
	case kindBlob:
		if b, ok := tree.([]byte); ok { // CBOR has bytes as they are
			v.SetBytes(b)
			if d.check {
				c.size(&d.problems, path, len(b))
			}
			return
		}
		b, err := base64.StdEncoding.DecodeString(s)
		if !isText || err != nil {
			d.problems.malformed(path, "base64")
			return
		}
		v.SetBytes(b)
		if d.check {
			c.size(&d.problems, path, len(b))
		}
	}
}

// number returns the text of a number, or "" which no number has.
func (d *decoder) number(tree any) string {
	switch n := tree.(type) {
	case json.Number:
		return n.String()
	case string:
		if d.text {
			return n
		}
	case int64:
		return strconv.FormatInt(n, 10)
	case uint64:
		return strconv.FormatUint(n, 10)
	case float64:
		return strconv.FormatFloat(n, 'f', -1, 64)
	}
	return ""
}

// join adds a name to a path.
func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
