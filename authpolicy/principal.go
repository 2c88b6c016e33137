package authpolicy

import (
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
)

// principals is a compiled Principal element.
type principals struct {
	any      bool     // "*": everybody, anonymous callers too
	accounts []string // 12 digits: everything that the account's callers are
	arns     []string // a user, a role (all of its sessions), or one session of a role
	ids      []string // AIDA… or AROA…
	services []string // for example ec2.amazonaws.com
}

// parsePrincipals compiles a Principal or NotPrincipal element.
func parsePrincipals(n *node, where string) (*principals, error) {
	p := &principals{}
	if n.kind == stringNode {
		return p, p.addAWS(n.text, where)
	}
	if n.kind != objectNode || len(n.items) == 0 {
		return nil, &ParseError{where, `must be "*" or an object with AWS, Service, Federated or CanonicalUser`}
	}
	for i, it := range n.items {
		at := where + "." + n.names[i]
		texts, err := it.texts(at, false)
		if err != nil {
			return nil, err
		}
		for _, t := range texts {
			switch n.names[i] {
			case "AWS":
				err = p.addAWS(t, at)
			case "Service":
				p.services = append(p.services, t)
			case "Federated", "CanonicalUser":
				// Nobody signs with these here, so they match nobody.
			default:
				err = &ParseError{at, "a principal is of type AWS, Service, Federated or CanonicalUser"}
			}
			if err == nil && t == "" {
				err = &ParseError{at, "a principal must not be empty"}
			}
			if err != nil {
				return nil, err
			}
		}
	}
	return p, nil
}

// addAWS adds one principal of type AWS.
func (p *principals) addAWS(t, where string) error {
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
	bad := &ParseError{where, "the principal " + quote(t) + " is not *, an account id, or the ARN of an account, user, role or session"}
	a, err := trellis.ParseARN(t)
	if err != nil || !trellis.IsAccountID(a.Account) || a.Region != "" {
		return bad
	}
	if strings.ContainsAny(t, "*?") {
		return &ParseError{where, "the principal " + quote(t) + " must not hold wildcards: use * and a condition on aws:PrincipalArn"}
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

// match tells whether a caller is one of the principals.
func (p *principals) match(c *Caller) bool {
	if p.any {
		return true
	}
	if anonymous(c) {
		return false
	}
	who := &c.Principal
	if who.Type == trellis.PrincipalService {
		return slices.Contains(p.services, who.Service)
	}
	if slices.Contains(p.accounts, who.Account) {
		return true
	}
	for _, a := range p.arns {
		if a == who.ARN || a == who.PolicyARN {
			return true
		}
	}
	for _, id := range p.ids {
		if rest, ok := strings.CutPrefix(who.UserID, id); ok && (rest == "" || rest[0] == ':') {
			return true
		}
	}
	return false
}
