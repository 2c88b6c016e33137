package vpc

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/trellis-project/trellis"
)

// point is a resource gateway or VPC endpoint: addresses of the node in subnets of a VPC, with security groups.
type point struct {
	id      string
	groups  []string
	gateway bool // its groups' outbound rules hold for what it sends; of an endpoint the inbound ones for who calls
	addrs   []netip.Addr
}

// reached is an address of the node at which clients of a VPC reach services or one resource.
type reached struct {
	at       netip.Addr
	chain    string              // of who may
	resource bool                // connections to it are taken by the one socket for all resources
	ports    []trellis.PortRange // of a resource
}

// slotChain is the name of the chain of an association's inbound rules.
func slotChain(slot int) string { return "slot-" + strconv.Itoa(slot) }

// add adds an address in whichever family it is; none when it is not valid.
func (m *rulesMaker) add(r reached, at ...netip.Addr) {
	for _, a := range at {
		if a.IsValid() {
			r.at = a
			m.reached = append(m.reached, r)
		}
	}
}

// planResources gives VPCs the points and the resources that their nouns say.
func planResources(st *trellis.State, makers map[string]*rulesMaker) {
	for g := range trellis.All[*trellis.ResourceGateway](st) {
		if m := makers[g.VPCID]; m != nil && g.Status.Carries() {
			m.points = append(m.points, point{g.ID, g.SecurityGroupIDs, true, addressesOf(g.Interfaces)})
		}
	}
	for e := range trellis.All[*trellis.VPCEndpoint](st) {
		m := makers[e.VPCID]
		if m == nil || !e.Carries() {
			continue
		}
		p := point{e.ID, e.SecurityGroupIDs, false, addressesOf(e.Interfaces)}
		if e.Type == trellis.ServiceNetworkEndpoint {
			m.add(reached{chain: e.ID}, p.addrs...)
		}
		for led := range trellis.Under[*trellis.EndpointAddress](st, e.Key()) {
			c := carrying(st, led.Configuration)
			for _, a := range led.Addresses {
				if c != nil {
					m.add(reached{chain: e.ID, resource: true, ports: c.Ports}, a.Address)
				}
				p.addrs = append(p.addrs, a.Address)
			}
		}
		m.points = append(m.points, p)
	}
	through := map[trellis.Ref][]*trellis.VPCAssociation{}
	for _, m := range makers {
		for _, a := range m.associations {
			through[a.ServiceNetwork] = append(through[a.ServiceNetwork], a)
		}
	}
	for a := range trellis.All[*trellis.ResourceAssociation](st) {
		if !a.Status.Carries() || len(through[a.ServiceNetwork]) == 0 {
			continue
		}
		if c := carrying(st, a.Configuration); c != nil {
			v4, v6 := a.Addrs()
			for _, by := range through[a.ServiceNetwork] {
				makers[by.VPC.ID].add(reached{chain: slotChain(by.Slot), resource: true, ports: c.Ports}, v4, v6)
			}
		}
	}
}

// carrying is a resource configuration that carries traffic, nil when there is none.
func carrying(st *trellis.State, of trellis.Ref) *trellis.ResourceConfiguration {
	c, ok := trellis.Get[*trellis.ResourceConfiguration](st, of.Key())
	if !ok || !c.Status.Carries() {
		return nil
	}
	return c
}

// addressesOf are the addresses of interfaces.
func addressesOf(interfaces []trellis.NetworkInterface) (all []netip.Addr) {
	for _, n := range interfaces {
		for _, a := range []netip.Addr{n.IPv4, n.IPv6} {
			if a.IsValid() {
				all = append(all, a)
			}
		}
	}
	return all
}

// local are the addresses of the points, which are the node's own.
func (m *rulesMaker) local() (all []netip.Addr) {
	for _, p := range m.points {
		all = append(all, p.addrs...)
	}
	return all
}

// settle sorts points and what is reached, and leaves one of what is reached at an address.
func (m *rulesMaker) settle() {
	slices.SortFunc(m.points, func(a, b point) int { return cmp.Compare(a.id, b.id) })
	slices.SortFunc(m.reached, func(a, b reached) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.chain, b.chain))
	})
	m.reached = slices.CompactFunc(m.reached, func(a, b reached) bool { return a.at == b.at })
}

// byFamily puts an element into the set of its family.
func byFamily(v4, v6 *set, e element) {
	if e.addr.Is4() {
		v4.elements = append(v4.elements, e)
	} else {
		v6.elements = append(v6.elements, e)
	}
}

// pointRules are the sets of the points' addresses, and the chains of their security groups: outbound rules of gateways,
// found by the source of what they send, and inbound rules of endpoints.
func (m *rulesMaker) pointRules() ([]set, []chain) {
	points4, points6 := set{name: setPoints4, kind: addresses4}, set{name: setPoints6, kind: addresses6}
	gateways4, gateways6 := set{name: mapGateways4, kind: bySource4}, set{name: mapGateways6, kind: bySource6}
	var chains []chain
	for _, e := range elementsOf(m.local()) {
		byFamily(&points4, &points6, e)
	}
	for _, p := range m.points {
		groups := slices.Sorted(slices.Values(p.groups))
		if !p.gateway {
			chains = append(chains, m.anyOf(p.id, groups, inbound))
			continue
		}
		chains = append(chains, m.anyOf(p.id, groups, outbound))
		for _, a := range p.addrs {
			byFamily(&gateways4, &gateways6, element{addr: a, chain: p.id})
		}
	}
	return []set{points4, points6, gateways4, gateways6}, chains
}

// reachedRules lead what goes to endpoints and resources to the chains of who may, a resource's by its ports alone, and
// are the sets of the resources' addresses.
func (m *rulesMaker) reachedRules(slots4, slots6 *set) ([]set, []chain) {
	taken4, taken6 := set{name: setResources4, kind: addresses4}, set{name: setResources6, kind: addresses6}
	shared := map[string]string{} // what a chain of ports is made of, to its name
	var chains []chain
	for _, r := range m.reached {
		to := r.chain
		if r.resource {
			byFamily(&taken4, &taken6, element{addr: r.at})
			key := fmt.Sprint(r.chain, r.ports)
			if shared[key] == "" {
				shared[key] = "ports-" + strconv.Itoa(len(shared))
				c := chain{name: shared[key]}
				for _, p := range r.ports {
					c.rules = append(c.rules, rule{}.protocol(unix.IPPROTO_TCP).ports(uint16(p.From), uint16(p.To)).goTo(r.chain))
				}
				c.rules = append(c.rules, rule{}.drop())
				chains = append(chains, c)
			}
			to = shared[key]
		}
		byFamily(slots4, slots6, element{addr: r.at, chain: to})
	}
	return []set{taken4, taken6}, chains
}

// Where connections to all resources of a VPC are taken, one address for each family.
var (
	resources4, resources6 = trellis.SlotAddrs(trellis.ResourceSlot)
	// ResourcePlaces are where ListenTransparent takes connections to resources.
	ResourcePlaces = []netip.AddrPort{netip.AddrPortFrom(resources4, resourcePort), netip.AddrPortFrom(resources6, resourcePort)}
)

// resourcePort is the port there. Nobody can connect to it: it is behind no slot.
const resourcePort = 224

// toResources hands the packet to the socket that takes connections to resources, whatever its destination and port are.
func (r rule) toResources(v6 bool) rule {
	to, family, text := resources4, byte(unix.NFPROTO_IPV4), "tproxy ip to "
	if v6 {
		to, family, text = resources6, unix.NFPROTO_IPV6, "tproxy ip6 to "
	}
	return r.with(text+netip.AddrPortFrom(to, resourcePort).String(),
		&expr.Immediate{Register: 1, Data: to.AsSlice()},
		&expr.Immediate{Register: 2, Data: binaryutil.BigEndian.PutUint16(resourcePort)},
		&expr.TProxy{Family: family, TableFamily: unix.NFPROTO_INET, RegAddr: 1, RegPort: 2})
}

// ListenTransparent is ListenSocket for connections at addresses that are not the socket's, or not the node's for ever: at
// ResourcePlaces it takes those to all resources that clients of a VPC reach, each with the address that the client
// connected to as its own; at an endpoint's address it can still tell clients of their end when the endpoint has gone.
func (m *Manager) ListenTransparent(vpcID string, at netip.AddrPort) (int, error) {
	return m.listenSocket(vpcID, at, func() [2]int {
		if at.Addr().Is4() {
			return [2]int{unix.SOL_IP, unix.IP_TRANSPARENT}
		}
		return [2]int{unix.SOL_IPV6, unix.IPV6_TRANSPARENT}
	}())
}

// GatewaySocket makes a socket for a connection to a resource inside a VPC, bound to an address of its resource gateway
// there, so that the gateway's security groups hold, and those of the resource can name them. The caller owns it, and
// connects it.
func (m *Manager) GatewaySocket(vpcID string, from netip.Addr, to netip.AddrPort) (int, error) {
	a := to.Addr()
	switch {
	case from.Is4() != a.Is4():
		return -1, fmt.Errorf("connect in %s: gateway address %s is of another family than %s", vpcID, from, to)
	case a.IsLoopback(), a.IsLinkLocalUnicast(), a.IsMulticast(), a.IsUnspecified(), nodeBlock6.Contains(a), trellis.LatticePublicBlock.Contains(a):
		return -1, fmt.Errorf("connect in %s: %s is not an address that a resource may have", vpcID, a) // a name may have any
	}
	return m.socketFrom(vpcID, from)
}
