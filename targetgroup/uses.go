package targetgroup

import (
	"slices"

	"github.com/trellis-project/trellis"
)

// uses is which target groups are in use: those that a listener or rule of an active service names.
type uses struct {
	by    map[string][]string // keys of target groups by key of the service, each once
	count map[string]int      // services by key of the target group
}

// set replaces the target groups that a service uses, and notes those that came into use by it or went out of use.
func (u *uses) set(service string, groups []string, touched map[string]bool) {
	old := u.by[service]
	if slices.Equal(old, groups) {
		return
	}
	for _, g := range groups {
		if u.count[g]++; u.count[g] == 1 {
			touched[g] = true
		}
	}
	for _, g := range old {
		if u.count[g]--; u.count[g] == 0 {
			delete(u.count, g)
			touched[g] = true
		}
	}
	if len(groups) == 0 {
		delete(u.by, service)
	} else {
		u.by[service] = groups
	}
}

// usedBy returns the keys of the target groups that the listeners and rules of a service name, sorted. It is none when
// the service is not active.
func usedBy(st *trellis.State, service string) []string {
	s, ok := trellis.Get[*trellis.Service](st, service)
	if !ok || !s.Status.Carries() {
		return nil
	}
	var ids []string
	add := func(a *trellis.Action) {
		for _, f := range a.Forward {
			ids = append(ids, trellis.LastPart(f.TargetGroupID))
		}
	}
	for l := range trellis.Under[*trellis.Listener](st, service) {
		add(&l.DefaultAction)
		for r := range trellis.Under[*trellis.Rule](st, l.Key()) {
			add(&r.Action)
		}
	}
	slices.Sort(ids)
	keys := slices.Clone(slices.Compact(ids)) // without room for more: this stays for long
	for i, id := range keys {
		keys[i] = s.Account + "/" + id
	}
	return keys
}
