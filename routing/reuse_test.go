package routing

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/trellis-project/trellis"
)

// TestBuildAgain changes a state at random and builds on the previous Table each time: the result must be the
// one that is built from nothing.
func TestBuildAgain(t *testing.T) {
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		st := world()
		var table *Table
		var done []string
		for range 40 {
			st.Revision++
			for range 1 + rnd.IntN(3) {
				done = append(done, mutate(rnd, st))
			}
			table = build(st, table)
			if fresh := build(st, nil); !reflect.DeepEqual(table, fresh) {
				t.Fatalf("seed %d: the Table differs from a fresh one after %v", seed, done)
			}
		}
	}
}

// mutate puts or deletes one noun and says which.
func mutate(rnd *rand.Rand, st *trellis.State) string {
	statuses := []trellis.Status{trellis.StatusActive, trellis.StatusActive, trellis.StatusUpdateInProgress, trellis.StatusDeleteInProgress, trellis.StatusCreateInProgress}
	texts := []string{policy, policy + " ", "{}", ""}
	auths := []trellis.AuthType{trellis.AuthNone, trellis.AuthIAM}
	owner := trellis.Ref{Account: acct, ID: "svc-orders"}
	if rnd.IntN(2) == 0 {
		owner = trellis.Ref{Account: other, ID: "svc-stock"}
	}
	network := []string{"sn-one", "sn-two"}[rnd.IntN(2)]
	status := statuses[rnd.IntN(len(statuses))]
	port := []int{80, 8080, 443}[rnd.IntN(3)]
	var n trellis.Noun
	switch rnd.IntN(9) {
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
	}
	if rnd.IntN(4) == 0 {
		st.Delete(n.Kind(), n.Key())
		return fmt.Sprintf("delete %s %s", n.Kind(), n.Key())
	}
	st.Put(n)
	return fmt.Sprintf("put %s %s", n.Kind(), n.Key())
}
