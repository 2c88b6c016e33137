package dataplane

import (
	"github.com/trellis-project/trellis/authpolicy"
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
	x.rec.FailureReason = x.carry(&c.Conn, &t.Conn, h.first)
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
	if !x.network.Layer.Enforced && !x.service.Layer.Enforced {
		x.allowed(authpolicy.ActionConnect, authpolicy.Decision{})
		return nil
	}
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
