package routing

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
)

// endpoint is a VPC endpoint that carries traffic.
type endpoint struct {
	noun    *trellis.VPCEndpoint
	network *Network                                // nil for one of type Resource, or while there is no such network
	at      map[netip.Addr]*trellis.EndpointAddress // its resources by their addresses
	of      map[string]*trellis.EndpointAddress     // by the id of their configuration
}

// addrs are the first addresses of each family among some, which is all that a name needs: they all lead to this node.
func addrs(all []netip.Addr) (v4, v6 netip.Addr) {
	for _, a := range all {
		switch {
		case a.Is4() && !v4.IsValid():
			v4 = a
		case a.Is6() && !v6.IsValid():
			v6 = a
		}
	}
	return v4, v6
}

// addrs are the addresses at which the endpoint has services.
func (e *endpoint) addrs() (v4, v6 netip.Addr) {
	var all []netip.Addr
	for _, n := range e.noun.Interfaces {
		all = append(all, n.IPv4, n.IPv6)
	}
	return addrs(all)
}

// addrsOf are the addresses at which the endpoint has a resource; neither is valid when its subnets had none left.
func (e *endpoint) addrsOf(led *trellis.EndpointAddress) (v4, v6 netip.Addr) {
	var all []netip.Addr
	for _, a := range led.Addresses {
		all = append(all, a.Address)
	}
	return addrs(all)
}

// Endpoint is the network that a VPC endpoint of type ServiceNetwork leads to, nil when there is none. v may be nil.
func (v *VPC) Endpoint(id string) *Network {
	if e := v.endpoint(id); e != nil {
		return e.network
	}
	return nil
}

// HasEndpoint tells whether the VPC has an endpoint that carries traffic. v may be nil.
func (v *VPC) HasEndpoint(id string) bool { return v.endpoint(id) != nil }

// endpoint is a VPC endpoint of the VPC, nil when there is none. v may be nil.
func (v *VPC) endpoint(id string) *endpoint {
	if v != nil {
		for _, e := range v.endpoints {
			if e.noun.ID == id {
				return e
			}
		}
	}
	return nil
}

// EndpointPorts are the distinct ports of the listeners behind a VPC endpoint, sorted.
func (t *Table) EndpointPorts(vpcID, endpointID string) []int {
	n := t.VPC(vpcID).Endpoint(endpointID)
	if n == nil {
		return nil
	}
	return n.members.ports
}

// Service finds a service of a network, as Network.Service does. Behind a VPC endpoint a service has one more name, with
// the endpoint's id in it.
func (t *Table) Service(n *Network, host string) *Service {
	if s := n.Service(host); s != nil || n.EndpointID == "" {
		return s
	}
	var space [maxName]byte
	name := string(lowered(space[:0], withoutPort(host)))
	rest, ok := strings.CutPrefix(name, n.EndpointID+"-")
	if !ok {
		return nil
	}
	id, zone, _ := strings.Cut(rest, ".")
	if zone != trellis.GeneratedDomain(t.region) {
		return nil
	}
	return t.serviceBehind(id, n.ID, n.Account)
}

// serviceBehind is the service of an association with a network, nil when there is none.
func (t *Table) serviceBehind(association, networkID, account string) *Service {
	a := t.resources.serviceAssociations.get(association)
	if a == nil || a.ServiceNetwork != (trellis.Ref{Account: account, ID: networkID}) || !a.Status.Carries() {
		return nil
	}
	return t.services.get(a.Service.Key())
}

// makeEndpoints makes the VPC endpoints that are noted and carry traffic.
func (b *builder) makeEndpoints() {
	for key := range b.endpoints {
		id := trellis.LastPart(key)
		if old := b.madeEndpoints.get(id); old != nil {
			b.vpcs[old.noun.VPCID] = true
		}
		n, ok := trellis.Get[*trellis.VPCEndpoint](b.st, key)
		if !ok || !n.Carries() {
			b.madeEndpoints.remove(id)
			continue
		}
		e := &endpoint{noun: n, at: map[netip.Addr]*trellis.EndpointAddress{}, of: map[string]*trellis.EndpointAddress{}}
		led := slices.SortedFunc(trellis.Under[*trellis.EndpointAddress](b.st, key),
			func(x, y *trellis.EndpointAddress) int { return strings.Compare(x.Key(), y.Key()) })
		for _, l := range led {
			e.of[l.Configuration.ID] = l
			for _, a := range l.Addresses {
				e.at[a.Address] = l
			}
		}
		b.madeEndpoints.set(id, e)
		b.vpcs[n.VPCID] = true
	}
}

// join adds an endpoint to its VPC.
func (b *builder) join(made map[string]*VPC, e *endpoint) {
	v := made[e.noun.VPCID]
	if v == nil {
		v = b.vpc(e.noun.Account, e.noun.VPCID)
		made[v.ID] = v
	}
	joined := *e
	if m := b.madeNetworks.get(e.noun.ServiceNetwork.Key()); m != nil && e.noun.Type == trellis.ServiceNetworkEndpoint {
		joined.network = b.networkOf(m)
		joined.network.EndpointID = e.noun.ID
	}
	v.endpoints = append(v.endpoints, &joined)
}

// joinAll adds the endpoints of the VPCs that are noted, by id.
func (b *builder) joinAll(made map[string]*VPC) {
	all := maps.Collect(b.madeEndpoints.all)
	for _, id := range slices.Sorted(maps.Keys(all)) {
		if b.vpcs[all[id].noun.VPCID] {
			b.join(made, all[id])
		}
	}
}
