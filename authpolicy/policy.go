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

// String is the effect in words.
func (e Effect) String() string {
	return [...]string{"implicit deny", "allow", "explicit deny"}[e]
}

// Policy is a compiled policy. It is never changed and safe for concurrent use.
type Policy struct {
	statements []Statement
}

// Statement is one statement of a Policy, named by an answer as its reason.
type Statement struct {
	Sid   string // empty when it has none
	Index int    // position in the policy, from 0
	Deny  bool

	principals   *principals // nil: everybody, in policies without the element
	notPrincipal bool
	actions      []string // patterns in lower case
	notAction    bool
	resources    []pattern // nil: every resource, in trust policies
	notResource  bool
	conditions   []condition
}

// Decide answers a request, with the statement that decided: the first that denies, or else the first that
// allows. It is nil for an implicit deny.
func (p *Policy) Decide(r *Request) (Effect, *Statement) {
	var allow *Statement
	for i := range p.statements {
		s := &p.statements[i]
		if !s.Deny && allow != nil || !s.applies(r) {
			continue
		}
		if s.Deny {
			return ExplicitDeny, s
		}
		allow = s
	}
	if allow != nil {
		return Allow, allow
	}
	return ImplicitDeny, nil
}

// applies tells whether the statement speaks of the request.
func (s *Statement) applies(r *Request) bool {
	if s.principals != nil && s.principals.match(r.Caller) == s.notPrincipal {
		return false
	}
	if s.matchesAction(r.Action) == s.notAction {
		return false
	}
	if s.resources != nil && s.matchesResource(r) == s.notResource {
		return false
	}
	for i := range s.conditions {
		if !s.conditions[i].holds(r, s.Deny) {
			return false
		}
	}
	return true
}

// matchesAction tells whether one of the actions is the request's, before negation.
func (s *Statement) matchesAction(action string) bool {
	for _, a := range s.actions {
		if globFold(a, action) {
			return true
		}
	}
	return false
}

// matchesResource tells whether one of the resources is the request's, before negation.
func (s *Statement) matchesResource(r *Request) bool {
	for i := range s.resources {
		if s.resources[i].match(r, r.Resource) {
			return true
		}
	}
	return false
}
