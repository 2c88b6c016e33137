package controlplane

import (
	"context"
	"errors"
	"maps"
	"strconv"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/store"
)

// DescribedInstance is an instance with what the answer shows of the nouns around it.
type DescribedInstance struct {
	*trellis.Instance
	AvailabilityZone string
	Groups           []*trellis.SecurityGroup // of the first interface, in the order of SecurityGroupIDs
	Interfaces       []DescribedInterface     // by device index; none of a terminated instance
	Volumes          []*trellis.Volume        // by device
}

// Instances lists instances for DescribeInstances, DescribeInstanceStatus and
// DescribeNetworkInterfaces, whichever action says. Terminated ones are among them until they are swept.
func (p *Plane) Instances(ctx context.Context, c EC2Call, action string, q Query) ([]DescribedInstance, error) {
	if err := c.allow(action, nil, "*"); err != nil {
		return nil, err
	}
	var out []DescribedInstance
	err := p.read(ctx, func(tx *store.Tx) (err error) {
		out, err = p.instances(tx, c.account(), q, p.instanceAttributes)
		return err
	})
	return out, err
}

// Instance is one instance of the caller's account, for DescribeInstanceAttribute.
func (p *Plane) Instance(ctx context.Context, c EC2Call, id string) (out DescribedInstance, err error) {
	err = p.read(ctx, func(tx *store.Tx) error {
		if err := p.allow(tx, c, "DescribeInstanceAttribute", nil, p.ec2ARN(c, "instance/"+id)); err != nil {
			return err
		}
		all, err := p.instances(tx, c.account(), Query{IDs: []string{id}}, p.instanceAttributes)
		if err == nil {
			out = all[0]
		}
		return err
	})
	return out, err
}

// instances lists the instances of an account that match, with what is around them.
func (p *Plane) instances(tx *store.Tx, account string, q Query, attrs func(DescribedInstance) (attributes, map[string]string)) ([]DescribedInstance, error) {
	known, _ := attrs(DescribedInstance{Instance: &trellis.Instance{}})
	if err := q.check(known); err != nil {
		return nil, err
	}
	if err := instancesExist(tx, account, q.IDs); err != nil {
		return nil, err
	}
	nouns, err := queried[*trellis.Instance](tx, idInstance, account, q.IDs)
	if err != nil {
		return nil, err
	}
	x, err := p.around(tx, account)
	if err != nil {
		return nil, err
	}
	volumes, err := volumesByInstance(tx, account)
	if err != nil {
		return nil, err
	}
	var out []DescribedInstance
	for _, n := range nouns {
		d := DescribedInstance{Instance: n, Interfaces: x.of(n), Volumes: volumes[n.ID]}
		first := x.describe(n.FirstInterface())
		d.AvailabilityZone, d.Groups = first.AvailabilityZone, first.Groups
		a, tags := attrs(d)
		ok, err := q.matches(a, tags)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, d)
		}
	}
	return out, nil
}

// instancesExist answers one error that names every id that does not exist, as EC2 does for instances.
func instancesExist(tx *store.Tx, account string, ids []string) error {
	var missing []string
	for _, id := range ids {
		if err := idInstance.check(id); err != nil {
			return err
		}
		_, err := store.Get[*trellis.Instance](tx, account+"/"+id)
		if errors.Is(err, trellis.ErrNotExist) {
			missing = append(missing, id)
		} else if err != nil {
			return err
		}
	}
	switch len(missing) {
	case 0:
		return nil
	case 1:
		return idInstance.notFound(missing[0])
	}
	return ec2Error("InvalidInstanceID.NotFound", "The instance IDs %s do not exist", idList(missing))
}

// instanceStateCodes are the numbers of the states (EC2 API reference, InstanceState).
var instanceStateCodes = map[string]int{trellis.InstancePending: 0, trellis.InstanceRunning: 16, trellis.InstanceShuttingDown: 32, trellis.InstanceTerminated: 48, trellis.InstanceStopping: 64, trellis.InstanceStopped: 80}

// InstanceStateCode is the number of a state.
func InstanceStateCode(state string) int { return instanceStateCodes[state] }

// instanceAttributes are the filters of DescribeInstances and DescribeInstanceStatus.
func (p *Plane) instanceAttributes(d DescribedInstance) (attributes, map[string]string) {
	code := strconv.Itoa(InstanceStateCode(d.State))
	a := attributes{
		"instance-id": {d.ID}, "owner-id": {d.Account}, "vpc-id": one(d.VPCID), "subnet-id": one(d.SubnetID), "image-id": {d.ImageID},
		"instance-type": {d.InstanceType}, "availability-zone": {d.AvailabilityZone}, "reservation-id": {d.ReservationID},
		"instance-state-name": {d.State}, "instance-state-code": {code}, "architecture": {"x86_64"}, "launch-index": {strconv.Itoa(d.LaunchIndex)},
		"private-dns-name": {p.Hostname(d.Instance)}, "launch-time": {d.CreatedAt.Format(time.RFC3339)},
		"iam-instance-profile.arn": nil, "iam-instance-profile.id": nil, "iam-instance-profile.name": nil,
		"root-device-type": {"ebs"}, "tenancy": {"default"}, "hypervisor": {"xen"}, "virtualization-type": {"hvm"}, "platform-details": {"Linux/UNIX"},
		"private-ip-address": nil, "ipv6-address": nil, "instance.group-id": d.SecurityGroupIDs, "instance.group-name": d.groupNames(),
		"source-dest-check":  nil,
		"instance-lifecycle": nil, "key-name": one(d.KeyName), "ip-address": nil, "dns-name": nil, "client-token": nil, "spot-instance-request-id": nil, "kernel-id": nil, "platform": nil,
	}
	maps.Copy(a, metadataAttributes(d.Instance))
	maps.Copy(a, settingAttributes(d.Instance))
	maps.Copy(a, deviceAttributes(d.Volumes))
	if d.PrivateIP.IsValid() && d.State != trellis.InstanceTerminated {
		a["private-ip-address"] = []string{d.PrivateIP.String()}
	}
	for name := range p.interfaceAttributes(DescribedInterface{ElasticNetworkInterface: &trellis.ElasticNetworkInterface{}}) {
		a["network-interface."+name] = nil
	}
	for at, n := range d.Interfaces {
		for name, values := range p.interfaceAttributes(n) {
			a["network-interface."+name] = append(a["network-interface."+name], values...)
		}
		if at == 0 {
			a["source-dest-check"] = flag(!n.NoSourceDestCheck)
		}
	}
	if profile := ProfileOf(d.Instance); profile != nil {
		a["iam-instance-profile.arn"], a["iam-instance-profile.name"] = []string{profile.ProfileARN}, []string{trellis.LastPart(profile.ProfileARN)}
		a["iam-instance-profile.id"] = one(profile.ProfileID)
	}
	if d.IPv6.IsValid() {
		a["ipv6-address"] = []string{d.IPv6.String()}
	}
	return a, d.Tags
}

// groupNames are the names of the instance's security groups.
func (d DescribedInstance) groupNames() []string {
	var out []string
	for _, g := range d.Groups {
		out = append(out, g.Name)
	}
	return out
}

// DescribeLaunched describes the instances that RunInstances has just made, for its answer: whoever may make
// them may see them there.
func (p *Plane) DescribeLaunched(ctx context.Context, account string, ids []string) (out []DescribedInstance, err error) {
	err = p.read(ctx, func(tx *store.Tx) error {
		out, err = p.instances(tx, account, Query{IDs: ids}, p.instanceAttributes)
		return err
	})
	return out, err
}
