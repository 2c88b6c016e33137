package controlplane

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/store"
)

// DefaultRule is how the default rule of a listener is named, and in extended mode also how it is asked for.
const DefaultRule = "default"

// Rule is a rule of a listener, or its default rule, which has neither priority nor match.
type Rule struct {
	*trellis.Rule
	Default bool
}

// defaultRule shows the default action of a listener as a rule.
func defaultRule(l *trellis.Listener) Rule {
	r := &trellis.Rule{Meta: l.Meta, ServiceID: l.ServiceID, ListenerID: l.ID, Name: DefaultRule, Action: l.DefaultAction}
	r.ID, r.Tags = l.DefaultRuleID, nil
	return Rule{r, true}
}

// ruleOf returns a rule with its listener and service, after the caller's policies have allowed action.
func (p *Plane) ruleOf(tx *store.Tx, c *authpolicy.Caller, service, listener, rule, action string, k keys) (s *trellis.Service, l *trellis.Listener, r Rule, err error) {
	s, err = p.serviceOf(tx, c, service, action, k, func(s trellis.Ref) string {
		return "service/" + s.ID + "/listener/" + trellis.LastPart(listener) + "/rule/" + trellis.LastPart(rule)
	})
	if err == nil {
		l, err = p.listenerIn(tx, c, s, listener)
	}
	if err == nil {
		r, err = p.ruleIn(tx, c, l, rule)
	}
	return s, l, r, err
}

// ruleIn reads a rule of a listener.
func (p *Plane) ruleIn(tx *store.Tx, c *authpolicy.Caller, l *trellis.Listener, rule string) (Rule, error) {
	if rule == DefaultRule && !p.Strict {
		return defaultRule(l), nil
	}
	id, err := p.below(c, rule, "service/"+l.ServiceID+"/listener/"+l.ID, "rule", "RULE")
	if err != nil {
		return Rule{}, err
	}
	if id == l.DefaultRuleID {
		return defaultRule(l), nil
	}
	r, err := get[*trellis.Rule](tx, trellis.Ref{Account: l.Key(), ID: id}, "RULE")
	return Rule{Rule: r}, err
}

// CreateRule makes a rule of a listener. r gives name, priority, match, action and tags.
func (p *Plane) CreateRule(ctx context.Context, c *authpolicy.Caller, service, listener, token string, r trellis.Rule) (*trellis.Rule, trellis.Revision, error) {
	have, err := count[*trellis.Rule](ctx, p, account(c)+"/"+trellis.LastPart(service)+"/"+trellis.LastPart(listener)+"/")
	if err != nil {
		return nil, 0, err
	}
	var made *trellis.Rule
	rev, err := p.commit(ctx, func(tx *store.Tx) error {
		s, err := p.serviceOf(tx, c, service, "vpc-lattice:CreateRule", authpolicy.TagKeys(p.targetGroupKeys(c, &r.Action), r.Tags, nil), func(s trellis.Ref) string {
			return "service/" + s.ID + "/listener/" + trellis.LastPart(listener) + "/rule/*"
		})
		if err != nil {
			return err
		}
		l, err := p.listenerIn(tx, c, s, listener)
		if err != nil {
			return err
		}
		err = firstError(errors.Join(validName("name", r.Name, "rule-", 3, 63), p.validPriority(r.Priority), validMatch(&r.Match)))
		if err != nil {
			return err
		}
		if err := p.validTags(r.Tags); err != nil {
			return err
		}
		made, err = store.Once(tx, l.Key()+"/CreateRule", token, r, func() (*trellis.Rule, error) { return p.makeRule(tx, c, s, l, r, have) })
		return err
	})
	return made, rev, err
}

// makeRule puts a new rule. have is how many others there were before the transaction.
func (p *Plane) makeRule(tx *store.Tx, c *authpolicy.Caller, s *trellis.Service, l *trellis.Listener, r trellis.Rule, have int) (*trellis.Rule, error) {
	if err := p.ready("SERVICE", s.ID, s.Status); err != nil {
		return nil, err
	}
	if l.Protocol == trellis.ProtocolTLSPassthrough {
		return nil, trellis.InvalidOther("A TLS_PASSTHROUGH listener has no rules but its default action.")
	}
	r.Meta, r.ServiceID, r.ListenerID = p.meta(c, "rule", r.Tags), s.ID, l.ID
	if err := claim(tx, ruleName(l, r.Name), r.Key(), "RULE", "A rule with the name %s already exists in listener %s.", r.Name, l.ID); err != nil {
		return nil, err
	}
	if err := claimPriority(tx, l, &r); err != nil {
		return nil, err
	}
	if err := roomFor[*trellis.Rule](p, tx, l.Account, quota.RulesPerListener, l.Key()+"/", have, "RULE"); err != nil {
		return nil, err
	}
	if err := p.checkAction(tx, c, l, &r.Action); err != nil {
		return nil, err
	}
	if err := p.useTargetGroups(tx, l, r.Key(), trellis.Action{}, r.Action); err != nil {
		return nil, err
	}
	tx.Put(&r)
	return &r, nil
}

// ruleName is the claim of a rule's name.
func ruleName(l *trellis.Listener, name string) string { return "rulename/" + l.Key() + "/" + name }

// rulePriority is the claim of a rule's priority.
func rulePriority(l *trellis.Listener, priority int) string {
	return fmt.Sprintf("rulepriority/%s/%d", l.Key(), priority)
}

// claimPriority takes the priority of a rule.
func claimPriority(tx *store.Tx, l *trellis.Listener, r *trellis.Rule) error {
	return claim(tx, rulePriority(l, r.Priority), r.Key(), "RULE", "The priority %d is already used by another rule of listener %s.", r.Priority, l.ID)
}

// validPriority checks a priority.
func (p *Plane) validPriority(n int) error {
	if highest := p.Quotas.Default(quota.RulePriority); n < 1 || n > highest {
		return field("priority", fmt.Sprintf("priority must be from 1 to %d.", highest))
	}
	return nil
}

// validMatch checks a match. A match that is empty matches everything.
func validMatch(m *trellis.HTTPMatch) error {
	if len(m.Method) > 16 || strings.ContainsFunc(m.Method, notToken) {
		return field("method", "method must be an HTTP method of at most 16 characters.")
	}
	if m.Path != nil {
		text := m.Path.Exact + m.Path.Prefix
		switch {
		case (m.Path.Exact == "") == (m.Path.Prefix == ""):
			return field("pathMatch", "A pathMatch is either exact or prefix.")
		case len(text) > 200 || text[0] != '/' || strings.ContainsFunc(text, notPath):
			return field("pathMatch", "A path has 1 to 200 characters, begins with / and has only the characters a-zA-Z0-9@:%_+.~#?&/=-.")
		}
	}
	if len(m.Headers) > 5 {
		return field("headerMatches", "A rule has at most 5 headerMatches.")
	}
	for _, h := range m.Headers {
		values := 0
		for _, v := range []string{h.Exact, h.Prefix, h.Contains} {
			if v != "" {
				values++
			}
			if len(v) > 200 {
				return field("headerMatches", "The value of a headerMatch has at most 200 characters.")
			}
		}
		switch {
		case h.Name == "" || len(h.Name) > 100 || strings.ContainsFunc(h.Name, notToken):
			return field("headerMatches", "The name of a headerMatch must be a header name of at most 100 characters.")
		case values != 1:
			return field("headerMatches", "The match of a header is one of exact, prefix and contains.")
		}
	}
	return nil
}

// notToken tells whether a character cannot stand in a token of HTTP (RFC 9110, 5.6.2).
func notToken(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
}

// notPath tells whether a character cannot stand in a path match.
func notPath(r rune) bool {
	return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && !strings.ContainsRune("@:%_+.~#?&/=-", r)
}

// GetRule returns a rule.
func (p *Plane) GetRule(ctx context.Context, c *authpolicy.Caller, service, listener, rule string) (Rule, error) {
	var r Rule
	err := p.read(ctx, func(tx *store.Tx) (err error) {
		_, _, r, err = p.ruleOf(tx, c, service, listener, rule, "vpc-lattice:GetRule", nil)
		return err
	})
	return r, err
}

// RuleUpdate is what can change of a rule; nil leaves as it is.
type RuleUpdate struct {
	Rule     string // identifier
	Priority *int
	Match    *trellis.HTTPMatch
	Action   *trellis.Action
}

// UpdateRule changes a rule. Of the default rule, in extended mode, its action.
func (p *Plane) UpdateRule(ctx context.Context, c *authpolicy.Caller, service, listener string, ch RuleUpdate) (Rule, trellis.Revision, error) {
	var r Rule
	rev, err := p.commit(ctx, func(tx *store.Tx) (err error) {
		var s *trellis.Service
		var l *trellis.Listener
		if s, l, r, err = p.ruleOf(tx, c, service, listener, ch.Rule, "vpc-lattice:UpdateRule", p.targetGroupKeys(c, ch.Action)); err != nil {
			return err
		}
		if r.Default {
			return p.updateDefault(tx, c, s, l, &r, ch)
		}
		if err := p.ready("SERVICE", s.ID, s.Status); err != nil {
			return err
		}
		if err := p.validChange(ch); err != nil {
			return err
		}
		if ch.Priority != nil && *ch.Priority != r.Priority {
			tx.Release(rulePriority(l, r.Priority))
			r.Priority = *ch.Priority
			if err := claimPriority(tx, l, r.Rule); err != nil {
				return err
			}
		}
		return p.changeRule(tx, c, l, r.Rule, ch)
	})
	return r, rev, err
}

// updateDefault is UpdateRule of the default rule, which AWS refuses: UpdateListener is its way.
func (p *Plane) updateDefault(tx *store.Tx, c *authpolicy.Caller, s *trellis.Service, l *trellis.Listener, r *Rule, ch RuleUpdate) error {
	switch {
	case p.Strict:
		return trellis.InvalidOther("The default rule cannot be modified with UpdateRule. Use UpdateListener.")
	case ch.Priority != nil || ch.Match != nil:
		return trellis.InvalidOther("The default rule has no priority and no match: only its action can change.")
	case ch.Action == nil:
		return nil
	}
	if err := p.setDefault(tx, c, s, l, *ch.Action); err != nil {
		return err
	}
	*r = defaultRule(l)
	return nil
}

// validChange checks the parts of a change that need no other noun.
func (p *Plane) validChange(ch RuleUpdate) error {
	var errs []error
	if ch.Priority != nil {
		errs = append(errs, p.validPriority(*ch.Priority))
	}
	if ch.Match != nil {
		errs = append(errs, validMatch(ch.Match))
	}
	return firstError(errors.Join(errs...))
}

// changeRule writes the match and action of a change; the priority is already that of the rule.
func (p *Plane) changeRule(tx *store.Tx, c *authpolicy.Caller, l *trellis.Listener, r *trellis.Rule, ch RuleUpdate) error {
	if ch.Match != nil {
		r.Match = *ch.Match
	}
	if ch.Action != nil {
		a := *ch.Action
		if err := p.checkAction(tx, c, l, &a); err != nil {
			return err
		}
		if err := p.useTargetGroups(tx, l, r.Key(), r.Action, a); err != nil {
			return err
		}
		r.Action = a
	}
	r.UpdatedAt = p.now()
	tx.Put(r)
	return nil
}

// DeleteRule removes a rule. The default rule stays as long as its listener.
func (p *Plane) DeleteRule(ctx context.Context, c *authpolicy.Caller, service, listener, rule string) (trellis.Revision, error) {
	return p.commit(ctx, func(tx *store.Tx) error {
		s, l, r, err := p.ruleOf(tx, c, service, listener, rule, "vpc-lattice:DeleteRule", nil)
		switch {
		case err != nil:
			return err
		case r.Default:
			return trellis.InvalidOther("The default rule cannot be deleted.")
		case s.Status == trellis.StatusDeleteInProgress:
			return badStatus("SERVICE", s.ID, s.Status)
		}
		dropRule(tx, l, r.Rule)
		return nil
	})
}

// dropRule removes a rule with what it holds.
func dropRule(tx *store.Tx, l *trellis.Listener, r *trellis.Rule) {
	for _, w := range r.Action.Forward {
		tx.Unmark(targetGroupUse(l.Account+"/"+w.TargetGroupID), r.Key())
		tx.Unmark(serviceTargetGroups(l.Account+"/"+l.ServiceID), w.TargetGroupID+"/"+r.ID)
	}
	tx.Release(ruleName(l, r.Name))
	tx.Release(rulePriority(l, r.Priority))
	tx.Delete(r)
}

// dropRules removes a batch of the rules of a listener, and tells whether there are more than that.
func dropRules(tx *store.Tx, l *trellis.Listener) (again bool, err error) {
	rules, next, err := store.Page[*trellis.Rule](tx, l.Key()+"/", "", cascadeBatch)
	for _, r := range rules {
		dropRule(tx, l, r)
	}
	return next != "", err
}

// ListRules lists the rules of a listener by priority, the default rule last.
func (p *Plane) ListRules(ctx context.Context, c *authpolicy.Caller, service, listener string, pg Page) ([]Rule, string, error) {
	var list []Rule
	var next string
	err := p.read(ctx, func(tx *store.Tx) error {
		_, l, err := p.listenerOf(tx, c, service, listener, "vpc-lattice:ListRules", nil)
		if err != nil {
			return err
		}
		rules, err := store.List[*trellis.Rule](tx, l.Key()+"/")
		if err != nil {
			return err
		}
		list = list[:0]
		for _, r := range rules {
			list = append(list, Rule{Rule: r})
		}
		list = append(list, defaultRule(l))
		slices.SortFunc(list, func(a, b Rule) int { return strings.Compare(ruleOrder(a), ruleOrder(b)) })
		list, next = paginate(list, ruleOrder, pg)
		return nil
	})
	return list, next, err
}

// ruleOrder is a text that sorts rules by priority, the default rule last.
func ruleOrder(r Rule) string {
	if r.Default {
		return "default"
	}
	return fmt.Sprintf("%05d/%s", r.Priority, r.ID)
}
