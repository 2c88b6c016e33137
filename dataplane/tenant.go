package dataplane

// tenant is the account that owns a VPC, as one worker sees it. The connections of each tenant have a queue of their
// own, and the tenants take turns: one that floods the node keeps its own requests waiting, not those of others.
type tenant struct {
	account string
	conns   int     // open ones
	queue   []*conn // that have something to be served
	from    int     // where the queue begins
	inRound bool
}

// tenant returns the tenant that a connection of a listener belongs to.
func (w *worker) tenant(l *listener) *tenant {
	account := ""
	if t := w.s.Table(); t != nil {
		if v := t.VPC(l.vpcID); v != nil {
			account = v.Account
		}
	}
	t := w.tenants[account]
	if t == nil {
		t = &tenant{account: account}
		w.tenants[account] = t
	}
	t.conns++
	return t
}

// leave forgets a connection of a tenant.
func (w *worker) leave(t *tenant) {
	if t.conns--; t.conns == 0 && !t.inRound {
		delete(w.tenants, t.account)
	}
}

// enqueue notes that a connection has something to be served.
func (w *worker) enqueue(c *conn) {
	t := c.tenant
	c.state = queued
	t.queue = append(t.queue, c)
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
			if t.conns == 0 {
				delete(w.tenants, t.account)
			}
		} else if t.from >= 1024 && 2*t.from > len(t.queue) {
			t.queue, t.from = append(t.queue[:0], t.queue[t.from:]...), 0
		}
		if c.state == queued { // it was not closed meanwhile
			c.state = busy
			w.loop.Go(c)
		}
	}
	return len(w.round) > 0
}
