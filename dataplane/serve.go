package dataplane

import (
	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/routing"
)

// serve serves one request whose head has been read: everything that decides about it stands here, in order.
func (x *exchange) serve() {
	x.begin()
	defer x.account()
	if !x.w.mayServe(x.tenant) {
		x.w.s.refused.Add(1)
		x.last, x.unread = true, !x.c.bodyDone()
		x.answer(503, failInternal)
		return
	}

	// Where to? One table for the whole request.
	table := x.l.s.Table()
	if !x.locate(table) {
		x.answer(404, failNone)
		return
	}
	if status := x.misdirected(); status != 0 {
		x.answer(status, failClientProtocol)
		return
	}
	if !x.withinRate() {
		x.answer(429, failRateLimited)
		return
	}
	x.rule = x.listener.Match(&x.match)

	// Who, and may they?
	if denied := x.certify(); denied != nil {
		x.deny(denied)
		return
	}
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
	if s := x.rule.Action.FixedStatus(); s != 0 {
		x.answer(s, failNone)
		return
	}
	id := x.rule.Action.Next()
	if id != "" {
		x.group = x.l.s.Groups.Group(id)
	}
	if x.group == nil {
		x.answer(503, failTargetConnection)
		return
	}
	x.rec.TargetGroupARN, x.rec.DestinationVPCID = x.group.ARN, x.group.VPCID
	if x.version == 1 {
		x.asksForWebSocket()
	}
	switch {
	case x.unserved:
		x.answer(501, failClientProtocol)
	case !x.carries():
		x.answer(502, failTargetProtocol)
	case x.group.Multiplexed():
		x.forwardStream()
	default:
		x.forward()
	}
}

// carries tells whether a request can go to its target group, as the protocol versions of both are (VPC Lattice user guide,
// target-groups, protocol version).
func (x *exchange) carries() bool {
	switch x.group.ProtocolVersion {
	case "HTTP2":
		return x.version == 2
	case "GRPC":
		return x.version == 2 && x.req.Method == "POST"
	}
	return !x.grpc
}

// begin prepares what the stages share.
func (x *exchange) begin() {
	h := x.req
	x.body.Start(h)
	x.match.Method, x.match.Path, x.match.Headers = h.Method, h.Path, h.Fields
	x.beginRecord()
}

// misdirected is the status for a request that came another way than its listener is for, 0 when it did not: without
// TLS to a listener with it, or the other way round (RFC 9110 15.5.20).
func (x *exchange) misdirected() int {
	switch secure := x.tls != nil; {
	case secure && x.listener.Protocol != trellis.ProtocolHTTPS:
		return 421
	case !secure && x.listener.Protocol != trellis.ProtocolHTTP:
		return 400
	}
	return 0
}

// locate finds the service by its host and the listener by its port, in the network that the connection came
// through.
func (x *exchange) locate(t *routing.Table) bool {
	l := x.l
	if t == nil {
		return false
	}
	if x.vpc = t.VPC(l.vpcID); x.vpc == nil {
		return false
	}
	x.rec.SourceVPCARN = x.vpc.ARN
	if x.network = l.network(x.vpc); x.network == nil {
		return false
	}
	x.rec.ServiceNetworkARN = x.network.ARN
	if x.service = t.Service(x.network, x.req.Host); x.service == nil {
		return false
	}
	x.rec.ServiceARN = x.service.ARN
	if x.service.IdleTimeout > 0 {
		x.idle = x.service.IdleTimeout
	}
	if x.listener = x.service.Listener(l.port); x.listener == nil {
		return false
	}
	x.rec.ListenerID, x.rec.ListenerType = x.listener.ID, string(x.listener.Protocol)
	return true
}
