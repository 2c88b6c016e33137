package authpolicy

import (
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
)

// principals is a compiled Principal element.
type principals struct {
	any       bool     // "*": everybody, anonymous callers too
	accounts  []string // 12 digits: everything that the account's callers are
	arns      []string // a user, a role (all of its sessions), or one session
	ids       []string // AIDA… or AROA…
	services  []string // for example ec2.amazonaws.com
	federated []string // the ARN of an OIDC or SAML provider of the account, or the name of a public one
}

// grant is how closely a Principal element names a caller, which matters to Access.
type grant int

// The grants, from far to near.
const (
	noGrant      grant = iota
	accountGrant       // the account: its own policies say who of it may
	roleGrant          // the role of a session: without its identity-based policies, within its boundary and session policies
	ownGrant           // the caller itself, or everybody
)

// parsePrincipals compiles a Principal or NotPrincipal element.
func parsePrincipals(n *node) (*principals, *ParseError) {
	p := &principals{}
	if n.kind == stringNode {
		return p, p.addAWS(n)
	}
	if n.kind != objectNode || len(n.items) == 0 {
		return nil, n.bad("INVALID_PRINCIPAL_FORMAT", `must be "*" or an object with AWS, Service, Federated or CanonicalUser`)
	}
	for i, it := range n.items {
		texts, err := it.list(false, "INVALID_PRINCIPAL_FORMAT")
		if err != nil {
			return nil, err
		}
		for _, t := range texts {
			switch n.names[i] {
			case "AWS":
				err = p.addAWS(t)
			case "Service":
				err = p.addService(t)
			case "Federated":
				err = p.addFederated(t)
			case "CanonicalUser":
				// Nobody signs as one here, so it matches nobody.
			default:
				err = it.badName("INVALID_PRINCIPAL_KEY", "a principal is of type AWS, Service, Federated or CanonicalUser")
			}
			if err == nil && t.text == "" {
				err = t.bad("INVALID_PRINCIPAL_FORMAT", "a principal must not be empty")
			}
			if err != nil {
				return nil, err
			}
		}
	}
	return p, nil
}

// addAWS adds one principal of type AWS.
func (p *principals) addAWS(n *node) *ParseError {
	t := n.text
	if t == "*" {
		p.any = true
		return nil
	}
	if trellis.IsAccountID(t) {
		p.accounts = append(p.accounts, t)
		return nil
	}
	if len(t) >= 16 && (strings.HasPrefix(t, "AIDA") || strings.HasPrefix(t, "AROA")) && strings.Trim(t, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == "" {
		p.ids = append(p.ids, t)
		return nil
	}
	bad := n.bad("INVALID_PRINCIPAL_FORMAT", "the principal %s is not *, an account id, or the ARN of an account, user, role or session", quote(t))
	a, err := trellis.ParseARN(t)
	if err != nil || !trellis.IsAccountID(a.Account) || a.Region != "" {
		return bad
	}
	if strings.ContainsAny(t, "*?") {
		return n.bad("UNSUPPORTED_WILDCARD_IN_PRINCIPAL", "the principal %s must not hold wildcards: use * and a condition on aws:PrincipalArn", quote(t))
	}
	kind, name, _ := strings.Cut(a.Resource, "/")
	switch {
	case a.Service == "iam" && a.Resource == "root":
		p.accounts = append(p.accounts, a.Account)
	case a.Service == "iam" && (kind == "user" || kind == "role") && name != "",
		a.Service == "sts" && kind == "assumed-role" && strings.Count(name, "/") >= 1,
		a.Service == "sts" && kind == "federated-user" && name != "":
		p.arns = append(p.arns, t)
	default:
		return bad
	}
	return nil
}

// addService adds one principal of type Service.
func (p *principals) addService(n *node) *ParseError {
	if strings.ContainsAny(n.text, "*? /:") {
		return n.bad("INVALID_PRINCIPAL_FORMAT", "the principal %s is not the name of a service, such as ec2.amazonaws.com", quote(n.text))
	}
	p.services = append(p.services, n.text)
	return nil
}

// addFederated adds one principal of type Federated: a provider of the account by its ARN, or a public provider of web
// identities by its domain name (IAM user guide, reference_policies_elements_principal).
func (p *principals) addFederated(n *node) *ParseError {
	t := n.text
	if strings.HasPrefix(t, "arn:") {
		a, err := trellis.ParseARN(t)
		kind, name, _ := strings.Cut(a.Resource, "/")
		if err != nil || a.Service != "iam" || !trellis.IsAccountID(a.Account) || kind != "oidc-provider" && kind != "saml-provider" || name == "" || strings.ContainsAny(t, "*?") {
			return n.bad("INVALID_PRINCIPAL_FORMAT", "the principal %s is not the ARN of an OIDC or SAML provider", quote(t))
		}
	} else if strings.ContainsAny(t, "*? :") || t != "" && !strings.Contains(t, ".") {
		return n.bad("INVALID_PRINCIPAL_FORMAT", "the principal %s is not the ARN of a provider, nor the domain name of a public one", quote(t))
	}
	p.federated = append(p.federated, t)
	return nil
}

// match tells how closely the principals name a caller: the nearest of them.
func (p *principals) match(c *Caller) grant {
	if p.any {
		return ownGrant
	}
	if anonymous(c) {
		return noGrant
	}
	who := &c.Principal
	if who.FederatedProvider != "" && slices.Contains(p.federated, who.FederatedProvider) {
		return ownGrant
	}
	switch who.Type {
	case trellis.PrincipalService:
		if slices.Contains(p.services, who.Service) {
			return ownGrant
		}
		return noGrant
	case trellis.PrincipalWebIdentity:
		return noGrant
	}
	found := noGrant
	for _, a := range p.arns {
		if a == who.ARN {
			return ownGrant
		}
		if a == who.PolicyARN {
			found = roleGrant
		}
	}
	for _, id := range p.ids {
		if rest, ok := strings.CutPrefix(who.UserID, id); ok && rest == "" {
			return ownGrant
		} else if ok && rest[0] == ':' {
			found = roleGrant
		}
	}
	if found == noGrant && slices.Contains(p.accounts, who.Account) {
		return accountGrant
	}
	return found
}
