package wire

import (
	"bytes"
	"io"
	"net/textproto"
	"net/url"
	"reflect"
	"strings"
)

// restPath splits the path of an operation of restXml: with the parameters that its query must have, as S3's
// /{Bucket}?acl, and without the slash at the end that some of Route 53's have, since clients send either form.
func restPath(path string) pathPattern {
	path, query, _ := strings.Cut(path, "?")
	p := newPathPattern(strings.TrimSuffix(path, "/"))
	for part := range strings.SplitSeq(query, "&") {
		if name, value, _ := strings.Cut(part, "="); name != "" {
			if p.query == nil {
				p.query = map[string]string{}
			}
			p.query[name] = value
		}
	}
	return p
}

// findREST finds the operation of a request of restXml. Several of S3 share a method and a path, so that what an
// operation must have in its query and headers tells which is meant: the one with most of it.
func (c *Codec) findREST(r *Request, query url.Values) (best *compiled, labels map[string]string) {
	segments := strings.Split(strings.TrimPrefix(r.Path, "/"), "/")
	short := segments
	for len(short) > 1 && short[len(short)-1] == "" {
		short = short[:len(short)-1]
	}
	most := -1
	for _, op := range c.rest {
		if op.Method != r.Method {
			continue
		}
		from := short
		if op.path.greedy {
			from = segments
		}
		l, ok := op.path.match(from)
		if !ok || op.path.greedy && len(short) < len(op.path.parts) {
			continue
		}
		n, ok := op.asked(r, query)
		if n += 100 * op.path.literals(); ok && n > most {
			best, labels, most = op, l, n
		}
	}
	return best, labels
}

// asked tells whether a request has what an operation must have outside of its path and body, and how much that is.
func (o *compiled) asked(r *Request, query url.Values) (n int, ok bool) {
	for name, value := range o.path.query {
		if !query.Has(name) || value != "" && query.Get(name) != value {
			return 0, false
		}
		n += 2 // more than a parameter that another operation takes, too
	}
	for _, f := range o.in.fields {
		if !f.required {
			continue
		}
		switch f.in {
		case "query":
			if !query.Has(f.wire) {
				return 0, false
			}
			n++
		case "header":
			if f.wire != "x-amz-copy-source" { // what makes a copy of it; others are missed by the decoder
				continue
			}
			if len(r.Header[textproto.CanonicalMIMEHeaderKey(f.wire)]) == 0 {
				return 0, false
			}
			n++
		}
	}
	return n, true
}

// payload is the member that is the whole body, nil when there is none.
func (sh *shape) payload() *field {
	for _, f := range sh.fields {
		if f.in == "payload" {
			return f
		}
	}
	return nil
}

// readRESTXML finds the operation of a request of restXml and parses its body.
func (c *Codec) readRESTXML(m *Message, r *Request) (err error) {
	query, err := url.ParseQuery(r.RawQuery)
	m.query, m.body = query, r.Body
	m.compiled, m.labels = c.findREST(r, query)
	if m.compiled == nil {
		return &UnknownOperationError{r.Method + " " + r.Path}
	}
	if err != nil || len(bytes.TrimSpace(r.Body)) == 0 {
		return err
	}
	if p := m.compiled.in.payload(); p == nil || p.shape.kind == kindStruct {
		m.root, err = readXML(r.Body)
	}
	return err
}

// bodyTree is what the body says, guided by the shape of the input.
func (m *Message) bodyTree(sh *shape) any {
	p := sh.payload()
	switch {
	case p == nil && m.root == nil:
		return map[string]any{}
	case p == nil:
		return m.root.tree(nil, sh)
	case p.shape.kind == kindStruct && m.root != nil:
		return m.root.tree(p, p.shape)
	case p.shape.kind == kindString && len(m.body) > 0:
		return string(m.body)
	}
	return nil
}

// Streams tells whether the body of the request is not to be read before the operation runs, which gets it as the
// member that SetStream sets.
func (m *Message) Streams() bool {
	if m.compiled == nil {
		return false
	}
	p := m.compiled.in.payload()
	return p != nil && p.shape.kind == kindStream
}

// SetStream gives an input its body.
func (m *Message) SetStream(in any, body io.Reader) {
	reflect.ValueOf(in).Elem().Field(m.compiled.in.payload().index).Set(reflect.ValueOf(body))
}

// encodeRESTXML writes an output of restXml.
func (c *Codec) encodeRESTXML(r *Response, o *compiled, v reflect.Value) {
	c.encodeHeaders(r, o, v)
	if r.Status == 204 || r.Status == 304 {
		return
	}
	w := &xmlWriter{}
	if p := o.out.payload(); p != nil {
		fv := v.Field(p.index)
		if absent(p, fv, false) {
			return
		}
		switch p.shape.kind {
		case kindStream:
			r.Stream = fv.Interface().(io.Reader)
			return
		case kindStruct:
			r.Header["Content-Type"] = "application/xml"
			w.document(c.Model.XMLNamespace, p.wire, p.shape, fv.Elem())
		default:
			if fv.Kind() == reflect.Pointer {
				fv = fv.Elem()
			}
			w.out.WriteString(fv.String())
		}
		r.Body = w.out.Bytes()
		return
	}
	if o.Result == "" || !hasBody(o.out) {
		return
	}
	r.Header["Content-Type"] = "application/xml"
	w.document(c.Model.XMLNamespace, o.Result, o.out, v)
	r.Body = w.out.Bytes()
}

// hasBody tells whether a struct has members that are not elsewhere. An answer of Route 53 without any has an empty
// element, an answer of S3 nothing.
func hasBody(sh *shape) bool {
	for _, f := range sh.fields {
		if f.in == "" {
			return true
		}
	}
	return len(sh.fields) == 0
}

// encodeHeaders writes what headers and the status carry. The names of those that the caller chose stay in small letters,
// as S3 answers x-amz-meta-….
func (c *Codec) encodeHeaders(r *Response, o *compiled, v reflect.Value) {
	for _, f := range o.out.fields {
		fv := v.Field(f.index)
		if f.in == "" || f.in == "payload" || absent(f, fv, false) {
			continue
		}
		if fv.Kind() == reflect.Pointer {
			fv = fv.Elem()
		}
		switch f.in {
		case "status":
			r.Status = int(fv.Int())
		case "headers":
			for _, k := range mapKeys(fv) {
				r.Header[f.wire+k] = fv.MapIndex(reflect.ValueOf(k)).String()
			}
		case "header":
			if text, _ := scalarText(f, f.shape, fv, rfc822); text != "" {
				r.Header[textproto.CanonicalMIMEHeaderKey(f.wire)] = text
			}
		}
	}
	if r.Header["Content-Range"] != "" {
		r.Status = 206 // RFC 9110, section 15.3.7
	}
}

// document writes a struct as a whole document. S3 has the one answer whose only member is the text of its root, the
// location of a bucket (S3 API reference, GetBucketLocation).
func (w *xmlWriter) document(namespace, root string, sh *shape, v reflect.Value) {
	w.out.WriteString("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<" + root)
	if namespace != "" {
		w.out.WriteString(` xmlns="` + namespace + `"`)
	}
	w.attributes(sh, v)
	w.out.WriteByte('>')
	inner := &xmlWriter{}
	inner.structure(sh, v, false)
	text := inner.out.Bytes()
	if len(sh.fields) == 1 && sh.fields[0].wire == root {
		text = bytes.TrimSuffix(bytes.TrimPrefix(text, []byte("<"+root+">")), []byte("</"+root+">"))
	}
	w.out.Write(text)
	w.close(root)
}

// encodeRESTXMLInput writes a request of restXml.
func (c *Codec) encodeRESTXMLInput(r *Request, o *compiled, v reflect.Value) {
	c.encodeOuter(r, o, v)
	query := r.RawQuery
	for _, name := range sortedKeys(o.path.query) {
		if o.path.query[name] != "" {
			name += "=" + o.path.query[name]
		}
		query = strings.TrimPrefix(query+"&"+name, "&")
	}
	r.RawQuery = query
	w := &xmlWriter{}
	p := o.in.payload()
	switch {
	case p == nil && o.Root != "":
		w.document(c.Model.XMLNamespace, o.Root, o.in, v)
	case p == nil || absent(p, v.Field(p.index), false):
		return
	case p.shape.kind == kindStruct:
		w.document(c.Model.XMLNamespace, p.wire, p.shape, v.Field(p.index).Elem())
	case p.shape.kind == kindStream:
		_, _ = w.out.ReadFrom(v.Field(p.index).Interface().(io.Reader)) // a client's own reader, from memory
	default:
		w.out.WriteString(reflect.Indirect(v.Field(p.index)).String())
	}
	r.Body = w.out.Bytes()
	if p == nil || p.shape.kind == kindStruct {
		r.Header["Content-Type"] = []string{"application/xml"}
	}
}

// decodeRESTXMLOutput reads an answer of restXml.
func (c *Codec) decodeRESTXMLOutput(d *decoder, o *compiled, r *Response, v reflect.Value) error {
	c.decodeRESTOutput(d, o, r, v)
	for _, f := range o.out.fields {
		if f.in != "headers" {
			continue
		}
		header := map[string][]string{}
		for name, value := range r.Header {
			header[name] = []string{value}
		}
		if tree, ok := prefixedTree(f, header); ok {
			d.field(f, tree, v.Field(f.index), f.wire, false)
		}
	}
	p := o.out.payload()
	if p != nil && p.shape.kind == kindStream {
		v.Field(p.index).Set(reflect.ValueOf(bytes.NewReader(r.Body)))
		return nil
	}
	if len(bytes.TrimSpace(r.Body)) == 0 {
		return nil
	}
	if p != nil && p.shape.kind == kindString {
		d.field(p, string(r.Body), v.Field(p.index), p.wire, false)
		return nil
	}
	root, err := readXML(r.Body)
	if err != nil {
		return err
	}
	switch {
	case p != nil:
		d.field(p, root.tree(p, p.shape), v.Field(p.index), p.wire, false)
	case len(o.out.fields) == 1 && o.out.fields[0].wire == root.name && len(root.kids) == 0:
		d.field(o.out.fields[0], root.text, v.Field(o.out.fields[0].index), root.name, false)
	default:
		d.structure(o.out, root.tree(nil, o.out), v, "")
	}
	return nil
}
