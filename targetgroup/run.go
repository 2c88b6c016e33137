package targetgroup

import (
	"context"
	"time"

	"github.com/trellis-project/trellis"
)

// sweepEvery is how often targets that are gone are looked at.
const sweepEvery = 5 * time.Second

// Run checks health until ctx is done, and returns when all of it has ended and every
// connection to targets is closed. It is called once.
func (m *Manager) Run(ctx context.Context) error {
	m.mu.Lock()
	m.ctx = ctx
	for _, t := range m.targets {
		if t.checking != nil {
			m.launch(t)
		}
	}
	m.mu.Unlock()

	told := make(chan struct{})
	go func() {
		defer close(told)
		m.tellNews(ctx)
	}()
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-tick.C:
			m.sweep()
		case <-ctx.Done():
		}
	}
	<-told
	m.mu.Lock()
	m.ctx = nil // from here on no check is launched
	m.mu.Unlock()
	m.checks.Wait()
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
			h, ok := m.nextNews()
			if !ok {
				break
			}
			if m.tell != nil {
				m.tell(h)
			}
		}
	}
}

// nextNews takes the oldest change that was not told yet, and false when there is none.
func (m *Manager) nextNews() (trellis.TargetHealth, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(m.news) > 0 {
		key := m.news[0]
		m.news = m.news[1:]
		delete(m.waiting, key)
		t := m.targets[key]
		if t == nil {
			continue // it went meanwhile
		}
		h := t.Health()
		if told, ok := m.told[key]; ok && told == h {
			continue
		}
		m.told[key] = h
		return trellis.TargetHealth{TargetKey: key, Status: h.Status, ReasonCode: h.Reason, At: m.now()}, true
	}
	m.news = nil
	return trellis.TargetHealth{}, false
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
	targets := make([]*Target, 0, len(m.targets)+len(m.retired))
	for _, t := range m.targets {
		targets = append(targets, t)
	}
	for t := range m.retired {
		targets = append(targets, t)
	}
	m.mu.Unlock()
	for _, t := range targets {
		m.closeTarget(t)
	}
}
