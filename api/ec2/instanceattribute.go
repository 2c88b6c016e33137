package ec2

import (
	"context"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/controlplane"
)

// describeInstanceAttribute is DescribeInstanceAttribute.
func (h *handler) describeInstanceAttribute(ctx context.Context, c *api.Call, in *DescribeInstanceAttributeInput) (*DescribeInstanceAttributeOutput, error) {
	d, err := h.plane.Instance(ctx, caller(c, in.DryRun), in.InstanceId)
	if err != nil {
		return nil, err
	}
	out := &DescribeInstanceAttributeOutput{InstanceId: &d.ID}
	switch in.Attribute {
	case "instanceType":
		out.InstanceType = &AttributeValue{Value: &d.InstanceType}
	case "disableApiTermination":
		out.DisableApiTermination = &AttributeBooleanValue{Value: &d.DisableAPITermination}
	case "disableApiStop":
		out.DisableApiStop = &AttributeBooleanValue{Value: &d.DisableAPIStop}
	case "instanceInitiatedShutdownBehavior":
		out.InstanceInitiatedShutdownBehavior = &AttributeValue{Value: new(controlplane.ShutdownBehavior(d.ShutdownTerminates))}
	case "blockDeviceMapping":
		out.BlockDeviceMappings = deviceMappings(d.Volumes)
	case "rootDeviceName":
		out.RootDeviceName = &AttributeValue{Value: new(trellis.RootDevice)}
	case "sourceDestCheck":
		out.SourceDestCheck = &AttributeBooleanValue{Value: new(len(d.Interfaces) == 0 || !d.Interfaces[0].NoSourceDestCheck)}
	case "groupSet":
		out.Groups = groups(d.Groups)
	case "ebsOptimized":
		out.EbsOptimized = &AttributeBooleanValue{Value: &d.EBSOptimized}
	case "enaSupport":
		out.EnaSupport = &AttributeBooleanValue{Value: new(true)}
	case "enclaveOptions":
		out.EnclaveOptions = &EnclaveOptions{Enabled: new(bool)}
	case "userData":
		out.UserData = &AttributeValue{}
		if !d.UserData.IsZero() {
			out.UserData.Value = new(base64.StdEncoding.EncodeToString([]byte(d.UserData.Reveal())))
		}
	}
	return out, nil
}

// attributeNames are the attributes that a request changes, by the API's names: by members of their own, or by the pair of
// an attribute's name and its value.
func attributeNames(in *ModifyInstanceAttributeInput) (names []string) {
	for name, set := range map[string]bool{
		"instanceType": in.InstanceType != nil, "kernel": in.Kernel != nil, "ramdisk": in.Ramdisk != nil, "userData": in.UserData != nil,
		"disableApiTermination": in.DisableApiTermination != nil, "disableApiStop": in.DisableApiStop != nil, "instanceInitiatedShutdownBehavior": in.InstanceInitiatedShutdownBehavior != nil,
		"blockDeviceMapping": len(in.BlockDeviceMappings) > 0, "sourceDestCheck": in.SourceDestCheck != nil, "groupSet": len(in.Groups) > 0, "ebsOptimized": in.EbsOptimized != nil,
		"sriovNetSupport": in.SriovNetSupport != nil, "enaSupport": in.EnaSupport != nil, "enclaveOptions": in.EnclaveOptions != nil,
	} {
		if set || api.Value(in.Attribute) == name && in.Value != nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// truth is the value of a truth: a member's, or the text of a pair.
func truth(member *AttributeBooleanValue, text *string) (*bool, error) {
	if member != nil {
		return member.Value, nil
	}
	switch api.Value(text) {
	case "true":
		return new(true), nil
	case "false":
		return new(false), nil
	}
	return nil, trellis.NewError(400, "InvalidParameterValue", "Invalid boolean value")
}

// readChange reads the one attribute that a request changes, and to what.
func readChange(in *ModifyInstanceAttributeInput) (to controlplane.InstanceChange, err error) {
	names := attributeNames(in)
	switch len(names) {
	case 0:
		return to, trellis.NewError(400, "InvalidParameterCombination", "No attributes specified.")
	case 1:
	default:
		return to, trellis.NewError(400, "InvalidParameterCombination", "Fields for multiple attribute types specified: %s", strings.Join(names, ", "))
	}
	text := func(member *AttributeValue) string {
		if member != nil {
			return api.Value(member.Value)
		}
		return api.Value(in.Value)
	}
	switch names[0] {
	case "groupSet":
		to.SecurityGroupIDs = in.Groups
		if len(in.Groups) == 0 {
			to.SecurityGroupIDs = []string{*in.Value}
		}
	case "sourceDestCheck":
		to.SourceDestCheck, err = truth(in.SourceDestCheck, in.Value)
	case "disableApiTermination":
		to.DisableTermination, err = truth(in.DisableApiTermination, in.Value)
	case "disableApiStop":
		to.DisableStop, err = truth(in.DisableApiStop, in.Value)
	case "ebsOptimized":
		to.EBSOptimized, err = truth(in.EbsOptimized, in.Value)
	case "instanceInitiatedShutdownBehavior":
		switch behaviour := text(in.InstanceInitiatedShutdownBehavior); behaviour {
		case "stop", "terminate":
			to.ShutdownTerminates = new(behaviour == "terminate")
		default:
			return to, trellis.NewError(400, "InvalidInstanceAttributeValue", "Invalid value '%s' for instanceInitiatedShutdownBehavior.", behaviour)
		}
	case "instanceType":
		to.InstanceType = text(in.InstanceType)
		if _, ok := readInstanceType(to.InstanceType); !ok {
			return to, trellis.NewError(400, "InvalidInstanceAttributeValue", "Invalid value '%s' for InstanceType.", to.InstanceType)
		}
	case "userData":
		var data []byte
		if in.UserData != nil {
			data = in.UserData.Value
		} else if data, err = readUserData(in.Value); err != nil {
			return to, err
		}
		to.UserData = &data
	case "blockDeviceMapping":
		to.VolumesEnd = map[string]bool{}
		for _, m := range in.BlockDeviceMappings {
			if m.Ebs == nil || m.Ebs.DeleteOnTermination == nil || m.Ebs.VolumeId != nil {
				return to, unsupported("of a block device, another value than deleteOnTermination")
			}
			to.VolumesEnd[api.Value(m.DeviceName)] = *m.Ebs.DeleteOnTermination
		}
	default:
		return to, unsupported("another value of " + names[0])
	}
	return to, err
}

// modifyInstanceAttribute is ModifyInstanceAttribute.
func (h *handler) modifyInstanceAttribute(ctx context.Context, c *api.Call, in *ModifyInstanceAttributeInput) (*ModifyInstanceAttributeOutput, error) {
	to, err := readChange(in)
	if err != nil {
		return nil, err
	}
	rev, err := h.plane.ModifyInstance(ctx, caller(c, in.DryRun), in.InstanceId, to)
	return api.Done(c, &ModifyInstanceAttributeOutput{}, rev, err)
}
