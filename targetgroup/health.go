package targetgroup

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"time"

	"github.com/trellis-project/trellis"
)

const (
	// userAgent is how health checks call themselves. AWS does not document its own.
	userAgent = "VPC-Lattice-HealthCheck"
	// firstCheckWithin spreads the first checks of targets that were registered together.
	firstCheckWithin = time.Second
)

// checking is the health check of a target: asked for since startCheck, running while Run runs.
type checking struct {
	config trellis.HealthCheck
	stop   context.CancelFunc // nil while it does not run
}

// startCheck makes a target be checked as config says; a check that runs so already goes on.
// The caller holds mu.
func (m *Manager) startCheck(t *Target, config *trellis.HealthCheck) {
	if t.checking != nil && t.checking.config == *config {
		return
	}
	m.stopCheck(t)
	t.checking = &checking{config: *config}
	m.launch(t)
}

// launch begins the check of a target if Run runs. The caller holds mu.
func (m *Manager) launch(t *Target) {
	if m.ctx == nil || m.ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithCancel(m.ctx)
	c := t.checking
	c.stop = cancel
	m.checks.Go(func() { m.check(ctx, t, c) })
}

// stopCheck ends the check of a target, if any. The caller holds mu.
func (m *Manager) stopCheck(t *Target) {
	if t.checking != nil && t.checking.stop != nil {
		t.checking.stop()
	}
	t.checking = nil
}

// check probes a target until ctx is done. The first probe comes at a chance moment within a second, the
// further ones after the interval give or take a twentieth, so that checks do not fall into step.
func (m *Manager) check(ctx context.Context, t *Target, c *checking) {
	match, err := parseMatcher(c.config.Matcher)
	if err != nil {
		m.log.Error("health check cannot run as it is set", "target", t.Key(), "error", err)
		match = matcher{{200, 200}}
	}
	p := m.prober(t, c.config, match)
	interval := time.Duration(max(c.config.IntervalSeconds, 1)) * time.Second
	timer := time.NewTimer(rand.N(min(firstCheckWithin, interval)))
	defer timer.Stop()
	good, bad := 0, 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		began := time.Now()
		reason := p.probe(ctx)
		if ctx.Err() != nil {
			return
		}
		if reason == "" {
			good, bad = good+1, 0
		} else {
			good, bad = 0, bad+1
		}
		m.judge(t, c, good, bad, reason)
		next := interval - interval/20 + rand.N(interval/10)
		timer.Reset(max(next-time.Since(began), 0))
	}
}

// judge sets a target's health after a probe: healthy after one success when it was never healthy before,
// else after as many in a row as the threshold says; unhealthy after as many failures in a row.
func (m *Manager) judge(t *Target, c *checking, good, bad int, reason string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t.checking != c {
		return // it was stopped or replaced meanwhile
	}
	h := t.Health()
	switch {
	case good > 0 && (h.Status == trellis.TargetInitial || good >= c.config.HealthyThreshold):
		h = Health{Status: trellis.TargetHealthy}
	case bad > 0 && bad >= c.config.UnhealthyThreshold:
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

// prober makes health check requests to one target, each on a connection of its own.
type prober struct {
	transport *http.Transport
	url       string
	timeout   time.Duration
	match     matcher
}

// prober returns the prober of a target. Redirects are not followed.
func (m *Manager) prober(t *Target, c trellis.HealthCheck, match matcher) *prober {
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
		TLSClientConfig:        m.tlsWith(t),
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
