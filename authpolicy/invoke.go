package authpolicy

// The names of the layers, as AWS's sentences have them.
const (
	LayerNetwork  = "network-based"
	LayerService  = "service-based"
	LayerIdentity = "identity-based"
	LayerSession  = "session"
)

// Layer is the auth policy of a service network or service.
type Layer struct {
	Enforced bool    // the auth type is AWS_IAM
	Policy   *Policy // nil while enforced denies everything
	Broken   error   // why the policy could not be compiled; denies everything while enforced
}

// Decision is the answer to a request with its reason.
type Decision struct {
	Allowed   bool
	Layer     string // that denied, empty when allowed
	Explicit  bool   // an explicit deny
	Statement *Statement
}

// Invoke decides about a request to a service.
func Invoke(r *Request, network, service Layer) Decision { return Decision{Allowed: true} }

// Message is AWS's sentence for a denied request.
func (d Decision) Message(r *Request) string { return "" }

// Reason is what one layer says about a request.
type Reason struct {
	Layer     string
	Effect    Effect
	Statement *Statement // nil when no statement decided
	Text      string     // for people
}

// Explain returns what every layer says, whether or not another has decided already.
func Explain(r *Request, network, service Layer) []Reason { return nil }

// Authorize asks the identity layer alone.
func (c *Caller) Authorize(action, resource string, extra map[string][]string) error { return nil }

// AuthorizeRequest is Authorize for a request with more context; r.Caller is set to c.
func (c *Caller) AuthorizeRequest(r *Request) error { return nil }
