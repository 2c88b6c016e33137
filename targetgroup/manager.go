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
	// Health is told what health checks have found out: that a target is HEALTHY or UNHEALTHY and why, and what it is when it
	// is neither any more. It is told some targets at a time, at most maxTold, in order for each, and the next ones when it
	// returns, which it does soon when ctx is done. A change that is overtaken by another before it was told is left out.
	Health func(ctx context.Context, seen []trellis.TargetHealth)
	Region string
	Now    func() time.Time // time.Now when nil
	Log    *slog.Logger     // discards when nil
}

// Manager holds the running target groups.
type Manager struct {
	dial   func(ctx context.Context, vpcID string, to netip.AddrPort) (net.Conn, error)
	socket func(vpcID string, to netip.AddrPort) (fd int, err error)
	roots  func() *x509.CertPool
	tell   func(ctx context.Context, seen []trellis.TargetHealth)
	region string
	now    func() time.Time
	log    *slog.Logger

	groups atomic.Pointer[map[string]*Group] // by id, replaced whole

	mu      sync.Mutex
	retired map[*Target]struct{} // gone, with connections that end by and by
	pools   []*Pool
	moment  trellis.Moment     // of the last Apply
	uses    uses               // of the target groups, as of the last Apply
	checks  checks             // health checks that wait until they are due
	healths map[Health]*Health // all that there are: millions of targets share them
	news    []*Target          // whose health is to be told, oldest first
	wake    chan struct{}      // capacity 1: there is news
	probes  int                // health checks at a time
	turns   map[string]*turn   // of accounts that some of these are of
	sooner  chan struct{}      // capacity 1: another check is the first that is due
}

// New returns a Manager without groups. It starts nothing.
func New(o Options) *Manager {
	m := &Manager{dial: o.Dial, socket: o.Socket, roots: o.Roots, tell: o.Health, region: o.Region, now: o.Now, log: o.Log,
		retired: map[*Target]struct{}{}, healths: map[Health]*Health{}, probes: maxProbes, turns: map[string]*turn{}, wake: make(chan struct{}, 1), sooner: make(chan struct{}, 1)}
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
