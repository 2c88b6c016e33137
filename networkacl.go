package trellis

import "net/netip"

// NetworkACL holds the packets that enter and leave subnets, each by itself: answers too, against the entries of their own
// direction. Every subnet has exactly one. The default one of a VPC has the subnets that no other has; it is stored only once
// it differs from what a new VPC has.
type NetworkACL struct {
	Meta
	VPCID        string                  `json:"vpcId"`
	Default      bool                    `json:"default,omitempty"`
	Entries      []NetworkACLEntry       `json:"entries,omitempty"`      // the final ones, which drop what is left, are in none
	Associations []NetworkACLAssociation `json:"associations,omitempty"` // explicit ones
}

// NetworkACLEntry lets packets pass or drops them. The entry with the lowest number among those of a direction that a packet fits
// decides.
type NetworkACLEntry struct {
	Number   int          `json:"number"`           // 1 to 32766
	Egress   bool         `json:"egress,omitempty"` // of packets that leave the subnet
	Deny     bool         `json:"deny,omitempty"`
	Protocol string       `json:"protocol"` // its number, or -1 for all
	CIDR     netip.Prefix `json:"cidr"`     // where packets come from or, for egress, go to
	FromPort int          `json:"fromPort"` // the packet's destination port; of ICMP and ICMPv6: the type; -1 for all
	ToPort   int          `json:"toPort"`   // of ICMP and ICMPv6: the code; -1 for all
}

// NetworkACLAssociation joins a network ACL and a subnet.
type NetworkACLAssociation struct {
	ID       string `json:"id"` // aclassoc-…
	SubnetID string `json:"subnetId"`
}

// Kind is KindNetworkACL.
func (*NetworkACL) Kind() Kind { return KindNetworkACL }

// ARN is arn:aws:ec2:region:account:network-acl/acl-….
func (a *NetworkACL) ARN(region string) string {
	return EC2ARN(region, a.Account, "network-acl/"+a.ID)
}

// AllowEverything are the entries of one direction that let everything pass, as the default network ACL of a new VPC has them:
// one for IPv4 and, where the VPC has IPv6, one for that.
func AllowEverything(egress, v6 bool) []NetworkACLEntry {
	all := NetworkACLEntry{Number: 100, Egress: egress, Protocol: "-1", CIDR: netip.MustParsePrefix("0.0.0.0/0"), FromPort: -1, ToPort: -1}
	if !v6 {
		return []NetworkACLEntry{all}
	}
	all6 := all
	all6.Number, all6.CIDR = 101, netip.MustParsePrefix("::/0")
	return []NetworkACLEntry{all, all6}
}
