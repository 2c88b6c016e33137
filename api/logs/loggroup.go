package logs

import (
	"context"

	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/telemetry"
)

// pageSize is the largest page, and the usual one, of log groups and streams.
const pageSize = 50

// createLogGroup serves CreateLogGroup.
func (h *handler) createLogGroup(_ context.Context, c *api.Call, in *CreateLogGroupInput) (*CreateLogGroupOutput, error) {
	if err := h.onGroup(c, in.LogGroupName); err != nil {
		return nil, err
	}
	err := h.logs.CreateGroup(telemetry.LogGroup{Account: c.Account, Name: in.LogGroupName, Class: api.Or(in.LogGroupClass, ""),
		KMSKeyID: api.Or(in.KmsKeyId, ""), Protected: api.Or(in.DeletionProtectionEnabled, false), Tags: in.Tags})
	return &CreateLogGroupOutput{}, err
}

// deleteLogGroup serves DeleteLogGroup.
func (h *handler) deleteLogGroup(_ context.Context, c *api.Call, in *DeleteLogGroupInput) (*DeleteLogGroupOutput, error) {
	if err := h.onGroup(c, in.LogGroupName); err != nil {
		return nil, err
	}
	return &DeleteLogGroupOutput{}, h.logs.DeleteGroup(c.Account, in.LogGroupName)
}

// describeLogGroups serves DescribeLogGroups.
func (h *handler) describeLogGroups(_ context.Context, c *api.Call, in *DescribeLogGroupsInput) (*DescribeLogGroupsOutput, error) {
	if err := c.Authorize("logs:DescribeLogGroups", h.logs.GroupARN(c.Account, "*"), nil); err != nil {
		return nil, err
	}
	if in.LogGroupNamePattern != nil && in.LogGroupNamePrefix != nil {
		return nil, invalid("LogGroupNamePattern and LogGroupNamePrefix cannot be both set")
	}
	f := telemetry.GroupFilter{Prefix: api.Or(in.LogGroupNamePrefix, ""), Pattern: api.Or(in.LogGroupNamePattern, ""), Class: api.Or(in.LogGroupClass, "")}
	for _, id := range in.LogGroupIdentifiers {
		name, err := fromIdentifier(c, id)
		if err != nil {
			return nil, err
		}
		f.Names = append(f.Names, name)
	}
	after, err := c.After(in.NextToken)
	if err != nil {
		return nil, err
	}
	groups, next, err := h.logs.Groups(c.Account, f, after, int(api.Or(in.Limit, pageSize)))
	if err != nil {
		return nil, err
	}
	out := &DescribeLogGroupsOutput{LogGroups: make([]LogGroup, 0, len(groups)), NextToken: c.NextToken(next)}
	for _, g := range groups {
		out.LogGroups = append(out.LogGroups, LogGroup{Arn: new(g.ARN + ":*"), LogGroupArn: new(g.ARN), LogGroupName: new(g.Name),
			CreationTime: new(g.CreatedMillis), LogGroupClass: new(g.Class), KmsKeyId: api.Some(g.KMSKeyID), RetentionInDays: api.Some(g.RetentionDays),
			StoredBytes: new(g.Bytes), MetricFilterCount: new(int32(g.MetricFilters)), DeletionProtectionEnabled: new(g.Protected)})
	}
	return out, nil
}

// putRetentionPolicy serves PutRetentionPolicy.
func (h *handler) putRetentionPolicy(_ context.Context, c *api.Call, in *PutRetentionPolicyInput) (*PutRetentionPolicyOutput, error) {
	if err := h.onGroup(c, in.LogGroupName); err != nil {
		return nil, err
	}
	if in.RetentionInDays == 0 {
		return nil, invalid("Invalid retention in days: 0")
	}
	return &PutRetentionPolicyOutput{}, h.logs.SetRetention(c.Account, in.LogGroupName, in.RetentionInDays)
}

// deleteRetentionPolicy serves DeleteRetentionPolicy.
func (h *handler) deleteRetentionPolicy(_ context.Context, c *api.Call, in *DeleteRetentionPolicyInput) (*DeleteRetentionPolicyOutput, error) {
	if err := h.onGroup(c, in.LogGroupName); err != nil {
		return nil, err
	}
	return &DeleteRetentionPolicyOutput{}, h.logs.SetRetention(c.Account, in.LogGroupName, 0)
}
