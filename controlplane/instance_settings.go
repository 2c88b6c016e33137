package controlplane

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/store"
)

// unlimitedAtFirst tells whether instances of a type have unlimited credits when nothing is said: burstable ones of all
// generations but the second (EC2 user guide, "Unlimited mode").
func unlimitedAtFirst(instanceType string) bool {
	return trellis.Burstable(instanceType) && !strings.HasPrefix(instanceType, "t2.")
}

// creditsNotSupported says that instances of a type have no credits.
func creditsNotSupported(instanceType string) *trellis.Error {
	return ec2Error("InstanceCreditSpecification.NotSupported", "The %s instance type does not support CPU credits.", instanceType)
}

// Hostname is the private name of an instance: by its address, or by its id.
func (p *Plane) Hostname(i *trellis.Instance) string {
	name := p.PrivateDNSName(i.PrivateIP)
	if i.NamedByID {
		_, domain, _ := strings.Cut(name, ".")
		return i.ID + "." + domain
	}
	return name
}

// HostnameType is how an instance's private name is made.
func HostnameType(i *trellis.Instance) string {
	if i.NamedByID {
		return "resource-name"
	}
	return "ip-name"
}

// Monitoring is whether an instance is monitored in detail.
func Monitoring(i *trellis.Instance) string {
	if i.DetailedMonitoring {
		return "enabled"
	}
	return "disabled"
}

// Default is the word of what is left to AWS, or disabled.
func Default(disabled bool) string {
	if disabled {
		return "disabled"
	}
	return "default"
}

// settingAttributes are the filters of DescribeInstances that ask for settings.
func settingAttributes(i *trellis.Instance) attributes {
	return attributes{
		"monitoring-state": {Monitoring(i)}, "maintenance-options.auto-recovery": {Default(i.NoAutoRecovery)}, "private-dns-name-options.hostname-type": {HostnameType(i)},
		"private-dns-name-options.enable-resource-name-dns-a-record": flag(i.NameHasIPv4), "private-dns-name-options.enable-resource-name-dns-aaaa-record": flag(i.NameHasIPv6),
		"root-device-name": {"/dev/xvda"}, "ena-support": flag(true), "enclave-options.enabled": flag(false), "hibernation-options.configured": flag(false),
		"boot-mode": {"uefi"}, "current-instance-boot-mode": {"uefi"}, "usage-operation": {"RunInstances"},
	}
}

// checkZone refuses a zone that an instance's subnet is not in; an empty one is any.
func checkZone(tx *store.Tx, i *trellis.Instance, zone string) error {
	s, err := store.Get[*trellis.Subnet](tx, i.Account+"/"+i.SubnetID)
	if err != nil || zone == "" || zone == s.AvailabilityZone {
		return err
	}
	return invalidParameter("availabilityZone", zone, "Subnet '"+s.ID+"' is in the availability zone "+s.AvailabilityZone)
}

// SetMonitoring is MonitorInstances and UnmonitorInstances, of all or none.
func (p *Plane) SetMonitoring(ctx context.Context, c EC2Call, ids []string, detailed bool) (trellis.Revision, error) {
	action := "UnmonitorInstances"
	if detailed {
		action = "MonitorInstances"
	}
	if len(ids) == 0 {
		return 0, missingParameter("InstanceId")
	}
	arns := make([]string, len(ids))
	for n, id := range ids {
		arns[n] = p.ec2ARN(c, "instance/"+id)
	}
	return p.ec2Commit(ctx, func(tx *store.Tx) error {
		if err := p.allow(tx, c, action, nil, arns...); err != nil {
			return err
		}
		if err := instancesExist(tx, c.account(), ids); err != nil {
			return err
		}
		all, err := queried[*trellis.Instance](tx, idInstance, c.account(), ids)
		for _, i := range all {
			if i.DetailedMonitoring != detailed {
				i.DetailedMonitoring, i.UpdatedAt = detailed, p.now()
				tx.Put(i)
			}
		}
		return err
	})
}

// Credits asks for unlimited or standard credits of an instance.
type Credits struct {
	InstanceID string
	Unlimited  bool
}

// SetCredits is ModifyInstanceCreditSpecification. What is refused of one instance stops none of the others, and comes back
// in the order of what was asked for; it is nil where it went well.
func (p *Plane) SetCredits(ctx context.Context, c EC2Call, asked []Credits) (refused []*trellis.Error, rev trellis.Revision, err error) {
	arns := make([]string, len(asked))
	for n, a := range asked {
		arns[n] = p.ec2ARN(c, "instance/"+a.InstanceID)
	}
	rev, err = p.ec2Commit(ctx, func(tx *store.Tx) error {
		if err := p.allow(tx, c, "ModifyInstanceCreditSpecification", nil, arns...); err != nil {
			return err
		}
		refused = make([]*trellis.Error, len(asked))
		for n, a := range asked {
			i, err := find[*trellis.Instance](tx, idInstance, c.account(), a.InstanceID)
			if err == nil {
				err = setCredits(tx, i, a.Unlimited)
			}
			if err != nil && !errors.As(err, &refused[n]) {
				return err
			}
		}
		return nil
	})
	return refused, rev, err
}

// setCredits gives one instance other credits.
func setCredits(tx *store.Tx, i *trellis.Instance, unlimited bool) error {
	switch {
	case !trellis.Burstable(i.InstanceType):
		return creditsNotSupported(i.InstanceType)
	case i.State != trellis.InstanceRunning && i.State != trellis.InstanceStopped && i.State != trellis.InstancePending:
		return ec2Error("IncorrectInstanceState", "The instance '%s' is not in the 'running' or 'stopped' states.", i.ID)
	}
	i.UnlimitedCredits = unlimited
	tx.Put(i)
	return nil
}

// Credits lists instances for DescribeInstanceCreditSpecifications: those that are named, which must be burstable, or all whose
// credits are unlimited.
func (p *Plane) Credits(ctx context.Context, c EC2Call, q Query) ([]DescribedInstance, error) {
	all, err := p.Instances(ctx, c, "DescribeInstanceCreditSpecifications", q)
	if err != nil {
		return nil, err
	}
	for _, d := range all {
		if len(q.IDs) > 0 && !trellis.Burstable(d.InstanceType) {
			return nil, creditsNotSupported(d.InstanceType)
		}
	}
	return slices.DeleteFunc(all, func(d DescribedInstance) bool { return len(q.IDs) == 0 && !d.UnlimitedCredits }), nil
}

// MaintenanceChange is what ModifyInstanceMaintenanceOptions changes: what is not nil.
type MaintenanceChange struct{ NoAutoRecovery, NoRebootMigration *bool }

// ModifyMaintenance is ModifyInstanceMaintenanceOptions, and returns the instance as it is then.
func (p *Plane) ModifyMaintenance(ctx context.Context, c EC2Call, id string, to MaintenanceChange) (out *trellis.Instance, rev trellis.Revision, err error) {
	rev, err = p.changeInstance(ctx, c, "ModifyInstanceMaintenanceOptions", id, nil, func(_ *store.Tx, i *trellis.Instance) error {
		set(&i.NoAutoRecovery, to.NoAutoRecovery)
		set(&i.NoRebootMigration, to.NoRebootMigration)
		out = i
		return nil
	})
	return out, rev, err
}

// NameChange is what ModifyPrivateDnsNameOptions changes: what is not nil. For ByID an instance must have stopped.
type NameChange struct{ ByID, HasIPv4, HasIPv6 *bool }

// ModifyName is ModifyPrivateDnsNameOptions.
func (p *Plane) ModifyName(ctx context.Context, c EC2Call, id string, to NameChange) (trellis.Revision, error) {
	return p.changeInstance(ctx, c, "ModifyPrivateDnsNameOptions", id, nil, func(_ *store.Tx, i *trellis.Instance) error {
		if to.ByID != nil && *to.ByID != i.NamedByID && i.State != trellis.InstanceStopped {
			return ec2Error("IncorrectInstanceState", "The instance '%s' is not in the 'stopped' state.", id)
		}
		set(&i.NamedByID, to.ByID)
		set(&i.NameHasIPv4, to.HasIPv4)
		set(&i.NameHasIPv6, to.HasIPv6)
		return nil
	})
}

// ModifyCapacityReservation is ModifyInstanceCapacityReservationAttributes: whether an instance may take reserved capacity,
// of which there is none.
func (p *Plane) ModifyCapacityReservation(ctx context.Context, c EC2Call, id string, none bool) (trellis.Revision, error) {
	return p.changeInstance(ctx, c, "ModifyInstanceCapacityReservationAttributes", id, nil, func(_ *store.Tx, i *trellis.Instance) error {
		if i.State != trellis.InstanceStopped {
			return ec2Error("IncorrectInstanceState", "The instance '%s' is not in the 'stopped' state.", id)
		}
		i.NoCapacityReservation = none
		return nil
	})
}
