package ec2

import (
	"context"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/controlplane"
)

// The operations of this file describe kinds of resources that no account has here. Clients ask for them in
// passing, and an empty answer is the true one. Filters are not looked at: they could only make it emptier.

// none answers an empty list, or that the first id does not exist.
func (h *handler) none(c *api.Call, dryRun *bool, action string, ids []string, code string) error {
	if err := h.plane.AllowEC2(caller(c, dryRun), action); err != nil {
		return err
	}
	if len(ids) > 0 {
		return trellis.NewError(400, code, "The resource '%s' does not exist.", ids[0])
	}
	return nil
}

// describeVolumes is DescribeVolumes: a namespace has no disk.
func (h *handler) describeVolumes(_ context.Context, c *api.Call, in *DescribeVolumesInput) (*DescribeVolumesOutput, error) {
	return &DescribeVolumesOutput{}, h.none(c, in.DryRun, "DescribeVolumes", in.VolumeIds, "InvalidVolume.NotFound")
}

// describeInstanceCreditSpecifications is DescribeInstanceCreditSpecifications: the credits of each burstable instance are standard.
func (h *handler) describeInstanceCreditSpecifications(ctx context.Context, c *api.Call, in *DescribeInstanceCreditSpecificationsInput) (*DescribeInstanceCreditSpecificationsOutput, error) {
	all, err := h.plane.Instances(ctx, caller(c, in.DryRun), "DescribeInstanceCreditSpecifications", query(in.InstanceIds, in.Filters))
	if err != nil {
		return nil, err
	}
	all, next, err := page(c, all, instanceID, in.MaxResults, in.NextToken)
	return &DescribeInstanceCreditSpecificationsOutput{NextToken: next, InstanceCreditSpecifications: api.Each(all, func(d controlplane.DescribedInstance) InstanceCreditSpecification {
		return InstanceCreditSpecification{CpuCredits: api.Some("standard"), InstanceId: &d.ID}
	})}, err
}
