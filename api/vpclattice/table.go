// Package vpclattice serves the API of Amazon VPC Lattice (2022-11-30): its operations in the words of the
// wire. What they mean is in package controlplane.
package vpclattice

import (
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/controlplane"
)

// handler translates between the wire and the control plane.
type handler struct {
	plane  *controlplane.Plane
	region string
}

// New returns the service with its complete table.
func New(plane *controlplane.Plane) api.Service {
	h := &handler{plane, plane.Region}
	getRule, updateRule := api.Op("GetRule", h.getRule), api.Op("UpdateRule", h.updateRule)
	createAssociation, updateAssociation := api.Op("CreateServiceNetworkVpcAssociation", h.createVPCAssociation), api.Op("UpdateServiceNetworkVpcAssociation", h.updateVPCAssociation)
	if !plane.Strict {
		// "default" is shorter than the model's least length of a rule identifier, and the guide's
		// sg-0latticeclients0001 longer than its pattern of a security group.
		getRule, updateRule = getRule.Unchecked("ruleIdentifier"), updateRule.Unchecked("ruleIdentifier")
		createAssociation, updateAssociation = createAssociation.Unchecked("securityGroupIds"), updateAssociation.Unchecked("securityGroupIds")
	}
	return api.Service{Model: Model(), Operations: []api.Operation{
		api.Op("BatchUpdateRule", h.batchUpdateRule),
		api.Op("CreateAccessLogSubscription", h.createAccessLogSubscription),
		api.Op("CreateListener", h.createListener),
		api.Op("CreateResourceConfiguration", h.createResourceConfiguration).Partly("types ARN and CIDR and the protocol TCP_UDP are refused"),
		api.Op("CreateResourceGateway", h.createResourceGateway),
		api.Op("CreateRule", h.createRule),
		api.Op("CreateService", h.createService),
		api.Op("CreateServiceNetwork", h.createServiceNetwork),
		api.Op("CreateServiceNetworkResourceAssociation", h.createResourceAssociation),
		api.Op("CreateServiceNetworkServiceAssociation", h.createServiceAssociation),
		createAssociation,
		api.Op("CreateTargetGroup", h.createTargetGroup).Partly("those of types LAMBDA and ALB forward nothing yet: 503"),
		api.Op("DeleteAccessLogSubscription", h.deleteAccessLogSubscription),
		api.Op("DeleteAuthPolicy", h.deleteAuthPolicy),
		api.Op("DeleteDomainVerification", h.deleteDomainVerification),
		api.Op("DeleteListener", h.deleteListener),
		api.Op("DeleteResourceConfiguration", h.deleteResourceConfiguration),
		api.Op("DeleteResourceEndpointAssociation", h.deleteResourceEndpointAssociation),
		api.Op("DeleteResourceGateway", h.deleteResourceGateway),
		api.Op("DeleteResourcePolicy", h.deleteResourcePolicy),
		api.Op("DeleteRule", h.deleteRule),
		api.Op("DeleteService", h.deleteService),
		api.Op("DeleteServiceNetwork", h.deleteServiceNetwork),
		api.Op("DeleteServiceNetworkResourceAssociation", h.deleteResourceAssociation),
		api.Op("DeleteServiceNetworkServiceAssociation", h.deleteServiceAssociation),
		api.Op("DeleteServiceNetworkVpcAssociation", h.deleteVPCAssociation),
		api.Op("DeleteTargetGroup", h.deleteTargetGroup),
		api.Op("DeregisterTargets", h.deregisterTargets),
		api.Op("GetAccessLogSubscription", h.getAccessLogSubscription),
		api.Op("GetAuthPolicy", h.getAuthPolicy),
		api.Op("GetDomainVerification", h.getDomainVerification),
		api.Op("GetListener", h.getListener),
		api.Op("GetResourceConfiguration", h.getResourceConfiguration),
		api.Op("GetResourceGateway", h.getResourceGateway),
		api.Op("GetResourcePolicy", h.getResourcePolicy),
		getRule,
		api.Op("GetService", h.getService),
		api.Op("GetServiceNetwork", h.getServiceNetwork),
		api.Op("GetServiceNetworkResourceAssociation", h.getResourceAssociation),
		api.Op("GetServiceNetworkServiceAssociation", h.getServiceAssociation),
		api.Op("GetServiceNetworkVpcAssociation", h.getVPCAssociation),
		api.Op("GetTargetGroup", h.getTargetGroup),
		api.Op("ListAccessLogSubscriptions", h.listAccessLogSubscriptions),
		api.Op("ListDomainVerifications", h.listDomainVerifications),
		api.Op("ListListeners", h.listListeners),
		api.Op("ListResourceConfigurations", h.listResourceConfigurations),
		api.Op("ListResourceEndpointAssociations", h.listResourceEndpointAssociations),
		api.Op("ListResourceGateways", h.listResourceGateways),
		api.Op("ListRules", h.listRules),
		api.Op("ListServiceNetworkResourceAssociations", h.listResourceAssociations),
		api.Op("ListServiceNetworkServiceAssociations", h.listServiceAssociations),
		api.Op("ListServiceNetworkVpcAssociations", h.listVPCAssociations),
		api.Op("ListServiceNetworkVpcEndpointAssociations", h.listEndpointAssociations),
		api.Op("ListServiceNetworks", h.listServiceNetworks),
		api.Op("ListServices", h.listServices),
		api.Op("ListTagsForResource", h.listTagsForResource),
		api.Op("ListTargetGroups", h.listTargetGroups),
		api.Op("ListTargets", h.listTargets),
		api.Op("PutAuthPolicy", h.putAuthPolicy),
		api.Op("PutResourcePolicy", h.putResourcePolicy),
		api.Op("RegisterTargets", h.registerTargets),
		api.Op("StartDomainVerification", h.startDomainVerification).Partly("verified by TXT records that the resolver of this machine finds"),
		api.Op("TagResource", h.tagResource),
		api.Op("UntagResource", h.untagResource),
		api.Op("UpdateAccessLogSubscription", h.updateAccessLogSubscription),
		api.Op("UpdateListener", h.updateListener),
		api.Op("UpdateResourceConfiguration", h.updateResourceConfiguration),
		api.Op("UpdateResourceGateway", h.updateResourceGateway),
		updateRule,
		api.Op("UpdateService", h.updateService),
		api.Op("UpdateServiceNetwork", h.updateServiceNetwork),
		updateAssociation,
		api.Op("UpdateTargetGroup", h.updateTargetGroup),
	}}
}

// page reads the page that a list is asked for.
func page(c *api.Call, maxResults *int32, token *string) (controlplane.Page, error) {
	after, err := c.After(token)
	return controlplane.Page{Max: int(api.Or(maxResults, 0)), After: after}, err
}

// text is some of a type of text.
func text[T ~string](v T) *string { return api.Some(string(v)) }

// number is some of a number on the wire.
func number(v int) *int32 { return api.Some(int32(v)) }

// at is a time of the wire.
func at(t time.Time) *time.Time { return api.Some(t) }

// dnsEntry is the generated domain name of a service and its hosted zone.
func (h *handler) dnsEntry(s *trellis.Service) *DnsEntry {
	return &DnsEntry{DomainName: new(s.DomainName(h.region)), HostedZoneId: new(controlplane.HostedZoneID(h.region))}
}
