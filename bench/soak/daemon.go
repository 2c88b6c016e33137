package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api/client"
	"github.com/trellis-project/trellis/api/iam"
	"github.com/trellis-project/trellis/lab"
)

const (
	// startTimeout bounds how long `trellis serve` may take to be ready.
	startTimeout = time.Minute
	// stopTimeout bounds how long it may take to end after SIGTERM, which is its drain time and something.
	stopTimeout = 40 * time.Second
	// sessionLife is how long the sessions of accounts are used: they last an hour.
	sessionLife = 40 * time.Minute
)

// daemon is `trellis serve` as a process of its own, and the way to its API.
type daemon struct {
	program, dir      string // the program, and its data directory
	listen, debugAddr string
	logPath           string
	drain             time.Duration // how long requests in flight may take when it stops

	cmd   *exec.Cmd
	ended chan struct{} // closed when cmd has ended

	mu       sync.Mutex
	accounts *lab.Accounts
	since    time.Time      // when accounts was made
	repeated map[string]int // API calls that were answered by 5xx and tried again, by operation and code
	web      *http.Client
}

// freeAddress is a loopback address that nobody listens at.
func freeAddress() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer ln.Close()
	return ln.Addr().String(), nil
}

// buildProgram builds trellis from this source.
func buildProgram(dir string) (string, error) {
	path := filepath.Join(dir, "trellis")
	out, err := exec.Command("go", "build", "-o", path, "github.com/trellis-project/trellis/cmd/trellis").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build trellis: %w\n%s", err, out)
	}
	return path, nil
}

// newDaemon prepares a daemon whose state is below dir. It starts nothing.
func newDaemon(program, dir string) (*daemon, error) {
	d := &daemon{program: program, dir: filepath.Join(dir, "data"), logPath: filepath.Join(dir, "trellis.log"), drain: 5 * time.Second, repeated: map[string]int{},
		web: &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 8, IdleConnTimeout: 5 * time.Second}}}
	var err error
	if d.listen, err = freeAddress(); err != nil {
		return nil, err
	}
	if d.debugAddr, err = freeAddress(); err != nil {
		return nil, err
	}
	return d, nil
}

// start starts the process and waits until it is ready. It is in a process group of its own, so that Ctrl-C on a
// terminal reaches the soak alone, which then ends everything in order.
func (d *daemon) start(ctx context.Context) error {
	log, err := os.OpenFile(d.logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(d.program, "serve", "--listen", d.listen, "--data", d.dir, "--debug", d.debugAddr, "--drain-timeout", d.drain.String())
	cmd.Env = append(os.Environ(), "GODEBUG=memprofilerate=65536") // profiles that show what a few megabytes are
	cmd.Stderr, cmd.SysProcAttr = log, &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start trellis serve: %w", err)
	}
	ended := make(chan struct{})
	go func() {
		cmd.Wait()
		close(ended)
	}()
	d.cmd, d.ended = cmd, ended
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		req, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+d.listen+"/healthz", nil)
		if res, err := d.web.Do(req); err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				break
			}
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("trellis serve is not ready; its log is %s", d.logPath), ctx.Err())
		case <-ended:
			return fmt.Errorf("trellis serve ended at its start (%s):\n%s", cmd.ProcessState, tail(d.logPath, 2000))
		case <-time.After(50 * time.Millisecond):
		}
	}
	own, err := client.LoadCredentials(filepath.Join(d.dir, "credentials"), "default")
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.accounts, d.since = lab.NewAccounts("http://"+d.listen, own, region), time.Now()
	return nil
}

// pid is the process' id.
func (d *daemon) pid() int { return d.cmd.Process.Pid }

// alive tells whether the process runs.
func (d *daemon) alive() bool {
	select {
	case <-d.ended:
		return false
	default:
		return true
	}
}

// stop asks the process to end and waits for it. The error says that it did not end by itself, or badly.
func (d *daemon) stop() error {
	if d.cmd == nil || d.cmd.Process == nil {
		return nil
	}
	d.cmd.Process.Signal(syscall.SIGTERM)
	d.cmd.Process.Signal(syscall.SIGCONT) // a fault may have frozen it
	select {
	case <-d.ended:
	case <-time.After(stopTimeout):
		d.cmd.Process.Kill()
		<-d.ended
		return fmt.Errorf("trellis serve did not end within %s of SIGTERM and was killed", stopTimeout)
	}
	if !d.cmd.ProcessState.Success() {
		return fmt.Errorf("trellis serve ended with %s:\n%s", d.cmd.ProcessState, tail(d.logPath, 2000))
	}
	return nil
}

// client is a client of an account. Sessions are renewed before they run out.
func (d *daemon) client(ctx context.Context, account string) (*client.Client, error) {
	d.mu.Lock()
	if time.Since(d.since) > sessionLife {
		own, err := client.LoadCredentials(filepath.Join(d.dir, "credentials"), "default")
		if err != nil {
			d.mu.Unlock()
			return nil, err
		}
		d.accounts, d.since = lab.NewAccounts("http://"+d.listen, own, region), time.Now()
	}
	accounts := d.accounts
	d.mu.Unlock()
	c, err := accounts.Client(ctx, account)
	if err != nil {
		return nil, err
	}
	c.HTTP = d.web
	return c, nil
}

// revision is the store's revision now: it writes something to know it.
func (d *daemon) revision(ctx context.Context) (int64, error) {
	c, err := d.client(ctx, accountA)
	if err != nil {
		return 0, err
	}
	var a client.Answer
	err = d.repeat("iam TagRole", func() (err error) {
		_, a, err = client.Do[iam.TagRoleOutput](ctx, c, "iam", "TagRole", in{"RoleName": clientRole, "Tags": []any{in{"Key": "soak", "Value": time.Now().String()}}})
		return err
	})
	return a.Revision, err
}

// answer is an operation's output, to be read by paths.
type answer map[string]any

// text reads a text by a path such as Instances.0.InstanceId, empty when there is none.
func (a answer) text(path string) string {
	var at any = map[string]any(a)
	for name := range strings.SplitSeq(path, ".") {
		switch v := at.(type) {
		case map[string]any:
			at = v[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i >= len(v) {
				return ""
			}
			at = v[i]
		default:
			return ""
		}
	}
	if at == nil {
		return ""
	}
	return fmt.Sprint(at)
}

// list reads a list.
func (a answer) list(name string) []answer {
	var out []answer
	items, _ := a[name].([]any)
	for _, i := range items {
		if m, ok := i.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

// tokens are the operations that take a client token, by which a repeated call is known to be the same.
var tokens = map[string]string{"ec2 RunInstances": "ClientToken", "vpc-lattice CreateService": "clientToken", "vpc-lattice CreateListener": "clientToken",
	"vpc-lattice CreateRule": "clientToken", "vpc-lattice CreateTargetGroup": "clientToken", "vpc-lattice CreateServiceNetwork": "clientToken",
	"vpc-lattice CreateServiceNetworkServiceAssociation": "clientToken", "vpc-lattice CreateServiceNetworkVpcAssociation": "clientToken"}

// call calls an operation, for example "vpc-lattice CreateService", as an account. A status of 5xx is tried again twice,
// as SDKs do: on a machine that is very busy the store may not answer in its five seconds. The report counts it.
func (d *daemon) call(ctx context.Context, account, operation string, in map[string]any) (answer, error) {
	c, err := d.client(ctx, account)
	if err != nil {
		return nil, err
	}
	service, name, _ := strings.Cut(operation, " ")
	if token := tokens[operation]; token != "" {
		in = maps.Clone(in)
		in[token] = rand.Text()
	}
	var out answer
	err = d.repeat(operation, func() (err error) {
		out, err = c.Call(ctx, service, name, in)
		return err
	})
	return out, err
}

// repeat makes a call until it is not answered by 5xx, three times at the most. What a repeated call does not find to be
// deleted any more was deleted by the one before, whose answer came too late.
func (d *daemon) repeat(operation string, call func() error) error {
	for attempt := 0; ; attempt++ {
		err := call()
		var refused *trellis.Error
		if err == nil || attempt > 0 && strings.Contains(operation, " Delete") && absent(err) {
			return nil
		}
		if attempt == 2 || !errors.As(err, &refused) || refused.Status < 500 {
			return fmt.Errorf("%s: %w", operation, err)
		}
		d.mu.Lock()
		d.repeated[operation+" "+refused.Code]++
		d.mu.Unlock()
		time.Sleep(time.Second)
	}
}

// until calls an operation until its answer is as wanted, for at most half a minute.
func (d *daemon) until(ctx context.Context, account, operation string, in map[string]any, want func(answer) bool) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	var last answer
	for {
		out, err := d.call(ctx, account, operation, in)
		if err != nil && ctx.Err() == nil {
			return err
		}
		if err == nil && want(out) {
			return nil
		}
		if err == nil {
			last = out
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s %v is not as wanted after half a minute: %v", operation, in, last)
		case <-time.After(30 * time.Millisecond):
		}
	}
}

// debug asks the debug endpoint.
func (d *daemon) debug(ctx context.Context, method, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+d.debugAddr+path, nil)
	if err != nil {
		return nil, err
	}
	res, err := d.web.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", path, res.Status)
	}
	return b, err
}

// complaints are the log's lines that no daemon in order writes: errors and panics, each kind of line once.
func (d *daemon) complaints() []string {
	b, err := os.ReadFile(d.logPath)
	if err != nil {
		return nil
	}
	var out []string
	seen := map[string]bool{}
	for line := range bytes.Lines(b) {
		text := string(bytes.TrimSpace(line))
		if !strings.Contains(text, "level=ERROR") && !strings.HasPrefix(text, "panic:") && !strings.HasPrefix(text, "fatal error:") && !strings.Contains(text, "DATA RACE") {
			continue
		}
		if strings.Contains(text, `no answer in time"`) {
			continue // the store, on a busy machine; it is counted where the call was made
		}
		_, message, _ := strings.Cut(text, "msg=")
		kind, _, _ := strings.Cut(message, "=")
		if !seen[kind] {
			seen[kind] = true
			out = append(out, text)
		}
	}
	return out
}

// tail is the end of a file.
func tail(path string, n int) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-n):])
}
