package wire

import (
	"reflect"
	"slices"
	"strings"
)

// hidden stands for a secret in an audit, as CloudTrail writes it.
const hidden = "HIDDEN_DUE_TO_SECURITY_REASONS"

// secretMembers are members, in lower case, that are secrets although not every model of AWS says so.
var secretMembers = []string{"password", "plaintext", "privatekey", "privatekeyplaintext", "samlassertion", "secretaccesskey", "sessiontoken", "userdata", "webidentitytoken"}

// secretMember tells whether a member is not to be shown.
func (f *field) secretMember() bool {
	return f.secret || slices.Contains(secretMembers, strings.ToLower(f.name))
}

// Audit writes an operation's input or output, a pointer to its struct, as an audit keeps it: JSON with all members
// wherever they stand on the wire, their names as CloudTrail has them, without secrets.
func (c *Codec) Audit(op *Operation, side any) []byte {
	sh, v := c.side(op, side)
	w := &jsonWriter{time: iso8601, audit: true}
	w.structure(sh, v, false)
	return w.out.Bytes()
}

// side is the shape and value of an operation's input or output, a pointer to its struct.
func (c *Codec) side(op *Operation, side any) (*shape, reflect.Value) {
	v := reflect.ValueOf(side).Elem()
	if v.Type() == op.Out {
		return c.operations[op.Name].out, v
	}
	return c.operations[op.Name].in, v
}

// auditName is the name of a member in an audit: its first letter is small.
func (f *field) auditName() string { return strings.ToLower(f.name[:1]) + f.name[1:] }

// A Mention is a text of a message that names something: an ARN, id or name.
type Mention struct {
	Member string // for example ServiceIdentifier
	Text   string
}

// mostMentions bounds what is collected of one message.
const mostMentions = 20

// naming are the ends of the names of members that hold an id or name of a resource.
var naming = []string{"Id", "Identifier", "Ids", "Name", "Names"}

// Mentions collects what an operation's input or output, a pointer to its struct, names: all ARNs, and of members whose
// names say so ids and names. Of an input, what lies deeper is a filter or detail, whose names are left out.
func (c *Codec) Mentions(op *Operation, side any) []Mention {
	sh, v := c.side(op, side)
	m := &mentions{output: v.Type() == op.Out}
	m.structure(sh, v, true)
	return m.found
}

// mentions is a walk of Mentions.
type mentions struct {
	output bool
	found  []Mention
}

// structure walks the members of a struct.
func (m *mentions) structure(sh *shape, v reflect.Value, top bool) {
	for _, f := range sh.fields {
		if !f.secretMember() {
			named := (top || m.output) && slices.ContainsFunc(naming, func(s string) bool { return strings.HasSuffix(f.name, s) })
			m.value(f, f.shape, v.Field(f.index), named)
		}
	}
}

// value walks one value. named says that a text is an id or name.
func (m *mentions) value(f *field, sh *shape, v reflect.Value, named bool) {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return
		}
		v = v.Elem()
	}
	switch sh.kind {
	case kindStruct:
		m.structure(sh, v, false)
	case kindList:
		for i := 0; i < v.Len() && len(m.found) < mostMentions; i++ {
			m.value(f, sh.elem, v.Index(i), named)
		}
	case kindString:
		text := v.String()
		if text != "" && (named || strings.HasPrefix(text, "arn:")) && len(m.found) < mostMentions {
			m.found = append(m.found, Mention{f.name, text})
		}
	}
}
