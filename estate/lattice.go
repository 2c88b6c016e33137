package estate

import (
	"context"
	"maps"
	"slices"
	"strings"
)

// lattice is the service that most kinds here are of.
const lattice = "vpc-lattice"

// Groups of kinds that members refer to.
var (
	toService  = reference{kinds: []string{"Service"}}
	toNetwork  = reference{kinds: []string{"ServiceNetwork"}}
	toGroup    = reference{kinds: []string{"TargetGroup"}}
	toVPC      = reference{kinds: []string{"Vpc"}}
	toSubnet   = reference{kinds: []string{"Subnet"}}
	toSecurity = reference{kinds: []string{"SecurityGroup"}}
	toResource = reference{kinds: []string{"ResourceConfiguration"}}
	toGateway  = reference{kinds: []string{"InternetGateway"}}
)

// latticeKinds are the kinds of VPC Lattice.
func latticeKinds() []*kind {
	all := []*kind{
		{name: "ServiceNetwork", prefix: "sn", id: "serviceNetworkIdentifier",
			members: []member{{name: "authType", def: "NONE"}, {name: "sharingConfig", fixed: true, part: true, def: map[string]any{"enabled": true}}, authPolicyMember, resourcePolicyMember},
			create:  "CreateServiceNetwork", get: "GetServiceNetwork", update: "UpdateServiceNetwork", remove: "DeleteServiceNetwork",
			read: readLattice("ServiceNetwork", topLevel("ListServiceNetworks"), withPolicies)},
		{name: "TargetGroup", prefix: "tg", id: "targetGroupIdentifier",
			alike: withPorts,
			members: []member{{name: "type", required: true, fixed: true}, {name: "config", part: true},
				{name: "targets", later: true, set: true, def: nothing, check: "RegisterTargets"}},
			refs:   map[string]reference{"vpcIdentifier": toVPC, "id": {kinds: []string{"Instance", "Function", "LoadBalancer"}}},
			create: "CreateTargetGroup", get: "GetTargetGroup", update: "UpdateTargetGroup", remove: "DeleteTargetGroup",
			read: readLattice("TargetGroup", topLevel("ListTargetGroups"), withTargets), unmake: unmakeTargetGroup},
		{name: "Service", prefix: "svc", id: "serviceIdentifier",
			members: []member{{name: "authType", def: "NONE"}, {name: "customDomainName", fixed: true}, {name: "certificateArn"}, {name: "idleTimeoutSeconds"}, authPolicyMember, resourcePolicyMember},
			refs:    map[string]reference{"certificateArn": {kinds: []string{"Certificate"}, arn: true}},
			create:  "CreateService", get: "GetService", update: "UpdateService", remove: "DeleteService",
			read: readLattice("Service", topLevel("ListServices"), withPolicies)},
		{name: "Listener", prefix: "listener", id: "listenerIdentifier", scope: "serviceIdentifier",
			members: []member{{name: "serviceIdentifier", required: true, fixed: true}, {name: "protocol", required: true, fixed: true}, {name: "port", fixed: true},
				{name: "defaultAction", required: true}},
			refs:     map[string]reference{"serviceIdentifier": toService, "targetGroupIdentifier": toGroup},
			defaults: map[string]any{"weight": 100},
			create:   "CreateListener", get: "GetListener", update: "UpdateListener", remove: "DeleteListener",
			read: readLattice("Listener", listeners, nil)},
		{name: "Rule", prefix: "rule", id: "ruleIdentifier", scope: "listenerIdentifier",
			members: []member{{name: "serviceIdentifier", required: true, fixed: true}, {name: "listenerIdentifier", required: true, fixed: true},
				{name: "priority", required: true}, {name: "match", required: true, norm: matchNorm}, {name: "action", required: true}},
			refs:     map[string]reference{"serviceIdentifier": toService, "listenerIdentifier": {kinds: []string{"Listener"}}, "targetGroupIdentifier": toGroup},
			defaults: map[string]any{"weight": 100},
			create:   "CreateRule", get: "GetRule", update: "UpdateRule", remove: "DeleteRule",
			read: readLattice("Rule", rules, nil)},
		{name: "ResourceGateway", prefix: "rgw", roaming: true, id: "resourceGatewayIdentifier",
			members: []member{{name: "vpcIdentifier", required: true, fixed: true}, {name: "subnetIds", required: true, fixed: true, set: true},
				{name: "securityGroupIds", set: true}, {name: "ipAddressType", def: "IPV4", fixed: true}, {name: "ipv4AddressesPerEni", def: 16, fixed: true},
				{name: "resourceConfigDnsResolution"}},
			refs:   map[string]reference{"vpcIdentifier": toVPC, "subnetIds": toSubnet, "securityGroupIds": toSecurity},
			create: "CreateResourceGateway", get: "GetResourceGateway", update: "UpdateResourceGateway", remove: "DeleteResourceGateway",
			read: readLattice("ResourceGateway", topLevel("ListResourceGateways"), nil, "vpcIdentifier=vpcId")},
		{name: "DomainVerification", prefix: "dv", id: "domainVerificationIdentifier", nameMember: "domainName",
			create: "StartDomainVerification", get: "GetDomainVerification", remove: "DeleteDomainVerification",
			read: readLattice("DomainVerification", topLevel("ListDomainVerifications"), nil)},
		{name: "ResourceConfiguration", prefix: "rcfg", id: "resourceConfigurationIdentifier",
			members: []member{{name: "type", required: true, fixed: true}, {name: "resourceGatewayIdentifier", fixed: true},
				{name: "resourceConfigurationGroupIdentifier", fixed: true}, {name: "portRanges", set: true}, {name: "protocol", fixed: true, def: "TCP"},
				{name: "resourceConfigurationDefinition", part: true}, {name: "allowAssociationToShareableServiceNetwork", def: false},
				{name: "customDomainName", fixed: true}, {name: "groupDomain", fixed: true}, {name: "domainVerificationIdentifier", fixed: true}, resourcePolicyMember},
			refs: map[string]reference{"resourceGatewayIdentifier": {kinds: []string{"ResourceGateway"}}, "resourceConfigurationGroupIdentifier": toResource,
				"domainVerificationIdentifier": {kinds: []string{"DomainVerification"}}},
			create: "CreateResourceConfiguration", get: "GetResourceConfiguration", update: "UpdateResourceConfiguration", remove: "DeleteResourceConfiguration",
			read: readLattice("ResourceConfiguration", topLevel("ListResourceConfigurations"), asChild, "resourceGatewayIdentifier=resourceGatewayId",
				"resourceConfigurationGroupIdentifier=resourceConfigurationGroupId", "domainVerificationIdentifier=domainVerificationId")},
		{name: "ServiceNetworkServiceAssociation", prefix: "snsa", id: "serviceNetworkServiceAssociationIdentifier", unnamed: true,
			label:   joins("serviceNetworkIdentifier", "serviceIdentifier"),
			members: []member{{name: "serviceNetworkIdentifier", required: true, fixed: true}, {name: "serviceIdentifier", required: true, fixed: true}},
			refs:    map[string]reference{"serviceNetworkIdentifier": toNetwork, "serviceIdentifier": toService},
			create:  "CreateServiceNetworkServiceAssociation", get: "GetServiceNetworkServiceAssociation", remove: "DeleteServiceNetworkServiceAssociation",
			read: readLattice("ServiceNetworkServiceAssociation", ofNetworks("ListServiceNetworkServiceAssociations"), nil, "serviceNetworkIdentifier=serviceNetworkArn", "serviceIdentifier=serviceArn")},
		{name: "ServiceNetworkVpcAssociation", prefix: "snva", id: "serviceNetworkVpcAssociationIdentifier", unnamed: true,
			label: joins("serviceNetworkIdentifier", "vpcIdentifier"),
			members: []member{{name: "serviceNetworkIdentifier", required: true, fixed: true}, {name: "vpcIdentifier", required: true, fixed: true},
				{name: "securityGroupIds", set: true, def: nothing}, {name: "privateDnsEnabled", def: false}, {name: "dnsOptions", part: true}},
			refs:   map[string]reference{"serviceNetworkIdentifier": toNetwork, "vpcIdentifier": toVPC, "securityGroupIds": toSecurity},
			create: "CreateServiceNetworkVpcAssociation", get: "GetServiceNetworkVpcAssociation", update: "UpdateServiceNetworkVpcAssociation", remove: "DeleteServiceNetworkVpcAssociation",
			read: readLattice("ServiceNetworkVpcAssociation", ofNetworks("ListServiceNetworkVpcAssociations"), nil, "serviceNetworkIdentifier=serviceNetworkArn", "vpcIdentifier=vpcId")},
		{name: "ServiceNetworkResourceAssociation", prefix: "snra", id: "serviceNetworkResourceAssociationIdentifier", unnamed: true,
			label: joins("serviceNetworkIdentifier", "resourceConfigurationIdentifier"),
			members: []member{{name: "serviceNetworkIdentifier", required: true, fixed: true}, {name: "resourceConfigurationIdentifier", required: true, fixed: true},
				{name: "privateDnsEnabled", fixed: true, def: false}},
			refs:   map[string]reference{"serviceNetworkIdentifier": toNetwork, "resourceConfigurationIdentifier": toResource},
			create: "CreateServiceNetworkResourceAssociation", get: "GetServiceNetworkResourceAssociation", remove: "DeleteServiceNetworkResourceAssociation",
			read: readLattice("ServiceNetworkResourceAssociation", ofNetworks("ListServiceNetworkResourceAssociations"), nil, "serviceNetworkIdentifier=serviceNetworkArn", "resourceConfigurationIdentifier=resourceConfigurationArn")},
		{name: "AccessLogSubscription", prefix: "als", id: "accessLogSubscriptionIdentifier", unnamed: true, label: subscriptionLabel,
			members: []member{{name: "resourceIdentifier", required: true, fixed: true}, {name: "destinationArn", required: true}, {name: "serviceNetworkLogType", fixed: true, def: "SERVICE"}},
			refs: map[string]reference{"resourceIdentifier": {kinds: []string{"Service", "ServiceNetwork", "ResourceConfiguration"}},
				"destinationArn": {kinds: []string{"LogGroup", "Bucket", "DeliveryStream"}, arn: true}},
			create: "CreateAccessLogSubscription", get: "GetAccessLogSubscription", update: "UpdateAccessLogSubscription", remove: "DeleteAccessLogSubscription",
			read: readLattice("AccessLogSubscription", subscriptions, nil, "resourceIdentifier=resourceArn")},
	}
	for _, k := range all {
		k.service = lattice
		if k.nameMember == "" && !k.unnamed {
			k.nameMember = "name"
		}
		k.make, k.change = makeLattice, changeLattice
		if k.unmake == nil {
			k.unmake = unmakeLattice
		}
	}
	return all
}

// matchNorm leaves out of a rule's match what is so unless something else is said: paths are compared with the case of
// letters, headers without.
func matchNorm(v any) any {
	return withoutCase(v, "")
}

// withoutCase is matchNorm below a member.
func withoutCase(v any, in string) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, e := range v {
			if k == "caseSensitive" && e == (in == "pathMatch") {
				continue
			}
			out[k] = withoutCase(e, k)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = withoutCase(e, in)
		}
		return out
	}
	return v
}

// authPolicyMember is the auth policy of a service or service network, which has operations of its own.
var authPolicyMember = member{name: "authPolicy", later: true, late: true, form: policyText, def: nothing}

// resourcePolicyMember says which other accounts may use a network, service or resource. It is put as soon as the thing is
// there, since what those accounts make of it comes next.
var resourcePolicyMember = member{name: "resourcePolicy", later: true, form: policyText, def: nothing}

// joins names an association by what it joins.
func joins(members ...string) func(*thing) string {
	return func(t *thing) string {
		var names []string
		for _, m := range members {
			names = append(names, nameOf(t.members[m]))
		}
		return strings.Join(names, "/")
	}
}

// subscriptionLabel names a subscription by what it is of and what kind of destination it has: AWS allows one of each.
func subscriptionLabel(t *thing) string {
	destination := "logs"
	switch to := t.members["destinationArn"].(type) {
	case string:
		if strings.HasPrefix(to, "arn:") {
			destination = strings.Split(to, ":")[2]
		}
	case Ref:
		destination = kindOf(kinds(), to.Kind).service
	case thingRef:
		destination = to.kind.service
	}
	name := nameOf(t.members["resourceIdentifier"]) + "/" + destination
	if text(t.members["serviceNetworkLogType"]) == "RESOURCE" {
		name += "/RESOURCE"
	}
	return name
}

// readLattice returns a reader of a kind: it lists, gets each that the account owns, and its tags. more reads what
// other operations know. renamed are members that answers call otherwise: "a=b".
func readLattice(name string, lister func(context.Context, *session) ([]map[string]any, error), more func(context.Context, *session, *thing) error, renamed ...string) func(context.Context, *session) ([]*thing, error) {
	return func(ctx context.Context, s *session) ([]*thing, error) {
		items, err := lister(ctx, s)
		if err != nil {
			return nil, err
		}
		k := kindOf(latticeKinds(), name)
		names := slices.Clone(renamed)
		for _, m := range k.members {
			if !slices.ContainsFunc(renamed, func(r string) bool { return strings.HasPrefix(r, m.name+"=") }) {
				names = append(names, m.name)
			}
		}
		items = slices.DeleteFunc(slices.Clone(items), func(m map[string]any) bool { return !ownedBy(s.account, text(m["arn"])) })
		return each(ctx, items, func(ctx context.Context, item map[string]any) (*thing, error) {
			t := &thing{id: text(item["id"]), arn: text(item["arn"]), raw: map[string]string{}}
			in := map[string]any{k.id: t.id}
			for _, parent := range []string{"serviceIdentifier", "listenerIdentifier"} {
				if id := text(item["\x00"+parent]); id != "" {
					t.raw[parent], in[parent] = id, id
				}
			}
			got, err := s.call(ctx, lattice, k.get, in)
			if err != nil {
				return nil, err
			}
			if strings.HasPrefix(text(got["status"]), "DELETE_IN") || got["isDefault"] == true || got["isManagedAssociation"] == true || got["serviceManaged"] == true || got["amazonManaged"] == true {
				return nil, nil
			}
			t.own = text(got[k.nameMember])
			if name == "Service" { // its associations answer the same name
				t.dns = text(at(got, "dnsEntry.domainName"))
			}
			t.members = take(got, names...)
			for _, parent := range []string{"serviceIdentifier", "listenerIdentifier"} {
				if id, ok := t.raw[parent]; ok {
					t.members[parent] = id
				}
			}
			if more != nil {
				err = more(ctx, s, t)
			}
			return t, err
		})
	}
}

// ownedBy tells whether an ARN is of an account.
func ownedBy(account, arn string) bool {
	parts := strings.SplitN(arn, ":", 6)
	return len(parts) == 6 && parts[4] == account
}

// topLevel lists what belongs to nothing else.
func topLevel(operation string) func(context.Context, *session) ([]map[string]any, error) {
	return func(ctx context.Context, s *session) ([]map[string]any, error) {
		return s.items(ctx, lattice, operation, nil, "items")
	}
}

// owned lists what belongs to nothing else and to the account.
func owned(ctx context.Context, s *session, operation string) ([]map[string]any, error) {
	items, err := s.items(ctx, lattice, operation, nil, "items")
	return slices.DeleteFunc(slices.Clone(items), func(m map[string]any) bool { return !ownedBy(s.account, text(m["arn"])) }), err
}

// listeners lists the listeners of all services, with the ids of those.
func listeners(ctx context.Context, s *session) ([]map[string]any, error) {
	services, err := owned(ctx, s, "ListServices")
	if err != nil {
		return nil, err
	}
	var all []map[string]any
	for _, service := range services {
		found, err := s.items(ctx, lattice, "ListListeners", map[string]any{"serviceIdentifier": service["id"]}, "items")
		if err != nil && !gone(err) {
			return nil, err
		}
		for _, l := range found {
			l["\x00serviceIdentifier"] = service["id"]
		}
		all = append(all, found...)
	}
	return all, nil
}

// rules lists the rules of all listeners, with the ids of those and their services.
func rules(ctx context.Context, s *session) ([]map[string]any, error) {
	above, err := listeners(ctx, s)
	if err != nil {
		return nil, err
	}
	var all []map[string]any
	for _, l := range above {
		service := l["\x00serviceIdentifier"]
		found, err := s.items(ctx, lattice, "ListRules", map[string]any{"serviceIdentifier": service, "listenerIdentifier": l["id"]}, "items")
		if err != nil && !gone(err) {
			return nil, err
		}
		for _, r := range found {
			r["\x00serviceIdentifier"], r["\x00listenerIdentifier"] = service, l["id"]
		}
		all = append(all, found...)
	}
	return all, nil
}

// ofNetworks lists associations with every network that the account sees.
func ofNetworks(operation string) func(context.Context, *session) ([]map[string]any, error) {
	return func(ctx context.Context, s *session) ([]map[string]any, error) {
		networks, err := s.items(ctx, lattice, "ListServiceNetworks", nil, "items")
		if err != nil {
			return nil, err
		}
		var all []map[string]any
		for _, n := range networks {
			found, err := s.items(ctx, lattice, operation, map[string]any{"serviceNetworkIdentifier": n["arn"]}, "items")
			if err != nil && !gone(err) {
				return nil, err
			}
			all = append(all, found...)
		}
		return all, nil
	}
}

// subscriptions lists the access-log subscriptions of all that can have some.
func subscriptions(ctx context.Context, s *session) ([]map[string]any, error) {
	var all []map[string]any
	for _, operation := range []string{"ListServices", "ListServiceNetworks", "ListResourceConfigurations"} {
		above, err := owned(ctx, s, operation)
		if err != nil {
			return nil, err
		}
		for _, a := range above {
			found, err := s.items(ctx, lattice, "ListAccessLogSubscriptions", map[string]any{"resourceIdentifier": a["arn"]}, "items")
			if err != nil && !gone(err) {
				return nil, err
			}
			all = append(all, found...)
		}
	}
	return all, nil
}

// withPolicies reads the auth policy and the resource policy.
func withPolicies(ctx context.Context, s *session, t *thing) error {
	if err := withAuthPolicy(ctx, s, t); err != nil {
		return err
	}
	return withResourcePolicy(ctx, s, t)
}

// withResourcePolicy reads the resource policy. Without one of its own, what a share has answers with the share's
// (VPC Lattice API, GetResourcePolicy), which its document need not say.
func withResourcePolicy(ctx context.Context, s *session, t *thing) error {
	out, err := s.call(ctx, lattice, "GetResourcePolicy", map[string]any{"resourceArn": t.arn})
	if gone(err) || err == nil && text(out["policy"]) == "" {
		return nil
	}
	if err != nil {
		return err
	}
	t.members["resourcePolicy"] = text(out["policy"])
	shares, err := s.items(ctx, "ram", "GetResourceShareAssociations", map[string]any{"associationType": "RESOURCE"}, "resourceShareAssociations")
	for _, a := range shares {
		t.shared = t.shared || a["associatedEntity"] == t.arn
	}
	return err
}

// withAuthPolicy reads the auth policy.
func withAuthPolicy(ctx context.Context, s *session, t *thing) error {
	out, err := s.call(ctx, lattice, "GetAuthPolicy", map[string]any{"resourceIdentifier": t.arn})
	if gone(err) {
		return nil
	}
	if p := text(out["policy"]); err == nil && p != "" {
		t.members["authPolicy"] = p
	}
	return err
}

// asChild leaves out what a child has from its group.
func asChild(ctx context.Context, s *session, t *thing) error {
	if t.members["type"] == "CHILD" {
		delete(t.members, "resourceGatewayIdentifier")
		delete(t.members, "protocol")
	}
	return withResourcePolicy(ctx, s, t)
}

// withTargets reads the targets of a group that are not on their way out.
func withTargets(ctx context.Context, s *session, t *thing) error {
	items, err := s.items(ctx, lattice, "ListTargets", map[string]any{"targetGroupIdentifier": t.id}, "items")
	if err != nil {
		return err
	}
	var targets []any
	for _, i := range items {
		if i["status"] != "DRAINING" {
			targets = append(targets, take(i, "id", "port"))
		}
	}
	if len(targets) > 0 {
		t.members["targets"] = targets
	}
	return nil
}

// withPorts gives targets that say no port their group's, here and in load balancers' groups.
func withPorts(t *thing, name string, v any) any {
	port, usual := "port", structure(t.members["config"])["port"]
	if t.kind.service != lattice {
		port, usual = "Port", t.members["Port"]
	}
	if !strings.EqualFold(name, "targets") || v == nil {
		return v
	}
	var out []any
	for _, e := range list(v) {
		m := maps.Clone(structure(e))
		if m[port] == nil && usual != nil {
			m[port] = usual
		}
		out = append(out, m)
	}
	slices.SortFunc(out, func(a, b any) int { return strings.Compare(key(a), key(b)) })
	return out
}

// makeLattice creates a thing and waits until it is there.
func makeLattice(ctx context.Context, s *session, t *thing, in map[string]any) error {
	out, err := s.call(ctx, lattice, t.kind.create, in)
	if err != nil {
		return err
	}
	t.id, t.arn, t.dns = text(out["id"]), text(out["arn"]), text(at(out, "dnsEntry.domainName"))
	t.raw = map[string]string{}
	for _, parent := range []string{"serviceIdentifier", "listenerIdentifier"} {
		if id := text(in[parent]); id != "" && t.kind.scope != "" {
			t.raw[parent] = id
		}
	}
	if err := settled(ctx, s, t); err != nil || t.members["resourcePolicy"] == nil {
		return err
	}
	return putResourcePolicy(ctx, s, t)
}

// putResourcePolicy puts the policy of a thing, in which its own name stands for its ARN.
func putResourcePolicy(ctx context.Context, s *session, t *thing) error {
	policy := strings.ReplaceAll(text(t.members["resourcePolicy"]), "${"+t.ref().String()+"}", t.arn)
	return s.do(ctx, lattice, "PutResourcePolicy", map[string]any{"resourceArn": t.arn, "policy": s.sent(t, policy, "resourcePolicy")})
}

// settled waits until a thing's status is a lasting one; a failed one is an error with AWS's reason. A domain
// verification waits for its owner, who alone knows when.
func settled(ctx context.Context, s *session, t *thing) error {
	if t.kind.name == "DomainVerification" {
		return nil
	}
	return await(ctx, func() (bool, error) {
		got, err := s.call(ctx, lattice, t.kind.get, identify(t))
		if err != nil {
			return false, err
		}
		status := text(got["status"])
		if strings.HasSuffix(status, "_FAILED") {
			return false, failedError{status, text(got["failureMessage"]) + text(got["failureReason"])}
		}
		return !strings.HasSuffix(status, "_IN_PROGRESS"), nil
	})
}

// changeLattice sets the members that differ.
func changeLattice(ctx context.Context, s *session, t, old *thing, changed []string) error {
	in := identify(t)
	for _, name := range changed {
		v := s.sent(t, t.members[name], name)
		switch {
		case name == "authPolicy" && v == nil:
			if err := s.do(ctx, lattice, "DeleteAuthPolicy", map[string]any{"resourceIdentifier": t.arn}); err != nil {
				return err
			}
		case name == "authPolicy":
			if err := s.do(ctx, lattice, "PutAuthPolicy", map[string]any{"resourceIdentifier": t.arn, "policy": v}); err != nil {
				return err
			}
		case name == "resourcePolicy" && v == nil:
			if err := s.do(ctx, lattice, "DeleteResourcePolicy", map[string]any{"resourceArn": t.arn}); err != nil {
				return err
			}
		case name == "resourcePolicy":
			if err := putResourcePolicy(ctx, s, t); err != nil {
				return err
			}
		case name == "targets":
			if err := changeTargets(ctx, s, t, old); err != nil {
				return err
			}
		case name == "config":
			in["healthCheck"] = structure(v)["healthCheck"]
		case name == "securityGroupIds" && v == nil:
			in[name] = []any{}
		default:
			in[name] = v
			if v == nil {
				in[name] = unlessNothing(t.kind.member(name).def)
			}
		}
	}
	if len(in) == 1+len(t.raw) {
		return nil
	}
	if t.kind.name == "ResourceGateway" && in["securityGroupIds"] == nil {
		in["securityGroupIds"] = s.sent(t, t.members["securityGroupIds"], "securityGroupIds")
	}
	if err := s.do(ctx, lattice, t.kind.update, in); err != nil {
		return err
	}
	return settled(ctx, s, t)
}

// unlessNothing is a default as the API takes it.
func unlessNothing(v any) any {
	if v == nothing {
		return nil
	}
	return v
}

// changeTargets registers and deregisters what differs, 100 at a time as AWS allows.
func changeTargets(ctx context.Context, s *session, t, old *thing) error {
	want, have := list(s.sent(t, t.members["targets"], "targets")), []any(nil)
	if old != nil {
		have = list(s.sent(t, old.members["targets"], "targets"))
	}
	fill := func(targets []any) []any { // the group's port is a target's
		var out []any
		for _, e := range targets {
			e := structure(e)
			m := map[string]any{"id": e["id"], "port": e["port"]}
			if m["port"] == nil {
				m["port"] = structure(t.members["config"])["port"]
			}
			if m["port"] == nil {
				delete(m, "port")
			}
			out = append(out, m)
		}
		return out
	}
	add, drop := lacking(fill(want), fill(have)), lacking(fill(have), fill(want))
	for i, targets := range [][]any{add, drop} {
		operation := []string{"RegisterTargets", "DeregisterTargets"}[i]
		for part := range slices.Chunk(targets, 100) {
			out, err := s.call(ctx, lattice, operation, map[string]any{"targetGroupIdentifier": t.id, "targets": part})
			if err != nil {
				return err
			}
			for _, u := range list(out["unsuccessful"]) {
				u := structure(u)
				return failedError{operation + " " + text(u["id"]), text(u["failureCode"]) + " " + text(u["failureMessage"])}
			}
		}
	}
	return nil
}

// lacking are the elements of a list that another has not.
func lacking(a, b []any) []any {
	var out []any
	for _, x := range a {
		if !slices.ContainsFunc(b, func(y any) bool { return key(x) == key(y) }) {
			out = append(out, x)
		}
	}
	return out
}

// unmakeLattice deletes a thing and waits until it is gone.
func unmakeLattice(ctx context.Context, s *session, t *thing) error {
	if err := s.do(ctx, lattice, t.kind.remove, identify(t)); err != nil && !gone(err) {
		return err
	}
	return await(ctx, func() (bool, error) {
		got, err := s.call(ctx, lattice, t.kind.get, identify(t))
		if gone(err) {
			return true, nil
		}
		if status := text(got["status"]); strings.HasSuffix(status, "_FAILED") {
			return false, failedError{status, text(got["failureMessage"]) + text(got["failureReason"])}
		}
		return false, err
	})
}

// unmakeTargetGroup deletes a group after its targets, whose draining it waits for.
func unmakeTargetGroup(ctx context.Context, s *session, t *thing) error {
	none := *t
	none.members = map[string]any{"config": t.members["config"]}
	if err := changeTargets(ctx, s, &none, t); err != nil && !gone(err) {
		return err
	}
	return await(ctx, func() (bool, error) {
		err := s.do(ctx, lattice, "DeleteTargetGroup", map[string]any{"targetGroupIdentifier": t.id})
		if refused(err, "ConflictException") {
			out, listed := s.call(ctx, lattice, "ListTargets", map[string]any{"targetGroupIdentifier": t.id})
			if listed == nil && len(list(out["items"])) > 0 {
				return false, nil
			}
		}
		if err != nil {
			return gone(err), unlessGone(err)
		}
		_, err = s.call(ctx, lattice, "GetTargetGroup", map[string]any{"targetGroupIdentifier": t.id})
		return gone(err), unlessGone(err)
	})
}

// unlessGone is an error that doesn't say that the thing is not there.
func unlessGone(err error) error {
	if gone(err) {
		return nil
	}
	return err
}
