// Command bench compares Trellis' data plane with other proxies on the same work, all of them in one run and in
// turns, so that what the machine does besides hits all alike. It prints tables with Trellis' aims beside the values,
// and leaves results.json, tables.md and plots in bench/results. docs/performance.md says what is measured and how.
//
// It needs root for a sandbox (sandbox.go), two cores, and what `.ci/install bench` installs.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"maps"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	rounds            int
	length            time.Duration
	rows, contestants string
	out               string
	cores             string
	awake             bool
	publish           bool
	profiles          string
}

// main reads the flags, and goes on in the sandbox.
func main() {
	var o options
	flag.IntVar(&o.rounds, "rounds", 3, "rounds; medians are printed")
	flag.DurationVar(&o.length, "time", 2*time.Second, "length of one measurement, in whole seconds")
	flag.StringVar(&o.rows, "rows", "", "rows to measure, for example a,b8,f10k; a letter stands for all of its rows (default all)")
	flag.StringVar(&o.contestants, "contestants", "", "contestants, for example nginx,trellis (default all)")
	flag.StringVar(&o.out, "out", "bench/results", "folder for results")
	flag.StringVar(&o.cores, "cores", "0,1", "core of the proxy, core of the load and the target")
	flag.BoolVar(&realtime, "realtime", false, "keep other work off by the real-time class: steadier where there is some, but what shares the proxy's core then waits (rows f)")
	flag.BoolVar(&o.awake, "awake", true, "keep the cores from halting, but in rows b")
	flag.BoolVar(&o.publish, "publish", false, "measure nothing: put the tables and plots of the last run into docs")
	flag.StringVar(&o.profiles, "profiles", "", "folder for a CPU profile of Trellis in each measurement, which makes it a little slower")
	flag.Parse()
	log.SetFlags(0)
	code := 0
	err := error(nil)
	switch {
	case o.publish:
		err = publish(o.out)
	case os.Getenv(inside) == "":
		code, err = outside()
	default:
		err = run(o, os.Getenv(inside))
	}
	if err != nil {
		log.Print(err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// outside builds what needs the network, and runs this program again in the sandbox.
func outside() (int, error) {
	if os.Geteuid() != 0 {
		return 3, errors.New("this makes namespaces: run it as root (sudo make bench)")
	}
	for _, tool := range []string{"nginx", "haproxy", "wrk", "h2load", "taskset", "chrt"} {
		if _, err := exec.LookPath(tool); err != nil {
			return 1, fmt.Errorf("%s is not installed: .ci/install bench does it", tool)
		}
	}
	t, err := build()
	if err != nil {
		return 1, err
	}
	commit, _ := exec.Command("git", "describe", "--always", "--dirty").Output() // empty where there is no git
	return enter(errands{Tools: t, Commit: strings.TrimSpace(string(commit))})
}

// build builds the programs of the tree into .build, and finds Envoy where .ci/install has put it.
func build() (tools, error) {
	dir, err := filepath.Abs(".build/bench")
	if err != nil {
		return tools{}, err
	}
	args := []string{"build", "-o", dir + "/"}
	for _, name := range []string{"bench/plane", "bench/target", "bench/load", "bench/reverseproxy", "bench/api", "cmd/trellis"} {
		args = append(args, "github.com/trellis-project/trellis/"+name)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return tools{}, err
	}
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		return tools{}, fmt.Errorf("build: %w\n%s", err, out)
	}
	found, _ := filepath.Glob(".cache/envoy/lib/python3*/site-packages/envoy/_bin/envoy")
	if len(found) == 0 {
		return tools{}, errors.New("no Envoy below .cache/envoy: .ci/install bench puts it there")
	}
	envoy, err := filepath.Abs(found[0])
	if err != nil {
		return tools{}, err
	}
	moto, err := filepath.Abs(".cache/moto/bin/moto_server")
	return tools{Plane: dir + "/plane", Target: dir + "/target", Load: dir + "/load", ReverseProxy: dir + "/reverseproxy", API: dir + "/api", Trellis: dir + "/trellis", Envoy: envoy, Moto: moto}, err
}

// run is the whole comparison, inside the sandbox.
func run(o options, errandsText string) error {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer cancel()
	var e errands
	err := json.Unmarshal([]byte(errandsText), &e)
	if err != nil {
		return err
	}
	b := &bench{dir: e.Dir, disk: filepath.Dir(e.Tools.API), tools: e.Tools, length: o.length, profiles: o.profiles, texts: map[string]int{}}
	proxy, load, ok := strings.Cut(o.cores, ",")
	if !ok {
		return fmt.Errorf("-cores %q: want two, for example 0,1", o.cores)
	}
	proxyCore, loadCore = proxy, load
	if err := errors.Join(os.MkdirAll(o.out, 0o755), furnish(b.dir)); err != nil {
		return err
	}
	if b.certificates, err = newCertificates(); err != nil {
		return err
	}
	if b.token, err = newToken(); err != nil {
		return err
	}
	if o.awake {
		for _, core := range []string{proxyCore, loadCore} {
			p, err := start(program{core: core, name: b.tools.Load, args: []string{"awake"}, env: quiet, lowest: true})
			if err != nil {
				return err
			}
			b.awake = append(b.awake, p)
		}
		defer stop(b.awake)
	}
	rs, all, err := choose(o.rows, o.contestants)
	if err != nil {
		return err
	}
	r := results{About: describe(ctx, b.tools.Envoy, o.rounds)}
	r.About.Commit = e.Commit
	before, err := findStalls(ctx, b.tools.Load)
	if err != nil {
		return err
	}
	if r.Samples, err = measure(ctx, b, turns(o.rounds, rs, all)); err != nil {
		return err
	}
	after, err := findStalls(ctx, b.tools.Load)
	if err != nil {
		return err
	}
	r.About.Stalls = append(before, after...)
	r.About.Foreign = foreign(r.Samples)
	r.print(os.Stdout)
	if err := r.save(o.out); err != nil {
		return err
	}
	if es := r.errors(); len(es) > 0 {
		return fmt.Errorf("%d measurements failed", len(es))
	}
	return nil
}

// choose finds the rows and contestants that are asked for.
func choose(rowNames, contestantNames string) (rs []row, cs []*contestant, err error) {
	wanted := func(list, name string, letter bool) bool {
		return list == "" || slices.ContainsFunc(strings.Split(list, ","), func(w string) bool { return w == name || letter && w == name[:1] })
	}
	for _, r := range rows() {
		if wanted(rowNames, r.name, true) {
			rs = append(rs, r)
		}
	}
	for _, c := range contestants() {
		if wanted(contestantNames, c.name, false) {
			cs = append(cs, c)
		}
	}
	if len(rs) == 0 || len(cs) == 0 {
		return nil, nil, fmt.Errorf("no row %q or no contestant %q", rowNames, contestantNames)
	}
	return rs, cs, nil
}

// turn is one measurement that is to be taken.
type turn struct {
	round int
	row   row
	c     *contestant
}

// turns are all of them, in their order: in each round, and in each row, another contestant begins.
func turns(rounds int, rs []row, cs []*contestant) (ts []turn) {
	for round := range rounds {
		for _, row := range rs {
			if row.once && round > 0 {
				continue
			}
			var in []*contestant
			for _, c := range cs {
				if c.in(row.name) && (row.takes == nil || row.takes(c)) {
					in = append(in, c)
				}
			}
			for i := range in {
				ts = append(ts, turn{round, row, in[(i+round)%len(in)]})
			}
		}
	}
	return ts
}

// measure takes all turns. One that fails doesn't end the run.
func measure(ctx context.Context, b *bench, ts []turn) (samples []sample, err error) {
	begun := time.Now()
	unable := map[string]error{}
	for i, t := range ts {
		s := sample{Row: t.row.name, Contestant: t.c.name, Round: t.round, At: time.Now().UTC().Truncate(time.Second)}
		err := unable[t.c.name]
		if err == nil {
			s.Metrics, err = t.row.measure(ctx, b, t.c)
		}
		if ctx.Err() != nil {
			return nil, errors.New("interrupted")
		}
		said := ""
		if err != nil {
			s.Error, s.Metrics = strings.TrimSpace(err.Error()), nil
			if s.Unable = errors.Is(err, errUnable); s.Unable {
				unable[t.c.name] = err
			}
			said = "  " + s.Error
		}
		maps.DeleteFunc(s.Metrics, func(_ string, v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) }) // JSON has no such numbers
		samples = append(samples, s)
		for _, col := range t.row.columns[:min(3, len(t.row.columns))] {
			if v, ok := s.Metrics[col.metric]; ok {
				said += fmt.Sprintf("  %s %s", number(v, col.format), col.title)
			}
		}
		log.Printf("%5.0f s  %d of %d  round %d  %-4s  %-14s%s", time.Since(begun).Seconds(), i+1, len(ts), t.round+1, t.row.name, t.c.name, said)
	}
	return samples, nil
}

// foreign is the median of what other work took.
func foreign(samples []sample) float64 {
	var vs []float64
	for _, s := range samples {
		if v, ok := s.Metrics["foreign"]; ok {
			vs = append(vs, v)
		}
	}
	return spreadOf(vs).median
}
