package loadbalancer

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion"
	"github.com/trellis-project/trellis/store"
)

// Attribute is an attribute with its value, or AWS's default when nothing was set.
type Attribute struct {
	Key, Value string
	check      func(string) bool // what values it can have; nil for any
}

// The checks of values.
var (
	onOff = oneOf("true", "false")
	share = func(v string) bool { return v == "off" || between(1, 100)(v) }
	count = func(v string) bool { return v == "off" || between(1, 1000)(v) }
)

// oneOf takes some values.
func oneOf(values ...string) func(string) bool {
	return func(v string) bool { return slices.Contains(values, v) }
}

// between takes whole numbers.
func between(from, to int) func(string) bool {
	return func(v string) bool { n, err := strconv.Atoi(v); return err == nil && n >= from && n <= to }
}

// logs are the attributes of logs that go to a bucket.
func logs(kind string) []Attribute {
	return []Attribute{{kind + ".s3.enabled", "false", onOff}, {kind + ".s3.bucket", "", nil}, {kind + ".s3.prefix", "", nil}}
}

// balancerAttributes are the attributes of a load balancer with their defaults (LoadBalancerAttribute).
func balancerAttributes(b *trellis.LoadBalancer) []Attribute {
	all := append(logs("access_logs"),
		Attribute{"deletion_protection.enabled", "false", onOff},
		Attribute{"ipv6.deny_all_igw_traffic", strconv.FormatBool(b.Scheme == "internal"), onOff},
		Attribute{"load_balancing.cross_zone.enabled", strconv.FormatBool(b.Type == trellis.LoadBalancerApplication), onOff},
		Attribute{"zonal_shift.config.enabled", "false", onOff})
	if b.Type == trellis.LoadBalancerNetwork {
		return append(all,
			Attribute{"dns_record.client_routing_policy", "any_availability_zone", oneOf("any_availability_zone", "availability_zone_affinity", "partial_availability_zone_affinity")},
			Attribute{"secondary_ips.auto_assigned.per_subnet", "0", between(0, 7)})
	}
	all[len(all)-2].check = oneOf("true") // an Application Load Balancer always balances across zones
	return append(append(append(all, logs("connection_logs")...), logs("health_check_logs")...),
		Attribute{"client_keep_alive.seconds", "3600", between(60, 604800)},
		Attribute{"idle_timeout.timeout_seconds", "60", between(1, 4000)},
		Attribute{"routing.http.desync_mitigation_mode", "defensive", oneOf("monitor", "defensive", "strictest")},
		Attribute{"routing.http.drop_invalid_header_fields.enabled", "false", onOff},
		Attribute{"routing.http.preserve_host_header.enabled", "false", onOff},
		Attribute{"routing.http.x_amzn_tls_version_and_cipher_suite.enabled", "false", onOff},
		Attribute{"routing.http.xff_client_port.enabled", "false", onOff},
		Attribute{"routing.http.xff_header_processing.mode", "append", oneOf("append", "preserve", "remove")},
		Attribute{"routing.http2.enabled", "true", onOff},
		Attribute{"waf.fail_open.enabled", "false", onOff})
}

// responseHeaders are the headers that a listener can be told to add to answers.
var responseHeaders = []string{"access_control_allow_credentials", "access_control_allow_headers", "access_control_allow_methods", "access_control_allow_origin",
	"access_control_expose_headers", "access_control_max_age", "content_security_policy", "strict_transport_security", "x_content_type_options", "x_frame_options"}

// requestHeaders are the headers about TLS that a listener of HTTPS adds to requests, whose names can be changed.
var requestHeaders = []string{"x_amzn_mtls_clientcert", "x_amzn_mtls_clientcert_issuer", "x_amzn_mtls_clientcert_leaf", "x_amzn_mtls_clientcert_serial_number",
	"x_amzn_mtls_clientcert_subject", "x_amzn_mtls_clientcert_validity", "x_amzn_tls_cipher_suite", "x_amzn_tls_version"}

// listenerAttributes are the attributes of a listener with their defaults (ListenerAttribute).
func listenerAttributes(n *trellis.LoadBalancerListener) []Attribute {
	var all []Attribute
	switch {
	case n.Protocol == protocolTCP:
		all = append(all, Attribute{"tcp.idle_timeout.seconds", "350", between(60, 6000)})
	case ofHTTP(n.Protocol):
		all = append(all, Attribute{"routing.http.response.server.enabled", "true", onOff})
		for _, h := range responseHeaders {
			all = append(all, Attribute{"routing.http.response." + h + ".header_value", "", nil})
		}
	}
	if n.Protocol == protocolHTTPS {
		for _, h := range requestHeaders {
			all = append(all, Attribute{"routing.http.request." + h + ".header_name", headerName(h), func(v string) bool { return headerForm.MatchString(v) }})
		}
	}
	return all
}

// headerName is the name of a header as a word of an attribute's key stands for it.
func headerName(word string) string {
	return http.CanonicalHeaderKey(strings.ReplaceAll(word, "_", "-"))
}

// groupAttributes are the attributes of a target group with their defaults (TargetGroupAttribute).
func groupAttributes(g *trellis.LoadBalancerTargetGroup) []Attribute {
	all := []Attribute{
		{"target_group_health.dns_failover.minimum_healthy_targets.count", "1", count},
		{"target_group_health.dns_failover.minimum_healthy_targets.percentage", "off", share},
		{"target_group_health.unhealthy_state_routing.minimum_healthy_targets.count", "1", between(1, 1000)},
		{"target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage", "off", share},
	}
	if g.TargetType == "lambda" {
		return append(all, Attribute{"lambda.multi_value_headers.enabled", "false", onOff})
	}
	all = append(all,
		Attribute{"deregistration_delay.timeout_seconds", "300", between(0, 3600)},
		Attribute{"load_balancing.cross_zone.enabled", "use_load_balancer_configuration", oneOf("true", "false", "use_load_balancer_configuration")},
		Attribute{"stickiness.enabled", "false", onOff})
	if ofHTTP(g.Protocol) {
		return append(all,
			Attribute{"load_balancing.algorithm.anomaly_mitigation", "off", oneOf("on", "off")},
			Attribute{"load_balancing.algorithm.type", "round_robin", oneOf("round_robin", "least_outstanding_requests", "weighted_random")},
			Attribute{"slow_start.duration_seconds", "0", func(v string) bool { return v == "0" || between(30, 900)(v) }},
			Attribute{"stickiness.app_cookie.cookie_name", "", nil},
			Attribute{"stickiness.app_cookie.duration_seconds", "86400", between(1, 604800)},
			Attribute{"stickiness.lb_cookie.duration_seconds", "86400", between(1, 604800)},
			Attribute{"stickiness.type", "lb_cookie", oneOf("lb_cookie", "app_cookie")})
	}
	streams := g.Protocol == protocolTCP || g.Protocol == protocolTLS
	return append(all,
		Attribute{"deregistration_delay.connection_termination.enabled", strconv.FormatBool(!streams), onOff},
		Attribute{"preserve_client_ip.enabled", strconv.FormatBool(!streams || g.TargetType != "ip"), onOff},
		Attribute{"proxy_protocol_v2.enabled", "false", onOff},
		Attribute{"stickiness.type", "source_ip", oneOf("source_ip", "source_ip_dest_ip", "source_ip_dest_ip_proto")},
		Attribute{"target_health_state.unhealthy.connection_termination.enabled", "true", onOff},
		Attribute{"target_health_state.unhealthy.draining_interval_seconds", "0", between(0, 360000)})
}

// valued are attributes with what was set of them, by key.
func valued(known []Attribute, set map[string]string) []Attribute {
	for i := range known {
		if v, ok := set[known[i].Key]; ok {
			known[i].Value = v
		}
	}
	slices.SortFunc(known, func(a, b Attribute) int { return strings.Compare(a.Key, b.Key) })
	return known
}

// setAttributes is what attributes are after a change, which must be of known names with values that they can have.
func setAttributes(have map[string]string, known []Attribute, change map[string]string) (map[string]string, error) {
	for _, name := range slices.Sorted(maps.Keys(change)) {
		i := slices.IndexFunc(known, func(a Attribute) bool { return a.Key == name })
		if i < 0 {
			return nil, invalid("Attribute key '%s' is not recognized", name)
		}
		if check := known[i].check; check != nil && !check(change[name]) {
			return nil, invalid("Attribute value '%s' is not valid for '%s'", change[name], name)
		}
	}
	return companion.WithTags(have, change), nil
}

// BalancerAttributes returns the attributes of a load balancer.
func (l *LoadBalancers) BalancerAttributes(ctx context.Context, c *authpolicy.Caller, arn string) ([]Attribute, error) {
	b, err := l.Balancer(ctx, c, "DescribeLoadBalancerAttributes", arn)
	if err != nil {
		return nil, err
	}
	return valued(balancerAttributes(b), b.Attributes), nil
}

// Balancer returns one load balancer for an operation that shows a part of it.
func (l *LoadBalancers) Balancer(ctx context.Context, c *authpolicy.Caller, action, arn string) (b *trellis.LoadBalancer, err error) {
	err = l.Read(ctx, c, service+action, "*", nil, func(tx *store.Tx) error {
		key, err := l.keyOf(c, sortLoadBalancer, arn)
		if err != nil {
			return err
		}
		b, err = companion.Get[*trellis.LoadBalancer](tx, key, notFound(sortLoadBalancer, arn))
		return err
	})
	return b, err
}

// SetBalancerAttributes changes attributes of a load balancer and returns all.
func (l *LoadBalancers) SetBalancerAttributes(ctx context.Context, c *authpolicy.Caller, arn string, change map[string]string) ([]Attribute, trellis.Revision, error) {
	b, rev, err := l.change(ctx, c, "ModifyLoadBalancerAttributes", arn, nil, func(_ *store.Tx, b *trellis.LoadBalancer) (err error) {
		b.Attributes, err = setAttributes(b.Attributes, balancerAttributes(b), change)
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	return valued(balancerAttributes(b), b.Attributes), rev, nil
}

// ListenerAttributes returns the attributes of a listener.
func (l *LoadBalancers) ListenerAttributes(ctx context.Context, c *authpolicy.Caller, arn string) ([]Attribute, error) {
	n, err := l.Listener(ctx, c, "DescribeListenerAttributes", arn)
	if err != nil {
		return nil, err
	}
	return valued(listenerAttributes(n), n.Attributes), nil
}

// SetListenerAttributes changes attributes of a listener and returns all.
func (l *LoadBalancers) SetListenerAttributes(ctx context.Context, c *authpolicy.Caller, arn string, change map[string]string) ([]Attribute, trellis.Revision, error) {
	n, rev, err := l.changeListener(ctx, c, "ModifyListenerAttributes", arn, func(_ *store.Tx, n *trellis.LoadBalancerListener) (err error) {
		n.Attributes, err = setAttributes(n.Attributes, listenerAttributes(n), change)
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	return valued(listenerAttributes(n), n.Attributes), rev, nil
}

// GroupAttributes returns the attributes of a target group.
func (l *LoadBalancers) GroupAttributes(ctx context.Context, c *authpolicy.Caller, arn string) (all []Attribute, err error) {
	err = l.Read(ctx, c, service+"DescribeTargetGroupAttributes", "*", nil, func(tx *store.Tx) error {
		key, err := l.keyOf(c, sortTargetGroup, arn)
		if err != nil {
			return err
		}
		g, err := companion.Get[*trellis.LoadBalancerTargetGroup](tx, key, notFound(sortTargetGroup, arn))
		if err != nil {
			return err
		}
		all = valued(groupAttributes(g), g.Attributes)
		return nil
	})
	return all, err
}

// SetGroupAttributes changes attributes of a target group and returns all.
func (l *LoadBalancers) SetGroupAttributes(ctx context.Context, c *authpolicy.Caller, arn string, change map[string]string) ([]Attribute, trellis.Revision, error) {
	g, rev, err := l.changeGroup(ctx, c, "ModifyTargetGroupAttributes", arn, func(_ *store.Tx, g *trellis.LoadBalancerTargetGroup) (err error) {
		g.Attributes, err = setAttributes(g.Attributes, groupAttributes(g), change)
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	return valued(groupAttributes(g.LoadBalancerTargetGroup), g.Attributes), rev, nil
}
