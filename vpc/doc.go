// Package vpc makes VPCs exist on Linux: network namespaces, interfaces, addresses, security groups, and sockets
// inside of them.
//
// A VPC is a network namespace, trellis-vpc-…, and each of its instances is another one, trellis-i-…, joined to the
// VPC's by a veth pair for each of its network interfaces, eth0 and on. There is no shared link: each instance reaches everything, its neighbours included, through
// the VPC's namespace, so that the nftables there know a packet's sender by its interface, and nobody can take
// another's address. Namespace names are a function of the ids, so any root process can enter one (see [Start]).
//
// In the VPC's namespace these addresses are the node's own:
//
//	169.254.171.0/24, fd00:ec2:80::/64   VPC Lattice: one address (slot) for each association of the VPC
//	169.254.171.1, fd00:ec2:80::a9fe:ab01  where traffic to targets and health checks come from
//	169.254.169.253, VPC base + 2, fd00:ec2::253   the VPC's resolver
//	169.254.169.254, fd00:ec2::254       instance metadata
//	169.254.170.10                       the API endpoint
//	169.254.170.23, fd00:ec2::23         EKS Pod Identity's agent
//	129.224.0.0/17, and the same in the low bits of fd00:ec2:80::/64   TCP resources: one address for each association
//	addresses of the VPC's own subnets   those of VPC endpoints and of resource gateways
//
// Connections to resources come to one socket for each family, whatever their port is: packets are led there by nftables'
// tproxy, and the connection's own address says where the client wants to go (ListenTransparent).
//
// What a security group, an association or their absence does not allow is dropped in silence: the client times out, as
// on AWS. Nothing leads out of a VPC, and the host's own namespace gets no rule, address or interface.
//
// Which packets are tracked: only those from instance to instance, whose security groups are stateful (answers
// pass because conntrack knows them). Traffic to and from the node's own addresses is not tracked, since it is the data path
// and conntrack would be paid for each packet. There the first packet of a TCP connection (SYN without ACK) is held
// against the security groups, and what is not a first packet passes: without a SYN that passed there is no socket for it.
//
// What that leaves to see: a packet that is not a first one, sent to a slot without such a connection, is answered with a reset.
//
// Network ACLs are chains of their own, which see every packet before the security groups do and remember none: what leaves a subnet,
// from an instance or from an address that the node has in it, is held against what the subnet's network ACL lets out, and what enters
// one against what that of its destination lets in; answers too, by their own ports. VPC Lattice's addresses and those of resources
// are in no subnet. Nothing is held inside a subnet, nor what is said with the resolver, the metadata, the API and Pod Identity's
// agent. Where every network ACL of a VPC lets everything pass, as nearly always, there is none of these chains.
//
// Rules are replaced in one nftables batch for each VPC, before interfaces appear and connections open, so nothing is ever open that
// should not be. Connections that were allowed go on when a security group's rule goes, as AWS's tracked ones do; a network ACL
// bites them at once, and lets them go on when it lets them pass again.
//
// /run/trellis/ID/owner names the process that made a VPC or instance and its data directory. A Trellis that was killed leaves
// everything in place, commands in instances go on, and the next one with the same data directory takes over what its nouns want and
// removes the rest. What belongs to another Trellis that runs, or that may come back, is left alone. One that ends in order removes
// what it made and ends the commands inside.
//
// The two sockets of a connection between the node and an instance can be joined by BPF, so that messages go past TCP: see
// [Accelerator]. bpf/accelerate.c holds the programs, bpf/accelerate.o is what "go generate" makes of it.
// Messages past TCP meet no rule. So no socket of an instance is joined while its subnet's network ACL holds anything, and what was joined
// before goes by TCP from then on.
// What the node sends on a joined socket fails with EINVAL, nothing of it sent, while the instance has much to read already: who sends
// more than that at once tries again, as package reactor does.
//
// Sockets are made by package net on a thread that is inside the namespace for exactly that long; see [Manager.Dial]. Two
// system calls are what this costs.
package vpc
