// Package elbv2 serves the API of Elastic Load Balancing v2 (2015-12-01): Application and Network Load Balancers. What its
// operations mean is in package companion/loadbalancer.
package elbv2

import (
	"maps"
	"slices"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/companion/loadbalancer"
)

// handler translates between the wire and the companion.
type handler struct {
	balancers *loadbalancer.LoadBalancers
}

// New returns the service with its complete table. Not served are trust stores, capacity reservations and pools of addresses.
func New(l *loadbalancer.LoadBalancers) api.Service {
	h := &handler{l}
	return api.Service{Model: Model(), Operations: []api.Operation{
		api.Op("AddListenerCertificates", h.addListenerCertificates),
		api.Op("AddTags", h.addTags),
		api.Unserved("AddTrustStoreRevocations"),
		api.Op("CreateListener", h.createListener).Partly("a record: actions that authenticate users are refused"),
		api.Op("CreateLoadBalancer", h.createLoadBalancer).Partly("a record: it forwards nothing yet; the type gateway is refused"),
		api.Op("CreateRule", h.createRule),
		api.Op("CreateTargetGroup", h.createTargetGroup),
		api.Unserved("CreateTrustStore"),
		api.Op("DeleteListener", h.deleteListener),
		api.Op("DeleteLoadBalancer", h.deleteLoadBalancer),
		api.Op("DeleteRule", h.deleteRule),
		api.Unserved("DeleteSharedTrustStoreAssociation"),
		api.Op("DeleteTargetGroup", h.deleteTargetGroup),
		api.Unserved("DeleteTrustStore"),
		api.Op("DeregisterTargets", h.deregisterTargets),
		api.Op("DescribeAccountLimits", h.describeAccountLimits),
		api.Op("DescribeCapacityReservation", h.describeCapacityReservation),
		api.Op("DescribeListenerAttributes", h.describeListenerAttributes),
		api.Op("DescribeListenerCertificates", h.describeListenerCertificates),
		api.Op("DescribeListeners", h.describeListeners),
		api.Op("DescribeLoadBalancerAttributes", h.describeLoadBalancerAttributes),
		api.Op("DescribeLoadBalancers", h.describeLoadBalancers),
		api.Op("DescribeRules", h.describeRules),
		api.Op("DescribeSSLPolicies", h.describeSSLPolicies),
		api.Op("DescribeTags", h.describeTags),
		api.Op("DescribeTargetGroupAttributes", h.describeTargetGroupAttributes),
		api.Op("DescribeTargetGroups", h.describeTargetGroups),
		api.Op("DescribeTargetHealth", h.describeTargetHealth).Partly("no target is probed"),
		api.Unserved("DescribeTrustStoreAssociations"),
		api.Unserved("DescribeTrustStoreRevocations"),
		api.Op("DescribeTrustStores", h.describeTrustStores),
		api.Unserved("GetResourcePolicy"),
		api.Unserved("GetTrustStoreCaCertificatesBundle"),
		api.Unserved("GetTrustStoreRevocationContent"),
		api.Unserved("ModifyCapacityReservation"),
		api.Unserved("ModifyIpPools"),
		api.Op("ModifyListener", h.modifyListener),
		api.Op("ModifyListenerAttributes", h.modifyListenerAttributes),
		api.Op("ModifyLoadBalancerAttributes", h.modifyLoadBalancerAttributes),
		api.Op("ModifyRule", h.modifyRule),
		api.Op("ModifyTargetGroup", h.modifyTargetGroup),
		api.Op("ModifyTargetGroupAttributes", h.modifyTargetGroupAttributes),
		api.Unserved("ModifyTrustStore"),
		api.Op("RegisterTargets", h.registerTargets),
		api.Op("RemoveListenerCertificates", h.removeListenerCertificates),
		api.Op("RemoveTags", h.removeTags),
		api.Unserved("RemoveTrustStoreRevocations"),
		api.Op("SetIpAddressType", h.setIpAddressType),
		api.Op("SetRulePriorities", h.setRulePriorities),
		api.Op("SetSecurityGroups", h.setSecurityGroups),
		api.Op("SetSubnets", h.setSubnets),
	}}
}

// page cuts a page out of items by their keys. Pages have up to 400 items.
func page[T any](c *api.Call, items []T, key func(T) string, size *int32, marker *string) ([]T, *string, error) {
	return api.Cut(c, items, key, marker, int(api.Or(size, 400)))
}

// fromTags makes a map of a request's tags. A key that comes twice is refused.
func fromTags(tags []Tag) (map[string]string, error) {
	m := map[string]string{}
	for _, t := range tags {
		if _, twice := m[t.Key]; twice {
			return nil, trellis.NewError(400, "DuplicateTagKeys", "The tag key %s is given twice", t.Key)
		}
		m[t.Key] = api.Value(t.Value)
	}
	return m, nil
}

// toTags makes an answer's tags, sorted by key.
func toTags(m map[string]string) []Tag {
	tags := []Tag{}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		tags = append(tags, Tag{Key: k, Value: new(m[k])})
	}
	return tags
}
