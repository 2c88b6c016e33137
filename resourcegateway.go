package trellis

import "net/netip"

// ResourceGateway is where traffic to resources enters the VPC that they are in: a point in some of its subnets from
// which connections to them come.
type ResourceGateway struct {
	Meta
	Name             string             `json:"name"` // 3 to 40 characters, unique in its account
	Status           Status             `json:"status"`
	VPCID            string             `json:"vpcId"`                      // of the gateway's account
	Interfaces       []NetworkInterface `json:"interfaces"`                 // one in each of its subnets
	SecurityGroupIDs []string           `json:"securityGroupIds,omitempty"` // of the VPC, 1 to 5: they hold for what goes out to resources
	IPAddressType    IPAddressType      `json:"ipAddressType"`
	// IPv4AddressesPerENI is what the client asked for, and is only shown: an interface has one address, with more
	// ports than the connections that a node makes to one resource (docs/decisions/0012).
	IPv4AddressesPerENI int           `json:"ipv4AddressesPerEni,omitempty"`
	DNSResolution       DNSResolution `json:"dnsResolution"` // who resolves the domain names of its resources
}

// IPAddressType is which families of addresses something has.
type IPAddressType string

// The IP address types (VPC Lattice API, CreateResourceGateway).
const (
	IPv4Addresses      IPAddressType = "IPV4"
	IPv6Addresses      IPAddressType = "IPV6"
	DualStackAddresses IPAddressType = "DUALSTACK"
)

// Has tells whether addresses of a family are among those of the type.
func (t IPAddressType) Has(v6 bool) bool {
	return t == DualStackAddresses || v6 == (t == IPv6Addresses)
}

// DNSResolution is where a gateway asks for the domain names of resources.
type DNSResolution string

// The ways of DNS resolution (VPC Lattice API, CreateResourceGateway).
const (
	ResolvePublic DNSResolution = "PUBLIC" // as the node resolves names
	ResolveInVPC  DNSResolution = "IN_VPC" // with the resolver of the gateway's VPC
)

// Kind is KindResourceGateway.
func (*ResourceGateway) Kind() Kind { return KindResourceGateway }

// ARN is arn:aws:vpc-lattice:region:account:resourcegateway/rgw-….
func (g *ResourceGateway) ARN(region string) string {
	return LatticeARN(region, g.Account, "resourcegateway/"+g.ID)
}

// NetworkInterface is a point in a subnet that has addresses there and belongs to one owner for life: a resource gateway, a
// VPC endpoint or a load balancer. Its security groups are those of its owner.
type NetworkInterface struct {
	ID       string     `json:"id"` // eni-…
	SubnetID string     `json:"subnetId"`
	MAC      string     `json:"mac"`
	IPv4     netip.Addr `json:"ipv4,omitzero"`
	IPv6     netip.Addr `json:"ipv6,omitzero"`
}

// Subnets are the subnets that some interfaces are in, in their order.
func Subnets(interfaces []NetworkInterface) []string {
	ids := make([]string, len(interfaces))
	for i, n := range interfaces {
		ids[i] = n.SubnetID
	}
	return ids
}
