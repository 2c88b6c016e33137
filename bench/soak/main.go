// Command soak runs a whole Trellis for an hour, or any time, under traffic, changes and faults, and says what was not as
// it must be: an answer that nothing explains, memory that grows, or a descriptor, goroutine, packet rule, link or
// namespace that is left.
//
//	go run ./bench/soak -time 1h
//
// It starts `trellis serve` on a scratch directory, and makes through the AWS API two accounts, three VPCs of which two
// have the same CIDR, instances, services. Targets in Go, Python, Node, C and nginx, as far as the machine has them,
// answer in those instances; clients in Go, curl, Python and Node call them from others, some on raw sockets with bad
// manners. Each call carries a nonce and every byte of its answer is compared. Meanwhile churn.go changes rules, weights,
// policies, members, services, and faults.go kills, freezes and cuts off targets and clients. judge.go knows what was
// valid at each moment, and so which answer to a call may be.
//
// Everything is done through the public API and in namespaces that Trellis made. It needs root. The exit code is 0 when
// nothing was found, 1 when something was, 2 for wrong arguments.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// options are what a soak can be told.
type options struct {
	length  time.Duration  // of the traffic
	seed    uint64         // of everything that is by chance: the same seed, the same sequence of calls and changes
	rate    float64        // calls in a second, of all clients together
	churn   float64        // quick changes in a second
	faults  time.Duration  // mean time between two
	restart time.Duration  // time between two restarts of Trellis; 0 for none
	big     int64          // bytes of the biggest body
	program string         // trellis; empty: built from this source
	results string         // directory for the report
	sample  time.Duration  // time between two samples and progress lines
	idle    time.Duration  // how long to wait until everything is idle
	plain   bool           // Go's targets and clients only
	keep    bool           // the scratch directory, whatever was found
	corrupt int            // which answer of the target go has a wrong byte; 0 for none
	hurry   chan os.Signal // a second Ctrl-C: Trellis is ended, which removes all that is its, and no report comes

	out io.Writer
}

// main plays a role in an instance, or runs a soak.
func main() {
	if done, err := playRole(); done {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	o := options{out: os.Stdout, sample: 10 * time.Second, idle: 90 * time.Second}
	flag.DurationVar(&o.length, "time", time.Hour, "how long clients call")
	flag.Uint64Var(&o.seed, "seed", 1, "of the sequence of calls, changes and faults")
	flag.Float64Var(&o.rate, "rate", 120, "calls in a second, of all clients together")
	flag.Float64Var(&o.churn, "churn", 4, "quick changes (rules, weights, policies, members) in a second")
	flag.DurationVar(&o.faults, "faults", 15*time.Second, "mean time between two faults")
	flag.DurationVar(&o.restart, "restart", 0, "time between two restarts of Trellis, by SIGTERM and by kill -9 in turn (default: none)")
	big := flag.Int64("big", 10, "megabytes of the biggest body")
	flag.StringVar(&o.program, "trellis", "", "the trellis program (default: built from this source)")
	flag.StringVar(&o.results, "results", "bench/results", "directory for the report as JSON")
	flag.BoolVar(&o.keep, "keep", false, "keep the directory with Trellis' log and profiles even when nothing was found")
	flag.BoolVar(&o.plain, "plain", false, "targets and clients in Go alone, whatever else is installed")
	flag.Parse()
	o.big = *big << 20
	if flag.NArg() > 0 || o.length <= 0 || o.rate <= 0 || o.churn <= 0 || o.faults <= 0 || o.big <= 0 || o.restart < 0 {
		fmt.Fprintln(os.Stderr, "want positive numbers and no further arguments; -h tells the flags")
		os.Exit(2)
	}
	if os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, "Trellis makes network namespaces: run this as root")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	o.hurry = make(chan os.Signal, 1)
	go func() {
		<-ctx.Done()
		signal.Notify(o.hurry, os.Interrupt, syscall.SIGTERM)
		stop()
		fmt.Fprintln(os.Stderr, "ending: everything is removed, and the report comes; once more ends without it")
	}()
	r, err := run(ctx, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
	r.print(os.Stdout)
	path, err := r.write(o.results)
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
	fmt.Println("The report is in", path)
	if r.failed() {
		os.Exit(1)
	}
}

// playRole is what this program does when the soak started it again in an instance.
func playRole() (done bool, err error) {
	role := os.Getenv(roleVariable)
	kind, isTarget := strings.CutPrefix(role, "target-")
	switch {
	case role == "":
		return false, nil
	case isTarget:
		return true, playTarget(kind)
	case role == "client":
		return true, playClient()
	}
	return true, errors.New("no role " + role)
}
