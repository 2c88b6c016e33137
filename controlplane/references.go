package controlplane

// The sets of references between nouns. Deleting a noun asks them who still needs it; they also answer
// what no prefix of a key lists, such as the associations of a service.

// networkServices is the set of service associations (keys) of a service network (key).
func networkServices(network string) string { return "networkservices/" + network }

// networkVPCs is the set of VPC associations (keys) of a service network (key).
func networkVPCs(network string) string { return "networkvpcs/" + network }

// serviceNetworks is the set of service associations (keys) of a service (key).
func serviceNetworks(service string) string { return "servicenetworks/" + service }

// vpcNetworks is the set of VPC associations (keys) of a VPC (key).
func vpcNetworks(vpc string) string { return "vpcnetworks/" + vpc }

// securityGroupUse is the set of VPC associations, resource gateways and VPC endpoints (keys) that name a security group (key).
func securityGroupUse(group string) string { return "securitygroupuse/" + group }

// targetGroupUse is the set of listeners and rules (keys) that forward to a target group (key).
func targetGroupUse(group string) string { return "targetgroupuse/" + group }

// balancerTargets is the set of targets (keys) that a load balancer (ARN) is.
func balancerTargets(arn string) string { return "balancertargets/" + arn }

// serviceTargetGroups is the set of target group id + "/" + listener or rule id of a service (key): which
// target groups a service uses, once for each use.
func serviceTargetGroups(service string) string { return "servicetargetgroups/" + service }

// subscriptions is the set of access log subscriptions (keys) of a service, service network or resource
// configuration (key).
func subscriptions(resource string) string { return "subscriptions/" + resource }

// foreign is the set with the one association (key) that an id means in an account which takes part in it
// but did not make it.
func foreign(account, id string) string { return "foreign/" + account + "/" + id }

// certificateUse is the set of services (keys) that name a certificate (key).
func certificateUse(certificate string) string { return "certificateuse/" + certificate }

// vpcGateways is the set of resource gateways (keys) of a VPC (key).
func vpcGateways(vpc string) string { return "vpcgateways/" + vpc }

// gatewayConfigurations is the set of resource configurations (keys) of a resource gateway (key), children included.
func gatewayConfigurations(gateway string) string { return "gatewayconfigurations/" + gateway }

// groupChildren is the set of children (keys) of a group of resource configurations (key).
func groupChildren(group string) string { return "groupchildren/" + group }

// networkResources is the set of resource associations (keys) of a service network (key), with those of children.
func networkResources(network string) string { return "networkresources/" + network }

// networkConfigurations is networkResources without those of children: what was associated by somebody.
func networkConfigurations(network string) string { return "networkconfigurations/" + network }

// configurationNetworks is the set of resource associations (keys) of a resource configuration (key).
func configurationNetworks(configuration string) string {
	return "configurationnetworks/" + configuration
}

// associationChildren is the set of children's associations (keys) of a group's association (key).
func associationChildren(association string) string { return "associationchildren/" + association }

// networkEndpoints is the set of VPC endpoints (keys) of a service network (key).
func networkEndpoints(network string) string { return "networkendpoints/" + network }

// configurationEndpoints is the set of resource endpoint associations (keys) of a resource configuration (key).
func configurationEndpoints(configuration string) string {
	return "configurationendpoints/" + configuration
}
