package targetgroup

import (
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/trellis-project/trellis"
)

const (
	// maxIdle bounds the connections to one target that wait in one pool.
	maxIdle = 256
	// idleTimeout is less than the keep-alive of common servers (nginx 75 s; of one that closes
	// sooner, such as Node, the loop hears at once), so that it is rarely the target that closes first.
	idleTimeout = 55 * time.Second
	// dialTimeout bounds connecting to a target, the TLS handshake included.
	dialTimeout = 5 * time.Second
	// drainTime is how long connections of a deregistered target may go on.
	drainTime = 60 * time.Second
)

// Health is what is known of a target.
type Health struct {
	Status trellis.TargetStatus
	Reason string // empty when HEALTHY
}

// seen is the health if a check found it out, else nil: the rest follows from the nouns, or is what a target begins with.
func (h *Health) seen() *Health {
	if h.Status == trellis.TargetHealthy || h.Status == trellis.TargetUnhealthy {
		return h
	}
	return nil
}

// Target is a member of a target group: an address, its health, and the connections to it.
// It is safe for concurrent use. It is small: a node may hold millions.
type Target struct {
	// Addr is where it listens. It is not valid when it is unknown: an instance that is gone, or a function.
	Addr netip.AddrPort

	common *common
	noun   atomic.Pointer[trellis.Target] // as it was applied last
	health atomic.Pointer[Health]         // one of Manager.healths

	open, idle atomic.Int32 // connections of all pools
	closed     atomic.Bool  // nothing waits any more: what is put is closed

	// Guarded by Manager.mu.
	waiting  bool        // it is in Manager.news
	gone     bool        // it is no member any more
	told     *Health     // what was told last that a check saw, or what the store had at the start; nil for nothing
	cut      *time.Timer // closes what is still open when draining has taken too long
	checking *checking   // its health check, nil when it is not checked
}

// common is what the targets of a group have in common.
type common struct {
	groupID string
	vpcID   string // that their addresses are in
	secure  bool   // TLS to the targets
	verify  string // the name that their certificates are verified for, empty for none
	vpc     atomic.Pointer[trellis.VPC]
}

// ID is what was registered: an address, an instance id or an ARN.
func (t *Target) ID() string { return t.noun.Load().ID }

// Key is the Key of its trellis.Target.
func (t *Target) Key() string { return t.noun.Load().Key() }

// Health returns the target's status and the reason of it.
func (t *Target) Health() Health { return *t.health.Load() }

// Connections returns how many connections to the target are open, and how many of those wait in the pool.
func (t *Target) Connections() (open, idle int) {
	return int(t.open.Load()), int(t.idle.Load())
}
