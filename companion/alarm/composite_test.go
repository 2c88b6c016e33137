package alarm_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion"
	"github.com/trellis-project/trellis/companion/alarm"
	"github.com/trellis-project/trellis/store"
	"github.com/trellis-project/trellis/store/storetest"
)

// shared is the one store of the tests: each works in accounts of its own.
var shared *store.Store

// TestMain runs the store.
func TestMain(m *testing.M) { os.Exit(storetest.Main(m, &shared)) }

// lab is the alarms of one account.
type lab struct {
	*alarm.Alarms
	t *testing.T
	c *authpolicy.Caller
}

// newLab is an account whose user may do all with a resource.
func newLab(t *testing.T, account, resource string) *lab {
	t.Helper()
	p, err := authpolicy.Parse(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"`+resource+`"}}`, authpolicy.Identity)
	if err != nil {
		t.Fatal(err)
	}
	arn := trellis.IAMARN(account, "user/tester")
	return &lab{alarm.New(companion.Options{Store: shared, Region: "eu-west-1"}), t,
		&authpolicy.Caller{Principal: trellis.Principal{Type: trellis.PrincipalUser, Account: account, ARN: arn, PolicyARN: arn}, Identity: authpolicy.Policies{{Policy: p}}}}
}

// want compares the code of an error, and a part of its text.
func (l *lab) want(what string, err error, code, text string) {
	l.t.Helper()
	e, _ := errors.AsType[*trellis.Error](err)
	switch {
	case code == "" && err == nil:
	case e == nil || e.Code != code || !strings.Contains(e.Message, text):
		l.t.Errorf("%s: got %v, want %s with %q", what, err, code, text)
	}
}

// metric makes an alarm of a metric.
func (l *lab) metric(names ...string) {
	l.t.Helper()
	for _, name := range names {
		_, err := l.Put(l.t.Context(), l.c, name, trellis.AlarmConfiguration{EvaluationPeriods: 1, Threshold: new(1.), ComparisonOperator: "GreaterThanThreshold",
			Metric: trellis.AlarmMetric{Namespace: "shop", Name: "calls", Statistic: "Sum", Period: 60}}, nil)
		l.want("put "+name, err, "", "")
	}
}

// rule makes a composite alarm, or gives it another rule.
func (l *lab) rule(name, rule string) error {
	_, err := l.PutComposite(l.t.Context(), l.c, name, trellis.AlarmConfiguration{Rule: rule}, nil)
	return err
}

// set says the state of an alarm.
func (l *lab) set(name string, state trellis.AlarmState) {
	l.t.Helper()
	_, err := l.SetState(l.t.Context(), l.c, name, state, "a test", "")
	l.want("set "+name, err, "", "")
}

// find lists names.
func (l *lab) find(q alarm.Query) (names []string) {
	l.t.Helper()
	all, err := l.Describe(l.t.Context(), l.c, "DescribeAlarms", q)
	l.want("describe", err, "", "")
	for _, n := range all {
		names = append(names, n.ID)
	}
	return names
}

// states are the states of all alarms, as A:OK.
func (l *lab) states() string {
	l.t.Helper()
	all, err := l.Describe(l.t.Context(), l.c, "DescribeAlarms", alarm.Query{Metric: true, Composite: true})
	l.want("describe", err, "", "")
	var out []string
	for _, n := range all {
		out = append(out, n.ID+":"+strings.TrimSuffix(string(n.State), "_DATA"))
	}
	return strings.Join(out, " ")
}

// expect compares states.
func (l *lab) expect(what, want string) {
	l.t.Helper()
	if got := l.states(); got != want {
		l.t.Errorf("%s: got %s, want %s", what, got, want)
	}
}

// TestComposite follows the states of composite alarms, one above the other, as those below them change.
func TestComposite(t *testing.T) {
	const account = "500000000301"
	l := newLab(t, account, "*")
	l.metric("cpu", "disk/one //")
	l.want("what is not there", l.rule("both", "ALARM(cpu) AND (ALARM(x) OR ALARM(y))"), "ValidationError", "as alarms [x, y] in the alarm rule do not exist")
	l.want("no rule", l.rule("both", "ALARM cpu"), "ValidationError", "character 7")
	l.want("another account's", l.rule("both", "ALARM(arn:aws:cloudwatch:eu-west-1:111122223333:alarm:cpu)"), "ValidationError", "do not exist")
	l.want("both", l.rule("both", `ALARM(`+trellis.AlarmARN("eu-west-1", account, "cpu")+`) AND ALARM("disk/one //")`), "", "")
	l.want("top", l.rule("top", "ALARM(both) OR INSUFFICIENT_DATA(cpu)"), "", "")
	l.expect("at first", "both:OK cpu:INSUFFICIENT disk/one //:INSUFFICIENT top:ALARM")
	l.set("cpu", trellis.AlarmAlarm)
	l.expect("one", "both:OK cpu:ALARM disk/one //:INSUFFICIENT top:OK")
	l.set("disk/one //", trellis.AlarmAlarm)
	l.expect("two", "both:ALARM cpu:ALARM disk/one //:ALARM top:ALARM")
	all, err := l.Describe(t.Context(), l.c, "DescribeAlarms", alarm.Query{Composite: true, Names: []string{"both"}})
	if err != nil || len(all) != 1 || !strings.Contains(all[0].StateReason, ":alarm:disk/one // transitioned to ALARM at ") || !strings.Contains(all[0].StateReasonData, "triggeringAlarms") ||
		len(all[0].History) != 3 { // made, OK, ALARM
		t.Errorf("%+v, %v", all, err)
	}
	l.set("both", trellis.AlarmOK)
	l.expect("by hand", "both:OK cpu:ALARM disk/one //:ALARM top:OK")
	l.set("cpu", trellis.AlarmOK)
	l.set("cpu", trellis.AlarmAlarm)
	l.expect("as its children say again", "both:ALARM cpu:ALARM disk/one //:ALARM top:ALARM")
	l.want("another rule", l.rule("both", "OK(cpu)"), "", "")
	l.expect("another rule", "both:OK cpu:ALARM disk/one //:ALARM top:OK")

	for q, want := range map[*alarm.Query][]string{
		{Metric: true}:    {"cpu", "disk/one //"},
		{Composite: true}: {"both", "top"},
		{Metric: true, Composite: true, ChildrenOf: "top"}:         {"both", "cpu"},
		{Metric: true, Composite: true, ParentsOf: "cpu"}:          {"both", "top"},
		{Metric: true, Composite: true, ParentsOf: "disk/one //"}:  nil,
		{Metric: true, Composite: true, State: trellis.AlarmAlarm}: {"cpu", "disk/one //"},
	} {
		if got := l.find(*q); !slices.Equal(got, want) {
			t.Errorf("%+v: %v", q, got)
		}
	}
	_, err = l.Describe(t.Context(), l.c, "DescribeAlarms", alarm.Query{ChildrenOf: "x"})
	l.want("children of none", err, "ResourceNotFound", "")
	_, err = l.SetActions(t.Context(), l.c, []string{"top", "cpu"}, false)
	l.want("actions", err, "", "")

	remove := func(names ...string) error { _, err := l.Delete(t.Context(), l.c, names); return err }
	l.want("a child", remove("cpu"), "ValidationError", "Cannot delete cpu as there are composite alarm(s) depending on it.")
	l.want("children", remove("cpu", "both"), "ValidationError", "Cannot delete both,cpu as there are composite alarm(s) depending on them.")
	l.want("composites", remove("both", "top"), "ValidationError", "Only one composite alarm")
	l.want("what none depends on any more", remove("disk/one //"), "", "")
	l.want("a name that is taken", l.rule("cpu", "TRUE"), "ValidationError", "of another type")
	_, err = l.Put(t.Context(), l.c, "top", trellis.AlarmConfiguration{EvaluationPeriods: 1, Threshold: new(1.), ComparisonOperator: "GreaterThanThreshold",
		Metric: trellis.AlarmMetric{Namespace: "shop", Name: "calls", Statistic: "Sum", Period: 60}}, nil)
	l.want("a name that is taken", err, "ValidationError", "of another type")
	l.want("the top", remove("top"), "", "")
	l.want("with its child", remove("both", "cpu"), "", "")
	l.expect("in the end", "")
}

// TestCompositeCycles closes cycles: no evaluation goes on for ever, and nothing in them can be deleted.
func TestCompositeCycles(t *testing.T) {
	l := newLab(t, "500000000302", "*")
	l.metric("m")
	for _, step := range [][2]string{{"a", "ALARM(m)"}, {"b", "ALARM(a)"}, {"a", "ALARM(m) OR ALARM(b)"}, {"c", "FALSE"}, {"d", "NOT ALARM(c)"}, {"c", "ALARM(d)"}, {"e", "TRUE"}, {"e", "ALARM(e)"}} {
		l.want(step[0], l.rule(step[0], step[1]), "", "")
	}
	l.set("m", trellis.AlarmAlarm)
	if got := l.states(); !strings.Contains(got, "a:ALARM b:ALARM") {
		t.Errorf("states: %s", got)
	}
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		_, err := l.Delete(t.Context(), l.c, []string{name})
		l.want("delete "+name, err, "ValidationError", "depending on it")
	}
	for _, name := range []string{"a", "c", "e"} {
		l.want("open", l.rule(name, "false"), "", "")
	}
	for _, name := range []string{"b", "a", "d", "c", "e"} {
		_, err := l.Delete(t.Context(), l.c, []string{name})
		l.want("delete "+name, err, "", "")
	}
}

// TestDiamonds changes what stands below many ways that meet: the top is as all of them say.
func TestDiamonds(t *testing.T) {
	l := newLab(t, "500000000303", "*")
	l.metric("0")
	const high = 8
	for n := range high {
		l.want("left", l.rule(fmt.Sprintf("%dl", n+1), fmt.Sprintf("ALARM(%s)", below(n, "l"))), "", "")
		l.want("right", l.rule(fmt.Sprintf("%dr", n+1), fmt.Sprintf("ALARM(%s) AND ALARM(%s)", below(n, "l"), below(n, "r"))), "", "")
	}
	for _, state := range []trellis.AlarmState{trellis.AlarmAlarm, trellis.AlarmOK, trellis.AlarmAlarm} {
		l.set("0", state)
		if got := l.find(alarm.Query{Metric: true, Composite: true, State: state}); len(got) != 2*high+1 {
			t.Errorf("%s: %v", state, got)
		}
	}
}

// TestReasons has each alarm of a chain say when the one below it changed.
func TestReasons(t *testing.T) {
	l := newLab(t, "500000000305", "*")
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	l.Now = func() time.Time { now = now.Add(time.Minute); return now }
	l.metric("0")
	for n := range 8 {
		l.want("one above", l.rule(fmt.Sprint(n+1), fmt.Sprintf("ALARM(%d)", n)), "", "")
	}
	l.set("0", trellis.AlarmAlarm)
	all, err := l.Describe(t.Context(), l.c, "DescribeAlarms", alarm.Query{Metric: true, Composite: true})
	if err != nil {
		t.Fatal(err)
	}
	for i, n := range all[1:] {
		if at := all[i].StateUpdatedAt.Format("15:04:05"); !strings.Contains(n.StateReason, fmt.Sprintf(":alarm:%d transitioned to ALARM at ", i)) || !strings.Contains(n.StateReason, at) {
			t.Errorf("%s, of one that did at %s", n.StateReason, at)
		}
	}
}

// below is the alarm a level below, 0 at the bottom.
func below(level int, side string) string {
	if level == 0 {
		return "0"
	}
	return fmt.Sprint(level) + side
}

// TestCompositeLimits has a suppressor that must exist, a rule that too many have, and a caller with too narrow a policy.
func TestCompositeLimits(t *testing.T) {
	const account = "500000000304"
	l := newLab(t, account, "*")
	l.metric("cpu", "quiet")
	put := func(s *trellis.AlarmSuppressor) error {
		_, err := l.PutComposite(t.Context(), l.c, "top", trellis.AlarmConfiguration{Rule: "ALARM(cpu)", Suppressor: s}, nil)
		return err
	}
	l.want("no suppressor", put(&trellis.AlarmSuppressor{WaitPeriod: 1, ExtensionPeriod: 1}), "ValidationError", "ActionsSuppressor")
	l.want("no period", put(&trellis.AlarmSuppressor{Alarm: "quiet", WaitPeriod: 1, ExtensionPeriod: -1}), "ValidationError", "ActionsSuppressor")
	l.want("one that is not there", put(&trellis.AlarmSuppressor{Alarm: "x"}), "ValidationError", "do not exist")
	l.want("one that is", put(&trellis.AlarmSuppressor{Alarm: "quiet", WaitPeriod: 10, ExtensionPeriod: 20}), "", "")
	l.set("quiet", trellis.AlarmAlarm)
	l.expect("suppressed", "cpu:INSUFFICIENT quiet:ALARM top:OK")
	_, err := l.Delete(t.Context(), l.c, []string{"quiet"})
	l.want("the suppressor", err, "ValidationError", "depending on it")
	for n := range 149 {
		l.want("one more", l.rule(fmt.Sprint("parent", n), "ALARM(cpu)"), "", "")
	}
	l.want("too many", l.rule("parent150", "ALARM(cpu)"), "LimitExceededFault", "cpu")
	l.want("one that was there", l.rule("parent7", "ALARM(cpu) OR FALSE"), "", "")
	l.set("cpu", trellis.AlarmAlarm)
	if got := l.find(alarm.Query{Composite: true, State: trellis.AlarmAlarm}); len(got) != 150 {
		t.Errorf("%d are in alarm", len(got))
	}
	narrow := newLab(t, account, "arn:aws:cloudwatch:eu-west-1:"+account+":alarm:*")
	l.want("a narrow policy", narrow.rule("more", "TRUE"), "AccessDeniedException", "")
}
