package dataplane

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/trellis-project/trellis/accesslog"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/routing"
	"github.com/trellis-project/trellis/sigv4"
	"github.com/trellis-project/trellis/targetgroup"
)

// Time limits (VPC Lattice user guide, quotas; where it is silent, what proxies commonly do).
const (
	headTimeout    = 5 * time.Second  // from the first byte of a head to its last
	defaultIdle    = 60 * time.Second // of a service that has no idle timeout of its own, and of a new connection
	strictLifetime = 10 * time.Minute // of a connection, with Options.Strict
	lingerTimeout  = 2 * time.Second  // reading on after a close, so that the answer arrives
	earlyAnswer    = 100 * time.Millisecond
	defaultDrain   = 60 * time.Second
	maxBackOff     = time.Second // after an accept that failed
)

// Options is what a Server needs.
type Options struct {
	// Table returns the table of now; a request asks once and uses it to its end.
	Table func() *routing.Table
	// Callers finds who an access key belongs to, and the key to verify with. Its errors are *trellis.Error.
	Callers func(accessKeyID, token string) (*authpolicy.Caller, *sigv4.Key, error)
	// Groups finds a running target group by its id, nil when there is none.
	Groups func(id string) *targetgroup.Group
	// Log takes the record of each request. It must not keep the record or its strings. May be nil.
	Log    func(*accesslog.Record)
	Region string
	// Strict refuses what AWS refuses: signed payloads, and connections older than ten minutes.
	Strict bool
	Now    func() time.Time // for signatures and policies; time.Now when nil
	Logger *slog.Logger     // discards when nil
	// MaxConnections bounds the clients' connections of all listeners together. When it is reached, idle
	// connections are closed to make room. 0 is two thirds of the descriptors that the process may have beyond
	// what it needs for itself: a connection in use needs a second one, to its target.
	MaxConnections int
	// DrainTimeout bounds how long requests in flight may go on after Serve's context is done; 60 s when 0.
	DrainTimeout time.Duration
}

// Server serves the listeners of VPCs.
type Server struct {
	Options

	room     chan struct{} // holds one element for each connection
	stop     chan struct{} // closed by Drain: no new connections
	kill     chan struct{} // closed by Drain when its time is up
	stopOnce sync.Once
	killOnce sync.Once
	serving  sync.WaitGroup
}

// New returns a Server. It starts nothing.
func New(o Options) *Server {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Log == nil {
		o.Log = func(*accesslog.Record) {}
	}
	if o.DrainTimeout == 0 {
		o.DrainTimeout = defaultDrain
	}
	if o.MaxConnections == 0 {
		o.MaxConnections = defaultConnections()
	}
	return &Server{Options: o, room: make(chan struct{}, o.MaxConnections), stop: make(chan struct{}), kill: make(chan struct{})}
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

// listener is one listening socket: one VPC, one association's slot, one port.
type listener struct {
	s     *Server
	ctx   context.Context // ends when connections must end: after the drain
	vpcID string
	slot  int
	port  int

	clock    atomic.Int64 // coarse time, Unix nanoseconds
	draining atomic.Bool

	mu       sync.Mutex
	conns    map[*conn]struct{}
	watching bool
	running  sync.WaitGroup // connections
	watches  sync.WaitGroup
	over     chan struct{} // closed when no connection is left and none will come
}

// Serve takes connections from ln, all of which come from the clients of one VPC to the address of one
// association's slot and one port, until ctx is done or Drain is called. Then it finishes the requests in
// flight, within the drain's bound, and returns. It closes ln.
func (s *Server) Serve(ctx context.Context, ln net.Listener, vpcID string, slot, port int) error {
	s.serving.Add(1)
	defer s.serving.Done()
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	l := &listener{s: s, ctx: life, vpcID: vpcID, slot: slot, port: port, conns: map[*conn]struct{}{}, over: make(chan struct{})}
	l.clock.Store(time.Now().UnixNano())

	stopping := make(chan struct{})
	accepted := make(chan struct{})
	go func() {
		select {
		case <-ctx.Done():
		case <-s.stop:
		case <-accepted:
			return
		}
		close(stopping)
		l.draining.Store(true)
		// What the kernel has accepted already is served, not reset.
		if d, ok := ln.(interface{ SetDeadline(time.Time) error }); ok && d.SetDeadline(time.Now().Add(20*time.Millisecond)) == nil {
			return
		}
		ln.Close()
	}()
	err := l.accept(ln, stopping)
	close(accepted)
	ln.Close()
	l.drain(end)
	return err
}

// accept takes connections until stopping is closed. Errors such as too many open files pass: it waits
// longer and longer, up to a second, and goes on with the connections that it has.
func (l *listener) accept(ln net.Listener, stopping <-chan struct{}) error {
	var wait time.Duration
	for {
		if !l.makeRoom(stopping) {
			return nil
		}
		nc, err := ln.Accept()
		if err != nil {
			<-l.s.room
		}
		if err == nil {
			wait = 0
			l.start(nc)
			continue
		}
		select {
		case <-stopping:
			return nil
		default:
		}
		if errors.Is(err, net.ErrClosed) {
			return err
		}
		if wait == 0 {
			l.s.Logger.Warn("accept failed", "vpc_id", l.vpcID, "slot", l.slot, "port", l.port, "error", err)
		}
		wait = min(max(2*wait, 5*time.Millisecond), maxBackOff)
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-stopping:
			t.Stop()
		}
	}
}

// makeRoom waits until one more connection may be taken. When there are too many, those of the listener that have
// been idle for longest are closed. It returns false when stopping is closed before.
func (l *listener) makeRoom(stopping <-chan struct{}) bool {
	for wait := 5 * time.Millisecond; ; wait = min(2*wait, maxBackOff) {
		select {
		case l.s.room <- struct{}{}:
			return true
		default:
		}
		l.shed()
		t := time.NewTimer(wait)
		select {
		case l.s.room <- struct{}{}:
			t.Stop()
			return true
		case <-t.C:
		case <-stopping:
			t.Stop()
			return false
		}
	}
}

// shed closes the connection that has waited longest for a next request.
func (l *listener) shed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	var oldest *conn
	var since int64
	for c := range l.conns {
		if at := c.waiting(); at != 0 && (oldest == nil || at < since) {
			oldest, since = c, at
		}
	}
	if oldest != nil {
		oldest.wake()
	}
}

// start begins to serve a connection.
func (l *listener) start(nc net.Conn) {
	c := newConn(l, nc)
	l.mu.Lock()
	l.conns[c] = struct{}{}
	l.running.Add(1)
	if !l.watching {
		l.watching = true
		l.clock.Store(time.Now().UnixNano())
		l.watches.Add(1)
		go l.watch()
	}
	l.mu.Unlock()
	go c.serve()
}

// ended forgets a connection.
func (l *listener) ended(c *conn) {
	l.mu.Lock()
	delete(l.conns, c)
	l.mu.Unlock()
	<-l.s.room
	l.running.Done()
}

// drain wakes the idle connections, waits for the others, and cuts what is left when the time is up.
func (l *listener) drain(end func()) {
	l.draining.Store(true)
	l.mu.Lock()
	for c := range l.conns {
		c.wake()
	}
	l.mu.Unlock()
	done := make(chan struct{})
	go func() {
		l.running.Wait()
		close(done)
	}()
	t := time.NewTimer(l.s.DrainTimeout)
	defer t.Stop()
	select {
	case <-done:
	case <-t.C:
		l.cut(end)
	case <-l.s.kill:
		l.cut(end)
	}
	<-done
	close(l.over)
	l.watches.Wait()
}

// cut ends what the connections do.
func (l *listener) cut(end func()) {
	end()
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		c.cut()
	}
}

// Drain makes all Serve calls stop taking connections and finish the requests in flight. It returns when they
// have; when ctx is done before, what is left is cut. The Server cannot be used again.
func (s *Server) Drain(ctx context.Context) {
	s.stopOnce.Do(func() { close(s.stop) })
	done := make(chan struct{})
	go func() {
		s.serving.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		s.killOnce.Do(func() { close(s.kill) })
		<-done
	}
}
