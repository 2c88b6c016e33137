package identity

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

// session makes a session of the role of an ARN for who may have it by refusal. denied is the error for an action that is
// refused; it is also that of a role that does not exist, so that nobody is told which do.
func (i *Identity) session(ctx context.Context, q *sessionRequest, arn string, c *authpolicy.Caller, denied func(action string) *trellis.Error) (*Credentials, error) {
	d, err := i.directory()
	if err != nil {
		return nil, err
	}
	r, err := i.roleByARN(ctx, arn)
	if errors.Is(err, trellis.ErrNotExist) {
		return nil, denied(q.action)
	}
	if err != nil {
		return nil, err
	}
	if action := q.refusal(d, r, c, i.o.Now()); action != "" {
		return nil, denied(action)
	}
	return i.issue(ctx, r, q)
}

// refusal is the first action of a request that the role refuses a caller; empty when there is none. The role's trust
// policy must allow all of them, the caller's own policies as authpolicy.Access says, and the resource control policies that
// hold for the role's account. A trust policy that can't be compiled refuses everything.
func (q *sessionRequest) refusal(d *Directory, r *trellis.Role, c *authpolicy.Caller, now time.Time) (action string) {
	trust, err := authpolicy.Parse(r.TrustPolicy, authpolicy.Trust)
	if err != nil {
		return q.action
	}
	keys := q.conditionKeys()
	for _, action := range q.actions() {
		req := &authpolicy.Request{Action: action, Resource: r.ARN(), Caller: c, Now: now, ResourceTags: r.Tags, Extra: keys,
			ResourceControl: d.ResourceControl(r.Account)}
		if decision := authpolicy.Access(req, trust, r.Account); !decision.Allowed {
			return action
		}
	}
	return ""
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
