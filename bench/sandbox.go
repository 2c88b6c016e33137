package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// The addresses of a comparison. They are those of a Trellis node, which tells by them what it may accelerate.
const (
	proxyIP  = "169.254.171.32" // the proxies listen here, each on a port of its own
	sourceIP = "169.254.171.1"  // Trellis dials targets from here
	targetIP = "10.20.0.10"
	clientIP = "10.20.0.20" // the load, and the peers when they dial targets
)

// inside is set in the environment of the process that runs in the sandbox.
const inside = "TRELLIS_BENCH_INSIDE"

// errands is what the process in the sandbox is told by the one outside.
type errands struct {
	Dir    string // to mount a tmpfs on
	Tools  tools
	Commit string
}

// The sandbox is namespaces of network, processes and mounts around a second process of this program. It has a
// loopback device of its own, so that nothing of the machine is touched and no port is taken; a tmpfs of its own for
// logs and bodies; and when the process ends, in whatever way, the kernel ends everything that it has started.

// enter runs this program again inside a sandbox and returns its exit code.
func enter(e errands) (int, error) {
	runtime.LockOSThread() // the thread that Pdeathsig is about
	self, err := os.Executable()
	if err != nil {
		return 1, err
	}
	if e.Dir, err = os.MkdirTemp("", "trellis-bench-"); err != nil {
		return 1, err
	}
	defer os.Remove(e.Dir) // what was in it was in the sandbox
	text, err := json.Marshal(e)
	if err != nil {
		return 1, err
	}
	c := exec.Command(self, os.Args[1:]...)
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	c.Env = append(os.Environ(), inside+"="+string(text))
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWPID | unix.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL, Setsid: true}
	stop := make(chan os.Signal, 4)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	if err := c.Start(); err != nil {
		return 1, fmt.Errorf("make namespaces: %w", err)
	}
	go func() { // ends with the process
		for s := range stop {
			c.Process.Signal(s)
		}
	}()
	err = c.Wait()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return max(exit.ExitCode(), 1), nil
	}
	return 0, err
}

// furnish makes the sandbox from inside: its own /proc, a tmpfs at dir, the loopback device with its addresses, and
// limits that are wide enough.
func furnish(dir string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=0755"); err != nil {
		return fmt.Errorf("mount tmpfs: %w", err)
	}
	for name, value := range map[string]string{"net/ipv4/ip_local_port_range": "1024 65535", "net/ipv4/tcp_tw_reuse": "1",
		"net/core/somaxconn": "65535", "net/ipv4/tcp_max_syn_backlog": "65535"} {
		if err := os.WriteFile(filepath.Join("/proc/sys", name), []byte(value), 0o644); err != nil {
			return fmt.Errorf("set sysctl: %w", err)
		}
	}
	if err := raiseFiles(); err != nil {
		return err
	}
	return loopback()
}

// files is how many open files each process needs to be allowed: Trellis takes clients' connections up to two thirds of
// it, and a row has 10,000.
const files = 16_000

// raiseFiles lets all processes open that many, or as many as the machine allows if that is more.
func raiseFiles() error {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return fmt.Errorf("limit of open files: %w", err)
	}
	l.Max = max(l.Max, files)
	l.Cur = l.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return fmt.Errorf("raise the limit of open files to %d: %w", l.Cur, err)
	}
	return nil
}

// loopback gives the device its addresses. Who connects without binding comes from the client's.
func loopback() error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find lo: %w", err)
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return fmt.Errorf("set lo up: %w", err)
	}
	for _, ip := range []string{proxyIP, sourceIP, targetIP, clientIP} {
		a := &netlink.Addr{IPNet: &net.IPNet{IP: net.ParseIP(ip).To4(), Mask: net.CIDRMask(32, 32)}}
		if err := netlink.AddrAdd(lo, a); err != nil {
			return fmt.Errorf("add %s to lo: %w", ip, err)
		}
	}
	for _, ip := range []string{proxyIP, targetIP} {
		r := &netlink.Route{LinkIndex: lo.Attrs().Index, Table: unix.RT_TABLE_LOCAL, Type: unix.RTN_LOCAL, Scope: netlink.SCOPE_HOST, Protocol: unix.RTPROT_KERNEL,
			Dst: &net.IPNet{IP: net.ParseIP(ip).To4(), Mask: net.CIDRMask(32, 32)}, Src: net.ParseIP(clientIP).To4()}
		if err := netlink.RouteReplace(r); err != nil {
			return fmt.Errorf("route to %s: %w", ip, err)
		}
	}
	return nil
}
