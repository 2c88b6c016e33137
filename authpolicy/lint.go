package authpolicy

import (
	"cmp"
	"slices"
	"strings"
)

// FindingType is how bad a finding is (IAM Access Analyzer API reference, ValidatePolicyFinding).
type FindingType string

// The types of findings. Exactly the errors are what Parse refuses.
const (
	LintError           FindingType = "ERROR"
	LintSecurityWarning FindingType = "SECURITY_WARNING"
	LintWarning         FindingType = "WARNING"
	LintSuggestion      FindingType = "SUGGESTION"
)

// Finding is something that is wrong with a policy, or could be better. Codes are those of IAM Access Analyzer's policy
// checks where it has one for the matter (IAM user guide, access-analyzer-reference-policy-checks).
type Finding struct {
	Type     FindingType
	Code     string
	Details  string
	Location Location
}

// Location is a part of a policy's text.
type Location struct {
	Path       []PathElement
	Start, End TextPosition
}

// PathElement is a step into a document. Exactly one is set, but for an index.
type PathElement struct {
	Value string // the value of this member
	Key   string // the name of this member, as the last step
	Index int    // an item of an array, when Value and Key are empty
}

// TextPosition is a place in a text as tools count: lines from 1, columns and offsets in characters from 0.
type TextPosition struct{ Line, Column, Offset int }

// Lint checks a policy as IAM Access Analyzer does. Findings stand in the order of the text.
func Lint(text string, kind PolicyKind) []Finding {
	p := &parser{kind: kind}
	policy, doc := p.document(text)
	l := &linter{source: newSource(text), kind: kind}
	for _, err := range p.errors {
		l.findings = append(l.findings, located{Finding{LintError, err.Code, err.Message, l.location(err.at, err.start, err.end, err.name)}, err.start})
	}
	if doc != nil && policy != nil {
		l.document(doc, policy)
	}
	slices.SortStableFunc(l.findings, func(a, b located) int { return cmp.Compare(a.start, b.start) })
	out := make([]Finding, len(l.findings))
	for i, f := range l.findings {
		out[i] = f.Finding
	}
	return out
}

// maxFindings bounds what a document of thousands of faults gives: about as many, since a statement that is begun is read to
// its end.
const maxFindings = 500

// located is a finding with where it begins, in bytes.
type located struct {
	Finding
	start int
}

// linter looks for what Parse takes and people should not write.
type linter struct {
	source   *source
	kind     PolicyKind
	findings []located
}

// note adds a finding about a value.
func (l *linter) note(t FindingType, code string, n *node, details string) {
	l.add(t, code, n.at, n.start, n.end, false, details)
}

// noteName adds a finding about the name of a member.
func (l *linter) noteName(t FindingType, code string, n *node, details string) {
	l.add(t, code, n.at, n.nameStart, n.nameEnd, true, details)
}

// add adds a finding about a span.
func (l *linter) add(t FindingType, code string, at *place, start, end int, name bool, details string) {
	if len(l.findings) < maxFindings {
		l.findings = append(l.findings, located{Finding{t, code, details, l.location(at, start, end, name)}, start})
	}
}

// location is a span as findings have it.
func (l *linter) location(at *place, start, end int, name bool) Location {
	var path []PathElement
	for p := at; p.up != nil; p = p.up {
		switch {
		case p.index >= 0:
			path = append(path, PathElement{Index: p.index})
		case name && p == at:
			path = append(path, PathElement{Key: p.name})
		default:
			path = append(path, PathElement{Value: p.name})
		}
	}
	slices.Reverse(path)
	return Location{path, l.position(start), l.position(end)}
}

// position counts as tools do.
func (l *linter) position(offset int) TextPosition {
	offset = min(offset, len(l.source.text))
	p := l.source.position(offset)
	return TextPosition{p.Line, p.Column - 1, l.source.characters(offset)}
}

// document looks at a document that is an object.
func (l *linter) document(doc *node, policy *Policy) {
	version := doc.get("Version")
	if version == nil {
		l.note(LintWarning, "MISSING_VERSION", doc, "The policy has no Version, so it is read as 2008-10-17. Add \"Version\": \"2012-10-17\".")
	}
	if (version == nil || version.text != "2012-10-17") && strings.Contains(l.source.text, "${") {
		l.note(LintWarning, "VARIABLE_UNSUPPORTED_IN_VERSION", doc, "The policy has ${…}, which only version 2012-10-17 reads as a variable.")
	}
	l.size()
	statements := doc.get("Statement")
	if statements == nil {
		return
	}
	list := statements.items
	if statements.kind == objectNode {
		list = []*node{statements}
	}
	seen := map[string]bool{}
	for i, n := range list {
		if len(l.findings) >= maxFindings {
			return
		}
		if n.kind != objectNode || i >= len(policy.statements) {
			continue
		}
		l.statement(n, &policy.statements[i])
		if same := statementKey(n); seen[same] {
			l.note(LintSuggestion, "REDUNDANT_STATEMENT", n, "Another statement says the same. Remove one of them.")
		} else {
			seen[same] = true
		}
	}
}

// size holds the text against the quotas of IAM and Organizations, which count no spaces (IAM user guide,
// reference_iam-quotas; Organizations user guide, orgs_reference_limits).
func (l *linter) size() {
	n := 0
	for _, c := range l.source.text {
		if c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			n++
		}
	}
	end := len(l.source.text)
	switch {
	case l.kind == Identity && n > 6144:
		l.add(LintWarning, "POLICY_SIZE_EXCEEDS_IDENTITY_POLICY_QUOTA", &place{index: -1}, 0, end, false, "The policy has more than the 6,144 characters of a managed policy. Split it.")
	case (l.kind == ServiceControl || l.kind == ResourceControl) && n > 5120:
		l.add(LintWarning, "POLICY_SIZE_EXCEEDS_SCP_QUOTA", &place{index: -1}, 0, end, false, "The policy has more than the 5,120 characters of a policy of an organization. Split it.")
	}
}

// statementKey is a statement's text without its Sid, for comparison.
func statementKey(n *node) string {
	var parts []string
	for i, name := range n.names {
		if name != "Sid" {
			parts = append(parts, name+strings.Join(strings.Fields(n.items[i].raw()), ""))
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, "\x00")
}

// texts are the strings of an element, however it is written.
func texts(n *node) []*node {
	switch {
	case n == nil:
		return nil
	case n.kind == arrayNode:
		return slices.DeleteFunc(slices.Clone(n.items), func(it *node) bool { return it.kind != stringNode })
	case n.kind == stringNode:
		return []*node{n}
	}
	return nil
}

// statement looks at one statement.
func (l *linter) statement(n *node, s *Statement) {
	if sid := n.get("Sid"); sid != nil && sid.kind == stringNode && sid.text == "" {
		l.note(LintSuggestion, "EMPTY_SID_VALUE", sid, "The Sid is empty. Give the statement a name or remove the Sid.")
	}
	if c := n.get("Condition"); c != nil && c.kind == objectNode && len(c.items) == 0 {
		l.note(LintSuggestion, "EMPTY_OBJECT_CONDITION", c, "The Condition is empty and changes nothing. Remove it or add a condition.")
	}
	l.actions(n)
	l.resources(n, s)
	l.conditions(n, s)
	l.principals(n, s)
	if !s.Deny && l.kind != ServiceControl && l.kind != ResourceControl {
		l.delegation(n, s)
	}
}

// redundant reports items of a list that another item covers.
func (l *linter) redundant(items []*node, code, what string, fold bool) {
	if len(items) > 200 {
		return // each is compared with each
	}
	texts, patterns := make([]string, len(items)), make([]string, len(items))
	for i, it := range items {
		texts[i] = it.text
		if fold {
			texts[i] = strings.ToLower(it.text)
		}
		patterns[i] = wildcards.Replace(texts[i])
	}
	for i := range items {
		for j := range items {
			covered := i != j && len(texts[i]) < 2048 && glob(patterns[j], texts[i], nil)
			if covered && (texts[i] != texts[j] || i > j) {
				l.note(LintSuggestion, code, items[i], "The "+what+" "+short(items[i].text)+" is covered by "+short(items[j].text)+".")
				break
			}
		}
	}
}

// actions looks at Action and NotAction.
func (l *linter) actions(n *node) {
	for _, name := range [...]string{"Action", "NotAction"} {
		items := texts(n.get(name))
		l.redundant(items, "REDUNDANT_ACTION", "action", true)
		for _, it := range items {
			service, action, ok := strings.Cut(strings.ToLower(it.text), ":")
			switch {
			case !ok || service == "" || action == "":
			case strings.ContainsAny(service, "*?"):
				l.note(LintSuggestion, "WILDCARD_IN_SERVICE_NAME", it, "The action has a wildcard in the name of its service. Name the services.")
			case !knownService(service):
				l.note(LintWarning, "INVALID_SERVICE_IN_ACTION", it, "There is no service "+short(service)+".")
			case !knownAction(service, action):
				l.note(LintWarning, "INVALID_ACTION", it, "There is no action "+short(it.text)+".")
			}
		}
	}
}

// bareService tells whether a resource is the ARN of a service of VPC Lattice without a path.
func bareService(text string) bool {
	_, after, ok := strings.Cut(text, ":service/")
	return ok && strings.HasPrefix(text, "arn:") && strings.Contains(text, ":vpc-lattice:") && !strings.ContainsAny(after, "/*?$")
}

// resources looks at Resource and NotResource.
func (l *linter) resources(n *node, s *Statement) {
	for _, name := range [...]string{"Resource", "NotResource"} {
		items := texts(n.get(name))
		l.redundant(items, "REDUNDANT_RESOURCE", "resource", false)
		for _, it := range items {
			l.arn(it)
			if bareService(it.text) && name == "Resource" && s.matchesAction(ActionInvoke) && !s.notAction {
				l.note(LintWarning, "RESOURCE_WITHOUT_PATH", it, "Invoke is of a service's ARN with the path of a request, which begins with a slash: this resource covers none. Add /*.")
			}
		}
	}
}

// arn looks at the parts of an ARN.
func (l *linter) arn(n *node) {
	if !strings.HasPrefix(n.text, "arn:") {
		return
	}
	parts := strings.SplitN(n.text, ":", 6)
	wild := func(s string) bool { return s == "" || strings.ContainsAny(s, "*?$") }
	switch {
	case len(parts) < 6 && !strings.HasSuffix(n.text, "*"):
		l.note(LintWarning, "MISSING_ARN_FIELD", n, "An ARN has six parts with colons between them: arn:partition:service:region:account:resource.")
	case !wild(parts[1]) && parts[1] != "aws" && !strings.HasPrefix(parts[1], "aws-"):
		l.note(LintWarning, "INVALID_PARTITION", n, "There is no partition "+short(parts[1])+".")
	case len(parts) > 2 && strings.ToLower(parts[2]) != parts[2]:
		l.note(LintWarning, "INVALID_ARN_SERVICE_CASE", n, "The service of an ARN is in lower case: "+short(strings.ToLower(parts[2]))+".")
	case len(parts) > 4 && !wild(parts[4]) && parts[4] != "aws" && strings.Trim(parts[4], "0123456789") != "",
		len(parts) > 4 && !wild(parts[4]) && parts[4] != "aws" && len(parts[4]) != 12:
		l.note(LintWarning, "INVALID_ARN_ACCOUNT", n, short(parts[4])+" is not an account id of 12 digits.")
	}
}

// starred tells whether an element has * alone.
func starred(n *node) bool {
	return slices.ContainsFunc(texts(n), func(it *node) bool { return it.text == "*" })
}

// allowsAction tells whether one of a statement's actions covers an action, and whether only by a wildcard.
func allowsAction(n *node, action string) (covers, byWildcard bool) {
	byWildcard = true
	for _, it := range texts(n.get("Action")) {
		if globFold(wildcards.Replace(strings.ToLower(it.text)), action) {
			covers = true
			byWildcard = byWildcard && strings.ContainsAny(it.text, "*?")
		}
	}
	return covers, byWildcard
}

// conditioned tells whether a statement has a condition on one of some keys, in lower case.
func (s *Statement) conditioned(keys ...string) bool {
	return slices.ContainsFunc(s.conditions, func(c condition) bool { return slices.Contains(keys, c.key.extra) })
}

// delegation looks at statements that let a caller hand on more than it is meant to.
func (l *linter) delegation(n *node, s *Statement) {
	resource, wide := n.get("Resource"), "STAR_IN_RESOURCE"
	every := starred(resource)
	if n.get("NotResource") != nil {
		resource, wide, every = n.get("NotResource"), "NOT_RESOURCE", true
	}
	if !every || resource == nil {
		return
	}
	for _, a := range [...]struct {
		action, key, code, with string
		t                       FindingType
	}{
		{"iam:PassRole", "iam:passedtoservice", "PASS_ROLE", "iam:PassedToService", LintSecurityWarning},
		{"iam:CreateServiceLinkedRole", "iam:awsservicename", "CREATE_SLR", "iam:AWSServiceName", LintWarning},
	} {
		covers, byWildcard := allowsAction(n, a.action)
		if !covers || s.conditioned(a.key) {
			continue
		}
		code := a.code + "_WITH_" + wide
		switch {
		case byWildcard && wide == "STAR_IN_RESOURCE":
			code = a.code + "_WITH_STAR_IN_ACTION_AND_RESOURCE"
		case byWildcard:
			code = a.code + "_WITH_STAR_IN_ACTION_AND_NOT_RESOURCE"
		}
		l.note(a.t, code, resource, "The statement allows "+a.action+" on any role. Name the roles, or add a condition on "+a.with+".")
	}
}

// principals looks at who a statement of a policy of a resource is about.
func (l *linter) principals(n *node, s *Statement) {
	p := n.get("Principal")
	if p == nil || p.kind != objectNode || s.Deny {
		return
	}
	if svc := p.get("Service"); svc != nil && l.kind == Resource && !s.conditioned("aws:sourcearn", "aws:sourceaccount", "aws:sourceorgid", "aws:sourceorgpaths") {
		l.note(LintSuggestion, "RECOMMENDED_CONDITION_KEY_FOR_SERVICE_PRINCIPAL", svc, "A service acts for many accounts. Add a condition on aws:SourceArn, aws:SourceAccount, aws:SourceOrgID or aws:SourceOrgPaths.")
	}
	if l.kind != Trust {
		return
	}
	actions := texts(n.get("Action"))
	for _, f := range texts(p.get("Federated")) {
		web := !strings.Contains(f.text, ":saml-provider/")
		want := "sts:AssumeRoleWithSAML"
		if web {
			want = "sts:AssumeRoleWithWebIdentity"
		}
		if covers, _ := allowsAction(n, want); !covers && len(actions) > 0 {
			l.note(LintWarning, "MISMATCHED_ACTION_FOR_PRINCIPAL", actions[0], "Callers of the provider "+short(f.text)+" need "+want+".")
		}
		subject := slices.ContainsFunc(s.conditions, func(c condition) bool {
			return strings.HasSuffix(c.key.extra, ":sub") || strings.HasSuffix(c.key.extra, ":aud") || strings.HasSuffix(c.key.extra, ":amr")
		})
		if web && !subject {
			l.note(LintSecurityWarning, "OIDC_PRINCIPAL_WITHOUT_SUBJECT", f, "Everybody who has a token of this provider may take on the role. Add a condition on the token's subject (sub).")
		}
	}
	if aws := p.get("AWS"); aws != nil && len(actions) > 0 {
		if covers, _ := allowsAction(n, "sts:AssumeRole"); !covers {
			l.note(LintWarning, "MISMATCHED_ACTION_FOR_PRINCIPAL", actions[0], "Principals of type AWS need sts:AssumeRole.")
		}
	}
}
