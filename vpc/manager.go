package vpc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/trellis-project/trellis"
)

// Options are what a Manager needs.
type Options struct {
	Region string       // the domain that instances search
	Log    *slog.Logger // nil: nothing is logged
	RunDir string       // the data directory of this Trellis; it marks which namespaces are this Trellis' own
	// Accelerate says on which legs sockets are joined where the kernel can; 0 on none. AccelerateTag excepts instances.
	Accelerate Legs
	// Keep leaves the VPCs and what runs in them when Run ends, for the next Manager of this RunDir to go on with.
	Keep bool
}

// Manager keeps the VPCs of this machine as the nouns say. Apply and Run change them; the other methods may be called at
// any time, from any goroutine.
type Manager struct {
	opts Options
	log  *slog.Logger
	self owner

	// open holds, by id, what sockets and look-ups need of the VPCs that Apply has made. Its map is never changed.
	open atomic.Pointer[map[string]*openVPC]
	home atomic.Pointer[os.File] // the network namespace that this process lives in

	acceleration atomic.Pointer[acceleration]

	mu      sync.Mutex // held by Apply and the end of Run
	ended   bool
	swept   bool         // leftovers of others are removed
	seen    trellis.Seen // the nouns of the last Apply that succeeded
	applied map[string]*madeVPC
}

// openVPC is a VPC as sockets see it.
type openVPC struct {
	ns        *namespace
	instances map[netip.Addr]string // to the instance's Key
}

// madeVPC is a VPC as Apply left it.
type madeVPC struct {
	id        string
	ns        *namespace
	local     []netip.Addr // the node's own addresses; nil when unknown
	text      string       // of the rules in the kernel, empty when unknown
	hosts     map[string]host
	instances map[netip.Addr]string // as wanted, for look-ups
}

// errEnded says that Run has returned.
var errEnded = errors.New("the VPCs of this machine have been removed")

// New returns a Manager that has done nothing yet.
func New(o Options) *Manager {
	m := &Manager{opts: o, log: o.Log, self: self(o.RunDir), applied: map[string]*madeVPC{}}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	m.open.Store(&map[string]*openVPC{})
	return m
}

// Run returns when ctx is done and everything that the Manager made is removed, processes inside of instances included,
// or, with Options.Keep, left to itself.
// Sockets that are still open keep their namespace, without a name, until they are closed. What a killed Trellis left is
// removed by the first Apply, which knows what of it is wanted.
func (m *Manager) Run(ctx context.Context) error {
	<-ctx.Done()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ended = true
	m.open.Store(&map[string]*openVPC{})
	var errs []error
	for _, id := range slices.Sorted(maps.Keys(m.applied)) {
		if m.opts.Keep {
			m.applied[id].ns.close()
			delete(m.applied, id)
			continue
		}
		errs = append(errs, m.removeVPC(id))
	}
	errs = append(errs, m.decelerate())
	if f := m.home.Swap(nil); f != nil {
		errs = append(errs, f.Close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("remove the VPCs of this machine: %w", err)
	}
	return nil
}

// Kinds are those that VPCs are made from.
var Kinds = []trellis.Kind{trellis.KindVPC, trellis.KindSubnet, trellis.KindInstance, trellis.KindElasticNetworkInterface, trellis.KindSecurityGroup,
	trellis.KindNetworkACL, trellis.KindDHCPOptions, trellis.KindPrefixList, trellis.KindVPCAssociation, trellis.KindResourceGateway, trellis.KindResourceConfiguration,
	trellis.KindResourceAssociation, trellis.KindVPCEndpoint, trellis.KindEndpointAddress}

// Apply makes the kernel as the nouns say, and returns when it is so. It looks at the nouns of Kinds, and costs next to nothing
// when none of them changed since the last call.
//
// A part that fails does not keep the others from being made; the error tells of all that failed, and the next Apply
// tries them again.
func (m *Manager) Apply(ctx context.Context, st *trellis.State) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ended {
		return errEnded
	}
	if !m.seen.Changed(st, Kinds...) {
		return nil
	}
	done := false
	defer func() {
		if !done {
			m.seen.Forget()
		}
	}()
	if m.home.Load() == nil {
		f, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			return fmt.Errorf("open own network namespace: %w", err)
		}
		m.home.Store(f)
	}
	m.accelerate()
	networks, err := plan(st, m.opts.Region, m.opts.Accelerate)
	errs := []error{err}
	for _, id := range slices.Sorted(maps.Keys(m.applied)) {
		if networks[id] == nil {
			m.hide(id)
			errs = append(errs, m.removeVPC(id))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(networks)) {
		if ctx.Err() != nil {
			return errors.Join(append(errs, ctx.Err())...)
		}
		if err := m.applyVPC(ctx, networks[id]); err != nil {
			errs = append(errs, fmt.Errorf("make VPC %s: %w", id, err))
		}
	}
	m.publish()
	if !m.swept {
		m.sweep(networks)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	done = true
	return nil
}

// applyVPC makes one VPC as it is wanted.
func (m *Manager) applyVPC(ctx context.Context, n *network) error {
	v := m.applied[n.id]
	fresh, created := v == nil, false
	if fresh {
		var ns *namespace
		var err error
		if ns, created, err = m.take(n.id); err != nil {
			return err
		}
		m.admit(ns, n.id, m.opts.Accelerate)
		v = &madeVPC{id: n.id, ns: ns, hosts: map[string]host{}}
		m.applied[n.id] = v
	}
	err := m.updateVPC(ctx, v, n, fresh)
	if err != nil && created && len(v.hosts) == 0 {
		return errors.Join(err, m.removeVPC(n.id))
	}
	return err
}

// updateVPC changes what differs: rules before links, so that nothing is ever open that should not be.
func (m *Manager) updateVPC(ctx context.Context, v *madeVPC, n *network, fresh bool) error {
	wanted := map[string]host{}
	for _, h := range n.hosts {
		wanted[h.id] = h
	}
	var errs []error
	for _, id := range slices.Sorted(maps.Keys(v.hosts)) {
		if _, ok := wanted[id]; !ok {
			// While its link is there, so that who is connected to it hears of its end.
			errs = append(errs, endProcesses(id))
		}
	}
	if v.text != n.text {
		if err := n.rules.load(v.ns); err != nil {
			v.text = ""
			return errors.Join(append(errs, err)...)
		}
		v.text = n.text
	}
	v.instances = n.instances
	if !slices.Equal(v.local, n.local) {
		v.local = nil
		if err := prepareVPC(v.ns, n); err != nil {
			return errors.Join(append(errs, err)...)
		}
		v.local = n.local
	}
	for _, id := range slices.Sorted(maps.Keys(v.hosts)) {
		if _, ok := wanted[id]; !ok {
			for _, n := range v.hosts[id].nics {
				errs = append(errs, removeLink(v.ns, n.iface))
			}
			errs = append(errs, m.removeHost(v, id))
		}
	}
	if fresh {
		errs = append(errs, removeStrangers(v.ns, n))
	}
	for _, h := range n.hosts {
		if h.equal(v.hosts[h.id]) {
			continue
		}
		if ctx.Err() != nil {
			return errors.Join(append(errs, ctx.Err())...)
		}
		if err := m.makeHost(v, h); err != nil {
			errs = append(errs, fmt.Errorf("make instance %s: %w", h.id, err))
		}
	}
	return errors.Join(errs...)
}

// take opens or makes the namespace of a VPC or instance and marks it as this process'. It tells which of the two it did.
func (m *Manager) take(id string) (ns *namespace, created bool, err error) {
	if err := checkID(id); err != nil {
		return nil, false, err
	}
	other, err := readOwner(id)
	if err != nil {
		return nil, false, err
	}
	if !m.self.mayTake(other) {
		return nil, false, fmt.Errorf("%s belongs to the Trellis that runs as process %d with %s", id, other.pid, other.dir)
	}
	if err := m.self.write(id); err != nil {
		return nil, false, err
	}
	ns, err = openNamespace(id)
	if errors.Is(err, os.ErrNotExist) {
		created = true
		ns, err = createNamespace(id)
	}
	if err != nil {
		os.RemoveAll(filepath.Join(stateDir, id))
		return nil, false, err
	}
	return ns, created, nil
}

// makeHost makes one instance, or changes it to what is wanted. One that is new and fails is undone; one that was there stays
// as it is, since processes may run in it.
func (m *Manager) makeHost(v *madeVPC, h host) error {
	ns, created, err := m.take(h.id)
	if err != nil {
		return err
	}
	defer ns.close()
	m.admit(ns, v.id, h.legs, h.addresses()...)
	before := v.hosts[h.id].nics
	if err = writeResolvConf(h); err == nil {
		err = joinHost(v.ns, ns, before, h)
	}
	switch {
	case err == nil:
		v.hosts[h.id] = h
		return nil
	case created:
		return errors.Join(err, m.removeHost(v, h.id))
	}
	v.hosts[h.id] = host{nics: slices.Concat(before, h.nics)} // unlike any that is wanted, so that the next Apply tries again
	return err
}

// removeHost removes an instance and the processes in it.
func (m *Manager) removeHost(v *madeVPC, id string) error {
	delete(v.hosts, id)
	return m.removeAll(id)
}

// removeAll removes the namespace of a VPC or instance, the processes in it, and what is known of it.
func (m *Manager) removeAll(id string) error {
	return errors.Join(endProcesses(id), m.evict(id), removeNamespace(id), os.RemoveAll(filepath.Join(stateDir, id)))
}

// endProcesses ends the processes in a namespace, if there is one.
func endProcesses(id string) error {
	ns, err := openNamespace(id)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer ns.close()
	return ns.killProcesses()
}

// removeVPC removes a VPC and its instances.
func (m *Manager) removeVPC(id string) error {
	v := m.applied[id]
	var errs []error
	for _, h := range slices.Sorted(maps.Keys(v.hosts)) {
		errs = append(errs, m.removeHost(v, h))
	}
	v.ns.close()
	delete(m.applied, id)
	return errors.Join(append(errs, m.removeAll(id))...)
}

// sweep removes what a killed Trellis left and no noun wants. What cannot be removed is logged and stays: it is in
// nobody's way.
func (m *Manager) sweep(networks map[string]*network) {
	m.swept = true
	wanted := map[string]bool{}
	for id, n := range networks {
		wanted[id] = true
		for _, h := range n.hosts {
			wanted[h.id] = true
		}
	}
	ids, err := m.self.leftovers(func(id string) bool { return wanted[id] })
	if err != nil {
		m.log.Warn("leftovers not found", "error", err)
	}
	for _, id := range ids {
		if err := m.removeAll(id); err != nil {
			m.log.Warn("leftover not removed", "id", id, "error", err)
			continue
		}
		m.log.Info("leftover removed", "id", id)
	}
}

// publish shows the VPCs to sockets and look-ups.
func (m *Manager) publish() {
	open := make(map[string]*openVPC, len(m.applied))
	for id, v := range m.applied {
		open[id] = &openVPC{ns: v.ns, instances: v.instances}
	}
	m.open.Store(&open)
}

// hide takes a VPC away from sockets and look-ups.
func (m *Manager) hide(id string) {
	open := maps.Clone(*m.open.Load())
	delete(open, id)
	m.open.Store(&open)
}

// InstanceAt tells which instance of a VPC has an address, by its Key.
func (m *Manager) InstanceAt(vpcID string, a netip.Addr) (instanceKey string, ok bool) {
	v := (*m.open.Load())[vpcID]
	if v == nil {
		return "", false
	}
	instanceKey, ok = v.instances[a.Unmap().WithZone("")]
	return instanceKey, ok
}

// find returns a VPC that Apply has made.
func (m *Manager) find(vpcID string) (*openVPC, *os.File, error) {
	v, home := (*m.open.Load())[vpcID], m.home.Load()
	if v == nil || home == nil {
		return nil, nil, fmt.Errorf("VPC %s is not on this machine", cmp.Or(vpcID, "(none)"))
	}
	return v, home, nil
}
