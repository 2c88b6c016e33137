package wire

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
)

// Bounds of a document: no model nests deeper, and no message has more elements, completing an upload of 10,000 parts
// with checksums included.
const (
	mostElements  = 100_000
	mostNesting   = 40
	xsi           = "http://www.w3.org/2001/XMLSchema-instance"
	xsiAttributes = "xsi:"
)

// element is an XML element without its namespace.
type element struct {
	name  string
	text  string
	attrs []xml.Attr
	kids  []*element
}

// readXML parses a document. Nothing is taken that declares or names an entity but the five of XML itself.
func readXML(body []byte) (*element, error) {
	d := xml.NewDecoder(bytes.NewReader(body))
	root := &element{}
	stack := []*element{root}
	texts := []*bytes.Buffer{{}} // of the elements of the stack
	elements := 0
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("parse XML: %w", err)
		}
		top := stack[len(stack)-1]
		switch t := t.(type) {
		case xml.StartElement:
			if elements++; elements > mostElements || len(stack) > mostNesting {
				return nil, errors.New("parse XML: there are too many elements, or they nest too deeply")
			}
			e := &element{name: t.Name.Local, attrs: t.Attr}
			top.kids = append(top.kids, e)
			stack, texts = append(stack, e), append(texts, new(bytes.Buffer))
		case xml.EndElement:
			top.text = texts[len(stack)-1].String()
			stack, texts = stack[:len(stack)-1], texts[:len(stack)-1]
		case xml.CharData:
			texts[len(stack)-1].Write(t)
		case xml.Directive:
			return nil, errors.New("parse XML: a document type is declared")
		}
	}
	if len(root.kids) != 1 {
		return nil, errors.New("parse XML: there is not one root element")
	}
	return root.kids[0], nil
}

// kid returns the first child of a name, or nil.
func (e *element) kid(name string) *element {
	if e == nil {
		return nil
	}
	for _, k := range e.kids {
		if k.name == name {
			return k
		}
	}
	return nil
}

// attr finds an attribute by its name, whose prefix does not matter.
func (e *element) attr(name string) (string, bool) {
	name = name[strings.IndexByte(name, ':')+1:]
	for _, a := range e.attrs {
		if a.Name.Local == name {
			return a.Value, true
		}
	}
	return "", false
}

// find returns the text of the first element of a name, at any depth.
func (e *element) find(name string) string {
	if e == nil {
		return ""
	}
	if e.name == name {
		return strings.TrimSpace(e.text)
	}
	for _, k := range e.kids {
		if s := k.find(name); s != "" {
			return s
		}
	}
	return ""
}

// tree makes what the decoder wants of an element, guided by the shape.
func (e *element) tree(f *field, sh *shape) any {
	switch sh.kind {
	case kindStruct:
		m := map[string]any{}
		for _, f := range sh.fields {
			if f.flat {
				var items []any
				for _, k := range e.kids {
					if k.name == f.wire || k.name == f.item {
						items = append(items, k.tree(f, f.shape.elem))
					}
				}
				if items != nil {
					m[f.wire] = items
				}
				continue
			}
			if f.attr {
				if v, ok := e.attr(f.wire); ok {
					m[f.wire] = v
				}
				continue
			}
			if k := e.kid(f.wire); k != nil {
				m[f.wire] = k.tree(f, f.shape)
			}
		}
		return m
	case kindList:
		items := []any{}
		for _, k := range e.kids {
			items = append(items, k.tree(f, sh.elem))
		}
		return items
	case kindMap:
		m := map[string]any{}
		for _, k := range e.kids {
			if v := k.kid(f.value); v != nil {
				m[k.kid(f.key).find(f.key)] = v.tree(f, sh.elem)
			}
		}
		return m
	}
	return e.text
}

// xmlWriter writes structs as XML.
type xmlWriter struct {
	out bytes.Buffer
}

// open writes a start tag.
func (w *xmlWriter) open(name string) { w.out.WriteString("<" + name + ">") }

// close writes an end tag.
func (w *xmlWriter) close(name string) { w.out.WriteString("</" + name + ">") }

// leaf writes an element with a text.
func (w *xmlWriter) leaf(name, text string) {
	w.open(name)
	_ = xml.EscapeText(&w.out, []byte(text)) // a buffer cannot fail
	w.close(name)
}

// structure writes a struct's members. top is as with jsonWriter.structure.
func (w *xmlWriter) structure(sh *shape, v reflect.Value, top bool) {
	for _, f := range sh.fields {
		if fv := v.Field(f.index); f.in == "" && !f.attr && !absent(f, fv, top) {
			w.value(f, f.shape, fv, f.wire)
		}
	}
}

// attributes writes the members of a struct that are attributes.
func (w *xmlWriter) attributes(sh *shape, v reflect.Value) {
	for _, f := range sh.fields {
		fv := v.Field(f.index)
		if !f.attr || absent(f, fv, false) {
			continue
		}
		if fv.Kind() == reflect.Pointer {
			fv = fv.Elem()
		}
		if strings.HasPrefix(f.wire, xsiAttributes) {
			w.out.WriteString(` xmlns:xsi="` + xsi + `"`)
		}
		text, _ := scalarText(f, f.shape, fv, iso8601)
		w.out.WriteString(" " + f.wire + `="`)
		_ = xml.EscapeText(&w.out, []byte(text)) // a buffer cannot fail
		w.out.WriteByte('"')
	}
}

// value writes one value as an element.
func (w *xmlWriter) value(f *field, sh *shape, v reflect.Value, name string) {
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	switch sh.kind {
	case kindStruct:
		w.out.WriteString("<" + name)
		w.attributes(sh, v)
		w.out.WriteByte('>')
		w.structure(sh, v, false)
		w.close(name)
	case kindList:
		if f.flat {
			for i := range v.Len() {
				w.value(f, sh.elem, v.Index(i), name)
			}
			return
		}
		w.open(name)
		for i := range v.Len() {
			w.value(f, sh.elem, v.Index(i), f.item)
		}
		w.close(name)
	case kindMap:
		w.open(name)
		for _, k := range mapKeys(v) {
			w.open("entry")
			w.leaf(f.key, k)
			w.value(f, sh.elem, v.MapIndex(reflect.ValueOf(k)), f.value)
			w.close("entry")
		}
		w.close(name)
	default:
		text, _ := scalarText(f, sh, v, iso8601)
		w.leaf(name, text)
	}
}
