package wire

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"reflect"
	"strings"

	"github.com/trellis-project/trellis"
)

// Codec reads and writes one service's messages. It is compiled once from the model, never changed, and safe
// for concurrent use.
type Codec struct {
	Model      *Model
	operations map[string]*compiled
	rest       []*compiled // of the REST protocols: in the order in which paths are tried
}

// compiled is an operation with its shapes.
type compiled struct {
	*Operation
	in, out *shape
	path    pathPattern
}

// Request is an HTTP request as the codec needs it: raw, as on the wire.
type Request struct {
	Method   string
	Path     string // raw, undecoded
	RawQuery string
	Header   map[string][]string // canonical names, as net/http has them
	Body     []byte
}

// Response is an HTTP response that the codec has written or shall read.
type Response struct {
	Status int
	Header map[string]string // canonical names, but of metadata that clients name
	Body   []byte
	Stream io.Reader // the body of an answer that is not held in memory, else nil; closed after it was sent if it can be
}

// Message is a request that is parsed, but not yet held against its operation's shape.
type Message struct {
	Operation *Operation
	compiled  *compiled
	labels    map[string]string
	query     url.Values
	header    map[string][]string
	tree      any // of the body
	params    *params
	body      []byte   // restXml
	root      *element // of the body, restXml
}

// UnknownOperationError says that a service has no such operation, or none that is listed.
type UnknownOperationError struct{ Name string }

// Error names the operation or path.
func (e *UnknownOperationError) Error() string { return "unknown operation " + e.Name }

// ErrMalformed says that a message cannot be parsed.
var ErrMalformed = errors.New("cannot parse the message")

// NewCodec compiles a model.
func NewCodec(m *Model) (*Codec, error) {
	c := &Codec{Model: m, operations: map[string]*compiled{}}
	s := &schemas{structs: map[reflect.Type]*shape{}, patterns: map[string]*pattern{}}
	for i := range m.Operations {
		op := &compiled{Operation: &m.Operations[i], path: newPathPattern(m.Operations[i].Path)}
		if m.Protocol == RESTXML {
			op.path = restPath(m.Operations[i].Path)
		}
		var err error
		if op.in, err = s.of(op.In); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", m.Folder, op.Name, err)
		}
		if op.out, err = s.of(op.Out); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", m.Folder, op.Name, err)
		}
		c.operations[op.Name] = op
		c.rest = append(c.rest, op)
	}
	return c, nil
}

// Read finds a request's operation and parses its body. The error is an UnknownOperationError, or wraps
// ErrMalformed; with the latter the Message tells the operation where that is known.
func (c *Codec) Read(r *Request) (*Message, error) {
	m := &Message{header: r.Header}
	var err error
	switch c.Model.Protocol {
	case RESTJSON:
		m.compiled, m.labels = c.findPath(r.Method, r.Path)
		if m.compiled == nil {
			return m, &UnknownOperationError{r.Method + " " + r.Path}
		}
		if m.query, err = url.ParseQuery(r.RawQuery); err == nil {
			m.tree, err = r.json()
		}
	case RESTXML:
		err = c.readRESTXML(m, r)
		if _, unknown := errors.AsType[*UnknownOperationError](err); unknown {
			return m, err
		}
	case JSON:
		target := first(r.Header["X-Amz-Target"])
		name := target[strings.LastIndexByte(target, '.')+1:]
		if m.compiled = c.operations[name]; m.compiled == nil {
			return m, &UnknownOperationError{name}
		}
		m.tree, err = r.json()
	case CBOR:
		name := operationOf(r.Path)
		if m.compiled = c.operations[name]; m.compiled == nil {
			return m, &UnknownOperationError{name}
		}
		m.tree, err = readCBOR(r.Body)
	default:
		form := string(r.Body)
		if r.Method == "GET" || len(r.Body) == 0 {
			form = r.RawQuery
		} else if err = r.typed("application/x-www-form-urlencoded"); err != nil {
			break
		}
		if m.params, err = readParams(form); err == nil {
			name := ""
			if a := m.params.kids["Action"]; a != nil {
				name = a.value
			}
			if m.compiled = c.operations[name]; m.compiled == nil {
				return m, &UnknownOperationError{name}
			}
		}
	}
	if m.compiled != nil {
		m.Operation = m.compiled.Operation
	}
	if err != nil {
		return m, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return m, nil
}

// MediaTypeError says that a body is of a media type that is not its protocol's.
type MediaTypeError struct{ Type string }

// Error names the type.
func (e *MediaTypeError) Error() string { return "a body of the type " + e.Type }

// typed refuses a body whose media type ends otherwise: another reader of the request may take it for something else. A
// body without a type is taken as the protocol's.
func (r *Request) typed(suffixes ...string) error {
	given := first(r.Header["Content-Type"])
	if given == "" || len(r.Body) == 0 {
		return nil
	}
	media, _, _ := strings.Cut(given, ";")
	media = strings.ToLower(strings.TrimSpace(media))
	for _, s := range suffixes {
		if strings.HasSuffix(media, s) {
			return nil
		}
	}
	return &MediaTypeError{given}
}

// json is the body of a JSON protocol: application/json, or application/x-amz-json-1.1.
func (r *Request) json() (map[string]any, error) {
	if err := r.typed("/json", "+json", "/x-amz-json-1.0", "/x-amz-json-1.1"); err != nil {
		return nil, err
	}
	return readJSON(r.Body)
}

// findPath finds the operation of a method and raw path.
func (c *Codec) findPath(method, path string) (*compiled, map[string]string) {
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	var best *compiled
	var labels map[string]string
	for _, op := range c.rest {
		if op.Method != method {
			continue
		}
		if l, ok := op.path.match(segments); ok && (best == nil || op.path.literals() > best.path.literals()) {
			best, labels = op, l
		}
	}
	return best, labels
}

// Decode makes the operation's input, a pointer to its struct, and tells every field that is bad. unchecked
// names top-level members whose constraints are not held against them.
func (c *Codec) Decode(m *Message, unchecked []string) (any, []Problem) {
	in := reflect.New(m.compiled.In)
	sh := m.compiled.in
	switch c.Model.Protocol {
	case RESTJSON:
		d := &decoder{check: true, time: unixTimestamp, unchecked: unchecked}
		c.bind(d, m, sh, in.Elem())
		return in.Interface(), d.problems
	case RESTXML:
		d := &decoder{check: true, text: true, time: iso8601, unchecked: unchecked}
		m.tree = m.bodyTree(sh)
		c.bind(d, m, sh, in.Elem())
		return in.Interface(), d.problems
	case JSON, CBOR:
		d := &decoder{check: true, time: unixTimestamp, unchecked: unchecked}
		d.structure(sh, m.tree, in.Elem(), "")
		return in.Interface(), d.problems
	default:
		d := &decoder{check: true, text: true, time: iso8601, unchecked: unchecked}
		d.structure(sh, m.params.tree(c, nil, sh), in.Elem(), "")
		return in.Interface(), d.problems
	}
}

// Unknown returns the top-level parameters of an EC2 request that its operation does not have.
func (c *Codec) Unknown(m *Message) []string {
	var names []string
	for _, name := range sortedKeys(m.params.kids) {
		known := name == "Action" || name == "Version" || strings.HasPrefix(name, "X-Amz-")
		for _, f := range m.compiled.in.fields {
			known = known || c.paramName(f) == name
		}
		if !known {
			names = append(names, name)
		}
	}
	return names
}

// Encode writes an operation's output, a pointer to its struct.
func (c *Codec) Encode(op *Operation, out any, requestID string) *Response {
	o := c.operations[op.Name]
	v := reflect.ValueOf(out).Elem()
	r := &Response{Status: op.Status, Header: map[string]string{}}
	switch c.Model.Protocol {
	case RESTJSON:
		c.encodeREST(r, o, v)
	case CBOR:
		cborHeader(r.Header)
		r.Body = writeCBOR(cborStructure(o.out, v, true, false))
	case RESTXML:
		c.encodeRESTXML(r, o, v)
	case JSON:
		r.Header["Content-Type"] = c.jsonType()
		w := &jsonWriter{time: unixTimestamp}
		w.structure(o.out, v, true)
		r.Body = w.out.Bytes()
	default:
		r.Header["Content-Type"] = "text/xml;charset=UTF-8"
		w := &xmlWriter{}
		w.out.WriteString("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<" + op.Name + "Response xmlns=\"" + c.namespace() + "\">")
		switch {
		case c.Model.Protocol == EC2:
			w.leaf("requestId", requestID)
			if len(o.out.fields) == 0 {
				w.leaf("return", "true")
			}
			w.structure(o.out, v, true)
		case op.Result != "":
			w.open(op.Result)
			w.structure(o.out, v, true)
			w.close(op.Result)
		}
		if c.Model.Protocol == Query {
			w.open("ResponseMetadata")
			w.leaf("RequestId", requestID)
			w.close("ResponseMetadata")
		}
		w.close(op.Name + "Response")
		r.Body = w.out.Bytes()
	}
	return r
}

// jsonType is the content type of awsJson.
func (c *Codec) jsonType() string {
	if c.Model.JSONVersion != "" {
		return "application/x-amz-json-" + c.Model.JSONVersion
	}
	return "application/x-amz-json-1.1"
}

// namespace is the XML namespace of answers. EC2's ends with a slash on the wire.
func (c *Codec) namespace() string {
	if c.Model.Protocol == EC2 {
		return c.Model.XMLNamespace + "/"
	}
	return c.Model.XMLNamespace
}

// EncodeError writes an error as the protocol wants it.
func (c *Codec) EncodeError(e *trellis.Error, requestID string) *Response {
	r := &Response{Status: e.Status, Header: map[string]string{}}
	switch c.Model.Protocol {
	case RESTJSON, JSON:
		c.encodeJSONError(r, e)
	case CBOR:
		cborHeader(r.Header)
		r.Body = writeCBOR(map[string]any{"__type": e.Code, "message": e.Message})
	default:
		r.Header["Content-Type"] = "text/xml;charset=UTF-8"
		w := &xmlWriter{}
		w.out.WriteString("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")
		switch {
		case c.Model.BareErrors:
			w.open("Error")
			w.leaf("Code", e.Code)
			w.leaf("Message", e.Message)
			if e.ResourceID != "" {
				w.leaf("Resource", e.ResourceID)
			}
			w.leaf("RequestId", requestID)
			w.close("Error")
		case c.Model.Protocol == EC2:
			w.out.WriteString("<Response><Errors><Error>")
			w.leaf("Code", e.Code)
			w.leaf("Message", e.Message)
			w.out.WriteString("</Error></Errors>")
			w.leaf("RequestID", requestID)
			w.close("Response")
		default:
			who := "Sender"
			if e.Status >= 500 {
				who = "Receiver"
			}
			w.out.WriteString("<ErrorResponse xmlns=\"" + c.namespace() + "\"><Error>")
			w.leaf("Type", who)
			w.leaf("Code", e.Code)
			w.leaf("Message", e.Message)
			w.close("Error")
			w.leaf("RequestId", requestID)
			w.close("ErrorResponse")
		}
		r.Body = w.out.Bytes()
	}
	return r
}

// first returns the first of a header's values, or "".
func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}
