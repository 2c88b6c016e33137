package vpc

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// tableName is the one nftables table of a VPC's namespace.
const tableName = "trellis"

// ruleset is everything that nftables does in one VPC's namespace, as a value: rulesOf makes it from the nouns, load
// puts it into the kernel, and String shows it, in nft's own language, to people and to tests.
type ruleset struct {
	sets   []set
	chains []chain
}

// setKind is what a set is looked up by, and whether it answers with a verdict.
type setKind int

// The kinds of sets.
const (
	addresses4  setKind = iota // IPv4 addresses
	addresses6                 // IPv6 addresses
	sources4                   // pairs of interface and IPv4 address
	sources6                   // pairs of interface and IPv6 address
	byInterface                // interface to chain
	byAddress4                 // IPv4 address to chain
	byAddress6                 // IPv6 address to chain
	bySource4                  // IPv4 source to chain
	bySource6                  // IPv6 source to chain
)

// set is a named set or map.
type set struct {
	name     string
	kind     setKind
	elements []element
}

// element is one element of a set: those parts are set that its kind has.
type element struct {
	iface string
	addr  netip.Addr
	chain string // where a map leads to
}

// chain is a list of rules; one with a hook sees packets by itself, the others are jumped to.
type chain struct {
	name   string
	hook   *hook
	policy nftables.ChainPolicy // of a chain with a hook
	rules  []rule
}

// hook is where in the kernel a chain sees packets.
type hook struct {
	name     string
	num      *nftables.ChainHook
	priority *nftables.ChainPriority
}

// String is the ruleset in nft's language. Equal texts mean equal rulesets.
func (r *ruleset) String() string {
	var b strings.Builder
	b.WriteString("table inet " + tableName + " {\n")
	for _, s := range r.sets {
		s.print(&b)
	}
	for _, c := range r.chains {
		b.WriteString("  chain " + c.name + " {\n")
		if c.hook != nil {
			policy := "accept"
			if c.policy == nftables.ChainPolicyDrop {
				policy = "drop"
			}
			fmt.Fprintf(&b, "    type filter hook %s priority %d; policy %s;\n", c.hook.name, *c.hook.priority, policy)
		}
		for _, r := range c.rules {
			b.WriteString("    " + strings.Join(r.text, " ") + "\n")
		}
		b.WriteString("  }\n")
	}
	b.WriteString("}\n")
	return b.String()
}

// print writes a set in nft's language.
func (s *set) print(b *strings.Builder) {
	word, of := "set", map[setKind]string{
		addresses4: "ip saddr", addresses6: "ip6 saddr",
		sources4: "iifname . ip saddr", sources6: "iifname . ip6 saddr",
		byInterface: "iifname : verdict", byAddress4: "ip daddr : verdict", byAddress6: "ip6 daddr : verdict",
		bySource4: "ip saddr : verdict", bySource6: "ip6 saddr : verdict",
	}[s.kind]
	if s.kind >= byInterface {
		word = "map"
	}
	fmt.Fprintf(b, "  %s %s {\n    typeof %s\n", word, s.name, of)
	for i, e := range s.elements {
		var parts []string
		if e.iface != "" {
			parts = append(parts, `"`+e.iface+`"`)
		}
		if e.addr.IsValid() {
			parts = append(parts, e.addr.String())
		}
		text := strings.Join(parts, " . ")
		if e.chain != "" {
			text += " : goto " + e.chain
		}
		lead := "      "
		if i == 0 {
			lead = "    elements = {\n      "
		}
		b.WriteString(lead + text + ",\n")
	}
	if len(s.elements) > 0 {
		b.WriteString("    }\n")
	}
	b.WriteString("  }\n")
}

// rule is a list of conditions that must all hold, and a verdict. Its methods return a longer rule and leave their
// receiver as it was, so that a beginning may be used for several rules.
type rule struct {
	text  []string
	exprs []expr.Any
}

// with returns the rule with one more condition or statement.
func (r rule) with(text string, exprs ...expr.Any) rule {
	return rule{append(slices.Clip(r.text), text), append(slices.Clip(r.exprs), exprs...)}
}

// equal compares register 1 with data.
func equal(data []byte) expr.Any { return &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: data} }

// ifname is an interface's name as the kernel compares it.
func ifname(name string) []byte {
	b := make([]byte, unix.IFNAMSIZ)
	copy(b, name)
	return b
}

// arrivesOn holds for packets that came in by an interface.
func (r rule) arrivesOn(name string) rule {
	return r.with(`iifname "`+name+`"`, &expr.Meta{Key: expr.MetaKeyIIFNAME, Register: 1}, equal(ifname(name)))
}

// leavesOn holds for packets that go out by an interface.
func (r rule) leavesOn(name string) rule {
	return r.with(`oifname "`+name+`"`, &expr.Meta{Key: expr.MetaKeyOIFNAME, Register: 1}, equal(ifname(name)))
}

// family holds for IPv4 or IPv6.
func (r rule) family(v6 bool) rule {
	text, n := "meta nfproto ipv4", byte(unix.NFPROTO_IPV4)
	if v6 {
		text, n = "meta nfproto ipv6", unix.NFPROTO_IPV6
	}
	return r.with(text, &expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1}, equal([]byte{n}))
}

// address loads an address of the packet's header into a register.
func address(v6, destination bool, register uint32) *expr.Payload {
	p := &expr.Payload{DestRegister: register, Base: expr.PayloadBaseNetworkHeader, Offset: 12, Len: 4}
	switch {
	case v6 && destination:
		p.Offset, p.Len = 24, 16
	case v6:
		p.Offset, p.Len = 8, 16
	case destination:
		p.Offset = 16
	}
	return p
}

// addressName is how nft calls the address that the function address loads.
func addressName(v6, destination bool) string {
	name := "ip saddr"
	if v6 {
		name = "ip6 saddr"
	}
	if destination {
		name = strings.Replace(name, "saddr", "daddr", 1)
	}
	return name
}

// within holds when the source or destination is in a block. It implies the block's family.
func (r rule) within(p netip.Prefix, destination bool) rule {
	v6 := p.Addr().Is6()
	r = r.family(v6)
	if p.Bits() == 0 {
		return r
	}
	size := uint32(p.Addr().BitLen() / 8)
	mask := make([]byte, size)
	for i := range p.Bits() {
		mask[i/8] |= 0x80 >> (i % 8)
	}
	return r.with(addressName(v6, destination)+" "+p.Masked().String(),
		address(v6, destination, 1),
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: size, Mask: mask, Xor: make([]byte, size)},
		equal(p.Masked().Addr().AsSlice()))
}

// in holds when the source or destination is an element of a set of addresses.
func (r rule) in(name string, v6, destination bool) rule {
	return r.family(v6).with(addressName(v6, destination)+" @"+name,
		address(v6, destination, 1), &expr.Lookup{SourceRegister: 1, SetName: name})
}

// spoofed holds when the pair of interface and source is not an element of a set of sources. Register 1 is 16 bytes wide,
// and so is an interface's name; the address follows it in register 2.
func (r rule) spoofed(name string, v6 bool) rule {
	return r.family(v6).with("iifname . "+addressName(v6, false)+" != @"+name,
		&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: 1}, address(v6, false, 2),
		&expr.Lookup{SourceRegister: 1, SetName: name, Invert: true})
}

// protocol holds for an IP protocol number.
func (r rule) protocol(n byte) rule {
	return r.with(fmt.Sprintf("meta l4proto %d", n), &expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1}, equal([]byte{n}))
}

// ports holds for destination ports of TCP and UDP.
func (r rule) ports(from, to uint16) rule {
	load := &expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2}
	low, high := binaryutil.BigEndian.PutUint16(from), binaryutil.BigEndian.PutUint16(to)
	if from == to {
		return r.with(fmt.Sprintf("th dport %d", from), load, equal(low))
	}
	return r.with(fmt.Sprintf("th dport %d-%d", from, to), load,
		&expr.Range{Op: expr.CmpOpEq, Register: 1, FromData: low, ToData: high})
}

// icmp holds for a type of ICMP or ICMPv6 and, unless it is negative, a code.
func (r rule) icmp(kind, code int) rule {
	r = r.with(fmt.Sprintf("@th,0,8 %d", kind),
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 0, Len: 1}, equal([]byte{byte(kind)}))
	if code < 0 {
		return r
	}
	return r.with(fmt.Sprintf("@th,8,8 %d", code),
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 1, Len: 1}, equal([]byte{byte(code)}))
}

// opening holds for the first packet of a TCP connection (SYN without ACK), or for all others.
func (r rule) opening(first bool) rule {
	const syn, synAck = 0x02, 0x12
	text, op := "==", expr.CmpOpEq
	if !first {
		text, op = "!=", expr.CmpOpNeq
	}
	return r.protocol(unix.IPPROTO_TCP).with("tcp flags & (syn | ack) "+text+" syn",
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 13, Len: 1},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 1, Mask: []byte{synAck}, Xor: []byte{0}},
		&expr.Cmp{Op: op, Register: 1, Data: []byte{syn}})
}

// answers holds for packets of tracked connections that were allowed before, and for the errors about them.
func (r rule) answers() rule {
	return r.with("ct state established,related",
		&expr.Ct{Key: expr.CtKeySTATE, Register: 1},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Xor: make([]byte, 4),
			Mask: binaryutil.NativeEndian.PutUint32(expr.CtStateBitESTABLISHED | expr.CtStateBitRELATED)},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: make([]byte, 4)})
}

// invalid holds for packets that conntrack can make no sense of.
func (r rule) invalid() rule {
	return r.with("ct state invalid",
		&expr.Ct{Key: expr.CtKeySTATE, Register: 1},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Xor: make([]byte, 4),
			Mask: binaryutil.NativeEndian.PutUint32(expr.CtStateBitINVALID)},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: make([]byte, 4)})
}

// untracked keeps conntrack away from the packet.
func (r rule) untracked() rule { return r.with("notrack", &expr.Notrack{}) }

// accept lets the packet pass.
func (r rule) accept() rule { return r.with("accept", &expr.Verdict{Kind: expr.VerdictAccept}) }

// drop loses the packet in silence.
func (r rule) drop() rule { return r.with("drop", &expr.Verdict{Kind: expr.VerdictDrop}) }

// jump goes on in another chain and comes back when that one has no verdict.
func (r rule) jump(name string) rule {
	return r.with("jump "+name, &expr.Verdict{Kind: expr.VerdictJump, Chain: name})
}

// goTo goes on in another chain for good.
func (r rule) goTo(name string) rule {
	return r.with("goto "+name, &expr.Verdict{Kind: expr.VerdictGoto, Chain: name})
}

// goByInterface goes on in the chain that a map has for the interface the packet came in by, or leaves by.
func (r rule) goByInterface(name string, out bool) rule {
	text, key := "iifname", expr.MetaKeyIIFNAME
	if out {
		text, key = "oifname", expr.MetaKeyOIFNAME
	}
	return r.with(text+" vmap @"+name, &expr.Meta{Key: key, Register: 1},
		&expr.Lookup{SourceRegister: 1, SetName: name, IsDestRegSet: true})
}

// goByDestination goes on in the chain that a map has for the packet's destination.
func (r rule) goByDestination(name string, v6 bool) rule { return r.goByAddress(name, v6, true) }

// goBySource goes on in the chain that a map has for the packet's source.
func (r rule) goBySource(name string, v6 bool) rule { return r.goByAddress(name, v6, false) }

// goByAddress goes on in the chain that a map has for the packet's destination or source.
func (r rule) goByAddress(name string, v6, destination bool) rule {
	return r.family(v6).with(addressName(v6, destination)+" vmap @"+name,
		address(v6, destination, 1), &expr.Lookup{SourceRegister: 1, SetName: name, IsDestRegSet: true})
}
