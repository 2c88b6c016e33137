package elbv2

import (
	"context"
	"fmt"
	"strconv"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/companion/loadbalancer"
)

// conditions reads the conditions of a request. Values by themselves are the older form of a config for hosts and paths.
func conditions(list []RuleCondition) []trellis.LoadBalancerCondition {
	if list == nil {
		return nil
	}
	out := []trellis.LoadBalancerCondition{}
	for _, w := range list {
		q := trellis.LoadBalancerCondition{Field: api.Value(w.Field), Values: w.Values, RegexValues: w.RegexValues}
		set := func(values, regexes []string) {
			if values != nil {
				q.Values = values
			}
			if regexes != nil {
				q.RegexValues = regexes
			}
		}
		switch {
		case w.HostHeaderConfig != nil:
			set(w.HostHeaderConfig.Values, w.HostHeaderConfig.RegexValues)
		case w.PathPatternConfig != nil:
			set(w.PathPatternConfig.Values, w.PathPatternConfig.RegexValues)
		case w.HttpHeaderConfig != nil:
			q.Header = api.Value(w.HttpHeaderConfig.HttpHeaderName)
			set(w.HttpHeaderConfig.Values, w.HttpHeaderConfig.RegexValues)
		case w.HttpRequestMethodConfig != nil:
			set(w.HttpRequestMethodConfig.Values, nil)
		case w.SourceIpConfig != nil:
			set(w.SourceIpConfig.Values, nil)
		case w.QueryStringConfig != nil:
			for _, v := range w.QueryStringConfig.Values {
				q.Queries = append(q.Queries, trellis.LoadBalancerQueryValue{Key: api.Value(v.Key), Value: api.Value(v.Value)})
			}
		}
		out = append(out, q)
	}
	return out
}

// condition is a condition as the wire has it. Hosts and paths show in both forms.
func condition(q trellis.LoadBalancerCondition) RuleCondition {
	w := RuleCondition{Field: &q.Field}
	switch q.Field {
	case "host-header":
		w.Values, w.RegexValues = q.Values, q.RegexValues
		w.HostHeaderConfig = &HostHeaderConditionConfig{Values: q.Values, RegexValues: q.RegexValues}
	case "path-pattern":
		w.Values, w.RegexValues = q.Values, q.RegexValues
		w.PathPatternConfig = &PathPatternConditionConfig{Values: q.Values, RegexValues: q.RegexValues}
	case "http-header":
		w.HttpHeaderConfig = &HttpHeaderConditionConfig{HttpHeaderName: &q.Header, Values: q.Values, RegexValues: q.RegexValues}
	case "http-request-method":
		w.HttpRequestMethodConfig = &HttpRequestMethodConditionConfig{Values: q.Values}
	case "source-ip":
		w.SourceIpConfig = &SourceIpConditionConfig{Values: q.Values}
	case "query-string":
		w.QueryStringConfig = &QueryStringConditionConfig{Values: api.Each(q.Queries, func(v trellis.LoadBalancerQueryValue) QueryStringKeyValuePair {
			return QueryStringKeyValuePair{Key: api.Some(v.Key), Value: &v.Value}
		})}
	}
	return w
}

// transforms reads the transforms of a request.
func transforms(list []RuleTransform) []trellis.LoadBalancerTransform {
	var out []trellis.LoadBalancerTransform
	for _, w := range list {
		t := trellis.LoadBalancerTransform{Type: w.Type}
		var rewrites []RewriteConfig
		switch {
		case w.HostHeaderRewriteConfig != nil:
			rewrites = w.HostHeaderRewriteConfig.Rewrites
		case w.UrlRewriteConfig != nil:
			rewrites = w.UrlRewriteConfig.Rewrites
		}
		for _, r := range rewrites {
			t.Rewrites = append(t.Rewrites, trellis.LoadBalancerRewrite{Regex: r.Regex, Replace: r.Replace})
		}
		out = append(out, t)
	}
	return out
}

// transform is a transform as the wire has it.
func transform(t trellis.LoadBalancerTransform) RuleTransform {
	rewrites := api.Each(t.Rewrites, func(r trellis.LoadBalancerRewrite) RewriteConfig {
		return RewriteConfig{Regex: r.Regex, Replace: r.Replace}
	})
	if t.Type == "host-header-rewrite" {
		return RuleTransform{Type: t.Type, HostHeaderRewriteConfig: &HostHeaderRewriteConfig{Rewrites: rewrites}}
	}
	return RuleTransform{Type: t.Type, UrlRewriteConfig: &UrlRewriteConfig{Rewrites: rewrites}}
}

// rule is a rule as the wire has it.
func (h *handler) rule(r *trellis.LoadBalancerRule) Rule {
	priority := "default"
	if r.Priority > 0 {
		priority = strconv.Itoa(r.Priority)
	}
	return Rule{Actions: api.Each(r.Actions, action), Conditions: api.Each(r.Conditions, condition), IsDefault: new(r.Priority == 0), Priority: &priority,
		RuleArn: new(r.ARN(h.balancers.Region)), Transforms: api.Each(r.Transforms, transform)}
}

// createRule serves CreateRule.
func (h *handler) createRule(ctx context.Context, c *api.Call, in *CreateRuleInput) (*CreateRuleOutput, error) {
	tags, err := fromTags(in.Tags)
	if err != nil {
		return nil, err
	}
	acts, err := actions(in.Actions)
	if err != nil {
		return nil, err
	}
	r, rev, err := h.balancers.CreateRule(ctx, c.Caller, in.ListenerArn, loadbalancer.RuleSpec{Priority: int(in.Priority), Conditions: conditions(in.Conditions),
		Actions: acts, Transforms: transforms(in.Transforms), Tags: tags})
	if err != nil {
		return nil, err
	}
	return api.Done(c, &CreateRuleOutput{Rules: []Rule{h.rule(r)}}, rev, nil)
}

// describeRules serves DescribeRules.
func (h *handler) describeRules(ctx context.Context, c *api.Call, in *DescribeRulesInput) (*DescribeRulesOutput, error) {
	all, err := h.balancers.Rules(ctx, c.Caller, loadbalancer.Filter{ARNs: in.RuleArns, Of: api.Value(in.ListenerArn)})
	if err != nil {
		return nil, err
	}
	all, next, err := page(c, all, func(r *trellis.LoadBalancerRule) string {
		return fmt.Sprintf("%05d %s", (r.Priority+99999)%100000, r.ID) // the default rule, 0, is the last
	}, in.PageSize, in.Marker)
	return &DescribeRulesOutput{NextMarker: next, Rules: api.Each(all, h.rule)}, err
}

// modifyRule serves ModifyRule.
func (h *handler) modifyRule(ctx context.Context, c *api.Call, in *ModifyRuleInput) (*ModifyRuleOutput, error) {
	acts, err := actions(in.Actions)
	if err != nil {
		return nil, err
	}
	spec := loadbalancer.RuleSpec{Conditions: conditions(in.Conditions), Actions: acts, Transforms: transforms(in.Transforms)}
	if api.Value(in.ResetTransforms) {
		spec.Transforms = []trellis.LoadBalancerTransform{}
	}
	r, rev, err := h.balancers.ModifyRule(ctx, c.Caller, in.RuleArn, spec)
	if err != nil {
		return nil, err
	}
	return api.Done(c, &ModifyRuleOutput{Rules: []Rule{h.rule(r)}}, rev, nil)
}

// deleteRule serves DeleteRule.
func (h *handler) deleteRule(ctx context.Context, c *api.Call, in *DeleteRuleInput) (*DeleteRuleOutput, error) {
	rev, err := h.balancers.DeleteRule(ctx, c.Caller, in.RuleArn)
	return api.Done(c, &DeleteRuleOutput{}, rev, err)
}

// setRulePriorities serves SetRulePriorities.
func (h *handler) setRulePriorities(ctx context.Context, c *api.Call, in *SetRulePrioritiesInput) (*SetRulePrioritiesOutput, error) {
	priorities := map[string]int{}
	for _, p := range in.RulePriorities {
		priorities[api.Value(p.RuleArn)] = int(api.Value(p.Priority))
	}
	all, rev, err := h.balancers.SetPriorities(ctx, c.Caller, priorities)
	return api.Done(c, &SetRulePrioritiesOutput{Rules: api.Each(all, h.rule)}, rev, err)
}
