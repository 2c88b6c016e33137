package vpc

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"

	"github.com/trellis-project/trellis"
)

// Names of the chains and sets that are in every ruleset.
const (
	setSources4    = "sources4"    // which interface may send from which address
	setSources6    = "sources6"    //
	setNode4       = "node4"       // addresses of the resolver, the metadata, the API and Pod Identity's agent
	setNode6       = "node6"       //
	setMetadata6   = "metadata6"   // addresses of instances that have their metadata by IPv6, too
	mapEgress      = "egress"      // interface of the sender to its outbound rules
	mapIngress     = "ingress"     // interface of the receiver to its inbound rules
	mapSlots4      = "slots4"      // slot, endpoint or resource to the inbound rules of the association or endpoint
	mapSlots6      = "slots6"      //
	setPoints4     = "points4"     // addresses of endpoints and gateways
	setPoints6     = "points6"     //
	mapGateways4   = "gateways4"   // gateway to its outbound rules
	mapGateways6   = "gateways6"   //
	setResources4  = "resources4"  // addresses of resources
	setResources6  = "resources6"  //
	chainReceivers = "receivers"   // second stage: the sender may, may the receiver?
	chainOutput    = "node-output" // what the node sends
	chainOpenings  = "openings"    // what the node sends first
)

// rulesMaker makes the ruleset of one VPC.
type rulesMaker struct {
	vpc          *trellis.VPC
	groups       map[string]*trellis.SecurityGroup // of the VPC, by id
	lists        map[string]*trellis.PrefixList    // by id
	guards       map[string]guard                  // by subnet id
	members      []member
	metadata6    []netip.Addr // of instances that ask for their metadata by IPv6
	associations []*trellis.VPCAssociation
	points       []point
	reached      []reached
	used         map[string]bool // groups whose chains are wanted
	sources      map[string]bool // groups whose members are wanted
}

// member is an interface of an instance and its security groups.
type member struct {
	id     string // of the instance
	nic    nic
	groups []string
	subnet string
}

// make makes the ruleset. Equal nouns give an equal ruleset, whatever order they come in.
//
// A first packet goes through two stages: the sender's outbound rules, which end in a jump to chainReceivers, and the
// receiver's or association's inbound rules, which accept it. What no rule takes is dropped at the end of either.
func (m *rulesMaker) make() ruleset {
	m.used, m.sources = map[string]bool{}, map[string]bool{}
	slices.SortFunc(m.members, func(a, b member) int {
		return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(a.nic.index, b.nic.index))
	})
	slices.SortFunc(m.associations, func(a, b *trellis.VPCAssociation) int {
		return cmp.Or(cmp.Compare(a.Slot, b.Slot), cmp.Compare(a.ID, b.ID))
	})
	m.associations = slices.CompactFunc(m.associations, func(a, b *trellis.VPCAssociation) bool { return a.Slot == b.Slot })

	m.settle()

	r := ruleset{chains: hooks(m.vpc)}
	if slices.ContainsFunc(m.reached, func(r reached) bool { return r.resource }) {
		r.chains = append(r.chains, intercept)
	}
	r.sets = append(r.sets, m.nodeSets()...)
	r.chains = append(r.chains, chain{name: chainReceivers, rules: []rule{
		rule{}.goByDestination(mapSlots4, false),
		rule{}.goByDestination(mapSlots6, true),
		rule{}.goByInterface(mapIngress, true),
		rule{}.drop(),
	}})
	hostSets, hostChains := m.hostRules()
	slotSets, slotChains := m.slotRules()
	pointSets, pointChains := m.pointRules()
	takenSets, portChains := m.reachedRules(&slotSets[0], &slotSets[1])
	groupChains := m.groupRules()
	aclSets, aclChains := m.aclRules()
	r.sets = slices.Concat(r.sets, hostSets, slotSets, pointSets, takenSets, m.groupSets(), aclSets)
	r.chains = slices.Concat(r.chains, hostChains, slotChains, pointChains, portChains, groupChains, aclChains)
	return r
}

// hooks are the chains that the kernel enters by itself, and what the last of them leads to.
func hooks(v *trellis.VPC) []chain {
	on := rule{}
	resolver := netip.PrefixFrom(v.ResolverAddr(), 32)
	return []chain{{
		name: "arrivals", policy: nftables.ChainPolicyAccept,
		hook: &hook{"prerouting", nftables.ChainHookPrerouting, nftables.ChainPriorityRaw},
		rules: []rule{
			on.arrivesOn("lo").untracked().accept(),
			on.spoofed(setSources4, false).drop(),
			on.within(nodeBlock4, true).untracked().accept(),
			on.within(resolver, true).untracked().accept(),
			on.within(trellis.LatticePublicBlock, true).untracked().accept(),
			on.in(setPoints4, false, true).untracked().accept(),
			on.spoofed(setSources6, true).drop(),
			on.within(nodeBlock6, true).untracked().accept(),
			on.in(setPoints6, true, true).untracked().accept(),
		},
	}, {
		name: "node-input", policy: nftables.ChainPolicyDrop,
		hook: &hook{"input", nftables.ChainHookInput, nftables.ChainPriorityFilter},
		rules: []rule{
			// Connections that exist, also those through an association that has gone: what is in flight ends,
			// and a client learns that its connection is closed.
			on.opening(false).within(trellis.LatticeBlock4, true).accept(),
			on.opening(false).within(trellis.LatticeBlock6, true).accept(),
			on.opening(true).within(trellis.LatticeBlock4, true).goByInterface(mapEgress, false),
			on.opening(true).within(trellis.LatticeBlock6, true).goByInterface(mapEgress, false),
			// The same of resources, endpoints and, for answers of resources, gateways.
			on.opening(false).within(trellis.LatticePublicBlock, true).accept(),
			on.opening(false).in(setPoints4, false, true).accept(),
			on.opening(false).in(setPoints6, true, true).accept(),
			on.opening(true).within(trellis.LatticePublicBlock, true).goByInterface(mapEgress, false),
			on.opening(true).in(setPoints4, false, true).goByInterface(mapEgress, false),
			on.opening(true).in(setPoints6, true, true).goByInterface(mapEgress, false),
			// Errors about the node's own packets. The kernel believes them only of connections that it has.
			on.family(false).protocol(unix.IPPROTO_ICMP).icmp(3, -1).accept(),
			on.family(true).protocol(unix.IPPROTO_ICMPV6).icmp(1, -1).accept(),
			on.family(true).protocol(unix.IPPROTO_ICMPV6).icmp(2, -1).accept(),
			on.in(setNode4, false, true).protocol(unix.IPPROTO_UDP).accept(),
			on.in(setNode4, false, true).protocol(unix.IPPROTO_TCP).accept(),
			on.in(setNode6, true, true).protocol(unix.IPPROTO_UDP).accept(),
			on.in(setNode6, true, true).protocol(unix.IPPROTO_TCP).accept(),
			on.within(netip.PrefixFrom(trellis.MetadataAddr6, 128), true).in(setMetadata6, true, false).protocol(unix.IPPROTO_TCP).accept(),
		},
	}, {
		name: "neighbours", policy: nftables.ChainPolicyDrop,
		hook: &hook{"forward", nftables.ChainHookForward, nftables.ChainPriorityFilter},
		rules: []rule{
			on.answers().accept(),
			on.invalid().drop(),
			on.goByInterface(mapEgress, false),
		},
	}, {
		name: chainOutput, policy: nftables.ChainPolicyAccept,
		hook: &hook{"output", nftables.ChainHookOutput, nftables.ChainPriorityRaw},
		rules: []rule{
			on.untracked(),
			on.opening(true).goTo(chainOpenings),
		},
	}, {
		name: chainOpenings,
		rules: []rule{
			on.leavesOn("lo").drop(), // a target or resource that is an address of the node itself would be a circle
			on.goBySource(mapGateways4, false),
			on.goBySource(mapGateways6, true),
			on.goTo(chainReceivers),
		},
	}}
}

// intercept takes connections to resources, whatever their port is. It is there only where there are resources: a kernel
// without nft_tproxy does without them alone.
var intercept = chain{
	name: "intercept", policy: nftables.ChainPolicyAccept,
	hook: &hook{"prerouting", nftables.ChainHookPrerouting, nftables.ChainPriorityMangle},
	rules: []rule{
		rule{}.opening(true).in(setResources4, false, true).toResources(false),
		rule{}.opening(true).in(setResources6, true, true).toResources(true),
	},
}

// nodeSets are the addresses at which the node answers.
func (m *rulesMaker) nodeSets() []set {
	var node4, node6 []netip.Addr
	for _, a := range trellis.NodeAddrs {
		switch {
		case a == trellis.MetadataAddr6: // by setMetadata6
		case a.Is4():
			node4 = append(node4, a)
		default:
			node6 = append(node6, a)
		}
	}
	if m.vpc.EnableDNSSupport {
		node4 = append(node4, trellis.ResolverAddr4, m.vpc.ResolverAddr())
		node6 = append(node6, trellis.ResolverAddr6)
	}
	return []set{
		{setNode4, addresses4, elementsOf(node4)}, {setNode6, addresses6, elementsOf(node6)},
		{setMetadata6, addresses6, elementsOf(m.metadata6)},
	}
}

// elementsOf makes sorted, distinct elements.
func elementsOf(addresses []netip.Addr) []element {
	slices.SortFunc(addresses, netip.Addr.Compare)
	var es []element
	for _, a := range slices.Compact(addresses) {
		es = append(es, element{addr: a})
	}
	return es
}

// hostRules are the anti-spoofing sets and the two chains of each interface of instances, which those with the same groups share.
func (m *rulesMaker) hostRules() ([]set, []chain) {
	sources := set{name: setSources4, kind: sources4}
	sources6 := set{name: setSources6, kind: sources6}
	egress, ingress := set{name: mapEgress, kind: byInterface}, set{name: mapIngress, kind: byInterface}
	shared := map[string]string{} // joined group ids to the suffix of the chains
	var chains []chain
	for _, h := range m.members {
		for _, p := range h.nic.addresses {
			byFamily(&sources, &sources6, element{iface: h.nic.iface, addr: p.Addr()})
		}
		groups := slices.Sorted(slices.Values(h.groups))
		joined := strings.Join(groups, ",")
		suffix, ok := shared[joined]
		if !ok {
			suffix = strconv.Itoa(len(shared))
			shared[joined] = suffix
			chains = append(chains, m.anyOf("out-"+suffix, groups, outbound), m.anyOf("in-"+suffix, groups, inbound))
		}
		egress.elements = append(egress.elements, element{iface: h.nic.iface, chain: "out-" + suffix})
		ingress.elements = append(ingress.elements, element{iface: h.nic.iface, chain: "in-" + suffix})
	}
	return []set{sources, sources6, egress, ingress}, chains
}

// slotRules are the inbound rules of associations. One without security groups lets everybody in.
func (m *rulesMaker) slotRules() ([]set, []chain) {
	v4, v6 := set{name: mapSlots4, kind: byAddress4}, set{name: mapSlots6, kind: byAddress6}
	var chains []chain
	for _, a := range m.associations {
		c := chain{name: slotChain(a.Slot), rules: []rule{rule{}.accept()}}
		if len(a.SecurityGroupIDs) > 0 {
			c = m.anyOf(c.name, slices.Sorted(slices.Values(a.SecurityGroupIDs)), inbound)
		}
		chains = append(chains, c)
		at4, at6 := trellis.SlotAddrs(a.Slot)
		v4.elements = append(v4.elements, element{addr: at4, chain: c.name})
		v6.elements = append(v6.elements, element{addr: at6, chain: c.name})
	}
	return []set{v4, v6}, chains
}

// The suffixes of a security group's two chains.
const (
	inbound  = "-in"
	outbound = "-out"
)

// anyOf is a chain that takes what one of the groups allows and drops the rest. A group that is not in the VPC allows nothing.
func (m *rulesMaker) anyOf(name string, groups []string, direction string) chain {
	c := chain{name: name}
	for _, g := range slices.Compact(groups) {
		if m.groups[g] != nil {
			m.used[g] = true
			c.rules = append(c.rules, rule{}.jump(g+direction))
		}
	}
	c.rules = append(c.rules, rule{}.drop())
	return c
}

// groupRules are the chains of the security groups in use, one for each direction.
func (m *rulesMaker) groupRules() []chain {
	var chains []chain
	for _, id := range slices.Sorted(maps.Keys(m.used)) {
		in, out := chain{name: id + inbound}, chain{name: id + outbound}
		for _, r := range m.groups[id].Rules {
			for _, begin := range m.peers(r) {
				matched, ok := protocolAndPorts(begin, r.Protocol, r.FromPort, r.ToPort)
				switch {
				case !ok:
				case r.Egress:
					out.rules = append(out.rules, matched.goTo(chainReceivers))
				default:
					in.rules = append(in.rules, matched.accept())
				}
			}
		}
		chains = append(chains, in, out)
	}
	return chains
}

// peers are the beginnings of rules for what a security group's rule names as its source or, for egress, destination.
func (m *rulesMaker) peers(r trellis.SecurityGroupRule) []rule {
	switch {
	case r.GroupID != "":
		m.sources[r.GroupID] = true
		return []rule{
			rule{}.in(r.GroupID+"-4", false, r.Egress),
			rule{}.in(r.GroupID+"-6", true, r.Egress),
		}
	case r.PrefixListID != "":
		var rules []rule
		if l := m.lists[r.PrefixListID]; l != nil {
			for _, e := range l.Entries {
				rules = append(rules, rule{}.within(e.CIDR, r.Egress))
			}
		}
		return rules
	case r.CIDR.IsValid():
		return []rule{rule{}.within(r.CIDR, r.Egress)}
	}
	return nil
}

// protocolAndPorts adds the protocol and the ports of a security group's rule or a network ACL's entry. It returns false for what can
// match nothing.
func protocolAndPorts(begin rule, protocol string, from, to int) (rule, bool) {
	var n int
	switch protocol {
	case "-1", "all", "":
		return begin, true
	case "tcp":
		n = unix.IPPROTO_TCP
	case "udp":
		n = unix.IPPROTO_UDP
	case "icmp":
		n = unix.IPPROTO_ICMP
	case "icmpv6":
		n = unix.IPPROTO_ICMPV6
	default:
		var err error
		if n, err = strconv.Atoi(protocol); err != nil || n < 0 || n > 255 {
			return begin, false
		}
	}
	begin = begin.protocol(byte(n))
	switch n {
	case unix.IPPROTO_TCP, unix.IPPROTO_UDP:
		if from < 0 || from == 0 && to == 65535 {
			return begin, true
		}
		if from > to || to > 65535 {
			return begin, false
		}
		return begin.ports(uint16(from), uint16(to)), true
	case unix.IPPROTO_ICMP, unix.IPPROTO_ICMPV6:
		if from < 0 {
			return begin, true
		}
		return begin.icmp(from, to), true
	}
	return begin, true
}

// groupSets are the addresses of the members of groups that rules name.
func (m *rulesMaker) groupSets() []set {
	var sets []set
	for _, id := range slices.Sorted(maps.Keys(m.sources)) {
		var v4, v6 []netip.Addr
		for _, h := range m.members {
			if !slices.Contains(h.groups, id) {
				continue
			}
			for _, p := range h.nic.addresses {
				if p.Addr().Is4() {
					v4 = append(v4, p.Addr())
				} else {
					v6 = append(v6, p.Addr())
				}
			}
		}
		for _, p := range m.points {
			for _, a := range p.addrs {
				if slices.Contains(p.groups, id) {
					if a.Is4() {
						v4 = append(v4, a)
					} else {
						v6 = append(v6, a)
					}
				}
			}
		}
		sets = append(sets, set{id + "-4", addresses4, elementsOf(v4)}, set{id + "-6", addresses6, elementsOf(v6)})
	}
	return sets
}
