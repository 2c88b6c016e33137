package identity

import (
	"context"
	"maps"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
)

// Limits of sessions of users (STS API reference, GetSessionToken and GetFederationToken).
const (
	defaultUserSession = 43200  // seconds
	maxUserSession     = 129600 // seconds
	maxRootSession     = 3600   // seconds, of the root of an account
)

// SessionToken makes a session of the calling user itself, or of the root of an account. Nobody needs a permission for
// it, and the session may do what the user may, but for IAM and most of STS (STS API reference, GetSessionToken).
func (i *Identity) SessionToken(ctx context.Context, c *authpolicy.Caller, seconds int, mfaSerial, mfaCode string) (*Credentials, error) {
	if err := longLived(c, "GetSessionToken"); err != nil {
		return nil, err
	}
	if err := checkMFA(mfaSerial, mfaCode); err != nil {
		return nil, err
	}
	seconds, err := userSessionSeconds(c, seconds)
	if err != nil {
		return nil, err
	}
	return i.seal(ctx, userSessionOf(c, userSession), seconds)
}

// FederationToken is what a user asks of Identity.FederationToken.
type FederationToken struct {
	Name            string // of whom the user vouches for
	DurationSeconds int    // 0: twelve hours
	Tags            map[string]string
	Policy          string // session policy
	PolicyARNs      []string
}

// FederatedCredentials are those of a session of a federated user.
type FederatedCredentials struct {
	*Credentials
	ARN string // arn:aws:sts::ACCOUNT:federated-user/NAME
	ID  string // ACCOUNT:NAME
}

// FederationToken makes a session for whom the calling user vouches. It may do what both the user and the session's
// policies allow: nothing without a policy (STS API reference, GetFederationToken).
func (i *Identity) FederationToken(ctx context.Context, c *authpolicy.Caller, in FederationToken) (*FederatedCredentials, error) {
	if err := longLived(c, "GetFederationToken"); err != nil {
		return nil, err
	}
	q := &sessionRequest{action: "sts:GetFederationToken", name: in.Name, seconds: minSession, tags: in.Tags, policy: in.Policy, policyARNs: in.PolicyARNs}
	if err := q.check(); err != nil {
		return nil, err
	}
	seconds, err := userSessionSeconds(c, in.DurationSeconds)
	if err != nil {
		return nil, err
	}
	arn := federatedARN(c.Principal.Account, in.Name)
	for _, action := range q.actions() {
		if c.AuthorizeRequest(&authpolicy.Request{Action: action, Resource: arn, Now: i.o.Now(), Extra: authpolicy.TagKeys(nil, in.Tags, nil)}) != nil {
			return nil, trellis.NewError(403, "AccessDenied", "User: %s is not authorized to perform: %s on resource: %s", c.Principal.ARN, action, arn)
		}
	}
	if err := i.policiesExist(ctx, c.Principal.Account, in.PolicyARNs); err != nil {
		return nil, err
	}
	s := userSessionOf(c, federatedSession)
	s.Name, s.Tags, s.Policy, s.PolicyARNs = in.Name, maps.Clone(in.Tags), in.Policy, in.PolicyARNs
	made, err := i.seal(ctx, s, seconds)
	if err != nil {
		return nil, err
	}
	return &FederatedCredentials{Credentials: made, ARN: arn, ID: c.Principal.Account + ":" + in.Name}, nil
}

// longLived refuses a caller that is a session itself.
func longLived(c *authpolicy.Caller, operation string) error {
	switch c.Principal.Type {
	case trellis.PrincipalUser, trellis.PrincipalAccount:
		if c.Principal.TokenIssuedAt.IsZero() {
			return nil
		}
	}
	return trellis.NewError(403, "AccessDenied", "Cannot call %s with session credentials", operation)
}

// userSessionSeconds is how long a session of a user lasts.
func userSessionSeconds(c *authpolicy.Caller, seconds int) (int, error) {
	if seconds == 0 {
		seconds = defaultUserSession
	}
	if seconds < minSession || seconds > maxUserSession {
		return 0, stsInvalid("1 validation error detected: Value '%d' at 'durationSeconds' failed to satisfy constraint: Member must have value between %d and %d", seconds, minSession, maxUserSession)
	}
	if c.Principal.Type == trellis.PrincipalAccount {
		seconds = min(seconds, maxRootSession)
	}
	return seconds, nil
}

// userSessionOf is a session that stands on a user or the root of an account.
func userSessionOf(c *authpolicy.Caller, kind sessionKind) *session {
	s := &session{Kind: kind, Account: c.Principal.Account}
	if c.Principal.Type == trellis.PrincipalUser {
		s.RoleName, s.RoleID = trellis.LastPart(c.Principal.ARN), c.Principal.UserID
	}
	return s
}

// federatedARN is the ARN of a federated user.
func federatedARN(account, name string) string {
	return trellis.ARN{Partition: "aws", Service: "sts", Account: account, Resource: "federated-user/" + name}.String()
}
