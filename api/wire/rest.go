package wire

import (
	"encoding/json"
	"net/textproto"
	"net/url"
	"reflect"
	"strconv"
	"strings"

	"github.com/trellis-project/trellis"
)

// bind fills an input of the REST protocols: labels, query and headers by their places, the rest from the body.
func (c *Codec) bind(d *decoder, m *Message, sh *shape, v reflect.Value) {
	body := m.tree
	outer := &decoder{check: true, text: true, time: iso8601, unchecked: d.unchecked}
	var payload *field
	bodyShape := &shape{kind: kindStruct, typ: sh.typ, union: sh.union}
	for _, f := range sh.fields {
		tree, found := any(nil), false
		switch f.in {
		case "":
			bodyShape.fields = append(bodyShape.fields, f)
			continue
		case "payload":
			payload = f
			continue
		case "uri":
			var s string
			// An empty label is none (Smithy, httpLabel), and where the model bounds its length a text that is too short.
			if s, found = m.labels[f.wire]; found {
				tree, found = s, s != "" || f.check.length != nil
			}
		case "query":
			tree, found = queryTree(f, m.query)
		case "header":
			values := m.header[textproto.CanonicalMIMEHeaderKey(f.wire)]
			if found = len(values) > 0; found {
				tree = headerTree(f, values)
			}
		case "headers":
			tree, found = prefixedTree(f, m.header)
		}
		switch {
		case found:
			outer.time = iso8601
			if f.in == "header" {
				outer.time = rfc822
			}
			outer.field(f, tree, v.Field(f.index), f.wire, contains(d.unchecked, f.wire))
		case f.required:
			outer.problems.missing(f.wire)
		}
	}
	switch {
	case payload != nil && payload.shape.kind == kindStream: // handed over beside the input
	case payload != nil && body == nil:
		if payload.required {
			d.problems.missing(payload.wire)
		}
	case payload != nil:
		d.field(payload, body, v.Field(payload.index), payload.wire, false)
	default:
		d.structure(bodyShape, body, v, "")
	}
	d.problems = append(outer.problems, d.problems...)
}

// headerTree is what a header says of a field: a list of what commas separate, or the first value.
func headerTree(f *field, values []string) any {
	if f.shape.kind != kindList {
		return values[0]
	}
	var items []any
	for _, v := range values {
		for item := range strings.SplitSeq(v, ",") {
			items = append(items, strings.TrimSpace(item))
		}
	}
	return items
}

// prefixedTree is a map of the headers whose names begin with a field's, by what follows in small letters.
func prefixedTree(f *field, header map[string][]string) (any, bool) {
	m := map[string]any{}
	for name, values := range header {
		if len(name) > len(f.wire) && strings.EqualFold(name[:len(f.wire)], f.wire) {
			m[strings.ToLower(name[len(f.wire):])] = strings.Join(values, ",")
		}
	}
	return m, len(m) > 0
}

// queryTree returns what the query string says of a field: a list of all values, or the first.
func queryTree(f *field, q url.Values) (any, bool) {
	values, ok := q[f.wire]
	if !ok {
		return nil, false
	}
	if f.shape.kind == kindList {
		items := make([]any, len(values))
		for i, s := range values {
			items[i] = s
		}
		return items, true
	}
	return values[0], true
}

// encodeREST writes a restJson output.
func (c *Codec) encodeREST(r *Response, o *compiled, v reflect.Value) {
	if o.Status == 204 {
		return
	}
	r.Header["Content-Type"] = "application/json"
	w := &jsonWriter{time: unixTimestamp}
	for _, f := range o.out.fields {
		fv := v.Field(f.index)
		if absent(f, fv, false) {
			continue
		}
		switch f.in {
		case "header":
			if fv.Kind() == reflect.Pointer {
				fv = fv.Elem()
			}
			text, _ := scalarText(f, f.shape, fv, rfc822)
			r.Header[textproto.CanonicalMIMEHeaderKey(f.wire)] = text
		case "status":
			if fv.Kind() == reflect.Pointer {
				fv = fv.Elem()
			}
			r.Status = int(fv.Int())
		case "payload":
			w.value(f, f.shape, fv)
			r.Body = w.out.Bytes()
			return
		}
	}
	w.structure(o.out, v, true)
	r.Body = w.out.Bytes()
}

// jsonError is the body of an error of the JSON protocols. Members that an error does not have are left out.
type jsonError struct {
	Type         string           `json:"__type,omitempty"`
	Message      string           `json:"message"`
	Reason       string           `json:"reason,omitempty"`
	Reason11     string           `json:"Reason,omitempty"`
	Fields       []jsonFieldError `json:"fieldList,omitempty"`
	ResourceID   string           `json:"resourceId,omitempty"`
	ResourceType string           `json:"resourceType,omitempty"`
	ServiceCode  string           `json:"serviceCode,omitempty"`
	QuotaCode    string           `json:"quotaCode,omitempty"`
}

// jsonFieldError is an entry of fieldList.
type jsonFieldError struct {
	Name    string `json:"name"`
	Message string `json:"message"`
}

// encodeJSONError writes an error: restJson names it in a header, awsJson in the body.
func (c *Codec) encodeJSONError(r *Response, e *trellis.Error) {
	b := jsonError{Message: e.Message, ResourceID: e.ResourceID, ResourceType: e.ResourceType, ServiceCode: e.ServiceCode, QuotaCode: e.QuotaCode}
	if c.Model.Protocol == JSON {
		r.Header["Content-Type"] = c.jsonType()
		b.Type, b.Reason11 = e.Code, e.Reason
	} else {
		r.Header["Content-Type"] = "application/json"
		b.Reason = e.Reason
		for _, f := range e.Fields {
			b.Fields = append(b.Fields, jsonFieldError(f))
		}
	}
	r.Header["X-Amzn-Errortype"] = e.Code
	r.Body, _ = json.Marshal(b) // strings in memory cannot fail
}

// encodeRESTInput writes a restJson request.
func (c *Codec) encodeRESTInput(r *Request, o *compiled, v reflect.Value) {
	if c.encodeOuter(r, o, v) {
		w := &jsonWriter{time: unixTimestamp, client: true}
		w.structure(o.in, v, true)
		r.Header["Content-Type"] = []string{"application/json"}
		r.Body = w.out.Bytes()
	}
}

// encodeOuter writes what path, query and headers carry of a request of the REST protocols, and tells whether a body is
// there for the rest.
func (c *Codec) encodeOuter(r *Request, o *compiled, v reflect.Value) (hasBody bool) {
	path, query := "", url.Values{}
	labels := map[string]string{}
	for _, f := range o.in.fields {
		fv := v.Field(f.index)
		if f.in == "" || f.in == "payload" {
			hasBody = true
		}
		if absent(f, fv, false) || unset(f, fv) {
			continue
		}
		if fv.Kind() == reflect.Pointer {
			fv = fv.Elem()
		}
		switch f.in {
		case "uri":
			labels[f.wire], _ = scalarText(f, f.shape, fv, iso8601)
		case "headers":
			for _, k := range mapKeys(fv) {
				r.Header[textproto.CanonicalMIMEHeaderKey(f.wire+k)] = []string{fv.MapIndex(reflect.ValueOf(k)).String()}
			}
		case "header":
			if f.shape.kind == kindList {
				for i := range fv.Len() {
					text, _ := scalarText(f, f.shape.elem, fv.Index(i), rfc822)
					name := textproto.CanonicalMIMEHeaderKey(f.wire)
					r.Header[name] = append(r.Header[name], text)
				}
				continue
			}
			text, _ := scalarText(f, f.shape, fv, rfc822)
			r.Header[textproto.CanonicalMIMEHeaderKey(f.wire)] = []string{text}
		case "query":
			if f.shape.kind != kindList {
				text, _ := scalarText(f, f.shape, fv, iso8601)
				query.Set(f.wire, text)
				continue
			}
			for i := range fv.Len() {
				text, _ := scalarText(f, f.shape.elem, fv.Index(i), iso8601)
				query.Add(f.wire, text)
			}
		}
	}
	for i, part := range o.path.parts {
		if strings.HasPrefix(part, "{") {
			part = escapeSegment(labels[part[1:len(part)-1]])
			if o.path.greedy && i == len(o.path.parts)-1 {
				part = strings.ReplaceAll(part, "%2F", "/")
			}
		}
		path += "/" + part
	}
	r.Path, r.RawQuery = path, strings.ReplaceAll(query.Encode(), "+", "%20")
	return hasBody
}

// decodeRESTOutput fills what headers and status carry.
func (c *Codec) decodeRESTOutput(d *decoder, o *compiled, r *Response, v reflect.Value) {
	for _, f := range o.out.fields {
		var text string
		switch f.in {
		case "header":
			text = r.Header[textproto.CanonicalMIMEHeaderKey(f.wire)]
		case "status":
			text = strconv.Itoa(r.Status)
		}
		if text != "" {
			outer := &decoder{text: true, time: rfc822}
			outer.field(f, text, v.Field(f.index), f.wire, false)
			d.problems = append(d.problems, outer.problems...)
		}
	}
}
