package controlplane

import "github.com/trellis-project/trellis"

// Quotas limits what accounts may have (VPC Lattice user guide and ACM user guide, quotas). Counts over an account
// are checked beside the transaction, so that creations in parallel may pass them by a few; counts below one parent,
// such as the rules of a listener, are exact.
type Quotas struct {
	ServiceNetworks               int // in an account
	Services                      int // in an account
	TargetGroups                  int // in an account
	ListenersPerService           int
	RulesPerListener              int // the default rule does not count
	TargetGroupsPerService        int // of different target groups in its listeners and rules
	TargetsPerTargetGroup         int
	ServiceAssociationsPerNetwork int
	VPCAssociationsPerNetwork     int
	NetworksPerVPC                int
	SecurityGroupsPerAssociation  int
	AuthPolicyBytes               int
	TagsPerResource               int
	RulePriority                  int // the highest
	TargetsPerRegistration        int // in one RegisterTargets or DeregisterTargets
	Certificates                  int // in an account
	NamesPerCertificate           int // of one that is requested
	ResourceConfigurations        int // in an account, groups and children included
	ChildrenPerGroup              int
	ResourceGatewaysPerVPC        int
	ResourcesPerNetwork           int // associated configurations; a group counts once
	EndpointsPerNetwork           int
	DomainVerifications           int // in an account
}

// DefaultQuotas returns AWS's default quotas when strict, and else numbers that only a runaway program meets.
func DefaultQuotas(strict bool) Quotas {
	if strict {
		return Quotas{ServiceNetworks: 50, Services: 2000, TargetGroups: 500, ListenersPerService: 2, RulesPerListener: 10,
			TargetGroupsPerService: 10, TargetsPerTargetGroup: 1000, ServiceAssociationsPerNetwork: 500,
			VPCAssociationsPerNetwork: 500, NetworksPerVPC: 1, SecurityGroupsPerAssociation: 5, AuthPolicyBytes: 10240,
			TagsPerResource: 50, RulePriority: 100, TargetsPerRegistration: 100, ResourceConfigurations: 2000, ChildrenPerGroup: 60,
			ResourceGatewaysPerVPC: 500, ResourcesPerNetwork: 500, EndpointsPerNetwork: 200, Certificates: 2500, NamesPerCertificate: 10, DomainVerifications: 5}
	}
	return Quotas{ServiceNetworks: 10000, Services: 20000, TargetGroups: 20000, ListenersPerService: 100, RulesPerListener: 1000,
		TargetGroupsPerService: 1000, TargetsPerTargetGroup: 10000, ServiceAssociationsPerNetwork: 10000,
		VPCAssociationsPerNetwork: 10000, NetworksPerVPC: 100, SecurityGroupsPerAssociation: 5, AuthPolicyBytes: 10240,
		TagsPerResource: 50, RulePriority: 2000, TargetsPerRegistration: 100, ResourceConfigurations: 20000, ChildrenPerGroup: 1000,
		ResourceGatewaysPerVPC: 500, ResourcesPerNetwork: 1000, EndpointsPerNetwork: 1000, Certificates: 10000, NamesPerCertificate: 100, DomainVerifications: 1000}
}

// exceeds answers a ServiceQuotaExceededException when have, the number before one more, has reached limit.
func exceeds(have, limit int, resourceType, code, what string) error {
	if have < limit {
		return nil
	}
	return trellis.QuotaExceeded(resourceType, code, "You have reached the limit of %d %s.", limit, what)
}
