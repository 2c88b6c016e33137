package dataplane

import (
	"net/netip"
	"time"

	"github.com/trellis-project/trellis/accesslog"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/http1"
	"github.com/trellis-project/trellis/reactor"
	"github.com/trellis-project/trellis/routing"
	"github.com/trellis-project/trellis/sigv4"
	"github.com/trellis-project/trellis/targetgroup"
)

// Sizes of buffers.
const (
	headBuffer = 4 << 10 // what most heads fit into; others take a buffer of the loop, which holds http1.MaxHead
	copied     = 4 << 10 // pieces of a body up to this size are copied behind their head
	maxSigned  = 1 << 20 // of a body whose hash is signed: it is held until it is verified
)

// exchange is one request and its answer. It is used again and again; what it holds is its own, so that a
// request allocates nothing.
type exchange struct {
	c      client
	conn   *conn // that the request came over
	w      *worker
	l      *listener
	tenant *tenant
	from   netip.AddrPort
	tls    *agreed // nil when the client speaks without TLS

	start time.Time
	began time.Duration // start, as the loop counts

	// in holds what came from the client: the head at the start (the strings of req are views of it), read
	// up to inPos, filled up to inEnd.
	in           []byte
	inPos, inEnd int
	headLen      int
	ahead        []byte // what upload read of the next request
	small        []byte // the buffer that in is, unless a head was big

	req      *http1.Head // reqHead, or what a stream of HTTP/2 has
	body     http1.Body  // of a request of HTTP/1.1
	resp     *http1.Head // respHead, or what a stream of HTTP/2 has
	respBody http1.Body  // of an answer of HTTP/1.1

	reqHead, respHead http1.Head   // of HTTP/1.1
	version           int          // of HTTP that the client speaks: 1 or 2
	grpc              bool         // the request is one of gRPC
	webSocket         bool         // it asks for WebSocket, and may have it
	webSocketKey      string       // with this key, of our own making
	unserved          bool         // it asks for another protocol
	badHead           *http1.Error // why the request is not served

	// What the pipeline found.
	vpc      *routing.VPC
	network  *routing.Network
	service  *routing.Service
	listener *routing.Listener
	rule     *routing.Rule
	group    *targetgroup.Group
	caller   *authpolicy.Caller
	idle     time.Duration
	signed   []byte // a body that was held to be verified, as it came
	held     bool

	match    routing.Request
	policy   authpolicy.Request
	sig      sigv4.Request
	scratch  []byte // of sigv4
	resource []byte
	reqID    [36]byte

	rec       accesslog.Record
	answered  time.Duration  // when the first byte of the answer came from the target
	uploading bool           // a goroutine of its own sends the body; it owns body
	sent      uploadResult   // how that went
	uploaded  reactor.Signal // sent says how it went
	unread    bool           // the client may send more of what nobody reads
	last      bool           // the connection ends after the answer
	outlived  bool           // the connection is older than it may be
	target    receiver       // the connection to the target, while there is one
}

// receiver is the connection to a target, as what takes the request.
type receiver interface {
	Write([]byte) (int, error)
	SetReadDeadline(time.Duration)
	SetWriteDeadline(time.Duration)
	Interrupt(error)
	Close() error
}

// scheme is how the client speaks: http or https.
func (x *exchange) scheme() string {
	if x.tls != nil {
		return "https"
	}
	return "http"
}

// reset empties the exchange for the next request. The bytes of in stay.
func (x *exchange) reset() {
	x.req, x.resp, x.version, x.grpc, x.webSocket, x.webSocketKey, x.unserved, x.badHead = &x.reqHead, &x.respHead, 1, false, false, "", false, nil
	x.req.Reset()
	x.respBody = http1.Body{}
	x.vpc, x.network, x.service, x.listener, x.rule, x.group, x.caller = nil, nil, nil, nil, nil, nil, nil
	x.idle = defaultIdle
	x.w.heldBytes -= int64(cap(x.signed))
	x.signed, x.held, x.uploading, x.unread, x.last, x.sent = nil, false, false, false, false, uploadResult{}
	x.headLen, x.answered, x.uploaded = 0, 0, reactor.Signal{}
	x.rec = accesslog.Record{}
}

// free gives the exchange back.
func (x *exchange) free() {
	w := x.w
	w.inFlight--
	w.heldBytes -= int64(cap(x.signed))
	x.tenant.serving--
	x.shrinkIn()
	x.inPos, x.inEnd, x.ahead, x.signed, x.outlived = 0, 0, nil, nil, false
	x.c, x.conn, x.l, x.tenant, x.tls, x.target = nil, nil, nil, nil, nil, nil
	if len(w.exchanges) < exchangesKept {
		w.exchanges = append(w.exchanges, x)
	}
}

// abandon takes an exchange whose serving has panicked out of what is under way. It is not used again: its state is unknown,
// and what goes on beside it may still use it.
func (x *exchange) abandon() {
	if x.target != nil {
		x.target.Close()
	}
	x.w.inFlight--
	x.w.heldBytes -= int64(cap(x.signed))
	x.tenant.serving--
	if !x.uploading { // which reads into the buffer
		x.shrinkIn()
	}
}

// growIn moves what came from the client to a buffer of the loop. The strings of req are parsed anew afterwards.
func (x *exchange) growIn() {
	b := x.w.loop.Buffer()
	copy(b, x.in[:x.inEnd])
	x.in = b
}

// shrinkIn gives the buffer of growIn back.
func (x *exchange) shrinkIn() {
	if &x.in[0] != &x.small[0] {
		x.w.loop.Release(x.in)
		x.in = x.small
	}
}

// next prepares for a request that the client has sent ahead. It returns false when there is none.
func (x *exchange) next() bool {
	rest := x.in[x.inPos:x.inEnd]
	if len(x.ahead) > 0 {
		rest = x.ahead // the body went through all of in
	}
	if len(rest) == 0 {
		return false
	}
	if len(rest) > len(x.in) {
		x.in = x.w.loop.Buffer()
	}
	x.inEnd = copy(x.in, rest)
	x.inPos, x.ahead = 0, nil
	x.reset()
	return true
}
