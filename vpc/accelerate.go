package vpc

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"
)

// accelerateObject is bpf/accelerate.c, compiled.
//
//go:embed bpf/accelerate.o
var accelerateObject []byte

//go:generate bpf/compile bpf/accelerate.o

// Legs are the parts of a request's way whose sockets may be joined inside this machine.
type Legs uint8

// The two legs. bpf/accelerate.c has the same numbers.
const (
	TargetLeg Legs = 1 << iota // node to target and back
	ClientLeg                  // client to node and back
)

// nodeEnds is the bit of a space whose namespace has the node's ends.
const nodeEnds = 4

// Accelerator joins the two sockets of a connection inside this machine, so that bytes go from one into the other
// past TCP and IP. It touches only sockets that are made after their namespace was admitted, in which one end is the node's
// and both ends are this machine's.
//
// Nothing of it outlives the process but the connections it has joined, which stay joined until they end.
type Accelerator struct {
	objects accelerateObjects
	links   []link.Link
	wall    *os.File

	mu   sync.Mutex
	vpcs map[string]uint32 // the numbers that stand for VPCs in the maps
	next uint32
	in   map[uint64]*space // by network namespace cookie
}

// accelerateObjects is what of bpf/accelerate.c is used from here.
type accelerateObjects struct {
	Connections *ebpf.Program `ebpf:"connections"`
	Messages    *ebpf.Program `ebpf:"messages"`
	Spaces      *ebpf.Map     `ebpf:"spaces"`
	Homes       *ebpf.Map     `ebpf:"homes"`
	Socks       *ebpf.Map     `ebpf:"socks"`
	Ends        *ebpf.Map     `ebpf:"ends"`
	Links       *ebpf.Map     `ebpf:"links"`
	Manners     *ebpf.Map     `ebpf:"manners"`
	Counters    *ebpf.Map     `ebpf:"counters"`
}

// space is an admitted network namespace.
type space struct {
	vpcID string
	value spaceValue
	homes map[netip.Addr]bool
}

// spaceValue is struct space of bpf/accelerate.c.
type spaceValue struct{ VPC, May uint32 }

// homeKey is struct home of bpf/accelerate.c.
type homeKey struct {
	VPC     uint32
	Address [16]byte
}

// NewAccelerator loads the programs and attaches them. Its error says what is missing: rights, cgroup v2, or something of the kernel.
func NewAccelerator(log *slog.Logger) (*Accelerator, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	group, err := cgroup2()
	if err != nil {
		return nil, err
	}
	if err := rlimit.RemoveMemlock(); err != nil {
		return nil, fmt.Errorf("accelerate sockets: %w", err)
	}
	spec, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(accelerateObject))
	if err != nil {
		return nil, fmt.Errorf("read socket acceleration programs: %w", err)
	}
	a := &Accelerator{vpcs: map[string]uint32{}, in: map[uint64]*space{}}
	if err := spec.LoadAndAssign(&a.objects, nil); err != nil {
		return nil, fmt.Errorf("load socket acceleration programs: %w", err)
	}
	if err := a.attach(group); err != nil {
		return nil, errors.Join(fmt.Errorf("attach socket acceleration programs: %w", err), a.Close())
	}
	if err := a.probe(); err != nil {
		return nil, errors.Join(fmt.Errorf("try socket acceleration: %w", err), a.Close())
	}
	log.Info("sockets can be accelerated", "cgroup", group)
	return a, nil
}

// attach attaches the programs; who makes connections last, so that nothing is joined half.
func (a *Accelerator) attach(group string) error {
	err := link.RawAttachProgram(link.RawAttachProgramOptions{Target: a.objects.Socks.FD(), Program: a.objects.Messages, Attach: ebpf.AttachSkMsgVerdict})
	if err != nil {
		return fmt.Errorf("messages: %w", err)
	}
	if err := a.build(); err != nil {
		return fmt.Errorf("messages' wall: %w", err)
	}
	l, err := link.AttachCgroup(link.CgroupOptions{Path: group, Attach: ebpf.AttachCGroupSockOps, Program: a.objects.Connections})
	if err != nil {
		return fmt.Errorf("connections, to %s: %w", group, err)
	}
	a.links = append(a.links, l)
	return nil
}

// build makes the wall: a socket that refuses with EINVAL whatever is sent, since it is under repair (TCP_REPAIR), and goes nowhere.
// What the node must not send now is redirected to it. It is in the map under the key of nobody.
func (a *Accelerator) build() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("make a socket: %w", err)
	}
	a.wall = os.NewFile(uintptr(fd), "wall")
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_REPAIR, unix.TCP_REPAIR_ON); err != nil {
		return fmt.Errorf("repair it: %w", err)
	}
	if err := unix.Connect(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: 1}); err != nil {
		return fmt.Errorf("connect it: %w", err)
	}
	return a.objects.Socks.Put(endKey{}, uint64(fd))
}

// cgroup2 is where the tree of control groups is mounted to which programs for sockets are attached.
func cgroup2() (string, error) {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return "", fmt.Errorf("look for cgroup v2: %w", err)
	}
	for line := range strings.Lines(string(mounts)) {
		if f := strings.Fields(line); len(f) > 2 && f[2] == "cgroup2" {
			return f[1], nil
		}
	}
	return "", errors.New("cgroup v2 is not mounted: mount -t cgroup2 none /sys/fs/cgroup/unified")
}

// Admit lets the sockets of a network namespace take part in a VPC's connections from now on, on these legs.
//
// Without addresses it is the namespace in which the node's own ends are. With addresses it is an instance's: only sockets
// at these addresses take part, and in the VPC no other namespace has them from now on. One namespace may be both, by two
// calls. Legs are those of the last call: on one that an instance has no more, its joined connections go by TCP from now on.
func (a *Accelerator) Admit(ns *os.File, vpcID string, legs Legs, instance ...netip.Addr) error {
	cookie, err := netnsCookie(ns)
	if err != nil {
		return fmt.Errorf("admit a namespace of %s to acceleration: %w", vpcID, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.in[cookie]
	if s != nil && s.vpcID != vpcID {
		return fmt.Errorf("admit a namespace of %s to acceleration: it is one of %s", vpcID, s.vpcID)
	}
	if s == nil {
		s = &space{vpcID: vpcID, homes: map[netip.Addr]bool{}, value: spaceValue{VPC: a.number(vpcID)}}
		a.in[cookie] = s
	}
	gone := s.value.May &^ nodeEnds &^ uint32(legs)
	s.value.May = s.value.May&nodeEnds | uint32(legs)
	if len(instance) == 0 {
		s.value.May |= nodeEnds
	}
	for _, at := range instance {
		at = at.Unmap()
		if err := a.objects.Homes.Put(homeKey{s.value.VPC, at.As16()}, cookie); err != nil {
			return fmt.Errorf("admit %s of %s to acceleration: %w", at, vpcID, err)
		}
		for _, other := range a.in {
			if other != s && other.vpcID == vpcID {
				delete(other.homes, at)
			}
		}
		if !s.homes[at] {
			a.forget(s.value.VPC, at)
		}
		s.homes[at] = true
	}
	if err := a.objects.Spaces.Put(cookie, s.value); err != nil {
		return fmt.Errorf("admit a namespace of %s to acceleration: %w", vpcID, err)
	}
	if gone != 0 && len(instance) > 0 {
		if err := a.part(s); err != nil {
			return fmt.Errorf("part the joined connections of an instance of %s: %w", vpcID, err)
		}
	}
	return nil
}

// part has what is said on the joined connections of an instance go by TCP, both ways. Without the node's ends in the map the
// instance finds nobody to hand a message to. Its own stay, marked as ends into which the node puts nothing any more, so that the node
// waits until what is there has been read; but for those that the node's have not come to yet, and so never will.
func (a *Accelerator) part(s *space) error {
	return a.eachEnd(func(k endKey, v endValue) error {
		if vpc, node, near := k.parts(); vpc != s.value.VPC || node || !s.homes[near] {
			return nil
		}
		err := a.objects.Ends.Delete(k.peer())
		if errors.Is(err, ebpf.ErrKeyNotExist) {
			return unlessGone(a.objects.Ends.Delete(k))
		}
		v.setOpaque()
		return errors.Join(err, unlessGone(a.objects.Ends.Update(k, v, ebpf.UpdateExist)))
	})
}

// unlessGone is err, but for one that says that a key is not in a map.
func unlessGone(err error) error {
	if errors.Is(err, ebpf.ErrKeyNotExist) {
		return nil
	}
	return err
}

// serviceKey is struct service of bpf/accelerate.c.
type serviceKey struct {
	Home homeKey
	Port uint32
}

// forget forgets the manners of servers at an address that gets another owner. What cannot be deleted is learned anew in time.
func (a *Accelerator) forget(vpc uint32, at netip.Addr) {
	var known []serviceKey
	var key serviceKey
	var score int32
	for all := a.objects.Manners.Iterate(); all.Next(&key, &score); {
		if key.Home == (homeKey{vpc, at.As16()}) {
			known = append(known, key)
		}
	}
	for _, k := range known {
		_ = a.objects.Manners.Delete(k)
	}
}

// number is what stands for a VPC in the maps, as long as it has a namespace there. It is never given to another.
func (a *Accelerator) number(vpcID string) uint32 {
	if n, ok := a.vpcs[vpcID]; ok {
		return n
	}
	a.next++
	a.vpcs[vpcID] = a.next
	return a.next
}

// Evict ends what Admit began, for new sockets. Connections that are joined stay so until they end.
func (a *Accelerator) Evict(ns *os.File) error {
	cookie, err := netnsCookie(ns)
	if err != nil {
		return fmt.Errorf("evict a namespace from acceleration: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.in[cookie]
	if s == nil {
		return nil
	}
	delete(a.in, cookie)
	var errs []error
	errs = append(errs, unlessGone(a.objects.Spaces.Delete(cookie)))
	for at := range s.homes {
		errs = append(errs, unlessGone(a.objects.Homes.Delete(homeKey{s.value.VPC, at.As16()})))
	}
	left := false
	for _, other := range a.in {
		left = left || other.vpcID == s.vpcID
	}
	if !left {
		delete(a.vpcs, s.vpcID)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("evict a namespace of %s from acceleration: %w", s.vpcID, err)
	}
	return nil
}

// netnsCookie is the number by which the kernel tells network namespaces apart for as long as it runs (socket(7)).
func netnsCookie(ns *os.File) (uint64, error) {
	var cookie uint64
	err := onOwnThread(func() error {
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter it: %w", err)
		}
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("make a socket: %w", err)
		}
		defer unix.Close(fd)
		if cookie, err = unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE); err != nil {
			return fmt.Errorf("ask for its cookie: %w", err)
		}
		return nil
	})
	return cookie, err
}

// Close ends acceleration for new connections. Those that are joined stay so until they end.
func (a *Accelerator) Close() error {
	var errs []error
	for _, l := range a.links {
		errs = append(errs, l.Close())
	}
	a.links = nil
	if a.wall != nil {
		errs = append(errs, a.wall.Close())
		a.wall = nil
	}
	o := &a.objects
	for _, p := range []*ebpf.Program{o.Connections, o.Messages} {
		errs = append(errs, p.Close())
	}
	for _, m := range []*ebpf.Map{o.Spaces, o.Homes, o.Socks, o.Ends, o.Links, o.Manners, o.Counters} {
		errs = append(errs, m.Close())
	}
	return errors.Join(errs...)
}
