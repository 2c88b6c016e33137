package identity

import (
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/sigv4"
)

// sessionCredential opens a session token; nil when it is none of ours.
func (d *Directory) sessionCredential(token string) *credential {
	o, ok := d.opened.get(token)
	if !ok {
		s, err := d.seals.open(token)
		if err != nil {
			return nil
		}
		o = &openedSession{s, sigv4.NewKey(string(s.Secret))}
		d.opened.add(strings.Clone(token), o)
	}
	s := o.session
	c := &credential{accessKeyID: s.AccessKeyID, key: o.key, expires: s.Expires}
	if c.caller = d.callerOf(s); c.caller == nil {
		c.key, c.err = nil, errUnrecognized()
	}
	return c
}

// callerOf is the caller that a session makes; nil when what the session stands on is gone.
func (d *Directory) callerOf(s *session) *authpolicy.Caller {
	if !d.accountActive(s.Account) {
		return nil
	}
	switch s.Kind {
	case roleSession:
		r, ok := d.nouns.roles[s.Account+"/"+s.RoleName]
		if !ok || r.ID != s.RoleID {
			return nil
		}
		return d.sessionCaller(r, s)
	case userSession, federatedSession:
		if s.RoleName == "" {
			return d.userSessionCaller(nil, s)
		}
		u, ok := d.nouns.users[s.Account+"/"+s.RoleName]
		if !ok || u.ID != s.RoleID {
			return nil
		}
		return d.userSessionCaller(u, s)
	}
	return nil
}

// userSessionCaller is the caller that a session of a user makes, of the root of an account when there is no user, or
// of whom they vouch for. A federated user has no more than the session's policies, and nothing without.
func (d *Directory) userSessionCaller(u *trellis.User, s *session) *authpolicy.Caller {
	root := trellis.IAMARN(s.Account, "root")
	c := &authpolicy.Caller{Context: s.Context, Principal: trellis.Principal{Type: trellis.PrincipalAccount, Account: s.Account, ARN: root,
		PolicyARN: root, UserID: s.Account, TokenIssuedAt: s.IssuedAt}}
	if u != nil {
		c.Principal.Type, c.Principal.ARN, c.Principal.PolicyARN = trellis.PrincipalUser, u.ARN(), u.ARN()
		c.Principal.UserID, c.Principal.Tags = u.ID, u.Tags
		d.boundUser(c, u)
	} else if of := d.controls[s.Account]; of != nil {
		c.Organization, c.Broken = of.service, of.broken
	}
	if s.Kind == federatedSession {
		arn := federatedARN(s.Account, s.Name)
		c.Principal.Type, c.Principal.ARN, c.Principal.PolicyARN = trellis.PrincipalFederated, arn, arn
		c.Principal.UserID, c.Principal.SessionName = s.Account+":"+s.Name, s.Name
		c.Principal.Tags = mergeTags(c.Principal.Tags, s.Tags)
		policies, err := d.sessionPolicies(s)
		if err != nil {
			c.Broken = errors.Join(c.Broken, err)
		}
		c.Session = append(authpolicy.Policies{}, policies...) // not nil: it must allow
	}
	c.Principal = d.inOrg(c.Principal)
	return c
}

// sessionCaller is the caller that a session of a role makes.
func (d *Directory) sessionCaller(r *trellis.Role, s *session) *authpolicy.Caller {
	c := &authpolicy.Caller{Context: s.Context, Principal: d.inOrg(trellis.Principal{
		Type: trellis.PrincipalAssumedRole, Account: r.Account, ARN: assumedRoleARN(r, s.Name), PolicyARN: r.ARN(),
		UserID: r.ID + ":" + s.Name, SessionName: s.Name, Tags: mergeTags(r.Tags, s.Tags), TokenIssuedAt: s.IssuedAt,
		SourceIdentity: s.SourceIdentity, FederatedProvider: s.Provider, TransitiveTags: s.TransitiveTags, X509: s.X509,
	})}
	d.boundRole(c, r)
	if s.Policy != "" || len(s.PolicyARNs) > 0 {
		policies, err := d.sessionPolicies(s)
		if err != nil {
			c.Broken = errors.Join(c.Broken, err)
		}
		c.Session = policies
	}
	return c
}

// mergeTags are the tags of a role and of its session. Keys are not case-sensitive, and the session's go first
// (IAM user guide, id_session-tags).
func mergeTags(role, session map[string]string) map[string]string {
	if len(session) == 0 {
		return role
	}
	own := make(map[string]bool, len(session))
	for k := range session {
		own[lower(k)] = true
	}
	all := maps.Clone(session)
	for k, v := range role {
		if !own[lower(k)] {
			all[k] = v
		}
	}
	return all
}

// sessionPolicies compiles a session's inline and managed policies.
func (d *Directory) sessionPolicies(s *session) (layer authpolicy.Policies, err error) {
	add := func(name, text string) error {
		p, err := authpolicy.Parse(text, authpolicy.Session)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		layer = append(layer, authpolicy.Named{Name: name, Policy: p})
		return nil
	}
	if s.Policy != "" {
		if err := add("session policy", s.Policy); err != nil {
			return nil, err
		}
	}
	for _, arn := range s.PolicyARNs {
		text, ok := d.managed[arn]
		if !ok {
			return nil, fmt.Errorf("session policy %s: %w", arn, trellis.ErrNotExist)
		}
		if err := add("session policy "+arn, text); err != nil {
			return nil, err
		}
	}
	return layer, nil
}
