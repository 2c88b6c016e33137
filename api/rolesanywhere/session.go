package rolesanywhere

import (
	"cmp"
	"context"
	"reflect"
	"slices"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/api/wire"
	"github.com/trellis-project/trellis/identity"
)

// CreateSessionInput is what CreateSession takes. AWS's models have no CreateSession; its form is in the IAM Roles Anywhere
// user guide, authentication-create-session. The ARNs are in the query or in the body.
type CreateSessionInput struct {
	DurationSeconds     *int32            `wire:"durationSeconds" range:"900:43200"`
	InstanceProperties  map[string]string `wire:"instanceProperties"` // for future use, as on AWS
	ProfileArn          *string           `wire:"profileArn" len:"1:1011"`
	QueryProfileArn     *string           `wire:"profileArn" in:"query" len:"1:1011"`
	RoleArn             *string           `wire:"roleArn" len:"1:1011"`
	QueryRoleArn        *string           `wire:"roleArn" in:"query" len:"1:1011"`
	RoleSessionName     *string           `wire:"roleSessionName" len:"2:64" pattern:"[\\w+=,.@-]*"`
	SessionName         *string           `wire:"sessionName"` // of no effect any more
	TrustAnchorArn      *string           `wire:"trustAnchorArn" len:"1:1011"`
	QueryTrustAnchorArn *string           `wire:"trustAnchorArn" in:"query" len:"1:1011"`
}

// CreateSessionOutput is what CreateSession answers.
type CreateSessionOutput struct {
	CredentialSet []CredentialResponse `wire:"credentialSet"`
	SubjectArn    *string              `wire:"subjectArn"`
}

// CredentialResponse is a session.
type CredentialResponse struct {
	AssumedRoleUser  *AssumedRoleUser `wire:"assumedRoleUser"`
	Credentials      *Credentials     `wire:"credentials"`
	PackedPolicySize *int32           `wire:"packedPolicySize"`
	RoleArn          *string          `wire:"roleArn"`
	SourceIdentity   *string          `wire:"sourceIdentity"`
}

// AssumedRoleUser is whom a session is of.
type AssumedRoleUser struct {
	Arn           *string `wire:"arn"`
	AssumedRoleId *string `wire:"assumedRoleId"`
}

// Credentials are a session's.
type Credentials struct {
	AccessKeyId     *string    `wire:"accessKeyId"`
	Expiration      *time.Time `wire:"expiration" time:"iso8601"`
	SecretAccessKey *string    `wire:"secretAccessKey" sensitive:"true"`
	SessionToken    *string    `wire:"sessionToken"`
}

// withCreateSession adds CreateSession to AWS's model.
func withCreateSession(m *wire.Model) *wire.Model {
	m.Operations = append(m.Operations, wire.Operation{Name: "CreateSession", Method: "POST", Path: "/sessions", Status: 201,
		In: reflect.TypeFor[CreateSessionInput](), Out: reflect.TypeFor[CreateSessionOutput](),
		Errors: []string{"AccessDeniedException", "ResourceNotFoundException", "ServiceUnavailableException", "ValidationException"}})
	slices.SortFunc(m.Operations, func(a, b wire.Operation) int { return cmp.Compare(a.Name, b.Name) })
	return m
}

// createSession serves CreateSession.
func (h *handler) createSession(ctx context.Context, c *api.Call, in *CreateSessionInput) (*CreateSessionOutput, error) {
	ask := identity.CreateSession{AnchorARN: api.Value(cmp.Or(in.QueryTrustAnchorArn, in.TrustAnchorArn)), ProfileARN: api.Value(cmp.Or(in.QueryProfileArn, in.ProfileArn)),
		RoleARN: api.Value(cmp.Or(in.QueryRoleArn, in.RoleArn)), SessionName: api.Value(in.RoleSessionName), DurationSeconds: int(api.Value(in.DurationSeconds)),
		Leaf: c.Certificate.Leaf, Chain: c.Certificate.Chain, SourceIP: c.SourceIP}
	if ask.AnchorARN == "" || ask.ProfileARN == "" || ask.RoleARN == "" {
		return nil, trellis.NewError(400, "ValidationException", "trustAnchorArn, profileArn and roleArn must be given.")
	}
	s, err := h.identity.CreateSession(ctx, ask)
	if err != nil {
		return nil, err
	}
	return &CreateSessionOutput{SubjectArn: &s.SubjectARN, CredentialSet: []CredentialResponse{{
		AssumedRoleUser: &AssumedRoleUser{Arn: &s.AssumedRoleARN, AssumedRoleId: &s.AssumedRoleID},
		Credentials: &Credentials{AccessKeyId: &s.AccessKeyID, SecretAccessKey: new(s.SecretAccessKey.Reveal()), SessionToken: &s.SessionToken,
			Expiration: &s.Expiration},
		PackedPolicySize: new(int32(s.PackedSize)), RoleArn: &ask.RoleARN, SourceIdentity: api.Some(s.SourceIdentity),
	}}}, nil
}
