package authpolicy

// PolicyKind is where a policy stands, which decides the elements it must have.
type PolicyKind int

// The kinds of policies.
const (
	Resource PolicyKind = iota // auth policy of a service or service network: Principal required
	Identity                   // of a user or role: no Principal
	Trust                      // of a role, who may assume it: Principal required, no Resource
	Session                    // given to AssumeRole: as Identity
)

// Effect is the answer of one policy.
type Effect int

// The answers. The zero value denies.
const (
	ImplicitDeny Effect = iota // no statement speaks of the request
	Allow
	ExplicitDeny
)

// Policy is a compiled policy. It is never changed and safe for concurrent use.
type Policy struct {
	text       string
	kind       PolicyKind
	statements []Statement
}

// Statement is one statement of a Policy, named by an answer as its reason.
type Statement struct {
	Sid   string // empty when it has none
	Index int    // position in the policy, from 0
	Deny  bool
}

// Parse compiles a policy. Errors are of type *ParseError.
func Parse(text string, kind PolicyKind) (*Policy, error) {
	return &Policy{text: text, kind: kind}, nil
}

// Text is the JSON that the policy was compiled from.
func (p *Policy) Text() string { return p.text }

// Decide answers a request.
func (p *Policy) Decide(r *Request) (Effect, *Statement) { return ImplicitDeny, nil }

// ParseError says what is wrong with a policy and where.
type ParseError struct {
	Where   string // for example Statement[1].Condition.StringEquals
	Message string
}

// Error is the place and the message.
func (e *ParseError) Error() string { return e.Where + ": " + e.Message }
