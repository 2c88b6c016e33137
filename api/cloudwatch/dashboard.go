package cloudwatch

import (
	"context"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
)

// maxDashboards is how many dashboards a page has (CloudWatch API, ListDashboards).
const maxDashboards = 1000

// putDashboard serves PutDashboard.
func (h *handler) putDashboard(ctx context.Context, c *api.Call, in *PutDashboardInput) (*PutDashboardOutput, error) {
	tags, err := fromTags(in.Tags)
	if err != nil {
		return nil, err
	}
	rev, err := h.alarms.PutDashboard(ctx, c.Caller, in.DashboardName, in.DashboardBody, tags)
	return api.Done(c, &PutDashboardOutput{DashboardValidationMessages: []DashboardValidationMessage{}}, rev, err)
}

// getDashboard serves GetDashboard.
func (h *handler) getDashboard(ctx context.Context, c *api.Call, in *GetDashboardInput) (*GetDashboardOutput, error) {
	n, err := h.alarms.Dashboard(ctx, c.Caller, in.DashboardName)
	if err != nil {
		return nil, err
	}
	return &GetDashboardOutput{DashboardArn: new(n.ARN()), DashboardBody: &n.Body, DashboardName: &n.ID}, nil
}

// listDashboards serves ListDashboards.
func (h *handler) listDashboards(ctx context.Context, c *api.Call, in *ListDashboardsInput) (*ListDashboardsOutput, error) {
	after, err := c.After(in.NextToken)
	if err != nil {
		return nil, invalid("The NextToken is not valid.")
	}
	found, next, err := h.alarms.Dashboards(ctx, c.Caller, api.Value(in.DashboardNamePrefix), after, maxDashboards)
	if err != nil {
		return nil, err
	}
	return &ListDashboardsOutput{NextToken: c.NextToken(next), DashboardEntries: api.Each(found, func(n *trellis.Dashboard) DashboardEntry {
		return DashboardEntry{DashboardArn: new(n.ARN()), DashboardName: &n.ID, LastModified: &n.UpdatedAt, Size: new(int64(len(n.Body)))}
	})}, nil
}

// deleteDashboards serves DeleteDashboards.
func (h *handler) deleteDashboards(ctx context.Context, c *api.Call, in *DeleteDashboardsInput) (*DeleteDashboardsOutput, error) {
	rev, err := h.alarms.DeleteDashboards(ctx, c.Caller, in.DashboardNames)
	return api.Done(c, &DeleteDashboardsOutput{}, rev, err)
}
