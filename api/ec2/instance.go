package ec2

import (
	"cmp"
	"context"
	"slices"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/controlplane"
)

// runInstances is RunInstances. What has no meaning for a namespace (keys, disks, user data) is taken and dropped.
func (h *handler) runInstances(ctx context.Context, c *api.Call, in *RunInstancesInput) (*RunInstancesOutput, error) {
	t, err := tagSpecs(in.TagSpecifications, "instance", "volume", "network-interface", "spot-instances-request", "elastic-gpu")
	if err != nil {
		return nil, err
	}
	n := controlplane.NewInstances{ImageID: api.Value(in.ImageId), InstanceType: api.Value(in.InstanceType), SubnetID: api.Value(in.SubnetId), SecurityGroupIDs: in.SecurityGroupIds,
		SecurityGroupNames: in.SecurityGroups, PrivateIP: api.Value(in.PrivateIpAddress), MinCount: int(in.MinCount), MaxCount: int(in.MaxCount), ClientToken: api.Value(in.ClientToken),
		IPv6Count: int(api.Value(in.Ipv6AddressCount)), Tags: t, DisableAPITermination: api.Value(in.DisableApiTermination)}
	profile := profileNamed(in.IamInstanceProfile)
	n.ProfileARN, n.ProfileName = profile.ARN, profile.Name
	if len(in.Ipv6Addresses) > 0 {
		n.IPv6 = api.Value(in.Ipv6Addresses[0].Ipv6Address)
	}
	if err := oneInterface(&n, in.NetworkInterfaces); err != nil {
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
			r.Instances[i].State = instanceState(trellis.InstancePending) // the answer shows what was asked for, not what came of it since
		}
	}
	return &RunInstancesOutput{Groups: r.Groups, Instances: r.Instances, OwnerId: r.OwnerId, ReservationId: r.ReservationId}, nil
}

// oneInterface takes subnet, groups and addresses from the only network interface specification, if there is one.
func oneInterface(n *controlplane.NewInstances, in []InstanceNetworkInterfaceSpecification) error {
	if len(in) == 0 {
		return nil
	}
	if len(in) > 1 {
		return trellis.NewError(400, "AttachmentLimitExceeded", "Interface count %d exceeds the limit for the instance type: 1", len(in))
	}
	s := in[0]
	if s.NetworkInterfaceId != nil {
		return trellis.NewError(400, "InvalidNetworkInterfaceID.NotFound", "The networkInterface ID '%s' does not exist", *s.NetworkInterfaceId)
	}
	if n.SubnetID != "" || len(n.SecurityGroupIDs) > 0 {
		return trellis.NewError(400, "InvalidParameterCombination", "Network interfaces and an instance-level subnet ID or security groups may not be specified on the same request")
	}
	n.SubnetID, n.SecurityGroupIDs = api.Value(s.SubnetId), s.Groups
	if s.PrivateIpAddress != nil {
		n.PrivateIP = *s.PrivateIpAddress
	}
	for _, a := range s.PrivateIpAddresses {
		if api.Value(a.Primary) {
			n.PrivateIP = api.Value(a.PrivateIpAddress)
		}
	}
	if len(s.Ipv6Addresses) > 0 {
		n.IPv6 = api.Value(s.Ipv6Addresses[0].Ipv6Address)
	}
	n.IPv6Count = max(n.IPv6Count, int(api.Value(s.Ipv6AddressCount)))
	return nil
}

// instanceState is a state as the wire has it.
func instanceState(name string) *InstanceState {
	return &InstanceState{Code: new(int32(controlplane.InstanceStateCode(name))), Name: &name}
}

// groups are the security groups of an instance as the wire has them.
func groups(d controlplane.DescribedInstance) []GroupIdentifier {
	return api.Each(d.Groups, func(g *trellis.SecurityGroup) GroupIdentifier {
		return GroupIdentifier{GroupId: &g.ID, GroupName: &g.Name}
	})
}

// instance is an instance as the wire has it. A terminated one has no network left.
func (h *handler) instance(d controlplane.DescribedInstance) Instance {
	out := Instance{
		AmiLaunchIndex: new(int32(d.LaunchIndex)), Architecture: api.Some("x86_64"), BootMode: api.Some("uefi"), CurrentInstanceBootMode: api.Some("uefi"), EbsOptimized: new(bool),
		EnaSupport: new(true), Hypervisor: api.Some("xen"), ImageId: &d.ImageID, InstanceId: &d.ID, InstanceType: &d.InstanceType, LaunchTime: &d.CreatedAt,
		Monitoring: &Monitoring{State: api.Some("disabled")}, Placement: &Placement{AvailabilityZone: &d.AvailabilityZone, GroupName: new(string), Tenancy: api.Some("default")},
		PlatformDetails: api.Some("Linux/UNIX"), RootDeviceName: api.Some("/dev/xvda"), RootDeviceType: api.Some("ebs"), State: instanceState(d.State), Tags: tags(d.Tags),
		UsageOperation: api.Some("RunInstances"), VirtualizationType: api.Some("hvm"), StateTransitionReason: new(string), PublicDnsName: new(string), PrivateDnsName: new(string),
		CpuOptions:      &CpuOptions{CoreCount: new(int32(1)), ThreadsPerCore: new(int32(2))},
		EnclaveOptions:  &EnclaveOptions{Enabled: new(bool)},
		MetadataOptions: &InstanceMetadataOptionsResponse{State: api.Some("applied"), HttpEndpoint: api.Some("enabled"), HttpTokens: api.Some("required"), HttpPutResponseHopLimit: new(int32(2)), HttpProtocolIpv6: api.Some("enabled"), InstanceMetadataTags: api.Some("disabled")},
	}
	switch d.State {
	case trellis.InstanceShuttingDown, trellis.InstanceTerminated:
		out.StateReason = &StateReason{Code: api.Some("Client.UserInitiatedShutdown"), Message: api.Some("Client.UserInitiatedShutdown: User initiated shutdown")}
		out.StateTransitionReason = api.Some("User initiated (" + d.StateChangedAt.Format("2006-01-02 15:04:05 MST") + ")")
	}
	if d.State == trellis.InstanceTerminated {
		return out
	}
	out.PrivateDnsName, out.PrivateIpAddress = api.Some(h.plane.PrivateDNSName(d.Instance)), api.Some(d.PrivateIP.String())
	out.SecurityGroups, out.SourceDestCheck, out.SubnetId, out.VpcId = groups(d), new(true), &d.SubnetID, &d.VPCID
	if a := controlplane.ProfileOf(d.Instance); a != nil {
		out.IamInstanceProfile = wireProfile(a)
	}
	nic := InstanceNetworkInterface{
		Attachment:  &InstanceNetworkInterfaceAttachment{AttachTime: &d.CreatedAt, AttachmentId: api.Some(attachmentID(d)), DeleteOnTermination: new(true), DeviceIndex: new(int32(0)), NetworkCardIndex: new(int32(0)), Status: api.Some("attached")},
		Description: new(string), Groups: groups(d), InterfaceType: api.Some("interface"), MacAddress: &d.MAC, NetworkInterfaceId: &d.InterfaceID, OwnerId: &d.Account,
		PrivateDnsName: out.PrivateDnsName, PrivateIpAddress: out.PrivateIpAddress, SourceDestCheck: new(true), Status: api.Some("in-use"), SubnetId: &d.SubnetID, VpcId: &d.VPCID,
		PrivateIpAddresses: []InstancePrivateIpAddress{{Primary: new(true), PrivateDnsName: out.PrivateDnsName, PrivateIpAddress: out.PrivateIpAddress}},
	}
	if d.IPv6.IsValid() {
		out.Ipv6Address = api.Some(d.IPv6.String())
		nic.Ipv6Addresses = []InstanceIpv6Address{{Ipv6Address: out.Ipv6Address}}
	}
	out.NetworkInterfaces = []InstanceNetworkInterface{nic}
	return out
}

// attachmentID is the id of the interface's attachment, which follows from the interface's.
func attachmentID(d controlplane.DescribedInstance) string {
	return controlplane.DerivedID("eni-attach", d.InterfaceID)
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

// describeInstanceAttribute is DescribeInstanceAttribute.
func (h *handler) describeInstanceAttribute(ctx context.Context, c *api.Call, in *DescribeInstanceAttributeInput) (*DescribeInstanceAttributeOutput, error) {
	d, err := h.plane.Instance(ctx, caller(c, in.DryRun), in.InstanceId)
	if err != nil {
		return nil, err
	}
	out := &DescribeInstanceAttributeOutput{InstanceId: &d.ID}
	no := &AttributeBooleanValue{Value: new(bool)}
	switch in.Attribute {
	case "instanceType":
		out.InstanceType = &AttributeValue{Value: &d.InstanceType}
	case "disableApiTermination":
		out.DisableApiTermination = &AttributeBooleanValue{Value: &d.DisableAPITermination}
	case "disableApiStop":
		out.DisableApiStop = no
	case "instanceInitiatedShutdownBehavior":
		out.InstanceInitiatedShutdownBehavior = &AttributeValue{Value: api.Some("stop")}
	case "rootDeviceName":
		out.RootDeviceName = &AttributeValue{Value: api.Some("/dev/xvda")}
	case "sourceDestCheck":
		out.SourceDestCheck = &AttributeBooleanValue{Value: new(true)}
	case "groupSet":
		out.Groups = groups(d)
	case "ebsOptimized":
		out.EbsOptimized = no
	case "enaSupport":
		out.EnaSupport = &AttributeBooleanValue{Value: new(true)}
	case "enclaveOptions":
		out.EnclaveOptions = &EnclaveOptions{Enabled: new(bool)}
	case "userData":
		out.UserData = &AttributeValue{}
	}
	return out, nil
}

// modifyInstanceAttribute is ModifyInstanceAttribute, of the security groups and the termination protection.
// Another attribute is refused, so that nobody believes that it has changed.
func (h *handler) modifyInstanceAttribute(ctx context.Context, c *api.Call, in *ModifyInstanceAttributeInput) (*ModifyInstanceAttributeOutput, error) {
	var protect *bool
	switch {
	case in.DisableApiTermination != nil:
		protect = in.DisableApiTermination.Value
	case api.Value(in.Attribute) == "disableApiTermination":
		on := api.Value(in.Value) == "true"
		protect = &on
	case in.DisableApiStop != nil && !api.Value(in.DisableApiStop.Value), in.SourceDestCheck != nil && api.Value(in.SourceDestCheck.Value):
		// these are so already
	case len(in.Groups) == 0:
		return nil, trellis.NewError(400, "InvalidParameterCombination", "Only the attributes groupSet and disableApiTermination can be modified")
	}
	rev, err := h.plane.ModifyInstance(ctx, caller(c, in.DryRun), in.InstanceId, in.Groups, protect)
	return api.Done(c, &ModifyInstanceAttributeOutput{}, rev, err)
}
