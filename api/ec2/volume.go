package ec2

import (
	"context"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/controlplane"
)

// noSnapshot refuses a snapshot, of which there are none.
func noSnapshot(id *string) error {
	if api.Value(id) == "" {
		return nil
	}
	return trellis.NewError(400, "InvalidSnapshot.NotFound", "The snapshot '%s' does not exist.", *id)
}

// instanceVolumes are the volumes that a request gives its instances. There are no disks of the host that it could name
// (VirtualName); NoDevice keeps an image's device away, of which the lab image has its root alone.
func instanceVolumes(in []BlockDeviceMapping) (out []controlplane.InstanceVolume, err error) {
	for _, m := range in {
		if m.NoDevice != nil && api.Value(m.DeviceName) == trellis.RootDevice {
			return nil, unsupported("an instance without a root volume")
		}
		if m.NoDevice != nil || m.VirtualName != nil {
			continue
		}
		v := controlplane.InstanceVolume{Device: api.Value(m.DeviceName)}
		if e := m.Ebs; e != nil {
			if err := noSnapshot(e.SnapshotId); err != nil {
				return nil, err
			}
			v.VolumeShape = trellis.VolumeShape{Size: int(api.Value(e.VolumeSize)), VolumeType: api.Value(e.VolumeType), IOPS: int(api.Value(e.Iops)), Throughput: int(api.Value(e.Throughput))}
			v.Encrypted, v.KMSKey, v.Keep = api.Value(e.Encrypted), api.Value(e.KmsKeyId), !api.Or(e.DeleteOnTermination, true)
		}
		out = append(out, v)
	}
	return out, nil
}

// deviceMappings are the volumes of an instance as the wire has them there.
func deviceMappings(all []*trellis.Volume) []InstanceBlockDeviceMapping {
	return api.Each(all, func(v *trellis.Volume) InstanceBlockDeviceMapping {
		return InstanceBlockDeviceMapping{DeviceName: &v.Attachment.Device, Ebs: &EbsInstanceBlockDevice{AttachTime: &v.Attachment.At, DeleteOnTermination: &v.Attachment.DeleteOnTermination, Status: new("attached"), VolumeId: &v.ID}}
	})
}

// some is a number of a volume that is left out when it has none.
func some(n int) *int32 { return api.Some(int32(n)) }

// volume is a volume as the wire has it.
func (h *handler) volume(v *trellis.Volume) Volume {
	out := Volume{VolumeId: &v.ID, AvailabilityZone: &v.AvailabilityZone, CreateTime: &v.CreatedAt, Encrypted: &v.Encrypted, Iops: some(v.IOPS), KmsKeyId: api.Some(v.KMSKey), MultiAttachEnabled: &v.MultiAttach,
		Size: some(v.Size), SnapshotId: new(string), State: new(v.State()), Tags: tags(v.Tags), Throughput: some(v.Throughput), VolumeType: &v.VolumeType}
	for _, z := range trellis.Zones(h.region) {
		if z.Name == v.AvailabilityZone {
			out.AvailabilityZoneId = &z.ID
		}
	}
	if a := v.Attachment; a != nil {
		out.Attachments = []VolumeAttachment{{AttachTime: &a.At, DeleteOnTermination: &a.DeleteOnTermination, Device: &a.Device, InstanceId: &a.InstanceID, State: new("attached"), VolumeId: &v.ID}}
	}
	return out
}

// createVolume is CreateVolume.
func (h *handler) createVolume(ctx context.Context, c *api.Call, in *CreateVolumeInput) (*CreateVolumeOutput, error) {
	t, err := tagSpecs(in.TagSpecifications, "volume")
	if err != nil {
		return nil, err
	}
	if err := noSnapshot(in.SnapshotId); err != nil {
		return nil, err
	}
	if in.OutpostArn != nil {
		return nil, unsupported("volumes on Outposts")
	}
	zone := api.Value(in.AvailabilityZone)
	for _, z := range trellis.Zones(h.region) {
		if z.ID == api.Value(in.AvailabilityZoneId) {
			zone = z.Name
		}
	}
	v, rev, err := h.plane.CreateVolume(ctx, caller(c, in.DryRun), controlplane.NewVolume{Zone: zone, Encrypted: api.Value(in.Encrypted), KMSKey: api.Value(in.KmsKeyId), MultiAttach: api.Value(in.MultiAttachEnabled),
		VolumeShape: trellis.VolumeShape{Size: int(api.Value(in.Size)), VolumeType: api.Or(in.VolumeType, "gp2"), IOPS: int(api.Value(in.Iops)), Throughput: int(api.Value(in.Throughput))}, ClientToken: api.Value(in.ClientToken), Tags: t})
	if err != nil {
		return nil, err
	}
	out := CreateVolumeOutput(h.volume(v))
	out.State = new("creating")
	return api.Done(c, &out, rev, nil)
}

// deleteVolume is DeleteVolume.
func (h *handler) deleteVolume(ctx context.Context, c *api.Call, in *DeleteVolumeInput) (*DeleteVolumeOutput, error) {
	rev, err := h.plane.DeleteVolume(ctx, caller(c, in.DryRun), in.VolumeId)
	return api.Done(c, &DeleteVolumeOutput{}, rev, err)
}

// describeVolumes is DescribeVolumes.
func (h *handler) describeVolumes(ctx context.Context, c *api.Call, in *DescribeVolumesInput) (*DescribeVolumesOutput, error) {
	all, err := h.plane.Volumes(ctx, caller(c, in.DryRun), query(in.VolumeIds, in.Filters))
	if err != nil {
		return nil, err
	}
	all, next, err := page(c, all, func(v *trellis.Volume) string { return v.ID }, in.MaxResults, in.NextToken)
	return &DescribeVolumesOutput{NextToken: next, Volumes: api.Each(all, h.volume)}, err
}

// modification is the last modification of a volume as the wire has it.
func modification(v *trellis.Volume, state string, done int64) VolumeModification {
	m := v.Modified
	out := VolumeModification{VolumeId: &v.ID, ModificationState: &state, Progress: &done, StartTime: &m.At, OriginalMultiAttachEnabled: &v.MultiAttach, TargetMultiAttachEnabled: &v.MultiAttach,
		OriginalSize: some(m.From.Size), OriginalVolumeType: &m.From.VolumeType, OriginalIops: some(m.From.IOPS), OriginalThroughput: some(m.From.Throughput),
		TargetSize: some(m.To.Size), TargetVolumeType: &m.To.VolumeType, TargetIops: some(m.To.IOPS), TargetThroughput: some(m.To.Throughput)}
	if done == 100 {
		out.EndTime = &m.At
	}
	return out
}

// modifyVolume is ModifyVolume. The answer shows a modification that has begun; it is complete in all others.
func (h *handler) modifyVolume(ctx context.Context, c *api.Call, in *ModifyVolumeInput) (*ModifyVolumeOutput, error) {
	if in.MultiAttachEnabled != nil {
		return nil, unsupported("another value of multiAttachEnabled")
	}
	v, rev, err := h.plane.ModifyVolume(ctx, caller(c, in.DryRun), in.VolumeId, trellis.VolumeShape{Size: int(api.Value(in.Size)), VolumeType: api.Value(in.VolumeType), IOPS: int(api.Value(in.Iops)), Throughput: int(api.Value(in.Throughput))})
	if err != nil {
		return nil, err
	}
	return api.Done(c, &ModifyVolumeOutput{VolumeModification: new(modification(v, "modifying", 0))}, rev, nil)
}

// describeVolumesModifications is DescribeVolumesModifications.
func (h *handler) describeVolumesModifications(ctx context.Context, c *api.Call, in *DescribeVolumesModificationsInput) (*DescribeVolumesModificationsOutput, error) {
	all, err := h.plane.VolumeModifications(ctx, caller(c, in.DryRun), query(in.VolumeIds, in.Filters))
	if err != nil {
		return nil, err
	}
	all, next, err := page(c, all, func(v *trellis.Volume) string { return v.ID }, in.MaxResults, in.NextToken)
	return &DescribeVolumesModificationsOutput{NextToken: next, VolumesModifications: api.Each(all, func(v *trellis.Volume) VolumeModification { return modification(v, "completed", 100) })}, err
}

// attachVolume is AttachVolume.
func (h *handler) attachVolume(ctx context.Context, c *api.Call, in *AttachVolumeInput) (*AttachVolumeOutput, error) {
	v, rev, err := h.plane.AttachVolume(ctx, caller(c, in.DryRun), in.VolumeId, in.InstanceId, in.Device)
	if err != nil {
		return nil, err
	}
	out := AttachVolumeOutput(h.volume(v).Attachments[0])
	out.State = new("attaching")
	return api.Done(c, &out, rev, nil)
}

// detachVolume is DetachVolume.
func (h *handler) detachVolume(ctx context.Context, c *api.Call, in *DetachVolumeInput) (*DetachVolumeOutput, error) {
	v, rev, err := h.plane.DetachVolume(ctx, caller(c, in.DryRun), in.VolumeId, api.Value(in.InstanceId), api.Value(in.Device))
	if err != nil {
		return nil, err
	}
	out := DetachVolumeOutput(h.volume(&v).Attachments[0])
	out.State = new("detaching")
	return api.Done(c, &out, rev, nil)
}
