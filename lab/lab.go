// Package lab plays scenarios: files that say which calls of the public AWS API to make, which processes to
// run in which instances, and what must be seen. A scenario reaches nothing that a user could not reach.
package lab

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Scenario is one file of scenarios/: steps that are played in order. Playing a scenario twice is harmless:
// each creating step says how to find what it would create.
type Scenario struct {
	Name  string            `yaml:"name"`
	About string            `yaml:"about"`
	Vars  map[string]string `yaml:"vars"`  // values that steps mention as ${name}
	Steps []Step            `yaml:"steps"` // exactly one of Call, Start, Request, AtOnce and Show is set in each
}

// Step is one thing that a scenario does.
type Step struct {
	Say     string            `yaml:"say"`     // a headline, printed before the step
	Account string            `yaml:"account"` // whose credentials; empty is the management account
	Call    string            `yaml:"call"`    // "service Operation", for example "vpc-lattice CreateService"
	With    map[string]any    `yaml:"with"`    // the operation's input
	Unless  *Find             `yaml:"unless"`  // don't call when this finds something: it is the answer then
	Of      string            `yaml:"of"`      // JMESPath into the answer of Call, applied before Save
	Save    map[string]string `yaml:"save"`    // variable ← JMESPath of the answer
	Until   *Until            `yaml:"until"`   // wait for it after the call
	Refused string            `yaml:"refused"` // the error code that Call must meet
	Start   *Process          `yaml:"start"`
	Request *Request          `yaml:"request"`
	AtOnce  []Request         `yaml:"at_once"` // requests that are made at the same time
	Show    *Show             `yaml:"show"`
}

// Find is a look for what a step would create.
type Find struct {
	Call  string         `yaml:"call"`
	With  map[string]any `yaml:"with"`
	Query string         `yaml:"query"` // JMESPath; null means not found
}

// Until asks again until the answer is as wanted, for at most a minute.
type Until struct {
	Call  string         `yaml:"call"`
	With  map[string]any `yaml:"with"`
	Query string         `yaml:"query"` // JMESPath
	Is    string         `yaml:"is"`    // the text of what Query gives
}

// Process is a command that runs in an instance until the instance goes away.
type Process struct {
	Instance string   `yaml:"instance"`
	Command  []string `yaml:"command"` // "trellis" as the first word means this very program
}

// Request is one or many HTTP requests from within an instance.
type Request struct {
	As      string            `yaml:"as"`   // what the result is called when it is printed: As=result
	From    string            `yaml:"from"` // instance
	URL     string            `yaml:"url"`
	Method  string            `yaml:"method"`
	Headers map[string]string `yaml:"headers"`
	Sign    bool              `yaml:"sign"`    // SigV4 with the instance's own credentials
	Count   int               `yaml:"count"`   // 0 means 1
	Timeout string            `yaml:"timeout"` // how long to wait for an answer, for example 2s; 3s when empty
	Expect  Expect            `yaml:"expect"`
}

// Expect is what a Request must give. Empty fields expect nothing.
type Expect struct {
	Status  int     `yaml:"status"`  // of every answer
	Timeout bool    `yaml:"timeout"` // no answer at all: neither an HTTP status nor a refused connection
	Body    string  `yaml:"body"`    // every answer's body begins with it
	Share   float64 `yaml:"share"`   // this part of the answers begin with Of
	Of      string  `yaml:"of"`
	Within  float64 `yaml:"within"` // how far Share may be off
}

// Show prints what a call answers, as a table.
type Show struct {
	Title   string         `yaml:"title"`
	Call    string         `yaml:"call"`
	With    map[string]any `yaml:"with"`
	Query   string         `yaml:"query"` // JMESPath giving rows: a list of objects, or one object
	Columns []string       `yaml:"columns"`
	Until   string         `yaml:"until"` // JMESPath that must be true of the answer, awaited for a minute
}

// files holds the scenarios that come with Trellis.
//
//go:embed scenarios/*.yaml
var files embed.FS

// Names returns the scenarios that come with Trellis, sorted.
func Names() []string {
	entries, _ := fs.ReadDir(files, "scenarios") // embedded: can't fail
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	slices.Sort(names)
	return names
}

// Load reads a scenario that comes with Trellis by its name.
func Load(name string) (*Scenario, error) {
	b, err := files.ReadFile(path.Join("scenarios", name+".yaml"))
	if err != nil {
		return nil, fmt.Errorf("no scenario %q: there are %s", name, strings.Join(Names(), ", "))
	}
	return Parse(name, b)
}

// Parse reads a scenario and refuses what it doesn't know.
func Parse(name string, text []byte) (*Scenario, error) {
	dec := yaml.NewDecoder(strings.NewReader(string(text)))
	dec.KnownFields(true)
	var s Scenario
	if err := dec.Decode(&s); err != nil {
		return nil, fmt.Errorf("scenario %s: %w", name, err)
	}
	for i, st := range s.Steps {
		n := 0
		for _, set := range []bool{st.Call != "", st.Start != nil, st.Request != nil, len(st.AtOnce) > 0, st.Show != nil} {
			if set {
				n++
			}
		}
		if n != 1 {
			return nil, fmt.Errorf("scenario %s: step %d must have exactly one of call, start, request, at_once and show", name, i+1)
		}
		if st.Call != "" && len(strings.Fields(st.Call)) != 2 {
			return nil, fmt.Errorf("scenario %s: step %d: call is \"service Operation\", not %q", name, i+1, st.Call)
		}
	}
	return &s, nil
}
