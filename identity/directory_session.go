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
		s, err := openSession(d.sessionKey, token)
		if err != nil {
			return nil
		}
		o = &openedSession{s, sigv4.NewKey(string(s.Secret))}
		d.opened.add(strings.Clone(token), o)
	}
	s := o.session
	c := &credential{accessKeyID: s.AccessKeyID, key: o.key, expires: s.Expires}
	r, ok := d.nouns.roles[s.Account+"/"+s.RoleName]
	if !ok || r.ID != s.RoleID || s.IssuedAt.Before(r.SessionsRevokedBefore) || !d.accountActive(s.Account) {
		c.key, c.err = nil, errUnrecognized()
		return c
	}
	c.caller = d.roleCaller(r, s.Name, s.Tags)
	if s.Policy != "" || len(s.PolicyARNs) > 0 {
		policies, err := d.sessionPolicies(s)
		if err != nil {
			c.caller.Broken = errors.Join(c.caller.Broken, err)
		}
		c.caller.Session = policies
	}
	return c
}

// roleCaller is the caller that a session of a role makes.
func (d *Directory) roleCaller(r *trellis.Role, sessionName string, tags map[string]string) *authpolicy.Caller {
	all := maps.Clone(r.Tags)
	if len(tags) > 0 {
		if all == nil {
			all = map[string]string{}
		}
		maps.Copy(all, tags)
	}
	c := &authpolicy.Caller{Principal: d.inOrg(trellis.Principal{
		Type: trellis.PrincipalAssumedRole, Account: r.Account, ARN: assumedRoleARN(r, sessionName), PolicyARN: r.ARN(),
		UserID: r.ID + ":" + sessionName, SessionName: sessionName, Tags: all,
	})}
	c.Identity, c.Broken = d.identityLayer(r.Inline, r.Attached)
	return c
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
