package servicequotas

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/companion/quota"
)

// approved is the status of all requests: they are carried out when they are made.
const approved = "APPROVED"

// requested is a request as the wire has it.
func requested(ch quota.Change) RequestedServiceQuotaChange {
	return RequestedServiceQuotaChange{Created: &ch.CreatedAt, DesiredValue: new(float64(ch.Value)), GlobalQuota: &ch.Global, Id: &ch.ID, LastUpdated: &ch.CreatedAt,
		QuotaArn: &ch.ARN, QuotaCode: &ch.Code, QuotaName: &ch.Name, QuotaRequestedAtLevel: new("ACCOUNT"), Requester: &ch.Requester,
		ServiceCode: &ch.Service, ServiceName: new(ch.ServiceName()), Status: new(approved), Unit: unit(ch.Quota)}
}

// requestServiceQuotaIncrease serves RequestServiceQuotaIncrease.
func (h *handler) requestServiceQuotaIncrease(ctx context.Context, c *api.Call, in *RequestServiceQuotaIncreaseInput) (*RequestServiceQuotaIncreaseOutput, error) {
	ch, rev, err := h.quotas.Request(ctx, c.Caller, in.ServiceCode, in.QuotaCode, in.DesiredValue)
	if err != nil {
		return nil, err
	}
	return api.Done(c, &RequestServiceQuotaIncreaseOutput{RequestedQuota: new(requested(ch))}, rev, nil)
}

// getRequestedServiceQuotaChange serves GetRequestedServiceQuotaChange.
func (h *handler) getRequestedServiceQuotaChange(ctx context.Context, c *api.Call, in *GetRequestedServiceQuotaChangeInput) (*GetRequestedServiceQuotaChangeOutput, error) {
	ch, err := h.quotas.Requested(ctx, c.Caller, in.RequestId)
	if err != nil {
		return nil, err
	}
	return &GetRequestedServiceQuotaChangeOutput{RequestedQuota: new(requested(ch))}, nil
}

// listRequestedServiceQuotaChangeHistory serves ListRequestedServiceQuotaChangeHistory.
func (h *handler) listRequestedServiceQuotaChangeHistory(ctx context.Context, c *api.Call, in *ListRequestedServiceQuotaChangeHistoryInput) (*ListRequestedServiceQuotaChangeHistoryOutput, error) {
	all, next, err := h.history(ctx, c, api.Value(in.ServiceCode), "", in.Status, in.QuotaRequestedAtLevel, in.MaxResults, in.NextToken)
	return &ListRequestedServiceQuotaChangeHistoryOutput{NextToken: next, RequestedQuotas: all}, err
}

// listRequestedServiceQuotaChangeHistoryByQuota serves ListRequestedServiceQuotaChangeHistoryByQuota.
func (h *handler) listRequestedServiceQuotaChangeHistoryByQuota(ctx context.Context, c *api.Call, in *ListRequestedServiceQuotaChangeHistoryByQuotaInput) (*ListRequestedServiceQuotaChangeHistoryByQuotaOutput, error) {
	all, next, err := h.history(ctx, c, in.ServiceCode, in.QuotaCode, in.Status, in.QuotaRequestedAtLevel, in.MaxResults, in.NextToken)
	return &ListRequestedServiceQuotaChangeHistoryByQuotaOutput{NextToken: next, RequestedQuotas: all}, err
}

// history is a page of what the account has asked for, the newest first.
func (h *handler) history(ctx context.Context, c *api.Call, service, code string, status, level *string, max *int32, token *string) ([]RequestedServiceQuotaChange, *string, error) {
	all, err := h.quotas.History(ctx, c.Caller, "servicequotas:"+c.Operation, service, code)
	if err != nil {
		return nil, nil, err
	}
	if api.Or(status, approved) != approved || api.Value(level) == "RESOURCE" {
		all = nil
	}
	all, next, err := page(c, all, func(ch quota.Change) string {
		return fmt.Sprintf("%019d %s", math.MaxInt64-ch.CreatedAt.UnixNano(), ch.ID)
	}, max, token)
	return api.Each(all, requested), next, err
}

// tagResource serves TagResource.
func (h *handler) tagResource(ctx context.Context, c *api.Call, in *TagResourceInput) (*TagResourceOutput, error) {
	tags := map[string]string{}
	for _, t := range in.Tags {
		tags[t.Key] = t.Value
	}
	rev, err := h.quotas.Tag(ctx, c.Caller, in.ResourceARN, tags)
	return api.Done(c, &TagResourceOutput{}, rev, err)
}

// untagResource serves UntagResource.
func (h *handler) untagResource(ctx context.Context, c *api.Call, in *UntagResourceInput) (*UntagResourceOutput, error) {
	rev, err := h.quotas.Untag(ctx, c.Caller, in.ResourceARN, in.TagKeys)
	return api.Done(c, &UntagResourceOutput{}, rev, err)
}

// listTagsForResource serves ListTagsForResource.
func (h *handler) listTagsForResource(ctx context.Context, c *api.Call, in *ListTagsForResourceInput) (*ListTagsForResourceOutput, error) {
	tags, err := h.quotas.Tags(ctx, c.Caller, in.ResourceARN)
	out := &ListTagsForResourceOutput{Tags: []Tag{}}
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		out.Tags = append(out.Tags, Tag{Key: k, Value: tags[k]})
	}
	return out, err
}
