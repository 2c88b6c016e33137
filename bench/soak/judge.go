package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Classes of calls. All but unexplained are as they should be.
const (
	classOK          = "ok"          // the answer that was asked for
	classProvoked    = "provoked"    // what the client or the target did on purpose
	classFault       = "fault"       // met a target that a fault had at that time
	classRace        = "race"        // met the end of a connection that a target closed without a word
	classRestart     = "restart"     // met Trellis itself while it was started again
	classStall       = "stall"       // failed while the machine itself stood still
	classUnexplained = "unexplained" // never to be
)

const (
	// margin is by how much the moments of clients and soak may differ.
	margin = int64(20 * time.Millisecond)
	// keepSpans is how long what was valid is remembered, longer than any call lasts.
	keepSpans = int64(3 * time.Minute)
	// maxRace is the part of a target's calls that may meet the end of a connection.
	maxRace = 0.05
	// doubtFor is how long a call that nothing explains waits to be judged once more.
	doubtFor = 20 * time.Second
	// forever is the end of a span that has none yet.
	forever = int64(1<<63 - 1)
)

// span is a time in which a value was valid.
type span struct {
	value    string
	from, to int64
}

// timeline is what was valid when, of one thing that churn changes. While a change is under way the old value and
// the new one are both valid: it takes effect at some moment between the call and its answer.
type timeline struct {
	mu    sync.Mutex
	spans []span
}

// newTimeline begins with a value.
func newTimeline(value string) *timeline {
	return &timeline{spans: []span{{value, time.Now().UnixNano(), forever}}}
}

// change makes a value valid by doing what makes it so.
func (t *timeline) change(value string, do func() error) error {
	t.mu.Lock()
	begin := time.Now().UnixNano()
	old := len(t.spans)
	t.spans = append(t.spans, span{value, begin, forever})
	t.mu.Unlock()
	err := do()
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now().UnixNano()
	for i := range t.spans {
		s := &t.spans[i]
		if s.to == forever && (i < old) == (err == nil) {
			s.to = now
		}
	}
	t.spans = slices.DeleteFunc(t.spans, func(s span) bool { return s.to < now-keepSpans })
	return err
}

// valid lists the values that were valid at some time between two moments.
func (t *timeline) valid(from, to int64) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []string
	for _, s := range t.spans {
		if s.from <= to+margin && s.to >= from-margin && !slices.Contains(out, s.value) {
			out = append(out, s.value)
		}
	}
	return out
}

// fault is a time in which targets could not be expected to work.
type fault struct {
	what     string   // for people; of everything: the class of the calls that met it
	targets  []string // their names; nil: everything
	from, to int64
}

// judge says of every call whether it may be so, and counts.
type judge struct {
	leaving map[string]bool // targets that close connections without a word
	shift   *timeline       // of the default action of the service shift
	rules   []*timeline     // of its rules, "" while there is none
	policy  *timeline       // of the service flip: allow or deny
	members *timeline       // targets registered in the service members, joined by a blank
	web     *timeline       // targets that get new calls of the service web, joined by a blank
	others  map[string][]string

	mu          sync.Mutex
	faults      []*fault
	doubts      []*doubt
	stalls      int            // how often the machine stood still
	stalled     time.Duration  // and for how long in all
	counts      map[string]int // by class
	perClient   map[string]int
	kinds       map[string]int // by class, client, case, target, status and error, but for ok
	perTarget   map[string]int
	races       map[string]int
	perCase     map[string]int // by target and case
	racesOf     map[string]int
	unexplained []string // texts, the first of them
	probes      map[string]chan *call
}

// newJudge returns a judge that has seen nothing.
func newJudge(targets []*target, shiftRules int) *judge {
	j := &judge{leaving: map[string]bool{}, shift: newTimeline(""), policy: newTimeline("allow"), members: newTimeline("m1 m2"), web: newTimeline(strings.Join(webTargets, " ")), others: map[string][]string{},
		counts: map[string]int{}, perClient: map[string]int{}, kinds: map[string]int{}, perTarget: map[string]int{}, races: map[string]int{}, perCase: map[string]int{},
		racesOf: map[string]int{}, probes: map[string]chan *call{}}
	for range shiftRules {
		j.rules = append(j.rules, newTimeline(""))
	}
	for _, t := range targets {
		j.leaving[t.name] = t.leaves
	}
	return j
}

// begin notes that a fault begins. The function that it returns notes its end, after which it takes a while until
// everything is as before.
func (j *judge) begin(what string, targets ...string) func(settle time.Duration) {
	f := &fault{what, targets, time.Now().UnixNano(), forever}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.faults = append(j.faults, f)
	return func(settle time.Duration) {
		j.mu.Lock()
		defer j.mu.Unlock()
		f.to = time.Now().Add(settle).UnixNano()
	}
}

// byFault are the failures that a target's fault explains: not that a name is not found, nor that Trellis does not listen.
var byFault = []string{errCut, errReset, errClosed, errTimeout}

// met finds a fault that a call may have met: of one of the targets, or without targets one of everything. For a restart
// of Trellis it counts when the call's connection was made: it may have been dead for long when it was used again.
func (j *judge) met(c *call, targets []string) *fault {
	for _, f := range slices.Backward(j.faults) {
		start := c.Start
		if c.Born > 0 && f.what == classRestart {
			start = min(start, c.Born)
		}
		if f.from > c.End+margin || f.to < start-margin {
			continue
		}
		if targets == nil && f.targets == nil || slices.ContainsFunc(f.targets, func(t string) bool { return slices.Contains(targets, t) }) {
			return f
		}
	}
	return nil
}

// stood notes that the machine stood still between two moments: whoever had to do something then is late.
func (j *judge) stood(from, to time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.stalls++
	j.stalled += to.Sub(from)
	j.faults = append(j.faults, &fault{what: classStall, from: from.UnixNano(), to: to.Add(settleTime).UnixNano()})
}

// take takes a call: of a probe to whoever waits for it, others to be judged.
func (j *judge) take(c *call) {
	if c.ID != "" {
		j.mu.Lock()
		ch := j.probes[c.ID]
		delete(j.probes, c.ID)
		j.mu.Unlock()
		if ch != nil {
			ch <- c
		}
		return
	}
	expected, why := j.expect(c)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.perClient[c.Client]++
	j.count(&doubt{c, expected, why, time.Now()}, true)
}

// doubt is a call that nothing explains yet: that the machine stood still is known only when it goes on.
type doubt struct {
	c        *call
	expected []string
	why      string
	since    time.Time
}

// settleDoubts judges once more what nothing explained, when it is old enough or all is over.
func (j *judge) settleDoubts(over bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	now := time.Now().UnixNano()
	j.faults = slices.DeleteFunc(j.faults, func(f *fault) bool { return f.to < now-keepSpans && f.what != classRestart })
	old := j.doubts
	j.doubts = nil
	for _, d := range old {
		if over || time.Since(d.since) > doubtFor {
			j.count(d, false)
		} else {
			j.doubts = append(j.doubts, d)
		}
	}
}

// count gives a call its class, or puts that off when nothing explains it. The caller holds mu.
func (j *judge) count(d *doubt, first bool) {
	c, expected, why := d.c, d.expected, d.why
	who := expected
	if c.Want != "" {
		who = []string{c.Want}
	}
	class := classUnexplained
	f := (*fault)(nil)
	if len(who) > 0 {
		f = j.met(c, who)
	}
	provoked := oddExpectations[c.Case]
	switch {
	case c.Err == errWrong:
	case why == "" && c.Err == errNone && provoked == nil:
		class = classOK
	case provoked != nil && provoked(c):
		class = classProvoked
	case f != nil && (c.From == "" && slices.Contains([]int{500, 502, 503}, c.Status) || slices.Contains(byFault, c.Err)):
		class = classFault
	case gaveUp(c) && j.met(c, nil) != nil:
		class = j.met(c, nil).what
	case j.leaving[c.Want] && c.From == "" && c.Status == 502:
		class = classRace
		j.races[c.Want]++
		j.racesOf[c.Want+" "+c.Case]++
	}
	if class == classUnexplained && first && c.Err != errWrong {
		j.doubts = append(j.doubts, d)
		return
	}
	if c.Want != "" {
		j.perTarget[c.Want]++
		j.perCase[c.Want+" "+c.Case]++
	}
	j.counts[class]++
	if class == classOK {
		return
	}
	j.kinds[fmt.Sprintf("%s: %s %s %s status %d %s", class, c.Client, c.Case, c.Want, c.Status, c.Err)]++
	if class == classUnexplained {
		if why == "" {
			why = "see text"
		}
		j.blame(fmt.Sprintf("%s client %s, service %s, case %s, want %q: status %d from %q after %d ms, err %q; %s; %s", time.Unix(0, c.Start).Format("15:04:05.000"),
			c.Client, c.Service, c.Case, c.Want, c.Status, c.From, (c.End-c.Start)/1e6, c.Err, why, c.Text))
	}
}

// gaveUp tells whether a call failed because something did not come, or not in time. A wrong answer is none of that: no
// policy, rule or body may be wrong for a machine that stands still.
func gaveUp(c *call) bool {
	return c.Err != errNone && c.Err != errWrong || c.From == "" && slices.Contains([]int{400, 408, 500, 502, 503}, c.Status)
}

// blame notes a text of something unexplained. The caller holds mu.
func (j *judge) blame(text string) {
	const most = 200
	if len(j.unexplained) < most {
		j.unexplained = append(j.unexplained, text)
	}
}

// complain notes something unexplained that is no client's call.
func (j *judge) complain(format string, a ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.counts[classUnexplained]++
	j.blame(time.Now().Format("15:04:05.000 ") + fmt.Sprintf(format, a...))
}

// failed notes that something failed that is no client's call, unless the machine stood still meanwhile.
func (j *judge) failed(begun time.Time, format string, a ...any) {
	time.Sleep(5 * tickEvery) // until that is known
	j.mu.Lock()
	f := j.met(&call{Start: begun.UnixNano(), End: time.Now().UnixNano()}, nil)
	if f != nil {
		j.counts[f.what]++
		j.kinds[f.what+": "+fmt.Sprintf(format, a...)]++
	}
	j.mu.Unlock()
	if f == nil {
		j.complain(format, a...)
	}
}

// expect says which targets may have answered a call, and what is wrong with the answer, empty when nothing is.
func (j *judge) expect(c *call) (targets []string, why string) {
	status := 200
	switch c.Service {
	case "mix":
		targets = []string{c.Want}
		if c.Case == "code" && (c.Status == 204 || c.Status == 304) || c.Case == "early" && c.Status == 413 {
			status = c.Status
		}
	case "flip":
		targets = j.others["flip"]
		valid := j.policy.valid(c.Start, c.End)
		if c.Status == 403 && slices.Contains(valid, "deny") {
			return targets, ""
		}
		if c.Status == 200 && !slices.Contains(valid, "allow") {
			return targets, "it was allowed in spite of a policy that denies"
		}
	case "iam":
		targets = j.others["iam"]
		if c.Client != "signed" {
			status = 403
		}
	case "fixed":
		if c.Status == 404 || c.Status == 500 {
			status = c.Status
		}
	case "members":
		for _, v := range j.members.valid(c.Start, c.End) {
			targets = append(targets, strings.Fields(v)...)
		}
	case "web":
		for _, v := range j.web.valid(c.Start, c.End) {
			targets = append(targets, strings.Fields(v)...)
		}
	case "shift":
		for _, v := range j.shiftValid(c) {
			if v == "404" {
				if c.Status == 404 && c.From == "" {
					return targets, ""
				}
				continue
			}
			targets = append(targets, strings.Fields(v)...)
		}
	default:
		targets = j.others[c.Service]
	}
	switch {
	case c.Err != errNone:
		return targets, "it failed"
	case c.Status != status:
		return targets, fmt.Sprintf("the status should be %d", status)
	case c.From != "" && !slices.Contains(targets, c.From):
		return targets, fmt.Sprintf("only %v could answer at that time", targets)
	}
	return targets, ""
}

// shiftValid lists the actions that a call to the service shift may have met: its rule's, and the default action while
// there was no such rule.
func (j *judge) shiftValid(c *call) []string {
	if c.Rule < 1 || c.Rule > len(j.rules) {
		return j.shift.valid(c.Start, c.End)
	}
	valid := j.rules[c.Rule-1].valid(c.Start, c.End)
	if i := slices.Index(valid, ""); i >= 0 {
		return slices.Concat(valid[:i], valid[i+1:], j.shift.valid(c.Start, c.End))
	}
	return valid
}

// raced lists the targets, and their cases, of which more calls met the end of a connection than chance explains. The caller holds mu.
func (j *judge) raced() []string {
	var out []string
	for t, n := range j.races {
		if n > 20 && float64(n) > maxRace*float64(j.perTarget[t]) {
			out = append(out, fmt.Sprintf("%d of %d calls to %s met the end of a connection that it closed: more than chance explains", n, j.perTarget[t], t))
		}
	}
	for k, n := range j.racesOf {
		if n >= 5 && 2*n > j.perCase[k] {
			out = append(out, fmt.Sprintf("%d of %d calls to %s were answered by 502: that is no chance", n, j.perCase[k], k))
		}
	}
	return out
}

// oddExpectations say which outcomes a case provokes, other than a plain answer.
var oddExpectations = map[string]func(*call) bool{
	"truncated":        isCut,
	"truncated-chunks": isCut,
	"garbage":          func(c *call) bool { return c.Status == 502 && c.From == "" },
	"hang-up":          func(c *call) bool { return c.Status == 502 && c.From == "" },
	"early-close":      func(c *call) bool { return c.Status == 413 || c.Err == errReset || c.Err == errClosed },
	"early":            func(c *call) bool { return c.Status == 413 || c.Err == errReset || c.Err == errClosed },
	"reset-in-answer":  func(c *call) bool { return c.Err == errNone },
	"reset-at-once":    func(c *call) bool { return c.Err == errNone },
	"leave-early":      func(c *call) bool { return c.Err == errNone },
	"abort-upload":     func(c *call) bool { return c.Err == errNone || c.Err == errReset },
	"bad-request":      func(c *call) bool { return c.From == "" && c.Status >= 400 && c.Status <= 505 && c.Status != 502 },
}

// isCut tells whether a call ended early and showed it.
func isCut(c *call) bool { return c.Status == 200 && c.Err == errCut }
