package authpolicy

import (
	"net/netip"
	"time"

	"github.com/trellis-project/trellis"
)

// Field is one header field. It is an alias of a plain struct, so that the codec's fields pass unconverted.
type Field = struct{ Name, Value string }

// The actions of the data plane (Service Authorization Reference, list_amazonvpclatticeservices).
const (
	ActionInvoke  = "vpc-lattice-svcs:Invoke"  // of requests
	ActionConnect = "vpc-lattice-svcs:Connect" // of connections that are passed through
)

// Request is what a policy decides about. Fields that are zero are absent for conditions.
type Request struct {
	Action   string  // for example vpc-lattice-svcs:Invoke
	Resource string  // ARN; of Invoke: the service's ARN and the request's path
	Caller   *Caller // nil is an anonymous caller

	Method   string
	Path     string // raw, without the query
	RawQuery string
	Headers  []Field
	Port     int // of the listener

	ServiceARN        string
	ServiceNetworkARN string
	SourceVPC         string // vpc-…
	SourceVPCOwner    string // account
	SourceIP          netip.Addr
	Now               time.Time
	ResourceTags      map[string]string
	ResourceOrgID     string // o-… of the account that owns the resource
	ResourceOrgPath   string // o-…/r-…/ou-…/ of that account
	SecureTransport   bool

	// ResourceControl are the resource control policies that hold for the account that owns the resource, a layer for
	// each level as in Caller.Organization.
	ResourceControl []Policies

	// Override holds condition keys by lower-case name that win over everything else, for simulations; a key without
	// values is absent. nil for real requests.
	Override map[string][]string

	// Extra holds further condition keys by lower-case name, for example aws:requesttag/team. It answers for
	// keys that the fields above leave absent.
	Extra map[string][]string

	finder *finder // of a policy with many patterns, while it decides
}

// Caller is who made a request, with the policies that bound it: all that are not nil must allow.
//
// Who asks for AssumeRoleWithWebIdentity has no principal of an account yet: a trust policy is asked about a Caller
// whose Principal has the type trellis.PrincipalWebIdentity and as FederatedProvider the ARN of the OIDC provider (or
// the domain name of a public one), with the token's claims in Request.Extra: issuer:aud, issuer:sub and issuer:amr in
// lower case, the issuer without its scheme. Only a Federated principal, or *, names it.
type Caller struct {
	Principal trellis.Principal
	// Identity are the policies of the user or role, inline, attached and those of groups: one layer together.
	Identity Policies
	// Boundary is the permissions boundary of the user or role, nil for none. It allows nothing by itself.
	Boundary *Named
	// Session are the policies that were given when the session was made, nil for none: one layer together. They
	// allow nothing by themselves.
	Session Policies
	// Organization are the service control policies that hold for the account, a layer for each level from the root of
	// the organization to the account itself: each level must allow. nil: none hold, as for the management account.
	Organization []Policies
	// Context holds condition keys by lower-case name that hold for everything the caller does in one request to
	// the API, for example aws:sourceip and aws:useragent. They answer for keys that a Request leaves absent.
	// Callers are shared: set it on a copy.
	Context map[string][]string
	// Control returns the resource control policies that hold for what an account owns, for what the caller asks of the API,
	// where a Request does not bring them. It may be nil.
	Control func(account string) []Policies
	// Broken says why the policies could not be compiled. It denies everything.
	Broken error
}

// Named is a policy with how people know it.
type Named struct {
	Name   string // for example inline policy read-orders, or the ARN of a managed policy
	Policy *Policy
}

// Policies are policies that count as one layer: a deny of any denies, an allow of any allows.
type Policies []Named

// Decide answers a request as one policy with all the statements would.
func (ps Policies) Decide(r *Request) (Effect, *Statement) {
	e, s, _ := ps.decide(r)
	return e, s
}

// decide is Decide with the policy that the statement is of.
func (ps Policies) decide(r *Request) (Effect, *Statement, *Named) {
	effect, by, of := ImplicitDeny, (*Statement)(nil), (*Named)(nil)
	for i := range ps {
		switch e, s := ps[i].Policy.Decide(r); e {
		case ExplicitDeny:
			return e, s, &ps[i]
		case Allow:
			if effect != Allow {
				effect, by, of = e, s, &ps[i]
			}
		}
	}
	return effect, by, of
}
