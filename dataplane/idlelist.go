package dataplane

// idleList is the connections that wait for a next request, in the order in which they began to: a ring through the
// connections themselves.
type idleList struct{ ring conn }

// init makes the list empty.
func (l *idleList) init() { l.ring.prev, l.ring.next = &l.ring, &l.ring }

// first is the connection that waits for longest, nil when none does.
func (l *idleList) first() *conn { return l.after(&l.ring) }

// after is the connection that follows another one, nil when none does.
func (l *idleList) after(c *conn) *conn {
	if c.next == &l.ring {
		return nil
	}
	return c.next
}

// add puts a connection at the end.
func (l *idleList) add(c *conn) {
	c.prev, c.next = l.ring.prev, &l.ring
	c.prev.next, c.next.prev = c, c
}

// remove takes a connection out.
func (l *idleList) remove(c *conn) {
	c.prev.next, c.next.prev = c.next, c.prev
	c.prev, c.next = nil, nil
}
