package estate

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// balancing is the service of the kinds here.
const balancing = "elasticloadbalancing"

// loadBalancerKinds are the kinds of Elastic Load Balancing. Names of VPC Lattice's kinds are free of LoadBalancer.
func loadBalancerKinds() []*kind {
	toBalancer, toBalanced := reference{kinds: []string{"LoadBalancer"}, arn: true}, reference{kinds: []string{"LoadBalancerTargetGroup"}, arn: true}
	toCertificate := reference{kinds: []string{"Certificate"}, arn: true}
	all := []*kind{
		plain{list: "DescribeLoadBalancers", items: "LoadBalancers", own: "LoadBalancerName", id: "LoadBalancerArn", arn: "LoadBalancerArn", dns: "DNSName", made: "LoadBalancers",
			get: "DescribeLoadBalancers", got: "LoadBalancers", ask: listOfARN("LoadBalancerArns"), status: "State.Code", reason: "State.Reason",
			done: []string{"active", "active_impaired"}, failed: []string{"failed"}, more: withBalancer,
			sets: map[string]setter{"IpAddressType": one("SetIpAddressType", "IpAddressType"), "Subnets": one("SetSubnets", "Subnets"), "SecurityGroups": one("SetSecurityGroups", "SecurityGroups"),
				"LoadBalancerAttributes": attributes("ModifyLoadBalancerAttributes")}}.of(
			&kind{name: "LoadBalancer", prefix: "loadbalancer", roaming: true, nameMember: "Name", id: "LoadBalancerArn", create: "CreateLoadBalancer", remove: "DeleteLoadBalancer",
				members: []member{{name: "Type", fixed: true, def: "application"}, {name: "Scheme", fixed: true, def: "internet-facing"}, {name: "IpAddressType", def: "ipv4"},
					{name: "Subnets", required: true, set: true}, {name: "SecurityGroups", set: true}, {name: "LoadBalancerAttributes", later: true, part: true, norm: textsNorm}},
				refs: map[string]reference{"Subnets": toSubnet, "SecurityGroups": toSecurity}}),
		plain{list: "DescribeTargetGroups", items: "TargetGroups", own: "TargetGroupName", id: "TargetGroupArn", arn: "TargetGroupArn", made: "TargetGroups", more: withBalanced,
			sets: map[string]setter{"Targets": registered, "TargetGroupAttributes": attributes("ModifyTargetGroupAttributes")}}.of(
			&kind{name: "LoadBalancerTargetGroup", prefix: "targetgroup", nameMember: "Name", id: "TargetGroupArn", create: "CreateTargetGroup", update: "ModifyTargetGroup", remove: "DeleteTargetGroup",
				alike: withPorts,
				members: []member{{name: "TargetType", fixed: true, def: "instance"}, {name: "Protocol", fixed: true}, {name: "ProtocolVersion", fixed: true}, {name: "Port", fixed: true},
					{name: "VpcId", fixed: true}, {name: "IpAddressType", fixed: true}, {name: "HealthCheckEnabled"}, {name: "HealthCheckProtocol"}, {name: "HealthCheckPort"},
					{name: "HealthCheckPath"}, {name: "HealthCheckIntervalSeconds"}, {name: "HealthCheckTimeoutSeconds"}, {name: "HealthyThresholdCount"},
					{name: "UnhealthyThresholdCount"}, {name: "Matcher"}, {name: "Targets", later: true, set: true, def: nothing, check: "RegisterTargets"},
					{name: "TargetGroupAttributes", later: true, part: true, norm: textsNorm}},
				refs: map[string]reference{"VpcId": toVPC, "Id": {kinds: []string{"Instance", "Function", "LoadBalancer"}}}}),
		plain{lists: balancerListeners, id: "ListenerArn", arn: "ListenerArn", made: "Listeners", more: withListener,
			sets: map[string]setter{"ListenerCertificates": furtherCertificates, "ListenerAttributes": attributes("ModifyListenerAttributes")}}.of(
			&kind{name: "LoadBalancerListener", prefix: "listener", unnamed: true, id: "ListenerArn", create: "CreateListener", update: "ModifyListener", remove: "DeleteListener",
				label: func(t *thing) string { return nameOf(t.members["LoadBalancerArn"]) + "/" + text(t.members["Port"]) },
				members: []member{{name: "LoadBalancerArn", required: true, fixed: true}, {name: "Port", required: true, fixed: true}, {name: "Protocol", required: true},
					{name: "SslPolicy"}, {name: "AlpnPolicy"}, {name: "MutualAuthentication", part: true}, {name: "Certificates"}, {name: "DefaultActions", required: true, norm: actionsNorm},
					{name: "ListenerCertificates", later: true, set: true, def: nothing}, {name: "ListenerAttributes", later: true, part: true, norm: textsNorm}},
				defaults: redirected,
				refs:     map[string]reference{"LoadBalancerArn": toBalancer, "TargetGroupArn": toBalanced, "CertificateArn": toCertificate}}),
		plain{lists: balancerRules, id: "RuleArn", arn: "RuleArn", made: "Rules", more: withRule}.of(
			&kind{name: "LoadBalancerRule", prefix: "listener-rule", unnamed: true, id: "RuleArn", create: "CreateRule", update: "ModifyRule", remove: "DeleteRule",
				label: func(t *thing) string { return nameOf(t.members["ListenerArn"]) + "/" + text(t.members["Priority"]) },
				members: []member{{name: "ListenerArn", required: true, fixed: true}, {name: "Priority", required: true, fixed: true}, {name: "Conditions", required: true, set: true, norm: conditionsNorm},
					{name: "Actions", required: true, norm: actionsNorm}, {name: "Transforms"}},
				defaults: redirected,
				refs:     map[string]reference{"ListenerArn": {kinds: []string{"LoadBalancerListener"}, arn: true}, "TargetGroupArn": toBalanced}}),
	}
	for _, k := range all {
		k.service = balancing
	}
	return all
}

// redirected is what a redirect keeps of a URL unless it says something else.
var redirected = map[string]any{"Protocol": "#{protocol}", "Host": "#{host}", "Port": "#{port}", "Path": "/#{path}", "Query": "#{query}"}

// listOfARN is the input of an operation that describes things by a list of their ARNs.
func listOfARN(member string) func(*thing) map[string]any {
	return func(t *thing) map[string]any { return map[string]any{member: []any{t.arn}} }
}

// one returns a setter by an operation with the one member.
func one(operation, member string) setter {
	return func(ctx context.Context, s *session, t *thing, want, _ any) error {
		in := identify(t)
		in[member] = want
		return s.do(ctx, t.kind.service, operation, in)
	}
}

// attributes returns a setter of attributes, 20 at a time as AWS allows.
func attributes(operation string) setter {
	return func(ctx context.Context, s *session, t *thing, want, _ any) error {
		all := structure(want)
		for some := range slices.Chunk(slices.Sorted(maps.Keys(all)), 20) {
			in, pairs := identify(t), []any{}
			for _, k := range some {
				pairs = append(pairs, map[string]any{"Key": k, "Value": text(all[k])})
			}
			in["Attributes"] = pairs
			if err := s.do(ctx, t.kind.service, operation, in); err != nil {
				return err
			}
		}
		return nil
	}
}

// textsNorm says the values of attributes as texts, which they are in answers.
func textsNorm(v any) any {
	return walk(v, "", func(_ string, v any) any { return text(v) })
}

// usualAttributes are the values that attributes have unless somebody gives them others (Elastic Load Balancing API reference,
// LoadBalancerAttribute, TargetGroupAttribute and ListenerAttribute).
var usualAttributes = map[string]string{
	"access_logs.s3.enabled": "false", "connection_logs.s3.enabled": "false", "health_check_logs.s3.enabled": "false", "deletion_protection.enabled": "false",
	"zonal_shift.config.enabled": "false", "dns_record.client_routing_policy": "any_availability_zone", "secondary_ips.auto_assigned.per_subnet": "0",
	"client_keep_alive.seconds": "3600", "idle_timeout.timeout_seconds": "60", "routing.http.desync_mitigation_mode": "defensive",
	"routing.http.drop_invalid_header_fields.enabled": "false", "routing.http.preserve_host_header.enabled": "false",
	"routing.http.x_amzn_tls_version_and_cipher_suite.enabled": "false", "routing.http.xff_client_port.enabled": "false",
	"routing.http.xff_header_processing.mode": "append", "routing.http2.enabled": "true", "waf.fail_open.enabled": "false",
	"tcp.idle_timeout.seconds": "350", "routing.http.response.server.enabled": "true",
	"target_group_health.dns_failover.minimum_healthy_targets.count": "1", "target_group_health.dns_failover.minimum_healthy_targets.percentage": "off",
	"target_group_health.unhealthy_state_routing.minimum_healthy_targets.count": "1", "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage": "off",
	"lambda.multi_value_headers.enabled": "false", "deregistration_delay.timeout_seconds": "300", "load_balancing.cross_zone.enabled": "use_load_balancer_configuration",
	"stickiness.enabled": "false", "stickiness.type": "lb_cookie", "stickiness.lb_cookie.duration_seconds": "86400", "stickiness.app_cookie.duration_seconds": "86400",
	"slow_start.duration_seconds": "0", "load_balancing.algorithm.type": "round_robin", "load_balancing.algorithm.anomaly_mitigation": "off",
	"deregistration_delay.connection_termination.enabled": "false", "preserve_client_ip.enabled": "true", "proxy_protocol_v2.enabled": "false",
	"target_health_state.unhealthy.connection_termination.enabled": "true", "target_health_state.unhealthy.draining_interval_seconds": "0",
}

// usual tells whether an attribute of a thing has the value that nobody gave it.
func usual(t *thing, name, value string) bool {
	switch {
	case value == "" || value == usualAttributes[name]:
		return true
	case name == "load_balancing.cross_zone.enabled":
		return value == strconv.FormatBool(t.members["Type"] == "application")
	case name == "ipv6.deny_all_igw_traffic":
		return value == strconv.FormatBool(t.members["Scheme"] == "internal")
	case name == "preserve_client_ip.enabled":
		return t.members["TargetType"] == "ip" && value == "false"
	case name == "stickiness.type":
		return value == "source_ip" && !strings.HasPrefix(text(t.members["Protocol"]), "HTTP")
	case strings.HasPrefix(name, "routing.http.request."): // the names of headers: X-Amzn-Tls-Version
		word := strings.TrimSuffix(strings.TrimPrefix(name, "routing.http.request."), ".header_name")
		return strings.EqualFold(value, strings.ReplaceAll(word, "_", "-"))
	}
	return false
}

// withAttributes reads the attributes that have other values than the usual ones.
func withAttributes(ctx context.Context, s *session, t *thing, operation, member string) error {
	out, err := s.call(ctx, balancing, operation, map[string]any{t.kind.id: t.arn})
	all := map[string]any{}
	for _, a := range list(out["Attributes"]) {
		a := structure(a)
		if name, value := text(a["Key"]), text(a["Value"]); !usual(t, name, value) {
			all[name] = value
		}
	}
	if len(all) > 0 {
		t.members[member] = all
	}
	return err
}

// withBalancer takes the subnets of a load balancer.
func withBalancer(ctx context.Context, s *session, answer map[string]any, t *thing) error {
	var subnets []any
	for _, z := range list(part(answer, "LoadBalancers")["AvailabilityZones"]) {
		subnets = append(subnets, structure(z)["SubnetId"])
	}
	t.members["Subnets"] = subnets
	return withAttributes(ctx, s, t, "DescribeLoadBalancerAttributes", "LoadBalancerAttributes")
}

// withBalanced reads the targets of a target group that are not on their way out.
func withBalanced(ctx context.Context, s *session, _ map[string]any, t *thing) error {
	out, err := s.call(ctx, balancing, "DescribeTargetHealth", map[string]any{"TargetGroupArn": t.arn})
	if err != nil {
		return err
	}
	var targets []any
	for _, d := range list(out["TargetHealthDescriptions"]) {
		if text(at(d, "TargetHealth.State")) != "draining" {
			target := take(part(d, "Target"), "Id", "Port", "AvailabilityZone")
			if target["AvailabilityZone"] != "all" {
				delete(target, "AvailabilityZone") // where its address is
			}
			targets = append(targets, target)
		}
	}
	if targets != nil {
		t.members["Targets"] = targets
	}
	return withAttributes(ctx, s, t, "DescribeTargetGroupAttributes", "TargetGroupAttributes")
}

// registered registers and deregisters the targets of a group that differ.
func registered(ctx context.Context, s *session, t *thing, want, have any) error {
	wanted, present := list(withPorts(t, "Targets", want)), list(withPorts(t, "Targets", have))
	for i, part := range [][]any{lacking(wanted, present), lacking(present, wanted)} {
		if len(part) == 0 {
			continue
		}
		operation := []string{"RegisterTargets", "DeregisterTargets"}[i]
		if err := s.do(ctx, balancing, operation, map[string]any{"TargetGroupArn": t.arn, "Targets": part}); err != nil {
			return err
		}
	}
	return nil
}

// balancerListeners lists the listeners of all load balancers.
func balancerListeners(ctx context.Context, s *session) ([]map[string]any, error) {
	balancers, err := s.items(ctx, balancing, "DescribeLoadBalancers", nil, "LoadBalancers")
	var all []map[string]any
	for _, b := range balancers {
		found, err := s.items(ctx, balancing, "DescribeListeners", map[string]any{"LoadBalancerArn": b["LoadBalancerArn"]}, "Listeners")
		if err != nil && !gone(err) {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, err
}

// balancerRules lists the rules of all listeners but the default ones, with the ARNs of those.
func balancerRules(ctx context.Context, s *session) ([]map[string]any, error) {
	listeners, err := balancerListeners(ctx, s)
	var all []map[string]any
	for _, l := range listeners {
		found, err := s.items(ctx, balancing, "DescribeRules", map[string]any{"ListenerArn": l["ListenerArn"]}, "Rules")
		if err != nil && !gone(err) {
			return nil, err
		}
		for _, r := range found {
			if r["IsDefault"] != true {
				r["ListenerArn"] = l["ListenerArn"]
				all = append(all, r)
			}
		}
	}
	return all, err
}

// withListener reads the further certificates of a listener.
func withListener(ctx context.Context, s *session, _ map[string]any, t *thing) error {
	var certificates []any
	for _, c := range list(t.members["Certificates"]) {
		certificates = append(certificates, take(structure(c), "CertificateArn"))
	}
	if certificates != nil {
		t.members["Certificates"] = certificates
		found, err := s.items(ctx, balancing, "DescribeListenerCertificates", map[string]any{"ListenerArn": t.arn}, "Certificates")
		if err != nil {
			return err
		}
		var further []any
		for _, c := range found {
			if c["IsDefault"] != true {
				further = append(further, take(c, "CertificateArn"))
			}
		}
		if further = lacking(further, certificates); further != nil {
			t.members["ListenerCertificates"] = further
		}
	}
	if text(at(t.members["MutualAuthentication"], "Mode")) == "off" {
		delete(t.members, "MutualAuthentication")
	}
	return withAttributes(ctx, s, t, "DescribeListenerAttributes", "ListenerAttributes")
}

// furtherCertificates adds and removes the certificates of a listener besides its first.
func furtherCertificates(ctx context.Context, s *session, t *thing, want, have any) error {
	for i, part := range [][]any{lacking(list(want), list(have)), lacking(list(have), list(want))} {
		operation := []string{"AddListenerCertificates", "RemoveListenerCertificates"}[i]
		for _, c := range part { // one at a time, as AWS has it
			if err := s.do(ctx, balancing, operation, map[string]any{"ListenerArn": t.arn, "Certificates": []any{c}}); err != nil {
				return err
			}
		}
	}
	return nil
}

// withRule gives the priority of a rule as operations take it.
func withRule(_ context.Context, _ *session, _ map[string]any, t *thing) error {
	priority, err := strconv.Atoi(text(t.members["Priority"]))
	if err == nil {
		t.members["Priority"] = priority
	}
	return nil
}

// actionsNorm says actions in one way: a forward to one group by its ARN alone, and the order where there are several.
func actionsNorm(v any) any {
	all := list(v)
	var out []any
	for _, e := range all {
		m := maps.Clone(structure(e))
		if len(all) == 1 {
			delete(m, "Order")
		}
		if m["Type"] == "forward" {
			groups := list(at(m["ForwardConfig"], "TargetGroups"))
			sticky := at(m["ForwardConfig"], "TargetGroupStickinessConfig.Enabled") == true
			switch {
			case len(groups) == 1 && !sticky:
				m["TargetGroupArn"] = structure(groups[0])["TargetGroupArn"]
				delete(m, "ForwardConfig")
			case len(groups) > 0:
				delete(m, "TargetGroupArn")
				config := maps.Clone(structure(m["ForwardConfig"]))
				if !sticky {
					delete(config, "TargetGroupStickinessConfig")
				}
				m["ForwardConfig"] = config
			}
		}
		out = append(out, m)
	}
	return out
}

// conditionConfigs are the members of conditions that have the values of a field.
var conditionConfigs = map[string]string{"host-header": "HostHeaderConfig", "path-pattern": "PathPatternConfig", "http-request-method": "HttpRequestMethodConfig", "source-ip": "SourceIpConfig"}

// conditionsNorm says the values of conditions in one way: in the member of their field.
func conditionsNorm(v any) any {
	var out []any
	for _, e := range list(v) {
		m := maps.Clone(structure(e))
		if config := conditionConfigs[text(m["Field"])]; config != "" && len(list(m["Values"])) > 0 && m[config] == nil {
			m[config] = map[string]any{"Values": m["Values"]}
		}
		for _, short := range []string{"Values", "RegexValues"} {
			if len(m) > 2 {
				delete(m, short)
			}
		}
		out = append(out, m)
	}
	return out
}
