package routing

import (
	"net/netip"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
)

// Table is everything that the data plane and DNS know, at one revision. It is never changed. What did not change
// from one Table to the next is shared.
type Table struct {
	revision trellis.Revision
	vpcs     dict[*VPC]
	managed  dict[int] // how many services that live have a generated name, in lower case

	// What the next Build begins with.
	region   string
	moment   trellis.Moment
	services dict[*Service] // by noun key
	networks dict[*members] // by noun key
	policies dict[used]     // compiled, by their text
	reached  links          // the service associations by the id of their service
	reaching links          // the same by the id of their service network

	endpoints dict[*endpoint] // that carry traffic, by id
	resources resources
	zones     zones
}

// Revision is the store revision that the Table was made at.
func (t *Table) Revision() trellis.Revision { return t.revision }

// VPC finds a VPC by its id, nil when there is none.
func (t *Table) VPC(id string) *VPC { return t.vpcs.get(id) }

// Ports are the distinct ports of the listeners behind one association, sorted. It is empty when the VPC
// has no such association.
func (t *Table) Ports(vpcID string, slot int) []int {
	n := t.VPC(vpcID).Network(slot)
	if n == nil {
		return nil
	}
	return n.members.ports
}

// Resolve is the DNS answer for a name inside a VPC: the name may be in any case and end in a dot. A managed or
// custom name of a service that an association of the VPC reaches has that association's address, of several
// the one with the lowest slot. A managed name of another service has the address that leads nowhere. Resources have
// names of both kinds too (names.go). Not ok means that the name is none of ours.
func (t *Table) Resolve(vpcID, name string) (v4, v6 netip.Addr, ok bool) {
	var space [maxName]byte
	b := lowered(space[:0], name)
	if b == nil {
		return v4, v6, false
	}
	v := t.VPC(vpcID)
	if slot, found := v.slotOf(b); found {
		v4, v6 = trellis.SlotAddrs(slot)
		return v4, v6, true
	}
	if _, ok := t.managed.name(b); ok {
		return nowhere()
	}
	long := string(b)
	if v4, v6, ok = t.resolveLong(v, long); ok {
		return v4, v6, true
	}
	return t.resolvePrivate(v, long)
}

// VPC is a VPC with its associations.
type VPC struct {
	ID, ARN, Account string
	networks         []*Network  // by slot, from trellis.FirstSlot on; nil where there is none
	endpoints        []*endpoint // by id
}

// Network is the network behind a slot, nil when there is none. v may be nil.
func (v *VPC) Network(slot int) *Network {
	i := slot - trellis.FirstSlot
	if v == nil || i < 0 || i >= len(v.networks) {
		return nil
	}
	return v.networks[i]
}

// slotOf is the lowest slot whose network has a name. v may be nil.
func (v *VPC) slotOf(name []byte) (slot int, ok bool) {
	if v == nil {
		return 0, false
	}
	for _, n := range v.networks {
		if n == nil {
			continue
		}
		if _, ok := n.members.byName.name(name); ok {
			return n.Slot, true
		}
	}
	return 0, false
}

// Network is a service network as one VPC association, or one VPC endpoint, reaches it.
type Network struct {
	ID, ARN, Account, Name string
	Layer                  authpolicy.Layer
	AssociationID          string // empty behind an endpoint
	Slot                   int    // 0 behind an endpoint
	EndpointID             string // empty behind an association
	members                *members
	private                privateNames // of an association
}

// members are a network and its services: the same for all of its associations.
type members struct {
	noun      *trellis.ServiceNetwork
	layer     layer
	from      []*Service     // by id and account
	byName    dict[*Service] // by managed and custom name in lower case
	contested bool           // several services want one name
	ports     []int
}

// Service finds a service of the network by a Host header's value, which may carry a port, be in any case and
// end in a dot. Nil when there is none.
func (n *Network) Service(host string) *Service {
	var space [maxName]byte
	s, _ := n.members.byName.name(lowered(space[:0], withoutPort(host)))
	return s
}

// maxName is how long a name may be (RFC 1035) with a last dot.
const maxName = 254

// lowered appends a domain name in lower case and without a last dot to b, which has room for maxName bytes. It
// is nil for what is too long for a name.
func lowered(b []byte, name string) []byte {
	if len(name) > maxName || name == "" {
		return nil
	}
	name = strings.TrimSuffix(name, ".")
	for i := range len(name) {
		b = append(b, lower(name[i]))
	}
	return b
}

// withoutPort cuts :port from a Host header's value. Services are known by names, so an address in brackets is
// of no interest.
func withoutPort(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 {
		return host[:i]
	}
	return host
}

// lower is the small form of an ASCII letter.
func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c | 0x20
	}
	return c
}
