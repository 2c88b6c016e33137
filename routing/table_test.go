package routing

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/trellis-project/trellis"
)

// The account and the names of the world.
const (
	acct       = "111122223333"
	other      = "444455556666"
	ordersName = "orders-orders.7d67968.vpc-lattice-svcs.eu-west-1.on.aws"
	stockName  = "stock-stock.7d67968.vpc-lattice-svcs.eu-west-1.on.aws"
)

// meta is what a noun of the world has in common.
func meta(account, id string) trellis.Meta { return trellis.Meta{Account: account, ID: id} }

// policy is an auth policy that allows everybody.
const policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}`

// world is a state of two VPCs, two networks and two services:
//
//	vpc-a ─32─► sn-one ─► orders (80, 8080, and 443 with HTTPS), stock (80)
//	      ─33─► sn-two ─► stock
//	vpc-b (of another account), without associations
func world() *trellis.State {
	st := trellis.NewState()
	st.Revision = 7
	for _, n := range []trellis.Noun{
		&trellis.VPC{Meta: meta(acct, "vpc-a")},
		&trellis.VPC{Meta: meta(other, "vpc-b")},
		&trellis.ServiceNetwork{Meta: meta(acct, "sn-one"), Name: "one", AuthType: trellis.AuthIAM},
		&trellis.ServiceNetwork{Meta: meta(acct, "sn-two"), Name: "two", AuthType: trellis.AuthNone},
		&trellis.Service{Meta: meta(acct, "svc-orders"), Name: "orders", Status: trellis.StatusActive, AuthType: trellis.AuthIAM, CustomDomainName: "Orders.Internal"},
		&trellis.Service{Meta: meta(other, "svc-stock"), Name: "stock", Status: trellis.StatusUpdateInProgress, AuthType: trellis.AuthNone, IdleTimeoutSeconds: 90},
		&trellis.AuthPolicy{Resource: trellis.Ref{Account: acct, ID: "svc-orders"}, Text: policy},
		listener(acct, "svc-orders", trellis.ProtocolHTTP, 80),
		listener(acct, "svc-orders", trellis.ProtocolHTTP, 8080),
		listener(acct, "svc-orders", trellis.ProtocolHTTPS, 443),
		listener(other, "svc-stock", trellis.ProtocolHTTP, 80),
		association("snsa-1", acct, "svc-orders", "sn-one"),
		association("snsa-2", other, "svc-stock", "sn-one"),
		association("snsa-3", other, "svc-stock", "sn-two"),
		attach("snva-1", "vpc-a", "sn-one", 32),
		attach("snva-2", "vpc-a", "sn-two", 33),
		&trellis.TargetGroup{Meta: meta(acct, "tg-1"), Name: "t", VPCID: "vpc-a", Type: trellis.TargetsIP},
	} {
		st.Put(n)
	}
	return st
}

// listener is a listener that answers 404.
func listener(account, service string, p trellis.Protocol, port int) *trellis.Listener {
	id := fmt.Sprintf("listener-%d", port)
	return &trellis.Listener{Meta: meta(account, id), ServiceID: service, Name: id, Protocol: p, Port: port,
		DefaultRuleID: "rule-default", DefaultAction: trellis.Action{FixedResponse: 404}}
}

// association puts a service into a network.
func association(id, account, service, network string) *trellis.ServiceAssociation {
	return &trellis.ServiceAssociation{Meta: meta(acct, id), Service: trellis.Ref{Account: account, ID: service},
		ServiceNetwork: trellis.Ref{Account: acct, ID: network}, Status: trellis.StatusActive}
}

// attach associates a VPC with a network.
func attach(id, vpc, network string, slot int) *trellis.VPCAssociation {
	return &trellis.VPCAssociation{Meta: meta(acct, id), VPC: trellis.Ref{Account: acct, ID: vpc},
		ServiceNetwork: trellis.Ref{Account: acct, ID: network}, Status: trellis.StatusActive, Slot: slot}
}

// build makes the Table of a state.
func build(st *trellis.State, prev *Table) *Table {
	return Build(st, Options{Region: "eu-west-1"}, prev)
}

// TestLookup follows the path of a request: VPC, slot, host, port.
func TestLookup(t *testing.T) {
	table := build(world(), nil)
	if table.Revision() != 7 {
		t.Errorf("revision %d, want 7", table.Revision())
	}
	v := table.VPC("vpc-a")
	if v.ARN != "arn:aws:ec2:eu-west-1:111122223333:vpc/vpc-a" || table.VPC("vpc-b").Account != other || table.VPC("vpc-c") != nil {
		t.Errorf("VPCs are wrong: %+v", v)
	}
	for _, slot := range []int{-1, 0, 31, 34, 223, 224, 255, 1000} {
		if v.Network(slot) != nil {
			t.Errorf("slot %d has a network", slot)
		}
	}
	n := v.Network(32)
	if n == nil || n.ID != "sn-one" || n.AssociationID != "snva-1" || !n.Layer.Enforced || n.Layer.Policy != nil {
		t.Fatalf("network of slot 32 is %+v", n)
	}
	for host, want := range map[string]string{
		ordersName:                             "svc-orders",
		strings.ToUpper(ordersName):            "svc-orders",
		ordersName + ":80":                     "svc-orders",
		ordersName + ".":                       "svc-orders",
		ordersName + ".:8080":                  "svc-orders",
		"orders.internal":                      "svc-orders",
		"ORDERS.Internal:80":                   "svc-orders",
		stockName:                              "svc-stock",
		"x" + ordersName:                       "",
		"":                                     "",
		":80":                                  "",
		".":                                    "",
		"[::1]:80":                             "",
		"169.254.171.32":                       "",
		strings.Repeat("a", 300):               "",
		ordersName + strings.Repeat("a", 300):  "",
		strings.Repeat("a", maxName):           "",
		strings.Repeat("a", maxName+1) + ":80": "",
	} {
		s := n.Service(host)
		if s == nil && want != "" || s != nil && s.ID != want {
			t.Errorf("host %q is %v, want %q", host, s, want)
		}
		if a := testing.AllocsPerRun(10, func() { n.Service(host) }); a != 0 {
			t.Errorf("host %q: %v allocations", host, a)
		}
	}
	s := n.Service(ordersName)
	if s.Listener(80) == nil || s.Listener(8080) == nil || s.Listener(443) == nil || s.Listener(81) != nil {
		t.Error("listeners of orders are wrong")
	}
	if !s.Layer.Enforced || s.Layer.Policy == nil || s.IdleTimeout.Seconds() != 60 || n.Service(stockName).IdleTimeout.Seconds() != 90 {
		t.Errorf("service is %+v", s)
	}
	if v.Network(33).Service(ordersName) != nil {
		t.Error("orders is reached through a network that it is not in")
	}
	if got := s.Listener(80).Match(&Request{Method: "GET", Path: "/"}); !got.Default() || got.Action.FixedStatus() != 404 ||
		got.ID() != "rule-default" {
		t.Errorf("default rule is %+v", got)
	}
}

// TestPorts lists what the node listens on.
func TestPorts(t *testing.T) {
	table := build(world(), nil)
	for _, tt := range []struct {
		vpc  string
		slot int
		want []int
	}{{"vpc-a", 32, []int{80, 443, 8080}}, {"vpc-a", 33, []int{80}}, {"vpc-a", 34, nil}, {"vpc-b", 32, nil}, {"vpc-c", 32, nil}} {
		if got := table.Ports(tt.vpc, tt.slot); !slices.Equal(got, tt.want) {
			t.Errorf("ports of %s slot %d are %v, want %v", tt.vpc, tt.slot, got, tt.want)
		}
	}
}

// TestResolve asks for names inside VPCs.
func TestResolve(t *testing.T) {
	table := build(world(), nil)
	for _, tt := range []struct{ vpc, name, v4, v6 string }{
		{"vpc-a", ordersName, "169.254.171.32", "fd00:ec2:80::a9fe:ab20"},
		{"vpc-a", strings.ToUpper(ordersName) + ".", "169.254.171.32", "fd00:ec2:80::a9fe:ab20"},
		{"vpc-a", "orders.internal", "169.254.171.32", "fd00:ec2:80::a9fe:ab20"},
		{"vpc-a", stockName, "169.254.171.32", "fd00:ec2:80::a9fe:ab20"},
		{"vpc-b", ordersName, "169.254.171.254", "fd00:ec2:80::a9fe:abfe"},
		{"vpc-c", ordersName, "169.254.171.254", "fd00:ec2:80::a9fe:abfe"},
		{"vpc-b", "orders.internal", "", ""},
		{"vpc-a", "x." + ordersName, "", ""},
		{"vpc-a", "", "", ""},
		{"vpc-a", ".", "", ""},
	} {
		v4, v6, ok := table.Resolve(tt.vpc, tt.name)
		if ok != (tt.v4 != "") || ok && (v4.String() != tt.v4 || v6.String() != tt.v6) {
			t.Errorf("%s in %s is %v %v %t, want %s %s", tt.name, tt.vpc, v4, v6, ok, tt.v4, tt.v6)
		}
	}
}

// TestStatus takes one noun after the other out of service.
func TestStatus(t *testing.T) {
	for status, carries := range map[trellis.Status]bool{
		trellis.StatusActive: true, trellis.StatusUpdateInProgress: true, trellis.StatusUpdateFailed: true,
		trellis.StatusCreateInProgress: false, trellis.StatusCreateFailed: false, trellis.StatusDeleteInProgress: false, trellis.StatusDeleteFailed: false,
	} {
		st := world()
		st.Put(&trellis.Service{Meta: meta(acct, "svc-orders"), Name: "orders", Status: status})
		if got := build(st, nil).VPC("vpc-a").Network(32).Service(ordersName) != nil; got != carries {
			t.Errorf("service %s: %t", status, got)
		}
		st = world()
		a := association("snsa-1", acct, "svc-orders", "sn-one")
		a.Status = status
		st.Put(a)
		table := build(st, nil)
		if got := table.VPC("vpc-a").Network(32).Service(ordersName) != nil; got != carries {
			t.Errorf("service association %s: %t", status, got)
		}
		if _, _, ok := table.Resolve("vpc-a", ordersName); !ok {
			t.Error("the managed name is gone with the association")
		}
		st = world()
		v := attach("snva-1", "vpc-a", "sn-one", 32)
		v.Status = status
		st.Put(v)
		if got := build(st, nil).VPC("vpc-a").Network(32) != nil; got != carries {
			t.Errorf("VPC association %s: %t", status, got)
		}
	}
}

// TestBrokenPolicy denies by a policy that does not compile.
func TestBrokenPolicy(t *testing.T) {
	st := world()
	st.Put(&trellis.AuthPolicy{Resource: trellis.Ref{Account: acct, ID: "svc-orders"}, Text: "{}"})
	l := build(st, nil).VPC("vpc-a").Network(32).Service(ordersName).Layer
	if !l.Enforced || l.Broken == nil || l.Policy != nil {
		t.Errorf("layer is %+v", l)
	}
}

// TestReuse takes from the previous Table what did not change, and nothing else.
func TestReuse(t *testing.T) {
	st := world()
	st.Put(&trellis.AuthPolicy{Resource: trellis.Ref{Account: acct, ID: "sn-one"}, Text: policy})
	first := build(st, nil)
	orders := func(t *Table) *Service { return t.VPC("vpc-a").Network(32).Service(ordersName) }
	if first.VPC("vpc-a").Network(32).Layer.Policy != orders(first).Layer.Policy {
		t.Error("equal policies are compiled twice")
	}
	second := build(st, first)
	if orders(second) != orders(first) || second.networks.get(acct+"/sn-one") != first.networks.get(acct+"/sn-one") {
		t.Error("what did not change was made again")
	}
	for name, change := range map[string]trellis.Noun{
		"service":  &trellis.Service{Meta: meta(acct, "svc-orders"), Name: "orders", Status: trellis.StatusActive},
		"listener": listener(acct, "svc-orders", trellis.ProtocolHTTP, 80),
		"rule":     &trellis.Rule{Meta: meta(acct, "rule-1"), ServiceID: "svc-orders", ListenerID: "listener-80", Priority: 1},
		"policy":   &trellis.AuthPolicy{Resource: trellis.Ref{Account: acct, ID: "svc-orders"}, Text: policy + " "},
	} {
		st := world()
		first := build(st, nil)
		st.Put(change)
		if next := build(st, first); orders(next) == orders(first) {
			t.Errorf("a changed %s is not in the Table", name)
		} else if next.VPC("vpc-a").Network(32).Service(stockName) != first.VPC("vpc-a").Network(32).Service(stockName) {
			t.Errorf("a changed %s of orders made stock again", name)
		}
	}
}

// TestPick gives every group its weight exactly, evenly spread, whatever the weights are.
func TestPick(t *testing.T) {
	for _, weights := range [][]int{{100}, {90, 10}, {50, 50}, {1, 2, 3}, {0, 5}, {999, 1}, {7, 0, 13, 0, 5}, {999, 998, 997, 996, 995, 994, 993, 992, 991, 990}} {
		a := compileAction(&trellis.Rule{Action: trellis.Action{Forward: groups(weights)}})
		sum := 0
		for _, w := range weights {
			sum += w
		}
		got := map[string]int{}
		last := map[string]int{}
		for n := range sum {
			id := a.Pick(uint64(n))
			got[id]++
			i := slices.IndexFunc(a.Groups(), func(g trellis.WeightedTargetGroup) bool { return g.TargetGroupID == id })
			if gap := n - last[id]; weights[i]*10 > sum && gap > 2*sum/weights[i]+1 {
				t.Errorf("%v: %s waits for %d turns", weights, id, gap)
			}
			last[id] = n
		}
		for i, w := range weights {
			if got[fmt.Sprintf("tg-%d", i)] != w {
				t.Errorf("%v: group %d has %d of %d turns", weights, i, got[fmt.Sprintf("tg-%d", i)], sum)
			}
		}
		if n := testing.AllocsPerRun(100, func() { a.Pick(rand.Uint64()) }); n != 0 {
			t.Errorf("%v allocations", n)
		}
	}
	for _, weights := range [][]int{{0}, {0, 0}} {
		a := compileAction(&trellis.Rule{Action: trellis.Action{Forward: groups(weights)}})
		if got := a.Pick(3); got != "" || a.FixedStatus() != 0 {
			t.Errorf("weights %v pick %q", weights, got)
		}
	}
}

// groups are target groups with these weights.
func groups(weights []int) (out []trellis.WeightedTargetGroup) {
	for i, w := range weights {
		out = append(out, trellis.WeightedTargetGroup{TargetGroupID: fmt.Sprintf("tg-%d", i), Weight: w})
	}
	return out
}

// BenchmarkBuild is one changed rule among a thousand services.
func BenchmarkBuild(b *testing.B) {
	st := world()
	for i := range 1000 {
		id := fmt.Sprintf("svc-%d", i)
		st.Put(&trellis.Service{Meta: meta(acct, id), Name: "s", Status: trellis.StatusActive})
		st.Put(listener(acct, id, trellis.ProtocolHTTP, 80))
		st.Put(association("snsa-"+id, acct, id, "sn-one"))
	}
	table := build(st, nil)
	b.ReportAllocs()
	for b.Loop() {
		st.Put(&trellis.Rule{Meta: meta(acct, "rule-1"), ServiceID: "svc-1", ListenerID: "listener-80", Priority: 1})
		table = build(st, table)
	}
}

// BenchmarkService is the host lookup of every request.
func BenchmarkService(b *testing.B) {
	n := build(world(), nil).VPC("vpc-a").Network(32)
	b.ReportAllocs()
	for b.Loop() {
		if n.Service(ordersName+":80") == nil {
			b.Fatal("not found")
		}
	}
}
