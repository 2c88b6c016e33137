package dataplane

import (
	"github.com/trellis-project/trellis/routing"
)

// serve serves one request whose head has been read: everything that decides about it stands here, in order.
func (x *exchange) serve() {
	x.begin()
	defer x.account()
	if !x.c.w.mayServe(x.c.tenant) {
		x.c.w.s.refused.Add(1)
		x.c.last, x.unread = true, !x.body.Done()
		x.answer(503, failInternal)
		return
	}

	// Where to? One table for the whole request.
	table := x.c.l.s.Table()
	if !x.locate(table) {
		x.answer(404, failNone)
		return
	}
	if !x.withinRate() {
		x.answer(429, failRateLimited)
		return
	}
	x.rule = x.listener.Match(&x.match)

	// Who, and may they?
	if denied := x.authenticate(); denied != nil {
		x.deny(denied)
		return
	}
	if denied := x.authorize(); denied != nil {
		x.deny(denied)
		return
	}

	// What does the rule say?
	if x.rule == nil {
		x.answer(404, failNone)
		return
	}
	if s := x.rule.Action.FixedStatus; s != 0 {
		x.answer(s, failNone)
		return
	}
	id := x.rule.Action.Next()
	if id != "" {
		x.group = x.c.l.s.Groups.Group(id)
	}
	if x.group == nil {
		x.answer(503, failTargetConnection)
		return
	}
	x.rec.TargetGroupARN, x.rec.DestinationVPCID = x.group.ARN, x.group.VPCID
	if x.group.ProtocolVersion != "HTTP1" && x.group.ProtocolVersion != "" {
		x.answer(502, failTargetProtocol) // a request of HTTP/1.1 cannot go to an HTTP/2 or gRPC target
		return
	}
	x.forward()
}

// begin prepares what the stages share.
func (x *exchange) begin() {
	h := &x.req
	x.body.Start(h)
	x.c.asked = true
	x.c.last = h.Close || x.c.l.draining.Load() || x.c.tooOld()
	x.match.Method, x.match.Path, x.match.Headers = h.Method, h.Path, h.Fields
	x.beginRecord()
}

// locate finds the service by its host and the listener by its port, in the network that the connection came
// through.
func (x *exchange) locate(t *routing.Table) bool {
	l := x.c.l
	if t == nil {
		return false
	}
	if x.vpc = t.VPC(l.vpcID); x.vpc == nil {
		return false
	}
	x.rec.SourceVPCARN = x.vpc.ARN
	if x.network = x.vpc.Network(l.slot); x.network == nil {
		return false
	}
	x.rec.ServiceNetworkARN = x.network.ARN
	if x.service = x.network.Service(x.req.Host); x.service == nil {
		return false
	}
	x.rec.ServiceARN = x.service.ARN
	if x.service.IdleTimeout > 0 {
		x.idle = x.service.IdleTimeout
	}
	x.c.idleIn = x.idle
	if x.listener = x.service.Listener(l.port); x.listener == nil {
		return false
	}
	x.rec.ListenerID, x.rec.ListenerType = x.listener.ID, string(x.listener.Protocol)
	return true
}
