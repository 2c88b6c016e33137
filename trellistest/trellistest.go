// Package trellistest runs a whole Trellis in one process for tests: the real etcd in a temporary directory,
// real network namespaces, the API on a free port, and the real clients that drive it.
package trellistest

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trellis-project/trellis/api/client"
	"github.com/trellis-project/trellis/daemon"
	"github.com/trellis-project/trellis/lab"
	"github.com/trellis-project/trellis/vpc"
)

// startTimeout bounds how long a Trellis may take to be ready, on a machine that runs many tests at once.
const startTimeout = time.Minute

// Trellis is a running Trellis and ways to reach it.
type Trellis struct {
	Endpoint string // URL of the API on the host
	Dir      string // its data directory
	Region   string
	Accounts *lab.Accounts // clients of any account of its organization

	stop func()
}

// Start runs a Trellis until the test ends. change may alter its configuration before it starts.
func Start(t testing.TB, change ...func(*daemon.Config)) *Trellis {
	t.Helper()
	c := daemon.DefaultConfig()
	c.Listen, c.Data = "127.0.0.1:0", filepath.Join(t.TempDir(), "data")
	for _, f := range change {
		f(&c)
	}
	var log syncBuffer
	d, err := daemon.New(c, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("trellis ended: %v", err)
		}
		if t.Failed() {
			t.Logf("trellis' log:\n%s", log.String())
		}
	})
	t.Cleanup(stop)
	wait, done := context.WithTimeout(ctx, startTimeout)
	defer done()
	go func() { // a Trellis that fails to start says why
		select {
		case err := <-ended:
			ended <- err
			cancel()
		case <-wait.Done():
		}
	}()
	endpoint, err := d.Endpoint(wait)
	if err != nil {
		t.Fatalf("trellis is not ready: %v", err)
	}
	tr := &Trellis{Endpoint: endpoint, Dir: c.Data, Region: c.Region, stop: stop}
	own, err := client.LoadCredentials(c.CredentialsFile(), "default")
	if err != nil {
		t.Fatal(err)
	}
	tr.Accounts = lab.NewAccounts(endpoint, own, c.Region)
	return tr
}

// Stop ends the Trellis before the test ends.
func (tr *Trellis) Stop() { tr.stop() }

// syncBuffer is a buffer that many goroutines write.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write appends.
func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

// String is what was written.
func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// Call calls an operation with an account's credentials (empty: the management account) and fails the test
// when it is refused.
func (tr *Trellis) Call(t testing.TB, account, service, operation string, in map[string]any) map[string]any {
	t.Helper()
	out, err := tr.Try(t, account, service, operation, in)
	if err != nil {
		t.Fatalf("%s %s: %v", service, operation, err)
	}
	return out
}

// Try calls an operation and returns its error.
func (tr *Trellis) Try(t testing.TB, account, service, operation string, in map[string]any) (map[string]any, error) {
	t.Helper()
	c, err := tr.Accounts.Client(t.Context(), account)
	if err != nil {
		t.Fatal(err)
	}
	return c.Call(t.Context(), service, operation, in)
}

// Play plays a scenario and fails the test unless all was as expected. vars set variables anew: VPCs of a
// known id need ids of their own here, since other Trellises may run on the same machine.
func (tr *Trellis) Play(t testing.TB, name string, vars map[string]string, out io.Writer) map[string]string {
	t.Helper()
	s, err := lab.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(s.Vars, vars)
	p := &lab.Player{Accounts: tr.Accounts, Program: Program(t), Endpoint: daemon.InsideEndpoint, Out: out}
	got, err := p.Play(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// environment is what a real client needs to reach this Trellis with an account's credentials, and nothing of
// the developer's own configuration.
func (tr *Trellis) environment(t testing.TB, account string) []string {
	t.Helper()
	o, err := tr.Accounts.Credentials(t.Context(), account)
	if err != nil {
		t.Fatal(err)
	}
	return append(lab.Environment(os.Environ()), "AWS_ENDPOINT_URL="+tr.Endpoint, "AWS_REGION="+tr.Region, "AWS_DEFAULT_REGION="+tr.Region,
		"AWS_ACCESS_KEY_ID="+o.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+o.SecretAccessKey.Reveal(), "AWS_SESSION_TOKEN="+o.SessionToken,
		"AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE=/dev/null", "AWS_PAGER=")
}

// Python runs a program with boto3 and requests and an account's credentials, and returns what it printed.
func (tr *Trellis) Python(t testing.TB, account, program string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(venv(t, "boto3"), "bin", "python3"), append([]string{"-c", program}, args...)...)
	cmd.Env = tr.environment(t, account)
	return output(t, cmd)
}

// PythonServer starts a program as Python does, which ends when the test does: it reads from in and prints to out.
func (tr *Trellis) PythonServer(t testing.TB, account, program string, args ...string) (in io.Writer, out io.Reader) {
	t.Helper()
	cmd := exec.Command(filepath.Join(venv(t, "boto3"), "bin", "python3"), append([]string{"-c", program}, args...)...)
	cmd.Env = tr.environment(t, account)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if out, err = cmd.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		if err := cmd.Wait(); err != nil || errs.Len() > 0 {
			t.Errorf("the Python program: %v\n%s", err, errs.String())
		}
	})
	return stdin, out
}

// PythonInside runs a Python program with boto3 and requests in an instance, with no credentials but those
// that it finds there.
func (tr *Trellis) PythonInside(t testing.TB, instance, program string, args ...string) string {
	t.Helper()
	return tr.Inside(t, instance, append([]string{filepath.Join(venv(t, "boto3"), "bin", "python3"), "-c", program}, args...)...)
}

// Inside runs a command in an instance and returns what it printed.
func (tr *Trellis) Inside(t testing.TB, instance string, command ...string) string {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(lab.Environment(os.Environ()), "AWS_ENDPOINT_URL="+daemon.InsideEndpoint, "AWS_REGION="+tr.Region)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := vpc.Start(instance, cmd); err != nil {
		t.Fatal(err)
	}
	kill := context.AfterFunc(t.Context(), func() { cmd.Process.Kill() })
	defer kill()
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%s in %s: %v\n%s%s", strings.Join(command, " "), instance, err, out.String(), errs.String())
	}
	return out.String()
}

// output runs a command and returns its standard output; a failure shows all of it.
func output(t testing.TB, cmd *exec.Cmd) string {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s%s", err, out.String(), errs.String())
	}
	return out.String()
}

// Await asks an operation until a JMESPath of its answer gives a text, for at most half a minute.
func (tr *Trellis) Await(t testing.TB, account, service, operation string, in map[string]any, query, want string) {
	t.Helper()
	p := &lab.Player{Accounts: tr.Accounts, Out: io.Discard}
	s := &lab.Scenario{Name: "await", Steps: []lab.Step{{Account: account, Call: service + " " + operation, With: in,
		Until: &lab.Until{Call: service + " " + operation, With: in, Query: query, Is: want}}}}
	if _, err := p.Play(t.Context(), s); err != nil {
		t.Fatal(err)
	}
}

// Run starts a process in an instance that lives until the instance or the test ends.
func (tr *Trellis) Run(t testing.TB, instance string, command ...string) {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = lab.Environment(os.Environ())
	if err := vpc.Start(instance, cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
}
