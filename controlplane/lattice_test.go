package controlplane_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/controlplane"
)

// orders is the scenario of the guide: a network, a service, two target groups, a listener, both associations.
type orders struct {
	c                           *authpolicy.Caller
	vpc, instance, group        string
	network                     *trellis.ServiceNetwork
	service                     *trellis.Service
	v1, v2                      *controlplane.TargetGroup
	listener                    *trellis.Listener
	rule                        *trellis.Rule
	serviceAssociation, vpcLink string
}

// ipGroup is a target group of type IP in a VPC.
func ipGroup(name, vpc string) trellis.TargetGroup {
	return trellis.TargetGroup{Name: name, Type: trellis.TargetsIP, Port: 8080, Protocol: trellis.ProtocolHTTP, VPCID: vpc}
}

// forward is an action to target groups of equal weight.
func forward(groups ...string) trellis.Action {
	var a trellis.Action
	for _, g := range groups {
		a.Forward = append(a.Forward, trellis.WeightedTargetGroup{TargetGroupID: g, Weight: 100})
	}
	return a
}

// newOrders makes the scenario and waits until everything is ACTIVE.
func newOrders(t testing.TB, p *controlplane.Plane) *orders {
	t.Helper()
	ctx := t.Context()
	o := &orders{c: admin(t)}
	o.vpc, o.instance, o.group = newVPC(t, o.c, "10.0.0.0/16")
	var err error
	check := func() {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	o.network, _, err = p.CreateServiceNetwork(ctx, o.c, "", trellis.ServiceNetwork{Name: "platform-mesh", AuthType: trellis.AuthIAM, SharingEnabled: true})
	check()
	o.service, _, err = p.CreateService(ctx, o.c, "", trellis.Service{Name: "orders", AuthType: trellis.AuthIAM})
	check()
	if o.service.Status != trellis.StatusCreateInProgress {
		t.Errorf("CreateService answers %s", o.service.Status)
	}
	o.v1, _, err = p.CreateTargetGroup(ctx, o.c, "", ipGroup("orders-ip", o.vpc), nil)
	check()
	o.v2, _, err = p.CreateTargetGroup(ctx, o.c, "", ipGroup("orders-v2", o.vpc), nil)
	check()
	_, failed, _, err := p.RegisterTargets(ctx, o.c, o.v1.ID, []controlplane.TargetID{{ID: "10.0.12.31"}, {ID: "10.0.12.78", Port: 9090}})
	if err != nil || failed != nil {
		t.Fatal(failed, err)
	}
	o.listener, _, err = p.CreateListener(ctx, o.c, o.service.ARN(region), "", trellis.Listener{Name: "http", Protocol: trellis.ProtocolHTTP, DefaultAction: forward(o.v1.ARN(region))})
	check()
	o.rule, _, err = p.CreateRule(ctx, o.c, o.service.ID, o.listener.ARN(region), "", trellis.Rule{Name: "canary", Priority: 10,
		Match: trellis.HTTPMatch{Headers: []trellis.HeaderMatch{{Name: "x-release-channel", Exact: "canary"}}}, Action: forward(o.v2.ID)})
	check()
	sa, _, err := p.CreateServiceAssociation(ctx, o.c, "", o.service.ID, o.network.ARN(region), nil)
	check()
	va, _, err := p.CreateVPCAssociation(ctx, o.c, "", o.network.ID, o.vpc, trellis.VPCAssociation{SecurityGroupIDs: []string{o.group}})
	check()
	o.serviceAssociation, o.vpcLink = sa.ID, va.ID
	await(t, "ACTIVE", func() bool {
		s, err1 := p.GetService(ctx, o.c, o.service.ID)
		g1, err2 := p.GetTargetGroup(ctx, o.c, o.v1.ID)
		g2, err3 := p.GetTargetGroup(ctx, o.c, o.v2.ID)
		a, err4 := p.GetServiceAssociation(ctx, o.c, sa.ID)
		v, err5 := p.GetVPCAssociation(ctx, o.c, va.ID)
		if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
			t.Fatal(err)
		}
		for _, st := range []trellis.Status{s.Status, g1.Status, g2.Status, a.Status, v.Status} {
			if st != trellis.StatusActive {
				return false
			}
		}
		return true
	})
	return o
}

// TestOrders makes the guide's scenario and takes it apart again, in the order that AWS asks for.
func TestOrders(t *testing.T) {
	p := running(t, controlplane.Options{Draining: 50 * time.Millisecond})
	ctx := t.Context()
	o := newOrders(t, p)

	if o.listener.Port != 80 || o.listener.DefaultAction.Forward[0].TargetGroupID != o.v1.ID {
		t.Errorf("listener: %+v", o.listener)
	}
	n := must[*controlplane.Network](t)(p.GetServiceNetwork(ctx, o.c, o.network.ID))
	if n.VPCs != 1 || n.Services != 1 {
		t.Errorf("%d VPCs, %d services", n.VPCs, n.Services)
	}
	v := must[*controlplane.VPCAssociation](t)(p.GetVPCAssociation(ctx, o.c, o.vpcLink))
	if v.Slot != 32 {
		t.Errorf("slot %d", v.Slot)
	}
	g := must[*controlplane.TargetGroup](t)(p.GetTargetGroup(ctx, o.c, o.v1.ID))
	if len(g.ServiceARNs) != 1 || g.ServiceARNs[0] != o.service.ARN(region) {
		t.Errorf("services of the target group: %v", g.ServiceARNs)
	}
	want := trellis.HealthCheck{Enabled: true, Protocol: "HTTP", ProtocolVersion: "HTTP1", Path: "/", IntervalSeconds: 30, TimeoutSeconds: 5, HealthyThreshold: 5, UnhealthyThreshold: 2, Matcher: "200"}
	if *g.HealthCheck != want || g.IPAddressType != "IPV4" || g.ProtocolVersion != "HTTP1" {
		t.Errorf("defaults: %+v %+v", g, g.HealthCheck)
	}

	r, _, err := p.UpdateRule(ctx, o.c, o.service.ID, o.listener.ID, controlplane.RuleUpdate{Rule: "default",
		Action: &trellis.Action{Forward: []trellis.WeightedTargetGroup{{TargetGroupID: o.v1.ID, Weight: 90}, {TargetGroupID: o.v2.ID, Weight: 10}}}})
	if err != nil || !r.Default || len(r.Action.Forward) != 2 {
		t.Errorf("update of the default rule: %+v %v", r, err)
	}
	l := must[*trellis.Listener](t)(p.GetListener(ctx, o.c, o.service.ID, o.listener.ID))
	if len(l.DefaultAction.Forward) != 2 {
		t.Errorf("default action %+v", l.DefaultAction)
	}

	_, _, err = p.DeleteTargetGroup(ctx, o.c, o.v2.ID)
	wantCode(t, err, "ConflictException")
	_, _, err = p.DeleteService(ctx, o.c, o.service.ID)
	wantCode(t, err, "ConflictException")
	_, err = p.DeleteServiceNetwork(ctx, o.c, o.network.ID)
	wantCode(t, err, "ConflictException")

	done, failed, _, err := p.DeregisterTargets(ctx, o.c, o.v1.ID, []controlplane.TargetID{{ID: "10.0.12.31"}, {ID: "10.0.9.9"}})
	if err != nil || len(done) != 1 || len(failed) != 1 {
		t.Fatal(done, failed, err)
	}
	await(t, "the end of draining", func() bool {
		list, _, err := p.ListTargets(ctx, o.c, o.v1.ID, nil, controlplane.Page{})
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range list {
			if g.ID == "10.0.12.31" && g.Status != trellis.TargetDraining {
				t.Fatalf("a deregistered target is %s", g.Status)
			}
		}
		return len(list) == 1
	})

	sa, _, err := p.DeleteServiceAssociation(ctx, o.c, o.serviceAssociation)
	if err != nil || sa.Status != trellis.StatusDeleteInProgress {
		t.Fatal(sa, err)
	}
	_, _, err = p.DeleteVPCAssociation(ctx, o.c, o.vpcLink)
	wantCode(t, err, "")
	await(t, "the end of the associations", func() bool {
		_, err1 := p.GetServiceAssociation(ctx, o.c, o.serviceAssociation)
		_, err2 := p.GetVPCAssociation(ctx, o.c, o.vpcLink)
		return code(t, err1) == "ResourceNotFoundException" && code(t, err2) == "ResourceNotFoundException"
	})
	_, err = p.DeleteServiceNetwork(ctx, o.c, o.network.ID)
	wantCode(t, err, "")
	_, _, err = p.DeleteService(ctx, o.c, o.service.ID)
	wantCode(t, err, "")
	await(t, "the end of the service", func() bool {
		_, err := p.GetService(ctx, o.c, o.service.ID)
		return code(t, err) == "ResourceNotFoundException"
	})
	for _, g := range []string{o.v1.ID, o.v2.ID} {
		_, _, err = p.DeleteTargetGroup(ctx, o.c, g)
		wantCode(t, err, "")
		await(t, "the end of the target group", func() bool {
			_, err := p.GetTargetGroup(ctx, o.c, g)
			return code(t, err) == "ResourceNotFoundException"
		})
	}
	// Every name, port and domain is free again.
	if _, _, err := p.CreateService(ctx, o.c, "", trellis.Service{Name: "orders"}); err != nil {
		t.Error(err)
	}
}

// TestStatusFollowsTraffic holds the traffic side back: nothing is ACTIVE, and nothing gone, before it follows.
func TestStatusFollowsTraffic(t *testing.T) {
	release := make(chan struct{})
	p := running(t, controlplane.Options{Applied: func(ctx context.Context, rev trellis.Revision) error {
		select {
		case <-release:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}})
	c := admin(t)
	s, _, err := p.CreateService(t.Context(), c, "", trellis.Service{Name: "slow"})
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		got := must[*trellis.Service](t)(p.GetService(t.Context(), c, s.ID))
		if got.Status != trellis.StatusCreateInProgress {
			t.Fatalf("%s before the traffic side follows", got.Status)
		}
	}
	close(release)
	await(t, "ACTIVE", func() bool {
		return must[*trellis.Service](t)(p.GetService(t.Context(), c, s.ID)).Status == trellis.StatusActive
	})
}

// TestRestart leaves nouns in progress, stops, and starts another Plane: it finishes them.
func TestRestart(t *testing.T) {
	first := controlplane.New(controlplane.Options{Store: shared, Region: region}) // never runs
	c := admin(t)
	ctx := t.Context()
	vpc, _, _ := newVPC(t, c, "10.0.0.0/16")
	s, _, err := first.CreateService(ctx, c, "", trellis.Service{Name: "made"})
	wantCode(t, err, "")
	gone, _, err := first.CreateService(ctx, c, "", trellis.Service{Name: "gone"})
	wantCode(t, err, "")
	l, _, err := first.CreateListener(ctx, c, gone.ID, "", trellis.Listener{Name: "http", Protocol: "HTTP", DefaultAction: trellis.Action{FixedResponse: 404}})
	wantCode(t, err, "")
	for i := range 50 { // more than one batch
		_, _, err := first.CreateRule(ctx, c, gone.ID, l.ID, "", trellis.Rule{Name: fmt.Sprint("rule", i), Priority: i + 1, Action: trellis.Action{FixedResponse: 404}})
		wantCode(t, err, "")
	}
	_, _, err = first.DeleteService(ctx, c, gone.ID)
	wantCode(t, err, "")
	g, _, err := first.CreateTargetGroup(ctx, c, "", ipGroup("targets", vpc), nil)
	wantCode(t, err, "")

	second := running(t, controlplane.Options{})
	await(t, "what was left in progress", func() bool {
		a, err1 := second.GetService(ctx, c, s.ID)
		b, err2 := second.GetTargetGroup(ctx, c, g.ID)
		_, err3 := second.GetService(ctx, c, gone.ID)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		return a.Status == trellis.StatusActive && b.Status == trellis.StatusActive && code(t, err3) == "ResourceNotFoundException"
	})
	_, _, err = second.CreateService(ctx, c, "", trellis.Service{Name: "gone"})
	wantCode(t, err, "")
}

// TestReopen stops the store with a service being created and a target that drains, and opens it again.
func TestReopen(t *testing.T) {
	dir := t.TempDir()
	st, stop, err := open(dir)
	if err != nil {
		t.Fatal(err)
	}
	c := admin(t)
	ctx := t.Context()
	now := time.Now()
	target := &trellis.Target{Account: c.Principal.Account, TargetGroupID: "tg-00000000000000001", ID: "10.0.0.1", Port: 80, DrainingSince: &now}
	put(t, st, target, &trellis.TargetGroup{Meta: trellis.Meta{Account: c.Principal.Account, ID: target.TargetGroupID}, Type: "IP", Status: trellis.StatusActive})
	s, _, err := controlplane.New(controlplane.Options{Store: st, Region: region}).CreateService(ctx, c, "token", trellis.Service{Name: "kept"})
	wantCode(t, err, "")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if st, stop, err = open(dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	p := running(t, controlplane.Options{Store: st, Draining: 20 * time.Millisecond})
	await(t, "what was left in progress", func() bool {
		targets, _, err := p.ListTargets(ctx, c, target.TargetGroupID, nil, controlplane.Page{})
		if err != nil {
			t.Fatal(err)
		}
		return len(targets) == 0 && must[*trellis.Service](t)(p.GetService(ctx, c, s.ID)).Status == trellis.StatusActive
	})
	again, _, err := p.CreateService(ctx, c, "token", trellis.Service{Name: "kept"})
	if err != nil || again.ID != s.ID {
		t.Errorf("the client token is forgotten: %v %v", again, err)
	}
}

// TestConcurrentNames has many creations of one name, port and priority at once: exactly one wins each.
func TestConcurrentNames(t *testing.T) {
	p := running(t, controlplane.Options{})
	c := admin(t)
	ctx := t.Context()
	s, _, err := p.CreateService(ctx, c, "", trellis.Service{Name: "parent"})
	wantCode(t, err, "")
	l, _, err := p.CreateListener(ctx, c, s.ID, "", trellis.Listener{Name: "http", Protocol: "HTTP", DefaultAction: trellis.Action{FixedResponse: 404}})
	wantCode(t, err, "")
	fixed := trellis.Action{FixedResponse: 500}
	for name, create := range map[string]func(i int) error{
		"service": func(int) error {
			_, _, err := p.CreateService(ctx, c, "", trellis.Service{Name: "one-name"})
			return err
		},
		"network": func(int) error {
			_, _, err := p.CreateServiceNetwork(ctx, c, "", trellis.ServiceNetwork{Name: "one-name"})
			return err
		},
		"port": func(i int) error {
			_, _, err := p.CreateListener(ctx, c, s.ID, "", trellis.Listener{Name: fmt.Sprint("port", i), Protocol: "HTTP", Port: 8080, DefaultAction: fixed})
			return err
		},
		"priority": func(i int) error {
			_, _, err := p.CreateRule(ctx, c, s.ID, l.ID, "", trellis.Rule{Name: fmt.Sprint("prio", i), Priority: 7, Action: fixed})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			var wg sync.WaitGroup
			errs := make([]error, 8)
			for i := range errs {
				wg.Go(func() { errs[i] = create(i) })
			}
			wg.Wait()
			won := 0
			for _, err := range errs {
				switch code(t, err) {
				case "":
					won++
				case "ConflictException":
				default:
					t.Error(err)
				}
			}
			if won != 1 {
				t.Errorf("%d creations won", won)
			}
		})
	}
}

// TestClientToken repeats a creation: with the same parameters it is the same noun, with others an error.
func TestClientToken(t *testing.T) {
	p := running(t, controlplane.Options{})
	c := admin(t)
	ctx := t.Context()
	one, _, err := p.CreateService(ctx, c, "token", trellis.Service{Name: "once", Meta: trellis.Meta{Tags: map[string]string{"a": ""}}})
	wantCode(t, err, "")
	two, _, err := p.CreateService(ctx, c, "token", trellis.Service{Name: "once", Meta: trellis.Meta{Tags: map[string]string{"a": ""}}})
	wantCode(t, err, "")
	if one.ID != two.ID {
		t.Errorf("%s and %s", one.ID, two.ID)
	}
	_, _, err = p.CreateService(ctx, c, "token", trellis.Service{Name: "other"})
	wantCode(t, err, "ConflictException")
	if e := err.(*trellis.Error); e.ResourceID != one.ID { // both members are required by the model
		t.Errorf("the conflict names %q, want %s", e.ResourceID, one.ID)
	}
	other := admin(t)
	three, _, err := p.CreateService(ctx, other, "token", trellis.Service{Name: "once"})
	if err != nil || three.ID == one.ID {
		t.Errorf("the token of another account: %v %v", three, err)
	}
}

// TestIsolation has another account do everything with the resources of the scenario, by id and by ARN: each
// answer is the one for a resource that does not exist.
func TestIsolation(t *testing.T) {
	p := running(t, controlplane.Options{})
	ctx := t.Context()
	o := newOrders(t, p)
	_, _, err := p.PutAuthPolicy(ctx, o.c, o.service.ID, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}}`)
	wantCode(t, err, "")
	als, _, err := p.CreateAccessLogSubscription(ctx, o.c, "", o.service.ID, "arn:aws:logs:eu-west-1:"+o.c.Principal.Account+":log-group:orders", "", nil)
	wantCode(t, err, "")
	stranger := admin(t)
	account := o.c.Principal.Account

	type names struct{ service, network, group, listener, rule, serviceLink, vpcLink, subscription, vpc string }
	arn := func(resource string) string { return trellis.LatticeARN(region, account, resource) }
	byARN := names{o.service.ARN(region), o.network.ARN(region), o.v1.ARN(region), o.listener.ARN(region), o.rule.ARN(region),
		arn("servicenetworkserviceassociation/" + o.serviceAssociation), arn("servicenetworkvpcassociation/" + o.vpcLink), als.ARN(region), o.vpc}
	byID := names{o.service.ID, o.network.ID, o.v1.ID, o.listener.ID, o.rule.ID, o.serviceAssociation, o.vpcLink, als.ID, o.vpc}
	// nothing is names of the same form that never existed.
	r := strings.NewReplacer(o.service.ID, "svc-00000000000000000", o.network.ID, "sn-00000000000000000", o.v1.ID, "tg-00000000000000000",
		o.listener.ID, "listener-00000000000000000", o.rule.ID, "rule-00000000000000000", o.serviceAssociation, "snsa-00000000000000000",
		o.vpcLink, "snva-00000000000000000", als.ID, "als-00000000000000000", o.vpc, "vpc-00000000000000000")
	nothing := func(n names) names {
		return names{r.Replace(n.service), r.Replace(n.network), r.Replace(n.group), r.Replace(n.listener), r.Replace(n.rule),
			r.Replace(n.serviceLink), r.Replace(n.vpcLink), r.Replace(n.subscription), r.Replace(n.vpc)}
	}
	fixed := trellis.Action{FixedResponse: 404}
	target := []controlplane.TargetID{{ID: "10.0.0.9"}}
	mine, _, err := p.CreateServiceNetwork(ctx, stranger, "", trellis.ServiceNetwork{Name: "mine"})
	wantCode(t, err, "")
	operations := map[string]func(n names) error{
		"GetService": func(n names) error { _, err := p.GetService(ctx, stranger, n.service); return err },
		"UpdateService": func(n names) error {
			_, _, err := p.UpdateService(ctx, stranger, n.service, controlplane.ServiceChange{})
			return err
		},
		"DeleteService": func(n names) error { _, _, err := p.DeleteService(ctx, stranger, n.service); return err },
		"GetServiceNetwork": func(n names) error {
			_, err := p.GetServiceNetwork(ctx, stranger, n.network)
			return err
		},
		"UpdateServiceNetwork": func(n names) error {
			_, _, err := p.UpdateServiceNetwork(ctx, stranger, n.network, trellis.AuthNone)
			return err
		},
		"DeleteServiceNetwork": func(n names) error { _, err := p.DeleteServiceNetwork(ctx, stranger, n.network); return err },
		"CreateListener": func(n names) error {
			_, _, err := p.CreateListener(ctx, stranger, n.service, "", trellis.Listener{Name: "evil", Protocol: "HTTP", Port: 81, DefaultAction: fixed})
			return err
		},
		"GetListener": func(n names) error { _, err := p.GetListener(ctx, stranger, n.service, n.listener); return err },
		"UpdateListener": func(n names) error {
			_, _, err := p.UpdateListener(ctx, stranger, n.service, n.listener, fixed)
			return err
		},
		"DeleteListener": func(n names) error { _, err := p.DeleteListener(ctx, stranger, n.service, n.listener); return err },
		"ListListeners": func(n names) error {
			_, _, err := p.ListListeners(ctx, stranger, n.service, controlplane.Page{})
			return err
		},
		"CreateRule": func(n names) error {
			_, _, err := p.CreateRule(ctx, stranger, n.service, n.listener, "", trellis.Rule{Name: "evil", Priority: 1, Action: fixed})
			return err
		},
		"GetRule": func(n names) error { _, err := p.GetRule(ctx, stranger, n.service, n.listener, n.rule); return err },
		"UpdateRule": func(n names) error {
			_, _, err := p.UpdateRule(ctx, stranger, n.service, n.listener, controlplane.RuleUpdate{Rule: n.rule, Action: &fixed})
			return err
		},
		"BatchUpdateRule": func(n names) error {
			_, _, _, err := p.BatchUpdateRule(ctx, stranger, n.service, n.listener, []controlplane.RuleUpdate{{Rule: n.rule, Action: &fixed}})
			return err
		},
		"DeleteRule": func(n names) error { _, err := p.DeleteRule(ctx, stranger, n.service, n.listener, n.rule); return err },
		"ListRules": func(n names) error {
			_, _, err := p.ListRules(ctx, stranger, n.service, n.listener, controlplane.Page{})
			return err
		},
		"GetTargetGroup": func(n names) error { _, err := p.GetTargetGroup(ctx, stranger, n.group); return err },
		"UpdateTargetGroup": func(n names) error {
			_, _, err := p.UpdateTargetGroup(ctx, stranger, n.group, controlplane.HealthCheckSettings{})
			return err
		},
		"DeleteTargetGroup": func(n names) error { _, _, err := p.DeleteTargetGroup(ctx, stranger, n.group); return err },
		"CreateTargetGroup": func(n names) error {
			_, _, err := p.CreateTargetGroup(ctx, stranger, "", ipGroup("evil", n.vpc), nil)
			return err
		},
		"RegisterTargets": func(n names) error { _, _, _, err := p.RegisterTargets(ctx, stranger, n.group, target); return err },
		"DeregisterTargets": func(n names) error {
			_, _, _, err := p.DeregisterTargets(ctx, stranger, n.group, target)
			return err
		},
		"ListTargets": func(n names) error {
			_, _, err := p.ListTargets(ctx, stranger, n.group, nil, controlplane.Page{})
			return err
		},
		"CreateServiceAssociation": func(n names) error {
			_, _, err := p.CreateServiceAssociation(ctx, stranger, "", n.service, mine.ID, nil)
			return err
		},
		"GetServiceAssociation": func(n names) error { _, err := p.GetServiceAssociation(ctx, stranger, n.serviceLink); return err },
		"DeleteServiceAssociation": func(n names) error {
			_, _, err := p.DeleteServiceAssociation(ctx, stranger, n.serviceLink)
			return err
		},
		"ListServiceAssociations by network": func(n names) error {
			_, _, err := p.ListServiceAssociations(ctx, stranger, n.network, "", controlplane.Page{})
			return err
		},
		"ListServiceAssociations by service": func(n names) error {
			_, _, err := p.ListServiceAssociations(ctx, stranger, "", n.service, controlplane.Page{})
			return err
		},
		"CreateVPCAssociation": func(n names) error {
			_, _, err := p.CreateVPCAssociation(ctx, stranger, "", mine.ID, n.vpc, trellis.VPCAssociation{})
			return err
		},
		"GetVPCAssociation": func(n names) error { _, err := p.GetVPCAssociation(ctx, stranger, n.vpcLink); return err },
		"UpdateVPCAssociation": func(n names) error {
			_, _, err := p.UpdateVPCAssociation(ctx, stranger, n.vpcLink, controlplane.VPCAssociationChange{})
			return err
		},
		"DeleteVPCAssociation": func(n names) error {
			_, _, err := p.DeleteVPCAssociation(ctx, stranger, n.vpcLink)
			return err
		},
		"ListVPCAssociations by network": func(n names) error {
			_, _, err := p.ListVPCAssociations(ctx, stranger, n.network, "", controlplane.Page{})
			return err
		},
		"ListVPCAssociations by VPC": func(n names) error {
			list, _, err := p.ListVPCAssociations(ctx, stranger, "", n.vpc, controlplane.Page{})
			if len(list) > 0 {
				t.Errorf("another account sees the associations of %s", n.vpc)
			}
			return err
		},
		"PutAuthPolicy": func(n names) error { _, _, err := p.PutAuthPolicy(ctx, stranger, n.service, "{}"); return err },
		"GetAuthPolicy": func(n names) error { _, err := p.GetAuthPolicy(ctx, stranger, n.service); return err },
		"DeleteAuthPolicy": func(n names) error {
			_, err := p.DeleteAuthPolicy(ctx, stranger, n.network)
			return err
		},
		"CreateAccessLogSubscription": func(n names) error {
			_, _, err := p.CreateAccessLogSubscription(ctx, stranger, "", n.network, "arn:aws:s3:::bucket", "", nil)
			return err
		},
		"GetAccessLogSubscription": func(n names) error {
			_, err := p.GetAccessLogSubscription(ctx, stranger, n.subscription)
			return err
		},
		"UpdateAccessLogSubscription": func(n names) error {
			_, _, err := p.UpdateAccessLogSubscription(ctx, stranger, n.subscription, "arn:aws:s3:::bucket")
			return err
		},
		"DeleteAccessLogSubscription": func(n names) error {
			_, err := p.DeleteAccessLogSubscription(ctx, stranger, n.subscription)
			return err
		},
		"ListAccessLogSubscriptions": func(n names) error {
			_, _, err := p.ListAccessLogSubscriptions(ctx, stranger, n.service, controlplane.Page{})
			return err
		},
		"ListTagsForResource": func(n names) error { _, err := p.ListTagsForResource(ctx, stranger, n.service); return err },
		"TagResource": func(n names) error {
			_, err := p.TagResource(ctx, stranger, n.rule, map[string]string{"a": "b"})
			return err
		},
		"UntagResource": func(n names) error { _, err := p.UntagResource(ctx, stranger, n.group, []string{"a"}); return err },
	}
	for name, op := range operations {
		for form, real := range map[string]names{"id": byID, "ARN": byARN} {
			t.Run(name+" by "+form, func(t *testing.T) {
				got, want := op(real), op(nothing(real))
				if code(t, got) == "" && name != "ListVPCAssociations by VPC" {
					t.Error("no error")
				}
				if g, w := r.Replace(fmt.Sprint(got)), fmt.Sprint(want); g != w {
					t.Errorf("of another account: %s\nof nothing: %s", g, w)
				}
			})
		}
	}
	if services, _, err := p.ListServices(ctx, stranger, controlplane.Page{}); err != nil || len(services) != 0 {
		t.Errorf("another account sees %v %v", services, err)
	}
	if groups, _, err := p.ListTargetGroups(ctx, stranger, "", "", controlplane.Page{}); err != nil || len(groups) != 0 {
		t.Errorf("another account sees %v %v", groups, err)
	}
}
