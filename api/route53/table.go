// Package route53 serves the API of Amazon Route 53 (2013-04-01): hosted zones and their records. What its operations mean
// is in package companion/hostedzone.
package route53

import (
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/companion/hostedzone"
)

// handler translates between the wire and hosted zones.
type handler struct {
	zones *hostedzone.Zones
}

// New returns the service with its complete table. Not served are health checks, DNSSEC, traffic policies, collections of
// CIDRs, query logs and reusable delegation sets.
func New(zones *hostedzone.Zones) api.Service {
	h := &handler{zones}
	return api.Service{Model: Model(), Operations: []api.Operation{
		api.Unserved("ActivateKeySigningKey"),
		api.Op("AssociateVPCWithHostedZone", h.associateVPC),
		api.Unserved("ChangeCidrCollection"),
		api.Op("ChangeResourceRecordSets", h.changeResourceRecordSets),
		api.Op("ChangeTagsForResource", h.changeTagsForResource),
		api.Unserved("CreateCidrCollection"),
		api.Unserved("CreateHealthCheck"),
		api.Op("CreateHostedZone", h.createHostedZone),
		api.Unserved("CreateKeySigningKey"),
		api.Unserved("CreateQueryLoggingConfig"),
		api.Unserved("CreateResourceRecordSetProtections"),
		api.Unserved("CreateReusableDelegationSet"),
		api.Unserved("CreateTrafficPolicy"),
		api.Unserved("CreateTrafficPolicyInstance"),
		api.Unserved("CreateTrafficPolicyVersion"),
		api.Op("CreateVPCAssociationAuthorization", h.createVPCAssociationAuthorization),
		api.Unserved("DeactivateKeySigningKey"),
		api.Unserved("DeleteCidrCollection"),
		api.Unserved("DeleteHealthCheck"),
		api.Op("DeleteHostedZone", h.deleteHostedZone),
		api.Unserved("DeleteKeySigningKey"),
		api.Unserved("DeleteQueryLoggingConfig"),
		api.Unserved("DeleteResourceRecordSetProtections"),
		api.Unserved("DeleteReusableDelegationSet"),
		api.Unserved("DeleteTrafficPolicy"),
		api.Unserved("DeleteTrafficPolicyInstance"),
		api.Op("DeleteVPCAssociationAuthorization", h.deleteVPCAssociationAuthorization),
		api.Unserved("DisableHostedZoneDNSSEC"),
		api.Op("DisassociateVPCFromHostedZone", h.disassociateVPC),
		api.Unserved("EnableHostedZoneDNSSEC"),
		api.Unserved("GetAccountLimit"),
		api.Op("GetChange", h.getChange),
		api.Unserved("GetCheckerIpRanges"),
		api.Op("GetDNSSEC", h.getDNSSEC),
		api.Unserved("GetGeoLocation"),
		api.Unserved("GetHealthCheck"),
		api.Unserved("GetHealthCheckCount"),
		api.Unserved("GetHealthCheckLastFailureReason"),
		api.Unserved("GetHealthCheckStatus"),
		api.Op("GetHostedZone", h.getHostedZone),
		api.Op("GetHostedZoneCount", h.getHostedZoneCount),
		api.Unserved("GetHostedZoneLimit"),
		api.Unserved("GetQueryLoggingConfig"),
		api.Unserved("GetReusableDelegationSet"),
		api.Unserved("GetReusableDelegationSetLimit"),
		api.Unserved("GetTrafficPolicy"),
		api.Unserved("GetTrafficPolicyInstance"),
		api.Unserved("GetTrafficPolicyInstanceCount"),
		api.Unserved("ListCidrBlocks"),
		api.Unserved("ListCidrCollections"),
		api.Unserved("ListCidrLocations"),
		api.Unserved("ListGeoLocations"),
		api.Unserved("ListHealthChecks"),
		api.Op("ListHostedZones", h.listHostedZones),
		api.Op("ListHostedZonesByName", h.listHostedZonesByName),
		api.Op("ListHostedZonesByVPC", h.listHostedZonesByVPC),
		api.Unserved("ListQueryLoggingConfigs"),
		api.Unserved("ListResourceRecordSetProtections"),
		api.Op("ListResourceRecordSets", h.listResourceRecordSets),
		api.Unserved("ListReusableDelegationSets"),
		api.Op("ListTagsForResource", h.listTagsForResource),
		api.Op("ListTagsForResources", h.listTagsForResources),
		api.Unserved("ListTrafficPolicies"),
		api.Unserved("ListTrafficPolicyInstances"),
		api.Unserved("ListTrafficPolicyInstancesByHostedZone"),
		api.Unserved("ListTrafficPolicyInstancesByPolicy"),
		api.Unserved("ListTrafficPolicyVersions"),
		api.Op("ListVPCAssociationAuthorizations", h.listVPCAssociationAuthorizations),
		api.Op("TestDNSAnswer", h.testDNSAnswer),
		api.Unserved("UpdateHealthCheck"),
		api.Op("UpdateHostedZoneComment", h.updateHostedZoneComment),
		api.Unserved("UpdateHostedZoneFeatures"),
		api.Unserved("UpdateTrafficPolicyComment"),
		api.Unserved("UpdateTrafficPolicyInstance"),
	}}
}
