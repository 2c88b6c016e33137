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

// securityGroupUse is the set of VPC associations (keys) that name a security group (key).
func securityGroupUse(group string) string { return "securitygroupuse/" + group }

// targetGroupUse is the set of listeners and rules (keys) that forward to a target group (key).
func targetGroupUse(group string) string { return "targetgroupuse/" + group }

// serviceTargetGroups is the set of target group id + "/" + listener or rule id of a service (key): which
// target groups a service uses, once for each use.
func serviceTargetGroups(service string) string { return "servicetargetgroups/" + service }

// subscriptions is the set of access log subscriptions (keys) of a service or service network (key).
func subscriptions(resource string) string { return "subscriptions/" + resource }

// foreign is the set with the one association (key) that an id means in an account which takes part in it
// but did not make it.
func foreign(account, id string) string { return "foreign/" + account + "/" + id }

// certificateUse is the set of services (keys) that name a certificate (key).
func certificateUse(certificate string) string { return "certificateuse/" + certificate }
