package dataplane

import (
	"net/netip"

	"github.com/trellis-project/trellis/authpolicy"
)

// Vouching says who is at an address of a VPC, as the network knows by itself: the lab instance, pod or attached host that
// opened a connection, and the role that it has. It is never changed; another takes its place when anything changes that it
// was made of, and that is how connections notice.
type Vouching struct {
	// Caller returns who opens connections in a VPC from an address, if that counts for unsigned requests that come through
	// an association (none behind a VPC endpoint), and the caller that it is then: nil for nobody. It is asked once for each
	// connection and Vouching, and may compile policies.
	Caller func(vpcID, associationID string, from netip.Addr) (holder string, c *authpolicy.Caller)
}

// vouched is what the network said of who opened a connection.
type vouched struct {
	by          *Vouching
	association string
	holder      string // of the address, when the connection's first unsigned request came; empty for nobody
	caller      *authpolicy.Caller
}

// vouchedFor is the caller that the network vouches for, nil for none. An address may change hands, or come to somebody when
// it was nobody's, but who has it then did not open the connection.
func (c *conn) vouchedFor(v *Vouching, association string) *authpolicy.Caller {
	if c.vouched == nil {
		c.vouched = &vouched{}
	}
	if is := c.vouched; is.by != v || is.association != association {
		holder, caller := v.Caller(c.l.vpcID, association, c.remote.Addr())
		if is.by == nil {
			is.holder = holder
		}
		if holder != is.holder {
			caller = nil
		}
		is.by, is.association, is.caller = v, association, caller
	}
	return c.vouched.caller
}

// vouch finds who opened the connection of an unsigned request, where the network vouches for that (docs/modes.md). Whoever
// signs is whom the signature says, and nobody else when it is bad.
func (x *exchange) vouch() {
	v := x.l.s.Vouching()
	if v == nil {
		return
	}
	if c := x.conn.vouchedFor(v, x.network.AssociationID); c != nil {
		x.setCaller(c, sourceNetwork)
	}
}
