package targetgroup

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/trellis-project/trellis"
)

// TestApplyChanges changes a state at random and applies it each time: the groups must be those that a new Manager
// makes of the same state. Now and then the state is another one with the same nouns, as after a snapshot.
func TestApplyChanges(t *testing.T) {
	for seed := range uint64(40) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		st := trellis.NewState()
		m := New(Options{Region: "eu-west-1"})
		var done []string
		for range 60 {
			for range 1 + rnd.IntN(5) {
				done = append(done, mutate(rnd, st))
			}
			if rnd.IntN(10) == 0 {
				st = copied(st)
				done = append(done, "snapshot")
			}
			m.Apply(st)
			fresh := New(Options{Region: "eu-west-1"})
			fresh.Apply(st)
			if got, want := running(m), running(fresh); !slices.Equal(got, want) {
				t.Fatalf("seed %d: after %v the groups are\n%v\nwant\n%v", seed, done, got, want)
			}
			if !maps.Equal(m.uses.count, fresh.uses.count) {
				t.Fatalf("seed %d: after %v uses are %v, want %v", seed, done, m.uses.count, fresh.uses.count)
			}
		}
		m.closeAll()
	}
}

// running tells all of what a Manager runs, sorted.
func running(m *Manager) (lines []string) {
	for id, g := range *m.groups.Load() {
		lines = append(lines, fmt.Sprintf("%s: %s %s %s %s %s, %d open", id, g.key, g.ARN, g.VPCID, g.Type, g.Protocol, len(*g.open.Load())))
		for _, t := range g.Targets {
			lines = append(lines, fmt.Sprintf("%s: %s %s %s %t %p %v %t", id, t.Key(), t.Addr, t.common.vpcID, t.common.secure, t.common.vpc.Load(), t.Health(), t.gone))
		}
	}
	slices.Sort(lines)
	return lines
}

// mutate puts or deletes one noun and says which.
func mutate(rnd *rand.Rand, st *trellis.State) string {
	pick := func(of ...string) string { return of[rnd.IntN(len(of))] }
	account := pick("111122223333", "111122223333", "444455556666")
	meta := func(id string) trellis.Meta { return trellis.Meta{Account: account, ID: id} }
	group, service, listener := pick("tg-1", "tg-2"), pick("svc-1", "svc-2"), pick("listener-1", "listener-2")
	action := trellis.Action{Forward: []trellis.WeightedTargetGroup{{TargetGroupID: pick("tg-1", "tg-2"), Weight: 1}, {TargetGroupID: pick("tg-1", "tg-2"), Weight: 1}}}
	if rnd.IntN(3) == 0 {
		action = trellis.Action{FixedResponse: 404}
	}
	status := trellis.Status(pick(string(trellis.StatusActive), string(trellis.StatusActive), string(trellis.StatusDeleteInProgress)))
	var n trellis.Noun
	switch rnd.IntN(8) {
	case 0:
		n = &trellis.VPC{Meta: meta(pick("vpc-1", "vpc-2") + account)}
	case 1:
		n = &trellis.Service{Meta: meta(service), Status: status}
	case 2:
		n = &trellis.Listener{Meta: meta(listener), ServiceID: service, DefaultAction: action}
	case 3:
		l := &trellis.Listener{Meta: meta(listener), ServiceID: service, DefaultAction: action}
		st.Put(l) // a rule never lives without its listener
		n = &trellis.Rule{Meta: meta(pick("rule-1", "rule-2")), ServiceID: service, ListenerID: listener, Action: action}
	case 4:
		g := &trellis.TargetGroup{Meta: trellis.Meta{Account: "111122223333", ID: group}, VPCID: pick("vpc-1", "vpc-2") + account, Status: status,
			Type: trellis.TargetGroupType(pick("IP", "INSTANCE", "ALB")), Protocol: trellis.Protocol(pick("HTTP", "HTTPS")), Port: 80}
		if rnd.IntN(2) == 0 {
			g.HealthCheck = quick()
		}
		n = g
	case 5, 6:
		r := &trellis.Target{Account: account, TargetGroupID: group, Port: 80,
			ID: pick("10.0.0.1", "10.0.0.2", "i-1", "i-2", "arn:aws:elasticloadbalancing:eu-west-1:"+account+":loadbalancer/app/one/0123456789abcdef")}
		if rnd.IntN(4) == 0 {
			now := time.Now()
			r.DrainingSince = &now
		}
		n = r
	case 7:
		n = &trellis.Instance{Meta: meta(pick("i-1", "i-2")), VPCID: pick("vpc-1", "vpc-2") + account, PrivateIP: netip.MustParseAddr(pick("10.0.1.1", "10.0.1.2"))}
	}
	if rnd.IntN(4) == 0 && n.Kind() != trellis.KindListener {
		st.Delete(n.Kind(), n.Key())
		return fmt.Sprintf("delete %s %s", n.Kind(), n.Key())
	}
	st.Put(n)
	return fmt.Sprintf("put %s %s", n.Kind(), n.Key())
}

// copied is another State with the same nouns.
func copied(st *trellis.State) *trellis.State {
	out := trellis.NewState()
	put[*trellis.VPC](out, st)
	put[*trellis.Service](out, st)
	put[*trellis.Listener](out, st)
	put[*trellis.Rule](out, st)
	put[*trellis.TargetGroup](out, st)
	put[*trellis.Target](out, st)
	put[*trellis.Instance](out, st)
	return out
}

// put copies the nouns of a kind.
func put[T trellis.Noun](out, st *trellis.State) {
	for n := range trellis.All[T](st) {
		out.Put(n)
	}
}
