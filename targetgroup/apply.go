package targetgroup

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
)

// Apply makes the running groups as the nouns say. Targets that stay keep their health and connections;
// those that go are given the rest of their draining time. It does not block on the network.
//
// Groups are made anew that something of changed since the last Apply; all are when that is not known.
func (m *Manager) Apply(st *trellis.State) {
	m.mu.Lock()
	defer m.mu.Unlock()
	touched := m.touched(st)
	m.moment = st.Moment()
	if len(touched) == 0 {
		return
	}
	a := application{m: m, st: st, vpcs: map[string]*trellis.VPC{}, stays: map[*Target]struct{}{}}
	for v := range trellis.All[*trellis.VPC](st) {
		a.vpcs[v.ID] = v
	}
	groups := maps.Clone(*m.groups.Load())
	var before []*Target
	for key := range touched {
		id := trellis.LastPart(key)
		old := groups[id]
		if old != nil && old.key != key { // an action may name another account's group, in vain
			old = nil
		}
		if old != nil {
			before = append(before, old.Targets...)
			delete(groups, id)
		}
		if n, ok := trellis.Get[*trellis.TargetGroup](st, key); ok && alive(n.Status) {
			groups[id] = a.group(n, old)
		}
	}
	m.groups.Store(&groups)
	for _, t := range before {
		if _, stays := a.stays[t]; !stays {
			m.remove(t)
		}
	}
}

// touched returns the keys of the target groups that have to be made anew, and counts the uses of all.
func (m *Manager) touched(st *trellis.State) map[string]bool {
	touched, services := map[string]bool{}, map[string]bool{}
	changes, known := st.Since(m.moment)
	for _, c := range changes {
		for _, n := range []trellis.Noun{c.Was, c.Is} {
			switch n := n.(type) {
			case *trellis.TargetGroup:
				touched[n.Key()] = true
			case *trellis.Target:
				touched[n.Account+"/"+n.TargetGroupID] = true
			case *trellis.Service:
				services[n.Key()] = true
			case *trellis.Listener:
				services[n.Account+"/"+n.ServiceID] = true
			case *trellis.Rule:
				services[n.Account+"/"+n.ServiceID] = true
			case *trellis.Instance:
				m.touchVPC(touched, n.VPCID)
			case *trellis.VPC:
				m.touchVPC(touched, n.ID)
			}
		}
	}
	if !known {
		m.uses = uses{by: map[string][]string{}, count: map[string]int{}}
		for _, g := range *m.groups.Load() {
			touched[g.key] = true
		}
		for g := range trellis.All[*trellis.TargetGroup](st) {
			touched[g.Key()] = true
		}
		for s := range trellis.All[*trellis.Service](st) {
			services[s.Key()] = true
		}
	}
	for key := range services {
		m.uses.set(key, usedBy(st, key), touched)
	}
	return touched
}

// touchVPC notes the groups that run in a VPC. Those that do not run yet are noted by their own nouns.
func (m *Manager) touchVPC(touched map[string]bool, vpcID string) {
	for _, g := range *m.groups.Load() {
		if g.VPCID == vpcID {
			touched[g.key] = true
		}
	}
}

// application is the work of one Apply, under Manager.mu.
type application struct {
	m     *Manager
	st    *trellis.State
	vpcs  map[string]*trellis.VPC // by id
	stays map[*Target]struct{}    // targets that were members before and are members still
}

// membership is what a target is known by in its group.
type membership struct {
	id   string
	port int
}

// compareMembers orders targets by id, then by port.
func compareMembers(a, b *trellis.Target) int {
	return cmp.Or(strings.Compare(a.ID, b.ID), cmp.Compare(a.Port, b.Port))
}

// group makes the Group of a noun, of the running one if there is one, or keeps that when nothing of it changed.
func (a *application) group(n *trellis.TargetGroup, old *Group) *Group {
	g := &Group{key: n.Key(), ID: n.ID, ARN: n.ARN(a.m.region), Name: n.Name, VPCID: n.VPCID, Type: n.Type,
		Protocol: n.Protocol, ProtocolVersion: n.ProtocolVersion}
	g.common = &common{groupID: n.ID, vpcID: n.VPCID, secure: n.Protocol == trellis.ProtocolHTTPS, verify: verifies(n)}
	known := map[membership]*Target{}
	if old != nil {
		if c := old.common; c.vpcID == g.common.vpcID && c.secure == g.common.secure && c.verify == g.common.verify {
			g.common = c
		}
		for _, t := range old.Targets {
			known[membership{t.ID(), t.noun.Load().Port}] = t
		}
	}
	g.common.vpc.Store(a.vpcs[n.VPCID])
	members := slices.SortedFunc(trellis.Under[*trellis.Target](a.st, g.key), compareMembers)
	g.Targets = make([]*Target, 0, len(members))
	changed := false
	for _, r := range members {
		target, moved := a.target(n, g.common, r, known[membership{r.ID, r.Port}])
		changed = changed || moved
		g.Targets = append(g.Targets, target)
	}
	if old == nil {
		g.initTurn()
	} else {
		g.turn = old.turn
		if !changed && slices.Equal(g.Targets, old.Targets) {
			g.open.Store(old.open.Load())
			return g
		}
	}
	g.settle()
	return g
}

// target finds or makes the running target of a noun and sets what the nouns decide of its health. It tells
// whether that changed. known is the one that runs, if any.
func (a *application) target(g *trellis.TargetGroup, c *common, n *trellis.Target, known *Target) (t *Target, moved bool) {
	t, addr := known, a.address(g, n)
	if t == nil || t.Addr != addr || t.common != c {
		t = &Target{Addr: addr, common: c}
		h := a.m.health(trellis.TargetInitial, reasonInitial)
		if known == nil {
			h = a.remembered(n)
			t.told = h.seen()
		} else {
			t.told = known.told
		}
		t.health.Store(h)
		moved = true
	} else {
		a.stays[t] = struct{}{}
		if !t.noun.Load().RegisteredAt.Equal(n.RegisteredAt) {
			// It was deregistered and registered again between two Applies: it begins anew, and what was told of
			// it before is forgotten on the other side.
			a.m.stopCheck(t)
			t.told = nil
		}
	}
	t.noun.Store(n)
	if n.DrainingSince != nil {
		a.m.retire(t, drainTime-a.m.now().Sub(*n.DrainingSince))
	} else if t.Health().Status == trellis.TargetDraining {
		a.m.revive(t)
	}
	h, rests := resting(g, n, a.m.uses.count[g.Key()] > 0)
	if rests {
		a.m.stopCheck(t)
	} else {
		h = t.Health()
		if t.checking == nil && (!moved || h.Status != trellis.TargetHealthy) {
			h = Health{trellis.TargetInitial, reasonInitial}
		}
		a.m.startCheck(t, g.HealthCheck)
	}
	return t, a.m.set(t, h) || moved
}

// remembered is the health that the store has of a target, so that a start of the node neither forgets who was
// healthy nor tells what is known.
func (a *application) remembered(t *trellis.Target) *Health {
	h, ok := trellis.Get[*trellis.TargetHealth](a.st, t.Key())
	if !ok || h.At.Before(t.RegisteredAt) {
		return a.m.health(trellis.TargetInitial, reasonInitial)
	}
	return a.m.health(h.Status, h.ReasonCode)
}

// address is where a target listens, not valid when that is not known.
func (a *application) address(g *trellis.TargetGroup, t *trellis.Target) netip.AddrPort {
	port := t.Port
	if port == 0 {
		port = g.Port
	}
	var addr netip.Addr
	switch g.Type {
	case trellis.TargetsIP:
		addr, _ = netip.ParseAddr(t.ID) // registration refuses other ids; the connect says what is missing
	case trellis.TargetsInstance:
		if i, ok := trellis.Get[*trellis.Instance](a.st, t.Account+"/"+t.ID); ok && i.VPCID == g.VPCID {
			addr = i.PrivateIP
		}
	}
	if !addr.IsValid() || port < 1 || port > 65535 {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(addr.Unmap().WithZone(""), uint16(port))
}

// alive tells whether a target group of this status is kept running.
func alive(s trellis.Status) bool {
	switch s {
	case trellis.StatusCreateFailed, trellis.StatusDeleteInProgress, trellis.StatusDeleteFailed:
		return false
	}
	return true
}

// remove lets go of a target that is no member any more. The caller holds mu.
func (m *Manager) remove(t *Target) {
	m.stopCheck(t)
	m.retire(t, drainTime)
	m.retired[t] = struct{}{}
	t.gone = true
}

// set gives a target a health, and tells whether it is another one than before. The caller holds mu and, but
// for Apply, settles the group.
func (m *Manager) set(t *Target, to Health) bool {
	h := m.health(to.Status, to.Reason)
	moved := t.health.Swap(h) != h
	if h.seen() != t.told && !t.waiting {
		t.waiting = true
		m.news = append(m.news, t)
		select {
		case m.wake <- struct{}{}:
		default:
		}
	}
	return moved
}

// health is the one Health of its kind. The caller holds mu.
func (m *Manager) health(s trellis.TargetStatus, reason string) *Health {
	h := Health{s, reason}
	if m.healths[h] == nil {
		m.healths[h] = &h
	}
	return m.healths[h]
}
