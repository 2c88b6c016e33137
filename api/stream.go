package api

import (
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api/wire"
	"github.com/trellis-project/trellis/sigv4"
)

// Bounds of requests whose bodies, or answers, are not held in memory.
const (
	streamTimeout = time.Hour        // of the whole
	streamPause   = 30 * time.Second // between two reads or writes
	maxStreams    = 128              // served at once; more wait
)

// objects tells whether a service is one of objects: its bodies are streams, its buckets may stand in the host's name,
// and its signatures cover the path as it is on the wire and bodies in other ways than those of all other services: S3.
func (v *served) objects() bool { return v.Model.BareErrors }

// prepare finds out whether the body of a request is a stream, which the operation reads. It must be called before the
// body is read.
func (x *exchange) prepare(r *http.Request, a *sigv4.Authorization, signed bool) (streams bool) {
	if !signed {
		return false
	}
	v := spoken(x.server.bySigner[a.Service], &x.request)
	if v == nil || !v.objects() {
		return false
	}
	x.request.Path = x.server.withBucket(r.Host, x.request.Path)
	m, _ := v.codec.Read(&x.request)
	return m.Streams()
}

// withBucket is the path of a request whose bucket may be the first part of the host's name, as AWS's own hosts have it
// and those of this endpoint.
func (s *Server) withBucket(host, path string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:i]
	}
	host = strings.ToLower(host)
	for _, base := range append([]string{"s3." + s.options.Region + ".amazonaws.com", "s3.amazonaws.com"}, s.options.Hosts...) {
		if bucket, ok := strings.CutSuffix(host, "."+base); ok && bucket != "" && bucket != "s3" {
			return "/" + bucket + path
		}
	}
	return path
}

// checkObjects changes what is demanded of a signature to what S3 demands (S3 API reference, sig-v4-header-based-auth).
func (x *exchange) checkObjects(a *sigv4.Authorization, check *sigv4.Check) {
	check.DoubleEncode, check.Chunked = false, x.streams
	switch {
	case a.Presigned && a.PayloadHash == "":
		check.PayloadHash = sigv4.UnsignedPayload
	case x.streams && a.PayloadHash != "":
		check.PayloadHash = "" // the body is verified as it is read
	}
}

// stream gives an operation its body.
func (x *exchange) stream(w http.ResponseWriter, r *http.Request, a *sigv4.Authorization, in any) error {
	control := http.NewResponseController(w)
	from := &paced{Reader: http.MaxBytesReader(w, r.Body, MaxObject+MaxObject/64), extend: func() { _ = control.SetReadDeadline(time.Now().Add(streamPause)) }}
	unsigned := *a
	if unsigned.Presigned && unsigned.PayloadHash == "" {
		unsigned.PayloadHash = sigv4.UnsignedPayload
	}
	body, err := newBody(from, r.Header, &unsigned, x.key, r.ContentLength)
	if err != nil {
		return err
	}
	_ = control.SetWriteDeadline(time.Now().Add(streamTimeout))
	x.parsed.SetStream(in, body)
	return nil
}

// paced extends a deadline before every read.
type paced struct {
	io.Reader
	extend func()
}

// Read extends the deadline and reads.
func (p *paced) Read(b []byte) (int, error) {
	p.extend()
	return p.Reader.Read(b)
}

// send writes the body of an answer that is a stream.
func (x *exchange) send(w http.ResponseWriter, r *http.Request, response *wire.Response) {
	if c, ok := response.Stream.(io.Closer); ok {
		defer c.Close()
	}
	if r.Method == http.MethodHead {
		return
	}
	control := http.NewResponseController(w)
	from := &paced{Reader: response.Stream, extend: func() { _ = control.SetWriteDeadline(time.Now().Add(streamPause)) }}
	_, _ = io.CopyBuffer(struct{ io.Writer }{w}, from, make([]byte, 256<<10)) // the client may be gone
}

// verifyBody holds a body that was read whole against the checksums that came with it, as Body does for streams.
func (x *exchange) verifyBody() error {
	b, err := newBody(strings.NewReader(string(x.request.Body)), x.request.Header, &sigv4.Authorization{}, nil, int64(len(x.request.Body)))
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, b)
	return err
}

// wrongRegion is S3's answer to a signature for another region, which tells its clients the right one.
func wrongRegion(have, want string) *trellis.Error {
	return trellis.NewError(400, "AuthorizationHeaderMalformed", "The authorization header is malformed; the region '%s' is wrong; expecting '%s'", printable(have), want)
}
