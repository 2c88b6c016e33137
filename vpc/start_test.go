package vpc

import (
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/trellis-project/trellis"
)

func TestStartSeesTheInstance(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	_, s := l.vpc("10.20.0.0/16")
	i := l.instance(s, "10.20.0.10")
	l.apply()
	host, err := os.ReadFile("/etc/resolv.conf")
	if err != nil {
		t.Fatal(err)
	}
	var cgroups strings.Builder
	entries, err := os.ReadDir("/sys/fs/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		cgroups.WriteString(e.Name() + "\n")
	}
	var out strings.Builder
	cmd := exec.Command("env", "LC_ALL=C", "sh", "-c", "cat /etc/resolv.conf; ls /sys/class/net; cat /sys/class/net/eth0/address; grep /run/netns /proc/self/mountinfo; ls /sys/fs/cgroup")
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := Start(i.ID, cmd); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, out.String())
	}
	expect(t, "inside", out.String(), `# Written by Trellis.
search eu-west-1.compute.internal
nameserver 10.20.0.2
options ndots:1 timeout:2 attempts:5
eth0
lo
06:00:0a:14:00:0a
`+cgroups.String())
	after, err := os.ReadFile("/etc/resolv.conf")
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "the host's resolv.conf", string(after), string(host))
}

func TestListenInsideIsInside(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	_, s := l.vpc("10.20.0.0/16")
	i, other := l.instance(s, "10.20.0.10"), l.instance(s, "10.20.0.11")
	l.apply()
	ln, err := ListenInside(i.ID, netip.MustParseAddrPort("127.0.0.1:8080"))
	if err != nil {
		t.Fatal(err)
	}
	l.greet(ln)
	l.call("its own loopback", i, "127.0.0.1:8080", "127.0.0.1")
	l.call("the loopback of another", other, "127.0.0.1:8080", refused)
	if _, err := ListenInside("i-0123456789abcdef0", netip.MustParseAddrPort("127.0.0.1:8080")); err == nil {
		t.Error("an instance that does not run was listened in")
	}
}

func TestStartErrors(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	_, s := l.vpc("10.20.0.0/16")
	i := l.instance(s, "10.20.0.10")
	l.apply()
	if err := Start("i-0123456789abcdef0", exec.Command("true")); err == nil || !strings.Contains(err.Error(), "does not run on this machine") {
		t.Errorf("unknown instance: got %v", err)
	}
	if err := Start("../../etc/passwd", exec.Command("true")); err == nil {
		t.Error("an id that is a path was taken")
	}
	if err := Start(i.ID, exec.Command("/does/not/exist")); err == nil {
		t.Error("a command that does not exist started")
	}
	deadly := exec.Command("true")
	deadly.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := Start(i.ID, deadly); err == nil {
		t.Error("a command with a parent death signal started")
	}
}

func TestTerminatedInstanceTakesItsProcesses(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	v, s := l.vpc("10.20.0.0/16")
	i := l.instance(s, "10.20.0.10")
	l.apply()
	// A shell with a child: both have to end, and the child would go on by itself.
	cmd := exec.Command("sh", "-c", "sleep 60 & wait")
	if err := Start(i.ID, cmd); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	stopped := *i
	stopped.State = "shutting-down"
	l.st.Put(&stopped)
	l.apply()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("the command ended by itself")
		}
	case <-time.After(certainty):
		t.Error("the command goes on")
	}
	l.gone(i.ID)
	if _, ok := l.m.InstanceAt(v.ID, i.PrivateIP); ok {
		t.Error("the instance is still found by its address")
	}
}

func TestPartsThatFailDoNotKeepOthers(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	v, s := l.vpc("10.20.0.0/16")
	g := l.group(v, everything(false), everything(true))
	good := l.instance(s, "10.20.0.10", g)
	lost := &trellis.Instance{Meta: meta("i"), VPCID: v.ID, SubnetID: "subnet-0", PrivateIP: l.addr("10.20.0.11"), MAC: good.MAC, State: "running"}
	l.st.Put(lost)
	for range 2 {
		err := l.m.Apply(t.Context(), l.st)
		if err == nil || !strings.Contains(err.Error(), lost.ID+": subnet subnet-0 does not exist") {
			t.Errorf("apply: got %v", err)
		}
	}
	l.serve(good, "10.20.0.10:8080")
	l.dial("the good one", v, "10.20.0.10:8080", "169.254.171.1")
	l.st.Delete(trellis.KindInstance, lost.Key())
	l.apply()
}

// TestDHCPOptions gives a VPC DHCP options, others and none: commands that start then have them in their /etc/resolv.conf.
func TestDHCPOptions(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	v, s := l.vpc("10.20.0.0/16")
	i := l.instance(s, "10.20.0.10")
	own := &trellis.DHCPOptions{Meta: meta("dopt"), Options: []trellis.DHCPOption{{Key: "ntp-servers", Values: []string{"10.20.0.9"}}, {Key: trellis.DHCPDomainName, Values: []string{"a.example b.example"}},
		{Key: trellis.DHCPNameServers, Values: []string{"10.20.0.53", trellis.AmazonProvidedDNS, "2001:db8::53"}}}}
	l.st.Put(own)
	for id, want := range map[string]string{
		"":                    "search eu-west-1.compute.internal\nnameserver 10.20.0.2\n",
		own.ID:                "search a.example b.example\nnameserver 10.20.0.53\nnameserver 10.20.0.2\nnameserver 2001:db8::53\n",
		trellis.NoDHCPOptions: "",
	} {
		with := *v
		with.DHCPOptionsID = id
		l.st.Put(&with)
		l.apply()
		cmd := exec.Command("cat", "/etc/resolv.conf")
		var out strings.Builder
		cmd.Stdout = &out
		if err := Start(i.ID, cmd); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Fatal(err)
		}
		expect(t, "with "+id, out.String(), "# Written by Trellis.\n"+want+"options ndots:1 timeout:2 attempts:5\n")
	}
}
