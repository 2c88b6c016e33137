package vpclattice

import (
	"context"

	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/controlplane"
)

// registerTargets serves RegisterTargets.
func (h *handler) registerTargets(ctx context.Context, c *api.Call, in *RegisterTargetsInput) (*RegisterTargetsOutput, error) {
	done, failed, rev, err := h.plane.RegisterTargets(ctx, c.Caller, in.TargetGroupIdentifier, readTargets(in.Targets))
	if err != nil {
		return nil, err
	}
	c.Committed(rev)
	return &RegisterTargetsOutput{Successful: writeTargets(done), Unsuccessful: writeFailures(failed)}, nil
}

// deregisterTargets serves DeregisterTargets.
func (h *handler) deregisterTargets(ctx context.Context, c *api.Call, in *DeregisterTargetsInput) (*DeregisterTargetsOutput, error) {
	done, failed, rev, err := h.plane.DeregisterTargets(ctx, c.Caller, in.TargetGroupIdentifier, readTargets(in.Targets))
	if err != nil {
		return nil, err
	}
	c.Committed(rev)
	return &DeregisterTargetsOutput{Successful: writeTargets(done), Unsuccessful: writeFailures(failed)}, nil
}

// listTargets serves ListTargets.
func (h *handler) listTargets(ctx context.Context, c *api.Call, in *ListTargetsInput) (*ListTargetsOutput, error) {
	pg, err := page(c, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	list, next, err := h.plane.ListTargets(ctx, c.Caller, in.TargetGroupIdentifier, readTargets(in.Targets), pg)
	if err != nil {
		return nil, err
	}
	out := &ListTargetsOutput{NextToken: c.NextToken(next)}
	for _, t := range list {
		out.Items = append(out.Items, TargetSummary{Id: &t.ID, Port: number(t.Port), Status: text(t.Status), ReasonCode: text(t.ReasonCode)})
	}
	return out, nil
}

// readTargets reads targets.
func readTargets(in []Target) []controlplane.TargetID {
	var out []controlplane.TargetID
	for _, t := range in {
		out = append(out, controlplane.TargetID{ID: t.Id, Port: int(api.Or(t.Port, 0))})
	}
	return out
}

// writeTargets writes targets.
func writeTargets(ids []controlplane.TargetID) []Target {
	var out []Target
	for _, id := range ids {
		out = append(out, Target{Id: id.ID, Port: number(id.Port)})
	}
	return out
}

// writeFailures writes why targets were refused.
func writeFailures(failed []controlplane.TargetFailure) []TargetFailure {
	var out []TargetFailure
	for _, f := range failed {
		out = append(out, TargetFailure{Id: &f.ID, Port: number(f.Port), FailureCode: &f.Code, FailureMessage: &f.Message})
	}
	return out
}
