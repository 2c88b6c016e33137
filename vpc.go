package trellis

import (
	"net/netip"
	"time"
)

// VPC is a network of an account. Two VPCs may have the same CIDRs: they never meet.
type VPC struct {
	Meta
	CIDR               netip.Prefix   `json:"cidr"`                // IPv4, /16 to /28
	MoreCIDRs          []netip.Prefix `json:"moreCidrs,omitempty"` // further IPv4 blocks
	IPv6CIDR           netip.Prefix   `json:"ipv6Cidr,omitzero"`   // /56, zero when it has none
	IsDefault          bool           `json:"isDefault,omitempty"`
	EnableDNSSupport   bool           `json:"enableDnsSupport"`
	EnableDNSHostnames bool           `json:"enableDnsHostnames"`
	// MainRouteTableID is empty while the VPC has the main route table that it was born with, whose id follows from the VPC's.
	MainRouteTableID string `json:"mainRouteTableId,omitempty"`
	// DHCPOptionsID is empty while the VPC has the options that its account was born with, NoDHCPOptions where it has none.
	DHCPOptionsID string `json:"dhcpOptionsId,omitempty"`
	// Attachment says how the VPC exists on a node; empty means AttachmentLab.
	Attachment string `json:"attachment"`
}

// How a VPC exists on a node.
const (
	AttachmentLab      = "lab"      // Trellis makes it itself, as network namespaces
	AttachmentLoopback = "loopback" // it is the node's own loopback, with no privileges: for tests and benchmarks
)

// Kind is KindVPC.
func (*VPC) Kind() Kind { return KindVPC }

// ARN is arn:aws:ec2:region:account:vpc/vpc-….
func (v *VPC) ARN(region string) string { return EC2ARN(region, v.Account, "vpc/"+v.ID) }

// Contains tells whether an address is in one of the VPC's blocks.
func (v *VPC) Contains(a netip.Addr) bool {
	a = a.Unmap()
	if v.CIDR.Contains(a) || v.IPv6CIDR.IsValid() && v.IPv6CIDR.Contains(a) {
		return true
	}
	for _, p := range v.MoreCIDRs {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// ResolverAddr is where instances ask for names: the VPC's first address + 2, as on AWS.
func (v *VPC) ResolverAddr() netip.Addr { return v.CIDR.Masked().Addr().Next().Next() }

// Subnet is a part of a VPC.
type Subnet struct {
	Meta
	VPCID            string       `json:"vpcId"`
	CIDR             netip.Prefix `json:"cidr"`
	IPv6CIDR         netip.Prefix `json:"ipv6Cidr,omitzero"` // /64, zero when it has none
	AvailabilityZone string       `json:"availabilityZone"`  // for example eu-west-1a
	MapPublicIP      bool         `json:"mapPublicIp,omitempty"`
}

// Kind is KindSubnet.
func (*Subnet) Kind() Kind { return KindSubnet }

// ARN is arn:aws:ec2:region:account:subnet/subnet-….
func (s *Subnet) ARN(region string) string { return EC2ARN(region, s.Account, "subnet/"+s.ID) }

// SecurityGroup is a set of rules about the traffic of what belongs to it. Nothing is allowed but what a
// rule allows; answers to what was allowed always pass.
type SecurityGroup struct {
	Meta
	VPCID       string              `json:"vpcId"`
	Name        string              `json:"name"` // unique in its VPC
	Description string              `json:"description"`
	Rules       []SecurityGroupRule `json:"rules,omitempty"`
}

// Kind is KindSecurityGroup.
func (*SecurityGroup) Kind() Kind { return KindSecurityGroup }

// ARN is arn:aws:ec2:region:account:security-group/sg-….
func (g *SecurityGroup) ARN(region string) string {
	return EC2ARN(region, g.Account, "security-group/"+g.ID)
}

// SecurityGroupRule allows one kind of traffic from (or, for egress, to) exactly one of CIDR, GroupID and
// PrefixListID.
type SecurityGroupRule struct {
	ID           string            `json:"id"` // sgr-…
	Egress       bool              `json:"egress,omitempty"`
	Protocol     string            `json:"protocol"` // tcp, udp, icmp, icmpv6, a number, or -1 for all
	FromPort     int               `json:"fromPort"` // of icmp: the type; -1 for all
	ToPort       int               `json:"toPort"`   // of icmp: the code; -1 for all
	CIDR         netip.Prefix      `json:"cidr,omitzero"`
	GroupID      string            `json:"groupId,omitempty"`
	PrefixListID string            `json:"prefixListId,omitempty"`
	Description  string            `json:"description,omitempty"`
	Tags         map[string]string `json:"tags,omitempty"`
}

// The states of instances (EC2 API reference, InstanceState).
const (
	InstancePending      = "pending"
	InstanceRunning      = "running"
	InstanceStopping     = "stopping"
	InstanceStopped      = "stopped"
	InstanceShuttingDown = "shutting-down"
	InstanceTerminated   = "terminated"
)

// Instance is a host in a subnet: on a lab VPC a network namespace that a command can run in.
type Instance struct {
	Meta
	VPCID            string     `json:"vpcId"`
	SubnetID         string     `json:"subnetId"`
	PrivateIP        netip.Addr `json:"privateIp"`
	IPv6             netip.Addr `json:"ipv6,omitzero"`
	MAC              string     `json:"mac"` // xx:xx:xx:xx:xx:xx
	InterfaceID      string     `json:"interfaceId"`
	SecurityGroupIDs []string   `json:"securityGroupIds"`
	ImageID          string     `json:"imageId"`
	InstanceType     string     `json:"instanceType"`
	RoleARN          string     `json:"roleArn,omitempty"` // whose credentials its metadata endpoint gives
	// Profile is the instance profile that RoleARN comes from; nil with a role for an instance from before there were any.
	Profile       *ProfileAssociation `json:"profile,omitempty"`
	ReservationID string              `json:"reservationId"`
	State         string              `json:"state"`
	// StateChangedAt is when State last changed: a terminated instance is shown for a while after it.
	StateChangedAt time.Time `json:"stateChangedAt,omitzero"`
	LaunchIndex    int       `json:"launchIndex,omitempty"` // among the instances of its reservation, from 0
	UserData       Secret    `json:"userData,omitzero"`     // as it is, not in base64; any bytes
	InstanceSettings
}

// ProfileAssociation joins an instance and an instance profile (EC2 API reference, IamInstanceProfileAssociation).
type ProfileAssociation struct {
	ID         string    `json:"id"` // iip-assoc-…
	ProfileARN string    `json:"profileArn"`
	ProfileID  string    `json:"profileId,omitempty"` // AIPA…; empty where the profile only stands for the role of its name
	Since      time.Time `json:"since"`
}

// Kind is KindInstance.
func (*Instance) Kind() Kind { return KindInstance }

// ARN is arn:aws:ec2:region:account:instance/i-….
func (i *Instance) ARN(region string) string { return EC2ARN(region, i.Account, "instance/"+i.ID) }

// PrefixList is a named list of CIDRs that security groups can name. The account of AWS's own lists,
// such as com.amazonaws.eu-west-1.vpc-lattice, is "AWS".
type PrefixList struct {
	Meta
	Name          string            `json:"name"`
	AddressFamily string            `json:"addressFamily"` // IPv4 or IPv6
	MaxEntries    int               `json:"maxEntries"`
	Version       int64             `json:"version"`
	Entries       []PrefixListEntry `json:"entries,omitempty"`
}

// PrefixListEntry is one CIDR of a PrefixList.
type PrefixListEntry struct {
	CIDR        netip.Prefix `json:"cidr"`
	Description string       `json:"description,omitempty"`
}

// Kind is KindPrefixList.
func (*PrefixList) Kind() Kind { return KindPrefixList }

// ARN is arn:aws:ec2:region:account:prefix-list/pl-….
func (p *PrefixList) ARN(region string) string { return EC2ARN(region, p.Account, "prefix-list/"+p.ID) }
