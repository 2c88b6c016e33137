// Package eksauth serves the API of Amazon EKS Auth (2023-11-26), by which agents on the nodes of Kubernetes clusters get
// credentials for pods. What its operation means is package identity's matter.
package eksauth

import (
	"context"

	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/identity"
)

// handler translates between the wire and identity.
type handler struct{ identity *identity.Identity }

// New returns the service with its table.
func New(i *identity.Identity) api.Service {
	h := &handler{i}
	return api.Service{Model: Model(), Operations: []api.Operation{
		api.Op("AssumeRoleForPodIdentity", h.assumeRoleForPodIdentity),
	}}
}

// assumeRoleForPodIdentity serves AssumeRoleForPodIdentity. Which node and zone the agent says that it is in changes
// nothing.
func (h *handler) assumeRoleForPodIdentity(ctx context.Context, c *api.Call, in *AssumeRoleForPodIdentityInput) (*AssumeRoleForPodIdentityOutput, error) {
	s, err := h.identity.AssumeRoleForPodIdentity(ctx, c.Caller, in.ClusterName, in.Token)
	if err != nil {
		return nil, err
	}
	a := s.Association
	return &AssumeRoleForPodIdentityOutput{
		AssumedRoleUser:        &AssumedRoleUser{Arn: s.AssumedRoleARN, AssumeRoleId: s.AssumedRoleID},
		Audience:               identity.PodIdentityService,
		Credentials:            &Credentials{AccessKeyId: s.AccessKeyID, Expiration: s.Expiration, SecretAccessKey: s.SecretAccessKey.Reveal(), SessionToken: s.SessionToken},
		PodIdentityAssociation: &PodIdentityAssociation{AssociationArn: a.ARN(h.identity.Region()), AssociationId: a.ID},
		Subject:                &Subject{Namespace: a.Namespace, ServiceAccount: a.ServiceAccount},
	}, nil
}
