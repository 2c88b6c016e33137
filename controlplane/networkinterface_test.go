package controlplane_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/controlplane"
)

// nic describes one network interface of the lab.
func (l *lab) nic(t testing.TB, id string) controlplane.DescribedInterface {
	t.Helper()
	all := must[[]controlplane.DescribedInterface](t)(l.p.NetworkInterfaces(t.Context(), l.c, controlplane.Query{IDs: []string{id}}))
	return all[0]
}

// nics are the ids of the interfaces that pass a filter.
func (l *lab) nics(t testing.TB, name string, values ...string) (ids []string) {
	t.Helper()
	all := must[[]controlplane.DescribedInterface](t)(l.p.NetworkInterfaces(t.Context(), l.c, controlplane.Query{Filters: []controlplane.Filter{{Name: name, Values: values}}}))
	for _, d := range all {
		ids = append(ids, d.ID)
	}
	return ids
}

// group makes a security group in the lab's VPC.
func (l *lab) group(t testing.TB, name string) string {
	t.Helper()
	g, _, err := l.p.CreateSecurityGroup(t.Context(), l.c, controlplane.NewSecurityGroup{VPCID: l.vpc.ID, Name: name, Description: name})
	wantCode(t, err, "")
	return g.ID
}

// TestNetworkInterface follows one interface through its life: made, attached, changed, detached and deleted.
func TestNetworkInterface(t *testing.T) {
	l, ctx := newLab(t), t.Context()
	web := l.group(t, "web")
	asked := controlplane.NewNetworkInterface{SubnetID: l.subnet.ID, Description: "second", SecurityGroupIDs: []string{web}, PrivateIP: "10.0.12.8", SecondaryCount: 1, IPv6Count: 1,
		ClientToken: "once", Tags: map[string]string{"Name": "second"}}
	made, _, err := l.p.CreateNetworkInterface(ctx, l.c, asked)
	wantCode(t, err, "")
	again, _, err := l.p.CreateNetworkInterface(ctx, l.c, asked)
	if err != nil || again.ID != made.ID {
		t.Errorf("%+v, %v", again, err)
	}
	if got := l.nic(t, made.ID); got.Status() != "available" || got.Managed || len(got.IPv4) != 2 || got.IPv4[0] != netip.MustParseAddr("10.0.12.8") || len(got.IPv6) != 1 ||
		got.Groups[0].ID != web || got.Description != "second" {
		t.Errorf("%+v", got)
	}
	_, err = l.p.DeleteSubnet(ctx, l.c, l.subnet.ID)
	wantCode(t, err, "DependencyViolation")
	_, err = l.p.DeleteSecurityGroup(ctx, l.c, web)
	wantCode(t, err, "DependencyViolation")
	_, err = l.run(t, controlplane.NewInstances{PrivateIP: "10.0.12.8"})
	wantCode(t, err, "InvalidIPAddress.InUse")

	i := must[[]*trellis.Instance](t)(l.run(t, controlplane.NewInstances{}))[0]
	for _, x := range []struct {
		id, instance string
		index        int
		want         string
	}{
		{made.ID, "i-00000000000000000", 1, "InvalidInstanceID.NotFound"},
		{"eni-00000000000000000", i.ID, 1, "InvalidNetworkInterfaceID.NotFound"},
		{"interface", i.ID, 1, "InvalidNetworkInterfaceID.Malformed"},
		{i.InterfaceID, i.ID, 1, "InvalidNetworkInterface.InUse"},
		{made.ID, i.ID, 0, "InvalidParameterValue"},
		{made.ID, i.ID, 99, "InvalidParameterValue"},
		{made.ID, i.ID, -1, "InvalidParameterValue"},
	} {
		_, _, err := l.p.AttachNetworkInterface(ctx, l.c, x.id, x.instance, x.index)
		if got := code(t, err); got != x.want {
			t.Errorf("attach %+v: %v", x, err)
		}
	}
	attachment, _, err := l.p.AttachNetworkInterface(ctx, l.c, made.ID, i.ID, 1)
	wantCode(t, err, "")
	_, _, err = l.p.AttachNetworkInterface(ctx, l.c, made.ID, i.ID, 2)
	wantCode(t, err, "InvalidNetworkInterface.InUse")
	_, err = l.p.DeleteNetworkInterface(ctx, l.c, made.ID)
	wantCode(t, err, "InvalidParameterValue")
	if got := l.nics(t, "attachment.instance-id", i.ID); len(got) != 2 {
		t.Errorf("the instance has %v", got)
	}
	if got := l.nics(t, "attachment.attachment-id", attachment); !slices.Equal(got, []string{made.ID}) {
		t.Errorf("attached: %v", got)
	}
	if got := l.nics(t, "tag:Name", "sec*"); !slices.Equal(got, []string{made.ID}) {
		t.Errorf("tagged: %v", got)
	}
	seen := must[[]controlplane.DescribedInstance](t)(l.p.Instances(ctx, l.c, "DescribeInstances", controlplane.Query{Filters: []controlplane.Filter{
		{Name: "network-interface.addresses.private-ip-address", Values: []string{"10.0.12.8"}}}}))
	if len(seen) != 1 || len(seen[0].Interfaces) != 2 || seen[0].Interfaces[0].ID != i.InterfaceID || seen[0].Interfaces[1].ID != made.ID {
		t.Errorf("%+v", seen)
	}

	for _, x := range []struct {
		to   controlplane.InterfaceChange
		want string
	}{
		{controlplane.InterfaceChange{}, "InvalidParameterCombination"},
		{controlplane.InterfaceChange{Description: new("changed")}, ""},
		{controlplane.InterfaceChange{Description: new(strings.Repeat("x", 256))}, "InvalidParameterValue"},
		{controlplane.InterfaceChange{SourceDestCheck: new(false)}, ""},
		{controlplane.InterfaceChange{SecurityGroupIDs: []string{web, "sg-00000000000000000"}}, "InvalidGroup.NotFound"},
		{controlplane.InterfaceChange{DeleteOnTermination: new(true)}, "MissingParameter"},
		{controlplane.InterfaceChange{AttachmentID: "eni-attach-00000000000000000", DeleteOnTermination: new(true)}, "InvalidAttachmentID.NotFound"},
	} {
		_, err := l.p.ModifyNetworkInterface(ctx, l.c, "ModifyNetworkInterfaceAttribute", made.ID, x.to)
		if got := code(t, err); got != x.want {
			t.Errorf("modify %+v: %v", x, err)
		}
	}
	if got := l.nic(t, made.ID); got.Description != "changed" || !got.NoSourceDestCheck || got.Attachment.DeleteOnTermination {
		t.Errorf("%+v", got)
	}
	_, err = l.p.DetachNetworkInterface(ctx, l.c, "eni-attach-00000000000000000")
	wantCode(t, err, "InvalidAttachmentID.NotFound")
	_, err = l.p.DetachNetworkInterface(ctx, l.c, "attachment")
	wantCode(t, err, "InvalidAttachmentID.Malformed")
	_, err = l.p.DetachNetworkInterface(ctx, l.c, controlplane.AttachmentID(l.nic(t, i.InterfaceID).ElasticNetworkInterface))
	wantCode(t, err, "OperationNotPermitted")
	_, err = l.p.DetachNetworkInterface(ctx, l.c, attachment)
	wantCode(t, err, "")
	was := must[[]controlplane.DescribedInterface](t)(l.p.NetworkInterfaces(ctx, l.c, controlplane.Query{Filters: []controlplane.Filter{{Name: "attachment.attachment-id", Values: []string{attachment}}}}))
	if len(was) != 1 || was[0].AttachmentStatus != "detached" || was[0].Status() != "available" {
		t.Errorf("by the attachment that has ended: %+v", was)
	}
	if got := l.nic(t, made.ID); got.Attachment != nil || got.AttachmentStatus != "" {
		t.Errorf("%+v", got)
	}
	_, err = l.p.DetachNetworkInterface(ctx, l.c, attachment)
	wantCode(t, err, "InvalidAttachmentID.NotFound")
	_, err = l.p.DeleteNetworkInterface(ctx, controlplane.EC2Call{Caller: admin(t)}, made.ID)
	wantCode(t, err, "InvalidNetworkInterfaceID.NotFound")
	_, err = l.p.DeleteNetworkInterface(ctx, l.c, made.ID)
	wantCode(t, err, "")
	_, err = l.p.NetworkInterfaces(ctx, l.c, controlplane.Query{IDs: []string{made.ID}})
	wantCode(t, err, "InvalidNetworkInterfaceID.NotFound")
	_, err = l.p.DeleteSecurityGroup(ctx, l.c, web)
	wantCode(t, err, "")
}

// TestNewInterfacesThatCannotBe asks for interfaces that no subnet can have.
func TestNewInterfacesThatCannotBe(t *testing.T) {
	l := newLab(t)
	i := must[[]*trellis.Instance](t)(l.run(t, controlplane.NewInstances{}))[0]
	for _, x := range []struct {
		in   controlplane.NewNetworkInterface
		want string
	}{
		{controlplane.NewNetworkInterface{}, "MissingParameter"},
		{controlplane.NewNetworkInterface{SubnetID: "subnet-00000000000000000"}, "InvalidSubnetID.NotFound"},
		{controlplane.NewNetworkInterface{SubnetID: l.subnet.ID, PrivateIP: "10.0.13.4"}, "InvalidParameterValue"},
		{controlplane.NewNetworkInterface{SubnetID: l.subnet.ID, SecondaryIPs: []string{"10.0.12.3"}}, "InvalidParameterValue"},
		{controlplane.NewNetworkInterface{SubnetID: l.subnet.ID, PrivateIP: "10.0.12.9", SecondaryIPs: []string{"10.0.12.9"}}, "InvalidIPAddress.InUse"},
		{controlplane.NewNetworkInterface{SubnetID: l.subnet.ID, SecondaryIPs: []string{"10.0.12.9"}, SecondaryCount: 1}, "InvalidParameterCombination"},
		{controlplane.NewNetworkInterface{SubnetID: l.subnet.ID, SecondaryCount: 12}, "InsufficientFreeAddressesInSubnet"},
		{controlplane.NewNetworkInterface{SubnetID: l.subnet.ID, SecondaryCount: 50}, "PrivateIpAddressLimitExceeded"},
		{controlplane.NewNetworkInterface{SubnetID: l.subnet.ID, SecondaryCount: -1}, "InvalidParameterValue"},
		{controlplane.NewNetworkInterface{SubnetID: l.subnet.ID, IPv6: []string{"::1"}}, "InvalidParameterValue"},
		{controlplane.NewNetworkInterface{SubnetID: l.subnet.ID, SecurityGroupIDs: []string{"1", "2", "3", "4", "5", "6"}}, "SecurityGroupsPerInterfaceLimitExceeded"},
		{controlplane.NewNetworkInterface{SubnetID: l.subnet.ID, Tags: map[string]string{controlplane.IDTag: i.InterfaceID}}, "InvalidParameterValue"},
	} {
		_, _, err := l.p.CreateNetworkInterface(t.Context(), l.c, x.in)
		if got := code(t, err); got != x.want {
			t.Errorf("%+v: %v", x.in, err)
		}
	}
}

// TestInterfaceAddresses assigns and unassigns addresses, of an interface that was made and of an instance's first one.
func TestInterfaceAddresses(t *testing.T) {
	l, ctx := newLab(t), t.Context()
	i := must[[]*trellis.Instance](t)(l.run(t, controlplane.NewInstances{}))[0]
	made, _, err := l.p.CreateNetworkInterface(ctx, l.c, controlplane.NewNetworkInterface{SubnetID: l.subnet.ID})
	wantCode(t, err, "")
	assign := func(m controlplane.MoreAddresses, v6 bool, want string) {
		t.Helper()
		_, _, err := l.p.AssignAddresses(ctx, l.c, m, v6)
		wantCode(t, err, want)
	}
	first := i.InterfaceID
	assign(controlplane.MoreAddresses{Interface: first}, false, "MissingParameter")
	assign(controlplane.MoreAddresses{Interface: first, Chosen: []string{"10.0.12.10"}, Count: 1}, false, "InvalidParameterCombination")
	assign(controlplane.MoreAddresses{Interface: first, Chosen: []string{"10.0.12.10", "10.0.12.11"}}, false, "")
	assign(controlplane.MoreAddresses{Interface: first, Chosen: []string{"10.0.12.10"}}, false, "") // it has it
	assign(controlplane.MoreAddresses{Interface: first, Count: 1}, true, "")
	assign(controlplane.MoreAddresses{Interface: made.ID, Chosen: []string{"10.0.12.10"}}, false, "InvalidIPAddress.InUse")
	assign(controlplane.MoreAddresses{Interface: made.ID, Chosen: []string{"10.0.12.10"}, Reassign: true}, false, "")
	assign(controlplane.MoreAddresses{Interface: made.ID, Chosen: []string{i.PrivateIP.String()}, Reassign: true}, false, "InvalidIPAddress.InUse")
	assign(controlplane.MoreAddresses{Interface: made.ID, Count: 20}, false, "InsufficientFreeAddressesInSubnet")
	got := must[[]controlplane.DescribedInstance](t)(l.p.Instances(ctx, l.c, "DescribeInstances", controlplane.Query{IDs: []string{i.ID}}))[0]
	nic := got.Interfaces[0]
	if nic.ID != first || !slices.Equal(nic.IPv4, []netip.Addr{i.PrivateIP, netip.MustParseAddr("10.0.12.11")}) || len(nic.IPv6) != 1 || got.IPv6 != nic.IPv6[0] {
		t.Errorf("%+v", nic.ElasticNetworkInterface)
	}
	unassign := func(id string, v6 bool, want string, addrs ...string) {
		t.Helper()
		_, _, err := l.p.UnassignAddresses(ctx, l.c, id, addrs, v6)
		wantCode(t, err, want)
	}
	unassign(first, false, "MissingParameter")
	unassign(first, false, "InvalidParameterValue", i.PrivateIP.String())
	unassign(first, false, "InvalidParameterValue", "10.0.12.11", "10.0.12.10")
	unassign(first, false, "InvalidParameterValue", "address")
	unassign(first, false, "", "10.0.12.11")
	unassign(first, true, "", nic.IPv6[0].String())
	if got := l.nic(t, first); len(got.IPv4) != 1 || len(got.IPv6) != 0 || got.Attachment.InstanceID != i.ID {
		t.Errorf("%+v", got.ElasticNetworkInterface)
	}
}

// TestFirstInterface changes what an instance's first interface is: the instance shows it, too, and takes it along when it ends.
func TestFirstInterface(t *testing.T) {
	l, ctx := newLab(t), t.Context()
	i := must[[]*trellis.Instance](t)(l.run(t, controlplane.NewInstances{}))[0]
	l.state(t, i.ID, trellis.InstanceRunning)
	web, db := l.group(t, "web"), l.group(t, "db")
	_, err := l.p.ModifyNetworkInterface(ctx, l.c, "ModifyNetworkInterfaceAttribute", i.InterfaceID, controlplane.InterfaceChange{SecurityGroupIDs: []string{web}})
	wantCode(t, err, "")
	instance := func() controlplane.DescribedInstance {
		t.Helper()
		return must[[]controlplane.DescribedInstance](t)(l.p.Instances(ctx, l.c, "DescribeInstances", controlplane.Query{IDs: []string{i.ID}}))[0]
	}
	if got := instance(); got.Groups[0].ID != web || got.State != trellis.InstanceRunning {
		t.Errorf("%+v", got)
	}
	_, err = l.p.ModifyInstance(ctx, l.c, i.ID, controlplane.InstanceChange{SecurityGroupIDs: []string{"1", "2", "3", "4", "5", "6"}})
	wantCode(t, err, "SecurityGroupsPerInterfaceLimitExceeded")
	_, err = l.p.ModifyInstance(ctx, l.c, i.ID, controlplane.InstanceChange{SecurityGroupIDs: []string{db}, SourceDestCheck: new(false)})
	wantCode(t, err, "")
	if got := l.nic(t, i.InterfaceID); got.Groups[0].ID != db || !got.NoSourceDestCheck {
		t.Errorf("%+v", got)
	}
	_, err = l.p.DeleteSecurityGroup(ctx, l.c, web)
	wantCode(t, err, "")
	_, err = l.p.CreateTags(ctx, l.c, []string{i.InterfaceID}, map[string]string{"Name": "first"})
	wantCode(t, err, "")
	tags := must[[]controlplane.ResourceTag](t)(l.p.Tags(ctx, l.c, []controlplane.Filter{{Name: "resource-type", Values: []string{"network-interface"}}}))
	if len(tags) != 1 || tags[0].ResourceID != i.InterfaceID {
		t.Errorf("%+v", tags)
	}
	_, _, err = l.p.TerminateInstances(ctx, l.c, []string{i.ID})
	wantCode(t, err, "")
	l.state(t, i.ID, trellis.InstanceTerminated)
	_, err = l.p.NetworkInterfaces(ctx, l.c, controlplane.Query{IDs: []string{i.InterfaceID}})
	wantCode(t, err, "InvalidNetworkInterfaceID.NotFound")
	_, err = l.p.DeleteSubnet(ctx, l.c, l.subnet.ID)
	wantCode(t, err, "")
}

// TestLaunchWithInterfaces launches instances with interfaces that exist and new ones; what exists outlives them.
func TestLaunchWithInterfaces(t *testing.T) {
	l, ctx := newLab(t), t.Context()
	web := l.group(t, "web")
	kept, _, err := l.p.CreateNetworkInterface(ctx, l.c, controlplane.NewNetworkInterface{SubnetID: l.subnet.ID, SecurityGroupIDs: []string{web}, PrivateIP: "10.0.12.9"})
	wantCode(t, err, "")
	fresh := controlplane.NewNetworkInterface{SubnetID: l.subnet.ID, Description: "fresh", Tags: map[string]string{"Name": "fresh"}}
	launch := func(count int, want string, interfaces ...controlplane.InstanceInterface) []*trellis.Instance {
		t.Helper()
		out, _, err := l.p.RunInstances(ctx, l.c, controlplane.NewInstances{ImageID: "ami-0123456789abcdef0", MinCount: count, MaxCount: count, Interfaces: interfaces})
		wantCode(t, err, want)
		return out
	}
	launch(1, "InvalidParameterCombination", controlplane.InstanceInterface{ID: kept.ID, DeviceIndex: 1})
	launch(2, "InvalidParameterCombination", controlplane.InstanceInterface{ID: kept.ID})
	launch(1, "InvalidParameterCombination", controlplane.InstanceInterface{ID: kept.ID, NewNetworkInterface: fresh})
	launch(1, "InvalidParameterValue", controlplane.InstanceInterface{ID: kept.ID}, controlplane.InstanceInterface{NewNetworkInterface: fresh})
	launch(1, "MissingParameter", controlplane.InstanceInterface{ID: kept.ID}, controlplane.InstanceInterface{DeviceIndex: 1})
	launch(1, "InvalidNetworkInterface.InUse", controlplane.InstanceInterface{ID: kept.ID}, controlplane.InstanceInterface{ID: kept.ID, DeviceIndex: 1})
	launch(1, "AttachmentLimitExceeded", make([]controlplane.InstanceInterface, controlplane.MaxInterfaces+1)...)
	i := launch(1, "", controlplane.InstanceInterface{NewNetworkInterface: fresh, DeviceIndex: 1}, controlplane.InstanceInterface{ID: kept.ID})[0]
	if i.PrivateIP.String() != "10.0.12.9" || i.InterfaceID != kept.ID || i.SecurityGroupIDs[0] != web {
		t.Errorf("%+v", i)
	}
	launch(1, "InvalidNetworkInterface.InUse", controlplane.InstanceInterface{ID: kept.ID})
	both := launch(2, "", controlplane.InstanceInterface{NewNetworkInterface: controlplane.NewNetworkInterface{SubnetID: l.subnet.ID, SecondaryCount: 1}, DeleteOnTermination: new(false)})
	if got := l.nics(t, "description", "fresh"); len(got) != 1 || l.nic(t, got[0]).Attachment.InstanceID != i.ID {
		t.Errorf("fresh: %v", got)
	}
	if all := l.nics(t, "subnet-id", l.subnet.ID); len(all) != 4 {
		t.Errorf("interfaces: %v", all)
	}
	ids := []string{i.ID, both[0].ID, both[1].ID}
	for _, id := range ids {
		l.state(t, id, trellis.InstanceRunning)
	}
	_, _, err = l.p.TerminateInstances(ctx, l.c, ids)
	wantCode(t, err, "")
	for _, id := range ids {
		l.state(t, id, trellis.InstanceTerminated)
	}
	left := l.nics(t, "status", "available")
	want := []string{kept.ID, both[0].InterfaceID, both[1].InterfaceID}
	slices.Sort(want)
	if !slices.Equal(left, want) {
		t.Errorf("%v are left, not %v", left, want)
	}
}

// TestInterfacesOfOthers asks to change what belongs to a VPC endpoint.
func TestInterfacesOfOthers(t *testing.T) {
	l, ctx := newLab(t), t.Context()
	put(t, shared, &trellis.VPCEndpoint{Meta: trellis.Meta{Account: l.vpc.Account, ID: trellis.NewID("vpce")}, VPCID: l.vpc.ID, Interfaces: []trellis.NetworkInterface{
		{ID: "eni-0123456789abcdef0", SubnetID: l.subnet.ID, IPv4: netip.MustParseAddr("10.0.12.7")}}})
	const id = "eni-0123456789abcdef0"
	if got := l.nic(t, id); !got.Managed || got.Status() != "in-use" || got.Type != "vpc_endpoint" {
		t.Errorf("%+v", got)
	}
	_, err := l.p.DeleteNetworkInterface(ctx, l.c, id)
	wantCode(t, err, "InvalidParameterValue")
	_, err = l.p.ModifyNetworkInterface(ctx, l.c, "ModifyNetworkInterfaceAttribute", id, controlplane.InterfaceChange{Description: new("mine")})
	wantCode(t, err, "AuthFailure")
	_, _, err = l.p.AttachNetworkInterface(ctx, l.c, id, "i-00000000000000000", 1)
	wantCode(t, err, "AuthFailure")
	_, err = l.p.CreateTags(ctx, l.c, []string{id}, map[string]string{"a": "b"})
	wantCode(t, err, "AuthFailure")
	if d, err := l.p.NetworkInterface(ctx, l.c, id); err != nil || d.ID != id {
		t.Error(d, err)
	}
}

// TestRoutesToInterfaces leads routes to an interface that no instance has yet.
func TestRoutesToInterfaces(t *testing.T) {
	l, ctx := newLab(t), t.Context()
	n, _, err := l.p.CreateNetworkInterface(ctx, l.c, controlplane.NewNetworkInterface{SubnetID: l.subnet.ID})
	wantCode(t, err, "")
	route := controlplane.RouteRequest{Table: l.main(t).ID, CIDR: "0.0.0.0/0", Targets: []string{n.ID}}
	_, err = l.p.CreateRoute(ctx, l.c, route)
	wantCode(t, err, "")
	last := func() controlplane.DescribedRoute { r := l.main(t).AllRoutes; return r[len(r)-1] }
	if r := last(); r.State != "blackhole" || r.Network != n.ID || r.Instance != "" {
		t.Errorf("%+v", r)
	}
	i := must[[]*trellis.Instance](t)(l.run(t, controlplane.NewInstances{}))[0]
	_, _, err = l.p.AttachNetworkInterface(ctx, l.c, n.ID, i.ID, 1)
	wantCode(t, err, "")
	if r := last(); r.State != "active" || r.Network != n.ID || r.Instance != i.ID {
		t.Errorf("%+v", r)
	}
}

// TestLaunchLimits launches instances with more than an account or an instance may have.
func TestLaunchLimits(t *testing.T) {
	l := newLab(t)
	few := controlplane.New(controlplane.Options{Store: shared, Region: region, Quotas: quota.Limits{Others: map[quota.ID]int{quota.NetworkInterfaces: 3}}})
	stored := controlplane.InstanceInterface{NewNetworkInterface: controlplane.NewNetworkInterface{SubnetID: l.subnet.ID}, DeviceIndex: 1}
	first := controlplane.InstanceInterface{NewNetworkInterface: controlplane.NewNetworkInterface{SubnetID: l.subnet.ID}}
	disks := func(n int) (all []controlplane.InstanceVolume) {
		for i := range n {
			all = append(all, controlplane.InstanceVolume{Device: fmt.Sprint("/dev/sd", i), NewVolume: controlplane.NewVolume{VolumeShape: trellis.VolumeShape{Size: 1}}})
		}
		return all
	}
	for _, x := range []struct {
		what  string
		count int
		in    controlplane.NewInstances
		want  string
	}{
		{"as many interfaces as are left", 2, controlplane.NewInstances{Interfaces: []controlplane.InstanceInterface{first, stored}}, ""},
		{"one interface too many", 2, controlplane.NewInstances{Interfaces: []controlplane.InstanceInterface{first, stored}}, "NetworkInterfaceLimitExceeded"},
		{"interfaces that the instances imply", 2, controlplane.NewInstances{Interfaces: []controlplane.InstanceInterface{first}}, ""},
		{"too many volumes of one", 1, controlplane.NewInstances{Interfaces: []controlplane.InstanceInterface{first}, Volumes: disks(128)}, "AttachmentLimitExceeded"},
		{"too many volumes of all", 100, controlplane.NewInstances{Interfaces: []controlplane.InstanceInterface{first}, Volumes: disks(50)}, "VolumeLimitExceeded"},
		{"as many volumes as one may have", 1, controlplane.NewInstances{Interfaces: []controlplane.InstanceInterface{first}, Volumes: disks(127)}, ""},
	} {
		x.in.ImageID, x.in.MinCount, x.in.MaxCount = "ami-0123456789abcdef0", x.count, x.count
		_, _, err := few.RunInstances(t.Context(), l.c, x.in)
		if got := code(t, err); got != x.want {
			t.Errorf("%s: %v, want %q", x.what, err, x.want)
		}
	}
}
