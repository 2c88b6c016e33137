package authpolicy

// PolicyKind is where a policy stands, which decides the elements it must have.
type PolicyKind int

// The kinds of policies.
const (
	Resource        PolicyKind = iota // auth policy of a service or service network: Principal required
	Identity                          // of a user or role, or its boundary: no Principal
	Trust                             // of a role, who may assume it: Principal required, no Resource
	Session                           // given to AssumeRole: as Identity
	ServiceControl                    // of an organization, what its accounts may do: no Principal
	ResourceControl                   // of an organization, what may be done with what its accounts own: Principal is *
	Key                               // of a key of KMS, who may use it: Principal required; nobody may whom it does not name
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
	kind       PolicyKind
	statements []Statement
	searches   bool // so much of its patterns stands between two stars that a finder is worth its while
}

// Statement is one statement of a Policy, named by an answer as its reason.
type Statement struct {
	Sid        string // empty when it has none
	Index      int    // position in the policy, from 0
	Deny       bool
	Start, End Position // End is behind the last character

	principals   *principals // nil: everybody, in policies without the element
	notPrincipal bool
	actions      []string // patterns in lower case
	invokes      bool     // one of them is ActionInvoke, before negation
	notAction    bool
	resources    []pattern // nil: every resource, in trust policies
	notResource  bool
	conditions   []condition
	text         *elements // apart, since decisions do not read it
}

// elements are elements of a statement as its text has them, for reasons.
type elements struct{ principal, action, resource string }

// Decide answers a request, with the statement that decided: the first that denies, or else the first that
// allows. It is nil for an implicit deny.
func (p *Policy) Decide(r *Request) (Effect, *Statement) {
	if !p.searches {
		return p.decide(r)
	}
	f := finders.Get().(*finder)
	defer f.release()
	f.request = *r
	f.request.finder = f
	return p.decide(&f.request)
}

// decide is Decide with the request's finder.
func (p *Policy) decide(r *Request) (Effect, *Statement) {
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
	if s.matchesAction(r.Action) == s.notAction || !s.names(r.Caller) || !s.covers(r) {
		return false
	}
	for i := range s.conditions {
		if !s.conditions[i].holds(r, s.Deny) {
			return false
		}
	}
	return true
}

// names tells whether the statement is about a caller. NotPrincipal is about every caller with a permissions boundary,
// whomever it names (IAM user guide, reference_policies_elements_notprincipal).
func (s *Statement) names(c *Caller) bool {
	switch {
	case s.principals == nil:
		return true
	case s.notPrincipal:
		return s.principals.match(c) == noGrant || c != nil && c.Boundary != nil
	}
	return s.principals.match(c) != noGrant
}

// matchesAction tells whether one of the actions is the request's, before negation.
func (s *Statement) matchesAction(action string) bool {
	if action == ActionInvoke { // of each request to a service
		return s.invokes
	}
	return s.performs(action)
}

// performs is matchesAction by a look at the actions.
func (s *Statement) performs(action string) bool {
	for _, a := range s.actions {
		if globFold(a, action) {
			return true
		}
	}
	return false
}

// covers tells whether the statement is about the request's resource. A variable without a value is held against the
// caller: NotResource with one covers every resource for a Deny, and none for an Allow.
func (s *Statement) covers(r *Request) bool {
	if s.resources == nil {
		return true
	}
	for i := range s.resources {
		if s.resources[i].matchResource(r, r.Resource) {
			return !s.notResource
		}
	}
	if !s.notResource {
		return false
	}
	for i := range s.resources {
		if !s.resources[i].resolved(r) {
			return s.Deny
		}
	}
	return true
}
