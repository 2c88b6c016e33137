package authpolicy

import (
	"fmt"
	"strconv"
	"strings"
)

// MaxSize is the most bytes that Parse reads. The quota of an auth policy is far below it and a matter of the
// control plane.
const MaxSize = 102_400

// ParseError says what is wrong with a policy and where.
type ParseError struct {
	Where   string // for example Statement[1].Condition.StringEquals
	Message string
}

// Error is the place and the message.
func (e *ParseError) Error() string { return e.Where + ": " + e.Message }

// Parse compiles a policy. An error is a *ParseError.
func Parse(text string, kind PolicyKind) (*Policy, error) {
	if len(text) > MaxSize {
		return nil, &ParseError{"policy", fmt.Sprintf("%d bytes are more than %d", len(text), MaxSize)}
	}
	doc, err := parseJSON(text)
	if err != nil {
		return nil, err
	}
	if doc.kind != objectNode {
		return nil, &ParseError{"policy", "must be a JSON object, not " + doc.kind.String()}
	}
	p := &Policy{}
	variables := false
	var statements *node
	for i, name := range doc.names {
		n := doc.items[i]
		switch name {
		case "Version":
			if n.kind != stringNode || n.text != "2012-10-17" && n.text != "2008-10-17" {
				return nil, &ParseError{name, "must be 2012-10-17 or 2008-10-17"}
			}
			variables = n.text == "2012-10-17"
		case "Id":
			if n.kind != stringNode {
				return nil, &ParseError{name, "must be a string, not " + n.kind.String()}
			}
		case "Statement":
			statements = n
		default:
			return nil, &ParseError{name, "a policy has no such element"}
		}
	}
	if statements == nil {
		return nil, &ParseError{"Statement", "is missing"}
	}
	list, single := statements.items, false
	if statements.kind == objectNode {
		list, single = []*node{statements}, true
	} else if statements.kind != arrayNode || len(list) == 0 {
		return nil, &ParseError{"Statement", "must be a statement or a list of at least one"}
	}
	p.statements = make([]Statement, len(list))
	sids := map[string]int{}
	for i, n := range list {
		where := fmt.Sprintf("Statement[%d]", i)
		if single {
			where = "Statement"
		}
		s := &p.statements[i]
		s.Index = i
		if err := s.parse(n, where, kind, variables); err != nil {
			return nil, err
		}
		if s.Sid == "" {
			continue
		}
		if other, ok := sids[s.Sid]; ok {
			return nil, &ParseError{where + ".Sid", fmt.Sprintf("%q is the Sid of Statement[%d] already", s.Sid, other)}
		}
		sids[s.Sid] = i
	}
	return p, nil
}

// parse compiles one statement.
func (s *Statement) parse(n *node, where string, kind PolicyKind, variables bool) (err error) {
	if n.kind != objectNode {
		return &ParseError{where, "must be an object, not " + n.kind.String()}
	}
	effect := false
	for i, name := range n.names {
		it, at := n.items[i], where+"."+name
		switch name {
		case "Sid":
			if it.kind != stringNode {
				return &ParseError{at, "must be a string, not " + it.kind.String()}
			}
			s.Sid = it.text
		case "Effect":
			if it.kind != stringNode || it.text != "Allow" && it.text != "Deny" {
				return &ParseError{at, "must be Allow or Deny"}
			}
			s.Deny, effect = it.text == "Deny", true
		case "Principal", "NotPrincipal":
			s.notPrincipal = name == "NotPrincipal"
			s.principals, err = parsePrincipals(it, at)
		case "Action", "NotAction":
			s.notAction = name == "NotAction"
			s.actions, err = parseActions(it, at)
		case "Resource", "NotResource":
			s.notResource = name == "NotResource"
			s.resources, err = parseResources(it, at, variables)
		case "Condition":
			s.conditions, err = parseConditions(it, at, variables)
		default:
			err = &ParseError{at, "a statement has no such element"}
		}
		if err != nil {
			return err
		}
	}
	for _, pair := range [...][2]string{{"Principal", "NotPrincipal"}, {"Action", "NotAction"}, {"Resource", "NotResource"}} {
		if n.get(pair[0]) != nil && n.get(pair[1]) != nil {
			return &ParseError{where, "has both " + pair[0] + " and " + pair[1]}
		}
	}
	return s.complete(where, effect, kind)
}

// complete holds a statement against what its kind of policy must and must not have.
func (s *Statement) complete(where string, effect bool, kind PolicyKind) error {
	withPrincipal := kind == Resource || kind == Trust
	switch {
	case !effect:
		return &ParseError{where + ".Effect", "is missing"}
	case s.actions == nil:
		return &ParseError{where + ".Action", "is missing"}
	case withPrincipal && s.principals == nil:
		return &ParseError{where + ".Principal", "is missing"}
	case !withPrincipal && s.principals != nil:
		return &ParseError{where + ".Principal", "does not belong in an identity-based policy"}
	case kind == Trust && s.resources != nil:
		return &ParseError{where + ".Resource", "does not belong in a trust policy"}
	case kind != Trust && s.resources == nil:
		return &ParseError{where + ".Resource", "is missing"}
	case s.notPrincipal && !s.Deny:
		return &ParseError{where + ".NotPrincipal", "goes with the effect Deny only"}
	}
	return nil
}

// parseActions compiles an Action element to patterns in lower case.
func parseActions(n *node, where string) ([]string, error) {
	texts, err := n.texts(where, false)
	if err != nil {
		return nil, err
	}
	for i, t := range texts {
		service, action, ok := strings.Cut(t, ":")
		if t != "*" && (!ok || service == "" || action == "" || strings.ContainsAny(t, " \t\r\n/") || strings.Contains(action, ":")) {
			return nil, &ParseError{where, quote(t) + " is not an action: write service:Action or *"}
		}
		texts[i] = wildcards.Replace(strings.ToLower(t))
	}
	return texts, nil
}

// parseResources compiles a Resource element. VPC Lattice takes patterns that are no ARN, such as */rates.
func parseResources(n *node, where string, variables bool) ([]pattern, error) {
	texts, err := n.texts(where, false)
	if err != nil {
		return nil, err
	}
	var out []pattern
	for _, t := range texts {
		if t == "" {
			return nil, &ParseError{where, "a resource must not be empty"}
		}
		p, err := parsePattern(t, where, true, variables)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// quote is a client's text in an error.
func quote(s string) string { return strconv.Quote(short(s)) }
