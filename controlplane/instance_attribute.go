package controlplane

import (
	"context"
	"strconv"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/store"
)

// maxUserData is how many bytes of user data an instance may have (EC2 user guide, "Run commands at launch").
const maxUserData = 16 << 10

// checkUserData refuses user data that is too long.
func checkUserData(data []byte) error {
	if len(data) > maxUserData {
		return ec2Error("InvalidParameterValue", "User data is limited to 16384 bytes")
	}
	return nil
}

// InstanceChange is what ModifyInstanceAttribute changes: one thing that is not nil. The first two are of the instance's only
// interface. For the EBS optimization, type and user data an instance must have stopped.
type InstanceChange struct {
	SecurityGroupIDs   []string
	SourceDestCheck    *bool
	DisableTermination *bool
	DisableStop        *bool
	ShutdownTerminates *bool
	EBSOptimized       *bool
	InstanceType       string
	UserData           *[]byte
	VolumesEnd         map[string]bool // with the instance, by device
}

// keys are the condition keys of the change. They do not tell the user data.
func (to *InstanceChange) keys() keys {
	values := map[string]string{}
	for name, v := range map[string]*bool{"SourceDestCheck": to.SourceDestCheck, "DisableApiTermination": to.DisableTermination, "DisableApiStop": to.DisableStop, "EbsOptimized": to.EBSOptimized} {
		if v != nil {
			values[name] = strconv.FormatBool(*v)
		}
	}
	if to.ShutdownTerminates != nil {
		values["InstanceInitiatedShutdownBehavior"] = ShutdownBehavior(*to.ShutdownTerminates)
	}
	if to.InstanceType != "" {
		values["InstanceType"] = to.InstanceType
	}
	k := attributeKeys(values)
	for name, set := range map[string]bool{"GroupSet": to.SecurityGroupIDs != nil, "UserData": to.UserData != nil, "BlockDeviceMapping": to.VolumesEnd != nil} {
		if set {
			k["ec2:attribute"] = append(k["ec2:attribute"], name)
		}
	}
	return k
}

// ShutdownBehavior is what an instance does that shuts itself down.
func ShutdownBehavior(terminates bool) string {
	if terminates {
		return "terminate"
	}
	return "stop"
}

// attributeKeys are the condition keys of attributes that a request sets: ec2:Attribute of their names, and
// ec2:Attribute/NAME of each (Service Authorization Reference, Amazon EC2).
func attributeKeys(values map[string]string) keys {
	k := keys{}
	for name, v := range values {
		k["ec2:attribute"] = append(k["ec2:attribute"], name)
		k["ec2:attribute/"+strings.ToLower(name)] = []string{v}
	}
	return k
}

// ModifyInstance changes an attribute of an instance.
func (p *Plane) ModifyInstance(ctx context.Context, c EC2Call, id string, to InstanceChange) (trellis.Revision, error) {
	var groups []string
	for _, group := range to.SecurityGroupIDs {
		groups = append(groups, p.ec2ARN(c, "security-group/"+group))
	}
	if len(groups) > maxInterfaceGroups {
		return 0, tooManyGroups()
	}
	if to.UserData != nil {
		if err := checkUserData(*to.UserData); err != nil {
			return 0, err
		}
	}
	return p.changeInstance(ctx, c, "ModifyInstanceAttribute", id, to.keys(), func(tx *store.Tx, i *trellis.Instance) error {
		if (to.InstanceType != "" || to.UserData != nil || to.EBSOptimized != nil) && i.State != trellis.InstanceStopped {
			return ec2Error("IncorrectInstanceState", "The instance '%s' is not in the 'stopped' state.", id)
		}
		set(&i.DisableAPITermination, to.DisableTermination)
		set(&i.DisableAPIStop, to.DisableStop)
		set(&i.ShutdownTerminates, to.ShutdownTerminates)
		set(&i.EBSOptimized, to.EBSOptimized)
		if to.UserData != nil {
			i.UserData = trellis.NewSecret(string(*to.UserData))
		}
		if to.InstanceType != "" && to.InstanceType != i.InstanceType {
			if trellis.Burstable(to.InstanceType) != trellis.Burstable(i.InstanceType) {
				i.UnlimitedCredits = unlimitedAtFirst(to.InstanceType)
			}
			i.InstanceType = to.InstanceType
		}
		if err := setDeletions(tx, i, to.VolumesEnd); err != nil {
			return err
		}
		if to.SecurityGroupIDs == nil && to.SourceDestCheck == nil {
			return nil
		}
		has, err := p.interfacesOf(tx, i)
		if err != nil {
			return err
		}
		if len(has) > 1 {
			return ec2Error("InvalidInstanceID", "There are multiple interfaces attached to instance '%s'. Please specify an interface ID for the operation instead.", id)
		}
		first := has[0].ElasticNetworkInterface
		if to.SourceDestCheck != nil {
			first.NoSourceDestCheck = !*to.SourceDestCheck
		}
		if to.SecurityGroupIDs != nil {
			if first.SecurityGroupIDs, err = groupsOfVPC(tx, c.account(), i.VPCID, to.SecurityGroupIDs); err != nil {
				return err
			}
			i.SecurityGroupIDs = first.SecurityGroupIDs
		}
		return p.putInterface(tx, first)
	}, groups...)
}

// set sets what is not nil.
func set[T any](at *T, to *T) {
	if to != nil {
		*at = *to
	}
}

// changeInstance changes one instance that has not ended. Others are what else the action names, by ARN.
func (p *Plane) changeInstance(ctx context.Context, c EC2Call, action, id string, k keys, change func(*store.Tx, *trellis.Instance) error, others ...string) (trellis.Revision, error) {
	return p.ec2Commit(ctx, func(tx *store.Tx) error {
		if err := p.permit(tx, c, action, k, p.ec2ARN(c, "instance/"+id)); err != nil {
			return err
		}
		if err := p.allow(tx, c, action, nil, others...); err != nil {
			return err
		}
		if err := instancesExist(tx, c.account(), []string{id}); err != nil {
			return err
		}
		i, err := find[*trellis.Instance](tx, idInstance, c.account(), id)
		if err != nil {
			return err
		}
		if i.State == trellis.InstanceTerminated || i.State == trellis.InstanceShuttingDown {
			return ec2Error("IncorrectInstanceState", "The instance '%s' is not in a state in which it can be modified.", id)
		}
		i.UpdatedAt = p.now()
		if err := change(tx, i); err != nil {
			return err
		}
		tx.Put(i)
		return nil
	})
}
