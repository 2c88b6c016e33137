package lab

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestScenariosParse reads every scenario that comes with Trellis.
func TestScenariosParse(t *testing.T) {
	if len(Names()) < 2 {
		t.Fatalf("scenarios are %v", Names())
	}
	for _, name := range Names() {
		s, err := Load(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if s.Name != name || s.About == "" || len(s.Steps) == 0 {
			t.Errorf("%s: name %q, about %q, %d steps", name, s.Name, s.About, len(s.Steps))
		}
	}
}

// TestParseRefuses looks at what a scenario may not say.
func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"steps: [{say: hello}]":                             "exactly one of",
		"steps: [{call: ec2 CreateVpc, show: {call: x y}}]": "exactly one of",
		"steps: [{call: CreateVpc}]":                        "service Operation",
		"steps: [{cal: ec2 CreateVpc}]":                     "cal",
		"steps: {":                                          "yaml",
		"steps: [{request: {from: i, url: u, expct: {}}}]":  "expct",
	} {
		if _, err := Parse("test", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	if _, err := Load("nothing"); err == nil || !strings.Contains(err.Error(), "orders") {
		t.Errorf("an unknown scenario: %v, want the names that there are", err)
	}
}

// TestFill replaces variables in every place, and makes JSON texts.
func TestFill(t *testing.T) {
	vars := map[string]string{"a": "1", "b": "two"}
	in := map[string]any{"x": "${a}-${b}", "n": 5, "list": []any{"${b}", map[string]any{"y": "${a}"}},
		"policy": map[string]any{"$json": map[string]any{"Principal": "${b}"}}}
	got, err := fillInput(in, vars)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"x": "1-two", "n": 5, "list": []any{"two", map[string]any{"y": "1"}}, "policy": `{"Principal":"two"}`}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if _, err := fillInput(map[string]any{"x": "${missing}"}, vars); err == nil || !strings.Contains(err.Error(), "missing") {
		t.Errorf("a variable without a value: %v", err)
	}
}

// TestExpect holds outcomes against expectations.
func TestExpect(t *testing.T) {
	split := Outcome{Requests: 100, Statuses: map[int]int{200: 100}, Bodies: map[string]int{"v1": 90, "v2": 10}}
	lost := Outcome{Requests: 1, Timeouts: 1}
	for _, c := range []struct {
		e   Expect
		o   Outcome
		met bool
	}{
		{Expect{Status: 200}, split, true},
		{Expect{Status: 403}, split, false},
		{Expect{Share: 0.1, Of: "v2", Within: 0.02}, split, true},
		{Expect{Share: 0.2, Of: "v2", Within: 0.02}, split, false},
		{Expect{Body: "v"}, split, true},
		{Expect{Body: "v1"}, split, false},
		{Expect{Timeout: true}, lost, true},
		{Expect{Timeout: true}, split, false},
		{Expect{Status: 200}, lost, false},
	} {
		if got := c.e.unmet(c.o); (got == "") != c.met {
			t.Errorf("%+v of %+v: %q", c.e, c.o, got)
		}
	}
}

// TestEnvironment takes away what would give a process in a VPC somebody else's credentials.
func TestEnvironment(t *testing.T) {
	got := Environment([]string{"PATH=/bin", "AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=y", "AWS_PROFILE=z", "AWS_ENDPOINT_URL=u"})
	if d := cmp.Diff([]string{"PATH=/bin"}, got); d != "" {
		t.Error(d)
	}
}
