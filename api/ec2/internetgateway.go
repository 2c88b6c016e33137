package ec2

import (
	"context"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
)

// internetGateway is an internet gateway as the wire has it.
func internetGateway(g *trellis.InternetGateway) InternetGateway {
	out := InternetGateway{Attachments: []InternetGatewayAttachment{}, InternetGatewayId: &g.ID, OwnerId: &g.Account, Tags: tags(g.Tags)}
	if g.VPCID != "" {
		out.Attachments = append(out.Attachments, InternetGatewayAttachment{State: api.Some("available"), VpcId: &g.VPCID})
	}
	return out
}

// createInternetGateway is CreateInternetGateway.
func (h *handler) createInternetGateway(ctx context.Context, c *api.Call, in *CreateInternetGatewayInput) (*CreateInternetGatewayOutput, error) {
	t, err := tagSpecs(in.TagSpecifications, "internet-gateway")
	if err != nil {
		return nil, err
	}
	g, rev, err := h.plane.CreateInternetGateway(ctx, caller(c, in.DryRun), t)
	if err != nil {
		return nil, err
	}
	return api.Done(c, &CreateInternetGatewayOutput{InternetGateway: new(internetGateway(g))}, rev, nil)
}

// describeInternetGateways is DescribeInternetGateways.
func (h *handler) describeInternetGateways(ctx context.Context, c *api.Call, in *DescribeInternetGatewaysInput) (*DescribeInternetGatewaysOutput, error) {
	all, err := h.plane.InternetGateways(ctx, caller(c, in.DryRun), query(in.InternetGatewayIds, in.Filters))
	if err != nil {
		return nil, err
	}
	all, next, err := page(c, all, func(g *trellis.InternetGateway) string { return g.ID }, in.MaxResults, in.NextToken)
	return &DescribeInternetGatewaysOutput{InternetGateways: api.Each(all, internetGateway), NextToken: next}, err
}

// attachInternetGateway is AttachInternetGateway.
func (h *handler) attachInternetGateway(ctx context.Context, c *api.Call, in *AttachInternetGatewayInput) (*AttachInternetGatewayOutput, error) {
	rev, err := h.plane.AttachInternetGateway(ctx, caller(c, in.DryRun), in.InternetGatewayId, in.VpcId)
	return api.Done(c, &AttachInternetGatewayOutput{}, rev, err)
}

// detachInternetGateway is DetachInternetGateway.
func (h *handler) detachInternetGateway(ctx context.Context, c *api.Call, in *DetachInternetGatewayInput) (*DetachInternetGatewayOutput, error) {
	rev, err := h.plane.DetachInternetGateway(ctx, caller(c, in.DryRun), in.InternetGatewayId, in.VpcId)
	return api.Done(c, &DetachInternetGatewayOutput{}, rev, err)
}

// deleteInternetGateway is DeleteInternetGateway.
func (h *handler) deleteInternetGateway(ctx context.Context, c *api.Call, in *DeleteInternetGatewayInput) (*DeleteInternetGatewayOutput, error) {
	rev, err := h.plane.DeleteInternetGateway(ctx, caller(c, in.DryRun), in.InternetGatewayId)
	return api.Done(c, &DeleteInternetGatewayOutput{}, rev, err)
}
