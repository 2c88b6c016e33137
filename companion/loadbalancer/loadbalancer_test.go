package loadbalancer_test

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion"
	"github.com/trellis-project/trellis/companion/loadbalancer"
	"github.com/trellis-project/trellis/controlplane"
	"github.com/trellis-project/trellis/store"
	"github.com/trellis-project/trellis/store/storetest"
)

// owner and region are those of the tests.
const (
	owner  = "111122223333"
	region = "eu-west-1"
)

// caller is an administrator of an account.
func caller(t *testing.T, account string) *authpolicy.Caller {
	t.Helper()
	p, err := authpolicy.Parse(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`, authpolicy.Identity)
	if err != nil {
		t.Fatal(err)
	}
	arn := trellis.IAMARN(account, "user/alice")
	return &authpolicy.Caller{Principal: trellis.Principal{Type: trellis.PrincipalUser, Account: account, ARN: arn, PolicyARN: arn, UserID: "AIDAALICE"},
		Identity: authpolicy.Policies{{Policy: p}}}
}

// start runs a store with a VPC of two subnets and its default security group.
func start(t *testing.T) *loadbalancer.LoadBalancers {
	t.Helper()
	s := storetest.Start(t)
	meta := func(id string) trellis.Meta { return trellis.Meta{Account: owner, ID: id} }
	_, err := s.Commit(t.Context(), func(tx *store.Tx) error {
		tx.Put(&trellis.VPC{Meta: meta("vpc-1"), CIDR: netip.MustParsePrefix("10.0.0.0/16")})
		tx.Put(&trellis.Subnet{Meta: meta("subnet-a"), VPCID: "vpc-1", CIDR: netip.MustParsePrefix("10.0.1.0/24"), AvailabilityZone: "eu-west-1a"})
		tx.Put(&trellis.Subnet{Meta: meta("subnet-b"), VPCID: "vpc-1", CIDR: netip.MustParsePrefix("10.0.2.0/24"), AvailabilityZone: "eu-west-1b"})
		tx.Put(&trellis.SecurityGroup{Meta: meta("sg-1"), VPCID: "vpc-1", Name: "default"})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return loadbalancer.New(loadbalancer.Options{Options: companion.Options{Store: s, Region: region}, Interfaces: controlplane.NewInterfaces})
}

// want refuses an error with another code; empty stands for none.
func want(t *testing.T, what string, err error, code string) {
	t.Helper()
	got := ""
	if e, ok := errors.AsType[*trellis.Error](err); ok {
		got = e.Code
	} else if err != nil {
		got = err.Error()
	}
	if got != code {
		t.Errorf("%s: %v, want %q", what, err, code)
	}
}

// TestLife makes and removes all that belongs to a load balancer, with what each operation refuses on the way.
func TestLife(t *testing.T) {
	l, ctx := start(t), t.Context()
	c, stranger := caller(t, owner), caller(t, "444455556666")
	spec := loadbalancer.Spec{Name: "orders", Scheme: "internal", Places: []loadbalancer.Place{{SubnetID: "subnet-a"}, {SubnetID: "subnet-b"}}}
	b, _, err := l.CreateLoadBalancer(ctx, c, spec)
	want(t, "create", err, "")
	if len(b.Interfaces) != 2 || !b.Interfaces[0].IPv4.IsValid() || len(b.SecurityGroupIDs) != 1 {
		t.Errorf("%+v: want an address in each subnet and the default security group", b)
	}
	again, _, err := l.CreateLoadBalancer(ctx, c, spec)
	want(t, "create again", err, "")
	if again.ID != b.ID {
		t.Errorf("the same request made %s beside %s", again.ID, b.ID)
	}
	other := spec
	other.Scheme = "internet-facing"
	_, _, err = l.CreateLoadBalancer(ctx, c, other)
	want(t, "the same name for another", err, "DuplicateLoadBalancerName")
	one := loadbalancer.Spec{Name: "one", Places: spec.Places[:1]}
	_, _, err = l.CreateLoadBalancer(ctx, c, one)
	want(t, "one zone", err, "ValidationError")
	_, _, err = l.CreateLoadBalancer(ctx, c, loadbalancer.Spec{Name: "gate", Type: "gateway", Places: spec.Places})
	want(t, "gateway", err, "OperationNotPermitted")

	g, _, err := l.CreateTargetGroup(ctx, c, trellis.LoadBalancerTargetGroup{Name: "web", TargetType: "ip", Protocol: "HTTP", Port: 80, VPCID: "vpc-1"}, loadbalancer.CheckSpec{})
	want(t, "target group", err, "")
	group, balancer := g.ARN(region), b.ARN(region)
	_, err = l.RegisterTargets(ctx, c, group, []loadbalancer.TargetID{{ID: "10.0.1.9"}})
	want(t, "register", err, "")
	_, err = l.RegisterTargets(ctx, c, group, []loadbalancer.TargetID{{ID: "8.8.8.8"}})
	want(t, "register outside", err, "ValidationError")
	state := func() string {
		h, err := l.TargetHealth(ctx, c, group, nil)
		if err != nil || len(h) != 1 {
			t.Fatalf("health %v, %v", h, err)
		}
		return h[0].State
	}
	if s := state(); s != "unused" {
		t.Errorf("health without a listener: %s", s)
	}

	forward := []trellis.LoadBalancerAction{{Type: "forward", Forward: &trellis.LoadBalancerForward{TargetGroups: []trellis.LoadBalancerWeight{{TargetGroupARN: group, Weight: 1}}}}}
	n, _, err := l.CreateListener(ctx, c, balancer, loadbalancer.ListenerSpec{Port: 80, Protocol: "HTTP", Actions: forward})
	want(t, "listener", err, "")
	if s := state(); s != "initial" {
		t.Errorf("health with a listener: %s", s)
	}
	_, _, err = l.CreateListener(ctx, c, balancer, loadbalancer.ListenerSpec{Port: 80, Protocol: "HTTP", Actions: forward})
	want(t, "the port again", err, "DuplicateListener")
	_, _, err = l.CreateListener(ctx, c, balancer, loadbalancer.ListenerSpec{Port: 81, Protocol: "TCP", Actions: forward})
	want(t, "TCP", err, "UnsupportedProtocol")
	_, _, err = l.CreateListener(ctx, c, balancer, loadbalancer.ListenerSpec{Port: 443, Protocol: "HTTPS", Actions: forward})
	want(t, "no certificate", err, "CertificateNotFound")

	listener := n.ARN(region)
	path := func(v string) []trellis.LoadBalancerCondition {
		return []trellis.LoadBalancerCondition{{Field: "path-pattern", Values: []string{v}}}
	}
	r, _, err := l.CreateRule(ctx, c, listener, loadbalancer.RuleSpec{Priority: 10, Conditions: path("/a/*"), Actions: forward})
	want(t, "rule", err, "")
	_, _, err = l.CreateRule(ctx, c, listener, loadbalancer.RuleSpec{Priority: 10, Conditions: path("/b"), Actions: forward})
	want(t, "the priority again", err, "PriorityInUse")
	r2, _, err := l.CreateRule(ctx, c, listener, loadbalancer.RuleSpec{Priority: 20, Conditions: path("/b"), Actions: forward})
	want(t, "another rule", err, "")
	_, _, err = l.SetPriorities(ctx, c, map[string]int{r.ARN(region): 20, r2.ARN(region): 10})
	want(t, "swap priorities", err, "")
	_, _, err = l.SetPriorities(ctx, c, map[string]int{r.ARN(region): 10})
	want(t, "a priority of another", err, "PriorityInUse")
	_, err = l.DeleteRule(ctx, c, n.Default().ARN(region))
	want(t, "delete the default rule", err, "OperationNotPermitted")
	_, err = l.DeleteTargetGroup(ctx, c, group)
	want(t, "delete a target group in use", err, "ResourceInUse")

	_, err = l.Listeners(ctx, stranger, loadbalancer.Filter{ARNs: []string{listener}})
	want(t, "another account's listener", err, "ListenerNotFound")
	_, err = l.AddTags(ctx, stranger, []string{balancer}, map[string]string{"a": "b"})
	want(t, "another account's tags", err, "LoadBalancerNotFound")

	_, _, err = l.SetBalancerAttributes(ctx, c, balancer, map[string]string{"idle_timeout.timeout_seconds": "0"})
	want(t, "an attribute out of range", err, "ValidationError")
	_, _, err = l.SetBalancerAttributes(ctx, c, balancer, map[string]string{"deletion_protection.enabled": "true"})
	want(t, "protect", err, "")
	_, err = l.DeleteLoadBalancer(ctx, c, balancer)
	want(t, "delete a protected one", err, "OperationNotPermitted")
	_, _, err = l.SetBalancerAttributes(ctx, c, balancer, map[string]string{"deletion_protection.enabled": "false"})
	want(t, "unprotect", err, "")
	for range 2 { // the second time there is nothing, which is no error
		_, err = l.DeleteLoadBalancer(ctx, c, balancer)
		want(t, "delete", err, "")
	}
	if s := state(); s != "unused" {
		t.Errorf("health after the load balancer: %s", s)
	}
	_, err = l.DeleteTargetGroup(ctx, c, group)
	want(t, "delete the target group", err, "")
}
