package vpc

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/trellis-project/trellis"
)

const (
	// mtu is that of instances on AWS, which have jumbo frames inside of a VPC (EC2 user guide, network_mtu).
	mtu = 9001
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
// interface; rp_filter is a second guard that costs nothing here, since each address has exactly one way.
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
		for _, nic := range host.nics {
			wanted[nic.iface] = true
		}
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

// removeLink removes a pair of an instance, both ends at once.
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

// resolvConf is where an instance's /etc/resolv.conf lies.
func resolvConf(instanceID string) string { return filepath.Join(stateDir, instanceID, "resolv.conf") }

// resolvConfText is the /etc/resolv.conf of the instances of a VPC, as its DHCP options have it.
func resolvConfText(st *trellis.State, v *trellis.VPC, region string) string {
	options := trellis.BornDHCPOptions(region)
	if v.DHCPOptionsID != "" {
		options = nil
		if o, ok := trellis.Get[*trellis.DHCPOptions](st, v.Account+"/"+v.DHCPOptionsID); ok {
			options = o.Options
		}
	}
	text := "# Written by Trellis.\n"
	for _, domain := range trellis.DHCPValues(options, trellis.DHCPDomainName) {
		text += "search " + domain + "\n"
	}
	for _, server := range trellis.DHCPValues(options, trellis.DHCPNameServers) {
		if server == trellis.AmazonProvidedDNS {
			server = v.ResolverAddr().String()
		}
		text += "nameserver " + server + "\n"
	}
	return text + "options ndots:1 timeout:2 attempts:5\n"
}

// writeResolvConf writes an instance's /etc/resolv.conf.
func writeResolvConf(w host) error {
	if err := writeFile(resolvConf(w.id), w.resolvConf); err != nil {
		return fmt.Errorf("write resolv.conf of %s: %w", w.id, err)
	}
	return nil
}
