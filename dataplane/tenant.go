package dataplane

import "sync/atomic"

// accountUse is an AWS account whose VPCs clients call from, as all workers together see it.
type accountUse struct {
	conns atomic.Int64 // open connections
}

// account returns the account that owns the VPC of a listener.
func (s *Server) account(l *listener) *accountUse {
	id := ""
	if t := s.Table(); t != nil {
		if v := t.VPC(l.vpcID); v != nil {
			id = v.Account
		}
	}
	if a, ok := s.accounts.Load(id); ok {
		return a.(*accountUse)
	}
	a, _ := s.accounts.LoadOrStore(id, &accountUse{})
	return a.(*accountUse)
}

// enterAccount counts a connection of the account.
func (s *Server) enterAccount(a *accountUse) {
	if a.conns.Add(1) == 1 {
		s.active.Add(1)
	}
}

// leaveAccount undoes enterAccount.
func (s *Server) leaveAccount(a *accountUse) {
	if a.conns.Add(-1) == 0 {
		s.active.Add(-1)
	}
}

// reserve is the part of what there is, one of so many, that is kept for accounts that hold less than an equal share.
const reserve = 8

// room is how many connections there may be for one more of an account to be welcome. An account that is alone leaves
// the reserve for the next one.
func (s *Server) room(a *accountUse) int64 {
	limit := int64(s.MaxConnections)
	if a.conns.Load()*max(s.active.Load(), 2) > limit {
		limit -= limit / reserve
	}
	return limit
}

// tenant is an account as one worker sees it. The connections of each have a queue of their own, and the tenants take
// turns: one that floods the node keeps its own requests waiting, not those of others.
type tenant struct {
	of      *accountUse
	open    int       // connections of this worker
	serving int       // of those, the ones that a fiber serves
	queue   []waiting // what is to be served
	from    int       // where the queue begins
	inRound bool
}

// waiting is what waits for the turn of its account: a connection that has sent something, or a request of HTTP/2.
type waiting interface{ turn() }

// join makes a connection of an account one of its tenant's.
func (w *worker) join(a *accountUse) *tenant {
	t := w.tenants[a]
	if t == nil {
		t = &tenant{of: a}
		w.tenants[a] = t
	}
	t.open++
	return t
}

// leave undoes join.
func (w *worker) leave(t *tenant) {
	if t.open--; t.open == 0 && !t.inRound {
		delete(w.tenants, t.of)
	}
	w.s.leaveAccount(t.of)
}

// enqueue notes that a connection has something to be served.
func (w *worker) enqueue(c *conn) {
	c.state = queued
	w.line(c.tenant, c)
}

// line puts something in a tenant's queue.
func (w *worker) line(t *tenant, what waiting) {
	t.queue = append(t.queue, what)
	if !t.inRound {
		t.inRound = true
		w.round = append(w.round, t)
	}
}

// turn begins to serve requests, one of each tenant in turn, and tells whether there are more.
func (w *worker) turn() bool {
	for n := 0; n < turnRequests && len(w.round) > 0; n++ {
		t := w.round[0]
		c := t.queue[t.from]
		t.queue[t.from] = nil
		t.from++
		if len(w.round) > 1 {
			copy(w.round, w.round[1:])
			w.round[len(w.round)-1] = t
		}
		if t.from == len(t.queue) {
			t.queue, t.from, t.inRound = t.queue[:0], 0, false
			w.round = w.round[:len(w.round)-1]
			if t.open == 0 {
				delete(w.tenants, t.of)
			}
		} else if t.from >= 1024 && 2*t.from > len(t.queue) {
			t.queue, t.from = append(t.queue[:0], t.queue[t.from:]...), 0
		}
		c.turn()
	}
	return len(w.round) > 0
}
