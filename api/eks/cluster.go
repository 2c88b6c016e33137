package eks

import (
	"context"
	"maps"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/identity"
)

// cluster is a cluster as the wire has it. Where its Kubernetes API is and whose certificate that has, Trellis is not
// told.
func (h *handler) cluster(n *identity.Cluster, status string) *Cluster {
	return &Cluster{Arn: new(n.ARN(h.identity.Region())), CreatedAt: &n.CreatedAt, Health: &ClusterHealth{Issues: []ClusterIssue{}},
		Identity: &Identity{Oidc: &OIDC{Issuer: &n.IssuerURL}}, Name: &n.ID, RoleArn: api.Some(n.RoleARN), Status: &status,
		Tags: tagsOf(n.Tags), Version: api.Some(n.Version),
		ResourcesVpcConfig: &VpcConfigResponse{EndpointPrivateAccess: &n.PrivateEndpoint, EndpointPublicAccess: &n.PublicEndpoint,
			PublicAccessCidrs: texts(n.PublicCIDRs), SecurityGroupIds: texts(n.SecurityGroupIDs), SubnetIds: texts(n.SubnetIDs), VpcId: api.Some(n.VPCID)}}
}

// texts is a list that an answer always has.
func texts(list []string) []string { return append([]string{}, list...) }

// tagsOf are tags that an answer always has.
func tagsOf(tags map[string]string) map[string]string {
	if tags == nil {
		return map[string]string{}
	}
	return maps.Clone(tags)
}

// createCluster serves CreateCluster. What says how AWS shall run the cluster is taken and dropped, but for what would
// promise something.
func (h *handler) createCluster(ctx context.Context, c *api.Call, in *CreateClusterInput) (*CreateClusterOutput, error) {
	switch {
	case in.OutpostConfig != nil, in.RemoteNetworkConfig != nil:
		return nil, trellis.NewError(400, "InvalidParameterException", "Trellis has neither Outposts nor hybrid nodes.")
	case api.Value(in.DeletionProtection):
		return nil, trellis.NewError(400, "InvalidParameterException", "Trellis does not protect clusters from deletion.")
	}
	network := in.ResourcesVpcConfig
	n := trellis.Cluster{Meta: trellis.Meta{ID: in.Name, Tags: in.Tags}, RoleARN: in.RoleArn, Version: api.Value(in.Version),
		SubnetIDs: network.SubnetIds, SecurityGroupIDs: network.SecurityGroupIds, PrivateEndpoint: api.Value(network.EndpointPrivateAccess),
		PublicEndpoint: api.Or(network.EndpointPublicAccess, true), PublicCIDRs: network.PublicAccessCidrs}
	if n.PublicEndpoint && len(n.PublicCIDRs) == 0 {
		n.PublicCIDRs = []string{"0.0.0.0/0"}
	}
	made, rev, err := h.identity.CreateCluster(ctx, c.Caller, api.Value(in.ClientRequestToken), n)
	if err != nil {
		return nil, err
	}
	return api.Done(c, &CreateClusterOutput{Cluster: h.cluster(made, "ACTIVE")}, rev, nil)
}

// describeCluster serves DescribeCluster.
func (h *handler) describeCluster(ctx context.Context, c *api.Call, in *DescribeClusterInput) (*DescribeClusterOutput, error) {
	n, err := h.identity.DescribeCluster(ctx, c.Caller, in.Name)
	if err != nil {
		return nil, err
	}
	return &DescribeClusterOutput{Cluster: h.cluster(n, "ACTIVE")}, nil
}

// listClusters serves ListClusters.
func (h *handler) listClusters(ctx context.Context, c *api.Call, in *ListClustersInput) (*ListClustersOutput, error) {
	all, err := h.identity.ListClusters(ctx, c.Caller)
	if err != nil {
		return nil, err
	}
	all, next, err := page(c, all, func(n *trellis.Cluster) string { return n.ID }, in.MaxResults, in.NextToken)
	return &ListClustersOutput{Clusters: api.Each(all, func(n *trellis.Cluster) string { return n.ID }), NextToken: next}, err
}

// deleteCluster serves DeleteCluster.
func (h *handler) deleteCluster(ctx context.Context, c *api.Call, in *DeleteClusterInput) (*DeleteClusterOutput, error) {
	gone, rev, err := h.identity.DeleteCluster(ctx, c.Caller, in.Name)
	if err != nil {
		return nil, err
	}
	return api.Done(c, &DeleteClusterOutput{Cluster: h.cluster(gone, "DELETING")}, rev, nil)
}

// listAddons serves ListAddons: a cluster has none. What the add-on eks-pod-identity-agent does, Trellis does itself.
func (h *handler) listAddons(ctx context.Context, c *api.Call, in *ListAddonsInput) (*ListAddonsOutput, error) {
	_, err := h.identity.ClusterFor(ctx, c.Caller, "eks:ListAddons", in.ClusterName)
	return &ListAddonsOutput{Addons: []string{}}, err
}

// describeAddon serves DescribeAddon: a cluster has none.
func (h *handler) describeAddon(ctx context.Context, c *api.Call, in *DescribeAddonInput) (*DescribeAddonOutput, error) {
	if _, err := h.identity.ClusterFor(ctx, c.Caller, "eks:DescribeAddon", in.ClusterName); err != nil {
		return nil, err
	}
	return nil, trellis.NewError(404, "ResourceNotFoundException", "No addon: %s found in cluster: %s", in.AddonName, in.ClusterName)
}
