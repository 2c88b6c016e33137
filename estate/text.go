package estate

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// arnIn finds ARNs in the text of a policy.
var arnIn = regexp.MustCompile(`arn:[^\s"*?${}]+`)

// templateIn finds ${Kind/name} in the text of a policy, the ARN of a thing, and ${Kind/name#id}, its id. Policy
// variables have no such form.
var templateIn = regexp.MustCompile(`\$\{([A-Z][A-Za-z]+)/(?:([^:}]*):)?([^}#]+)(#id)?\}`)

// templates are the things that a text names by ${Kind/name}.
func templates(account, s string) []Ref {
	var all []Ref
	for _, m := range templateIn.FindAllStringSubmatch(s, -1) {
		all = append(all, templateRef(account, m))
	}
	return all
}

// templateRef is what one match names.
func templateRef(account string, m []string) Ref {
	if m[2] != "" {
		account = m[2]
	}
	if kindOf(organizationKinds(), m[1]) != nil {
		account = ""
	}
	return Ref{m[1], account, m[3]}
}

// parsed is a JSON text as a value.
func parsed(s string) (any, bool) {
	var v any
	err := json.Unmarshal([]byte(s), &v)
	return v, err == nil
}

// key is a text that two values have in common when they are the same.
func key(v any) string {
	b, err := json.Marshal(v) // sorts members
	if err != nil {
		return ""
	}
	return string(b)
}

// writeJSON writes a node as JSON, members in their order.
func writeJSON(out *bytes.Buffer, n *yaml.Node) {
	switch n.Kind {
	case yaml.MappingNode:
		out.WriteByte('{')
		for i := 0; i+1 < len(n.Content); i += 2 {
			if i > 0 {
				out.WriteByte(',')
			}
			writeText(out, n.Content[i].Value)
			out.WriteByte(':')
			writeJSON(out, n.Content[i+1])
		}
		out.WriteByte('}')
	case yaml.SequenceNode:
		out.WriteByte('[')
		for i, e := range n.Content {
			if i > 0 {
				out.WriteByte(',')
			}
			writeJSON(out, e)
		}
		out.WriteByte(']')
	default:
		writeText(out, scalar(n))
	}
}

// writeText writes a scalar as JSON, without HTML's escapes.
func writeText(out *bytes.Buffer, v any) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(v) == nil {
		out.Write(bytes.TrimRight(b.Bytes(), "\n"))
	}
}

// canonical is a member's value in the one form in which values are compared.
func (k *kind) canonical(m *member, v any) any {
	if v == nil || v == nothing {
		return nil
	}
	if m.form.texts() {
		return walk(v, "", func(_ string, v any) any {
			p, ok := parsed(text(v))
			switch {
			case !ok:
				return v
			case m.form == jsonText:
				return p
			}
			return single(p)
		})
	}
	if z, ok := v.(zipped); ok {
		return z.String()
	}
	if m.norm != nil {
		v = m.norm(v)
	}
	if v = k.plain(v, m.name); v == nil {
		return nil
	}
	if l, ok := v.([]any); ok {
		if len(l) == 0 {
			return nil
		}
		if m.set {
			l = slices.Clone(l)
			slices.SortFunc(l, func(a, b any) int { return strings.Compare(key(a), key(b)) })
			v = l
		}
	}
	if mm, ok := v.(map[string]any); ok && len(mm) == 0 {
		return nil
	}
	return v
}

// plain writes references as texts and leaves nested members out that say what is so anyway.
func (k *kind) plain(v any, leaf string) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, e := range v {
			e = k.plain(e, name)
			if def, ok := k.defaults[name]; ok && key(def) == key(e) || e == nil || key(e) == "[]" {
				continue
			}
			out[name] = e
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = k.plain(e, leaf)
		}
		return out
	case Ref:
		return v
	case string:
		if _, ok := k.refs[leaf]; ok {
			return bare(v)
		}
	}
	return v
}

// single takes lists of one apart, since policies mean the same by x and [x].
func single(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, e := range v {
			out[k] = single(e)
		}
		return out
	case []any:
		if len(v) == 1 {
			return single(v[0])
		}
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = single(e)
		}
		return out
	}
	return v
}

// within leaves of a present structure what a wanted one speaks of.
func within(want, have any) any {
	w, ok := want.(map[string]any)
	h, also := have.(map[string]any)
	if !ok || !also {
		return have
	}
	out := map[string]any{}
	for k, v := range w {
		if e, ok := h[k]; ok {
			out[k] = within(v, e)
		}
	}
	return out
}

// MarshalText writes a reference where it is compared or printed.
func (r Ref) MarshalText() ([]byte, error) {
	return []byte(r.Kind + " " + r.Account + ":" + r.Name), nil
}
