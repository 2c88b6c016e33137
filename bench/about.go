package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// about is where and with what a run was made.
type about struct {
	At       time.Time         `json:"at"`
	Commit   string            `json:"commit,omitempty"`
	CPU      string            `json:"cpu"`
	Cores    int               `json:"cores"`
	Kernel   string            `json:"kernel"`
	Go       string            `json:"go"`
	Versions map[string]string `json:"versions"`
	Rounds   int               `json:"rounds"`
	Foreign  float64           `json:"foreign,omitempty"` // cores that others used, the median of all measurements
	Stalls   []stalls          `json:"stalls,omitempty"`  // before the run and after it, of each core
}

// stalls are what a loop that does nothing loses of its core, when both cores have such a loop.
type stalls struct {
	Lost    float64 `json:"lost"`    // share of the time
	Longest float64 `json:"longest"` // µs, at once
}

// findStalls looks for the stalls of both cores.
func findStalls(ctx context.Context, load string) (found []stalls, err error) {
	type result struct {
		stalls
		err error
	}
	results := make(chan result)
	for _, core := range []string{proxyCore, loadCore} {
		go func() {
			var r result
			args := onCore(core, load, "stalls", "-time", "3s")
			cmd := exec.CommandContext(ctx, args[0], args[1:]...)
			cmd.Env = append(os.Environ(), quiet...)
			out, err := cmd.Output()
			if r.err = err; err == nil {
				r.err = json.Unmarshal(out, &r.stalls)
			}
			results <- r
		}()
	}
	for range 2 {
		r := <-results
		found, err = append(found, r.stalls), errors.Join(err, r.err)
	}
	return found, err
}

// quietEnough is how many cores other work may take.
const quietEnough = 0.05

// versionNumber finds the version in what a program says about itself.
var versionNumber = regexp.MustCompile(`\d+\.\d+\.\d+`)

// describe asks the machine and the contestants.
func describe(ctx context.Context, envoy string, rounds int) about {
	a := about{At: time.Now().UTC().Truncate(time.Second), Cores: runtime.NumCPU(), Go: runtime.Version(), Rounds: rounds, Versions: map[string]string{}}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		a.Kernel = unix.ByteSliceToString(u.Release[:])
	}
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			a.CPU = strings.TrimSpace(value)
			break
		}
	}
	for name, command := range map[string][]string{"nginx": {"nginx", "-v"}, "HAProxy": {"haproxy", "-v"}, "Envoy": {envoy, "--version"}, "wrk": {"wrk", "-v"}, "h2load": {"h2load", "--version"}} {
		out, _ := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput() // wrk -v fails
		a.Versions[name] = versionNumber.FindString(string(out))
	}
	return a
}

// String is a line for people.
func (a about) String() string {
	text := fmt.Sprintf("%s, Trellis %s: %d rounds, medians with (least–most); %d cores of %s, Linux %s, %s, nginx %s, HAProxy %s, Envoy %s, wrk %s, h2load %s.",
		a.At.Format(time.DateOnly), a.Commit, a.Rounds, a.Cores, a.CPU, a.Kernel, a.Go, a.Versions["nginx"], a.Versions["HAProxy"], a.Versions["Envoy"], a.Versions["wrk"], a.Versions["h2load"])
	if a.Foreign > 0 {
		text += fmt.Sprintf(" Other work on the machine took %.2f cores.", a.Foreign)
	}
	if len(a.Stalls) > 0 {
		lost, longest := 0.0, 0.0
		for _, s := range a.Stalls {
			lost, longest = lost+s.Lost/float64(len(a.Stalls)), max(longest, s.Longest)
		}
		text += fmt.Sprintf(" Loops that did nothing else lost %.2f %% of both cores, up to %.1f ms at once: whose tail is shorter was lucky.", 100*lost, longest/1e3)
	}
	if a.Foreign > quietEnough {
		text += " That is too much: rates and latencies are its as much as the proxies'."
	}
	return text
}
