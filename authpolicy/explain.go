package authpolicy

import "fmt"

// Reason is what one policy says about a request.
type Reason struct {
	Layer     string
	Effect    Effect
	Statement *Statement // nil when no statement decided
	Text      string     // for people
}

// Explain returns what every layer says about a request, whether or not another has decided already: network,
// service, then each identity policy and the session's. Unlike Invoke it takes its time.
func Explain(r *Request, network, service Layer) []Reason {
	var out []Reason
	for _, l := range [...]struct {
		name  string
		layer Layer
	}{{LayerNetwork, network}, {LayerService, service}} {
		e, s := l.layer.decide(r)
		why := Reason{Layer: l.name, Effect: e, Statement: s}
		switch {
		case !l.layer.Enforced:
			why.Text = "the auth type is NONE, so this layer allows"
		case l.layer.Broken != nil:
			why.Text = "the policy does not compile, so this layer denies: " + l.layer.Broken.Error()
		case l.layer.Policy == nil:
			why.Text = "the auth type is AWS_IAM and there is no policy, so this layer denies"
		default:
			why.Text = told(e, s)
		}
		out = append(out, why)
	}
	c := r.Caller
	if anonymous(c) {
		return append(out, Reason{Layer: LayerIdentity, Effect: Allow, Text: "the caller is anonymous, so there is no identity-based policy to ask"})
	}
	if c.Broken != nil {
		return append(out, Reason{Layer: LayerIdentity, Text: "the caller's policies do not compile: " + c.Broken.Error()})
	}
	if len(c.Identity) == 0 {
		out = append(out, Reason{Layer: LayerIdentity, Text: "the caller has no identity-based policy"})
	}
	for _, p := range c.Identity {
		e, s := p.Policy.Decide(r)
		out = append(out, Reason{LayerIdentity, e, s, told(e, s)})
	}
	if c.Session != nil {
		e, s := c.Session.Decide(r)
		out = append(out, Reason{LayerSession, e, s, told(e, s)})
	}
	return out
}

// told says which statement decided.
func told(e Effect, s *Statement) string {
	if s == nil {
		return "no statement allows the request"
	}
	name := fmt.Sprintf("statement %d", s.Index)
	if s.Sid != "" {
		name += fmt.Sprintf(" (%s)", s.Sid)
	}
	if e == ExplicitDeny {
		return name + " denies"
	}
	return name + " allows"
}
