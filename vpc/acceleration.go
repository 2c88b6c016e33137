package vpc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"

	"github.com/cilium/ebpf"
)

// AccelerateTag is the tag of an instance whose value "false" keeps its sockets from being joined.
const AccelerateTag = "trellis:accelerate"

// acceleration is what a Manager has for acceleration: the Accelerator, or why there is none.
type acceleration struct {
	a   *Accelerator
	err error
}

// accelerate makes the Accelerator at the first Apply. Without it sockets work the ordinary way.
func (m *Manager) accelerate() {
	if m.opts.Accelerate == 0 || m.acceleration.Load() != nil {
		return
	}
	a, err := NewAccelerator(m.log)
	if err != nil {
		m.log.Warn("sockets are not accelerated", "error", err)
	}
	m.acceleration.Store(&acceleration{a, err})
}

// decelerate ends it.
func (m *Manager) decelerate() error {
	if x := m.acceleration.Swap(nil); x != nil && x.a != nil {
		return x.a.Close()
	}
	return nil
}

// admit lets the sockets of a namespace take part in a VPC's connections, if there is acceleration. What cannot be admitted works
// the ordinary way.
func (m *Manager) admit(ns *namespace, vpcID string, legs Legs, instance ...netip.Addr) {
	x := m.acceleration.Load()
	if x == nil || x.a == nil {
		return
	}
	ns.mu.RLock()
	defer ns.mu.RUnlock()
	if ns.file == nil {
		return
	}
	if err := x.a.Admit(ns.file, vpcID, legs, instance...); err != nil {
		m.log.Warn("sockets are not accelerated", "namespace", ns.name, "error", err)
	}
}

// evict ends it for a VPC's or instance's namespace that goes.
func (m *Manager) evict(id string) error {
	x := m.acceleration.Load()
	if x == nil || x.a == nil {
		return nil
	}
	ns, err := openNamespace(id)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer ns.close()
	return x.a.Evict(ns.file)
}

// ErrNotAccelerated says that acceleration is switched off, or that nothing was applied yet.
var ErrNotAccelerated = errors.New("socket acceleration is off")

// Acceleration tells what acceleration has done. The error says why there is none.
func (m *Manager) Acceleration() (AccelerationStats, error) {
	x := m.acceleration.Load()
	switch {
	case x == nil:
		return AccelerationStats{}, ErrNotAccelerated
	case x.err != nil:
		return AccelerationStats{}, x.err
	}
	return x.a.Stats()
}

// CheckAcceleration tells why this machine cannot accelerate sockets, or nil.
func CheckAcceleration() error {
	a, err := NewAccelerator(nil)
	if err != nil {
		return err
	}
	return a.Close()
}

// AccelerationStats is what an Accelerator has done.
type AccelerationStats struct {
	Joined   LegCounts // connections
	Left     LegCounts // of these, ended
	Messages LegCounts // that went past TCP
	Bytes    LegCounts // in these
	// Messages of joined sockets that went by TCP, by why.
	PassedAlone   uint64 // the other end is not joined, or no more
	PassedUnread  uint64 // the reader had not read what went by TCP before
	PassedFull    uint64 // the reader's queue was full
	PassedManners uint64 // the reader has not answered yet, reads with waiting, or reads by splice
	Refused       uint64 // ends that the kernel or full maps refused
	Released      uint64 // ends that became ordinary sockets again, because they came to wait in their reads
	HeldUp        uint64 // messages of the node that were refused, because the reader's queue was full
	Ends          int    // ends in the maps now
}

// LegCounts is a count for each leg.
type LegCounts struct{ Target, Client uint64 }

// counters is the order of the counters in bpf/accelerate.c.
func (s *AccelerationStats) counters() []*uint64 {
	return []*uint64{&s.Joined.Target, &s.Joined.Client, &s.Left.Target, &s.Left.Client,
		&s.Messages.Target, &s.Messages.Client, &s.Bytes.Target, &s.Bytes.Client,
		&s.PassedAlone, &s.PassedUnread, &s.PassedFull, &s.PassedManners, &s.Refused, &s.Released, &s.HeldUp}
}

// Stats reads what was counted, and counts the ends in the maps.
func (a *Accelerator) Stats() (AccelerationStats, error) {
	var s AccelerationStats
	for n, counter := range s.counters() {
		var each []uint64
		if err := a.objects.Counters.Lookup(uint32(n), &each); err != nil {
			return s, fmt.Errorf("read counters of acceleration: %w", err)
		}
		for _, v := range each {
			*counter += v
		}
	}
	n, err := a.countEnds()
	s.Ends = n
	return s, err
}

// endKey and endValue are as large as struct key and struct end of bpf/accelerate.c.
type (
	endKey   [48]byte
	endValue [24]byte
)

// parts are fields of struct key: the number of the VPC, whether the end is the node's, and its address.
func (k *endKey) parts() (vpc uint32, node bool, near netip.Addr) {
	return binary.LittleEndian.Uint32(k[0:]), binary.LittleEndian.Uint32(k[4:]) != 0, netip.AddrFrom16([16]byte(k[8:24])).Unmap()
}

// peer is the key of the other end.
func (k endKey) peer() endKey {
	p := k
	p[4] ^= 1
	copy(p[8:], k[24:40])
	copy(p[24:], k[8:24])
	copy(p[40:], k[44:48])
	copy(p[44:], k[40:44])
	return p
}

// setOpaque sets the field opaque of struct end.
func (v *endValue) setOpaque() { binary.LittleEndian.PutUint32(v[16:], 1) }

// eachEnd calls fn for the ends in the maps, which it gets many at a time.
func (a *Accelerator) eachEnd(fn func(endKey, endValue) error) error {
	const atATime = 1024
	keys, values := make([]endKey, atATime), make([]endValue, atATime)
	var at ebpf.MapBatchCursor
	for {
		n, end := a.objects.Ends.BatchLookup(&at, keys, values, nil)
		for i := range n {
			if err := fn(keys[i], values[i]); err != nil {
				return err
			}
		}
		if end != nil {
			return unlessGone(end) // there are no more
		}
	}
}

// countEnds counts the ends in the maps.
func (a *Accelerator) countEnds() (sum int, err error) {
	err = a.eachEnd(func(endKey, endValue) error { sum++; return nil })
	if err != nil {
		err = fmt.Errorf("count ends of joined connections: %w", err)
	}
	return sum, err
}

// zero forgets what was counted.
func (a *Accelerator) zero() error {
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return fmt.Errorf("count processors: %w", err)
	}
	for n := range new(AccelerationStats).counters() {
		if err := a.objects.Counters.Put(uint32(n), make([]uint64, cpus)); err != nil {
			return fmt.Errorf("write counters of acceleration: %w", err)
		}
	}
	return nil
}
