package routing

import (
	"cmp"
	"slices"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
)

// defaultIdleTimeout is a service's when it does not say (VPC Lattice API, CreateService).
const defaultIdleTimeout = 60 * time.Second

// Options configures Build.
type Options struct {
	Region string
}

// policyText is the text of an auth policy.
type policyText string

// compiled is what became of it.
type compiled struct {
	policy *authpolicy.Policy
	err    error
}

// builder makes one Table.
type builder struct {
	st     *trellis.State
	region string
	prev   *Table
	table  *Table

	listeners map[string][]*trellis.Listener // by the key of the service
	rules     map[string][]*trellis.Rule     // by the key of the listener
}

// Build makes the Table of a state. Policies, services and networks that are as they were in prev, which is nil
// at first, are taken from it.
func Build(st *trellis.State, o Options, prev *Table) *Table {
	if prev == nil {
		prev = &Table{}
	}
	b := &builder{st: st, region: o.Region, prev: prev,
		listeners: map[string][]*trellis.Listener{},
		rules:     map[string][]*trellis.Rule{},
		table: &Table{
			revision: st.Revision,
			vpcs:     map[string]*VPC{},
			managed:  map[string]bool{},
			policies: map[policyText]compiled{},
			services: map[string]*Service{},
			networks: map[string]*members{},
		}}
	b.allServices()
	b.allNetworks()
	b.vpcs()
	return b.table
}

// layer compiles the auth policy of a service or network, or takes it from the previous Table.
func (b *builder) layer(auth trellis.AuthType, key string) authpolicy.Layer {
	if auth == trellis.AuthNone || auth == "" {
		return authpolicy.Layer{}
	}
	l := authpolicy.Layer{Enforced: true}
	p, ok := trellis.Get[*trellis.AuthPolicy](b.st, key)
	if !ok {
		return l
	}
	text := policyText(p.Text)
	c, ok := b.table.policies[text]
	if !ok {
		if c, ok = b.prev.policies[text]; !ok {
			c.policy, c.err = authpolicy.Parse(p.Text, authpolicy.Resource)
		}
		b.table.policies[text] = c
	}
	l.Policy, l.Broken = c.policy, c.err
	return l
}

// allServices fills the services that carry traffic.
func (b *builder) allServices() {
	for l := range trellis.All[*trellis.Listener](b.st) {
		k := l.Account + "/" + l.ServiceID
		b.listeners[k] = append(b.listeners[k], l)
	}
	for r := range trellis.All[*trellis.Rule](b.st) {
		k := r.Account + "/" + r.ServiceID + "/" + r.ListenerID
		b.rules[k] = append(b.rules[k], r)
	}
	for s := range trellis.All[*trellis.Service](b.st) {
		if !s.Status.Carries() {
			continue
		}
		made := b.service(s)
		b.table.services[s.Key()] = made
		b.table.managed[asciiLower(made.DomainName)] = true
	}
}

// service makes one service.
func (b *builder) service(s *trellis.Service) *Service {
	listeners := b.listeners[s.Key()]
	slices.SortFunc(listeners, func(x, y *trellis.Listener) int { return cmp.Compare(x.Port, y.Port) })
	from := []trellis.Noun{s}
	for _, l := range listeners {
		from = append(from, l)
		rules := b.rules[l.Key()]
		slices.SortFunc(rules, func(x, y *trellis.Rule) int {
			return cmp.Or(cmp.Compare(x.Priority, y.Priority), cmp.Compare(x.ID, y.ID))
		})
		for _, r := range rules {
			from = append(from, r)
		}
	}
	layer := b.layer(s.AuthType, s.Key())
	if old := b.prev.services[s.Key()]; old != nil && old.Layer == layer && slices.Equal(old.from, from) {
		return old
	}
	out := &Service{ID: s.ID, ARN: s.ARN(b.region), Name: s.Name, Account: s.Account,
		DomainName: s.DomainName(b.region), CustomDomainName: s.CustomDomainName, Layer: layer,
		IdleTimeout: time.Duration(s.IdleTimeoutSeconds) * time.Second, Tags: s.Tags, from: from}
	if out.IdleTimeout == 0 {
		out.IdleTimeout = defaultIdleTimeout
	}
	for _, l := range listeners {
		if l.Protocol == trellis.ProtocolHTTP {
			out.listeners = append(out.listeners, b.listener(l))
		}
	}
	return out
}

// listener makes one listener with its rules, which are sorted already.
func (b *builder) listener(l *trellis.Listener) *Listener {
	out := &Listener{ID: l.ID, ARN: l.ARN(b.region), Name: l.Name, Protocol: l.Protocol, Port: l.Port}
	for _, r := range b.rules[l.Key()] {
		out.rules = append(out.rules, Rule{ID: r.ID, ARN: r.ARN(b.region), Name: r.Name, Priority: r.Priority,
			Action: compileAction(&r.Action), match: compileMatch(&r.Match)})
	}
	out.rules = append(out.rules, Rule{ID: l.DefaultRuleID, ARN: l.ARN(b.region) + "/rule/" + l.DefaultRuleID, Name: "Default", Default: true,
		Action: compileAction(&l.DefaultAction)})
	return out
}

// allNetworks fills the members of every network.
func (b *builder) allNetworks() {
	services := map[string][]*Service{}
	for a := range trellis.All[*trellis.ServiceAssociation](b.st) {
		s := b.table.services[a.Service.Key()]
		if s == nil || !a.Status.Carries() {
			continue
		}
		k := a.ServiceNetwork.Key()
		services[k] = append(services[k], s)
	}
	for n := range trellis.All[*trellis.ServiceNetwork](b.st) {
		from := services[n.Key()]
		slices.SortFunc(from, func(x, y *Service) int { return cmp.Compare(x.ID, y.ID) })
		from = slices.Compact(from)
		if old := b.prev.networks[n.Key()]; old != nil && slices.Equal(old.from, from) {
			b.table.networks[n.Key()] = old
			continue
		}
		b.table.networks[n.Key()] = newMembers(from)
	}
}

// newMembers indexes the services of a network. A generated name always wins over a custom one; of two equal
// custom names, which the control plane does not allow, the service with the lower id has it.
func newMembers(from []*Service) *members {
	m := &members{from: from, byName: map[string]*Service{}}
	for _, s := range from {
		m.byName[asciiLower(s.DomainName)] = s
		for _, l := range s.listeners {
			m.ports = append(m.ports, l.Port)
		}
	}
	for _, s := range from {
		if name := string(lowered(nil, s.CustomDomainName)); name != "" && m.byName[name] == nil {
			m.byName[name] = s
		}
	}
	slices.Sort(m.ports)
	m.ports = slices.Compact(m.ports)
	return m
}

// vpcs fills the VPCs with their associations, lowest slot first. A VPC is known by its associations alone, so
// that the Table of a node needs no more of a VPC than its id.
func (b *builder) vpcs() {
	for v := range trellis.All[*trellis.VPC](b.st) {
		b.table.vpcs[v.ID] = b.vpc(v.Account, v.ID)
	}
	var associations []*trellis.VPCAssociation
	for a := range trellis.All[*trellis.VPCAssociation](b.st) {
		if a.Status.Carries() && a.Slot >= trellis.FirstSlot && a.Slot <= trellis.LastSlot {
			associations = append(associations, a)
		}
	}
	slices.SortFunc(associations, func(x, y *trellis.VPCAssociation) int {
		return cmp.Or(cmp.Compare(x.Slot, y.Slot), cmp.Compare(x.ID, y.ID))
	})
	for _, a := range associations {
		b.associate(a)
	}
}

// vpc makes a VPC without associations.
func (b *builder) vpc(account, id string) *VPC {
	return &VPC{ID: id, ARN: trellis.EC2ARN(b.region, account, "vpc/"+id), Account: account, names: map[string]int{}}
}

// associate adds one association to its VPC.
func (b *builder) associate(a *trellis.VPCAssociation) {
	n, ok := trellis.Get[*trellis.ServiceNetwork](b.st, a.ServiceNetwork.Key())
	if !ok {
		return
	}
	v := b.table.vpcs[a.VPC.ID]
	if v == nil {
		v = b.vpc(a.VPC.Account, a.VPC.ID)
		b.table.vpcs[v.ID] = v
	}
	if v.slots[a.Slot] != nil {
		return
	}
	m := b.table.networks[n.Key()]
	v.slots[a.Slot] = &Network{ID: n.ID, ARN: n.ARN(b.region), Account: n.Account, Name: n.Name, Layer: b.layer(n.AuthType, n.Key()),
		AssociationID: a.ID, Slot: a.Slot, members: m}
	for name := range m.byName {
		if _, taken := v.names[name]; !taken {
			v.names[name] = a.Slot
		}
	}
}
