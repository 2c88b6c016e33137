package estate

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// write writes a file below a directory.
func write(t *testing.T, folder, name, text string) {
	t.Helper()
	path := filepath.Join(folder, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestCode zips directories: the same files give the same zip wherever and whenever they were written, and others another one.
func TestCode(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	for _, folder := range []string{first, second} {
		write(t, folder, "index.mjs", "export const handler = 1")
		write(t, folder, "lib/a.mjs", "1")
	}
	if err := os.Chtimes(filepath.Join(second, "index.mjs"), time.Unix(0, 0), time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	a, err := readCode(first)
	if err != nil {
		t.Fatal(err)
	}
	b, err := readCode(second)
	if err != nil || a.sum != b.sum {
		t.Errorf("the same files: %s and %s, %v", a, b, err)
	}
	write(t, second, "lib/a.mjs", "2")
	if b, err = readCode(second); err != nil || a.sum == b.sum {
		t.Errorf("other files: %s, %v", b, err)
	}
	write(t, first, "code.zip", string(a.zip))
	if b, err = readCode(filepath.Join(first, "code.zip")); err != nil || a.sum != b.sum {
		t.Errorf("as a zip: %s, %v", b, err)
	}
	for path, want := range map[string]string{filepath.Join(first, "index.mjs"): "is no zip", t.TempDir(): "is empty", filepath.Join(first, "none"): "no such file", os.DevNull: "is neither"} {
		if _, err := readCode(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}

// TestEnvironment puts values of the environment into documents, and says at its place what is not there.
func TestEnvironment(t *testing.T) {
	w, err := Parse([]File{{"estate.yaml", []byte(`
{kind: Parameter, name: /a/b, Type: SecureString, Value: "${env:THERE}"}
---
{kind: Parameter, name: /a/c, Type: SecureString, Value: "${env:GONE}"}
---
{kind: Parameter, name: /a/d, Type: String, Value: "${env:GONE}"}
---
{kind: Function, name: f, Code: nowhere, Role: "arn:aws:iam::111122223333:role/r", Environment: {Variables: {A: "${env:THERE}", B: "a ${env:GONE}"}}}
`)}}, "111122223333", nil)
	if err != nil {
		t.Fatal(err)
	}
	missing := w.local(func(name string) (string, bool) { return "the value", name == "THERE" })
	var said []string
	for _, p := range missing {
		said = append(said, p.String())
	}
	want := []string{"estate.yaml:6:52: the environment has no variable GONE", "estate.yaml:8:33: Function f: stat nowhere: no such file or directory"}
	if !slices.Equal(said, want) {
		t.Errorf("missing: %q", said)
	}
	by := func(kind, name string) *thing { return w.byRef[Ref{kind, "111122223333", name}] }
	if v := by("Parameter", "/a/b").members["Value"]; v != "the value" {
		t.Errorf("a value that is there: %v", v)
	}
	if lacks := by("Parameter", "/a/c").lacks(); len(lacks) != 1 || lacks[0].Line != 4 || !w.secrets {
		t.Errorf("a secret that is not there: %v", lacks)
	}
	variables := at(by("Function", "f").members["Environment"], "Variables")
	if v := structure(variables); v["A"] != "the value" || v["B"] != "a ${env:GONE}" {
		t.Errorf("variables: %v", v)
	}
	f := by("Function", "f")
	if shown := shown(w.hide(f.kind.member("Environment"), f, f.members["Environment"])); strings.Contains(shown, "the value") {
		t.Errorf("a plan shows %s", shown)
	}
}

// TestVariables names variables for values that nobody may see: names that a shell takes, and for each value its own.
func TestVariables(t *testing.T) {
	x := exporting{used: map[string]bool{}}
	for _, c := range []struct{ parameter, want string }{
		{"/shop/orders/db-password", "${env:SHOP_ORDERS_DB_PASSWORD}"}, {"/shop/orders/db/password", "${env:SHOP_ORDERS_DB_PASSWORD_2}"},
		{"/shop/orders/db-password/3", "${env:SHOP_ORDERS_DB_PASSWORD_3}"}, {"shop.orders.db.password", "${env:SHOP_ORDERS_DB_PASSWORD_4}"},
		{"/2026/token", "${env:_2026_TOKEN}"}, {"7", "${env:_7}"}, {"--", "${env:_}"},
	} {
		got := x.variable(variableOf(c.parameter))
		if got != c.want || !unset(got) {
			t.Errorf("%s: %s, want %s", c.parameter, got, c.want)
		}
	}
}
