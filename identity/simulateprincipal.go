package identity

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

// Exclusion names policies of a principal that a simulation leaves out.
type Exclusion struct {
	Kind   string // permission-boundary, scp or rcp: all of them
	ARN    string // of a managed policy
	Inline string // name of an inline policy
}

// SimulatePrincipalPolicy prepares a simulation of a user, group or role of the caller's account with all that bounds it,
// and of the policies that the caller adds.
func (i *Identity) SimulatePrincipalPolicy(ctx context.Context, c *authpolicy.Caller, source string, in Simulation, without []Exclusion) (*Simulator, error) {
	if err := c.Authorize("iam:SimulatePrincipalPolicy", source, nil); err != nil {
		return nil, err
	}
	s, err := i.simulator(c, &in)
	if err != nil {
		return nil, err
	}
	of, err := i.bearerCaller(ctx, c.Principal.Account, source)
	if err != nil {
		return nil, err
	}
	if of.Broken != nil {
		return nil, trellis.NewError(400, "PolicyEvaluationException", "the policies of %s do not compile: %s", source, of.Broken)
	}
	added := s.caller
	s.caller = *of
	s.caller.Identity = append(slices.Clone(of.Identity), added.Identity...)
	if added.Boundary != nil {
		s.caller.Boundary = added.Boundary
	}
	s.exclude(without)
	s.source = source
	if in.CallerARN != "" {
		if s.caller.Principal, err = principalOf(in.CallerARN, c.Principal.Account); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// exclude leaves policies out.
func (s *Simulator) exclude(without []Exclusion) {
	for _, e := range without {
		switch {
		case e.Kind == "scp":
			s.caller.Organization = nil
		case e.Kind == "permission-boundary":
			s.caller.Boundary = nil
		case e.ARN != "" && s.caller.Boundary != nil && s.caller.Boundary.Name == e.ARN:
			s.caller.Boundary = nil
		}
		s.caller.Identity = slices.DeleteFunc(s.caller.Identity, func(p authpolicy.Named) bool {
			_, own, inGroup := strings.Cut(p.Name, ": ")
			if !inGroup {
				own = p.Name
			}
			return e.ARN != "" && own == e.ARN || e.Inline != "" && own == "inline policy "+e.Inline
		})
	}
}

// bearerCaller is the caller that a user, role or member of a group would be.
func (i *Identity) bearerCaller(ctx context.Context, account, source string) (of *authpolicy.Caller, err error) {
	missing := noSuchEntity("The entity with ARN %s cannot be found.", source)
	a, err := trellis.ParseARN(source)
	kind, _, _ := strings.Cut(a.Resource, "/")
	if err != nil || a.Service != "iam" || a.Account != account {
		return nil, missing
	}
	err = i.o.Store.Read(ctx, func(tx *store.Tx) error {
		st := trellis.NewState()
		if err := putOrganization(tx, st, account); err != nil {
			return err
		}
		u, r, err := putBearer(tx, st, kind, account, source)
		if errors.Is(err, trellis.ErrNotExist) {
			return missing
		}
		if err != nil {
			return err
		}
		d := NewDirectory(st, nil, i.sessionKey, i.o.Now)
		if r != nil {
			of = d.sessionCaller(r, &session{Account: account, RoleName: r.Name, RoleID: r.ID, Name: "simulation", IssuedAt: i.now()})
		} else {
			of = d.userCredential(&trellis.AccessKey{Account: account, UserName: u.Name, Status: KeyActive}, nil).caller
		}
		if of == nil {
			return missing
		}
		return nil
	})
	return of, err
}

// putOrganization puts an account and what its organization holds it to into a state.
func putOrganization(tx *store.Tx, st *trellis.State, account string) error {
	a, err := store.Get[*trellis.Account](tx, account)
	if err != nil {
		return err
	}
	st.Put(a)
	if a.OrgID == "" {
		return nil
	}
	o, err := store.Get[*trellis.Organization](tx, a.OrgID)
	if err != nil {
		return err
	}
	st.Put(o)
	units, err := store.List[*trellis.OrganizationalUnit](tx, o.ID+"/")
	if err != nil {
		return err
	}
	for _, u := range units {
		st.Put(u)
	}
	policies, err := store.List[*trellis.OrganizationPolicy](tx, o.ID+"/")
	if err != nil {
		return err
	}
	for _, p := range policies {
		st.Put(p)
	}
	return nil
}

// putBearer puts the user or role of an ARN with all of its policies into a state. For a group it is a user without a name in
// it. Names are unique in an account, but what may be asked about an ARN may not be asked about the same name with another path.
func putBearer(tx *store.Tx, st *trellis.State, kind, account, source string) (u *trellis.User, r *trellis.Role, err error) {
	name, attached := trellis.LastPart(source), []string{}
	switch kind {
	case "role":
		if r, err = store.Get[*trellis.Role](tx, account+"/"+name); err != nil {
			return nil, nil, err
		}
		if r.ARN() != source {
			return nil, nil, trellis.ErrNotExist
		}
		st.Put(r)
		attached = append(attached, append(r.Attached, r.Boundary)...)
	case "user", "group":
		u = &trellis.User{Meta: trellis.Meta{Account: account}, Groups: []string{name}}
		if kind == "user" {
			if u, err = store.Get[*trellis.User](tx, account+"/"+name); err != nil {
				return nil, nil, err
			}
			if u.ARN() != source {
				return nil, nil, trellis.ErrNotExist
			}
			attached = append(attached, append(u.Attached, u.Boundary)...)
		}
		st.Put(u)
		for _, name := range u.Groups {
			g, err := store.Get[*trellis.Group](tx, account+"/"+name)
			if err != nil {
				return nil, nil, err
			}
			if kind == "group" && g.ARN() != source {
				return nil, nil, trellis.ErrNotExist
			}
			st.Put(g)
			attached = append(attached, g.Attached...)
		}
	default:
		return nil, nil, trellis.ErrNotExist
	}
	for _, arn := range attached {
		a, err := trellis.ParseARN(arn)
		if err != nil {
			continue // no boundary
		}
		p, err := store.Get[*trellis.ManagedPolicy](tx, a.Account+"/"+trellis.LastPart(a.Resource))
		if errors.Is(err, trellis.ErrNotExist) {
			continue // the directory says that it is gone
		}
		if err != nil {
			return nil, nil, err
		}
		st.Put(p)
	}
	return u, r, nil
}
