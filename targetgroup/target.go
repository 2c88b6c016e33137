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

// Target is a member of a target group: an address, its health, and the connections to it.
// It is safe for concurrent use.
type Target struct {
	// ID is what was registered: an address, an instance id or an ARN.
	ID string
	// Addr is where it listens. It is not valid when it is unknown: an instance that is gone, or a function.
	Addr netip.AddrPort
	// Key is the Key of its trellis.Target.
	Key string
	// VPCID is the VPC that its address is in.
	VPCID string

	groupID string
	secure  bool   // TLS to the target
	verify  string // the name that its certificate is verified for, empty for none
	vpc     atomic.Pointer[trellis.VPC]
	health  atomic.Pointer[Health]

	open, idle atomic.Int64 // connections of all pools
	closed     atomic.Bool  // nothing waits any more: what is put is closed

	// Guarded by Manager.mu.
	cut        *time.Timer // closes what is still open when draining has taken too long
	checking   *checking   // its health check, nil when it is not checked
	registered time.Time   // its noun's RegisteredAt
}

// Health returns the target's status and the reason of it.
func (t *Target) Health() Health { return *t.health.Load() }

// Connections returns how many connections to the target are open, and how many of those wait in the pool.
func (t *Target) Connections() (open, idle int) {
	return int(t.open.Load()), int(t.idle.Load())
}
