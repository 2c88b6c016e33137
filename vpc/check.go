package vpc

import (
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/trellis-project/trellis"
)

// Problem is something that keeps VPCs from working on this machine.
type Problem struct {
	Code string // stable, for example not_root
	Text string // what is wrong
	Fix  string // what to do or install
}

// Check tells what keeps VPCs from working on this machine, by making one in a scratch namespace that ends with
// the call. No problems: an empty list.
func Check() []Problem {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return []Problem{{"no_proc", fmt.Sprintf("cannot learn of this process: %v", err), "mount /proc"}}
	}
	if missing := missingCapabilities(string(status)); len(missing) > 0 {
		return []Problem{{"not_root", "this process lacks " + strings.Join(missing, " and "),
			"run as root, or with these capabilities"}}
	}
	var problems []Problem
	found := func(code, fix, what string, err error) {
		problems = append(problems, Problem{code, fmt.Sprintf("%s: %v", what, err), fix})
	}
	if err := unix.Access("/run", unix.W_OK); err != nil {
		found("no_run", "mount /run writable", "cannot keep names of namespaces in /run", err)
	}
	_ = onOwnThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			found("no_namespaces", "use a kernel with CONFIG_NET_NS, outside of a sandbox that forbids unshare", "cannot make a network namespace", err)
			return nil
		}
		f, err := os.Open(threadNamespace())
		if err != nil {
			found("no_namespaces", "mount /proc", "cannot open a network namespace", err)
			return nil
		}
		ns := &namespace{name: "scratch", file: f}
		defer ns.close()
		if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: deadEnd}, PeerName: deadEndPeer}); err != nil {
			found("no_veth", "load the kernel module veth (Debian: a kernel other than -cloud may be needed)", "cannot make a veth pair", err)
		}
		if err := writeSysctls(vpcSysctls); err != nil {
			found("no_sysctl", "mount /proc/sys writable", "cannot change settings of a namespace", err)
		}
		if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
			found("no_mount_namespaces", "allow unshare of mount namespaces", "cannot make a mount namespace", err)
		}
		rules := sampleRules()
		if err := rules.without("ct state", "notrack", "tproxy").load(ns); err != nil {
			found("no_nftables", "load the kernel module nf_tables (CONFIG_NF_TABLES, CONFIG_NF_TABLES_INET); the nft program is not needed", "nftables do not work", err)
		} else if err := rules.without("tproxy").load(ns); err != nil {
			found("no_conntrack", "load the kernel modules nf_conntrack and nft_ct (CONFIG_NF_CONNTRACK, CONFIG_NFT_CT)", "nftables cannot track connections", err)
		}
		return nil
	})
	return problems
}

// CheckResources tells why VPCs on this machine, which can carry them, can't have TCP resources; nil when they can.
func CheckResources() error {
	return onOwnThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("make a network namespace: %w", err)
		}
		f, err := os.Open(threadNamespace())
		if err != nil {
			return fmt.Errorf("open a network namespace: %w", err)
		}
		ns := &namespace{name: "scratch", file: f}
		defer ns.close()
		rules := sampleRules()
		if err := rules.load(ns); err != nil {
			return fmt.Errorf("nftables cannot lead connections to a socket, load the kernel module nft_tproxy (CONFIG_NFT_TPROXY): %w", err)
		}
		return nil
	})
}

// missingCapabilities are those of the needed capabilities that a process has not, by its /proc/…/status (capabilities(7)).
func missingCapabilities(status string) []string {
	needed := []struct {
		name string
		bit  int
	}{{"CAP_NET_ADMIN", unix.CAP_NET_ADMIN}, {"CAP_SYS_ADMIN", unix.CAP_SYS_ADMIN}}
	var effective uint64
	for line := range strings.Lines(status) {
		if value, ok := strings.CutPrefix(line, "CapEff:"); ok {
			effective, _ = strconv.ParseUint(strings.TrimSpace(value), 16, 64)
		}
	}
	var missing []string
	for _, c := range needed {
		if effective&(1<<c.bit) == 0 {
			missing = append(missing, c.name)
		}
	}
	return missing
}

// without is the ruleset without the rules that have a condition or statement which begins so.
func (r *ruleset) without(begins ...string) *ruleset {
	less := &ruleset{sets: r.sets}
	for _, c := range r.chains {
		kept := chain{name: c.name, hook: c.hook, policy: c.policy}
		for _, rule := range c.rules {
			if !rule.has(begins) {
				kept.rules = append(kept.rules, rule)
			}
		}
		less.chains = append(less.chains, kept)
	}
	return less
}

// has tells whether a condition or statement of the rule begins with one of the words.
func (r rule) has(begins []string) bool {
	for _, t := range r.text {
		for _, b := range begins {
			if strings.HasPrefix(t, b) {
				return true
			}
		}
	}
	return false
}

// sampleRules is a ruleset with every kind of set and expression that rulesOf can make.
func sampleRules() *ruleset {
	group := &trellis.SecurityGroup{Rules: []trellis.SecurityGroupRule{
		{Protocol: "tcp", FromPort: 80, ToPort: 90, GroupID: "sg-1"},
		{Protocol: "icmp", FromPort: 8, ToPort: 0, CIDR: netip.MustParsePrefix("10.0.0.0/16")},
		{Protocol: "-1", Egress: true, CIDR: everywhere6},
	}}
	m := &rulesMaker{
		vpc:    &trellis.VPC{CIDR: netip.MustParsePrefix("10.0.0.0/16"), EnableDNSSupport: true},
		groups: map[string]*trellis.SecurityGroup{"sg-1": group},
		members: []member{{groups: []string{"sg-1"}, nic: nic{iface: interfaceName("i-1"),
			addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.4/24"), netip.MustParsePrefix("2001:db8::4/64")}}}},
		associations: []*trellis.VPCAssociation{{Slot: 32, SecurityGroupIDs: []string{"sg-1"}}},
		points:       []point{{"rgw-1", []string{"sg-1"}, true, []netip.Addr{netip.MustParseAddr("10.0.0.5"), netip.MustParseAddr("2001:db8::5")}}},
		reached: []reached{{at: netip.MustParseAddr("129.224.0.1"), chain: slotChain(32), resource: true, ports: []trellis.PortRange{{From: 80, To: 90}}},
			{at: netip.MustParseAddr("fd00:ec2:80::81e0:1"), chain: slotChain(32), resource: true, ports: []trellis.PortRange{{From: 80, To: 90}}}},
	}
	r := m.make()
	return &r
}
