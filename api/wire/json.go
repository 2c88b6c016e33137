package wire

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"strconv"
	"unicode/utf8"
)

// readJSON makes a tree of a JSON text, which must be an object. Nothing at all is an empty object. What different
// readers would take for different requests is refused: bytes that are no UTF-8, and a name that comes twice (RFC 8259,
// sections 4 and 8.1).
func readJSON(body []byte) (map[string]any, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return map[string]any{}, nil
	}
	if !utf8.Valid(body) {
		return nil, errors.New("parse JSON: the text is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	tree, err := readValue(d, 0)
	if err != nil {
		return nil, fmt.Errorf("parse JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("parse JSON: something follows the object")
	}
	m, ok := tree.(map[string]any)
	if !ok {
		return nil, errors.New("parse JSON: the body is not an object")
	}
	return m, nil
}

// readValue makes a tree of the next value, which lies at a depth of objects and lists.
func readValue(d *json.Decoder, depth int) (any, error) {
	if depth > mostDepth {
		return nil, errors.New("a value is nested too deeply")
	}
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('['):
		items := []any{}
		for d.More() {
			item, err := readValue(d, depth+1)
			if err != nil {
				return nil, err
			}
			items = append(items, item)
		}
		_, err := d.Token()
		return items, err
	case json.Delim('{'):
		m := map[string]any{}
		for d.More() {
			token, err := d.Token()
			if err != nil {
				return nil, err
			}
			name, _ := token.(string) // the decoder lets nothing else be there
			if _, twice := m[name]; twice {
				return nil, fmt.Errorf("the name %q comes twice", name)
			}
			if m[name], err = readValue(d, depth+1); err != nil {
				return nil, err
			}
		}
		_, err := d.Token()
		return m, err
	}
	return token, nil
}

// jsonWriter writes structs as JSON.
type jsonWriter struct {
	out    bytes.Buffer
	time   string // the protocol's format of timestamps
	client bool   // writes a request
	audit  bool   // writes what an audit keeps
}

// structure writes the members of a struct that belong to the body. top says that it is an operation's side:
// there a list is written even when it is nil, as AWS's services do.
func (w *jsonWriter) structure(sh *shape, v reflect.Value, top bool) {
	w.out.WriteByte('{')
	first := true
	for _, f := range sh.fields {
		fv := v.Field(f.index)
		if f.in != "" && !w.audit || absent(f, fv, top && !w.client) || top && w.client && unset(f, fv) {
			continue
		}
		if !first {
			w.out.WriteByte(',')
		}
		first = false
		if w.audit {
			w.text(f.auditName())
		} else {
			w.text(f.wire)
		}
		w.out.WriteByte(':')
		if w.audit && f.secretMember() {
			w.text(hidden)
			continue
		}
		w.value(f, f.shape, fv)
	}
	w.out.WriteByte('}')
}

// absent tells whether a member is left out: nil, except for a list at the top or a required collection.
func absent(f *field, v reflect.Value, top bool) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		return v.IsNil()
	case reflect.Slice:
		return v.IsNil() && !f.required && (!top || f.shape.kind == kindBlob)
	case reflect.Map:
		return v.IsNil() && !f.required
	}
	return false
}

// unset tells whether a required text at the top of a client's request was not given: it is left out, so that
// the server says that it is missing.
func unset(f *field, v reflect.Value) bool {
	return f.required && f.shape.kind == kindString && v.Len() == 0
}

// value writes one value.
func (w *jsonWriter) value(f *field, sh *shape, v reflect.Value) {
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	switch sh.kind {
	case kindStruct:
		w.structure(sh, v, false)
	case kindList:
		w.out.WriteByte('[')
		for i := range v.Len() {
			if i > 0 {
				w.out.WriteByte(',')
			}
			w.value(f, sh.elem, v.Index(i))
		}
		w.out.WriteByte(']')
	case kindMap:
		w.out.WriteByte('{')
		for i, k := range mapKeys(v) {
			if i > 0 {
				w.out.WriteByte(',')
			}
			w.text(k)
			w.out.WriteByte(':')
			w.value(f, sh.elem, v.MapIndex(reflect.ValueOf(k)))
		}
		w.out.WriteByte('}')
	default:
		text, quoted := scalarText(f, sh, v, w.time)
		if quoted {
			w.text(text)
		} else {
			w.out.WriteString(text)
		}
	}
}

// text writes a JSON string, with < > & as they are.
func (w *jsonWriter) text(s string) {
	e := json.NewEncoder(&w.out)
	e.SetEscapeHTML(false)
	_ = e.Encode(s)                 // a string in memory cannot fail
	w.out.Truncate(w.out.Len() - 1) // the encoder's newline
}

// scalarText is the text of a scalar; quoted says that JSON writes it as a string. byDefault is the protocol's
// format of timestamps in this place.
func scalarText(f *field, sh *shape, v reflect.Value, byDefault string) (text string, quoted bool) {
	switch sh.kind {
	case kindInt32, kindInt64:
		return strconv.FormatInt(v.Int(), 10), false
	case kindFloat:
		x := v.Float()
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return map[bool]string{true: "NaN", false: strconv.FormatFloat(x, 'f', -1, 64)}[math.IsNaN(x)], true
		}
		return strconv.FormatFloat(x, 'f', -1, 64), false
	case kindBool:
		return strconv.FormatBool(v.Bool()), false
	case kindTime:
		format := f.time
		if format == "" {
			format = byDefault
		}
		text, number := formatTime(format, timeOf(v))
		return text, !number
	case kindBlob:
		return base64.StdEncoding.EncodeToString(v.Bytes()), true
	}
	return v.String(), true
}
