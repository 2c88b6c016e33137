package targetgroup

import (
	"context"
	"crypto/x509"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/trellis-project/trellis"
)

// Options is what a Manager needs.
type Options struct {
	// Dial opens a connection inside a VPC, for health checks.
	Dial func(ctx context.Context, vpcID string, to netip.AddrPort) (net.Conn, error)
	// Socket makes a TCP socket inside a VPC, not yet connected and non-blocking, for traffic. The caller owns it.
	// Sockets of the process' own namespace when nil.
	Socket func(vpcID string, to netip.AddrPort) (fd int, err error)
	// Roots are whom the certificates of targets are verified by, where a target group asks for that (VerifyTag). The
	// machine's own when nil.
	Roots func() *x509.CertPool
	// Health is told when a target's status or reason changes, in order for each target, from one goroutine.
	// A change that is overtaken by another before it was told is left out.
	Health func(trellis.TargetHealth)
	Region string
	Now    func() time.Time // time.Now when nil
	Log    *slog.Logger     // discards when nil
}

// Manager holds the running target groups.
type Manager struct {
	dial   func(ctx context.Context, vpcID string, to netip.AddrPort) (net.Conn, error)
	socket func(vpcID string, to netip.AddrPort) (fd int, err error)
	roots  func() *x509.CertPool
	tell   func(trellis.TargetHealth)
	region string
	now    func() time.Time
	log    *slog.Logger

	groups atomic.Pointer[map[string]*Group] // by id, replaced whole

	mu      sync.Mutex
	targets map[string]*Target   // by Key
	retired map[*Target]struct{} // gone, with connections that end by and by
	pools   []*Pool
	moment  trellis.Moment    // of the last Apply
	uses    uses              // of the target groups, as of the last Apply
	ctx     context.Context   // of Run, nil while it does not run
	checks  sync.WaitGroup    // running health checks
	told    map[string]Health // what was told last, by key, or what the store had at the start
	news    []string          // keys of targets whose health is to be told, oldest first
	waiting map[string]bool   // the keys in news
	wake    chan struct{}     // capacity 1: there is news
}

// New returns a Manager without groups. It starts nothing.
func New(o Options) *Manager {
	m := &Manager{dial: o.Dial, socket: o.Socket, roots: o.Roots, tell: o.Health, region: o.Region, now: o.Now, log: o.Log,
		targets: map[string]*Target{}, retired: map[*Target]struct{}{}, told: map[string]Health{}, waiting: map[string]bool{}, wake: make(chan struct{}, 1)}
	if m.socket == nil {
		m.socket = plainSocket
	}
	if m.now == nil {
		m.now = time.Now
	}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	m.groups.Store(&map[string]*Group{})
	return m
}

// Group returns the target group with an id (tg-…), nil when there is none. It takes no lock.
func (m *Manager) Group(id string) *Group { return (*m.groups.Load())[id] }
