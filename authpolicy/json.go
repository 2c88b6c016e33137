package authpolicy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// maxDepth is how deep a policy's JSON may nest. The language itself needs five levels.
const maxDepth = 10

// node is one JSON value with where it stands. encoding/json alone would drop the order of members, hide that one is
// there twice, and forget places.
type node struct {
	kind   nodeKind
	text   string   // of a string, number or boolean
	names  []string // of an object, beside items
	items  []*node  // of an object or array
	at     *place
	source *source
	// The span of bytes, and that of the member's name in an object, empty for what is no member.
	start, end, nameStart, nameEnd int
}

// nodeKind is what a node is.
type nodeKind int

// The kinds of nodes.
const (
	nullNode nodeKind = iota
	stringNode
	numberNode
	boolNode
	arrayNode
	objectNode
)

// String names the kind in errors.
func (k nodeKind) String() string {
	return [...]string{"null", "a string", "a number", "a boolean", "an array", "an object"}[k]
}

// place is where a value stands in a document: a member of an object, or an item of an array.
type place struct {
	up    *place // nil for the document itself
	name  string // of a member
	index int    // of an item; -1 for a member
}

// String is the place as errors have it, for example Statement[1].Condition.StringEquals.
func (p *place) String() string {
	switch {
	case p.up == nil:
		return "policy"
	case p.index >= 0 && p.up.up == nil:
		return fmt.Sprintf("[%d]", p.index)
	case p.index >= 0:
		return fmt.Sprintf("%s[%d]", p.up, p.index)
	case p.up.up == nil:
		return p.name
	}
	return p.up.String() + "." + p.name
}

// member is the place of a member.
func (p *place) member(name string) *place { return &place{p, name, -1} }

// reader reads a document.
type reader struct {
	*json.Decoder
	source *source
	depth  int
}

// parseJSON reads exactly one JSON value.
func parseJSON(s *source) (*node, *ParseError) {
	r := &reader{Decoder: json.NewDecoder(strings.NewReader(s.text)), source: s}
	r.UseNumber()
	n, err := r.node(&place{index: -1})
	if err != nil {
		return nil, err
	}
	start := r.start()
	if _, err := r.Token(); !errors.Is(err, io.EOF) {
		return nil, s.bad(n.at, start, len(s.text), "JSON_SYNTAX_ERROR", "something follows the JSON document at byte %d", start)
	}
	return n, nil
}

// start is where the next token begins.
func (r *reader) start() int {
	at := int(r.InputOffset())
	for at < len(r.source.text) && strings.IndexByte(" \t\r\n,:", r.source.text[at]) >= 0 {
		at++
	}
	return at
}

// node reads the next value.
func (r *reader) node(at *place) (*node, *ParseError) {
	n := &node{at: at, source: r.source, start: r.start()}
	if r.depth > maxDepth {
		return nil, r.source.bad(at, n.start, n.start+1, "JSON_SYNTAX_ERROR", "the JSON nests too deeply")
	}
	t, err := r.Token()
	if err != nil {
		return nil, r.broken(at, err)
	}
	switch t := t.(type) {
	case string:
		n.kind, n.text = stringNode, t
	case json.Number:
		n.kind, n.text = numberNode, t.String()
	case bool:
		n.kind, n.text = boolNode, strconv.FormatBool(t)
	case json.Delim:
		read := r.object
		n.kind = objectNode
		if t == '[' {
			read, n.kind = r.array, arrayNode
		}
		r.depth++
		if err := read(n); err != nil {
			return nil, err
		}
		r.depth--
		if _, err := r.Token(); err != nil {
			return nil, r.broken(at, err)
		}
	}
	n.end = int(r.InputOffset())
	return n, nil
}

// array reads the items of an array.
func (r *reader) array(n *node) *ParseError {
	for r.More() {
		item, err := r.node(&place{n.at, "", len(n.items)})
		if err != nil {
			return err
		}
		n.items = append(n.items, item)
	}
	return nil
}

// object reads the members of an object and refuses a name that is there twice.
func (r *reader) object(n *node) *ParseError {
	seen := map[string]bool{}
	for r.More() {
		start := r.start()
		t, err := r.Token()
		if err != nil {
			return r.broken(n.at, err)
		}
		end := int(r.InputOffset())
		name, _ := t.(string)
		at := n.at.member(name)
		if seen[name] {
			return r.source.bad(at, start, end, "JSON_SYNTAX_ERROR", "this element is there twice")
		}
		seen[name] = true
		item, bad := r.node(at)
		if bad != nil {
			return bad
		}
		item.nameStart, item.nameEnd = start, end
		n.names = append(n.names, name)
		n.items = append(n.items, item)
	}
	return nil
}

// broken says where the JSON is no JSON.
func (r *reader) broken(at *place, err error) *ParseError {
	byteAt := min(int(r.InputOffset()), len(r.source.text))
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return r.source.bad(at, len(r.source.text), len(r.source.text), "JSON_SYNTAX_ERROR", "the JSON ends too early")
	}
	return r.source.bad(at, byteAt, byteAt, "JSON_SYNTAX_ERROR", "not valid JSON at byte %d: %v", byteAt, err)
}

// bad is an error about the value.
func (n *node) bad(code, format string, args ...any) *ParseError {
	return n.source.bad(n.at, n.start, n.end, code, format, args...)
}

// badName is an error about the name of a member, with its value.
func (n *node) badName(code, format string, args ...any) *ParseError {
	err := n.source.bad(n.at, n.nameStart, n.nameEnd, code, format, args...)
	err.name = true
	return err
}

// missing is an error about a member that is not there.
func (n *node) missing(name, code, format string, args ...any) *ParseError {
	return n.source.bad(n.at.member(name), n.start, n.end, code, format, args...)
}

// raw is the value as the document has it.
func (n *node) raw() string { return n.source.text[n.start:n.end] }

// get returns a member of an object, nil when there is none.
func (n *node) get(name string) *node {
	for i := range n.names {
		if n.names[i] == name {
			return n.items[i]
		}
	}
	return nil
}

// either returns a member or the one of its Not form, nil when there is neither.
func (n *node) either(name string) *node {
	if it := n.get(name); it != nil {
		return it
	}
	return n.get("Not" + name)
}

// list returns the strings of a string or an array of strings, at least one. Scalars says that numbers and booleans
// count as their text, as they do in conditions. emptyCode is the code of the error about an empty list.
func (n *node) list(scalars bool, emptyCode string) ([]*node, *ParseError) {
	items := []*node{n}
	if n.kind == arrayNode {
		items = n.items
	}
	if len(items) == 0 {
		return nil, n.bad(emptyCode, "the list is empty")
	}
	for _, it := range items {
		if it.kind != stringNode && !(scalars && (it.kind == numberNode || it.kind == boolNode)) {
			return nil, it.bad("DATA_TYPE_MISMATCH", "must be a string or a list of strings, not %v", it.kind)
		}
	}
	return items, nil
}
