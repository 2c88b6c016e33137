package controlplane_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/trellis-project/trellis"
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
	lambda := "arn:aws:lambda:eu-west-1:" + c.Principal.Account + ":function:f"
	groups := map[string]trellis.TargetGroup{
		"ip":       ipGroup("ip-group", vpc),
		"wide":     ipGroup("wide-group", wide),
		"ipv6":     {Name: "ipv6-group", Type: trellis.TargetsIP, VPCID: vpc, IPAddressType: "IPV6"},
		"instance": {Name: "instance-group", Type: trellis.TargetsInstance, VPCID: vpc},
		"lambda":   {Name: "lambda-group", Type: trellis.TargetsLambda},
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
		{"lambda", lambda, 0, ""},
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
	_, _, _, err := p.RegisterTargets(ctx, c, ids["lambda"], []controlplane.TargetID{{ID: lambda + "2"}})
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
