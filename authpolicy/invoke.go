package authpolicy

import (
	"strings"
	"time"

	"github.com/trellis-project/trellis"
)

// The names of the layers, as AWS's sentences have them.
const (
	LayerNetwork         = "network-based"
	LayerService         = "service-based"
	LayerIdentity        = "identity-based"
	LayerSession         = "session" // the part of the identity layer that came with AssumeRole
	LayerBoundary        = "permissions boundary"
	LayerServiceControl  = "service control"
	LayerResourceControl = "resource control"
)

// Layer is the auth policy of a service network or service. The zero value is auth type NONE, which allows.
type Layer struct {
	Enforced bool    // the auth type is AWS_IAM
	Policy   *Policy // nil while enforced denies everything
	Broken   error   // why the policy could not be compiled; denies everything while enforced
}

// decide is the layer's answer.
func (l *Layer) decide(r *Request) (Effect, *Statement) {
	switch {
	case !l.Enforced:
		return Allow, nil
	case l.Broken != nil || l.Policy == nil:
		return ImplicitDeny, nil
	}
	return l.Policy.Decide(r)
}

// Decision is the answer to a request with its reason.
type Decision struct {
	Allowed   bool
	Layer     string     // that denied, empty when allowed
	Explicit  bool       // an explicit deny
	Statement *Statement // of an explicit deny
}

// Invoke decides about a request to a service: the network, the service and the identity of a caller that is
// not anonymous must all allow. An explicit deny is reported first, then the first layer without an allow, in
// this order (semantics of captured answers of VPC Lattice).
func Invoke(r *Request, network, service Layer) Decision {
	ne, ns := network.decide(r)
	if ne == ExplicitDeny {
		return Decision{Layer: LayerNetwork, Explicit: true, Statement: ns}
	}
	se, ss := service.decide(r)
	if se == ExplicitDeny {
		return Decision{Layer: LayerService, Explicit: true, Statement: ss}
	}
	ie, il := Allow, ""
	if !anonymous(r.Caller) {
		var is *Statement
		if ie, il, is = r.Caller.decide(r); ie == ExplicitDeny {
			return Decision{Layer: il, Explicit: true, Statement: is}
		}
	}
	switch {
	case ne != Allow:
		return Decision{Layer: LayerNetwork}
	case se != Allow:
		return Decision{Layer: LayerService}
	case ie != Allow:
		return Decision{Layer: il}
	}
	return Decision{Allowed: true}
}

// decide is the answer of the identity layer, with the layer's name for sentences. The root of an account needs
// no policy.
func (c *Caller) decide(r *Request) (Effect, string, *Statement) {
	if c.Broken != nil {
		return ImplicitDeny, LayerIdentity, nil
	}
	e, by := c.Identity.Decide(r)
	if e == ExplicitDeny {
		return e, LayerIdentity, by
	}
	if e != Allow && c.Principal.Type != trellis.PrincipalAccount {
		e = ImplicitDeny
	} else {
		e = Allow
	}
	missing := "" // the first layer without an allow
	if e != Allow {
		missing = LayerIdentity
	}
	for i := range c.Organization {
		switch oe, s := c.Organization[i].Decide(r); {
		case oe == ExplicitDeny:
			return oe, LayerServiceControl, s
		case oe != Allow && missing == "":
			missing = LayerServiceControl
		}
	}
	if c.Boundary != nil {
		switch be, s := c.Boundary.Policy.Decide(r); {
		case be == ExplicitDeny:
			return be, LayerBoundary, s
		case be != Allow && missing == "":
			missing = LayerBoundary
		}
	}
	if c.Session != nil {
		switch se, s := c.Session.Decide(r); {
		case se == ExplicitDeny:
			return se, LayerSession, s
		case se != Allow && missing == "":
			missing = LayerSession
		}
	}
	if missing != "" {
		return ImplicitDeny, missing, nil
	}
	return Allow, LayerIdentity, by
}

// Message is AWS's sentence for a denied request, with the code in front as the body of the 403 has it.
func (d Decision) Message(r *Request) string { return "AccessDeniedException: " + d.sentence(r) }

// sentence is Message without the code.
func (d Decision) sentence(r *Request) string {
	who := "anonymous"
	if !anonymous(r.Caller) {
		if who = r.Caller.Principal.ARN; who == "" {
			who = r.Caller.Principal.Service
		}
	}
	s := "User: " + who + " is not authorized to perform: " + r.Action + " on resource: " + r.Resource
	if d.Explicit {
		article := "a "
		if d.Layer == LayerIdentity {
			article = "an "
		}
		return s + " with an explicit deny in " + article + d.Layer + " policy"
	}
	return s + " because no " + d.Layer + " policy allows the " + r.Action + " action"
}

// Authorize asks the identity layer alone, for the control plane: whether the caller may do action on resource.
// extra are condition keys by lower-case name; the time is the present. A refusal is a *trellis.Error with AWS's
// sentence.
func (c *Caller) Authorize(action, resource string, extra map[string][]string) error {
	return c.AuthorizeRequest(&Request{Action: action, Resource: resource, Extra: extra, Now: time.Now()})
}

// AuthorizeRequest is Authorize for a request with more context. It sets r.Caller to c.
func (c *Caller) AuthorizeRequest(r *Request) error {
	r.Caller = c
	e, layer, s := ImplicitDeny, LayerIdentity, (*Statement)(nil)
	if !anonymous(c) {
		e, layer, s = c.decide(r)
	}
	if e == Allow {
		return nil
	}
	d := Decision{Layer: layer, Explicit: e == ExplicitDeny, Statement: s}
	return trellis.Denied("%s", strings.ToValidUTF8(d.sentence(r), "?"))
}
