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
	SecureTransport   bool

	// Extra holds further condition keys by lower-case name, for example aws:requesttag/team. It answers for
	// keys that the fields above leave absent.
	Extra map[string][]string
}

// Caller is who made a request, with the policies of its own account.
type Caller struct {
	Principal trellis.Principal
	// Identity are the policies of the user or role, inline and attached: one layer together.
	Identity []*Policy
	// Session is the policy that was given when the session was made, nil for none. It allows nothing by
	// itself: both it and Identity must allow.
	Session *Policy
	// Context holds condition keys by lower-case name that hold for everything the caller does in one request to
	// the API, for example aws:sourceip and aws:useragent. They answer for keys that a Request leaves absent.
	// Callers are shared: set it on a copy.
	Context map[string][]string
	// Broken says why the policies could not be compiled. It denies everything.
	Broken error
}
