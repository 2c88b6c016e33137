package loadbalancer

import (
	"context"
	"net/netip"
	"slices"
	"strconv"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/store"
)

// TargetID names a target in a request; port 0 is the target group's own, or any when targets are taken out or asked about.
type TargetID struct {
	ID               string
	Port             int
	AvailabilityZone string // of an address outside of the VPC: all
}

// RegisterTargets adds targets to a target group. One that cannot be a target refuses them all.
func (l *LoadBalancers) RegisterTargets(ctx context.Context, c *authpolicy.Caller, arn string, ids []TargetID) (trellis.Revision, error) {
	if len(ids) == 0 {
		return 0, invalid("At least one target must be specified")
	}
	return l.Store.Commit(ctx, func(tx *store.Tx) error {
		g, err := named[*trellis.LoadBalancerTargetGroup](l, tx, c, "RegisterTargets", sortTargetGroup, arn, nil, nil)
		if err != nil {
			return err
		}
		for _, id := range ids {
			t := &trellis.LoadBalancerTarget{TargetGroup: g.Key(), ID: id.ID, Port: id.Port, AvailabilityZone: id.AvailabilityZone, RegisteredAt: l.Time()}
			if t.Port == 0 {
				t.Port = g.Port
			}
			if err := l.checkTarget(tx, g, t); err != nil {
				return err
			}
			tx.Put(t)
			if g.TargetType == "alb" {
				tx.Mark(targetUse(t.ID), g.Key())
			}
		}
		have, err := store.Count[*trellis.LoadBalancerTarget](tx, g.Key()+"/")
		if err != nil {
			return err
		}
		if one := g.TargetType == "lambda" || g.TargetType == "alb"; one && have > 1 {
			return bad("TooManyTargets", "The maximum number of targets in target group '%s' has been reached: 1", arn)
		}
		return l.room(tx, g.Account, quota.TargetsPerLoadBalancerTargetGroup, have-1, "TooManyTargets", "targets in target group '"+arn+"'")
	})
}

// checkTarget refuses what can't be a target of a group.
func (l *LoadBalancers) checkTarget(tx *store.Tx, g *trellis.LoadBalancerTargetGroup, t *trellis.LoadBalancerTarget) error {
	switch g.TargetType {
	case "instance":
		gone := bad("InvalidTarget", "The following targets are not in a running state and cannot be registered: '%s'", t.ID)
		i, err := companion.Get[*trellis.Instance](tx, g.Account+"/"+t.ID, bad("InvalidTarget", "The instance ID '%s' is not valid", t.ID))
		switch {
		case err != nil:
			return err
		case i.VPCID != g.VPCID:
			return bad("InvalidTarget", "The following targets are not in the target group VPC '%s': '%s'", g.VPCID, t.ID)
		case i.State != trellis.InstanceRunning:
			return gone
		}
	case "ip":
		return checkAddress(tx, g, t)
	case "lambda":
		a, err := trellis.ParseARN(t.ID)
		if err != nil || a.Service != "lambda" || a.Region != l.Region || a.Account != g.Account {
			return bad("InvalidTarget", "The target '%s' is not the ARN of a function of the same account and Region", t.ID)
		}
		name, _ := trellis.SplitFunctionARN(a)
		_, err = companion.Get[*trellis.Function](tx, g.Account+"/"+name, bad("InvalidTarget", "The function '%s' does not exist", t.ID))
		return err
	case "alb":
		return l.checkBalancer(tx, g, t)
	}
	return nil
}

// checkAddress refuses an address that can't be a target: it must be inside the VPC, or in a private block with the zone
// given as all (RegisterTargets; Application Load Balancers user guide, target type ip).
func checkAddress(tx *store.Tx, g *trellis.LoadBalancerTargetGroup, t *trellis.LoadBalancerTarget) error {
	ip, err := netip.ParseAddr(t.ID)
	if err != nil || ip.Zone() != "" {
		return invalid("The IP address '%s' is not a valid IPv4 or IPv6 address", t.ID)
	}
	if ip.Is4() != (g.IPAddressType == "ipv4") {
		return bad("InvalidTarget", "The IP address '%s' is not of type %s", t.ID, g.IPAddressType)
	}
	v, err := companion.Get[*trellis.VPC](tx, g.Account+"/"+g.VPCID, bad("InvalidTarget", "The VPC '%s' does not exist", g.VPCID))
	if err != nil {
		return err
	}
	t.ID = ip.String()
	shared := netip.MustParsePrefix("100.64.0.0/10")
	switch {
	case v.Contains(ip):
		if t.AvailabilityZone == "" {
			t.AvailabilityZone, err = zoneOf(tx, v, ip)
		}
		return err
	case !ip.IsPrivate() && !shared.Contains(ip), t.AvailabilityZone != "all":
		return invalid("The IP address '%s' is not within any subnet of the VPC '%s': a private one outside of it needs the Availability Zone 'all'", t.ID, v.ID)
	}
	return nil
}

// zoneOf is the zone of the subnet of a VPC that an address is in; empty when it is in none.
func zoneOf(tx *store.Tx, v *trellis.VPC, ip netip.Addr) (string, error) {
	subnets, err := store.List[*trellis.Subnet](tx, v.Account+"/")
	if err != nil {
		return "", err
	}
	for _, s := range subnets {
		if s.VPCID == v.ID && (s.CIDR.Contains(ip) || s.IPv6CIDR.IsValid() && s.IPv6CIDR.Contains(ip)) {
			return s.AvailabilityZone, nil
		}
	}
	return "", nil
}

// checkBalancer refuses what can't be the target of a group of type alb: an Application Load Balancer of the VPC with a
// listener at the port (Network Load Balancers user guide, application load balancers as targets).
func (l *LoadBalancers) checkBalancer(tx *store.Tx, g *trellis.LoadBalancerTargetGroup, t *trellis.LoadBalancerTarget) error {
	region, sort, ref, err := trellis.ParseLoadBalancingARN(t.ID)
	if err != nil || sort != sortLoadBalancer || region != l.Region || ref.Account != g.Account {
		return bad("InvalidTarget", "The target '%s' is not the ARN of a load balancer of the same account and Region", t.ID)
	}
	b, err := companion.Get[*trellis.LoadBalancer](tx, ref.Key(), bad("InvalidTarget", "The load balancer '%s' does not exist", t.ID))
	if err != nil {
		return err
	}
	if b.Type != trellis.LoadBalancerApplication || b.VPCID != g.VPCID {
		return bad("InvalidTarget", "The target '%s' is not an application load balancer in VPC '%s'", t.ID, g.VPCID)
	}
	if t.Port != g.Port {
		return bad("InvalidTarget", "The port of the target must be that of the target group: %d", g.Port)
	}
	listeners, err := store.List[*trellis.LoadBalancerListener](tx, b.Key()+"/")
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(listeners, func(n *trellis.LoadBalancerListener) bool { return n.Port == t.Port }) {
		return bad("InvalidTarget", "The load balancer '%s' has no listener at port %d", t.ID, t.Port)
	}
	return nil
}

// targetsOf returns the targets of a group that ids name: all without any. A target that is not registered stands in them
// with a time of registration of zero.
func targetsOf(tx *store.Tx, g *trellis.LoadBalancerTargetGroup, ids []TargetID) ([]*trellis.LoadBalancerTarget, error) {
	all, err := store.List[*trellis.LoadBalancerTarget](tx, g.Key()+"/")
	if err != nil || len(ids) == 0 {
		return all, err
	}
	var found []*trellis.LoadBalancerTarget
	for _, id := range ids {
		before := len(found)
		for _, t := range all {
			if t.ID == id.ID && (id.Port == 0 || id.Port == t.Port) {
				found = append(found, t)
			}
		}
		if len(found) == before {
			found = append(found, &trellis.LoadBalancerTarget{TargetGroup: g.Key(), ID: id.ID, Port: id.Port})
		}
	}
	return found, nil
}

// dropTarget removes a target in a transaction.
func dropTarget(tx *store.Tx, g *trellis.LoadBalancerTargetGroup, t *trellis.LoadBalancerTarget) {
	if g.TargetType == "alb" {
		tx.Unmark(targetUse(t.ID), g.Key())
	}
	tx.Delete(t)
}

// DeregisterTargets takes targets out of a target group. What is not registered is no error. While load balancers carry no
// requests, nothing has to drain.
func (l *LoadBalancers) DeregisterTargets(ctx context.Context, c *authpolicy.Caller, arn string, ids []TargetID) (trellis.Revision, error) {
	return l.Store.Commit(ctx, func(tx *store.Tx) error {
		g, err := named[*trellis.LoadBalancerTargetGroup](l, tx, c, "DeregisterTargets", sortTargetGroup, arn, nil, nil)
		if err != nil || len(ids) == 0 {
			return err
		}
		targets, err := targetsOf(tx, g, ids)
		for _, t := range targets {
			dropTarget(tx, g, t)
		}
		return err
	})
}

// Health is what is known of a target (TargetHealth).
type Health struct {
	*trellis.LoadBalancerTarget
	State, Reason, Description string
	CheckPort                  string
}

// TargetHealth tells the health of the targets of a group that ids name: all without any. No load balancer forwards yet, so
// a target is at best waiting for its first health checks.
func (l *LoadBalancers) TargetHealth(ctx context.Context, c *authpolicy.Caller, arn string, ids []TargetID) (found []Health, err error) {
	err = l.Read(ctx, c, service+"DescribeTargetHealth", "*", nil, func(tx *store.Tx) error {
		found = nil
		key, err := l.keyOf(c, sortTargetGroup, arn)
		if err != nil {
			return err
		}
		g, err := companion.Get[*trellis.LoadBalancerTargetGroup](tx, key, notFound(sortTargetGroup, arn))
		if err != nil {
			return err
		}
		targets, err := targetsOf(tx, g, ids)
		if err != nil {
			return err
		}
		holders, err := tx.Marked(groupUse(arn))
		if err != nil {
			return err
		}
		for _, t := range targets {
			h := Health{LoadBalancerTarget: t, State: "initial", Reason: "Elb.RegistrationInProgress", Description: "Target registration is in progress"}
			if h.CheckPort = g.HealthCheck.Port; h.CheckPort == "traffic-port" {
				h.CheckPort = strconv.Itoa(t.Port)
			}
			switch {
			case t.RegisteredAt.IsZero():
				h.State, h.Reason, h.Description = "unused", "Target.NotRegistered", "Target is not registered to the target group"
			case len(holders) == 0:
				h.State, h.Reason, h.Description = "unused", "Target.NotInUse", "Target group is not configured to receive traffic from the load balancer"
			case !g.HealthCheck.Enabled:
				h.State, h.Reason, h.Description = "unavailable", "Target.HealthCheckDisabled", "Health checks are disabled for this target group"
			}
			found = append(found, h)
		}
		return nil
	})
	return found, err
}
