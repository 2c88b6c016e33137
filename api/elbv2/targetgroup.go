package elbv2

import (
	"context"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/companion/loadbalancer"
)

// targetGroup is a target group as the wire has it.
func (h *handler) targetGroup(g *loadbalancer.TargetGroup) TargetGroup {
	c := &g.HealthCheck
	w := TargetGroup{HealthCheckEnabled: &c.Enabled, HealthCheckIntervalSeconds: new(int32(c.IntervalSeconds)), HealthCheckPath: api.Some(c.Path),
		HealthCheckPort: api.Some(c.Port), HealthCheckProtocol: api.Some(c.Protocol), HealthCheckTimeoutSeconds: new(int32(c.TimeoutSeconds)),
		HealthyThresholdCount: new(int32(c.HealthyThreshold)), UnhealthyThresholdCount: new(int32(c.UnhealthyThreshold)), IpAddressType: api.Some(g.IPAddressType),
		LoadBalancerArns: append([]string{}, g.UsedBy...), Port: api.Some(int32(g.Port)), Protocol: api.Some(g.Protocol), ProtocolVersion: api.Some(g.ProtocolVersion),
		TargetGroupArn: new(g.ARN(h.balancers.Region)), TargetGroupName: &g.Name, TargetType: &g.TargetType, VpcId: api.Some(g.VPCID)}
	if c.HTTPCode != "" || c.GRPCCode != "" {
		w.Matcher = &Matcher{HttpCode: api.Some(c.HTTPCode), GrpcCode: api.Some(c.GRPCCode)}
	}
	return w
}

// createTargetGroup serves CreateTargetGroup.
func (h *handler) createTargetGroup(ctx context.Context, c *api.Call, in *CreateTargetGroupInput) (*CreateTargetGroupOutput, error) {
	tags, err := fromTags(in.Tags)
	if err != nil {
		return nil, err
	}
	if in.TargetControlPort != nil {
		return nil, trellis.NewError(400, "InvalidConfigurationRequest", "Trellis has no target optimizer: leave the target control port out")
	}
	check := loadbalancer.CheckSpec{Enabled: in.HealthCheckEnabled, Protocol: in.HealthCheckProtocol, Port: in.HealthCheckPort, Path: in.HealthCheckPath,
		Interval: api.Int(in.HealthCheckIntervalSeconds), Timeout: api.Int(in.HealthCheckTimeoutSeconds),
		HealthyAfter: api.Int(in.HealthyThresholdCount), UnhealthyAfter: api.Int(in.UnhealthyThresholdCount)}
	matcher(&check, in.Matcher)
	g, rev, err := h.balancers.CreateTargetGroup(ctx, c.Caller, trellis.LoadBalancerTargetGroup{Meta: trellis.Meta{Tags: tags}, Name: in.Name, TargetType: api.Value(in.TargetType),
		Protocol: api.Value(in.Protocol), ProtocolVersion: api.Value(in.ProtocolVersion), Port: int(api.Value(in.Port)), VPCID: api.Value(in.VpcId),
		IPAddressType: api.Value(in.IpAddressType)}, check)
	if err != nil {
		return nil, err
	}
	return api.Done(c, &CreateTargetGroupOutput{TargetGroups: []TargetGroup{h.targetGroup(g)}}, rev, nil)
}

// matcher reads which answers are healthy.
func matcher(check *loadbalancer.CheckSpec, m *Matcher) {
	if m != nil {
		check.HTTPCode, check.GRPCCode = m.HttpCode, m.GrpcCode
	}
}

// describeTargetGroups serves DescribeTargetGroups.
func (h *handler) describeTargetGroups(ctx context.Context, c *api.Call, in *DescribeTargetGroupsInput) (*DescribeTargetGroupsOutput, error) {
	all, err := h.balancers.TargetGroups(ctx, c.Caller, loadbalancer.Filter{ARNs: in.TargetGroupArns, Names: in.Names, Of: api.Value(in.LoadBalancerArn)})
	if err != nil {
		return nil, err
	}
	all, next, err := page(c, all, func(g *loadbalancer.TargetGroup) string { return g.Key() }, in.PageSize, in.Marker)
	return &DescribeTargetGroupsOutput{NextMarker: next, TargetGroups: api.Each(all, h.targetGroup)}, err
}

// modifyTargetGroup serves ModifyTargetGroup.
func (h *handler) modifyTargetGroup(ctx context.Context, c *api.Call, in *ModifyTargetGroupInput) (*ModifyTargetGroupOutput, error) {
	check := loadbalancer.CheckSpec{Enabled: in.HealthCheckEnabled, Protocol: in.HealthCheckProtocol, Port: in.HealthCheckPort, Path: in.HealthCheckPath,
		Interval: api.Int(in.HealthCheckIntervalSeconds), Timeout: api.Int(in.HealthCheckTimeoutSeconds),
		HealthyAfter: api.Int(in.HealthyThresholdCount), UnhealthyAfter: api.Int(in.UnhealthyThresholdCount)}
	matcher(&check, in.Matcher)
	g, rev, err := h.balancers.ModifyTargetGroup(ctx, c.Caller, in.TargetGroupArn, check)
	if err != nil {
		return nil, err
	}
	return api.Done(c, &ModifyTargetGroupOutput{TargetGroups: []TargetGroup{h.targetGroup(g)}}, rev, nil)
}

// deleteTargetGroup serves DeleteTargetGroup.
func (h *handler) deleteTargetGroup(ctx context.Context, c *api.Call, in *DeleteTargetGroupInput) (*DeleteTargetGroupOutput, error) {
	rev, err := h.balancers.DeleteTargetGroup(ctx, c.Caller, in.TargetGroupArn)
	return api.Done(c, &DeleteTargetGroupOutput{}, rev, err)
}

// groupAttribute is an attribute as the wire has it.
func groupAttribute(a loadbalancer.Attribute) TargetGroupAttribute {
	return TargetGroupAttribute{Key: &a.Key, Value: &a.Value}
}

// describeTargetGroupAttributes serves DescribeTargetGroupAttributes.
func (h *handler) describeTargetGroupAttributes(ctx context.Context, c *api.Call, in *DescribeTargetGroupAttributesInput) (*DescribeTargetGroupAttributesOutput, error) {
	all, err := h.balancers.GroupAttributes(ctx, c.Caller, in.TargetGroupArn)
	return &DescribeTargetGroupAttributesOutput{Attributes: api.Each(all, groupAttribute)}, err
}

// modifyTargetGroupAttributes serves ModifyTargetGroupAttributes.
func (h *handler) modifyTargetGroupAttributes(ctx context.Context, c *api.Call, in *ModifyTargetGroupAttributesInput) (*ModifyTargetGroupAttributesOutput, error) {
	change := map[string]string{}
	for _, a := range in.Attributes {
		change[api.Value(a.Key)] = api.Value(a.Value)
	}
	all, rev, err := h.balancers.SetGroupAttributes(ctx, c.Caller, in.TargetGroupArn, change)
	return api.Done(c, &ModifyTargetGroupAttributesOutput{Attributes: api.Each(all, groupAttribute)}, rev, err)
}

// targets reads the targets of a request.
func targets(list []TargetDescription) []loadbalancer.TargetID {
	return api.Each(list, func(t TargetDescription) loadbalancer.TargetID {
		return loadbalancer.TargetID{ID: t.Id, Port: int(api.Value(t.Port)), AvailabilityZone: api.Value(t.AvailabilityZone)}
	})
}

// registerTargets serves RegisterTargets.
func (h *handler) registerTargets(ctx context.Context, c *api.Call, in *RegisterTargetsInput) (*RegisterTargetsOutput, error) {
	rev, err := h.balancers.RegisterTargets(ctx, c.Caller, in.TargetGroupArn, targets(in.Targets))
	return api.Done(c, &RegisterTargetsOutput{}, rev, err)
}

// deregisterTargets serves DeregisterTargets.
func (h *handler) deregisterTargets(ctx context.Context, c *api.Call, in *DeregisterTargetsInput) (*DeregisterTargetsOutput, error) {
	rev, err := h.balancers.DeregisterTargets(ctx, c.Caller, in.TargetGroupArn, targets(in.Targets))
	return api.Done(c, &DeregisterTargetsOutput{}, rev, err)
}

// describeTargetHealth serves DescribeTargetHealth.
func (h *handler) describeTargetHealth(ctx context.Context, c *api.Call, in *DescribeTargetHealthInput) (*DescribeTargetHealthOutput, error) {
	all, err := h.balancers.TargetHealth(ctx, c.Caller, in.TargetGroupArn, targets(in.Targets))
	return &DescribeTargetHealthOutput{TargetHealthDescriptions: api.Each(all, func(t loadbalancer.Health) TargetHealthDescription {
		return TargetHealthDescription{HealthCheckPort: api.Some(t.CheckPort),
			Target:       &TargetDescription{Id: t.ID, Port: api.Some(int32(t.Port)), AvailabilityZone: api.Some(t.AvailabilityZone)},
			TargetHealth: &TargetHealth{State: &t.State, Reason: &t.Reason, Description: &t.Description}}
	})}, err
}
