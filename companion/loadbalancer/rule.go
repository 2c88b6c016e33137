package loadbalancer

import (
	"context"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/store"
)

// RuleSpec is what CreateRule and ModifyRule are given. When one is changed, nil members stay as they were.
type RuleSpec struct {
	Priority   int // of a new rule
	Conditions []trellis.LoadBalancerCondition
	Actions    []trellis.LoadBalancerAction
	Transforms []trellis.LoadBalancerTransform
	Tags       map[string]string // of a new rule
}

// CreateRule gives a listener of an Application Load Balancer a rule.
func (l *LoadBalancers) CreateRule(ctx context.Context, c *authpolicy.Caller, listener string, in RuleSpec) (r *trellis.LoadBalancerRule, rev trellis.Revision, err error) {
	if err := checkTags(in.Tags); err != nil {
		return nil, 0, err
	}
	id := trellis.RandomHex(16)
	rev, err = l.Store.Commit(ctx, func(tx *store.Tx) error {
		n, err := named[*trellis.LoadBalancerListener](l, tx, c, "CreateRule", sortListener, listener, in.Tags, nil)
		if err != nil {
			return err
		}
		if len(in.Tags) > 0 {
			if err := authorize(c, "AddTags", l.arnOf(c, sortRule+"/"+n.ID+"/*"), in.Tags, nil, map[string][]string{"elasticloadbalancing:createaction": {"CreateRule"}}); err != nil {
				return err
			}
		}
		others, err := store.List[*trellis.LoadBalancerRule](tx, n.Key()+"/")
		if err != nil {
			return err
		}
		have, err := store.Count[*trellis.LoadBalancerRule](tx, n.Account+"/"+n.LoadBalancerID()+"/")
		if err != nil {
			return err
		}
		if err := l.room(tx, n.Account, quota.RulesPerLoadBalancer, have, "TooManyRules", "rules"); err != nil {
			return err
		}
		if slices.ContainsFunc(others, func(o *trellis.LoadBalancerRule) bool { return o.Priority == in.Priority }) {
			return bad("PriorityInUse", "Priority '%d' is currently in use", in.Priority)
		}
		r = &trellis.LoadBalancerRule{Meta: l.meta(c, n.ID+"/"+id, in.Tags), Priority: in.Priority}
		return l.settleRule(tx, c, n, r, in)
	})
	return r, rev, err
}

// settleRule writes into a rule of a listener what a request says, refuses what it can't have, and puts it.
func (l *LoadBalancers) settleRule(tx *store.Tx, c *authpolicy.Caller, n *trellis.LoadBalancerListener, r *trellis.LoadBalancerRule, in RuleSpec) error {
	b, err := balancerOf(tx, n)
	if err != nil {
		return err
	}
	if b.Type != trellis.LoadBalancerApplication {
		return bad("OperationNotPermitted", "Rules are for listeners of application load balancers")
	}
	was := r.Actions
	if in.Conditions != nil {
		r.Conditions = in.Conditions
	}
	if in.Actions != nil {
		r.Actions = in.Actions
	}
	if in.Transforms != nil {
		r.Transforms = in.Transforms
	}
	if err := checkConditions(r.Conditions); err != nil {
		return err
	}
	if err := checkTransforms(r.Transforms); err != nil {
		return err
	}
	if err := l.checkActions(tx, c, b, n.Protocol, r.Actions); err != nil {
		return err
	}
	use(tx, r.Key(), was, r.Actions)
	r.UpdatedAt = l.Time()
	tx.Put(r)
	return nil
}

// The fields of conditions.
const (
	fieldHost   = "host-header"
	fieldPath   = "path-pattern"
	fieldHeader = "http-header"
	fieldMethod = "http-request-method"
	fieldQuery  = "query-string"
	fieldSource = "source-ip"
)

// maxConditionValues is how many values, wildcards and regular expressions the conditions of a rule may have (Application
// Load Balancers user guide, quotas).
const maxConditionValues = 5

// methodForm and headerForm are the forms of methods and names of headers (RuleCondition).
var (
	methodForm = regexp.MustCompile(`^[A-Z_-]{1,40}$`)
	headerForm = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,40}$")
)

// checkConditions refuses conditions that a rule can't have: one of each field at most, but for headers and queries.
func checkConditions(conditions []trellis.LoadBalancerCondition) error {
	if len(conditions) == 0 {
		return invalid("A condition must be specified")
	}
	values, seen := 0, map[string]bool{}
	for _, q := range conditions {
		if seen[q.Field] && q.Field != fieldHeader && q.Field != fieldQuery {
			return invalid("A rule can only have one '%s' condition", q.Field)
		}
		seen[q.Field] = true
		n := len(q.Values) + len(q.Queries) + len(q.RegexValues)
		if n == 0 {
			return invalid("A condition value must be specified for '%s'", q.Field)
		}
		values += n
		if err := checkCondition(q); err != nil {
			return err
		}
	}
	if values > maxConditionValues {
		return invalid("A rule can only have '%d' condition values", maxConditionValues)
	}
	return nil
}

// checkCondition refuses what one condition can't be.
func checkCondition(q trellis.LoadBalancerCondition) error {
	for _, v := range q.RegexValues {
		if _, err := regexp.Compile(v); err != nil || len(v) > 128 {
			return invalid("The condition value '%s' is not a valid regular expression", v)
		}
	}
	if len(q.RegexValues) > 0 && q.Field != fieldHost && q.Field != fieldPath && q.Field != fieldHeader {
		return invalid("Regular expressions are not supported for '%s'", q.Field)
	}
	for _, v := range q.Values {
		var ok bool
		switch q.Field {
		case fieldHost:
			ok = len(v) <= 128 && strings.Contains(v, ".") && !strings.ContainsAny(v, " /\\")
		case fieldPath:
			ok = len(v) <= 128 && !strings.ContainsAny(v, " \\")
		case fieldHeader:
			ok = len(v) <= 128
		case fieldMethod:
			ok = methodForm.MatchString(v)
		case fieldSource:
			p, err := netip.ParsePrefix(v)
			ok = err == nil && p == p.Masked()
		}
		if !ok || v == "" {
			return invalid("Condition value '%s' is not valid for '%s'", v, q.Field)
		}
	}
	switch q.Field {
	case fieldHost, fieldPath, fieldMethod, fieldSource:
	case fieldHeader:
		if !headerForm.MatchString(q.Header) || strings.EqualFold(q.Header, "host") {
			return invalid("The HTTP header name '%s' is not valid", q.Header)
		}
	case fieldQuery:
		for _, v := range q.Queries {
			if v.Value == "" || len(v.Value) > 128 || len(v.Key) > 128 {
				return invalid("Query string values must have 1 to 128 characters")
			}
		}
	default:
		return invalid("Condition field '%s' must be one of '[%s]'", q.Field, strings.Join([]string{fieldPath, fieldHost, fieldHeader, fieldMethod, fieldQuery, fieldSource}, ","))
	}
	return nil
}

// checkTransforms refuses transforms that a rule can't have: one of each type, with one rewrite.
func checkTransforms(transforms []trellis.LoadBalancerTransform) error {
	seen := map[string]bool{}
	for _, t := range transforms {
		if seen[t.Type] || len(t.Rewrites) != 1 {
			return invalid("A rule has at most one transform of type '%s', with one rewrite", t.Type)
		}
		seen[t.Type] = true
		if _, err := regexp.Compile(t.Rewrites[0].Regex); err != nil {
			return invalid("The regular expression '%s' is not valid", t.Rewrites[0].Regex)
		}
	}
	return nil
}

// Rules returns rules by ARN, or those of a listener by priority with its default rule at the end.
func (l *LoadBalancers) Rules(ctx context.Context, c *authpolicy.Caller, f Filter) (found []*trellis.LoadBalancerRule, err error) {
	if (len(f.ARNs) == 0) == (f.Of == "") {
		return nil, invalid("You must specify either listener rule ARNs or a listener ARN")
	}
	err = l.Read(ctx, c, service+"DescribeRules", "*", nil, func(tx *store.Tx) error {
		found = nil
		if f.Of != "" {
			found, err = l.rulesOf(tx, c, f.Of)
			return err
		}
		for _, arn := range f.ARNs {
			r, err := l.rule(tx, c, arn)
			if err != nil {
				return err
			}
			found = append(found, r)
		}
		return nil
	})
	return found, err
}

// rulesOf returns all rules of a listener.
func (l *LoadBalancers) rulesOf(tx *store.Tx, c *authpolicy.Caller, listener string) ([]*trellis.LoadBalancerRule, error) {
	key, err := l.keyOf(c, sortListener, listener)
	if err != nil {
		return nil, err
	}
	n, err := companion.Get[*trellis.LoadBalancerListener](tx, key, notFound(sortListener, listener))
	if err != nil {
		return nil, err
	}
	rules, err := store.List[*trellis.LoadBalancerRule](tx, key+"/")
	slices.SortFunc(rules, func(a, b *trellis.LoadBalancerRule) int { return a.Priority - b.Priority })
	return append(rules, n.Default()), err
}

// rule reads the rule that an ARN names: one of its own, or a listener's default rule.
func (l *LoadBalancers) rule(tx *store.Tx, c *authpolicy.Caller, arn string) (*trellis.LoadBalancerRule, error) {
	key, err := l.keyOf(c, sortRule, arn)
	if err != nil {
		return nil, err
	}
	if n, err := listenerOfDefault(tx, key); n != nil || err != nil {
		return n.Default(), err
	}
	return companion.Get[*trellis.LoadBalancerRule](tx, key, notFound(sortRule, arn))
}

// listenerOfDefault reads the listener whose default rule has a key; nil for any other key.
func listenerOfDefault(tx *store.Tx, key string) (*trellis.LoadBalancerListener, error) {
	at := strings.LastIndexByte(key, '/')
	n, err := companion.Get[*trellis.LoadBalancerListener](tx, key[:max(at, 0)], noListener)
	if err == noListener || err == nil && n.DefaultRule != key[at+1:] {
		return nil, nil
	}
	return n, err
}

// noListener tells listenerOfDefault that there is none.
var noListener = notFound(sortListener, "")

// changeRule changes one rule that is not a default.
func (l *LoadBalancers) changeRule(ctx context.Context, c *authpolicy.Caller, action, arn string, fn func(*store.Tx, *trellis.LoadBalancerRule) error) (r *trellis.LoadBalancerRule, rev trellis.Revision, err error) {
	rev, err = l.Store.Commit(ctx, func(tx *store.Tx) error {
		key, err := l.keyOf(c, sortRule, arn)
		if err != nil {
			return err
		}
		n, err := listenerOfDefault(tx, key)
		if err != nil {
			return err
		}
		if n != nil {
			if err := authorize(c, action, arn, nil, n.DefaultRuleTags, nil); err != nil {
				return err
			}
			return bad("OperationNotPermitted", "Default rule '%s' cannot be modified or deleted: change the default actions of its listener", arn)
		}
		if r, err = named[*trellis.LoadBalancerRule](l, tx, c, action, sortRule, arn, nil, nil); err != nil {
			return err
		}
		return fn(tx, r)
	})
	return r, rev, err
}

// ModifyRule changes what a request says of a rule.
func (l *LoadBalancers) ModifyRule(ctx context.Context, c *authpolicy.Caller, arn string, in RuleSpec) (*trellis.LoadBalancerRule, trellis.Revision, error) {
	return l.changeRule(ctx, c, "ModifyRule", arn, func(tx *store.Tx, r *trellis.LoadBalancerRule) error {
		n, err := store.Get[*trellis.LoadBalancerListener](tx, r.Account+"/"+r.ListenerID())
		if err != nil {
			return err
		}
		return l.settleRule(tx, c, n, r, in)
	})
}

// DeleteRule removes a rule.
func (l *LoadBalancers) DeleteRule(ctx context.Context, c *authpolicy.Caller, arn string) (trellis.Revision, error) {
	_, rev, err := l.changeRule(ctx, c, "DeleteRule", arn, func(tx *store.Tx, r *trellis.LoadBalancerRule) error {
		use(tx, r.Key(), r.Actions, nil)
		tx.Delete(r)
		return nil
	})
	return rev, err
}

// SetPriorities gives rules (ARNs) other priorities, all at once.
func (l *LoadBalancers) SetPriorities(ctx context.Context, c *authpolicy.Caller, priorities map[string]int) (changed []*trellis.LoadBalancerRule, rev trellis.Revision, err error) {
	rev, err = l.Store.Commit(ctx, func(tx *store.Tx) error {
		changed = nil
		listeners := map[string]bool{} // keys
		for arn, p := range priorities {
			r, err := named[*trellis.LoadBalancerRule](l, tx, c, "SetRulePriorities", sortRule, arn, nil, nil)
			if err != nil {
				return err
			}
			r.Priority, r.UpdatedAt = p, l.Time()
			tx.Put(r)
			changed = append(changed, r)
			listeners[r.Account+"/"+r.ListenerID()] = true
		}
		for key := range listeners {
			taken := map[int]bool{}
			rules, err := store.List[*trellis.LoadBalancerRule](tx, key+"/")
			if err != nil {
				return err
			}
			for _, r := range rules {
				if taken[r.Priority] {
					return bad("PriorityInUse", "Priority '%d' is currently in use", r.Priority)
				}
				taken[r.Priority] = true
			}
		}
		slices.SortFunc(changed, func(a, b *trellis.LoadBalancerRule) int { return a.Priority - b.Priority })
		return nil
	})
	return changed, rev, err
}
