package dataplane

import "time"

const (
	// exchangeCost is what a request in flight takes besides buffers, in bytes: its exchange with the fields of two
	// heads, its fiber's stack, the connection to its target.
	exchangeCost = 16 << 10
	// sessionCost is what a connection of HTTP/2 takes whose client does not read, in bytes.
	sessionCost = 64 << 10
	// pressedWait is how long a wait in the middle of a message may last while the node is short of memory or
	// connections.
	pressedWait = 5 * time.Second
)

// memory is what the requests in flight of this worker take, in bytes.
func (w *worker) memory() int64 {
	return int64(w.inFlight)*exchangeCost + int64(w.loop.BuffersOut()) + int64(w.http2.Held())*sessionCost + w.heldBytes
}

// mayServe tells whether there is memory for one more request of a tenant. Each worker has an equal part of
// Options.MaxMemory; the last of it is for tenants that have no more than an equal share of the requests in flight, and one
// that is alone leaves that for the next one.
func (w *worker) mayServe(t *tenant) bool {
	limit := w.s.MaxMemory / int64(len(w.s.workers))
	if t.serving*max(len(w.tenants), 2) > w.inFlight {
		limit -= limit / reserve
	}
	return w.memory() < limit
}

// overrun tells whether so much is taken that nothing may even wait to be refused.
func (w *worker) overrun() bool {
	return w.memory() > w.s.MaxMemory/int64(len(w.s.workers))*(reserve+1)/reserve
}

// patience is how long a wait in the middle of a message may last that may otherwise last d.
func (w *worker) patience(d time.Duration) time.Duration {
	if d > pressedWait && (w.s.open.Load() >= w.s.pressed || w.memory()*int64(len(w.s.workers)) >= w.s.MaxMemory/reserve*(reserve-1)) {
		return pressedWait
	}
	return d
}
