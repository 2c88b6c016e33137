package dataplane

import (
	"errors"
	"io"
	"time"

	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/reactor"
	"github.com/trellis-project/trellis/routing"
	"github.com/trellis-project/trellis/targetgroup"
)

// passThrough carries a TLS connection to a target of its service as it comes: everything that decides about it stands
// here, in order (VPC Lattice user guide, tls-listeners).
func (c *conn) passThrough(h *hello) {
	x := c.begin()
	x.vpc, x.network, x.service, x.listener = h.vpc, h.network, h.service, h.listener
	x.beginPassing(h.name)
	defer c.free()
	defer x.account()
	x.rec.BytesReceived = int64(len(h.first))
	if !c.w.mayServe(c.tenant) {
		c.w.s.refused.Add(1)
		x.rec.FailureReason = failInternal
		c.Abort()
		return
	}
	if !x.withinRate() {
		x.rec.FailureReason = failRateLimited
		c.Abort()
		return
	}
	if denied := x.authorizeConnect(); denied != nil {
		x.rec.AuthDeniedReason, x.rec.FailureReason = denied.layer, denied.reason
		c.Abort()
		return
	}
	x.rule = x.listener.Match(&routing.Request{})
	if id := x.rule.Action.Next(); id != "" {
		x.group = c.l.s.Groups.Group(id)
	}
	if x.group == nil {
		x.rec.FailureReason = failTargetConnection
		c.Abort()
		return
	}
	x.rec.TargetGroupARN, x.rec.DestinationVPCID = x.group.ARN, x.group.VPCID
	t, err := x.reach()
	if err != nil {
		x.rec.FailureReason = failTargetConnection
		c.Abort()
		return
	}
	defer t.Close()
	x.target = t
	x.rec.RequestToTarget = c.w.loop.Now() - x.began
	x.rec.FailureReason = c.carry(&t.Conn, h.first)
	x.target = nil
}

// beginPassing prepares the exchange of a connection that is passed through.
func (x *exchange) beginPassing(name string) {
	loop := x.w.loop
	x.began, x.start = loop.Now(), loop.Time()
	if x.service.IdleTimeout > 0 {
		x.idle = x.service.IdleTimeout
	}
	r := &x.rec
	r.Start, r.Source, r.SourceVPCID, r.SourceVPCARN = x.start, x.from, x.l.vpcID, x.vpc.ARN
	r.ServiceNetworkARN, r.ServiceARN, r.ListenerID, r.ListenerType = x.network.ARN, x.service.ARN, x.listener.ID, string(x.listener.Protocol)
	r.ServerName, r.ResolvedUser, r.RequestID = name, "Anonymous", x.newRequestID()
}

// authorizeConnect asks the policies of the network and the service. Nobody is known of a connection that is passed
// through, so it is anonymous.
func (x *exchange) authorizeConnect() *denial {
	x.policy = authpolicy.Request{Action: authpolicy.ActionConnect, Resource: x.service.ARN}
	return x.decide()
}

// reach connects to a target of the group: another one when that fails.
func (x *exchange) reach() (t *targetgroup.Conn, err error) {
	var last *targetgroup.Target
	for range maxTargets {
		target := x.pickOther(last)
		if target == nil {
			return nil, errNoTarget
		}
		if target == last {
			return nil, err
		}
		last, x.rec.Target = target, target.Addr
		if t, err = x.w.pool.Dial(target); err == nil {
			return t, nil
		}
	}
	return nil, err
}

// carriage is one direction of a connection that is carried as it comes.
type carriage struct {
	loop     *reactor.Loop
	from, to *reactor.Conn
	idle     *time.Duration // it may become shorter meanwhile
	carried  int64
	err      error // why it ended; nil at the end of what is sent
	done     reactor.Signal
}

// carry carries what client and target send each other until both have ended, one fails, or nothing was sent for the
// exchange's idle timeout. first has been read from the client already. It returns the reason of a failure.
func (c *conn) carry(t *reactor.Conn, first []byte) (reason string) {
	loop := c.w.loop
	up := &carriage{loop: loop, from: &c.Conn, to: t, idle: &c.x.idle}
	down := &carriage{loop: loop, from: t, to: &c.Conn, idle: &c.x.idle}
	t.SetWriteDeadline(loop.Now() + c.x.idle)
	if _, err := t.Write(first); err != nil {
		c.Abort()
		return failTargetClosed
	}
	loop.Go(up)
	down.Run()
	for loop.Await(&up.done, time.Hour) != nil {
	}
	c.x.rec.BytesReceived += up.carried
	c.x.rec.BytesSent += down.carried
	switch {
	case c.outlived:
		reason = failTooLong
	case reactor.IsTimeout(up.err) || reactor.IsTimeout(down.err), errors.Is(down.err, errCut):
		// Nothing was sent for the idle timeout, or the node stops: that is how such connections end.
	case errors.Is(down.err, errClientGone):
		reason = failClientClosed
	case down.err != nil && !errors.Is(down.err, errOther):
		reason = failTargetClosed
	case up.err != nil && !errors.Is(up.err, errOther):
		reason = failClientClosed
	}
	if reason != failNone {
		c.Abort()
	}
	return reason
}

// errOther ends a direction when the other one has failed.
var errOther = errors.New("the other direction has failed")

// Run carries one direction. It is a fiber's task. No buffer is held while nothing comes.
func (d *carriage) Run() {
	d.err = d.run()
	if d.err != nil {
		d.from.Interrupt(errOther)
		d.to.Interrupt(errOther)
	}
	d.done.Set()
}

// run is Run's loop.
func (d *carriage) run() error {
	d.stir()
	for {
		if err := d.from.WaitRead(); err != nil {
			return err
		}
		b := d.loop.Buffer()
		n, err := d.from.TryRead(b)
		if n > 0 {
			d.stir()
			_, err = d.to.Write(b[:n])
			d.carried += int64(n)
		}
		d.loop.Release(b)
		switch {
		case errors.Is(err, io.EOF):
			return d.to.CloseWrite()
		case err != nil:
			return err
		}
	}
}

// stir puts off the end for want of anything sent, in both directions.
func (d *carriage) stir() {
	due := d.loop.Now() + *d.idle
	d.from.SetReadDeadline(due)
	d.to.SetReadDeadline(due)
	d.to.SetWriteDeadline(due)
}
