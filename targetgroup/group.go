package targetgroup

import (
	"math/rand/v2"
	"slices"
	"sync/atomic"

	"github.com/trellis-project/trellis"
)

// Group is a target group as it stood at one Apply. It is safe for concurrent use.
type Group struct {
	ID              string
	ARN             string
	Name            string
	VPCID           string
	Type            trellis.TargetGroupType
	Protocol        trellis.Protocol // HTTP, HTTPS or TCP
	ProtocolVersion string           // HTTP1, HTTP2 or GRPC
	// Targets are all members, draining ones too, by id and port. Not to be changed.
	Targets []*Target

	key    string                    // of its trellis.TargetGroup
	common *common                   // of its targets
	turn   *atomic.Uint64            // whose turn it is; carried from one Apply to the next
	open   atomic.Pointer[[]*Target] // who may be picked; replaced whole when a target's health changes
}

// Pick returns the target whose turn it is: round robin over the healthy ones, over all when none is healthy
// (fail open), never a draining one. It returns nil when there is none. It does not allocate.
// (VPC Lattice user guide, target-groups: routing, health checks.)
func (g *Group) Pick() *Target {
	open := *g.open.Load()
	switch len(open) {
	case 0:
		return nil
	case 1:
		return open[0]
	}
	return open[(g.turn.Add(1)-1)%uint64(len(open))]
}

// initTurn begins the round at a chance place, so that many nodes do not all begin with the same target.
func (g *Group) initTurn() {
	g.turn = new(atomic.Uint64)
	g.turn.Store(rand.Uint64() >> 1)
}

// settle works out anew who may be picked. Targets that are not checked (UNAVAILABLE) count as healthy.
func (g *Group) settle() {
	open := g.those(func(s trellis.TargetStatus) bool { return s == trellis.TargetHealthy || s == trellis.TargetUnavailable })
	if len(*open) == 0 {
		open = g.those(func(s trellis.TargetStatus) bool { return s != trellis.TargetDraining })
	}
	g.open.Store(open)
}

// those are the targets of some statuses: often all of them, which takes no further list.
func (g *Group) those(have func(trellis.TargetStatus) bool) *[]*Target {
	hasNot := func(t *Target) bool { return !have(t.Health().Status) }
	if !slices.ContainsFunc(g.Targets, hasNot) {
		return &g.Targets
	}
	some := slices.DeleteFunc(slices.Clone(g.Targets), hasNot)
	return &some
}
