package targetgroup

import (
	"container/heap"
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/trellis-project/trellis"
)

const (
	// userAgent is how health checks call themselves. AWS does not document its own.
	userAgent = "VPC-Lattice-HealthCheck"
	// firstCheckWithin spreads the first checks of targets that were registered together.
	firstCheckWithin = time.Second
)

// maxProbes is how many health checks a Manager makes at a time: each needs a descriptor and some 30 KB. Of more that are due, the ones
// that were due first go first. One account has half of them at most, so that targets of which none answers delay no others'.
const maxProbes = 2048

// turn is what an account has of the checks that are made. Guarded by Manager.mu.
type turn struct {
	asking int
	held   []*checking // due, and wait for one of the account's to end; the first was due first
}

// checking is the health check of a target. It waits among Manager.checks, as hardly more than this, until it is due; while
// it asks it is not there. Guarded by Manager.mu.
type checking struct {
	target    *Target
	config    *trellis.HealthCheck
	due       time.Time
	place     int                // among Manager.checks, -1 while it is not there
	good, bad int                // answers in a row
	stop      context.CancelFunc // of the asking, nil when it does not ask
}

// account is whose target is checked.
func (c *checking) account() string { return c.target.noun.Load().Account }

// checks are health checks that wait, as a heap: the one that is due first is the first.
type checks []*checking

// Len is how many wait.
func (q checks) Len() int { return len(q) }

// Less tells whether one is due before another.
func (q checks) Less(i, j int) bool { return q[i].due.Before(q[j].due) }

// Swap changes the places of two.
func (q checks) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

// Push adds one at the end, for package heap.
func (q *checks) Push(c any) {
	c.(*checking).place = len(*q)
	*q = append(*q, c.(*checking))
}

// Pop takes the one at the end, for package heap.
func (q *checks) Pop() any {
	last := len(*q) - 1
	c := (*q)[last]
	c.place, (*q)[last] = -1, nil
	*q = (*q)[:last]
	return c
}

// startCheck makes a target be checked as config says; a check that runs so already goes on. The first one comes at a
// chance moment within a second. The caller holds mu.
func (m *Manager) startCheck(t *Target, config *trellis.HealthCheck) {
	if t.checking != nil && *t.checking.config == *config {
		t.checking.config = config
		return
	}
	m.stopCheck(t)
	t.checking = &checking{target: t, config: config}
	m.wait(t.checking, time.Now(), rand.N(min(firstCheckWithin, interval(config))))
}

// interval is the time from one check to the next.
func interval(c *trellis.HealthCheck) time.Duration {
	return time.Duration(max(c.IntervalSeconds, 1)) * time.Second
}

// wait puts a check where it waits, to be due some time after a moment. The caller holds mu.
func (m *Manager) wait(c *checking, from time.Time, after time.Duration) {
	c.due = from.Add(after)
	heap.Push(&m.checks, c)
	if c.place > 0 {
		return
	}
	select {
	case m.sooner <- struct{}{}:
	default: // it is told already
	}
}

// stopCheck ends the check of a target, if any. The caller holds mu.
func (m *Manager) stopCheck(t *Target) {
	c := t.checking
	if c == nil {
		return
	}
	t.checking = nil
	if c.place >= 0 {
		heap.Remove(&m.checks, c.place)
	}
	if c.stop != nil {
		c.stop()
	}
}

// runChecks makes the checks that are due until ctx is done, and returns when none asks any more.
func (m *Manager) runChecks(ctx context.Context) {
	var asking sync.WaitGroup
	defer asking.Wait()
	free := make(chan struct{}, m.probes)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		c, wait := m.nextCheck()
		if c == nil {
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-m.sooner:
			case <-ctx.Done():
				return
			}
			continue
		}
		select {
		case free <- struct{}{}:
		case <-ctx.Done():
			return
		}
		asking.Go(func() {
			m.check(ctx, c)
			m.endTurn(c)
			<-free
		})
	}
}

// nextCheck takes the check that is due, or else tells in how long one is.
func (m *Manager) nextCheck() (c *checking, wait time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(m.checks) > 0 {
		if wait := time.Until(m.checks[0].due); wait > 0 {
			return nil, wait
		}
		c := heap.Pop(&m.checks).(*checking)
		account := c.account()
		if m.turns[account] == nil {
			m.turns[account] = new(turn)
		}
		of := m.turns[account]
		if of.asking < m.probes/2 {
			of.asking++
			return c, 0
		}
		of.held = append(of.held, c)
	}
	return nil, time.Hour
}

// endTurn lets the next check of the account be made, if one is held.
func (m *Manager) endTurn(c *checking) {
	m.mu.Lock()
	defer m.mu.Unlock()
	account := c.account()
	of := m.turns[account]
	of.asking--
	for len(of.held) > 0 {
		next := of.held[0]
		of.held = of.held[1:]
		if next.target.checking == next { // it was not stopped meanwhile
			m.wait(next, next.due, 0)
			return
		}
	}
	if of.asking == 0 {
		delete(m.turns, account)
	}
}

// check asks a target once. The next time is the interval later, give or take a twentieth, so that checks do not fall into
// step.
func (m *Manager) check(ctx context.Context, c *checking) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	m.mu.Lock()
	t, config, stopped := c.target, c.config, c.target.checking != c
	c.stop = stop
	m.mu.Unlock()
	if stopped {
		return
	}
	began := time.Now()
	reason := m.prober(t, config).probe(ctx)
	m.mu.Lock()
	defer m.mu.Unlock()
	c.stop = nil
	if t.checking != c || ctx.Err() != nil {
		return // it was stopped or replaced meanwhile
	}
	if reason == "" {
		c.good, c.bad = c.good+1, 0
	} else {
		c.good, c.bad = 0, c.bad+1
	}
	m.judge(c, reason)
	every := interval(config)
	m.wait(c, began, every-every/20+rand.N(every/10))
}

// judge sets a target's health after a probe: healthy after one success when it was never healthy before,
// else after as many in a row as the threshold says; unhealthy after as many failures in a row. The caller holds mu.
func (m *Manager) judge(c *checking, reason string) {
	t := c.target
	h := t.Health()
	switch {
	case c.good > 0 && (h.Status == trellis.TargetInitial || c.good >= c.config.HealthyThreshold):
		h = Health{Status: trellis.TargetHealthy}
	case c.bad > 0 && c.bad >= c.config.UnhealthyThreshold:
		h = Health{trellis.TargetUnhealthy, reason}
	}
	if !m.set(t, h) {
		return
	}
	m.log.Info("target health changed", "target", t.Key(), "status", string(h.Status), "reason_code", h.Reason)
	if g := m.Group(t.common.groupID); g != nil {
		g.settle()
	}
}

// prober makes a health check request to one target, on a connection of its own.
type prober struct {
	transport *http.Transport
	url       string
	timeout   time.Duration
	match     matcher
}

// prober returns the prober of a target. Redirects are not followed.
func (m *Manager) prober(t *Target, c *trellis.HealthCheck) *prober {
	match, err := parseMatcher(c.Matcher)
	if err != nil {
		m.log.Error("health check cannot run as it is set", "target", t.Key(), "error", err)
		match = matcher{{200, 200}}
	}
	at := t.Addr
	if c.Port != 0 {
		at = netip.AddrPortFrom(at.Addr(), uint16(c.Port))
	}
	tr := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			if err := permitted(t.common.vpc.Load(), at.Addr()); err != nil {
				return nil, err
			}
			return m.dial(ctx, t.common.vpcID, at)
		},
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: 64 << 10,
		Protocols:              new(http.Protocols),
	}
	secure := c.Protocol == trellis.ProtocolHTTPS
	tr.Protocols.SetHTTP1(c.ProtocolVersion != "HTTP2")
	tr.Protocols.SetHTTP2(c.ProtocolVersion == "HTTP2" && secure)
	tr.Protocols.SetUnencryptedHTTP2(c.ProtocolVersion == "HTTP2" && !secure)
	scheme := "http://"
	if secure {
		scheme = "https://"
		tr.TLSClientConfig = m.tlsWith(t)
	}
	path := c.Path
	if path == "" {
		path = "/"
	}
	return &prober{tr, scheme + at.String() + path, time.Duration(max(c.TimeoutSeconds, 1)) * time.Second, match}
}

// probe makes one request and returns the reason why it did not count as a success, empty when it did.
func (p *prober) probe(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	defer p.transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url, nil)
	if err != nil {
		return reasonFailed
	}
	req.Header.Set("User-Agent", userAgent)
	resp, err := p.transport.RoundTrip(req)
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
			return reasonTimeout
		}
		return reasonFailed
	}
	resp.Body.Close()
	if !p.match.matches(resp.StatusCode) {
		return reasonMismatch
	}
	return ""
}
