package loadbalancer

import (
	"slices"
	"strconv"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion"
	"github.com/trellis-project/trellis/store"
)

// groupUse is the set of listeners and rules (keys) that forward to a target group (ARN).
func groupUse(arn string) string { return "loadbalancergroupuse/" + arn }

// targetUse is the set of target groups (keys) that a load balancer (ARN) is a target of.
func targetUse(arn string) string { return "loadbalancertargetuse/" + arn }

// groupsOf are the ARNs of the target groups that actions forward to.
func groupsOf(actions []trellis.LoadBalancerAction) (arns []string) {
	for _, a := range actions {
		if a.Forward != nil {
			for _, w := range a.Forward.TargetGroups {
				arns = append(arns, w.TargetGroupARN)
			}
		}
	}
	return arns
}

// use notes that a holder forwards by other actions from now on; nil for none.
func use(tx *store.Tx, holder string, was, now []trellis.LoadBalancerAction) {
	for _, arn := range groupsOf(was) {
		tx.Unmark(groupUse(arn), holder)
	}
	for _, arn := range groupsOf(now) {
		tx.Mark(groupUse(arn), holder)
	}
}

// balancersOf are the keys of the load balancers whose listeners and rules are holders of a target group.
func balancersOf(holders []string) (keys []string) {
	for _, h := range holders {
		parts := strings.SplitN(h, "/", 5) // account, app, name, id, listener and rule
		if key := strings.Join(parts[:min(4, len(parts))], "/"); !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// The protocols of listeners and target groups.
const (
	protocolHTTP   = "HTTP"
	protocolHTTPS  = "HTTPS"
	protocolTCP    = "TCP"
	protocolTLS    = "TLS"
	protocolUDP    = "UDP"
	protocolTCPUDP = "TCP_UDP"
)

// forwards are the protocols of target groups that listeners of a protocol may forward to (user guides of both types,
// listeners and target groups).
var forwards = map[string][]string{
	protocolHTTP:   {protocolHTTP, protocolHTTPS},
	protocolHTTPS:  {protocolHTTP, protocolHTTPS},
	protocolTCP:    {protocolTCP, protocolTCPUDP},
	protocolTLS:    {protocolTCP, protocolTLS},
	protocolUDP:    {protocolUDP, protocolTCPUDP},
	protocolTCPUDP: {protocolTCPUDP},
}

// redirectable are the parts of a URL that a redirect repeats when it names no others (RedirectActionConfig).
var redirectable = trellis.LoadBalancerRedirect{Protocol: "#{protocol}", Host: "#{host}", Port: "#{port}", Path: "/#{path}", Query: "#{query}"}

// checkActions refuses actions that a listener of a load balancer can't have, and completes them. The last one must say what
// becomes of the request.
func (l *LoadBalancers) checkActions(tx *store.Tx, c *authpolicy.Caller, b *trellis.LoadBalancer, protocol string, actions []trellis.LoadBalancerAction) error {
	if len(actions) != 1 {
		return bad("InvalidLoadBalancerAction", "Exactly one action of type forward, redirect or fixed-response must be given: Trellis authenticates nobody at load balancers")
	}
	a := &actions[0]
	if b.Type == trellis.LoadBalancerNetwork && a.Type != trellis.ActionForward {
		return bad("InvalidLoadBalancerAction", "Only action type 'forward' is supported for network load balancers")
	}
	switch a.Type {
	case trellis.ActionForward:
		if a.Forward == nil || len(a.Forward.TargetGroups) == 0 {
			return invalid("A target group ARN must be specified")
		}
		return l.checkForward(tx, c, b, protocol, a.Forward)
	case trellis.ActionRedirect:
		if a.Redirect == nil {
			return invalid("A redirect config must be specified")
		}
		return checkRedirect(a.Redirect)
	case trellis.ActionFixedResponse:
		if a.FixedResponse == nil {
			return invalid("A fixed response config must be specified")
		}
		return checkFixedResponse(a.FixedResponse)
	}
	return bad("InvalidLoadBalancerAction", "Trellis has no actions of type %s: forward, redirect and fixed-response are served", a.Type)
}

// maxForwards is how many target groups an action may share requests among (Application Load Balancers user guide, quotas).
const maxForwards = 5

// checkForward refuses target groups that a load balancer can't forward to.
func (l *LoadBalancers) checkForward(tx *store.Tx, c *authpolicy.Caller, b *trellis.LoadBalancer, protocol string, f *trellis.LoadBalancerForward) error {
	if len(f.TargetGroups) > maxForwards {
		return bad("TooManyUniqueTargetGroupsPerLoadBalancer", "At most %d target groups can be given in an action", maxForwards)
	}
	if b.Type == trellis.LoadBalancerApplication && f.Sticky && (f.StickySeconds < 1 || f.StickySeconds > 604800) {
		return invalid("Target group stickiness duration must be between 1 and 604800 seconds")
	}
	seen := map[string]bool{}
	for _, w := range f.TargetGroups {
		if seen[w.TargetGroupARN] {
			return invalid("The target group '%s' is given twice", w.TargetGroupARN)
		}
		seen[w.TargetGroupARN] = true
		if w.Weight < 0 || w.Weight > 999 {
			return invalid("Weight must be from 0 to 999")
		}
		key, err := l.keyOf(c, sortTargetGroup, w.TargetGroupARN)
		if err != nil {
			return err
		}
		g, err := companion.Get[*trellis.LoadBalancerTargetGroup](tx, key, notFound(sortTargetGroup, w.TargetGroupARN))
		if err != nil {
			return err
		}
		switch {
		case g.TargetType == "lambda" && b.Type != trellis.LoadBalancerApplication:
			return bad("InvalidConfigurationRequest", "Target group '%s' has functions, which a network load balancer does not call", w.TargetGroupARN)
		case g.TargetType != "lambda" && !slices.Contains(forwards[protocol], g.Protocol):
			return bad("IncompatibleProtocols", "The target group '%s' with protocol %s is not valid for a listener of protocol %s", w.TargetGroupARN, g.Protocol, protocol)
		case g.VPCID != "" && g.VPCID != b.VPCID:
			return bad("InvalidConfigurationRequest", "The load balancer and the target group '%s' must be in one VPC", w.TargetGroupARN)
		}
		holders, err := tx.Marked(groupUse(w.TargetGroupARN))
		if err != nil {
			return err
		}
		if keys := balancersOf(holders); len(keys) > 0 && !slices.Contains(keys, b.Key()) {
			return bad("TargetGroupAssociationLimit", "The following target groups cannot be associated with more than one load balancer: %s", w.TargetGroupARN)
		}
	}
	return nil
}

// checkRedirect refuses a redirect that leads back to where the request came from, and completes it.
func checkRedirect(r *trellis.LoadBalancerRedirect) error {
	for part, otherwise := range map[*string]string{&r.Protocol: redirectable.Protocol, &r.Host: redirectable.Host, &r.Port: redirectable.Port, &r.Path: redirectable.Path} {
		if *part == "" {
			*part = otherwise
		}
	}
	if n, err := strconv.Atoi(r.Port); r.Port != redirectable.Port && (err != nil || n < 1 || n > 65535) {
		return invalid("The redirect port '%s' must be from 1 to 65535, or #{port}", r.Port)
	}
	if !strings.HasPrefix(r.Path, "/") {
		return invalid("The redirect path '%s' must begin with '/'", r.Path)
	}
	if r.Protocol == redirectable.Protocol && r.Host == redirectable.Host && r.Port == redirectable.Port && r.Path == redirectable.Path {
		return bad("InvalidLoadBalancerAction", "The redirect configuration is not valid because it creates a loop")
	}
	return nil
}

// checkFixedResponse refuses an answer that a load balancer can't give.
func checkFixedResponse(f *trellis.LoadBalancerFixedResponse) error {
	if f.ContentType != "" && !slices.Contains([]string{"text/plain", "text/css", "text/html", "application/javascript", "application/json"}, f.ContentType) {
		return invalid("The content type '%s' must be one of text/plain, text/css, text/html, application/javascript, application/json", f.ContentType)
	}
	return nil
}
