package vpc

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/trellis-project/trellis"
)

// childDir is the environment variable that makes the test program the child of TestKilledProcess: its value is the data directory.
const childDir = "TRELLIS_VPC_TEST_CHILD"

// childRestless is the environment variable that makes the child make and remove its VPCs until it is killed.
const childRestless = "TRELLIS_VPC_TEST_RESTLESS"

// childAccelerates is the environment variable that makes the test program the child of TestKilledAccelerator.
const childAccelerates = "TRELLIS_VPC_TEST_ACCELERATES"

func TestMain(m *testing.M) {
	if os.Getenv(childAccelerates) != "" {
		fmt.Println(accelerateChild())
		return
	}
	if dir := os.Getenv(childDir); dir != "" {
		fmt.Println(child(dir))
		return
	}
	goleak.VerifyTestMain(m)
}

// child makes two VPCs with an instance each and a process in it, says so, and waits to be killed. The VPCs are named in its
// arguments: VPC, subnet, instance; each twice.
func child(dir string) error {
	st := trellis.NewState()
	for n := range 2 {
		id := os.Args[1+3*n:]
		for _, noun := range killedNouns(id[0], id[1], id[2]) {
			st.Put(noun)
		}
	}
	m := New(Options{RunDir: dir})
	if os.Getenv(childRestless) != "" {
		fmt.Println("ready")
		for {
			for _, next := range []*trellis.State{st, trellis.NewState()} {
				if err := m.Apply(context.Background(), next); err != nil {
					return err
				}
			}
		}
	}
	if err := m.Apply(context.Background(), st); err != nil {
		return err
	}
	for n := range 2 {
		cmd := exec.Command("sleep", "60")
		if err := Start(os.Args[3+3*n], cmd); err != nil {
			return err
		}
		fmt.Println("process", cmd.Process.Pid)
	}
	fmt.Println("ready")
	_, err := os.Stdin.Read(make([]byte, 1))
	return err
}

func TestCheckFindsNothingHere(t *testing.T) {
	for _, p := range Check() {
		t.Errorf("%s: %s (%s)", p.Code, p.Text, p.Fix)
	}
	if err := CheckResources(); err != nil {
		t.Error(err)
	}
}

func TestMissingCapabilities(t *testing.T) {
	for _, c := range []struct{ status, want string }{
		{"Name:\ttrellis\nCapPrm:\t000001ffffffffff\nCapEff:\t000001ffffffffff\n", ""},
		{"CapEff:\t0000000000000000\n", "CAP_NET_ADMIN CAP_SYS_ADMIN"},
		{"CapEff:\t0000000000201000\n", ""},
		{"CapEff:\t00000000a80425fb\n", "CAP_NET_ADMIN CAP_SYS_ADMIN"}, // a container's
		{"CapEff:\t0000000000001000\n", "CAP_SYS_ADMIN"},
		{"", "CAP_NET_ADMIN CAP_SYS_ADMIN"},
	} {
		if got := strings.Join(missingCapabilities(c.status), " "); got != c.want {
			t.Errorf("%q: got %q, want %q", c.status, got, c.want)
		}
	}
}
