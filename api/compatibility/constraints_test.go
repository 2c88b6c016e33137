//go:build thorough

package main

import (
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/trellis-project/trellis/api/wire"
)

// violation is a value that breaks one constraint of the model.
type violation struct {
	field     string // that the error must name
	what      string
	value     any
	absent    bool // a top-level member is not sent at all
	malformed bool // not of the member's type: cannotParse
}

// violations are the bad values of a type, each with one fault, below a path.
func violations(t reflect.Type, tag tags, path string, above []reflect.Type) []violation {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	bad := func(what string, v any) violation { return violation{field: path, what: what, value: v} }
	wrong := func(v any) violation { return violation{field: path, what: "wrong type", value: v, malformed: true} }
	var out []violation
	good := sample(t, tag, above)
	switch {
	case t == reflect.TypeFor[time.Time]():
		return []violation{wrong("yesterday"), wrong(true), wrong([]any{})}
	case t == reflect.TypeFor[[]byte]():
		return []violation{wrong(7), wrong("no base64!")}
	}
	switch t.Kind() {
	case reflect.Struct:
		out = append(out, wrong("text"), wrong([]any{}), wrong(1))
		if isUnion(t) {
			out = append(out, bad("empty union", map[string]any{}), bad("unknown union member", map[string]any{"nothing": map[string]any{}}))
			both := map[string]any{}
			for m := range members(t) {
				both[m.Tag.Get("wire")] = sample(m.Type, tags{m.Tag, ""}, append(above, t))
			}
			if len(both) > 1 {
				out = append(out, bad("two union members", both))
			}
			beside := maps.Clone(good.(map[string]any))
			beside["nothing"] = map[string]any{}
			out = append(out, bad("an unknown union member beside", beside))
		}
		return append(out, below(t, good.(map[string]any), path, above)...)
	case reflect.Slice:
		out = append(out, wrong("text"), wrong(map[string]any{"a": "b"}))
		item := good.([]any)[0]
		if least := int(tag.bound("len", 0, 0)); least > 0 {
			out = append(out, bad("too few", slices.Repeat([]any{item}, least-1)))
		}
		if most := tag.bound("len", 1, 0); most > 0 && most <= 5000 {
			out = append(out, bad("too many", slices.Repeat([]any{item}, int(most)+1)))
		}
		out = append(out, violation{field: path + ".1.member", what: "null", value: []any{nil}})
		if contains(above, t.Elem()) {
			return out
		}
		for _, v := range violations(t.Elem(), tags{tag.StructTag, "each"}, path+".1.member", above) {
			v.value = []any{v.value}
			out = append(out, v)
		}
		return out
	case reflect.Map:
		out = append(out, wrong("text"), wrong([]any{}))
		value := sample(t.Elem(), tags{tag.StructTag, "each"}, above)
		if most := tag.bound("len", 1, 0); most > 0 && most <= 5000 {
			many := map[string]any{}
			for i := range int(most) + 1 {
				many["key"+strconv.Itoa(i)] = value
			}
			out = append(out, bad("too many", many))
		}
		key := text(tags{tag.StructTag, "key"})
		for _, v := range violations(reflect.TypeFor[string](), tags{tag.StructTag, "key"}, "", nil) {
			if k, ok := v.value.(string); ok && !v.malformed {
				out = append(out, violation{field: path + "." + k + ".key", what: "key " + v.what, value: map[string]any{k: value}})
			}
		}
		for _, v := range violations(t.Elem(), tags{tag.StructTag, "each"}, path+"."+key+".member", above) {
			v.value = map[string]any{key: v.value}
			out = append(out, v)
		}
		return out
	case reflect.Bool:
		return []violation{wrong("maybe"), wrong(1), wrong(map[string]any{})}
	case reflect.Int32, reflect.Int64, reflect.Float64:
		out = append(out, wrong("text"), wrong(true), wrong(map[string]any{}))
		if t.Kind() != reflect.Float64 {
			out = append(out, wrong(1.5), wrong(json.Number("99999999999999999999")))
		}
		if tag.Get(tag.prefix+"range") != "" {
			out = append(out, bad("too small", int(tag.bound("range", 0, -1)-1)))
			if most := tag.bound("range", 1, 0); most > 0 && most < 1<<31-1 {
				out = append(out, bad("too great", int(most)+1))
			}
		}
		return out
	}
	out = append(out, wrong(7), wrong(true), wrong([]any{}), wrong(map[string]any{}))
	if least := int(tag.bound("len", 0, 0)); least > 0 {
		out = append(out, bad("too short", good.(string)[:least-1]))
	}
	if most := int(tag.bound("len", 1, 0)); most > 0 && most <= 200_000 {
		out = append(out, bad("too long", good.(string)+strings.Repeat("a", most+1-len(good.(string)))))
	}
	if p := tag.Get(tag.prefix + "pattern"); p != "" {
		for what, v := range map[string]string{"against the pattern": strings.Repeat("\u2603", max(int(tag.bound("len", 0, 1)), 3)),
			"a line break behind": good.(string) + "\n", "a colon and a star inside": good.(string) + ":*:" + good.(string)} {
			if !fits(p, v) {
				out = append(out, bad(what, v))
			}
		}
	}
	if tag.Get(tag.prefix+"enum") != "" {
		out = append(out, bad("none of the enumeration", "NOTHING"), bad("in small letters", strings.ToLower(good.(string))+" "))
	}
	return out
}

// below are the violations of a struct's members, each in a good tree of the struct.
func below(t reflect.Type, good map[string]any, path string, above []reflect.Type) []violation {
	var out []violation
	for m := range members(t) {
		name, at := m.Tag.Get("wire"), m.Tag.Get("wire")
		if path != "" {
			at = path + "." + name
		}
		if contains(above, m.Type) {
			continue
		}
		if m.Tag.Get("required") == "true" {
			null, without := maps.Clone(good), maps.Clone(good)
			null[name] = nil
			delete(without, name)
			out = append(out, violation{field: at, what: "null", value: null}, violation{field: at, what: "absent", value: without, absent: path == ""})
		}
		for _, v := range violations(m.Type, tags{m.Tag, ""}, at, append(above, t)) {
			tree := maps.Clone(good)
			if isUnion(t) {
				tree = map[string]any{}
			}
			tree[name] = v.value
			v.value = tree
			out = append(out, v)
		}
	}
	return out
}

// top is the name of the top-level member that a field is in.
func top(field string) string {
	name, _, _ := strings.Cut(field, ".")
	return name
}

// textual tells whether a top-level member goes as text, so that it has no wrong JSON type and no null.
func textual(op *wire.Operation, field string) bool {
	m, ok := member(op.In, top(field))
	return ok && m.Tag.Get("in") != ""
}

// member is a struct's member by its wire name.
func member(t reflect.Type, name string) (reflect.StructField, bool) {
	for m := range members(t) {
		if m.Tag.Get("wire") == name {
			return m, true
		}
	}
	return reflect.StructField{}, false
}

// TestConstraints breaks every constraint of the models one by one, and then two at a time, in thousands of requests:
// each is refused with a modelled error that names the fields and those alone, and nothing is changed.
func TestConstraints(t *testing.T) {
	w, _ := start(t, true)
	for _, s := range w.services {
		t.Run(s.Model.Folder, func(t *testing.T) {
			before, sent := revision(t), 0
			for _, row := range s.Operations {
				if row.Served && row.Name != "CreateSession" { // signed by a certificate's key alone
					sent += w.constraints(t, s.Model, row.Name)
				}
			}
			if after := revision(t); after != before {
				t.Errorf("the store went from revision %d to %d", before, after)
			}
			t.Logf("%d requests", sent)
		})
	}
}

// constraints breaks those of one operation, and returns how many requests that took.
func (w *whole) constraints(t *testing.T, m *wire.Model, operation string) (sent int) {
	op, _ := m.Operation(operation)
	good := sample(op.In, tags{}, nil).(map[string]any)
	all := slices.DeleteFunc(below(op.In, good, "", nil), func(v violation) bool { return !sendable(m, op, v) })
	try := func(tree map[string]any, broken ...violation) {
		t.Helper()
		r, body := w.request(t, m, op, tree)
		status, header, answer := w.send(t, "111122223333", m.SigningName, r, body)
		sent++
		fault := refused(m, op, broken, status, header, answer)
		if fault == "" {
			return
		}
		for _, v := range broken {
			t.Errorf("%s: %s: %s", operation, v.field, v.what)
		}
		t.Errorf("%s\n%s %s %.300s\ngot %d %.600s", fault, r.Method, r.URL.RequestURI(), body, status, answer)
	}
	for i, v := range all {
		try(v.value.(map[string]any), v)
		other := all[(i+len(all)/2)%len(all)]
		if name := top(other.field); name != top(v.field) && m.Protocol == wire.RESTJSON {
			both := maps.Clone(v.value.(map[string]any))
			if both[name] = other.value.(map[string]any)[name]; other.absent {
				delete(both, name)
			}
			try(both, v, other)
		}
	}
	return sent
}

// sendable tells whether a violation has a form in the protocol.
func sendable(m *wire.Model, op *wire.Operation, v violation) bool {
	switch m.Protocol {
	case wire.RESTJSON:
		return !textual(op, v.field) || !v.malformed && v.what != "null"
	case wire.JSON:
		return true
	}
	if m.Protocol == wire.RESTXML && textual(op, v.field) && (m.BareErrors || v.absent || v.what == "too short") {
		return false // another path, or another operation; S3 has its own answers to headers
	}
	// Parameters are texts: of wrong types only texts for numbers and booleans are left, of absence that of all.
	if strings.Contains(v.what, "unknown union member") {
		return false
	}
	empty := v.what == "too few" || v.what == "empty union" || v.what == "too short"
	return v.absent && !strings.Contains(v.field, ".") || !v.malformed && v.what != "null" && !empty && v.what != "absent"
}

// refused says what is wrong with the refusal of a request, "" when nothing is.
func refused(m *wire.Model, op *wire.Operation, broken []violation, status int, header http.Header, answer string) string {
	code, reason := header.Get("X-Amzn-Errortype"), "fieldValidationFailed"
	if m.Protocol == wire.Query || m.Protocol == wire.EC2 || m.Protocol == wire.RESTXML {
		_, code, _ = strings.Cut(answer, "<Code>")
		code, _, _ = strings.Cut(code, "</Code>")
	}
	if code == "" || status != 400 || header.Get("X-Amzn-Requestid") == "" {
		return "not an error of status 400 with a request id"
	}
	codes := refusals[m.Protocol]
	if m.BareErrors {
		if code == "MalformedXML" {
			return "" // which tells no more
		}
		codes = []string{"InvalidArgument"}
	}
	common := (m.Protocol == wire.JSON || m.Folder == "lambda") && code == "ValidationException" // which services answer that do not model it, as KMS, Firehose and Lambda do
	if !common && m.Protocol != wire.EC2 && m.Protocol != wire.Query && m.Protocol != wire.RESTXML && code != "SerializationException" && m.ErrorStatus(code) == 0 || codes != nil && !slices.Contains(codes, code) {
		return "the model has no error " + code
	}
	var fields []string
	for _, v := range broken {
		last := v.field[strings.LastIndexByte(strings.TrimSuffix(v.field, ".member"), '.')+1:]
		if name := strings.TrimSuffix(last, ".member"); !strings.Contains(strings.ToLower(answer), strings.ToLower(name)) && !v.malformed {
			return name + " is not named"
		}
		if fields = append(fields, v.field); v.malformed {
			reason = "cannotParse"
		}
	}
	if m.SigningName != "vpc-lattice" {
		return ""
	}
	var e struct {
		Message, Reason string
		FieldList       []struct{ Name, Message string }
	}
	if err := json.Unmarshal([]byte(answer), &e); err != nil {
		return err.Error()
	}
	if code != "ValidationException" || e.Reason != reason || e.Message == "" {
		return "not a ValidationException for " + reason
	}
	named := map[string]bool{}
	for _, f := range e.FieldList {
		if named[f.Name] = true; f.Message == "" || !slices.Contains(fields, f.Name) {
			return "field " + f.Name + " is named"
		}
	}
	if len(named) != len(fields) {
		return "not all fields are named"
	}
	return ""
}

// refusals are the codes of the protocols whose services have some in common.
var refusals = map[wire.Protocol][]string{
	wire.EC2:     {"MissingParameter", "InvalidParameterValue"},
	wire.Query:   {"ValidationError", "MalformedInput"},
	wire.RESTXML: {"InvalidInput"},
}
