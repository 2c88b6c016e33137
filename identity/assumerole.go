package identity

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
)

// AssumeRole is what a caller asks of Identity.AssumeRole.
type AssumeRole struct {
	RoleARN         string
	SessionName     string
	ExternalID      string
	DurationSeconds int // 0: an hour
	Tags            map[string]string
	TransitiveTags  []string // keys of Tags that go on to sessions made with this one
	Policy          string   // session policy
	PolicyARNs      []string // managed policies as session policies
	SourceIdentity  string
	MFASerial       string // of the caller's MFA device
	MFACode         string
}

// AssumeRole makes a session of a role. The role's trust policy must allow it; trusts says when the caller's own
// policies must allow it too. A caller that is a session hands on its source identity and its transitive tags.
func (i *Identity) AssumeRole(ctx context.Context, c *authpolicy.Caller, in AssumeRole) (*Credentials, error) {
	if !isRoleARN(in.RoleARN) {
		return nil, stsInvalid("%s is invalid", in.RoleARN)
	}
	switch c.Principal.Type {
	case trellis.PrincipalAccount:
		return nil, trellis.NewError(403, "AccessDenied", "Roles may not be assumed by root accounts.")
	case trellis.PrincipalFederated: // may call GetCallerIdentity alone (STS API reference, GetFederationToken)
		return nil, trellis.NewError(403, "AccessDenied", "Cannot call AssumeRole with the credentials of a federated user")
	}
	q, err := in.request(&c.Principal)
	if err != nil {
		return nil, err
	}
	return i.session(ctx, q, in.RoleARN, c, func(action string) *trellis.Error {
		return trellis.NewError(403, "AccessDenied", "User: %s is not authorized to perform: %s on resource: %s", c.Principal.ARN, action, in.RoleARN)
	})
}

// isRoleARN tells whether a text has the form of a role's ARN.
func isRoleARN(arn string) bool {
	a, err := trellis.ParseARN(arn)
	return err == nil && a.Service == "iam" && trellis.IsAccountID(a.Account) && strings.HasPrefix(a.Resource, "role/")
}

// request is the session that is asked for, with what the calling session hands on.
func (in *AssumeRole) request(by *trellis.Principal) (*sessionRequest, error) {
	if err := checkMFA(in.MFASerial, in.MFACode); err != nil {
		return nil, err
	}
	q := &sessionRequest{action: "sts:AssumeRole", name: in.SessionName, seconds: in.DurationSeconds, tags: in.Tags, transitive: in.TransitiveTags,
		policy: in.Policy, policyARNs: in.PolicyARNs, sourceIdentity: in.SourceIdentity, keys: map[string][]string{},
		chained: by.Type == trellis.PrincipalAssumedRole}
	if in.ExternalID != "" {
		q.keys["sts:externalid"] = []string{in.ExternalID}
	}
	if err := q.check(); err != nil {
		return nil, err
	}
	return q, q.inherit(by)
}

// inherit adds what a calling session hands on: its source identity, which can't be changed any more, and its
// transitive tags, which can't be given another value (IAM user guide, id_session-tags, id_credentials_temp_control-access_monitor).
func (q *sessionRequest) inherit(by *trellis.Principal) error {
	switch {
	case by.SourceIdentity == "":
	case q.sourceIdentity != "" && q.sourceIdentity != by.SourceIdentity:
		return trellis.NewError(403, "AccessDenied", "The source identity of the calling session can't be changed.")
	default:
		q.sourceIdentity = by.SourceIdentity
	}
	if len(by.TransitiveTags) == 0 {
		return nil
	}
	own := make(map[string]bool, len(q.tags))
	for k := range q.tags {
		own[lower(k)] = true
	}
	q.tags, q.transitive = maps.Clone(q.tags), slices.Clone(q.transitive)
	if q.tags == nil {
		q.tags = map[string]string{}
	}
	for _, k := range by.TransitiveTags {
		if own[lower(k)] {
			return stsParameter("One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.")
		}
		q.tags[k] = by.Tags[k]
		q.transitive = append(q.transitive, k)
	}
	if len(q.tags) > trellis.MaxTags {
		return stsInvalid("A session has at most %d tags, those of the calling session that are transitive among them.", trellis.MaxTags)
	}
	return nil
}

// checkMFA answers a code of an MFA device, of which no user has one.
func checkMFA(serial, code string) error {
	switch {
	case serial == "" && code == "":
		return nil
	case serial == "" || code == "":
		return trellis.NewError(403, "AccessDenied", "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.")
	}
	return trellis.NewError(403, "AccessDenied", "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is valid and associated with this user.")
}
