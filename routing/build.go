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

	services  map[string]bool      // to be made, by key
	networks  map[trellis.Ref]bool // to be made
	vpcs      map[string]bool      // to be made, by id
	endpoints map[string]bool      // to be made, by key

	moved    map[trellis.Ref]map[trellis.Ref]bool // of each network that was there before: services that may have come, gone or changed
	renewed  map[trellis.Ref]bool                 // networks whose members are other ones in the new Table
	policies map[policyText]layer                 // compiled

	indexer indexer // of the rules of one listener after the other

	madeServices *draft[*Service]
	madeNetworks *draft[*members]
	madePolicies *draft[used]
	reached      *linking
	reaching     *linking
	madeVPCs     *draft[*VPC]
	managed      *draft[int]

	madeEndpoints *draft[*endpoint]
	madeResources *resourcing
	madeZones     *zoning
}

// Build makes the Table of a state. With prev, the Table of an earlier moment of the same State, only what changed
// since then is made. Of another State's, what is equal is taken over. prev is nil at first.
func Build(st *trellis.State, o Options, prev *Table) *Table {
	if prev == nil || prev.region != o.Region {
		prev = &Table{}
	}
	changes, known := st.Since(prev.moment)
	b := &builder{st: st, region: o.Region, prev: prev, base: prev, all: !known,
		services: map[string]bool{}, networks: map[trellis.Ref]bool{}, vpcs: map[string]bool{}, endpoints: map[string]bool{},
		moved: map[trellis.Ref]map[trellis.Ref]bool{}, renewed: map[trellis.Ref]bool{}, policies: map[policyText]layer{}}
	if known {
		b.reached, b.reaching = link(b.base.reached, serviceOf), link(b.base.reaching, networkOf)
		b.madeResources, b.madeZones = resource(b.base.resources), zone(b.base.zones)
		for _, c := range changes {
			b.note(c.Was)
			b.note(c.Is)
			b.reached.change(c)
			b.reaching.change(c)
			b.madeResources.change(c)
			b.madeZones.change(c)
		}
	} else {
		b.base = &Table{}
		b.noteAll()
		b.reached, b.reaching = linkAll(st, serviceOf), linkAll(st, networkOf)
		b.madeResources, b.madeZones = resourceAll(st), zoneAll(st)
	}
	b.madeServices, b.madeNetworks, b.madePolicies = edit(b.base.services), edit(b.base.networks), edit(b.base.policies)
	b.madeVPCs, b.managed, b.madeEndpoints = edit(b.base.vpcs), edit(b.base.managed), edit(b.base.endpoints)
	b.makeServices()
	b.makeNetworks()
	b.makeEndpoints()
	b.makeVPCs()
	return &Table{revision: st.Revision, region: o.Region, moment: st.Moment(), vpcs: b.madeVPCs.dict,
		managed: b.managed.dict, services: b.madeServices.dict, networks: b.madeNetworks.dict,
		policies: b.madePolicies.dict, reached: b.reached.dict, reaching: b.reaching.dict,
		endpoints: b.madeEndpoints.dict, resources: b.madeResources.done(), zones: b.madeZones.done()}
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
		b.move(n.ServiceNetwork, n.Service)
	case *trellis.ServiceNetwork:
		b.networks[trellis.Ref{Account: n.Account, ID: n.ID}] = true
	case *trellis.VPC:
		b.vpcs[n.ID] = true
	case *trellis.VPCAssociation:
		b.vpcs[n.VPC.ID] = true
	case *trellis.VPCEndpoint:
		b.endpoints[n.Key()] = true
	case *trellis.EndpointAddress:
		b.endpoints[n.Account+"/"+n.EndpointID] = true
	}
}

// move notes a service that may have come to a network, gone from it or changed in it.
func (b *builder) move(network, service trellis.Ref) {
	b.networks[network] = true
	if b.moved[network] == nil {
		b.moved[network] = map[trellis.Ref]bool{}
	}
	b.moved[network][service] = true
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
	for e := range trellis.All[*trellis.VPCEndpoint](b.st) {
		b.note(e)
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
	name := asciiLower(s.DomainName)
	if n := b.managed.get(name) + by; n > 0 {
		b.managed.set(name, n)
	} else {
		b.managed.remove(name)
	}
	for _, a := range b.reached.get(s.ID) {
		if a.Service == s.ref() {
			b.move(a.ServiceNetwork, a.Service)
		}
	}
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
	listeners := slices.SortedFunc(trellis.Under[*trellis.Listener](b.st, s.Key()),
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
	out := &Service{ID: s.ID, ARN: s.ARN(b.region), DomainName: s.DomainName(b.region), CertificateARN: s.CertificateARN, Layer: layer.Layer, policy: layer.text,
		IdleTimeout: time.Duration(s.IdleTimeoutSeconds) * time.Second, Tags: s.Tags, ClientCertificates: clientCertificates(s), noun: s}
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

// makeNetworks makes the networks that are noted.
func (b *builder) makeNetworks() {
	for ref := range b.networks {
		key := ref.Key()
		old := b.base.networks.get(key)
		var made *members
		if n, ok := trellis.Get[*trellis.ServiceNetwork](b.st, key); ok {
			made = b.network(n, old)
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
}

// network makes one network, from the members that it had if it was there before.
func (b *builder) network(n *trellis.ServiceNetwork, old *members) *members {
	m := &members{noun: n, layer: b.layer(n.AuthType, n.Key())}
	var gone, come []*Service
	if old != nil {
		m.from, gone, come = b.turnover(n.Ref(), old.from)
	} else {
		old = &members{}
		m.from = b.servicesOf(n.Ref())
		come = m.from
	}
	if was := b.prev.networks.get(n.Key()); was != nil && was.noun == n && was.layer == m.layer && slices.Equal(was.from, m.from) {
		return was
	}
	m.ports = m.portsAfter(old.ports, gone, come)
	m.nameServices(old, gone, come)
	return m
}

// servicesOf returns the services of a network, in their order.
func (b *builder) servicesOf(network trellis.Ref) []*Service {
	reaching := b.reaching.get(network.ID)
	list := make([]*Service, 0, len(reaching)) // without room for more: this stays for long
	for _, a := range reaching {
		if a.ServiceNetwork != network || !a.Status.Carries() {
			continue
		}
		if s := b.madeServices.get(a.Service.Key()); s != nil {
			list = append(list, s)
		}
	}
	slices.SortFunc(list, (*Service).compare)
	return slices.Compact(list)
}

// turnover returns the services of a network that had others before, and which of them went and came. One that
// changed does both.
func (b *builder) turnover(network trellis.Ref, before []*Service) (after, gone, come []*Service) {
	for ref := range b.moved[network] {
		var was, is *Service
		if i, ok := slices.BinarySearchFunc(before, ref, (*Service).compareRef); ok {
			was = before[i]
		}
		if b.carries(network, ref) {
			is = b.madeServices.get(ref.Key())
		}
		if was == is {
			continue
		}
		if was != nil {
			gone = append(gone, was)
		}
		if is != nil {
			come = append(come, is)
		}
	}
	if len(gone)+len(come) == 0 {
		return before, nil, nil
	}
	slices.SortFunc(gone, (*Service).compare)
	slices.SortFunc(come, (*Service).compare)
	after = make([]*Service, 0, len(before)+len(come)-len(gone))
	rest, out, in := before, gone, come
	for len(out)+len(in) > 0 {
		leaves := len(in) == 0 || len(out) > 0 && out[0].compare(in[0]) <= 0
		if leaves {
			i, _ := slices.BinarySearchFunc(rest, out[0], (*Service).compare)
			after, rest, out = append(after, rest[:i]...), rest[i+1:], out[1:]
		} else {
			i, _ := slices.BinarySearchFunc(rest, in[0], (*Service).compare)
			after, rest, in = append(append(after, rest[:i]...), in[0]), rest[i:], in[1:]
		}
	}
	return append(after, rest...), gone, come
}

// carries tells whether a service is associated with a network.
func (b *builder) carries(network, service trellis.Ref) bool {
	return slices.ContainsFunc(b.reached.get(service.ID), func(a *trellis.ServiceAssociation) bool {
		return a.Service == service && a.ServiceNetwork == network && a.Status.Carries()
	})
}

// compare orders services by id, then by account.
func (s *Service) compare(t *Service) int { return s.compareRef(t.ref()) }

// compareRef compares the service with the one that is meant.
func (s *Service) compareRef(ref trellis.Ref) int {
	return cmp.Or(cmp.Compare(s.ID, ref.ID), cmp.Compare(s.noun.Account, ref.Account))
}

// portsAfter are the ports of the members when they were others before some services went and others came.
func (m *members) portsAfter(before []int, gone, come []*Service) []int {
	ports := slices.Clone(before)
	for _, s := range come {
		for _, l := range s.listeners {
			if !slices.Contains(ports, l.Port) {
				ports = append(ports, l.Port)
			}
		}
	}
	for _, s := range gone {
		for _, l := range s.listeners {
			if !slices.ContainsFunc(m.from, func(t *Service) bool { return t.Listener(l.Port) != nil }) {
				ports = slices.DeleteFunc(ports, func(port int) bool { return port == l.Port })
			}
		}
	}
	if len(ports) == 0 {
		return nil
	}
	slices.Sort(ports)
	return ports
}

// nameServices makes the names of the members, of those before where that is enough. A generated name always wins over
// a custom one; of two equal custom names, which the control plane does not allow, the service with the lower id has
// it. Whose a name is that several want depends on all services, so such members are made anew.
func (m *members) nameServices(old *members, gone, come []*Service) {
	if names, ok := old.namesAfter(gone, come); ok {
		m.byName = names
		return
	}
	names := edit(dict[*Service]{})
	give := func(name string, s *Service) {
		if names.get(name) == nil {
			names.set(name, s)
		} else {
			m.contested = true
		}
	}
	for _, s := range m.from {
		give(asciiLower(s.DomainName), s)
	}
	for _, s := range m.from {
		if name := customName(s); name != "" {
			give(name, s)
		}
	}
	m.byName = names.dict
}

// namesAfter are the names when some services went and others came. It is not ok where several services want one.
func (m *members) namesAfter(gone, come []*Service) (names dict[*Service], ok bool) {
	if m.contested {
		return names, false
	}
	made := edit(m.byName)
	for _, s := range gone {
		for _, name := range s.names() {
			made.remove(name)
		}
	}
	for _, s := range come {
		for _, name := range s.names() {
			if made.get(name) != nil {
				return names, false
			}
			made.set(name, s)
		}
	}
	return made.dict, true
}

// names are the names that a service is looked for by, in lower case.
func (s *Service) names() []string {
	names := []string{asciiLower(s.DomainName)}
	if custom := customName(s); custom != "" {
		names = append(names, custom)
	}
	return names
}

// customName is the custom name of a service as it is looked for, empty when there is none.
func customName(s *Service) string { return string(lowered(nil, s.noun.CustomDomainName)) }

// makeVPCs makes the VPCs that are noted or reach a network that is another one, with their associations, lowest slot
// first. A VPC is known by its associations alone, so that the Table of a node needs no more of a VPC than its id.
func (b *builder) makeVPCs() {
	if len(b.renewed) > 0 && !b.all {
		for a := range trellis.All[*trellis.VPCAssociation](b.st) {
			if b.renewed[a.ServiceNetwork] {
				b.vpcs[a.VPC.ID] = true
			}
		}
		for e := range trellis.All[*trellis.VPCEndpoint](b.st) {
			if b.renewed[e.ServiceNetwork] {
				b.vpcs[e.VPCID] = true
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
	b.joinAll(made)
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
	n := b.networkOf(m)
	n.AssociationID, n.Slot = a.ID, a.Slot
	n.private = privateNames{a.PrivateDNSEnabled != nil && *a.PrivateDNSEnabled, a.DNSPreference, a.DNSDomains}
	v.networks[a.Slot-trellis.FirstSlot] = n
}

// networkOf is a network without what leads there.
func (b *builder) networkOf(m *members) *Network {
	return &Network{ID: m.noun.ID, ARN: m.noun.ARN(b.region), Account: m.noun.Account, Name: m.noun.Name, Layer: m.layer.Layer, members: m}
}
