package vpc

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/trellis-project/trellis"
)

const (
	// mtu is that of instances on AWS, which have jumbo frames inside of a VPC (EC2 user guide, network_mtu).
	mtu = 9001
	// instanceInterface is what instances call their interface.
	instanceInterface = "eth0"
	// deadEnd is an interface of the VPC's namespace whose other end nobody reads. Addresses of the VPC that no instance has
	// lead there, and the security groups' last rule drops what goes to it: in silence, as on AWS. Without it the kernel
	// would answer "no route", and without an interface (a blackhole) connect would fail at once.
	deadEnd = "void0"
	// deadEndPeer is the other end.
	deadEndPeer = "void1"
)

var (
	// gatewayMAC is the address of the VPC's end of every pair.
	gatewayMAC = net.HardwareAddr{0x02, 0x00, 0xa9, 0xfe, 0xa9, 0x01}
	// gateway6 is the IPv6 gateway of every instance.
	gateway6 = netip.MustParseAddr("fe80::1")
	// everywhere4 is the destination of IPv4's default way.
	everywhere4 = netip.MustParsePrefix("0.0.0.0/0")
	// everywhere6 is IPv6's.
	everywhere6 = netip.MustParsePrefix("::/0")
)

// sysctl is one kernel setting of a network namespace.
type sysctl struct{ name, value string }

// vpcSysctls are the settings of a VPC's namespace before its interfaces are made. Sources are held by nftables, per
// interface; rp_filter is a second guard that costs nothing here, since each instance has exactly one way.
var vpcSysctls = []sysctl{
	{"ipv4/conf/all/rp_filter", "1"}, {"ipv4/conf/default/rp_filter", "1"},
	{"ipv4/conf/all/send_redirects", "0"}, {"ipv4/conf/default/send_redirects", "0"},
	{"ipv4/conf/all/accept_redirects", "0"}, {"ipv4/conf/default/accept_redirects", "0"},
	// Towards targets: all source ports, again while their last connection waits for its end, and no slow start for
	// connections that were kept.
	{"ipv4/ip_local_port_range", "1024 65535"}, {"ipv4/tcp_tw_reuse", "1"}, {"ipv4/tcp_slow_start_after_idle", "0"},
	{"ipv6/conf/all/disable_ipv6", "0"}, {"ipv6/conf/default/disable_ipv6", "0"},
	{"ipv6/conf/all/accept_ra", "0"}, {"ipv6/conf/default/accept_ra", "0"},
	{"ipv6/conf/default/accept_dad", "0"}, {"ipv6/conf/default/addr_gen_mode", "1"},
	{"ipv4/ip_forward", "1"}, {"ipv6/conf/all/forwarding", "1"},
}

// hostSysctls are the settings of an instance's namespace.
var hostSysctls = []sysctl{
	{"ipv6/conf/all/disable_ipv6", "0"}, {"ipv6/conf/default/disable_ipv6", "0"},
	{"ipv6/conf/all/accept_ra", "0"}, {"ipv6/conf/default/accept_ra", "0"},
	{"ipv6/conf/default/accept_dad", "0"},
}

// writeSysctls writes settings; those of IPv6 are left out where the kernel has none. It has to run inside the namespace.
func writeSysctls(sysctls []sysctl) error {
	for _, s := range sysctls {
		err := os.WriteFile("/proc/sys/net/"+s.name, []byte(s.value), 0)
		if errors.Is(err, os.ErrNotExist) && strings.HasPrefix(s.name, "ipv6/") {
			continue
		}
		if err != nil {
			return fmt.Errorf("set net.%s: %w", strings.ReplaceAll(s.name, "/", "."), err)
		}
	}
	return nil
}

// hasIPv6 tells whether the kernel has IPv6.
func hasIPv6() bool {
	_, err := os.Stat("/proc/sys/net/ipv6")
	return err == nil
}

// handle opens netlink inside of a namespace. Close it.
func (n *namespace) handle() (*netlink.Handle, error) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	if n.file == nil {
		return nil, fmt.Errorf("open netlink of %s: %w", n.name, errGone)
	}
	h, err := netlink.NewHandleAt(netns.NsHandle(n.file.Fd()), unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open netlink of %s: %w", n.name, err)
	}
	return h, nil
}

// ipNet is a prefix as netlink has it.
func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// single is the block of one address.
func single(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

// findLink finds an interface; nil when there is none.
func findLink(h *netlink.Handle, name string) (netlink.Link, error) {
	l, err := h.LinkByName(name)
	if _, gone := errors.AsType[netlink.LinkNotFoundError](err); gone {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find interface %s: %w", name, err)
	}
	return l, nil
}

// prepareVPC makes a VPC's namespace ready for instances: settings, the node's addresses, the dead end. Repeating it changes nothing.
func prepareVPC(ns *namespace, n *network) error {
	if err := ns.within(func() error { return writeSysctls(vpcSysctls) }); err != nil {
		return err
	}
	h, err := ns.handle()
	if err != nil {
		return err
	}
	defer h.Close()
	void, err := findLink(h, deadEnd)
	if err != nil {
		return err
	}
	if void == nil {
		pair := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: deadEnd}, PeerName: deadEndPeer}
		if err := h.LinkAdd(pair); err != nil {
			return fmt.Errorf("make interface %s: %w", deadEnd, err)
		}
		void = pair
	}
	lo, err := h.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find interface lo: %w", err)
	}
	peer, err := h.LinkByName(deadEndPeer) // up as well: some settings leave out ways without a carrier
	if err != nil {
		return fmt.Errorf("find interface %s: %w", deadEndPeer, err)
	}
	if err := errors.Join(h.LinkSetUp(lo), h.LinkSetUp(void), h.LinkSetUp(peer)); err != nil {
		return fmt.Errorf("bring interfaces up: %w", err)
	}
	blocks, ways := []netip.Prefix{trellis.LatticeBlock4, trellis.LatticePublicBlock}, []netip.Prefix{everywhere4}
	if hasIPv6() {
		blocks, ways = append(blocks, trellis.LatticeBlock6), append(ways, everywhere6)
	}
	for _, p := range blocks {
		local := &netlink.Route{LinkIndex: lo.Attrs().Index, Dst: ipNet(p), Type: unix.RTN_LOCAL,
			Table: unix.RT_TABLE_LOCAL, Scope: netlink.SCOPE_HOST}
		if err := h.RouteReplace(local); err != nil {
			return fmt.Errorf("make %s local: %w", p, err)
		}
	}
	for _, p := range ways {
		last := &netlink.Route{LinkIndex: void.Attrs().Index, Dst: ipNet(p), Scope: netlink.SCOPE_LINK}
		if err := h.RouteReplace(last); err != nil {
			return fmt.Errorf("lead %s to the dead end: %w", p, err)
		}
	}
	return setLocal(h, lo, n.local)
}

// setLocal makes the node's own addresses of a VPC those that are wanted.
func setLocal(h *netlink.Handle, lo netlink.Link, wanted []netip.Addr) error {
	present, err := h.AddrList(lo, netlink.FAMILY_ALL)
	if err != nil {
		return fmt.Errorf("list addresses of lo: %w", err)
	}
	missing := map[netip.Addr]bool{}
	for _, a := range wanted {
		missing[a] = a.Is4() || hasIPv6()
	}
	for _, a := range present {
		at, _ := netip.AddrFromSlice(a.IP)
		at = at.Unmap()
		if _, ok := missing[at]; ok {
			delete(missing, at)
		} else if !at.IsLoopback() {
			if err := h.AddrDel(lo, &a); err != nil {
				return fmt.Errorf("remove address %s: %w", at, err)
			}
		}
	}
	for a, want := range missing {
		if !want {
			continue
		}
		err := h.AddrAdd(lo, &netlink.Addr{IPNet: ipNet(single(a)), Flags: unix.IFA_F_NODAD})
		if err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("add address %s: %w", a, err)
		}
	}
	return nil
}

// removeStrangers removes pairs from a VPC's namespace that no wanted instance has.
func removeStrangers(ns *namespace, n *network) error {
	h, err := ns.handle()
	if err != nil {
		return err
	}
	defer h.Close()
	links, err := h.LinkList()
	if err != nil {
		return fmt.Errorf("list interfaces of %s: %w", ns.name, err)
	}
	wanted := map[string]bool{}
	for _, host := range n.hosts {
		wanted[host.iface] = true
	}
	for _, l := range links {
		if name := l.Attrs().Name; strings.HasPrefix(name, interfacePrefix) && !wanted[name] {
			if err := h.LinkDel(l); err != nil {
				return fmt.Errorf("remove interface %s: %w", name, err)
			}
		}
	}
	return nil
}

// removeLink removes an instance's pair, both ends at once.
func removeLink(ns *namespace, iface string) error {
	h, err := ns.handle()
	if err != nil {
		return err
	}
	defer h.Close()
	l, err := findLink(h, iface)
	if err != nil || l == nil {
		return err
	}
	if err := h.LinkDel(l); err != nil {
		return fmt.Errorf("remove interface %s: %w", iface, err)
	}
	return nil
}

// joinHost joins an instance's namespace to its VPC's. Repeating it changes nothing, and a pair that is not as wanted is
// replaced.
func joinHost(vpc, instance *namespace, w host) error {
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
	near, far, err := findPair(outer, inner, w)
	if err != nil {
		return err
	}
	if near == nil {
		if near, far, err = makePair(outer, inner, instance, w); err != nil {
			return err
		}
	}
	lo, err := inner.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find interface lo: %w", err)
	}
	if err := errors.Join(inner.LinkSetUp(lo), inner.LinkSetUp(far), outer.LinkSetUp(near)); err != nil {
		return fmt.Errorf("bring interfaces up: %w", err)
	}
	if err := giveAddress(outer, inner, near, far, w, w.address, w.gateway, everywhere4); err != nil {
		return err
	}
	if w.address6.IsValid() && hasIPv6() {
		if err := giveAddress(outer, inner, near, far, w, w.address6, gateway6, everywhere6); err != nil {
			return err
		}
	}
	return errors.Join(awaitUp(inner, far), awaitUp(outer, near))
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

// findPair finds an instance's pair if it is as wanted, and removes it otherwise.
func findPair(outer, inner *netlink.Handle, w host) (near, far netlink.Link, err error) {
	if near, err = findLink(outer, w.iface); err != nil {
		return nil, nil, err
	}
	if far, err = findLink(inner, instanceInterface); err != nil {
		return nil, nil, err
	}
	if near != nil && far != nil && far.Attrs().HardwareAddr.String() == w.mac &&
		far.Attrs().ParentIndex == near.Attrs().Index && near.Attrs().ParentIndex == far.Attrs().Index {
		addrs, err := inner.AddrList(far, netlink.FAMILY_ALL)
		if err != nil {
			return nil, nil, fmt.Errorf("list addresses of %s: %w", instanceInterface, err)
		}
		if onlyWanted(addrs, w) {
			return near, far, nil
		}
	}
	if near != nil {
		if err := outer.LinkDel(near); err != nil {
			return nil, nil, fmt.Errorf("remove interface %s: %w", w.iface, err)
		}
	}
	if far, err = findLink(inner, instanceInterface); err != nil || far == nil {
		return nil, nil, err
	}
	if err := inner.LinkDel(far); err != nil {
		return nil, nil, fmt.Errorf("remove interface %s: %w", instanceInterface, err)
	}
	return nil, nil, nil
}

// onlyWanted tells whether an instance's interface has no global address but its own.
func onlyWanted(addrs []netlink.Addr, w host) bool {
	for _, a := range addrs {
		at, _ := netip.AddrFromSlice(a.IP)
		at = at.Unmap()
		if !at.IsLinkLocalUnicast() && at != w.address.Addr() && at != w.address6.Addr() {
			return false
		}
	}
	return true
}

// makePair makes an instance's pair.
func makePair(outer, inner *netlink.Handle, instance *namespace, w host) (near, far netlink.Link, err error) {
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
		PeerName:  instanceInterface, PeerHardwareAddr: mac, PeerNamespace: netlink.NsFd(instance.file.Fd()),
	}
	if err := outer.LinkAdd(pair); err != nil {
		return nil, nil, fmt.Errorf("make interface %s: %w", w.iface, err)
	}
	if far, err = inner.LinkByName(instanceInterface); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("find interface %s: %w", instanceInterface, err), outer.LinkDel(pair))
	}
	return pair, far, nil
}

// giveAddress gives an instance an address, its way out and the VPC's way to it. Neighbours are permanent: nothing is
// asked on the link, so nothing can be answered wrongly.
func giveAddress(outer, inner *netlink.Handle, near, far netlink.Link, w host, at netip.Prefix, gateway netip.Addr, all netip.Prefix) error {
	mac, err := net.ParseMAC(w.mac)
	if err != nil {
		return err
	}
	address := &netlink.Addr{IPNet: ipNet(at), Flags: unix.IFA_F_NOPREFIXROUTE | unix.IFA_F_NODAD}
	if err := inner.AddrReplace(far, address); err != nil {
		return fmt.Errorf("add address %s: %w", at, err)
	}
	neighbours := func(h *netlink.Handle, l netlink.Link, a netip.Addr, mac net.HardwareAddr) error {
		return h.NeighSet(&netlink.Neigh{LinkIndex: l.Attrs().Index, State: netlink.NUD_PERMANENT, IP: a.AsSlice(), HardwareAddr: mac})
	}
	if err := errors.Join(neighbours(outer, near, at.Addr(), mac), neighbours(inner, far, gateway, gatewayMAC)); err != nil {
		return fmt.Errorf("set neighbours of %s: %w", at.Addr(), err)
	}
	out := &netlink.Route{LinkIndex: far.Attrs().Index, Dst: ipNet(all), Gw: gateway.AsSlice(), Flags: int(netlink.FLAG_ONLINK)}
	if err := inner.RouteReplace(out); err != nil {
		return fmt.Errorf("lead %s to %s: %w", all, gateway, err)
	}
	in := &netlink.Route{LinkIndex: near.Attrs().Index, Dst: ipNet(single(at.Addr())), Scope: netlink.SCOPE_LINK}
	if err := outer.RouteReplace(in); err != nil {
		return fmt.Errorf("lead %s to %s: %w", at.Addr(), w.iface, err)
	}
	return nil
}

// resolvConf is where an instance's /etc/resolv.conf lies.
func resolvConf(instanceID string) string { return filepath.Join(stateDir, instanceID, "resolv.conf") }

// writeResolvConf writes an instance's /etc/resolv.conf as AWS's DHCP options have it.
func writeResolvConf(w host) error {
	text := "# Written by Trellis.\n"
	if w.region != "" {
		text += "search " + w.region + ".compute.internal\n"
	}
	text += "nameserver " + w.resolver.String() + "\noptions ndots:1 timeout:2 attempts:5\n"
	if err := writeFile(resolvConf(w.id), text); err != nil {
		return fmt.Errorf("write resolv.conf of %s: %w", w.id, err)
	}
	return nil
}
