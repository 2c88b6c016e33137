package authpolicy

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestLint holds Lint against testdata/lint.txt, whose first lines explain its form, and against Parse: a policy has an
// error exactly when Parse refuses it.
func TestLint(t *testing.T) {
	b, err := os.ReadFile("testdata/lint.txt")
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, block := range strings.Split(strings.TrimSpace(string(b)), "\n\n") {
		var kept []string
		for _, line := range strings.Split(block, "\n") {
			if line[0] == '#' || !strings.HasPrefix(line, "- ") {
				kept = append(kept, line)
			}
		}
		out.WriteString(strings.Join(kept, "\n") + "\n")
		head, text, _ := strings.Cut(strings.Join(kept, "\n"), "\n")
		if kind, ok := strings.CutPrefix(head, "lint "); ok {
			findings := Lint(text, kinds[kind])
			for _, f := range findings {
				fmt.Fprintf(&out, "- %s %s %s %s\n", f.Type, f.Code, where(f.Location), f.Details)
			}
			holdToParse(t, text, kinds[kind], findings)
		}
		out.WriteString("\n")
	}
	got := strings.TrimSpace(out.String()) + "\n"
	if *update {
		if err := os.WriteFile("testdata/lint.txt", []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if got != string(b) {
		gotLines, wantLines := strings.Split(got, "\n"), strings.Split(string(b), "\n")
		for i := range gotLines {
			if i >= len(wantLines) || gotLines[i] != wantLines[i] {
				t.Fatalf("line %d: got %s", i+1, gotLines[i])
			}
		}
		t.Fatal("testdata/lint.txt has more than Lint says")
	}
}

// where prints a location.
func where(l Location) string {
	var b strings.Builder
	for _, e := range l.Path {
		switch {
		case e.Value != "":
			b.WriteString("." + e.Value)
		case e.Key != "":
			b.WriteString(".key:" + e.Key)
		default:
			fmt.Fprintf(&b, "[%d]", e.Index)
		}
	}
	path := "policy"
	if b.Len() > 0 {
		path = strings.TrimPrefix(b.String(), ".")
	}
	return fmt.Sprintf("%s %d:%d-%d:%d", path, l.Start.Line, l.Start.Column, l.End.Line, l.End.Column)
}

// holdToParse compares the errors of Lint with what Parse says, and places with the text.
func holdToParse(t *testing.T, text string, kind PolicyKind, findings []Finding) {
	t.Helper()
	_, err := Parse(text, kind)
	errors := 0
	for _, f := range findings {
		if f.Type == LintError {
			errors++
		}
		if n := len([]rune(text)); f.Location.Start.Offset > f.Location.End.Offset || f.Location.End.Offset > n || f.Code == "" || f.Details == "" {
			t.Fatalf("finding %+v of a text of %d characters", f, n)
		}
	}
	if (err != nil) != (errors > 0) {
		t.Errorf("Parse says %v of %s, Lint %+v", err, text, findings)
	}
}

// TestLintOfRefused finds an error in whatever Parse refuses, and none in whatever it takes.
func TestLintOfRefused(t *testing.T) {
	b, err := os.ReadFile("testdata/refused.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	for i := 2; i+1 < len(lines); i += 2 {
		kind, _, _ := strings.Cut(lines[i], " | ")
		text := strings.TrimPrefix(lines[i+1], "-")
		holdToParse(t, text, kinds[kind], Lint(text, kinds[kind]))
	}
	for _, text := range []string{allowAll, mayInvoke, mayRead} {
		for _, kind := range kinds {
			holdToParse(t, text, kind, Lint(text, kind))
		}
	}
}
