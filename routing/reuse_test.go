package routing

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"testing"

	"github.com/trellis-project/trellis"
)

// TestBuildAgain changes a state at random and builds on the previous Table each time: the result must be the
// one that is built from nothing, and the previous Table must stay as it was. Now and then the state is another one
// with the same nouns, as after a snapshot, or a Table comes of a moment before the last.
func TestBuildAgain(t *testing.T) {
	for seed := range uint64(60) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		st := world()
		if seed%3 == 0 {
			st = trellis.NewState()
		}
		table, fresh := build(st, nil), build(st, nil)
		var done []string
		for range 60 {
			st.Revision++
			for range 1 + rnd.IntN(6) {
				done = append(done, mutate(rnd, st))
			}
			if rnd.IntN(10) == 0 {
				st = copied(st)
				done = append(done, "snapshot")
			}
			was, wasFresh := table, fresh
			table, fresh = build(st, was), build(st, nil)
			if !reflect.DeepEqual(table, fresh) {
				t.Fatalf("seed %d: the Table differs from a fresh one after %v", seed, done)
			}
			if !reflect.DeepEqual(was, wasFresh) {
				t.Fatalf("seed %d: the previous Table was changed after %v", seed, done)
			}
			if rnd.IntN(5) == 0 {
				table, fresh = was, wasFresh
			}
		}
	}
}

// copied is another State with the same nouns.
func copied(st *trellis.State) *trellis.State {
	out := trellis.NewState()
	out.Revision = st.Revision
	put[*trellis.VPC](out, st)
	put[*trellis.VPCAssociation](out, st)
	put[*trellis.ServiceNetwork](out, st)
	put[*trellis.ServiceAssociation](out, st)
	put[*trellis.Service](out, st)
	put[*trellis.Listener](out, st)
	put[*trellis.Rule](out, st)
	put[*trellis.AuthPolicy](out, st)
	put[*trellis.TargetGroup](out, st)
	put[*trellis.ResourceGateway](out, st)
	put[*trellis.ResourceConfiguration](out, st)
	put[*trellis.ResourceAssociation](out, st)
	put[*trellis.DomainVerification](out, st)
	put[*trellis.VPCEndpoint](out, st)
	put[*trellis.EndpointAddress](out, st)
	return out
}

// put copies the nouns of a kind.
func put[T trellis.Noun](out, st *trellis.State) {
	for n := range trellis.All[T](st) {
		out.Put(n)
	}
}

// TestSnapshot makes services anew when their nouns came anew, and keeps the policies of equal text.
func TestSnapshot(t *testing.T) {
	orders := func(t *Table) *Service { return t.VPC("vpc-a").Network(32).Service(ordersName) }
	first := build(world(), nil)
	second := build(world(), first)
	if orders(first) == orders(second) || orders(first).Layer.Policy != orders(second).Layer.Policy {
		t.Error("the service was kept, or its policy was not")
	}
	st := trellis.NewState()
	if third := build(st, second); third.VPC("vpc-a") != nil {
		t.Error("a snapshot without nouns leaves a VPC")
	}
}

// TestBuildAfterMany builds on a Table from so long ago that the state has forgotten what changed since then.
func TestBuildAfterMany(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 7))
	st := world()
	for _, changes := range []int{4000, 20_000, 70_000} {
		table := build(st, nil)
		for range changes {
			mutate(rnd, st)
		}
		if table, fresh := build(st, table), build(st, nil); !reflect.DeepEqual(table, fresh) {
			t.Errorf("the Table differs from a fresh one after %d changes", changes)
		}
	}
}

// mutate puts or deletes one noun and says which.
func mutate(rnd *rand.Rand, st *trellis.State) string {
	statuses := []trellis.Status{trellis.StatusActive, trellis.StatusActive, trellis.StatusUpdateInProgress, trellis.StatusDeleteInProgress, trellis.StatusCreateInProgress}
	owner := trellis.Ref{Account: acct, ID: "svc-orders"}
	switch rnd.IntN(3) {
	case 0:
		owner = trellis.Ref{Account: other, ID: "svc-stock"}
	case 1:
		owner = trellis.Ref{Account: other, ID: "svc-third"}
	}
	network := []string{"sn-one", "sn-two", "sn-three"}[rnd.IntN(3)]
	status := statuses[rnd.IntN(len(statuses))]
	port := []int{80, 8080, 443}[rnd.IntN(3)]
	var n trellis.Noun
	if rnd.IntN(3) == 0 {
		n = resourceNoun(rnd, network, status)
	} else {
		n = serviceNoun(rnd, owner, network, status, port)
	}
	if rnd.IntN(4) == 0 {
		st.Delete(n.Kind(), n.Key())
		return fmt.Sprintf("delete %s %s", n.Kind(), n.Key())
	}
	st.Put(n)
	return fmt.Sprintf("put %s %s", n.Kind(), n.Key())
}

// serviceNoun is a random noun of those that services need.
func serviceNoun(rnd *rand.Rand, owner trellis.Ref, network string, status trellis.Status, port int) (n trellis.Noun) {
	texts := []string{policy, policy + " ", "{}", ""}
	auths := []trellis.AuthType{trellis.AuthNone, trellis.AuthIAM}
	switch rnd.IntN(10) {
	case 0:
		n = &trellis.Service{Meta: meta(owner.Account, owner.ID), Name: owner.ID[4:], Status: status, AuthType: auths[rnd.IntN(2)],
			CustomDomainName: []string{"", "shop.internal"}[rnd.IntN(2)]}
	case 1:
		n = listener(owner.Account, owner.ID, trellis.ProtocolHTTP, port)
	case 2:
		id := fmt.Sprintf("rule-%d", rnd.IntN(4))
		n = &trellis.Rule{Meta: meta(owner.Account, id), ServiceID: owner.ID, ListenerID: fmt.Sprintf("listener-%d", port), Priority: 1 + rnd.IntN(3),
			Action: trellis.Action{Forward: groups([]int{rnd.IntN(5), rnd.IntN(5)})}}
	case 3:
		n = association("snsa-"+owner.ID+network, owner.Account, owner.ID, network)
		n.(*trellis.ServiceAssociation).Status = status
	case 4:
		n = attach(fmt.Sprintf("snva-%d", rnd.IntN(3)), []string{"vpc-a", "vpc-b", "vpc-unknown"}[rnd.IntN(3)], network, 30+rnd.IntN(6))
		n.(*trellis.VPCAssociation).Status = status
	case 5:
		n = &trellis.AuthPolicy{Resource: owner, Text: texts[rnd.IntN(len(texts))]}
	case 6:
		n = &trellis.AuthPolicy{Resource: trellis.Ref{Account: acct, ID: network}, Text: texts[rnd.IntN(len(texts))]}
	case 7:
		n = &trellis.ServiceNetwork{Meta: meta(acct, network), Name: network, AuthType: auths[rnd.IntN(2)]}
	case 8:
		n = &trellis.TargetGroup{Meta: meta(acct, "tg-1"), Port: port}
	case 9:
		n = &trellis.VPC{Meta: meta(acct, []string{"vpc-a", "vpc-unknown"}[rnd.IntN(2)])}
	}
	return n
}

// resourceNoun is a random noun of those that resources and VPC endpoints need.
func resourceNoun(rnd *rand.Rand, network string, status trellis.Status) trellis.Noun {
	i := rnd.IntN(4)
	id := func(prefix string) string { return fmt.Sprintf("%s-%d", prefix, i) }
	vpc := []string{"vpc-a", "vpc-b", "vpc-unknown"}[rnd.IntN(3)]
	configuration := trellis.Ref{Account: acct, ID: fmt.Sprintf("rcfg-%d", rnd.IntN(3))}
	ref := trellis.Ref{Account: acct, ID: network}
	switch rnd.IntN(6) {
	case 0:
		return &trellis.ResourceGateway{Meta: meta(acct, id("rgw")), Status: status, VPCID: vpc}
	case 1:
		return &trellis.ResourceConfiguration{Meta: meta(acct, id("rcfg")), Status: status, GatewayID: fmt.Sprintf("rgw-%d", rnd.IntN(4)),
			CustomDomainName: []string{"", "db.internal", "shop.internal"}[rnd.IntN(3)]}
	case 2:
		a := &trellis.ResourceAssociation{Meta: meta(acct, id("snra")), Status: status, Configuration: configuration, ServiceNetwork: ref, Address: trellis.ResourceAddr(i)}
		if rnd.IntN(4) == 0 {
			a.Address = netip.Addr{}
		}
		return a
	case 3:
		return &trellis.DomainVerification{Meta: meta(acct, id("dv")), Status: trellis.VerificationVerified, DomainName: "internal"}
	case 4:
		return &trellis.VPCEndpoint{Meta: meta(acct, id("vpce")), VPCID: vpc, Type: trellis.ServiceNetworkEndpoint, ServiceNetwork: ref,
			State: []string{trellis.EndpointAvailable, trellis.EndpointPending}[rnd.IntN(2)]}
	}
	return &trellis.EndpointAddress{Account: acct, EndpointID: id("vpce"), Configuration: configuration,
		Addresses: []trellis.SubnetAddress{{SubnetID: "subnet-1", Address: netip.AddrFrom4([4]byte{10, 0, 0, byte(rnd.IntN(9))})}}}
}
