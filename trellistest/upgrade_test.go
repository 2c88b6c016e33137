//go:build thorough

package trellistest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/trellis-project/trellis/vpc"
)

// serviceManager is what of systemd an upgrade needs: it hears what a process says (sd_notify(3)), keeps its
// descriptors, and hands them to the next one.
type serviceManager struct {
	conn *net.UnixConn
	last chan struct{} // lastWord was heard
	mu   sync.Mutex
	kept map[string][]*os.File
	said []string // without what is about descriptors
}

// lastWord is what a test says to know that all was heard before.
const lastWord = "LAST=1"

// newServiceManager listens until the test ends.
func newServiceManager(t *testing.T) *serviceManager {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	m := &serviceManager{conn: conn, last: make(chan struct{}, 1), kept: map[string][]*os.File{}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			if err := m.hear(); errors.Is(err, net.ErrClosed) {
				return
			} else if err != nil {
				t.Error(err)
			}
		}
	}()
	t.Cleanup(func() {
		conn.Close()
		<-done
		m.drop()
	})
	return m
}

// hear takes one message.
func (m *serviceManager) hear() error {
	text, rights := make([]byte, 4096), make([]byte, 4096)
	n, rn, _, _, err := m.conn.ReadMsgUnix(text, rights)
	if err != nil {
		return err
	}
	var files []*os.File
	messages, err := unix.ParseSocketControlMessage(rights[:rn])
	if err != nil {
		return err
	}
	for _, message := range messages {
		fds, err := unix.ParseUnixRights(&message)
		if err != nil {
			continue // who has sent it
		}
		for _, fd := range fds {
			unix.CloseOnExec(fd)
			files = append(files, os.NewFile(uintptr(fd), "kept"))
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	command, name, _ := strings.Cut(string(text[:n]), "\nFDNAME=")
	switch command {
	case "FDSTORE=1":
		m.kept[name] = append(m.kept[name], files...)
		return nil
	case "FDSTOREREMOVE=1":
		files = append(files, m.kept[name]...)
		delete(m.kept, name)
	case "BARRIER=1":
	case lastWord:
		m.last <- struct{}{}
	default:
		m.said = append(m.said, command)
	}
	for _, f := range files {
		f.Close()
	}
	return nil
}

// hand makes a command one of the service manager, with all that it keeps.
func (m *serviceManager) hand(cmd *exec.Cmd) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var names []string
	for name, files := range m.kept {
		for _, f := range files {
			names = append(names, name)
			cmd.ExtraFiles = append(cmd.ExtraFiles, f)
		}
	}
	// A process can't be told its own id from outside before it runs.
	cmd.Args = append([]string{"sh", "-c", `LISTEN_PID=$$ exec "$@"`, "sh", cmd.Path}, cmd.Args[1:]...)
	cmd.Path = "/bin/sh"
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+m.conn.LocalAddr().String(), fmt.Sprintf("LISTEN_FDS=%d", len(names)), "LISTEN_FDNAMES="+strings.Join(names, ":"))
}

// keep makes it keep a copy of a descriptor.
func (m *serviceManager) keep(name string, f *os.File) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		panic(err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.kept[name] = append(m.kept[name], os.NewFile(uintptr(fd), name))
}

// heard is what processes have said.
func (m *serviceManager) heard() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.said)
}

// count is how many descriptors it keeps.
func (m *serviceManager) count() (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, files := range m.kept {
		n += len(files)
	}
	return n
}

// drop closes all that it keeps.
func (m *serviceManager) drop() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, files := range m.kept {
		for _, f := range files {
			f.Close()
		}
		delete(m.kept, name)
	}
}

// outcome is what careful.py prints.
type outcome struct {
	Seen    map[string]int
	Again   int     // requests that were sent again
	Slowest float64 // seconds
}

// lost counts the requests that were not answered by the target.
func (o outcome) lost() (n int) {
	for answer, count := range o.Seen {
		if answer != "200 orders" {
			n += count
		}
	}
	return n
}

// settled is count when all has been heard that was said before.
func (m *serviceManager) settled(t *testing.T) int {
	t.Helper()
	c, err := net.DialUnix("unixgram", nil, m.conn.LocalAddr().(*net.UnixAddr))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte(lastWord)); err != nil {
		t.Fatal(err)
	}
	<-m.last
	return m.count()
}

// TestUpgrade starts Trellis anew three times under traffic, by SIGTERM, as a service manager does that keeps
// descriptors: not one request is lost. Without such a manager some are. In the end nothing is left.
func TestUpgrade(t *testing.T) {
	const drain = 5 * time.Second
	const restarts = 3
	m := newServiceManager(t)
	supervised, leave := true, true
	tr := StartProcess(t, func(cmd *exec.Cmd) {
		cmd.Args = append(cmd.Args, "--drain-timeout", drain.String())
		if leave { // clients run on while Trellis does not
			cmd.Args = append(cmd.Args, "--keep-vpcs")
		}
		if supervised {
			m.hand(cmd)
		}
	})
	s := makeServiceOf(t, &tr.Trellis, filepath.Join(venv(t, "boto3"), "bin", "python3"), "-c", mustRead(t, "testdata/slow.py"))
	kept := m.settled(t)
	if kept == 0 {
		t.Fatal("no socket was given to the service manager")
	}
	other := tr.Call(t, "", "vpc-lattice", "CreateListener", map[string]any{"serviceIdentifier": s.id, "name": "other", "protocol": "HTTP", "port": 8100,
		"defaultAction": map[string]any{"fixedResponse": map[string]any{"statusCode": 404}}})["id"]
	if now := m.settled(t); now != kept+2 { // IPv4 and IPv6
		t.Errorf("the service manager keeps %d sockets with a further listener, want %d", now, kept+2)
	}
	tr.Call(t, "", "vpc-lattice", "DeleteListener", map[string]any{"serviceIdentifier": s.id, "listenerIdentifier": other})
	if now := m.settled(t); now != kept {
		t.Errorf("the service manager keeps %d sockets without that listener, want %d", now, kept)
	}
	m.keep("nobody", os.Stderr) // of no use to the next process, which makes it go

	more, end := asking(t, s.clients.instances[0], "careful.py", "http://"+s.dns+"/", "8")
	var longest, starts time.Duration
	for range restarts {
		more() // traffic between two restarts
		longest = max(longest, tr.Terminate(t))
		began := time.Now()
		tr.Restart(t)
		starts = max(starts, time.Since(began))
	}
	more()
	var o outcome
	end(&o)
	t.Logf("%v, %d sent again, slowest %.2f s; a process ended within %v and started within %v; %d sockets", o.Seen, o.Again, o.Slowest, longest, starts, kept)
	if o.lost() > 0 || o.Seen["200 orders"] == 0 {
		t.Errorf("over %d restarts the clients got %v", restarts, o.Seen)
	}
	if bound := (drain + starts + time.Second).Seconds(); o.Slowest > bound {
		t.Errorf("a request took %.1f s, over %.1f s", o.Slowest, bound)
	}
	if longest > 2*drain {
		t.Errorf("a process took %v to end", longest)
	}
	if now := m.settled(t); now != kept {
		t.Errorf("the service manager keeps %d sockets after the restarts, and kept %d before", now, kept)
	}

	_, end = asking(t, s.clients.instances[0], "careful.py", "http://"+s.dns+"/", "8")
	tr.Terminate(t)
	if want := fmt.Sprintf(`msg="took over sockets" count=%d`, kept); !strings.Contains(tr.log.String(), want) {
		t.Errorf("the last process has not said: %s", want)
	}
	if want := slices.Repeat([]string{"READY=1", "STOPPING=1"}, restarts+1); !slices.Equal(m.heard(), want) {
		t.Errorf("the service manager heard %q, want %q", m.heard(), want)
	}
	m.drop()
	supervised = false
	tr.Restart(t)
	var unkept outcome
	end(&unkept)
	for range 9 { // clients may be lucky: a second try of TCP is a second later
		if unkept.lost() > 0 {
			break
		}
		_, end = asking(t, s.clients.instances[0], "careful.py", "http://"+s.dns+"/", "8")
		tr.Terminate(t)
		tr.Restart(t)
		end(&unkept)
	}
	if unkept.lost() == 0 {
		t.Errorf("without kept sockets no request was lost, so that this test finds nothing: %v", unkept.Seen)
	}
	tr.Terminate(t)
	leave = false
	tr.Restart(t)
	tr.Terminate(t)
	for _, id := range []string{s.clients.vpc, s.clients.instances[0], s.targets.vpc, s.targets.instances[0]} {
		if _, err := os.Stat(filepath.Join("/run/netns", vpc.NamespaceName(id))); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the namespace of %s is left: %v", id, err)
		}
	}
}
