package identity

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

// trusts decides one action of a caller on a role: the role's trust policy must allow it, and the caller's own
// policies too, unless the caller has none (a service, a web identity) or is in the role's account and named by the
// trust policy itself (IAM user guide, cross-account policy evaluation logic).
func trusts(r *trellis.Role, trust *authpolicy.Policy, c *authpolicy.Caller, action string, keys map[string][]string, now time.Time) bool {
	req := &authpolicy.Request{Action: action, Resource: r.ARN(), Caller: c, Now: now, ResourceTags: r.Tags, Extra: keys}
	effect, statement := trust.Decide(req)
	if effect != authpolicy.Allow {
		return false
	}
	if c.Principal.Type == trellis.PrincipalService {
		return true
	}
	if c.Principal.Account == r.Account && namesCaller(r.TrustPolicy, statement, &c.Principal) {
		return c.Broken == nil && !denies(c, req)
	}
	return c.AuthorizeRequest(req) == nil
}

// refusal is the first action of a request that the role refuses a caller; empty when there is none. A trust policy
// that can't be compiled refuses everything.
func (q *sessionRequest) refusal(r *trellis.Role, c *authpolicy.Caller, now time.Time) (action string) {
	trust, err := authpolicy.Parse(r.TrustPolicy, authpolicy.Trust)
	if err != nil {
		return q.action
	}
	keys := q.conditionKeys()
	for _, action := range q.actions() {
		if !trusts(r, trust, c, action, keys, now) {
			return action
		}
	}
	return ""
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
