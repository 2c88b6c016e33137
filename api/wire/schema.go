package wire

import (
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// kind is what a shape is on the wire.
type kind int

// The kinds of shapes.
const (
	kindString kind = iota
	kindInt32
	kindInt64
	kindFloat
	kindBool
	kindTime
	kindBlob
	kindStruct
	kindList
	kindMap
	kindStream // a payload that is not held in memory
)

// shape is a type, compiled from its Go type.
type shape struct {
	kind   kind
	typ    reflect.Type // without a pointer
	elem   *shape       // of a list's items or a map's values
	fields []*field     // of a struct
	union  bool
}

// field is a member of a struct, compiled from its tags.
type field struct {
	name     string // the Go name: AWS's member name with a capital first letter
	wire     string
	query    string // in an EC2 request
	in       string // the place, empty in the body
	item     string // of list items in XML
	key      string // of map keys in XML
	value    string // of map values in XML
	time     string // format of a timestamp, empty for the protocol's own
	index    int    // in the Go struct
	pointer  bool   // a scalar by pointer
	required bool
	token    bool
	secret   bool // sensitive: its value is not repeated in an error
	flat     bool
	attr     bool // in XML
	shape    *shape
	check    checks
	each     checks
	keys     checks
}

// schemas compiles types to shapes, each once, so that recursive types end.
type schemas struct {
	structs  map[reflect.Type]*shape
	patterns map[string]*pattern
}

// timeType is the type of timestamps.
var timeType = reflect.TypeFor[time.Time]()

// streamType is the type of payloads that are not held in memory.
var streamType = reflect.TypeFor[io.Reader]()

// of compiles a type.
func (s *schemas) of(t reflect.Type) (*shape, error) {
	switch t {
	case timeType:
		return &shape{kind: kindTime, typ: t}, nil
	case streamType:
		return &shape{kind: kindStream, typ: t}, nil
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.of(t.Elem())
	case reflect.String:
		return &shape{kind: kindString, typ: t}, nil
	case reflect.Int32:
		return &shape{kind: kindInt32, typ: t}, nil
	case reflect.Int64:
		return &shape{kind: kindInt64, typ: t}, nil
	case reflect.Float64:
		return &shape{kind: kindFloat, typ: t}, nil
	case reflect.Bool:
		return &shape{kind: kindBool, typ: t}, nil
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return &shape{kind: kindBlob, typ: t}, nil
		}
		elem, err := s.of(t.Elem())
		return &shape{kind: kindList, typ: t, elem: elem}, err
	case reflect.Map:
		elem, err := s.of(t.Elem())
		return &shape{kind: kindMap, typ: t, elem: elem}, err
	case reflect.Struct:
		return s.structure(t)
	}
	return nil, fmt.Errorf("type %s has no form on the wire", t)
}

// structure compiles a struct.
func (s *schemas) structure(t reflect.Type) (*shape, error) {
	if sh, ok := s.structs[t]; ok {
		return sh, nil
	}
	sh := &shape{kind: kindStruct, typ: t}
	s.structs[t] = sh
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Name == "_" {
			sh.union = f.Tag.Get("union") == "true"
			continue
		}
		c, err := s.field(f, i)
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", t, f.Name, err)
		}
		sh.fields = append(sh.fields, c)
	}
	return sh, nil
}

// field compiles a member.
func (s *schemas) field(f reflect.StructField, index int) (*field, error) {
	tag := f.Tag
	c := &field{
		name: f.Name, wire: tag.Get("wire"), query: tag.Get("query"), in: tag.Get("in"), index: index,
		item: tag.Get("item"), key: tag.Get("key"), value: tag.Get("value"), time: tag.Get("time"),
		required: tag.Get("required") == "true", token: tag.Get("token") == "true",
		secret: tag.Get("sensitive") == "true", flat: tag.Get("flat") == "true", attr: tag.Get("attr") == "true",
		pointer: f.Type.Kind() == reflect.Pointer,
	}
	if c.query == "" && c.wire != "" {
		c.query = strings.ToUpper(c.wire[:1]) + c.wire[1:]
	}
	for v, byDefault := range map[*string]string{&c.item: "member", &c.key: "key", &c.value: "value"} {
		if *v == "" {
			*v = byDefault
		}
	}
	var err error
	if c.shape, err = s.of(f.Type); err != nil {
		return nil, err
	}
	for prefix, to := range map[string]*checks{"": &c.check, "each": &c.each, "key": &c.keys} {
		if err := s.checks(tag, prefix, to); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// checks compiles the constraints whose tags begin with a prefix.
func (s *schemas) checks(tag reflect.StructTag, prefix string, to *checks) (err error) {
	for _, b := range []struct {
		key  string
		into **bounds
	}{{"len", &to.length}, {"range", &to.number}} {
		if text := tag.Get(prefix + b.key); text != "" {
			if *b.into, err = parseBounds(text); err != nil {
				return err
			}
		}
	}
	if p := tag.Get(prefix + "pattern"); p != "" {
		if to.pattern = s.patterns[p]; to.pattern == nil {
			if to.pattern, err = compilePattern(p); err != nil {
				return err
			}
			s.patterns[p] = to.pattern
		}
	}
	if e := tag.Get(prefix + "enum"); e != "" {
		to.enum = strings.Split(e, "|")
	}
	return nil
}

// bounds is a least and a greatest value, nil where there is none.
type bounds struct{ min, max *float64 }

// parseBounds reads "min:max".
func parseBounds(text string) (*bounds, error) {
	lo, hi, ok := strings.Cut(text, ":")
	if !ok {
		return nil, fmt.Errorf("bounds %q have no colon", text)
	}
	b := new(bounds)
	for _, side := range []struct {
		text string
		into **float64
	}{{lo, &b.min}, {hi, &b.max}} {
		if side.text == "" {
			continue
		}
		v, err := strconv.ParseFloat(side.text, 64)
		if err != nil {
			return nil, fmt.Errorf("bounds %q: %w", text, err)
		}
		*side.into = &v
	}
	return b, nil
}
