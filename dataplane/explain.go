package dataplane

import (
	"cmp"
	"hash/maphash"
	"slices"
	"strings"
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
	case v.unasked:
		e.Note = "the auth types of the service network and the service are NONE, so no policy was asked"
	case y == nil:
	default:
		e.AuthDeniedReason, e.Resource, e.Method, e.Signature, e.Note = y.layer, y.resource, y.method, y.signature, y.note
		if y.signature != nil {
			e.Principal = "Unknown"
		}
		for _, r := range v.reasons(account) {
			e.Layers = append(e.Layers, v.layer(&r))
		}
	}
	return e
}

// reasons are the reasons of a denial as an account may see them.
func (v *verdict) reasons(account string) []authpolicy.Reason {
	out := slices.Clone(v.why.reasons)
	for i := range out {
		if r := &out[i]; v.ownerOf(r.Layer) != account && (r.Statement != nil || r.Effect != authpolicy.Allow) {
			*r = authpolicy.Reason{Layer: r.Layer, Effect: r.Effect, Text: "a policy of account " + v.ownerOf(r.Layer) + " says so"}
		}
	}
	return out
}

// ownerOf is the account that a layer's policies belong to, or are about.
func (v *verdict) ownerOf(layer string) string {
	switch layer {
	case authpolicy.LayerNetwork:
		return accountOf(v.network)
	case authpolicy.LayerService:
		return accountOf(v.service)
	}
	if v.caller == nil {
		return ""
	}
	return v.caller.Principal.Account
}

// layer is a reason as it goes over the wire.
func (v *verdict) layer(r *authpolicy.Reason) trellis.ExplainedLayer {
	l := trellis.ExplainedLayer{Layer: r.Layer, Account: v.ownerOf(r.Layer), Effect: r.Effect.String(), Text: r.Text}
	if s := r.Statement; s != nil {
		l.Statement = &trellis.ExplainedStatement{Sid: s.Sid, Index: s.Index}
	}
	return l
}

// detail is why a request was denied in one line, as an account may know it.
func (v *verdict) detail(account string) string {
	var b strings.Builder
	for _, r := range v.reasons(account) {
		if r.Effect == authpolicy.Allow {
			continue
		}
		if b.Len() > 0 {
			b.WriteString("; ")
		}
		b.WriteString(r.Layer + ": " + r.Text)
	}
	return cut(b.String())
}

// cut bounds a detail.
func cut(s string) string {
	const more = "…"
	if len(s) <= maxDetail {
		return s
	}
	return strings.ToValidUTF8(s[:maxDetail-len(more)], "") + more
}
