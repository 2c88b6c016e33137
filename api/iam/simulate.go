package iam

import (
	"context"
	"strconv"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/identity"
)

// simulateCustomPolicy serves SimulateCustomPolicy.
func (h *handlers) simulateCustomPolicy(ctx context.Context, call *api.Call, in *SimulateCustomPolicyInput) (*SimulateCustomPolicyOutput, error) {
	ask, err := simulation(in.ActionNames, in.ResourceArns, in.ContextEntries, in.ResourceHandlingOption)
	if err != nil {
		return nil, err
	}
	ask.Policies, ask.Boundaries, ask.ResourcePolicy = in.PolicyInputList, in.PermissionsBoundaryPolicyInputList, api.Value(in.ResourcePolicy)
	ask.ResourceOwner, ask.CallerARN = api.Value(in.ResourceOwner), api.Value(in.CallerArn)
	for _, level := range in.OrderedOrganizationPolicyInputList {
		ask.Levels = append(ask.Levels, level.ServiceControlPolicyInputList)
	}
	s, err := h.identity.SimulateCustomPolicy(ctx, call.Caller, ask)
	if err != nil {
		return nil, err
	}
	results, end, err := simulated(call, s, in.Marker, in.MaxItems)
	return &SimulateCustomPolicyOutput{EvaluationResults: results, IsTruncated: end.truncated, Marker: end.marker}, err
}

// simulatePrincipalPolicy serves SimulatePrincipalPolicy.
func (h *handlers) simulatePrincipalPolicy(ctx context.Context, call *api.Call, in *SimulatePrincipalPolicyInput) (*SimulatePrincipalPolicyOutput, error) {
	ask, err := simulation(in.ActionNames, in.ResourceArns, in.ContextEntries, in.ResourceHandlingOption)
	if err != nil {
		return nil, err
	}
	ask.Policies, ask.Boundaries, ask.ResourcePolicy = in.PolicyInputList, in.PermissionsBoundaryPolicyInputList, api.Value(in.ResourcePolicy)
	ask.ResourceOwner, ask.CallerARN = api.Value(in.ResourceOwner), api.Value(in.CallerArn)
	s, err := h.identity.SimulatePrincipalPolicy(ctx, call.Caller, in.PolicySourceArn, ask, api.Each(in.PolicyExclusionList, exclusion))
	if err != nil {
		return nil, err
	}
	results, end, err := simulated(call, s, in.Marker, in.MaxItems)
	return &SimulatePrincipalPolicyOutput{EvaluationResults: results, IsTruncated: end.truncated, Marker: end.marker}, err
}

// simulation is what both operations take. Options of how EC2 handles resources are refused: each resource is asked
// about by itself.
func simulation(actions, resources []string, entries []ContextEntry, handling *string) (identity.Simulation, error) {
	ask := identity.Simulation{Actions: actions, Resources: resources}
	if handling != nil {
		return ask, trellis.NewError(400, "InvalidInput", "ResourceHandlingOption %s is not served: name each resource in ResourceArns", *handling)
	}
	for _, e := range entries {
		if e.ContextKeyName == nil || e.ContextKeyType == nil {
			return ask, trellis.NewError(400, "InvalidInput", "ContextEntries: an entry lacks its name or type")
		}
		ask.Context = append(ask.Context, identity.ContextEntry{Name: *e.ContextKeyName, Values: e.ContextKeyValues, Type: *e.ContextKeyType})
	}
	return ask, nil
}

// exclusion is a policy to leave out as identity has it.
func exclusion(p PolicyIdentifier) identity.Exclusion {
	e := identity.Exclusion{Kind: api.Value(p.PolicyType), ARN: api.Value(p.PolicyArn)}
	if p.InlinePolicyIdentifier != nil {
		e.Inline = p.InlinePolicyIdentifier.PolicyName
	}
	return e
}

// simulated answers one page of a simulation. Only the requests of the page are simulated.
func simulated(call *api.Call, s *identity.Simulator, marker *string, maxItems *int32) ([]EvaluationResult, paging, error) {
	after, err := call.After(marker)
	if err != nil {
		return nil, paging{}, err
	}
	from := 0
	if after != "" {
		if from, err = strconv.Atoi(after); err != nil {
			return nil, paging{}, err
		}
	}
	end := min(s.Len(), from+int(api.Or(maxItems, defaultPage)))
	results := []EvaluationResult{}
	for n := from; n < end; n++ {
		results = append(results, wireSimulated(s.At(n)))
	}
	if end == s.Len() {
		return results, paging{new(false), nil}, nil
	}
	return results, paging{new(true), call.NextToken(strconv.Itoa(end))}, nil
}

// wireEffect is an effect as answers have it.
func wireEffect(e authpolicy.Effect) string {
	switch e {
	case authpolicy.Allow:
		return "allowed"
	case authpolicy.ExplicitDeny:
		return "explicitDeny"
	}
	return "implicitDeny"
}

// wireSimulated is the result of one request as answers have it.
func wireSimulated(s identity.Simulated) EvaluationResult {
	out := EvaluationResult{EvalActionName: s.Action, EvalResourceName: &s.Resource, EvalDecision: wireEffect(s.Effect),
		MatchedStatements: api.Each(s.Matched, wireStatement), MissingContextValues: append([]string{}, s.Missing...)}
	if s.Organizations != nil {
		out.OrganizationsDecisionDetail = &OrganizationsDecisionDetail{AllowedByOrganizations: s.Organizations}
	}
	if s.Boundary != nil {
		out.PermissionsBoundaryDecisionDetail = &PermissionsBoundaryDecisionDetail{AllowedByPermissionsBoundary: s.Boundary}
	}
	if s.Details != nil {
		out.EvalDecisionDetails = map[string]string{}
		for source, e := range s.Details {
			out.EvalDecisionDetails[source] = wireEffect(e)
		}
	}
	return out
}

// wireStatement is a statement as answers have it.
func wireStatement(s identity.MatchedStatement) Statement {
	at := func(p authpolicy.Position) *Position {
		return &Position{Line: new(int32(p.Line)), Column: new(int32(p.Column))}
	}
	return Statement{SourcePolicyId: &s.SourceID, SourcePolicyType: &s.SourceType, StartPosition: at(s.Start), EndPosition: at(s.End)}
}
