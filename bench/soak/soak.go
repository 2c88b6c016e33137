package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// soak is one run: the daemon, the world in it, and everybody who is at work there.
type soak struct {
	options
	dir     string // scratch
	daemon  *daemon
	world   *world
	targets []*target
	clients []*clientProcess
	judge   *judge
	churn   *churn
	faults  *faults
	gate    sync.RWMutex // held by churn while it changes something, by a restart of Trellis

	shown     int // of what is unexplained, how much was printed
	lastTotal int // of progress
	lastAt    time.Time
}

// run runs a soak to its end. When ctx is done, the traffic ends early and everything else is as always. An error
// means that the soak itself could not be carried out.
func run(ctx context.Context, o options) (r *report, err error) {
	dir, err := os.MkdirTemp("", "trellis-soak-")
	if err != nil {
		return nil, err
	}
	keep := true
	defer func() {
		if !keep {
			os.RemoveAll(dir)
		}
	}()
	// The rest must be done even when ctx is done: all that is made is to be removed.
	rest := context.WithoutCancel(ctx)
	s := &soak{options: o, dir: dir, targets: allTargets()}
	r = &report{Begun: time.Now(), Seed: o.seed, Command: fmt.Sprintf("go run ./bench/soak -time %s -seed %d -rate %g -churn %g -faults %s -restart %s -big %d", o.length, o.seed, o.rate, o.churn,
		o.faults, o.restart, o.big>>20)}
	if err := s.prepare(r); err != nil {
		return nil, err
	}
	r.dataDir = s.daemon.dir
	s.judge = newJudge(s.targets, shiftRules)
	s.say("starting Trellis: %s", s.daemon.program)
	if err := s.daemon.start(ctx); err != nil {
		s.daemon.stop()
		return nil, fmt.Errorf("%w (see %s)", err, dir)
	}
	defer func() { // after an error: Trellis removes what it made, and all processes with it
		if s.daemon.alive() {
			err = errors.Join(err, s.daemon.stop())
		}
	}()
	go func() {
		<-o.hurry // never, when there is no channel
		s.daemon.stop()
		os.RemoveAll(dir)
		os.Exit(130)
	}()
	if err := s.begin(ctx, r); err != nil {
		return nil, fmt.Errorf("%w (see %s)", err, dir)
	}
	s.traffic(ctx, r)
	if err := s.end(rest, r); err != nil {
		return nil, fmt.Errorf("%w (see %s)", err, dir)
	}
	s.finish(r)
	r.Seconds = time.Since(r.Begun).Seconds()
	if keep = r.failed() || o.keep; keep {
		r.Kept = dir
	}
	return r, nil
}

// say prints what is done now.
func (s *soak) say(format string, a ...any) {
	fmt.Fprintf(s.out, "%s %s\n", time.Now().Format("15:04:05"), fmt.Sprintf(format, a...))
}

// prepare builds Trellis and finds the runtimes of targets and clients.
func (s *soak) prepare(r *report) (err error) {
	program := s.program
	if program == "" {
		if program, err = buildProgram(s.dir); err != nil {
			return err
		}
	}
	if s.daemon, err = newDaemon(program, s.dir); err != nil {
		return err
	}
	if err := prepareTargets(s.targets, s.dir); err != nil {
		return err
	}
	for _, t := range s.targets {
		if t.missing == "" && s.plain && !t.own() {
			t.missing = "-plain"
		}
		if t.missing != "" {
			r.Missing = append(r.Missing, "target "+t.name+": "+t.missing)
		}
	}
	return nil
}

// begin makes the world, and measures before and after.
func (s *soak) begin(ctx context.Context, r *report) (err error) {
	warm := &world{d: s.daemon, vpcs: map[string]*vpcNoun{}}
	if err := warm.makeAccounts(ctx); err != nil {
		return err
	}
	// What is made at the first use and stays is no leak: use everything once.
	if _, err := warm.makeVPC(ctx, accountA, "10.9.0.0/16"); err != nil {
		return err
	}
	if err := warm.remove(ctx); err != nil {
		return err
	}
	measures := 1 + min(int(s.idle/time.Second), 3)
	if r.Start, err = s.daemon.leastOf(ctx, measures, 500*time.Millisecond); err != nil {
		return err
	}
	s.say("making the world: 2 accounts, 3 VPCs, 10 services, 2 resources")
	s.world, err = makeWorld(ctx, s.daemon, s.targets, func(w *world) error {
		s.world = w
		return s.startProcesses()
	})
	if err != nil {
		return err
	}
	s.judge.others = map[string][]string{"iam": {"go"}, "flip": {"go"}, "six": {"six"}, "other": {"bgo"}, "kept": webTargets, "lines": {"lines"}}
	s.judge.shift = newTimeline("sa")
	s.say("waiting until the targets are healthy")
	if err := s.awaitHealthy(ctx); err != nil {
		return err
	}
	if r.Idle, err = s.daemon.leastOf(ctx, measures, time.Second); err != nil {
		return err
	}
	s.profile(ctx, "heap-world-before")
	s.makeClients(r)
	return nil
}

// startTarget starts a target in its instance.
func (s *soak) startTarget(t *target) error {
	corrupt := 0
	if t.name == "go" {
		corrupt = s.corrupt
	}
	return t.start(s.world.instances[t.instance], filepath.Join(s.dir, "target-"+t.name+".log"), corrupt)
}

// awaitHealthy waits until every target that is in use has passed its health check.
func (s *soak) awaitHealthy(ctx context.Context) error {
	for _, svc := range s.world.services {
		for _, id := range svc.groups {
			err := s.daemon.until(ctx, svc.account, "vpc-lattice ListTargets", in{"targetGroupIdentifier": id}, func(a answer) bool {
				for _, t := range a.list("items") {
					if status := t.text("status"); status != "HEALTHY" && status != "UNUSED" {
						return false
					}
				}
				return true
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// makeClients says which clients there are. The rates are parts of the whole.
func (s *soak) makeClients(r *report) {
	hosts := func(names ...string) map[string]string {
		m := map[string]string{}
		for _, n := range names {
			m[n] = s.world.services[n].dns
		}
		return m
	}
	add := func(kind, name, instance string, part float64, six bool, command []string, services ...string) {
		s.clients = append(s.clients, &clientProcess{name: name, instance: instance, command: command, take: s.judge.take, config: clientConfig{Kind: kind,
			Services: hosts(services...), Wants: s.world.wants, Rate: s.rate * part, Rules: shiftRules, Seed: s.seed + uint64(len(s.clients))*100, Big: s.big, IPv6: six}})
	}
	open := []string{"mix", "shift", "fixed", "members", "six", "other"}
	add("probe", "probe", "c-probe", 0, false, nil)
	add("go", "go", "c-go", 0.35, false, nil, append(open, "iam")...)
	add("go", "go-ipv6", "c-go", 0.1, true, nil, open...)
	add("go", "go-other", "o-client", 0.1, false, nil, open...)
	add("signed", "signed", "c-go", 0.15, false, nil, "iam", "flip")
	add("signed", "signed-other", "o-client", 0.05, false, nil, "iam", "flip")
	add("odd", "odd", "c-odd", 0.1, false, nil)
	s.clients[len(s.clients)-1].config.Services = hosts("mix")
	add("speak", "speak", "c-speak", 0.3, false, nil, "web")
	speaks := &s.clients[len(s.clients)-1].config
	speaks.Services["lines"], speaks.Root = s.world.speaking.lines, filepath.Join(s.daemon.dir, "ca.pem")
	for _, script := range []struct {
		kind, runtime, file string
		part                float64
	}{{"curl", "curl", "", 0.02}, {"python", "python3", "client.py", 0.06}, {"node", "node", "client.js", 0.07}} {
		program, err := findRuntime(script.runtime)
		if s.plain {
			err = errors.New("-plain")
		}
		if err != nil {
			r.Missing = append(r.Missing, "client "+script.kind+": "+err.Error())
			continue
		}
		var command []string
		if script.file != "" {
			command = []string{program, filepath.Join(s.dir, script.file)}
		}
		add(script.kind, script.kind, "c-scripts", script.part, false, command, open...)
	}
}

// startClient starts a client in its instance.
func (s *soak) startClient(c *clientProcess) error {
	return c.start(s.world.instances[c.instance], filepath.Join(s.dir, "client-"+c.name+".log"))
}

// startProcesses starts what does not run: after Trellis has ended in order, everything.
func (s *soak) startProcesses() error {
	for _, t := range s.targets {
		if t.missing == "" && !t.proc.running() {
			if err := s.startTarget(t); err != nil {
				return err
			}
		}
	}
	for _, c := range s.clients {
		if !c.proc.running() {
			if err := s.startClient(c); err != nil {
				return err
			}
		}
	}
	return nil
}

// traffic lets everybody work until the time is up or ctx is done, or Trellis has ended by itself.
func (s *soak) traffic(ctx context.Context, r *report) {
	s.churn = &churn{w: s.world, j: s.judge, probe: s.clients[0], dir: s.dir, rate: s.options.churn, gate: &s.gate, counts: map[string]int{}}
	s.faults = &faults{s: s, every: s.options.faults, counts: map[string]int{}}
	s.say("traffic for %s", s.length)
	if err := s.startProcesses(); err != nil {
		s.judge.complain("start clients: %v", err)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, s.length)
	defer cancel()
	var work sync.WaitGroup
	work.Go(func() { watchMachine(ctx, s) })
	work.Go(func() { s.churn.run(ctx, s.seed) })
	work.Go(func() {
		if s.options.restart == 0 {
			s.faults.run(ctx, s.seed)
			return
		}
		for n := 0; ctx.Err() == nil; n++ { // faults and restarts take turns: a fault in an instance needs its namespace
			part, end := context.WithTimeout(ctx, s.options.restart)
			s.faults.run(part, s.seed+uint64(n))
			end()
			if ctx.Err() == nil {
				if err := s.faults.restart(context.WithoutCancel(ctx), n%2 == 1); err != nil {
					s.judge.complain("restart: %v", err)
				}
				s.faults.mu.Lock()
				s.faults.counts["Trellis started again"]++
				s.faults.mu.Unlock()
			}
		}
	})
	begun := time.Now()
	s.lastAt = begun
	tick := time.NewTicker(s.sample)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
			s.gate.RLock()
			m, err := s.daemon.measure(context.WithoutCancel(ctx))
			alive := s.daemon.alive()
			s.gate.RUnlock()
			if err != nil {
				s.judge.complain("measure: %v", err)
			} else {
				r.Samples = append(r.Samples, m)
			}
			s.judge.settleDoubts(false)
			s.progress(m, begun)
			if !alive {
				s.judge.complain("trellis serve has ended: %s", tail(s.daemon.logPath, 3000))
				cancel()
			}
		}
	}
	work.Wait()
	for _, c := range s.clients {
		if !c.proc.running() {
			s.judge.complain("client %s has ended: %s", c.name, tail(filepath.Join(s.dir, "client-"+c.name+".log"), 500))
		}
	}
	for _, c := range s.clients {
		c.stop(context.WithoutCancel(ctx))
	}
}

// end puts the world back as it was, compares, removes it, compares, and ends Trellis.
func (s *soak) end(ctx context.Context, r *report) error {
	if !s.daemon.alive() {
		return nil // said already
	}
	s.profile(ctx, "heap-world-after")
	if err := s.undoChurn(ctx); err != nil {
		s.judge.complain("put the world back: %v", err)
	}
	s.say("traffic has ended; waiting until the world is idle")
	var found []string
	var err error
	if r.IdleAfter, found, err = s.daemon.awaitIdle(ctx, "in the idle world", r.Idle, s.idle, true); err != nil {
		return err
	}
	r.Leaks = append(r.Leaks, found...)
	s.say("removing the world")
	for _, t := range s.targets {
		t.proc.signal(syscall.SIGKILL)
	}
	if err := s.world.remove(ctx); err != nil {
		s.judge.complain("%v", err)
	}
	if r.End, found, err = s.daemon.awaitIdle(ctx, "after everything was removed", r.Start, s.idle, true); err != nil {
		return err
	}
	r.Leaks = append(r.Leaks, found...)
	if err := s.awaitSettled(ctx, r); err != nil {
		return err
	}
	r.Growth, found = grown(r.Samples)
	r.Leaks = append(r.Leaks, found...)
	if len(r.Leaks) > 0 {
		s.profile(ctx, "heap-after-removal")
		s.profile(ctx, "goroutine-after-removal")
	}
	if err := s.daemon.stop(); err != nil {
		s.judge.complain("%v", err)
	}
	if ids := owned(s.daemon.dir); len(ids) > 0 {
		r.Leaks = append(r.Leaks, fmt.Sprintf("after Trellis has ended: /run/trellis still has %s", strings.Join(ids, " ")))
	}
	for _, line := range s.daemon.complaints() {
		s.judge.complain("trellis' log: %s", line)
	}
	return nil
}

// awaitSettled waits until the control plane has no more to settle than what is still shown. It takes a minute until
// deregistered targets are forgotten.
func (s *soak) awaitSettled(ctx context.Context, r *report) error {
	for end := time.Now().Add(s.idle); ; time.Sleep(2 * time.Second) {
		shown, err := s.world.remembered(ctx)
		if err != nil {
			return err
		}
		m, err := s.daemon.measure(ctx)
		if err != nil {
			return err
		}
		if m.Settling <= shown {
			return nil
		}
		if time.Now().After(end) {
			r.Leaks = append(r.Leaks, fmt.Sprintf("after everything was removed: %d goroutines settle nouns, and only %d nouns are there to be settled", m.Settling, shown))
			return nil
		}
	}
}

// profile keeps a profile of the daemon, to be read by go tool pprof.
func (s *soak) profile(ctx context.Context, name string) {
	kind, _, _ := strings.Cut(name, "-")
	if b, err := s.daemon.debug(ctx, "GET", "/debug/pprof/"+kind); err == nil { // it only helps
		os.WriteFile(filepath.Join(s.dir, name+".pprof"), b, 0o644)
	}
}

// undoChurn removes the rules that churn made, and registers whom it deregistered.
func (s *soak) undoChurn(ctx context.Context) error {
	shift := s.world.services["shift"]
	at := in{"serviceIdentifier": shift.id, "listenerIdentifier": shift.listener}
	rules, err := s.daemon.call(ctx, shift.account, "vpc-lattice ListRules", at)
	if err != nil {
		return err
	}
	for _, rule := range rules.list("items") {
		if strings.HasPrefix(rule.text("name"), "r-") {
			at["ruleIdentifier"] = rule.text("id")
			if _, err := s.daemon.call(ctx, shift.account, "vpc-lattice DeleteRule", at); err != nil {
				return err
			}
		}
	}
	return s.world.register(ctx, accountA, s.world.deregisterable, s.world.instances["t-m2"].ip, 8080)
}
