package dataplane

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/trellis-project/trellis/accesslog"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/reactor"
	"github.com/trellis-project/trellis/routing"
	"github.com/trellis-project/trellis/sigv4"
	"github.com/trellis-project/trellis/targetgroup"
)

// Time limits (VPC Lattice user guide, quotas; where it is silent, what proxies commonly do).
const (
	headTimeout    = 5 * time.Second  // from the first byte of a head to its last
	defaultIdle    = 60 * time.Second // of a service that has no idle timeout of its own, and of a new connection
	strictLifetime = 10 * time.Minute // of a connection, with Options.Strict
	firstRequest   = 1 * time.Second  // from a connection to its first request, when the listener drains
	lingerTimeout  = 2 * time.Second  // reading on after a close, so that the answer arrives
	earlyAnswer    = 100 * time.Millisecond
	defaultDrain   = 60 * time.Second
)

// Options is what a Server needs.
type Options struct {
	// Table returns the table of now; a request asks once and uses it to its end.
	Table func() *routing.Table
	// Callers finds who an access key belongs to, and the key to verify with. Its errors are *trellis.Error.
	Callers func(accessKeyID, token string) (*authpolicy.Caller, *sigv4.Key, error)
	// ResourceControl returns the resource control policies that hold for what an account owns. May be nil.
	ResourceControl func(account string) []authpolicy.Policies
	// Certifying says for whom clients' certificates stand. It returns the same pointer for as long as nothing changes, and nil
	// when they stand for nobody. May be nil itself.
	Certifying func() *Certifying
	// Vouching says who opens connections, for requests without a signature. It returns the same pointer for as long as
	// nothing changes, and nil when the network vouches for nobody. May be nil itself.
	Vouching func() *Vouching
	// Certificate returns the key pair for a handshake by the certificate ARN of a service, empty for none, and the
	// server name that the client asks for. It returns the same pointer for as long as the pair is the same. Without it
	// nobody can speak TLS.
	Certificate func(arn, name string) (*tls.Certificate, error)
	// Groups are the running target groups.
	Groups *targetgroup.Manager
	// Log takes the record of each request from the worker that served it. It must not keep the record or its
	// strings. May be nil.
	Log func(worker int, r *accesslog.Record)
	// LogResource is Log for each connection to a TCP resource. May be nil.
	LogResource func(worker int, r *accesslog.ResourceRecord)
	// GatewaySocket makes a socket for a connection to a resource, not yet connected and non-blocking, inside a VPC and
	// bound to an address of the resource's gateway there. Without it no resource is reached.
	GatewaySocket func(vpcID string, from netip.Addr, to netip.AddrPort) (fd int, err error)
	// LookUp finds the addresses of a resource's domain name, and for how long they may be kept: with the resolver of a
	// VPC, or as this node resolves names when that is empty. Without it no resource is reached by a name.
	LookUp func(ctx context.Context, vpcID, name string) (addrs []netip.Addr, ttl time.Duration, err error)
	Region string
	// Strict refuses what AWS refuses: signed payloads, connections older than ten minutes, more than 10,000
	// requests a second to one service.
	Strict bool
	Now    func() time.Time // time.Now when nil
	Logger *slog.Logger     // discards when nil
	// Joined tells that sockets may be joined past TCP (package vpc, Accelerator).
	Joined bool
	// Workers is how many event loops share the work; as many as Go may run goroutines at once when 0.
	Workers int
	// MaxConnections bounds the clients' connections of all listeners together. When it is reached, idle
	// connections are closed to make room. 0 is two thirds of the descriptors that the process may have beyond
	// what it needs for itself: a connection in use needs a second one, to its target.
	MaxConnections int
	// MaxMemory bounds what the requests in flight take, in bytes; beyond it they are answered with 503. 0 is 1 GiB.
	MaxMemory int64
	// DrainTimeout bounds how long requests in flight may go on after Run's or Serve's context is done; 60 s when 0.
	DrainTimeout time.Duration
	// Decisions is how many decisions to let a request go on each loop keeps for Explain, and four times as many as it keeps
	// of denials. 0 keeps none.
	Decisions int
}

// Server serves the listeners of VPCs.
type Server struct {
	Options

	workers []*worker
	running chan struct{} // closed when the workers are there
	stop    chan struct{} // closed when Run's context is done: no new connections
	quiet   chan struct{} // closed when no Serve call is left after that

	open     atomic.Int64 // clients' connections
	pressed  int64        // so many of them are nearly too many
	rates    sync.Map     // *rate by the ARN of a service, with Strict
	accounts sync.Map     // *accountUse by id: those that have ever called
	active   atomic.Int64 // accounts with connections

	accepted, shed, refused, handshakes, handshakesFailed atomic.Uint64 // Stats
	resources, resourcesFailed                            atomic.Uint64 // Stats too

	names *names // of resources

	tls          *tls.Config // of every handshake, until the client has said whom it wants
	ticketSecret [32]byte    // what the keys of session tickets are derived from

	seed maphash.Seed // of the hashes of requests' ids

	mu      sync.Mutex
	serving int // Serve calls
	stopped bool
}

// New returns a Server. It starts nothing.
func New(o Options) *Server {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Certifying == nil {
		o.Certifying = func() *Certifying { return nil }
	}
	if o.Log == nil {
		o.Log = func(int, *accesslog.Record) {}
	}
	if o.LogResource == nil {
		o.LogResource = func(int, *accesslog.ResourceRecord) {}
	}
	if o.Vouching == nil {
		o.Vouching = func() *Vouching { return nil }
	}
	if o.GatewaySocket == nil {
		o.GatewaySocket = func(string, netip.Addr, netip.AddrPort) (int, error) {
			return -1, errors.New("this node has no resource gateways")
		}
	}
	if o.LookUp == nil {
		o.LookUp = func(context.Context, string, string) ([]netip.Addr, time.Duration, error) {
			return nil, 0, errors.New("this node looks up no names")
		}
	}
	if o.DrainTimeout == 0 {
		o.DrainTimeout = defaultDrain
	}
	if o.MaxConnections == 0 {
		o.MaxConnections = defaultConnections()
	}
	if o.MaxMemory == 0 {
		o.MaxMemory = 1 << 30
	}
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Certificate == nil {
		o.Certificate = func(_, _ string) (*tls.Certificate, error) { return nil, errors.New("this node has no certificates") }
	}
	s := &Server{Options: o, pressed: int64(o.MaxConnections - o.MaxConnections/reserve), ticketSecret: newTicketSecret(), seed: maphash.MakeSeed(),
		running: make(chan struct{}), stop: make(chan struct{}), quiet: make(chan struct{})}
	s.tls = s.tlsConfig()
	s.names = newNames(o.LookUp, o.Now)
	return s
}

// ownDescriptors is how many descriptors are left to the rest of the process.
const ownDescriptors = 64

// defaultConnections is MaxConnections as the limits of the process suggest it.
func defaultConnections() int {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil {
		return 1024
	}
	return max(int(min(r.Cur, 1<<20)-ownDescriptors)*2/3, 16)
}

// Run runs the event loops until ctx is done and the Serve calls, which then finish the requests in flight, have
// returned. It is called once.
func (s *Server) Run(ctx context.Context) error {
	for i := range s.Workers {
		w, err := newWorker(s, i)
		if err != nil {
			for _, made := range s.workers {
				made.loop.Stop()
				made.loop.Run()
			}
			s.halt()
			return fmt.Errorf("data plane: %w", err)
		}
		s.workers = append(s.workers, w)
	}
	close(s.running)
	defer s.names.end()
	var loops errgroup.Group
	for _, w := range s.workers {
		loops.Go(w.loop.Run)
	}
	<-ctx.Done()
	s.halt()
	<-s.quiet
	for _, w := range s.workers {
		w.loop.Post(w.loop.Stop)
	}
	return loops.Wait()
}

// enter notes a Serve call, and tells whether it may begin.
func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stopped {
		s.serving++
	}
	return !s.stopped
}

// leave undoes enter.
func (s *Server) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.serving--; s.stopped && s.serving == 0 {
		close(s.quiet)
	}
}

// halt makes the Serve calls end.
func (s *Server) halt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	close(s.stop)
	if s.serving == 0 {
		close(s.quiet)
	}
}

// listener is one listening socket: one VPC, one association's slot or VPC endpoint, one port; or one VPC and all of its
// resources.
type listener struct {
	s         *Server
	vpcID     string
	slot      int
	endpoint  string // in place of a slot
	port      int
	resources bool        // in place of all these
	quiet     atomic.Bool // connections to resources end when nothing is sent for a moment

	draining atomic.Bool
	conns    atomic.Int64  // open ones
	empty    chan struct{} // capacity 1: there is none left, maybe
}

// Serve takes connections from a listening socket, which it owns, all of which come from the clients of one VPC to
// the address of one association's slot and one port, until ctx or Run's context is done. Then it finishes the
// requests in flight, within the drain's bound, and returns. It waits for Run.
func (s *Server) Serve(ctx context.Context, socket int, vpcID string, slot, port int) error {
	return s.serve(ctx, socket, &listener{vpcID: vpcID, slot: slot, port: port})
}

// ServeEndpoint is Serve for the address of a VPC endpoint and one port.
func (s *Server) ServeEndpoint(ctx context.Context, socket int, vpcID, endpointID string, port int) error {
	return s.serve(ctx, socket, &listener{vpcID: vpcID, endpoint: endpointID, port: port})
}

// network is the service network that connections to the listener lead to, nil when there is none.
func (l *listener) network(v *routing.VPC) *routing.Network {
	if l.endpoint != "" {
		return v.Endpoint(l.endpoint)
	}
	return v.Network(l.slot)
}

// serve takes the connections of a listener.
func (s *Server) serve(ctx context.Context, socket int, l *listener) error {
	if !s.enter() {
		unix.Close(socket)
		return nil
	}
	defer s.leave()
	select {
	case <-s.running:
	case <-s.stop:
		unix.Close(socket)
		return nil
	case <-ctx.Done():
		unix.Close(socket)
		return nil
	}
	l.s, l.empty = s, make(chan struct{}, 1)
	ends, err := l.listen(socket)
	if err == nil {
		select {
		case <-ctx.Done():
		case <-s.stop:
		}
	}
	l.draining.Store(true)
	for i, end := range ends {
		s.workers[i].do(end)
	}
	unix.Close(socket)
	l.quiet.Store(context.Cause(ctx) == ErrStopping)
	l.drain()
	return err
}

// ErrStopping is the cause of a context's end for Serve and its like when the whole node stops. Connections to resources
// then end as soon as they pause: a database's clients keep them for ever, and all requests would wait for the next
// process as long as the drain may last.
var ErrStopping = errors.New("the node stops")

// listen makes every worker take connections. ends undo it; each is called on its worker.
func (l *listener) listen(socket int) (ends []func(), err error) {
	for _, w := range l.s.workers {
		var n *reactor.Listener
		w.do(func() {
			var failed error
			n, failed = w.listen(l, socket)
			err = errors.Join(err, failed)
		})
		ends = append(ends, func() {
			n.AcceptAll() // what the kernel has accepted already is served, not reset
			n.Close()
		})
	}
	return ends, err
}

// drain closes the idle connections that have been used, waits for the others, and cuts what is left when the time is up.
func (l *listener) drain() {
	for _, w := range l.s.workers {
		w.loop.Post(func() {
			w.each(l, (*conn).dismiss)
			if l.quiet.Load() {
				w.each(l, (*conn).quieten)
			}
		})
	}
	t := time.NewTimer(l.s.DrainTimeout)
	defer t.Stop()
	for l.conns.Load() > 0 {
		select {
		case <-l.empty:
		case <-t.C:
			for _, w := range l.s.workers {
				w.loop.Post(func() { w.each(l, (*conn).cut) })
			}
		}
	}
}

// left notes that a connection has ended.
func (l *listener) left() {
	if l.conns.Add(-1) == 0 {
		select {
		case l.empty <- struct{}{}:
		default:
		}
	}
}
