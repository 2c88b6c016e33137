package vpc

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	"github.com/google/nftables"

	"github.com/trellis-project/trellis"
)

// Names of the chains and maps that are there only where a network ACL holds anything.
const (
	chainEntering = "entering"  // second stage: it may leave its subnet, may it enter that of its destination?
	mapLeaving    = "leaving"   // interface of the sender to what its subnet's network ACL lets out
	mapLeaving4   = "leaving4"  // address of the node in a subnet, likewise
	mapLeaving6   = "leaving6"  //
	mapEntering   = "entering"  // interface of the receiver to what its subnet's network ACL lets in
	mapEntering4  = "entering4" // address of the node in a subnet, likewise
	mapEntering6  = "entering6" //
)

// aclPriority is the place of the chains of network ACLs in a hook: before the security groups.
const aclPriority = -10

// guard is a subnet whose network ACL does not let everything pass.
type guard struct {
	subnet            *trellis.Subnet
	acl               *trellis.NetworkACL
	leaving, entering bool // whether it holds what leaves, and what enters
}

// holds tells whether it holds what leaves or enters.
func (g guard) holds(egress bool) bool {
	if egress {
		return g.leaving
	}
	return g.entering
}

// guardsOf are the guards of a VPC, by subnet id. Nearly always there are none, and then no packet is held.
func guardsOf(subnets []*trellis.Subnet, acls []*trellis.NetworkACL) map[string]guard {
	explicit, rest := map[string]*trellis.NetworkACL{}, (*trellis.NetworkACL)(nil)
	for _, a := range acls {
		if a.Default {
			rest = a
		}
		for _, as := range a.Associations {
			explicit[as.SubnetID] = a
		}
	}
	guards := map[string]guard{}
	for _, s := range subnets {
		if a := cmp.Or(explicit[s.ID], rest); a != nil {
			if g := (guard{s, a, drops(a, s, true), drops(a, s, false)}); g.leaving || g.entering {
				guards[s.ID] = g
			}
		}
	}
	return guards
}

// drops tells whether a network ACL drops anything of what leaves, or enters, a subnet, in a family that the subnet has.
func drops(a *trellis.NetworkACL, s *trellis.Subnet, egress bool) bool {
	for _, v6 := range []bool{false, true} {
		if v6 && !s.IPv6CIDR.IsValid() {
			continue
		}
		passes := false
		for _, e := range entriesOf(a, egress) {
			if e.CIDR.Addr().Is6() != v6 {
				continue
			}
			passes = !e.Deny && e.Protocol == "-1" && e.CIDR.Bits() == 0
			if e.Deny || passes {
				break
			}
		}
		if !passes {
			return true
		}
	}
	return false
}

// entriesOf are the entries of one direction in the order in which they decide.
func entriesOf(a *trellis.NetworkACL, egress bool) []trellis.NetworkACLEntry {
	entries := slices.DeleteFunc(slices.Clone(a.Entries), func(e trellis.NetworkACLEntry) bool { return e.Egress != egress })
	slices.SortFunc(entries, func(a, b trellis.NetworkACLEntry) int { return cmp.Compare(a.Number, b.Number) })
	return entries
}

// aclHooks see every packet, answers too: what instances send to each other and to the node, and what the node sends. Traffic
// with the resolver, the metadata, the API and Pod Identity's agent no network ACL holds.
func aclHooks() []chain {
	on := rule{}
	unheld := func(destination bool) []rule {
		return []rule{
			on.in(setNode4, false, destination).accept(),
			on.in(setNode6, true, destination).accept(),
			on.within(netip.PrefixFrom(trellis.MetadataAddr6, 128), destination).accept(),
		}
	}
	chains := []chain{
		{name: "subnets-forward", hook: &hook{"forward", nftables.ChainHookForward, nil}, rules: []rule{on.goByInterface(mapLeaving, false)}},
		{name: "subnets-input", hook: &hook{"input", nftables.ChainHookInput, nil}, rules: append(unheld(true), on.goByInterface(mapLeaving, false))},
		{name: "subnets-output", hook: &hook{"output", nftables.ChainHookOutput, nil},
			rules: append(unheld(false), on.goBySource(mapLeaving4, false), on.goBySource(mapLeaving6, true))},
	}
	for i := range chains {
		chains[i].policy, chains[i].hook.priority = nftables.ChainPolicyAccept, nftables.ChainPriorityRef(aclPriority)
		chains[i].rules = append(chains[i].rules, on.goTo(chainEntering))
	}
	return append(chains, chain{name: chainEntering, rules: []rule{
		on.goByDestination(mapEntering4, false),
		on.goByDestination(mapEntering6, true),
		on.goByInterface(mapEntering, true),
		on.accept(),
	}})
}

// aclDirection is one of the two directions in which network ACLs hold packets.
type aclDirection struct {
	egress   bool
	suffix   string // of its chains
	hosts    set
	at4, at6 set
}

// aclRules are what network ACLs hold: for each guard a chain by which what stays inside the subnet passes, and for each network ACL
// one of its entries, which guards with the same one share. A packet goes through what its sender's subnet lets out, which ends in a
// jump to chainEntering, and what its receiver's lets in.
func (m *rulesMaker) aclRules() ([]set, []chain) {
	if len(m.guards) == 0 {
		return nil, nil
	}
	directions := []aclDirection{
		{true, outbound, set{name: mapLeaving, kind: byInterface}, set{name: mapLeaving4, kind: bySource4}, set{name: mapLeaving6, kind: bySource6}},
		{false, inbound, set{name: mapEntering, kind: byInterface}, set{name: mapEntering4, kind: byAddress4}, set{name: mapEntering6, kind: byAddress6}},
	}
	var sets []set
	chains, local := aclHooks(), elementsOf(m.local())
	for _, d := range directions {
		for _, h := range m.members {
			if m.guards[h.subnet].holds(d.egress) {
				d.hosts.elements = append(d.hosts.elements, element{iface: h.nic.iface, chain: h.subnet + d.suffix})
			}
		}
		used := map[string]*trellis.NetworkACL{}
		for _, id := range slices.Sorted(maps.Keys(m.guards)) {
			g := m.guards[id]
			if !g.holds(d.egress) {
				continue
			}
			used[g.acl.ID] = g.acl
			chains = append(chains, d.guardChain(g))
			for _, e := range local {
				if g.subnet.CIDR.Contains(e.addr) || g.subnet.IPv6CIDR.Contains(e.addr) {
					byFamily(&d.at4, &d.at6, element{addr: e.addr, chain: id + d.suffix})
				}
			}
		}
		for _, id := range slices.Sorted(maps.Keys(used)) {
			chains = append(chains, d.aclChain(used[id]))
		}
		sets = append(sets, d.hosts, d.at4, d.at6)
	}
	return sets, chains
}

// guardChain is what a guard's subnet lets out, or in: all that stays inside it, and what its network ACL allows.
func (d aclDirection) guardChain(g guard) chain {
	c := chain{name: g.subnet.ID + d.suffix, rules: []rule{rule{}.within(g.subnet.CIDR, d.egress).accept()}}
	if g.subnet.IPv6CIDR.IsValid() {
		c.rules = append(c.rules, rule{}.within(g.subnet.IPv6CIDR, d.egress).accept())
	}
	c.rules = append(c.rules, rule{}.goTo(g.acl.ID+d.suffix))
	return c
}

// aclChain are the entries of a network ACL, and the last one, which is in none.
func (d aclDirection) aclChain(a *trellis.NetworkACL) chain {
	c := chain{name: a.ID + d.suffix}
	for _, e := range entriesOf(a, d.egress) {
		matched, ok := protocolAndPorts(rule{}.within(e.CIDR, d.egress), e.Protocol, e.FromPort, e.ToPort)
		switch {
		case !ok:
		case e.Deny:
			c.rules = append(c.rules, matched.drop())
		case d.egress:
			c.rules = append(c.rules, matched.goTo(chainEntering))
		default:
			c.rules = append(c.rules, matched.accept())
		}
	}
	c.rules = append(c.rules, rule{}.drop())
	return c
}
