package servicequotas

import (
	"cmp"
	"context"

	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/companion/quota"
)

// unit is how a quota counts.
func unit(q *quota.Quota) *string {
	return new(cmp.Or(q.Unit, "None"))
}

// serviceQuota is a quota as the wire has it.
func serviceQuota(v quota.Value) ServiceQuota {
	return ServiceQuota{Adjustable: &v.Adjustable, GlobalQuota: &v.Global, QuotaAppliedAtLevel: new("ACCOUNT"), QuotaArn: &v.ARN, QuotaCode: &v.Code,
		QuotaName: &v.Name, ServiceCode: &v.Service, ServiceName: new(v.ServiceName()), Unit: unit(v.Quota), Value: new(float64(v.Value))}
}

// codeOf is the key of a quota within its service.
func codeOf(v quota.Value) string { return v.Code }

// listServices serves ListServices.
func (h *handler) listServices(_ context.Context, c *api.Call, in *ListServicesInput) (*ListServicesOutput, error) {
	all, err := h.quotas.Services(c.Caller)
	if err != nil {
		return nil, err
	}
	all, next, err := page(c, all, func(s quota.Service) string { return s.Code }, in.MaxResults, in.NextToken)
	return &ListServicesOutput{NextToken: next, Services: api.Each(all, func(s quota.Service) ServiceInfo {
		return ServiceInfo{ServiceCode: &s.Code, ServiceName: &s.Name}
	})}, err
}

// listServiceQuotas serves ListServiceQuotas. Quotas of a single resource are not kept, so that none answers for RESOURCE.
func (h *handler) listServiceQuotas(ctx context.Context, c *api.Call, in *ListServiceQuotasInput) (*ListServiceQuotasOutput, error) {
	all, err := h.quotas.List(ctx, c.Caller, "servicequotas:ListServiceQuotas", in.ServiceCode, api.Value(in.QuotaCode))
	if err != nil {
		return nil, err
	}
	if api.Value(in.QuotaAppliedAtLevel) == "RESOURCE" {
		all = nil
	}
	all, next, err := page(c, all, codeOf, in.MaxResults, in.NextToken)
	return &ListServiceQuotasOutput{NextToken: next, Quotas: api.Each(all, serviceQuota)}, err
}

// getServiceQuota serves GetServiceQuota.
func (h *handler) getServiceQuota(ctx context.Context, c *api.Call, in *GetServiceQuotaInput) (*GetServiceQuotaOutput, error) {
	all, err := h.quotas.List(ctx, c.Caller, "servicequotas:GetServiceQuota", in.ServiceCode, in.QuotaCode)
	if err != nil {
		return nil, err
	}
	return &GetServiceQuotaOutput{Quota: new(serviceQuota(all[0]))}, nil
}

// listAWSDefaultServiceQuotas serves ListAWSDefaultServiceQuotas.
func (h *handler) listAWSDefaultServiceQuotas(_ context.Context, c *api.Call, in *ListAWSDefaultServiceQuotasInput) (*ListAWSDefaultServiceQuotasOutput, error) {
	all, err := h.quotas.Defaults(c.Caller, "servicequotas:ListAWSDefaultServiceQuotas", in.ServiceCode, "")
	if err != nil {
		return nil, err
	}
	all, next, err := page(c, all, codeOf, in.MaxResults, in.NextToken)
	return &ListAWSDefaultServiceQuotasOutput{NextToken: next, Quotas: api.Each(all, serviceQuota)}, err
}

// getAWSDefaultServiceQuota serves GetAWSDefaultServiceQuota.
func (h *handler) getAWSDefaultServiceQuota(_ context.Context, c *api.Call, in *GetAWSDefaultServiceQuotaInput) (*GetAWSDefaultServiceQuotaOutput, error) {
	all, err := h.quotas.Defaults(c.Caller, "servicequotas:GetAWSDefaultServiceQuota", in.ServiceCode, in.QuotaCode)
	if err != nil {
		return nil, err
	}
	return &GetAWSDefaultServiceQuotaOutput{Quota: new(serviceQuota(all[0]))}, nil
}
