package dataplane

import (
	"hash/maphash"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/sigv4"
)

// How a principal is known (access log, principalSource). Nothing is known of who is anonymous.
const (
	sourceSignature   = "Signature"
	sourceNetwork     = "Network"
	sourceCertificate = "Certificate"
)

const (
	// explainedEach is how many denials a second each loop explains; of others it notes the layer alone. To explain takes
	// several times what to decide takes, and a flood of what is denied must stay cheap.
	explainedEach = 100
	// maxText bounds each text of a request that is kept with a denial, in bytes.
	maxText = 2048
	// maxReasons bounds the texts of a denial's reasons that are kept, in bytes, but for maxReason of each.
	maxReasons, maxReason = 16 << 10, 64
	// deniedShare is which part of the decisions that a loop keeps are denials.
	deniedShare = 4
)

// tooMany is said in place of reasons.
const tooMany = "not explained: more denials came than are explained at a time"

// verdict is what is kept of one decision: pointers and texts that live as long as what they are about, so that a request
// that is allowed allocates nothing.
type verdict struct {
	id       uint64 // hash of the request's id, of which clients may choose any
	at       int64  // when the request began, in nanoseconds since 1970
	vpcID    string
	network  string // ARN
	service  string // ARN
	from     netip.AddrPort
	caller   *authpolicy.Caller
	source   string
	action   string
	decision authpolicy.Decision // that allowed; zero for auth type NONE of both, where nobody was asked
	why      *why                // of a denial
}

// why is what is kept of a denial.
type why struct {
	requestID, method, resource string
	layer                       string // authDeniedReason
	reasons                     []authpolicy.Reason
	signature                   *trellis.ExplainedSignature
	note                        string
}

// ring keeps the latest verdicts.
type ring struct {
	kept []verdict
	next int
	size int
}

// place is where the next verdict goes, in place of the oldest one.
func (r *ring) place() *verdict {
	if len(r.kept) < r.size {
		if r.kept == nil {
			r.kept = make([]verdict, 0, r.size)
		}
		r.kept = r.kept[:len(r.kept)+1]
		return &r.kept[len(r.kept)-1]
	}
	if r.size == 0 {
		return new(verdict)
	}
	v := &r.kept[r.next]
	if r.next++; r.next == r.size {
		r.next = 0
	}
	return v
}

// find returns copies of the verdicts about a request, the latest last.
func (r *ring) find(id uint64) (found []verdict) {
	for i := range r.kept {
		if v := &r.kept[(r.next+i)%len(r.kept)]; v.id == id {
			found = append(found, *v)
		}
	}
	return found
}

// fill notes what the request is that was decided about.
func (x *exchange) fill(v *verdict) {
	*v = verdict{id: maphash.String(x.w.s.seed, x.rec.RequestID), at: x.start.UnixNano(), vpcID: x.l.vpcID, from: x.from,
		network: x.network.ARN, service: x.service.ARN, caller: x.caller, source: x.rec.PrincipalSource}
}

// allowed notes that the request may go on: by a decision, or by a zero one since nobody authorizes.
func (x *exchange) allowed(action string, d authpolicy.Decision) {
	if x.w.allowed.size == 0 {
		return
	}
	v := x.w.allowed.place()
	x.fill(v)
	v.action, v.decision = action, d
}

// mayExplain tells whether a further denial may be explained now.
func (w *worker) mayExplain() bool {
	if now := w.loop.Now(); now-w.explainedSince >= time.Second {
		w.explainedSince, w.explained = now, 0
	}
	w.explained++
	return w.explained <= explainedEach
}

// deniedBy is the denial of a request by policies, with its reasons for those who may know them.
func (x *exchange) deniedBy(d *authpolicy.Decision) *denial {
	denied := &denial{status: 403, body: d.Message(&x.policy), reason: failClientAccessDenied}
	switch d.Layer {
	case authpolicy.LayerNetwork:
		denied.layer = "Network"
	case authpolicy.LayerService:
		denied.layer = "Service"
	default:
		denied.layer = "Identity"
	}
	y := &why{requestID: strings.Clone(x.rec.RequestID), method: keptText(x.policy.Method), resource: keptText(x.policy.Resource), layer: denied.layer}
	v := x.w.denied.place()
	x.fill(v)
	v.action, v.why = x.policy.Action, y
	if !x.w.mayExplain() {
		y.note = tooMany
		x.rec.AuthDeniedDetail = "denied by " + d.Layer + ", " + tooMany
		return denied
	}
	y.reasons = bounded(authpolicy.Explain(&x.policy, x.network.Layer, x.service.Layer))
	owner, other := x.service.Account(), x.network.Account
	x.rec.AuthDeniedDetail = authpolicy.Detail(v.reasons(owner))
	if owner != other {
		x.rec.NetworkDetail = authpolicy.Detail(v.reasons(other))
	}
	return denied
}

// bounded drops what statements have missed, and cuts texts, from where the reasons take more than maxReasons on: a caller can
// have many policies, each of which tells of many statements.
func bounded(reasons []authpolicy.Reason) []authpolicy.Reason {
	left := maxReasons
	for i := range reasons {
		r := &reasons[i]
		left -= len(r.Text) + len(r.Policy)
		for _, m := range r.Misses {
			left -= len(m.Text) + len(m.Wanted)
			for _, s := range m.Seen {
				left -= len(s)
			}
		}
		if left < 0 {
			r.Misses = nil
			r.Text = strings.Clone(r.Text[:min(len(r.Text), maxReason)])
		}
	}
	return reasons
}

// unsigned notes that the request was refused for its signature or credentials: with the sentence that the caller is told.
func (x *exchange) unsigned(a *sigv4.Authorization, sentence string) {
	y := &why{requestID: strings.Clone(x.rec.RequestID), method: keptText(x.req.Method), resource: keptText(x.service.ARN + x.req.Path)}
	v := x.w.denied.place()
	x.fill(v)
	v.action, v.why = authpolicy.ActionInvoke, y
	code, message, _ := strings.Cut(sentence, ": ")
	y.signature = &trellis.ExplainedSignature{Code: code, Message: redactQuoted(message)}
	if !x.w.mayExplain() {
		y.note = tooMany
		x.rec.AuthDeniedDetail = "signature: " + tooMany
	} else {
		x.explainSignature(a, y.signature)
		x.rec.AuthDeniedDetail = "signature: " + describe(y.signature)
	}
}

// explainSignature adds what the signature claims, and the request that it should be over.
func (x *exchange) explainSignature(a *sigv4.Authorization, s *trellis.ExplainedSignature) {
	s.AccessKeyID, s.Timestamp = shortText(a.AccessKeyID), shortText(a.Timestamp)
	if a.Service != "" {
		s.Scope = shortText(a.Date + "/" + a.Region + "/" + a.Service)
	}
	if a.SignedHeaders == "" {
		return
	}
	shown := x.sig
	shown.Headers = slices.Clone(shown.Headers)
	for i := range shown.Headers {
		if f := &shown.Headers[i]; authpolicy.Secret(f.Name) {
			f.Value = redacted
		}
	}
	shown.RawQuery = redactQuery(shown.RawQuery)
	s.CanonicalRequest = keptText(a.CanonicalRequest(&shown, true, ""))
}

// describe is a refused signature in one line.
func describe(s *trellis.ExplainedSignature) string {
	text := s.Code + ": " + s.Message
	if s.AccessKeyID != "" {
		text += " (access key " + s.AccessKeyID + ", scope " + s.Scope + ", signed at " + s.Timestamp + ")"
	}
	return text
}

// keptText is a text of a request that outlives it.
func keptText(s string) string {
	if len(s) > maxText {
		return strings.ToValidUTF8(s[:maxText], "") + "…"
	}
	return strings.Clone(s)
}

// shortText is keptText for what has no reason to be long.
func shortText(s string) string { return keptText(s[:min(len(s), 128)]) }

// accountOf is the account in an ARN of a service or service network.
func accountOf(arn string) string {
	a, err := trellis.ParseARN(arn)
	if err != nil {
		return ""
	}
	return a.Account
}
