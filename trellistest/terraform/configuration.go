// Package terraform plays what Terraform's AWS provider does with the resources of a configuration: the calls of each
// resource's create, read, update, import and delete, with its waiters and the comparisons that make a plan empty. The
// provider itself can't be had everywhere; what it calls, in which order, and which answers it goes by is data (testdata),
// which any client of AWS's API can play.
package terraform

import (
	"fmt"
	"io/fs"
	"regexp"

	"go.yaml.in/yaml/v3"
)

// Configuration is some resources in the order in which Terraform makes them: each after those that it names.
type Configuration struct {
	About     string         `yaml:"about"`
	Parts     map[string]any `yaml:"parts"` // anchors for what several resources have in common
	Resources []Resource     `yaml:"resources"`
}

// Resource is one resource, or data source, of a configuration. Its arguments and what its steps save are the variables
// of its steps, as ${name}; others see them as ${as.name}.
type Resource struct {
	Type    string              `yaml:"resource"` // such as aws_vpclattice_service
	As      string              `yaml:"as"`       // its name in the configuration
	Set     map[string]any      `yaml:"set"`      // its arguments
	Create  []Step              `yaml:"create"`   // with what the provider waits for; none for a data source
	Read    []Step              `yaml:"read"`     // a refresh: all of it, in order
	Updates []Update            `yaml:"updates"`
	Check   []Step              `yaml:"check"`  // what else clients rely on, played when all resources are updated
	Import  []map[string]string `yaml:"import"` // all that a read knows when the resource is imported; every other read has the first
	Delete  []Step              `yaml:"delete"`
	Gone    []string            `yaml:"gone"` // codes by which the provider knows that there was nothing to delete; none: it deletes no second time
}

// Update is a change of arguments and the calls that the provider makes of it.
type Update struct {
	Set   map[string]any `yaml:"set"`
	Calls []Step         `yaml:"calls"`
}

// Step is one call and what is expected of its answer.
type Step struct {
	Account string            `yaml:"account"` // whose credentials; empty is the configuration's own account
	Call    string            `yaml:"call"`    // "service Operation"
	With    map[string]any    `yaml:"with"`    // the input; what is null is left out
	Save    map[string]string `yaml:"save"`    // variables, by JMESPath into the answer
	Want    map[string]any    `yaml:"want"`    // a part of the answer; what is null must be absent
	Is      map[string]any    `yaml:"is"`      // what JMESPaths into the answer must give, for lists without an order
	Status  int               `yaml:"status"`  // of HTTP, when it matters
	Codes   []string          `yaml:"codes"`   // it must be refused with one of these
	Message string            `yaml:"message"` // and with a message that holds this
	Retry   []string          `yaml:"retry"`   // refusals after which the provider tries again
	Wait    *Wait             `yaml:"wait"`
	Race    int               `yaml:"race"` // it is called this often at once: with codes one call is answered and the others are refused, without them all save the same
}

// Wait repeats a step as the provider's waiters do: until the state is a target twice in a row, or, without targets, until the
// step is refused with one of its codes or there is no state. A state that is neither a target nor pending is an error at once.
type Wait struct {
	Path    string   `yaml:"path"` // JMESPath to the state
	Pending []string `yaml:"pending"`
	Target  []string `yaml:"target"`
}

// Load reads a configuration.
func Load(files fs.FS, name string) (*Configuration, error) {
	text, err := fs.ReadFile(files, name)
	if err != nil {
		return nil, err
	}
	var c Configuration
	if err := yaml.Unmarshal(text, &c); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &c, nil
}

// variable matches a mention of a variable. ${name/64} is the first block of that size in a block, as Terraform's cidrsubnet
// has it.
var variable = regexp.MustCompile(`\$\{([a-z]\w*(?:\.\w+)?)(/\d+)?\}`)
