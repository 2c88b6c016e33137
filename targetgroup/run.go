package targetgroup

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/trellis-project/trellis"
)

// sweepEvery is how often targets that are gone are looked at.
const sweepEvery = 5 * time.Second

// Run checks health until ctx is done, and returns when all of it has ended and every
// connection to targets is closed. It is called once.
func (m *Manager) Run(ctx context.Context) error {
	var running sync.WaitGroup
	running.Go(func() { m.tellNews(ctx) })
	running.Go(func() { m.runChecks(ctx) })
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-tick.C:
			m.sweep()
		case <-ctx.Done():
		}
	}
	running.Wait()
	m.closeAll()
	return nil
}

// tellNews tells of changed health until ctx is done.
func (m *Manager) tellNews(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.wake:
		}
		for ctx.Err() == nil {
			seen := m.nextNews()
			if len(seen) == 0 {
				break
			}
			if m.tell != nil {
				m.tell(ctx, seen)
			}
		}
	}
}

// maxTold is how many changes of health are told at a time.
const maxTold = 100

// nextNews takes the oldest changes that were not told yet.
func (m *Manager) nextNews() (seen []trellis.TargetHealth) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(m.news) > 0 && len(seen) < maxTold {
		t := m.news[0]
		m.news = m.news[1:]
		t.waiting = false
		if h := t.health.Load(); !t.gone && h.seen() != t.told {
			t.told = h.seen()
			seen = append(seen, trellis.TargetHealth{TargetKey: t.Key(), Status: h.Status, ReasonCode: h.Reason, At: m.now()})
		}
	}
	if len(m.news) == 0 {
		m.news = nil
	}
	return seen
}

// sweep forgets the targets that are gone and have no connection left.
func (m *Manager) sweep() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for t := range m.retired {
		if open, _ := t.Connections(); open == 0 {
			t.cut.Stop()
			delete(m.retired, t)
		}
	}
}

// closeAll closes every connection of every target, those in use too, for good.
func (m *Manager) closeAll() {
	m.mu.Lock()
	targets := slices.Collect(maps.Keys(m.retired))
	for _, g := range *m.groups.Load() {
		targets = append(targets, g.Targets...)
	}
	m.mu.Unlock()
	for _, t := range targets {
		m.closeTarget(t)
	}
}
