package controlplane

import (
	"context"
	"errors"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

// RuleFailure is why one rule of a batch was not changed.
type RuleFailure struct {
	Rule    string // as it was asked for
	Code    string
	Message string
}

// batchItem is one change of a batch with the rule that it is about.
type batchItem struct {
	RuleUpdate
	rule *trellis.Rule
	err  error
}

// BatchUpdateRule changes up to 10 rules of a listener in one transaction. Priorities need only be unique in
// the end, so rules can swap them. A change that cannot be made is reported, and the others are made.
func (p *Plane) BatchUpdateRule(ctx context.Context, c *authpolicy.Caller, service, listener string, changes []RuleUpdate) ([]Rule, []RuleFailure, trellis.Revision, error) {
	var done []Rule
	var failed []RuleFailure
	rev, err := p.commit(ctx, func(tx *store.Tx) error {
		done, failed = nil, nil
		s, err := p.serviceOf(tx, c, service, "vpc-lattice:UpdateRule", nil, func(s trellis.Ref) string {
			return "service/" + s.ID + "/listener/" + trellis.LastPart(listener) + "/rule/*"
		})
		if err != nil {
			return err
		}
		l, err := p.listenerIn(tx, c, s, listener)
		if err != nil {
			return err
		}
		if err := p.ready("SERVICE", s.ID, s.Status); err != nil {
			return err
		}
		rules, err := store.List[*trellis.Rule](tx, l.Key()+"/")
		if err != nil {
			return err
		}
		items, err := p.batchItems(tx, c, l, changes)
		if err != nil {
			return err
		}
		settlePriorities(rules, items)
		done, failed, err = p.changeRules(tx, c, l, items)
		return err
	})
	return done, failed, rev, err
}

// batchItems finds the rules of a batch and checks each change by itself.
func (p *Plane) batchItems(tx *store.Tx, c *authpolicy.Caller, l *trellis.Listener, changes []RuleUpdate) ([]*batchItem, error) {
	seen := map[string]bool{}
	items := make([]*batchItem, 0, len(changes))
	for _, ch := range changes {
		it := &batchItem{RuleUpdate: ch}
		items = append(items, it)
		r, err := p.ruleIn(tx, c, l, ch.Rule)
		var te *trellis.Error
		if err != nil && !errors.As(err, &te) {
			return nil, err
		}
		switch {
		case err != nil:
			it.err = err
			continue
		case r.Default:
			it.err = trellis.InvalidOther("The default rule cannot be modified with BatchUpdateRule. Use UpdateListener.")
			continue
		case seen[r.ID]:
			it.err = trellis.InvalidOther("Rule %s is named twice.", r.ID)
			continue
		}
		seen[r.ID] = true
		it.rule, it.err = r.Rule, p.validChange(ch)
		if it.err == nil && ch.Action != nil {
			a := *ch.Action
			if it.err = p.checkAction(tx, c, l, &a); it.err != nil && !errors.As(it.err, &te) {
				return nil, it.err
			}
			it.Action = &a
		}
	}
	return items, nil
}

// settlePriorities fails the changes whose priority is another rule's in the end. Since a change that fails
// keeps its old priority, which another may have counted on, it looks until nothing changes.
func settlePriorities(rules []*trellis.Rule, items []*batchItem) {
	for changed := true; changed; {
		changed = false
		holder := map[int]string{}
		moving := map[string]bool{}
		for _, it := range items {
			if it.err == nil && it.Priority != nil {
				moving[it.rule.ID] = true
			}
		}
		for _, r := range rules {
			if !moving[r.ID] {
				holder[r.Priority] = r.ID
			}
		}
		for _, it := range items {
			if it.err != nil || it.Priority == nil {
				continue
			}
			if other, taken := holder[*it.Priority]; taken && other != it.rule.ID {
				it.err = trellis.Conflict("RULE", other, "The priority %d is already used by another rule of the listener.", *it.Priority)
				changed = true
				break
			}
			holder[*it.Priority] = it.rule.ID
		}
	}
}

// changeRules writes the changes without errors: first all old priorities are given back, then the new ones taken.
func (p *Plane) changeRules(tx *store.Tx, c *authpolicy.Caller, l *trellis.Listener, items []*batchItem) (done []Rule, failed []RuleFailure, err error) {
	for _, it := range items {
		if it.err == nil && it.Priority != nil {
			tx.Release(rulePriority(l, it.rule.Priority))
		}
	}
	for _, it := range items {
		if it.err != nil {
			var te *trellis.Error
			errors.As(it.err, &te)
			failed = append(failed, RuleFailure{it.RuleUpdate.Rule, te.Code, te.Message})
			continue
		}
		if it.Priority != nil {
			it.rule.Priority = *it.Priority
			if err := claimPriority(tx, l, it.rule); err != nil {
				return nil, nil, err
			}
		}
		if err := p.changeRule(tx, c, l, it.rule, it.RuleUpdate); err != nil {
			return nil, nil, err
		}
		done = append(done, Rule{Rule: it.rule})
	}
	return done, failed, nil
}
