package ec2_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/trellis-project/trellis/api/ec2"
)

// disks are the volumes of an instance in short, by device, as DescribeVolumes has them.
func (l *lab) disks(t *testing.T, id string) (all []string, ids map[string]string) {
	t.Helper()
	ids = map[string]string{}
	for _, v := range call[ec2.DescribeVolumesOutput](t, l.Client, "DescribeVolumes", &ec2.DescribeVolumesInput{Filters: filter("attachment.instance-id", id)}).Volumes {
		a := v.Attachments[0]
		value := func(n *int32) int32 {
			if n == nil {
				return 0
			}
			return *n
		}
		all = append(all, fmt.Sprint(*a.Device, " ", *v.Size, " ", *v.VolumeType, " ", value(v.Iops), " ", value(v.Throughput), " ", *v.Encrypted, " ", *a.DeleteOnTermination, " ", len(v.Tags), " ", *v.State))
		ids[*a.Device] = *v.VolumeId
	}
	slices.Sort(all)
	return all, ids
}

// TestVolumesOfInstances launches instances with volumes, changes them, and ends them.
func TestVolumesOfInstances(t *testing.T) {
	l := newLab(t)
	subnet := l.labSubnet(t)
	want := func(id string, all ...string) map[string]string {
		t.Helper()
		got, ids := l.disks(t, id)
		if !slices.Equal(got, all) {
			t.Errorf("got %q, want %q", got, all)
		}
		return ids
	}
	plain := l.launch(t, ec2.RunInstancesInput{SubnetId: subnet})
	want(*plain.InstanceId, "/dev/xvda 8 gp3 3000 125 false true 0 in-use")
	disk := func(device string, e ec2.EbsBlockDevice) ec2.BlockDeviceMapping {
		return ec2.BlockDeviceMapping{DeviceName: &device, Ebs: &e}
	}
	said := l.launch(t, ec2.RunInstancesInput{SubnetId: subnet, TagSpecifications: []ec2.TagSpecification{{ResourceType: ptr("volume"), Tags: []ec2.Tag{{Key: ptr("of"), Value: ptr("till")}}}},
		BlockDeviceMappings: []ec2.BlockDeviceMapping{disk("/dev/xvda", ec2.EbsBlockDevice{VolumeSize: ptr[int32](20), Encrypted: ptr(true), DeleteOnTermination: ptr(false)}),
			disk("/dev/sdf", ec2.EbsBlockDevice{VolumeSize: ptr[int32](100)}), disk("/dev/sdg", ec2.EbsBlockDevice{VolumeSize: ptr[int32](10), VolumeType: ptr("io2"), Iops: ptr[int32](200)}),
			{DeviceName: ptr("/dev/sdh"), VirtualName: ptr("ephemeral0")}}})
	id := *said.InstanceId
	ids := want(id, "/dev/sdf 100 gp2 300 0 false true 1 in-use", "/dev/sdg 10 io2 200 0 false true 1 in-use", "/dev/xvda 20 gp3 3000 125 true false 1 in-use")
	if m := l.describe(t, id).BlockDeviceMappings; len(m) != 3 || *m[2].DeviceName != "/dev/xvda" || *m[2].Ebs.VolumeId != ids["/dev/xvda"] || *m[2].Ebs.DeleteOnTermination {
		t.Errorf("devices: %+v", m)
	}
	if found := call[ec2.DescribeInstancesOutput](t, l.Client, "DescribeInstances", &ec2.DescribeInstancesInput{Filters: filter("block-device-mapping.volume-id", ids["/dev/sdf"])}).Reservations; len(found) != 1 {
		t.Errorf("by volume: %d found", len(found))
	}
	ends := func(device string, with bool) *ec2.ModifyInstanceAttributeInput {
		return &ec2.ModifyInstanceAttributeInput{InstanceId: id, BlockDeviceMappings: []ec2.InstanceBlockDeviceMappingSpecification{{DeviceName: &device, Ebs: &ec2.EbsInstanceBlockDeviceSpecification{DeleteOnTermination: &with}}}}
	}
	call[ec2.ModifyInstanceAttributeOutput](t, l.Client, "ModifyInstanceAttribute", ends("/dev/sdf", false))
	refused(t, l.Client, "ModifyInstanceAttribute", ends("/dev/sdz", false), "InvalidInstanceAttributeValue")
	refused(t, l.Client, "DeleteVolume", &ec2.DeleteVolumeInput{VolumeId: ids["/dev/sdf"]}, "VolumeInUse")
	refused(t, l.Client, "DetachVolume", &ec2.DetachVolumeInput{VolumeId: ids["/dev/xvda"]}, "OperationNotPermitted")
	call[ec2.TerminateInstancesOutput](t, l.Client, "TerminateInstances", &ec2.TerminateInstancesInput{InstanceIds: []string{id, *plain.InstanceId}})
	await(t, l.Client, []string{id}, "terminated")
	await(t, l.Client, []string{*plain.InstanceId}, "terminated")
	left := call[ec2.DescribeVolumesOutput](t, l.Client, "DescribeVolumes", &ec2.DescribeVolumesInput{}).Volumes
	if len(left) != 2 || *left[0].State != "available" || *left[1].State != "available" || len(l.describe(t, id).BlockDeviceMappings) != 0 {
		t.Errorf("left: %+v", left)
	}

	run := &ec2.RunInstancesInput{ImageId: ptr("ami-12345678"), MinCount: 1, MaxCount: 1, SubnetId: subnet}
	for _, x := range []struct {
		code  string
		disks []ec2.BlockDeviceMapping
	}{
		{"InvalidBlockDeviceMapping", []ec2.BlockDeviceMapping{disk("/dev/xvda", ec2.EbsBlockDevice{VolumeSize: ptr[int32](7)})}},
		{"InvalidBlockDeviceMapping", []ec2.BlockDeviceMapping{disk("/dev/sdf", ec2.EbsBlockDevice{VolumeSize: ptr[int32](7)}), disk("/dev/sdf", ec2.EbsBlockDevice{VolumeSize: ptr[int32](7)})}},
		{"InvalidSnapshot.NotFound", []ec2.BlockDeviceMapping{disk("/dev/sdf", ec2.EbsBlockDevice{SnapshotId: ptr("snap-0123456789abcdef0")})}},
		{"MissingParameter", []ec2.BlockDeviceMapping{disk("/dev/sdf", ec2.EbsBlockDevice{})}},
		{"Unsupported", []ec2.BlockDeviceMapping{{DeviceName: ptr("/dev/xvda"), NoDevice: ptr("")}}},
	} {
		run.BlockDeviceMappings = x.disks
		refused(t, l.Client, "RunInstances", run, x.code)
	}
	run.BlockDeviceMappings = nil
	l.become(t, `{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"ec2:RunInstances","Resource":"arn:aws:ec2:*:*:volume/*","Condition":{"Bool":{"ec2:Encrypted":"false"}}}`)
	refused(t, l.Client, "RunInstances", run, "UnauthorizedOperation")
	run.BlockDeviceMappings = []ec2.BlockDeviceMapping{disk("/dev/xvda", ec2.EbsBlockDevice{Encrypted: ptr(true)})}
	call[ec2.RunInstancesOutput](t, l.Client, "RunInstances", run)
}

// TestVolumes makes volumes, attaches, modifies and deletes them.
func TestVolumes(t *testing.T) {
	l := newLab(t)
	subnet := l.labSubnet(t)
	id := *l.launch(t, ec2.RunInstancesInput{SubnetId: subnet}).InstanceId
	made := call[ec2.CreateVolumeOutput](t, l.Client, "CreateVolume", &ec2.CreateVolumeInput{AvailabilityZone: ptr("eu-west-1a"), Size: ptr[int32](10), ClientToken: ptr("once"), TagSpecifications: []ec2.TagSpecification{{ResourceType: ptr("volume"), Tags: []ec2.Tag{{Key: ptr("of"), Value: ptr("till")}}}}})
	volume := *made.VolumeId
	if *made.State != "creating" || *made.VolumeType != "gp2" || *made.Iops != 100 || len(made.Tags) != 1 || *made.AvailabilityZoneId != "euw1-az1" {
		t.Errorf("made: %+v", made)
	}
	if again := call[ec2.CreateVolumeOutput](t, l.Client, "CreateVolume", &ec2.CreateVolumeInput{AvailabilityZone: ptr("eu-west-1a"), Size: ptr[int32](10), ClientToken: ptr("once"), TagSpecifications: []ec2.TagSpecification{{ResourceType: ptr("volume"), Tags: []ec2.Tag{{Key: ptr("of"), Value: ptr("till")}}}}}); *again.VolumeId != volume {
		t.Errorf("the same token made %s and %s", volume, *again.VolumeId)
	}
	attach := func(in ec2.AttachVolumeInput) *ec2.AttachVolumeInput {
		if in.VolumeId == "" {
			in.VolumeId = volume
		}
		if in.InstanceId == "" {
			in.InstanceId = id
		}
		return &in
	}
	refused(t, l.Client, "AttachVolume", attach(ec2.AttachVolumeInput{Device: "/dev/xvda"}), "InvalidParameterValue")
	refused(t, l.Client, "AttachVolume", attach(ec2.AttachVolumeInput{Device: "/dev/sdf", InstanceId: "i-0123456789abcdef0"}), "InvalidInstanceID.NotFound")
	if a := call[ec2.AttachVolumeOutput](t, l.Client, "AttachVolume", attach(ec2.AttachVolumeInput{Device: "/dev/sdf"})); *a.State != "attaching" || *a.InstanceId != id {
		t.Errorf("attached: %+v", a)
	}
	refused(t, l.Client, "AttachVolume", attach(ec2.AttachVolumeInput{Device: "/dev/sdg"}), "VolumeInUse")
	far := *call[ec2.CreateVolumeOutput](t, l.Client, "CreateVolume", &ec2.CreateVolumeInput{AvailabilityZone: ptr("eu-west-1b"), Size: ptr[int32](125), VolumeType: ptr("st1")}).VolumeId
	refused(t, l.Client, "AttachVolume", attach(ec2.AttachVolumeInput{Device: "/dev/sdg", VolumeId: far}), "InvalidVolume.ZoneMismatch")

	refused(t, l.Client, "DescribeVolumesModifications", &ec2.DescribeVolumesModificationsInput{VolumeIds: []string{volume}}, "InvalidVolumeModification.NotFound")
	m := call[ec2.ModifyVolumeOutput](t, l.Client, "ModifyVolume", &ec2.ModifyVolumeInput{VolumeId: volume, Size: ptr[int32](20), VolumeType: ptr("gp3"), Iops: ptr[int32](4000)}).VolumeModification
	if *m.ModificationState != "modifying" || *m.OriginalSize != 10 || *m.TargetSize != 20 || *m.TargetIops != 4000 || *m.TargetThroughput != 125 || m.OriginalThroughput != nil {
		t.Errorf("modified: %+v", m)
	}
	if all := call[ec2.DescribeVolumesModificationsOutput](t, l.Client, "DescribeVolumesModifications", &ec2.DescribeVolumesModificationsInput{Filters: filter("modification-state", "completed")}).VolumesModifications; len(all) != 1 || *all[0].Progress != 100 {
		t.Errorf("modifications: %+v", all)
	}
	call[ec2.ModifyVolumeOutput](t, l.Client, "ModifyVolume", &ec2.ModifyVolumeInput{VolumeId: volume, Throughput: ptr[int32](250)})
	if got, _ := l.disks(t, id); !slices.Contains(got, "/dev/sdf 20 gp3 4000 250 false false 1 in-use") {
		t.Errorf("got %q", got)
	}
	refused(t, l.Client, "ModifyVolume", &ec2.ModifyVolumeInput{VolumeId: volume, Size: ptr[int32](19)}, "InvalidParameterValue")
	refused(t, l.Client, "ModifyVolume", &ec2.ModifyVolumeInput{VolumeId: volume, VolumeType: ptr("st1")}, "InvalidParameterValue")
	refused(t, l.Client, "DetachVolume", &ec2.DetachVolumeInput{VolumeId: volume, Device: ptr("/dev/sdg")}, "InvalidAttachment.NotFound")
	if a := call[ec2.DetachVolumeOutput](t, l.Client, "DetachVolume", &ec2.DetachVolumeInput{VolumeId: volume, InstanceId: &id}); *a.State != "detaching" || *a.Device != "/dev/sdf" {
		t.Errorf("detached: %+v", a)
	}
	refused(t, l.Client, "DetachVolume", &ec2.DetachVolumeInput{VolumeId: volume}, "IncorrectState")
	call[ec2.DeleteVolumeOutput](t, l.Client, "DeleteVolume", &ec2.DeleteVolumeInput{VolumeId: volume})
	refused(t, l.Client, "DescribeVolumes", &ec2.DescribeVolumesInput{VolumeIds: []string{volume}}, "InvalidVolume.NotFound")
	refused(t, l.Client, "DeleteVolume", &ec2.DeleteVolumeInput{VolumeId: "vol-xyz"}, "InvalidVolumeID.Malformed")

	size := func(n int32) *int32 { return &n }
	for _, x := range []struct {
		code string
		in   ec2.CreateVolumeInput
	}{
		{"MissingParameter", ec2.CreateVolumeInput{Size: size(1), AvailabilityZone: ptr("")}},
		{"InvalidZone.NotFound", ec2.CreateVolumeInput{Size: size(1), AvailabilityZone: ptr("eu-west-1z")}},
		{"InvalidParameterValue", ec2.CreateVolumeInput{}},
		{"InvalidParameterValue", ec2.CreateVolumeInput{Size: size(-1)}},
		{"InvalidParameterValue", ec2.CreateVolumeInput{Size: size(16385)}},
		{"InvalidParameterValue", ec2.CreateVolumeInput{Size: size(8), VolumeType: ptr("gp3"), Throughput: size(100)}},
		{"InvalidParameterCombination", ec2.CreateVolumeInput{Size: size(8), Iops: size(100)}},
		{"InvalidParameterCombination", ec2.CreateVolumeInput{Size: size(8), VolumeType: ptr("io1"), Iops: size(100), Throughput: size(125)}},
		{"InvalidParameterCombination", ec2.CreateVolumeInput{Size: size(8), MultiAttachEnabled: ptr(true)}},
		{"MissingParameter", ec2.CreateVolumeInput{Size: size(8), VolumeType: ptr("io1")}},
		{"InvalidParameterDependency", ec2.CreateVolumeInput{Size: size(8), KmsKeyId: ptr("alias/till")}},
		{"InvalidParameterValue", ec2.CreateVolumeInput{Size: size(8), Encrypted: ptr(true), KmsKeyId: ptr("alias/till")}},
		{"InvalidSnapshot.NotFound", ec2.CreateVolumeInput{SnapshotId: ptr("snap-0123456789abcdef0")}},
	} {
		if x.in.AvailabilityZone == nil {
			x.in.AvailabilityZone = ptr("eu-west-1a")
		}
		refused(t, l.Client, "CreateVolume", &x.in, x.code)
	}
}
