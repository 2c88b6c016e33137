package vpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/trellis-project/trellis"
)

// account owns everything in these tests.
const account = "111122223333"

// lab is a State and the Manager that makes it, for one test.
type lab struct {
	t      *testing.T
	st     *trellis.State
	m      *Manager
	stop   context.CancelFunc
	ended  chan error
	opened []io.Closer
}

// newLab starts a Manager. What it made is gone at the end of the test, and that is tested.
func newLab(t *testing.T) *lab { return newLabIn(t, t.TempDir()) }

// newLabIn is newLab with a known data directory.
func newLabIn(t *testing.T, dir string) *lab {
	return newLabWith(t, Options{Region: "eu-west-1", RunDir: dir})
}

// newLabWith is newLab with other options.
func newLabWith(t *testing.T, o Options) *lab {
	l := &lab{t: t, st: trellis.NewState(), m: New(o), ended: make(chan error, 1)}
	ctx, stop := context.WithCancel(t.Context())
	l.stop = stop
	go func() { l.ended <- l.m.Run(ctx) }()
	t.Cleanup(l.close)
	return l
}

// close ends the Manager and looks for what it left.
func (l *lab) close() {
	for _, c := range l.opened {
		c.Close()
	}
	l.opened = nil
	l.stop()
	if err := <-l.ended; err != nil {
		l.t.Errorf("run: %v", err)
	}
	l.ended <- nil
	for v := range trellis.All[*trellis.VPC](l.st) {
		l.gone(v.ID)
	}
	for i := range trellis.All[*trellis.Instance](l.st) {
		l.gone(i.ID)
	}
}

// gone fails the test when something of a VPC or instance is left.
func (l *lab) gone(id string) {
	l.t.Helper()
	for _, path := range []string{namespacePath(id), filepath.Join(stateDir, id)} {
		if _, err := os.Lstat(path); err == nil {
			l.t.Errorf("%s is left", path)
		}
	}
}

// apply applies the nouns.
func (l *lab) apply() {
	l.t.Helper()
	if err := l.m.Apply(l.t.Context(), l.st); err != nil {
		l.t.Fatalf("apply: %v", err)
	}
}

// meta is a new noun's.
func meta(prefix string) trellis.Meta {
	return trellis.Meta{Account: account, ID: trellis.NewID(prefix)}
}

// vpc adds a VPC with one subnet.
func (l *lab) vpc(cidr string) (*trellis.VPC, *trellis.Subnet) {
	v := &trellis.VPC{Meta: meta("vpc"), CIDR: netip.MustParsePrefix(cidr), IPv6CIDR: netip.MustParsePrefix("2001:db8:0:100::/56"),
		EnableDNSSupport: true, Attachment: "lab"}
	s := &trellis.Subnet{Meta: meta("subnet"), VPCID: v.ID, CIDR: netip.PrefixFrom(v.CIDR.Addr(), 24), IPv6CIDR: netip.MustParsePrefix("2001:db8:0:100::/64")}
	l.st.Put(v)
	l.st.Put(s)
	return v, s
}

// subnet adds the nth further subnet to a VPC whose IPv4 block is a /16.
func (l *lab) subnet(v *trellis.VPC, n int) *trellis.Subnet {
	b := v.CIDR.Addr().As4()
	b[2] += byte(n)
	s := &trellis.Subnet{Meta: meta("subnet"), VPCID: v.ID, CIDR: netip.PrefixFrom(netip.AddrFrom4(b), 24),
		IPv6CIDR: netip.MustParsePrefix(fmt.Sprintf("2001:db8:0:1%02d::/64", n))}
	l.st.Put(s)
	return s
}

// instance adds a running instance.
func (l *lab) instance(s *trellis.Subnet, address string, groups ...*trellis.SecurityGroup) *trellis.Instance {
	a := netip.MustParseAddr(address)
	b := a.As4()
	i := &trellis.Instance{Meta: meta("i"), VPCID: s.VPCID, SubnetID: s.ID, PrivateIP: a, State: "running",
		IPv6: netip.MustParseAddr(fmt.Sprintf("%s%d", s.IPv6CIDR.Addr(), b[3])),
		MAC:  fmt.Sprintf("06:00:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3])}
	for _, g := range groups {
		i.SecurityGroupIDs = append(i.SecurityGroupIDs, g.ID)
	}
	l.st.Put(i)
	return i
}

// group adds a security group.
func (l *lab) group(v *trellis.VPC, rules ...trellis.SecurityGroupRule) *trellis.SecurityGroup {
	g := &trellis.SecurityGroup{Meta: meta("sg"), VPCID: v.ID, Rules: rules}
	l.st.Put(g)
	return g
}

// associate adds an association.
func (l *lab) associate(v *trellis.VPC, slot int, groups ...*trellis.SecurityGroup) *trellis.VPCAssociation {
	a := &trellis.VPCAssociation{Meta: meta("snva"), VPC: v.Ref(), Slot: slot, Status: trellis.StatusActive}
	for _, g := range groups {
		a.SecurityGroupIDs = append(a.SecurityGroupIDs, g.ID)
	}
	l.st.Put(a)
	return a
}

// everything allows all traffic out, and in if asked for.
func everything(egress bool) trellis.SecurityGroupRule {
	return trellis.SecurityGroupRule{Egress: egress, Protocol: "-1", CIDR: everywhere4}
}

// tcpFrom allows one TCP port in from a block.
func tcpFrom(cidr string, port int) trellis.SecurityGroupRule {
	return trellis.SecurityGroupRule{Protocol: "tcp", FromPort: port, ToPort: port, CIDR: netip.MustParsePrefix(cidr)}
}

// inside runs fn inside an instance.
func (l *lab) inside(i *trellis.Instance, fn func() error) {
	l.t.Helper()
	ns, err := openNamespace(i.ID)
	if err != nil {
		l.t.Fatalf("open %s: %v", i.ID, err)
	}
	defer ns.close()
	if err := ns.within(fn); err != nil {
		l.t.Fatalf("inside %s: %v", i.ID, err)
	}
}

// serve accepts connections inside of an instance, and writes each client's address to it.
func (l *lab) serve(i *trellis.Instance, at string) {
	l.t.Helper()
	l.inside(i, func() error {
		ln, err := net.Listen("tcp", at)
		if err != nil {
			return err
		}
		l.greet(ln)
		return nil
	})
}

// listen accepts connections of the node's side, and writes each client's address to it.
func (l *lab) listen(v *trellis.VPC, at string) {
	l.t.Helper()
	ln, err := l.m.Listen(v.ID, netip.MustParseAddrPort(at))
	if err != nil {
		l.t.Fatalf("listen: %v", err)
	}
	l.greet(ln)
}

// greet writes each client's address to it.
func (l *lab) greet(ln net.Listener) {
	l.opened = append(l.opened, ln)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			host, _, _ := net.SplitHostPort(c.RemoteAddr().String())
			io.WriteString(c, host+"\n")
			c.Close()
		}
	}()
}

// patience is how long a connection that shall not come about is waited for, and certainty one that shall, which takes
// less than a millisecond on a machine that does nothing else.
const (
	patience  = 250 * time.Millisecond
	certainty = 10 * time.Second
)

// wait is how long to wait for an outcome.
func wait(want string) time.Duration {
	if want == timedOut {
		return patience
	}
	return certainty
}

// Outcomes of call beside the greeting.
const (
	timedOut = "timed out"
	refused  = "refused"
)

// call connects from inside an instance and compares what it was greeted with, or timedOut or refused.
func (l *lab) call(what string, from *trellis.Instance, to, want string) {
	l.t.Helper()
	l.inside(from, func() error {
		c, err := net.DialTimeout("tcp", to, wait(want))
		expect(l.t, what, l.outcome(c, err), want)
		return nil
	})
}

// dial connects to a target and compares what it was greeted with, or timedOut or refused.
func (l *lab) dial(what string, v *trellis.VPC, to, want string) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), wait(want))
	defer cancel()
	c, err := l.m.Dial(ctx, v.ID, netip.MustParseAddrPort(to))
	expect(l.t, what, l.outcome(c, err), want)
}

// outcome reads the greeting of a connection.
func (l *lab) outcome(c net.Conn, err error) string {
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return timedOut
	case errors.Is(err, unix.ECONNREFUSED):
		return refused
	case err != nil:
		return err.Error()
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(2 * time.Second))
	b, err := io.ReadAll(c)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(b))
}

// expect compares outcomes.
func expect(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// addr parses an address.
func (l *lab) addr(s string) netip.Addr { return netip.MustParseAddr(s) }
