package vpclattice

import (
	"context"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/controlplane"
)

// createRule serves CreateRule.
func (h *handler) createRule(ctx context.Context, c *api.Call, in *CreateRuleInput) (*CreateRuleOutput, error) {
	r, rev, err := h.plane.CreateRule(ctx, c.Caller, in.ServiceIdentifier, in.ListenerIdentifier, api.Or(in.ClientToken, ""), trellis.Rule{
		Meta:     trellis.Meta{Tags: in.Tags},
		Name:     in.Name,
		Priority: int(in.Priority),
		Match:    api.Or(readMatch(in.Match), trellis.HTTPMatch{}),
		Action:   readAction(in.Action),
	})
	if err != nil {
		return nil, err
	}
	c.Committed(rev)
	return &CreateRuleOutput{Arn: new(r.ARN(h.region)), Id: &r.ID, Name: &r.Name, Priority: number(r.Priority),
		Match: writeMatch(r.Match), Action: writeAction(r.Action)}, nil
}

// getRule serves GetRule.
func (h *handler) getRule(ctx context.Context, c *api.Call, in *GetRuleInput) (*GetRuleOutput, error) {
	r, err := h.plane.GetRule(ctx, c.Caller, in.ServiceIdentifier, in.ListenerIdentifier, in.RuleIdentifier)
	if err != nil {
		return nil, err
	}
	return &GetRuleOutput{Arn: new(r.ARN(h.region)), Id: &r.ID, Name: &r.Name, IsDefault: &r.Default, Priority: number(r.Priority),
		Match: matchOf(r), Action: writeAction(r.Action), CreatedAt: at(r.CreatedAt), LastUpdatedAt: at(r.UpdatedAt)}, nil
}

// updateRule serves UpdateRule.
func (h *handler) updateRule(ctx context.Context, c *api.Call, in *UpdateRuleInput) (*UpdateRuleOutput, error) {
	r, rev, err := h.plane.UpdateRule(ctx, c.Caller, in.ServiceIdentifier, in.ListenerIdentifier,
		readUpdate(in.RuleIdentifier, in.Priority, in.Match, in.Action))
	if err != nil {
		return nil, err
	}
	c.Committed(rev)
	return &UpdateRuleOutput{Arn: new(r.ARN(h.region)), Id: &r.ID, Name: &r.Name, IsDefault: &r.Default, Priority: number(r.Priority),
		Match: matchOf(r), Action: writeAction(r.Action)}, nil
}

// batchUpdateRule serves BatchUpdateRule.
func (h *handler) batchUpdateRule(ctx context.Context, c *api.Call, in *BatchUpdateRuleInput) (*BatchUpdateRuleOutput, error) {
	var updates []controlplane.RuleUpdate
	for _, u := range in.Rules {
		updates = append(updates, readUpdate(u.RuleIdentifier, u.Priority, u.Match, u.Action))
	}
	done, failed, rev, err := h.plane.BatchUpdateRule(ctx, c.Caller, in.ServiceIdentifier, in.ListenerIdentifier, updates)
	if err != nil {
		return nil, err
	}
	c.Committed(rev)
	out := &BatchUpdateRuleOutput{}
	for _, r := range done {
		out.Successful = append(out.Successful, RuleUpdateSuccess{Arn: new(r.ARN(h.region)), Id: &r.ID, Name: &r.Name, IsDefault: &r.Default,
			Priority: number(r.Priority), Match: matchOf(r), Action: writeAction(r.Action)})
	}
	for _, f := range failed {
		out.Unsuccessful = append(out.Unsuccessful, RuleUpdateFailure{RuleIdentifier: &f.Rule, FailureCode: &f.Code, FailureMessage: &f.Message})
	}
	return out, nil
}

// deleteRule serves DeleteRule.
func (h *handler) deleteRule(ctx context.Context, c *api.Call, in *DeleteRuleInput) (*DeleteRuleOutput, error) {
	rev, err := h.plane.DeleteRule(ctx, c.Caller, in.ServiceIdentifier, in.ListenerIdentifier, in.RuleIdentifier)
	if err != nil {
		return nil, err
	}
	c.Committed(rev)
	return &DeleteRuleOutput{}, nil
}

// listRules serves ListRules.
func (h *handler) listRules(ctx context.Context, c *api.Call, in *ListRulesInput) (*ListRulesOutput, error) {
	pg, err := page(c, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	list, next, err := h.plane.ListRules(ctx, c.Caller, in.ServiceIdentifier, in.ListenerIdentifier, pg)
	if err != nil {
		return nil, err
	}
	out := &ListRulesOutput{NextToken: c.NextToken(next)}
	for _, r := range list {
		out.Items = append(out.Items, RuleSummary{Arn: new(r.ARN(h.region)), Id: &r.ID, Name: &r.Name, IsDefault: &r.Default,
			Priority: number(r.Priority), CreatedAt: at(r.CreatedAt), LastUpdatedAt: at(r.UpdatedAt)})
	}
	return out, nil
}

// readUpdate reads what UpdateRule and BatchUpdateRule say of a rule.
func readUpdate(rule string, priority *int32, match *RuleMatch, action *RuleAction) controlplane.RuleUpdate {
	u := controlplane.RuleUpdate{Rule: rule, Priority: api.Int(priority), Match: readMatch(match)}
	if action != nil {
		u.Action = new(readAction(action))
	}
	return u
}

// readMatch reads a match, nil for none. Without a word on it paths are case-sensitive and header values not.
func readMatch(in *RuleMatch) *trellis.HTTPMatch {
	if in == nil || in.HttpMatch == nil {
		return nil
	}
	m := &trellis.HTTPMatch{Method: api.Or(in.HttpMatch.Method, "")}
	if p := in.HttpMatch.PathMatch; p != nil {
		m.Path = &trellis.PathMatch{CaseSensitive: api.Or(p.CaseSensitive, true)}
		if p.Match != nil {
			m.Path.Exact, m.Path.Prefix = api.Or(p.Match.Exact, ""), api.Or(p.Match.Prefix, "")
		}
	}
	for _, hm := range in.HttpMatch.HeaderMatches {
		out := trellis.HeaderMatch{Name: hm.Name, CaseSensitive: api.Or(hm.CaseSensitive, false)}
		if hm.Match != nil {
			out.Exact, out.Prefix, out.Contains = api.Or(hm.Match.Exact, ""), api.Or(hm.Match.Prefix, ""), api.Or(hm.Match.Contains, "")
		}
		m.Headers = append(m.Headers, out)
	}
	return m
}

// matchOf is the match of a rule, absent for the default rule.
func matchOf(r controlplane.Rule) *RuleMatch {
	if r.Default {
		return nil
	}
	return writeMatch(r.Match)
}

// writeMatch writes a match; the list of headers is there even when it is empty, as in AWS's answers.
func writeMatch(m trellis.HTTPMatch) *RuleMatch {
	out := &HttpMatch{Method: text(m.Method), HeaderMatches: []HeaderMatch{}}
	if m.Path != nil {
		out.PathMatch = &PathMatch{CaseSensitive: &m.Path.CaseSensitive, Match: &PathMatchType{Exact: text(m.Path.Exact), Prefix: text(m.Path.Prefix)}}
	}
	for _, hm := range m.Headers {
		out.HeaderMatches = append(out.HeaderMatches, HeaderMatch{Name: hm.Name, CaseSensitive: &hm.CaseSensitive,
			Match: &HeaderMatchType{Exact: text(hm.Exact), Prefix: text(hm.Prefix), Contains: text(hm.Contains)}})
	}
	return &RuleMatch{HttpMatch: out}
}
