package routing

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/trellis-project/trellis"
)

// The preferences for private names besides VERIFIED_DOMAINS_ONLY, the default (VPC Lattice API, DnsOptions).
const (
	allDomains           = "ALL_DOMAINS"
	verifiedAndSpecified = "VERIFIED_DOMAINS_AND_SPECIFIED_DOMAINS"
	specifiedDomains     = "SPECIFIED_DOMAINS_ONLY"
)

// reaches is the network behind an association of the VPC with a service network, nil when there is none: that with the
// lowest slot. v may be nil.
func (v *VPC) reaches(network trellis.Ref) *Network {
	if v != nil {
		for _, n := range v.networks {
			if n != nil && n.ID == network.ID && n.Account == network.Account {
				return n
			}
		}
	}
	return nil
}

// resolveLong is Resolve for generated names that are longer than a service's own: of a resource, and those with a VPC
// endpoint's id in them (AWS PrivateLink guide, privatelink-access-service-networks). name is in lower case.
//
//	snra-….rcfg-….4232ccc.vpc-lattice-rsc.region.on.aws
//	vpce-…-snra-….rcfg-….4232ccc.vpc-lattice-rsc.region.on.aws
//	vpce-….rcfg-….4232ccc.vpc-lattice-rsc.region.on.aws
//	vpce-…-snsa-….7d67968.vpc-lattice-svcs.region.on.aws
//
// A name with an endpoint's id has the endpoint's addresses in its own VPC and leads nowhere in others.
func (t *Table) resolveLong(v *VPC, name string) (v4, v6 netip.Addr, ok bool) {
	first, rest, _ := strings.Cut(name, ".")
	if !strings.HasPrefix(first, "vpce-") {
		a := t.resources.associations.get(first)
		if a == nil || !a.Status.Carries() || a.DomainName(t.region) != name {
			return v4, v6, false
		}
		if v.reaches(a.ServiceNetwork) == nil {
			return nowhere()
		}
		v4, v6 = a.Addrs()
		return v4, v6, true
	}
	id, association := first, ""
	if i := strings.Index(first[len("vpce-"):], "-"); i >= 0 {
		id, association = first[:len("vpce-")+i], first[len("vpce-")+i+1:]
	}
	e := t.endpoints.get(id)
	if e == nil {
		return v4, v6, false
	}
	if s := t.resources.serviceAssociations.get(association); s != nil {
		if e.noun.ServiceName(t.region, association) != name || t.serviceBehind(association, e.noun.ServiceNetwork.ID, e.noun.ServiceNetwork.Account) == nil {
			return v4, v6, false
		}
		v4, v6 = e.addrs()
	} else {
		configuration, _, _ := strings.Cut(rest, ".")
		led := e.of[configuration]
		if led == nil || led.Association.ID != association || e.noun.ResourceName(t.region, association, configuration) != name {
			return v4, v6, false
		}
		v4, v6 = e.addrsOf(led)
	}
	if v.endpoint(id) == nil {
		return nowhere()
	}
	return v4, v6, true
}

// nowhere is the answer for a name of ours that leads nowhere in a VPC.
func nowhere() (v4, v6 netip.Addr, ok bool) {
	v4, v6 = trellis.SlotAddrs(trellis.NowhereSlot)
	return v4, v6, true
}

// resolvePrivate is Resolve for custom names: of a service behind one of the VPC's endpoints, or of a resource. Of several
// resources that want a name, the one whose association is the oldest has it (docs/decisions/0012).
func (t *Table) resolvePrivate(v *VPC, name string) (v4, v6 netip.Addr, ok bool) {
	if v == nil {
		return v4, v6, false
	}
	for _, e := range v.endpoints {
		if e.network != nil {
			if s := e.network.members.byName.get(name); s != nil && s.Custom(name) {
				v4, v6 = e.addrs()
				return v4, v6, true
			}
		}
	}
	var best since
	for _, c := range t.resources.named.get(name) {
		if !c.Status.Carries() || t.isAtHome(v, c) {
			continue
		}
		for _, a := range t.resources.of.get(c.Key()) {
			n := v.reaches(a.ServiceNetwork)
			if n != nil && a.Status.Carries() && (a.PrivateDNSEnabled || n.private.enabled) && t.admits(n.private, c) && best.older(a.CreatedAt, a.ID) {
				v4, v6 = a.Addrs()
			}
		}
		for _, e := range v.endpoints {
			led := e.of[c.ID]
			if led == nil {
				continue
			}
			enabled, at, id := e.noun.PrivateDNSEnabled, e.noun.CreatedAt, e.noun.ID
			if a := t.resources.associations.get(led.Association.ID); e.noun.Type == trellis.ServiceNetworkEndpoint {
				if a == nil || !a.Status.Carries() {
					continue
				}
				enabled, at, id = enabled || a.PrivateDNSEnabled, a.CreatedAt, a.ID
			}
			if enabled && t.admits(privateNames{preference: e.noun.DNSPreference, domains: e.noun.DNSDomains}, c) && best.older(at, id) {
				v4, v6 = e.addrsOf(led)
			}
		}
	}
	return v4, v6, best.id != ""
}

// since says whose claim to a name is the oldest so far.
type since struct {
	at time.Time
	id string
}

// older takes over a claim that is older, and tells whether it is.
func (s *since) older(at time.Time, id string) bool {
	if s.id != "" && cmp.Or(at.Compare(s.at), strings.Compare(id, s.id)) >= 0 {
		return false
	}
	*s = since{at, id}
	return true
}

// privateNames is which private names of resources an association or endpoint lets into its VPC.
type privateNames struct {
	enabled    bool // whether or not the resource's association is for them
	preference string
	domains    []string
}

// admits tells whether a resource's custom name is among those.
func (t *Table) admits(p privateNames, c *trellis.ResourceConfiguration) bool {
	verified := func() bool { return t.verified(c, c.DomainVerificationID) || c.GroupID != "" && t.verifiedByGroup(c) }
	specified := func() bool {
		name := asciiLower(c.CustomDomainName)
		return slices.ContainsFunc(p.domains, func(d string) bool {
			d = strings.TrimSuffix(asciiLower(d), ".")
			below, wild := strings.CutPrefix(d, "*")
			return name == d || wild && strings.HasSuffix(name, below)
		})
	}
	switch p.preference {
	case allDomains:
		return true
	case verifiedAndSpecified:
		return verified() || specified()
	case specifiedDomains:
		return specified()
	}
	return verified()
}

// verified tells whether a verification of a configuration's account shows that it owns the configuration's domain.
func (t *Table) verified(c *trellis.ResourceConfiguration, id string) bool {
	v := t.resources.verifications.get(c.Account + "/" + id)
	return v != nil && v.Status == trellis.VerificationVerified && v.Covers(asciiLower(c.CustomDomainName))
}

// verifiedByGroup is verified for a child, by the verification that its group has.
func (t *Table) verifiedByGroup(c *trellis.ResourceConfiguration) bool {
	g := t.resources.configurations.get(c.Account + "/" + c.GroupID)
	return g != nil && t.verified(c, g.DomainVerificationID)
}

// isAtHome tells whether a resource's custom name means the resource itself in a VPC: its gateway is there and resolves
// names there, and the name that the resource has is the custom one, or below it. A private name would hide it (VPC
// Lattice user guide, resource-configuration).
func (t *Table) isAtHome(v *VPC, c *trellis.ResourceConfiguration) bool {
	g := t.resources.gateways.get(c.Account + "/" + c.GatewayID)
	return g != nil && g.VPCID == v.ID && g.DNSResolution == trellis.ResolveInVPC && c.DomainName != "" &&
		trellis.WithinDomain(asciiLower(c.DomainName), asciiLower(c.CustomDomainName))
}
