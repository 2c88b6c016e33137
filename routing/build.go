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

// layer is a Layer with the text of its policy.
type layer struct {
	authpolicy.Layer
	text policyText
}

// used is a layer with how many services and networks have it.
type used struct {
	layer
	n int
}

// compiled tells whether there is a policy, or one that does not compile.
func (l layer) compiled() bool { return l.Policy != nil || l.Broken != nil }

// builder makes one Table: it begins with base and makes anew what is noted, each kind of thing after those that it
// is made of.
type builder struct {
	st     *trellis.State
	region string
	prev   *Table // what is equal may be taken over from here
	base   *Table // prev when it is known what has changed since, else empty
	all    bool   // the opposite: everything is made anew

	services map[string]bool      // to be made, by key
	networks map[trellis.Ref]bool // to be made
	vpcs     map[string]bool      // to be made, by id

	swapped  map[*Service]*Service // services that were replaced by ones with the same names and ports
	reshaped map[trellis.Ref]bool  // services that came, went or have other names or ports
	renewed  map[trellis.Ref]bool  // networks whose members are other ones in the new Table
	policies map[policyText]layer  // compiled

	indexer indexer // of the rules of one listener after the other

	madeServices *draft[*Service]
	madeNetworks *draft[*members]
	madePolicies *draft[used]
	reached      *linking
	reaching     *linking
	madeVPCs     *draft[*VPC]
	managed      *draft[int]
}

// Build makes the Table of a state. With prev, the Table of an earlier moment of the same State, only what changed
// since then is made. Of another State's, what is equal is taken over. prev is nil at first.
func Build(st *trellis.State, o Options, prev *Table) *Table {
	if prev == nil || prev.region != o.Region {
		prev = &Table{}
	}
	changes, known := st.Since(prev.moment)
	b := &builder{st: st, region: o.Region, prev: prev, base: prev, all: !known,
		services: map[string]bool{}, networks: map[trellis.Ref]bool{}, vpcs: map[string]bool{},
		swapped: map[*Service]*Service{}, reshaped: map[trellis.Ref]bool{}, renewed: map[trellis.Ref]bool{},
		policies: map[policyText]layer{}}
	if known {
		b.reached, b.reaching = link(b.base.reached, serviceOf), link(b.base.reaching, networkOf)
		for _, c := range changes {
			b.note(c.Was)
			b.note(c.Is)
			b.reached.change(c)
			b.reaching.change(c)
		}
	} else {
		b.base = &Table{}
		b.noteAll()
		b.reached, b.reaching = linkAll(st, serviceOf), linkAll(st, networkOf)
	}
	b.madeServices, b.madeNetworks, b.madePolicies = edit(b.base.services), edit(b.base.networks), edit(b.base.policies)
	b.madeVPCs, b.managed = edit(b.base.vpcs), edit(b.base.managed)
	b.makeServices()
	b.makeNetworks()
	b.makeVPCs()
	return &Table{revision: st.Revision, region: o.Region, moment: st.Moment(), vpcs: b.madeVPCs.dict,
		managed: b.managed.dict, services: b.madeServices.dict, networks: b.madeNetworks.dict,
		policies: b.madePolicies.dict, reached: b.reached.dict, reaching: b.reaching.dict}
}

// note notes what is made of a noun itself. What is made of that is noted when it turns out to be another one.
func (b *builder) note(n trellis.Noun) {
	switch n := n.(type) {
	case *trellis.Service:
		b.services[n.Key()] = true
	case *trellis.Listener:
		b.services[n.Account+"/"+n.ServiceID] = true
	case *trellis.Rule:
		b.services[n.Account+"/"+n.ServiceID] = true
	case *trellis.AuthPolicy:
		b.services[n.Key()] = true
		if _, ok := b.base.networks.find(n.Key()); ok {
			b.networks[n.Resource] = true // a network that is not there yet is noted itself
		}
	case *trellis.ServiceAssociation:
		b.networks[n.ServiceNetwork] = true
	case *trellis.ServiceNetwork:
		b.networks[trellis.Ref{Account: n.Account, ID: n.ID}] = true
	case *trellis.VPC:
		b.vpcs[n.ID] = true
	case *trellis.VPCAssociation:
		b.vpcs[n.VPC.ID] = true
	}
}

// noteAll notes everything.
func (b *builder) noteAll() {
	for s := range trellis.All[*trellis.Service](b.st) {
		b.note(s)
	}
	for n := range trellis.All[*trellis.ServiceNetwork](b.st) {
		b.note(n)
	}
	for v := range trellis.All[*trellis.VPC](b.st) {
		b.note(v)
	}
	for a := range trellis.All[*trellis.VPCAssociation](b.st) {
		b.note(a)
	}
}

// layer compiles the auth policy of a service or network, unless the text was compiled already.
func (b *builder) layer(auth trellis.AuthType, key string) layer {
	if auth == trellis.AuthNone || auth == "" {
		return layer{}
	}
	p, ok := trellis.Get[*trellis.AuthPolicy](b.st, key)
	if !ok {
		return layer{Layer: authpolicy.Layer{Enforced: true}}
	}
	text := policyText(p.Text)
	l := b.policies[text]
	if !l.compiled() {
		l = b.prev.policies.get(p.Text).layer
	}
	if !l.compiled() {
		l = layer{authpolicy.Layer{Enforced: true}, text}
		l.Policy, l.Broken = authpolicy.Parse(p.Text, authpolicy.Resource)
	}
	b.policies[text] = l
	return l
}

// use counts who has a compiled policy, and forgets it when that is nobody.
func (b *builder) use(l layer, by int) {
	if !l.compiled() {
		return
	}
	key := string(l.text)
	if n := b.madePolicies.get(key).n + by; n > 0 {
		b.madePolicies.set(key, used{l, n})
	} else {
		b.madePolicies.remove(key)
	}
}

// makeServices makes the services that are noted and carry traffic.
func (b *builder) makeServices() {
	for key := range b.services {
		old := b.base.services.get(key)
		var made *Service
		if s, ok := trellis.Get[*trellis.Service](b.st, key); ok && s.Status.Carries() {
			made = b.service(s)
		}
		if made == old {
			continue
		}
		if old != nil {
			b.use(layer{old.Layer, old.policy}, -1)
		}
		if made == nil {
			b.madeServices.remove(key)
		} else {
			b.use(layer{made.Layer, made.policy}, 1)
			b.madeServices.set(key, made)
		}
		if old != nil && made != nil && old.sameShape(made) {
			b.swapped[old] = made
			continue
		}
		if old != nil {
			b.count(old, -1)
		}
		if made != nil {
			b.count(made, 1)
		}
	}
}

// count adds a service to those that live, or takes it away.
func (b *builder) count(s *Service, by int) {
	b.reshaped[s.ref()] = true
	name := asciiLower(s.DomainName)
	if n := b.managed.get(name) + by; n > 0 {
		b.managed.set(name, n)
	} else {
		b.managed.remove(name)
	}
}

// sameShape tells whether two services are the same to who looks for them: by their names and ports.
func (s *Service) sameShape(t *Service) bool {
	return s.DomainName == t.DomainName && s.noun.CustomDomainName == t.noun.CustomDomainName && s.ref() == t.ref() &&
		slices.EqualFunc(s.listeners, t.listeners, func(x, y Listener) bool { return x.Port == y.Port })
}

// madeOf tells whether a service was made of these listeners with these rules.
func (s *Service) madeOf(listeners []*trellis.Listener, rules [][]*trellis.Rule) bool {
	if len(s.listeners) != len(listeners) {
		return false
	}
	for i := range listeners {
		l := &s.listeners[i]
		last := len(l.rules) - 1
		if l.rules[last].Action.turns.listener != listeners[i] ||
			!slices.EqualFunc(l.rules[:last], rules[i], func(x Rule, y *trellis.Rule) bool { return x.Action.rule == y }) {
			return false
		}
	}
	return true
}

// service makes one service.
func (b *builder) service(s *trellis.Service) *Service {
	http := func(yield func(*trellis.Listener) bool) {
		for l := range trellis.Under[*trellis.Listener](b.st, s.Key()) {
			if l.Protocol == trellis.ProtocolHTTP && !yield(l) {
				return
			}
		}
	}
	listeners := slices.SortedFunc(http,
		func(x, y *trellis.Listener) int { return cmp.Or(cmp.Compare(x.Port, y.Port), cmp.Compare(x.ID, y.ID)) })
	rules := make([][]*trellis.Rule, len(listeners))
	for i, l := range listeners {
		rules[i] = slices.SortedFunc(trellis.Under[*trellis.Rule](b.st, l.Key()),
			func(x, y *trellis.Rule) int {
				return cmp.Or(cmp.Compare(x.Priority, y.Priority), cmp.Compare(x.ID, y.ID))
			})
	}
	layer := b.layer(s.AuthType, s.Key())
	if old := b.prev.services.get(s.Key()); old != nil && old.noun == s && old.Layer == layer.Layer && old.policy == layer.text && old.madeOf(listeners, rules) {
		return old
	}
	out := &Service{ID: s.ID, ARN: s.ARN(b.region), DomainName: s.DomainName(b.region), Layer: layer.Layer, policy: layer.text,
		IdleTimeout: time.Duration(s.IdleTimeoutSeconds) * time.Second, Tags: s.Tags, noun: s}
	if out.IdleTimeout == 0 {
		out.IdleTimeout = defaultIdleTimeout
	}
	out.listeners = out.first[:0]
	for i, l := range listeners {
		out.listeners = append(out.listeners, b.listener(l, rules[i]))
	}
	return out
}

// listener makes one listener with its rules, which are sorted already.
func (b *builder) listener(l *trellis.Listener, rules []*trellis.Rule) Listener {
	out := Listener{ID: l.ID, Protocol: l.Protocol, Port: l.Port, rules: make([]Rule, 0, len(rules)+1)}
	for _, r := range rules {
		out.rules = append(out.rules, Rule{compileAction(r)})
	}
	out.index = b.indexer.index(out.rules)
	out.rules = append(out.rules, Rule{compileDefault(l)})
	return out
}

// makeNetworks makes the networks that are noted or have a service that is reshaped, and puts the services that were
// swapped into the others.
func (b *builder) makeNetworks() {
	if !b.all {
		for ref := range b.reshaped {
			for _, a := range b.reached.get(ref.ID) {
				if a.Service == ref {
					b.networks[a.ServiceNetwork] = true
				}
			}
		}
	}
	for ref := range b.networks {
		key := ref.Key()
		old := b.base.networks.get(key)
		var made *members
		if n, ok := trellis.Get[*trellis.ServiceNetwork](b.st, key); ok {
			made = b.network(n, b.servicesOf(ref))
		}
		if made == old {
			continue
		}
		b.renewed[ref] = true
		if old != nil {
			b.use(old.layer, -1)
		}
		if made == nil {
			b.madeNetworks.remove(key)
		} else {
			b.use(made.layer, 1)
			b.madeNetworks.set(key, made)
		}
	}
	swaps := map[trellis.Ref]map[*Service]*Service{}
	for old, made := range b.swapped {
		ref := old.ref()
		for _, a := range b.reached.get(ref.ID) {
			if a.Service != ref || b.networks[a.ServiceNetwork] {
				continue
			}
			if swaps[a.ServiceNetwork] == nil {
				swaps[a.ServiceNetwork] = map[*Service]*Service{}
			}
			swaps[a.ServiceNetwork][old] = made
		}
	}
	for ref, swapped := range swaps {
		key := ref.Key()
		old := b.base.networks.get(key)
		if old == nil {
			continue
		}
		if made := old.swap(swapped); made != old {
			b.renewed[ref] = true
			b.madeNetworks.set(key, made)
		}
	}
}

// servicesOf returns the services of a network, sorted.
func (b *builder) servicesOf(ref trellis.Ref) []*Service {
	reaching := b.reaching.get(ref.ID)
	list := make([]*Service, 0, len(reaching)) // without room for more: this stays for long
	for _, a := range reaching {
		if a.ServiceNetwork != ref || !a.Status.Carries() {
			continue
		}
		if s := b.madeServices.get(a.Service.Key()); s != nil {
			list = append(list, s)
		}
	}
	slices.SortFunc(list, (*Service).compare)
	return slices.Compact(list)
}

// compare orders services by id, then by account.
func (s *Service) compare(t *Service) int {
	return cmp.Or(cmp.Compare(s.ID, t.ID), cmp.Compare(s.noun.Account, t.noun.Account))
}

// network makes one network. A generated name always wins over a custom one; of two equal custom names, which the
// control plane does not allow, the service with the lower id has it.
func (b *builder) network(n *trellis.ServiceNetwork, from []*Service) *members {
	m := &members{noun: n, layer: b.layer(n.AuthType, n.Key()), from: from}
	if old := b.prev.networks.get(n.Key()); old != nil && old.noun == n && old.layer == m.layer && slices.Equal(old.from, from) {
		return old
	}
	for _, s := range from {
		for _, l := range s.listeners {
			if !slices.Contains(m.ports, l.Port) {
				m.ports = append(m.ports, l.Port)
			}
		}
	}
	slices.Sort(m.ports)
	if old := b.base.networks.get(n.Key()); old != nil {
		if names, ok := old.renamed(from); ok {
			m.byName = names
			return m
		}
	}
	names := edit(dict[*Service]{})
	for _, s := range from {
		names.set(asciiLower(s.DomainName), s)
	}
	for _, s := range from {
		if name := customName(s); name != "" && names.get(name) == nil {
			names.set(name, s)
		}
	}
	m.byName = names.dict
	return m
}

// names are the names that a service is looked for by, in lower case.
func (s *Service) names() []string {
	names := []string{asciiLower(s.DomainName)}
	if custom := customName(s); custom != "" {
		names = append(names, custom)
	}
	return names
}

// renamed returns the names of members that have other services than m, made from the names of m. It is not ok where
// several services want a name: whose it is then depends on all of them.
func (m *members) renamed(services []*Service) (dict[*Service], bool) {
	var gone, come []*Service
	was, is := m.from, services
	for len(was) > 0 || len(is) > 0 {
		switch {
		case len(was) > 0 && len(is) > 0 && was[0] == is[0]:
			was, is = was[1:], is[1:]
		case len(is) == 0 || len(was) > 0 && was[0].compare(is[0]) <= 0:
			gone, was = append(gone, was[0]), was[1:]
		default:
			come, is = append(come, is[0]), is[1:]
		}
	}
	names := edit(m.byName)
	for _, s := range gone {
		for _, name := range s.names() {
			if names.get(name) != s {
				continue
			}
			if slices.ContainsFunc(services, func(t *Service) bool {
				return len(t.noun.CustomDomainName) == len(name) && customName(t) == name && !slices.Contains(come, t)
			}) {
				return dict[*Service]{}, false
			}
			names.remove(name)
		}
	}
	for _, s := range come {
		for _, name := range s.names() {
			if names.get(name) != nil {
				return dict[*Service]{}, false
			}
			names.set(name, s)
		}
	}
	return names.dict, true
}

// customName is the custom name of a service as it is looked for, empty when there is none.
func customName(s *Service) string { return string(lowered(nil, s.noun.CustomDomainName)) }

// swap returns the members with some services replaced by ones of the same shape, m itself when it has none of them.
func (m *members) swap(swapped map[*Service]*Service) *members {
	next := m
	var names *draft[*Service]
	for old, made := range swapped {
		i, ok := slices.BinarySearchFunc(m.from, old, (*Service).compare)
		if !ok || m.from[i] != old {
			continue
		}
		if next == m {
			next = &members{noun: m.noun, layer: m.layer, from: slices.Clone(m.from), ports: m.ports}
			names = edit(m.byName)
		}
		next.from[i] = made
		for _, name := range []string{asciiLower(old.DomainName), customName(old)} {
			if m.byName.get(name) == old {
				names.set(name, made)
			}
		}
	}
	if names != nil {
		next.byName = names.dict
	}
	return next
}

// makeVPCs makes the VPCs that are noted or reach a network that is another one, with their associations, lowest slot
// first. A VPC is known by its associations alone, so that the Table of a node needs no more of a VPC than its id.
func (b *builder) makeVPCs() {
	if len(b.renewed) > 0 && !b.all {
		for a := range trellis.All[*trellis.VPCAssociation](b.st) {
			if b.renewed[a.ServiceNetwork] {
				b.vpcs[a.VPC.ID] = true
			}
		}
	}
	if len(b.vpcs) == 0 {
		return
	}
	made := map[string]*VPC{}
	for v := range trellis.All[*trellis.VPC](b.st) {
		if b.vpcs[v.ID] {
			made[v.ID] = b.vpc(v.Account, v.ID)
		}
	}
	var associations []*trellis.VPCAssociation
	for a := range trellis.All[*trellis.VPCAssociation](b.st) {
		if b.vpcs[a.VPC.ID] && a.Status.Carries() && a.Slot >= trellis.FirstSlot && a.Slot <= trellis.LastSlot {
			associations = append(associations, a)
		}
	}
	slices.SortFunc(associations, func(x, y *trellis.VPCAssociation) int {
		return cmp.Or(cmp.Compare(x.Slot, y.Slot), cmp.Compare(x.ID, y.ID))
	})
	for _, a := range associations {
		b.associate(made, a)
	}
	for id := range b.vpcs {
		if v := made[id]; v != nil {
			b.madeVPCs.set(id, v)
		} else {
			b.madeVPCs.remove(id)
		}
	}
}

// vpc makes a VPC without associations.
func (b *builder) vpc(account, id string) *VPC {
	return &VPC{ID: id, ARN: trellis.EC2ARN(b.region, account, "vpc/"+id), Account: account}
}

// associate adds one association to its VPC.
func (b *builder) associate(made map[string]*VPC, a *trellis.VPCAssociation) {
	m := b.madeNetworks.get(a.ServiceNetwork.Key())
	if m == nil {
		return
	}
	v := made[a.VPC.ID]
	if v == nil {
		v = b.vpc(a.VPC.Account, a.VPC.ID)
		made[v.ID] = v
	}
	if v.Network(a.Slot) != nil {
		return
	}
	if more := a.Slot - trellis.FirstSlot + 1 - len(v.networks); more > 0 {
		v.networks = append(v.networks, make([]*Network, more)...)
	}
	v.networks[a.Slot-trellis.FirstSlot] = &Network{ID: m.noun.ID, ARN: m.noun.ARN(b.region), Account: m.noun.Account, Name: m.noun.Name,
		Layer: m.layer.Layer, AssociationID: a.ID, Slot: a.Slot, members: m}
}
