package telemetry

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

const (
	// syncEvery is how often the disk is synchronized.
	syncEvery = time.Second
	// expireEvery is how often events past their group's retention are removed from the disk. They are not
	// shown any more from the moment on that they are past it.
	expireEvery = time.Minute
)

// Logs are the log groups of all accounts. Their errors are *trellis.Error with CloudWatch Logs' codes, but
// for those of the disk.
type Logs struct {
	dir    string
	region string
	now    func() time.Time
	log    *slog.Logger

	mu     sync.RWMutex
	groups map[string]map[string]*group // by account and name
	// policies are the resource policies, by account and name; an account's are never changed, only replaced.
	policies map[string]map[string]ResourcePolicy
	metrics  *Metrics // where metric filters count

	queries queries
}

// openLogs opens all groups below dir.
func openLogs(dir string, o Options) (*Logs, error) {
	l := &Logs{dir: dir, region: o.Region, now: o.Now, log: o.Log, groups: map[string]map[string]*group{}, policies: map[string]map[string]ResourcePolicy{}}
	l.queries.init()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open logs: %w", err)
	}
	if err := l.openPolicies(); err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(dir, "*", "*", groupFile))
	if err != nil {
		return nil, fmt.Errorf("open logs: %w", err)
	}
	for _, f := range files {
		g, err := openGroup(filepath.Dir(f), o.Log)
		if err != nil {
			return nil, errors.Join(err, l.shut())
		}
		l.add(g)
	}
	return l, nil
}

// add makes a group known. The caller holds mu, or nobody else has l yet.
func (l *Logs) add(g *group) {
	m := l.groups[g.meta.Account]
	if m == nil {
		m = map[string]*group{}
		l.groups[g.meta.Account] = m
	}
	m[g.meta.Name] = g
}

// find returns an account's group, or ResourceNotFoundException.
func (l *Logs) find(account, name string) (*group, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if g := l.groups[account][name]; g != nil {
		return g, nil
	}
	return nil, noGroup()
}

// ofAccount returns every group of an account.
func (l *Logs) ofAccount(account string) []*group {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return slices.Collect(maps.Values(l.groups[account]))
}

// all returns every group of every account.
func (l *Logs) all() []*group {
	l.mu.RLock()
	defer l.mu.RUnlock()
	var gs []*group
	for _, m := range l.groups {
		for _, g := range m {
			gs = append(gs, g)
		}
	}
	return gs
}

// groupDir is the folder of a group: names may be longer, and hold other characters, than a file's name may.
func (l *Logs) groupDir(account, name string) string {
	sum := sha256.Sum256([]byte(name))
	return filepath.Join(l.dir, account, hex.EncodeToString(sum[:16]))
}

// millis is the present time as CloudWatch Logs counts it.
func (l *Logs) millis() int64 { return l.now().UnixMilli() }

// sync synchronizes the disk with what was written.
func (l *Logs) sync() {
	for _, g := range l.all() {
		if err := g.sync(); err != nil {
			l.log.Error("log segment not synchronized", "log_group", g.name(), "error", err)
		}
	}
}

// expire removes what is past its group's retention from the disk.
func (l *Logs) expire() {
	for _, g := range l.all() {
		if err := g.expire(g.oldest(l.millis())); err != nil {
			l.log.Error("expired log segment not removed", "log_group", g.name(), "error", err)
		}
	}
}

// shut closes all files.
func (l *Logs) shut() error {
	var errs []error
	for _, g := range l.all() {
		g.mu.Lock()
		errs = append(errs, g.shut())
		g.mu.Unlock()
	}
	return errors.Join(errs...)
}

// oldest is the time (ms) of the oldest event that a group's retention keeps.
func (g *group) oldest(now int64) int64 {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.meta.RetentionDays == 0 {
		return -1 << 62
	}
	return now - int64(g.meta.RetentionDays)*24*3600*1000
}

// name is the group's name.
func (g *group) name() string {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.meta.Name
}

// account is the account that the group belongs to.
func (g *group) account() string {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.meta.Account
}
