package routing

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
)

// Resource is a TCP resource as the clients of one VPC reach it at one address.
type Resource struct {
	Configuration *trellis.ResourceConfiguration
	ARN           string // of the configuration
	Gateway       *trellis.ResourceGateway
	NetworkARN    string // of the network that leads to it, empty at an endpoint of type Resource
	AssociationID string // of its association with that network, empty as well
	EndpointID    string // of the VPC endpoint that leads to it, empty when the VPC's association does
}

// Resource finds the resource that is at an address inside a VPC, and that has an association of the VPC, or an endpoint
// in it, that leads there.
func (t *Table) Resource(vpcID string, at netip.Addr) (r Resource, ok bool) {
	at = at.Unmap()
	v := t.VPC(vpcID)
	if v == nil {
		return r, false
	}
	if a := t.resources.at.get(shortAddr(at)); a != nil {
		if v.reaches(a.ServiceNetwork) == nil || !a.Status.Carries() {
			return r, false
		}
		r.NetworkARN, r.AssociationID = t.networkARN(a.ServiceNetwork), a.ID
		return t.lead(r, a.Configuration)
	}
	for _, e := range v.endpoints {
		led := e.at[at]
		if led == nil {
			continue
		}
		r.EndpointID = e.noun.ID
		if e.noun.Type == trellis.ServiceNetworkEndpoint {
			a := t.resources.associations.get(led.Association.ID)
			if a == nil || !a.Status.Carries() || a.ServiceNetwork != e.noun.ServiceNetwork {
				return r, false
			}
			r.NetworkARN, r.AssociationID = t.networkARN(a.ServiceNetwork), a.ID
		}
		return t.lead(r, led.Configuration)
	}
	return r, false
}

// lead adds the resource itself, if it carries traffic.
func (t *Table) lead(r Resource, configuration trellis.Ref) (Resource, bool) {
	c := t.resources.configurations.get(configuration.Key())
	if c == nil || !c.Status.Carries() {
		return r, false
	}
	g := t.resources.gateways.get(c.Account + "/" + c.GatewayID)
	if g == nil || !g.Status.Carries() {
		return r, false
	}
	r.Configuration, r.ARN, r.Gateway = c, c.ARN(t.region), g
	return r, true
}

// networkARN is the ARN of a service network.
func (t *Table) networkARN(n trellis.Ref) string {
	return trellis.LatticeARN(t.region, n.Account, "servicenetwork/"+n.ID)
}

// TakesResources tells whether there may be a resource that clients of a VPC reach.
func (t *Table) TakesResources(vpcID string) bool {
	v := t.VPC(vpcID)
	if v == nil {
		return false
	}
	for _, n := range v.networks {
		if n != nil && t.resources.in.get(n.Account+"/"+n.ID) > 0 {
			return true
		}
	}
	return slices.ContainsFunc(v.endpoints, func(e *endpoint) bool { return len(e.at) > 0 })
}

// shortAddr is an address of LatticePublicBlock, or its IPv6 form, as resources are looked for; empty for another one.
func shortAddr(a netip.Addr) string {
	if trellis.LatticeBlock6.Contains(a) {
		b := a.As16()
		a = netip.AddrFrom4([4]byte(b[12:]))
	}
	if !trellis.LatticePublicBlock.Contains(a) {
		return ""
	}
	return a.String()
}

// resources is what a Table knows of TCP resources: the nouns, by what they are looked for. A connection to a resource
// comes seldom beside a request, so they are put together when it comes, and a change of one noun changes its entry alone.
type resources struct {
	gateways            dict[*trellis.ResourceGateway]         // by key
	configurations      dict[*trellis.ResourceConfiguration]   // by key
	verifications       dict[*trellis.DomainVerification]      // by key
	associations        dict[*trellis.ResourceAssociation]     // by id, as generated names have it
	at                  dict[*trellis.ResourceAssociation]     // by address
	of                  dict[[]*trellis.ResourceAssociation]   // by the key of their configuration, oldest first
	named               dict[[]*trellis.ResourceConfiguration] // by custom name, by key
	in                  dict[int]                              // how many associations with an address a network has, by its key
	serviceAssociations dict[*trellis.ServiceAssociation]      // by id, as the names of services at endpoints have it
}

// resourcing makes resources out of others.
type resourcing struct {
	gateways            *draft[*trellis.ResourceGateway]
	configurations      *draft[*trellis.ResourceConfiguration]
	verifications       *draft[*trellis.DomainVerification]
	associations        *draft[*trellis.ResourceAssociation]
	at                  *draft[*trellis.ResourceAssociation]
	of                  *draft[[]*trellis.ResourceAssociation]
	named               *draft[[]*trellis.ResourceConfiguration]
	in                  *draft[int]
	serviceAssociations *draft[*trellis.ServiceAssociation]
}

// resource begins with resources.
func resource(from resources) *resourcing {
	return &resourcing{edit(from.gateways), edit(from.configurations), edit(from.verifications), edit(from.associations),
		edit(from.at), edit(from.of), edit(from.named), edit(from.in), edit(from.serviceAssociations)}
}

// resourceAll begins with the resources of a state.
func resourceAll(st *trellis.State) *resourcing {
	r := resource(resources{})
	for n := range trellis.All[*trellis.ResourceGateway](st) {
		r.change(trellis.Change{Is: n})
	}
	for n := range trellis.All[*trellis.ResourceConfiguration](st) {
		r.change(trellis.Change{Is: n})
	}
	for n := range trellis.All[*trellis.DomainVerification](st) {
		r.change(trellis.Change{Is: n})
	}
	for n := range trellis.All[*trellis.ResourceAssociation](st) {
		r.change(trellis.Change{Is: n})
	}
	for n := range trellis.All[*trellis.ServiceAssociation](st) {
		r.change(trellis.Change{Is: n})
	}
	return r
}

// done are the resources that were made.
func (r *resourcing) done() resources {
	return resources{r.gateways.dict, r.configurations.dict, r.verifications.dict, r.associations.dict, r.at.dict, r.of.dict, r.named.dict,
		r.in.dict, r.serviceAssociations.dict}
}

// change takes over a change, if it is one of theirs.
func (r *resourcing) change(c trellis.Change) {
	if c.Was != nil {
		r.forget(c.Was)
	}
	switch n := c.Is.(type) {
	case *trellis.ResourceGateway:
		r.gateways.set(n.Key(), n)
	case *trellis.ResourceConfiguration:
		r.configurations.set(n.Key(), n)
		if name := asciiLower(n.CustomDomainName); name != "" {
			r.named.set(name, with(r.named.get(name), n, compareConfigurations))
		}
	case *trellis.DomainVerification:
		r.verifications.set(n.Key(), n)
	case *trellis.ServiceAssociation:
		r.serviceAssociations.set(n.ID, n)
	case *trellis.ResourceAssociation:
		r.associations.set(n.ID, n)
		if !n.Address.IsValid() {
			return
		}
		key, network := n.Configuration.Key(), n.ServiceNetwork.Key()
		r.at.set(n.Address.String(), n)
		r.of.set(key, with(r.of.get(key), n, compareResourceAssociations))
		r.in.set(network, r.in.get(network)+1)
	}
}

// forget undoes change for a noun that went or became another one.
func (r *resourcing) forget(n trellis.Noun) {
	switch n := n.(type) {
	case *trellis.ResourceGateway:
		r.gateways.remove(n.Key())
	case *trellis.ResourceConfiguration:
		r.configurations.remove(n.Key())
		if name := asciiLower(n.CustomDomainName); name != "" {
			keep(r.named, name, without(r.named.get(name), n))
		}
	case *trellis.DomainVerification:
		r.verifications.remove(n.Key())
	case *trellis.ServiceAssociation:
		r.serviceAssociations.remove(n.ID)
	case *trellis.ResourceAssociation:
		r.associations.remove(n.ID)
		if !n.Address.IsValid() {
			return
		}
		key, network := n.Configuration.Key(), n.ServiceNetwork.Key()
		if r.at.get(n.Address.String()) == n {
			r.at.remove(n.Address.String())
		}
		keep(r.of, key, without(r.of.get(key), n))
		if left := r.in.get(network) - 1; left > 0 {
			r.in.set(network, left)
		} else {
			r.in.remove(network)
		}
	}
}

// with is a list with one more noun, in order.
func with[N comparable](list []N, n N, compare func(a, b N) int) []N {
	i, _ := slices.BinarySearchFunc(list, n, compare)
	return slices.Concat(list[:i], []N{n}, list[i:])
}

// without is a list without a noun.
func without[N comparable](list []N, n N) []N {
	return slices.DeleteFunc(slices.Clone(list), func(o N) bool { return o == n })
}

// keep sets an entry, or removes it when its list is empty.
func keep[N any](d *draft[[]N], key string, list []N) {
	if len(list) > 0 {
		d.set(key, list)
	} else {
		d.remove(key)
	}
}

// compareConfigurations orders configurations by key.
func compareConfigurations(a, b *trellis.ResourceConfiguration) int {
	return strings.Compare(a.Key(), b.Key())
}

// compareResourceAssociations orders associations by age, then by id.
func compareResourceAssociations(a, b *trellis.ResourceAssociation) int {
	return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), strings.Compare(a.ID, b.ID), strings.Compare(a.Account, b.Account))
}
