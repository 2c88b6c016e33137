// Package vpc makes VPCs exist on Linux: network namespaces, interfaces, addresses, security groups, and sockets
// inside of them.
//
// A VPC is a network namespace, trellis-vpc-…, and each of its instances is another one, trellis-i-…, joined to the
// VPC's by a veth pair. There is no shared link: each instance reaches everything, its neighbours included, through
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
//
// What a security group, an association or their absence does not allow is dropped in silence: the client times out, as
// on AWS. Nothing leads out of a VPC, and the host's own namespace gets no rule, address or interface.
//
// Which packets are tracked: only those from instance to instance, whose security groups are stateful (answers
// pass because conntrack knows them). Traffic to and from the node's own addresses is not tracked, since it is the data path
// and conntrack would be paid for each packet. There the first packet of a TCP connection (SYN without ACK) is held
// against the security groups, and what is not a first packet passes: without a SYN that passed there is no socket for it.
package vpc
