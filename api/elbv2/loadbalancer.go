package elbv2

import (
	"context"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/companion/loadbalancer"
)

// places reads where a load balancer shall be, out of the two forms that requests have.
func places(subnets []string, mappings []SubnetMapping) ([]loadbalancer.Place, error) {
	if len(subnets) > 0 && len(mappings) > 0 {
		return nil, trellis.NewError(400, "ValidationError", "You must specify either subnets or subnet mappings")
	}
	var all []loadbalancer.Place
	for _, id := range subnets {
		all = append(all, loadbalancer.Place{SubnetID: id})
	}
	for _, m := range mappings {
		if m.AllocationId != nil {
			return nil, trellis.NewError(400, "AllocationIdNotFound", "The allocation ID '%s' does not exist: Trellis has no Elastic IP addresses", *m.AllocationId)
		}
		if m.IPv6Address != nil || m.SourceNatIpv6Prefix != nil {
			return nil, trellis.NewError(400, "InvalidConfigurationRequest", "IPv6 addresses of load balancers can't be chosen in Trellis")
		}
		all = append(all, loadbalancer.Place{SubnetID: api.Value(m.SubnetId), IPv4: api.Value(m.PrivateIPv4Address)})
	}
	return all, nil
}

// loadBalancer is a load balancer as the wire has it. state is active but for one that is just made.
func (h *handler) loadBalancer(b *trellis.LoadBalancer, zones map[string]string, state string) LoadBalancer {
	w := LoadBalancer{AvailabilityZones: h.zones(b, zones), CanonicalHostedZoneId: new(b.HostedZone(h.balancers.Region)), CreatedTime: &b.CreatedAt, DNSName: &b.DNSName,
		IpAddressType: &b.IPAddressType, LoadBalancerArn: new(b.ARN(h.balancers.Region)), LoadBalancerName: &b.Name, Scheme: &b.Scheme,
		SecurityGroups: b.SecurityGroupIDs, State: &LoadBalancerState{Code: &state}, Type: &b.Type, VpcId: &b.VPCID}
	if b.Type == trellis.LoadBalancerNetwork {
		w.EnablePrefixForIpv6SourceNat = new("off")
		if len(b.SecurityGroupIDs) > 0 {
			w.EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic = new(orOn(b.PrivateLinkRules))
		}
	}
	return w
}

// orOn is a switch that is on when nothing was said of it.
func orOn(s string) string {
	if s == "" {
		return "on"
	}
	return s
}

// zones are the subnets of a load balancer with their Availability Zones. Addresses are shown of internal Network Load
// Balancers alone, as the only ones that can be chosen.
func (h *handler) zones(b *trellis.LoadBalancer, zones map[string]string) []AvailabilityZone {
	return api.Each(b.Interfaces, func(n trellis.NetworkInterface) AvailabilityZone {
		z := AvailabilityZone{SubnetId: new(n.SubnetID), ZoneName: new(zones[n.SubnetID]), LoadBalancerAddresses: []LoadBalancerAddress{}}
		if b.Chosen[n.SubnetID] {
			z.LoadBalancerAddresses = append(z.LoadBalancerAddresses, LoadBalancerAddress{PrivateIPv4Address: new(n.IPv4.String())})
		}
		return z
	})
}

// createLoadBalancer serves CreateLoadBalancer.
func (h *handler) createLoadBalancer(ctx context.Context, c *api.Call, in *CreateLoadBalancerInput) (*CreateLoadBalancerOutput, error) {
	tags, err := fromTags(in.Tags)
	if err != nil {
		return nil, err
	}
	where, err := places(in.Subnets, in.SubnetMappings)
	if err != nil {
		return nil, err
	}
	if in.CustomerOwnedIpv4Pool != nil || in.IpamPools != nil || api.Value(in.EnablePrefixForIpv6SourceNat) == "on" {
		return nil, trellis.NewError(400, "InvalidConfigurationRequest", "Trellis has no pools of addresses and no source NAT for load balancers")
	}
	b, rev, err := h.balancers.CreateLoadBalancer(ctx, c.Caller, loadbalancer.Spec{Name: in.Name, Type: api.Value(in.Type), Scheme: api.Value(in.Scheme),
		IPAddressType: api.Value(in.IpAddressType), Places: where, SecurityGroupIDs: in.SecurityGroups, Tags: tags})
	if err != nil {
		return nil, err
	}
	c.Committed(rev)
	zones, err := h.balancers.Zones(ctx, c.Account)
	return &CreateLoadBalancerOutput{LoadBalancers: []LoadBalancer{h.loadBalancer(b, zones, "provisioning")}}, err
}

// describeLoadBalancers serves DescribeLoadBalancers.
func (h *handler) describeLoadBalancers(ctx context.Context, c *api.Call, in *DescribeLoadBalancersInput) (*DescribeLoadBalancersOutput, error) {
	all, err := h.balancers.LoadBalancers(ctx, c.Caller, loadbalancer.Filter{ARNs: in.LoadBalancerArns, Names: in.Names})
	if err != nil {
		return nil, err
	}
	zones, err := h.balancers.Zones(ctx, c.Account)
	if err != nil {
		return nil, err
	}
	all, next, err := page(c, all, (*trellis.LoadBalancer).Key, in.PageSize, in.Marker)
	return &DescribeLoadBalancersOutput{NextMarker: next, LoadBalancers: api.Each(all, func(b *trellis.LoadBalancer) LoadBalancer { return h.loadBalancer(b, zones, "active") })}, err
}

// deleteLoadBalancer serves DeleteLoadBalancer.
func (h *handler) deleteLoadBalancer(ctx context.Context, c *api.Call, in *DeleteLoadBalancerInput) (*DeleteLoadBalancerOutput, error) {
	rev, err := h.balancers.DeleteLoadBalancer(ctx, c.Caller, in.LoadBalancerArn)
	return api.Done(c, &DeleteLoadBalancerOutput{}, rev, err)
}

// setSubnets serves SetSubnets.
func (h *handler) setSubnets(ctx context.Context, c *api.Call, in *SetSubnetsInput) (*SetSubnetsOutput, error) {
	where, err := places(in.Subnets, in.SubnetMappings)
	if err != nil {
		return nil, err
	}
	b, rev, err := h.balancers.SetSubnets(ctx, c.Caller, in.LoadBalancerArn, api.Value(in.IpAddressType), where)
	if err != nil {
		return nil, err
	}
	c.Committed(rev)
	zones, err := h.balancers.Zones(ctx, c.Account)
	return &SetSubnetsOutput{AvailabilityZones: h.zones(b, zones), IpAddressType: &b.IPAddressType}, err
}

// setIpAddressType serves SetIpAddressType.
func (h *handler) setIpAddressType(ctx context.Context, c *api.Call, in *SetIpAddressTypeInput) (*SetIpAddressTypeOutput, error) {
	b, rev, err := h.balancers.SetIPAddressType(ctx, c.Caller, in.LoadBalancerArn, in.IpAddressType)
	if err != nil {
		return nil, err
	}
	return api.Done(c, &SetIpAddressTypeOutput{IpAddressType: &b.IPAddressType}, rev, nil)
}

// setSecurityGroups serves SetSecurityGroups.
func (h *handler) setSecurityGroups(ctx context.Context, c *api.Call, in *SetSecurityGroupsInput) (*SetSecurityGroupsOutput, error) {
	b, rev, err := h.balancers.SetSecurityGroups(ctx, c.Caller, in.LoadBalancerArn, in.SecurityGroups, api.Value(in.EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic))
	if err != nil {
		return nil, err
	}
	out := &SetSecurityGroupsOutput{SecurityGroupIds: b.SecurityGroupIDs}
	if b.Type == trellis.LoadBalancerNetwork {
		out.EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic = new(orOn(b.PrivateLinkRules))
	}
	return api.Done(c, out, rev, nil)
}

// describeLoadBalancerAttributes serves DescribeLoadBalancerAttributes.
func (h *handler) describeLoadBalancerAttributes(ctx context.Context, c *api.Call, in *DescribeLoadBalancerAttributesInput) (*DescribeLoadBalancerAttributesOutput, error) {
	all, err := h.balancers.BalancerAttributes(ctx, c.Caller, in.LoadBalancerArn)
	return &DescribeLoadBalancerAttributesOutput{Attributes: api.Each(all, balancerAttribute)}, err
}

// balancerAttribute is an attribute as the wire has it.
func balancerAttribute(a loadbalancer.Attribute) LoadBalancerAttribute {
	return LoadBalancerAttribute{Key: &a.Key, Value: &a.Value}
}

// modifyLoadBalancerAttributes serves ModifyLoadBalancerAttributes.
func (h *handler) modifyLoadBalancerAttributes(ctx context.Context, c *api.Call, in *ModifyLoadBalancerAttributesInput) (*ModifyLoadBalancerAttributesOutput, error) {
	change := map[string]string{}
	for _, a := range in.Attributes {
		change[api.Value(a.Key)] = api.Value(a.Value)
	}
	all, rev, err := h.balancers.SetBalancerAttributes(ctx, c.Caller, in.LoadBalancerArn, change)
	return api.Done(c, &ModifyLoadBalancerAttributesOutput{Attributes: api.Each(all, balancerAttribute)}, rev, err)
}

// describeCapacityReservation serves DescribeCapacityReservation: no capacity is ever reserved.
func (h *handler) describeCapacityReservation(ctx context.Context, c *api.Call, in *DescribeCapacityReservationInput) (*DescribeCapacityReservationOutput, error) {
	b, err := h.balancers.Balancer(ctx, c.Caller, "DescribeCapacityReservation", in.LoadBalancerArn)
	if err != nil {
		return nil, err
	}
	return &DescribeCapacityReservationOutput{CapacityReservationState: []ZonalCapacityReservationState{}, DecreaseRequestsRemaining: new(int32(2)), LastModifiedTime: &b.CreatedAt}, nil
}

// describeAccountLimits serves DescribeAccountLimits.
func (h *handler) describeAccountLimits(ctx context.Context, c *api.Call, in *DescribeAccountLimitsInput) (*DescribeAccountLimitsOutput, error) {
	all, err := h.balancers.Limits(ctx, c.Caller)
	if err != nil {
		return nil, err
	}
	all, next, err := page(c, all, func(l loadbalancer.Limit) string { return l.Name }, in.PageSize, in.Marker)
	return &DescribeAccountLimitsOutput{NextMarker: next, Limits: api.Each(all, func(l loadbalancer.Limit) Limit { return Limit{Name: &l.Name, Max: &l.Max} })}, err
}

// describeSSLPolicies serves DescribeSSLPolicies.
func (h *handler) describeSSLPolicies(ctx context.Context, c *api.Call, in *DescribeSSLPoliciesInput) (*DescribeSSLPoliciesOutput, error) {
	all, err := h.balancers.Policies(ctx, c.Caller, in.Names)
	if err != nil {
		return nil, err
	}
	all, next, err := page(c, all, func(p loadbalancer.SSLPolicy) string { return p.Name }, in.PageSize, in.Marker)
	return &DescribeSSLPoliciesOutput{NextMarker: next, SslPolicies: api.Each(all, func(p loadbalancer.SSLPolicy) SslPolicy {
		w := SslPolicy{Name: &p.Name, SslProtocols: p.Protocols, SupportedLoadBalancerTypes: []string{trellis.LoadBalancerApplication, trellis.LoadBalancerNetwork}}
		for i, name := range p.Ciphers {
			w.Ciphers = append(w.Ciphers, Cipher{Name: &name, Priority: new(int32(i + 1))})
		}
		return w
	})}, err
}

// describeTrustStores serves DescribeTrustStores: there are none.
func (h *handler) describeTrustStores(_ context.Context, c *api.Call, in *DescribeTrustStoresInput) (*DescribeTrustStoresOutput, error) {
	if err := c.Authorize("elasticloadbalancing:DescribeTrustStores", "*", nil); err != nil {
		return nil, err
	}
	if len(in.Names)+len(in.TrustStoreArns) > 0 {
		return nil, trellis.NewError(400, "TrustStoreNotFound", "Trust store not found: Trellis has none")
	}
	return &DescribeTrustStoresOutput{TrustStores: []TrustStore{}}, nil
}
