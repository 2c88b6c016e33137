package daemon

import (
	"fmt"
	"log/slog"
	"net/netip"
	"testing"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/accesslog"
	"github.com/trellis-project/trellis/routing"
	"github.com/trellis-project/trellis/store"
	"github.com/trellis-project/trellis/targetgroup"
)

// BenchmarkConverge is what the node does for one change among 10,000 services of 100 rules, each with a target group
// and a subscription to its access log, in 20 networks and 40 VPCs. The places to listen at are worked out, but nothing
// is done in the kernel.
func BenchmarkConverge(b *testing.B) {
	const services, rules, account = 10_000, 100, "111122223333"
	meta := func(id string) trellis.Meta { return trellis.Meta{Account: account, ID: id} }
	ref := func(id string) trellis.Ref { return trellis.Ref{Account: account, ID: id} }
	svc := func(i int) string { return fmt.Sprintf("svc-%017x", i*7919%services) }
	sn := func(i int) string { return fmt.Sprintf("sn-%017x", i*7919%services/500) }
	tg := func(i int) string { return fmt.Sprintf("tg-%017x", i*7919%services) }
	rule := func(i, r int) trellis.Noun {
		return &trellis.Rule{Meta: meta(fmt.Sprintf("rule-%017x", r)), ServiceID: svc(i), ListenerID: "listener-80", Name: "r", Priority: r + 1,
			Match:  trellis.HTTPMatch{Path: &trellis.PathMatch{Prefix: fmt.Sprintf("/part-%d/", r), CaseSensitive: true}},
			Action: trellis.Action{Forward: []trellis.WeightedTargetGroup{{TargetGroupID: tg(i), Weight: 1}}}}
	}
	service := func(i int) trellis.Noun {
		return &trellis.Service{Meta: meta(svc(i)), Name: "s", Status: trellis.StatusActive, CustomDomainName: fmt.Sprintf("name-%d.internal", i)}
	}
	associate := func(i int) trellis.Noun {
		return &trellis.ServiceAssociation{Meta: meta("snsa-" + svc(i)), Service: ref(svc(i)), ServiceNetwork: ref(sn(i)), Status: trellis.StatusActive}
	}
	target := func(i int) trellis.Noun {
		return &trellis.Target{Account: account, TargetGroupID: tg(i), ID: "10.0.0.1", Port: 80}
	}
	subscription := func(i int) trellis.Noun {
		return &trellis.AccessLogSubscription{Meta: meta("als-" + svc(i)), Resource: ref(svc(i)),
			DestinationARN: trellis.LogGroupARN("eu-west-1", account, fmt.Sprintf("group-%d", i%100))}
	}
	st := trellis.NewState()
	for i := range services / 500 {
		network := fmt.Sprintf("sn-%017x", i)
		st.Put(&trellis.ServiceNetwork{Meta: meta(network), Name: network})
		for j := range 2 {
			id := fmt.Sprintf("vpc-%017x", 2*i+j)
			st.Put(&trellis.VPC{Meta: meta(id), CIDR: netip.MustParsePrefix("10.0.0.0/16")})
			st.Put(&trellis.VPCAssociation{Meta: meta("snva-" + id), VPC: ref(id), ServiceNetwork: ref(network), Status: trellis.StatusActive, Slot: trellis.FirstSlot})
		}
	}
	for i := range services {
		for _, n := range []trellis.Noun{service(i), associate(i), target(i), subscription(i),
			&trellis.Listener{Meta: meta("listener-80"), ServiceID: svc(i), Protocol: trellis.ProtocolHTTP, Port: 80},
			&trellis.TargetGroup{Meta: meta(tg(i)), VPCID: "vpc-00000000000000000", Type: trellis.TargetsIP, Protocol: trellis.ProtocolHTTP, Port: 80, Status: trellis.StatusActive}} {
			st.Put(n)
		}
		for r := range rules {
			st.Put(rule(i, r))
		}
	}
	d := &Daemon{config: Config{Region: "eu-west-1"}, log: slog.New(slog.DiscardHandler),
		groups: targetgroup.New(targetgroup.Options{}), accessLog: accesslog.New(accesslog.Options{Region: "eu-west-1"})}
	d.presences = &presences{d: d, log: d.log}
	parts := []struct {
		name string
		make func()
	}{
		{"targetgroup", func() { d.groups.Apply(st) }},
		{"accesslog", func() { d.accessLog.Apply(st) }},
		{"routing", func() {
			d.table.Store(routing.Build(st, routing.Options{Region: d.config.Region}, d.table.Load()))
		}},
		{"presences", func() { d.presences.want(st, d.table.Load()) }},
	}
	for _, p := range parts {
		p.make()
	}
	for _, c := range []struct {
		what string
		noun func(i int) trellis.Noun
	}{
		{"rule", func(i int) trellis.Noun { return rule(i, i%rules) }},
		{"service", service},
		{"association", associate},
		{"target", target},
		{"subscription", subscription},
	} {
		absorbOne := func(i int) {
			st = absorb(st, store.Change{Revision: st.Revision + 1, Puts: []trellis.Noun{c.noun(i)}}, map[trellis.Kind]bool{})
		}
		b.Run(c.what, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				absorbOne(i)
				for _, p := range parts {
					p.make()
				}
			}
		})
		for _, p := range parts {
			b.Run(c.what+"/"+p.name, func(b *testing.B) {
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					absorbOne(i)
					p.make()
				}
			})
		}
	}
}
