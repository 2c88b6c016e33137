package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

// Limits of sessions (STS API reference, AssumeRole).
const (
	maxSessionPolicy     = 2048
	maxSessionPolicyARNs = 10
	// packedLimit is how large a session's policies and tags may be together, in bytes of JSON. It keeps a
	// token well below what a request's head may hold.
	packedLimit = 8192
)

// AssumeRole is what a caller asks of Identity.AssumeRole.
type AssumeRole struct {
	RoleARN         string
	SessionName     string
	ExternalID      string
	DurationSeconds int // 0: an hour
	Tags            map[string]string
	Policy          string   // session policy
	PolicyARNs      []string // managed policies as session policies
	SourceIP        string   // of the request, for conditions
}

// Credentials are those of a session.
type Credentials struct {
	AccessKeyID     string // ASIA…
	SecretAccessKey trellis.Secret
	SessionToken    string
	Expiration      time.Time
	AssumedRoleARN  string // arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION
	AssumedRoleID   string // AROA…:SESSION
	PackedSize      int    // percent of what policies and tags may take
}

// AssumeRole makes a session of a role. The role's trust policy must allow it. The caller's own policies must
// allow it too, unless the caller is in the role's account and the trust policy names the caller itself
// (IAM user guide, cross-account policy evaluation logic).
func (i *Identity) AssumeRole(ctx context.Context, c *authpolicy.Caller, in AssumeRole) (*Credentials, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	denied := trellis.NewError(403, "AccessDenied", "User: %s is not authorized to perform: sts:AssumeRole on resource: %s", c.Principal.ARN, in.RoleARN)
	r, err := i.roleByARN(ctx, in.RoleARN)
	if errors.Is(err, trellis.ErrNotExist) {
		return nil, denied // whether a role exists is not told
	}
	if err != nil {
		return nil, err
	}
	actions := []string{"sts:AssumeRole"}
	if len(in.Tags) > 0 {
		actions = append(actions, "sts:TagSession")
	}
	for _, action := range actions {
		if !i.mayAssume(c, r, action, &in) {
			return nil, trellis.NewError(403, "AccessDenied", "User: %s is not authorized to perform: %s on resource: %s", c.Principal.ARN, action, in.RoleARN)
		}
	}
	longest := r.MaxSessionSeconds
	if c.Principal.Type == trellis.PrincipalAssumedRole && in.DurationSeconds > maxChainedSession {
		return nil, stsInvalid("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining")
	}
	if in.DurationSeconds > longest {
		return nil, stsInvalid("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	for _, arn := range in.PolicyARNs {
		err := i.o.Store.Read(ctx, func(tx *store.Tx) error {
			_, err := managedPolicy(tx, r.Account, arn, noPolicy(arn))
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return i.makeSession(r, &in)
}

// check refuses what STS refuses whoever asks, and fills in the default duration.
func (in *AssumeRole) check() error {
	a, err := trellis.ParseARN(in.RoleARN)
	if err != nil || a.Service != "iam" || !trellis.IsAccountID(a.Account) || !strings.HasPrefix(a.Resource, "role/") {
		return stsInvalid("%s is invalid", in.RoleARN)
	}
	if !sessionNameForm.MatchString(in.SessionName) {
		return stsInvalid("1 validation error detected: Value '%s' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*", in.SessionName)
	}
	if in.DurationSeconds == 0 {
		in.DurationSeconds = defaultSession
	}
	if in.DurationSeconds < minSession || in.DurationSeconds > maxSessionOfAnyRole {
		return stsInvalid("1 validation error detected: Value '%d' at 'durationSeconds' failed to satisfy constraint: Member must have value between %d and %d", in.DurationSeconds, minSession, maxSessionOfAnyRole)
	}
	if len(in.Tags) > trellis.MaxTags {
		return stsInvalid("A session has at most %d tags.", trellis.MaxTags)
	}
	for k, v := range in.Tags {
		if fault := trellis.CheckTag(k, v); fault != "" {
			return stsInvalid("The session tag %s is not valid: %s", k, fault)
		}
	}
	if len(in.PolicyARNs) > maxSessionPolicyARNs {
		return stsInvalid("A session has at most %d managed session policies.", maxSessionPolicyARNs)
	}
	if in.Policy != "" {
		if len(in.Policy) > maxSessionPolicy {
			return stsInvalid("1 validation error detected: Value at 'policy' failed to satisfy constraint: Member must have length less than or equal to %d", maxSessionPolicy)
		}
		if _, err := authpolicy.Parse(in.Policy, authpolicy.Session); err != nil {
			return malformedPolicy(err)
		}
	}
	return nil
}

// keys are the condition keys that STS knows of the request.
func (in *AssumeRole) keys() map[string][]string {
	m := tagKeys(in.Tags)
	if m == nil {
		m = map[string][]string{}
	}
	m["sts:rolesessionname"] = []string{in.SessionName}
	if in.ExternalID != "" {
		m["sts:externalid"] = []string{in.ExternalID}
	}
	return m
}

// mayAssume decides one action of a caller on a role.
func (i *Identity) mayAssume(c *authpolicy.Caller, r *trellis.Role, action string, in *AssumeRole) bool {
	req := &authpolicy.Request{Action: action, Resource: r.ARN(), Caller: c, Now: i.o.Now(), ResourceTags: r.Tags, Extra: in.keys()}
	if ip, err := netip.ParseAddr(in.SourceIP); err == nil {
		req.SourceIP = ip
	}
	trust, err := authpolicy.Parse(r.TrustPolicy, authpolicy.Trust)
	if err != nil {
		return false
	}
	effect, statement := trust.Decide(req)
	if effect != authpolicy.Allow {
		return false
	}
	if c.Principal.Type == trellis.PrincipalService {
		return true // a service has no policies of its own
	}
	if c.Principal.Account == r.Account && namesCaller(r.TrustPolicy, statement, &c.Principal) {
		return c.Broken == nil && !denies(c, req)
	}
	return c.AuthorizeRequest(req) == nil
}

// denies tells whether one of the caller's own policies denies explicitly.
func denies(c *authpolicy.Caller, req *authpolicy.Request) bool {
	layers := append([]authpolicy.Policies{c.Identity, c.Session}, c.Organization...)
	if c.Boundary != nil {
		layers = append(layers, authpolicy.Policies{*c.Boundary})
	}
	return slices.ContainsFunc(layers, func(l authpolicy.Policies) bool {
		effect, _ := l.Decide(req)
		return effect == authpolicy.ExplicitDeny
	})
}

// namesCaller tells whether the statement of a trust policy that allowed names the caller itself, rather than
// its account, which would leave it to the account's own policies.
func namesCaller(text string, allowed *authpolicy.Statement, p *trellis.Principal) bool {
	type statement struct{ Principal json.RawMessage }
	var doc struct{ Statement json.RawMessage }
	if allowed == nil || json.Unmarshal([]byte(text), &doc) != nil {
		return false
	}
	var list []statement
	if json.Unmarshal(doc.Statement, &list) != nil {
		list = make([]statement, 1)
		if json.Unmarshal(doc.Statement, &list[0]) != nil {
			return false
		}
	}
	if allowed.Index >= len(list) {
		return false
	}
	var principal struct{ AWS json.RawMessage }
	if json.Unmarshal(list[allowed.Index].Principal, &principal) != nil {
		return false
	}
	var names []string
	if json.Unmarshal(principal.AWS, &names) != nil {
		names = make([]string, 1)
		if json.Unmarshal(principal.AWS, &names[0]) != nil {
			return false
		}
	}
	return slices.Contains(names, p.ARN) || slices.Contains(names, p.PolicyARN)
}

// roleByARN reads a role of any account; trellis.ErrNotExist when there is none of that very ARN.
func (i *Identity) roleByARN(ctx context.Context, arn string) (r *trellis.Role, err error) {
	a, err := trellis.ParseARN(arn)
	if err != nil || a.Service != "iam" || !strings.HasPrefix(a.Resource, "role/") {
		return nil, fmt.Errorf("role %s: %w", arn, trellis.ErrNotExist)
	}
	err = i.o.Store.Read(ctx, func(tx *store.Tx) error {
		if r, err = store.Get[*trellis.Role](tx, a.Account+"/"+trellis.LastPart(a.Resource)); err != nil {
			return err
		}
		if r.ARN() != arn {
			return fmt.Errorf("role %s: %w", arn, trellis.ErrNotExist)
		}
		account, err := store.Get[*trellis.Account](tx, a.Account)
		if err == nil && account.Status != AccountActive {
			return fmt.Errorf("role %s: %w", arn, trellis.ErrNotExist)
		}
		return err
	})
	return r, err
}

// SessionForService makes a session of a role for a service that hands it on, for example ec2.amazonaws.com
// for an instance's metadata endpoint. The role's trust policy must allow the service. Sessions last an hour.
func (i *Identity) SessionForService(ctx context.Context, roleARN, service, sessionName string) (*Credentials, error) {
	r, err := i.roleByARN(ctx, roleARN)
	if err != nil {
		return nil, err
	}
	in := &AssumeRole{RoleARN: roleARN, SessionName: sessionName, DurationSeconds: defaultSession}
	if err := in.check(); err != nil {
		return nil, err
	}
	c := &authpolicy.Caller{Principal: trellis.Principal{Type: trellis.PrincipalService, Service: service, ARN: service, PolicyARN: service}}
	if !i.mayAssume(c, r, "sts:AssumeRole", in) {
		return nil, trellis.NewError(403, "AccessDenied", "%s is not authorized to perform: sts:AssumeRole on resource: %s", service, roleARN)
	}
	return i.makeSession(r, in)
}

// makeSession seals a session of a role.
func (i *Identity) makeSession(r *trellis.Role, in *AssumeRole) (*Credentials, error) {
	now := i.o.Now().UTC()
	secret := newSecret()
	s := &session{
		AccessKeyID: newID("ASIA", 16), Secret: tokenSecret(secret.Reveal()), Account: r.Account, RoleName: r.Name, RoleID: r.ID,
		Name: in.SessionName, Tags: maps.Clone(in.Tags), Policy: in.Policy, PolicyARNs: in.PolicyARNs,
		IssuedAt: now, Expires: now.Add(time.Duration(in.DurationSeconds) * time.Second).Truncate(time.Second),
	}
	packed := len(s.Policy)
	for k, v := range s.Tags {
		packed += len(k) + len(v) + 6
	}
	for _, arn := range s.PolicyARNs {
		packed += len(arn) + 3
	}
	percent := (100*packed + packedLimit - 1) / packedLimit
	if percent > 100 {
		return nil, trellis.NewError(400, "PackedPolicyTooLarge", "The session policies and tags take %d%% of the allowed size.", percent)
	}
	token, err := sealSession(i.sessionKey, s)
	if err != nil {
		return nil, err
	}
	return &Credentials{
		AccessKeyID: s.AccessKeyID, SecretAccessKey: secret, SessionToken: token, Expiration: s.Expires,
		AssumedRoleARN: assumedRoleARN(r, s.Name), AssumedRoleID: r.ID + ":" + s.Name, PackedSize: percent,
	}, nil
}
