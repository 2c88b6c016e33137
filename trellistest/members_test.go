package trellistest

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
)

// members are three members of an etcd cluster, each a process in a network namespace of its own, for tests of what
// happens when they fail.
type members struct {
	ns, ip  [3]string
	dir     string
	cluster string // in etcd's form
	running [3]*exec.Cmd
}

// startMembers starts a cluster until the test ends.
func startMembers(t *testing.T) *members {
	t.Helper()
	m := &members{dir: t.TempDir()}
	net := makeNet(t)
	tag := strings.ReplaceAll(net, ".", "-")
	t.Cleanup(func() {
		for i := range m.running {
			m.kill(i)
			exec.Command("ip", "netns", "del", m.ns[i]).Run() // takes the veth pair with it
		}
	})
	var cluster []string
	for i := range m.running {
		m.ns[i], m.ip[i] = fmt.Sprintf("tt%s-%d", tag, i), fmt.Sprintf("%s.%d", net, i+1)
		outer := fmt.Sprintf("t%s-%d", tag, i)
		command(t, "ip", "netns", "add", m.ns[i])
		command(t, "ip", "link", "add", outer, "type", "veth", "peer", "name", "eth0", "netns", m.ns[i])
		command(t, "ip", "link", "set", outer, "master", "tt"+tag, "up")
		m.inside(t, i, "ip", "addr", "add", m.ip[i]+"/24", "dev", "eth0")
		m.inside(t, i, "ip", "link", "set", "eth0", "up")
		m.inside(t, i, "ip", "link", "set", "lo", "up")
		cluster = append(cluster, fmt.Sprintf("m%d=http://%s:2380", i, m.ip[i]))
	}
	m.cluster = strings.Join(cluster, ",")
	for i := range m.running {
		m.start(t, i)
	}
	return m
}

// nets is held while a network is chosen and its bridge made.
var nets sync.Mutex

// makeNet makes a bridge tt198-18-7 for members, until the test ends, and returns the first three numbers of its network: one
// of the range for benchmarks (RFC 2544) that this machine has no route to, since other tests, of this process or another, may
// run members too.
func makeNet(t *testing.T) string {
	t.Helper()
	nets.Lock()
	defer nets.Unlock()
	for range 100 {
		net := fmt.Sprintf("198.%d.%d", 18+rand.IntN(2), rand.IntN(256))
		if out, err := exec.Command("ip", "-4", "route", "show", net+".0/24").CombinedOutput(); err != nil || len(out) > 0 {
			continue
		}
		bridge := "tt" + strings.ReplaceAll(net, ".", "-")
		t.Cleanup(func() { exec.Command("ip", "link", "del", bridge).Run() })
		command(t, "ip", "link", "add", bridge, "type", "bridge")
		command(t, "ip", "addr", "add", net+".254/24", "dev", bridge)
		command(t, "ip", "link", "set", bridge, "up")
		return net
	}
	t.Fatal("no network is free for members")
	return ""
}

// endpoints are the members' client URLs.
func (m *members) endpoints() (urls []string) {
	for _, ip := range m.ip {
		urls = append(urls, "http://"+ip+":2379")
	}
	return urls
}

// command runs a command that must not fail.
func command(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// inside runs a command in a member's namespace.
func (m *members) inside(t *testing.T, i int, args ...string) {
	t.Helper()
	command(t, "ip", append([]string{"netns", "exec", m.ns[i]}, args...)...)
}

// start starts a member, the first time or again. It serves when it has found the others.
func (m *members) start(t *testing.T, i int) {
	t.Helper()
	cmd := exec.Command("ip", "netns", "exec", m.ns[i], os.Args[0], fmt.Sprintf("m%d", i), m.ip[i], filepath.Join(m.dir, m.ns[i]), m.cluster)
	cmd.Env = append(os.Environ(), roleVariable+"=etcd")
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	m.running[i] = cmd
}

// kill ends a member as the kernel would.
func (m *members) kill(i int) {
	if cmd := m.running[i]; cmd != nil {
		cmd.Process.Kill()
		cmd.Wait()
		m.running[i] = nil
	}
}

// signal sends a signal to a member.
func (m *members) signal(i int, s syscall.Signal) { m.running[i].Process.Signal(s) }

// drop makes a member's namespace lose so many of a hundred packets to and from others, until heal.
func (m *members) drop(t *testing.T, i, percent int) {
	t.Helper()
	m.inside(t, i, "nft", fmt.Sprintf("add table inet faults; "+
		"add chain inet faults in { type filter hook input priority 0; }; add rule inet faults in iif eth0 numgen random mod 100 <= %[1]d drop; "+
		"add chain inet faults out { type filter hook output priority 0; }; add rule inet faults out oif eth0 numgen random mod 100 <= %[1]d drop", percent-1))
}

// heal ends what drop began.
func (m *members) heal(t *testing.T, i int) {
	t.Helper()
	m.inside(t, i, "nft", "delete", "table", "inet", "faults")
}

// runMember is a member's process. It ends by being killed.
func runMember(name, ip, dir, cluster string) error {
	at := func(port string) []url.URL { return []url.URL{{Scheme: "http", Host: ip + ":" + port}} }
	cfg := embed.NewConfig()
	cfg.Name, cfg.Dir = name, dir
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = at("2380"), at("2380")
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = at("2379"), at("2379")
	cfg.InitialCluster = cluster
	cfg.MaxTxnOps = 65536
	cfg.TickMs, cfg.ElectionMs = 50, 500
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	e, err := embed.StartEtcd(cfg)
	if err != nil {
		return fmt.Errorf("member %s: %w", name, err)
	}
	return <-e.Err()
}

// within waits until something holds, and fails the test when it does not in time.
func within(t *testing.T, limit time.Duration, what string, holds func() bool) {
	t.Helper()
	end := time.NewTimer(limit)
	defer end.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-end.C:
			t.Fatalf("not within %s: %s", limit, what)
		case <-tick.C:
		}
	}
}
