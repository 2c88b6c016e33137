package alarm

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

const (
	maxParents = 150 // composite alarms that may name one alarm (CloudWatch API, PutCompositeAlarm)
	// maxTurns is how often one change of an alarm may change a composite one before that is taken for a cycle, in which AWS
	// evaluates no further.
	maxTurns = 16
	// stateTime is how reasons write times.
	stateTime = "Monday 02 January, 2006 15:04:05 MST"
)

// parents is the set of composite alarms (keys) that name an alarm of an account. Names may have slashes.
func parents(account, name string) string {
	return "alarmparents/" + account + "/" + base64.RawURLEncoding.EncodeToString([]byte(name))
}

// nameOf is the name of an alarm of an account that is written as name or ARN; what is no ARN of that account's is a name.
func (a *Alarms) nameOf(account, text string) string {
	arn, err := trellis.ParseARN(text)
	if name, ok := strings.CutPrefix(arn.Resource, "alarm:"); err == nil && ok && arn.Service == "cloudwatch" && arn.Account == account && arn.Region == a.Region {
		return name
	}
	return text
}

// children are the names of the alarms in the rule of a composite alarm.
func (a *Alarms) children(n *trellis.Alarm) (names []string) {
	r, err := parseRule(n.Configuration.Rule)
	if err != nil {
		return nil // a metric alarm: rules are put only when they can be read
	}
	for _, text := range r.alarms() {
		names = append(names, a.nameOf(n.Account, text))
	}
	return names
}

// depends are the names of the alarms that a composite one depends on: those in its rule, and its suppressor.
func (a *Alarms) depends(n *trellis.Alarm) []string {
	names := a.children(n)
	if s := n.Configuration.Suppressor; s != nil {
		names = append(names, a.nameOf(n.Account, s.Alarm))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// PutComposite makes a composite alarm, or gives one another configuration; then tags are left as they are. Its rule is evaluated
// at once.
func (a *Alarms) PutComposite(ctx context.Context, c *authpolicy.Caller, name string, conf trellis.AlarmConfiguration, tags map[string]string) (trellis.Revision, error) {
	if err := checkCommon(name, &conf); err != nil {
		return 0, err
	}
	if _, err := parseRule(conf.Rule); err != nil {
		return 0, err
	}
	if s := conf.Suppressor; s != nil && (s.Alarm == "" || s.WaitPeriod < 0 || s.ExtensionPeriod < 0) {
		return 0, fault("ValidationError", "ActionsSuppressorWaitPeriod and ActionsSuppressorExtensionPeriod go with ActionsSuppressor, and are not negative.")
	}
	if err := checkTags(tags); err != nil {
		return 0, err
	}
	// A narrower resource than * does not let anybody make composite alarms (CloudWatch API, PutCompositeAlarm).
	return a.Commit(ctx, c, "cloudwatch:PutCompositeAlarm", "*", authpolicy.TagKeys(nil, tags, nil), func(tx *store.Tx) error {
		n, created, err := a.put(tx, c, name, conf, tags)
		if err != nil {
			return err
		}
		if err := a.link(tx, n); err != nil {
			return err
		}
		how := "updated"
		if created {
			how = "created"
		}
		e := &evaluation{a, tx, a.Time(), map[string]*evaluated{}}
		m := e.take(n)
		state, err := e.state(m)
		if err != nil {
			return err
		}
		turn(n, e.at, state, fmt.Sprintf("%s was %s and its alarm rule evaluates to %s", n.ARN(a.Region), how, state), "")
		tx.Put(n)
		return e.spread(m)
	})
}

// link notes on which alarms a composite one depends. They must exist.
func (a *Alarms) link(tx *store.Tx, n *trellis.Alarm) error {
	var missing []string
	for _, name := range a.depends(n) {
		_, err := store.Get[*trellis.Alarm](tx, n.Account+"/"+name)
		if errors.Is(err, trellis.ErrNotExist) {
			missing = append(missing, name)
			continue
		}
		if err != nil {
			return err
		}
		have, err := tx.Marked(parents(n.Account, name))
		if err != nil {
			return err
		}
		if len(have) >= maxParents && !slices.Contains(have, n.Key()) {
			return fault("LimitExceededFault", "The alarm %s is in the rules of %d composite alarms, as many as may be.", name, maxParents)
		}
		tx.Mark(parents(n.Account, name), n.Key())
	}
	if len(missing) > 0 {
		return fault("ValidationError", "Could not save the composite alarm as alarms [%s] in the alarm rule do not exist", strings.Join(missing, ", "))
	}
	return nil
}

// unlink forgets on which alarms a composite one depends.
func (a *Alarms) unlink(tx *store.Tx, n *trellis.Alarm) {
	for _, name := range a.depends(n) {
		tx.Unmark(parents(n.Account, name), n.Key())
	}
}

// free refuses to delete alarms on which composite ones depend that are not deleted with them, and more than one composite alarm.
func free(tx *store.Tx, account string, doomed []*trellis.Alarm) error {
	composite := 0
	var kept []string
	for _, n := range doomed {
		if n.Composite() {
			composite++
		}
		by, err := tx.Marked(parents(account, n.ID))
		if err != nil {
			return err
		}
		if slices.ContainsFunc(by, func(key string) bool {
			return !slices.ContainsFunc(doomed, func(d *trellis.Alarm) bool { return d.Key() == key && d != n })
		}) {
			kept = append(kept, n.ID)
		}
	}
	switch {
	case composite > 1:
		return fault("ValidationError", "Only one composite alarm can be deleted in one request.")
	case len(kept) == 1:
		return fault("ValidationError", "Cannot delete %s as there are composite alarm(s) depending on it.", kept[0])
	case len(kept) > 1:
		return fault("ValidationError", "Cannot delete %s as there are composite alarm(s) depending on them.", strings.Join(kept, ","))
	}
	return nil
}

// turn gives an alarm a state from some time on, with its reason and what is to be known of it as JSON.
func turn(n *trellis.Alarm, at time.Time, state trellis.AlarmState, reason, data string) {
	if n.State != state {
		happened(n, at, "StateUpdate", fmt.Sprintf("Alarm updated from %s to %s", n.State, state), map[string]any{
			"oldState": map[string]any{"stateValue": n.State, "stateReason": n.StateReason}, "newState": map[string]any{"stateValue": state, "stateReason": reason}})
		n.StateTransitionedAt = at
	}
	n.State, n.StateReason, n.StateReasonData, n.StateUpdatedAt = state, reason, data, at
}

// evaluation is what one change of an alarm does to the composite ones above it, in one transaction and at one time. Each alarm
// is read once, however often it changes.
type evaluation struct {
	alarms *Alarms
	tx     *store.Tx
	at     time.Time
	known  map[string]*evaluated // by key
}

// evaluated is an alarm in an evaluation, with its state as it will be.
type evaluated struct {
	*trellis.Alarm
	rule     *rule              // nil of a metric alarm
	children map[string]string  // keys by how the rule writes their alarms
	above    []string           // keys of the composite alarms that depend on it, once it has changed
	was      trellis.AlarmState // before it changed
	cause    *evaluated         // that made it change last; nil while it has not
	turns    int                // how often it has changed
}

// asks tells whether the rule asks an alarm, by its key.
func (m *evaluated) asks(key string) bool {
	for _, k := range m.children {
		if k == key {
			return true
		}
	}
	return false
}

// take has an alarm in the evaluation.
func (e *evaluation) take(n *trellis.Alarm) *evaluated {
	m := &evaluated{Alarm: n, children: map[string]string{}}
	if r, err := parseRule(n.Configuration.Rule); err == nil { // else a metric alarm: rules are put only when they can be read
		m.rule = r
		for _, text := range r.alarms() {
			m.children[text] = n.Account + "/" + e.alarms.nameOf(n.Account, text)
		}
	}
	e.known[n.Key()] = m
	return m
}

// get reads an alarm once.
func (e *evaluation) get(key string) (*evaluated, error) {
	if m := e.known[key]; m != nil {
		return m, nil
	}
	n, err := store.Get[*trellis.Alarm](e.tx, key)
	if err != nil {
		return nil, err
	}
	return e.take(n), nil
}

// state is the state that a composite alarm's rule gives it.
func (e *evaluation) state(m *evaluated) (trellis.AlarmState, error) {
	states := make(map[string]trellis.AlarmState, len(m.children))
	for text, key := range m.children {
		child, err := e.get(key)
		if err != nil {
			return "", err
		}
		states[text] = child.State
	}
	if m.rule.holds(func(text string) trellis.AlarmState { return states[text] }) {
		return trellis.AlarmAlarm, nil
	}
	return trellis.AlarmOK, nil
}

// spread evaluates the composite alarms above one that has changed, and those above them.
func (e *evaluation) spread(changed *evaluated) error {
	var others []*evaluated // that have changed, the first first
	for queue := []*evaluated{changed}; len(queue) > 0; queue = queue[1:] {
		child := queue[0]
		if child.above == nil {
			var err error
			if child.above, err = e.tx.Marked(parents(child.Account, child.ID)); err != nil {
				return err
			}
		}
		for _, key := range child.above {
			m, err := e.get(key)
			if err != nil {
				return err
			}
			if m == changed || !m.asks(child.Key()) {
				continue // a cycle is closed, or the child is its suppressor alone
			}
			state, err := e.state(m)
			if err != nil {
				return err
			}
			if state == m.State || m.turns == maxTurns {
				continue
			}
			if m.turns++; m.turns == 1 {
				m.was, others = m.State, append(others, m)
			}
			m.State, m.cause = state, child
			queue = append(queue, m)
		}
	}
	for _, m := range others {
		state := m.State
		if m.State = m.was; state == m.was {
			continue
		}
		turn(m.Alarm, e.at, state, e.reason(m.cause), e.data(m.cause))
		e.tx.Put(m.Alarm)
	}
	return nil
}

// reason is why a composite alarm has another state: which alarm of its rule has changed.
func (e *evaluation) reason(child *evaluated) string {
	return fmt.Sprintf("%s transitioned to %s at %s", child.ARN(e.alarms.Region), child.State, e.at.Format(stateTime))
}

// data is reason as JSON.
func (e *evaluation) data(child *evaluated) string {
	text, _ := json.Marshal(map[string]any{"triggeringAlarms": []any{map[string]any{"arn": child.ARN(e.alarms.Region),
		"state": map[string]any{"value": child.State, "timestamp": e.at.Format(time.RFC3339)}}}}) // texts cannot fail
	return string(text)
}
