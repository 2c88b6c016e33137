package vpclattice

import (
	"context"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/controlplane"
)

// createTargetGroup serves CreateTargetGroup.
func (h *handler) createTargetGroup(ctx context.Context, c *api.Call, in *CreateTargetGroupInput) (*CreateTargetGroupOutput, error) {
	g := trellis.TargetGroup{Meta: trellis.Meta{Tags: in.Tags}, Name: in.Name, Type: trellis.TargetGroupType(in.Type)}
	var hc *controlplane.HealthCheckSettings
	if cf := in.Config; cf != nil {
		g.Port, g.Protocol, g.ProtocolVersion = int(api.Or(cf.Port, 0)), trellis.Protocol(api.Or(cf.Protocol, "")), api.Or(cf.ProtocolVersion, "")
		g.VPCID, g.IPAddressType, g.LambdaEvent = api.Or(cf.VpcIdentifier, ""), api.Or(cf.IpAddressType, ""), api.Or(cf.LambdaEventStructureVersion, "")
		hc = readHealthCheck(cf.HealthCheck)
	}
	t, rev, err := h.plane.CreateTargetGroup(ctx, c.Caller, api.Or(in.ClientToken, ""), g, hc)
	if err != nil {
		return nil, err
	}
	c.Committed(rev)
	return &CreateTargetGroupOutput{Arn: new(t.ARN(h.region)), Id: &t.ID, Name: &t.Name, Type: text(t.Type), Status: text(t.Status), Config: writeConfig(t)}, nil
}

// getTargetGroup serves GetTargetGroup.
func (h *handler) getTargetGroup(ctx context.Context, c *api.Call, in *GetTargetGroupInput) (*GetTargetGroupOutput, error) {
	t, err := h.plane.GetTargetGroup(ctx, c.Caller, in.TargetGroupIdentifier)
	if err != nil {
		return nil, err
	}
	return &GetTargetGroupOutput{
		Arn: new(t.ARN(h.region)), Id: &t.ID, Name: &t.Name, Type: text(t.Type), Status: text(t.Status), Config: writeConfig(t),
		ServiceArns: t.ServiceARNs, FailureCode: text(t.FailureCode), FailureMessage: text(t.FailureMessage),
		CreatedAt: at(t.CreatedAt), LastUpdatedAt: at(t.UpdatedAt),
	}, nil
}

// updateTargetGroup serves UpdateTargetGroup.
func (h *handler) updateTargetGroup(ctx context.Context, c *api.Call, in *UpdateTargetGroupInput) (*UpdateTargetGroupOutput, error) {
	t, rev, err := h.plane.UpdateTargetGroup(ctx, c.Caller, in.TargetGroupIdentifier, api.Or(readHealthCheck(in.HealthCheck), controlplane.HealthCheckSettings{}))
	if err != nil {
		return nil, err
	}
	c.Committed(rev)
	return &UpdateTargetGroupOutput{Arn: new(t.ARN(h.region)), Id: &t.ID, Name: &t.Name, Type: text(t.Type), Status: text(t.Status), Config: writeConfig(t)}, nil
}

// deleteTargetGroup serves DeleteTargetGroup.
func (h *handler) deleteTargetGroup(ctx context.Context, c *api.Call, in *DeleteTargetGroupInput) (*DeleteTargetGroupOutput, error) {
	g, rev, err := h.plane.DeleteTargetGroup(ctx, c.Caller, in.TargetGroupIdentifier)
	if err != nil {
		return nil, err
	}
	c.Committed(rev)
	return &DeleteTargetGroupOutput{Arn: new(g.ARN(h.region)), Id: &g.ID, Status: text(g.Status)}, nil
}

// listTargetGroups serves ListTargetGroups.
func (h *handler) listTargetGroups(ctx context.Context, c *api.Call, in *ListTargetGroupsInput) (*ListTargetGroupsOutput, error) {
	pg, err := page(c, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	list, next, err := h.plane.ListTargetGroups(ctx, c.Caller, api.Or(in.VpcIdentifier, ""), trellis.TargetGroupType(api.Or(in.TargetGroupType, "")), pg)
	if err != nil {
		return nil, err
	}
	out := &ListTargetGroupsOutput{NextToken: c.NextToken(next)}
	for _, t := range list {
		item := TargetGroupSummary{
			Arn: new(t.ARN(h.region)), Id: &t.ID, Name: &t.Name, Type: text(t.Type), Status: text(t.Status), Port: number(t.Port),
			Protocol: text(t.Protocol), VpcIdentifier: text(t.VPCID), IpAddressType: text(t.IPAddressType), LambdaEventStructureVersion: lambdaEvent(t), ServiceArns: t.ServiceARNs,
			CreatedAt: at(t.CreatedAt), LastUpdatedAt: at(t.UpdatedAt),
		}
		out.Items = append(out.Items, item)
	}
	return out, nil
}

// readHealthCheck reads a health check, nil for none.
func readHealthCheck(in *HealthCheckConfig) *controlplane.HealthCheckSettings {
	if in == nil {
		return nil
	}
	s := &controlplane.HealthCheckSettings{
		Enabled: in.Enabled, Protocol: in.Protocol, ProtocolVersion: in.ProtocolVersion, Port: api.Int(in.Port), Path: in.Path,
		IntervalSeconds: api.Int(in.HealthCheckIntervalSeconds), TimeoutSeconds: api.Int(in.HealthCheckTimeoutSeconds),
		HealthyThreshold: api.Int(in.HealthyThresholdCount), UnhealthyThreshold: api.Int(in.UnhealthyThresholdCount),
	}
	if in.Matcher != nil {
		s.Matcher = in.Matcher.HttpCode
	}
	return s
}

// lambdaEvent is the version of the events that a Lambda group's function is given, V1 unless another was asked for, and nil for
// other types. https://docs.aws.amazon.com/vpc-lattice/latest/APIReference/API_TargetGroupConfig.html
func lambdaEvent(t *controlplane.TargetGroup) *string {
	if t.Type == trellis.TargetsLambda && t.LambdaEvent == "" {
		return new("V1")
	}
	return text(t.LambdaEvent)
}

// writeConfig writes the config of a target group. A Lambda group that was made without one has one all the same: Terraform's
// provider tests that (TestAccVPCLatticeTargetGroup_lambda).
func writeConfig(t *controlplane.TargetGroup) *TargetGroupConfig {
	out := &TargetGroupConfig{Port: number(t.Port), Protocol: text(t.Protocol), ProtocolVersion: text(t.ProtocolVersion),
		VpcIdentifier: text(t.VPCID), IpAddressType: text(t.IPAddressType), LambdaEventStructureVersion: lambdaEvent(t)}
	if hc := t.HealthCheck; hc != nil {
		out.HealthCheck = &HealthCheckConfig{
			Enabled: &hc.Enabled, Protocol: text(hc.Protocol), ProtocolVersion: text(hc.ProtocolVersion), Port: number(hc.Port), Path: text(hc.Path),
			HealthCheckIntervalSeconds: number(hc.IntervalSeconds), HealthCheckTimeoutSeconds: number(hc.TimeoutSeconds),
			HealthyThresholdCount: number(hc.HealthyThreshold), UnhealthyThresholdCount: number(hc.UnhealthyThreshold),
			Matcher: &Matcher{HttpCode: text(hc.Matcher)},
		}
	}
	return out
}
