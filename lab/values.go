package lab

import (
	"encoding/json"
	"fmt"
	"regexp"
)

// variable matches a mention of a variable.
var variable = regexp.MustCompile(`\$\{([a-z0-9_]+)\}`)

// jsonKey marks an object that stands for its own JSON text: AWS takes policies as text.
const jsonKey = "$json"

// fill replaces the variables in a value of a scenario file: in texts, and in what lists and objects hold.
func fill(v any, vars map[string]string) (any, error) {
	switch v := v.(type) {
	case string:
		return fillText(v, vars)
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
		if inner, ok := v[jsonKey]; ok && len(v) == 1 {
			f, err := fill(inner, vars)
			if err != nil {
				return nil, err
			}
			b, err := json.Marshal(f)
			return string(b), err
		}
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

// fillText replaces the variables in a text.
func fillText(s string, vars map[string]string) (string, error) {
	var missing string
	out := variable.ReplaceAllStringFunc(s, func(m string) string {
		name := m[2 : len(m)-1]
		value, ok := vars[name]
		if !ok {
			missing = name
		}
		return value
	})
	if missing != "" {
		return "", fmt.Errorf("variable %s has no value yet", missing)
	}
	return out, nil
}

// fillInput replaces the variables in an operation's input.
func fillInput(in map[string]any, vars map[string]string) (map[string]any, error) {
	if in == nil {
		return map[string]any{}, nil
	}
	v, err := fill(in, vars)
	if err != nil {
		return nil, err
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("input is not an object")
	}
	return m, nil
}

// text is a value of an answer as a variable keeps it.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case float64:
		return fmt.Sprintf("%g", v)
	case bool:
		return fmt.Sprintf("%t", v)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}
