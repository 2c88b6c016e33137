package loadbalancer

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/store"
)

// CheckSpec is what a request says of a health check; nil members mean the default, or in a change what there was.
type CheckSpec struct {
	Enabled                      *bool
	Protocol, Port, Path         *string
	HTTPCode, GRPCCode           *string
	Interval, Timeout            *int
	HealthyAfter, UnhealthyAfter *int
}

// TargetGroup is a target group with the load balancers (ARNs) that forward to it.
type TargetGroup struct {
	*trellis.LoadBalancerTargetGroup
	UsedBy []string
}

// CreateTargetGroup makes a target group out of name, type, protocol, port, VPC, type of addresses and tags. One of the same
// name with the same settings is answered as it is.
func (l *LoadBalancers) CreateTargetGroup(ctx context.Context, c *authpolicy.Caller, in trellis.LoadBalancerTargetGroup, check CheckSpec) (g *TargetGroup, rev trellis.Revision, err error) {
	if err := checkName("target group", in.Name); err != nil {
		return nil, 0, err
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, 0, err
	}
	if err := completeGroup(&in); err != nil {
		return nil, 0, err
	}
	in.HealthCheck = defaultCheck(&in)
	if err := applyCheck(&in, check); err != nil {
		return nil, 0, err
	}
	if err := authorizeNew(c, "CreateTargetGroup", l.arnOf(c, sortTargetGroup+"/"+in.Name+"/*"), in.Tags, nil); err != nil {
		return nil, 0, err
	}
	id := trellis.RandomHex(16)
	rev, err = l.Store.Commit(ctx, func(tx *store.Tx) error {
		n := in
		n.Meta = l.meta(c, in.Name+"/"+id, in.Tags)
		all, err := store.List[*trellis.LoadBalancerTargetGroup](tx, n.Account+"/")
		if err != nil {
			return err
		}
		if i := slices.IndexFunc(all, func(o *trellis.LoadBalancerTargetGroup) bool { return o.Name == n.Name }); i >= 0 {
			if o := all[i]; o.TargetType == n.TargetType && o.Protocol == n.Protocol && o.ProtocolVersion == n.ProtocolVersion && o.Port == n.Port &&
				o.VPCID == n.VPCID && o.IPAddressType == n.IPAddressType && o.HealthCheck == n.HealthCheck {
				g, err = l.withUsers(tx, o)
				return err
			}
			return bad("DuplicateTargetGroupName", "A target group with the same name '%s' exists, but with different settings", n.Name)
		}
		if err := l.room(tx, n.Account, quota.LoadBalancerTargetGroups, len(all), "TooManyTargetGroups", "target groups"); err != nil {
			return err
		}
		if n.VPCID != "" {
			if _, err := companion.Get[*trellis.VPC](tx, n.Account+"/"+n.VPCID, invalid("The VPC ID '%s' is not found", n.VPCID)); err != nil {
				return err
			}
		}
		g = &TargetGroup{&n, nil}
		tx.Put(&n)
		return nil
	})
	return g, rev, err
}

// completeGroup refuses a combination of type, protocol and port that a target group can't have, and completes it.
func completeGroup(g *trellis.LoadBalancerTargetGroup) error {
	if g.TargetType == "" {
		g.TargetType = "instance"
	}
	if g.TargetType == "lambda" {
		if g.Protocol != "" || g.Port != 0 || g.VPCID != "" || g.ProtocolVersion != "" {
			return invalid("Protocol, port, protocol version and VPC ID cannot be specified for target groups with target type 'lambda'")
		}
		g.IPAddressType = "ipv4"
		return nil
	}
	switch {
	case g.Protocol == "":
		return invalid("A protocol must be specified")
	case g.Port == 0:
		return invalid("A port must be specified")
	case g.VPCID == "":
		return invalid("A VPC ID must be specified")
	case !slices.Contains([]string{protocolHTTP, protocolHTTPS, protocolTCP, protocolTLS, protocolUDP, protocolTCPUDP}, g.Protocol):
		return bad("InvalidConfigurationRequest", "Trellis has no target groups of protocol %s: HTTP, HTTPS, TCP, TLS, UDP and TCP_UDP are served", g.Protocol)
	case g.TargetType == "alb" && g.Protocol != protocolTCP:
		return invalid("Target groups with target type 'alb' must have protocol TCP")
	}
	if ofHTTP(g.Protocol) {
		if g.ProtocolVersion == "" {
			g.ProtocolVersion = "HTTP1"
		}
		if !slices.Contains([]string{"HTTP1", "HTTP2", "GRPC"}, g.ProtocolVersion) {
			return invalid("Protocol version '%s' must be one of 'GRPC, HTTP1, HTTP2'", g.ProtocolVersion)
		}
	} else if g.ProtocolVersion != "" {
		return invalid("A protocol version can be specified for protocols HTTP and HTTPS alone")
	}
	if g.IPAddressType == "" {
		g.IPAddressType = "ipv4"
	}
	return nil
}

// ofHTTP tells whether a protocol is one of an Application Load Balancer's.
func ofHTTP(protocol string) bool { return protocol == protocolHTTP || protocol == protocolHTTPS }

// defaultCheck is the health check of a target group when nothing is said of it (CreateTargetGroup).
func defaultCheck(g *trellis.LoadBalancerTargetGroup) trellis.LoadBalancerHealthCheck {
	h := trellis.LoadBalancerHealthCheck{Enabled: true, Protocol: protocolHTTP, Port: "traffic-port", Path: "/", IntervalSeconds: 30, TimeoutSeconds: 5, HealthyThreshold: 5, UnhealthyThreshold: 2, HTTPCode: "200"}
	switch {
	case g.TargetType == "lambda":
		h.Enabled, h.Protocol, h.Port, h.IntervalSeconds, h.TimeoutSeconds = false, "", "", 35, 30
	case g.TargetType == "alb":
		h.TimeoutSeconds, h.HTTPCode = 6, "200-399"
	case g.ProtocolVersion == "GRPC":
		h.Path, h.HTTPCode, h.GRPCCode = "/AWS.ALB/healthcheck", "", "12"
	case ofHTTP(g.Protocol):
		if g.Protocol == protocolHTTPS {
			h.Protocol = protocolHTTPS
		}
	default:
		h.Protocol, h.Path, h.HTTPCode, h.TimeoutSeconds = protocolTCP, "", "", 10
	}
	return h
}

// applyCheck writes into the health check of a target group what a request says, and refuses what it can't be.
func applyCheck(g *trellis.LoadBalancerTargetGroup, s CheckSpec) error {
	h := &g.HealthCheck
	if s.Protocol != nil && *s.Protocol != h.Protocol {
		h.Protocol = *s.Protocol
		switch {
		case h.Protocol == protocolTCP:
			h.Path, h.HTTPCode, h.GRPCCode = "", "", ""
		case !ofHTTP(h.Protocol):
			return invalid("Health check protocol '%s' must be one of 'HTTP, HTTPS, TCP'", h.Protocol)
		case h.Path == "": // checked by HTTP from now on
			h.Path, h.HTTPCode = "/", "200-399"
			h.TimeoutSeconds = 6
		}
	}
	for to, said := range map[*string]*string{&h.Port: s.Port, &h.Path: s.Path, &h.HTTPCode: s.HTTPCode, &h.GRPCCode: s.GRPCCode} {
		if said != nil {
			*to = *said
		}
	}
	for to, said := range map[*int]*int{&h.IntervalSeconds: s.Interval, &h.TimeoutSeconds: s.Timeout, &h.HealthyThreshold: s.HealthyAfter, &h.UnhealthyThreshold: s.UnhealthyAfter} {
		if said != nil {
			*to = *said
		}
	}
	if s.Enabled != nil {
		h.Enabled = *s.Enabled
	}
	return checkCheck(g)
}

// checkCheck refuses a health check that a target group can't have.
func checkCheck(g *trellis.LoadBalancerTargetGroup) error {
	h := &g.HealthCheck
	port, err := strconv.Atoi(h.Port)
	switch {
	case h.Protocol == protocolTCP && (ofHTTP(g.Protocol) || g.TargetType == "alb" || g.TargetType == "lambda"):
		return invalid("Health check protocol 'TCP' is not valid for this target group")
	case g.TargetType == "lambda" && (h.Protocol != "" || h.Port != ""):
		return invalid("Health check protocol and port cannot be specified for target groups with target type 'lambda'")
	case g.TargetType != "lambda" && !h.Enabled:
		return invalid("Health check enabled must be true for target groups with target type '%s'", g.TargetType)
	case h.Port != "traffic-port" && h.Port != "" && (err != nil || port < 1 || port > 65535):
		return invalid("Health check port '%s' must be from 1 to 65535, or 'traffic-port'", h.Port)
	case h.Protocol == protocolTCP && (h.Path != "" || h.HTTPCode != "" || h.GRPCCode != ""):
		return invalid("Health check path and matcher cannot be specified for protocol TCP")
	case h.Path != "" && h.Path[0] != '/':
		return invalid("Health check path '%s' must begin with '/'", h.Path)
	case h.GRPCCode != "" && g.ProtocolVersion != "GRPC":
		return invalid("A gRPC code can be specified for protocol version GRPC alone")
	case h.GRPCCode != "" && h.HTTPCode != "":
		return invalid("Either a gRPC code or an HTTP code can be specified")
	case h.TimeoutSeconds > h.IntervalSeconds, h.TimeoutSeconds == h.IntervalSeconds && (ofHTTP(g.Protocol) || g.TargetType == "lambda"):
		return invalid("Health check timeout '%d' must be smaller than the interval '%d'", h.TimeoutSeconds, h.IntervalSeconds)
	}
	return nil
}

// withUsers adds the load balancers that forward to a target group.
func (l *LoadBalancers) withUsers(tx *store.Tx, g *trellis.LoadBalancerTargetGroup) (*TargetGroup, error) {
	holders, err := tx.Marked(groupUse(g.ARN(l.Region)))
	out := &TargetGroup{LoadBalancerTargetGroup: g}
	for _, key := range balancersOf(holders) {
		id := key[len(g.Account)+1:]
		out.UsedBy = append(out.UsedBy, (&trellis.LoadBalancer{Meta: trellis.Meta{Account: g.Account, ID: id}}).ARN(l.Region))
	}
	return out, err
}

// TargetGroups returns target groups of the caller's account by ARN, name, or the load balancer that forwards to them.
func (l *LoadBalancers) TargetGroups(ctx context.Context, c *authpolicy.Caller, f Filter) (found []*TargetGroup, err error) {
	err = l.Read(ctx, c, service+"DescribeTargetGroups", "*", nil, func(tx *store.Tx) error {
		found = nil
		if f.Of != "" {
			key, err := l.keyOf(c, sortLoadBalancer, f.Of)
			if err != nil {
				return err
			}
			if _, err := companion.Get[*trellis.LoadBalancer](tx, key, notFound(sortLoadBalancer, f.Of)); err != nil {
				return err
			}
		}
		all, err := store.List[*trellis.LoadBalancerTargetGroup](tx, c.Principal.Account+"/")
		if err != nil {
			return err
		}
		all, err = choose(l, c, all, sortTargetGroup, f, func(g *trellis.LoadBalancerTargetGroup) string { return g.Name })
		if err != nil {
			return err
		}
		for _, n := range all {
			g, err := l.withUsers(tx, n)
			if err != nil {
				return err
			}
			if f.Of == "" || slices.Contains(g.UsedBy, f.Of) {
				found = append(found, g)
			}
		}
		return nil
	})
	return found, err
}

// changeGroup changes one target group.
func (l *LoadBalancers) changeGroup(ctx context.Context, c *authpolicy.Caller, action, arn string, fn func(*store.Tx, *trellis.LoadBalancerTargetGroup) error) (g *TargetGroup, rev trellis.Revision, err error) {
	rev, err = l.Store.Commit(ctx, func(tx *store.Tx) error {
		n, err := named[*trellis.LoadBalancerTargetGroup](l, tx, c, action, sortTargetGroup, arn, nil, nil)
		if err != nil {
			return err
		}
		if err := fn(tx, n); err != nil {
			return err
		}
		n.UpdatedAt = l.Time()
		tx.Put(n)
		g, err = l.withUsers(tx, n)
		return err
	})
	return g, rev, err
}

// ModifyTargetGroup changes the health check of a target group: all that can change.
func (l *LoadBalancers) ModifyTargetGroup(ctx context.Context, c *authpolicy.Caller, arn string, check CheckSpec) (*TargetGroup, trellis.Revision, error) {
	return l.changeGroup(ctx, c, "ModifyTargetGroup", arn, func(_ *store.Tx, g *trellis.LoadBalancerTargetGroup) error {
		return applyCheck(g, check)
	})
}

// DeleteTargetGroup removes a target group that nothing forwards to, with its targets. One that is not there is no error.
func (l *LoadBalancers) DeleteTargetGroup(ctx context.Context, c *authpolicy.Caller, arn string) (trellis.Revision, error) {
	return l.Store.Commit(ctx, func(tx *store.Tx) error {
		g, err := named[*trellis.LoadBalancerTargetGroup](l, tx, c, "DeleteTargetGroup", sortTargetGroup, arn, nil, nil)
		if e, ok := errors.AsType[*trellis.Error](err); ok && e.Code == missing[sortTargetGroup].code {
			return nil
		}
		if err != nil {
			return err
		}
		holders, err := tx.Marked(groupUse(g.ARN(l.Region)))
		if err != nil {
			return err
		}
		if len(holders) > 0 {
			return bad("ResourceInUse", "Target group '%s' is currently in use by a listener or a rule", arn)
		}
		targets, err := store.List[*trellis.LoadBalancerTarget](tx, g.Key()+"/")
		if err != nil {
			return err
		}
		for _, t := range targets {
			dropTarget(tx, g, t)
		}
		tx.Delete(g)
		return nil
	})
}
