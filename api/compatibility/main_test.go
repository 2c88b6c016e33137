package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/trellis-project/trellis/api/client"
	"github.com/trellis-project/trellis/api/every"
	"github.com/trellis-project/trellis/controlplane"
	"github.com/trellis-project/trellis/identity"
	"github.com/trellis-project/trellis/telemetry"
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

// TestClients holds the list of clients to services and tests that there are, and wants a client for every service.
func TestClients(t *testing.T) {
	tried, err := clients()
	if err != nil {
		t.Fatal(err)
	}
	var tests strings.Builder
	for _, dir := range []string{"trellistest", "trellistest/terraform", "api/*"} {
		files, err := filepath.Glob(filepath.Join("..", "..", dir, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			tests.Write(text)
		}
	}
	var names []string
	for _, s := range every.Services(parts(controlplane.New(controlplane.Options{}), new(identity.Identity), new(telemetry.Telemetry), "")) {
		names = append(names, s.Model.SigningName)
		if len(tried[s.Model.SigningName]) == 0 && !slices.Contains(untried, s.Model.SigningName) {
			t.Errorf("no client was tried with %s: clients.txt", s.Model.SigningName)
		}
	}
	for _, name := range names {
		if !client.Knows(name) {
			t.Errorf("api/client does not know %s", name)
		}
	}
	for service, list := range tried {
		if !slices.Contains(names, service) {
			t.Errorf("clients.txt has the service %s, which is not served", service)
		}
		for _, c := range list {
			if !strings.Contains(tests.String(), "\nfunc "+c.Test+"(") {
				t.Errorf("clients.txt: %s of %s was tried by %s, which is no test", c.Client, service, c.Test)
			}
		}
	}
}

// untried are the services that no client of others has been tried with.
var untried = []string{"access-analyzer"}
