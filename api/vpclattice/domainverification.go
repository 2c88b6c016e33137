package vpclattice

import (
	"context"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
)

// txtMethod is the record that shows who owns the domain of a verification.
func txtMethod(v *trellis.DomainVerification) *TxtMethodConfig {
	return &TxtMethodConfig{Name: v.TXTName, Value: v.TXTValue}
}

// startDomainVerification serves StartDomainVerification.
func (h *handler) startDomainVerification(ctx context.Context, c *api.Call, in *StartDomainVerificationInput) (*StartDomainVerificationOutput, error) {
	v, rev, err := h.plane.StartDomainVerification(ctx, c.Caller, api.Or(in.ClientToken, ""), in.DomainName, in.Tags)
	if err != nil {
		return nil, err
	}
	c.Committed(rev)
	return &StartDomainVerificationOutput{Arn: v.ARN(h.region), Id: v.ID, DomainName: v.DomainName, Status: string(v.Status), TxtMethodConfig: txtMethod(v)}, nil
}

// getDomainVerification serves GetDomainVerification.
func (h *handler) getDomainVerification(ctx context.Context, c *api.Call, in *GetDomainVerificationInput) (*GetDomainVerificationOutput, error) {
	v, err := h.plane.GetDomainVerification(ctx, c.Caller, in.DomainVerificationIdentifier)
	if err != nil {
		return nil, err
	}
	return &GetDomainVerificationOutput{Arn: v.ARN(h.region), Id: v.ID, DomainName: v.DomainName, Status: string(v.Status), TxtMethodConfig: txtMethod(v),
		CreatedAt: v.CreatedAt, LastVerifiedTime: at(v.LastVerifiedAt), Tags: v.Tags}, nil
}

// deleteDomainVerification serves DeleteDomainVerification.
func (h *handler) deleteDomainVerification(ctx context.Context, c *api.Call, in *DeleteDomainVerificationInput) (*DeleteDomainVerificationOutput, error) {
	rev, err := h.plane.DeleteDomainVerification(ctx, c.Caller, in.DomainVerificationIdentifier)
	return api.Done(c, &DeleteDomainVerificationOutput{}, rev, err)
}

// listDomainVerifications serves ListDomainVerifications.
func (h *handler) listDomainVerifications(ctx context.Context, c *api.Call, in *ListDomainVerificationsInput) (*ListDomainVerificationsOutput, error) {
	pg, err := page(c, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	list, next, err := h.plane.ListDomainVerifications(ctx, c.Caller, pg)
	if err != nil {
		return nil, err
	}
	out := &ListDomainVerificationsOutput{NextToken: c.NextToken(next)}
	for _, v := range list {
		out.Items = append(out.Items, DomainVerificationSummary{Arn: v.ARN(h.region), Id: v.ID, DomainName: v.DomainName, Status: string(v.Status),
			TxtMethodConfig: txtMethod(v), CreatedAt: v.CreatedAt, LastVerifiedTime: at(v.LastVerifiedAt), Tags: v.Tags})
	}
	return out, nil
}
