package routing

import (
	"sync/atomic"

	"github.com/trellis-project/trellis"
)

// Action is what a rule does with a request.
type Action struct {
	rule  *trellis.Rule // whose action it is, nil for a listener's default action
	turns *turns        // of a default action, and of a forward action to several groups
}

// turns deal out requests to several target groups.
type turns struct {
	// listener is whose default action it is, nil for a rule's action.
	listener *trellis.Listener
	// of are indexes into the groups: each as often as its weight says (weights divided by their greatest common
	// divisor), spread evenly. Empty when there is one group alone, or all weights are zero.
	of []uint8
	// n counts the requests that were dealt out. It is the one thing of a table that runs: it lives with its
	// rule, goes on in later tables while the rule's service is unchanged, and goes away with it.
	n atomic.Uint64
}

// noun is what the action was made of.
func (a *Action) noun() *trellis.Action {
	if a.rule == nil {
		return &a.turns.listener.DefaultAction
	}
	return &a.rule.Action
}

// FixedStatus is the status to answer, 0 for a forward action. An action without any part answers 404.
func (a *Action) FixedStatus() int {
	switch n := a.noun(); {
	case len(n.Forward) > 0:
		return 0
	case n.FixedResponse == 0:
		return 404
	default:
		return n.FixedResponse
	}
}

// Groups are the target groups of a forward action with their weights.
func (a *Action) Groups() []trellis.WeightedTargetGroup { return a.noun().Forward }

// Next chooses the target group of the next request, so that of every hundred at weights 90 and 10, ten go to the
// second group. Empty when all weights are zero. It may be called by many at once.
func (a *Action) Next() (targetGroupID string) {
	if a.turns == nil || len(a.turns.of) == 0 {
		return a.Pick(0)
	}
	return a.Pick(a.turns.n.Add(1) - 1)
}

// Pick chooses the target group of the n-th request: of every run of as many requests as the weights sum up to,
// each group gets exactly its weight. n may be a counter or random. Empty when all weights are zero.
func (a *Action) Pick(n uint64) (targetGroupID string) {
	groups := a.Groups()
	switch {
	case a.turns != nil && len(a.turns.of) > 0:
		return groups[a.turns.of[n%uint64(len(a.turns.of))]].TargetGroupID
	case len(groups) == 1 && groups[0].Weight > 0:
		return groups[0].TargetGroupID
	}
	return ""
}

// compileAction compiles the action of a rule.
func compileAction(r *trellis.Rule) Action {
	out := Action{rule: r}
	if of := spread(r.Action.Forward); len(of) > 0 {
		out.turns = &turns{of: of}
	}
	return out
}

// compileDefault compiles the default action of a listener.
func compileDefault(l *trellis.Listener) Action {
	return Action{turns: &turns{listener: l, of: spread(l.DefaultAction.Forward)}}
}

// maxTurns bounds a schedule: ten groups of weight 999.
const maxTurns = 10 * 999

// spread makes the schedule by smooth weighted round robin: every group gains its weight each turn, the richest
// is chosen and pays the sum. Less than two groups need none.
func spread(groups []trellis.WeightedTargetGroup) []uint8 {
	if len(groups) < 2 {
		return nil
	}
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
