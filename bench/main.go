// Command bench compares Trellis' data plane with nginx on the same work, paired in one run: fifty path
// prefixes, a JSON access log, keep-alive on both sides, small answers. The proxy has core 0, the load (wrk) and
// the target (nginx) have core 1; the contestants take turns in every round. It prints medians and their ratios
// to nginx. Other work on the machine moves the absolute numbers; the ratios hold better.
//
// It needs nginx, wrk and taskset.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"
)

// Where everything listens.
const (
	targetAddr  = "127.0.0.1:9501"
	nginxAddr   = "127.0.0.1:9502"
	trellisAddr = "127.0.0.1:9503"
	authAddr    = "127.0.0.1:9504"
	path        = "/p25/orders/12345"
)

// contestant is one of those compared.
type contestant struct {
	name, addr string
	pid        int // 0: nobody's CPU is counted
	signed     bool
	full       []result // with as many connections as fill the proxy's core
	alone      []result // with one connection: what the proxy adds to a call
}

// main reads the flags.
func main() {
	rounds := flag.Int("rounds", 5, "rounds; the medians are printed")
	length := flag.Duration("time", 3*time.Second, "length of one measurement")
	conns := flag.Int("connections", 64, "connections of the load")
	flag.Parse()
	log.SetFlags(0)
	if err := run(*rounds, *length, *conns); err != nil {
		log.Fatal(err)
	}
}

// run starts everything, measures and prints.
func run(rounds int, length time.Duration, conns int) error {
	for _, tool := range []string{"nginx", "wrk", "taskset"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%s is not installed (Debian: nginx-light, wrk, util-linux)", tool)
		}
	}
	dir, err := os.MkdirTemp("", "trellis-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	plane := filepath.Join(dir, "plane")
	if out, err := exec.Command("go", "build", "-o", plane, "github.com/trellis-project/trellis/bench/plane").CombinedOutput(); err != nil {
		return fmt.Errorf("build the data plane: %w\n%s", err, out)
	}
	all, stop, err := start(dir, plane)
	defer stop()
	if err != nil {
		return err
	}
	for round := range rounds {
		for _, c := range all {
			full, err := measure(dir, c, length, conns)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			alone, err := measure(dir, c, length, 1)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			c.full, c.alone = append(c.full, full), append(c.alone, alone)
			log.Printf("round %d of %d  %-24s %8.0f rps  %6.1f µs CPU  alone p50 %4.0f µs", round+1, rounds, c.name, full.rps, full.cpu, alone.p50)
		}
	}
	fmt.Printf("\n%d connections, the proxy's core full:\n", conns)
	print(all, func(c *contestant) []result { return c.full })
	fmt.Println("\none connection, one request at a time:")
	print(all, func(c *contestant) []result { return c.alone })
	return nil
}

// print writes the medians of one kind of measurement and their ratios to nginx.
func print(all []*contestant, of func(*contestant) []result) {
	var nginx result
	for _, c := range all {
		if c.name == "nginx" {
			nginx = median(of(c))
		}
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\t\trequests/s\tCPU µs/request\tp50 µs\tp99 µs\tCPU ÷ nginx\trps ÷ nginx\tp50 ÷ nginx\tp99 ÷ nginx\t")
	for _, c := range all {
		m := median(of(c))
		fmt.Fprintf(w, "%s\t\t%.0f\t%.1f\t%.0f\t%.0f\t%.2f\t%.2f\t%.2f\t%.2f\t\n", c.name, m.rps, m.cpu, m.p50, m.p99, m.cpu/nginx.cpu, m.rps/nginx.rps, m.p50/nginx.p50, m.p99/nginx.p99)
	}
	w.Flush()
}

// median takes the median of each number.
func median(rs []result) result {
	of := func(f func(result) float64) float64 {
		v := make([]float64, 0, len(rs))
		for _, r := range rs {
			v = append(v, f(r))
		}
		slices.Sort(v)
		return v[len(v)/2]
	}
	return result{of(func(r result) float64 { return r.rps }), of(func(r result) float64 { return r.cpu }),
		of(func(r result) float64 { return r.p50 }), of(func(r result) float64 { return r.p99 })}
}
