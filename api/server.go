package api

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api/wire"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/sigv4"
)

// Bounds of a request.
const (
	maxBody      = 1 << 20          // bytes of a request's body
	maxLarge     = 4                // bodies at once that are larger than maxBody; more wait
	maxUnsigned  = 64 << 10         // bytes of a body that is read only to tell the service of an unsigned request
	callTimeout  = 30 * time.Second // of an operation
	maxCalls     = 256              // operations served at once; more wait
	applyTimeout = 2 * time.Second  // how long an answer waits for this node to apply what was written
)

// Options is what a Server needs.
type Options struct {
	Services []Service
	// Callers says who an access key id and session token belong to, and gives the key for the signature.
	Callers func(accessKeyID, sessionToken string) (*authpolicy.Caller, *sigv4.Key, error)
	// ResourceControl returns the resource control policies that hold for what an account owns. It may be nil.
	ResourceControl func(account string) []authpolicy.Policies
	// Applied returns when this node's traffic side has applied a revision, or the context ends. It may be nil.
	Applied func(ctx context.Context, rev trellis.Revision)
	// Ready is asked by /healthz: nil is 200, an error 503 with its text. It may be nil.
	Ready func() error
	// Region is what credential scopes must name; IAM, STS and Organizations, which are global, take any.
	Region string
	// Hosts are the names of this endpoint before which a bucket's may stand: bucket.HOST.
	Hosts []string
	// Root is the certificate of the installation's authority in PEM, which /ca.pem gives to everybody. It may be nil.
	Root func() []byte
	// Code gives what is at a path of this endpoint to whoever has a link to it that Trellis made, path and query: the code of functions. Its error is for
	// the client when it is a trellis.Error. It may be nil.
	Code func(path, query string) ([]byte, error)
	// Explain finds what was decided about a request on the data plane, as far as an account may know it: GET
	// /trellis/explain. It may be nil.
	Explain func(requestID, account string) ([]trellis.Explanation, error)
	// SealDenial makes the text of a refusal that sts:DecodeAuthorizationMessage opens. It may be nil.
	SealDenial func(*trellis.Denial) string
	// Audit keeps the record of every call, refused ones too, before the answer leaves. It may be nil.
	Audit func(trellis.AuditRecord)
	// TokenKey seals pagination tokens. Empty means a random one, so that tokens end with the process.
	TokenKey []byte
	Now      func() time.Time // time.Now by default
	Log      *slog.Logger
}

// Server speaks all services at one endpoint. It is an http.Handler; see HTTPServer for the bounds that the
// connection around it needs.
type Server struct {
	options  Options
	services []*served
	bySigner map[string][]*served // one for each protocol
	tokens   *Tokens
	slots    chan struct{} // one for each operation that is being served
	large    chan struct{} // one for each body that is larger than maxBody
	streams  chan struct{} // one for each operation whose body is a stream
}

// served is a service with its table, as it is spoken to by one protocol.
type served struct {
	Service
	codec *wire.Codec
	rows  map[string]*Operation
	open  bool // has operations that take unsigned requests
	large bool // has operations with a bound of their own for bodies
}

// NewServer compiles the services' models. It panics when a table is wrong, which is a mistake of the program
// and which Service.Check tells without a panic.
func NewServer(o Options) *Server {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if len(o.TokenKey) == 0 {
		o.TokenKey = make([]byte, 32)
		_, _ = rand.Read(o.TokenKey) // never fails
	}
	s := &Server{options: o, bySigner: map[string][]*served{}, tokens: NewTokens(o.TokenKey), slots: make(chan struct{}, maxCalls), large: make(chan struct{}, maxLarge), streams: make(chan struct{}, maxStreams)}
	for _, service := range o.Services {
		if err := service.Check(); err != nil {
			panic(err)
		}
		signer := service.Model.SigningName
		for _, m := range service.Model.ByProtocol() {
			codec, err := wire.NewCodec(m)
			if err != nil {
				panic(err)
			}
			v := &served{Service: Service{m, service.Operations}, codec: codec, rows: map[string]*Operation{}}
			for i := range service.Operations {
				v.rows[service.Operations[i].Name] = &service.Operations[i]
				v.open = v.open || service.Operations[i].unsigned
				v.large = v.large || service.Operations[i].body > 0
			}
			s.services = append(s.services, v)
			s.bySigner[signer] = append(s.bySigner[signer], v)
		}
	}
	return s
}

// HTTPServer returns the http.Server that a handler of the API belongs into: it refuses slow and large heads,
// slow bodies and connections that nobody uses.
func HTTPServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// exchange is one request on its way through the server.
type exchange struct {
	server      *Server
	service     *served // nil while it is not known
	request     wire.Request
	signed      sigv4.Request
	parsed      *wire.Message   // nil until message was asked
	unparsed    error           // why it is not whole
	operation   *wire.Operation // nil while it is not known
	key         *sigv4.Key      // that verified the signature
	streams     bool            // the operation reads the body
	certificate *sigv4.X509     // by whose key it is signed, nil for other signatures
	call        *Call
	audited     audited
	started     time.Time
}

// ServeHTTP answers one request: which service, who calls, which operation, with what; serve it; write the
// answer.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/healthz" && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		s.health(w)
		return
	}
	if r.URL.Path == "/ca.pem" && (r.Method == http.MethodGet || r.Method == http.MethodHead) && s.options.Root != nil {
		w.Header().Set("Content-Type", "application/pem-certificate-chain") // RFC 8555, section 9.1
		_, _ = w.Write(s.options.Root())
		return
	}
	if strings.HasPrefix(r.URL.Path, codePath) && (r.Method == http.MethodGet || r.Method == http.MethodHead) && s.options.Code != nil {
		s.giveCode(w, r)
		return
	}
	x := &exchange{server: s, started: s.options.Now(), call: &Call{RequestID: trellis.NewUUID(), UserAgent: r.UserAgent(), Endpoint: "http://" + r.Host, tokens: s.tokens}}
	if r.TLS != nil {
		x.call.Endpoint = "https://" + r.Host
	}
	x.call.SourceIP, _, _ = net.SplitHostPort(r.RemoteAddr)
	response, err := x.answer(w, r)
	if err != nil {
		response = x.refuse(r.Context(), err)
	}
	x.audit()
	h := w.Header()
	h.Set("X-Amzn-Requestid", x.call.RequestID)
	for k, v := range response.Header {
		h[k] = []string{v}
	}
	if rev := x.call.revision.Load(); rev > 0 {
		h.Set("X-Trellis-Revision", strconv.FormatInt(rev, 10))
	}
	if x.service != nil && x.service.objects() {
		h.Set("X-Amz-Request-Id", x.call.RequestID)
	}
	if h.Get("Content-Length") == "" {
		h.Set("Content-Length", strconv.Itoa(len(response.Body)))
	}
	if response.Status == http.StatusNoContent {
		h.Del("Content-Length")
	}
	w.WriteHeader(response.Status)
	if response.Stream != nil {
		x.send(w, r, response)
	} else {
		_, _ = w.Write(response.Body) // the client may be gone
	}
	s.options.Log.Debug("api call", "service", x.call.Service, "operation", x.call.Operation, "account", x.call.Account,
		"status", response.Status, "request_id", x.call.RequestID, "duration", s.options.Now().Sub(x.started))
}

// answer is the way of a request that succeeds. Its errors are written by refuse.
// A panic becomes an error, whose text no client sees.
func (x *exchange) answer(w http.ResponseWriter, r *http.Request) (response *wire.Response, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &panicError{value: p, stack: debug.Stack()}
		}
	}()
	x.read(r)
	auth, isSigned, parseErr := x.signature()
	limit := int64(maxBody)
	if !isSigned || parseErr != nil {
		limit = maxUnsigned
	} else if more := x.bodyLimit(&auth); more > limit {
		select {
		case x.server.large <- struct{}{}:
			defer func() { <-x.server.large }()
			limit = more
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	var bodyErr error
	if x.streams = x.prepare(r, &auth, isSigned && parseErr == nil); !x.streams {
		x.request.Body, bodyErr = io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	}
	x.service = x.server.serviceOf(&x.request, &auth, isSigned && parseErr == nil)
	if x.service != nil {
		x.call.Service = x.service.Model.SigningName
	}
	if bodyErr != nil {
		return nil, bodyError(bodyErr)
	}
	if err := x.authenticate(&auth, isSigned, parseErr); err != nil {
		return nil, err
	}
	if x.request.Path == explainPath {
		return x.explain(&auth)
	}
	if x.service == nil {
		return nil, trellis.NewError(http.StatusNotFound, codeUnknownOperation, "The service %s is not served by Trellis", printable(auth.Service))
	}
	message, err := x.message()
	if x.operation = message.Operation; x.operation != nil {
		x.call.Operation = x.operation.Name
	}
	if err != nil {
		return nil, x.service.unreadable(err)
	}
	row := x.service.rows[message.Operation.Name]
	if !row.Served {
		return nil, unserved(x.service.Model, row.Name)
	}
	if err := x.fits(row); err != nil {
		return nil, err
	}
	in, problems := x.service.codec.Decode(message, row.unchecked)
	x.audited.in = in
	if err := x.service.badInput(message, problems); err != nil {
		return nil, err
	}
	if x.streams {
		err = x.stream(w, r, &auth, in)
	} else if x.service.objects() {
		err = x.verifyBody()
	}
	if err != nil {
		return nil, err
	}
	out, err := x.serve(r.Context(), row, in)
	if err != nil {
		return nil, err
	}
	x.audited.out = out
	return x.service.codec.Encode(message.Operation, out, x.call.RequestID), nil
}

// bodyLimit is how many bytes an operation takes that says so itself. Its path tells which it is. Only who has an access
// key gets the memory; the signature is verified when the body is there.
func (x *exchange) bodyLimit(a *sigv4.Authorization) int64 {
	for _, v := range x.server.bySigner[a.Service] {
		if !v.large || x.certificate != nil {
			continue
		}
		m, err := v.codec.Read(&wire.Request{Method: x.request.Method, Path: x.request.Path})
		if err != nil || v.rows[m.Operation.Name].body == 0 {
			continue
		}
		if _, _, err := x.server.options.Callers(a.AccessKeyID, a.SessionToken); err != nil {
			continue
		}
		return v.rows[m.Operation.Name].body
	}
	return 0
}

// message is the request as its service's codec reads it.
func (x *exchange) message() (*wire.Message, error) {
	if x.parsed == nil {
		plain, bad := uncompressed(&x.request)
		x.parsed, x.unparsed = x.service.codec.Read(plain)
		if x.unparsed == nil {
			x.unparsed = bad
		}
	}
	return x.parsed, x.unparsed
}

// uncompressed is a request with its body as it was before a client compressed it, as AWS's SDKs do with long ones of some
// operations (Smithy, requestCompression). The signature is that of the compressed one.
func uncompressed(r *wire.Request) (*wire.Request, error) {
	if encoding := r.Header["Content-Encoding"]; len(encoding) != 1 || encoding[0] != "gzip" {
		return r, nil
	}
	plain := *r
	plain.Body = nil
	z, err := gzip.NewReader(bytes.NewReader(r.Body))
	if err != nil {
		return &plain, fmt.Errorf("%w: %w", wire.ErrMalformed, err)
	}
	if plain.Body, err = io.ReadAll(http.MaxBytesReader(nil, z, maxBody)); err != nil {
		return &plain, fmt.Errorf("%w: %w", wire.ErrMalformed, err)
	}
	return &plain, nil
}

// read takes from an HTTP request what signature and codec need, raw as it was on the wire.
func (x *exchange) read(r *http.Request) {
	path, query, _ := strings.Cut(r.RequestURI, "?")
	if !strings.HasPrefix(path, "/") { // absolute form, or made without a wire
		path, query = r.URL.EscapedPath(), r.URL.RawQuery
	}
	x.request = wire.Request{Method: r.Method, Path: path, RawQuery: query, Header: r.Header}
	x.signed = sigv4.Request{Method: r.Method, Path: path, RawQuery: query, Host: r.Host}
	for name, values := range r.Header {
		for _, v := range values {
			x.signed.Headers = append(x.signed.Headers, sigv4.Field{Name: name, Value: v})
		}
	}
	x.signed.Headers = append(x.signed.Headers, sigv4.Field{Name: "Host", Value: r.Host})
}

// serve runs the operation, bounded in time and number, and waits until this node has applied what it committed.
func (x *exchange) serve(ctx context.Context, row *Operation, in any) (any, error) {
	timeout, slots := callTimeout, x.server.slots
	if x.streams {
		timeout, slots = streamTimeout, x.server.streams
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	select {
	case slots <- struct{}{}:
		defer func() { <-slots }()
	case <-ctx.Done():
		return nil, trellis.NewError(http.StatusTooManyRequests, codeThrottling, "Rate exceeded")
	}
	out, err := row.serve(ctx, x.call, in)
	if err != nil {
		return nil, err
	}
	if rev := x.call.revision.Load(); rev > 0 && x.server.options.Applied != nil {
		ctx, cancel := context.WithTimeout(ctx, applyTimeout)
		defer cancel()
		x.server.options.Applied(ctx, rev)
	}
	return out, nil
}

// panicError is a panic of an operation.
type panicError struct {
	value any
	stack []byte
}

// Error is the panic's value and stack, for the log.
func (e *panicError) Error() string { return fmt.Sprintf("panic: %v\n%s", e.value, e.stack) }

// refuse writes an error. What is not a *trellis.Error is internal: it is logged with its cause, and answered
// without it.
func (x *exchange) refuse(ctx context.Context, err error) *wire.Response {
	var e *trellis.Error
	if !errors.As(err, &e) {
		if ctx.Err() == nil {
			x.server.options.Log.Error("api call failed", "service", x.call.Service, "operation", x.call.Operation,
				"account", x.call.Account, "request_id", x.call.RequestID, "error", err)
		}
		e = trellis.NewError(http.StatusInternalServerError, codeInternal, "The request processing has failed because of an unknown error, exception or failure.")
	}
	service := x.service
	if service == nil {
		service = stranger()
	}
	t := service.translate(e, x.operation)
	if seal := x.server.options.SealDenial; t.Code == "UnauthorizedOperation" && e.Denial != nil && seal != nil {
		t.Message += " Encoded authorization failure message: " + seal(e.Denial)
	}
	x.audited.err = t
	response := service.codec.EncodeError(t, x.call.RequestID)
	if m := service.Model; m.QueryCompatible && m.Protocol != wire.Query {
		byQuery := served{Service: Service{Model: m.Speaking(wire.Query)}}
		fault := "Sender"
		if t.Status >= 500 {
			fault = "Receiver"
		}
		response.Header["X-Amzn-Query-Error"] = byQuery.translate(e, x.operation).Code + ";" + fault
	}
	return response
}

// codePath is what the paths of links to code begin with.
const codePath = "/trellis/code/"

// giveCode answers who follows a link to code.
func (s *Server) giveCode(w http.ResponseWriter, r *http.Request) {
	b, err := s.options.Code(r.URL.Path, r.URL.RawQuery)
	if e, ok := errors.AsType[*trellis.Error](err); ok {
		http.Error(w, e.Message, e.Status)
		return
	}
	if err != nil {
		s.options.Log.Error("giving code failed", "error", err)
		http.Error(w, "The code can't be read.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/zip")
	_, _ = w.Write(b) // the client may be gone
}

// health answers /healthz.
func (s *Server) health(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if s.options.Ready != nil {
		if err := s.options.Ready(); err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = fmt.Fprintln(w, err)
			return
		}
	}
	_, _ = fmt.Fprintln(w, "ok")
}
