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
	"strconv"

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

// host is what one instance shall be.
type host struct {
	id         string
	nics       []nic // by device index, the one at 0 first
	resolvConf string
	legs       Legs // on which its sockets may be joined with the node's
}

// nic is one network interface of an instance.
type nic struct {
	index     int            // the instance calls it eth followed by this
	iface     string         // of the VPC's end of the pair
	mac       string         // of the instance's end
	addresses []netip.Prefix // with the subnet's length, IPv4 first: the first of each family is where traffic comes from
	gateway   netip.Addr     // of IPv4
}

// equal tells whether an instance is as another.
func (h *host) equal(o host) bool {
	return h.id == o.id && h.resolvConf == o.resolvConf && h.legs == o.legs && slices.EqualFunc(h.nics, o.nics, func(a, b nic) bool {
		return a.index == b.index && a.iface == b.iface && a.mac == b.mac && a.gateway == b.gateway && slices.Equal(a.addresses, b.addresses)
	})
}

// addresses are those of the instance.
func (h *host) addresses() (all []netip.Addr) {
	for _, n := range h.nics {
		for _, p := range n.addresses {
			all = append(all, p.Addr())
		}
	}
	return all
}

// name is what the instance calls the interface.
func (n *nic) name() string { return "eth" + strconv.Itoa(n.index) }

// primary is the first address of a family; not valid when there is none.
func (n *nic) primary(v6 bool) netip.Addr {
	for _, p := range n.addresses {
		if p.Addr().Is6() == v6 {
			return p.Addr()
		}
	}
	return netip.Addr{}
}

// interfaceName is the name of the VPC's end of a pair, by the id of the instance for its first interface, and of the interface
// for others. Interface names have at most 15 bytes.
func interfaceName(id string) string {
	h := sha256.Sum256([]byte(id))
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
	resolvConfs := map[string]string{} // by VPC
	for v := range trellis.All[*trellis.VPC](st) {
		if v.Attachment != trellis.AttachmentLab && v.Attachment != "" {
			continue
		}
		networks[v.ID] = &network{id: v.ID, instances: map[netip.Addr]string{}}
		resolvConfs[v.ID] = resolvConfText(st, v, region)
		makers[v.ID] = &rulesMaker{vpc: v, groups: map[string]*trellis.SecurityGroup{}, lists: lists}
	}
	inVPC, acls := map[string][]*trellis.Subnet{}, map[string][]*trellis.NetworkACL{}
	for s := range trellis.All[*trellis.Subnet](st) {
		if n := networks[s.VPCID]; n != nil {
			n.local = append(n.local, s.CIDR.Masked().Addr().Next())
			inVPC[s.VPCID] = append(inVPC[s.VPCID], s)
		}
	}
	for a := range trellis.All[*trellis.NetworkACL](st) {
		acls[a.VPCID] = append(acls[a.VPCID], a)
	}
	for id, m := range makers {
		m.guards = guardsOf(inVPC[id], acls[id])
	}
	for g := range trellis.All[*trellis.SecurityGroup](st) {
		if m := makers[g.VPCID]; m != nil {
			m.groups[g.ID] = g
		}
	}
	attached := map[string][]*trellis.ElasticNetworkInterface{}
	for n := range trellis.All[*trellis.ElasticNetworkInterface](st) {
		if n.Attachment != nil {
			attached[n.Attachment.InstanceID] = append(attached[n.Attachment.InstanceID], n)
		}
	}
	for i := range trellis.All[*trellis.Instance](st) {
		n, m := networks[i.VPCID], makers[i.VPCID]
		if n == nil || i.State != trellis.InstanceRunning && i.State != trellis.InstancePending {
			continue
		}
		h := host{id: i.ID, resolvConf: resolvConfs[i.VPCID]}
		var members []member
		var err error
		for _, e := range i.Interfaces(attached[i.ID]) {
			var made nic
			if made, err = planInterface(subnets[e.SubnetID], i, e); err != nil {
				break
			}
			h.nics = append(h.nics, made)
			members = append(members, member{i.ID, made, e.SecurityGroupIDs, e.SubnetID})
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("instance %s: %w", i.ID, err))
			continue
		}
		guarded := slices.ContainsFunc(members, func(of member) bool { return m.guards[of.subnet].acl != nil })
		if !guarded && i.Tags[AccelerateTag] != "false" { // what goes past TCP no network ACL sees
			h.legs = accelerate
		}
		for _, a := range h.addresses() {
			if o := i.Metadata(); a.Is6() && *o.IPv6 && *o.Endpoint {
				m.metadata6 = append(m.metadata6, a)
			}
		}
		n.hosts = append(n.hosts, h)
		m.members = append(m.members, members...)
		for _, a := range h.addresses() {
			n.instances[a] = i.Key()
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

// planInterface makes one interface of an instance.
func planInterface(s *trellis.Subnet, i *trellis.Instance, e *trellis.ElasticNetworkInterface) (nic, error) {
	if s == nil {
		return nic{}, fmt.Errorf("subnet %s does not exist", e.SubnetID)
	}
	mac, err := net.ParseMAC(e.MAC)
	if err != nil {
		return nic{}, err
	}
	n := nic{index: e.Attachment.DeviceIndex, iface: interfaceName(e.ID), mac: mac.String(), gateway: s.CIDR.Masked().Addr().Next()}
	if n.index == 0 {
		n.iface = interfaceName(i.ID)
	}
	for _, a := range e.IPv4 {
		if !a.Is4() || !s.CIDR.Contains(a) {
			return nic{}, fmt.Errorf("address %s is not in subnet %s (%s)", a, s.ID, s.CIDR)
		}
		n.addresses = append(n.addresses, netip.PrefixFrom(a, s.CIDR.Bits()))
	}
	for _, a := range e.IPv6 {
		n.addresses = append(n.addresses, netip.PrefixFrom(a, 64))
	}
	return n, nil
}
