package controlplane

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

const (
	// maxVolumes is how many volumes an account may have (Service Quotas counts their bytes, of which these have none).
	maxVolumes = 5000
	// maxInstanceVolumes is how many an instance may have: as many as the largest instances of AWS (EBS user guide, volume limits).
	maxInstanceVolumes = 128
)

// roomForVolumes refuses to make more volumes than an account that has some may have.
func roomForVolumes(have, more int) error {
	if have+more > maxVolumes {
		return ec2Error("VolumeLimitExceeded", "The maximum number of volumes has been reached: %d.", maxVolumes)
	}
	return nil
}

// tooManyVolumes says that an instance would have more volumes than one may.
func tooManyVolumes() error {
	return ec2Error("AttachmentLimitExceeded", "An instance may have %d volumes.", maxInstanceVolumes)
}

// RootSize is how large the lab image is, in GiB: that of Amazon Linux 2023.
const RootSize = 8

// volumeType is what is known of a type of volumes (EBS user guide, "Amazon EBS volume types").
type volumeType struct {
	least, most         int // GiB
	leastIOPS, mostIOPS int // 0: it has none to choose
	defaultIOPS         int // 0: they must be said
}

// volumeTypes are the types of volumes.
var volumeTypes = map[string]volumeType{
	"gp2":      {least: 1, most: 16384},
	"gp3":      {least: 1, most: 65536, leastIOPS: 3000, mostIOPS: 80000, defaultIOPS: 3000},
	"io1":      {least: 4, most: 16384, leastIOPS: 100, mostIOPS: 64000},
	"io2":      {least: 4, most: 65536, leastIOPS: 100, mostIOPS: 256000},
	"st1":      {least: 125, most: 16384},
	"sc1":      {least: 125, most: 16384},
	"standard": {least: 1, most: 1024},
}

// The throughput of volumes of type gp3, in MiB a second.
const (
	leastThroughput = 125
	mostThroughput  = 2000
)

// shape completes what was asked for of a volume, and refuses what none can be like.
func shape(s trellis.VolumeShape) (trellis.VolumeShape, error) {
	t, ok := volumeTypes[s.VolumeType]
	switch {
	case !ok:
		return s, invalidParameter("volumeType", s.VolumeType, "There is no such type of volume.")
	case s.Size < t.least:
		return s, ec2Error("InvalidParameterValue", "Volume of %dGiB is too small for volume type %s; minimum is %dGiB.", s.Size, s.VolumeType, t.least)
	case s.Size > t.most:
		return s, ec2Error("InvalidParameterValue", "Volume of %dGiB is too large for volume type %s; maximum is %dGiB.", s.Size, s.VolumeType, t.most)
	case s.IOPS != 0 && t.mostIOPS == 0:
		return s, ec2Error("InvalidParameterCombination", "The parameter iops is not supported for %s volumes.", s.VolumeType)
	case s.IOPS == 0 && t.mostIOPS != 0 && t.defaultIOPS == 0:
		return s, missingParameter("iops")
	case s.Throughput != 0 && s.VolumeType != "gp3":
		return s, ec2Error("InvalidParameterCombination", "The parameter throughput is not supported for %s volumes.", s.VolumeType)
	}
	if s.VolumeType == "gp2" {
		s.IOPS = min(max(3*s.Size, 100), 16000)
		return s, nil
	}
	if s.IOPS == 0 {
		s.IOPS = t.defaultIOPS
	}
	if t.mostIOPS != 0 && (s.IOPS < t.leastIOPS || s.IOPS > t.mostIOPS) {
		return s, ec2Error("InvalidParameterValue", "Volume iops of %d is not between %d and %d, as of volume type %s.", s.IOPS, t.leastIOPS, t.mostIOPS, s.VolumeType)
	}
	if s.VolumeType == "gp3" && s.Throughput == 0 {
		s.Throughput = leastThroughput
	}
	if s.VolumeType == "gp3" && (s.Throughput < leastThroughput || s.Throughput > mostThroughput) {
		return s, ec2Error("InvalidParameterValue", "Volume throughput of %d is not between %d and %d.", s.Throughput, leastThroughput, mostThroughput)
	}
	return s, nil
}

// NewVolume is what a volume is asked to be.
type NewVolume struct {
	Zone string
	trellis.VolumeShape
	Encrypted   bool
	KMSKey      string // id, alias or ARN of either
	MultiAttach bool
	ClientToken string
	Tags        map[string]string
}

// volume makes a volume, without an id and without putting it.
func (p *Plane) volume(tx *store.Tx, account string, in NewVolume) (*trellis.Volume, error) {
	s, err := shape(in.VolumeShape)
	if err != nil {
		return nil, err
	}
	v := &trellis.Volume{AvailabilityZone: in.Zone, VolumeShape: s, Encrypted: in.Encrypted, MultiAttach: in.MultiAttach}
	if in.MultiAttach && s.VolumeType != "io1" && s.VolumeType != "io2" {
		return nil, ec2Error("InvalidParameterCombination", "Multi-Attach is not supported for %s volumes.", s.VolumeType)
	}
	if in.KMSKey != "" && !in.Encrypted {
		return nil, ec2Error("InvalidParameterDependency", "The parameter KmsKeyId requires the parameter Encrypted to be set.")
	}
	if in.KMSKey != "" {
		v.KMSKey, err = p.kmsKey(tx, account, in.KMSKey)
	}
	return v, err
}

// kmsKey is the ARN of a key that a request names in one of four ways. One of another account is not looked at.
func (p *Plane) kmsKey(tx *store.Tx, account, name string) (string, error) {
	id := name
	if a, err := trellis.ParseARN(name); err == nil {
		if a.Account != account {
			return name, nil
		}
		id = strings.TrimPrefix(a.Resource, "key/")
	}
	unknown := invalidParameter("kmsKeyId", name, "The key does not exist.")
	if strings.HasPrefix(id, "alias/") {
		alias, err := store.Get[*trellis.KeyAlias](tx, account+"/"+id)
		if errors.Is(err, trellis.ErrNotExist) {
			return "", unknown
		}
		if err != nil {
			return "", err
		}
		id = alias.KeyID
	}
	key, err := store.Get[*trellis.Key](tx, account+"/"+id)
	if errors.Is(err, trellis.ErrNotExist) {
		return "", unknown
	}
	if err != nil {
		return "", err
	}
	return key.ARN(p.Region), nil
}

// volumeKeys adds to k, which may be nil, the condition keys of a volume.
func volumeKeys(k keys, v *trellis.Volume) keys {
	if k == nil {
		k = keys{}
	}
	k["ec2:encrypted"], k["ec2:volumetype"], k["ec2:volumesize"] = flag(v.Encrypted), []string{v.VolumeType}, []string{strconv.Itoa(v.Size)}
	k["ec2:volumeiops"], k["ec2:volumethroughput"] = []string{strconv.Itoa(v.IOPS)}, []string{strconv.Itoa(v.Throughput)}
	return k
}

// CreateVolume makes a volume that no instance has.
func (p *Plane) CreateVolume(ctx context.Context, c EC2Call, in NewVolume) (v *trellis.Volume, rev trellis.Revision, err error) {
	switch {
	case in.Zone == "":
		return nil, 0, missingParameter("availabilityZone")
	case !slices.ContainsFunc(trellis.Zones(p.Region), func(z trellis.Zone) bool { return z.Name == in.Zone }):
		return nil, 0, ec2Error("InvalidZone.NotFound", "The zone '%s' does not exist.", in.Zone)
	}
	have, err := count[*trellis.Volume](ctx, p, c.account()+"/")
	if err != nil {
		return nil, 0, err
	}
	rev, err = p.ec2Commit(ctx, func(tx *store.Tx) error {
		made, err := p.volume(tx, c.account(), in)
		if err != nil {
			return err
		}
		if err := p.allow(tx, c, "CreateVolume", volumeKeys(authpolicy.TagKeys(nil, in.Tags, nil), made), p.ec2ARN(c, "volume/*")); err != nil {
			return err
		}
		v, err = store.Once(tx, c.account()+"/CreateVolume", in.ClientToken, in, func() (*trellis.Volume, error) {
			if err := roomForVolumes(have, 1); err != nil {
				return nil, err
			}
			made.Meta, err = p.ec2Meta(tx, c, idVolume, in.Tags)
			tx.Put(made)
			return made, err
		})
		return err
	})
	return v, rev, err
}

// changeVolume changes a volume of the caller's account. Others are what else the action names, by ARN.
func (p *Plane) changeVolume(ctx context.Context, c EC2Call, action, id string, change func(*store.Tx, *trellis.Volume) error, others ...string) (trellis.Revision, error) {
	return p.ec2Commit(ctx, func(tx *store.Tx) error {
		if err := p.allow(tx, c, action, nil, slices.Concat([]string{p.ec2ARN(c, "volume/"+id)}, others)...); err != nil {
			return err
		}
		v, err := find[*trellis.Volume](tx, idVolume, c.account(), id)
		if err != nil {
			return err
		}
		v.UpdatedAt = p.now()
		return change(tx, v)
	})
}

// DeleteVolume removes a volume that no instance has.
func (p *Plane) DeleteVolume(ctx context.Context, c EC2Call, id string) (trellis.Revision, error) {
	return p.changeVolume(ctx, c, "DeleteVolume", id, func(tx *store.Tx, v *trellis.Volume) error {
		if v.Attachment != nil {
			return ec2Error("VolumeInUse", "Volume %s is currently attached to %s", id, v.Attachment.InstanceID)
		}
		deleteVolume(tx, v)
		return nil
	})
}

// deleteVolume removes a volume.
func deleteVolume(tx *store.Tx, v *trellis.Volume) {
	releaseEC2ID(tx, v.ID)
	tx.Delete(v)
}

// ModifyVolume gives a volume another shape: what is zero stays as it is, or follows from the type. The answer is the volume
// with its modification, which is done at once.
func (p *Plane) ModifyVolume(ctx context.Context, c EC2Call, id string, to trellis.VolumeShape) (out *trellis.Volume, rev trellis.Revision, err error) {
	rev, err = p.changeVolume(ctx, c, "ModifyVolume", id, func(tx *store.Tx, v *trellis.Volume) error {
		from, to := v.VolumeShape, to
		if to.Size == 0 {
			to.Size = from.Size
		}
		if to.Size < from.Size {
			return ec2Error("InvalidParameterValue", "New size cannot be smaller than existing size")
		}
		if same := to.VolumeType == "" || to.VolumeType == from.VolumeType; same {
			to.VolumeType = from.VolumeType
			if to.IOPS == 0 && volumeTypes[from.VolumeType].mostIOPS != 0 {
				to.IOPS = from.IOPS
			}
			if to.Throughput == 0 {
				to.Throughput = from.Throughput
			}
		}
		next, err := shape(to)
		if err != nil {
			return err
		}
		v.VolumeShape, v.Modified = next, &trellis.VolumeModification{From: from, To: next, At: p.now()}
		tx.Put(v)
		out = v
		return nil
	})
	return out, rev, err
}

// AttachVolume gives an instance a volume of its zone, under a device's name.
func (p *Plane) AttachVolume(ctx context.Context, c EC2Call, id, instance, device string) (out *trellis.Volume, rev trellis.Revision, err error) {
	if device == "" {
		return nil, 0, missingParameter("device")
	}
	rev, err = p.changeVolume(ctx, c, "AttachVolume", id, func(tx *store.Tx, v *trellis.Volume) error {
		if err := instancesExist(tx, c.account(), []string{instance}); err != nil {
			return err
		}
		i, err := find[*trellis.Instance](tx, idInstance, c.account(), instance)
		if err != nil {
			return err
		}
		switch {
		case v.Attachment != nil:
			return ec2Error("VolumeInUse", "%s is already attached to an instance", id)
		case i.State != trellis.InstanceRunning && i.State != trellis.InstanceStopped && i.State != trellis.InstancePending:
			return ec2Error("IncorrectState", "Instance '%s' is not 'running'.", instance)
		}
		s, err := store.Get[*trellis.Subnet](tx, i.Account+"/"+i.SubnetID)
		if err != nil {
			return err
		}
		if s.AvailabilityZone != v.AvailabilityZone {
			return ec2Error("InvalidVolume.ZoneMismatch", "The volume '%s' is not in the same availability zone as instance '%s'", id, instance)
		}
		has, err := volumesOf(tx, i)
		if err != nil {
			return err
		}
		if len(has) >= maxInstanceVolumes {
			return tooManyVolumes()
		}
		if slices.ContainsFunc(has, func(v *trellis.Volume) bool { return v.Attachment.Device == device }) {
			return ec2Error("InvalidParameterValue", "Invalid value '%s' for unixDevice. Attachment point %s is already in use", device, device)
		}
		v.Attachment = &trellis.VolumeAttachment{InstanceID: instance, Device: device, At: p.now()}
		tx.Put(v)
		out = v
		return nil
	}, p.ec2ARN(c, "instance/"+instance))
	return out, rev, err
}

// DetachVolume takes a volume from its instance; instance and device may be said, and must be right then. The answer is the
// volume as it was. The root volume stays with an instance that runs.
func (p *Plane) DetachVolume(ctx context.Context, c EC2Call, id, instance, device string) (was trellis.Volume, rev trellis.Revision, err error) {
	var others []string
	if instance != "" {
		others = append(others, p.ec2ARN(c, "instance/"+instance))
	}
	rev, err = p.changeVolume(ctx, c, "DetachVolume", id, func(tx *store.Tx, v *trellis.Volume) error {
		a := v.Attachment
		if a == nil {
			return ec2Error("IncorrectState", "Volume '%s' is in the 'available' state.", id)
		}
		if instance != "" && instance != a.InstanceID || device != "" && device != a.Device {
			return ec2Error("InvalidAttachment.NotFound", "The volume '%s' is not attached to instance '%s' as device '%s'.", id, instance, device)
		}
		i, err := store.Get[*trellis.Instance](tx, v.Account+"/"+a.InstanceID)
		if err != nil {
			return err
		}
		if a.Device == trellis.RootDevice && i.State != trellis.InstanceStopped {
			return ec2Error("OperationNotPermitted", "Unable to detach root volume '%s' from instance '%s'", a.Device, i.ID)
		}
		was = *v
		v.Attachment = nil
		tx.Put(v)
		return nil
	}, others...)
	return was, rev, err
}

// InstanceVolume is a volume that an instance is launched with.
type InstanceVolume struct {
	NewVolume
	Device string
	Keep   bool // when the instance ends
}

// launchVolumes makes the volumes of new instances, without ids and without putting them: that of the lab image, which what is
// asked for of its device changes, and further ones.
func (p *Plane) launchVolumes(tx *store.Tx, account string, in NewInstances) ([]*trellis.Volume, error) {
	asked := slices.Clone(in.Volumes)
	root := slices.IndexFunc(asked, func(v InstanceVolume) bool { return v.Device == trellis.RootDevice })
	if root < 0 {
		asked, root = slices.Insert(asked, 0, InstanceVolume{Device: trellis.RootDevice}), 0
	}
	if len(asked) > maxInstanceVolumes {
		return nil, tooManyVolumes()
	}
	if asked[root].VolumeType == "" {
		asked[root].VolumeType = "gp3"
	}
	if asked[root].Size == 0 {
		asked[root].Size = RootSize
	}
	if asked[root].Size < RootSize {
		return nil, ec2Error("InvalidBlockDeviceMapping", "Volume of size %dGB is smaller than the image, expect size >= %dGB", asked[root].Size, RootSize)
	}
	var out []*trellis.Volume
	seen := map[string]bool{}
	for _, a := range asked {
		switch {
		case a.Device == "":
			return nil, missingParameter("deviceName")
		case seen[a.Device]:
			return nil, ec2Error("InvalidBlockDeviceMapping", "The device '%s' is used in more than one block-device mapping", a.Device)
		case a.Size == 0:
			return nil, missingParameter("ebs.volumeSize")
		}
		seen[a.Device] = true
		if a.VolumeType == "" {
			a.VolumeType = "gp2"
		}
		v, err := p.volume(tx, account, a.NewVolume)
		if err != nil {
			return nil, err
		}
		v.Attachment = &trellis.VolumeAttachment{Device: a.Device, DeleteOnTermination: !a.Keep}
		out = append(out, v)
	}
	return out, nil
}

// giveVolumes gives a new instance volumes that are as launchVolumes says.
func (p *Plane) giveVolumes(tx *store.Tx, c EC2Call, i *trellis.Instance, like []*trellis.Volume, tags map[string]string) error {
	s, err := store.Get[*trellis.Subnet](tx, i.Account+"/"+i.SubnetID)
	if err != nil {
		return err
	}
	for _, l := range like {
		v, at := *l, *l.Attachment
		if v.Meta, err = p.ec2Meta(tx, c, idVolume, maps.Clone(tags)); err != nil {
			return err
		}
		at.InstanceID, at.At = i.ID, i.CreatedAt
		v.Attachment, v.AvailabilityZone = &at, s.AvailabilityZone
		tx.Put(&v)
	}
	return nil
}

// volumesOf are the volumes of an instance, by device.
func volumesOf(tx *store.Tx, i *trellis.Instance) ([]*trellis.Volume, error) {
	all, err := volumesByInstance(tx, i.Account)
	return all[i.ID], err
}

// volumesByInstance are the volumes of each instance of an account, by device.
func volumesByInstance(tx *store.Tx, account string) (map[string][]*trellis.Volume, error) {
	all, err := store.List[*trellis.Volume](tx, account+"/")
	if err != nil {
		return nil, err
	}
	of := map[string][]*trellis.Volume{}
	for _, v := range all {
		if v.Attachment != nil {
			of[v.Attachment.InstanceID] = append(of[v.Attachment.InstanceID], v)
		}
	}
	for _, volumes := range of {
		slices.SortFunc(volumes, func(a, b *trellis.Volume) int { return strings.Compare(a.Attachment.Device, b.Attachment.Device) })
	}
	return of, nil
}

// deviceAttributes are the filters of DescribeInstances that ask for volumes.
func deviceAttributes(all []*trellis.Volume) attributes {
	a := attributes{"block-device-mapping.device-name": nil, "block-device-mapping.volume-id": nil, "block-device-mapping.delete-on-termination": nil, "block-device-mapping.status": nil}
	for _, v := range all {
		for name, value := range map[string]string{"device-name": v.Attachment.Device, "volume-id": v.ID, "delete-on-termination": strconv.FormatBool(v.Attachment.DeleteOnTermination), "status": "attached"} {
			a["block-device-mapping."+name] = append(a["block-device-mapping."+name], value)
		}
	}
	return a
}

// leaveVolumes ends the volumes of an instance that has ended, or leaves them to nobody, as each was told.
func (p *Plane) leaveVolumes(tx *store.Tx, i *trellis.Instance) error {
	all, err := volumesOf(tx, i)
	for _, v := range all {
		if v.Attachment.DeleteOnTermination {
			deleteVolume(tx, v)
			continue
		}
		v.Attachment, v.UpdatedAt = nil, p.now()
		tx.Put(v)
	}
	return err
}

// setDeletions says of the volumes of an instance, by device, whether they end with it.
func setDeletions(tx *store.Tx, i *trellis.Instance, byDevice map[string]bool) error {
	if len(byDevice) == 0 {
		return nil
	}
	all, err := volumesOf(tx, i)
	if err != nil {
		return err
	}
	for device, ends := range byDevice {
		at := slices.IndexFunc(all, func(v *trellis.Volume) bool { return v.Attachment.Device == device })
		if at < 0 {
			return ec2Error("InvalidInstanceAttributeValue", "No device is currently mapped at %s", device)
		}
		all[at].Attachment.DeleteOnTermination = ends
		tx.Put(all[at])
	}
	return nil
}

// Volumes is DescribeVolumes.
func (p *Plane) Volumes(ctx context.Context, c EC2Call, q Query) ([]*trellis.Volume, error) {
	return describe(ctx, p, c, "DescribeVolumes", idVolume, q, &trellis.Volume{}, func(_ *store.Tx, v *trellis.Volume) (attributes, map[string]string) {
		a := attributes{
			"volume-id": {v.ID}, "availability-zone": {v.AvailabilityZone}, "status": {v.State()}, "size": {strconv.Itoa(v.Size)}, "volume-type": {v.VolumeType}, "encrypted": flag(v.Encrypted),
			"multi-attach-enabled": flag(v.MultiAttach), "fast-restored": flag(false), "snapshot-id": nil, "create-time": {v.CreatedAt.Format("2006-01-02T15:04:05.000Z")},
			"attachment.instance-id": nil, "attachment.device": nil, "attachment.delete-on-termination": nil, "attachment.status": nil, "attachment.attach-time": nil,
		}
		if at := v.Attachment; at != nil {
			a["attachment.instance-id"], a["attachment.device"], a["attachment.status"] = []string{at.InstanceID}, []string{at.Device}, []string{"attached"}
			a["attachment.delete-on-termination"], a["attachment.attach-time"] = flag(at.DeleteOnTermination), []string{at.At.Format("2006-01-02T15:04:05.000Z")}
		}
		return a, v.Tags
	})
}

// VolumeModifications is DescribeVolumesModifications: of volumes that have been modified.
func (p *Plane) VolumeModifications(ctx context.Context, c EC2Call, q Query) ([]*trellis.Volume, error) {
	all, err := describe(ctx, p, c, "DescribeVolumesModifications", idVolume, q, &trellis.Volume{Modified: &trellis.VolumeModification{}}, func(_ *store.Tx, v *trellis.Volume) (attributes, map[string]string) {
		a := attributes{"volume-id": {v.ID}, "modification-state": nil, "original-iops": nil, "original-size": nil, "original-volume-type": nil, "target-iops": nil, "target-size": nil, "target-volume-type": nil,
			"originalMultiAttachEnabled": flag(v.MultiAttach), "targetMultiAttachEnabled": flag(v.MultiAttach), "start-time": nil}
		if m := v.Modified; m != nil {
			a["modification-state"], a["start-time"] = []string{"completed"}, []string{m.At.Format("2006-01-02T15:04:05.000Z")}
			a["original-iops"], a["original-size"], a["original-volume-type"] = []string{strconv.Itoa(m.From.IOPS)}, []string{strconv.Itoa(m.From.Size)}, []string{m.From.VolumeType}
			a["target-iops"], a["target-size"], a["target-volume-type"] = []string{strconv.Itoa(m.To.IOPS)}, []string{strconv.Itoa(m.To.Size)}, []string{m.To.VolumeType}
		}
		return a, v.Tags
	})
	for _, v := range all {
		if v.Modified == nil && len(q.IDs) > 0 {
			return nil, ec2Error("InvalidVolumeModification.NotFound", "Modification for volume '%s' does not exist.", v.ID)
		}
	}
	return slices.DeleteFunc(all, func(v *trellis.Volume) bool { return v.Modified == nil }), err
}
