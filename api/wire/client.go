package wire

import (
	"encoding/json"
	"fmt"
	"net/url"
	"reflect"
	"strings"

	"github.com/trellis-project/trellis"
)

// EncodeInput writes a client's request: in is a pointer to the operation's input struct.
func (c *Codec) EncodeInput(op *Operation, in any) *Request {
	o := c.operations[op.Name]
	v := reflect.ValueOf(in).Elem()
	r := &Request{Method: op.Method, Path: "/", Header: map[string][]string{}}
	switch c.Model.Protocol {
	case RESTJSON:
		c.encodeRESTInput(r, o, v)
	case CBOR:
		r.Path = "/service/" + c.Model.TargetPrefix + "/operation/" + op.Name
		r.Header["Smithy-Protocol"], r.Header["Content-Type"] = []string{cborProtocol}, []string{"application/cbor"}
		r.Body = writeCBOR(cborStructure(o.in, v, true, true))
	case RESTXML:
		c.encodeRESTXMLInput(r, o, v)
	case JSON:
		r.Header["Content-Type"] = []string{c.jsonType()}
		r.Header["X-Amz-Target"] = []string{c.Model.TargetPrefix + "." + op.Name}
		w := &jsonWriter{time: unixTimestamp, client: true}
		w.structure(o.in, v, true)
		r.Body = w.out.Bytes()
	default:
		r.Header["Content-Type"] = []string{"application/x-www-form-urlencoded; charset=utf-8"}
		w := &formWriter{codec: c, out: url.Values{"Action": {op.Name}, "Version": {c.Model.Version}}}
		w.structure(o.in, v, "")
		r.Body = []byte(w.out.Encode())
	}
	return r
}

// InputOf makes an operation's input, a pointer to its struct, of a map under AWS's member names, whose case of
// the first letter does not matter: what JSON input of the aws CLI has. token fills members that want a random
// token. Constraints are left to the server, names of members that do not exist are an error.
func (c *Codec) InputOf(op *Operation, m map[string]any, token func() string) (any, error) {
	if m == nil {
		m = map[string]any{}
	}
	b, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("input of %s: %w", op.Name, err)
	}
	tree, err := readJSON(b)
	if err != nil {
		return nil, fmt.Errorf("input of %s: %w", op.Name, err)
	}
	o := c.operations[op.Name]
	normal, err := byMember(o.in, any(tree), op.Name)
	if err != nil {
		return nil, err
	}
	in := reflect.New(op.In)
	d := &decoder{time: iso8601, name: memberName}
	d.structure(o.in, normal, in.Elem(), "")
	if len(d.problems) > 0 {
		return nil, fmt.Errorf("input of %s: %s", op.Name, d.problems[0].Message)
	}
	for _, f := range o.in.fields {
		if v := in.Elem().Field(f.index); f.token && f.pointer && v.IsNil() && token != nil {
			s := token()
			v.Set(reflect.ValueOf(&s))
		}
	}
	return in.Interface(), nil
}

// memberName is the name of a field in a client's maps: the Go name.
func memberName(f *field) string { return f.name }

// byMember gives all names of a tree their capital first letter and refuses names that the shape does not have.
func byMember(sh *shape, tree any, path string) (any, error) {
	switch t := tree.(type) {
	case map[string]any:
		out := make(map[string]any, len(t))
		for k, v := range t {
			sub, name := sh.elem, k
			if sh.kind == kindStruct {
				sub = nil
				for _, f := range sh.fields {
					if strings.EqualFold(f.name, k) {
						sub, name = f.shape, f.name
					}
				}
			}
			if sub == nil {
				return nil, fmt.Errorf("%s has no member %s", path, k)
			}
			v, err := byMember(sub, v, path+"."+k)
			if err != nil {
				return nil, err
			}
			out[name] = v
		}
		return out, nil
	case []any:
		if sh.kind != kindList {
			return nil, fmt.Errorf("%s is not a list", path)
		}
		out := make([]any, len(t))
		for i, v := range t {
			v, err := byMember(sh.elem, v, path)
			if err != nil {
				return nil, err
			}
			out[i] = v
		}
		return out, nil
	}
	return tree, nil
}

// DecodeOutput reads a successful answer into a new output struct and returns a pointer to it.
func (c *Codec) DecodeOutput(op *Operation, r *Response) (any, error) {
	o := c.operations[op.Name]
	out := reflect.New(op.Out)
	d := &decoder{}
	switch c.Model.Protocol {
	case RESTJSON, JSON:
		tree, err := readJSON(r.Body)
		if err != nil {
			return nil, fmt.Errorf("output of %s: %w", op.Name, err)
		}
		d.time = unixTimestamp
		d.structure(o.out, any(tree), out.Elem(), "")
		c.decodeRESTOutput(d, o, r, out.Elem())
	case CBOR:
		tree, err := readCBOR(r.Body)
		if err != nil {
			return nil, fmt.Errorf("output of %s: %w", op.Name, err)
		}
		d.structure(o.out, any(tree), out.Elem(), "")
	case RESTXML:
		d.text, d.time = true, iso8601
		if err := c.decodeRESTXMLOutput(d, o, r, out.Elem()); err != nil {
			return nil, fmt.Errorf("output of %s: %w", op.Name, err)
		}
	default:
		root, err := readXML(r.Body)
		if err != nil {
			return nil, fmt.Errorf("output of %s: %w", op.Name, err)
		}
		if op.Result != "" {
			if root = root.kid(op.Result); root == nil {
				return nil, fmt.Errorf("output of %s has no %s", op.Name, op.Result)
			}
		}
		d.text, d.time = true, iso8601
		d.structure(o.out, root.tree(nil, o.out), out.Elem(), "")
	}
	if len(d.problems) > 0 {
		return nil, fmt.Errorf("output of %s: %s", op.Name, d.problems[0].Message)
	}
	return out.Interface(), nil
}

// Map turns an operation's output, or its input, into a map under AWS's member names, as the aws CLI prints it:
// texts, members that are absent are left out.
func (c *Codec) Map(op *Operation, out any) map[string]any {
	o := c.operations[op.Name]
	sh, v := o.out, reflect.ValueOf(out).Elem()
	if v.Type() == op.In {
		sh = o.in
	}
	return c.plain(nil, sh, v).(map[string]any)
}

// plain turns a value into maps, lists and scalars.
func (c *Codec) plain(f *field, sh *shape, v reflect.Value) any {
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	switch sh.kind {
	case kindStruct:
		m := map[string]any{}
		for _, f := range sh.fields {
			if fv := v.Field(f.index); !absent(f, fv, false) {
				name := f.name
				if c.Model.Protocol == RESTJSON || c.Model.Protocol == JSON || c.Model.Protocol == CBOR {
					name = f.wire
				}
				m[name] = c.plain(f, f.shape, fv)
			}
		}
		return m
	case kindList:
		list := make([]any, v.Len())
		for i := range v.Len() {
			list[i] = c.plain(f, sh.elem, v.Index(i))
		}
		return list
	case kindMap:
		m := map[string]any{}
		for _, k := range mapKeys(v) {
			m[k] = c.plain(f, sh.elem, v.MapIndex(reflect.ValueOf(k)))
		}
		return m
	case kindStream:
		return nil // it is read once, by the one whom it is for
	case kindTime:
		text, _ := formatTime(iso8601, timeOf(v))
		return text
	}
	return v.Interface()
}

// DecodeError reads an answer that is an error.
func (c *Codec) DecodeError(r *Response) *trellis.Error {
	e := &trellis.Error{Status: r.Status}
	switch c.Model.Protocol {
	case RESTJSON, JSON:
		var b jsonError
		if json.Unmarshal(r.Body, &b) == nil {
			e.Code, e.Message, e.Reason = b.Type, b.Message, b.Reason+b.Reason11
			e.ResourceID, e.ResourceType, e.ServiceCode, e.QuotaCode = b.ResourceID, b.ResourceType, b.ServiceCode, b.QuotaCode
			for _, f := range b.Fields {
				e.Fields = append(e.Fields, trellis.FieldError(f))
			}
		}
		if h := r.Header["X-Amzn-Errortype"]; h != "" {
			e.Code, _, _ = strings.Cut(h, ":")
		}
		e.Code = e.Code[strings.LastIndexByte(e.Code, '#')+1:]
	case CBOR:
		if tree, err := readCBOR(r.Body); err == nil {
			e.Code, _ = tree["__type"].(string)
			e.Message, _ = tree["message"].(string)
		}
	default:
		if root, err := readXML(r.Body); err == nil {
			e.Code, e.Message = root.find("Code"), root.find("Message")
		}
	}
	if e.Code == "" {
		e.Code = "UnknownError"
	}
	return e
}
