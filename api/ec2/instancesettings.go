package ec2

import (
	"context"
	"encoding/base64"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/controlplane"
)

// unsupported refuses what no instance here can have, in the words of EC2's error codes.
func unsupported(what string) error {
	return trellis.NewError(400, "Unsupported", "The requested configuration is currently not supported: %s.", what)
}

// readUserData decodes user data.
func readUserData(text *string) ([]byte, error) {
	data, err := base64.StdEncoding.DecodeString(api.Value(text))
	if err != nil {
		return nil, trellis.NewError(400, "InvalidUserData.Malformed", "Invalid BASE64 encoding of user data.")
	}
	return data, nil
}

// readSettings reads what RunInstances says of its instances, beside their network.
func (h *handler) readSettings(n *controlplane.NewInstances, in *RunInstancesInput) (err error) {
	if err := possible(in); err != nil {
		return err
	}
	if in.InstanceType != nil {
		if _, ok := readInstanceType(*in.InstanceType); !ok {
			return trellis.NewError(400, "InvalidParameterValue", "Invalid value '%s' for InstanceType.", *in.InstanceType)
		}
	}
	s := &n.InstanceSettings
	s.DisableAPITermination, s.DisableAPIStop, s.EBSOptimized = api.Value(in.DisableApiTermination), api.Value(in.DisableApiStop), api.Value(in.EbsOptimized)
	s.ShutdownTerminates, s.KeyName = api.Value(in.InstanceInitiatedShutdownBehavior) == "terminate", api.Value(in.KeyName)
	s.DetailedMonitoring = in.Monitoring != nil && in.Monitoring.Enabled
	s.MetadataOptions = metadataOptions(in.MetadataOptions)
	if o := in.MaintenanceOptions; o != nil {
		s.NoAutoRecovery = api.Value(o.AutoRecovery) == "disabled"
	}
	if o := in.PrivateDnsNameOptions; o != nil {
		s.NamedByID, s.NameHasIPv4, s.NameHasIPv6 = api.Value(o.HostnameType) == "resource-name", api.Value(o.EnableResourceNameDnsARecord), api.Value(o.EnableResourceNameDnsAAAARecord)
	}
	if in.Placement != nil {
		n.Zone = api.Value(in.Placement.AvailabilityZone)
	}
	if s.NoCapacityReservation, err = noReservation(in.CapacityReservationSpecification); err != nil {
		return err
	}
	if in.CreditSpecification != nil {
		unlimited, err := readCredits(in.CreditSpecification.CpuCredits)
		if err != nil {
			return err
		}
		n.UnlimitedCredits, n.StandardCredits = unlimited, !unlimited
	}
	n.UserData, err = readUserData(in.UserData)
	return err
}

// possible refuses what no instance here can be like.
func possible(in *RunInstancesInput) error {
	if t := in.LaunchTemplate; t != nil {
		if t.LaunchTemplateName != nil {
			return trellis.NewError(400, "InvalidLaunchTemplateName.NotFoundException", "The specified launch template, with template name %s, does not exist.", *t.LaunchTemplateName)
		}
		return trellis.NewError(400, "InvalidLaunchTemplateId.NotFound", "The specified launch template, with template ID %s, does not exist.", api.Value(t.LaunchTemplateId))
	}
	if p := in.Placement; p != nil {
		switch {
		case p.GroupName != nil && *p.GroupName != "" || p.GroupId != nil:
			return trellis.NewError(400, "InvalidPlacementGroup.Unknown", "The placement group '%s' is unknown.", api.Or(p.GroupName, api.Value(p.GroupId)))
		case api.Or(p.Tenancy, "default") != "default" || p.HostId != nil || p.HostResourceGroupArn != nil || p.Affinity != nil:
			return unsupported("a tenancy other than default")
		}
	}
	if o := in.CpuOptions; o != nil {
		t, _ := readInstanceType(api.Or(in.InstanceType, "t3.micro"))
		if api.Or(o.CoreCount, t.cores()) != t.cores() || api.Or(o.ThreadsPerCore, t.threads()) != t.threads() || api.Value(o.AmdSevSnp) == "enabled" || api.Value(o.NestedVirtualization) == "enabled" {
			return unsupported("CPU options other than the instance type's")
		}
	}
	for _, s := range in.NetworkInterfaces {
		if err := possibleInterface(&s); err != nil {
			return err
		}
	}
	for what, asked := range map[string]bool{
		"spot instances and capacity blocks":   in.InstanceMarketOptions != nil,
		"enclaves":                             in.EnclaveOptions != nil && api.Value(in.EnclaveOptions.Enabled),
		"hibernation":                          in.HibernationOptions != nil && api.Value(in.HibernationOptions.Configured),
		"accelerators":                         len(in.ElasticGpuSpecification)+len(in.ElasticInferenceAccelerators) > 0,
		"licenses":                             len(in.LicenseSpecifications) > 0,
		"kernels and RAM disks":                in.KernelId != nil || in.RamdiskId != nil,
		"primary IPv6 addresses":               api.Value(in.EnablePrimaryIpv6),
		"secondary interfaces":                 len(in.SecondaryInterfaces) > 0,
		"bandwidth weightings but the default": in.NetworkPerformanceOptions != nil && api.Or(in.NetworkPerformanceOptions.BandwidthWeighting, "default") != "default",
	} {
		if asked {
			return unsupported(what)
		}
	}
	return nil
}

// possibleInterface refuses what no network interface of an instance here can be like. Above all no address here is public: who asked for
// one would wait for it, and Terraform would make the instance anew each time.
func possibleInterface(s *InstanceNetworkInterfaceSpecification) error {
	switch {
	case api.Value(s.AssociatePublicIpAddress) || api.Value(s.AssociateCarrierIpAddress):
		return unsupported("public addresses of instances")
	case api.Value(s.NetworkCardIndex) != 0:
		return noNetworkCard(*s.NetworkCardIndex)
	case api.Value(s.PrimaryIpv6):
		return unsupported("primary IPv6 addresses")
	case s.ConnectionTrackingSpecification != nil || s.EnaSrdSpecification != nil || s.EnaQueueCount != nil:
		return unsupported("settings of connection tracking and of Elastic Network Adapters")
	}
	return nil
}

// noReservation reads whether an instance takes no reserved capacity. There is none that it could be told to take.
func noReservation(in *CapacityReservationSpecification) (bool, error) {
	switch {
	case in == nil:
		return false, nil
	case in.CapacityReservationTarget != nil:
		return false, trellis.NewError(400, "InvalidCapacityReservationId.NotFound", "The capacity reservation '%s' does not exist", api.Or(in.CapacityReservationTarget.CapacityReservationId, api.Value(in.CapacityReservationTarget.CapacityReservationResourceGroupArn)))
	case api.Value(in.CapacityReservationPreference) == "capacity-reservations-only":
		return false, trellis.NewError(400, "ReservationCapacityExceeded", "There is no reserved capacity for the instance.")
	}
	return api.Value(in.CapacityReservationPreference) == "none", nil
}

// readCredits reads whether credits are unlimited.
func readCredits(word string) (bool, error) {
	if word != "unlimited" && word != "standard" {
		return false, trellis.NewError(400, "InvalidParameterValue", "Value (%s) for parameter CpuCredits is invalid. It must be 'standard' or 'unlimited'.", word)
	}
	return word == "unlimited", nil
}

// creditsWord is the word for unlimited credits, or standard ones.
func creditsWord(unlimited bool) *string {
	if unlimited {
		return new("unlimited")
	}
	return new("standard")
}

// showSettings adds an instance's settings to it as the wire has it.
func showSettings(out *Instance, i *trellis.Instance) {
	t, _ := readInstanceType(i.InstanceType)
	out.CpuOptions, out.EnclaveOptions, out.HibernationOptions = &CpuOptions{CoreCount: new(t.cores()), ThreadsPerCore: new(t.threads())}, &EnclaveOptions{Enabled: new(bool)}, &HibernationOptions{Configured: new(bool)}
	out.EbsOptimized, out.KeyName, out.Monitoring = &i.EBSOptimized, api.Some(i.KeyName), &Monitoring{State: new(controlplane.Monitoring(i))}
	out.MaintenanceOptions = &InstanceMaintenanceOptions{AutoRecovery: new(controlplane.Default(i.NoAutoRecovery)), RebootMigration: new(controlplane.Default(i.NoRebootMigration))}
	out.MetadataOptions = wireMetadataOptions(i.Metadata(), controlplane.MetadataState(i))
	out.PrivateDnsNameOptions = &PrivateDnsNameOptionsResponse{HostnameType: new(controlplane.HostnameType(i)), EnableResourceNameDnsARecord: &i.NameHasIPv4, EnableResourceNameDnsAAAARecord: &i.NameHasIPv6}
	out.CapacityReservationSpecification = &CapacityReservationSpecificationResponse{CapacityReservationPreference: new("open")}
	if i.NoCapacityReservation {
		out.CapacityReservationSpecification.CapacityReservationPreference = new("none")
	}
}

// monitored is the answer about the monitoring of instances, in a state that passes.
func monitored(ids []string, state string) []InstanceMonitoring {
	return api.Each(ids, func(id string) InstanceMonitoring {
		return InstanceMonitoring{InstanceId: &id, Monitoring: &Monitoring{State: &state}}
	})
}

// monitorInstances is MonitorInstances.
func (h *handler) monitorInstances(ctx context.Context, c *api.Call, in *MonitorInstancesInput) (*MonitorInstancesOutput, error) {
	rev, err := h.plane.SetMonitoring(ctx, caller(c, in.DryRun), in.InstanceIds, true)
	return api.Done(c, &MonitorInstancesOutput{InstanceMonitorings: monitored(in.InstanceIds, "pending")}, rev, err)
}

// unmonitorInstances is UnmonitorInstances.
func (h *handler) unmonitorInstances(ctx context.Context, c *api.Call, in *UnmonitorInstancesInput) (*UnmonitorInstancesOutput, error) {
	rev, err := h.plane.SetMonitoring(ctx, caller(c, in.DryRun), in.InstanceIds, false)
	return api.Done(c, &UnmonitorInstancesOutput{InstanceMonitorings: monitored(in.InstanceIds, "disabling")}, rev, err)
}

// describeInstanceCreditSpecifications is DescribeInstanceCreditSpecifications: of the instances that are named, which must be
// burstable, or of all whose credits are unlimited.
func (h *handler) describeInstanceCreditSpecifications(ctx context.Context, c *api.Call, in *DescribeInstanceCreditSpecificationsInput) (*DescribeInstanceCreditSpecificationsOutput, error) {
	all, err := h.plane.Credits(ctx, caller(c, in.DryRun), query(in.InstanceIds, in.Filters))
	if err != nil {
		return nil, err
	}
	all, next, err := page(c, all, instanceID, in.MaxResults, in.NextToken)
	return &DescribeInstanceCreditSpecificationsOutput{NextToken: next, InstanceCreditSpecifications: api.Each(all, func(d controlplane.DescribedInstance) InstanceCreditSpecification {
		return InstanceCreditSpecification{CpuCredits: creditsWord(d.UnlimitedCredits), InstanceId: &d.ID}
	})}, err
}

// modifyInstanceCreditSpecification is ModifyInstanceCreditSpecification.
func (h *handler) modifyInstanceCreditSpecification(ctx context.Context, c *api.Call, in *ModifyInstanceCreditSpecificationInput) (*ModifyInstanceCreditSpecificationOutput, error) {
	var asked []controlplane.Credits
	for _, s := range in.InstanceCreditSpecifications {
		unlimited, err := readCredits(api.Value(s.CpuCredits))
		if err != nil {
			return nil, err
		}
		asked = append(asked, controlplane.Credits{InstanceID: s.InstanceId, Unlimited: unlimited})
	}
	refused, rev, err := h.plane.SetCredits(ctx, caller(c, in.DryRun), asked)
	if err != nil {
		return nil, err
	}
	out := &ModifyInstanceCreditSpecificationOutput{}
	for n, a := range asked {
		if e := refused[n]; e != nil {
			out.UnsuccessfulInstanceCreditSpecifications = append(out.UnsuccessfulInstanceCreditSpecifications,
				UnsuccessfulInstanceCreditSpecificationItem{InstanceId: &a.InstanceID, Error: &UnsuccessfulInstanceCreditSpecificationItemError{Code: &e.Code, Message: &e.Message}})
			continue
		}
		out.SuccessfulInstanceCreditSpecifications = append(out.SuccessfulInstanceCreditSpecifications, SuccessfulInstanceCreditSpecificationItem{InstanceId: &a.InstanceID})
	}
	return api.Done(c, out, rev, nil)
}

// modifyInstanceMaintenanceOptions is ModifyInstanceMaintenanceOptions.
func (h *handler) modifyInstanceMaintenanceOptions(ctx context.Context, c *api.Call, in *ModifyInstanceMaintenanceOptionsInput) (*ModifyInstanceMaintenanceOptionsOutput, error) {
	i, rev, err := h.plane.ModifyMaintenance(ctx, caller(c, in.DryRun), in.InstanceId, controlplane.MaintenanceChange{NoAutoRecovery: word(in.AutoRecovery, "disabled"), NoRebootMigration: word(in.RebootMigration, "disabled")})
	if err != nil {
		return nil, err
	}
	out := &ModifyInstanceMaintenanceOptionsOutput{InstanceId: &i.ID}
	if in.AutoRecovery != nil {
		out.AutoRecovery = new(controlplane.Default(i.NoAutoRecovery))
	}
	if in.RebootMigration != nil {
		out.RebootMigration = new(controlplane.Default(i.NoRebootMigration))
	}
	return api.Done(c, out, rev, nil)
}

// modifyPrivateDnsNameOptions is ModifyPrivateDnsNameOptions.
func (h *handler) modifyPrivateDnsNameOptions(ctx context.Context, c *api.Call, in *ModifyPrivateDnsNameOptionsInput) (*ModifyPrivateDnsNameOptionsOutput, error) {
	rev, err := h.plane.ModifyName(ctx, caller(c, in.DryRun), in.InstanceId, controlplane.NameChange{ByID: word(in.PrivateDnsHostnameType, "resource-name"),
		HasIPv4: in.EnableResourceNameDnsARecord, HasIPv6: in.EnableResourceNameDnsAAAARecord})
	return api.Done(c, &ModifyPrivateDnsNameOptionsOutput{Return: new(true)}, rev, err)
}

// modifyInstanceCapacityReservationAttributes is ModifyInstanceCapacityReservationAttributes.
func (h *handler) modifyInstanceCapacityReservationAttributes(ctx context.Context, c *api.Call, in *ModifyInstanceCapacityReservationAttributesInput) (*ModifyInstanceCapacityReservationAttributesOutput, error) {
	none, err := noReservation(in.CapacityReservationSpecification)
	if err != nil {
		return nil, err
	}
	rev, err := h.plane.ModifyCapacityReservation(ctx, caller(c, in.DryRun), in.InstanceId, none)
	return api.Done(c, &ModifyInstanceCapacityReservationAttributesOutput{Return: new(true)}, rev, err)
}
