// Package alarm says what CloudWatch's operations on alarms and dashboards mean. Alarms are kept exactly as they were asked
// for; nothing evaluates metrics for them yet, so that a metric alarm's state is what SetAlarmState said last. A composite
// alarm's state follows from those of the alarms in its rule.
package alarm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion"
	"github.com/trellis-project/trellis/store"
)

const (
	maxAlarms  = 5000 // of an account (CloudWatch user guide, quotas)
	maxHistory = 50   // events that an alarm keeps
)

// Alarms are the alarms and dashboards of all accounts.
type Alarms struct{ *companion.Records }

// New returns the alarms.
func New(o companion.Options) *Alarms { return &Alarms{companion.NewRecords(o)} }

// fault is an error of CloudWatch, all of which that are meant here are 4xx.
func fault(code, format string, args ...any) *trellis.Error {
	return trellis.NewError(400, code, format, args...)
}

// arn is the ARN of an alarm of the caller's account.
func (a *Alarms) arn(c *authpolicy.Caller, name string) string {
	return trellis.AlarmARN(a.Region, c.Principal.Account, name)
}

// get reads an alarm of the caller's account.
func get(tx *store.Tx, c *authpolicy.Caller, name string) (*trellis.Alarm, error) {
	return companion.Get[*trellis.Alarm](tx, c.Principal.Account+"/"+name, fault("ResourceNotFound", "Unknown alarm %s", name))
}

// happened adds an event to an alarm's history.
func happened(n *trellis.Alarm, at time.Time, typ, summary string, data map[string]any) {
	data["version"], data["type"] = "1.0", typ
	text, _ := json.Marshal(data) // texts and numbers cannot fail
	n.History = append(n.History, trellis.AlarmEvent{At: at, Type: typ, Summary: summary, Data: string(text)})
	n.History = n.History[max(0, len(n.History)-maxHistory):]
}

// Put makes an alarm, or gives one another configuration; then tags are left as they are.
func (a *Alarms) Put(ctx context.Context, c *authpolicy.Caller, name string, conf trellis.AlarmConfiguration, tags map[string]string) (trellis.Revision, error) {
	if err := check(name, &conf); err != nil {
		return 0, err
	}
	if err := checkTags(tags); err != nil {
		return 0, err
	}
	return a.Commit(ctx, c, "cloudwatch:PutMetricAlarm", a.arn(c, name), authpolicy.TagKeys(nil, tags, nil), func(tx *store.Tx) error {
		_, _, err := a.put(tx, c, name, conf, tags)
		return err
	})
}

// put makes an alarm of either kind, or changes one.
func (a *Alarms) put(tx *store.Tx, c *authpolicy.Caller, name string, conf trellis.AlarmConfiguration, tags map[string]string) (n *trellis.Alarm, created bool, err error) {
	n, err = store.Get[*trellis.Alarm](tx, c.Principal.Account+"/"+name)
	now, typ, done := a.Time(), "Update", "updated"
	switch {
	case errors.Is(err, trellis.ErrNotExist):
		have, err := store.Count[*trellis.Alarm](tx, c.Principal.Account+"/")
		if err != nil {
			return nil, false, err
		}
		if have >= maxAlarms {
			return nil, false, fault("LimitExceededFault", "An account has at most %d alarms.", maxAlarms)
		}
		typ, done, created = "Create", "created", true
		n = &trellis.Alarm{Meta: a.Meta(c, name, tags), State: trellis.AlarmInsufficientData, StateReason: "Unchecked: Initial alarm creation",
			StateUpdatedAt: now, StateTransitionedAt: now}
	case err != nil:
		return nil, false, err
	case n.Composite() != (conf.Rule != ""):
		return nil, false, fault("ValidationError", "The alarm name %s is in use by an alarm of another type.", name)
	default:
		a.unlink(tx, n)
	}
	n.Configuration, n.ConfigurationUpdatedAt, n.UpdatedAt = conf, now, now
	happened(n, now, "ConfigurationUpdate", fmt.Sprintf("Alarm %q %s", name, done), map[string]any{"change": typ})
	tx.Put(n)
	return n, created, nil
}

// Delete removes alarms, all or, when one does not exist or a composite one depends on it, none.
func (a *Alarms) Delete(ctx context.Context, c *authpolicy.Caller, names []string) (trellis.Revision, error) {
	return a.each(ctx, c, "DeleteAlarms", names, func(tx *store.Tx, all []*trellis.Alarm) error {
		if err := free(tx, c.Principal.Account, all); err != nil {
			return err
		}
		for _, n := range all {
			a.unlink(tx, n)
			tx.Delete(n)
		}
		return nil
	})
}

// SetActions lets alarms act, or keeps them from it.
func (a *Alarms) SetActions(ctx context.Context, c *authpolicy.Caller, names []string, enabled bool) (trellis.Revision, error) {
	action := "DisableAlarmActions"
	if enabled {
		action = "EnableAlarmActions"
	}
	return a.each(ctx, c, action, names, func(tx *store.Tx, all []*trellis.Alarm) error {
		for _, n := range all {
			now := a.Time()
			n.Configuration.ActionsEnabled, n.ConfigurationUpdatedAt, n.UpdatedAt = enabled, now, now
			happened(n, now, "ConfigurationUpdate", fmt.Sprintf("Alarm %q updated", n.ID), map[string]any{"change": "Update"})
			tx.Put(n)
		}
		return nil
	})
}

// each changes alarms of the caller's account in one transaction.
func (a *Alarms) each(ctx context.Context, c *authpolicy.Caller, action string, names []string, change func(*store.Tx, []*trellis.Alarm) error) (trellis.Revision, error) {
	if len(names) > 100 {
		return 0, fault("InvalidParameterValueException", "At most 100 alarms can be named.")
	}
	for _, name := range names {
		if err := c.Authorize("cloudwatch:"+action, a.arn(c, name), nil); err != nil {
			return 0, err
		}
	}
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	return a.Store.Commit(ctx, func(tx *store.Tx) error {
		var all []*trellis.Alarm
		for _, name := range names {
			n, err := get(tx, c, name)
			if err != nil {
				return err
			}
			all = append(all, n)
		}
		return change(tx, all)
	})
}

// SetState says what state an alarm is in. A composite alarm keeps it until one of the alarms in its rule changes.
func (a *Alarms) SetState(ctx context.Context, c *authpolicy.Caller, name string, state trellis.AlarmState, reason, data string) (trellis.Revision, error) {
	if data != "" && !json.Valid([]byte(data)) {
		return 0, fault("InvalidFormatFault", "StateReasonData was not syntactically valid JSON")
	}
	return a.Commit(ctx, c, "cloudwatch:SetAlarmState", a.arn(c, name), nil, func(tx *store.Tx) error {
		n, err := get(tx, c, name)
		if err != nil {
			return err
		}
		e := &evaluation{a, tx, a.Time(), map[string]*evaluated{}}
		turn(n, e.at, state, reason, data)
		tx.Put(n)
		return e.spread(e.take(n))
	})
}

// Query asks for alarms. What is empty asks for nothing.
type Query struct {
	Names        []string
	Prefix       string
	ActionPrefix string
	State        trellis.AlarmState
	Metric       bool   // alarms of metrics,
	Composite    bool   // and composite ones
	ChildrenOf   string // those in the rule of a composite alarm
	ParentsOf    string // composite ones with an alarm in their rules
}

// fits tells whether an alarm is asked for.
func (q *Query) fits(n *trellis.Alarm) bool {
	acts := func(arn string) bool { return strings.HasPrefix(arn, q.ActionPrefix) }
	all := slices.Concat(n.Configuration.OKActions, n.Configuration.AlarmActions, n.Configuration.InsufficientDataActions)
	if n.Composite() && !q.Composite || !n.Composite() && !q.Metric {
		return false
	}
	return (len(q.Names) == 0 || slices.Contains(q.Names, n.ID)) && strings.HasPrefix(n.ID, q.Prefix) &&
		(q.State == "" || q.State == n.State) && (q.ActionPrefix == "" || slices.ContainsFunc(all, acts))
}

// Describe is DescribeAlarms and what is like it, by name: action is what the caller's policies must allow.
func (a *Alarms) Describe(ctx context.Context, c *authpolicy.Caller, action string, q Query) (found []*trellis.Alarm, err error) {
	err = a.Read(ctx, c, "cloudwatch:"+action, a.arn(c, "*"), nil, func(tx *store.Tx) error {
		found = nil
		all, err := store.List[*trellis.Alarm](tx, c.Principal.Account+"/")
		var children []string
		if q.ChildrenOf != "" {
			n, err := get(tx, c, q.ChildrenOf)
			if err != nil {
				return err
			}
			children = a.children(n)
		}
		for _, n := range all {
			if q.fits(n) && (q.ChildrenOf == "" || slices.Contains(children, n.ID)) && (q.ParentsOf == "" || slices.Contains(a.children(n), q.ParentsOf)) {
				found = append(found, n)
			}
		}
		return err
	})
	return found, err
}
