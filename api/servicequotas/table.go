// Package servicequotas serves the API of Service Quotas (2019-06-24): what accounts may have, and how they ask for more.
// What its operations mean is in package quota.
package servicequotas

import (
	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/companion/quota"
)

// handler translates between the wire and the quotas.
type handler struct{ quotas *quota.Quotas }

// New returns the service with its table. Not served are templates, which ask for quotas of accounts that are yet to be made.
func New(q *quota.Quotas) api.Service {
	h := &handler{q}
	return api.Service{Model: Model(), Operations: []api.Operation{
		api.Unserved("AssociateServiceQuotaTemplate"),
		api.Unserved("DeleteServiceQuotaIncreaseRequestFromTemplate"),
		api.Unserved("DisassociateServiceQuotaTemplate"),
		api.Op("GetAWSDefaultServiceQuota", h.getAWSDefaultServiceQuota),
		api.Unserved("GetAssociationForServiceQuotaTemplate"),
		api.Op("GetRequestedServiceQuotaChange", h.getRequestedServiceQuotaChange),
		api.Op("GetServiceQuota", h.getServiceQuota),
		api.Unserved("GetServiceQuotaIncreaseRequestFromTemplate"),
		api.Op("ListAWSDefaultServiceQuotas", h.listAWSDefaultServiceQuotas),
		api.Op("ListRequestedServiceQuotaChangeHistory", h.listRequestedServiceQuotaChangeHistory),
		api.Op("ListRequestedServiceQuotaChangeHistoryByQuota", h.listRequestedServiceQuotaChangeHistoryByQuota),
		api.Unserved("ListServiceQuotaIncreaseRequestsInTemplate"),
		api.Op("ListServiceQuotas", h.listServiceQuotas),
		api.Op("ListServices", h.listServices),
		api.Op("ListTagsForResource", h.listTagsForResource),
		api.Unserved("PutServiceQuotaIncreaseRequestIntoTemplate"),
		api.Op("RequestServiceQuotaIncrease", h.requestServiceQuotaIncrease),
		api.Op("TagResource", h.tagResource),
		api.Op("UntagResource", h.untagResource),
	}}
}

// page cuts a page, of at most 100, out of items by their keys.
func page[T any](c *api.Call, items []T, key func(T) string, max *int32, token *string) ([]T, *string, error) {
	items, next, err := api.Cut(c, items, key, token, int(api.Or(max, 100)))
	if err != nil {
		return nil, nil, trellis.NewError(400, "InvalidPaginationTokenException", "The NextToken is not valid.")
	}
	return items, next, nil
}
