package controlplane_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/controlplane"
	"github.com/trellis-project/trellis/store"
)

// TestRegisterTargets registers what may be a target, and what may not.
func TestRegisterTargets(t *testing.T) {
	p := running(t, controlplane.Options{})
	c := admin(t)
	ctx := t.Context()
	vpc, instance, _ := newVPC(t, c, "10.0.0.0/16")
	wide, elsewhere, _ := newVPC(t, c, "0.0.0.0/0") // a block that would let anything pass
	stopped := &trellis.Instance{Meta: trellis.Meta{Account: c.Principal.Account, ID: trellis.NewID("i")}, VPCID: vpc, State: "stopped"}
	put(t, shared, stopped)
	lambda := newFunction(t, c, "f")
	internal := newLoadBalancer(t, c, "app", vpc, "internal")
	facing := newLoadBalancer(t, c, "app", vpc, "internet-facing")
	outside := newLoadBalancer(t, c, "app", wide, "internal")
	network := newLoadBalancer(t, c, "net", vpc, "internal")
	strangers := newLoadBalancer(t, admin(t), "app", vpc, "internal")
	groups := map[string]trellis.TargetGroup{
		"ip":       ipGroup("ip-group", vpc),
		"wide":     ipGroup("wide-group", wide),
		"ipv6":     {Name: "ipv6-group", Type: trellis.TargetsIP, VPCID: vpc, IPAddressType: "IPV6"},
		"instance": {Name: "instance-group", Type: trellis.TargetsInstance, VPCID: vpc},
		"lambda":   {Name: "lambda-group", Type: trellis.TargetsLambda},
		"alb":      {Name: "alb-group", Type: trellis.TargetsALB, VPCID: vpc, Port: 80},
	}
	ids := map[string]string{}
	for k, g := range groups {
		made, _, err := p.CreateTargetGroup(ctx, c, "", g, nil)
		if err != nil {
			t.Fatal(k, err)
		}
		ids[k] = made.ID
	}
	for _, tc := range []struct {
		group, id string
		port      int
		want      string // failure code
	}{
		{"ip", "10.0.12.31", 0, ""},
		{"ip", "10.0.12.31", 9090, ""},
		{"ip", "10.0.12.31", 70000, "InvalidPort"},
		{"ip", "10.1.0.1", 0, "IpNotInVpc"},
		{"ip", "8.8.8.8", 0, "IpNotInVpc"},
		{"ip", "fd00::1", 0, "InvalidTarget"},
		{"ip", "::ffff:10.0.0.1", 0, "InvalidTarget"},
		{"ip", "orders.example.com", 0, "InvalidTarget"},
		{"ip", "010.0.0.1", 0, "InvalidTarget"},
		{"wide", "127.0.0.1", 0, "InvalidTarget"},
		{"wide", "169.254.169.254", 0, "InvalidTarget"},
		{"wide", "224.0.0.1", 0, "InvalidTarget"},
		{"wide", "0.0.0.0", 0, "InvalidTarget"},
		{"wide", "255.255.255.255", 0, "InvalidTarget"},
		{"ipv6", "10.0.0.1", 0, "InvalidTarget"},
		{"ipv6", "fe80::1%eth0", 0, "InvalidTarget"},
		{"ipv6", "2001:db8::1", 0, "IpNotInVpc"},
		{"instance", instance, 0, ""},
		{"instance", stopped.ID, 0, "InstanceNotRunning"},
		{"instance", elsewhere, 0, "InstanceNotInVpc"},
		{"instance", "i-00000000000000000", 0, "InstanceNotFound"},
		{"instance", "../" + instance, 0, "InstanceNotFound"},
		{"lambda", lambda, 80, "InvalidPort"},
		{"lambda", "arn:aws:lambda:eu-west-1:999999999999:function:f", 0, "InvalidTarget"},
		{"lambda", strings.Replace(lambda, region, "us-east-1", 1), 0, "InvalidTarget"},
		{"lambda", "f", 0, "InvalidTarget"},
		{"lambda", lambda + "oo", 0, "FunctionNotFound"},
		{"lambda", lambda + ":2", 0, "FunctionNotFound"},
		{"lambda", lambda + ":staging", 0, "FunctionNotFound"},
		{"lambda", lambda + ":live:live", 0, "FunctionNotFound"},
		{"lambda", lambda + ":$LATEST", 0, "InvalidTarget"}, // which has no policy
		{"lambda", lambda, 0, ""},
		{"alb", internal + "00", 0, "LoadBalancerNotFound"},
		{"alb", strings.Replace(internal, region, "us-east-1", 1), 0, "InvalidTarget"},
		{"alb", strings.Replace(internal, "loadbalancer/", "listener/", 1), 0, "InvalidTarget"},
		{"alb", "internal.example.com", 0, "InvalidTarget"},
		{"alb", facing, 0, "LoadBalancerNotInternal"},
		{"alb", outside, 0, "LoadBalancerNotInVpc"},
		{"alb", network, 0, "InvalidTarget"},
		{"alb", strangers, 0, "InvalidTarget"},
		{"alb", internal, 65536, "InvalidPort"},
		{"alb", internal, 0, ""},
	} {
		t.Run(tc.group+" "+tc.id, func(t *testing.T) {
			done, failed, _, err := p.RegisterTargets(t.Context(), c, ids[tc.group], []controlplane.TargetID{{ID: tc.id, Port: tc.port}})
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if len(failed) == 1 {
				got = failed[0].Code
			}
			if got != tc.want || len(done)+len(failed) != 1 {
				t.Errorf("%v %v, want %q", done, failed, tc.want)
			}
		})
	}
	_, _, _, err := p.RegisterTargets(ctx, c, ids["lambda"], []controlplane.TargetID{{ID: lambda + ":live"}})
	wantCode(t, err, "ValidationException")
	_, _, _, err = p.RegisterTargets(ctx, c, ids["ip"], make([]controlplane.TargetID, 101))
	wantCode(t, err, "ValidationException")
	for _, g := range []string{"ip", "ip"} { // the filter finds by id and port; what is not there is left out
		list, _, err := p.ListTargets(ctx, c, ids[g], []controlplane.TargetID{{ID: "10.0.12.31", Port: 9090}, {ID: "10.0.0.77", Port: 1}}, controlplane.Page{})
		if err != nil || len(list) != 1 || list[0].Status != trellis.TargetUnused || list[0].ReasonCode != "TargetGroupNotInUse" {
			t.Errorf("%v %v", list, err)
		}
	}
}

// newFunction puts a function of the caller's with a version 1 and an alias of it, live, and returns its ARN.
func newFunction(t *testing.T, c *authpolicy.Caller, name string) string {
	t.Helper()
	account := c.Principal.Account
	fn := &trellis.Function{Meta: trellis.Meta{Account: account, ID: name, Tags: map[string]string{"team": "orders"}}, FunctionVersion: trellis.FunctionVersion{Version: trellis.LatestVersion}}
	v := &trellis.PublishedVersion{Meta: trellis.Meta{Account: account, ID: name + "/1"}, FunctionVersion: trellis.FunctionVersion{Version: "1"}}
	a := &trellis.FunctionAlias{Meta: trellis.Meta{Account: account, ID: name + "/live"}, Name: "live", Version: "1"}
	put(t, shared, fn, v, a)
	return fn.ARN(region)
}

// newLoadBalancer puts a load balancer of the caller's without listeners, and returns its ARN. sort is app or net.
func newLoadBalancer(t *testing.T, c *authpolicy.Caller, sort, vpc, scheme string) string {
	t.Helper()
	b := &trellis.LoadBalancer{Meta: trellis.Meta{Account: c.Principal.Account, ID: sort + "/b/" + trellis.RandomHex(16)}, Name: "b", Scheme: scheme, VPCID: vpc}
	put(t, shared, b)
	return b.ARN(region)
}

// TestFunctionTarget registers a function, and an alias of it, whose policies then let VPC Lattice invoke them, once each;
// callers who may not add permissions register nothing. The target stays when the function is deleted.
func TestFunctionTarget(t *testing.T) {
	p := running(t, controlplane.Options{})
	c := admin(t)
	ctx := t.Context()
	arn := newFunction(t, c, "notify")
	group := func(name string) *controlplane.TargetGroup {
		t.Helper()
		g, _, err := p.CreateTargetGroup(ctx, c, "", trellis.TargetGroup{Name: name, Type: trellis.TargetsLambda}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	register := func(c *authpolicy.Caller, g *controlplane.TargetGroup, id string) error {
		_, failed, _, err := p.RegisterTargets(ctx, c, g.ID, []controlplane.TargetID{{ID: id}})
		if len(failed) > 0 {
			t.Errorf("%s: %v", id, failed)
		}
		return err
	}
	policies := func() map[string][]string {
		all := map[string][]string{}
		err := shared.Read(ctx, func(tx *store.Tx) error {
			fn, err := store.Get[*trellis.Function](tx, c.Principal.Account+"/notify")
			if err != nil {
				return err
			}
			for _, policy := range fn.Policies {
				for _, s := range policy.Statements {
					all[policy.Qualifier] = append(all[policy.Qualifier], string(s.Text))
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	first, second := group("first"), group("second")
	for _, actions := range []string{`"vpc-lattice:*"`, `"vpc-lattice:*","lambda:GetFunction"`} {
		few := caller(t, c.Principal.Account, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":[`+actions+`],"Resource":"*"}}`)
		wantCode(t, register(few, first, arn), "AccessDeniedException")
	}
	if all := policies(); len(all) > 0 {
		t.Errorf("a registration that was refused wrote %v", all)
	}
	tagged := caller(t, c.Principal.Account, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"vpc-lattice:*","Resource":"*"},
		{"Effect":"Allow","Action":["lambda:GetFunction","lambda:AddPermission"],"Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/team":"orders"}}}]}`)
	for range 2 {
		wantCode(t, register(tagged, first, arn), "")
	}
	wantCode(t, register(c, second, arn+":live"), "")
	statement := func(g *controlplane.TargetGroup, arn string) string {
		return `{"Sid":"vpc-lattice-` + g.ID + `","Effect":"Allow","Principal":{"Service":"vpc-lattice.amazonaws.com"},"Action":"lambda:InvokeFunction","Resource":"` + arn +
			`","Condition":{"ArnLike":{"AWS:SourceArn":"` + g.ARN(region) + `"}}}`
	}
	want := map[string][]string{"": {statement(first, arn)}, "live": {statement(second, arn+":live")}}
	if got := policies(); !reflect.DeepEqual(got, want) {
		t.Errorf("policies are %v, want %v", got, want)
	}
	remove(t, &trellis.Function{Meta: trellis.Meta{Account: c.Principal.Account, ID: "notify"}})
	list, _, err := p.ListTargets(ctx, c, first.ID, nil, controlplane.Page{})
	if err != nil || len(list) != 1 || list[0].ID != arn {
		t.Errorf("targets without their function: %v, %v", list, err)
	}
}

// TestLoadBalancerTarget registers a load balancer with as many target groups as it may be a target of; it stays a target
// when it is deleted, and a target group that goes makes room.
func TestLoadBalancerTarget(t *testing.T) {
	p := running(t, controlplane.Options{Quotas: quota.Limits{Strict: true}})
	c := admin(t)
	ctx := t.Context()
	vpc, _, _ := newVPC(t, c, "10.0.0.0/16")
	arn := newLoadBalancer(t, c, "app", vpc, "internal")
	var groups []string
	for i := range 3 {
		g, _, err := p.CreateTargetGroup(ctx, c, "", trellis.TargetGroup{Name: fmt.Sprint("group", i), Type: trellis.TargetsALB, VPCID: vpc, Port: 80}, nil)
		if err != nil {
			t.Fatal(err)
		}
		groups = append(groups, g.ID)
	}
	register := func(group, want string) {
		t.Helper()
		done, failed, _, err := p.RegisterTargets(ctx, c, group, []controlplane.TargetID{{ID: arn}})
		if err != nil || want == "" && (len(done) != 1 || done[0].Port != 80) || want != "" && (len(failed) != 1 || failed[0].Code != want) {
			t.Errorf("%v %v %v, want %q", done, failed, err, want)
		}
	}
	register(groups[0], "")
	register(groups[1], "")
	register(groups[1], "")
	register(groups[2], "LoadBalancerInUse")
	_, _, _, err := p.DeregisterTargets(ctx, c, groups[0], []controlplane.TargetID{{ID: arn}})
	wantCode(t, err, "")
	register(groups[2], "")
	_, ref, _ := strings.Cut(arn, ":loadbalancer/")
	remove(t, &trellis.LoadBalancer{Meta: trellis.Meta{Account: c.Principal.Account, ID: ref}})
	register(groups[0], "LoadBalancerNotFound")
	list, _, err := p.ListTargets(ctx, c, groups[1], nil, controlplane.Page{})
	if err != nil || len(list) != 1 || list[0].Status != trellis.TargetUnused {
		t.Errorf("targets without their load balancer: %v, %v", list, err)
	}
}

// remove deletes a noun as it is.
func remove(t *testing.T, n trellis.Noun) {
	t.Helper()
	if _, err := shared.Commit(t.Context(), func(tx *store.Tx) error { tx.Delete(n); return nil }); err != nil {
		t.Fatal(err)
	}
}

// TestTargetStatus follows one target from UNUSED to DRAINING and back.
func TestTargetStatus(t *testing.T) {
	p := running(t, controlplane.Options{})
	o := newOrders(t, p)
	ctx := t.Context()
	id := []controlplane.TargetID{{ID: "10.0.12.31", Port: 8080}}
	want := func(status trellis.TargetStatus, reason string) {
		t.Helper()
		list, _, err := p.ListTargets(ctx, o.c, o.v1.ID, id, controlplane.Page{})
		if err != nil || len(list) != 1 || list[0].Status != status || list[0].ReasonCode != reason {
			t.Errorf("%+v %v, want %s %s", list, err, status, reason)
		}
	}
	report := func(status trellis.TargetStatus, reason string, at time.Time) {
		t.Helper()
		err := p.ReportHealth(ctx, []trellis.TargetHealth{
			{TargetKey: o.c.Principal.Account + "/" + o.v1.ID + "/10.0.12.31:8080", Status: status, ReasonCode: reason, At: at},
			{TargetKey: o.c.Principal.Account + "/" + o.v1.ID + "/10.0.99.99:8080", Status: status, At: at}, // not registered
		})
		if err != nil {
			t.Error(err)
		}
	}
	want(trellis.TargetInitial, "InitialHealthChecking")
	report(trellis.TargetHealthy, "", time.Now().Add(-time.Hour)) // before the registration
	want(trellis.TargetInitial, "InitialHealthChecking")
	report(trellis.TargetHealthy, "", time.Now())
	want(trellis.TargetHealthy, "")
	report(trellis.TargetUnhealthy, "HealthCheckFailed", time.Now())
	want(trellis.TargetUnhealthy, "HealthCheckFailed")
	_, _, err := p.UpdateTargetGroup(ctx, o.c, o.v1.ID, controlplane.HealthCheckSettings{Enabled: new(false)})
	wantCode(t, err, "")
	want(trellis.TargetUnavailable, "HealthCheckDisabled")
	_, _, err = p.UpdateTargetGroup(ctx, o.c, o.v1.ID, controlplane.HealthCheckSettings{Enabled: new(true)})
	wantCode(t, err, "")
	_, _, _, err = p.DeregisterTargets(ctx, o.c, o.v1.ID, id)
	wantCode(t, err, "")
	want(trellis.TargetDraining, "DeregistrationInProgress")
	_, _, _, err = p.RegisterTargets(ctx, o.c, o.v1.ID, id)
	wantCode(t, err, "")
	want(trellis.TargetInitial, "InitialHealthChecking")
	err = shared.Read(ctx, func(tx *store.Tx) error {
		all, err := store.List[*trellis.TargetHealth](tx, o.c.Principal.Account+"/")
		if len(all) != 0 {
			t.Errorf("health of nothing is kept: %v", all)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestTargetGroupConfig creates target groups of every type, with what belongs to it and what does not.
func TestTargetGroupConfig(t *testing.T) {
	p := running(t, controlplane.Options{})
	c := admin(t)
	vpc, _, _ := newVPC(t, c, "10.0.0.0/16")
	hc := &controlplane.HealthCheckSettings{}
	type group = trellis.TargetGroup
	n := 0
	for name, tc := range map[string]struct {
		group group
		hc    *controlplane.HealthCheckSettings
		want  string // part of the error
	}{
		"ip":                       {group{Type: "IP", VPCID: vpc}, hc, ""},
		"ip without a VPC":         {group{Type: "IP"}, nil, "vpcIdentifier is required"},
		"ip in no VPC":             {group{Type: "IP", VPCID: "vpc-00000000000000000"}, nil, "VPC vpc-00000000000000000 not found"},
		"ip with lambda":           {group{Type: "IP", VPCID: vpc, LambdaEvent: "V2"}, nil, "Unexpected attribute lambdaEventStructureVersion for type IP"},
		"instance":                 {group{Type: "INSTANCE", VPCID: vpc, Protocol: "HTTPS"}, hc, ""},
		"instance with an IP type": {group{Type: "INSTANCE", VPCID: vpc, IPAddressType: "IPV4"}, nil, "Unexpected attribute ipAddressType for type INSTANCE"},
		"lambda":                   {group{Type: "LAMBDA", LambdaEvent: "V2"}, nil, ""},
		"lambda with a port":       {group{Type: "LAMBDA", Port: 80}, nil, "Unexpected attribute port for type LAMBDA"},
		"lambda with a check":      {group{Type: "LAMBDA"}, hc, "Unexpected attribute healthCheck for type LAMBDA"},
		"alb":                      {group{Type: "ALB", VPCID: vpc, Port: 80, Protocol: "HTTP"}, nil, ""},
		"alb with a check":         {group{Type: "ALB", VPCID: vpc, Port: 80}, hc, "Unexpected attribute healthCheck for type ALB"},
		"tcp":                      {group{Type: "IP", VPCID: vpc, Protocol: "TCP", Port: 5432}, nil, ""},
		"tcp with a version":       {group{Type: "IP", VPCID: vpc, Protocol: "TCP", Port: 1, ProtocolVersion: "HTTP1"}, nil, "Unexpected attribute protocolVersion"},
		"unknown type":             {group{Type: "POD", VPCID: vpc}, nil, "type must be"},
		"unknown version":          {group{Type: "IP", VPCID: vpc, ProtocolVersion: "HTTP3"}, nil, "protocolVersion must be"},
		"reset by zero":            {group{Type: "IP", VPCID: vpc}, &controlplane.HealthCheckSettings{IntervalSeconds: new(0), Path: new(""), Matcher: new("")}, ""},
		"interval too short":       {group{Type: "IP", VPCID: vpc}, &controlplane.HealthCheckSettings{IntervalSeconds: new(4)}, "healthCheckIntervalSeconds"},
		"threshold of one":         {group{Type: "IP", VPCID: vpc}, &controlplane.HealthCheckSettings{HealthyThreshold: new(1)}, "healthyThresholdCount"},
		"matcher":                  {group{Type: "IP", VPCID: vpc}, &controlplane.HealthCheckSettings{Matcher: new("200-299,404")}, ""},
		"matcher out of range":     {group{Type: "IP", VPCID: vpc}, &controlplane.HealthCheckSettings{Matcher: new("200-500")}, "matcher"},
		"matcher backwards":        {group{Type: "IP", VPCID: vpc}, &controlplane.HealthCheckSettings{Matcher: new("299-200")}, "matcher"},
		"path without a slash":     {group{Type: "IP", VPCID: vpc}, &controlplane.HealthCheckSettings{Path: new("healthz")}, "path must begin"},
	} {
		n++
		t.Run(name, func(t *testing.T) {
			tc.group.Name = fmt.Sprint("group", n)
			_, _, err := p.CreateTargetGroup(t.Context(), c, "", tc.group, tc.hc)
			if got := fmt.Sprint(err); tc.want == "" && err != nil || tc.want != "" && !strings.Contains(got, tc.want) {
				t.Errorf("%s, want %q", got, tc.want)
			}
			code(t, err)
		})
	}
	for version, want := range map[string]bool{"HTTP1": true, "HTTP2": false, "GRPC": false} {
		g, _, err := p.CreateTargetGroup(t.Context(), c, "", group{Name: "v-" + strings.ToLower(version), Type: "IP", VPCID: vpc, ProtocolVersion: version}, nil)
		if err != nil || g.HealthCheck.Enabled != want {
			t.Errorf("health check of %s: %v %v", version, g, err)
		}
	}
}
