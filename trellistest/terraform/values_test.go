package terraform

import (
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestDifferences holds answers against what is wanted of them, both written as YAML.
func TestDifferences(t *testing.T) {
	for _, test := range []struct{ want, got, is string }{
		{`{a: 1}`, `{a: 1, b: 2}`, ""},
		{`{a: 1}`, `{a: "1"}`, `.a is "1", not 1`},
		{`{a: {b: null}}`, `{a: {}}`, ""},
		{`{a: {b: null}}`, `{a: {b: ""}}`, `.a.b is "", not null`},
		{`{a: []}`, `{}`, ""},
		{`{a: {}}`, `{}`, ""},
		{`{a: {b: 1}}`, `{}`, `.a is null, not {"b":1}`},
		{`{a: [1, 2]}`, `{a: [2, 1]}`, `.a[0] is 2, not 1; .a[1] is 1, not 2`},
		{`{a: [1]}`, `{a: [1, 2]}`, `.a is [1,2], not [1]`},
		{`{a: {$json: {x: [1]}}}`, `{a: "{ \"x\": [1] }"}`, ""},
		{`{a: {$json: {x: [1]}}}`, `{a: "%7B%22x%22%3A%5B1%5D%7D"}`, ""},
		{`{a: {$json: {x: [1]}}}`, `{a: {x: [1]}}`, ""},
		{`{a: {$json: {x: [1]}}}`, `{a: "{\"x\": [2]}"}`, `.a is "{\"x\": [2]}", not {"$json":{"x":[1]}}`},
	} {
		if is := strings.Join(differences("", read(t, test.want), read(t, test.got)), "; "); is != test.is {
			t.Errorf("%s for %s: %s, want %s", test.got, test.want, is, test.is)
		}
	}
}

// TestFill fills variables in: whole values with their type, texts within texts, and no nulls.
func TestFill(t *testing.T) {
	vars := map[string]any{"n": 3, "list": []string{"a"}, "other.id": "x", "none": nil, "v6": "2001:db8::/56"}
	got, err := fillMap(read(t, `{n: "${n}", text: "n is ${n}", list: "${list}", id: "/${other.id}/", none: "${none}", v6: "${v6/64}", deep: [{none: null, json: {$json: {a: "${n}"}}}]}`).(map[string]any), vars)
	if err != nil {
		t.Fatal(err)
	}
	if is, want := text(got), `{"deep":[{"json":"{\"a\":3}"}],"id":"/x/","list":["a"],"n":3,"text":"n is 3","v6":"2001:db8::/64"}`; is != want {
		t.Errorf("%s, want %s", is, want)
	}
	for _, unknown := range []string{`{a: "${gone}"}`, `{a: ["x ${gone}"]}`} {
		if _, err := fillMap(read(t, unknown).(map[string]any), vars); err == nil || err.Error() != "${gone} is not known" {
			t.Errorf("%s: %v", unknown, err)
		}
	}
}

// read is a value of YAML as JSON has it.
func read(t *testing.T, s string) any {
	t.Helper()
	var v any
	if err := yaml.Unmarshal([]byte(s), &v); err != nil {
		t.Fatal(err)
	}
	return generic(v)
}
