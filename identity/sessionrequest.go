package identity

import (
	"context"
	"maps"
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

// sessionRequest is what all operations that make a session of a role ask for, whoever vouches for the caller.
type sessionRequest struct {
	action         string // that the trust policy must allow, for example sts:AssumeRole
	name           string // of the session
	seconds        int    // 0: an hour
	tags           map[string]string
	transitive     []string // keys of tags that go on to sessions made with this one
	policy         string
	policyARNs     []string
	sourceIdentity string
	provider       string // ARN
	x509           *trellis.X509
	context        map[string][]string // condition keys in lower case that hold for the session
	keys           map[string][]string // condition keys in lower case that hold for the trust policy's decision
	chained        bool                // made with a session of a role
}

// Credentials are those of a session.
type Credentials struct {
	AccessKeyID     string // ASIA…
	SecretAccessKey trellis.Secret
	SessionToken    string
	Expiration      time.Time
	AssumedRoleARN  string // arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION
	AssumedRoleID   string // AROA…:SESSION
	SourceIdentity  string
	PackedSize      int // percent of what policies and tags may take
}

// check refuses what STS refuses whoever asks, and fills in the default duration.
func (q *sessionRequest) check() error {
	if !sessionNameForm.MatchString(q.name) {
		return stsInvalid("1 validation error detected: Value '%s' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*", q.name)
	}
	if q.seconds == 0 {
		q.seconds = defaultSession
	}
	if q.seconds < minSession || q.seconds > maxSessionOfAnyRole {
		return stsInvalid("1 validation error detected: Value '%d' at 'durationSeconds' failed to satisfy constraint: Member must have value between %d and %d", q.seconds, minSession, maxSessionOfAnyRole)
	}
	if q.sourceIdentity != "" && (!sessionNameForm.MatchString(q.sourceIdentity) || strings.HasPrefix(lower(q.sourceIdentity), "aws:")) {
		return stsInvalid("1 validation error detected: Value '%s' at 'sourceIdentity' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*", q.sourceIdentity)
	}
	if err := q.checkTags(); err != nil {
		return err
	}
	return checkSessionPolicies(q.policy, q.policyARNs)
}

// checkTags refuses session tags that STS refuses, and gives transitive keys the spelling of the tags. Keys are not
// case-sensitive (IAM user guide, id_session-tags).
func (q *sessionRequest) checkTags() error {
	if len(q.tags) > trellis.MaxTags {
		return stsInvalid("1 validation error detected: Value at 'tags' failed to satisfy constraint: Member must have length less than or equal to %d", trellis.MaxTags)
	}
	spelled := map[string]string{} // keys by their lower-case form
	for k, v := range q.tags {
		switch fault := trellis.CheckTag(k, v); {
		case fault == trellis.TagReserved:
			return stsParameter("Tag keys beginning with aws: are reserved: %s", k)
		case fault != "":
			return stsInvalid("The session tag %s is not valid: %s", k, fault)
		case spelled[lower(k)] != "":
			return errTagTwice()
		}
		spelled[lower(k)] = k
	}
	q.transitive = slices.Clone(q.transitive)
	for n, k := range q.transitive {
		if q.transitive[n] = spelled[lower(k)]; q.transitive[n] == "" {
			return stsParameter("The specified transitive tag key must be included in the requested tags.")
		}
	}
	return nil
}

// checkSessionPolicies refuses session policies that STS refuses.
func checkSessionPolicies(policy string, arns []string) error {
	if len(arns) > maxSessionPolicyARNs {
		return stsInvalid("1 validation error detected: Value at 'policyArns' failed to satisfy constraint: Member must have length less than or equal to %d", maxSessionPolicyARNs)
	}
	if len(policy) > maxSessionPolicy {
		return stsInvalid("1 validation error detected: Value at 'policy' failed to satisfy constraint: Member must have length less than or equal to %d", maxSessionPolicy)
	}
	if policy == "" {
		return nil
	}
	if _, err := authpolicy.Parse(policy, authpolicy.Session); err != nil {
		return malformedPolicy(err)
	}
	return nil
}

// actions are those that the trust policy must allow (IAM user guide, id_session-tags and
// id_credentials_temp_control-access_monitor).
func (q *sessionRequest) actions() []string {
	list := []string{q.action}
	if len(q.tags) > 0 {
		list = append(list, "sts:TagSession")
	}
	if q.sourceIdentity != "" {
		list = append(list, "sts:SetSourceIdentity")
	}
	return list
}

// conditionKeys are the condition keys of the request: those of its operation and those of every session.
func (q *sessionRequest) conditionKeys() map[string][]string {
	m := maps.Clone(q.keys)
	if m == nil {
		m = map[string][]string{}
	}
	maps.Copy(m, authpolicy.TagKeys(nil, q.tags, nil))
	m["sts:rolesessionname"] = []string{q.name}
	if q.sourceIdentity != "" {
		m["sts:sourceidentity"] = []string{q.sourceIdentity}
	}
	if len(q.transitive) > 0 {
		m["sts:transitivetagkeys"] = q.transitive
	}
	return m
}

// issue seals a session of a role that the trust policy has allowed.
func (i *Identity) issue(ctx context.Context, r *trellis.Role, q *sessionRequest) (*Credentials, error) {
	if q.chained && q.seconds > maxChainedSession {
		return nil, stsInvalid("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
	}
	if q.seconds > r.MaxSessionSeconds {
		return nil, stsInvalid("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	if err := i.policiesExist(ctx, r.Account, q.policyARNs); err != nil {
		return nil, err
	}
	c, err := i.seal(ctx, &session{
		Account: r.Account, RoleName: r.Name, RoleID: r.ID, Name: q.name,
		Tags: maps.Clone(q.tags), TransitiveTags: slices.Clone(q.transitive), Policy: q.policy, PolicyARNs: q.policyARNs,
		SourceIdentity: q.sourceIdentity, Provider: q.provider, X509: q.x509, Context: q.context,
	}, q.seconds)
	if err != nil {
		return nil, err
	}
	c.AssumedRoleARN, c.AssumedRoleID = assumedRoleARN(r, q.name), r.ID+":"+q.name
	return c, nil
}

// policiesExist refuses session policies by ARN that are not there, or of another account.
func (i *Identity) policiesExist(ctx context.Context, account string, arns []string) error {
	if len(arns) == 0 {
		return nil
	}
	return i.o.Store.Read(ctx, func(tx *store.Tx) error {
		for _, arn := range arns {
			if _, err := managedPolicy(tx, account, arn, noPolicy(arn)); err != nil {
				return err
			}
		}
		return nil
	})
}

// seal completes a session with keys and times, and makes its token.
func (i *Identity) seal(ctx context.Context, s *session, seconds int) (*Credentials, error) {
	percent, err := s.packed()
	if err != nil {
		return nil, err
	}
	secret := newSecret()
	s.AccessKeyID, s.Secret = newKeyID("ASIA", s.Account), tokenSecret(secret.Reveal())
	s.IssuedAt = i.o.Now().UTC()
	s.Expires = s.IssuedAt.Add(time.Duration(seconds) * time.Second).Truncate(time.Second)
	token, err := i.sealNow(ctx, s)
	if err != nil {
		return nil, err
	}
	return &Credentials{AccessKeyID: s.AccessKeyID, SecretAccessKey: secret, SessionToken: token, Expiration: s.Expires,
		SourceIdentity: s.SourceIdentity, PackedSize: percent}, nil
}

// packed is how much of what policies and tags of a session may take they do, in percent.
func (s *session) packed() (percent int, err error) {
	policies, tags := len(s.Policy), 0
	for _, arn := range s.PolicyARNs {
		policies += len(arn) + 3
	}
	for k, v := range s.Tags {
		tags += len(k) + len(v) + 6
	}
	percent = (100*(policies+tags) + packedLimit - 1) / packedLimit
	switch {
	case percent <= 100:
		return percent, nil
	case policies == 0:
		return percent, trellis.NewError(400, "PackedPolicyTooLarge", "Packed size of session tags consumes %d%% of allotted space.", percent)
	}
	return percent, trellis.NewError(400, "PackedPolicyTooLarge", "Packed policy consumes %d%% of allotted space, please use smaller policy.", percent)
}
