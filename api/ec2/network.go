package ec2

import (
	"context"
	"slices"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/controlplane"
)

// describeAvailabilityZones is DescribeAvailabilityZones.
func (h *handler) describeAvailabilityZones(_ context.Context, c *api.Call, in *DescribeAvailabilityZonesInput) (*DescribeAvailabilityZonesOutput, error) {
	if err := h.plane.AllowEC2(caller(c, in.DryRun), "DescribeAvailabilityZones"); err != nil {
		return nil, err
	}
	all, err := controlplane.MatchEC2(trellis.Zones(h.region), filters(in.Filters), func(z trellis.Zone) (map[string][]string, map[string]string) {
		return map[string][]string{"zone-name": {z.Name}, "zone-id": {z.ID}, "region-name": {h.region}, "state": {"available"}, "zone-type": {"availability-zone"},
			"group-name": {h.region + "-zg-1"}, "opt-in-status": {"opt-in-not-required"}, "message": nil, "parent-zone-id": nil, "parent-zone-name": nil, "group-long-name": nil}, nil
	})
	if err != nil {
		return nil, err
	}
	for _, name := range in.ZoneNames {
		if !slices.ContainsFunc(all, func(z trellis.Zone) bool { return z.Name == name }) {
			return nil, trellis.NewError(400, "InvalidParameterValue", "Invalid availability zone: [%s]", name)
		}
	}
	all = slices.DeleteFunc(all, func(z trellis.Zone) bool {
		return len(in.ZoneNames) > 0 && !slices.Contains(in.ZoneNames, z.Name) || len(in.ZoneIds) > 0 && !slices.Contains(in.ZoneIds, z.ID)
	})
	return &DescribeAvailabilityZonesOutput{AvailabilityZones: api.Each(all, func(z trellis.Zone) AvailabilityZone {
		return AvailabilityZone{GroupName: api.Some(h.region + "-zg-1"), NetworkBorderGroup: &h.region, OptInStatus: api.Some("opt-in-not-required"), RegionName: &h.region,
			State: api.Some("available"), ZoneId: &z.ID, ZoneName: &z.Name, ZoneType: api.Some("availability-zone")}
	})}, nil
}

// describeRegions is DescribeRegions: the one that this installation is.
func (h *handler) describeRegions(_ context.Context, c *api.Call, in *DescribeRegionsInput) (*DescribeRegionsOutput, error) {
	if err := h.plane.AllowEC2(caller(c, in.DryRun), "DescribeRegions"); err != nil {
		return nil, err
	}
	endpoint := "ec2." + h.region + ".amazonaws.com"
	all, err := controlplane.MatchEC2([]string{h.region}, filters(in.Filters), func(name string) (map[string][]string, map[string]string) {
		return map[string][]string{"region-name": {name}, "endpoint": {endpoint}, "opt-in-status": {"opt-in-not-required"}}, nil
	})
	if err != nil {
		return nil, err
	}
	for _, name := range in.RegionNames {
		if name != h.region {
			return nil, trellis.NewError(400, "InvalidParameterValue", "Invalid region: [%s]", name)
		}
	}
	return &DescribeRegionsOutput{Regions: api.Each(all, func(name string) Region {
		return Region{Endpoint: &endpoint, OptInStatus: api.Some("opt-in-not-required"), RegionName: &name}
	})}, nil
}

// describeAccountAttributes is DescribeAccountAttributes.
func (h *handler) describeAccountAttributes(_ context.Context, c *api.Call, in *DescribeAccountAttributesInput) (*DescribeAccountAttributesOutput, error) {
	if err := h.plane.AllowEC2(caller(c, in.DryRun), "DescribeAccountAttributes"); err != nil {
		return nil, err
	}
	out := &DescribeAccountAttributesOutput{}
	for _, a := range [][2]string{{"supported-platforms", "VPC"}, {"default-vpc", "none"}, {"vpc-max-security-groups-per-interface", "5"}, {"max-instances", "1000"}, {"max-elastic-ips", "0"}, {"vpc-max-elastic-ips", "0"}} {
		if len(in.AttributeNames) == 0 || slices.Contains(in.AttributeNames, a[0]) {
			out.AccountAttributes = append(out.AccountAttributes, AccountAttribute{AttributeName: &a[0], AttributeValues: []AccountAttributeValue{{AttributeValue: &a[1]}}})
		}
	}
	return out, nil
}
