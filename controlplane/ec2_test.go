package controlplane_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/controlplane"
	"github.com/trellis-project/trellis/store"
)

// lab is a VPC with a subnet, made through the operations.
type lab struct {
	c      controlplane.EC2Call
	p      *controlplane.Plane
	vpc    *trellis.VPC
	subnet *trellis.Subnet
}

// newLab makes a VPC 10.0.0.0/16 with the subnet 10.0.12.0/28 in an account of its own.
func newLab(t testing.TB) *lab {
	t.Helper()
	l := &lab{c: controlplane.EC2Call{Caller: admin(t)}, p: running(t, controlplane.Options{})}
	var err error
	if l.vpc, _, err = l.p.CreateVPC(t.Context(), l.c, controlplane.NewVPC{CIDR: "10.0.3.4/16", AmazonProvidedIPv6: true}); err != nil {
		t.Fatal(err)
	}
	v6 := fmt.Sprintf("%s/64", l.vpc.IPv6CIDR.Addr())
	if l.subnet, _, err = l.p.CreateSubnet(t.Context(), l.c, controlplane.NewSubnet{VPCID: l.vpc.ID, CIDR: "10.0.12.0/28", IPv6CIDR: v6}); err != nil {
		t.Fatal(err)
	}
	return l
}

// run makes instances.
func (l *lab) run(t testing.TB, in controlplane.NewInstances) ([]*trellis.Instance, error) {
	t.Helper()
	in.ImageID, in.SubnetID = "ami-0123456789abcdef0", l.subnet.ID
	if in.MaxCount == 0 {
		in.MinCount, in.MaxCount = 1, 1
	}
	out, _, err := l.p.RunInstances(t.Context(), l.c, in)
	return out, err
}

// state waits for the state of an instance.
func (l *lab) state(t testing.TB, id, want string) {
	t.Helper()
	await(t, "state "+want, func() bool {
		all := must[[]controlplane.DescribedInstance](t)(l.p.Instances(t.Context(), l.c, "DescribeInstances", controlplane.Query{IDs: []string{id}}))
		return all[0].State == want
	})
}

func TestVPCBlocks(t *testing.T) {
	p, c := running(t, controlplane.Options{}), controlplane.EC2Call{Caller: admin(t)}
	for cidr, want := range map[string]string{
		"10.0.0.0/16": "", "10.1.2.3/28": "", "10.0.0.0/15": "InvalidVpc.Range", "10.0.0.0/29": "InvalidVpc.Range", "169.254.0.0/16": "InvalidVpc.Range",
		"224.0.0.0/16": "InvalidVpc.Range", "10.0.0.0": "InvalidParameterValue", "fd00::/56": "InvalidParameterValue", "": "MissingParameter", "10.0.0.300/16": "InvalidParameterValue",
	} {
		v, _, err := p.CreateVPC(t.Context(), c, controlplane.NewVPC{CIDR: cidr})
		if got := code(t, err); got != want {
			t.Errorf("%q: got %q, want %q", cidr, got, want)
		}
		if err == nil && v.CIDR != v.CIDR.Masked() {
			t.Errorf("%q is kept as %s", cidr, v.CIDR)
		}
	}
	v, _, err := p.CreateVPC(t.Context(), c, controlplane.NewVPC{CIDR: "10.0.0.0/16", IPv6CIDR: "2600:1f14:1:100::/56"})
	if err != nil || v.IPv6CIDR.Bits() != 56 {
		t.Fatal(v, err)
	}
	_, b, _, err := p.AssociateVPCCIDR(t.Context(), c, v.ID, controlplane.NewVPC{CIDR: "10.1.0.0/16"})
	if err != nil {
		t.Fatal(err)
	}
	_, _, _, err = p.AssociateVPCCIDR(t.Context(), c, v.ID, controlplane.NewVPC{CIDR: "10.1.4.0/24"})
	wantCode(t, err, "InvalidVpc.Range")
	s, _, err := p.CreateSubnet(t.Context(), c, controlplane.NewSubnet{VPCID: v.ID, CIDR: "10.1.4.0/24", AvailabilityZone: region + "b"})
	if err != nil || s.AvailabilityZone != region+"b" {
		t.Fatal(s, err)
	}
	id := controlplane.CIDRAssociationID(v.ID, b)
	_, _, _, err = p.DisassociateVPCCIDR(t.Context(), c, id)
	wantCode(t, err, "InvalidCidrBlock.InUse")
	_, err = p.DeleteSubnet(t.Context(), c, s.ID)
	wantCode(t, err, "")
	_, _, _, err = p.DisassociateVPCCIDR(t.Context(), c, id)
	wantCode(t, err, "")
	_, _, _, err = p.DisassociateVPCCIDR(t.Context(), c, controlplane.CIDRAssociationID(v.ID, v.CIDR))
	wantCode(t, err, "OperationNotPermitted")
	_, _, _, err = p.DisassociateVPCCIDR(t.Context(), c, id)
	wantCode(t, err, "InvalidVpcCidrBlockAssociationID.NotFound")
}

func TestSubnetsLieInTheirVPC(t *testing.T) {
	l := newLab(t)
	for _, x := range []struct {
		in   controlplane.NewSubnet
		want string
	}{
		{controlplane.NewSubnet{VPCID: l.vpc.ID, CIDR: "10.0.12.8/29"}, "InvalidSubnet.Range"},
		{controlplane.NewSubnet{VPCID: l.vpc.ID, CIDR: "10.0.12.0/24"}, "InvalidSubnet.Conflict"},
		{controlplane.NewSubnet{VPCID: l.vpc.ID, CIDR: "10.1.0.0/24"}, "InvalidSubnet.Range"},
		{controlplane.NewSubnet{VPCID: l.vpc.ID, CIDR: "10.0.1.0/24", AvailabilityZone: "eu-west-1z"}, "InvalidParameterValue"},
		{controlplane.NewSubnet{VPCID: l.vpc.ID, CIDR: "10.0.1.0/24", IPv6CIDR: "fd12::/64"}, "InvalidSubnet.Range"},
		{controlplane.NewSubnet{VPCID: l.vpc.ID, CIDR: "10.0.1.0/24", IPv6CIDR: l.subnet.IPv6CIDR.String()}, "InvalidSubnet.Conflict"},
		{controlplane.NewSubnet{VPCID: "vpc-0123456789abcdef0", CIDR: "10.0.1.0/24"}, "InvalidVpcID.NotFound"},
		{controlplane.NewSubnet{VPCID: "network", CIDR: "10.0.1.0/24"}, "InvalidVpcID.Malformed"},
		{controlplane.NewSubnet{VPCID: l.vpc.ID}, "MissingParameter"},
		{controlplane.NewSubnet{VPCID: l.vpc.ID, CIDR: "10.0.1.0/24", AvailabilityZoneID: "euw1-az3"}, ""},
	} {
		_, _, err := l.p.CreateSubnet(t.Context(), l.c, x.in)
		if got := code(t, err); got != x.want {
			t.Errorf("%+v: got %q, want %q", x.in, got, x.want)
		}
	}
	all := must[[]controlplane.DescribedSubnet](t)(l.p.Subnets(t.Context(), l.c, controlplane.Query{Filters: []controlplane.Filter{{Name: "availability-zone", Values: []string{"*c"}}}}))
	if len(all) != 1 || all[0].AvailableAddresses != 251 {
		t.Errorf("subnets of zone c: %+v", all)
	}
}

// TestAccountsDoNotSeeEachOther asks for everything of one account as another.
func TestAccountsDoNotSeeEachOther(t *testing.T) {
	l := newLab(t)
	i := must[[]*trellis.Instance](t)(l.run(t, controlplane.NewInstances{}))[0]
	other := controlplane.EC2Call{Caller: admin(t)}
	ctx := t.Context()
	one := func(id string) controlplane.Query { return controlplane.Query{IDs: []string{id}} }
	_, err := l.p.VPCs(ctx, other, one(l.vpc.ID))
	wantCode(t, err, "InvalidVpcID.NotFound")
	_, err = l.p.Subnets(ctx, other, one(l.subnet.ID))
	wantCode(t, err, "InvalidSubnetID.NotFound")
	_, err = l.p.SecurityGroups(ctx, other, one(i.SecurityGroupIDs[0]), nil)
	wantCode(t, err, "InvalidGroup.NotFound")
	_, err = l.p.Instances(ctx, other, "DescribeInstances", one(i.ID))
	wantCode(t, err, "InvalidInstanceID.NotFound")
	_, _, err = l.p.TerminateInstances(ctx, other, []string{i.ID})
	wantCode(t, err, "InvalidInstanceID.NotFound")
	_, err = l.p.CreateTags(ctx, other, []string{l.vpc.ID}, map[string]string{"a": "b"})
	wantCode(t, err, "InvalidVpcID.NotFound")
	_, err = l.p.DeleteVPC(ctx, other, l.vpc.ID)
	wantCode(t, err, "InvalidVpcID.NotFound")
	vpcs := must[[]*trellis.VPC](t)(l.p.VPCs(ctx, other, controlplane.Query{}))
	instances := must[[]controlplane.DescribedInstance](t)(l.p.Instances(ctx, other, "DescribeInstances", controlplane.Query{}))
	if len(vpcs)+len(instances) != 0 {
		t.Errorf("another account sees %v %v", vpcs, instances)
	}
}

func TestPoliciesAndDryRun(t *testing.T) {
	p, account := running(t, controlplane.Options{}), newAccount()
	reader := controlplane.EC2Call{Caller: caller(t, account, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ec2:Describe*","Resource":"*"}}`)}
	_, _, err := p.CreateVPC(t.Context(), reader, controlplane.NewVPC{CIDR: "10.0.0.0/16"})
	wantCode(t, err, "UnauthorizedOperation")
	if !strings.Contains(err.Error(), "ec2:CreateVpc on resource: arn:aws:ec2:eu-west-1:"+account+":vpc/*") {
		t.Errorf("message: %v", err)
	}
	_, err = p.VPCs(t.Context(), reader, controlplane.Query{})
	wantCode(t, err, "")
	reader.DryRun = true
	_, err = p.VPCs(t.Context(), reader, controlplane.Query{})
	wantCode(t, err, "DryRunOperation")
	_, _, err = p.CreateVPC(t.Context(), reader, controlplane.NewVPC{CIDR: "10.0.0.0/16"})
	wantCode(t, err, "UnauthorizedOperation")
}

// TestPassRole runs an instance with a role that the caller may or may not hand to it.
func TestPassRole(t *testing.T) {
	l := newLab(t)
	account := l.c.Caller.Principal.Account
	put(t, shared, &trellis.Role{Meta: trellis.Meta{Account: account, ID: "AROAY"}, Name: "orders", Path: "/apps/"})
	for resource, want := range map[string]string{"role/apps/orders": "", "role/orders": "UnauthorizedOperation"} {
		l.c.Caller = caller(t, account, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ec2:*","Resource":"*"},
			{"Effect":"Allow","Action":"iam:PassRole","Resource":"`+trellis.IAMARN(account, resource)+`","Condition":{"StringEquals":{"iam:PassedToService":"ec2.amazonaws.com"}}}]}`)
		i, err := l.run(t, controlplane.NewInstances{ProfileARN: trellis.IAMARN(account, "instance-profile/orders")})
		wantCode(t, err, want)
		if err == nil && i[0].RoleARN != trellis.IAMARN(account, "role/apps/orders") {
			t.Errorf("role: %s", i[0].RoleARN)
		}
	}
}

func TestChosenIDs(t *testing.T) {
	p, c := running(t, controlplane.Options{}), controlplane.EC2Call{Caller: admin(t)}
	chosen := trellis.NewID("vpc")
	for id, want := range map[string]string{chosen: "", "vpc-0client" + trellis.RandomHex(10): "", "vpc-1": "InvalidParameterValue", trellis.NewID("subnet"): "InvalidParameterValue"} {
		v, _, err := p.CreateVPC(t.Context(), c, controlplane.NewVPC{CIDR: "10.0.0.0/16", Tags: map[string]string{controlplane.IDTag: id}})
		wantCode(t, err, want)
		if err == nil && v.ID != id {
			t.Errorf("asked for %s, got %s", id, v.ID)
		}
	}
	other := controlplane.EC2Call{Caller: admin(t)}
	again := controlplane.NewVPC{CIDR: "10.0.0.0/16", Tags: map[string]string{controlplane.IDTag: chosen}}
	_, _, err := p.CreateVPC(t.Context(), other, again)
	wantCode(t, err, "InvalidParameterValue")
	if _, err := p.DeleteVPC(t.Context(), c, chosen); err != nil {
		t.Fatal(err)
	}
	_, _, err = p.CreateVPC(t.Context(), other, again)
	wantCode(t, err, "")
}

// TestInstances runs, stops, starts and terminates instances of a subnet with eleven addresses.
func TestInstances(t *testing.T) {
	l := newLab(t)
	ctx := t.Context()
	first := must[[]*trellis.Instance](t)(l.run(t, controlplane.NewInstances{IPv6Count: 1, Tags: map[string]string{"Name": "orders"}}))[0]
	if first.State != trellis.InstancePending || first.PrivateIP.String() != "10.0.12.4" || !l.subnet.IPv6CIDR.Contains(first.IPv6) || len(first.SecurityGroupIDs) != 1 {
		t.Errorf("first instance: %+v", first)
	}
	l.state(t, first.ID, trellis.InstanceRunning)
	for _, x := range []struct {
		in   controlplane.NewInstances
		want string
	}{
		{controlplane.NewInstances{PrivateIP: "10.0.12.4"}, "InvalidIPAddress.InUse"},
		{controlplane.NewInstances{PrivateIP: "10.0.12.3"}, "InvalidParameterValue"},
		{controlplane.NewInstances{PrivateIP: "10.0.12.15"}, "InvalidParameterValue"},
		{controlplane.NewInstances{PrivateIP: "10.0.13.4"}, "InvalidParameterValue"},
		{controlplane.NewInstances{ProfileName: "nobody"}, "InvalidParameterValue"},
		{controlplane.NewInstances{SecurityGroupIDs: []string{"sg-0123456789abcdef0"}}, "InvalidGroup.NotFound"},
		{controlplane.NewInstances{MinCount: 11, MaxCount: 11}, "InsufficientFreeAddressesInSubnet"},
		{controlplane.NewInstances{MinCount: 2, MaxCount: 1}, "InvalidParameterValue"},
		{controlplane.NewInstances{MinCount: 1, MaxCount: 2, PrivateIP: "10.0.12.9"}, "InvalidParameterCombination"},
		{controlplane.NewInstances{PrivateIP: "10.0.12.5"}, ""},
	} {
		_, err := l.run(t, x.in)
		if got := code(t, err); got != x.want {
			t.Errorf("%+v: got %v, want %q", x.in, err, x.want)
		}
	}
	put(t, shared, &trellis.Role{Meta: trellis.Meta{Account: l.c.Caller.Principal.Account, ID: "AROAX"}, Name: "checkout", Path: "/"})
	rest := must[[]*trellis.Instance](t)(l.run(t, controlplane.NewInstances{MinCount: 1, MaxCount: 100, ClientToken: "once", ProfileName: "checkout"}))
	if len(rest) != 9 || rest[0].PrivateIP.String() != "10.0.12.6" || rest[8].PrivateIP.String() != "10.0.12.14" || rest[8].LaunchIndex != 8 {
		t.Errorf("%d instances fill the subnet: %+v", len(rest), rest)
	}
	again := must[[]*trellis.Instance](t)(l.run(t, controlplane.NewInstances{MinCount: 1, MaxCount: 100, ClientToken: "once", ProfileName: "checkout"}))
	if len(again) != 9 || again[3].ID != rest[3].ID {
		t.Errorf("the token made new instances: %+v", again)
	}
	_, err := l.run(t, controlplane.NewInstances{MinCount: 1, MaxCount: 2, ClientToken: "once"})
	wantCode(t, err, "IdempotentParameterMismatch")
	_, err = l.p.DeleteSubnet(ctx, l.c, l.subnet.ID)
	wantCode(t, err, "DependencyViolation")

	change, _, err := l.p.StopInstances(ctx, l.c, []string{first.ID})
	if err != nil || change[0] != (controlplane.StateChange{ID: first.ID, Previous: "running", Current: "stopping"}) {
		t.Error(change, err)
	}
	l.state(t, first.ID, trellis.InstanceStopped)
	_, _, err = l.p.StartInstances(ctx, l.c, []string{first.ID})
	wantCode(t, err, "")
	l.state(t, first.ID, trellis.InstanceRunning)
	on, off := true, false
	_, err = l.p.ModifyInstance(ctx, l.c, first.ID, controlplane.InstanceChange{DisableTermination: &on})
	wantCode(t, err, "")
	_, _, err = l.p.TerminateInstances(ctx, l.c, []string{rest[0].ID, first.ID})
	wantCode(t, err, "OperationNotPermitted")
	_, err = l.p.ModifyInstance(ctx, l.c, first.ID, controlplane.InstanceChange{DisableTermination: &off})
	wantCode(t, err, "")
	_, _, err = l.p.TerminateInstances(ctx, l.c, []string{first.ID})
	wantCode(t, err, "")
	l.state(t, first.ID, trellis.InstanceTerminated)
	_, _, err = l.p.StartInstances(ctx, l.c, []string{first.ID})
	wantCode(t, err, "IncorrectInstanceState")
	_, err = l.run(t, controlplane.NewInstances{PrivateIP: "10.0.12.4"})
	wantCode(t, err, "") // the address is free again
	_, _, err = l.p.StopInstances(ctx, l.c, []string{"i-0123456789abcdef0", "i-0123456789abcdef1"})
	wantCode(t, err, "InvalidInstanceID.NotFound")
	if !strings.Contains(fmt.Sprint(err), "i-0123456789abcdef0, i-0123456789abcdef1") {
		t.Errorf("both are to be named: %v", err)
	}
	nics := must[[]controlplane.DescribedInterface](t)(l.p.NetworkInterfaces(ctx, l.c, controlplane.Query{Filters: []controlplane.Filter{{Name: "subnet-id", Values: []string{l.subnet.ID}}}}))
	if len(nics) != 11 {
		t.Errorf("%d network interfaces, want 11", len(nics))
	}
}

// TestTerminatedInstancesAreSwept lets the clock of a second Plane run ahead.
func TestTerminatedInstancesAreSwept(t *testing.T) {
	l := newLab(t)
	i := must[[]*trellis.Instance](t)(l.run(t, controlplane.NewInstances{Tags: map[string]string{controlplane.IDTag: trellis.NewID("i")}}))[0]
	_, _, err := l.p.TerminateInstances(t.Context(), l.c, []string{i.ID})
	wantCode(t, err, "")
	l.state(t, i.ID, trellis.InstanceTerminated)
	running(t, controlplane.Options{Now: func() time.Time { return time.Now().Add(time.Hour) }})
	await(t, "the sweep", func() bool {
		_, err := l.p.Instances(t.Context(), l.c, "DescribeInstances", controlplane.Query{IDs: []string{i.ID}})
		return code(t, err) == "InvalidInstanceID.NotFound"
	})
	_, err = l.run(t, controlplane.NewInstances{Tags: map[string]string{controlplane.IDTag: i.ID}})
	wantCode(t, err, "") // the id is free again
}

// TestConcurrentRunsShareNoAddress runs instances from many goroutines into one subnet.
func TestConcurrentRunsShareNoAddress(t *testing.T) {
	l := newLab(t)
	var wg sync.WaitGroup
	errs := make([]error, 11)
	for n := range errs {
		wg.Go(func() { _, errs[n] = l.run(t, controlplane.NewInstances{}) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, i := range must[[]controlplane.DescribedInstance](t)(l.p.Instances(t.Context(), l.c, "DescribeInstances", controlplane.Query{})) {
		seen[i.PrivateIP.String()] = true
	}
	if len(seen) != 11 {
		t.Errorf("11 instances have %d addresses", len(seen))
	}
}

func TestDeleteVPCAsksForAnEmptyOne(t *testing.T) {
	l := newLab(t)
	ctx := t.Context()
	refused := func() {
		t.Helper()
		_, err := l.p.DeleteVPC(ctx, l.c, l.vpc.ID)
		wantCode(t, err, "DependencyViolation")
	}
	refused() // a subnet
	_, err := l.p.DeleteSubnet(ctx, l.c, l.subnet.ID)
	wantCode(t, err, "")
	g, _, err := l.p.CreateSecurityGroup(ctx, l.c, controlplane.NewSecurityGroup{VPCID: l.vpc.ID, Name: "clients", Description: "clients"})
	wantCode(t, err, "")
	refused() // a group
	n, _, err := l.p.CreateServiceNetwork(ctx, l.c.Caller, "", trellis.ServiceNetwork{Name: "mesh", SharingEnabled: true})
	wantCode(t, err, "")
	a, _, err := l.p.CreateVPCAssociation(ctx, l.c.Caller, "", n.ID, l.vpc.ID, trellis.VPCAssociation{SecurityGroupIDs: []string{g.ID}})
	wantCode(t, err, "")
	_, err = l.p.DeleteSecurityGroup(ctx, l.c, g.ID)
	wantCode(t, err, "DependencyViolation")
	tables := must[[]controlplane.DescribedRouteTable](t)(l.p.RouteTables(ctx, l.c, controlplane.Query{Filters: []controlplane.Filter{{Name: "route.gateway-id", Values: []string{"VpcLattice"}}, {Name: "association.main", Values: []string{"true"}}}}))
	if len(tables) != 1 || len(tables[0].AllRoutes) != 5 {
		t.Errorf("route tables: %+v", tables)
	}
	await(t, "the end of the association", func() bool {
		_, _, err := l.p.DeleteVPCAssociation(ctx, l.c.Caller, a.ID)
		return code(t, err) == "ResourceNotFoundException"
	})
	_, err = l.p.DeleteSecurityGroup(ctx, l.c, g.ID)
	wantCode(t, err, "")
	_, err = l.p.DeleteVPC(ctx, l.c, l.vpc.ID)
	wantCode(t, err, "")
	groups := must[[]*trellis.SecurityGroup](t)(l.p.SecurityGroups(ctx, l.c, controlplane.Query{}, nil))
	if len(groups) != 0 {
		t.Errorf("groups are left: %+v", groups)
	}
	_, err = l.p.VPCs(ctx, l.c, controlplane.Query{IDs: []string{l.vpc.ID}})
	wantCode(t, err, "InvalidVpcID.NotFound")
}

func TestPrefixLists(t *testing.T) {
	p, c := running(t, controlplane.Options{}), controlplane.EC2Call{Caller: admin(t)}
	ctx := t.Context()
	for range 2 {
		if err := p.Bootstrap(ctx); err != nil {
			t.Fatal(err)
		}
	}
	aws := must[[]*trellis.PrefixList](t)(p.PrefixLists(ctx, c, "DescribeManagedPrefixLists", controlplane.Query{Filters: []controlplane.Filter{{Name: "owner-id", Values: []string{"AWS"}}}}))
	names := []string{aws[0].Name, aws[1].Name}
	slices.Sort(names)
	if len(aws) != 2 || names[0] != "com.amazonaws.eu-west-1.ipv6.vpc-lattice" || names[1] != "com.amazonaws.eu-west-1.vpc-lattice" {
		t.Errorf("AWS's prefix lists: %v", names)
	}
	_, _, err := p.DeletePrefixList(ctx, c, aws[0].ID)
	wantCode(t, err, "UnauthorizedOperation")
	own, _, err := p.CreatePrefixList(ctx, c, controlplane.NewPrefixList{Name: "offices", AddressFamily: "IPv4", MaxEntries: 2, Entries: []controlplane.PrefixListChange{{CIDR: "10.1.2.3/8"}}})
	if err != nil || own.Entries[0].CIDR.String() != "10.0.0.0/8" {
		t.Fatal(own, err)
	}
	version := own.Version
	for _, x := range []struct {
		in   controlplane.PrefixListUpdate
		want string
	}{
		{controlplane.PrefixListUpdate{Add: []controlplane.PrefixListChange{{CIDR: "10.1.0.0/16"}}}, "MissingParameter"},
		{controlplane.PrefixListUpdate{CurrentVersion: &version, Add: []controlplane.PrefixListChange{{CIDR: "fd00::/8"}}}, "InvalidParameterValue"},
		{controlplane.PrefixListUpdate{CurrentVersion: &version, Remove: []controlplane.PrefixListChange{{CIDR: "11.0.0.0/8"}}}, "InvalidParameterValue"},
		{controlplane.PrefixListUpdate{CurrentVersion: &version, Add: []controlplane.PrefixListChange{{CIDR: "11.0.0.0/8"}, {CIDR: "12.0.0.0/8"}}}, "PrefixListMaxEntriesExceeded"},
		{controlplane.PrefixListUpdate{CurrentVersion: &version, Add: []controlplane.PrefixListChange{{CIDR: "11.0.0.0/8"}}}, ""},
		{controlplane.PrefixListUpdate{CurrentVersion: &version, Add: []controlplane.PrefixListChange{{CIDR: "11.0.0.0/8"}}}, "PrefixListVersionMismatch"},
	} {
		_, _, err := p.ModifyPrefixList(ctx, c, own.ID, x.in)
		if got := code(t, err); got != x.want {
			t.Errorf("%+v: got %v, want %q", x.in, err, x.want)
		}
	}
	_, err = p.PrefixList(ctx, controlplane.EC2Call{Caller: admin(t)}, own.ID)
	wantCode(t, err, "InvalidPrefixListID.NotFound")
}

func TestTags(t *testing.T) {
	l := newLab(t)
	ctx := t.Context()
	_, err := l.p.CreateTags(ctx, l.c, []string{l.vpc.ID, l.subnet.ID}, map[string]string{"stage": "prod", "empty": ""})
	wantCode(t, err, "")
	_, err = l.p.CreateTags(ctx, l.c, []string{l.vpc.ID}, map[string]string{"aws:x": "y"})
	wantCode(t, err, "InvalidParameterValue")
	_, err = l.p.CreateTags(ctx, l.c, []string{"thing-0123456789abcdef0"}, map[string]string{"x": "y"})
	wantCode(t, err, "InvalidID")
	many := map[string]string{}
	for n := range 50 {
		many[fmt.Sprint(n)] = ""
	}
	_, err = l.p.CreateTags(ctx, l.c, []string{l.vpc.ID}, many)
	wantCode(t, err, "TagLimitExceeded")
	other := "test"
	_, err = l.p.DeleteTags(ctx, l.c, []string{l.subnet.ID}, map[string]*string{"stage": &other, "empty": nil})
	wantCode(t, err, "")
	all := must[[]controlplane.ResourceTag](t)(l.p.Tags(ctx, l.c, []controlplane.Filter{{Name: "resource-type", Values: []string{"subnet"}}}))
	if len(all) != 1 || all[0].Key != "stage" || all[0].Value != "prod" {
		t.Errorf("tags: %+v", all)
	}
	for name, want := range map[string]int{"tag:stage": 1, "tag-key": 0} {
		vpcs := must[[]*trellis.VPC](t)(l.p.VPCs(ctx, l.c, controlplane.Query{Filters: []controlplane.Filter{{Name: name, Values: []string{"prod"}}}}))
		if len(vpcs) != want {
			t.Errorf("%s finds %d VPCs, want %d", name, len(vpcs), want)
		}
	}
	_, err = l.p.VPCs(ctx, l.c, controlplane.Query{Filters: []controlplane.Filter{{Name: "colour", Values: []string{"blue"}}}})
	wantCode(t, err, "InvalidParameterValue")
	if err := shared.Read(ctx, func(tx *store.Tx) error {
		v, err := store.Get[*trellis.VPC](tx, l.vpc.Key())
		if err == nil && v.Tags["empty"] != "" || len(v.Tags) != 2 {
			t.Errorf("stored tags: %v", v.Tags)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}
