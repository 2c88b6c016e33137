package estate

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Selection says what is exported.
type Selection struct {
	Accounts []string // whose things; the first one's need no section
	Kinds    []string // empty: all
	Name     string   // empty: all
	Estate   string   // a name that the file gives itself; may be empty

	Code    string                                                // the directory that the code of functions is written into; empty: it is left out
	Fetch   func(ctx context.Context, url string) ([]byte, error) // gets code
	LeftOut func(format string, args ...any)                      // hears of what could not be written
}

// Export writes present things as a file that Parse reads, and that a plan finds no difference to. Secrets stand in no
// API and so in no file.
func (r *Reader) Export(ctx context.Context, sel Selection) ([]byte, error) {
	st, err := r.read(ctx, sel.Accounts, func(account string, k *kind) bool { return !k.management || account == r.Own })
	if err != nil {
		return nil, err
	}
	x := &exporting{state: st, own: r.Own, out: map[Ref]bool{}, like: map[string]int{}, used: map[string]bool{}}
	x.choose(sel)
	if err := x.writeCode(ctx, sel); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if sel.Estate != "" {
		fmt.Fprintf(&out, "estate: %s\n", sel.Estate)
	}
	for _, account := range sel.Accounts {
		var docs []*thing
		for _, t := range st.things {
			if t.account == account && x.out[t.ref()] {
				docs = append(docs, t)
			}
		}
		order := map[string]int{}
		for i, k := range kinds() {
			order[k.name] = i
		}
		slices.SortFunc(docs, func(a, b *thing) int {
			if d := order[a.kind.name] - order[b.kind.name]; d != 0 {
				return d
			}
			return strings.Compare(a.name, b.name)
		})
		if len(docs) > 0 && (account != r.Own || len(sel.Accounts) > 1) {
			if out.Len() > 0 {
				out.WriteString("---\n")
			}
			fmt.Fprintf(&out, "account: %q\n", account)
		}
		for _, t := range docs {
			if out.Len() > 0 {
				out.WriteString("---\n")
			}
			enc := yaml.NewEncoder(&out)
			enc.SetIndent(2)
			if err := enc.Encode(x.document(t)); err != nil {
				return nil, fmt.Errorf("write %s %s: %w", t.kind.name, t.name, err)
			}
		}
	}
	return out.Bytes(), nil
}

// exporting is a state that is being written.
type exporting struct {
	*state
	own  string
	out  map[Ref]bool
	like map[string]int  // how many things of a kind and account have a short name
	used map[string]bool // the variables that stand for values that nobody may see
}

// choose says which things are written: those that were asked for, and of AWS's own those that are referred to.
func (x *exporting) choose(sel Selection) {
	for _, t := range x.things {
		if t.builtin || len(sel.Kinds) > 0 && !slices.Contains(sel.Kinds, t.kind.name) || sel.Name != "" && sel.Name != t.name && sel.Name != t.own {
			continue
		}
		x.out[t.ref()] = true
	}
	for _, t := range x.things {
		if x.out[t.ref()] && !t.builtin && sel.Name == "" && len(sel.Kinds) == 0 {
			for _, r := range t.refers(true) {
				if x.byRef[r] != nil && !awsOwn(r.Kind, r.Name) {
					x.out[r] = true
				}
			}
		}
	}
	for r := range x.out {
		t := x.byRef[r]
		x.like[t.kind.name+" "+t.account+" "+t.own]++
	}
}

// writeCode writes the code of functions beside the file, and puts its place into their documents. What can't be written is left out.
func (x *exporting) writeCode(ctx context.Context, sel Selection) error {
	for _, t := range x.things {
		for _, m := range t.kind.members {
			sum, is := strings.CutPrefix(text(t.members[m.name]), sumPrefix)
			if m.form != codeFile || !is || !x.out[t.ref()] {
				continue
			}
			delete(t.members, m.name)
			if sel.Code == "" {
				sel.LeftOut("the code of %s %s: name a directory for it with --code", t.kind.name, t.name)
				continue
			}
			path := filepath.Join(sel.Code, t.own+".zip")
			if len(sel.Accounts) > 1 {
				path = filepath.Join(sel.Code, t.account, t.own+".zip")
			}
			if err := x.fetchCode(ctx, sel, t, sum, path); err != nil {
				sel.LeftOut("the code of %s %s: %v", t.kind.name, t.name, err)
				continue
			}
			t.members[m.name] = path
		}
	}
	return nil
}

// fetchCode gets the code of a function and writes it.
func (x *exporting) fetchCode(ctx context.Context, sel Selection, t *thing, sum, path string) error {
	if t.codeAt == "" {
		return errors.New("the API gives no place where it is")
	}
	b, err := sel.Fetch(ctx, t.codeAt)
	if err != nil {
		return err
	}
	if got := sha256.Sum256(b); base64.StdEncoding.EncodeToString(got[:]) != sum {
		return errors.New("what is there is something else")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o644)
}

// document is a thing as YAML.
func (x *exporting) document(t *thing) *yaml.Node {
	doc := &yaml.Node{Kind: yaml.MappingNode}
	add := func(name string, v *yaml.Node) {
		doc.Content = append(doc.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: name}, v)
	}
	add("kind", stringNode(t.kind.name))
	tags := maps.Clone(t.tags)
	if !t.kind.unnamed {
		own := t.own
		if t.kind.scope == "" {
			own = t.name
		}
		add("name", stringNode(own))
		if t.kind.nameTag && tags["Name"] == own {
			delete(tags, "Name")
		}
	}
	for _, m := range t.kind.members {
		v := t.members[m.name]
		if m.name == "resourcePolicy" && t.shared || m.name == t.kind.nameMember && text(v) == t.own {
			continue // the share says it, or its name
		}
		if c := t.kind.canonical(&m, v); c == nil || m.def != nil && key(c) == key(t.kind.canonical(&m, m.def)) {
			continue
		}
		if m.secret != nil && m.secret(t) {
			v = x.variable(text(v))
		}
		if m.set {
			v = slices.Clone(list(v))
			slices.SortFunc(list(v), func(a, b any) int { return strings.Compare(key(x.spell(t, m.name, a)), key(x.spell(t, m.name, b))) })
		}
		if m.form == ruleText {
			v = walk(v, m.name, func(leaf string, v any) any { return x.spell(t, leaf, v) })
		}
		if m.norm != nil {
			v = m.norm(v)
		}
		if !m.form.texts() {
			v = t.kind.filled(v)
		}
		if m.form.texts() {
			add(m.name, x.policy(walk(v, "", func(_ string, v any) any { return x.resolve(t, v) })))
			continue
		}
		add(m.name, nodeOf(walk(v, m.name, func(leaf string, v any) any { return x.spell(t, leaf, v) })))
	}
	if len(tags) > 0 {
		add("tags", nodeOf(tags))
	}
	return doc
}

// variable is the variable of a value that nobody may see. Values of things whose names are alike have one each.
func (x *exporting) variable(s string) string {
	named := variable.FindStringSubmatch(s)
	if named == nil {
		return s
	}
	name := named[1]
	for n := 2; x.used[name]; n++ {
		name = fmt.Sprintf("%s_%d", named[1], n)
	}
	x.used[name] = true
	return "${env:" + name + "}"
}

// filled is a value without members that are empty lists, or say what goes without saying.
func (k *kind) filled(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, e := range v {
			if l, ok := e.([]any); ok && len(l) == 0 {
				continue
			}
			if def, ok := k.defaults[name]; ok && key(def) == key(e) {
				continue
			}
			out[name] = k.filled(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = k.filled(e)
		}
		return out
	}
	return v
}

// spell is a reference as documents have it: the shortest name that is enough, or an id when the thing is not written.
func (x *exporting) spell(t *thing, leaf string, v any) any {
	r, ok := v.(Ref)
	if !ok {
		return v
	}
	to := x.byRef[r]
	if awsOwn(r.Kind, r.Name) {
		return r.Name
	}
	if !x.out[r] && to != nil && (t.kind.refs["principals"].kinds == nil || r.Kind != "Account") {
		switch of := t.kind.refs[leaf]; {
		case of.dns:
			return to.dns
		case of.arn || t.kind.service == lattice:
			return first(to.arn, to.id)
		}
		return first(to.id, to.own)
	}
	if to == nil {
		return r.Name
	}
	name := r.Name
	if to.kind.scope != "" && x.like[to.kind.name+" "+to.account+" "+to.own] == 1 {
		name = to.own
	}
	if above, ok := to.members[to.kind.scope].(Ref); ok {
		for _, m := range t.kind.members {
			if t.members[m.name] == any(above) && m.name != "" {
				name = to.own
			}
		}
	}
	if r.Account != "" && r.Account != t.account {
		name = r.Account + ":" + name
	}
	return name
}

// resolve puts the ARNs of things that are not written back into the text of a policy.
func (x *exporting) resolve(t *thing, v any) any {
	return templateIn.ReplaceAllStringFunc(text(v), func(s string) string {
		m := templateIn.FindStringSubmatch(s)
		r := templateRef(t.account, m)
		to := x.byRef[r]
		switch {
		case to == nil || x.out[r]:
			return s
		case m[4] == "":
			return to.arn
		}
		return to.ownID()
	})
}

// policy is a policy, or policies by name, as YAML, members in their order; a text that is no JSON stays one.
func (x *exporting) policy(v any) *yaml.Node {
	if m, ok := v.(map[string]any); ok {
		n := &yaml.Node{Kind: yaml.MappingNode}
		for _, name := range slices.Sorted(maps.Keys(m)) {
			n.Content = append(n.Content, stringNode(name), x.policy(m[name]))
		}
		return n
	}
	var n yaml.Node
	if _, ok := parsed(text(v)); !ok || yaml.Unmarshal([]byte(text(v)), &n) != nil || len(n.Content) == 0 {
		return stringNode(text(v))
	}
	return block(n.Content[0])
}

// block takes the flow style and quotes of JSON away; texts keep quotes that they need.
func block(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.ScalarNode {
		if n.Tag == "!!str" {
			return stringNode(n.Value)
		}
		return &yaml.Node{Kind: yaml.ScalarNode, Value: n.Value, Tag: n.Tag}
	}
	out := &yaml.Node{Kind: n.Kind}
	for _, c := range n.Content {
		out.Content = append(out.Content, block(c))
	}
	return out
}

// stringNode is a text, in quotes where YAML would read something else.
func stringNode(s string) *yaml.Node {
	var n yaml.Node
	n.SetString(s)
	return &n
}

// nodeOf is a value as YAML, members sorted.
func nodeOf(v any) *yaml.Node {
	switch v := v.(type) {
	case string:
		return stringNode(v)
	case map[string]string:
		n := &yaml.Node{Kind: yaml.MappingNode}
		for _, k := range slices.Sorted(maps.Keys(v)) {
			n.Content = append(n.Content, stringNode(k), stringNode(v[k]))
		}
		return n
	case map[string]any:
		n := &yaml.Node{Kind: yaml.MappingNode}
		for _, k := range slices.Sorted(maps.Keys(v)) {
			n.Content = append(n.Content, stringNode(k), nodeOf(v[k]))
		}
		return n
	case []any:
		n := &yaml.Node{Kind: yaml.SequenceNode}
		for _, e := range v {
			n.Content = append(n.Content, nodeOf(e))
		}
		return n
	}
	var n yaml.Node
	_ = n.Encode(v) // numbers and truth values
	return &n
}
