package trellis

import "net/netip"

// VPCEndpoint gives the clients of a VPC, and of what is joined to it, a way to a service network or to one resource
// configuration by addresses in the VPC's own subnets.
type VPCEndpoint struct {
	Meta
	Type EndpointType `json:"type"`
	// Exactly one of them is what the endpoint leads to, by its type.
	ServiceNetwork Ref `json:"serviceNetwork,omitzero"`
	Configuration  Ref `json:"configuration,omitzero"` // of another account possibly, as the network
	// AssociationID is the id of the endpoint's place in the network, or of its ResourceEndpointAssociation.
	AssociationID     string             `json:"associationId"`
	VPCID             string             `json:"vpcId"`
	Interfaces        []NetworkInterface `json:"interfaces"`       // one in each of its subnets; all services are at their addresses
	SecurityGroupIDs  []string           `json:"securityGroupIds"` // their inbound rules hold for clients
	IPAddressType     IPAddressType      `json:"ipAddressType"`
	PrivateDNSEnabled bool               `json:"privateDnsEnabled,omitempty"`
	DNSPreference     string             `json:"dnsPreference,omitempty"` // as VPCAssociation's
	DNSDomains        []string           `json:"dnsDomains,omitempty"`
	State             string             `json:"state"`
	// Changing is true while addresses of resources are made, or removed, in subnets that came or went. What has its
	// addresses carries traffic meanwhile.
	Changing bool `json:"changing,omitempty"`
}

// EndpointType is what a VPC endpoint leads to.
type EndpointType string

// The types of VPC endpoints that are served (EC2 API reference, CreateVpcEndpoint).
const (
	ServiceNetworkEndpoint EndpointType = "ServiceNetwork"
	ResourceEndpoint       EndpointType = "Resource"
)

// The states of VPC endpoints (EC2 API reference, VpcEndpoint).
const (
	EndpointPending   = "pending"
	EndpointAvailable = "available"
	EndpointPartial   = "partial"  // it does not lead to all: a subnet has no address left
	EndpointRejected  = "rejected" // the owner of the resource has ended its association
	EndpointDeleting  = "deleting"
)

// Kind is KindVPCEndpoint.
func (*VPCEndpoint) Kind() Kind { return KindVPCEndpoint }

// ARN is arn:aws:ec2:region:account:vpc-endpoint/vpce-….
func (e *VPCEndpoint) ARN(region string) string {
	return EC2ARN(region, e.Account, "vpc-endpoint/"+e.ID)
}

// Carries tells whether the endpoint carries traffic.
func (e *VPCEndpoint) Carries() bool {
	return e.State == EndpointAvailable || e.State == EndpointPartial
}

// ServiceName is the name of a service of the endpoint's network, by its association:
// {vpce-…}-{snsa-…}.7d67968.vpc-lattice-svcs.{region}.on.aws (AWS PrivateLink guide,
// privatelink-access-service-networks).
func (e *VPCEndpoint) ServiceName(region, serviceAssociation string) string {
	return e.ID + "-" + serviceAssociation + "." + PartitionID + ".vpc-lattice-svcs." + region + ".on.aws"
}

// ResourceName is the name of a resource that the endpoint leads to. Through a network it is
// {vpce-…}-{snra-…}.{rcfg-…}.4232ccc.vpc-lattice-rsc.{region}.on.aws, with association; an endpoint of type Resource
// has no association, and names without one.
func (e *VPCEndpoint) ResourceName(region, association, configuration string) string {
	name := e.ID
	if association != "" {
		name += "-" + association
	}
	return name + "." + configuration + resourceDomain(region)
}

// EndpointAddress is where, in the endpoint's subnets, one resource is that a VPC endpoint leads to: TCP has no host by
// which several at one address could be told apart. They are made and removed with associations and children.
type EndpointAddress struct {
	Account    string `json:"account"` // of the endpoint
	EndpointID string `json:"endpointId"`
	// Configuration is the resource, a SINGLE or a CHILD.
	Configuration Ref `json:"configuration"`
	// Association is that of the resource with the endpoint's network; zero for an endpoint of type Resource.
	Association Ref `json:"association,omitzero"`
	// Addresses has one for each interface of the endpoint, and family of its, in their order.
	Addresses []SubnetAddress `json:"addresses"`
}

// SubnetAddress is an address in a subnet.
type SubnetAddress struct {
	SubnetID string     `json:"subnetId"`
	Address  netip.Addr `json:"address"`
}

// Kind is KindEndpointAddress.
func (*EndpointAddress) Kind() Kind { return KindEndpointAddress }

// Key is account/endpoint/rcfg-…: Under lists what an endpoint leads to by the endpoint's key. A network holds a
// configuration once, and an id is one in the whole installation, so the endpoint leads to a configuration once.
func (a *EndpointAddress) Key() string {
	return a.Account + "/" + a.EndpointID + "/" + a.Configuration.ID
}

// ResourceEndpointAssociation joins a resource configuration with a VPC endpoint of type Resource. It belongs to the
// endpoint's account.
type ResourceEndpointAssociation struct {
	Meta
	Configuration Ref    `json:"configuration"`
	EndpointID    string `json:"endpointId"`
}

// Kind is KindResourceEndpointAssociation.
func (*ResourceEndpointAssociation) Kind() Kind { return KindResourceEndpointAssociation }

// ARN is the association's ARN as the viewing account sees it.
func (a *ResourceEndpointAssociation) ARN(region, viewer string) string {
	return LatticeARN(region, viewer, "resourceendpointassociation/"+a.ID)
}
