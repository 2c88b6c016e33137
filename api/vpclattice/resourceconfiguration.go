package vpclattice

import (
	"context"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/controlplane"
)

// createResourceConfiguration serves CreateResourceConfiguration.
func (h *handler) createResourceConfiguration(ctx context.Context, c *api.Call, in *CreateResourceConfigurationInput) (*CreateResourceConfigurationOutput, error) {
	m, rev, err := h.plane.CreateResourceConfiguration(ctx, c.Caller, api.Or(in.ClientToken, ""), controlplane.NewResourceConfiguration{
		Name: in.Name, Type: trellis.ConfigurationType(in.Type), Gateway: api.Or(in.ResourceGatewayIdentifier, ""),
		Group: api.Or(in.ResourceConfigurationGroupIdentifier, ""), Protocol: api.Or(in.Protocol, ""), PortRanges: in.PortRanges,
		Definition: readDefinition(in.ResourceConfigurationDefinition), AllowShareable: in.AllowAssociationToShareableServiceNetwork,
		CustomDomainName: api.Or(in.CustomDomainName, ""), GroupDomain: api.Or(in.GroupDomain, ""),
		Verification: api.Or(in.DomainVerificationIdentifier, ""), Tags: in.Tags,
	})
	if err != nil {
		return nil, err
	}
	c.Committed(rev)
	out := &CreateResourceConfigurationOutput{
		Arn: new(m.ARN(h.region)), Id: &m.ID, Name: &m.Name, Type: text(m.Type), Status: text(m.Status), ResourceGatewayId: &m.GatewayID,
		ResourceConfigurationGroupId: text(m.GroupID), Protocol: text(m.Protocol), PortRanges: ports(m.ResourceConfiguration),
		ResourceConfigurationDefinition: definition(m.ResourceConfiguration), AllowAssociationToShareableServiceNetwork: &m.AllowShareable,
		CustomDomainName: text(m.CustomDomainName), GroupDomain: text(m.GroupDomain), CreatedAt: at(m.CreatedAt),
	}
	if v := m.Verification; v != nil {
		out.DomainVerificationId, out.DomainVerificationArn = &v.ID, new(v.ARN(h.region))
	}
	return out, nil
}

// readDefinition reads where a resource is. No wire type may reach the control plane.
func readDefinition(d *ResourceConfigurationDefinition) *controlplane.ResourceDefinition {
	switch {
	case d == nil:
		return nil
	case d.DnsResource != nil:
		return &controlplane.ResourceDefinition{DomainName: api.Or(d.DnsResource.DomainName, ""),
			IPAddressType: trellis.IPAddressType(api.Or(d.DnsResource.IpAddressType, ""))}
	case d.IpResource != nil:
		return &controlplane.ResourceDefinition{Address: api.Or(d.IpResource.IpAddress, "")}
	case d.ArnResource != nil:
		return &controlplane.ResourceDefinition{ARN: api.Or(d.ArnResource.Arn, "")}
	case d.CidrResource != nil:
		return &controlplane.ResourceDefinition{CIDRs: d.CidrResource.CidrRanges}
	}
	return &controlplane.ResourceDefinition{}
}

// definition writes where a resource is, absent for a group.
func definition(m *trellis.ResourceConfiguration) *ResourceConfigurationDefinition {
	switch {
	case m.DomainName != "":
		return &ResourceConfigurationDefinition{DnsResource: &DnsResource{DomainName: &m.DomainName, IpAddressType: text(m.IPAddressType)}}
	case m.Address.IsValid():
		return &ResourceConfigurationDefinition{IpResource: &IpResource{IpAddress: new(m.Address.String())}}
	}
	return nil
}

// ports writes the port ranges of a configuration.
func ports(m *trellis.ResourceConfiguration) (out []string) {
	for _, r := range m.Ports {
		out = append(out, r.String())
	}
	return out
}

// getResourceConfiguration serves GetResourceConfiguration.
func (h *handler) getResourceConfiguration(ctx context.Context, c *api.Call, in *GetResourceConfigurationInput) (*GetResourceConfigurationOutput, error) {
	m, err := h.plane.GetResourceConfiguration(ctx, c.Caller, in.ResourceConfigurationIdentifier)
	if err != nil {
		return nil, err
	}
	out := &GetResourceConfigurationOutput{
		Arn: new(m.ARN(h.region)), Id: &m.ID, Name: &m.Name, Type: text(m.Type), Status: text(m.Status), ResourceGatewayId: &m.GatewayID,
		ResourceConfigurationGroupId: text(m.GroupID), Protocol: text(m.Protocol), PortRanges: ports(m.ResourceConfiguration),
		ResourceConfigurationDefinition: definition(m.ResourceConfiguration), AllowAssociationToShareableServiceNetwork: &m.AllowShareable,
		CustomDomainName: text(m.CustomDomainName), GroupDomain: text(m.GroupDomain), AmazonManaged: new(bool),
		CreatedAt: at(m.CreatedAt), LastUpdatedAt: at(m.UpdatedAt), DomainVerificationStatus: verificationStatus(m),
	}
	if v := m.Verification; v != nil {
		out.DomainVerificationId, out.DomainVerificationArn = &v.ID, new(v.ARN(h.region))
	}
	return out, nil
}

// verificationStatus is how far a configuration's domain is verified, absent without a verification.
func verificationStatus(m *controlplane.ResourceConfiguration) *string {
	if m.Verification == nil {
		return nil
	}
	return text(m.Verification.Status)
}

// updateResourceConfiguration serves UpdateResourceConfiguration.
func (h *handler) updateResourceConfiguration(ctx context.Context, c *api.Call, in *UpdateResourceConfigurationInput) (*UpdateResourceConfigurationOutput, error) {
	m, rev, err := h.plane.UpdateResourceConfiguration(ctx, c.Caller, in.ResourceConfigurationIdentifier, controlplane.ResourceConfigurationChange{
		Definition: readDefinition(in.ResourceConfigurationDefinition), AllowShareable: in.AllowAssociationToShareableServiceNetwork, PortRanges: in.PortRanges})
	if err != nil {
		return nil, err
	}
	c.Committed(rev)
	return &UpdateResourceConfigurationOutput{
		Arn: new(m.ARN(h.region)), Id: &m.ID, Name: &m.Name, Type: text(m.Type), Status: text(m.Status), ResourceGatewayId: &m.GatewayID,
		ResourceConfigurationGroupId: text(m.GroupID), Protocol: text(m.Protocol), PortRanges: ports(m),
		ResourceConfigurationDefinition: definition(m), AllowAssociationToShareableServiceNetwork: &m.AllowShareable,
	}, nil
}

// deleteResourceConfiguration serves DeleteResourceConfiguration.
func (h *handler) deleteResourceConfiguration(ctx context.Context, c *api.Call, in *DeleteResourceConfigurationInput) (*DeleteResourceConfigurationOutput, error) {
	rev, err := h.plane.DeleteResourceConfiguration(ctx, c.Caller, in.ResourceConfigurationIdentifier)
	return api.Done(c, &DeleteResourceConfigurationOutput{}, rev, err)
}

// listResourceConfigurations serves ListResourceConfigurations.
func (h *handler) listResourceConfigurations(ctx context.Context, c *api.Call, in *ListResourceConfigurationsInput) (*ListResourceConfigurationsOutput, error) {
	pg, err := page(c, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	list, next, err := h.plane.ListResourceConfigurations(ctx, c.Caller, controlplane.ConfigurationFilter{Gateway: api.Or(in.ResourceGatewayIdentifier, ""),
		Group: api.Or(in.ResourceConfigurationGroupIdentifier, ""), Verification: api.Or(in.DomainVerificationIdentifier, "")}, pg)
	if err != nil {
		return nil, err
	}
	out := &ListResourceConfigurationsOutput{NextToken: c.NextToken(next)}
	for _, m := range list {
		out.Items = append(out.Items, ResourceConfigurationSummary{
			Arn: new(m.ARN(h.region)), Id: &m.ID, Name: &m.Name, Type: text(m.Type), Status: text(m.Status), ResourceGatewayId: &m.GatewayID,
			ResourceConfigurationGroupId: text(m.GroupID), CustomDomainName: text(m.CustomDomainName), GroupDomain: text(m.GroupDomain),
			DomainVerificationId: text(m.DomainVerificationID), AmazonManaged: new(bool), CreatedAt: at(m.CreatedAt), LastUpdatedAt: at(m.UpdatedAt),
		})
	}
	return out, nil
}
