package vpclattice

import (
	"context"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
)

// serviceARN is the ARN of the service of a listener.
func (h *handler) serviceARN(l *trellis.Listener) string {
	return trellis.LatticeARN(h.region, l.Account, "service/"+l.ServiceID)
}

// createListener serves CreateListener.
func (h *handler) createListener(ctx context.Context, c *api.Call, in *CreateListenerInput) (*CreateListenerOutput, error) {
	l, rev, err := h.plane.CreateListener(ctx, c.Caller, in.ServiceIdentifier, api.Or(in.ClientToken, ""), trellis.Listener{
		Meta:          trellis.Meta{Tags: in.Tags},
		Name:          in.Name,
		Protocol:      trellis.Protocol(in.Protocol),
		Port:          int(api.Or(in.Port, 0)),
		DefaultAction: readAction(in.DefaultAction),
	})
	if err != nil {
		return nil, err
	}
	c.Committed(rev)
	return &CreateListenerOutput{
		Arn: new(l.ARN(h.region)), Id: &l.ID, Name: &l.Name, Port: number(l.Port), Protocol: text(l.Protocol),
		ServiceArn: new(h.serviceARN(l)), ServiceId: &l.ServiceID, DefaultAction: writeAction(l.DefaultAction),
	}, nil
}

// getListener serves GetListener.
func (h *handler) getListener(ctx context.Context, c *api.Call, in *GetListenerInput) (*GetListenerOutput, error) {
	l, err := h.plane.GetListener(ctx, c.Caller, in.ServiceIdentifier, in.ListenerIdentifier)
	if err != nil {
		return nil, err
	}
	return &GetListenerOutput{
		Arn: new(l.ARN(h.region)), Id: &l.ID, Name: &l.Name, Port: number(l.Port), Protocol: text(l.Protocol),
		ServiceArn: new(h.serviceARN(l)), ServiceId: &l.ServiceID, DefaultAction: writeAction(l.DefaultAction),
		CreatedAt: at(l.CreatedAt), LastUpdatedAt: at(l.UpdatedAt),
	}, nil
}

// updateListener serves UpdateListener.
func (h *handler) updateListener(ctx context.Context, c *api.Call, in *UpdateListenerInput) (*UpdateListenerOutput, error) {
	l, rev, err := h.plane.UpdateListener(ctx, c.Caller, in.ServiceIdentifier, in.ListenerIdentifier, readAction(in.DefaultAction))
	if err != nil {
		return nil, err
	}
	c.Committed(rev)
	return &UpdateListenerOutput{
		Arn: new(l.ARN(h.region)), Id: &l.ID, Name: &l.Name, Port: number(l.Port), Protocol: text(l.Protocol),
		ServiceArn: new(h.serviceARN(l)), ServiceId: &l.ServiceID, DefaultAction: writeAction(l.DefaultAction),
	}, nil
}

// deleteListener serves DeleteListener.
func (h *handler) deleteListener(ctx context.Context, c *api.Call, in *DeleteListenerInput) (*DeleteListenerOutput, error) {
	rev, err := h.plane.DeleteListener(ctx, c.Caller, in.ServiceIdentifier, in.ListenerIdentifier)
	if err != nil {
		return nil, err
	}
	c.Committed(rev)
	return &DeleteListenerOutput{}, nil
}

// listListeners serves ListListeners.
func (h *handler) listListeners(ctx context.Context, c *api.Call, in *ListListenersInput) (*ListListenersOutput, error) {
	pg, err := page(c, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	list, next, err := h.plane.ListListeners(ctx, c.Caller, in.ServiceIdentifier, pg)
	if err != nil {
		return nil, err
	}
	out := &ListListenersOutput{NextToken: c.NextToken(next)}
	for _, l := range list {
		out.Items = append(out.Items, ListenerSummary{
			Arn: new(l.ARN(h.region)), Id: &l.ID, Name: &l.Name, Port: number(l.Port), Protocol: text(l.Protocol),
			CreatedAt: at(l.CreatedAt), LastUpdatedAt: at(l.UpdatedAt),
		})
	}
	return out, nil
}

// defaultWeight is the weight of a target group that is named without one.
const defaultWeight = 100

// readAction reads an action.
func readAction(in *RuleAction) trellis.Action {
	var a trellis.Action
	if in == nil {
		return a
	}
	if in.FixedResponse != nil {
		a.FixedResponse = int(in.FixedResponse.StatusCode)
	}
	if in.Forward != nil {
		for _, w := range in.Forward.TargetGroups {
			a.Forward = append(a.Forward, trellis.WeightedTargetGroup{TargetGroupID: w.TargetGroupIdentifier, Weight: int(api.Or(w.Weight, defaultWeight))})
		}
	}
	return a
}

// writeAction writes an action, with ids and weights.
func writeAction(a trellis.Action) *RuleAction {
	if a.FixedResponse != 0 {
		return &RuleAction{FixedResponse: &FixedResponseAction{StatusCode: int32(a.FixedResponse)}}
	}
	f := &ForwardAction{}
	for _, w := range a.Forward {
		f.TargetGroups = append(f.TargetGroups, WeightedTargetGroup{TargetGroupIdentifier: w.TargetGroupID, Weight: new(int32(w.Weight))})
	}
	return &RuleAction{Forward: f}
}
