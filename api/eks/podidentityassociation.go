package eks

import (
	"context"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/identity"
)

// association is an association as the wire has it. No add-on owns one, so it has no owner's ARN.
func (h *handler) association(a *trellis.PodIdentityAssociation) *PodIdentityAssociation {
	return &PodIdentityAssociation{AssociationArn: new(a.ARN(h.identity.Region())), AssociationId: &a.ID, ClusterName: &a.ClusterName, CreatedAt: &a.CreatedAt,
		DisableSessionTags: &a.DisableSessionTags, ExternalId: api.Some(a.ExternalID), ModifiedAt: &a.UpdatedAt, Namespace: &a.Namespace,
		Policy: api.Some(a.Policy), RoleArn: &a.RoleARN, ServiceAccount: &a.ServiceAccount, Tags: tagsOf(a.Tags), TargetRoleArn: api.Some(a.TargetRoleARN)}
}

// createPodIdentityAssociation serves CreatePodIdentityAssociation.
func (h *handler) createPodIdentityAssociation(ctx context.Context, c *api.Call, in *CreatePodIdentityAssociationInput) (*CreatePodIdentityAssociationOutput, error) {
	a, rev, err := h.identity.CreatePodIdentityAssociation(ctx, c.Caller, api.Value(in.ClientRequestToken), trellis.PodIdentityAssociation{
		Meta: trellis.Meta{Tags: in.Tags}, ClusterName: in.ClusterName, Namespace: in.Namespace, ServiceAccount: in.ServiceAccount, RoleARN: in.RoleArn,
		TargetRoleARN: api.Value(in.TargetRoleArn), DisableSessionTags: api.Value(in.DisableSessionTags), Policy: api.Value(in.Policy)})
	if err != nil {
		return nil, err
	}
	return api.Done(c, &CreatePodIdentityAssociationOutput{Association: h.association(a)}, rev, nil)
}

// describePodIdentityAssociation serves DescribePodIdentityAssociation.
func (h *handler) describePodIdentityAssociation(ctx context.Context, c *api.Call, in *DescribePodIdentityAssociationInput) (*DescribePodIdentityAssociationOutput, error) {
	a, err := h.identity.DescribePodIdentityAssociation(ctx, c.Caller, in.ClusterName, in.AssociationId)
	if err != nil {
		return nil, err
	}
	return &DescribePodIdentityAssociationOutput{Association: h.association(a)}, nil
}

// listPodIdentityAssociations serves ListPodIdentityAssociations.
func (h *handler) listPodIdentityAssociations(ctx context.Context, c *api.Call, in *ListPodIdentityAssociationsInput) (*ListPodIdentityAssociationsOutput, error) {
	all, err := h.identity.ListPodIdentityAssociations(ctx, c.Caller, in.ClusterName, api.Value(in.Namespace), api.Value(in.ServiceAccount))
	if err != nil {
		return nil, err
	}
	all, next, err := page(c, all, func(a *trellis.PodIdentityAssociation) string { return a.ID }, in.MaxResults, in.NextToken)
	return &ListPodIdentityAssociationsOutput{NextToken: next, Associations: api.Each(all, func(a *trellis.PodIdentityAssociation) PodIdentityAssociationSummary {
		return PodIdentityAssociationSummary{AssociationArn: new(a.ARN(h.identity.Region())), AssociationId: &a.ID, ClusterName: &a.ClusterName, Namespace: &a.Namespace, ServiceAccount: &a.ServiceAccount}
	})}, err
}

// updatePodIdentityAssociation serves UpdatePodIdentityAssociation. It may be repeated as it is, so its client token says
// nothing more.
func (h *handler) updatePodIdentityAssociation(ctx context.Context, c *api.Call, in *UpdatePodIdentityAssociationInput) (*UpdatePodIdentityAssociationOutput, error) {
	a, rev, err := h.identity.UpdatePodIdentityAssociation(ctx, c.Caller, in.ClusterName, in.AssociationId, identity.AssociationChange{
		RoleARN: in.RoleArn, TargetRoleARN: in.TargetRoleArn, DisableSessionTags: in.DisableSessionTags, Policy: in.Policy})
	if err != nil {
		return nil, err
	}
	return api.Done(c, &UpdatePodIdentityAssociationOutput{Association: h.association(a)}, rev, nil)
}

// deletePodIdentityAssociation serves DeletePodIdentityAssociation.
func (h *handler) deletePodIdentityAssociation(ctx context.Context, c *api.Call, in *DeletePodIdentityAssociationInput) (*DeletePodIdentityAssociationOutput, error) {
	a, rev, err := h.identity.DeletePodIdentityAssociation(ctx, c.Caller, in.ClusterName, in.AssociationId)
	if err != nil {
		return nil, err
	}
	return api.Done(c, &DeletePodIdentityAssociationOutput{Association: h.association(a)}, rev, nil)
}
