//go:build thorough

package main

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/trellis-project/trellis/api/wire"
)

// request is a tree as a client of the protocol sends it. What a protocol has no form for is written as text.
func (w *whole) request(t *testing.T, m *wire.Model, op *wire.Operation, tree map[string]any) (*http.Request, string) {
	t.Helper()
	method, path, query, body, header := "POST", "/", url.Values{}, "", http.Header{}
	switch m.Protocol {
	case wire.RESTJSON, wire.RESTXML:
		fixed := ""
		method = op.Method
		path, fixed, _ = strings.Cut(op.Path, "?")
		query, _ = url.ParseQuery(fixed)
		rest := map[string]any{}
		for f := range members(op.In) {
			name := f.Tag.Get("wire")
			v, given := tree[name]
			switch f.Tag.Get("in") {
			case "uri":
				path = strings.NewReplacer("{"+name+"}", url.PathEscape(plain(v)), "{"+name+"+}", url.PathEscape(plain(v))).Replace(path)
			case "query":
				if list, ok := v.([]any); ok {
					for _, item := range list {
						query.Add(name, plain(item))
					}
				} else if given {
					query.Set(name, plain(v))
				}
			case "header":
				if given && !ofBody(m, name) {
					header.Set(name, plain(v))
				}
			case "headers":
			default:
				if given {
					rest[name] = v
				}
			}
		}
		if m.Protocol == wire.RESTXML {
			if len(rest) > 0 {
				var b strings.Builder
				elements(&b, op.In, rest)
				if body = b.String(); body == "<Body></Body>" || strings.HasPrefix(body, "<Policy>") { // not XML
					if body = plain(rest["Policy"]); !strings.HasPrefix(body, "{") {
						body = "{}"
					}
				}
				if op.Root != "" {
					body = "<" + op.Root + ">" + body + "</" + op.Root + ">"
				}
			}
			break
		}
		if len(rest) > 0 || method == "POST" {
			body = encode(t, rest)
			header.Set("Content-Type", "application/json")
		}
	case wire.JSON:
		header.Set("X-Amz-Target", m.TargetPrefix+"."+op.Name)
		header.Set("Content-Type", "application/x-amz-json-1.1")
		body = encode(t, tree)
	default:
		form := url.Values{"Action": {op.Name}, "Version": {m.Version}}
		flatten(form, m, op.In, tree, "")
		body = form.Encode()
		header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	}
	r, err := http.NewRequestWithContext(t.Context(), method, w.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.URL.Path, _ = url.PathUnescape(path)
	r.URL.RawPath = path
	r.URL.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20")
	r.Header = header
	return r, body
}

// plain is a scalar as text.
func plain(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

// encode is a tree as JSON.
func encode(t *testing.T, tree any) string {
	t.Helper()
	b, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// ofBody tells whether a header of S3 is about the bytes of the body, which these requests do not have.
func ofBody(m *wire.Model, name string) bool {
	return m.BareErrors && (strings.HasPrefix(name, "x-amz-checksum-") || name == "Content-MD5" || name == "Content-Length")
}

// elements writes the members of a struct as XML.
func elements(b *strings.Builder, t reflect.Type, tree map[string]any) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	for f := range members(t) {
		name := f.Tag.Get("wire")
		v, given := tree[name]
		list, many := v.([]any)
		switch {
		case !given:
		case many && f.Tag.Get("flat") == "true":
			for _, item := range list {
				elementOf(b, f.Type.Elem(), name, item)
			}
		case many:
			b.WriteString("<" + name + ">")
			for _, item := range list {
				elementOf(b, f.Type.Elem(), f.Tag.Get("item"), item)
			}
			b.WriteString("</" + name + ">")
		default:
			elementOf(b, f.Type, name, v)
		}
	}
}

// elementOf writes one value as an element.
func elementOf(b *strings.Builder, t reflect.Type, name string, v any) {
	b.WriteString("<" + name + ">")
	if tree, ok := v.(map[string]any); ok {
		elements(b, t, tree)
	} else {
		_ = xml.EscapeText(b, []byte(plain(v))) // a Builder cannot fail
	}
	b.WriteString("</" + name + ">")
}

// flatten writes the members of a struct as parameters below a prefix.
func flatten(form url.Values, m *wire.Model, t reflect.Type, tree map[string]any, prefix string) {
	for f := range members(t) {
		v, given := tree[f.Tag.Get("wire")]
		if !given {
			continue
		}
		name := f.Tag.Get("wire")
		if m.Protocol == wire.EC2 {
			if name = strings.ToUpper(name[:1]) + name[1:]; f.Tag.Get("query") != "" {
				name = f.Tag.Get("query")
			}
		}
		parameters(form, m, f.Type, f.Tag, v, prefix+name)
	}
}

// parameters writes one value under its name.
func parameters(form url.Values, m *wire.Model, t reflect.Type, tag reflect.StructTag, v any, name string) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch v := v.(type) {
	case []any:
		if m.Protocol == wire.Query && tag.Get("flat") != "true" {
			if len(v) == 0 {
				form.Set(name, "")
			}
			name += ".member"
		}
		for i, item := range v {
			at := name + "." + strconv.Itoa(i+1)
			if t.Kind() == reflect.Slice {
				parameters(form, m, t.Elem(), tag, item, at)
			} else {
				parameters(form, m, t, tag, item, at)
			}
		}
	case map[string]any:
		if t.Kind() == reflect.Struct {
			flatten(form, m, t, v, name+".")
			return
		}
		i := 0
		for k, item := range v {
			i++
			at := name + ".entry." + strconv.Itoa(i)
			form.Set(at+".key", k)
			form.Set(at+".value", plain(item))
		}
	default:
		form.Set(name, plain(v))
	}
}
