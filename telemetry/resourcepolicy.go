package telemetry

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
)

const (
	// policiesFile is the file of an account's resource policies. It is replaced whole when one changes.
	policiesFile = "policies.json"
	// maxPolicies is how many an account has (CloudWatch Logs API, PutResourcePolicy).
	maxPolicies = 10
)

// ResourcePolicy says which services of AWS may write to an account's log groups. Nothing of Trellis asks it: its own
// services write where subscriptions say.
type ResourcePolicy struct {
	Name          string `json:"name"` // unique in its account
	Document      string `json:"document"`
	UpdatedMillis int64  `json:"updatedMillis"`
}

// openPolicies reads the resource policies of all accounts.
func (l *Logs) openPolicies() error {
	files, err := filepath.Glob(filepath.Join(l.dir, "*", policiesFile))
	if err != nil {
		return fmt.Errorf("open resource policies: %w", err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			return fmt.Errorf("open resource policies: %w", err)
		}
		var all map[string]ResourcePolicy
		if err := json.Unmarshal(b, &all); err != nil {
			return fmt.Errorf("open resource policies: read %s: %w", f, err)
		}
		l.policies[filepath.Base(filepath.Dir(f))] = all
	}
	return nil
}

// savePolicies replaces the resource policies of an account. The caller holds mu.
func (l *Logs) savePolicies(account string, all map[string]ResourcePolicy) error {
	b, err := json.Marshal(all)
	dir := filepath.Join(l.dir, account)
	if err = errors.Join(err, os.MkdirAll(dir, 0o700)); err == nil {
		err = replaceFile(filepath.Join(dir, policiesFile), b)
	}
	if err != nil {
		return fmt.Errorf("write resource policies: %w", err)
	}
	l.policies[account] = all
	return nil
}

// PutResourcePolicy gives an account a resource policy, in the place of one of the same name.
func (l *Logs) PutResourcePolicy(account, name, document string) (ResourcePolicy, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := maps.Clone(l.policies[account])
	if all == nil {
		all = map[string]ResourcePolicy{}
	}
	p := ResourcePolicy{name, document, l.millis()}
	if all[name] = p; len(all) > maxPolicies {
		return p, tooMany("Resource limit exceeded: an account has at most %d resource policies", maxPolicies)
	}
	return p, l.savePolicies(account, all)
}

// DeleteResourcePolicy takes a resource policy from an account.
func (l *Logs) DeleteResourcePolicy(account, name string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.policies[account][name]; !ok {
		return trellis.NewError(400, "ResourceNotFoundException", "Policy with name [%s] does not exist.", name)
	}
	all := maps.Clone(l.policies[account])
	delete(all, name)
	return l.savePolicies(account, all)
}

// ResourcePolicies are the resource policies of an account, by name.
func (l *Logs) ResourcePolicies(account string) []ResourcePolicy {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return slices.SortedFunc(maps.Values(l.policies[account]), func(a, b ResourcePolicy) int { return strings.Compare(a.Name, b.Name) })
}
