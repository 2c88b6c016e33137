package routing

import (
	"fmt"
	"testing"

	"github.com/trellis-project/trellis"
)

// crowd is a state of many services with many rules each, some in each network, and two VPCs that reach it.
func crowd(services, rules, inNetwork int) *trellis.State {
	st := trellis.NewState()
	for i := range services {
		id, network := fmt.Sprintf("svc-%017x", i), fmt.Sprintf("sn-%017x", i/inNetwork)
		if i%inNetwork == 0 {
			st.Put(&trellis.ServiceNetwork{Meta: meta(acct, network), Name: network, AuthType: trellis.AuthIAM})
			st.Put(&trellis.AuthPolicy{Resource: trellis.Ref{Account: acct, ID: network}, Text: policy})
			for j := range 2 {
				vpc := fmt.Sprintf("vpc-%017x", i/inNetwork*2+j)
				st.Put(&trellis.VPC{Meta: meta(acct, vpc)})
				st.Put(attach("snva-"+vpc, vpc, network, trellis.FirstSlot))
			}
		}
		st.Put(&trellis.Service{Meta: meta(acct, id), Name: id[4:], Status: trellis.StatusActive, AuthType: trellis.AuthIAM})
		st.Put(&trellis.AuthPolicy{Resource: trellis.Ref{Account: acct, ID: id}, Text: policy})
		st.Put(association("snsa-"+id, acct, id, network))
		l := listener(acct, id, trellis.ProtocolHTTP, 80)
		st.Put(l)
		for r := range rules {
			st.Put(crowdRule(id, l.ID, r))
		}
	}
	return st
}

// crowdRule is the r-th rule of a service in a crowd.
func crowdRule(service, listener string, r int) *trellis.Rule {
	return &trellis.Rule{Meta: meta(acct, fmt.Sprintf("rule-%017x", r)), ServiceID: service, ListenerID: listener, Priority: r + 1,
		Match:  trellis.HTTPMatch{Path: &trellis.PathMatch{Prefix: fmt.Sprintf("/part-%d/", r), CaseSensitive: true}},
		Action: trellis.Action{Forward: []trellis.WeightedTargetGroup{{TargetGroupID: "tg-1", Weight: 1}}}}
}

// BenchmarkBuildOneChange is one rule's, one policy's or one service's change among 10,000 services of 100 rules, in
// networks of 500 and in one network.
func BenchmarkBuildOneChange(b *testing.B) {
	for _, inNetwork := range []int{500, 10_000} {
		b.Run(fmt.Sprint(inNetwork), func(b *testing.B) { benchmarkOneChange(b, inNetwork) })
	}
}

// benchmarkOneChange is BenchmarkBuildOneChange with so many services in a network.
func benchmarkOneChange(b *testing.B, inNetwork int) {
	const services, rules = 10_000, 100
	st := crowd(services, rules, inNetwork)
	table := build(st, nil)
	id := func(i int) string { return fmt.Sprintf("svc-%017x", i*7919%services) }
	associated := func(i int) trellis.Noun {
		return association("snsa-"+id(i), acct, id(i), fmt.Sprintf("sn-%017x", i*7919%services/inNetwork))
	}
	for _, c := range []struct {
		what string
		noun func(i int) trellis.Noun
	}{
		{"rule", func(i int) trellis.Noun { return crowdRule(id(i), "listener-80", i%rules) }},
		{"policy", func(i int) trellis.Noun {
			return &trellis.AuthPolicy{Resource: trellis.Ref{Account: acct, ID: id(i)}, Text: fmt.Sprintf("%s%*s", policy, i%100, "")}
		}},
		{"service", func(i int) trellis.Noun {
			return &trellis.Service{Meta: meta(acct, id(i)), Name: id(i)[4:], Status: trellis.StatusActive, AuthType: trellis.AuthIAM,
				CustomDomainName: fmt.Sprintf("name-%d.internal", i)}
		}},
		{"association", associated},
		{"vpc", func(i int) trellis.Noun { return &trellis.VPC{Meta: meta(acct, fmt.Sprintf("vpc-%017x", i%40))} }},
	} {
		b.Run(c.what, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				st.Put(c.noun(i))
				table = build(st, table)
			}
		})
	}
	b.Run("leave and return", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			a := associated(i / 2)
			if i%2 == 0 {
				st.Delete(a.Kind(), a.Key())
			} else {
				st.Put(a)
			}
			table = build(st, table)
		}
	})
}

// BenchmarkBuildAll is the first Table of 10,000 services of 100 rules, as after a snapshot.
func BenchmarkBuildAll(b *testing.B) {
	st := crowd(10_000, 100, 500)
	b.ReportAllocs()
	for b.Loop() {
		build(st, nil)
	}
}

// BenchmarkMatchLast is a request that the last of 100 rules matches, with the look-ups that lead to it.
func BenchmarkMatchLast(b *testing.B) {
	table := build(crowd(1, 100, 500), nil)
	r := &Request{Method: "GET", Path: "/part-99/x"}
	host := fmt.Sprintf("%017x-%017x.7d67968.vpc-lattice-svcs.eu-west-1.on.aws", 0, 0)
	b.ReportAllocs()
	for b.Loop() {
		s := table.VPC("vpc-00000000000000000").Network(trellis.FirstSlot).Service(host)
		if got := s.Listener(80).Match(r); got.Priority() != 100 {
			b.Fatalf("matched %q", got.ID())
		}
	}
}
