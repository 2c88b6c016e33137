package vpc

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/trellis-project/trellis"
)

// Blocks that hold all of the node's addresses inside a VPC but the VPC's base + 2.
var (
	nodeBlock4 = netip.MustParsePrefix("169.254.0.0/16")
	nodeBlock6 = netip.MustParsePrefix("fd00:ec2::/32")
)

// source4 and source6 are where traffic to targets and health checks come from.
var source4, source6 = trellis.SlotAddrs(trellis.SourceSlot)

// network is what one VPC shall be on this machine.
type network struct {
	id        string
	local     []netip.Addr // the node's own addresses, sorted
	hosts     []host       // sorted by id
	instances map[netip.Addr]string
	rules     ruleset
	text      string // rules.String()
}

// host is what one instance shall be. Values can be compared.
type host struct {
	id       string
	iface    string       // of the VPC's end of the pair
	mac      string       // of the instance's end
	address  netip.Prefix // with the subnet's length
	gateway  netip.Addr
	address6 netip.Prefix // zero when it has none
	resolver netip.Addr
	region   string
	legs     Legs // on which its sockets may be joined with the node's
}

// addresses are those of the instance.
func (h *host) addresses() []netip.Addr {
	if !h.address6.IsValid() {
		return []netip.Addr{h.address.Addr()}
	}
	return []netip.Addr{h.address.Addr(), h.address6.Addr()}
}

// interfaceName is the name of the VPC's end of an instance's pair. Interface names have at most 15 bytes.
func interfaceName(instanceID string) string {
	h := sha256.Sum256([]byte(instanceID))
	return interfacePrefix + hex.EncodeToString(h[:6])
}

// interfacePrefix begins the names of the VPC's ends of pairs.
const interfacePrefix = "t"

// plan makes every VPC's network from the nouns. What cannot be made, for example an instance without its subnet, is
// left out and told in the error.
func plan(st *trellis.State, region string, accelerate Legs) (map[string]*network, error) {
	var errs []error
	subnets := map[string]*trellis.Subnet{}
	for s := range trellis.All[*trellis.Subnet](st) {
		subnets[s.ID] = s
	}
	lists := map[string]*trellis.PrefixList{}
	for l := range trellis.All[*trellis.PrefixList](st) {
		lists[l.ID] = l
	}
	makers := map[string]*rulesMaker{}
	networks := map[string]*network{}
	for v := range trellis.All[*trellis.VPC](st) {
		if v.Attachment != trellis.AttachmentLab && v.Attachment != "" {
			continue
		}
		networks[v.ID] = &network{id: v.ID, instances: map[netip.Addr]string{}}
		makers[v.ID] = &rulesMaker{vpc: v, groups: map[string]*trellis.SecurityGroup{}, lists: lists}
	}
	for s := range trellis.All[*trellis.Subnet](st) {
		if n := networks[s.VPCID]; n != nil {
			n.local = append(n.local, s.CIDR.Masked().Addr().Next())
		}
	}
	for g := range trellis.All[*trellis.SecurityGroup](st) {
		if m := makers[g.VPCID]; m != nil {
			m.groups[g.ID] = g
		}
	}
	for i := range trellis.All[*trellis.Instance](st) {
		n, m := networks[i.VPCID], makers[i.VPCID]
		if n == nil || i.State != trellis.InstanceRunning && i.State != trellis.InstancePending {
			continue
		}
		h, err := planHost(m.vpc, subnets[i.SubnetID], i, region)
		if err != nil {
			errs = append(errs, fmt.Errorf("instance %s: %w", i.ID, err))
			continue
		}
		if i.Tags[AccelerateTag] != "false" {
			h.legs = accelerate
		}
		n.hosts = append(n.hosts, h)
		m.members = append(m.members, member{h, i.SecurityGroupIDs})
		n.instances[i.PrivateIP] = i.Key()
		if i.IPv6.IsValid() {
			n.instances[i.IPv6] = i.Key()
		}
	}
	for a := range trellis.All[*trellis.VPCAssociation](st) {
		if m := makers[a.VPC.ID]; m != nil && a.Status.Carries() {
			m.associations = append(m.associations, a)
		}
	}
	planResources(st, makers)
	for id, n := range networks {
		m := makers[id]
		n.local = append(n.local, m.local()...)
		n.local = append(n.local, m.vpc.ResolverAddr(), trellis.ResolverAddr4, trellis.ResolverAddr6)
		n.local = append(n.local, trellis.NodeAddrs...)
		slices.SortFunc(n.local, netip.Addr.Compare)
		n.local = slices.Compact(n.local)
		slices.SortFunc(n.hosts, func(a, b host) int { return cmp.Compare(a.id, b.id) })
		n.rules = m.make()
		n.text = n.rules.String()
	}
	return networks, errors.Join(errs...)
}

// planHost makes one instance's host.
func planHost(v *trellis.VPC, s *trellis.Subnet, i *trellis.Instance, region string) (host, error) {
	switch {
	case s == nil:
		return host{}, fmt.Errorf("subnet %s does not exist", i.SubnetID)
	case !i.PrivateIP.Is4() || !s.CIDR.Contains(i.PrivateIP):
		return host{}, fmt.Errorf("address %s is not in subnet %s (%s)", i.PrivateIP, s.ID, s.CIDR)
	}
	mac, err := net.ParseMAC(i.MAC)
	if err != nil {
		return host{}, err
	}
	h := host{id: i.ID, iface: interfaceName(i.ID), mac: mac.String(),
		address: netip.PrefixFrom(i.PrivateIP, s.CIDR.Bits()), gateway: s.CIDR.Masked().Addr().Next(),
		resolver: v.ResolverAddr(), region: region}
	if i.IPv6.IsValid() {
		h.address6 = netip.PrefixFrom(i.IPv6, 64)
	}
	return h, nil
}
