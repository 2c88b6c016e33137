package authpolicy

import (
	"strconv"
	"strings"
	"time"

	"github.com/trellis-project/trellis"
)

// The names of the layers, as AWS's sentences have them (IAM user guide, troubleshoot_access-denied).
const (
	LayerNetwork         = "network-based"
	LayerService         = "service-based"
	LayerResource        = "resource-based" // of a policy of another resource: a role's trust policy
	LayerIdentity        = "identity-based"
	LayerSession         = "session" // what came with AssumeRole
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
	Policy    *Named     // that Statement is of; nil for the policy of a service network, service or resource

	// What allowed, as far as it was asked; nil where no statement was needed.
	Network        *Statement
	Service        *Statement
	Resource       *Statement // of Access
	Identity       *Statement
	IdentityPolicy *Named // that Identity is of
}

// take notes a layer's answer, and tells whether it ends the matter. Layers are asked in the order in which AWS reports
// them: the first explicit deny, or else the first layer without an allow.
func (d *Decision) take(layer string, e Effect, s *Statement, p *Named) (denied bool) {
	switch {
	case e == ExplicitDeny:
		d.Layer, d.Explicit, d.Statement, d.Policy = layer, true, s, p
		return true
	case e != Allow && d.Layer == "":
		d.Layer = layer
	}
	return false
}

// done is the decision after all layers were asked.
func (d Decision) done() Decision {
	d.Allowed = d.Layer == ""
	return d
}

// organization asks the policies of organizations: those of the resource's account, then those of the caller's.
func (d *Decision) organization(r *Request) (denied bool) {
	for i := range r.ResourceControl {
		if e, s, p := r.ResourceControl[i].decide(r); d.take(LayerResourceControl, e, s, p) {
			return true
		}
	}
	if anonymous(r.Caller) {
		return false
	}
	for i := range r.Caller.Organization {
		if e, s, p := r.Caller.Organization[i].decide(r); d.take(LayerServiceControl, e, s, p) {
			return true
		}
	}
	return false
}

// caller asks the caller's own policies. The root of an account needs no identity-based policy. What a resource's policy
// grants to the caller itself, or to the role of its session, needs fewer of them; an explicit deny counts always.
func (d *Decision) caller(r *Request, granted grant) (denied bool) {
	c := r.Caller
	if c.Broken != nil {
		return d.take(LayerIdentity, ImplicitDeny, nil, nil)
	}
	e, s, p := c.Identity.decide(r)
	if e == Allow {
		d.Identity, d.IdentityPolicy = s, p
	} else if e != ExplicitDeny && (granted >= roleGrant || c.Principal.Type == trellis.PrincipalAccount) {
		e = Allow
	}
	if d.take(LayerIdentity, e, s, p) {
		return true
	}
	if c.Boundary != nil {
		e, s := c.Boundary.Policy.Decide(r)
		if d.take(LayerBoundary, e.orGranted(granted), s, c.Boundary) {
			return true
		}
	}
	if c.Session != nil {
		e, s, p := c.Session.decide(r)
		return d.take(LayerSession, e.orGranted(granted), s, p)
	}
	return false
}

// orGranted is the answer of a policy that bounds a caller whom the resource's policy names itself: only an explicit
// deny bounds it then.
func (e Effect) orGranted(g grant) Effect {
	if e == ImplicitDeny && g == ownGrant {
		return Allow
	}
	return e
}

// Invoke decides about a request to a service. The network, the service and, of a caller that is not anonymous, the
// identity-based policies must all allow (VPC Lattice user guide, auth-policies), within what the organizations of the
// service and of the caller, the caller's boundary and its session leave. An explicit deny is reported first, then the
// first layer without an allow: resource control, service control, network, service, identity, boundary, session.
func Invoke(r *Request, network, service Layer) Decision {
	var d Decision
	if d.organization(r) {
		return d
	}
	e, s := network.decide(r)
	if d.take(LayerNetwork, e, s, nil) {
		return d
	}
	d.Network = s
	e, s = service.decide(r)
	if d.take(LayerService, e, s, nil) {
		return d
	}
	d.Service = s
	if !anonymous(r.Caller) && d.caller(r, noGrant) {
		return d
	}
	return d.done()
}

// Access decides about a request for a resource that has a policy of its own, by IAM's general rules (IAM user guide,
// reference_policies_evaluation-logic): in the owner's account the resource's policy or the caller's allow, but of a
// role's trust policy and a key's, which must allow; from another account both must. A grant to a user or a session itself is not
// bounded by what the caller's own policies leave out, one to a role only by its boundary and session policies. Callers
// without an account (services, web identities, nobody) have the resource's policy alone.
func Access(r *Request, policy *Policy, owner string) Decision {
	var d Decision
	if d.organization(r) {
		return d
	}
	g := policy.grants(r, owner)
	if g.effect == Allow {
		d.Resource = g.statement
	}
	if d.take(LayerResource, g.effect, g.statement, nil) || !g.alone && d.caller(r, g.to) {
		return d
	}
	return d.done()
}

// Granted decides about a request that grants allow beside the policy of a key, nil for none: grants stand as statements of a
// policy. Whom they name needs no policy of its own, from another account neither, but nothing may deny (KMS developer guide,
// grants); the callers of an account that they name need one.
func Granted(r *Request, policy, grants *Policy) Decision {
	var d Decision
	if d.organization(r) {
		return d
	}
	if policy != nil {
		if e, s := policy.Decide(r); e == ExplicitDeny {
			d.take(LayerResource, e, s, nil)
			return d
		}
	}
	g := grants.grants(r, "")
	d.Resource = g.statement
	if d.take(LayerResource, g.effect, g.statement, nil) || !g.alone && d.caller(r, grants.granted(r)) {
		return d
	}
	return d.done()
}

// granting is what the policy of a resource means to a caller.
type granting struct {
	effect    Effect // Allow without a statement: the caller's own policies are enough
	statement *Statement
	to        grant
	alone     bool // the caller has no policies of its own
}

// grants asks the policy, nil for none, of a resource of the account owner.
func (p *Policy) grants(r *Request, owner string) (g granting) {
	c := r.Caller
	g.alone = anonymous(c) || c.Principal.Type == trellis.PrincipalService || c.Principal.Type == trellis.PrincipalWebIdentity
	if p != nil {
		g.effect, g.statement = p.Decide(r)
	}
	same := !g.alone && c.Principal.Account == owner
	switch {
	case same && g.effect == Allow:
		g.to = p.granted(r)
	case same && g.effect == ImplicitDeny && (p == nil || p.kind != Trust && p.kind != Key):
		g.effect = Allow
	}
	return g
}

// granted is the nearest grant of the statements that allow a request.
func (p *Policy) granted(r *Request) grant {
	best := noGrant
	for i := range p.statements {
		if s := &p.statements[i]; !s.Deny && s.principals != nil && s.applies(r) {
			best = max(best, s.principals.match(r.Caller))
		}
	}
	return best
}

// Message is AWS's sentence for a denied request, with the code in front as the body of the 403 has it.
func (d Decision) Message(r *Request) string { return "AccessDeniedException: " + d.Sentence(r) }

// Sentence is Message without the code.
func (d Decision) Sentence(r *Request) string {
	who := "anonymous"
	if !anonymous(r.Caller) {
		if who = r.Caller.Principal.ARN; who == "" {
			who = r.Caller.Principal.Service
		}
	}
	s := "User: " + who + " is not authorized to perform: " + r.Action + " on resource: " + r.Resource
	name := d.Layer
	if name != LayerBoundary {
		name += " policy"
	}
	if !d.Explicit {
		return s + " because no " + name + " allows the " + r.Action + " action"
	}
	if d.Layer == LayerIdentity {
		return s + " with an explicit deny in an " + name
	}
	return s + " with an explicit deny in a " + name
}

// Authorize asks the caller's own policies alone, for the control plane: whether the caller may do action on resource.
// extra are condition keys by lower-case name; the time is the present. A refusal is a *trellis.Error with AWS's
// sentence.
func (c *Caller) Authorize(action, resource string, extra map[string][]string) error {
	return c.AuthorizeRequest(&Request{Action: action, Resource: resource, Extra: extra, Now: time.Now()})
}

// AuthorizeRequest is Authorize for a request with more context. It sets r.Caller to c, and r.ResourceControl to what holds
// for the owner of the resource: the account that its ARN names, or else the caller's.
func (c *Caller) AuthorizeRequest(r *Request) error {
	r.Caller = c
	if c != nil && c.Control != nil && r.ResourceControl == nil {
		owner := arnPart(r.Resource, 4)
		if owner == "" {
			owner = c.Principal.Account
		}
		r.ResourceControl = c.Control(owner)
	}
	d := Own(r)
	if d.Allowed {
		return nil
	}
	e := trellis.Denied("%s", strings.ToValidUTF8(d.Sentence(r), "?"))
	e.Denial = d.denial(r)
	return e
}

// denial is a refusal as an error carries it.
func (d *Decision) denial(r *Request) *trellis.Denial {
	n := &trellis.Denial{Action: r.Action, Resource: r.Resource, Explicit: d.Explicit, Layer: d.Layer}
	if !anonymous(r.Caller) {
		n.Principal = r.Caller.Principal
	}
	if d.Policy != nil {
		n.Policy = d.Policy.Name
	}
	if s := d.Statement; s != nil {
		if n.Sid = s.Sid; n.Sid == "" {
			n.Sid = strconv.Itoa(s.Index)
		}
	}
	return n
}

// Own decides about a request by the policies of the caller and of organizations alone: the resource has none.
func Own(r *Request) Decision {
	var d Decision
	switch {
	case d.organization(r):
		return d
	case anonymous(r.Caller):
		d.take(LayerIdentity, ImplicitDeny, nil, nil)
	case d.caller(r, noGrant):
		return d
	}
	return d.done()
}
