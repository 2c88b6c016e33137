package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// save writes results.json, tables.md and the plots.
func (r results) save(dir string) error {
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	for _, p := range plots() {
		os.Remove(filepath.Join(dir, p.name+".png")) // of an earlier run
	}
	var tables bytes.Buffer
	r.markdown(&tables)
	return errors.Join(os.WriteFile(filepath.Join(dir, "results.json"), text, 0o644),
		os.WriteFile(filepath.Join(dir, "tables.md"), tables.Bytes(), 0o644), r.plot(dir))
}

// Where a run is shown: the page, what its generated part stands between, and the folder of its plots.
const (
	page      = "docs/performance.md"
	pageBegin = "<!-- generated: go run ./bench -publish -->"
	pageEnd   = "<!-- end of what is generated -->"
	pagePlots = "docs/performance"
)

// publish puts the tables and plots of the last run into docs.
func publish(dir string) error {
	text, err := os.ReadFile(filepath.Join(dir, "results.json"))
	if err != nil {
		return fmt.Errorf("no run to publish: %w", err)
	}
	var r results
	if err := json.Unmarshal(text, &r); err != nil {
		return fmt.Errorf("results.json: %w", err)
	}
	old, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(old), pageBegin)
	_, after, ok2 := strings.Cut(rest, pageEnd)
	if !ok || !ok2 {
		return fmt.Errorf("%s has no %q … %q", page, pageBegin, pageEnd)
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "%s%s\n\n", before, pageBegin)
	r.markdown(&out)
	out.WriteString("\n")
	if err := os.MkdirAll(pagePlots, 0o755); err != nil {
		return err
	}
	for _, p := range plots() {
		b, err := os.ReadFile(filepath.Join(dir, p.name+".png"))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(pagePlots, p.name+".png"), b, 0o644)
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(&out, "![%s](performance/%s.png)\n", p.title, p.name)
	}
	fmt.Fprintf(&out, "\n%s%s", pageEnd, after)
	return os.WriteFile(page, out.Bytes(), 0o644)
}
