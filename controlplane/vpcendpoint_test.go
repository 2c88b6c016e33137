package controlplane_test

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/controlplane"
	"github.com/trellis-project/trellis/store"
)

// endpoint makes a VPC endpoint of the depot's network or, when configuration is not empty, of a resource configuration,
// and waits until it leaves pending.
func (d *depot) endpoint(t testing.TB, configuration string, subnets ...string) *trellis.VPCEndpoint {
	t.Helper()
	in := controlplane.NewVPCEndpoint{Type: trellis.ServiceNetworkEndpoint, VPCID: d.vpc.ID, ServiceNetworkARN: d.network.ARN(region), SubnetIDs: subnets}
	if configuration != "" {
		in.Type, in.ServiceNetworkARN, in.ConfigurationARN = trellis.ResourceEndpoint, "", configuration
	}
	e, _, err := d.p.CreateVPCEndpoint(t.Context(), d.c, in)
	if err != nil {
		t.Fatal(err)
	}
	if e.State != trellis.EndpointPending {
		t.Errorf("CreateVpcEndpoint answers %s", e.State)
	}
	return d.settled(t, e.ID)
}

// settled waits until an endpoint is neither pending nor changing.
func (d *depot) settled(t testing.TB, id string) (e *trellis.VPCEndpoint) {
	t.Helper()
	await(t, "the endpoint", func() bool {
		all := must[[]*controlplane.DescribedEndpoint](t)(d.p.VPCEndpoints(t.Context(), d.c, controlplane.Query{IDs: []string{id}}))
		e = all[0].VPCEndpoint
		return e.State != trellis.EndpointPending && !e.Changing
	})
	return e
}

// wide makes a subnet with room, 10.0.n.0/24.
func (d *depot) wide(t testing.TB, n int) *trellis.Subnet {
	t.Helper()
	s, _, err := d.p.CreateSubnet(t.Context(), d.c, controlplane.NewSubnet{VPCID: d.vpc.ID, CIDR: fmt.Sprintf("10.0.%d.0/24", n), AvailabilityZone: region + "b"})
	wantCode(t, err, "")
	return s
}

// led are the addresses of an endpoint's resources, by configuration.
func led(t testing.TB, e *trellis.VPCEndpoint) map[string][]trellis.SubnetAddress {
	t.Helper()
	out := map[string][]trellis.SubnetAddress{}
	err := shared.Read(t.Context(), func(tx *store.Tx) error {
		all, err := store.List[*trellis.EndpointAddress](tx, e.Key()+"/")
		for _, a := range all {
			out[a.Configuration.ID] = a.Addresses
		}
		return err
	})
	wantCode(t, err, "")
	return out
}

// TestServiceNetworkEndpoint follows the resources of a network at its endpoint: those that were there, those that come
// and those that go, and then the endpoint itself.
func TestServiceNetworkEndpoint(t *testing.T) {
	d := newDepot(t)
	ctx := t.Context()
	one, two := d.wide(t, 20), d.wide(t, 21)
	db := d.configure(t, d.single("db-1"))
	d.associate(t, db.ID)
	s, _, err := d.p.CreateService(ctx, d.c.Caller, "", trellis.Service{Name: "orders", CustomDomainName: "orders.example.com"})
	wantCode(t, err, "")
	sa, _, err := d.p.CreateServiceAssociation(ctx, d.c.Caller, "", s.ID, d.network.ID, nil)
	wantCode(t, err, "")

	e := d.endpoint(t, "", one.ID, two.ID)
	if e.State != trellis.EndpointAvailable || len(e.Interfaces) != 2 || len(e.SecurityGroupIDs) != 1 {
		t.Errorf("%+v", e)
	}
	if got := led(t, e)[db.ID]; len(got) != 2 || got[0].Address != netip.MustParseAddr("10.0.20.5") || got[1].SubnetID != two.ID {
		t.Errorf("the addresses of db-1 are %v", got)
	}
	g := d.group(t, "caches", "cache-a")
	a := d.associate(t, g.ID)
	child := d.child(t, g, "cache-b")
	seen := map[netip.Addr]bool{}
	for _, n := range e.Interfaces {
		seen[n.IPv4] = true
	}
	for id, addresses := range led(t, e) {
		for _, at := range addresses {
			if seen[at.Address] {
				t.Errorf("%s: %s is there twice", id, at.Address)
			}
			seen[at.Address] = true
		}
	}
	if len(seen) != 2+3*2 {
		t.Errorf("%d addresses: %v", len(seen), led(t, e))
	}
	leads := must[[]controlplane.EndpointLead](t)(d.p.EndpointLeads(ctx, d.c, controlplane.Query{IDs: []string{e.ID}}))
	names := map[string]string{}
	for _, l := range leads {
		if !l.Accessible || l.Network.ID != d.network.ID {
			t.Errorf("%+v", l)
		}
		names[l.ResourceARN] = l.Name
	}
	if len(leads) != 4 || names[s.ARN(region)] != e.ID+"-"+sa.ID+".7d67968.vpc-lattice-svcs.eu-west-1.on.aws" ||
		names[child.ARN(region)] != e.ID+"-"+d.associations(t)["cache-b"].ID+"."+child.ID+".4232ccc.vpc-lattice-rsc.eu-west-1.on.aws" {
		t.Errorf("%v", names)
	}
	list, _, err := d.p.ListEndpointAssociations(ctx, d.c.Caller, d.network.ID, controlplane.Page{})
	if err != nil || len(list) != 1 || list[0].AssociationID != e.AssociationID {
		t.Errorf("%v %v", list, err)
	}

	_, _, err = d.p.DeleteResourceAssociation(ctx, d.c.Caller, a.ID)
	wantCode(t, err, "")
	await(t, "the end of the group's addresses", func() bool { return len(led(t, e)) == 1 })
	_, err = d.p.DeleteSubnet(ctx, d.c, two.ID)
	wantCode(t, err, "DependencyViolation")
	nics := must[[]controlplane.DescribedInterface](t)(d.p.NetworkInterfaces(ctx, d.c, controlplane.Query{Filters: []controlplane.Filter{{Name: "subnet-id", Values: []string{two.ID, d.subnet.ID}}}}))
	if len(nics) != 2 || nics[0].Type == nics[1].Type {
		t.Errorf("%+v", nics)
	}
	_, err = d.p.DeleteServiceNetwork(ctx, d.c.Caller, d.network.ID)
	wantCode(t, err, "ConflictException")

	failed, _, err := d.p.DeleteVPCEndpoints(ctx, d.c, []string{e.ID, "vpce-00000000000000000", "vpc-1"})
	if err != nil || len(failed) != 2 || failed["vpce-00000000000000000"].Code != "InvalidVpcEndpointId.NotFound" || failed["vpc-1"].Code != "InvalidVpcEndpointId.Malformed" {
		t.Errorf("%v %v", failed, err)
	}
	await(t, "the end of the endpoint", func() bool {
		_, err := d.p.VPCEndpoints(ctx, d.c, controlplane.Query{IDs: []string{e.ID}})
		return code(t, err) == "InvalidVpcEndpointId.NotFound"
	})
	if len(led(t, e)) != 0 {
		t.Error("addresses are left")
	}
	_, err = d.p.DeleteSubnet(ctx, d.c, two.ID)
	wantCode(t, err, "")
}

// TestModifyEndpoint moves an endpoint from one subnet to another, and to another security group.
func TestModifyEndpoint(t *testing.T) {
	d := newDepot(t)
	ctx := t.Context()
	one, two := d.wide(t, 20), d.wide(t, 21)
	db := d.configure(t, d.single("db-1"))
	d.associate(t, db.ID)
	e := d.endpoint(t, "", one.ID)
	before := led(t, e)[db.ID]
	group, _, err := d.p.CreateSecurityGroup(ctx, d.c, controlplane.NewSecurityGroup{VPCID: d.vpc.ID, Name: "clients", Description: "clients"})
	wantCode(t, err, "")
	_, err = d.p.ModifyVPCEndpoint(ctx, d.c, e.ID, controlplane.VPCEndpointChange{AddSubnets: []string{two.ID}, AddGroups: []string{group.ID}, RemoveGroups: e.SecurityGroupIDs, PrivateDNSEnabled: &yes})
	wantCode(t, err, "")
	e = d.settled(t, e.ID)
	if got := led(t, e)[db.ID]; len(got) != 2 || got[0] != before[0] || got[1].SubnetID != two.ID || !slices.Equal(e.SecurityGroupIDs, []string{group.ID}) || !e.PrivateDNSEnabled {
		t.Errorf("%v %+v", got, e)
	}
	_, err = d.p.DeleteSecurityGroup(ctx, d.c, group.ID)
	wantCode(t, err, "DependencyViolation")
	_, err = d.p.ModifyVPCEndpoint(ctx, d.c, e.ID, controlplane.VPCEndpointChange{RemoveSubnets: []string{one.ID}})
	wantCode(t, err, "")
	e = d.settled(t, e.ID)
	if got := led(t, e)[db.ID]; len(got) != 1 || got[0].SubnetID != two.ID {
		t.Errorf("%v", got)
	}
	_, err = d.p.DeleteSubnet(ctx, d.c, one.ID)
	wantCode(t, err, "")
	for _, ch := range []controlplane.VPCEndpointChange{{RemoveSubnets: []string{two.ID}}, {RemoveSubnets: []string{one.ID}}, {AddSubnets: []string{two.ID}}, {RemoveGroups: []string{group.ID}}} {
		if _, err := d.p.ModifyVPCEndpoint(ctx, d.c, e.ID, ch); err == nil {
			t.Errorf("%+v is taken", ch)
		}
	}
}

// TestFullEndpoint fills a subnet: what comes then is PARTIAL, and the endpoint says what it does not lead to.
func TestFullEndpoint(t *testing.T) {
	d := newDepot(t) // 10.0.12.0/28 has 11 addresses, of which the gateway has one
	ctx := t.Context()
	e := d.endpoint(t, "", d.subnet.ID)
	if _, err := d.run(t, controlplane.NewInstances{MinCount: 8, MaxCount: 8}); err != nil {
		t.Fatal(err)
	}
	a, b := d.configure(t, d.single("db-1")), d.configure(t, d.single("db-2"))
	if got := d.associate(t, a.ID); got.Status != trellis.StatusActive {
		t.Errorf("%+v", got.ResourceAssociation)
	}
	got := d.associate(t, b.ID)
	if got.Status != trellis.StatusPartial || got.FailureReason == "" || !got.Status.Carries() {
		t.Errorf("%+v", got.ResourceAssociation)
	}
	for _, l := range must[[]controlplane.EndpointLead](t)(d.p.EndpointLeads(ctx, d.c, controlplane.Query{IDs: []string{e.ID}})) {
		if l.Accessible != (l.ResourceARN == a.ARN(region)) || l.Accessible != (l.FailureReason == "") {
			t.Errorf("%+v", l)
		}
	}
	_, _, err := d.p.CreateVPCEndpoint(ctx, d.c, controlplane.NewVPCEndpoint{Type: trellis.ServiceNetworkEndpoint, VPCID: d.vpc.ID, ServiceNetworkARN: d.network.ARN(region), SubnetIDs: []string{d.subnet.ID}})
	wantCode(t, err, "InsufficientFreeAddressesInSubnet")
	room := d.wide(t, 20)
	for _, step := range []struct {
		change controlplane.VPCEndpointChange
		state  string
		a, b   int
	}{
		{controlplane.VPCEndpointChange{AddSubnets: []string{room.ID}}, trellis.EndpointPartial, 2, 1},
		{controlplane.VPCEndpointChange{RemoveSubnets: []string{d.subnet.ID}}, trellis.EndpointAvailable, 1, 1},
	} {
		_, err := d.p.ModifyVPCEndpoint(ctx, d.c, e.ID, step.change)
		wantCode(t, err, "")
		e = d.settled(t, e.ID)
		if at := led(t, e); e.State != step.state || len(at[a.ID]) != step.a || len(at[b.ID]) != step.b {
			t.Errorf("%+v: %s %v", step.change, e.State, at)
		}
	}
	if _, err := d.run(t, controlplane.NewInstances{MinCount: 1, MaxCount: 5}); err != nil {
		t.Fatal(err)
	}
	_, _, err = d.p.CreateResourceGateway(ctx, d.c.Caller, "", controlplane.NewResourceGateway{Name: "second", VPCID: d.vpc.ID, SubnetIDs: []string{d.subnet.ID}})
	wantCode(t, err, "ValidationException")
}

// TestResourceEndpoint leads to one resource, which is at the endpoint's own address, and to a group, whose children have
// addresses of their own.
func TestResourceEndpoint(t *testing.T) {
	d := newDepot(t)
	ctx := t.Context()
	s := d.wide(t, 20)
	db := d.configure(t, d.single("db-1"))
	e := d.endpoint(t, db.ARN(region), s.ID)
	if got := led(t, e)[db.ID]; len(got) != 1 || got[0].Address != e.Interfaces[0].IPv4 {
		t.Errorf("%v", got)
	}
	leads := must[[]controlplane.EndpointLead](t)(d.p.EndpointLeads(ctx, d.c, controlplane.Query{IDs: []string{e.ID}}))
	if len(leads) != 1 || leads[0].Name != e.ID+"."+db.ID+".4232ccc.vpc-lattice-rsc.eu-west-1.on.aws" {
		t.Errorf("%+v", leads)
	}
	list, _, _, err := d.p.ListResourceEndpointAssociations(ctx, d.c.Caller, db.ID, controlplane.EndpointAssociationFilter{EndpointID: e.ID, Owner: e.Account}, controlplane.Page{})
	if err != nil || len(list) != 1 || list[0].ID != e.AssociationID {
		t.Fatalf("%v %v", list, err)
	}
	_, err = d.p.DeleteResourceConfiguration(ctx, d.c.Caller, db.ID)
	wantCode(t, err, "ConflictException")
	_, _, err = d.p.DeleteResourceEndpointAssociation(ctx, admin(t), list[0].ARN(region, e.Account))
	wantCode(t, err, "ResourceNotFoundException")
	_, _, err = d.p.DeleteResourceEndpointAssociation(ctx, d.c.Caller, list[0].ARN(region, e.Account))
	wantCode(t, err, "")
	if e = d.settled(t, e.ID); e.State != trellis.EndpointRejected {
		t.Errorf("%+v", e)
	}
	await(t, "the end of its address", func() bool { return len(led(t, e)) == 0 })
	_, err = d.p.DeleteResourceConfiguration(ctx, d.c.Caller, db.ID)
	wantCode(t, err, "")

	g := d.group(t, "caches", "cache-a")
	e = d.endpoint(t, g.ARN(region), s.ID)
	child := d.child(t, g, "cache-b")
	if got := led(t, e); len(got) != 2 || got[child.ID][0].Address == e.Interfaces[0].IPv4 {
		t.Errorf("%v", got)
	}
	_, _, err = d.p.CreateVPCEndpoint(ctx, d.c, controlplane.NewVPCEndpoint{Type: trellis.ResourceEndpoint, VPCID: d.vpc.ID, ConfigurationARN: child.ARN(region), SubnetIDs: []string{s.ID}})
	wantCode(t, err, "InvalidParameterValue")
	_, err = d.p.DeleteResourceConfiguration(ctx, d.c.Caller, child.ID)
	wantCode(t, err, "")
	await(t, "the end of the child's address", func() bool { return len(led(t, e)) == 1 })
}

// TestEndpointRefusals asks for endpoints that cannot be.
func TestEndpointRefusals(t *testing.T) {
	d := newDepot(t)
	s := d.wide(t, 20)
	db := d.configure(t, d.single("db-1"))
	stranger := newLab(t)
	limited := caller(t, d.c.Caller.Principal.Account, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["ec2:*","vpc-lattice:Get*"],"Resource":"*"}}`)
	network := controlplane.NewVPCEndpoint{Type: trellis.ServiceNetworkEndpoint, VPCID: d.vpc.ID, ServiceNetworkARN: d.network.ARN(region), SubnetIDs: []string{s.ID}}
	for name, c := range map[string]struct {
		change func(*controlplane.NewVPCEndpoint)
		caller *authpolicy.Caller
		want   string
	}{
		"another type":       {func(in *controlplane.NewVPCEndpoint) { in.Type = "Interface" }, nil, "UnsupportedOperation"},
		"no type":            {func(in *controlplane.NewVPCEndpoint) { in.Type = "" }, nil, "UnsupportedOperation"},
		"no network":         {func(in *controlplane.NewVPCEndpoint) { in.ServiceNetworkARN = "" }, nil, "MissingParameter"},
		"both":               {func(in *controlplane.NewVPCEndpoint) { in.ConfigurationARN = db.ARN(region) }, nil, "InvalidParameterCombination"},
		"no subnets":         {func(in *controlplane.NewVPCEndpoint) { in.SubnetIDs = nil }, nil, "MissingParameter"},
		"a subnet twice":     {func(in *controlplane.NewVPCEndpoint) { in.SubnetIDs = append(in.SubnetIDs, s.ID) }, nil, "DuplicateSubnetsInSameZone"},
		"another's subnet":   {func(in *controlplane.NewVPCEndpoint) { in.SubnetIDs = []string{stranger.subnet.ID} }, nil, "InvalidSubnetID.NotFound"},
		"no IPv6 there":      {func(in *controlplane.NewVPCEndpoint) { in.IPAddressType = trellis.DualStackAddresses }, nil, "InvalidParameter"},
		"an unknown network": {func(in *controlplane.NewVPCEndpoint) { in.ServiceNetworkARN += "0" }, nil, "InvalidParameterValue"},
		"another's VPC":      {func(*controlplane.NewVPCEndpoint) {}, stranger.c.Caller, "InvalidVpcID.NotFound"},
		"another's network": {func(in *controlplane.NewVPCEndpoint) {
			in.VPCID, in.SubnetIDs = stranger.vpc.ID, []string{stranger.subnet.ID}
		}, stranger.c.Caller, "InvalidParameterValue"},
		"no permission": {func(*controlplane.NewVPCEndpoint) {}, limited, "UnauthorizedOperation"},
	} {
		in := network
		c.change(&in)
		who := d.c
		if c.caller != nil {
			who.Caller = c.caller
		}
		if _, _, err := d.p.CreateVPCEndpoint(t.Context(), who, in); code(t, err) != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	network.ClientToken = "once"
	first, _, err := d.p.CreateVPCEndpoint(t.Context(), d.c, network)
	wantCode(t, err, "")
	again, _, err := d.p.CreateVPCEndpoint(t.Context(), d.c, network)
	if err != nil || again.ID != first.ID {
		t.Errorf("%v %v", again, err)
	}
	network.PrivateDNSEnabled = true
	_, _, err = d.p.CreateVPCEndpoint(t.Context(), d.c, network)
	wantCode(t, err, "IdempotentParameterMismatch")
	_, err = d.p.ModifyVPCEndpoint(t.Context(), stranger.c, first.ID, controlplane.VPCEndpointChange{PrivateDNSEnabled: &yes})
	wantCode(t, err, "InvalidVpcEndpointId.NotFound")
	failed, _, err := d.p.DeleteVPCEndpoints(t.Context(), stranger.c, []string{first.ID})
	if err != nil || len(failed) != 1 {
		t.Errorf("%v %v", failed, err)
	}
}

// TestEndpointOfSharedNetwork makes an endpoint of a network of another account, which sees it, and whose end of the
// share leaves it be.
func TestEndpointOfSharedNetwork(t *testing.T) {
	d := newDepot(t)
	ctx := t.Context()
	db := d.configure(t, d.single("db-1"))
	d.associate(t, db.ID)
	l := newLab(t)
	s := share(t, d.p, d.c.Caller, l.c.Caller, d.network.ARN(region))
	e, _, err := l.p.CreateVPCEndpoint(ctx, l.c, controlplane.NewVPCEndpoint{Type: trellis.ServiceNetworkEndpoint, VPCID: l.vpc.ID, ServiceNetworkARN: d.network.ARN(region),
		SubnetIDs: []string{l.subnet.ID}, IPAddressType: trellis.DualStackAddresses})
	wantCode(t, err, "")
	await(t, "two addresses", func() bool { return len(led(t, e.VPCEndpoint)[db.ID]) == 2 })
	for _, c := range []*authpolicy.Caller{d.c.Caller, l.c.Caller} {
		list, _, err := d.p.ListEndpointAssociations(ctx, c, d.network.ARN(region), controlplane.Page{})
		if err != nil || len(list) != 1 || list[0].ID != e.ID {
			t.Errorf("%v %v", list, err)
		}
	}
	if _, err := d.p.DeleteShare(ctx, d.c.Caller, s.ARN(region)); err != nil {
		t.Fatal(err)
	}
	list, _, err := d.p.ListEndpointAssociations(ctx, l.c.Caller, d.network.ARN(region), controlplane.Page{})
	if err != nil || len(list) != 1 {
		t.Errorf("%v %v", list, err)
	}
	db2 := d.configure(t, d.single("db-2"))
	d.associate(t, db2.ID)
	if got := led(t, e.VPCEndpoint); len(got) != 2 {
		t.Errorf("%v", got)
	}
}

// TestSubnetAddresses lets instances, gateways and endpoints take addresses of one subnet at the same time: none is taken
// twice.
func TestSubnetAddresses(t *testing.T) {
	d := newDepot(t)
	ctx := t.Context()
	s := d.wide(t, 20)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			_, _, err := d.p.RunInstances(ctx, d.c, controlplane.NewInstances{ImageID: "ami-0123456789abcdef0", SubnetID: s.ID, MinCount: 1, MaxCount: 1})
			if err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			_, _, err := d.p.CreateResourceGateway(ctx, d.c.Caller, "", controlplane.NewResourceGateway{Name: fmt.Sprint("to-data-", i), VPCID: d.vpc.ID, SubnetIDs: []string{s.ID}})
			if err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			_, _, err := d.p.CreateVPCEndpoint(ctx, d.c, controlplane.NewVPCEndpoint{Type: trellis.ServiceNetworkEndpoint, VPCID: d.vpc.ID, ServiceNetworkARN: d.network.ARN(region), SubnetIDs: []string{s.ID}})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	seen := map[netip.Addr]bool{}
	nics := must[[]controlplane.DescribedInterface](t)(d.p.NetworkInterfaces(ctx, d.c, controlplane.Query{Filters: []controlplane.Filter{{Name: "subnet-id", Values: []string{s.ID}}}}))
	for _, n := range nics {
		if seen[n.IPv4[0]] || !s.CIDR.Contains(n.IPv4[0]) {
			t.Errorf("%s is there twice", n.IPv4[0])
		}
		seen[n.IPv4[0]] = true
	}
	if len(seen) != 12 {
		t.Errorf("%d addresses, want 12", len(seen))
	}
	subnets := must[[]controlplane.DescribedSubnet](t)(d.p.Subnets(ctx, d.c, controlplane.Query{IDs: []string{s.ID}}))
	if subnets[0].AvailableAddresses != 251-12 {
		t.Errorf("%d addresses are free", subnets[0].AvailableAddresses)
	}
}

// TestPrivateDNS chooses for which domains an endpoint answers, and refuses one name by two ways.
func TestPrivateDNS(t *testing.T) {
	d := newDepot(t)
	ctx := t.Context()
	s := d.wide(t, 20)
	db := d.configure(t, d.single("db-1"))
	d.associate(t, db.ID)
	in := controlplane.NewVPCEndpoint{Type: trellis.ServiceNetworkEndpoint, VPCID: d.vpc.ID, ServiceNetworkARN: d.network.ARN(region), SubnetIDs: []string{s.ID}, PrivateDNSEnabled: true}
	for _, c := range []struct {
		preference string
		domains    []string
		want       string
	}{
		{"MINE", nil, "InvalidParameterValue"},
		{"ALL_DOMAINS", []string{"example.com"}, "InvalidParameterCombination"},
		{"SPECIFIED_DOMAINS_ONLY", nil, "InvalidParameterCombination"},
		{"SPECIFIED_DOMAINS_ONLY", []string{"a*.example.com"}, "InvalidParameterValue"},
		{"SPECIFIED_DOMAINS_ONLY", []string{"*.example.com", "db.example.org"}, ""},
	} {
		in.DNSPreference, in.DNSDomains = c.preference, c.domains
		if _, _, err := d.p.CreateVPCEndpoint(ctx, d.c, in); code(t, err) != c.want {
			t.Errorf("%s %v: %v, want %q", c.preference, c.domains, err, c.want)
		}
	}
	e := d.endpoint(t, db.ARN(region), s.ID)
	_, err := d.p.ModifyVPCEndpoint(ctx, d.c, e.ID, controlplane.VPCEndpointChange{PrivateDNSEnabled: &yes})
	wantCode(t, err, "InvalidParameter")
}
