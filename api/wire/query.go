package wire

import (
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// mostDepth is how many dots the name of a query parameter may have, and how deep JSON may nest: no model nests deeper.
const mostDepth = 40

// params is a tree of query parameters: "Filter.1.Name=vpc-id" lies at Filter, 1, Name.
type params struct {
	value string
	kids  map[string]*params
}

// readParams makes the tree of a form's text.
func readParams(form string) (*params, error) {
	values, err := url.ParseQuery(form)
	if err != nil {
		return nil, fmt.Errorf("parse the form: %w", err)
	}
	root := &params{}
	for _, name := range sortedKeys(values) {
		if strings.Count(name, ".") > mostDepth {
			return nil, errors.New("parse the form: a parameter is nested too deeply")
		}
		at := root
		for part := range strings.SplitSeq(name, ".") {
			if at.kids == nil {
				at.kids = map[string]*params{}
			}
			kid := at.kids[part]
			if kid == nil {
				kid = &params{}
				at.kids[part] = kid
			}
			at = kid
		}
		at.value = values[name][0]
	}
	return root, nil
}

// tree makes what the decoder wants of the parameters, guided by the shape.
func (p *params) tree(c *Codec, f *field, sh *shape) any {
	switch sh.kind {
	case kindStruct:
		m := map[string]any{}
		for _, f := range sh.fields {
			if kid := p.kids[c.paramName(f)]; kid != nil {
				m[f.wire] = kid.tree(c, f, f.shape)
			}
		}
		return m
	case kindList:
		items := []any{}
		for _, kid := range p.items(f) {
			items = append(items, kid.tree(c, f, sh.elem))
		}
		return items
	case kindMap:
		m := map[string]any{}
		from := p
		if e := p.kids["entry"]; e != nil && !f.flat {
			from = e
		}
		for _, kid := range from.numbered() {
			k, v := kid.kids[f.key], kid.kids[f.value]
			if k != nil && v != nil {
				m[k.value] = v.tree(c, f, sh.elem)
			}
		}
		return m
	}
	if p.kids != nil && p.value == "" {
		return map[string]any{} // not a scalar: the decoder says so
	}
	return p.value
}

// items returns a list's items in order: Name.1 of EC2 and flattened lists, Name.member.1 of the others.
func (p *params) items(f *field) []*params {
	for _, name := range []string{f.item, "member"} {
		if kid := p.kids[name]; kid != nil && !f.flat {
			return kid.numbered()
		}
	}
	return p.numbered()
}

// numbered returns the children whose names are numbers, in their order.
func (p *params) numbered() []*params {
	var numbers []int
	for name := range p.kids {
		if n, err := strconv.Atoi(name); err == nil && strconv.Itoa(n) == name {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	list := make([]*params, len(numbers))
	for i, n := range numbers {
		list[i] = p.kids[strconv.Itoa(n)]
	}
	return list
}

// paramName is the name of a member in the parameters.
func (c *Codec) paramName(f *field) string {
	if c.Model.Protocol == EC2 {
		return f.query
	}
	return f.wire
}

// formWriter writes structs as query parameters.
type formWriter struct {
	codec *Codec
	out   url.Values
}

// structure writes a struct's members under a prefix.
func (w *formWriter) structure(sh *shape, v reflect.Value, prefix string) {
	for _, f := range sh.fields {
		if fv := v.Field(f.index); !absent(f, fv, false) && (prefix != "" || !unset(f, fv)) {
			w.value(f, f.shape, fv, join(prefix, w.codec.paramName(f)))
		}
	}
}

// value writes one value under its name.
func (w *formWriter) value(f *field, sh *shape, v reflect.Value, name string) {
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	switch sh.kind {
	case kindStruct:
		w.structure(sh, v, name)
	case kindList:
		if v.Len() == 0 && w.codec.Model.Protocol == Query {
			w.out.Set(name, "")
		}
		if w.codec.Model.Protocol == Query && !f.flat {
			name += "." + f.item
		}
		for i := range v.Len() {
			w.value(f, sh.elem, v.Index(i), name+"."+strconv.Itoa(i+1))
		}
	case kindMap:
		if !f.flat {
			name += ".entry"
		}
		for i, k := range mapKeys(v) {
			at := name + "." + strconv.Itoa(i+1) + "."
			w.out.Set(at+f.key, k)
			w.value(f, sh.elem, v.MapIndex(reflect.ValueOf(k)), at+f.value)
		}
	default:
		text, _ := scalarText(f, sh, v, iso8601)
		w.out.Set(name, text)
	}
}
