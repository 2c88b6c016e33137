package targetgroup

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/trellis-project/trellis"
)

const (
	testAccount = "111122223333"
	testVPC     = "vpc-0aaaaaaaaaaaaaaaa"
	testGroup   = "tg-0aaaaaaaaaaaaaaaa"
	testService = "svc-0aaaaaaaaaaaaaaaa"
)

// stateWith is a state with one VPC, an active service whose listener forwards to one target group, and the
// group's targets.
func stateWith(g trellis.TargetGroup, targets ...trellis.Target) *trellis.State {
	st := trellis.NewState()
	st.Put(&trellis.VPC{Meta: trellis.Meta{Account: testAccount, ID: testVPC}, CIDR: netip.MustParsePrefix("10.0.0.0/16")})
	st.Put(&trellis.Service{Meta: trellis.Meta{Account: testAccount, ID: testService}, Status: trellis.StatusActive})
	st.Put(&trellis.Listener{Meta: trellis.Meta{Account: testAccount, ID: "listener-0aaaaaaaaaaaaaaaa"}, ServiceID: testService,
		Port: 80, DefaultAction: trellis.Action{Forward: []trellis.WeightedTargetGroup{{TargetGroupID: testGroup, Weight: 1}}}})
	g.Account, g.ID, g.VPCID, g.Status = testAccount, testGroup, testVPC, trellis.StatusActive
	if g.Type == "" {
		g.Type, g.Protocol, g.Port = trellis.TargetsIP, trellis.ProtocolHTTP, 80
	}
	st.Put(&g)
	for _, t := range targets {
		t.Account, t.TargetGroupID = testAccount, testGroup
		st.Put(&t)
	}
	return st
}

// member is a target of the test group.
func member(id string) trellis.Target { return trellis.Target{ID: id, Port: 80} }

// quick is a health check with short times.
func quick() *trellis.HealthCheck {
	return &trellis.HealthCheck{Enabled: true, Protocol: trellis.ProtocolHTTP, ProtocolVersion: "HTTP1", Path: "/healthz",
		IntervalSeconds: 10, TimeoutSeconds: 5, HealthyThreshold: 3, UnhealthyThreshold: 2, Matcher: "200"}
}

// hosts are in-memory targets: what each address answers to a request, and everything that was told of them.
type hosts struct {
	mu     sync.Mutex
	status map[string]int // by ip; 0 refuses the connection, -1 never answers
	dials  map[string]int
	agents map[string]bool
	told   []string
	open   sync.WaitGroup
}

func newHosts() *hosts {
	return &hosts{status: map[string]int{}, dials: map[string]int{}, agents: map[string]bool{}}
}

// answer sets what an address answers from now on.
func (h *hosts) answer(ip string, status int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.status[ip] = status
}

// dial connects to an in-memory target.
func (h *hosts) dial(_ context.Context, vpcID string, to netip.AddrPort) (net.Conn, error) {
	ip := to.Addr().String()
	h.mu.Lock()
	status := h.status[ip]
	h.dials[ip]++
	h.mu.Unlock()
	if status == 0 {
		return nil, fmt.Errorf("%s in %s refused", to, vpcID)
	}
	near, far := net.Pipe()
	h.open.Go(func() {
		defer far.Close()
		req, err := http.ReadRequest(bufio.NewReader(far))
		if err != nil {
			return
		}
		h.mu.Lock()
		h.agents[req.UserAgent()] = true
		h.mu.Unlock()
		if status > 0 {
			fmt.Fprintf(far, "HTTP/1.1 %d Status\r\nContent-Length: 0\r\n\r\n", status)
		}
		far.Read(make([]byte, 1)) // until the other side closes
	})
	return near, nil
}

// tell notes changes of health.
func (h *hosts) tell(_ context.Context, seen []trellis.TargetHealth) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, t := range seen {
		h.told = append(h.told, fmt.Sprintf("%s %s %s", t.TargetKey[len(testAccount+"/"+testGroup+"/"):], t.Status, t.ReasonCode))
	}
}

// news returns and forgets what was told.
func (h *hosts) news() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	told := h.told
	h.told = nil
	return told
}

// running starts a Manager on the hosts and stops it at the end of the test.
func (h *hosts) running(t *testing.T, st *trellis.State) *Manager {
	t.Helper()
	m := New(Options{Dial: h.dial, Health: h.tell, Region: "eu-west-1"})
	m.Apply(st)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- m.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(10 * time.Second):
			t.Error("Run did not return")
		}
		h.open.Wait()
	})
	return m
}
