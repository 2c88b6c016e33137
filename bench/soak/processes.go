package main

import (
	"bufio"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/trellis-project/trellis/lab"
	"github.com/trellis-project/trellis/vpc"
)

// sources are the programs in other languages, and nginx' configuration is made here.
//
//go:embed runtimes
var sources embed.FS

// roleVariable tells this program, started again in an instance, what to be.
const roleVariable = "SOAK_ROLE"

// What nginx serves.
const (
	staticNonce = "static"
	staticSize  = 50000
)

// target is a process that answers, in an instance.
type target struct {
	name, runtime, instance string
	port                    int
	services                []string // whose target group it gets
	six                     bool     // listens on IPv6
	leaves                  bool     // it closes connections without a word, so that now and then a request meets the end of one
	missing                 string   // why it can't run here, empty when it can
	command                 []string
	proc                    *process
}

// own tells whether the target is this very program.
func (t *target) own() bool { return slices.Contains([]string{"go", "raw", "web", "lines"}, t.runtime) }

// allTargets are the targets of the world. The names of those of the service mix are those of abilities.
func allTargets() []*target {
	return []*target{
		{name: "go", runtime: "go", instance: "t-go", port: 8080, services: []string{"mix", "iam", "flip"}},
		{name: "sa", runtime: "go", instance: "t-go", port: 8090, services: []string{"shift"}},
		{name: "sb", runtime: "go", instance: "t-m1", port: 8090, services: []string{"shift"}},
		{name: "six", runtime: "go", instance: "t-go", port: 8091, services: []string{"six"}, six: true},
		{name: "m1", runtime: "go", instance: "t-m1", port: 8080, services: []string{"members"}},
		{name: "m2", runtime: "go", instance: "t-m2", port: 8080, services: []string{"members"}},
		{name: "bgo", runtime: "go", instance: "o-go", port: 8080, services: []string{"other"}},
		{name: "w1", runtime: "web", instance: "t-m1", port: webPort},
		{name: "w2", runtime: "web", instance: "t-m2", port: webPort},
		{name: "lines", runtime: "lines", instance: "t-go", port: linesPort},
		{name: "raw", runtime: "raw", instance: "t-raw", port: 8081, services: []string{"mix"}, leaves: true},
		{name: "threads", runtime: "python3", instance: "t-python", port: 8082, services: []string{"mix"}, leaves: true},
		{name: "asyncio", runtime: "python3", instance: "t-python", port: 8083, services: []string{"mix"}, leaves: true},
		{name: "node", runtime: "node", instance: "t-node", port: 8084, services: []string{"mix"}, leaves: true},
		{name: "c", runtime: "gcc", instance: "t-c", port: 8085, services: []string{"mix"}, leaves: true},
		{name: "nginx", runtime: "nginx", instance: "t-c", port: 8086, services: []string{"mix"}, leaves: true},
	}
}

// prepareTargets finds the programs that targets need, and says of those that can't run why.
func prepareTargets(targets []*target, dir string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	entries, err := sources.ReadDir("runtimes")
	if err != nil {
		return err
	}
	for _, e := range entries {
		b, err := sources.ReadFile("runtimes/" + e.Name())
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, e.Name()), b, 0o644); err != nil {
			return err
		}
	}
	static, _ := io.ReadAll(newPattern(staticNonce, staticSize)) // a pattern does not fail
	if err := os.WriteFile(filepath.Join(dir, "static.txt"), static, 0o644); err != nil {
		return err
	}
	for _, t := range targets {
		program := self
		if !t.own() {
			if program, err = findRuntime(t.runtime); err != nil {
				t.missing = err.Error()
				continue
			}
		}
		switch t.runtime {
		case "python3":
			t.command = []string{program, filepath.Join(dir, "target_"+t.name+".py")}
		case "node":
			t.command = []string{program, filepath.Join(dir, "target.js")}
		case "gcc":
			t.command = []string{filepath.Join(dir, "target-c")}
			if out, err := exec.Command(program, "-O1", "-o", t.command[0], filepath.Join(dir, "target.c")).CombinedOutput(); err != nil {
				t.missing = fmt.Sprintf("gcc: %v: %.200s", err, out)
			}
		case "nginx":
			conf := filepath.Join(dir, "nginx.conf")
			if err := os.WriteFile(conf, []byte(nginxConf(dir, t.port)), 0o644); err != nil {
				return err
			}
			t.command = []string{program, "-c", conf, "-p", dir, "-e", filepath.Join(dir, "nginx.err")}
		default:
			t.command = []string{program}
		}
	}
	return nil
}

// findRuntime finds a program, and the one behind a wrapper of Python.
func findRuntime(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", errors.New(name + " is not installed")
	}
	if name == "python3" {
		if out, err := exec.Command(path, "-c", "import sys; print(sys.executable)").Output(); err == nil {
			return strings.TrimSpace(string(out)), nil
		}
	}
	return path, nil
}

// nginxConf serves one file, and closes connections after two idle seconds or fifty requests.
func nginxConf(dir string, port int) string {
	paths := ""
	for _, p := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		paths += p + "_temp_path " + dir + "/nginx-" + p + "; "
	}
	return fmt.Sprintf(`daemon off; master_process off; pid %[1]s/nginx.pid; error_log %[1]s/nginx.err;
events { worker_connections 512; }
http { access_log off; default_type text/plain; keepalive_timeout 2s; keepalive_requests 50; %[2]s
  server { listen %[3]d; root %[1]s;
    location = /healthz { return 200; }
    location / { add_header X-From nginx; add_header X-Nonce $arg_n; try_files /static.txt =404; } } }
`, dir, paths, port)
}

// process is a command that runs in an instance.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{}
}

// startInside starts a command in an instance, as the leader of a process group of its own.
func startInside(instance string, cmd *exec.Cmd) (*process, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := vpc.Start(instance, cmd); err != nil {
		return nil, err
	}
	p := &process{cmd, make(chan struct{})}
	go func() {
		cmd.Wait() // its exit code says nothing: most are killed
		close(p.ended)
	}()
	return p, nil
}

// signal sends a signal to the process and those that it made.
func (p *process) signal(s syscall.Signal) {
	if p != nil {
		syscall.Kill(-p.cmd.Process.Pid, s)
	}
}

// running tells whether the process has not ended.
func (p *process) running() bool {
	if p == nil {
		return false
	}
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// start starts a target and waits until it listens. corrupt is for the soak's own test.
func (t *target) start(i *instance, log string, corrupt int) error {
	cmd := exec.Command(t.command[0], t.command[1:]...)
	at := ":" + strconv.Itoa(t.port)
	if !t.six {
		at = "0.0.0.0" + at
	}
	cmd.Env = append(lab.Environment(os.Environ()), roleVariable+"=target-"+t.runtime, "SOAK_LISTEN="+at, "SOAK_NAME="+t.name)
	if corrupt > 0 {
		cmd.Env = append(cmd.Env, "SOAK_CORRUPT="+strconv.Itoa(corrupt))
	}
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	if t.proc, err = startInside(i.id, cmd); err != nil {
		return fmt.Errorf("start target %s: %w", t.name, err)
	}
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if !t.proc.running() {
			return fmt.Errorf("target %s ended (%s): %s", t.name, cmd.ProcessState, tail(log, 500))
		}
		if listens(cmd.Process.Pid, t.port) {
			return nil
		}
	}
	return fmt.Errorf("target %s does not listen: %s", t.name, tail(log, 500))
}

// listens tells whether something listens at a port in the network namespace of a process (proc(5), net/tcp: state
// 0A is LISTEN).
func listens(pid, port int) bool {
	for _, f := range []string{"tcp", "tcp6"} {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, f)) // gone: nobody listens
		for line := range strings.Lines(string(b)) {
			if p := strings.Fields(line); len(p) > 3 && p[3] == "0A" && strings.HasSuffix(p[1], fmt.Sprintf(":%04X", port)) {
				return true
			}
		}
	}
	return false
}

// clientProcess is a client in an instance, which is started again when it was killed.
type clientProcess struct {
	name, instance string
	config         clientConfig
	command        []string // empty: this program
	take           func(*call)

	mu    sync.Mutex
	proc  *process
	stdin io.WriteCloser
	lives int // how often it was started: each life has a seed of its own
}

// start starts the client.
func (c *clientProcess) start(i *instance, log string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	config := c.config
	config.Seed += uint64(c.lives) * 1000
	c.lives++
	b, err := json.Marshal(config)
	if err != nil {
		return err
	}
	command := c.command
	if len(command) == 0 {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		command = []string{self}
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(lab.WithoutProxies(lab.Environment(os.Environ())), roleVariable+"=client", "SOAK_CLIENT="+string(b))
	errs, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer errs.Close()
	cmd.Stderr = errs
	read, write, err := os.Pipe() // not cmd.StdoutPipe, whose reads end when Wait does
	if err != nil {
		return err
	}
	cmd.Stdout = write
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	proc, err := startInside(i.id, cmd)
	write.Close()
	if err != nil {
		read.Close()
		return fmt.Errorf("start client %s: %w", c.name, err)
	}
	c.proc, c.stdin = proc, stdin
	go func() {
		defer read.Close()
		lines := bufio.NewScanner(read)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var got call
			if json.Unmarshal(lines.Bytes(), &got) == nil { // the last line of a killed one may be half
				c.take(&got)
			}
		}
	}()
	return nil
}

// tell writes a line to the client's standard input.
func (c *clientProcess) tell(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err = c.stdin.Write(append(b, '\n'))
	return err
}

// stop ends the client and waits for it.
func (c *clientProcess) stop(ctx context.Context) {
	c.mu.Lock()
	proc, stdin := c.proc, c.stdin
	c.mu.Unlock()
	if proc == nil {
		return
	}
	stdin.Close()
	select {
	case <-proc.ended:
	case <-time.After(3 * time.Second):
	case <-ctx.Done():
	}
	proc.signal(syscall.SIGKILL)
	<-proc.ended
}
