package trellistest

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/trellis-project/trellis/api/client"
	"github.com/trellis-project/trellis/lab"
)

// Process is Trellis as a process of its own, for tests that kill it. Its data survives.
type Process struct {
	Trellis
	listen  string
	prepare func(*exec.Cmd) // may change the command before it is started
	cmd     *exec.Cmd
	log     *bytes.Buffer
}

// StartProcess runs `trellis serve` on a data directory that the test owns. prepare may change each command before
// it is started.
func StartProcess(t testing.TB, prepare ...func(*exec.Cmd)) *Process {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Process{listen: ln.Addr().String()}
	ln.Close()
	p.prepare = func(cmd *exec.Cmd) {
		for _, f := range prepare {
			f(cmd)
		}
	}
	p.Dir, p.Region, p.Endpoint = filepath.Join(t.TempDir(), "data"), "eu-west-1", "http://"+p.listen
	p.Restart(t)
	own, err := client.LoadCredentials(filepath.Join(p.Dir, "credentials"), "default")
	if err != nil {
		t.Fatal(err)
	}
	p.Accounts = lab.NewAccounts(p.Endpoint, own, p.Region)
	t.Cleanup(func() {
		if p.cmd.ProcessState == nil {
			p.cmd.Process.Signal(os.Interrupt)
			p.cmd.Wait()
		}
		if t.Failed() {
			t.Logf("trellis' log:\n%s", p.log.String())
		}
	})
	return p
}

// Restart starts the process again and waits until it is ready.
func (p *Process) Restart(t testing.TB) {
	t.Helper()
	p.log = new(bytes.Buffer)
	p.cmd = exec.Command(Program(t), "serve", "--listen", p.listen, "--data", p.Dir)
	p.cmd.Stderr = p.log
	p.prepare(p.cmd)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		req, _ := http.NewRequestWithContext(ctx, http.MethodGet, p.Endpoint+"/healthz", nil)
		if res, err := http.DefaultClient.Do(req); err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-ctx.Done():
			p.Kill()
			t.Fatalf("trellis serve is not ready:\n%s", p.log.String())
		case <-tick.C:
		}
	}
}

// Kill ends the process as the kernel would: without a chance to clean up.
func (p *Process) Kill() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
}

// Terminate ends the process in order, and tells how long that took.
func (p *Process) Terminate(t testing.TB) time.Duration {
	t.Helper()
	began := time.Now()
	p.cmd.Process.Signal(syscall.SIGTERM)
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("trellis serve ended: %v", err)
	}
	return time.Since(began)
}
