package controlplane

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

// ownShareable returns the service network, service or resource configuration that an id or ARN names, when the caller owns
// it and its policies allow action.
func (p *Plane) ownShareable(tx *store.Tx, c *authpolicy.Caller, identifier, action string) (g guarded, err error) {
	var n owned
	switch (guarded{Ref: trellis.Ref{ID: trellis.LastPart(identifier)}}).kind() {
	case networkKind:
		n, err = own[*trellis.ServiceNetwork](p, tx, c, identifier, networkKind, action, nil)
	case configurationKind:
		n, err = own[*trellis.ResourceConfiguration](p, tx, c, identifier, configurationKind, action, nil)
	default:
		n, err = own[*trellis.Service](p, tx, c, identifier, serviceKind, action, nil)
	}
	if err != nil {
		return guarded{}, err
	}
	if network, is := n.(*trellis.ServiceNetwork); is && !network.SharingEnabled && action == "vpc-lattice:PutResourcePolicy" {
		return guarded{}, trellis.InvalidOther("The service network %s was created with sharing disabled.", network.ID)
	}
	return guarded{Ref: n.Common().Ref()}, nil
}

// PutResourcePolicy lets the principals of a policy use a service network, service or resource configuration as a
// resource share would: its statements allow what managed permissions of RAM for the type of the resource do, and nothing else
// (VPC Lattice API, PutResourcePolicy).
func (p *Plane) PutResourcePolicy(ctx context.Context, c *authpolicy.Caller, resource, text string) (trellis.Revision, error) {
	return p.commit(ctx, func(tx *store.Tx) error {
		g, err := p.ownShareable(tx, c, resource, "vpc-lattice:PutResourcePolicy")
		if err != nil {
			return err
		}
		if _, err := authpolicy.Parse(text, authpolicy.Resource); err != nil {
			return field("policy", "The policy is not valid: "+err.Error())
		}
		if err := checkSharedActions(text, ShareResourceType(g.arn(p.Region))); err != nil {
			return err
		}
		now := p.now()
		made := &trellis.ResourcePolicy{Resource: g.Ref, Text: text, CreatedAt: now, UpdatedAt: now}
		switch old, err := store.Get[*trellis.ResourcePolicy](tx, g.Key()); {
		case err == nil:
			made.CreatedAt = old.CreatedAt
		case !errors.Is(err, trellis.ErrNotExist):
			return err
		}
		tx.Put(made)
		return nil
	})
}

// resourceStatement is a statement of a resource policy, as far as shares have it.
type resourceStatement struct {
	Effect    string
	Principal any
	Action    any // a text or a list of texts
	Resource  any
	Condition map[string]map[string]any `json:",omitempty"`
}

// require adds a condition to a statement.
func (s *resourceStatement) require(operator, key, value string) {
	if s.Condition == nil {
		s.Condition = map[string]map[string]any{}
	}
	if s.Condition[operator] == nil {
		s.Condition[operator] = map[string]any{}
	}
	s.Condition[operator][key] = value
}

// resourceDocument is a resource policy.
type resourceDocument struct {
	Version   string
	Statement []resourceStatement
}

// checkSharedActions refuses statements that do not name actions of a managed permission for the type of the resource.
func checkSharedActions(text, resourceType string) error {
	var one struct{ Statement json.RawMessage }
	_ = json.Unmarshal([]byte(text), &one) // it is parsed already
	var statements []resourceStatement
	if json.Unmarshal(one.Statement, &statements) != nil {
		statements = make([]resourceStatement, 1)
		_ = json.Unmarshal(one.Statement, &statements[0])
	}
	for _, s := range statements {
		actions, ok := s.Action.([]any)
		if !ok {
			actions = []any{s.Action}
		}
		for _, a := range actions {
			name, _ := a.(string)
			if !slices.ContainsFunc(sharedActions(resourceType), func(known string) bool { return strings.EqualFold(known, name) }) {
				return field("policy", "The policy may name the actions of the AWS RAM permissions for "+resourceType+" alone, not "+name+".")
			}
		}
	}
	return nil
}

// GetResourcePolicy returns the policy that the owner of a resource has put, or else what its shares amount to.
func (p *Plane) GetResourcePolicy(ctx context.Context, c *authpolicy.Caller, resource string) (text string, err error) {
	err = p.read(ctx, func(tx *store.Tx) error {
		g, err := p.ownShareable(tx, c, resource, "vpc-lattice:GetResourcePolicy")
		if err != nil {
			return err
		}
		found, err := store.Get[*trellis.ResourcePolicy](tx, g.Key())
		if err == nil {
			text = found.Text
			return nil
		}
		if !errors.Is(err, trellis.ErrNotExist) {
			return err
		}
		if text, err = p.policyOfShares(tx, g, ""); err == nil && text == "" {
			return trellis.NotFound("RESOURCE_POLICY", g.ID)
		}
		return err
	})
	return text, err
}

// policyOfShares is the policy that the shares of a resource amount to, with one principal alone unless that is empty. It is
// empty when nothing shares the resource.
func (p *Plane) policyOfShares(tx *store.Tx, g guarded, principal string) (string, error) {
	shares, err := store.List[*trellis.ResourceShare](tx, g.Account+"/")
	if err != nil {
		return "", err
	}
	arn := g.arn(p.Region)
	doc := resourceDocument{Version: "2012-10-17"}
	for _, s := range shares {
		if s.Status != ShareActive || !slices.Contains(s.Resources, arn) {
			continue
		}
		opened, err := p.openedBy(tx, s, ShareResourceType(arn))
		if err != nil {
			return "", err
		}
		if opened == nil {
			continue
		}
		for _, to := range s.Principals {
			if principal != "" && to.Principal != principal {
				continue
			}
			statement := resourceStatement{Effect: "Allow", Action: opened.Actions, Resource: arn}
			if len(opened.Condition) > 0 {
				_ = json.Unmarshal(opened.Condition, &statement.Condition) // it was read when the permission was made
			}
			org, unit, is := trellis.OrganizationPrincipal(to.Principal)
			switch {
			case !is && !to.Accepted:
				continue
			case !is:
				statement.Principal = map[string]string{"AWS": trellis.IAMARN(to.Principal, "root")}
			case unit == "":
				statement.Principal = "*"
				statement.require("StringEquals", "aws:PrincipalOrgID", org)
			default:
				statement.Principal = "*"
				statement.require("ForAnyValue:StringLike", "aws:PrincipalOrgPaths", org+"/*/"+unit+"/*")
			}
			doc.Statement = append(doc.Statement, statement)
		}
	}
	if len(doc.Statement) == 0 {
		return "", nil
	}
	text, err := json.Marshal(doc)
	return string(text), err
}

// DeleteResourcePolicy takes a resource policy away. Associations that were made through it stay, as with a share.
func (p *Plane) DeleteResourcePolicy(ctx context.Context, c *authpolicy.Caller, resource string) (trellis.Revision, error) {
	return p.commit(ctx, func(tx *store.Tx) error {
		g, err := p.ownShareable(tx, c, resource, "vpc-lattice:DeleteResourcePolicy")
		if err != nil {
			return err
		}
		if _, err := get[*trellis.ResourcePolicy](tx, g.Ref, "RESOURCE_POLICY"); err != nil {
			return err
		}
		tx.Delete(&trellis.ResourcePolicy{Resource: g.Ref})
		return nil
	})
}

// allows tells whether a resource policy lets an account do an action with its resource. Nobody within the account is
// asked about: a share reaches accounts too.
func (p *Plane) allows(policy *trellis.ResourcePolicy, m membership, arn, action string, k keys) bool {
	if policy.Resource.Account == m.account {
		return false
	}
	compiled, err := authpolicy.Parse(policy.Text, authpolicy.Resource)
	if err != nil {
		return false // what can't be read allows nothing
	}
	root := trellis.IAMARN(m.account, "root")
	caller := &authpolicy.Caller{Principal: trellis.Principal{Type: trellis.PrincipalAccount, Account: m.account, ARN: root, PolicyARN: root, OrgID: m.org, OrgPath: m.path()}}
	effect, _ := compiled.Decide(&authpolicy.Request{Action: action, Resource: arn, Caller: caller, Extra: k, Now: p.now()})
	return effect == authpolicy.Allow
}
