package estate

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// Action is what a plan does with a thing.
type Action string

// Actions.
const (
	Create  Action = "create"
	Update  Action = "update"
	Replace Action = "replace" // delete and create: a member differs that AWS can't change
	Delete  Action = "delete"
)

// Change is one member that differs. Old and New are nil when there is nothing.
type Change struct {
	Member string `json:"member"`
	Old    any    `json:"old,omitempty"`
	New    any    `json:"new,omitempty"`
	Fixed  bool   `json:"fixed,omitempty"` // AWS has no operation that changes it
}

// Step is what a plan does with one thing.
type Step struct {
	Action  Action   `json:"action"`
	Kind    string   `json:"kind"`
	Name    string   `json:"name"`
	Account string   `json:"account"`
	At      string   `json:"at,omitempty"` // file:line:column of the document
	ID      string   `json:"id,omitempty"`
	Why     string   `json:"why,omitempty"`
	Changes []Change `json:"changes,omitempty"`

	want, have *thing
	changed    []string // members
	set        map[string]string
	drop       []string // tags
}

// title is how the step is called in messages.
func (s *Step) title() string { return s.Kind + " " + s.Name }

// Plan is the difference between files and what is present.
type Plan struct {
	Estate string  `json:"estate"`
	Steps  []*Step `json:"steps"`

	reader  *Reader
	wanted  *Wanted
	present *state
}

// Plan compares wanted things with the present state. With prune, things that an apply of this estate made and that are
// not wanted any more are deleted.
func (r *Reader) Plan(ctx context.Context, w *Wanted, estate string, prune bool) (*Plan, error) {
	if missing := w.local(os.LookupEnv); len(missing) > 0 {
		return nil, missing
	}
	needed := map[string]bool{}
	accounts := []string{r.Own}
	coming := map[string]bool{} // accounts that are not there yet
	for _, t := range w.things {
		needed[t.account+" "+t.kind.name] = true
		for _, r := range t.names(true) {
			if awsOwn(r.Kind, r.Name) {
				needed[r.Account+" "+r.Kind] = true
			}
		}
		if !accountID.MatchString(t.account) {
			coming[t.account] = true
			if w.byRef[Ref{"Account", "", t.account}] == nil {
				return nil, Problems{{File: t.doc.file, Line: t.doc.node.Line, Column: t.doc.node.Column, Text: "no account " + t.account + ": neither in the organization nor in the files"}}
			}
		} else if !slices.Contains(accounts, t.account) {
			accounts = append(accounts, t.account)
		}
	}
	if prune {
		for _, other := range r.Others {
			if slices.Contains(accounts, other) {
				continue
			}
			if _, err := r.Accounts(ctx, other); err != nil {
				r.Unreachable(other, err)
				continue
			}
			accounts = append(accounts, other)
		}
	}
	r.secrets = w.secrets
	present, err := r.readThere(ctx, w, accounts, func(account string, k *kind) bool {
		if k.management && account != r.Own {
			return false
		}
		return needed[account+" "+k.name] || prune && !k.tagless
	})
	if err != nil {
		return nil, err
	}
	p := &Plan{Estate: estate, Steps: []*Step{}, reader: r, wanted: w, present: present}
	for _, t := range w.things {
		p.compare(t)
	}
	p.cascade()
	var missing Problems
	for _, s := range p.Steps {
		if s.Action == Create || s.Action == Replace {
			missing = append(missing, s.want.lacks()...)
		}
	}
	if len(missing) > 0 {
		return nil, missing
	}
	if prune {
		for _, t := range present.things {
			if t.madeBy == estate && w.byRef[t.ref()] == nil && t.kind.unmake != nil && !t.builtin {
				p.Steps = append(p.Steps, &Step{Action: Delete, Kind: t.kind.name, Name: t.name, Account: t.account, ID: first(t.id, t.arn), have: t})
			}
		}
	}
	return p, nil
}

// readThere reads those accounts that exist: an account with an id of one's choice may be made by this very plan.
func (r *Reader) readThere(ctx context.Context, w *Wanted, accounts []string, wanted func(string, *kind) bool) (*state, error) {
	making := map[string]bool{}
	own, err := r.read(ctx, []string{r.Own}, func(account string, k *kind) bool { return k.name == "Account" })
	if err != nil {
		return nil, err
	}
	for _, t := range w.things {
		if id := text(t.members["Id"]); t.kind.name == "Account" && own.byText[id] == nil {
			making[id] = true
		}
	}
	return r.read(ctx, slices.DeleteFunc(slices.Clone(accounts), func(a string) bool { return making[a] }), wanted)
}

// first is the first text that is not empty.
func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// compare adds a step for a wanted thing, unless it is as wanted.
func (p *Plan) compare(t *thing) {
	s := &Step{Kind: t.kind.name, Name: t.name, Account: t.account, At: t.doc.place(), want: t, have: p.present.byRef[t.ref()]}
	if s.have == nil {
		s.Action = Create
		for _, m := range t.kind.members {
			if v := t.kind.canonical(&m, t.members[m.name]); v != nil {
				s.Changes = append(s.Changes, Change{Member: m.name, New: p.wanted.hide(&m, t, v)})
				if m.later {
					s.changed = append(s.changed, m.name)
				}
			}
		}
		p.Steps = append(p.Steps, s)
		return
	}
	t.id, t.arn, t.dns, t.raw, t.madeBy = s.have.id, s.have.arn, s.have.dns, s.have.raw, s.have.madeBy
	s.Action, s.ID = Update, first(t.id, t.arn)
	for _, m := range t.kind.members {
		given, said := t.members[m.name]
		if !said && (m.def == nil || m.name == "resourcePolicy" && s.have.shared) {
			continue
		}
		if !said {
			given = m.def
		}
		if m.secret != nil && m.secret(t) && unset(given) {
			continue // it stays what it is
		}
		if m.form == codeFile && elsewhere(given) {
			continue // what it is made of for the first time
		}
		if m.form.texts() {
			given = walk(given, "", func(_ string, v any) any { return p.present.template(t, v) })
		} else { // ids and ARNs of what is present mean the same as its name
			given = walk(given, m.name, func(leaf string, v any) any { return p.present.rename(p.present.refer(t, leaf, v)) })
		}
		want, have := t.kind.canonical(&m, given), t.kind.canonical(&m, s.have.members[m.name])
		if have == nil && m.def != nil {
			have = t.kind.canonical(&m, m.def)
		}
		if m.part {
			have = within(want, have)
		}
		if t.kind.alike != nil {
			want, have = t.kind.alike(t, m.name, want), t.kind.alike(s.have, m.name, have)
		}
		if key(want) == key(have) {
			continue
		}
		fixed := m.fixed || m.stays && want == nil || m.name == "config" && key(without(want, "healthCheck")) != key(without(have, "healthCheck"))
		s.Changes = append(s.Changes, Change{Member: m.name, Old: p.wanted.hide(&m, s.have, have), New: p.wanted.hide(&m, t, want), Fixed: fixed})
		s.changed = append(s.changed, m.name)
		if fixed {
			s.Action = Replace
		}
	}
	if !t.kind.tagless {
		s.set, s.drop = map[string]string{}, nil
		tags := t.wantedTags(s.have)
		for name, v := range tags {
			if have, ok := s.have.tags[name]; !ok || have != v {
				s.set[name] = v
			}
		}
		for _, name := range slices.Sorted(maps.Keys(s.have.tags)) {
			if _, ok := tags[name]; !ok {
				s.drop = append(s.drop, name)
			}
		}
		if len(s.set)+len(s.drop) > 0 {
			s.Changes = append(s.Changes, Change{Member: "tags", Old: s.have.tags, New: tags})
		}
	}
	if len(s.Changes) > 0 {
		p.Steps = append(p.Steps, s)
	}
}

// without is a structure without a member.
func without(v any, name string) any {
	m, ok := v.(map[string]any)
	if !ok {
		return v
	}
	m = maps.Clone(m)
	delete(m, name)
	return m
}

// cascade replaces what refers to things that are replaced, since those can't be deleted under it.
func (p *Plan) cascade() {
	steps := map[Ref]*Step{}
	for _, s := range p.Steps {
		steps[s.want.ref()] = s
	}
	for again := true; again; {
		again = false
		for _, t := range p.wanted.things {
			have := p.present.byRef[t.ref()]
			if have == nil || steps[t.ref()] != nil && steps[t.ref()].Action == Replace {
				continue
			}
			for _, r := range have.names(false) {
				if of := steps[r]; of != nil && of.Action == Replace && r != t.ref() {
					s := steps[t.ref()]
					if s == nil {
						s = &Step{Kind: t.kind.name, Name: t.name, Account: t.account, At: t.doc.place(), ID: first(t.id, t.arn), want: t, have: have}
						steps[t.ref()], p.Steps = s, append(p.Steps, s)
					}
					s.Action, s.Why, again = Replace, of.title()+" is replaced", true
					break
				}
			}
		}
	}
	for _, s := range p.Steps {
		if s.Action == Replace {
			s.changed = nil
			for _, m := range s.want.kind.members {
				if m.later && s.want.kind.canonical(&m, s.want.members[m.name]) != nil {
					s.changed = append(s.changed, m.name)
				}
			}
		}
	}
}

// Empty tells whether there is nothing to change.
func (p *Plan) Empty() bool { return len(p.Steps) == 0 }

// Count tells how many steps have an action.
func (p *Plan) Count(a Action) int {
	n := 0
	for _, s := range p.Steps {
		if s.Action == a {
			n++
		}
	}
	return n
}

// String is the plan for people: a line for each thing, with its members.
func (p *Plan) String() string {
	var out strings.Builder
	for _, s := range p.Steps {
		sign := map[Action]string{Create: "+", Update: "~", Replace: "±", Delete: "-"}[s.Action]
		fmt.Fprintf(&out, "%s %s %s %s", sign, s.Action, s.Kind, s.Name)
		if s.Account != p.reader.Own {
			fmt.Fprintf(&out, " in %s", s.Account)
		}
		if s.At != "" {
			fmt.Fprintf(&out, "  (%s)", s.At)
		}
		if s.Why != "" {
			fmt.Fprintf(&out, ", since %s", s.Why)
		}
		out.WriteByte('\n')
		for _, c := range s.Changes {
			switch {
			case s.Action == Create:
				fmt.Fprintf(&out, "    %s: %s\n", c.Member, shown(c.New))
			default:
				fmt.Fprintf(&out, "    %s: %s → %s", c.Member, shown(c.Old), shown(c.New))
				if c.Fixed {
					out.WriteString("  (can't be changed)")
				}
				out.WriteByte('\n')
			}
		}
	}
	if p.Empty() {
		out.WriteString("Nothing to change.\n")
		return out.String()
	}
	fmt.Fprintf(&out, "%d to create, %d to update, %d to replace, %d to delete.\n", p.Count(Create), p.Count(Update), p.Count(Replace), p.Count(Delete))
	return out.String()
}

// shown is a value on one line, as YAML's flow style has it, without what a terminal would obey.
func shown(v any) string {
	if v == nil {
		return "nothing"
	}
	s := flow(v)
	const most = 400
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, s)
}

// flow is a value in YAML's flow style.
func flow(v any) string {
	switch v := v.(type) {
	case Ref:
		return v.Name
	case map[string]any:
		var parts []string
		for _, k := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, k+": "+flow(v[k]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case map[string]string:
		m := map[string]any{}
		for k, e := range v {
			m[k] = e
		}
		return flow(m)
	case []any:
		var parts []string
		for _, e := range v {
			parts = append(parts, flow(e))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return text(v)
}
