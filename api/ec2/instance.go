package ec2

import (
	"cmp"
	"context"
	"slices"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/controlplane"
)

// runInstances is RunInstances.
func (h *handler) runInstances(ctx context.Context, c *api.Call, in *RunInstancesInput) (*RunInstancesOutput, error) {
	t, err := tagSpecs(in.TagSpecifications, "instance", "volume", "network-interface", "spot-instances-request", "elastic-gpu")
	if err != nil {
		return nil, err
	}
	n := controlplane.NewInstances{ImageID: api.Value(in.ImageId), InstanceType: api.Value(in.InstanceType), SubnetID: api.Value(in.SubnetId), SecurityGroupIDs: in.SecurityGroupIds,
		SecurityGroupNames: in.SecurityGroups, PrivateIP: api.Value(in.PrivateIpAddress), MinCount: int(in.MinCount), MaxCount: int(in.MaxCount), ClientToken: api.Value(in.ClientToken),
		IPv6Count: int(api.Value(in.Ipv6AddressCount)), Tags: t}
	if err := h.readSettings(&n, in); err != nil {
		return nil, err
	}
	if n.Volumes, err = instanceVolumes(in.BlockDeviceMappings); err != nil {
		return nil, err
	}
	if n.VolumeTags, err = tagSpecs(in.TagSpecifications, "volume", "instance", "network-interface", "spot-instances-request", "elastic-gpu"); err != nil {
		return nil, err
	}
	profile := profileNamed(in.IamInstanceProfile)
	n.ProfileARN, n.ProfileName = profile.ARN, profile.Name
	if len(in.Ipv6Addresses) > 0 {
		n.IPv6 = api.Value(in.Ipv6Addresses[0].Ipv6Address)
	}
	ofInterfaces, err := tagSpecs(in.TagSpecifications, "network-interface", "instance", "volume", "spot-instances-request", "elastic-gpu")
	if err != nil {
		return nil, err
	}
	if n.Interfaces, err = instanceInterfaces(in, ofInterfaces); err != nil {
		return nil, err
	}
	instances, rev, err := h.plane.RunInstances(ctx, caller(c, in.DryRun), n)
	if err != nil {
		return nil, err
	}
	c.Committed(rev)
	ids := make([]string, len(instances))
	for i, n := range instances {
		ids[i] = n.ID
	}
	all, err := h.plane.DescribeLaunched(ctx, c.Account, ids)
	if err != nil {
		return nil, err
	}
	r := h.reservations(all)[0]
	for i := range r.Instances {
		if api.Value(r.Instances[i].State.Name) == trellis.InstanceRunning {
			r.Instances[i].State, r.Instances[i].MetadataOptions.State = instanceState(trellis.InstancePending), new("pending") // the answer shows what was asked for, not what came of it since
		}
	}
	return &RunInstancesOutput{Groups: r.Groups, Instances: r.Instances, OwnerId: r.OwnerId, ReservationId: r.ReservationId}, nil
}

// instanceInterfaces are the interfaces that a request gives its instances one by one; none when it only names a subnet.
func instanceInterfaces(in *RunInstancesInput, tags map[string]string) ([]controlplane.InstanceInterface, error) {
	var out []controlplane.InstanceInterface
	for at, s := range in.NetworkInterfaces {
		if err := interfaceOnly(s.InterfaceType, len(s.Ipv4Prefixes)+len(s.Ipv6Prefixes), s.Ipv4PrefixCount, s.Ipv6PrefixCount); err != nil {
			return nil, err
		}
		n := controlplane.InstanceInterface{ID: api.Value(s.NetworkInterfaceId), DeviceIndex: int(api.Or(s.DeviceIndex, int32(at))), DeleteOnTermination: s.DeleteOnTermination}
		first, others, err := privateAddresses(s.PrivateIpAddress, s.PrivateIpAddresses)
		if err != nil {
			return nil, err
		}
		n.NewNetworkInterface = controlplane.NewNetworkInterface{SubnetID: api.Value(s.SubnetId), Description: api.Value(s.Description), SecurityGroupIDs: s.Groups,
			PrivateIP: first, SecondaryIPs: others, SecondaryCount: int(api.Value(s.SecondaryPrivateIpAddressCount)),
			IPv6: ipv6Addresses(s.Ipv6Addresses), IPv6Count: int(api.Value(s.Ipv6AddressCount))}
		if n.ID == "" {
			n.Tags = tags
		}
		out = append(out, n)
	}
	if len(out) > 0 && (in.SubnetId != nil || in.PrivateIpAddress != nil || len(in.SecurityGroupIds)+len(in.SecurityGroups)+len(in.Ipv6Addresses) > 0) {
		return nil, trellis.NewError(400, "InvalidParameterCombination", "Network interfaces and an instance-level subnet ID, security groups or addresses may not be specified on the same request")
	}
	return out, nil
}

// instanceState is a state as the wire has it.
func instanceState(name string) *InstanceState {
	return &InstanceState{Code: new(int32(controlplane.InstanceStateCode(name))), Name: &name}
}

// instance is an instance as the wire has it. A terminated one has no network left.
func (h *handler) instance(d controlplane.DescribedInstance) Instance {
	out := Instance{
		AmiLaunchIndex: new(int32(d.LaunchIndex)), Architecture: api.Some("x86_64"), BootMode: api.Some("uefi"), CurrentInstanceBootMode: api.Some("uefi"),
		EnaSupport: new(true), Hypervisor: api.Some("xen"), ImageId: &d.ImageID, InstanceId: &d.ID, InstanceType: &d.InstanceType, LaunchTime: &d.CreatedAt,
		Placement:       &Placement{AvailabilityZone: &d.AvailabilityZone, GroupName: new(string), Tenancy: api.Some("default")},
		PlatformDetails: api.Some("Linux/UNIX"), RootDeviceName: new(trellis.RootDevice), RootDeviceType: api.Some("ebs"), State: instanceState(d.State), Tags: tags(d.Tags),
		UsageOperation: api.Some("RunInstances"), VirtualizationType: api.Some("hvm"), StateTransitionReason: new(string), PublicDnsName: new(string), PrivateDnsName: new(string),
	}
	showSettings(&out, d.Instance)
	out.BlockDeviceMappings = deviceMappings(d.Volumes)
	switch d.State {
	case trellis.InstanceShuttingDown, trellis.InstanceTerminated:
		out.StateReason = &StateReason{Code: api.Some("Client.UserInitiatedShutdown"), Message: api.Some("Client.UserInitiatedShutdown: User initiated shutdown")}
		out.StateTransitionReason = api.Some("User initiated (" + d.StateChangedAt.Format("2006-01-02 15:04:05 MST") + ")")
	}
	if d.State == trellis.InstanceTerminated {
		return out
	}
	out.PrivateDnsName, out.PrivateIpAddress = api.Some(h.plane.Hostname(d.Instance)), api.Some(d.PrivateIP.String())
	out.SecurityGroups, out.SubnetId, out.VpcId = groups(d.Groups), &d.SubnetID, &d.VPCID
	if a := controlplane.ProfileOf(d.Instance); a != nil {
		out.IamInstanceProfile = wireProfile(a)
	}
	if d.IPv6.IsValid() {
		out.Ipv6Address = api.Some(d.IPv6.String())
	}
	out.NetworkInterfaces = api.Each(d.Interfaces, h.instanceInterface)
	out.SourceDestCheck = out.NetworkInterfaces[0].SourceDestCheck
	return out
}

// instanceInterface is a network interface of an instance as the wire has it there.
func (h *handler) instanceInterface(d controlplane.DescribedInterface) InstanceNetworkInterface {
	n, a := h.networkInterface(d), attachment(d)
	out := InstanceNetworkInterface{
		Attachment: &InstanceNetworkInterfaceAttachment{AttachTime: a.AttachTime, AttachmentId: a.AttachmentId, DeleteOnTermination: a.DeleteOnTermination,
			DeviceIndex: a.DeviceIndex, NetworkCardIndex: a.NetworkCardIndex, Status: a.Status},
		Description: n.Description, Groups: n.Groups, InterfaceType: n.InterfaceType, MacAddress: n.MacAddress, NetworkInterfaceId: n.NetworkInterfaceId, OwnerId: n.OwnerId,
		PrivateDnsName: n.PrivateDnsName, PrivateIpAddress: n.PrivateIpAddress, SourceDestCheck: n.SourceDestCheck, Status: n.Status, SubnetId: n.SubnetId, VpcId: n.VpcId,
	}
	for _, p := range n.PrivateIpAddresses {
		out.PrivateIpAddresses = append(out.PrivateIpAddresses, InstancePrivateIpAddress{Primary: p.Primary, PrivateDnsName: p.PrivateDnsName, PrivateIpAddress: p.PrivateIpAddress})
	}
	for _, p := range n.Ipv6Addresses {
		out.Ipv6Addresses = append(out.Ipv6Addresses, InstanceIpv6Address{Ipv6Address: p.Ipv6Address})
	}
	return out
}

// profileID is the part of an instance profile's id behind AIPA, which follows from the ARN of one that only stands for a
// role.
func profileID(arn string) string {
	b := []byte(controlplane.DerivedID("", arn))
	for i, c := range b {
		b[i] = "ABCDEFGHIJKLMNOP"[min(c&0x0f+9*(c>>6), 15)]
	}
	return string(b)
}

// reservations groups instances as they were launched.
func (h *handler) reservations(all []controlplane.DescribedInstance) []Reservation {
	slices.SortStableFunc(all, func(a, b controlplane.DescribedInstance) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ReservationID, b.ReservationID), cmp.Compare(a.LaunchIndex, b.LaunchIndex))
	})
	var out []Reservation
	for _, d := range all {
		if n := len(out); n == 0 || *out[n-1].ReservationId != d.ReservationID {
			out = append(out, Reservation{OwnerId: &d.Account, ReservationId: &d.ReservationID})
		}
		r := &out[len(out)-1]
		r.Instances = append(r.Instances, h.instance(d))
	}
	return out
}

// instanceID is the id of a described instance.
func instanceID(d controlplane.DescribedInstance) string { return d.ID }

// describeInstances is DescribeInstances.
func (h *handler) describeInstances(ctx context.Context, c *api.Call, in *DescribeInstancesInput) (*DescribeInstancesOutput, error) {
	all, err := h.plane.Instances(ctx, caller(c, in.DryRun), "DescribeInstances", query(in.InstanceIds, in.Filters))
	if err != nil {
		return nil, err
	}
	all, next, err := page(c, all, instanceID, in.MaxResults, in.NextToken)
	return &DescribeInstancesOutput{NextToken: next, Reservations: h.reservations(all)}, err
}

// describeInstanceStatus is DescribeInstanceStatus: of running instances only, unless all are asked for.
func (h *handler) describeInstanceStatus(ctx context.Context, c *api.Call, in *DescribeInstanceStatusInput) (*DescribeInstanceStatusOutput, error) {
	all, err := h.plane.Instances(ctx, caller(c, in.DryRun), "DescribeInstanceStatus", query(in.InstanceIds, in.Filters))
	if err != nil {
		return nil, err
	}
	if !api.Value(in.IncludeAllInstances) {
		all = slices.DeleteFunc(all, func(d controlplane.DescribedInstance) bool { return d.State != trellis.InstanceRunning })
	}
	all, next, err := page(c, all, instanceID, in.MaxResults, in.NextToken)
	return &DescribeInstanceStatusOutput{NextToken: next, InstanceStatuses: api.Each(all, func(d controlplane.DescribedInstance) InstanceStatus {
		status := func() *InstanceStatusSummary {
			switch d.State {
			case trellis.InstanceRunning:
				return &InstanceStatusSummary{Status: api.Some("ok"), Details: []InstanceStatusDetails{{Name: api.Some("reachability"), Status: api.Some("passed")}}}
			case trellis.InstancePending:
				return &InstanceStatusSummary{Status: api.Some("initializing"), Details: []InstanceStatusDetails{{Name: api.Some("reachability"), Status: api.Some("initializing")}}}
			}
			return &InstanceStatusSummary{Status: api.Some("not-applicable")}
		}
		return InstanceStatus{AvailabilityZone: &d.AvailabilityZone, InstanceId: &d.ID, InstanceState: instanceState(d.State), InstanceStatus: status(), SystemStatus: status()}
	})}, err
}

// changes are state changes as the wire has them.
func changes(in []controlplane.StateChange) []InstanceStateChange {
	return api.Each(in, func(s controlplane.StateChange) InstanceStateChange {
		return InstanceStateChange{InstanceId: &s.ID, PreviousState: instanceState(s.Previous), CurrentState: instanceState(s.Current)}
	})
}

// startInstances is StartInstances.
func (h *handler) startInstances(ctx context.Context, c *api.Call, in *StartInstancesInput) (*StartInstancesOutput, error) {
	s, rev, err := h.plane.StartInstances(ctx, caller(c, in.DryRun), in.InstanceIds)
	return api.Done(c, &StartInstancesOutput{StartingInstances: changes(s)}, rev, err)
}

// stopInstances is StopInstances.
func (h *handler) stopInstances(ctx context.Context, c *api.Call, in *StopInstancesInput) (*StopInstancesOutput, error) {
	s, rev, err := h.plane.StopInstances(ctx, caller(c, in.DryRun), in.InstanceIds)
	return api.Done(c, &StopInstancesOutput{StoppingInstances: changes(s)}, rev, err)
}

// terminateInstances is TerminateInstances.
func (h *handler) terminateInstances(ctx context.Context, c *api.Call, in *TerminateInstancesInput) (*TerminateInstancesOutput, error) {
	s, rev, err := h.plane.TerminateInstances(ctx, caller(c, in.DryRun), in.InstanceIds)
	return api.Done(c, &TerminateInstancesOutput{TerminatingInstances: changes(s)}, rev, err)
}
