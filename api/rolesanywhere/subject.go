package rolesanywhere

import (
	"context"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
)

// getSubject serves GetSubject.
func (h *handler) getSubject(ctx context.Context, c *api.Call, in *GetSubjectInput) (*GetSubjectOutput, error) {
	n, err := h.identity.GetSubject(ctx, c.Caller, in.SubjectId)
	if err != nil {
		return nil, err
	}
	return &GetSubjectOutput{Subject: &SubjectDetail{
		SubjectId: &n.ID, SubjectArn: new(n.ARN(h.region)), X509Subject: &n.Name, Enabled: new(true), CreatedAt: &n.CreatedAt, UpdatedAt: &n.UpdatedAt,
		LastSeenAt: &n.LastSeenAt, Credentials: api.Each(n.Credentials, credential), InstanceProperties: []InstanceProperty{},
	}}, nil
}

// credential is a certificate that a session was asked with, as answers have it.
func credential(n trellis.AnywhereCredential) CredentialSummary {
	return CredentialSummary{SerialNumber: &n.Serial, Issuer: &n.Issuer, X509CertificateData: &n.CertificatePEM, SeenAt: &n.SeenAt, Failed: &n.Failed, Enabled: new(true)}
}

// listSubjects serves ListSubjects.
func (h *handler) listSubjects(ctx context.Context, c *api.Call, in *ListSubjectsInput) (*ListSubjectsOutput, error) {
	all, err := h.identity.ListSubjects(ctx, c.Caller)
	if err != nil {
		return nil, err
	}
	page, next, err := pageOf(c, all, func(n *trellis.AnywhereSubject) string { return n.ID }, in.NextToken, in.PageSize)
	if err != nil {
		return nil, err
	}
	return &ListSubjectsOutput{NextToken: next, Subjects: api.Each(page, func(n *trellis.AnywhereSubject) SubjectSummary {
		return SubjectSummary{SubjectId: &n.ID, SubjectArn: new(n.ARN(h.region)), X509Subject: &n.Name, Enabled: new(true),
			CreatedAt: &n.CreatedAt, UpdatedAt: &n.UpdatedAt, LastSeenAt: &n.LastSeenAt}
	})}, nil
}
