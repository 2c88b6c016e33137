package trellis

import "net/netip"

// ResourcePartitionID is the label that AWS puts into every generated domain name of a resource (AWS PrivateLink guide,
// privatelink-access-service-networks).
const ResourcePartitionID = "4232ccc"

// ResourceAssociation puts a resource configuration into a service network (AWS: service network resource association).
// It belongs to the account that made it; the configuration and the network may belong to others.
//
// That of a group has an association below it for each child, made and removed with the group's. So what is reached is
// in every case an association with an address, and what is reached through a network are those whose ServiceNetwork it
// is.
type ResourceAssociation struct {
	Meta
	CreatedBy      string `json:"createdBy"` // account
	Configuration  Ref    `json:"configuration"`
	ServiceNetwork Ref    `json:"serviceNetwork"`
	ParentID       string `json:"parentId,omitempty"` // of a child: the group's association, of the same account
	Status         Status `json:"status"`
	// Address stands for the resource inside every VPC that reaches the network. It is out of LatticePublicBlock, no
	// other association has it, and it stays as long as the association. A group's association has none.
	Address           netip.Addr `json:"address,omitzero"`
	PrivateDNSEnabled bool       `json:"privateDnsEnabled,omitempty"`
	FailureReason     string     `json:"failureReason,omitempty"`
}

// Kind is KindResourceAssociation.
func (*ResourceAssociation) Kind() Kind { return KindResourceAssociation }

// ARN is the association's ARN as the viewing account sees it.
func (a *ResourceAssociation) ARN(region, viewer string) string {
	return LatticeARN(region, viewer, "servicenetworkresourceassociation/"+a.ID)
}

// Addrs are the address inside VPCs and its IPv6 form, which has it in the low 32 bits of LatticeBlock6. Neither is
// valid for a group's association.
func (a *ResourceAssociation) Addrs() (v4, v6 netip.Addr) {
	if !a.Address.IsValid() {
		return v4, v6
	}
	b, low := LatticeBlock6.Addr().As16(), a.Address.As4()
	copy(b[12:], low[:])
	return a.Address, netip.AddrFrom16(b)
}

// DomainName is the generated name, {snra-…}.{rcfg-…}.4232ccc.vpc-lattice-rsc.{region}.on.aws: the name through an
// endpoint (AWS PrivateLink guide) without the endpoint's id. Empty for a group's association.
func (a *ResourceAssociation) DomainName(region string) string {
	if !a.Address.IsValid() {
		return ""
	}
	return a.ID + "." + a.Configuration.ID + resourceDomain(region)
}

// resourceDomain is what the generated names of resources end with.
func resourceDomain(region string) string {
	return "." + ResourcePartitionID + ".vpc-lattice-rsc." + region + ".on.aws"
}

// ResourceAddrs is how many addresses ResourceAddr has: LatticePublicBlock without its first and its last.
const ResourceAddrs = 1<<15 - 2

// ResourceAddr is one of the addresses that resource associations can have, by its number from 0.
func ResourceAddr(n int) netip.Addr {
	a := LatticePublicBlock.Addr().As4()
	n++
	a[2], a[3] = a[2]|byte(n>>8), byte(n)
	return netip.AddrFrom4(a)
}
