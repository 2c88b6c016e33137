package authpolicy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
)

// Bounds of what Explain tells, so that no policy or request makes it large.
const (
	maxMisses = 8    // for each policy
	maxSeen   = 5    // values of a condition key
	maxText   = 120  // bytes of a value, or of an element of a policy
	maxDetail = 2048 // bytes of Detail
)

// Reason is what one policy says about a request.
type Reason struct {
	Layer     string
	Level     int    // of policies of organizations: 0 is the root
	Policy    string // its name; empty for an auth policy, and where there is no policy
	Effect    Effect
	Statement *Statement // that decided; nil when none did
	Misses    []Miss     // of an implicit deny: why statements that allow something did not allow this, the nearest first
	Text      string     // all of it for people, without the layer and the policy
}

// Miss is why a statement does not speak of a request.
type Miss struct {
	Statement *Statement
	Element   string // Action, Principal, Resource, their Not forms, or Condition
	// Of a condition: its operator, its key, its values as JSON, and what the request has, nil when the key is absent.
	Operator string
	Key      string
	Wanted   string
	Seen     []string
	At       Position // of the condition, or else of the statement
	Text     string
}

// Explain returns what every policy says about a request to a service, whether or not another has decided already, in
// the order in which Invoke asks them. Unlike Invoke it takes its time. Policies of one layer and level count as one:
// decided says what came of each.
func Explain(r *Request, network, service Layer) []Reason {
	out := explainOrganizations(r)
	out = append(out, network.explain(r, LayerNetwork), service.explain(r, LayerService))
	if anonymous(r.Caller) {
		return append(out, Reason{Layer: LayerIdentity, Effect: Allow, Text: "the caller is anonymous, so there is no identity-based policy to ask"})
	}
	return append(out, explainCaller(r)...)
}

// explain is what an auth policy says.
func (l *Layer) explain(r *Request, name string) Reason {
	switch {
	case !l.Enforced:
		return Reason{Layer: name, Effect: Allow, Text: "the auth type is NONE"}
	case l.Broken != nil:
		return Reason{Layer: name, Text: "the policy does not compile: " + l.Broken.Error()}
	case l.Policy == nil:
		return Reason{Layer: name, Text: "the auth type is AWS_IAM and there is no policy"}
	}
	return l.Policy.explain(r, name, "")
}

// explainOrganizations is what the policies of organizations say.
func explainOrganizations(r *Request) (out []Reason) {
	levels := func(layer string, all []Policies) {
		for i, level := range all {
			if len(level) == 0 {
				out = append(out, Reason{Layer: layer, Level: i, Text: "no policy is attached at this level"})
			}
			for _, p := range level {
				why := p.Policy.explain(r, layer, p.Name)
				why.Level = i
				out = append(out, why)
			}
		}
	}
	levels(LayerResourceControl, r.ResourceControl)
	if !anonymous(r.Caller) {
		levels(LayerServiceControl, r.Caller.Organization)
	}
	return out
}

// explainCaller is what the caller's own policies say.
func explainCaller(r *Request) (out []Reason) {
	c := r.Caller
	switch {
	case c.Broken != nil:
		return append(out, Reason{Layer: LayerIdentity, Text: "the caller's policies do not compile: " + c.Broken.Error()})
	case c.Principal.Type == trellis.PrincipalAccount && len(c.Identity) == 0:
		out = append(out, Reason{Layer: LayerIdentity, Effect: Allow, Text: "the root of an account needs no policy"})
	case len(c.Identity) == 0:
		out = append(out, Reason{Layer: LayerIdentity, Text: "the caller has no identity-based policy"})
	}
	for _, p := range c.Identity {
		out = append(out, p.Policy.explain(r, LayerIdentity, p.Name))
	}
	if c.Boundary != nil {
		out = append(out, c.Boundary.Policy.explain(r, LayerBoundary, c.Boundary.Name))
	}
	if c.Session != nil && len(c.Session) == 0 {
		out = append(out, Reason{Layer: LayerSession, Text: "the session has no policy that could allow"})
	}
	for _, p := range c.Session {
		out = append(out, p.Policy.explain(r, LayerSession, p.Name))
	}
	return out
}

// explain is what the policy says about a request, as one of a layer.
func (p *Policy) explain(r *Request, layer, name string) Reason {
	e, s := p.Decide(r)
	why := Reason{Layer: layer, Policy: name, Effect: e, Statement: s}
	switch e {
	case Allow:
		why.Text = s.String() + " allows"
	case ExplicitDeny:
		why.Text = s.String() + " denies"
	default:
		why.Misses = p.misses(r)
		why.Text = "no statement allows the request"
		for i, m := range why.Misses {
			why.Text += [...]string{": ", "; "}[min(i, 1)] + m.Text
		}
	}
	return why
}

// String names the statement for people: by its Sid, or its number from 0, and its place.
func (s *Statement) String() string {
	name := fmt.Sprintf("statement %d", s.Index)
	if s.Sid != "" {
		name += " (" + clip(s.Sid) + ")"
	}
	if s.Start.Line != 0 {
		name += " at " + s.Start.String()
	}
	return name
}

// misses says why the policy's statements that allow something do not allow a request, the nearest first: what fails by
// a condition before what is about another resource, caller or action.
func (p *Policy) misses(r *Request) []Miss {
	var ranked [4][]Miss
	for i := range p.statements {
		s := &p.statements[i]
		if s.Deny {
			continue
		}
		rank, ms := s.misses(r)
		if len(ranked[rank]) < maxMisses {
			ranked[rank] = append(ranked[rank], ms...)
		}
	}
	all := slices.Concat(ranked[3], ranked[2], ranked[1], ranked[0])
	return all[:min(len(all), maxMisses)]
}

// misses says why the statement does not speak of a request, and how many of its elements do.
func (s *Statement) misses(r *Request) (rank int, out []Miss) {
	not := func(is bool, element string) string {
		if is {
			return "Not" + element
		}
		return element
	}
	missed := func(element, text, has string) []Miss {
		return []Miss{{Statement: s, Element: element, At: s.Start,
			Text: fmt.Sprintf("%s: its %s %s does not cover %s", s, element, clip(strings.Join(strings.Fields(text), " ")), clip(has))}}
	}
	switch {
	case s.matchesAction(r.Action) == s.notAction:
		return 0, missed(not(s.notAction, "Action"), s.text.action, r.Action)
	case !s.names(r.Caller):
		return 1, missed(not(s.notPrincipal, "Principal"), s.text.principal, callerName(r.Caller))
	case !s.covers(r):
		return 2, missed(not(s.notResource, "Resource"), s.text.resource, r.Resource)
	}
	for i := range s.conditions {
		if c := &s.conditions[i]; !c.holds(r, s.Deny) && len(out) < maxMisses {
			out = append(out, c.miss(r, s))
		}
	}
	return 3, out
}

// callerName is how reasons name a caller.
func callerName(c *Caller) string {
	switch {
	case anonymous(c):
		return "anonymous"
	case c.Principal.ARN != "":
		return c.Principal.ARN
	case c.Principal.Service != "":
		return c.Principal.Service
	}
	return c.Principal.FederatedProvider
}

// secrets are the header fields and query parameters whose values are credentials, in lower case. Applications may have others
// of their own; what a policy compares with is told.
var secrets = []string{"authorization", "cookie", "proxy-authorization", "set-cookie", "x-amz-security-token", "x-amz-signature"}

// Secret tells whether the values of a header field or query parameter are credentials, which are never told.
func Secret(name string) bool {
	return slices.ContainsFunc(secrets, func(s string) bool { return strings.EqualFold(s, name) })
}

// secret tells whether the key's values are credentials.
func (k *key) secret() bool { return (k.kind == headerKey || k.kind == queryKey) && Secret(k.name) }

// secret tells whether a variable stands for a credential.
func (p *pattern) secret() bool {
	return slices.ContainsFunc(p.parts, func(v part) bool { return v.variable != nil && v.variable.secret() })
}

// miss says why the condition does not hold.
func (c *condition) miss(r *Request, s *Statement) Miss {
	m := Miss{Statement: s, Element: "Condition", Operator: c.text.operator, Key: c.text.key,
		Wanted: clip(strings.Join(strings.Fields(c.text.values), " ")), At: c.text.at}
	v, next, ok := c.key.value(r, 0)
	for ; ok && len(m.Seen) < maxSeen; v, next, ok = c.key.value(r, next) {
		if c.key.secret() {
			m.Seen = append(m.Seen, "(hidden)")
			continue
		}
		m.Seen = append(m.Seen, clip(string(v.append(nil))))
	}
	wants := m.Wanted
	for i := range c.values {
		if p := &c.values[i].pattern; p.parts != nil {
			if b, ok := p.expand(nil, r); ok && p.secret() {
				wants += " (hidden)"
			} else if ok {
				wants += fmt.Sprintf(" (%q)", clip(unwild.Replace(string(b))))
			} else {
				wants += " (a variable has no value)"
			}
			break
		}
	}
	has := "it is absent"
	if m.Seen != nil {
		has = fmt.Sprintf("it is %q", m.Seen)
		if len(m.Seen) == 1 {
			has = fmt.Sprintf("it is %q", m.Seen[0])
		}
		if ok {
			has += " and more"
		}
	}
	m.Text = fmt.Sprintf("%s: its Condition %s %s at %s wants %s, and %s", s, m.Operator, m.Key, m.At, wants, has)
	return m
}

// unwild turns the bytes of wildcards back.
var unwild = strings.NewReplacer(string([]byte{anyRun}), "*", string([]byte{anyByte}), "?")

// clip cuts a text for a reason, and makes it printable in one line.
func clip(s string) string {
	cut := len(s) > maxText
	if cut {
		s = s[:maxText]
	}
	s = clean(s)
	if cut {
		s += "…"
	}
	return s
}

// decided returns, of reasons of one request, those that decided, the denying layers first: for each layer and level the
// policy that denies or allows, or all of its policies when none does. denied says how many of them deny.
func decided(reasons []Reason) (out []Reason, denied int) {
	var explicit, implicit, allowed []Reason
	for i := 0; i < len(reasons); {
		end := i + 1
		for end < len(reasons) && reasons[end].Layer == reasons[i].Layer && reasons[end].Level == reasons[i].Level {
			end++
		}
		group := reasons[i:end]
		of := func(e Effect) int { return slices.IndexFunc(group, func(r Reason) bool { return r.Effect == e }) }
		if at := of(ExplicitDeny); at >= 0 {
			explicit = append(explicit, group[at])
		} else if at := of(Allow); at >= 0 {
			allowed = append(allowed, group[at])
		} else {
			implicit = append(implicit, group...)
		}
		i = end
	}
	return slices.Concat(explicit, implicit, allowed), len(explicit) + len(implicit)
}

// Detail is the reasons in one line of at most 2 KB, for the access log and for `trellis explain`: what denies first,
// then what allows.
func Detail(reasons []Reason) string {
	all, denied := decided(reasons)
	var b strings.Builder
	for i, r := range all {
		switch {
		case i == 0 && denied > 0:
			b.WriteString("denied by ")
		case i == denied:
			if i > 0 {
				b.WriteString("; ")
			}
			b.WriteString("allowed by ")
		default:
			b.WriteString(", ")
		}
		b.WriteString(r.Layer)
		if r.Policy != "" {
			b.WriteString(" " + clip(r.Policy))
		}
		b.WriteString(" [" + clean(r.Text) + "]")
	}
	s := b.String()
	if len(s) > maxDetail {
		s = strings.ToValidUTF8(s[:maxDetail-len("…")], "") + "…"
	}
	return s
}

// clean makes a text printable in one line.
func clean(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return ' '
		}
		return c
	}, strings.ToValidUTF8(s, "?"))
}
