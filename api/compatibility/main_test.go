package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestDocument holds every table against its model, and the committed document against the tables.
func TestDocument(t *testing.T) {
	want, err := document()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join("..", "..", "docs", "compatibility.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/compatibility.md is not what the tables say: run `make generate`")
	}
}
