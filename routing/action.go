package routing

import (
	"sync/atomic"

	"github.com/trellis-project/trellis"
)

// Action is what a rule does with a request.
type Action struct {
	// FixedStatus is the status to answer, 0 for a forward action.
	FixedStatus int
	// Groups are the target groups of a forward action with their weights.
	Groups []trellis.WeightedTargetGroup

	// turns are indexes into Groups: each as often as its weight says (weights divided by their greatest common
	// divisor), spread evenly. Empty when all weights are zero.
	turns []uint8
	// turn counts the requests that were dealt out. It is the one thing of a table that runs: it lives with its
	// rule, goes on in later tables while the rule's service is unchanged, and goes away with it.
	turn *atomic.Uint64
}

// Next chooses the target group of the next request, so that of every hundred at weights 90 and 10, ten go to the
// second group. Empty when all weights are zero. It may be called by many at once.
func (a *Action) Next() (targetGroupID string) {
	if len(a.Groups) == 1 {
		return a.Pick(0)
	}
	return a.Pick(a.turn.Add(1) - 1)
}

// Pick chooses the target group of the n-th request: of every run of as many requests as the weights sum up to,
// each group gets exactly its weight. n may be a counter or random. Empty when all weights are zero.
func (a *Action) Pick(n uint64) (targetGroupID string) {
	if len(a.turns) == 0 {
		return ""
	}
	return a.Groups[a.turns[n%uint64(len(a.turns))]].TargetGroupID
}

// compileAction compiles the action of a rule. An action without any part answers 404 rather than forwarding.
func compileAction(a *trellis.Action) Action {
	if len(a.Forward) == 0 {
		status := a.FixedResponse
		if status == 0 {
			status = 404
		}
		return Action{FixedStatus: status}
	}
	return Action{Groups: a.Forward, turns: spread(a.Forward), turn: new(atomic.Uint64)}
}

// maxTurns bounds a schedule: ten groups of weight 999.
const maxTurns = 10 * 999

// spread makes the schedule by smooth weighted round robin: every group gains its weight each turn, the richest
// is chosen and pays the sum.
func spread(groups []trellis.WeightedTargetGroup) []uint8 {
	sum, divisor := 0, 0
	for _, g := range groups {
		w := max(g.Weight, 0)
		sum += w
		for x := w; x != 0; {
			divisor, x = x, divisor%x
		}
	}
	if sum == 0 || sum > maxTurns || len(groups) > 256 {
		return nil
	}
	turns := make([]uint8, sum/divisor)
	credit := make([]int, len(groups))
	for t := range turns {
		best := -1
		for i, g := range groups {
			credit[i] += max(g.Weight, 0)
			if g.Weight > 0 && (best < 0 || credit[i] > credit[best]) {
				best = i
			}
		}
		credit[best] -= sum
		turns[t] = uint8(best)
	}
	return turns
}
