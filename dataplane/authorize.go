package dataplane

import (
	"unsafe"

	"github.com/trellis-project/trellis/authpolicy"
)

// authorize asks the policies of the network, the service and the caller. Where neither the network nor the service
// authorizes (auth type NONE), nobody is asked, the caller's own policies neither.
func (x *exchange) authorize() *denial {
	if !x.network.Layer.Enforced && !x.service.Layer.Enforced {
		x.allowed(authpolicy.ActionInvoke, authpolicy.Decision{})
		return nil
	}
	x.resource = append(append(x.resource[:0], x.service.ARN...), x.req.Path...)
	x.policy = authpolicy.Request{
		Action: authpolicy.ActionInvoke, Resource: unsafe.String(unsafe.SliceData(x.resource), len(x.resource)), Caller: x.caller,
		Method: x.req.Method, Path: x.req.Path, RawQuery: x.req.RawQuery, Headers: x.req.Fields,
	}
	return x.decide()
}

// decide asks the policies about x.policy, whose facts of the network are filled in here.
func (x *exchange) decide() *denial {
	p := &x.policy
	p.Port, p.ServiceARN, p.ServiceNetworkARN = x.l.port, x.service.ARN, x.network.ARN
	p.SourceVPC, p.SourceVPCOwner, p.SourceIP = x.vpc.ID, x.vpc.Account, x.from.Addr()
	p.Now, p.ResourceTags, p.SecureTransport = x.l.s.Now(), x.service.Tags, x.tls != nil || p.Action == authpolicy.ActionConnect
	if control := x.l.s.ResourceControl; control != nil {
		p.ResourceControl = control(x.service.Account())
	}
	d := authpolicy.Invoke(&x.policy, x.network.Layer, x.service.Layer)
	if d.Allowed {
		x.allowed(p.Action, d)
		return nil
	}
	return x.deniedBy(&d)
}
