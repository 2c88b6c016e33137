// Package accessanalyzer serves the validation of policies of AWS's IAM Access Analyzer. What is wrong with a policy is
// package authpolicy's matter.
package accessanalyzer

import (
	"context"
	"fmt"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/authpolicy"
)

// New returns the service with its table of operations.
func New() api.Service {
	return api.Service{Model: Model(), Operations: []api.Operation{
		api.Op("ValidatePolicy", validatePolicy),
	}}
}

// defaultPage is how many findings a page has when maxResults is absent.
const defaultPage = 100

// reference is the page of the IAM user guide with a section for each check.
const reference = "https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-reference-policy-checks.html#access-analyzer-reference-policy-checks-"

// validatePolicy serves ValidatePolicy. Findings are in English whatever the locale.
func validatePolicy(_ context.Context, call *api.Call, in *ValidatePolicyInput) (*ValidatePolicyOutput, error) {
	if err := call.Authorize("access-analyzer:ValidatePolicy", "*", nil); err != nil {
		return nil, err
	}
	if in.MaxResults != nil && *in.MaxResults < 1 {
		return nil, trellis.InvalidOther("maxResults must be at least 1")
	}
	type numbered struct {
		finding authpolicy.Finding
		number  string
	}
	var all []numbered
	for i, f := range authpolicy.Lint(in.PolicyDocument, kindOf(in)) {
		all = append(all, numbered{f, fmt.Sprintf("%06d", i)})
	}
	page, next, err := api.Cut(call, all, func(n numbered) string { return n.number }, in.NextToken, int(api.Or(in.MaxResults, defaultPage)))
	if err != nil {
		return nil, err
	}
	return &ValidatePolicyOutput{NextToken: next, Findings: api.Each(page, func(n numbered) ValidatePolicyFinding { return wireFinding(n.finding) })}, nil
}

// kindOf is the kind of the policy. A resource policy is one of a service or service network, unless it is said to be
// who may assume a role.
func kindOf(in *ValidatePolicyInput) authpolicy.PolicyKind {
	switch in.PolicyType {
	case "RESOURCE_POLICY":
		if api.Value(in.ValidatePolicyResourceType) == "AWS::IAM::AssumeRolePolicyDocument" {
			return authpolicy.Trust
		}
		return authpolicy.Resource
	case "SERVICE_CONTROL_POLICY":
		return authpolicy.ServiceControl
	case "RESOURCE_CONTROL_POLICY":
		return authpolicy.ResourceControl
	}
	return authpolicy.Identity
}

// wireFinding is a finding as answers have it.
func wireFinding(f authpolicy.Finding) ValidatePolicyFinding {
	kind := string(f.Type)
	if f.Type == authpolicy.LintWarning {
		kind = "GENERAL_WARNING"
	}
	section := strings.ToLower(strings.ReplaceAll(kind+"-"+f.Code, "_", "-"))
	return ValidatePolicyFinding{
		FindingDetails: f.Details, FindingType: string(f.Type), IssueCode: f.Code, LearnMoreLink: reference + section,
		Locations: []Location{{
			Path: api.Each(f.Location.Path, wirePathElement),
			Span: &Span{Start: wirePosition(f.Location.Start), End: wirePosition(f.Location.End)},
		}},
	}
}

// wirePathElement is a step into a document as answers have it.
func wirePathElement(e authpolicy.PathElement) PathElement {
	switch {
	case e.Value != "":
		return PathElement{Value: &e.Value}
	case e.Key != "":
		return PathElement{Key: &e.Key}
	}
	return PathElement{Index: new(int32(e.Index))}
}

// wirePosition is a place as answers have it.
func wirePosition(p authpolicy.TextPosition) *Position {
	return &Position{Line: int32(p.Line), Column: int32(p.Column), Offset: int32(p.Offset)}
}
