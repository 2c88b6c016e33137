package trellis

import "time"

// Volume is a disk that an instance is said to have. It holds nothing: an instance on a node has no disk of its own.
type Volume struct {
	Meta
	AvailabilityZone string `json:"availabilityZone"`
	VolumeShape
	Encrypted   bool                `json:"encrypted,omitempty"`
	KMSKey      string              `json:"kmsKey,omitempty"`      // ARN, of an encrypted one that names it
	MultiAttach bool                `json:"multiAttach,omitempty"` // only shown
	Attachment  *VolumeAttachment   `json:"attachment,omitempty"`  // nil while no instance has it
	Modified    *VolumeModification `json:"modified,omitempty"`    // the last one
}

// VolumeShape is what ModifyVolume changes of a volume.
type VolumeShape struct {
	Size       int    `json:"size"` // GiB
	VolumeType string `json:"volumeType"`
	IOPS       int    `json:"iops,omitempty"`       // 0 for types without
	Throughput int    `json:"throughput,omitempty"` // MiB a second, 0 for types without
}

// VolumeAttachment joins a volume and an instance.
type VolumeAttachment struct {
	InstanceID          string    `json:"instanceId"`
	Device              string    `json:"device"`
	DeleteOnTermination bool      `json:"deleteOnTermination,omitempty"`
	At                  time.Time `json:"at"`
}

// VolumeModification is a change of a volume's shape, which is done at once.
type VolumeModification struct {
	From VolumeShape `json:"from"`
	To   VolumeShape `json:"to"`
	At   time.Time   `json:"at"`
}

// RootDevice is the device of an instance's first volume.
const RootDevice = "/dev/xvda"

// Kind is KindVolume.
func (*Volume) Kind() Kind { return KindVolume }

// ARN is arn:aws:ec2:region:account:volume/vol-….
func (v *Volume) ARN(region string) string { return EC2ARN(region, v.Account, "volume/"+v.ID) }

// State is in-use or available (EC2 API reference, VolumeState).
func (v *Volume) State() string {
	if v.Attachment != nil {
		return "in-use"
	}
	return "available"
}
