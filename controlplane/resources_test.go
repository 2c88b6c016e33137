package controlplane_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/controlplane"
	"github.com/trellis-project/trellis/store"
)

// depot is a VPC with a resource gateway, and a network that its resources join.
type depot struct {
	*lab
	gateway *trellis.ResourceGateway
	network *trellis.ServiceNetwork
}

// newDepot makes a depot in an account of its own.
func newDepot(t testing.TB) *depot {
	t.Helper()
	d := &depot{lab: newLab(t)}
	var err error
	d.gateway, _, err = d.p.CreateResourceGateway(t.Context(), d.c.Caller, "", controlplane.NewResourceGateway{Name: "to-data", VPCID: d.vpc.ID, SubnetIDs: []string{d.subnet.ID}})
	wantCode(t, err, "")
	d.network, _, err = d.p.CreateServiceNetwork(t.Context(), d.c.Caller, "", trellis.ServiceNetwork{Name: "data", SharingEnabled: true})
	wantCode(t, err, "")
	return d
}

// yes is a true that can be pointed to.
var yes = true

// single asks for a resource of the depot at 10.0.12.5.
func (d *depot) single(name string) controlplane.NewResourceConfiguration {
	return controlplane.NewResourceConfiguration{Name: name, Type: trellis.SingleConfiguration, Gateway: d.gateway.ID, PortRanges: []string{"5432"},
		Definition: &controlplane.ResourceDefinition{Address: "10.0.12.5"}, AllowShareable: &yes}
}

// configure makes a resource configuration and waits until it is ACTIVE.
func (d *depot) configure(t testing.TB, in controlplane.NewResourceConfiguration) *controlplane.ResourceConfiguration {
	t.Helper()
	m, _, err := d.p.CreateResourceConfiguration(t.Context(), d.c.Caller, "", in)
	if err != nil {
		t.Fatal(err)
	}
	await(t, "ACTIVE", func() bool {
		m = must[*controlplane.ResourceConfiguration](t)(d.p.GetResourceConfiguration(t.Context(), d.c.Caller, m.ID))
		return m.Status == trellis.StatusActive
	})
	return m
}

// group makes a group with some children.
func (d *depot) group(t testing.TB, name string, children ...string) *controlplane.ResourceConfiguration {
	t.Helper()
	g := d.configure(t, controlplane.NewResourceConfiguration{Name: name, Type: trellis.GroupConfiguration, Gateway: d.gateway.ID, PortRanges: []string{"6379"}, AllowShareable: &yes})
	for _, child := range children {
		d.child(t, g, child)
	}
	return g
}

// child makes a child of a group.
func (d *depot) child(t testing.TB, g *controlplane.ResourceConfiguration, name string) *controlplane.ResourceConfiguration {
	t.Helper()
	return d.configure(t, controlplane.NewResourceConfiguration{Name: name, Type: trellis.ChildConfiguration, Group: g.ID, Definition: &controlplane.ResourceDefinition{DomainName: name + ".internal"}})
}

// associate puts a configuration into the depot's network, and waits until it is there.
func (d *depot) associate(t testing.TB, configuration string) *controlplane.ResourceAssociation {
	t.Helper()
	a, _, err := d.p.CreateResourceAssociation(t.Context(), d.c.Caller, "", configuration, d.network.ID, false, nil)
	wantCode(t, err, "")
	await(t, "the association", func() bool {
		a = must[*controlplane.ResourceAssociation](t)(d.p.GetResourceAssociation(t.Context(), d.c.Caller, a.ID))
		return a.Status != trellis.StatusCreateInProgress
	})
	return a
}

// associations lists those of the depot's network, by the names of their configurations, with those of children.
func (d *depot) associations(t testing.TB) map[string]*controlplane.ResourceAssociation {
	t.Helper()
	list, _, err := d.p.ListResourceAssociations(t.Context(), d.c.Caller, d.network.ID, "", true, controlplane.Page{})
	wantCode(t, err, "")
	out := map[string]*controlplane.ResourceAssociation{}
	for _, a := range list {
		out[a.Configuration.Name] = a
	}
	return out
}

// free tells whether a claim can be taken, without keeping it.
func free(t testing.TB, name string) bool {
	t.Helper()
	taken := false
	_, err := shared.Commit(t.Context(), func(tx *store.Tx) error {
		taken = tx.Claim(name, "the test") != nil
		if !taken {
			tx.Release(name)
		}
		return nil
	})
	wantCode(t, err, "")
	return !taken
}

// TestGroups follows a group's children in and out of a network, before and after they are made.
func TestGroups(t *testing.T) {
	d := newDepot(t)
	ctx := t.Context()
	g := d.group(t, "caches", "cache-a", "cache-b")
	a := d.associate(t, g.ID)
	if a.Address.IsValid() || a.DomainName(region) != "" {
		t.Errorf("a group's association has the address %s and the name %q", a.Address, a.DomainName(region))
	}
	c := d.child(t, g, "cache-c")
	all := d.associations(t)
	if len(all) != 4 {
		t.Fatalf("%v", all)
	}
	seen := map[netip.Addr]bool{}
	for name, child := range all {
		if name == "caches" {
			continue
		}
		if child.ParentID != a.ID || child.Status != trellis.StatusActive || !trellis.LatticePublicBlock.Contains(child.Address) || seen[child.Address] {
			t.Errorf("%s: %+v", name, child.ResourceAssociation)
		}
		seen[child.Address] = true
	}
	below := all["cache-a"]
	_, _, err := d.p.DeleteResourceAssociation(ctx, d.c.Caller, below.ID)
	wantCode(t, err, "ValidationException")
	_, _, err = d.p.CreateResourceAssociation(ctx, d.c.Caller, "", c.ID, d.network.ID, false, nil)
	wantCode(t, err, "ValidationException")
	for _, l := range []struct {
		network, configuration string
		children               bool
		want                   int
	}{{d.network.ID, "", false, 1}, {d.network.ID, "", true, 4}, {"", g.ID, false, 1}, {"", g.ID, true, 4}, {d.network.ID, g.ID, true, 4}, {"", c.ID, false, 1}} {
		list, _, err := d.p.ListResourceAssociations(ctx, d.c.Caller, l.network, l.configuration, l.children, controlplane.Page{})
		if err != nil || len(list) != l.want {
			t.Errorf("%+v: %d, %v", l, len(list), err)
		}
	}
	if n := must[*controlplane.Network](t)(d.p.GetServiceNetwork(ctx, d.c.Caller, d.network.ID)); n.Resources != 1 {
		t.Errorf("the network has %d resources", n.Resources)
	}

	_, err = d.p.DeleteResourceConfiguration(ctx, d.c.Caller, c.ID)
	wantCode(t, err, "")
	await(t, "the end of the child", func() bool {
		_, err := d.p.GetResourceConfiguration(ctx, d.c.Caller, c.ID)
		return code(t, err) == "ResourceNotFoundException"
	})
	if all = d.associations(t); len(all) != 3 {
		t.Errorf("%v", all)
	}
	_, _, err = d.p.DeleteResourceAssociation(ctx, d.c.Caller, a.ID)
	wantCode(t, err, "")
	await(t, "the end of the associations", func() bool { return len(d.associations(t)) == 0 })
	if !free(t, "resourceaddress/"+below.Address.String()) {
		t.Errorf("%s is not free", below.Address)
	}
	again := d.associate(t, g.ID)
	if all = d.associations(t); len(all) != 3 || all["cache-a"].ParentID != again.ID {
		t.Errorf("%v", all)
	}
}

// TestResourceAddresses makes 50 associations at once: each has an address of its own, in the form of both families.
func TestResourceAddresses(t *testing.T) {
	d := newDepot(t)
	const n = 50
	ids := make([]string, n)
	for i := range n {
		m, _, err := d.p.CreateResourceConfiguration(t.Context(), d.c.Caller, "", d.single(fmt.Sprint("db-", i)))
		wantCode(t, err, "")
		ids[i] = m.ID
	}
	var wg sync.WaitGroup
	for _, id := range ids {
		wg.Go(func() {
			if _, _, err := d.p.CreateResourceAssociation(t.Context(), d.c.Caller, "", id, d.network.ID, false, nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	seen := map[netip.Addr]bool{}
	for name, a := range d.associations(t) {
		v4, v6 := a.Addrs()
		low := v6.As16()
		if seen[v4] || !trellis.LatticePublicBlock.Contains(v4) || !trellis.LatticeBlock6.Contains(v6) || netip.AddrFrom4([4]byte(low[12:])) != v4 {
			t.Errorf("%s: %s and %s", name, v4, v6)
		}
		seen[v4] = true
	}
	if len(seen) != n {
		t.Errorf("%d addresses, want %d", len(seen), n)
	}
}

// TestOneName races ten creators of the same names: one of each wins.
func TestOneName(t *testing.T) {
	d := newDepot(t)
	for what, create := range map[string]func() error{
		"configuration": func() error {
			_, _, err := d.p.CreateResourceConfiguration(t.Context(), d.c.Caller, "", d.single("one-db"))
			return err
		},
		"gateway": func() error {
			_, _, err := d.p.CreateResourceGateway(t.Context(), d.c.Caller, "", controlplane.NewResourceGateway{Name: "one", VPCID: d.vpc.ID, SubnetIDs: []string{d.subnet.ID}})
			return err
		},
		"verification": func() error {
			_, _, err := d.p.StartDomainVerification(t.Context(), d.c.Caller, "", "one.example.com", nil)
			return err
		},
	} {
		var wg sync.WaitGroup
		var mu sync.Mutex
		made := 0
		for range 10 {
			wg.Go(func() {
				err := create()
				mu.Lock()
				defer mu.Unlock()
				var refused *trellis.Error
				if err == nil {
					made++
				} else if !errors.As(err, &refused) || refused.Code != "ConflictException" {
					t.Errorf("%s: %v", what, err)
				}
			})
		}
		wg.Wait()
		if made != 1 {
			t.Errorf("%s: %d were made", what, made)
		}
	}
}

// TestResourceStranger calls every operation of resources with what another account owns: it does not exist.
func TestResourceStranger(t *testing.T) {
	d := newDepot(t)
	ctx := t.Context()
	m := d.configure(t, d.single("db-1"))
	a := d.associate(t, m.ID)
	v, _, err := d.p.StartDomainVerification(ctx, d.c.Caller, "", "stranger.example.com", nil)
	wantCode(t, err, "")
	who := admin(t)
	mine, _, err := d.p.CreateServiceNetwork(ctx, who, "", trellis.ServiceNetwork{Name: "mine"})
	wantCode(t, err, "")
	vpc, _, _ := newVPC(t, who, "10.0.0.0/16")
	gateway, config, association, verification := d.gateway.ARN(region), m.ARN(region), a.ARN(region, who.Principal.Account), v.ARN(region)
	for operation, call := range map[string]func() error{
		"CreateResourceConfiguration": func() error {
			in := d.single("stolen")
			in.Gateway = gateway
			_, _, err := d.p.CreateResourceConfiguration(ctx, who, "", in)
			return err
		},
		"CreateResourceGateway": func() error {
			_, _, err := d.p.CreateResourceGateway(ctx, who, "", controlplane.NewResourceGateway{Name: "stolen", VPCID: vpc, SubnetIDs: []string{d.subnet.ID}})
			return err
		},
		"CreateServiceNetworkResourceAssociation": func() error {
			_, _, err := d.p.CreateResourceAssociation(ctx, who, "", config, mine.ID, false, nil)
			return err
		},
		"DeleteDomainVerification":    func() error { _, err := d.p.DeleteDomainVerification(ctx, who, verification); return err },
		"DeleteResourceConfiguration": func() error { _, err := d.p.DeleteResourceConfiguration(ctx, who, config); return err },
		"DeleteResourceGateway":       func() error { _, _, err := d.p.DeleteResourceGateway(ctx, who, gateway); return err },
		"DeleteServiceNetworkResourceAssociation": func() error {
			_, _, err := d.p.DeleteResourceAssociation(ctx, who, association)
			return err
		},
		"GetDomainVerification":                func() error { _, err := d.p.GetDomainVerification(ctx, who, verification); return err },
		"GetResourceConfiguration":             func() error { _, err := d.p.GetResourceConfiguration(ctx, who, config); return err },
		"GetResourceGateway":                   func() error { _, err := d.p.GetResourceGateway(ctx, who, gateway); return err },
		"GetServiceNetworkResourceAssociation": func() error { _, err := d.p.GetResourceAssociation(ctx, who, association); return err },
		"ListResourceEndpointAssociations": func() error {
			_, _, _, err := d.p.ListResourceEndpointAssociations(ctx, who, config, controlplane.EndpointAssociationFilter{}, controlplane.Page{})
			return err
		},
		"ListServiceNetworkResourceAssociations": func() error {
			_, _, err := d.p.ListResourceAssociations(ctx, who, "", config, true, controlplane.Page{})
			return err
		},
		"ListServiceNetworkVpcEndpointAssociations": func() error {
			_, _, err := d.p.ListEndpointAssociations(ctx, who, d.network.ARN(region), controlplane.Page{})
			return err
		},
		"UpdateResourceConfiguration": func() error {
			_, _, err := d.p.UpdateResourceConfiguration(ctx, who, config, controlplane.ResourceConfigurationChange{AllowShareable: &yes})
			return err
		},
		"UpdateResourceGateway": func() error {
			_, _, err := d.p.UpdateResourceGateway(ctx, who, gateway, controlplane.ResourceGatewayChange{})
			return err
		},
	} {
		if got := code(t, call()); got != "ResourceNotFoundException" {
			t.Errorf("%s: %q", operation, got)
		}
	}
	for _, arn := range []string{gateway, config, a.ARN(region, d.c.Caller.Principal.Account), verification} {
		_, err := d.p.ListTagsForResource(ctx, who, arn)
		wantCode(t, err, "AccessDeniedException")
	}
	nobody := caller(t, who.Principal.Account, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"vpc-lattice:List*","Resource":"*"}}`)
	_, _, err = d.p.StartDomainVerification(ctx, nobody, "", "denied.example.com", nil)
	wantCode(t, err, "AccessDeniedException")
	for _, list := range []func() (int, error){
		func() (int, error) {
			l, _, err := d.p.ListResourceGateways(ctx, nobody, controlplane.Page{})
			return len(l), err
		},
		func() (int, error) {
			l, _, err := d.p.ListResourceConfigurations(ctx, nobody, controlplane.ConfigurationFilter{}, controlplane.Page{})
			return len(l), err
		},
		func() (int, error) {
			l, _, err := d.p.ListDomainVerifications(ctx, nobody, controlplane.Page{})
			return len(l), err
		},
	} {
		if n, err := list(); n != 0 || err != nil {
			t.Errorf("a stranger lists %d: %v", n, err)
		}
	}
}

// TestSharedResources shares a group: the consumer sees it with its children and puts it into a network of its own, and
// no other account may.
func TestSharedResources(t *testing.T) {
	d := newDepot(t)
	ctx := t.Context()
	g := d.group(t, "caches", "cache-a")
	child := d.child(t, g, "cache-b")
	consumer := admin(t)
	mine, _, err := d.p.CreateServiceNetwork(ctx, consumer, "", trellis.ServiceNetwork{Name: "mine"})
	wantCode(t, err, "")
	_, _, err = d.p.CreateShare(ctx, d.c.Caller, controlplane.NewShare{Name: "child", AllowExternalPrincipals: true, Resources: []string{child.ARN(region)}, Principals: []string{consumer.Principal.Account}})
	wantCode(t, err, "OperationNotPermittedException")
	s := share(t, d.p, d.c.Caller, consumer, g.ARN(region))

	list, _, err := d.p.ListResourceConfigurations(ctx, consumer, controlplane.ConfigurationFilter{}, controlplane.Page{})
	if err != nil || len(list) != 3 {
		t.Errorf("%v %v", list, err)
	}
	got, err := d.p.GetResourceConfiguration(ctx, consumer, child.ARN(region))
	if err != nil || got.GroupID != g.ID {
		t.Errorf("%v %v", got, err)
	}
	_, err = d.p.DeleteResourceConfiguration(ctx, consumer, g.ARN(region))
	wantCode(t, err, "AccessDeniedException")
	_, _, err = d.p.CreateResourceAssociation(ctx, consumer, "", g.ARN(region), d.network.ARN(region), false, nil)
	wantCode(t, err, "ResourceNotFoundException")
	a, _, err := d.p.CreateResourceAssociation(ctx, consumer, "", g.ARN(region), mine.ID, true, map[string]string{"team": "web"})
	wantCode(t, err, "")
	await(t, "ACTIVE", func() bool {
		return must[*controlplane.ResourceAssociation](t)(d.p.GetResourceAssociation(ctx, d.c.Caller, a.ID)).Status == trellis.StatusActive
	})
	all, _, err := d.p.ListResourceAssociations(ctx, d.c.Caller, "", g.ID, true, controlplane.Page{})
	if err != nil || len(all) != 3 || all[0].CreatedBy != consumer.Principal.Account {
		t.Errorf("%v %v", all, err)
	}
	if _, err := d.p.DeleteShare(ctx, d.c.Caller, s.ARN(region)); err != nil {
		t.Fatal(err)
	}
	_, err = d.p.GetResourceConfiguration(ctx, consumer, child.ARN(region))
	wantCode(t, err, "ResourceNotFoundException")
	_, err = d.p.GetResourceAssociation(ctx, consumer, a.ID) // what was associated stays so
	wantCode(t, err, "")
	_, _, err = d.p.DeleteResourceAssociation(ctx, d.c.Caller, a.ARN(region, d.c.Caller.Principal.Account)) // until the owner ends it
	wantCode(t, err, "")
	await(t, "the end", func() bool {
		_, err := d.p.GetResourceAssociation(ctx, consumer, a.ID)
		return code(t, err) == "ResourceNotFoundException"
	})
}

// TestResourceRestart leaves everything in progress, as a process does that ends at once: the next one finishes it.
func TestResourceRestart(t *testing.T) {
	d := newDepot(t)
	still := controlplane.New(controlplane.Options{Store: shared, Region: region}) // it never runs
	ctx := t.Context()
	c := admin(t)
	vpc, _, _ := newVPC(t, c, "10.0.0.0/16")
	s := &trellis.Subnet{Meta: trellis.Meta{Account: c.Principal.Account, ID: trellis.NewID("subnet")}, VPCID: vpc, CIDR: netip.MustParsePrefix("10.0.0.0/24"), AvailabilityZone: region + "a"}
	put(t, shared, s)
	g, _, err := still.CreateResourceGateway(ctx, c, "", controlplane.NewResourceGateway{Name: "to-data", VPCID: vpc, SubnetIDs: []string{s.ID}})
	wantCode(t, err, "")
	n, _, err := still.CreateServiceNetwork(ctx, c, "", trellis.ServiceNetwork{Name: "mesh"})
	wantCode(t, err, "")
	in := d.single("db-1")
	in.Gateway = g.ID
	m, _, err := still.CreateResourceConfiguration(ctx, c, "", in)
	wantCode(t, err, "")
	a, _, err := still.CreateResourceAssociation(ctx, c, "", m.ID, n.ID, false, nil)
	wantCode(t, err, "")
	// The Plane of the depot follows the store too: it stands for the next process.
	await(t, "ACTIVE", func() bool {
		now := must[*controlplane.ResourceAssociation](t)(d.p.GetResourceAssociation(ctx, c, a.ID))
		return now.Status == trellis.StatusActive && now.Address == a.Address
	})
}

// TestResourcePages lists configurations in pages while others come and go.
func TestResourcePages(t *testing.T) {
	d := newDepot(t)
	ctx := t.Context()
	var want []string
	for i := range 7 {
		want = append(want, d.configure(t, d.single(fmt.Sprint("db-", i))).ID)
	}
	slices.Sort(want)
	var got []string
	for next, page := "", 0; next != "" || page == 0; page++ {
		var list []*trellis.ResourceConfiguration
		var err error
		list, next, err = d.p.ListResourceConfigurations(ctx, d.c.Caller, controlplane.ConfigurationFilter{Gateway: d.gateway.ARN(region)}, controlplane.Page{Max: 2, After: next})
		wantCode(t, err, "")
		for _, m := range list {
			if slices.Contains(want, m.ID) {
				got = append(got, m.ID)
			}
		}
		d.configure(t, d.single(fmt.Sprint("more-", page)))
		if page > 20 {
			t.Fatal("the pages have no end")
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestResourceTags tags every kind of resource of this family.
func TestResourceTags(t *testing.T) {
	d := newDepot(t)
	ctx := t.Context()
	m := d.configure(t, d.single("db-1"))
	v, _, err := d.p.StartDomainVerification(ctx, d.c.Caller, "", "tags.example.com", nil)
	wantCode(t, err, "")
	for _, arn := range []string{d.gateway.ARN(region), m.ARN(region), v.ARN(region), d.associate(t, m.ID).ARN(region, d.c.Caller.Principal.Account)} {
		_, err := d.p.TagResource(ctx, d.c.Caller, arn, map[string]string{"team": "data"})
		wantCode(t, err, "")
		tags, err := d.p.ListTagsForResource(ctx, d.c.Caller, arn)
		if err != nil || tags["team"] != "data" {
			t.Errorf("%s: %v %v", arn, tags, err)
		}
		_, err = d.p.UntagResource(ctx, d.c.Caller, arn, []string{"team"})
		wantCode(t, err, "")
	}
}

// TestDomainVerification looks for TXT records: of one domain there is the right one, of the second a wrong one, and the
// third's time is over.
func TestDomainVerification(t *testing.T) {
	records := sync.Map{}
	var ahead sync.Map
	p := running(t, controlplane.Options{
		LookupTXT: func(_ context.Context, name string) ([]string, error) {
			if v, ok := records.Load(name); ok {
				return []string{"another", v.(string)}, nil
			}
			return nil, fmt.Errorf("no such host")
		},
		Now: func() time.Time {
			if _, ok := ahead.Load("late"); ok {
				return time.Now().Add(73 * time.Hour)
			}
			return time.Now()
		},
	})
	ctx := t.Context()
	c := admin(t)
	start := func(domain string) *trellis.DomainVerification {
		v, _, err := p.StartDomainVerification(ctx, c, "", domain, nil)
		wantCode(t, err, "")
		return v
	}
	status := func(id string) trellis.VerificationStatus {
		return must[*trellis.DomainVerification](t)(p.GetDomainVerification(ctx, c, id)).Status
	}
	good, bad := start("good.example.com"), start("bad.example.com")
	records.Store(good.TXTName+".good.example.com", good.TXTValue)
	records.Store(bad.TXTName+".bad.example.com", good.TXTValue)
	await(t, "VERIFIED", func() bool { return status(good.ID) == trellis.VerificationVerified })
	if status(bad.ID) != trellis.VerificationPending {
		t.Error("a wrong record verifies")
	}
	ahead.Store("late", true)
	await(t, "the end of the time", func() bool { return status(bad.ID) == trellis.VerificationTimedOut })
	for name, want := range map[string]bool{"good.example.com": true, "db.good.example.com": true, "notgood.example.com": false, "example.com": false} {
		if good.Covers(name) != want {
			t.Errorf("%s covers %s: %t", good.DomainName, name, !want)
		}
	}
	for _, domain := range []string{"", "x", "a b.com", "svc.vpc-lattice-svcs.eu-west-1.on.aws", strings.Repeat("a", 64) + ".com"} {
		_, _, err := p.StartDomainVerification(ctx, c, "", domain, nil)
		wantCode(t, err, "ValidationException")
	}
}

// TestVerifiedConfigurations names domain verifications in configurations: they must cover the name.
func TestVerifiedConfigurations(t *testing.T) {
	d := newDepot(t)
	ctx := t.Context()
	v, _, err := d.p.StartDomainVerification(ctx, d.c.Caller, "", "example.com", nil)
	wantCode(t, err, "")
	in := d.single("db-1")
	in.CustomDomainName, in.Verification = "db.example.org", v.ID
	_, _, err = d.p.CreateResourceConfiguration(ctx, d.c.Caller, "", in)
	wantCode(t, err, "ValidationException")
	in.CustomDomainName = "db.example.com"
	m := d.configure(t, in)
	if m.Verification == nil || m.Verification.ID != v.ID {
		t.Errorf("%+v", m)
	}
	list, _, err := d.p.ListResourceConfigurations(ctx, d.c.Caller, controlplane.ConfigurationFilter{Verification: v.ARN(region)}, controlplane.Page{})
	if err != nil || len(list) != 1 {
		t.Errorf("%v %v", list, err)
	}
	_, err = d.p.DeleteDomainVerification(ctx, d.c.Caller, v.ID)
	wantCode(t, err, "")
	if m, err := d.p.GetResourceConfiguration(ctx, d.c.Caller, m.ID); err != nil || m.Verification != nil {
		t.Errorf("%+v %v", m, err)
	}
}

// TestResourceQuotas meets each quota of this family.
func TestResourceQuotas(t *testing.T) {
	d := newDepot(t)
	ctx := t.Context()
	q := quota.Limits{Others: map[quota.ID]int{quota.ResourceGatewaysPerVPC: 1, quota.ChildrenPerGroup: 1, quota.ResourcesPerNetwork: 1, quota.DomainVerifications: 1}}
	p := controlplane.New(controlplane.Options{Store: shared, Region: region, Quotas: q})
	g := d.group(t, "caches", "cache-a")
	db := d.configure(t, d.single("db-1"))
	d.associate(t, g.ID)
	_, _, err := d.p.StartDomainVerification(ctx, d.c.Caller, "", "one.example.com", nil)
	wantCode(t, err, "")
	full := controlplane.New(controlplane.Options{Store: shared, Region: region, Quotas: quota.Limits{Others: map[quota.ID]int{quota.ResourceConfigurations: 3}}})
	for what, call := range map[string]func(c *authpolicy.Caller) error{
		"gateways": func(c *authpolicy.Caller) error {
			_, _, err := p.CreateResourceGateway(ctx, c, "", controlplane.NewResourceGateway{Name: "second", VPCID: d.vpc.ID, SubnetIDs: []string{d.subnet.ID}})
			return err
		},
		"children": func(c *authpolicy.Caller) error {
			_, _, err := p.CreateResourceConfiguration(ctx, c, "", controlplane.NewResourceConfiguration{Name: "cache-b", Type: trellis.ChildConfiguration, Group: g.ID,
				Definition: &controlplane.ResourceDefinition{DomainName: "b.internal"}})
			return err
		},
		"resources": func(c *authpolicy.Caller) error {
			_, _, err := p.CreateResourceAssociation(ctx, c, "", db.ID, d.network.ID, false, nil)
			return err
		},
		"verifications": func(c *authpolicy.Caller) error {
			_, _, err := p.StartDomainVerification(ctx, c, "", "two.example.com", nil)
			return err
		},
		"configurations": func(c *authpolicy.Caller) error {
			_, _, err := full.CreateResourceConfiguration(ctx, c, "", d.single("db-2"))
			return err
		},
	} {
		if err := call(d.c.Caller); code(t, err) != "ServiceQuotaExceededException" {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestStrictResources does at once what strict mode refuses until a status is ACTIVE.
func TestStrictResources(t *testing.T) {
	d := newDepot(t)
	ctx := t.Context()
	p := controlplane.New(controlplane.Options{Store: shared, Region: region, Strict: true})
	c := admin(t)
	vpc, _, _ := newVPC(t, c, "10.0.0.0/16")
	s := &trellis.Subnet{Meta: trellis.Meta{Account: c.Principal.Account, ID: trellis.NewID("subnet")}, VPCID: vpc, CIDR: netip.MustParsePrefix("10.0.0.0/24"), AvailabilityZone: region + "a"}
	beside := &trellis.Subnet{Meta: trellis.Meta{Account: c.Principal.Account, ID: trellis.NewID("subnet")}, VPCID: vpc, CIDR: netip.MustParsePrefix("10.0.1.0/24"), AvailabilityZone: region + "a"}
	g := &trellis.ResourceGateway{Meta: trellis.Meta{Account: c.Principal.Account, ID: trellis.NewID("rgw")}, VPCID: vpc, Status: trellis.StatusDeleteFailed, IPAddressType: trellis.IPv4Addresses}
	put(t, shared, s, beside, g)
	in := d.single("db-1")
	in.Gateway = g.ID
	_, _, err := p.CreateResourceConfiguration(ctx, c, "", in)
	wantCode(t, err, "ConflictException")
	n, _, err := p.CreateServiceNetwork(ctx, c, "", trellis.ServiceNetwork{Name: "mesh"})
	wantCode(t, err, "")
	_, _, err = p.CreateVPCEndpoint(ctx, controlplane.EC2Call{Caller: c}, controlplane.NewVPCEndpoint{Type: trellis.ServiceNetworkEndpoint, VPCID: vpc,
		ServiceNetworkARN: n.ARN(region), SubnetIDs: []string{s.ID, beside.ID}})
	wantCode(t, err, "DuplicateSubnetsInSameZone")
}
