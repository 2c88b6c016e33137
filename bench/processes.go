package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is one that the comparison started.
type process struct {
	name string
	cmd  *exec.Cmd
	errs bytes.Buffer
	done chan struct{} // closed when it has ended
}

// The cores of the proxy, and of the load and the target.
var (
	proxyCore = "0"
	loadCore  = "1"
)

// program is what to start on a core.
type program struct {
	core, name string
	args       []string
	stdout     string   // a file; nowhere when empty
	env        []string // besides this process's
	lowest     bool     // it gets what nothing else of the sandbox wants, and gives way at once
}

// realtime puts what is measured into a scheduling class of its own (SCHED_RR), above all other work.
var realtime bool

// onCore is the command line of a program on a core. It has no more priority than other programs, and than what the
// kernel does in threads of its own: to starve those is to measure something else.
func onCore(core string, command ...string) []string {
	on := []string{"taskset", "-c", core}
	if realtime {
		on = append(on, "chrt", "-r", "1")
	}
	return append(on, command...)
}

// start starts a program.
func start(g program) (*process, error) {
	p := &process{name: filepath.Base(g.name), done: make(chan struct{})}
	args := onCore(g.core, append([]string{g.name}, g.args...)...)
	if g.lowest {
		args = append([]string{"taskset", "-c", g.core, "chrt", "-i", "0", g.name}, g.args...)
	}
	p.cmd = exec.Command(args[0], args[1:]...)
	p.cmd.Env = append(os.Environ(), g.env...)
	p.cmd.Stderr = &p.errs
	if g.stdout != "" {
		f, err := os.Create(g.stdout)
		if err != nil {
			return nil, fmt.Errorf("output of %s: %w", g.name, err)
		}
		defer f.Close()
		p.cmd.Stdout = f
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", g.name, err)
	}
	go func() {
		p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// one is the list of a process, empty when it is nil.
func one(p *process) []*process {
	if p == nil {
		return nil
	}
	return []*process{p}
}

// stop ends processes: politely, and after two seconds not.
func stop(ps []*process) {
	for _, p := range ps {
		p.cmd.Process.Signal(syscall.SIGTERM)
	}
	patience := time.After(2 * time.Second)
	for _, p := range ps {
		select {
		case <-p.done:
			continue
		case <-patience:
		}
		patience = time.After(0)
		for _, pid := range family(p.cmd.Process.Pid) {
			syscall.Kill(pid, syscall.SIGKILL)
		}
		<-p.done
	}
}

// await waits until somebody listens, or the process has ended.
func (p *process) await(ctx context.Context, addr string, within time.Duration) error {
	limit := time.After(within)
	for {
		if c, err := net.DialTimeout("tcp", addr, time.Second); err == nil {
			return c.Close()
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s ended: %s", p.name, p.errs.String())
		case <-ctx.Done():
			return ctx.Err()
		case <-limit:
			return fmt.Errorf("%s doesn't listen on %s: %s", p.name, addr, p.errs.String())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// family is a process and all that descend from it: nginx's workers, HAProxy's behind its master. The sandbox has
// few processes, so all are asked who their parent is.
func family(pid int) []int {
	children := map[int][]int{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, f := range stats {
		b, err := os.ReadFile(f)
		if err != nil {
			continue // it has ended
		}
		// PID (NAME) STATE PPID …, and a name may have parentheses in it.
		fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
		child, err1 := strconv.Atoi(filepath.Base(filepath.Dir(f)))
		parent, err2 := strconv.Atoi(fields[1])
		if err1 == nil && err2 == nil {
			children[parent] = append(children[parent], child)
		}
	}
	pids := []int{pid}
	for i := 0; i < len(pids); i++ {
		pids = append(pids, children[pids[i]]...)
	}
	return pids
}

// cpuTime is how long the threads of some processes and their families have run, by the kernel's own account.
func cpuTime(ps []*process) (time.Duration, error) {
	var sum int64
	for _, p := range ps {
		for _, pid := range family(p.cmd.Process.Pid) {
			files, _ := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/schedstat")
			for _, f := range files {
				b, err := os.ReadFile(f)
				if err != nil {
					continue // the thread has ended
				}
				text, _, _ := strings.Cut(string(b), " ")
				n, err := strconv.ParseInt(text, 10, 64)
				if err != nil {
					return 0, fmt.Errorf("%s: %w", f, err)
				}
				sum += n
			}
		}
	}
	return time.Duration(sum), nil
}

// memory is what some processes and their families hold, in bytes.
type memory struct {
	pss  float64 // what is shared is divided among those who share it
	peak float64 // the sum of the peaks of the resident sizes
}

// memoryOf asks the kernel.
func memoryOf(ps []*process) (memory, error) {
	var m memory
	for _, p := range ps {
		for _, pid := range family(p.cmd.Process.Pid) {
			dir := "/proc/" + strconv.Itoa(pid)
			rollup, err := os.ReadFile(dir + "/smaps_rollup")
			status, err2 := os.ReadFile(dir + "/status")
			if errors.Join(err, err2) != nil {
				continue // it has ended
			}
			m.pss += kilobytes(string(rollup), "Pss:")
			m.peak += kilobytes(string(status), "VmHWM:")
		}
	}
	if m.pss == 0 {
		return m, errors.New("no process to measure the memory of")
	}
	return m, nil
}

// kilobytes finds a line of a file of /proc, for example "Pss:  1234 kB", and returns bytes.
func kilobytes(text, name string) float64 {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			n, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return n * 1024
		}
	}
	return 0
}

// busy is how long all cores were used by anybody, and how long the host had them.
func busy() (used, stolen time.Duration) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0
	}
	line, _, _ := strings.Cut(string(b), "\n")
	const tick = time.Second / 100 // USER_HZ, everywhere
	var n [10]int64
	for i, f := range strings.Fields(line)[1:] {
		if i < len(n) {
			n[i], _ = strconv.ParseInt(f, 10, 64)
		}
	}
	return time.Duration(n[0]+n[1]+n[2]+n[5]+n[6]) * tick, time.Duration(n[7]) * tick
}
