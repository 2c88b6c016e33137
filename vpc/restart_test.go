package vpc

import (
	"bufio"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/trellis-project/trellis"
)

// killedNouns are a VPC with one instance, 10.20.0.10, that all may reach.
func killedNouns(vpcID, subnetID, instanceID string) []trellis.Noun {
	v := &trellis.VPC{CIDR: netip.MustParsePrefix("10.20.0.0/16"), EnableDNSSupport: true, Attachment: "lab"}
	s := &trellis.Subnet{VPCID: vpcID, CIDR: netip.MustParsePrefix("10.20.0.0/24")}
	g := &trellis.SecurityGroup{VPCID: vpcID, Rules: []trellis.SecurityGroupRule{everything(false), everything(true)}}
	i := &trellis.Instance{VPCID: vpcID, SubnetID: subnetID, PrivateIP: netip.MustParseAddr("10.20.0.10"),
		MAC: "06:00:0a:14:00:0a", State: "running", SecurityGroupIDs: []string{"sg-" + vpcID[4:]}}
	v.ID, s.ID, i.ID, g.ID = vpcID, subnetID, instanceID, "sg-"+vpcID[4:]
	v.Account, s.Account, i.Account, g.Account = account, account, account, account
	return []trellis.Noun{v, s, g, i}
}

// inode identifies a namespace.
func inode(t *testing.T, id string) uint64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(namespacePath(id), &st); err != nil {
		t.Fatalf("namespace %s: %v", id, err)
	}
	return st.Ino
}

// running tells whether a process runs; one that has ended and waits for its parent does not.
func running(pid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !strings.Contains(string(b), ") Z ") && !strings.Contains(string(b), ") X ")
}

func TestKilledProcess(t *testing.T) {
	t.Parallel()
	ids := []string{trellis.NewID("vpc"), trellis.NewID("subnet"), trellis.NewID("i"), trellis.NewID("vpc"), trellis.NewID("subnet"), trellis.NewID("i")}
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], ids...)
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var processes []int
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "ready" {
		pid, err := strconv.Atoi(strings.TrimPrefix(lines.Text(), "process "))
		if err != nil {
			t.Fatalf("child: %s", lines.Text())
		}
		processes = append(processes, pid)
	}
	// A live process' VPC belongs to nobody else.
	stranger := New(Options{RunDir: t.TempDir()})
	theirs := trellis.NewState()
	theirs.Put(killedNouns(ids[0], ids[1], ids[2])[0])
	if err := stranger.Apply(t.Context(), theirs); err == nil || !strings.Contains(err.Error(), "belongs to the Trellis that runs as process") {
		t.Errorf("taking a live process' VPC: got %v", err)
	}
	before := inode(t, ids[2])
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()

	l := newLabIn(t, dir)
	for _, n := range killedNouns(ids[0], ids[1], ids[2]) {
		l.st.Put(n)
	}
	l.apply()
	if after := inode(t, ids[2]); after != before {
		t.Error("the instance that is still wanted has a new namespace")
	}
	if !running(processes[0]) {
		t.Error("the process in the instance that is still wanted has ended")
	}
	if running(processes[1]) {
		t.Error("the process in the instance that nobody wants goes on")
	}
	l.gone(ids[3])
	l.gone(ids[5])
	i, _ := trellis.Get[*trellis.Instance](l.st, account+"/"+ids[2])
	v, _ := trellis.Get[*trellis.VPC](l.st, account+"/"+ids[0])
	l.serve(i, "10.20.0.10:8080")
	l.dial("dial after adoption", v, "10.20.0.10:8080", "169.254.171.1")
	l.close()
	if running(processes[0]) {
		t.Error("a process of an instance goes on after Run has ended")
	}
}

// TestKilledAtAnyTime kills a process in the midst of making and removing VPCs, again and again, and lets a new one go on
// from what it finds.
func TestKilledAtAnyTime(t *testing.T) {
	t.Parallel()
	ids := []string{trellis.NewID("vpc"), trellis.NewID("subnet"), trellis.NewID("i"), trellis.NewID("vpc"), trellis.NewID("subnet"), trellis.NewID("i")}
	dir := t.TempDir()
	for range 6 {
		cmd := exec.Command(os.Args[0], ids...)
		cmd.Env = append(os.Environ(), childDir+"="+dir, childRestless+"=1")
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		lines.Scan()
		expect(t, "the child", lines.Text(), "ready")
		time.AfterFunc(rand.N(60*time.Millisecond), func() { cmd.Process.Kill() })
		for lines.Scan() {
			t.Errorf("child: %s", lines.Text())
		}
		cmd.Wait()
	}
	l := newLabIn(t, dir)
	nouns := killedNouns(ids[0], ids[1], ids[2])
	for _, n := range nouns {
		l.st.Put(n)
	}
	l.apply()
	i, v := nouns[3].(*trellis.Instance), nouns[0].(*trellis.VPC)
	l.serve(i, "10.20.0.10:8080")
	l.dial("dial after all", v, "10.20.0.10:8080", "169.254.171.1")
	l.gone(ids[3])
	l.gone(ids[5])
}

func TestAdoptionRepairsWhatDiffers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := New(Options{RunDir: dir})
	st := trellis.NewState()
	id := []string{trellis.NewID("vpc"), trellis.NewID("subnet"), trellis.NewID("i")}
	nouns := killedNouns(id[0], id[1], id[2])
	for _, n := range nouns {
		st.Put(n)
	}
	if err := first.Apply(t.Context(), st); err != nil {
		t.Fatal(err)
	}
	l := newLabIn(t, dir)
	for _, n := range nouns {
		l.st.Put(n)
	}
	vpcNS, err := openNamespace(id[0])
	if err != nil {
		t.Fatal(err)
	}
	defer vpcNS.close()
	if err := removeLink(vpcNS, interfaceName(id[2])); err != nil {
		t.Fatal(err)
	}
	if err := (&ruleset{}).load(vpcNS); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(resolvConf(id[2])); err != nil {
		t.Fatal(err)
	}
	l.apply()
	i, v := nouns[3].(*trellis.Instance), nouns[0].(*trellis.VPC)
	l.serve(i, "10.20.0.10:8080")
	l.dial("dial after repair", v, "10.20.0.10:8080", "169.254.171.1")
	if _, err := os.Stat(filepath.Join(stateDir, i.ID, "resolv.conf")); err != nil {
		t.Error(err)
	}
}

func TestPlainFileInPlaceOfANamespace(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	v, _ := l.vpc("10.20.0.0/16")
	if err := os.MkdirAll(netnsDir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(namespacePath(v.ID), nil, 0o444); err != nil {
		t.Fatal(err)
	}
	l.apply()
	inode(t, v.ID)
}
