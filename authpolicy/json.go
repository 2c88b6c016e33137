package authpolicy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxDepth is how deep a policy's JSON may nest. The language itself needs five levels.
const maxDepth = 10

// node is one JSON value. encoding/json alone would drop the order of members and hide that one is there twice.
type node struct {
	kind  nodeKind
	text  string   // of a string, number or boolean
	names []string // of an object, beside items
	items []*node  // of an object or array
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

// parseJSON reads exactly one JSON value.
func parseJSON(text string) (*node, error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	n, err := readNode(d, "policy", 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, &ParseError{"policy", fmt.Sprintf("something follows the JSON document at byte %d", d.InputOffset())}
	}
	return n, nil
}

// readNode reads the next value of d. where is its place for errors.
func readNode(d *json.Decoder, where string, depth int) (*node, error) {
	if depth > maxDepth {
		return nil, &ParseError{where, "the JSON nests too deeply"}
	}
	t, err := d.Token()
	if err != nil {
		return nil, badJSON(where, d, err)
	}
	switch t := t.(type) {
	case string:
		return &node{kind: stringNode, text: t}, nil
	case json.Number:
		return &node{kind: numberNode, text: t.String()}, nil
	case bool:
		return &node{kind: boolNode, text: fmt.Sprint(t)}, nil
	case json.Delim:
		if t == '[' {
			return readArray(d, where, depth)
		}
		return readObject(d, where, depth)
	}
	return &node{}, nil
}

// readArray reads the rest of an array.
func readArray(d *json.Decoder, where string, depth int) (*node, error) {
	n := &node{kind: arrayNode}
	for d.More() {
		item, err := readNode(d, fmt.Sprintf("%s[%d]", where, len(n.items)), depth+1)
		if err != nil {
			return nil, err
		}
		n.items = append(n.items, item)
	}
	if _, err := d.Token(); err != nil {
		return nil, badJSON(where, d, err)
	}
	return n, nil
}

// readObject reads the rest of an object and refuses a name that is there twice.
func readObject(d *json.Decoder, where string, depth int) (*node, error) {
	n := &node{kind: objectNode}
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, badJSON(where, d, err)
		}
		name, _ := t.(string)
		at := join(where, name)
		if seen[name] {
			return nil, &ParseError{at, "this element is there twice"}
		}
		seen[name] = true
		item, err := readNode(d, at, depth+1)
		if err != nil {
			return nil, err
		}
		n.names = append(n.names, name)
		n.items = append(n.items, item)
	}
	if _, err := d.Token(); err != nil {
		return nil, badJSON(where, d, err)
	}
	return n, nil
}

// badJSON says where the JSON is broken.
func badJSON(where string, d *json.Decoder, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &ParseError{where, "the JSON ends too early"}
	}
	return &ParseError{where, fmt.Sprintf("not valid JSON at byte %d: %v", d.InputOffset(), err)}
}

// join is the place of a member. The document itself has no name of its own in places.
func join(where, name string) string {
	if where == "policy" {
		return name
	}
	return where + "." + name
}

// get returns a member of an object, nil when there is none.
func (n *node) get(name string) *node {
	for i := range n.names {
		if n.names[i] == name {
			return n.items[i]
		}
	}
	return nil
}

// texts returns the strings of a string or an array of strings, at least one. Scalars says that numbers and
// booleans count as their text, as they do in conditions.
func (n *node) texts(where string, scalars bool) ([]string, error) {
	items := []*node{n}
	if n.kind == arrayNode {
		items = n.items
	}
	if len(items) == 0 {
		return nil, &ParseError{where, "the list is empty"}
	}
	var out []string
	for i, it := range items {
		if it.kind != stringNode && !(scalars && (it.kind == numberNode || it.kind == boolNode)) {
			if n.kind == arrayNode {
				where = fmt.Sprintf("%s[%d]", where, i)
			}
			return nil, &ParseError{where, "must be a string or a list of strings, not " + it.kind.String()}
		}
		out = append(out, it.text)
	}
	return out, nil
}
