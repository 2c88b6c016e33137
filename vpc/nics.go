package vpc

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// joined is a network interface of an instance with the two ends of its pair.
type joined struct {
	nic
	near, far netlink.Link // in the VPC's namespace and in the instance's
}

// joinHost joins an instance's namespace to its VPC's, by a pair for each interface, and removes those of interfaces that it had
// before. Repeating it changes nothing. A pair that is not as wanted is replaced, but one that only has other addresses
// besides its first ones stays, and with it the connections over it.
func joinHost(vpc, instance *namespace, before []nic, w host) error {
	if err := instance.within(func() error { return writeSysctls(hostSysctls) }); err != nil {
		return err
	}
	outer, err := vpc.handle()
	if err != nil {
		return err
	}
	defer outer.Close()
	inner, err := instance.handle()
	if err != nil {
		return err
	}
	defer inner.Close()
	wanted := map[string]bool{}
	for _, n := range w.nics {
		wanted[n.iface] = true
	}
	for _, n := range before {
		if !wanted[n.iface] {
			if err := removeLink(vpc, n.iface); err != nil {
				return err
			}
		}
	}
	lo, err := inner.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find interface lo: %w", err)
	}
	if err := inner.LinkSetUp(lo); err != nil {
		return fmt.Errorf("bring up interface lo: %w", err)
	}
	// What goes comes first: an address may go from one interface to the other.
	all := make([]joined, len(w.nics))
	for i, n := range w.nics {
		j := &all[i]
		j.nic = n
		if j.near, j.far, err = findPair(outer, inner, n); err != nil {
			return err
		}
		if j.near == nil {
			if j.near, j.far, err = makePair(outer, inner, instance, n); err != nil {
				return err
			}
		}
	}
	for i := range all {
		if err := all[i].configure(outer, inner); err != nil {
			return err
		}
	}
	return setRules(inner, w)
}

// configure brings an interface up and gives it its addresses and ways.
func (j *joined) configure(outer, inner *netlink.Handle) error {
	if err := errors.Join(inner.LinkSetUp(j.far), outer.LinkSetUp(j.near)); err != nil {
		return fmt.Errorf("bring interfaces up: %w", err)
	}
	for _, p := range j.addresses {
		if p.Addr().Is6() && !hasIPv6() {
			continue
		}
		if err := j.giveAddress(outer, inner, p); err != nil {
			return err
		}
	}
	if err := j.giveWay(inner, j.primary(false), j.gateway, everywhere4); err != nil {
		return err
	}
	if from := j.primary(true); from.IsValid() && hasIPv6() {
		if err := j.giveWay(inner, from, gateway6, everywhere6); err != nil {
			return err
		}
	}
	return errors.Join(awaitUp(inner, j.far), awaitUp(outer, j.near))
}

const (
	// upTimeout bounds how long an interface may take to come up.
	upTimeout = 5 * time.Second
	// upInterval is how often it is looked at meanwhile.
	upInterval = time.Millisecond
)

// awaitUp waits until an interface carries packets. The end of a pair that was brought up first learns of the other in a
// work queue of the kernel, and loses packets until then; a lost SYN would be a client's second lost.
func awaitUp(h *netlink.Handle, l netlink.Link) error {
	tick := time.NewTicker(upInterval)
	defer tick.Stop()
	for deadline := time.Now().Add(upTimeout); ; <-tick.C {
		now, err := h.LinkByIndex(l.Attrs().Index)
		if err != nil {
			return fmt.Errorf("look at interface %s: %w", l.Attrs().Name, err)
		}
		if now.Attrs().OperState == netlink.OperUp {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("interface %s stays %s", l.Attrs().Name, now.Attrs().OperState)
		}
	}
}

// findPair finds the pair of an interface if it is as wanted, and removes it otherwise. Of addresses that are not wanted it
// removes those alone, unless one is where traffic came from.
func findPair(outer, inner *netlink.Handle, w nic) (near, far netlink.Link, err error) {
	if near, err = findLink(outer, w.iface); err != nil {
		return nil, nil, err
	}
	if far, err = findLink(inner, w.name()); err != nil {
		return nil, nil, err
	}
	if near != nil && far != nil && far.Attrs().HardwareAddr.String() == w.mac &&
		far.Attrs().ParentIndex == near.Attrs().Index && near.Attrs().ParentIndex == far.Attrs().Index {
		addrs, err := inner.AddrList(far, netlink.FAMILY_ALL)
		if err != nil {
			return nil, nil, fmt.Errorf("list addresses of %s: %w", w.name(), err)
		}
		if beginsAsWanted(addrs, w) {
			return near, far, takeAddresses(outer, inner, near, far, addrs, w)
		}
	}
	if near != nil {
		if err := outer.LinkDel(near); err != nil {
			return nil, nil, fmt.Errorf("remove interface %s: %w", w.iface, err)
		}
	}
	if far, err = findLink(inner, w.name()); err != nil || far == nil {
		return nil, nil, err
	}
	if err := inner.LinkDel(far); err != nil {
		return nil, nil, fmt.Errorf("remove interface %s: %w", w.name(), err)
	}
	return nil, nil, nil
}

// addressOf is an address as netlink lists it.
func addressOf(a netlink.Addr) netip.Addr {
	at, _ := netip.AddrFromSlice(a.IP)
	return at.Unmap()
}

// beginsAsWanted tells whether the first IPv4 address of an interface, which is its primary one to the kernel, is the wanted one.
// One without any has what was begun and not ended.
func beginsAsWanted(addrs []netlink.Addr, w nic) bool {
	for _, a := range addrs {
		if at := addressOf(a); at.Is4() {
			return at == w.primary(false)
		}
	}
	return true
}

// takeAddresses takes from an instance's interface the global addresses that are not wanted, and the VPC's ways to them.
func takeAddresses(outer, inner *netlink.Handle, near, far netlink.Link, addrs []netlink.Addr, w nic) error {
	wanted := map[netip.Addr]bool{}
	for _, p := range w.addresses {
		wanted[p.Addr()] = true
	}
	for _, a := range addrs {
		at := addressOf(a)
		if at.IsLinkLocalUnicast() || wanted[at] {
			continue
		}
		if err := inner.AddrDel(far, &a); err != nil {
			return fmt.Errorf("remove address %s: %w", at, err)
		}
		in := &netlink.Route{LinkIndex: near.Attrs().Index, Dst: ipNet(single(at)), Scope: netlink.SCOPE_LINK}
		if err := outer.RouteDel(in); err != nil && !errors.Is(err, unix.ESRCH) { // somebody else may have the address by now
			return fmt.Errorf("lead %s nowhere: %w", at, err)
		}
	}
	return nil
}

// makePair makes the pair of an instance's interface.
func makePair(outer, inner *netlink.Handle, instance *namespace, w nic) (near, far netlink.Link, err error) {
	mac, err := net.ParseMAC(w.mac)
	if err != nil {
		return nil, nil, err
	}
	instance.mu.RLock()
	defer instance.mu.RUnlock()
	if instance.file == nil {
		return nil, nil, errGone
	}
	pair := &netlink.Veth{
		LinkAttrs: netlink.LinkAttrs{Name: w.iface, MTU: mtu, HardwareAddr: gatewayMAC},
		PeerName:  w.name(), PeerHardwareAddr: mac, PeerNamespace: netlink.NsFd(instance.file.Fd()),
	}
	if err := outer.LinkAdd(pair); err != nil {
		return nil, nil, fmt.Errorf("make interface %s: %w", w.iface, err)
	}
	if far, err = inner.LinkByName(w.name()); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("find interface %s: %w", w.name(), err), outer.LinkDel(pair))
	}
	return pair, far, nil
}

// neighbour makes an address's MAC known for good: nothing is asked on the link, so nothing can be answered wrongly.
func neighbour(h *netlink.Handle, l netlink.Link, a netip.Addr, mac net.HardwareAddr) error {
	err := h.NeighSet(&netlink.Neigh{LinkIndex: l.Attrs().Index, State: netlink.NUD_PERMANENT, IP: a.AsSlice(), HardwareAddr: mac})
	if err != nil {
		return fmt.Errorf("set neighbour %s: %w", a, err)
	}
	return nil
}

// giveAddress gives an instance's interface an address, and the VPC the way to it.
func (j *joined) giveAddress(outer, inner *netlink.Handle, at netip.Prefix) error {
	mac, err := net.ParseMAC(j.mac)
	if err != nil {
		return err
	}
	address := &netlink.Addr{IPNet: ipNet(at), Flags: unix.IFA_F_NOPREFIXROUTE | unix.IFA_F_NODAD}
	if err := inner.AddrReplace(j.far, address); err != nil {
		return fmt.Errorf("add address %s: %w", at, err)
	}
	if err := neighbour(outer, j.near, at.Addr(), mac); err != nil {
		return err
	}
	in := &netlink.Route{LinkIndex: j.near.Attrs().Index, Dst: ipNet(single(at.Addr())), Scope: netlink.SCOPE_LINK}
	if err := outer.RouteReplace(in); err != nil {
		return fmt.Errorf("lead %s to %s: %w", at.Addr(), j.iface, err)
	}
	return nil
}

// giveWay gives an instance the way out by one of its interfaces, from its first address. Behind the first interface's the
// others' is the last resort; it has a table of its own for what comes from their addresses, since the VPC takes an address
// from its own interface alone.
func (j *joined) giveWay(inner *netlink.Handle, from, gateway netip.Addr, all netip.Prefix) error {
	if err := neighbour(inner, j.far, gateway, gatewayMAC); err != nil {
		return err
	}
	out := netlink.Route{LinkIndex: j.far.Attrs().Index, Dst: ipNet(all), Gw: gateway.AsSlice(), Src: from.AsSlice(), Flags: int(netlink.FLAG_ONLINK)}
	ways := []netlink.Route{out}
	if j.index > 0 {
		ways[0].Priority = lastResort + j.index
		out.Table = tableOf(j.index)
		ways = append(ways, out)
	}
	for _, way := range ways {
		if err := inner.RouteReplace(&way); err != nil {
			return fmt.Errorf("lead %s to %s: %w", all, gateway, err)
		}
	}
	return nil
}

const (
	// lastResort is the metric of the ways out by further interfaces: behind IPv6's usual one, 1024.
	lastResort = 2000
	// firstTable begins the routing tables of further interfaces, and the priorities of the rules that lead there.
	firstTable = 1000
)

// tableOf is the routing table of an interface but the first.
func tableOf(index int) int { return firstTable + index }

// setRules leads what comes from an address of an instance's further interfaces out by its own interface, and removes such rules
// for addresses that the instance has no longer.
func setRules(inner *netlink.Handle, w host) error {
	type key struct {
		from  netip.Addr
		table int
	}
	wanted := map[key]bool{}
	for _, n := range w.nics {
		for _, p := range n.addresses {
			if n.index > 0 && (p.Addr().Is4() || hasIPv6()) {
				wanted[key{p.Addr(), tableOf(n.index)}] = true
			}
		}
	}
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		if family == netlink.FAMILY_V6 && !hasIPv6() {
			continue
		}
		rules, err := inner.RuleList(family)
		if err != nil {
			return fmt.Errorf("list rules: %w", err)
		}
		for _, r := range rules {
			if r.Table <= firstTable || r.Table >= lastResort || r.Priority != r.Table || r.Src == nil {
				continue // not of this package's making
			}
			from, _ := netip.AddrFromSlice(r.Src.IP)
			if k := (key{from.Unmap(), r.Table}); wanted[k] {
				delete(wanted, k)
			} else if err := inner.RuleDel(&r); err != nil {
				return fmt.Errorf("remove rule for %s: %w", from, err)
			}
		}
	}
	for k := range wanted {
		r := netlink.NewRule()
		r.Src, r.Table, r.Priority, r.Family = ipNet(single(k.from)), k.table, k.table, netlink.FAMILY_V4
		if k.from.Is6() {
			r.Family = netlink.FAMILY_V6
		}
		if err := inner.RuleAdd(r); err != nil {
			return fmt.Errorf("add rule for %s: %w", k.from, err)
		}
	}
	return nil
}
