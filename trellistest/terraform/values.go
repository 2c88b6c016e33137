package terraform

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strings"
)

// jsonKey marks an object that stands for its own JSON text: AWS takes policies as text. A text that is wanted so may be
// written in any way that means the same, and be escaped as IAM's answers are.
const jsonKey = "$json"

// base64Key marks an object that stands for bytes, written in base 64; the clients understand it.
const base64Key = "$base64"

// scope lays variables over one another: the last wins.
func scope(vars ...map[string]any) map[string]any {
	out := map[string]any{}
	for _, v := range vars {
		maps.Copy(out, v)
	}
	return out
}

// generic is a value as JSON has it.
func generic(v any) any {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // YAML with keys that are no texts
	}
	var out any
	if err := json.Unmarshal(b, &out); err != nil {
		panic(err)
	}
	return out
}

// fillMap replaces the variables in an input. Nulls at any depth are left out.
func fillMap(in, vars map[string]any) (map[string]any, error) {
	if in == nil {
		return map[string]any{}, nil
	}
	v, err := fill(generic(in), vars)
	if err != nil {
		return nil, err
	}
	return withoutNulls(v.(map[string]any)), nil
}

// withoutNulls leaves nulls out.
func withoutNulls(m map[string]any) map[string]any {
	for k, v := range m {
		switch v := v.(type) {
		case nil:
			delete(m, k)
		case map[string]any:
			if text, ok := v[jsonKey]; ok {
				b, err := json.Marshal(text)
				if err != nil {
					panic(err) // it came from JSON
				}
				m[k] = string(b)
			} else {
				withoutNulls(v)
			}
		case []any:
			for _, e := range v {
				if e, ok := e.(map[string]any); ok {
					withoutNulls(e)
				}
			}
		}
	}
	return m
}

// fill replaces the variables in a value. A text that is one variable becomes that variable's value, of whatever type.
func fill(v any, vars map[string]any) (any, error) {
	switch v := v.(type) {
	case string:
		if m := variable.FindStringSubmatch(v); m != nil && m[0] == v && m[2] == "" {
			value, ok := vars[m[1]]
			if !ok {
				return nil, fmt.Errorf("%s is not known", v)
			}
			return generic(value), nil
		}
		var missing error
		out := variable.ReplaceAllStringFunc(v, func(m string) string {
			name := variable.FindStringSubmatch(m)
			value, ok := vars[name[1]]
			if !ok {
				missing = fmt.Errorf("%s is not known", m)
			}
			text := fmt.Sprint(value)
			if name[2] != "" {
				text, _, _ = strings.Cut(text, "/")
			}
			return text + name[2]
		})
		return out, missing
	case []any:
		out := make([]any, len(v))
		for i := range v {
			f, err := fill(v[i], vars)
			if err != nil {
				return nil, err
			}
			out[i] = f
		}
		return out, nil
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			f, err := fill(v[k], vars)
			if err != nil {
				return nil, err
			}
			out[k] = f
		}
		return out, nil
	}
	return v, nil
}

// differences says where an answer is not as wanted. An object may have more than is wanted of it; a list may not, and has an order.
func differences(path string, want, got any) []string {
	no := []string{fmt.Sprintf("%s is %s, not %s", path, text(got), text(want))}
	switch want := want.(type) {
	case map[string]any:
		if inner, ok := want[jsonKey]; ok {
			if !reflect.DeepEqual(document(got), inner) {
				return no
			}
			return nil
		}
		m, ok := got.(map[string]any)
		if !ok && !(got == nil && len(want) == 0) { // an empty object may be left out
			return no
		}
		var out []string
		for _, k := range slices.Sorted(maps.Keys(want)) {
			out = append(out, differences(path+"."+k, want[k], m[k])...)
		}
		return out
	case []any:
		l, ok := got.([]any)
		if len(l) != len(want) || !ok && got != nil { // an empty list may be left out
			return no
		}
		var out []string
		for i := range want {
			out = append(out, differences(fmt.Sprintf("%s[%d]", path, i), want[i], l[i])...)
		}
		return out
	}
	if !reflect.DeepEqual(want, got) {
		return no
	}
	return nil
}

// document is what a JSON text says, which some clients have parsed already.
func document(v any) any {
	s, ok := v.(string)
	if !ok {
		return v
	}
	var out any
	if json.Unmarshal([]byte(s), &out) == nil {
		return out
	}
	if s, err := url.QueryUnescape(s); err == nil && json.Unmarshal([]byte(s), &out) == nil {
		return out
	}
	return v
}

// text shows a value.
func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}
