package targetgroup

import (
	"fmt"
	"testing"

	"github.com/trellis-project/trellis"
)

// BenchmarkApplyOneChange is one rule's or one target's change among 10,000 services of 100 rules, each with a target
// group of two targets.
func BenchmarkApplyOneChange(b *testing.B) {
	const services, rules = 10_000, 100
	meta := func(id string) trellis.Meta { return trellis.Meta{Account: testAccount, ID: id} }
	st := stateWith(trellis.TargetGroup{})
	rule := func(i, r int) *trellis.Rule {
		return &trellis.Rule{Meta: meta(fmt.Sprintf("rule-%017x", r)), ServiceID: fmt.Sprintf("svc-%017x", i), ListenerID: "listener-80", Priority: r + 1,
			Action: trellis.Action{Forward: []trellis.WeightedTargetGroup{{TargetGroupID: fmt.Sprintf("tg-%017x", i), Weight: 1}}}}
	}
	target := func(i, t int) *trellis.Target {
		return &trellis.Target{Account: testAccount, TargetGroupID: fmt.Sprintf("tg-%017x", i), ID: fmt.Sprintf("10.0.%d.%d", i/250, i%250+1), Port: 80 + t}
	}
	for i := range services {
		service, group := fmt.Sprintf("svc-%017x", i), fmt.Sprintf("tg-%017x", i)
		st.Put(&trellis.Service{Meta: meta(service), Status: trellis.StatusActive})
		st.Put(&trellis.Listener{Meta: meta("listener-80"), ServiceID: service, Port: 80, DefaultAction: trellis.Action{FixedResponse: 404}})
		for r := range rules {
			st.Put(rule(i, r))
		}
		st.Put(&trellis.TargetGroup{Meta: meta(group), VPCID: testVPC, Status: trellis.StatusActive, Type: trellis.TargetsIP, Protocol: trellis.ProtocolHTTP, Port: 80})
		st.Put(target(i, 0))
		st.Put(target(i, 1))
	}
	m := New(Options{Dial: newHosts().dial})
	m.Apply(st)
	for _, c := range []struct {
		what string
		noun func(i int) trellis.Noun
	}{
		{"rule", func(i int) trellis.Noun { return rule(i*7919%services, i%rules) }},
		{"target", func(i int) trellis.Noun { return target(i*7919%services, i%2) }},
		{"policy", func(int) trellis.Noun {
			return &trellis.AuthPolicy{Resource: trellis.Ref{Account: testAccount, ID: testService}}
		}},
	} {
		b.Run(c.what, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				st.Put(c.noun(i))
				m.Apply(st)
			}
		})
	}
}
