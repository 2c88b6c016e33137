package dataplane

import (
	"crypto/tls"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/trellis-project/trellis/http2"
	"github.com/trellis-project/trellis/reactor"
	"github.com/trellis-project/trellis/routing"
	"github.com/trellis-project/trellis/streams"
	"github.com/trellis-project/trellis/targetgroup"
)

const (
	// turnRequests bounds the requests that a worker begins between two looks at the kernel's news.
	turnRequests = 32
	// exchangesKept bounds the exchanges that a worker keeps for later.
	exchangesKept = 256
	// Bounds of the pause when there is no room for another connection.
	minWait, maxWait = 5 * time.Millisecond, time.Second
	// spread is how many more connections one worker may have than another before new ones are passed on.
	spread = 8
)

// worker is one event loop and what it needs to serve requests, shared with nobody.
type worker struct {
	s     *Server
	index int // among the workers
	loop  *reactor.Loop
	pool  *targetgroup.Pool
	count atomic.Int64 // connections that are its own, or on their way to it

	requests atomic.Uint64 // accounted for
	failing  sync.Mutex
	failures map[Failure]uint64 // guarded by failing

	waiting idleList // connections between two requests, the one that waits for longest first
	tenants map[*accountUse]*tenant
	round   []*tenant // those with connections that have something to be served, in the order of their turns

	inFlight    int   // exchanges in use
	heldBytes   int64 // of bodies that are held to be verified
	exchanges   []*exchange
	full        []pausedListener
	http2       http2.Pool
	streams     streams.Pool
	multiplexed []*stream        // requests of HTTP/2, to be used again
	led         map[*conn]string // the connections to resources that VPC endpoints lead to, with the endpoints' ids
	ledBy       *routing.Table   // by which led was last looked at
	looking     bool             // it will be looked at again
	configs     map[*tls.Certificate]*tls.Config
	date        [len(http.TimeFormat)]byte
	dated       time.Time // the second that date is of

	configPeriod int64 // of the session tickets of configs

	allowed, denied ring          // the latest decisions
	explained       int           // denials of this second
	explainedSince  time.Duration // when that began
}

// newWorker makes a worker.
func newWorker(s *Server, index int) (*worker, error) {
	w := &worker{s: s, index: index, tenants: map[*accountUse]*tenant{}, failures: map[Failure]uint64{}, led: map[*conn]string{}, configs: map[*tls.Certificate]*tls.Config{}}
	w.allowed.size, w.denied.size = s.Decisions, s.Decisions/deniedShare
	w.waiting.init()
	loop, err := reactor.New(reactor.Options{Turn: w.turn, Now: s.Now, Joined: s.Joined})
	if err != nil {
		return nil, err
	}
	w.loop, w.pool = loop, s.Groups.NewPool(loop)
	if s.Strict {
		loop.After(ageEvery, w.age)
	}
	return w, nil
}

// ageEvery is how often a worker looks for connections that are too old.
const ageEvery = time.Second

// age ends the connections that are older than they may be.
func (w *worker) age() {
	w.loop.Each(func(o reactor.Owner) {
		if c, ok := o.(*conn); ok && !c.l.resources && w.loop.Now()-c.born > strictLifetime {
			c.outlive()
		} else if ok && c.http2 != nil && c.tooOld() {
			c.http2.leave()
		}
	})
	w.loop.After(ageEvery, w.age)
}

// do runs f on the loop and waits for it.
func (w *worker) do(f func()) {
	done := make(chan struct{})
	if w.loop.Post(func() { defer close(done); f() }) {
		<-done
	}
}

// listen takes the connections of a listener.
func (w *worker) listen(l *listener, socket int) (n *reactor.Listener, err error) {
	n, err = w.loop.Listen(socket, func(fd int, from netip.AddrPort) bool { return w.take(l, n, fd, from) }, func(err error) {
		w.s.Logger.Warn("accept failed", "vpc_id", l.vpcID, "slot", l.slot, "port", l.port, "error", err)
	})
	return n, err
}

// take takes an accepted connection, or passes it on to a worker that has fewer. It returns false when there is no
// room for a further one of the same account.
func (w *worker) take(l *listener, n *reactor.Listener, fd int, from netip.AddrPort) bool {
	a := w.s.account(l)
	l.conns.Add(1)
	open := w.s.open.Add(1)
	w.s.enterAccount(a)
	w.s.accepted.Add(1)
	to := w
	for _, other := range w.s.workers {
		if other.count.Load()+spread < to.count.Load() {
			to = other
		}
	}
	to.count.Add(1)
	var c *conn
	if to == w {
		c = w.adopt(l, a, fd, from)
	} else if !to.loop.Post(func() { to.adopt(l, a, fd, from) }) {
		unix.Close(fd)
		w.s.leaveAccount(a)
		to.gone(l)
	}
	if open < w.s.room(a) || w.makeRoom(c, a) {
		return true
	}
	w.full = append(w.full, pausedListener{n, a})
	if len(w.full) == 1 {
		w.retryFull(minWait)
	}
	return false
}

// pausedListener takes no connections for want of room.
type pausedListener struct {
	*reactor.Listener
	of *accountUse
}

// makeRoom closes, for the sake of an account, the connection that has waited for longest for a next request, here
// or, a little later, with another worker; not the one that has come just now. It returns false when nobody waits here.
func (w *worker) makeRoom(but *conn, a *accountUse) bool {
	if w.shed(but, a) {
		return true
	}
	for _, other := range w.s.workers {
		if other != w {
			other.loop.Post(func() {
				if other.s.open.Load() >= other.s.room(a) {
					other.shed(nil, a)
				}
			})
		}
	}
	return false
}

// shedTries bounds the connections that shed looks at.
const shedTries = 64

// shed closes the connection that has waited for longest and has sent nothing, of the account itself or of one that
// has more connections than it.
func (w *worker) shed(but *conn, a *accountUse) bool {
	for c, tries := w.waiting.first(), 0; c != nil && tries < shedTries; c, tries = w.waiting.after(c), tries+1 {
		of := c.tenant.of
		if c != but && (of == a || of.conns.Load() > a.conns.Load()) && c.Silent() {
			w.s.shed.Add(1)
			c.end()
			return true
		}
	}
	return false
}

// retryFull lets the listeners go on that wait for room, once there is some.
func (w *worker) retryFull(wait time.Duration) {
	w.loop.After(wait, func() {
		w.resumeFull()
		if len(w.full) > 0 {
			w.makeRoom(nil, w.full[0].of)
			w.resumeFull()
		}
		if len(w.full) > 0 {
			w.retryFull(min(2*wait, maxWait))
		}
	})
}

// resumeFull lets those listeners go on for which there is room now.
func (w *worker) resumeFull() {
	kept := w.full[:0]
	for _, n := range w.full {
		if w.s.open.Load() < w.s.room(n.of) {
			n.Resume()
		} else {
			kept = append(kept, n)
		}
	}
	w.full = kept
}

// gone forgets a connection of a listener.
func (w *worker) gone(l *listener) {
	w.count.Add(-1)
	w.s.open.Add(-1)
	if len(w.full) > 0 {
		w.resumeFull()
	}
	l.left()
}

// each calls f for the connections of a listener.
func (w *worker) each(l *listener, f func(*conn)) {
	w.loop.Each(func(o reactor.Owner) {
		if c, ok := o.(*conn); ok && c.l == l {
			f(c)
		}
	})
}

// exchange returns an exchange without a request.
func (w *worker) exchange(c client, l *listener, t *tenant, from netip.AddrPort) *exchange {
	var x *exchange
	if n := len(w.exchanges); n > 0 {
		x = w.exchanges[n-1]
		w.exchanges[n-1] = nil
		w.exchanges = w.exchanges[:n-1]
	} else {
		x = &exchange{small: make([]byte, headBuffer)}
		x.in = x.small
	}
	w.inFlight++
	t.serving++
	x.c, x.w, x.l, x.tenant, x.from = c, w, l, t, from
	x.reset()
	return x
}

// appendDate writes the Date field of now.
func (w *worker) appendDate(out []byte) []byte {
	out = append(out, "Date: "...)
	out = append(out, w.dateOf()...)
	return append(out, "\r\n"...)
}

// dateOf is the value of a Date field of now.
func (w *worker) dateOf() []byte {
	if now := w.loop.Time(); now.Sub(w.dated) >= time.Second || w.dated.IsZero() {
		w.dated = now.Truncate(time.Second)
		w.dated.UTC().AppendFormat(w.date[:0], http.TimeFormat)
	}
	return w.date[:]
}
