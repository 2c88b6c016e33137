package dataplane

import (
	"cmp"
	"hash/maphash"
	"slices"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
)

// Explain returns what was decided about the requests with an id, the latest first: those that an account may know of, since
// it owns the service or the service network. Of policies that belong to others it says what they decided, not why. A client
// may give several requests the same id.
func (s *Server) Explain(requestID, account string) []trellis.Explanation {
	select {
	case <-s.running:
	default:
		return nil
	}
	id := maphash.String(s.seed, requestID)
	var found []verdict
	for _, w := range s.workers {
		w.do(func() { found = append(append(found, w.allowed.find(id)...), w.denied.find(id)...) })
	}
	slices.SortStableFunc(found, func(a, b verdict) int { return cmp.Compare(b.at, a.at) })
	var out []trellis.Explanation
	for i := range found {
		if v := &found[i]; account != "" && (account == accountOf(v.service) || account == accountOf(v.network)) {
			out = append(out, v.explanation(requestID, account))
		}
	}
	return out
}

// Kept is how many of the latest decisions are kept for Explain, at least: of a node that serves on one loop alone.
func (s *Server) Kept() (allowed, denied int) { return s.Decisions, s.Decisions / deniedShare }

// explanation is a verdict as an account may see it.
func (v *verdict) explanation(requestID, account string) trellis.Explanation {
	e := trellis.Explanation{RequestID: requestID, Time: time.Unix(0, v.at).UTC(), Allowed: v.why == nil, Principal: "Anonymous",
		PrincipalSource: v.source, Action: v.action, SourceVPCID: v.vpcID, SourceIPPort: v.from.String(), ServiceARN: v.service, ServiceNetworkARN: v.network}
	if v.caller != nil {
		e.Principal = v.caller.Principal.ARN
	}
	switch y := v.why; {
	case y == nil && !v.decision.Allowed:
		e.Note = "the auth types of the service network and the service are NONE, so no policy was asked"
		return e
	case y != nil:
		e.AuthDeniedReason, e.Resource, e.Method, e.Signature, e.Note = y.layer, y.resource, y.method, y.signature, y.note
		if y.signature != nil {
			e.Principal = "Unknown"
		}
	}
	for _, r := range v.reasons(account) {
		e.Layers = append(e.Layers, v.layer(&r))
	}
	return e
}

// reasons are the reasons of the decision as an account may see them.
func (v *verdict) reasons(account string) []authpolicy.Reason {
	var out []authpolicy.Reason
	if v.why != nil {
		out = slices.Clone(v.why.reasons)
	} else {
		out = v.grants()
	}
	for i := range out {
		r := &out[i]
		if owner := v.ownerOf(r.Layer); owner != account && (r.Statement != nil || r.Effect != authpolicy.Allow) {
			*r = authpolicy.Reason{Layer: r.Layer, Level: r.Level, Effect: r.Effect, Text: "so say the policies of account " + owner}
		}
	}
	return out
}

// ownerOf is the account that a layer's policies belong to, or are about: resource control policies are about the service's.
func (v *verdict) ownerOf(layer string) string {
	switch layer {
	case authpolicy.LayerNetwork:
		return accountOf(v.network)
	case authpolicy.LayerService, authpolicy.LayerResourceControl:
		return accountOf(v.service)
	}
	if v.caller == nil {
		return ""
	}
	return v.caller.Principal.Account
}

// layer is a reason as it goes over the wire.
func (v *verdict) layer(r *authpolicy.Reason) trellis.ExplainedLayer {
	l := trellis.ExplainedLayer{Layer: r.Layer, Level: r.Level, Account: v.ownerOf(r.Layer), Policy: r.Policy, Effect: r.Effect.String(), Text: r.Text}
	if r.Statement != nil {
		at := placeOf(r.Statement)
		l.Statement = &at
	}
	for _, m := range r.Misses {
		l.Misses = append(l.Misses, trellis.ExplainedMiss{Statement: placeOf(m.Statement), Element: m.Element, Operator: m.Operator, Key: m.Key,
			Wanted: m.Wanted, Seen: m.Seen, Line: m.At.Line, Column: m.At.Column, Text: m.Text})
	}
	return l
}

// placeOf is where a statement stands.
func placeOf(s *authpolicy.Statement) trellis.ExplainedStatement {
	return trellis.ExplainedStatement{Sid: s.Sid, Index: s.Index, Line: s.Start.Line, Column: s.Start.Column}
}

// grants are the statements that let a request go on.
func (v *verdict) grants() []authpolicy.Reason {
	d := &v.decision
	all := []authpolicy.Reason{{Layer: authpolicy.LayerNetwork, Statement: d.Network}, {Layer: authpolicy.LayerService, Statement: d.Service},
		{Layer: authpolicy.LayerIdentity, Statement: d.Identity}}
	if d.IdentityPolicy != nil {
		all[2].Policy = d.IdentityPolicy.Name
	}
	for i := range all {
		r := &all[i]
		switch r.Effect = authpolicy.Allow; {
		case r.Statement != nil:
			r.Text = r.Statement.String() + " allows"
		case r.Layer != authpolicy.LayerIdentity:
			r.Text = "the auth type is NONE"
		case v.caller == nil:
			r.Text = "the caller is anonymous, so there is no identity-based policy to ask"
		default:
			r.Text = "no statement was needed"
		}
	}
	return all
}
