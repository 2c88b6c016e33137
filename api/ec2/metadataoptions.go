package ec2

import (
	"context"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/controlplane"
)

// noPreference takes a setting of the account back.
const noPreference = "no-preference"

// word reads a setting that has two words; nil for none, or for no preference.
func word(text *string, yes string) *bool {
	if text == nil || *text == noPreference {
		return nil
	}
	return new(*text == yes)
}

// metadataOptions reads metadata options from a request; nil ones say nothing.
func metadataOptions(in *InstanceMetadataOptionsRequest) trellis.MetadataOptions {
	if in == nil {
		return trellis.MetadataOptions{}
	}
	return trellis.MetadataOptions{Endpoint: word(in.HttpEndpoint, "enabled"), TokensRequired: word(in.HttpTokens, "required"),
		HopLimit: count(in.HttpPutResponseHopLimit), IPv6: word(in.HttpProtocolIpv6, "enabled"), Tags: word(in.InstanceMetadataTags, "enabled")}
}

// count is a number of the wire as nouns have it.
func count(n *int32) *int {
	if n == nil {
		return nil
	}
	return new(int(*n))
}

// wireMetadataOptions are metadata options, all of them said, as the wire has them.
func wireMetadataOptions(o trellis.MetadataOptions, state string) *InstanceMetadataOptionsResponse {
	words := controlplane.MetadataWords(o)
	return &InstanceMetadataOptionsResponse{State: &state, HttpEndpoint: api.Some(words["HttpEndpoint"]), HttpTokens: api.Some(words["HttpTokens"]),
		HttpPutResponseHopLimit: new(int32(*o.HopLimit)), HttpProtocolIpv6: api.Some(words["HttpProtocolIpv6"]), InstanceMetadataTags: api.Some(words["InstanceMetadataTags"])}
}

// modifyInstanceMetadataOptions is ModifyInstanceMetadataOptions. What it changes is pending in the answer and applied in
// all others, as on AWS.
func (h *handler) modifyInstanceMetadataOptions(ctx context.Context, c *api.Call, in *ModifyInstanceMetadataOptionsInput) (*ModifyInstanceMetadataOptionsOutput, error) {
	o, rev, err := h.plane.ModifyMetadataOptions(ctx, caller(c, in.DryRun), in.InstanceId, metadataOptions(&InstanceMetadataOptionsRequest{HttpEndpoint: in.HttpEndpoint, HttpTokens: in.HttpTokens,
		HttpPutResponseHopLimit: in.HttpPutResponseHopLimit, HttpProtocolIpv6: in.HttpProtocolIpv6, InstanceMetadataTags: in.InstanceMetadataTags}))
	if err != nil {
		return nil, err
	}
	return api.Done(c, &ModifyInstanceMetadataOptionsOutput{InstanceId: &in.InstanceId, InstanceMetadataOptions: wireMetadataOptions(o, "pending")}, rev, nil)
}

// getInstanceMetadataDefaults is GetInstanceMetadataDefaults: only what the account says.
func (h *handler) getInstanceMetadataDefaults(ctx context.Context, c *api.Call, in *GetInstanceMetadataDefaultsInput) (*GetInstanceMetadataDefaultsOutput, error) {
	m, err := h.plane.AccountMetadata(ctx, caller(c, in.DryRun))
	if err != nil {
		return nil, err
	}
	words := controlplane.MetadataWords(m.MetadataOptions)
	out := &InstanceMetadataDefaultsResponse{HttpEndpoint: api.Some(words["HttpEndpoint"]), HttpTokens: api.Some(words["HttpTokens"]), InstanceMetadataTags: api.Some(words["InstanceMetadataTags"]), ManagedBy: new("account")}
	if m.HopLimit != nil {
		out.HttpPutResponseHopLimit = new(int32(*m.HopLimit))
	}
	if m.TokensEnforced {
		out.HttpTokensEnforced = new("enabled")
	}
	return &GetInstanceMetadataDefaultsOutput{AccountLevel: out}, nil
}

// modifyInstanceMetadataDefaults is ModifyInstanceMetadataDefaults: what a request leaves out stays as it is.
func (h *handler) modifyInstanceMetadataDefaults(ctx context.Context, c *api.Call, in *ModifyInstanceMetadataDefaultsInput) (*ModifyInstanceMetadataDefaultsOutput, error) {
	rev, err := h.plane.ModifyAccountMetadata(ctx, caller(c, in.DryRun), func(m *controlplane.AccountMetadata) {
		if in.HttpEndpoint != nil {
			m.Endpoint = word(in.HttpEndpoint, "enabled")
		}
		if in.HttpTokens != nil {
			m.TokensRequired = word(in.HttpTokens, "required")
		}
		if in.InstanceMetadataTags != nil {
			m.Tags = word(in.InstanceMetadataTags, "enabled")
		}
		if in.HttpPutResponseHopLimit != nil {
			m.HopLimit = count(in.HttpPutResponseHopLimit)
		}
		if api.Value(m.HopLimit) == -1 {
			m.HopLimit = nil // no preference
		}
		if in.HttpTokensEnforced != nil {
			m.TokensEnforced = *in.HttpTokensEnforced == "enabled"
		}
	})
	return api.Done(c, &ModifyInstanceMetadataDefaultsOutput{Return: new(true)}, rev, err)
}
