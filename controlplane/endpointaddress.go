package controlplane

import (
	"errors"
	"net/netip"
	"slices"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/store"
)

// leadTo gives a VPC endpoint the addresses by which it leads to a resource, one in each of its subnets; made is false
// when it has just these, or is going. association is zero for an endpoint of type Resource. When a subnet has no free
// address, the resource gets those in the others, and the error is one that isFull knows.
func (p *Plane) leadTo(tx *store.Tx, e *trellis.VPCEndpoint, configuration, association trellis.Ref) (made bool, err error) {
	if e.State == trellis.EndpointDeleting || e.State == trellis.EndpointRejected {
		return false, nil
	}
	led := &trellis.EndpointAddress{Account: e.Account, EndpointID: e.ID, Configuration: configuration, Association: association}
	before, err := store.Get[*trellis.EndpointAddress](tx, led.Key())
	if errors.Is(err, trellis.ErrNotExist) {
		before, err = &trellis.EndpointAddress{}, nil
	}
	if err != nil {
		return false, err
	}
	if e.Configuration == configuration { // the only resource of its endpoint is at the interfaces' own addresses
		for _, n := range e.Interfaces {
			led.Addresses = append(led.Addresses, interfaceAddresses(n)...)
		}
	} else if led.Addresses, err = resourceAddresses(tx, e, before.Addresses); err != nil && !isFull(err) {
		return false, err
	}
	if slices.Equal(before.Addresses, led.Addresses) && (before.Association == association || len(led.Addresses) == 0) {
		return false, err
	}
	tx.Put(led)
	return true, err
}

// resourceAddresses are the addresses of one of an endpoint's resources: those that it had in the endpoint's subnets, and
// new ones in the others. The error of a subnet without a free address comes with the addresses in the others.
func resourceAddresses(tx *store.Tx, e *trellis.VPCEndpoint, had []trellis.SubnetAddress) ([]trellis.SubnetAddress, error) {
	var held map[string]map[netip.Addr]bool
	var out []trellis.SubnetAddress
	var full error
	for _, n := range e.Interfaces {
		for _, v6 := range []bool{false, true} {
			if v6 && !n.IPv6.IsValid() || !v6 && !n.IPv4.IsValid() {
				continue
			}
			i := slices.IndexFunc(had, func(a trellis.SubnetAddress) bool { return a.SubnetID == n.SubnetID && a.Address.Is6() == v6 })
			if i >= 0 {
				out = append(out, had[i])
				continue
			}
			if held == nil {
				var err error
				if held, err = heldAddresses(tx, e.Account); err != nil {
					return nil, err
				}
			}
			s, err := store.Get[*trellis.Subnet](tx, e.Account+"/"+n.SubnetID)
			if err != nil {
				return nil, err
			}
			a, err := addressesOf(s, held[s.ID]).take(v6)
			if err != nil {
				full = err
				continue
			}
			out = append(out, trellis.SubnetAddress{SubnetID: n.SubnetID, Address: a})
		}
	}
	return out, full
}

// interfaceAddresses are the addresses of an interface.
func interfaceAddresses(n trellis.NetworkInterface) (out []trellis.SubnetAddress) {
	if n.IPv4.IsValid() {
		out = append(out, trellis.SubnetAddress{SubnetID: n.SubnetID, Address: n.IPv4})
	}
	if n.IPv6.IsValid() {
		out = append(out, trellis.SubnetAddress{SubnetID: n.SubnetID, Address: n.IPv6})
	}
	return out
}

// endpointOf reads the endpoint of a resource endpoint association by the association's key.
func endpointOf(tx *store.Tx, association string) (*trellis.VPCEndpoint, error) {
	a, err := store.Get[*trellis.ResourceEndpointAssociation](tx, association)
	if err != nil {
		return nil, err
	}
	return store.Get[*trellis.VPCEndpoint](tx, a.Account+"/"+a.EndpointID)
}

// led is a resource that an endpoint shall lead to, and its association with the endpoint's network; zero for an
// endpoint of type Resource.
type led struct{ configuration, association trellis.Ref }

// leads lists the resources that an endpoint shall lead to.
func leads(tx *store.Tx, e *trellis.VPCEndpoint) (out []led, err error) {
	if e.Type == trellis.ServiceNetworkEndpoint {
		all, err := markedAssociations[*trellis.ResourceAssociation](tx, networkResources(e.ServiceNetwork.Key()))
		for _, a := range all {
			if a.Address.IsValid() && a.Status != trellis.StatusDeleteInProgress {
				out = append(out, led{a.Configuration, a.Ref()})
			}
		}
		return out, err
	}
	m, err := store.Get[*trellis.ResourceConfiguration](tx, e.Configuration.Key())
	if err != nil {
		return nil, err
	}
	if m.Type != trellis.GroupConfiguration {
		return []led{{configuration: m.Ref()}}, nil
	}
	all, err := children(tx, m.Key())
	for _, child := range all {
		if child.Status != trellis.StatusDeleteInProgress {
			out = append(out, led{configuration: child.Ref()})
		}
	}
	return out, err
}

// leadToAll gives an endpoint the addresses of all its resources, some at a time; again is true until it has them, full
// that a subnet has none for some.
func (p *Plane) leadToAll(tx *store.Tx, e *trellis.VPCEndpoint) (again, full bool, err error) {
	all, err := leads(tx, e)
	if err != nil {
		return false, false, err
	}
	n := 0
	for _, l := range all {
		made, err := p.leadTo(tx, e, l.configuration, l.association)
		if isFull(err) {
			full = true
			continue
		}
		if err != nil {
			return false, false, err
		}
		if made {
			if n++; n == cascadeBatch {
				return true, full, nil
			}
		}
	}
	return false, full, nil
}

// dropAddresses removes the addresses of an endpoint's resources, some at a time; again is true until all are gone.
func dropAddresses(tx *store.Tx, e *trellis.VPCEndpoint) (again bool, err error) {
	some, next, err := store.Page[*trellis.EndpointAddress](tx, e.Key()+"/", "", cascadeBatch)
	for _, a := range some {
		tx.Delete(a)
	}
	return next != "", err
}
