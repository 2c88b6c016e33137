package vpclattice

import (
	"context"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/controlplane"
)

// createService serves CreateService.
func (h *handler) createService(ctx context.Context, c *api.Call, in *CreateServiceInput) (*CreateServiceOutput, error) {
	s, rev, err := h.plane.CreateService(ctx, c.Caller, api.Or(in.ClientToken, ""), trellis.Service{
		Meta:               trellis.Meta{Tags: in.Tags},
		Name:               in.Name,
		AuthType:           trellis.AuthType(api.Or(in.AuthType, "")),
		CustomDomainName:   api.Or(in.CustomDomainName, ""),
		CertificateARN:     api.Or(in.CertificateArn, ""),
		IdleTimeoutSeconds: int(api.Or(in.IdleTimeoutSeconds, 0)),
	})
	if err != nil {
		return nil, err
	}
	c.Committed(rev)
	return &CreateServiceOutput{
		Arn: new(s.ARN(h.region)), Id: &s.ID, Name: &s.Name, Status: text(s.Status), AuthType: text(s.AuthType),
		CertificateArn: text(s.CertificateARN), CustomDomainName: text(s.CustomDomainName),
		IdleTimeoutSeconds: number(s.IdleTimeoutSeconds), DnsEntry: h.dnsEntry(s),
	}, nil
}

// getService serves GetService.
func (h *handler) getService(ctx context.Context, c *api.Call, in *GetServiceInput) (*GetServiceOutput, error) {
	s, err := h.plane.GetService(ctx, c.Caller, in.ServiceIdentifier)
	if err != nil {
		return nil, err
	}
	return &GetServiceOutput{
		Arn: new(s.ARN(h.region)), Id: &s.ID, Name: &s.Name, Status: text(s.Status), AuthType: text(s.AuthType),
		CertificateArn: text(s.CertificateARN), CustomDomainName: text(s.CustomDomainName), DnsEntry: h.dnsEntry(s),
		IdleTimeoutSeconds: number(s.IdleTimeoutSeconds), FailureCode: text(s.FailureCode), FailureMessage: text(s.FailureMessage),
		CreatedAt: at(s.CreatedAt), LastUpdatedAt: at(s.UpdatedAt),
	}, nil
}

// updateService serves UpdateService.
func (h *handler) updateService(ctx context.Context, c *api.Call, in *UpdateServiceInput) (*UpdateServiceOutput, error) {
	ch := controlplane.ServiceChange{CertificateARN: in.CertificateArn, IdleTimeoutSeconds: api.Int(in.IdleTimeoutSeconds)}
	if in.AuthType != nil {
		ch.AuthType = new(trellis.AuthType(*in.AuthType))
	}
	s, rev, err := h.plane.UpdateService(ctx, c.Caller, in.ServiceIdentifier, ch)
	if err != nil {
		return nil, err
	}
	c.Committed(rev)
	return &UpdateServiceOutput{
		Arn: new(s.ARN(h.region)), Id: &s.ID, Name: &s.Name, AuthType: text(s.AuthType),
		CertificateArn: text(s.CertificateARN), CustomDomainName: text(s.CustomDomainName), IdleTimeoutSeconds: number(s.IdleTimeoutSeconds),
	}, nil
}

// deleteService serves DeleteService.
func (h *handler) deleteService(ctx context.Context, c *api.Call, in *DeleteServiceInput) (*DeleteServiceOutput, error) {
	s, rev, err := h.plane.DeleteService(ctx, c.Caller, in.ServiceIdentifier)
	if err != nil {
		return nil, err
	}
	c.Committed(rev)
	return &DeleteServiceOutput{Arn: new(s.ARN(h.region)), Id: &s.ID, Name: &s.Name, Status: text(s.Status)}, nil
}

// listServices serves ListServices.
func (h *handler) listServices(ctx context.Context, c *api.Call, in *ListServicesInput) (*ListServicesOutput, error) {
	pg, err := page(c, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	list, next, err := h.plane.ListServices(ctx, c.Caller, pg)
	if err != nil {
		return nil, err
	}
	out := &ListServicesOutput{NextToken: c.NextToken(next)}
	for _, s := range list {
		out.Items = append(out.Items, ServiceSummary{
			Arn: new(s.ARN(h.region)), Id: &s.ID, Name: &s.Name, Status: text(s.Status), DnsEntry: h.dnsEntry(s),
			CustomDomainName: text(s.CustomDomainName), CreatedAt: at(s.CreatedAt), LastUpdatedAt: at(s.UpdatedAt),
		})
	}
	return out, nil
}
