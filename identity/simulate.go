package identity

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
)

// Simulation is what a caller asks of SimulateCustomPolicy and SimulatePrincipalPolicy: what policies would say of each
// of the actions on each of the resources.
type Simulation struct {
	Policies       []string   // identity-based
	Boundaries     []string   // at most one
	Levels         [][]string // service control policies, from the root of an organization down
	ResourcePolicy string     // of the resources: an auth policy, a trust policy or another
	ResourceOwner  string     // account, or ARN of its root; empty: the caller's
	CallerARN      string
	Actions        []string
	Resources      []string
	Context        []ContextEntry
}

// ContextEntry gives a condition key its values.
type ContextEntry struct {
	Name   string
	Values []string
	Type   string // string, numeric, boolean, ip, binary or date, with List behind it for several values
}

// The kinds of sources of statements, in IAM's words.
const (
	sourceIdentity = "IAM Policy"
	sourceResource = "Resource Policy"
)

// Simulated is what policies would say of one action on one resource.
type Simulated struct {
	Action, Resource string
	Effect           authpolicy.Effect
	Matched          []MatchedStatement // that allow, or deny explicitly
	Missing          []string           // condition keys that a policy asks and that have no value
	Organizations    *bool              // whether the policies of the organization allow; nil without any
	Boundary         *bool              // whether the permissions boundary allows; nil without one
	Details          map[string]authpolicy.Effect
}

// MatchedStatement is a statement that speaks of a request.
type MatchedStatement struct {
	SourceID   string // for example PolicyInputList.1
	SourceType string
	Start, End authpolicy.Position
}

// Simulator answers the requests of a Simulation, each action on each resource, in their order.
type Simulator struct {
	in       *Simulation
	caller   authpolicy.Caller
	resource *authpolicy.Policy // nil without one
	owner    string
	source   string // ARN of the principal; empty for policies that the caller gives
	context  map[string][]string
	now      time.Time
}

// Len is how many requests there are.
func (s *Simulator) Len() int { return len(s.in.Actions) * len(s.in.Resources) }

// SimulateCustomPolicy prepares a simulation of policies that the caller gives.
func (i *Identity) SimulateCustomPolicy(_ context.Context, c *authpolicy.Caller, in Simulation) (*Simulator, error) {
	if err := c.Authorize("iam:SimulateCustomPolicy", "*", nil); err != nil {
		return nil, err
	}
	if in.ResourcePolicy != "" && in.CallerARN == "" {
		return nil, invalidInput("CallerArn is required with a ResourcePolicy")
	}
	s, err := i.simulator(c, &in)
	if err != nil {
		return nil, err
	}
	if s.caller.Principal, err = principalOf(in.CallerARN, c.Principal.Account); err != nil {
		return nil, err
	}
	return s, nil
}

// simulator compiles what both simulations take.
func (i *Identity) simulator(c *authpolicy.Caller, in *Simulation) (*Simulator, error) {
	s := &Simulator{in: in, owner: c.Principal.Account, now: i.o.Now()}
	var err error
	if s.caller.Identity, err = compileInputs("PolicyInputList", in.Policies, authpolicy.Identity); err != nil {
		return nil, err
	}
	boundaries, err := compileInputs("PermissionsBoundaryPolicyInputList", in.Boundaries, authpolicy.Identity)
	if err != nil {
		return nil, err
	}
	switch len(boundaries) {
	case 0:
	case 1:
		s.caller.Boundary = &boundaries[0]
	default:
		return nil, invalidInput("PermissionsBoundaryPolicyInputList takes one policy")
	}
	for n, texts := range in.Levels {
		level, err := compileInputs(fmt.Sprintf("OrderedOrganizationPolicyInputList.%d.ServiceControlPolicyInputList", n+1), texts, authpolicy.ServiceControl)
		if err != nil {
			return nil, err
		}
		s.caller.Organization = append(s.caller.Organization, level)
	}
	if err := s.compileResource(in.ResourcePolicy); err != nil {
		return nil, err
	}
	if owner := in.ResourceOwner; owner != "" {
		a, err := trellis.ParseARN(owner)
		if s.owner = a.Account; err != nil {
			s.owner = owner
		}
		if !trellis.IsAccountID(s.owner) {
			return nil, invalidInput("ResourceOwner %s is not an account", owner)
		}
	}
	for _, a := range in.Actions {
		service, name, ok := strings.Cut(a, ":")
		if !ok || service == "" || name == "" || strings.ContainsAny(a, "*? /") {
			return nil, invalidInput("ActionNames: %s is not an action without wildcards", a)
		}
	}
	if len(in.Resources) == 0 {
		in.Resources = []string{"*"}
	}
	return s, s.addContext(in.Context)
}

// compileInputs compiles policies of a list of the input, under the names that answers know them by.
func compileInputs(list string, texts []string, kind authpolicy.PolicyKind) (authpolicy.Policies, error) {
	out := authpolicy.Policies{}
	for n, text := range texts {
		name := fmt.Sprintf("%s.%d", list, n+1)
		p, err := authpolicy.Parse(text, kind)
		if err != nil {
			return nil, invalidInput("%s: %s", name, err)
		}
		out = append(out, authpolicy.Named{Name: name, Policy: p})
	}
	return out, nil
}

// compileResource compiles the policy of the resources: one with Resource elements, or else a trust policy.
func (s *Simulator) compileResource(text string) error {
	if text == "" {
		return nil
	}
	p, err := authpolicy.Parse(text, authpolicy.Resource)
	if err != nil {
		var trustErr error
		if p, trustErr = authpolicy.Parse(text, authpolicy.Trust); trustErr != nil {
			return invalidInput("ResourcePolicy: %s", err)
		}
	}
	s.resource = p
	return nil
}

// addContext checks and takes the values of condition keys. Keys that every real request has are absent, unless they
// are given.
func (s *Simulator) addContext(entries []ContextEntry) error {
	s.context = map[string][]string{"aws:securetransport": nil, "aws:viaawsservice": nil}
	for _, e := range entries {
		kind, list := strings.CutSuffix(e.Type, "List")
		if len(e.Values) != 1 && !list {
			return invalidInput("ContextEntries: %s is of type %s and must have one value", e.Name, e.Type)
		}
		for _, v := range e.Values {
			if !ofType(kind, v) {
				return invalidInput("ContextEntries: the value %s of %s is not of type %s", v, e.Name, e.Type)
			}
		}
		s.context[strings.ToLower(e.Name)] = e.Values
	}
	return nil
}

// ofType tells whether a value is of a type of context keys. Policies read dates in more forms than one.
func ofType(kind, v string) bool {
	var err error
	switch kind {
	case "numeric":
		_, err = strconv.ParseFloat(v, 64)
	case "boolean":
		return strings.EqualFold(v, "true") || strings.EqualFold(v, "false")
	case "ip":
		_, err = netip.ParseAddr(v)
	}
	return err == nil
}

// principalOf is the principal that an ARN names; without one a user of the account who has no name.
func principalOf(arn, account string) (trellis.Principal, error) {
	if arn == "" {
		return trellis.Principal{Type: trellis.PrincipalUser, Account: account}, nil
	}
	a, err := trellis.ParseARN(arn)
	if err != nil || !trellis.IsAccountID(a.Account) {
		return trellis.Principal{}, invalidInput("CallerArn %s is not the ARN of a user, role, session or account", arn)
	}
	p := trellis.Principal{Account: a.Account, ARN: arn, PolicyARN: arn}
	kind, name, _ := strings.Cut(a.Resource, "/")
	switch {
	case a.Service == "iam" && a.Resource == "root":
		p.Type = trellis.PrincipalAccount
	case a.Service == "iam" && kind == "user" && name != "":
		p.Type = trellis.PrincipalUser
	case a.Service == "iam" && kind == "role" && name != "":
		p.Type = trellis.PrincipalAssumedRole
	case a.Service == "sts" && kind == "federated-user" && name != "":
		p.Type = trellis.PrincipalFederated
	case a.Service == "sts" && kind == "assumed-role" && strings.Contains(name, "/"):
		role, session, _ := strings.Cut(name, "/")
		p.Type, p.SessionName, p.PolicyARN = trellis.PrincipalAssumedRole, session, trellis.IAMARN(a.Account, "role/"+role)
	default:
		return p, invalidInput("CallerArn %s is not the ARN of a user, role, session or account", arn)
	}
	return p, nil
}

// request is the n-th request. The path of a request to a service stands in its resource, as on the data plane.
func (s *Simulator) request(n int) *authpolicy.Request {
	r := &authpolicy.Request{Action: s.in.Actions[n/len(s.in.Resources)], Resource: s.in.Resources[n%len(s.in.Resources)],
		Caller: &s.caller, Now: s.now, Override: s.context}
	if a, err := trellis.ParseARN(r.Resource); err == nil && a.Service == "vpc-lattice" {
		id, path, ok := strings.Cut(strings.TrimPrefix(a.Resource, "service/"), "/")
		if ok && strings.HasPrefix(a.Resource, "service/") {
			r.Path = "/" + path
		}
		a.Resource = "service/" + id
		r.ServiceARN = a.String()
	}
	return r
}

// dataPlane tells whether an action is one that requests to services are: the auth policy and the caller's own must both
// allow it, in one account too (VPC Lattice user guide, auth-policies).
func dataPlane(action string) bool {
	return strings.EqualFold(action, authpolicy.ActionInvoke) || strings.EqualFold(action, authpolicy.ActionConnect)
}

// At answers the n-th request.
func (s *Simulator) At(n int) Simulated {
	r := s.request(n)
	out := Simulated{Action: r.Action, Resource: r.Resource}
	var d authpolicy.Decision
	switch {
	case s.resource == nil:
		d = authpolicy.Own(r)
	case dataPlane(r.Action):
		d = authpolicy.Invoke(r, authpolicy.Layer{}, authpolicy.Layer{Enforced: true, Policy: s.resource})
	default:
		d = authpolicy.Access(r, s.resource, s.owner)
	}
	switch {
	case d.Allowed:
		out.Effect = authpolicy.Allow
	case d.Explicit:
		out.Effect = authpolicy.ExplicitDeny
	}
	s.match(&out, r)
	if s.caller.Organization != nil {
		allows := true
		for _, level := range s.caller.Organization {
			e, _ := level.Decide(r)
			allows = allows && e == authpolicy.Allow
		}
		out.Organizations = &allows
	}
	if s.caller.Boundary != nil {
		e, _ := s.caller.Boundary.Policy.Decide(r)
		out.Boundary = new(e == authpolicy.Allow)
	}
	if s.resource != nil {
		own, _ := s.caller.Identity.Decide(r)
		of, _ := s.resource.Decide(r)
		out.Details = map[string]authpolicy.Effect{sourceIdentity: own, sourceResource: of}
	}
	return out
}

// match collects the statements that decide and the keys that are missing.
func (s *Simulator) match(out *Simulated, r *authpolicy.Request) {
	seen := map[string]bool{}
	ask := func(name, source string, p *authpolicy.Policy, decides bool) {
		if decides && out.Effect != authpolicy.ImplicitDeny {
			for _, st := range p.Applying(r, out.Effect) {
				out.Matched = append(out.Matched, MatchedStatement{s.sourceID(name), source, st.Start, st.End})
			}
		}
		for _, k := range p.Missing(r) {
			if lower := strings.ToLower(k); !seen[lower] {
				seen[lower] = true
				out.Missing = append(out.Missing, k)
			}
		}
	}
	for _, p := range s.caller.Identity {
		ask(p.Name, sourceIdentity, p.Policy, true)
	}
	if s.resource != nil {
		ask("ResourcePolicy", sourceResource, s.resource, true)
	}
	denied := out.Effect == authpolicy.ExplicitDeny
	if b := s.caller.Boundary; b != nil {
		ask(b.Name, sourceIdentity, b.Policy, denied)
	}
	for _, level := range s.caller.Organization {
		for _, p := range level {
			ask(p.Name, sourceIdentity, p.Policy, denied)
		}
	}
}

// sourceID is how answers name the source of a statement: inline policies with whose they are, managed ones by name.
func (s *Simulator) sourceID(name string) string {
	whose := s.source
	if group, own, ok := strings.Cut(name, ": "); ok && strings.HasPrefix(group, "group ") {
		whose, name = "group/"+strings.TrimPrefix(group, "group "), own
	}
	if inline, ok := strings.CutPrefix(name, "inline policy "); ok {
		_, resource, _ := strings.Cut(whose, "::")
		if at := strings.LastIndexByte(resource, ':'); at >= 0 {
			whose = resource[at+1:]
		}
		kind, _, _ := strings.Cut(whose, "/")
		return kind + "_" + trellis.LastPart(whose) + "_" + inline
	}
	if strings.HasPrefix(name, "arn:") {
		return trellis.LastPart(name)
	}
	return name
}
