package vpclattice

import (
	"context"

	"github.com/trellis-project/trellis/api"
)

// createAccessLogSubscription serves CreateAccessLogSubscription.
func (h *handler) createAccessLogSubscription(ctx context.Context, c *api.Call, in *CreateAccessLogSubscriptionInput) (*CreateAccessLogSubscriptionOutput, error) {
	s, rev, err := h.plane.CreateAccessLogSubscription(ctx, c.Caller, api.Or(in.ClientToken, ""), in.ResourceIdentifier, in.DestinationArn,
		api.Or(in.ServiceNetworkLogType, ""), in.Tags)
	if err != nil {
		return nil, err
	}
	c.Committed(rev)
	return &CreateAccessLogSubscriptionOutput{Arn: s.ARN(h.region), Id: s.ID, ResourceArn: s.ResourceARN, ResourceId: s.Resource.ID,
		DestinationArn: s.DestinationARN, ServiceNetworkLogType: text(s.LogType)}, nil
}

// getAccessLogSubscription serves GetAccessLogSubscription.
func (h *handler) getAccessLogSubscription(ctx context.Context, c *api.Call, in *GetAccessLogSubscriptionInput) (*GetAccessLogSubscriptionOutput, error) {
	s, err := h.plane.GetAccessLogSubscription(ctx, c.Caller, in.AccessLogSubscriptionIdentifier)
	if err != nil {
		return nil, err
	}
	return &GetAccessLogSubscriptionOutput{Arn: s.ARN(h.region), Id: s.ID, ResourceArn: s.ResourceARN, ResourceId: s.Resource.ID,
		DestinationArn: s.DestinationARN, ServiceNetworkLogType: text(s.LogType), CreatedAt: s.CreatedAt, LastUpdatedAt: s.UpdatedAt}, nil
}

// updateAccessLogSubscription serves UpdateAccessLogSubscription.
func (h *handler) updateAccessLogSubscription(ctx context.Context, c *api.Call, in *UpdateAccessLogSubscriptionInput) (*UpdateAccessLogSubscriptionOutput, error) {
	s, rev, err := h.plane.UpdateAccessLogSubscription(ctx, c.Caller, in.AccessLogSubscriptionIdentifier, in.DestinationArn)
	if err != nil {
		return nil, err
	}
	c.Committed(rev)
	return &UpdateAccessLogSubscriptionOutput{Arn: s.ARN(h.region), Id: s.ID, ResourceArn: s.ResourceARN, ResourceId: s.Resource.ID, DestinationArn: s.DestinationARN}, nil
}

// deleteAccessLogSubscription serves DeleteAccessLogSubscription.
func (h *handler) deleteAccessLogSubscription(ctx context.Context, c *api.Call, in *DeleteAccessLogSubscriptionInput) (*DeleteAccessLogSubscriptionOutput, error) {
	rev, err := h.plane.DeleteAccessLogSubscription(ctx, c.Caller, in.AccessLogSubscriptionIdentifier)
	if err != nil {
		return nil, err
	}
	c.Committed(rev)
	return &DeleteAccessLogSubscriptionOutput{}, nil
}

// listAccessLogSubscriptions serves ListAccessLogSubscriptions.
func (h *handler) listAccessLogSubscriptions(ctx context.Context, c *api.Call, in *ListAccessLogSubscriptionsInput) (*ListAccessLogSubscriptionsOutput, error) {
	pg, err := page(c, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	list, next, err := h.plane.ListAccessLogSubscriptions(ctx, c.Caller, in.ResourceIdentifier, pg)
	if err != nil {
		return nil, err
	}
	out := &ListAccessLogSubscriptionsOutput{NextToken: c.NextToken(next)}
	for _, s := range list {
		out.Items = append(out.Items, AccessLogSubscriptionSummary{Arn: s.ARN(h.region), Id: s.ID, ResourceArn: s.ResourceARN, ResourceId: s.Resource.ID,
			DestinationArn: s.DestinationARN, ServiceNetworkLogType: text(s.LogType), CreatedAt: s.CreatedAt, LastUpdatedAt: s.UpdatedAt})
	}
	return out, nil
}
