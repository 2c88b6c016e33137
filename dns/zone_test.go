package dns

import (
	"context"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/routing"
)

// zoned is the state of table with a private zone shop.internal and one below it, team.shop.internal, in the first VPC,
// and a public zone, example.org, of the account of both.
func zoned() *trellis.State {
	st := trellis.NewState()
	meta := func(id string) trellis.Meta { return trellis.Meta{Account: account, ID: id} }
	for _, id := range []string{ordersVPC, otherVPC} {
		st.Put(&trellis.VPC{Meta: meta(id)})
	}
	service, network := trellis.Ref{Account: account, ID: "svc-0aaaaaaaaaaaaaaaa"}, trellis.Ref{Account: account, ID: "sn-0aaaaaaaaaaaaaaaa"}
	st.Put(&trellis.ServiceNetwork{Meta: meta(network.ID), Name: "net", AuthType: trellis.AuthNone})
	st.Put(&trellis.Service{Meta: meta(service.ID), Name: "orders", AuthType: trellis.AuthNone, Status: trellis.StatusActive, CustomDomainName: "custom.shop.internal"})
	st.Put(&trellis.ServiceAssociation{Meta: meta("snsa-0aaaaaaaaaaaaaaaa"), CreatedBy: account, Service: service, ServiceNetwork: network, Status: trellis.StatusActive})
	st.Put(&trellis.VPCAssociation{Meta: meta("snva-0aaaaaaaaaaaaaaaa"), CreatedBy: account, VPC: trellis.Ref{Account: account, ID: ordersVPC},
		ServiceNetwork: network, Status: trellis.StatusActive, Slot: 33})
	in := []trellis.ZoneVPC{{Region: "eu-west-1", VPC: trellis.Ref{Account: account, ID: ordersVPC}}}
	st.Put(&trellis.HostedZone{Meta: meta("Z1"), Name: "shop.internal.", Private: true, VPCs: in})
	st.Put(&trellis.HostedZone{Meta: meta("Z2"), Name: "team.shop.internal.", Private: true, VPCs: in})
	st.Put(&trellis.HostedZone{Meta: meta("Z3"), Name: "example.org."})
	for _, line := range []string{
		"Z1 shop.internal. SOA 900 ns-0.awsdns-00.com. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400",
		"Z1 db.shop.internal. A 30 10.0.0.1|10.0.0.2",
		"Z1 www.shop.internal. CNAME 30 db.shop.internal",
		"Z1 out.shop.internal. CNAME 30 far.example.net.",
		"Z1 loop.shop.internal. CNAME 30 loop.shop.internal.",
		"Z1 a.deep.shop.internal. TXT 30 \"x\"",
		`Z1 \052.wild.shop.internal. A 30 10.0.0.9`,
		"Z1 here.wild.shop.internal. TXT 30 \"x\"",
		"Z1 orders.shop.internal. A -> " + strings.TrimSuffix(orders, ".") + ".",
		"Z1 alias.shop.internal. A -> db.shop.internal.",
		"Z1 away.shop.internal. A -> lb.elb.amazonaws.com.",
		"Z1 team.shop.internal. A 30 10.0.0.66",
		"Z2 team.shop.internal. SOA 900 ns-0.awsdns-00.com. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 60",
		"Z3 example.org. MX 30 10 mail.example.org.",
		"Z3 pub.example.org. A 30 192.0.2.7",
	} {
		w := strings.SplitN(line, " ", 5)
		s := &trellis.RecordSet{Meta: meta(trellis.RecordSetID(w[1], w[2], "")), ZoneID: w[0], Name: w[1], Type: w[2]}
		if w[3] == "->" {
			s.Alias = &trellis.AliasTarget{Name: w[4]}
		} else {
			s.TTL, s.Values = 30, strings.Split(w[4], "|")
			if w[3] == "900" {
				s.TTL = 900
			}
		}
		st.Put(s)
	}
	return st
}

// TestZones asks for names of hosted zones, in a VPC that has the private ones and in one that has not.
func TestZones(t *testing.T) {
	st := zoned()
	tab := routing.Build(st, routing.Options{Region: "eu-west-1"}, nil)
	s := New(Options{Table: func() *routing.Table { return tab }, Forward: []string{outside(t)}})
	at := map[string]string{}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 2)
	for _, vpc := range []string{ordersVPC, otherVPC} {
		pc, ln := sockets(t)
		at[vpc] = pc.LocalAddr().String()
		go func() { done <- s.Serve(ctx, vpc, pc, ln) }()
	}
	check := func(vpc, name string, qtype uint16, want string) {
		t.Helper()
		for _, network := range []string{"udp", "tcp"} {
			if got := ask(t, network, at[vpc], name, qtype); got != want {
				t.Errorf("%s %s %s in %s: %s, want %s", network, name, dns.TypeToString[qtype], vpc, got, want)
			}
		}
	}
	check(ordersVPC, "DB.shop.internal.", dns.TypeA, "NOERROR 30 10.0.0.1 30 10.0.0.2")
	check(ordersVPC, "www.shop.internal.", dns.TypeA, "NOERROR 30 db.shop.internal. 30 10.0.0.1 30 10.0.0.2")
	check(ordersVPC, "www.shop.internal.", dns.TypeCNAME, "NOERROR 30 db.shop.internal.")
	check(ordersVPC, "out.shop.internal.", dns.TypeA, "NOERROR 30 far.example.net. 7 192.0.2.0")
	check(ordersVPC, "deep.shop.internal.", dns.TypeA, "NOERROR SOA")
	check(ordersVPC, "none.shop.internal.", dns.TypeA, "NXDOMAIN SOA")
	check(ordersVPC, "x.y.wild.shop.internal.", dns.TypeA, "NOERROR 30 10.0.0.9")
	check(ordersVPC, "here.wild.shop.internal.", dns.TypeA, "NOERROR SOA")    // a name of its own hides the wildcard
	check(ordersVPC, "x.here.wild.shop.internal.", dns.TypeA, "NXDOMAIN SOA") // and below it, too
	check(ordersVPC, "wild.shop.internal.", dns.TypeA, "NOERROR SOA")
	check(ordersVPC, "orders.shop.internal.", dns.TypeA, "NOERROR 60 169.254.171.33")
	check(ordersVPC, "orders.shop.internal.", dns.TypeAAAA, "NOERROR SOA") // the alias is of type A
	check(ordersVPC, "alias.shop.internal.", dns.TypeA, "NOERROR 30 10.0.0.1 30 10.0.0.2")
	check(ordersVPC, "away.shop.internal.", dns.TypeA, "NOERROR 7 192.0.2.0")
	check(ordersVPC, "team.shop.internal.", dns.TypeA, "NOERROR SOA") // the longer zone has no such record
	check(ordersVPC, "custom.shop.internal.", dns.TypeA, "NOERROR 60 169.254.171.33")
	check(ordersVPC, "shop.internal.", dns.TypeSOA, "NOERROR 900 ns-0.awsdns-00.com. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400")
	check(otherVPC, "db.shop.internal.", dns.TypeA, "NOERROR 7 192.0.2.0") // asked for elsewhere
	check(otherVPC, "pub.example.org.", dns.TypeA, "NOERROR 30 192.0.2.7")
	check(otherVPC, "example.org.", dns.TypeMX, "NOERROR 30 10 mail.example.org.")
	r, _, err := new(dns.Client).Exchange(new(dns.Msg).SetQuestion("loop.shop.internal.", dns.TypeA), at[ordersVPC])
	if err != nil || r.Rcode != dns.RcodeServerFailure {
		t.Errorf("a CNAME that leads to itself: %v, %v", r, err)
	}

	// Changes reach the next table, as do zones that go.
	st.Put(&trellis.RecordSet{Meta: trellis.Meta{Account: account, ID: trellis.RecordSetID("db.shop.internal.", "A", "")}, ZoneID: "Z1", Name: "db.shop.internal.", Type: "A", TTL: 5, Values: []string{"10.0.0.3"}})
	st.Delete(trellis.KindRecordSet, account+"/Z1/"+trellis.RecordSetID("a.deep.shop.internal.", "TXT", ""))
	st.Delete(trellis.KindHostedZone, account+"/Z2")
	tab = routing.Build(st, routing.Options{Region: "eu-west-1"}, tab)
	check(ordersVPC, "db.shop.internal.", dns.TypeA, "NOERROR 5 10.0.0.3")
	check(ordersVPC, "deep.shop.internal.", dns.TypeA, "NXDOMAIN SOA")
	check(ordersVPC, "team.shop.internal.", dns.TypeA, "NOERROR 30 10.0.0.66")
	cancel()
	for range at {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
