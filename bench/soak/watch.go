package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// sample is what the daemon holds at one moment: in its process and, on its behalf, in the kernel.
type sample struct {
	At          time.Time      `json:"at"`
	RSS         int64          `json:"rss_bytes"`
	PSS         int64          `json:"pss_bytes"`  // of what is shared, the part that is its own
	Anon        int64          `json:"anon_bytes"` // of RSS, without files: the store maps its file
	Heap        int64          `json:"heap_bytes"` // reachable: measured after a collection
	Objects     int64          `json:"heap_objects"`
	Threads     int            `json:"threads"`
	Goroutines  int            `json:"goroutines"`  // but for those that are settling
	Settling    int            `json:"settling"`    // goroutines of the control plane that wait for a moment in the life of a noun
	Descriptors map[string]int `json:"descriptors"` // by kind: socket, net namespace, file, …
	Namespaces  int            `json:"namespaces"`
	Rules       int            `json:"packet_rules"` // rules and elements of sets
	Links       int            `json:"links"`        // in VPCs and instances, but for lo
	Joined      int            `json:"joined_ends"`  // entries of the BPF map: ends of connections that are joined past TCP
	Revision    int64          `json:"revision"`     // of the store

	stacks map[string]int // goroutines by where they are
}

// descriptors is the number of all descriptors.
func (s *sample) descriptors() int {
	n := 0
	for _, m := range s.Descriptors {
		n += m
	}
	return n
}

// measure takes a sample.
func (d *daemon) measure(ctx context.Context) (*sample, error) {
	s := &sample{At: time.Now(), Descriptors: map[string]int{}, stacks: map[string]int{}}
	if err := s.readProcess(d.pid()); err != nil {
		return nil, err
	}
	if _, err := d.debug(ctx, http.MethodPost, "/debug/free"); err != nil {
		return nil, err
	}
	b, err := d.debug(ctx, http.MethodGet, "/debug/vars")
	if err != nil {
		return nil, err
	}
	var vars struct {
		Memstats struct{ HeapAlloc, HeapObjects int64 } `json:"memstats"`
	}
	if err := json.Unmarshal(b, &vars); err != nil {
		return nil, fmt.Errorf("read /debug/vars: %w", err)
	}
	s.Heap, s.Objects = vars.Memstats.HeapAlloc, vars.Memstats.HeapObjects
	if b, err = d.debug(ctx, http.MethodGet, "/debug/pprof/goroutine?debug=1"); err != nil {
		return nil, err
	}
	s.readGoroutines(b)
	if b, err = d.debug(ctx, http.MethodGet, "/metrics"); err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(b)) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), "trellis_acceleration_ends "); ok {
			s.Joined, _ = strconv.Atoi(text)
		}
	}
	s.readKernel(d.dir)
	s.Revision, err = d.revision(ctx)
	return s, err
}

// readProcess reads proc(5).
func (s *sample) readProcess(pid int) error {
	dir := "/proc/" + strconv.Itoa(pid)
	status, err := os.ReadFile(dir + "/status")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(status)) {
		f := strings.Fields(line)
		switch {
		case len(f) > 1 && f[0] == "VmRSS:":
			s.RSS = kilobytes(f[1])
		case len(f) > 1 && f[0] == "RssAnon:":
			s.Anon = kilobytes(f[1])
		case len(f) > 1 && f[0] == "Threads:":
			s.Threads, _ = strconv.Atoi(f[1])
		}
	}
	rollup, _ := os.ReadFile(dir + "/smaps_rollup") // old kernels have none
	for line := range strings.Lines(string(rollup)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "Pss:" {
			s.PSS = kilobytes(f[1])
		}
	}
	entries, err := os.ReadDir(dir + "/fd")
	if err != nil {
		return err
	}
	for _, e := range entries {
		at, err := os.Readlink(dir + "/fd/" + e.Name())
		if err == nil { // else closed meanwhile
			s.Descriptors[descriptorKind(at)]++
		}
	}
	return nil
}

// kilobytes reads a number of kilobytes that the kernel wrote.
func kilobytes(text string) int64 {
	n, _ := strconv.ParseInt(text, 10, 64) // the kernel writes numbers
	return n << 10
}

// descriptorKind is the kind of a descriptor, by what its link in /proc says.
func descriptorKind(at string) string {
	switch {
	case strings.HasPrefix(at, "/run/netns/"), strings.HasPrefix(at, "net:"):
		return "net namespace"
	case strings.HasPrefix(at, "anon_inode:bpf"):
		return strings.TrimPrefix(at, "anon_inode:")
	case strings.HasPrefix(at, "anon_inode:"):
		return "event"
	case strings.HasSuffix(at, ".wal"), strings.HasSuffix(at, ".wal.tmp"), strings.HasSuffix(at, ".tmp"):
		return "store's log" // etcd opens and closes these as it goes
	case strings.HasPrefix(at, "/"):
		return "file"
	}
	kind, _, _ := strings.Cut(at, ":")
	return kind
}

// settlingFrame is in the stack of goroutines that wait, for minutes, to forget what was terminated or deleted: a terminated
// instance is shown for ten minutes, as on AWS.
const settlingFrame = "(*Plane).settle"

// readGoroutines reads a goroutine profile in its text form: "N @ addresses", then a line for each frame.
func (s *sample) readGoroutines(profile []byte) {
	lines := bufio.NewScanner(bytes.NewReader(profile))
	lines.Buffer(nil, 1<<20)
	count, frames := 0, []string(nil)
	flush := func() {
		stack := strings.Join(frames[:min(len(frames), 8)], " < ")
		if strings.Contains(stack, settlingFrame) {
			s.Settling += count
		} else if count > 0 {
			s.stacks[stack] += count
			s.Goroutines += count
		}
		count, frames = 0, nil
	}
	for lines.Scan() {
		line := lines.Text()
		if n, _, ok := strings.Cut(line, " @ "); ok && !strings.HasPrefix(line, "#") {
			flush()
			count, _ = strconv.Atoi(n)
			continue
		}
		if f := strings.Fields(line); strings.HasPrefix(line, "#") && len(f) > 2 {
			name, _, _ := strings.Cut(f[2], "+")
			frames = append(frames, name[strings.LastIndexByte(name, '/')+1:])
		}
	}
	flush()
}

// owned are the ids of the VPCs and instances whose maker's data directory is dir (vpc.doc.go: /run/trellis/ID/owner).
func owned(dir string) []string {
	var ids []string
	owners, _ := filepath.Glob("/run/trellis/*/owner") // the pattern is right
	for _, f := range owners {
		if b, err := os.ReadFile(f); err == nil && strings.Contains(string(b), "dir "+dir+"\n") {
			ids = append(ids, filepath.Base(filepath.Dir(f)))
		}
	}
	return ids
}

// readKernel counts what the kernel holds for the daemon: what is gone meanwhile counts as nothing.
func (s *sample) readKernel(dir string) {
	for _, id := range owned(dir) {
		err := inNamespace(id, func(ns netns.NsHandle) error {
			s.Namespaces++
			s.Rules += countRules(ns)
			h, err := netlink.NewHandleAt(ns, unix.NETLINK_ROUTE)
			if err != nil {
				return err
			}
			defer h.Close()
			links, err := h.LinkList()
			s.Links += max(len(links)-1, 0)
			return err
		})
		_ = err // being removed
	}
}

// countRules counts the rules and the elements of sets of a namespace.
func countRules(ns netns.NsHandle) int {
	c, err := nftables.New(nftables.WithNetNSFd(int(ns)))
	if err != nil {
		return 0
	}
	n := 0
	chains, _ := c.ListChains()
	for _, ch := range chains {
		rules, _ := c.GetRules(ch.Table, ch)
		n += len(rules)
	}
	tables, _ := c.ListTables()
	for _, t := range tables {
		sets, _ := c.GetSets(t)
		for _, set := range sets {
			elements, _ := c.GetSetElements(set)
			n += len(elements)
		}
	}
	return n
}

// leastOf takes samples and keeps the least of each measure: what is held for good is in all of them.
func (d *daemon) leastOf(ctx context.Context, n int, every time.Duration) (*sample, error) {
	var least *sample
	for i := range n {
		if i > 0 {
			select {
			case <-ctx.Done():
			case <-time.After(every):
			}
		}
		s, err := d.measure(ctx)
		if err != nil {
			return nil, err
		}
		least = least.least(s)
	}
	return least, nil
}

// least is the lesser of two samples in each measure.
func (s *sample) least(o *sample) *sample {
	if s == nil {
		return o
	}
	out := *o
	out.RSS, out.PSS, out.Anon = min(s.RSS, o.RSS), min(s.PSS, o.PSS), min(s.Anon, o.Anon)
	out.Heap, out.Objects = min(s.Heap, o.Heap), min(s.Objects, o.Objects)
	out.Namespaces, out.Rules, out.Links = min(s.Namespaces, o.Namespaces), min(s.Rules, o.Rules), min(s.Links, o.Links)
	out.Joined = min(s.Joined, o.Joined)
	out.Descriptors, out.stacks, out.Goroutines = map[string]int{}, map[string]int{}, min(s.Goroutines, o.Goroutines)
	for k, n := range s.Descriptors {
		if m := min(n, o.Descriptors[k]); m > 0 {
			out.Descriptors[k] = m
		}
	}
	for k, n := range s.stacks {
		if m := min(n, o.stacks[k]); m > 0 {
			out.stacks[k] = m
		}
	}
	return &out
}

// Memory may grow by this much before it counts as a leak.
const (
	heapSlack    = 12 << 20
	perRevision  = 700      // bytes: the store remembers an hour of revisions, and this is about what it takes for each
	heapPerHour  = 24 << 20 // of the reachable heap, from the second quarter of a soak to the last, besides what revisions take
	anonPerHour  = 64 << 20 // of memory that is no file's
	objectsSlack = 80000
)

// leaks names what a later sample holds beyond an earlier one. memory says whether memory is compared too.
func leaks(when string, before, after *sample, memory bool) []string {
	var out []string
	more := func(what string, a, b int) {
		if b > a {
			out = append(out, fmt.Sprintf("%s: %d %s more than before (%d, was %d)", when, b-a, what, b, a))
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(after.Descriptors)) {
		slack := 0
		if kind == "store's log" {
			slack = 4
		}
		more("descriptors of kind "+kind, before.Descriptors[kind]+slack, after.Descriptors[kind])
	}
	more("namespaces", before.Namespaces, after.Namespaces)
	more("packet rules and set elements", before.Rules, after.Rules)
	more("links", before.Links, after.Links)
	more("BPF map entries", before.Joined, after.Joined)
	if after.Goroutines > before.Goroutines {
		more("goroutines", before.Goroutines, after.Goroutines)
		for _, stack := range slices.Sorted(maps.Keys(after.stacks)) {
			more("goroutines in "+stack, before.stacks[stack], after.stacks[stack])
		}
	}
	if memory && after.Heap > before.Heap+heapSlack+perRevision*(after.Revision-before.Revision) && after.Objects > before.Objects+objectsSlack {
		out = append(out, fmt.Sprintf("%s: the reachable heap is %.1f MB in %d objects, was %.1f MB in %d", when, mega(after.Heap), after.Objects, mega(before.Heap), before.Objects))
	}
	return out
}

const (
	// tickEvery is how often the soak looks whether it runs at all.
	tickEvery = 100 * time.Millisecond
	// stallAfter is how late that look may be, and how long a thread of Trellis may wait for a processor.
	stallAfter = 700 * time.Millisecond
)

// watchMachine tells the judge when the machine stands still: when this very program, or a thread of Trellis that had
// something to do, was not run for long. Time-outs of then say nothing.
func watchMachine(ctx context.Context, s *soak) {
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	waited := map[string]time.Duration{}
	for last := time.Now(); ctx.Err() == nil; {
		<-tick.C
		now := time.Now()
		if now.Sub(last) > stallAfter {
			s.judge.stood(last, now)
		}
		last = now
		if !s.gate.TryRLock() {
			continue // Trellis is started again
		}
		longest := runDelay(s.daemon.pid(), waited)
		s.gate.RUnlock()
		if longest > stallAfter {
			s.judge.stood(now.Add(-longest-tickEvery), now)
		}
	}
}

// runDelay is the longest time that a thread of a process has waited for a processor since it was last asked, by
// proc(5), schedstat: time running, time waiting, turns.
func runDelay(pid int, waited map[string]time.Duration) (longest time.Duration) {
	files, _ := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/schedstat") // the pattern is right
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			continue // the thread has ended
		}
		if fields := strings.Fields(string(b)); len(fields) == 3 {
			n, _ := strconv.ParseInt(fields[1], 10, 64) // the kernel writes numbers
			if was, known := waited[f]; known {
				longest = max(longest, time.Duration(n)-was)
			}
			waited[f] = time.Duration(n)
		}
	}
	return longest
}

// mega is a number of bytes in megabytes.
func mega(n int64) float64 { return float64(n) / (1 << 20) }

// growth is by how much a measure grew in an hour, from the second quarter of the samples to the last one: the first
// quarter fills caches. It says nothing of less than ten minutes.
func growth(samples []*sample, measure func(*sample) int64) (perHour float64, ok bool) {
	n := len(samples)
	if n < 8 || samples[n-1].At.Sub(samples[0].At) < 10*time.Minute {
		return 0, false
	}
	mean := func(part []*sample) (value, at float64) {
		for _, s := range part {
			value += float64(measure(s)) / float64(len(part))
			at += s.At.Sub(samples[0].At).Hours() / float64(len(part))
		}
		return value, at
	}
	v1, t1 := mean(samples[n/4 : n/2])
	v2, t2 := mean(samples[3*n/4:])
	return (v2 - v1) / (t2 - t1), true
}

// grown names the measures of memory that grew under traffic, and how much each grew in an hour.
func grown(samples []*sample) (perHour map[string]float64, found []string) {
	perHour = map[string]float64{}
	for _, m := range []struct {
		name string
		most float64
		of   func(*sample) int64
	}{{"reachable heap", heapPerHour, func(s *sample) int64 { return s.Heap }}, {"memory that is no file's", anonPerHour, func(s *sample) int64 { return s.Anon }}} {
		per, ok := growth(samples, m.of)
		if !ok {
			continue
		}
		revisions, _ := growth(samples, func(s *sample) int64 { return s.Revision })
		if perHour[m.name] = per; per > m.most+perRevision*revisions {
			found = append(found, fmt.Sprintf("under traffic the %s grew by %.1f MB an hour", m.name, per/(1<<20)))
		}
	}
	return perHour, found
}

// awaitIdle measures until nothing is held beyond an earlier sample, for at most the given time, and returns what was
// held at the least, and what is leaked.
func (d *daemon) awaitIdle(ctx context.Context, when string, before *sample, within time.Duration, memory bool) (*sample, []string, error) {
	var least *sample
	for end := time.Now().Add(within); ; {
		s, err := d.measure(ctx)
		if err != nil {
			return nil, nil, err
		}
		least = least.least(s)
		found := leaks(when, before, least, memory)
		if len(found) == 0 || time.Now().After(end) || ctx.Err() != nil {
			return least, found, nil
		}
		select {
		case <-ctx.Done():
		case <-time.After(3 * time.Second):
		}
	}
}
