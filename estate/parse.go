package estate

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"github.com/trellis-project/trellis/api/client"
)

// Problem is something that is wrong in a file.
type Problem struct {
	File         string
	Line, Column int
	Text         string
}

// String is the problem after its place.
func (p Problem) String() string {
	if p.Line == 0 {
		return p.File + ": " + p.Text
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Text)
}

// Problems are all that is wrong, in the order of the files.
type Problems []Problem

// Error is a line for each.
func (p Problems) Error() string {
	var lines []string
	for _, one := range p {
		lines = append(lines, one.String())
	}
	return strings.Join(lines, "\n")
}

// File is one file of an estate.
type File struct {
	Name string
	Text []byte
}

// Load reads a file, or all *.yaml of a directory by name; - is standard input.
func Load(path string, in io.Reader) ([]File, error) {
	if path == "-" {
		b, err := io.ReadAll(in)
		return []File{{"-", b}}, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	paths := []string{path}
	if info.IsDir() {
		if paths, err = filepath.Glob(filepath.Join(path, "*.yaml")); err != nil {
			return nil, err
		}
		if len(paths) == 0 {
			return nil, fmt.Errorf("%s has no *.yaml", path)
		}
	}
	var files []File
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			return nil, err
		}
		files = append(files, File{p, b})
	}
	return files, nil
}

// document is where a thing stands in the files.
type document struct {
	file string
	node *yaml.Node
}

// place is file:line:column.
func (d *document) place() string {
	return fmt.Sprintf("%s:%d:%d", d.file, d.node.Line, d.node.Column)
}

// Wanted is what files say.
type Wanted struct {
	Name   string // of the estate, when the files say one
	things []*thing
	byRef  map[Ref]*thing

	secrets bool            // some things have values that nobody may see
	hidden  map[string]bool // values of the environment, which no plan shows
}

// models is a client that knows AWS's models and calls nothing. Codecs take long to make, so all share them.
var models = sync.OnceValue(func() *client.Client {
	c, err := client.New("http://localhost", client.Credentials{}, "")
	if err != nil {
		panic(err) // the URL is right
	}
	return c
})

// parser reads files.
type parser struct {
	wanted   *Wanted
	kinds    []*kind
	own      string            // the caller's account
	accounts map[string]string // ids of accounts by name
	problems Problems
}

// at notes a problem.
func (p *parser) at(d *document, n *yaml.Node, format string, args ...any) {
	if n == nil {
		n = d.node
	}
	p.problems = append(p.problems, Problem{d.file, n.Line, n.Column, fmt.Sprintf(format, args...)})
}

// Parse reads files. own is the account of documents that say none, accounts are the ids of accounts by name. The error
// is Problems: all that is wrong.
func Parse(files []File, own string, accounts map[string]string) (*Wanted, error) {
	p := &parser{wanted: &Wanted{byRef: map[Ref]*thing{}, hidden: map[string]bool{}}, kinds: kinds(), own: own, accounts: map[string]string{}}
	for name, id := range accounts {
		p.accounts[name] = id
	}
	var docs []*document
	for _, f := range files {
		dec := yaml.NewDecoder(bytes.NewReader(f.Text))
		for {
			var n yaml.Node
			err := dec.Decode(&n)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				p.problems = append(p.problems, syntaxProblem(f.Name, err))
				break
			}
			if len(n.Content) == 0 {
				continue
			}
			left := maxNodes
			if where := expand(&n, map[*yaml.Node]bool{}, &left); where != nil {
				p.problems = append(p.problems, Problem{f.Name, where.Line, where.Column, "an anchor stands for itself, or all anchors for too much"})
				continue
			}
			all := []*yaml.Node{n.Content[0]}
			if all[0].Kind == yaml.SequenceNode {
				all = all[0].Content
			}
			for _, one := range all {
				if one.Kind == yaml.ScalarNode && one.Tag == "!!null" {
					continue
				}
				docs = append(docs, &document{f.Name, one})
			}
		}
	}
	for _, d := range docs { // accounts that are made here have names for sections
		if v, _ := entries(d.node); v["kind"] != nil && v["kind"].Value == "Account" && v["name"] != nil && v["Id"] != nil {
			p.accounts[v["name"].Value] = v["Id"].Value
		}
	}
	p.sections(docs)
	p.names()
	p.references()
	p.circles()
	if len(p.problems) > 0 {
		place := map[string]int{}
		for i, f := range files {
			place[f.Name] = i
		}
		slices.SortStableFunc(p.problems, func(a, b Problem) int {
			return cmp.Or(place[a.File]-place[b.File], a.Line-b.Line, a.Column-b.Column)
		})
		return nil, p.problems
	}
	return p.wanted, nil
}

// maxNodes is how many values a document may have, anchors written out.
const maxNodes = 1 << 20

// expand puts what anchors stand for into their places, and returns the node at which that has no end.
func expand(n *yaml.Node, in map[*yaml.Node]bool, left *int) *yaml.Node {
	if *left--; *left < 0 || in[n] {
		return n
	}
	in[n] = true
	defer delete(in, n)
	for i, c := range n.Content {
		if c.Kind == yaml.AliasNode {
			c = c.Alias
			n.Content[i] = c
		}
		if where := expand(c, in, left); where != nil {
			return where
		}
	}
	return nil
}

// lineOf finds the line in yaml's errors.
var lineOf = regexp.MustCompile(`line (\d+): (.*)`)

// syntaxProblem is an error of the YAML library, at its line.
func syntaxProblem(file string, err error) Problem {
	problem := Problem{File: file, Text: strings.TrimPrefix(err.Error(), "yaml: ")}
	if m := lineOf.FindStringSubmatch(err.Error()); m != nil {
		fmt.Sscan(m[1], &problem.Line)
		problem.Column, problem.Text = 1, m[2]
	}
	return problem
}

// entries are the members of a mapping by name, and names that stand there twice.
func entries(n *yaml.Node) (members map[string]*yaml.Node, twice []*yaml.Node) {
	members = map[string]*yaml.Node{}
	if n.Kind != yaml.MappingNode {
		return members, nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Tag == "!!merge" {
			from := []*yaml.Node{n.Content[i+1]}
			if from[0].Kind == yaml.SequenceNode {
				from = from[0].Content
			}
			for _, f := range from {
				merged, _ := entries(f)
				for k, v := range merged {
					if members[k] == nil {
						members[k] = v
					}
				}
			}
		}
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if k.Tag == "!!merge" {
			continue
		}
		if seen[k.Value] {
			twice = append(twice, k)
		}
		seen[k.Value], members[k.Value] = true, n.Content[i+1]
	}
	return members, twice
}

// keyNode is the node of a member's name, for places of errors.
func keyNode(n *yaml.Node, name string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i]
		}
	}
	return n
}

// sections reads documents and the accounts that they are of.
func (p *parser) sections(docs []*document) {
	file, account := "", p.own
	for _, d := range docs {
		if d.file != file {
			file, account = d.file, p.own
		}
		if d.node.Kind != yaml.MappingNode {
			p.at(d, nil, "a document is a mapping that begins with kind: %s …", p.kinds[0].name)
			continue
		}
		members, twice := entries(d.node)
		for _, n := range twice {
			p.at(d, n, "%s stands here twice", n.Value)
		}
		if members["kind"] == nil {
			for name, v := range members {
				switch name {
				case "account":
					account = p.account(v.Value)
				case "estate":
					if p.wanted.Name != "" && p.wanted.Name != v.Value {
						p.at(d, v, "the files are of two estates, %s and %s", p.wanted.Name, v.Value)
					}
					p.wanted.Name = v.Value
				default:
					p.at(d, keyNode(d.node, name), "%s: a document without kind says account and estate alone", name)
				}
			}
			continue
		}
		p.document(d, members, account)
	}
}

// account is the id of an account, or its name when it is not there yet.
func (p *parser) account(s string) string {
	if id, ok := p.accounts[s]; ok {
		return id
	}
	return s
}

// document reads one document.
func (p *parser) document(d *document, members map[string]*yaml.Node, account string) {
	k := kindOf(p.kinds, members["kind"].Value)
	if k == nil {
		hint := ""
		if n := nearest(members["kind"].Value, Kinds()); n != "" {
			hint = ": did you mean " + n + "?"
		}
		p.at(d, members["kind"], "there is no kind %s%s", members["kind"].Value, hint)
		return
	}
	t := &thing{kind: k, account: account, doc: d, members: map[string]any{}, tags: map[string]string{}}
	if k.management {
		t.account = p.own
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		key := keyNode(d.node, name)
		if key == d.node { // merged
			key = &yaml.Node{Value: name, Line: members[name].Line, Column: members[name].Column}
		}
		p.member(t, key, members[name])
	}
	if t.own == "" && !k.unnamed {
		p.at(d, nil, "name is missing")
		return
	}
	for _, m := range k.members {
		if _, ok := t.members[m.name]; m.required && !ok {
			p.at(d, nil, "%s %s: %s is missing", k.name, t.own, m.name)
		}
	}
	p.wanted.things = append(p.wanted.things, t)
}

// idOf tells whether a text has the form of a kind's ids.
func idOf(k *kind, s string) bool {
	if k.ids != nil {
		return k.ids.MatchString(s)
	}
	return k.prefix != "" && regexp.MustCompile(`^`+k.prefix+`-[0-9a-z-]{8,}$`).MatchString(s)
}

// wantedTags are the tags that a thing shall have: those that its document says, and the one that is its name. have is what is
// there already, or nil.
func (t *thing) wantedTags(have *thing) map[string]string {
	tags := maps.Clone(t.tags)
	if _, said := tags["Name"]; said || !t.kind.nameTag || t.own == t.kind.given || t.members[t.kind.nameMember] == nil && t.kind.nameMember != "" {
		return tags
	}
	switch {
	case have != nil && have.id == t.own: // it is named by its id
	case have == nil && t.kind.resource != "" && idOf(t.kind, t.own): // it shall have the id that is its name
		if tags[idTag] == "" {
			tags[idTag] = t.own
		}
	default:
		tags["Name"] = t.own
	}
	return tags
}

// member reads one member of a document.
func (p *parser) member(t *thing, key, v *yaml.Node) {
	d := t.doc
	m := t.kind.member(key.Value)
	switch {
	case key.Value == "kind":
	case key.Value == "name" && (m == nil || t.kind.unnamed):
		if t.kind.unnamed {
			p.at(d, key, "%s has no name: what it joins names it", t.kind.name)
			return
		}
		t.own = v.Value
	case key.Value == "account":
		if !t.kind.management {
			t.account = p.account(v.Value)
		}
	case key.Value == "tags":
		if t.kind.tagless {
			p.at(d, key, "%s has no tags", t.kind.name)
			return
		}
		tags, twice := entries(v)
		for _, n := range twice {
			p.at(d, n, "%s stands here twice", n.Value)
		}
		for name, value := range tags {
			if value.Kind != yaml.ScalarNode {
				p.at(d, value, "the tag %s is not a text", name)
			}
			t.tags[name] = value.Value
		}
	case m == nil:
		var names []string
		for _, m := range t.kind.members {
			names = append(names, m.name)
		}
		hint := ""
		if n := nearest(key.Value, append(names, "name", "tags", "account")); n != "" {
			hint = ": did you mean " + n + "?"
		}
		p.at(d, key, "%s has no member %s%s", t.kind.name, key.Value, hint)
	case m.form == policyText || m.form == jsonText:
		t.members[m.name] = p.policy(d, m.name, v)
	case m.form == policyTexts:
		policies, _ := entries(v)
		all := map[string]any{}
		for name, policy := range policies {
			all[name] = p.policy(d, name, policy)
		}
		t.members[m.name] = all
	case m.form == ruleText && v.Kind == yaml.ScalarNode:
		t.members[m.name] = splitRule(v.Value)
	default:
		t.members[m.name] = p.value(d, v)
	}
}

// policy is the JSON of a policy, which stands as YAML or as text.
func (p *parser) policy(d *document, name string, n *yaml.Node) string {
	if n.Kind == yaml.ScalarNode {
		if _, ok := parsed(n.Value); !ok {
			p.at(d, n, "%s is YAML, or a text that is JSON", name)
		}
		return strings.TrimSpace(n.Value)
	}
	var out bytes.Buffer
	writeJSON(&out, n)
	return out.String()
}

// value is a node as the API takes it. Dates stay texts.
func (p *parser) value(d *document, n *yaml.Node) any {
	switch n.Kind {
	case yaml.MappingNode:
		out := map[string]any{}
		members, twice := entries(n)
		for _, n := range twice {
			p.at(d, n, "%s stands here twice", n.Value)
		}
		for k, v := range members {
			out[k] = p.value(d, v)
		}
		return out
	case yaml.SequenceNode:
		out := make([]any, len(n.Content))
		for i, e := range n.Content {
			out[i] = p.value(d, e)
		}
		return out
	}
	return scalar(n)
}

// scalar is a text, number, truth value or nil.
func scalar(n *yaml.Node) any {
	switch n.Tag {
	case "!!int", "!!float", "!!bool", "!!null":
		var v any
		if n.Decode(&v) == nil {
			return v
		}
	}
	return n.Value
}

// names gives wanted things their full names and refuses names that stand twice.
func (p *parser) names() {
	for _, k := range p.kinds { // what things belong to comes first
		for _, t := range p.wanted.things {
			if t.kind != k {
				continue
			}
			for _, m := range k.members {
				if v, ok := t.members[m.name]; ok && !m.form.texts() && (k.unnamed || m.name == k.scope || k.refs[m.name].kinds != nil && p.above(k, m.name)) {
					t.members[m.name] = walk(v, m.name, func(leaf string, v any) any { return p.refer(t, leaf, v) })
				}
			}
			t.name = t.own
			switch {
			case k.scope != "":
				t.name = nameOf(t.members[k.scope]) + "/" + t.own
			case k.unnamed:
				t.name = k.label(t)
			}
			if before := p.wanted.byRef[t.ref()]; before != nil {
				p.at(t.doc, nil, "%s %s stands at %s already", k.name, t.name, before.doc.place())
				continue
			}
			p.wanted.byRef[t.ref()] = t
		}
	}
}

// above tells whether a member names what the kind's scope belongs to itself: the service of a rule's listener.
func (p *parser) above(k *kind, name string) bool {
	if k.scope == "" {
		return false
	}
	for _, of := range k.refs[k.scope].kinds {
		if scope := kindOf(p.kinds, of); scope != nil && scope.scope == name {
			return true
		}
	}
	return false
}

// references turns names into references, and names those that nothing has. It checks documents against the API's model.
func (p *parser) references() {
	for _, t := range p.wanted.things {
		for _, m := range t.kind.members {
			v, ok := t.members[m.name]
			if !ok {
				continue
			}
			if !m.form.texts() {
				t.members[m.name] = walk(v, m.name, func(leaf string, v any) any {
					got := p.refer(t, leaf, v)
					if s, isText := got.(string); isText && t.kind.refs[leaf].kinds != nil && !p.stands(t.kind.refs[leaf], s) {
						p.at(t.doc, find(t.doc.node, m.name, s), "no document %s %s, and it is no id or ARN", strings.Join(t.kind.refs[leaf].kinds, " or "), s)
					}
					return got
				})
			}
			walk(v, "", func(_ string, v any) any {
				for _, name := range templates(t.account, text(v)) {
					if p.wanted.byRef[name] == nil {
						p.at(t.doc, find(t.doc.node, m.name, "${"+name.Kind), "no document %s", name)
					}
				}
				return v
			})
		}
		p.model(t)
	}
}

// stands tells whether a text means something that need not be in the files.
func (p *parser) stands(of reference, s string) bool {
	if _, err := netip.ParseAddr(s); err == nil || strings.HasPrefix(s, "arn:") || of.dns && strings.ContainsAny(s, ".\" ") {
		return true
	}
	for _, name := range of.kinds {
		if k := kindOf(p.kinds, name); k != nil && idOf(k, s) {
			return true
		}
	}
	return false
}

// refer finds the document that a text names.
func (p *parser) refer(t *thing, leaf string, v any) any {
	of, ok := t.kind.refs[leaf]
	s, isText := v.(string)
	if n, isNumber := v.(int); isNumber && ok {
		s, isText = fmt.Sprint(n), true
	}
	if !ok || !isText || strings.HasPrefix(s, "arn:") {
		return v
	}
	account := t.account
	whole := func(kind string) bool { return p.wanted.byRef[Ref{kind, account, s}] != nil } // names of alarms may have colons themselves
	if a, rest, ok := strings.Cut(s, ":"); ok && !slices.ContainsFunc(of.kinds, whole) {
		account, s = p.account(a), rest
	}
	for _, name := range of.kinds {
		k := kindOf(p.kinds, name)
		if k == nil {
			continue
		}
		in := refTo(k, account, "").Account
		names := []string{s}
		if k.scope != "" {
			for _, m := range t.kind.members {
				if above, ok := t.members[m.name].(Ref); ok && slices.Contains(k.refs[k.scope].kinds, above.Kind) {
					names = append(names, above.Name+"/"+s)
				}
			}
		}
		for _, n := range names {
			if p.wanted.byRef[Ref{name, in, n}] != nil {
				return Ref{name, in, n}
			}
		}
		if awsOwn(name, s) {
			return Ref{name, in, s}
		}
		var like []Ref
		for r := range p.wanted.byRef {
			if r.Kind == name && r.Account == in && strings.HasSuffix(r.Name, "/"+s) {
				like = append(like, r)
			}
		}
		if len(like) == 1 {
			return like[0]
		}
		if name == "Account" {
			if id, known := p.accounts[s]; known && id != s {
				return id
			}
		}
	}
	return text(v)
}

// awsOwn tells whether a name is of a thing that AWS keeps in every account, so that no document makes it: the prefix list
// com.amazonaws.eu-west-1.vpc-lattice.
func awsOwn(kind, name string) bool {
	return kind == "PrefixList" && strings.HasPrefix(name, "com.amazonaws.")
}

// find is the node with a text below a member, for the place of an error.
func find(n *yaml.Node, member, s string) *yaml.Node {
	top, _ := entries(n)
	var found *yaml.Node
	var look func(n *yaml.Node)
	look = func(n *yaml.Node) {
		if n == nil || found != nil {
			return
		}
		if n.Kind == yaml.ScalarNode && strings.Contains(n.Value, s) {
			found = n
		}
		for _, c := range n.Content {
			look(c)
		}
	}
	look(top[member])
	if found == nil {
		return top[member]
	}
	return found
}

// model checks a document's members against AWS's model of the operations that take them.
func (p *parser) model(t *thing) {
	plain := func(v any) any {
		return walk(v, "", func(_ string, v any) any {
			if r, ok := v.(Ref); ok {
				return r.Name
			}
			return v
		})
	}
	check := func(operation string, in map[string]any) {
		err := models().Check(t.kind.service, operation, in)
		if err == nil {
			return
		}
		said := err.Error()
		n := t.doc.node
		if path, member, ok := strings.Cut(said, " has no member "); ok {
			for _, name := range strings.Split(path, ".")[1:] {
				n = below(n, name, false)
			}
			n = below(n, member, true)
			said = fmt.Sprintf("%s has no member %s", strings.TrimPrefix(path, operation+"."), member)
		}
		p.at(t.doc, n, "%s %s: %s", t.kind.name, t.name, said)
	}
	in := map[string]any{}
	for _, m := range t.kind.members {
		v, ok := t.members[m.name]
		switch {
		case !ok || m.name == "Id" && t.kind.name == "Account", m.form == codeFile:
		case m.each != "":
			for _, e := range list(plain(v)) {
				check(m.each, structure(e))
			}
		case m.check != "":
			name := m.name
			check(m.check, map[string]any{name: plain(v)})
		case !m.later:
			in[m.name] = plain(v)
		}
	}
	if t.kind.wrap != nil {
		in = t.kind.wrap(in)
	}
	check(t.kind.create, in)
}

// below is the node of a member's value, or of its name; in a list that of the first element that has one; the node itself
// when there is none.
func below(n *yaml.Node, name string, key bool) *yaml.Node {
	if n.Kind == yaml.SequenceNode {
		for _, e := range n.Content {
			if got := below(e, name, key); got != e {
				return got
			}
		}
		return n
	}
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if strings.EqualFold(n.Content[i].Value, name) {
			if key {
				return n.Content[i]
			}
			return n.Content[i+1]
		}
	}
	return n
}

// circles names documents that wait for one another.
func (p *parser) circles() {
	const on, done = 1, 2
	seen := map[*thing]int{}
	var visit func(t *thing, way []string)
	visit = func(t *thing, way []string) {
		way = append(way, t.kind.name+" "+t.name)
		switch seen[t] {
		case on:
			p.at(t.doc, nil, "a circle: %s", strings.Join(way, " → "))
			return
		case done:
			return
		}
		seen[t] = on
		for _, r := range t.refers(false) {
			if to := p.wanted.byRef[r]; to != nil && (to != t || slices.Contains(t.names(false), r)) {
				visit(to, slices.Clone(way))
			}
		}
		seen[t] = done
	}
	for _, t := range p.wanted.things {
		visit(t, nil)
	}
}

// refers are the things that a thing refers to: those that must be there before it, or, with late, all; in texts of
// policies too.
func (t *thing) refers(late bool) []Ref {
	all := t.names(late)
	for _, m := range t.kind.members {
		if m.form.texts() && (late || !m.late) {
			walk(t.members[m.name], m.name, func(_ string, v any) any {
				all = append(all, templates(t.account, text(v))...)
				return v
			})
		}
	}
	return all
}

// names is refers without texts: AWS refuses to delete what is referred to so.
func (t *thing) names(late bool) []Ref {
	var all []Ref
	for _, m := range t.kind.members {
		if m.late && !late {
			continue
		}
		walk(t.members[m.name], m.name, func(_ string, v any) any {
			if r, ok := v.(Ref); ok {
				all = append(all, r)
			}
			return v
		})
	}
	return all
}
