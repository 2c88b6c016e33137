package alarm

import (
	"slices"
	"strings"
	"testing"

	"github.com/trellis-project/trellis"
)

// stateOf is the state of alarms in the tests: it is in their names.
func stateOf(alarm string) trellis.AlarmState {
	switch {
	case strings.HasPrefix(alarm, "bad"):
		return trellis.AlarmAlarm
	case strings.HasPrefix(alarm, "new"):
		return trellis.AlarmInsufficientData
	}
	return trellis.AlarmOK
}

// TestRules reads rules and tells which hold, and which can't be read at which character.
func TestRules(t *testing.T) {
	for text, want := range map[string]string{
		"TRUE": "true", "false": "false", " NOT TRUE": "false", "NOT NOT TRUE": "true", "(TRUE)": "true", "((NOT FALSE))": "true",
		"ALARM(bad)": "true", "ALARM(good)": "false", "OK(good)": "true", "INSUFFICIENT_DATA(new)": "true", "OK(new)": "false",
		`ALARM("bad one")`: "true", "ALARM( bad one )": "true", `ALARM("bad (1) \"x\"")`: "true", "ALARM (bad)": "true", "alarm(bad)": "true",
		"ALARM(arn:aws:cloudwatch:eu-west-1:111122223333:alarm:good)": "false",
		"TRUE OR FALSE AND FALSE":                                     "true",
		"(TRUE OR FALSE) AND FALSE":                                   "false",
		"NOT FALSE AND FALSE":                                         "false",
		"NOT (FALSE AND FALSE)":                                       "true",
		"ALARM(bad)AND(OK(good)OR FALSE)":                             "true",
		"ALARM(bad)\n  AND NOT ALARM(good)":                           "true",
		"(ALARM(good) OR ALARM(bad)) AND OK(good)":                    "true",
		"":                                       "character 1",
		"  ":                                     "character 3",
		"ALARM":                                  "character 6",
		"ALARM()":                                "character 7",
		`ALARM("")`:                              "character 9",
		"ALARM(bad":                              "character 10",
		`ALARM("bad`:                             "character 11",
		"ALARM bad":                              "character 7",
		"UNKNOWN(bad)":                           "character 1",
		"TRUE FALSE":                             "character 6",
		"TRUE)":                                  "character 5",
		"(TRUE":                                  "character 6",
		"TRUE AND":                               "character 9",
		"AND TRUE":                               "character 1",
		"NOT":                                    "character 4",
		"ALARM(bad) && TRUE":                     "character 12",
		"TRUE" + strings.Repeat(" OR TRUE", 500): "more than 500 elements",
		strings.Repeat("(", 600) + strings.Repeat(")", 600): "more than 500 elements",
		"ALARM(a)" + manyAlarms(100):                        "more than 100",
		"ALARM(a001)" + manyAlarms(100):                     "false",
		strings.Repeat("NOT ", 2500) + "TRUE":               "true",
	} {
		got := ""
		r, err := parseRule(text)
		switch {
		case err != nil:
			got = err.Error()
		case r.holds(stateOf):
			got = "true"
		default:
			got = "false"
		}
		if got != want && !(err != nil && strings.Contains(got, want)) {
			t.Errorf("%.60q: %s, want %s", text, got, want)
		}
	}
	r, err := parseRule(`ALARM(b) OR OK("a") AND NOT ALARM(b)`)
	if err != nil || !slices.Equal(r.alarms(), []string{"a", "b"}) {
		t.Error(r.alarms(), err)
	}
}

// manyAlarms goes on with so many alarms, a1 and on.
func manyAlarms(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(" OR ALARM(a" + string(rune('0'+(i+1)/100)) + string(rune('0'+(i+1)/10%10)) + string(rune('0'+(i+1)%10)) + ")")
	}
	return b.String()
}

// FuzzRule reads any text: what is a rule is its opposite's opposite, and names at most as many alarms as one may.
func FuzzRule(f *testing.F) {
	for _, text := range []string{"TRUE", "NOT (ALARM(bad) AND OK(good)) OR FALSE", `INSUFFICIENT_DATA("new \"one\" (1)")`, "ALARM(arn:aws:cloudwatch:eu-west-1:111122223333:alarm:x)",
		"((", "NOT NOT", `ALARM("`, "ALARM(a) OR", "true and false", "ALARM(\xff)", `OK("\`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := parseRule(text)
		if err != nil {
			return
		}
		if n := len(r.alarms()); n > maxChildren {
			t.Errorf("%d alarms", n)
		}
		not, err := parseRule("NOT(" + text + ")")
		if err != nil && strings.Contains(err.Error(), "elements") {
			return
		}
		if err != nil {
			t.Fatalf("%q is a rule, in parentheses it is not: %v", text, err)
		}
		if r.holds(stateOf) == not.holds(stateOf) {
			t.Errorf("%q holds as its opposite does", text)
		}
		both, err := parseRule("(" + text + ") AND " + `ALARM("bad")`)
		if err == nil && both.holds(stateOf) != r.holds(stateOf) {
			t.Errorf("%q does not hold together with what does", text)
		}
	})
}
