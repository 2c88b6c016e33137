package estate

import (
	"context"
)

// clusterKinds are the kinds of EKS: clusters, which others run, and the roles of service accounts in them.
func clusterKinds() []*kind {
	toRole, toCluster := reference{kinds: []string{"Role"}, arn: true}, reference{kinds: []string{"Cluster"}}
	return []*kind{
		plain{list: "ListClusters", items: "clusters", get: "DescribeCluster", got: "cluster", own: "name", arn: "arn", more: withNetwork, made: "cluster",
			status: "status", done: []string{"ACTIVE"}, failed: []string{"FAILED"}}.of(
			&kind{name: "Cluster", service: "eks", nameMember: "name", id: "name", create: "CreateCluster", remove: "DeleteCluster", change: changeNothing,
				members: []member{{name: "roleArn", required: true, fixed: true}, {name: "version", fixed: true}, {name: "resourcesVpcConfig", required: true, fixed: true, part: true}},
				refs:    map[string]reference{"roleArn": toRole, "subnetIds": toSubnet, "securityGroupIds": toSecurity}}),
		plain{lists: podAssociations, get: "DescribePodIdentityAssociation", got: "association", id: "associationId", arn: "associationArn", made: "association", more: withCluster}.of(
			&kind{name: "PodIdentityAssociation", service: "eks", prefix: "podidentityassociation", unnamed: true, id: "associationId",
				label: joins("clusterName", "namespace", "serviceAccount"), create: "CreatePodIdentityAssociation", update: "UpdatePodIdentityAssociation",
				remove: "DeletePodIdentityAssociation", make: makePodAssociation,
				members: []member{{name: "clusterName", required: true, fixed: true}, {name: "namespace", required: true, fixed: true}, {name: "serviceAccount", required: true, fixed: true},
					{name: "roleArn", required: true}, {name: "targetRoleArn", def: nothing}, {name: "disableSessionTags", def: false}, {name: "policy", form: policyText, def: nothing}},
				refs: map[string]reference{"clusterName": toCluster, "roleArn": toRole, "targetRoleArn": toRole}}),
	}
}

// withNetwork takes of a cluster's network what a request says.
func withNetwork(_ context.Context, s *session, _ map[string]any, t *thing) error {
	t.aliases = []string{s.account + " Cluster " + t.own}
	t.members["resourcesVpcConfig"] = take(structure(t.members["resourcesVpcConfig"]), "subnetIds", "securityGroupIds", "endpointPublicAccess", "endpointPrivateAccess", "publicAccessCidrs")
	return nil
}

// podAssociations lists the associations of all clusters, with the names of those.
func podAssociations(ctx context.Context, s *session) ([]map[string]any, error) {
	clusters, err := s.items(ctx, "eks", "ListClusters", nil, "clusters")
	var all []map[string]any
	for _, c := range clusters {
		found, err := s.items(ctx, "eks", "ListPodIdentityAssociations", map[string]any{"clusterName": c[""]}, "associations")
		if err != nil && !gone(err) {
			return nil, err
		}
		for _, a := range found {
			a[above+"clusterName"] = c[""]
		}
		all = append(all, found...)
	}
	return all, err
}

// withCluster says whose cluster an association is of.
func withCluster(_ context.Context, _ *session, answer map[string]any, t *thing) error {
	t.raw = map[string]string{"clusterName": text(at(answer, "association.clusterName"))}
	return nil
}

// makePodAssociation gives a service account a role.
func makePodAssociation(ctx context.Context, s *session, t *thing, in map[string]any) error {
	out, err := s.call(ctx, "eks", "CreatePodIdentityAssociation", in)
	t.id, t.arn = text(at(out, "association.associationId")), text(at(out, "association.associationArn"))
	t.raw = map[string]string{"clusterName": text(in["clusterName"])}
	return err
}
