package authpolicy

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxSize is the most bytes that Parse reads. The quota of an auth policy is far below it and a matter of the
// control plane.
const MaxSize = 102_400

// parser compiles one document. It goes on after an error in one element, so that Lint finds others, too.
type parser struct {
	kind      PolicyKind
	variables bool // the version has policy variables
	searched  int  // bytes of patterns between two stars
	compared  int  // values of conditions, but those that are looked up
	errors    []*ParseError
}

// Parse compiles a policy. An error is a *ParseError: the first of those that Lint tells.
func Parse(text string, kind PolicyKind) (*Policy, error) {
	p := &parser{kind: kind}
	policy, _ := p.document(text)
	if len(p.errors) > 0 {
		return nil, p.errors[0]
	}
	return policy, nil
}

// keep notes an error, if it is one.
func (p *parser) keep(err *ParseError) {
	if err != nil {
		p.errors = append(p.errors, err)
	}
}

// document compiles a policy, and returns the document with it. It has errors where the parser says so.
func (p *parser) document(text string) (*Policy, *node) {
	root := &place{index: -1}
	if len(text) > MaxSize {
		p.keep(newSource("").bad(root, 0, 0, "POLICY_SIZE_EXCEEDED", "%d bytes are more than %d", len(text), MaxSize))
		return nil, nil
	}
	src := newSource(text)
	if !utf8.ValidString(text) {
		at := strings.IndexRune(text, utf8.RuneError) // of what is invalid, or of a real one before it
		p.keep(src.bad(root, at, at, "JSON_SYNTAX_ERROR", "the text is not valid UTF-8"))
		return nil, nil
	}
	doc, err := parseJSON(src)
	if err != nil {
		p.keep(err)
		return nil, nil
	}
	if doc.kind != objectNode {
		p.keep(doc.bad("DATA_TYPE_MISMATCH", "must be a JSON object, not %v", doc.kind))
		return nil, doc
	}
	policy := &Policy{kind: p.kind, statements: p.elements(doc)}
	policy.searches = p.searched > fewSearched
	for i := range policy.statements {
		p.bound(policy.statements[i].conditions)
	}
	return policy, doc
}

// elements compiles the elements of a document.
func (p *parser) elements(doc *node) []Statement {
	var statements *node
	for i, name := range doc.names {
		n := doc.items[i]
		switch name {
		case "Version":
			if n.kind != stringNode || n.text != "2012-10-17" && n.text != "2008-10-17" {
				p.keep(n.bad("INVALID_VERSION", "must be 2012-10-17 or 2008-10-17"))
			}
			p.variables = n.text == "2012-10-17"
		case "Id":
			if n.kind != stringNode {
				p.keep(n.bad("DATA_TYPE_MISMATCH", "must be a string, not %v", n.kind))
			}
		case "Statement":
			statements = n
		default:
			p.keep(n.badName("INVALID_POLICY_ELEMENT", "a policy has no such element"))
		}
	}
	if statements == nil {
		p.keep(doc.missing("Statement", "MISSING_STATEMENT", "is missing"))
		return nil
	}
	list := statements.items
	if statements.kind == objectNode {
		list = []*node{statements}
	} else if statements.kind != arrayNode || len(list) == 0 {
		p.keep(statements.bad("MISSING_STATEMENT", "must be a statement or a list of at least one"))
		return nil
	}
	out := make([]Statement, len(list))
	sids := map[string]int{}
	for i, n := range list {
		if len(p.errors) >= maxFindings {
			break
		}
		s := &out[i]
		s.Index = i
		p.statement(s, n)
		if s.Sid == "" {
			continue
		}
		if other, ok := sids[s.Sid]; ok {
			p.keep(n.get("Sid").bad("UNIQUE_SIDS_REQUIRED", "%s is the Sid of Statement[%d] already", quote(s.Sid), other))
		}
		sids[s.Sid] = i
	}
	return out
}

// statement compiles one statement.
func (p *parser) statement(s *Statement, n *node) {
	if n.kind != objectNode {
		p.keep(n.bad("DATA_TYPE_MISMATCH", "must be an object, not %v", n.kind))
		return
	}
	s.text = &elements{}
	s.Start, s.End = n.source.position(n.start), n.source.position(n.end)
	for i, name := range n.names {
		it := n.items[i]
		var err *ParseError
		switch name {
		case "Sid":
			s.Sid, err = p.sid(it)
		case "Effect":
			if it.kind != stringNode || it.text != "Allow" && it.text != "Deny" {
				err = it.bad("INVALID_EFFECT", "must be Allow or Deny")
			}
			s.Deny = it.text == "Deny"
		case "Principal", "NotPrincipal":
			s.notPrincipal, s.text.principal = name == "NotPrincipal", it.raw()
			s.principals, err = parsePrincipals(it)
		case "Action", "NotAction":
			s.notAction, s.text.action = name == "NotAction", it.raw()
			s.actions, err = parseActions(it)
			s.invokes = s.performs(ActionInvoke)
		case "Resource", "NotResource":
			s.notResource, s.text.resource = name == "NotResource", it.raw()
			s.resources, err = p.resources(it)
		case "Condition":
			s.conditions, err = p.conditions(it)
		default:
			err = it.badName("INVALID_POLICY_ELEMENT", "a statement has no such element")
		}
		p.keep(err)
	}
	for _, name := range [...]string{"Principal", "Action", "Resource"} {
		if n.get(name) != nil && n.get("Not"+name) != nil {
			p.keep(n.bad("UNSUPPORTED_ELEMENT_COMBINATION", "has both %s and Not%s", name, name))
		}
	}
	p.complete(s, n)
}

// sid reads a Sid. Those of IAM's own policies are letters and digits (IAM user guide, reference_policies_elements_sid).
func (p *parser) sid(n *node) (string, *ParseError) {
	if n.kind != stringNode {
		return "", n.bad("DATA_TYPE_MISMATCH", "must be a string, not %v", n.kind)
	}
	strict := p.kind == Identity || p.kind == Session || p.kind == Trust
	if strict && strings.Trim(n.text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") != "" {
		return "", n.bad("UNSUPPORTED_SID", "must be letters and digits alone")
	}
	return n.text, nil
}

// complete holds a statement against what its kind of policy must and must not have.
func (p *parser) complete(s *Statement, n *node) {
	has := func(name string) bool { return n.get(name) != nil }
	principal := has("Principal") || has("NotPrincipal")
	if !has("Effect") {
		p.keep(n.missing("Effect", "MISSING_EFFECT", "is missing"))
	}
	if !has("Action") && !has("NotAction") {
		p.keep(n.missing("Action", "MISSING_ACTION", "is missing"))
	}
	switch p.kind {
	case Resource, Trust, ResourceControl, Key:
		if !principal {
			p.keep(n.missing("Principal", "MISSING_PRINCIPAL", "is missing"))
		}
	case Identity, Session:
		if principal {
			p.keep(n.either("Principal").badName("UNSUPPORTED_PRINCIPAL", "does not belong in an identity-based policy"))
		}
	case ServiceControl:
		if principal {
			p.keep(n.either("Principal").badName("SCP_SYNTAX_ERROR_PRINCIPAL", "does not belong in a service control policy"))
		}
	}
	resource := has("Resource") || has("NotResource")
	switch {
	case p.kind == Trust && resource:
		p.keep(n.either("Resource").badName("INVALID_POLICY_ELEMENT", "does not belong in a trust policy"))
	case p.kind != Trust && !resource:
		p.keep(n.missing("Resource", "MISSING_RESOURCE", "is missing"))
	}
	switch {
	case has("NotPrincipal") && p.kind == Trust:
		p.keep(n.get("NotPrincipal").badName("UNSUPPORTED_ELEMENT_COMBINATION", "does not belong in a trust policy"))
	case has("NotPrincipal") && !s.Deny && has("Effect"):
		p.keep(n.get("NotPrincipal").badName("ALLOW_WITH_NOT_PRINCIPAL", "goes with the effect Deny only"))
	}
	if p.kind == ResourceControl {
		p.resourceControl(s, n)
	}
}

// resourceControl holds a statement against the syntax of resource control policies: they deny, everybody, named actions
// (Organizations user guide, orgs_manage_policies_rcps_syntax). AWS's own RCPFullAWSAccess allows everything.
func (p *parser) resourceControl(s *Statement, n *node) {
	if pr := n.get("Principal"); pr != nil && !everybody(pr) {
		p.keep(pr.bad("UNSUPPORTED_PRINCIPAL", `must be "*" in a resource control policy`))
	}
	for _, name := range [...]string{"NotPrincipal", "NotAction"} {
		if it := n.get(name); it != nil {
			p.keep(it.badName("UNSUPPORTED_ELEMENT_COMBINATION", "does not belong in a resource control policy"))
		}
	}
	every := func(name string) bool { it := n.get(name); return it != nil && it.kind == stringNode && it.text == "*" }
	if full := n.get("Condition") == nil && every("Action") && every("Resource"); !s.Deny && n.get("Effect") != nil && !full {
		p.keep(n.get("Effect").bad("INVALID_EFFECT", "a resource control policy only denies"))
	}
	for _, a := range s.actions {
		if it := n.get("Action"); it != nil && s.Deny && (a == string([]byte{anyRun}) || strings.HasPrefix(a, string([]byte{anyRun, ':'}))) {
			p.keep(it.bad("INVALID_SERVICE_IN_ACTION", "an action must name its service in a resource control policy"))
			break
		}
	}
}

// everybody tells whether a Principal element is "*", short or long.
func everybody(n *node) bool {
	if n.kind == objectNode && len(n.items) == 1 && n.names[0] == "AWS" {
		n = n.items[0]
	}
	return n.kind == stringNode && n.text == "*"
}

// parseActions compiles an Action element to patterns in lower case.
func parseActions(n *node) ([]string, *ParseError) {
	items, err := n.list(false, "EMPTY_ARRAY_ACTION")
	if err != nil {
		return nil, err
	}
	out := make([]string, len(items))
	for i, it := range items {
		service, action, ok := strings.Cut(it.text, ":")
		if it.text != "*" && (!ok || service == "" || action == "" || strings.ContainsAny(it.text, " \t\r\n/") || strings.Contains(action, ":")) {
			return nil, it.bad("INVALID_ACTION", "%s is not an action: write service:Action or *", quote(it.text))
		}
		out[i] = wildcards.Replace(strings.ToLower(it.text))
	}
	return out, nil
}

// resources compiles a Resource element. VPC Lattice takes patterns that are no ARN, such as */rates; policies of
// callers name ARNs, or * (IAM user guide, reference_policies_elements_resource).
func (p *parser) resources(n *node) ([]pattern, *ParseError) {
	items, err := n.list(false, "EMPTY_ARRAY_RESOURCE")
	if err != nil {
		return nil, err
	}
	out := make([]pattern, len(items))
	for i, it := range items {
		switch {
		case it.text == "":
			return nil, it.bad("MISSING_ARN_FIELD", "a resource must not be empty")
		case p.kind != Resource && it.text != "*" && !strings.HasPrefix(it.text, "arn:"):
			return nil, it.bad("INVALID_ARN_PREFIX", "%s is no ARN: write arn:… or *", quote(it.text))
		}
		if out[i], err = p.pattern(it, true); err != nil {
			return nil, err
		}
		out[i].asResource()
	}
	return out, nil
}

// quote is a client's text in an error.
func quote(s string) string { return strconv.Quote(short(s)) }
