package elbv2

import (
	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
)

// actions reads the actions of a request. A target group by itself stands for a forward config with it alone.
func actions(list []Action) ([]trellis.LoadBalancerAction, error) {
	if list == nil {
		return nil, nil
	}
	out := []trellis.LoadBalancerAction{}
	for _, w := range list {
		a := trellis.LoadBalancerAction{Type: w.Type, Order: int(api.Value(w.Order))}
		switch w.Type {
		case trellis.ActionForward:
			var err error
			if a.Forward, err = forward(w); err != nil {
				return nil, err
			}
		case trellis.ActionRedirect:
			if r := w.RedirectConfig; r != nil {
				a.Redirect = &trellis.LoadBalancerRedirect{Protocol: api.Value(r.Protocol), Host: api.Value(r.Host), Port: api.Value(r.Port), Path: api.Value(r.Path),
					Query: api.Or(r.Query, "#{query}"), StatusCode: r.StatusCode}
			}
		case trellis.ActionFixedResponse:
			if f := w.FixedResponseConfig; f != nil {
				a.FixedResponse = &trellis.LoadBalancerFixedResponse{StatusCode: f.StatusCode, ContentType: api.Value(f.ContentType), Body: api.Value(f.MessageBody)}
			}
		}
		out = append(out, a)
	}
	return out, nil
}

// forward reads the two forms that a forward action can have; given both, they must name the same target group.
func forward(w Action) (*trellis.LoadBalancerForward, error) {
	f := &trellis.LoadBalancerForward{}
	if w.ForwardConfig != nil {
		for _, t := range w.ForwardConfig.TargetGroups {
			f.TargetGroups = append(f.TargetGroups, trellis.LoadBalancerWeight{TargetGroupARN: api.Value(t.TargetGroupArn), Weight: int(api.Or(t.Weight, 1))})
		}
		if s := w.ForwardConfig.TargetGroupStickinessConfig; s != nil {
			f.Sticky, f.StickySeconds = api.Value(s.Enabled), int(api.Value(s.DurationSeconds))
		}
	}
	if w.TargetGroupArn == nil {
		return f, nil
	}
	if len(f.TargetGroups) > 1 || len(f.TargetGroups) == 1 && f.TargetGroups[0].TargetGroupARN != *w.TargetGroupArn {
		return nil, trellis.NewError(400, "InvalidLoadBalancerAction", "You cannot specify both a target group ARN and a forward config with others")
	}
	if len(f.TargetGroups) == 0 {
		f.TargetGroups = []trellis.LoadBalancerWeight{{TargetGroupARN: *w.TargetGroupArn, Weight: 1}}
	}
	return f, nil
}

// action is an action as the wire has it: one target group shows in both forms.
func action(a trellis.LoadBalancerAction) Action {
	w := Action{Type: a.Type, Order: api.Some(int32(a.Order))}
	if f := a.Forward; f != nil {
		if len(f.TargetGroups) == 1 {
			w.TargetGroupArn = &f.TargetGroups[0].TargetGroupARN
		}
		w.ForwardConfig = &ForwardActionConfig{TargetGroupStickinessConfig: &TargetGroupStickinessConfig{Enabled: &f.Sticky, DurationSeconds: api.Some(int32(f.StickySeconds))},
			TargetGroups: api.Each(f.TargetGroups, func(t trellis.LoadBalancerWeight) TargetGroupTuple {
				return TargetGroupTuple{TargetGroupArn: &t.TargetGroupARN, Weight: new(int32(t.Weight))}
			})}
	}
	if r := a.Redirect; r != nil {
		w.RedirectConfig = &RedirectActionConfig{Protocol: &r.Protocol, Host: &r.Host, Port: &r.Port, Path: &r.Path, Query: &r.Query, StatusCode: r.StatusCode}
	}
	if f := a.FixedResponse; f != nil {
		w.FixedResponseConfig = &FixedResponseActionConfig{StatusCode: f.StatusCode, ContentType: api.Some(f.ContentType), MessageBody: api.Some(f.Body)}
	}
	return w
}
