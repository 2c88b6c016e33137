package main

import (
	"context"
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
	for name, command := range map[string][]string{"nginx": {"nginx", "-v"}, "HAProxy": {"haproxy", "-v"}, "Envoy": {envoy, "--version"}, "wrk": {"wrk", "-v"}} {
		out, _ := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput() // wrk -v fails
		a.Versions[name] = versionNumber.FindString(string(out))
	}
	return a
}

// String is a line for people.
func (a about) String() string {
	text := fmt.Sprintf("%s, Trellis %s: %d rounds, medians with (least–most); %d cores of %s, Linux %s, %s, nginx %s, HAProxy %s, Envoy %s, wrk %s.",
		a.At.Format(time.DateOnly), a.Commit, a.Rounds, a.Cores, a.CPU, a.Kernel, a.Go, a.Versions["nginx"], a.Versions["HAProxy"], a.Versions["Envoy"], a.Versions["wrk"])
	if a.Foreign > 0 {
		text += fmt.Sprintf(" Other work on the machine took %.2f cores.", a.Foreign)
	}
	if a.Foreign > quietEnough {
		text += " That is too much: rates and latencies are its as much as the proxies'."
	}
	return text
}
