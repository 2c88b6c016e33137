package ec2

import (
	"context"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
)

// dhcpOptions are DHCP options as the wire has them.
func dhcpOptions(o *trellis.DHCPOptions) DhcpOptions {
	return DhcpOptions{DhcpOptionsId: &o.ID, OwnerId: &o.Account, Tags: tags(o.Tags), DhcpConfigurations: api.Each(o.Options, func(one trellis.DHCPOption) DhcpConfiguration {
		return DhcpConfiguration{Key: &one.Key, Values: api.Each(one.Values, func(v string) AttributeValue { return AttributeValue{Value: &v} })}
	})}
}

// createDhcpOptions is CreateDhcpOptions.
func (h *handler) createDhcpOptions(ctx context.Context, c *api.Call, in *CreateDhcpOptionsInput) (*CreateDhcpOptionsOutput, error) {
	t, err := tagSpecs(in.TagSpecifications, "dhcp-options")
	if err != nil {
		return nil, err
	}
	o, rev, err := h.plane.CreateDHCPOptions(ctx, caller(c, in.DryRun), api.Each(in.DhcpConfigurations, func(one NewDhcpConfiguration) trellis.DHCPOption {
		return trellis.DHCPOption{Key: api.Value(one.Key), Values: one.Values}
	}), t)
	if err != nil {
		return nil, err
	}
	return api.Done(c, &CreateDhcpOptionsOutput{DhcpOptions: new(dhcpOptions(o))}, rev, nil)
}

// describeDhcpOptions is DescribeDhcpOptions.
func (h *handler) describeDhcpOptions(ctx context.Context, c *api.Call, in *DescribeDhcpOptionsInput) (*DescribeDhcpOptionsOutput, error) {
	all, err := h.plane.DHCPOptions(ctx, caller(c, in.DryRun), query(in.DhcpOptionsIds, in.Filters))
	if err != nil {
		return nil, err
	}
	all, next, err := page(c, all, func(o *trellis.DHCPOptions) string { return o.ID }, in.MaxResults, in.NextToken)
	return &DescribeDhcpOptionsOutput{DhcpOptions: api.Each(all, dhcpOptions), NextToken: next}, err
}

// deleteDhcpOptions is DeleteDhcpOptions.
func (h *handler) deleteDhcpOptions(ctx context.Context, c *api.Call, in *DeleteDhcpOptionsInput) (*DeleteDhcpOptionsOutput, error) {
	rev, err := h.plane.DeleteDHCPOptions(ctx, caller(c, in.DryRun), in.DhcpOptionsId)
	return api.Done(c, &DeleteDhcpOptionsOutput{}, rev, err)
}

// associateDhcpOptions is AssociateDhcpOptions.
func (h *handler) associateDhcpOptions(ctx context.Context, c *api.Call, in *AssociateDhcpOptionsInput) (*AssociateDhcpOptionsOutput, error) {
	rev, err := h.plane.AssociateDHCPOptions(ctx, caller(c, in.DryRun), in.DhcpOptionsId, in.VpcId)
	return api.Done(c, &AssociateDhcpOptionsOutput{}, rev, err)
}
