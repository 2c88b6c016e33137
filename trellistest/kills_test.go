//go:build thorough

package trellistest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api/client"
)

// kills is how often TestKills kills Trellis.
const kills = 50

// made is a service that a writer of TestKills makes, step by step, and what of it was acknowledged.
type made struct {
	name, network string
	ids           map[string]string // by step that makes something: what the answer called it
	done          int               // steps that were acknowledged
}

// step is one call of a writer. Calls that make something have a client token, so that they can be repeated.
type step struct {
	operation string
	makes     string // key of made.ids
	in        func(m *made) map[string]any
}

// steps make a service whole, and then take a rule away again.
var steps = []step{
	{"CreateService", "service", func(m *made) map[string]any { return map[string]any{"name": m.name} }},
	{"CreateListener", "listener", func(m *made) map[string]any {
		return map[string]any{"serviceIdentifier": m.ids["service"], "name": "http", "protocol": "HTTP", "defaultAction": map[string]any{"fixedResponse": map[string]any{"statusCode": 404}}}
	}},
	{"CreateRule", "rule", func(m *made) map[string]any { return m.rule("kept", 10) }},
	{"CreateRule", "other", func(m *made) map[string]any { return m.rule("other", 20) }},
	{"PutAuthPolicy", "", func(m *made) map[string]any {
		return map[string]any{"resourceIdentifier": m.ids["service"], "policy": m.policy()}
	}},
	{"CreateServiceNetworkServiceAssociation", "association", func(m *made) map[string]any {
		return map[string]any{"serviceNetworkIdentifier": m.network, "serviceIdentifier": m.ids["service"]}
	}},
	{"DeleteRule", "", func(m *made) map[string]any { return m.of("other", "ruleIdentifier") }},
}

// rule is the input of CreateRule.
func (m *made) rule(name string, priority int) map[string]any {
	return map[string]any{"serviceIdentifier": m.ids["service"], "listenerIdentifier": m.ids["listener"], "name": name, "priority": priority,
		"match":  map[string]any{"httpMatch": map[string]any{"method": "GET"}},
		"action": map[string]any{"fixedResponse": map[string]any{"statusCode": 404}}}
}

// policy is the auth policy of the service.
func (m *made) policy() string {
	return `{"Version":"2012-10-17","Statement":[{"Sid":"` + m.ids["service"][4:] + `","Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}`
}

// of names a part of the service by its id.
func (m *made) of(part, as string) map[string]any {
	return map[string]any{"serviceIdentifier": m.ids["service"], "listenerIdentifier": m.ids["listener"], as: m.ids[part]}
}

// take carries out the next step.
func (m *made) take(t *testing.T, c *client.Client) error {
	s := steps[m.done]
	in := s.in(m)
	if s.makes != "" {
		in["clientToken"] = fmt.Sprintf("%s-%d", m.name, m.done)
	}
	out, err := c.Call(t.Context(), "vpc-lattice", s.operation, in)
	if err != nil {
		return err
	}
	if s.makes != "" {
		m.ids[s.makes] = out["id"].(string)
	}
	m.done++
	return nil
}

// check finds all that was acknowledged, and nothing of what was taken away.
func (m *made) check(t *testing.T, tr *Trellis) {
	t.Helper()
	get := func(operation string, in map[string]any) map[string]any {
		out, err := tr.Try(t, "", "vpc-lattice", operation, in)
		if err != nil {
			t.Errorf("%s, after %d steps: %s: %v", m.name, m.done, operation, err)
		}
		return out
	}
	for _, s := range steps[:m.done] {
		switch s.makes {
		case "service":
			if got := get("GetService", map[string]any{"serviceIdentifier": m.ids["service"]}); got["name"] != m.name || got["dnsEntry"] == nil {
				t.Errorf("%s is half: %v", m.name, got)
			}
		case "listener":
			get("GetListener", m.of("listener", "listenerIdentifier"))
		case "rule":
			get("GetRule", m.of("rule", "ruleIdentifier"))
		case "association":
			if got := get("GetServiceNetworkServiceAssociation", map[string]any{"serviceNetworkServiceAssociationIdentifier": m.ids["association"]}); got["serviceId"] != m.ids["service"] || got["serviceNetworkId"] != m.network {
				t.Errorf("%s: the association is of others: %v", m.name, got)
			}
		}
	}
	if m.done > 4 {
		if got := get("GetAuthPolicy", map[string]any{"resourceIdentifier": m.ids["service"]}); got["policy"] != m.policy() {
			t.Errorf("%s: policy %v", m.name, got)
		}
	}
	if m.done == len(steps) {
		_, err := tr.Try(t, "", "vpc-lattice", "GetRule", m.of("other", "ruleIdentifier"))
		var e *trellis.Error
		if !errors.As(err, &e) || e.Code != "ResourceNotFoundException" {
			t.Errorf("%s: a rule that was deleted: %v", m.name, err)
		}
	}
}

// TestKills kills Trellis fifty times at random points of what four writers do. After each start everything that was
// acknowledged is there, what was under way is whole or absent, and every call can be repeated with its client token until
// all is there once.
func TestKills(t *testing.T) {
	t.Parallel()
	tr := StartProcess(t)
	network := tr.Call(t, "", "vpc-lattice", "CreateServiceNetwork", map[string]any{"name": "mesh"})["id"].(string)
	const writers = 4
	var all []*made
	for kill := range kills {
		var acknowledged atomic.Int64
		limit := int64(1 + rand.IntN(60))
		under := make([]*made, writers)
		var wg sync.WaitGroup
		var mu sync.Mutex
		for w := range writers {
			wg.Go(func() {
				c, err := tr.Accounts.Client(t.Context(), "")
				if err != nil {
					t.Error(err)
					return
				}
				for i := 0; ; i++ {
					m := &made{name: fmt.Sprintf("k%d-w%d-n%d", kill, w, i), network: network, ids: map[string]string{}}
					mu.Lock()
					all = append(all, m)
					mu.Unlock()
					under[w] = m
					for m.done < len(steps) {
						if m.take(t, c) != nil {
							return
						}
						if acknowledged.Add(1) == limit {
							tr.Kill()
						}
					}
				}
			})
		}
		wg.Wait()
		tr.Restart(t)
		c, err := tr.Accounts.Client(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range under {
			m.check(t, &tr.Trellis)
			for m.done < len(steps) {
				last := m.done == len(steps)-1
				err := m.take(t, c)
				var e *trellis.Error
				if last && errors.As(err, &e) && e.Code == "ResourceNotFoundException" {
					m.done++ // the deletion that was under way had happened
				} else if err != nil {
					t.Fatalf("kill %d, limit %d: %s repeats step %d: %v", kill, limit, m.name, m.done, err)
				}
			}
		}
	}
	names := map[string]int{}
	for token := any(nil); ; {
		in := map[string]any{}
		if token != nil {
			in["nextToken"] = token
		}
		page := tr.Call(t, "", "vpc-lattice", "ListServices", in)
		for _, item := range page["items"].([]any) {
			names[item.(map[string]any)["name"].(string)]++
		}
		if token = page["nextToken"]; token == nil {
			break
		}
	}
	if len(names) != len(all) {
		t.Errorf("%d services are there, %d were made", len(names), len(all))
	}
	ids := map[string]bool{}
	for _, m := range all {
		m.check(t, &tr.Trellis)
		if names[m.name] != 1 {
			t.Errorf("%s is there %d times", m.name, names[m.name])
		}
		for _, id := range m.ids {
			if ids[id] {
				t.Errorf("id %s was given twice", id)
			}
			ids[id] = true
		}
		rules := tr.Call(t, "", "vpc-lattice", "ListRules", map[string]any{"serviceIdentifier": m.ids["service"], "listenerIdentifier": m.ids["listener"]})["items"].([]any)
		if len(rules) != 2 { // the default rule and the one that was kept
			t.Errorf("%s has %d rules", m.name, len(rules))
		}
	}
	t.Logf("%d services with %d parts survived %d kills", len(all), len(ids), kills)
}
