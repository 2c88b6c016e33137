package ec2

import (
	"context"
	"slices"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/controlplane"
)

// describeVpcEndpointServices is DescribeVpcEndpointServices: VPC Lattice's API, which every VPC reaches. Accounts make no
// endpoint services here.
func (h *handler) describeVpcEndpointServices(_ context.Context, c *api.Call, in *DescribeVpcEndpointServicesInput) (*DescribeVpcEndpointServicesOutput, error) {
	if err := h.plane.AllowEC2(caller(c, in.DryRun), "DescribeVpcEndpointServices"); err != nil {
		return nil, err
	}
	all := []string{"com.amazonaws." + h.region + ".vpc-lattice"}
	for _, name := range in.ServiceNames {
		if !slices.Contains(all, name) {
			return nil, trellis.NewError(400, "InvalidServiceName", "The Vpc Endpoint Service '%s' does not exist", name)
		}
	}
	if len(in.ServiceRegions) > 0 && !slices.Contains(in.ServiceRegions, h.region) {
		all = nil
	}
	all, err := controlplane.MatchEC2(all, filters(in.Filters), func(name string) (map[string][]string, map[string]string) {
		return map[string][]string{"service-name": {name}, "service-type": {"Interface"}, "owner": {"amazon"}, "service-region": {h.region}, "supported-ip-address-types": {"ipv4"}}, nil
	})
	if err != nil {
		return nil, err
	}
	all, next, err := page(c, all, func(name string) string { return name }, in.MaxResults, in.NextToken)
	zones := trellis.Zones(h.region)
	return &DescribeVpcEndpointServicesOutput{NextToken: next, ServiceNames: all, ServiceDetails: api.Each(all, func(name string) ServiceDetail {
		host := "vpc-lattice." + h.region + ".amazonaws.com"
		return ServiceDetail{AcceptanceRequired: new(bool), AvailabilityZones: api.Each(zones, func(z trellis.Zone) string { return z.Name }),
			AvailabilityZoneIds: api.Each(zones, func(z trellis.Zone) string { return z.ID }), BaseEndpointDnsNames: []string{"vpc-lattice." + h.region + ".vpce.amazonaws.com"},
			ManagesVpcEndpoints: new(bool), Owner: api.Some("amazon"), PrivateDnsName: &host, PrivateDnsNames: []PrivateDnsDetails{{PrivateDnsName: &host}}, ServiceId: api.Some(controlplane.DerivedID("vpce-svc", name)),
			ServiceName: &name, ServiceRegion: &h.region, ServiceType: []ServiceTypeDetail{{ServiceType: api.Some("Interface")}}, SupportedIpAddressTypes: []string{"ipv4"},
			VpcEndpointPolicySupported: new(bool)}
	})}, err
}
