package api

import (
	"sync/atomic"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
)

// Call is one request whose signature is verified: who calls what. An operation gets it beside its input.
type Call struct {
	Caller      *authpolicy.Caller // who signed, with the identity policies
	Account     string             // the caller's, 12 digits
	Region      string             // of the credential scope
	Certificate *Certificate       // of an operation that is ByCertificate, else nil
	RequestID   string
	SourceIP    string // address without port
	UserAgent   string
	Endpoint    string // scheme and host that the client knows this endpoint by
	Service     string // signing name, for example vpc-lattice
	Operation   string // for example CreateService

	tokens   *Tokens
	revision atomic.Int64
}

// Committed notes the store revision that the operation committed at. The answer carries the highest one as
// x-trellis-revision, and is sent when this node has applied it.
func (c *Call) Committed(rev trellis.Revision) {
	for {
		old := c.revision.Load()
		if rev <= old || c.revision.CompareAndSwap(old, rev) {
			return
		}
	}
}

// Authorize asks the policies that bound the caller and the resource whether they allow an action, for example
// "logs:PutLogEvents", on a resource's ARN. keys are condition keys in lower case that are known of the request. The error
// is AccessDeniedException with AWS's sentence.
func (c *Call) Authorize(action, resourceARN string, keys map[string][]string) error {
	return c.Caller.Authorize(action, resourceARN, keys)
}

// NextToken makes the pagination token that says where the next page begins. It is bound to the account and the
// operation. An empty position, the end, gives nil.
func (c *Call) NextToken(after string) *string {
	if after == "" {
		return nil
	}
	t := c.tokens.Make(c.Account, c.Service+":"+c.Operation, after)
	return &t
}

// After reads a pagination token of the request: the position that NextToken was given, or "" without one.
// A token that this account did not get from this operation is a validation error.
func (c *Call) After(token *string) (string, error) {
	if token == nil {
		return "", nil
	}
	return c.tokens.Open(c.Account, c.Service+":"+c.Operation, *token)
}
