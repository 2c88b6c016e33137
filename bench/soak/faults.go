package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/trellis-project/trellis/vpc"
)

// settleTime is how long after a fault its targets may still fail.
const settleTime = 2 * time.Second

// faults breaks things at intervals, one at a time, and mends them.
type faults struct {
	s     *soak
	every time.Duration

	mu     sync.Mutex
	counts map[string]int // by kind
}

// run breaks things until ctx is done. What it broke is mended by then.
func (f *faults) run(ctx context.Context, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 3))
	kinds := []struct {
		name string
		do   func(*rand.Rand) error
	}{{"target killed", f.killTarget}, {"target frozen", f.freezeTarget}, {"client killed", f.killClient}, {"packets dropped", f.dropPackets}, {"link down", f.linkDown},
		{"Trellis frozen", f.freezeTrellis}}
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-time.After(f.every/2 + rand.N(f.every)):
		}
		k := kinds[n%len(kinds)] // in turn, so that a short soak has all of them
		if err := k.do(rng); err != nil {
			f.s.judge.complain("fault, %s: %v", k.name, err)
		}
		f.mu.Lock()
		f.counts[k.name]++
		f.mu.Unlock()
	}
}

// target picks one that runs.
func (f *faults) target(rng *rand.Rand) *target {
	for {
		t := f.s.targets[rng.IntN(len(f.s.targets))]
		if t.missing == "" {
			return t
		}
	}
}

// neighbours are the targets of an instance.
func (f *faults) neighbours(instance string) []string {
	var out []string
	for _, t := range f.s.targets {
		if t.instance == instance {
			out = append(out, t.name)
		}
	}
	return out
}

// killTarget kills a target and starts it again.
func (f *faults) killTarget(rng *rand.Rand) error {
	t := f.target(rng)
	end := f.s.judge.begin("target "+t.name+" killed", t.name)
	defer func() { end(settleTime) }()
	t.proc.signal(syscall.SIGKILL)
	<-t.proc.ended
	time.Sleep(rand.N(2 * time.Second))
	return f.s.startTarget(t)
}

// freezeTarget stops a target for some seconds. It fails nothing: everybody waits.
func (f *faults) freezeTarget(rng *rand.Rand) error {
	t := f.target(rng)
	end := f.s.judge.begin("target "+t.name+" frozen", t.name)
	defer func() { end(settleTime) }()
	t.proc.signal(syscall.SIGSTOP)
	time.Sleep(2*time.Second + rand.N(2*time.Second))
	t.proc.signal(syscall.SIGCONT)
	return nil
}

// freezeTrellis stops Trellis for two seconds, as a machine that is moved does. Nothing excuses a failure then: all
// time-outs are longer.
func (f *faults) freezeTrellis(*rand.Rand) error {
	f.s.gate.RLock()
	defer f.s.gate.RUnlock()
	pid := f.s.daemon.pid()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return err
	}
	time.Sleep(2 * time.Second)
	return syscall.Kill(pid, syscall.SIGCONT)
}

// killClient kills a client and starts it again. The probe is spared: churn counts on it.
func (f *faults) killClient(rng *rand.Rand) error {
	c := f.s.clients[rng.IntN(len(f.s.clients))]
	if c.config.Kind == "probe" {
		return nil
	}
	c.proc.signal(syscall.SIGKILL)
	<-c.proc.ended
	return f.s.startClient(c)
}

// inNamespace opens an instance's network namespace.
func inNamespace(id string, do func(ns netns.NsHandle) error) error {
	file, err := os.Open(filepath.Join("/run/netns", vpc.NamespaceName(id)))
	if err != nil {
		return err
	}
	defer file.Close()
	return do(netns.NsHandle(file.Fd()))
}

// dropPackets drops what comes to a target's instance for some seconds, by a packet rule in its namespace.
func (f *faults) dropPackets(rng *rand.Rand) error {
	t := f.target(rng)
	end := f.s.judge.begin("packets to "+t.instance+" dropped", f.neighbours(t.instance)...)
	defer func() { end(settleTime) }()
	return inNamespace(f.s.world.instances[t.instance].id, func(ns netns.NsHandle) error {
		c, err := nftables.New(nftables.WithNetNSFd(int(ns)))
		if err != nil {
			return err
		}
		table := c.AddTable(&nftables.Table{Family: nftables.TableFamilyINet, Name: "soak"})
		chain := c.AddChain(&nftables.Chain{Name: "in", Table: table, Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookInput, Priority: nftables.ChainPriorityFilter})
		c.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: []expr.Any{&expr.Verdict{Kind: expr.VerdictDrop}}})
		if err := c.Flush(); err != nil {
			return fmt.Errorf("add rule: %w", err)
		}
		time.Sleep(2*time.Second + rand.N(2*time.Second))
		c.DelTable(table)
		return c.Flush()
	})
}

// linkDown takes the interface of a target's instance down for a second or two, and gives back what the kernel
// forgets meanwhile: routes, neighbours, IPv6 addresses.
func (f *faults) linkDown(rng *rand.Rand) error {
	t := f.target(rng)
	end := f.s.judge.begin("link of "+t.instance+" down", f.neighbours(t.instance)...)
	defer func() { end(settleTime) }()
	return inNamespace(f.s.world.instances[t.instance].id, func(ns netns.NsHandle) error {
		h, err := netlink.NewHandleAt(ns, unix.NETLINK_ROUTE)
		if err != nil {
			return err
		}
		defer h.Close()
		links, err := h.LinkList()
		if err != nil {
			return err
		}
		for _, l := range links {
			if l.Attrs().Flags&unix.IFF_LOOPBACK == 0 {
				return bounce(h, l, time.Second+rand.N(time.Second))
			}
		}
		return errors.New("the instance has no interface")
	})
}

// bounce takes an interface down and brings it back as it was.
func bounce(h *netlink.Handle, l netlink.Link, down time.Duration) error {
	addrs, err := h.AddrList(l, netlink.FAMILY_ALL)
	if err != nil {
		return err
	}
	routes, err := h.RouteList(l, netlink.FAMILY_ALL)
	if err != nil {
		return err
	}
	neighbours, err := h.NeighList(l.Attrs().Index, netlink.FAMILY_ALL)
	if err != nil {
		return err
	}
	if err := h.LinkSetDown(l); err != nil {
		return err
	}
	time.Sleep(down)
	errs := []error{h.LinkSetUp(l)}
	for _, a := range addrs {
		if !a.IP.IsLinkLocalUnicast() {
			a.Flags |= unix.IFA_F_NODAD
			errs = append(errs, h.AddrReplace(l, &a))
		}
	}
	for _, n := range neighbours {
		if n.State&netlink.NUD_PERMANENT != 0 && !n.IP.IsMulticast() {
			errs = append(errs, h.NeighSet(&n))
		}
	}
	for _, r := range routes {
		if r.Gw != nil {
			errs = append(errs, h.RouteReplace(&r))
		}
	}
	return errors.Join(errs...)
}

// restart ends Trellis and starts it again: in order, which ends everything in instances, or by kill -9, which leaves
// it running. Churn stands still meanwhile.
func (f *faults) restart(ctx context.Context, kill bool) error {
	f.s.gate.Lock()
	defer f.s.gate.Unlock()
	end := f.s.judge.begin(classRestart)
	defer func() { end(settleTime) }()
	if kill {
		f.s.daemon.cmd.Process.Kill()
		<-f.s.daemon.ended
		return f.s.daemon.start(ctx)
	}
	if err := f.s.daemon.stop(); err != nil {
		return err
	}
	if err := f.s.daemon.start(ctx); err != nil {
		return err
	}
	return f.s.startProcesses()
}
