package trellis

import "net/netip"

// Blocks of VPC Lattice's addresses: inside every VPC the two link-local ones stand for service networks, and
// their prefix lists have the public one too (VPC Lattice user guide, security-groups).
var (
	LatticeBlock4      = netip.MustParsePrefix("169.254.171.0/24")
	LatticeBlock6      = netip.MustParsePrefix("fd00:ec2:80::/64")
	LatticePublicBlock = netip.MustParsePrefix("129.224.0.0/17")
)

// Addresses of the node's side that mean the same inside every VPC.
var (
	ResolverAddr4 = netip.MustParseAddr("169.254.169.253") // and VPC.ResolverAddr (EC2: VPC user guide, AmazonDNS-concepts)
	ResolverAddr6 = netip.MustParseAddr("fd00:ec2::253")
	MetadataAddr4 = netip.MustParseAddr("169.254.169.254") // instance metadata (EC2 user guide, instancedata-data-retrieval)
	MetadataAddr6 = netip.MustParseAddr("fd00:ec2::254")
	APIAddr4      = netip.MustParseAddr("169.254.170.10") // Trellis's own API
	AgentAddr4    = netip.MustParseAddr("169.254.170.23") // EKS Pod Identity's agent (AWS SDKs reference guide, container credential provider)
	AgentAddr6    = netip.MustParseAddr("fd00:ec2::23")
)

// NodeAddrs are those of them that answer in every VPC, whether it has DNS or not.
var NodeAddrs = []netip.Addr{MetadataAddr4, MetadataAddr6, APIAddr4, AgentAddr4, AgentAddr6}

// The slots of the node's side inside a VPC: those that associations can have (VPCAssociation.Slot), the one
// that traffic to targets and health checks come from, the one at which connections to resources are taken (nobody
// connects to it: packets to resources are led there), and nowhere, which a managed name has in a VPC that
// doesn't reach its service: packets to it are dropped, so the client times out as it would on AWS.
const (
	SourceSlot   = 1
	ResourceSlot = 2
	FirstSlot    = 32
	LastSlot     = 223
	NowhereSlot  = 254
)

// SlotAddrs are the addresses of a slot: 169.254.171.slot and fd00:ec2:80::a9fe:ab followed by the slot in
// hexadecimal, which is the same address in the low 32 bits.
func SlotAddrs(slot int) (v4, v6 netip.Addr) {
	a, b := LatticeBlock4.Addr().As4(), LatticeBlock6.Addr().As16()
	a[3] = byte(slot)
	copy(b[12:], a[:])
	return netip.AddrFrom4(a), netip.AddrFrom16(b)
}
