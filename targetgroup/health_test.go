package targetgroup

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/trellis-project/trellis"
)

// after waits in the bubble and returns what was told meanwhile.
func (h *hosts) after(d time.Duration) []string {
	time.Sleep(d) // the bubble's clock
	synctest.Wait()
	return h.news()
}

// expect fails the test when got is not want.
func expect(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	slices.Sort(got)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s: told (-want +got):\n%s", what, d)
	}
}

func TestHealthFollowsProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHosts()
		h.answer("10.0.0.1", 200)
		h.answer("10.0.0.2", 503)
		st := stateWith(trellis.TargetGroup{HealthCheck: quick()}, member("10.0.0.1"), member("10.0.0.2"), member("10.0.0.3"), member("10.0.0.4"))
		h.answer("10.0.0.4", -1)
		m := h.running(t, st)
		expect(t, "at the start", h.after(0))
		expect(t, "one success is enough at first", h.after(2*time.Second), "10.0.0.1:80 HEALTHY ")
		expect(t, "two failures", h.after(20*time.Second), "10.0.0.2:80 UNHEALTHY ResponseCodeMismatch",
			"10.0.0.3:80 UNHEALTHY HealthCheckFailed", "10.0.0.4:80 UNHEALTHY HealthCheckTimeout")
		for range 3 {
			if got := m.Group(testGroup).Pick().ID(); got != "10.0.0.1" {
				t.Errorf("Pick gave %s, which is not healthy", got)
			}
		}

		h.answer("10.0.0.2", 200)
		expect(t, "two successes of three", h.after(21*time.Second))
		expect(t, "three successes", h.after(11*time.Second), "10.0.0.2:80 HEALTHY ")
		h.answer("10.0.0.1", 500)
		expect(t, "failing again", h.after(22*time.Second), "10.0.0.1:80 UNHEALTHY ResponseCodeMismatch")
		h.answer("10.0.0.2", 0)
		expect(t, "all fail", h.after(22*time.Second), "10.0.0.2:80 UNHEALTHY HealthCheckFailed")
		picked := map[string]bool{}
		for range 4 {
			picked[m.Group(testGroup).Pick().ID()] = true
		}
		if len(picked) != 4 {
			t.Errorf("with no healthy target %v were picked, want all", picked)
		}
		if !h.agents[userAgent] || len(h.agents) != 1 {
			t.Errorf("probes called themselves %v", h.agents)
		}
	})
}

func TestHealthFollowsUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHosts()
		h.answer("10.0.0.1", 200)
		st := stateWith(trellis.TargetGroup{HealthCheck: quick()}, member("10.0.0.1"))
		l := slices.Collect(trellis.All[*trellis.Listener](st))[0]
		st.Delete(trellis.KindListener, l.Key())
		m := h.running(t, st)
		expect(t, "no listener", h.after(30*time.Second))
		if h.dials["10.0.0.1"] != 0 {
			t.Error("a target of a group that is not in use was probed")
		}
		st.Put(l)
		m.Apply(st)
		expect(t, "with the listener", h.after(0))
		expect(t, "checked", h.after(time.Second), "10.0.0.1:80 HEALTHY ")

		off := *quick()
		off.Enabled = false
		st.Put(&trellis.TargetGroup{Meta: trellis.Meta{Account: testAccount, ID: testGroup}, Type: trellis.TargetsIP, VPCID: testVPC,
			Protocol: trellis.ProtocolHTTP, Status: trellis.StatusActive, HealthCheck: &off})
		m.Apply(st)
		expect(t, "check disabled", h.after(time.Minute), "10.0.0.1:80 UNAVAILABLE HealthCheckDisabled")
		if m.Group(testGroup).Pick() == nil {
			t.Error("a target that is not checked is not picked")
		}
		st.Delete(trellis.KindTarget, testAccount+"/"+testGroup+"/10.0.0.1:80")
		m.Apply(st)
		if m.Group(testGroup).Pick() != nil {
			t.Error("a target that is gone is picked")
		}
		expect(t, "gone", h.after(time.Minute))
	})
}

func TestHealthIsRememberedAcrossAStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHosts()
		h.answer("10.0.0.1", 200)
		st := stateWith(trellis.TargetGroup{HealthCheck: quick()}, member("10.0.0.1"), member("10.0.0.2"))
		st.Put(&trellis.TargetHealth{TargetKey: testAccount + "/" + testGroup + "/10.0.0.1:80", Status: trellis.TargetHealthy})
		st.Put(&trellis.TargetHealth{TargetKey: testAccount + "/" + testGroup + "/10.0.0.2:80", Status: trellis.TargetUnhealthy, ReasonCode: reasonFailed})
		m := h.running(t, st)
		if got := m.Group(testGroup).Pick(); got.ID() != "10.0.0.1" {
			t.Errorf("Pick gave %s", got.ID())
		}
		expect(t, "at the start", h.after(0), "10.0.0.2:80 INITIAL InitialHealthChecking")
		expect(t, "later", h.after(30*time.Second), "10.0.0.2:80 UNHEALTHY HealthCheckFailed")
	})
}

func TestInstanceTargets(t *testing.T) {
	st := stateWith(trellis.TargetGroup{Type: trellis.TargetsInstance, Protocol: trellis.ProtocolHTTP, Port: 8080}, member("i-0aaaaaaaaaaaaaaaa"), member("i-0bbbbbbbbbbbbbbbb"))
	st.Put(&trellis.Instance{Meta: trellis.Meta{Account: testAccount, ID: "i-0aaaaaaaaaaaaaaaa"}, VPCID: testVPC, PrivateIP: netip.MustParseAddr("10.0.0.9")})
	m := New(Options{Dial: newHosts().dial})
	m.Apply(st)
	known, unknown := m.Group(testGroup).Targets[0], m.Group(testGroup).Targets[1]
	r := newRig(t, m)
	if known.Addr != netip.MustParseAddrPort("10.0.0.9:80") {
		t.Errorf("the instance's target is at %s", known.Addr)
	}
	r.fiber(func() {
		if _, _, err := r.pool.Get(unknown); err == nil {
			t.Error("a target without an address was connected to")
		}
	})
}

func TestRegisteringAgainBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHosts()
		h.answer("10.0.0.1", 200)
		st := stateWith(trellis.TargetGroup{HealthCheck: quick()}, member("10.0.0.1"))
		m := h.running(t, st)
		expect(t, "checked", h.after(30*time.Second), "10.0.0.1:80 HEALTHY ")
		again := member("10.0.0.1")
		again.Account, again.TargetGroupID, again.RegisteredAt = testAccount, testGroup, time.Now()
		st.Put(&again)
		m.Apply(st)
		expect(t, "registered again", h.after(2*time.Second), "10.0.0.1:80 HEALTHY ")
	})
}

// TestHealthIsToldAtTheirPace holds who is told while all of many targets are found healthy, and then one not to be: the others
// are told some at a time, and that one as it is in the end.
func TestHealthIsToldAtTheirPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHosts()
		const n = 2*maxTold + 50
		var members []trellis.Target
		for i := range n {
			members = append(members, trellis.Target{ID: "10.0.0.1", Port: 1 + i}, trellis.Target{ID: "10.0.0.2", Port: 1 + i})
		}
		h.answer("10.0.0.1", 200)
		h.answer("10.0.0.2", 200)
		st := stateWith(trellis.TargetGroup{HealthCheck: quick()}, members...)
		told, release := map[string]trellis.TargetStatus{}, make(chan struct{})
		times := 0
		m := New(Options{Dial: h.dial, Health: func(ctx context.Context, seen []trellis.TargetHealth) {
			select {
			case <-release:
			case <-ctx.Done():
			}
			if times++; len(seen) > maxTold {
				t.Errorf("%d are told at once", len(seen))
			}
			for _, s := range seen {
				told[s.TargetKey] = s.Status
			}
		}})
		m.Apply(st)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- m.Run(ctx) }()
		time.Sleep(2 * time.Second) // the bubble's clock
		h.answer("10.0.0.2", 500)
		time.Sleep(time.Minute)
		close(release)
		synctest.Wait()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		h.open.Wait()
		counts := map[trellis.TargetStatus]int{}
		for _, s := range told {
			counts[s]++
		}
		if counts[trellis.TargetHealthy] != n || counts[trellis.TargetUnhealthy] != n || times < 2*n/maxTold || times > 2*n/maxTold+3 {
			t.Errorf("told %d times: %v", times, counts)
		}
	})
}

// TestChecksOfOthersGoOn checks targets of an account while another has more that never answer than may be asked at a time.
func TestChecksOfOthersGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const stranger, group, address = "444455556666", "tg-0bbbbbbbbbbbbbbbb", "10.0.1.1"
		h := newHosts()
		var members []trellis.Target
		for n := range 50 {
			ip := netip.AddrFrom4([4]byte{10, 0, 0, byte(n)}).String()
			h.answer(ip, -1)
			members = append(members, member(ip))
		}
		h.answer(address, 200)
		slow := quick()
		slow.TimeoutSeconds, slow.IntervalSeconds = 120, 5
		st := stateWith(trellis.TargetGroup{HealthCheck: slow}, members...)
		meta := trellis.Meta{Account: stranger, ID: testService}
		st.Put(&trellis.Service{Meta: meta, Status: trellis.StatusActive})
		st.Put(&trellis.Listener{Meta: trellis.Meta{Account: stranger, ID: "listener-0bbbbbbbbbbbbbbbb"}, ServiceID: testService,
			Port: 80, DefaultAction: trellis.Action{Forward: []trellis.WeightedTargetGroup{{TargetGroupID: group, Weight: 1}}}})
		meta.ID = group
		st.Put(&trellis.TargetGroup{Meta: meta, VPCID: testVPC, Status: trellis.StatusActive, Type: trellis.TargetsIP, Protocol: trellis.ProtocolHTTP, Port: 80, HealthCheck: quick()})
		st.Put(&trellis.Target{Account: stranger, TargetGroupID: group, ID: address, Port: 80})
		m := New(Options{Dial: h.dial, Region: "eu-west-1"})
		m.probes = 20
		m.Apply(st)
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { m.Run(ctx) })
		time.Sleep(30 * time.Second) // the bubble's clock: no time-out has come yet
		synctest.Wait()
		if s := m.Group(group).Targets[0].Health().Status; s != trellis.TargetHealthy {
			t.Errorf("a target that answers is %s", s)
		}
		h.mu.Lock()
		if n := h.dials[address]; n < 3 {
			t.Errorf("it was asked %d times in three intervals", n)
		}
		h.mu.Unlock()
		cancel()
		running.Wait()
		h.open.Wait()
	})
}

// TestManyChecks has more targets than can be asked at a time, none of which answers: all get their turn.
func TestManyChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var members []trellis.Target
		for n := range 250 {
			members = append(members, member(netip.AddrFrom4([4]byte{10, 0, 0, byte(n)}).String()))
		}
		var mu sync.Mutex
		asking, most := 0, 0
		unhealthy := map[string]bool{}
		m := New(Options{Region: "eu-west-1", Dial: func(ctx context.Context, _ string, _ netip.AddrPort) (net.Conn, error) {
			mu.Lock()
			asking++
			most = max(most, asking)
			mu.Unlock()
			<-ctx.Done()
			mu.Lock()
			asking--
			mu.Unlock()
			return nil, ctx.Err()
		}, Health: func(_ context.Context, seen []trellis.TargetHealth) {
			mu.Lock()
			defer mu.Unlock()
			for _, h := range seen {
				unhealthy[h.TargetKey] = h.Status == trellis.TargetUnhealthy && h.ReasonCode == reasonTimeout
			}
		}})
		m.probes = 200 // half of them for one account
		m.Apply(stateWith(trellis.TargetGroup{HealthCheck: quick()}, members...))
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { m.Run(ctx) })
		time.Sleep(35 * time.Second) // the bubble's clock: two rounds of three times five seconds, and some
		synctest.Wait()
		if share := m.probes / 2; most < share || most > 2*share { // a dial may end a moment after its time-out
			t.Errorf("%d were asked at a time, want %d", most, share)
		}
		if len(unhealthy) != len(members) {
			t.Errorf("%d of %d were found out", len(unhealthy), len(members))
		}
		for key, so := range unhealthy {
			if !so {
				t.Errorf("%s is not unhealthy for a time-out", key)
			}
		}
		m.Apply(stateWith(trellis.TargetGroup{HealthCheck: quick()}, members[:1]...))
		synctest.Wait()
		m.mu.Lock()
		waiting := len(m.checks)
		for _, of := range m.turns {
			waiting += len(of.held)
		}
		m.mu.Unlock()
		if waiting > 1 || asking > 1 {
			t.Errorf("%d wait and %d are asked once one is left", waiting, asking)
		}
		cancel()
		running.Wait()
	})
}
