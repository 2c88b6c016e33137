package telemetry

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
)

// maxGroups bounds the log groups of an account; AWS allows 1,000,000 in a region.
const maxGroups = 10_000

// retentions are the numbers of days that a group may keep events (CloudWatch Logs API, PutRetentionPolicy).
var retentions = []int32{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

// LogGroup is a log group as it is shown.
type LogGroup struct {
	Account       string
	Name          string
	ARN           string // without the :* at the end that some answers have
	CreatedMillis int64
	RetentionDays int32  // 0 keeps for ever
	Class         string // STANDARD or INFREQUENT_ACCESS
	KMSKeyID      string // kept, not used
	Protected     bool   // from deletion
	Bytes         int64
	Tags          map[string]string
	MetricFilters int // how many it has
}

// GroupFilter chooses log groups: those whose names begin with Prefix, contain Pattern, and are one of Names
// and of a class, as far as these are set.
type GroupFilter struct {
	Prefix, Pattern, Class string
	Names                  []string
}

// GroupARN is the ARN of a log group, without :* at its end.
func (l *Logs) GroupARN(account, name string) string {
	return trellis.LogGroupARN(l.region, account, name)
}

// CreateGroup makes a log group of the account, name, class, key, protection, retention and tags of g.
func (l *Logs) CreateGroup(g LogGroup) error {
	if !trellis.IsLogGroupName(g.Name) {
		return invalid("Invalid log group name: %s", g.Name)
	}
	if len(g.Tags) > trellis.MaxTags {
		return tooMany("A log group has at most %d tags", trellis.MaxTags)
	}
	if g.RetentionDays != 0 && !slices.Contains(retentions, g.RetentionDays) {
		return invalid("Invalid retention in days: %d", g.RetentionDays)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.groups[g.Account][g.Name] != nil {
		return exists("log group")
	}
	if len(l.groups[g.Account]) >= maxGroups {
		return tooMany("An account has at most %d log groups", maxGroups)
	}
	dir := l.groupDir(g.Account, g.Name)
	// What is there belongs to a group whose deletion was cut off.
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o700)); err != nil {
		return fmt.Errorf("create log group: %w", err)
	}
	ng := &group{dir: dir, log: l.log, streams: map[string]*stream{}, numbers: map[uint64]*stream{}}
	meta := groupMeta{Account: g.Account, Name: g.Name, CreatedMillis: l.millis(), RetentionDays: g.RetentionDays,
		Class: g.Class, KMSKeyID: g.KMSKeyID, Protected: g.Protected, Tags: maps.Clone(g.Tags)}
	if meta.Class == "" {
		meta.Class = "STANDARD"
	}
	if err := ng.saveMeta(meta); err != nil {
		return err
	}
	l.add(ng)
	return nil
}

// DeleteGroup removes a log group with all that is in it.
func (l *Logs) DeleteGroup(account, name string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	g := l.groups[account][name]
	if g == nil {
		return noGroup()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.meta.Protected {
		return invalid("The log group is protected from deletion: %s", name)
	}
	delete(l.groups[account], name)
	g.deleted = true
	if err := g.shut(); err != nil {
		l.log.Warn("log segment not closed", "log_group", name, "error", err)
	}
	if err := os.RemoveAll(g.dir); err != nil {
		return fmt.Errorf("delete log group: %w", err)
	}
	return nil
}

// Group returns one log group.
func (l *Logs) Group(account, name string) (LogGroup, error) {
	g, err := l.find(account, name)
	if err != nil {
		return LogGroup{}, err
	}
	return l.show(g), nil
}

// show is a group as it is shown.
func (l *Logs) show(g *group) LogGroup {
	g.mu.RLock()
	defer g.mu.RUnlock()
	m := g.meta
	out := LogGroup{Account: m.Account, Name: m.Name, ARN: l.GroupARN(m.Account, m.Name), CreatedMillis: m.CreatedMillis,
		RetentionDays: m.RetentionDays, Class: m.Class, KMSKeyID: m.KMSKeyID, Protected: m.Protected, Tags: maps.Clone(m.Tags), MetricFilters: len(m.MetricFilters)}
	for _, st := range g.streams {
		out.Bytes += st.bytes
	}
	return out
}

// Groups returns up to limit log groups of an account, by name, those after the name given; next is the last
// one's name when there are more.
func (l *Logs) Groups(account string, f GroupFilter, after string, limit int) (groups []LogGroup, next string, err error) {
	l.mu.RLock()
	var names []string
	for name, g := range l.groups[account] {
		g.mu.RLock()
		class := g.meta.Class
		g.mu.RUnlock()
		if name > after && strings.HasPrefix(name, f.Prefix) && strings.Contains(strings.ToLower(name), strings.ToLower(f.Pattern)) &&
			(f.Class == "" || class == f.Class) && (len(f.Names) == 0 || slices.Contains(f.Names, name)) {
			names = append(names, name)
		}
	}
	l.mu.RUnlock()
	slices.Sort(names)
	if len(names) > limit {
		names = names[:limit]
		next = names[limit-1]
	}
	for _, name := range names {
		if g, err := l.Group(account, name); err == nil { // it may have gone meanwhile
			groups = append(groups, g)
		}
	}
	return groups, next, nil
}

// Tagged are the log groups of an account that have tags.
func (l *Logs) Tagged(account string) []trellis.TaggedResource {
	groups, _, _ := l.Groups(account, GroupFilter{}, "", maxGroups) // fails never
	var all []trellis.TaggedResource
	for _, g := range groups {
		if len(g.Tags) > 0 {
			all = append(all, trellis.TaggedResource{ARN: g.ARN, Type: "logs:log-group", Tags: g.Tags})
		}
	}
	return all
}

// SetRetention sets for how many days a group keeps events, 0 for ever.
func (l *Logs) SetRetention(account, name string, days int32) error {
	if days != 0 && !slices.Contains(retentions, days) {
		return invalid("Invalid retention in days: %d", days)
	}
	return l.changeMeta(account, name, func(m *groupMeta) error {
		m.RetentionDays = days
		return nil
	})
}

// Tag adds or replaces tags of a group.
func (l *Logs) Tag(account, name string, tags map[string]string) error {
	return l.changeMeta(account, name, func(m *groupMeta) error {
		if m.Tags == nil {
			m.Tags = map[string]string{}
		}
		maps.Copy(m.Tags, tags)
		if len(m.Tags) > trellis.MaxTags {
			return tooMany("A log group has at most %d tags", trellis.MaxTags)
		}
		return nil
	})
}

// Untag removes tags of a group.
func (l *Logs) Untag(account, name string, keys []string) error {
	return l.changeMeta(account, name, func(m *groupMeta) error {
		for _, k := range keys {
			delete(m.Tags, k)
		}
		return nil
	})
}

// changeMeta changes what a group is.
func (l *Logs) changeMeta(account, name string, change func(*groupMeta) error) error {
	g, err := l.find(account, name)
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.deleted {
		return noGroup()
	}
	m := g.meta
	m.Tags = maps.Clone(m.Tags)
	if err := change(&m); err != nil {
		return err
	}
	return g.saveMeta(m)
}
