package main

import (
	"fmt"
	"net/netip"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/sigv4"
)

// What the nouns of the comparison are called. Package bench signs for the same key and host.
const (
	region  = "eu-west-1"
	account = "444455556666"
	vpcID   = "vpc-0aaaaaaaaaaaaaaaa"
	netID   = "sn-0bbbbbbbbbbbbbbbb"
	svcID   = "svc-0cccccccccccccccc"
	lisID   = "listener-0dddddddddddddddd"
	keyID   = "AKIABENCH00000000000"
	secret  = "the-secret-of-the-benchmark"
	slot    = 32
	// passedName is the name of the service whose TLS is passed through.
	passedName = "passed.bench.test"
	port       = 80
)

// groupIDs are the target groups of the split.
var groupIDs = [2]string{"tg-0eeeeeeeeeeeeeee0", "tg-0eeeeeeeeeeeeeee1"}

// policy is the auth policy of the network and of the service when -auth is set.
const policy = `{"Version":"2012-10-17","Statement":[
 {"Effect":"Allow","Principal":"*","Action":"vpc-lattice-svcs:Invoke","Resource":"*",
  "Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-abcdefghij","vpc-lattice-svcs:RequestMethod":["GET","POST"]}}},
 {"Effect":"Deny","Principal":"*","Action":"vpc-lattice-svcs:Invoke","Resource":"*",
  "Condition":{"StringEquals":{"aws:PrincipalType":"Anonymous"}}}]}`

// world makes the nouns.
type world struct {
	options options
	targets [2]netip.AddrPort
	source  netip.Addr // where targets are dialed from
	at      netip.Addr // where clients connect to
}

// state is all nouns at the start.
func (w world) state() *trellis.State {
	st := trellis.NewState()
	kind := trellis.AuthNone
	if w.options.auth {
		kind = trellis.AuthIAM
		st.Put(&trellis.AuthPolicy{Resource: ref(netID), Text: policy})
		st.Put(&trellis.AuthPolicy{Resource: ref(svcID), Text: policy})
	}
	st.Put(&trellis.VPC{Meta: meta(vpcID), CIDR: netip.PrefixFrom(w.targets[0].Addr(), 16).Masked(), Attachment: trellis.AttachmentLoopback})
	st.Put(&trellis.ServiceNetwork{Meta: meta(netID), Name: "shop", AuthType: kind})
	st.Put(&trellis.VPCAssociation{Meta: meta("snva-0fffffffffffffff0"), VPC: ref(vpcID), ServiceNetwork: ref(netID), Status: trellis.StatusActive, Slot: slot})
	st.Put(&trellis.AccessLogSubscription{Meta: meta("als-0fffffffffffffff0"), Resource: ref(netID),
		DestinationARN: "arn:aws:logs:eu-west-1:444455556666:log-group:bench"})
	if w.options.protocol == trellis.ProtocolTCP {
		w.resource(st)
		return st
	}
	service := &trellis.Service{Meta: meta(svcID), Name: "orders", AuthType: kind, Status: trellis.StatusActive, IdleTimeoutSeconds: 600}
	listener := &trellis.Listener{Meta: meta(lisID), ServiceID: svcID, Name: "http", Protocol: w.options.protocol, Port: port, DefaultAction: trellis.Action{FixedResponse: 404}}
	passing := w.options.protocol == trellis.ProtocolTLSPassthrough
	if passing { // to whom has a name of the target's own, without rules
		service.CustomDomainName, listener.DefaultAction = passedName, w.split()
	}
	st.Put(service)
	st.Put(&trellis.ServiceAssociation{Meta: meta("snsa-0fffffffffffffff0"), Service: ref(svcID), ServiceNetwork: ref(netID), Status: trellis.StatusActive})
	st.Put(listener)
	for i, id := range groupIDs {
		put(st, w.group(id, fmt.Sprintf("orders-%d", i), w.targets[i]))
	}
	if passing {
		return st
	}
	for i := range 5 {
		st.Put(&trellis.Rule{Meta: meta(fmt.Sprintf("rule-h%d", i)), ServiceID: svcID, ListenerID: lisID, Name: fmt.Sprintf("header-%d", i), Priority: 1 + i, Action: to(groupIDs[1]),
			Match: trellis.HTTPMatch{Headers: []trellis.HeaderMatch{{Name: "x-release-channel", Exact: fmt.Sprintf("canary%d", i)}}}})
	}
	for i := range w.options.rules {
		put(st, w.pathRule(i))
	}
	for i := range w.options.services {
		put(st, w.service(fmt.Sprintf("svc%05d", i), w.targets[i%2]))
	}
	return st
}

// pathRule is a path rule of the first service, with -own after the target group that it alone uses.
func (w world) pathRule(i int) []trellis.Noun {
	action := w.split()
	var nouns []trellis.Noun
	if w.options.own {
		id := fmt.Sprintf("tg-1%016x", i)
		nouns, action = w.group(id, fmt.Sprintf("own-%05d", i), w.targets[i%2]), to(id)
	}
	return append(nouns, &trellis.Rule{Meta: meta(fmt.Sprintf("rule-p%d", i)), ServiceID: svcID, ListenerID: lisID, Name: fmt.Sprintf("path-%d", i), Priority: 100 + i, Action: action,
		Match: trellis.HTTPMatch{Path: prefix(fmt.Sprintf("/svc%05d/", i))}})
}

// newRule is the rule that POST /rule adds.
func (w world) newRule() *trellis.Rule {
	return &trellis.Rule{Meta: meta("rule-new"), ServiceID: svcID, ListenerID: lisID, Name: "new", Priority: 50, Action: to(groupIDs[0]),
		Match: trellis.HTTPMatch{Path: prefix("/new/")}}
}

// service is a further service NAME.bench.test with all that it needs: an association, a listener with a rule for
// the path /NAME/, and a target group with a target.
func (w world) service(name string, target netip.AddrPort) []trellis.Noun {
	id := "svc-" + name
	listener, groupID := "listener-"+name, "tg-"+name
	return append(w.group(groupID, name, target),
		&trellis.Service{Meta: meta(id), Name: name, AuthType: trellis.AuthNone, Status: trellis.StatusActive, CustomDomainName: name + ".bench.test", IdleTimeoutSeconds: 600},
		&trellis.ServiceAssociation{Meta: meta("snsa-" + name), Service: ref(id), ServiceNetwork: ref(netID), Status: trellis.StatusActive},
		&trellis.Listener{Meta: meta(listener), ServiceID: id, Name: "http", Protocol: trellis.ProtocolHTTP, Port: port, DefaultAction: trellis.Action{FixedResponse: 404}},
		&trellis.Rule{Meta: meta("rule-" + name), ServiceID: id, ListenerID: listener, Name: "path", Priority: 10, Action: to(groupID),
			Match: trellis.HTTPMatch{Path: prefix("/" + name + "/")}})
}

// resource puts what a connection to the address of the listener is carried to: a resource that has the same port, by an
// endpoint.
func (w world) resource(st *trellis.State) {
	gateway := &trellis.ResourceGateway{Meta: meta("rgw-0fffffffffffffff0"), Status: trellis.StatusActive, VPCID: vpcID, Interfaces: []trellis.NetworkInterface{{IPv4: w.source}}}
	configuration := &trellis.ResourceConfiguration{Meta: meta("rcfg-0fffffffffffffff0"), Status: trellis.StatusActive, GatewayID: gateway.ID, Address: w.targets[0].Addr(),
		Ports: []trellis.PortRange{{From: 1, To: 65535}}}
	endpoint := &trellis.VPCEndpoint{Meta: meta("vpce-0fffffffffffffff0"), Type: trellis.ResourceEndpoint, Configuration: configuration.Ref(), VPCID: vpcID, State: trellis.EndpointAvailable}
	put(st, []trellis.Noun{gateway, configuration, endpoint, &trellis.EndpointAddress{Account: account, EndpointID: endpoint.ID, Configuration: configuration.Ref(),
		Addresses: []trellis.SubnetAddress{{Address: w.at}}},
		&trellis.AccessLogSubscription{Meta: meta("als-0ffffffffffffffff"), Resource: configuration.Ref(), DestinationARN: "arn:aws:logs:eu-west-1:444455556666:log-group:bench"}})
}

// split is the action that gives the first target group 90 %.
func (w world) split() trellis.Action {
	return trellis.Action{Forward: []trellis.WeightedTargetGroup{{TargetGroupID: groupIDs[0], Weight: 90}, {TargetGroupID: groupIDs[1], Weight: 10}}}
}

// group is a target group with one target and no health checks.
func (w world) group(id, name string, target netip.AddrPort) []trellis.Noun {
	protocol, version := trellis.ProtocolHTTP, w.options.version
	if w.options.protocol == trellis.ProtocolTLSPassthrough {
		protocol, version = trellis.ProtocolTCP, ""
	}
	return []trellis.Noun{
		&trellis.TargetGroup{Meta: meta(id), Name: name, Type: trellis.TargetsIP, Port: int(target.Port()), Protocol: protocol,
			ProtocolVersion: version, VPCID: vpcID, Status: trellis.StatusActive, HealthCheck: &trellis.HealthCheck{}},
		&trellis.Target{Account: account, TargetGroupID: id, ID: target.Addr().String(), Port: int(target.Port())},
	}
}

// put puts several nouns.
func put(st *trellis.State, nouns []trellis.Noun) {
	for _, n := range nouns {
		st.Put(n)
	}
}

// to is the action of forwarding to one target group.
func to(groupID string) trellis.Action {
	return trellis.Action{Forward: []trellis.WeightedTargetGroup{{TargetGroupID: groupID, Weight: 100}}}
}

// prefix matches paths by how they begin.
func prefix(p string) *trellis.PathMatch { return &trellis.PathMatch{Prefix: p, CaseSensitive: true} }

// meta is what every noun has.
func meta(id string) trellis.Meta { return trellis.Meta{Account: account, ID: id} }

// ref points to a noun.
func ref(id string) trellis.Ref { return trellis.Ref{Account: account, ID: id} }

// identity is the one caller that there is.
func identity() (*authpolicy.Caller, *sigv4.Key, error) {
	p, err := authpolicy.Parse(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"vpc-lattice-svcs:Invoke","Resource":"*"}]}`, authpolicy.Identity)
	if err != nil {
		return nil, nil, fmt.Errorf("identity policy: %w", err)
	}
	return &authpolicy.Caller{Identity: authpolicy.Policies{{Policy: p}}, Principal: trellis.Principal{Type: trellis.PrincipalAssumedRole, Account: account,
		ARN: "arn:aws:sts::444455556666:assumed-role/checkout/s1", PolicyARN: "arn:aws:iam::444455556666:role/checkout",
		SessionName: "s1", OrgID: "o-abcdefghij", OrgPath: "o-abcdefghij/r-abcd/"}}, sigv4.NewKey(secret), nil
}
