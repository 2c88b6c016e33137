package estate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// accountID is the form of the ids of accounts.
var accountID = regexp.MustCompile(`^[0-9]{12}$`)

// writers is how many steps are carried out at the same time.
const writers = 8

// patience is how long a thing may take to be there, or gone.
const patience = 3 * time.Minute

// failedError is a status that says that something failed.
type failedError struct{ status, reason string }

// Error is the status and AWS's reason.
func (e failedError) Error() string { return strings.TrimSpace(e.status + ": " + e.reason) }

// stillError is a reason to wait on, and the error when waiting was in vain.
type stillError struct{ error }

// await asks until something is so.
func await(ctx context.Context, so func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		ok, err := so()
		var still stillError
		waiting := errors.As(err, &still)
		if ok || err != nil && !waiting {
			return err
		}
		select {
		case <-ctx.Done():
			if waiting {
				return still.error
			}
			return fmt.Errorf("waiting for it: %w", ctx.Err())
		case <-time.After(pause):
		}
	}
}

// verb is one part of a step.
type verb int

// Parts of steps.
const (
	loosening verb = iota // taking away what other things that go are named by
	unmaking
	making
	changing
)

// node is a part of a step with what must be done before.
type node struct {
	step  *Step
	verb  verb
	after []*node // must have been done
	late  []*node // must have been tried
	done  bool
	tried bool
	err   error
}

// Event tells of a part of a step that was carried out, or failed.
type Event struct {
	Step *Step
	Text string // "created Service checkout"
	Err  error
}

// applying is a plan that is being carried out.
type applying struct {
	*Plan
	mu       sync.Mutex
	live     map[Ref]*thing
	sessions map[string]*session
}

// Apply carries the plan out: things after those that they refer to, many at a time. tell hears of every part. The
// error joins all that failed, each with its document's place; what hangs on a failed thing is not tried.
func (p *Plan) Apply(ctx context.Context, tell func(Event)) error {
	a := &applying{Plan: p, live: maps.Clone(p.present.byRef), sessions: maps.Clone(p.present.session)}
	nodes := a.nodes()
	results := make(chan *node)
	running := 0
	for left := len(nodes); left > 0; {
		for _, n := range nodes {
			if n.tried || running >= writers || ctx.Err() != nil && n.err == nil {
				continue
			}
			ready, blocked := n.ready()
			if blocked != nil {
				n.tried, n.err = true, fmt.Errorf("not tried, since %s failed", blocked.step.title())
				left--
				continue
			}
			if ready {
				n.tried = true
				running++
				go func() { n.err = a.carry(ctx, n); results <- n }()
			}
		}
		if running == 0 && (ctx.Err() != nil || !unready(nodes)) {
			break
		}
		if running == 0 {
			continue
		}
		n := <-results
		running--
		left--
		n.done = true
		tell(Event{n.step, past(n), n.err})
	}
	var failed []error
	for _, n := range nodes {
		if !n.tried {
			n.err = errors.New("not tried") // after an interruption
		}
		if n.err != nil {
			where := n.step.At
			if where == "" {
				where = "no longer in the files"
			}
			failed = append(failed, fmt.Errorf("%s: %s %s: %w", where, n.step.Action, n.step.title(), n.err))
		}
	}
	if err := ctx.Err(); err != nil {
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// unready tells whether a node could still become ready.
func unready(nodes []*node) bool {
	for _, n := range nodes {
		if !n.tried {
			if ready, blocked := n.ready(); ready || blocked != nil {
				return true
			}
		}
	}
	return false
}

// past says what a part did.
func past(n *node) string {
	switch n.verb {
	case loosening:
		return "emptied " + n.step.title()
	case unmaking:
		return "deleted " + n.step.title()
	case making:
		return "created " + n.step.title()
	}
	return "updated " + n.step.title()
}

// ready tells whether all that must be done before is done, or what of it failed.
func (n *node) ready() (ready bool, failed *node) {
	for _, d := range n.after {
		if d.err != nil {
			return false, d
		}
		if !d.done {
			return false, nil
		}
	}
	for _, d := range n.late {
		if !d.done && d.err == nil {
			return false, nil
		}
	}
	return true, nil
}

// nodes orders the parts of all steps.
func (a *applying) nodes() []*node {
	var all []*node
	make, change, unmake, loosen := map[Ref]*node{}, map[Ref]*node{}, map[Ref]*node{}, map[Ref]*node{}
	add := func(s *Step, v verb, in map[Ref]*node) *node {
		n := &node{step: s, verb: v}
		t := s.want
		if v == unmaking || v == loosening {
			t = s.have
		}
		in[t.ref()], all = n, append(all, n)
		return n
	}
	for _, s := range a.Steps {
		if s.Action == Delete || s.Action == Replace {
			n := add(s, unmaking, unmake)
			if s.have.kind.name == "SecurityGroup" { // groups name one another
				n.after = append(n.after, add(s, loosening, loosen))
			}
		}
		if s.Action == Create || s.Action == Replace {
			n := add(s, making, make)
			if before := unmake[s.want.ref()]; before != nil {
				n.after = append(n.after, before)
			}
		}
		if s.Action == Update || s.Action != Delete && len(s.changed) > 0 {
			n := add(s, changing, change)
			if before := make[s.want.ref()]; before != nil {
				n.after = append(n.after, before)
			}
		}
	}
	needs := func(n *node, refs []Ref) {
		for _, r := range refs {
			if before := make[r]; before != nil && before != n {
				n.after = append(n.after, before)
			}
			if before := change[r]; before != nil && before.step != n.step && n.verb == making && !before.step.want.kind.text() {
				n.after = append(n.after, before) // an instance profile has its role before an instance has it
			}
		}
	}
	organization := Ref{"Organization", "", "organization"}
	for _, n := range all {
		if n.verb == unmaking {
			for _, t := range a.present.things { // what refers to it goes, or lets go, first
				for _, r := range t.names(true) {
					if r != n.step.have.ref() || t == n.step.have {
						continue
					}
					if d := loosen[t.ref()]; d != nil && t.kind == n.step.have.kind {
						n.after = append(n.after, d)
					} else if d := unmake[t.ref()]; d != nil && slices.Contains(t.names(false), r) {
						n.after = append(n.after, d)
					} else if d := change[t.ref()]; d != nil {
						n.late = append(n.late, d)
					}
				}
			}
			continue
		}
		if n.verb == loosening {
			continue
		}
		t := n.step.want
		needs(n, t.refers(n.verb == changing))
		if a := make[Ref{"Account", "", accountName(a.wanted, t.account)}]; a != nil && t.kind.name != "Account" {
			n.after = append(n.after, a)
		}
		n.late = append(n.late, a.shared(t, make, change)...)
		for _, in := range []map[Ref]*node{make, change} {
			if o := in[organization]; o != nil && o.step != n.step && t.kind.name != "Account" {
				n.late = append(n.late, o)
			}
		}
		if o := make[organization]; o != nil && o != n {
			n.late = append(n.late, o)
		}
		if n.verb == changing {
			if t.kind.text() { // it may name anything
				for _, before := range make {
					n.late = append(n.late, before)
				}
			}
		}
	}
	a.trust(make)
	a.settle(make)
	for _, n := range change { // a route leads to a gateway once that is attached
		for _, r := range n.step.want.refers(true) {
			if before := change[r]; before != nil && before.step != n.step && !before.reaches(n, map[*node]bool{}) {
				n.late = append(n.late, before)
			}
		}
	}
	return all
}

// accountName is the name of an account that the files make, by its name or id.
func accountName(w *Wanted, account string) string {
	for _, t := range w.things {
		if t.kind.name == "Account" && (t.own == account || text(t.members["Id"]) == account) {
			return t.name
		}
	}
	return ""
}

// principalIn finds roles and users in a policy.
var principalIn = regexp.MustCompile(`arn:aws:iam::([0-9]{12}):(role|user)/(?:[^"]*/)?([^"/]+)"`)

// shared are the parts that let a thing refer to those of other accounts: their shares, and its account's place in the
// organization, which shares may name.
func (a *applying) shared(t *thing, make, change map[Ref]*node) []*node {
	var before []*node
	for _, r := range t.refers(false) {
		if r.Account == "" || r.Account == t.account {
			continue
		}
		for _, in := range []map[Ref]*node{make, change} {
			for of, n := range in {
				if of.Kind == "ResourceShare" && of.Account == r.Account && slices.Contains(n.step.want.refers(false), r) {
					before = append(before, n)
				}
				if of == (Ref{"Account", "", accountName(a.wanted, t.account)}) {
					before = append(before, n)
				}
			}
		}
	}
	return before
}

// text tells whether a kind has members that may name anything, now or later.
func (k *kind) text() bool {
	return slices.ContainsFunc(k.members, func(m member) bool { return m.late || m.form.texts() })
}

// trust makes roles after those whom their trust policies name, where that is no circle.
func (a *applying) trust(make map[Ref]*node) {
	for _, n := range make {
		for _, m := range principalIn.FindAllStringSubmatch(text(n.step.want.members["AssumeRolePolicyDocument"]), -1) {
			kind := map[string]string{"role": "Role", "user": "User"}[m[2]]
			if before := make[Ref{kind, m[1], m[3]}]; before != nil && !before.reaches(n, map[*node]bool{}) {
				n.late = append(n.late, before)
			}
		}
	}
}

// settle makes what takes any address of a subnet after what wants one of its own there.
func (a *applying) settle(make map[Ref]*node) {
	for _, n := range make {
		t := n.step.want
		if !t.kind.roaming && (t.kind.name != "Instance" || t.members["PrivateIpAddress"] != nil) {
			continue
		}
		in := t.names(false)
		for _, before := range make {
			of := before.step.want
			subnet, _ := of.members["SubnetId"].(Ref)
			if of.kind.name == "Instance" && of.members["PrivateIpAddress"] != nil && slices.Contains(in, subnet) && !before.reaches(n, map[*node]bool{}) {
				n.late = append(n.late, before)
			}
		}
	}
}

// reaches tells whether a node waits for another.
func (n *node) reaches(to *node, seen map[*node]bool) bool {
	if n == to {
		return true
	}
	if seen[n] {
		return false
	}
	seen[n] = true
	for _, before := range append(append([]*node(nil), n.after...), n.late...) {
		if before.reaches(to, seen) {
			return true
		}
	}
	return false
}

// session returns the API of a thing's account.
func (a *applying) session(ctx context.Context, t *thing) (*session, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	id := t.account
	if made := a.live[Ref{"Account", "", t.account}]; made != nil && !accountID.MatchString(id) {
		id = made.id
	}
	if a.sessions[id] == nil {
		s, err := a.reader.session(ctx, id)
		if err != nil {
			return nil, err
		}
		a.sessions[id] = s
	}
	s := *a.sessions[id]
	s.sent = a.sent
	return &s, nil
}

// sent puts ids and ARNs in the places of names.
func (a *applying) sent(t *thing, v any, leaf string) any {
	return walk(v, leaf, func(leaf string, v any) any {
		switch v := v.(type) {
		case Ref:
			to := a.get(v)
			of := t.kind.refs[leaf]
			switch {
			case to == nil:
				return v.Name
			case of.dns:
				return to.dns
			case of.arn || v.Account != t.account && t.kind.service == lattice:
				return to.arn
			case to.id == "":
				return to.own
			}
			return to.id
		case string:
			if v == nothing {
				return nil
			}
			return templateIn.ReplaceAllStringFunc(v, func(s string) string {
				m := templateIn.FindStringSubmatch(s)
				to := a.get(templateRef(t.account, m))
				switch {
				case to == nil:
					return s
				case m[4] == "":
					return to.arn
				}
				return to.ownID()
			})
		}
		return v
	})
}

// ownID is a thing's id, of the organization its own and not its root's.
func (t *thing) ownID() string {
	if t.kind.name == "Organization" {
		return t.arn[strings.LastIndexByte(t.arn, '/')+1:]
	}
	return t.id
}

// get finds what is there now.
func (a *applying) get(r Ref) *thing {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.live[r]
}

// carry carries out a part of a step.
func (a *applying) carry(ctx context.Context, n *node) error {
	t := n.step.want
	if n.verb == unmaking || n.verb == loosening {
		t = n.step.have
	}
	s, err := a.session(ctx, t)
	if err != nil {
		return err
	}
	if err := a.lookUp(ctx, s, t); err != nil {
		return err
	}
	switch n.verb {
	case loosening:
		empty := *t
		empty.members = map[string]any{}
		return unlessGone(t.kind.change(ctx, s, &empty, t, []string{"IpPermissions", "IpPermissionsEgress"}))
	case unmaking:
		return t.kind.unmake(ctx, s, t)
	case making:
		t.madeBy = a.Estate
		if err := t.kind.make(ctx, s, t, a.input(t)); err != nil {
			return err
		}
		if f := tagForms[t.kind.service]; !t.kind.tagless && f.made == "" {
			tags := t.wantedTags(nil)
			tags[estateTag] = a.Estate
			if err := retag(ctx, s, t, tags, nil); err != nil {
				return err
			}
		}
		a.mu.Lock()
		a.live[t.ref()] = t
		a.mu.Unlock()
		return nil
	}
	old := n.step.have
	if n.step.Action != Update {
		old = nil
	}
	if len(n.step.changed) > 0 {
		if err := t.kind.change(ctx, s, t, old, n.step.changed); err != nil {
			return err
		}
	}
	if n.step.Action == Update && len(n.step.set)+len(n.step.drop) > 0 {
		return retag(ctx, s, t, n.step.set, n.step.drop)
	}
	return nil
}

// lookUp finds the prefix lists of AWS that a thing names, which an account has from its first day.
func (a *applying) lookUp(ctx context.Context, s *session, t *thing) error {
	for _, r := range t.names(true) {
		if !awsOwn(r.Kind, r.Name) || a.get(r) != nil {
			continue
		}
		out, err := s.call(ctx, "ec2", "DescribeManagedPrefixLists", map[string]any{"Filters": []any{map[string]any{"Name": "prefix-list-name", "Values": []any{r.Name}}}})
		if err != nil {
			return err
		}
		lists := list(out["PrefixLists"])
		if len(lists) == 0 {
			return fmt.Errorf("AWS has no prefix list %s in this region", r.Name)
		}
		a.mu.Lock()
		a.live[r] = &thing{kind: kindOf(ec2Kinds(), r.Kind), account: t.account, id: text(structure(lists[0])["PrefixListId"])}
		a.mu.Unlock()
	}
	return nil
}

// input is what a creating operation gets, with the tag that marks what the estate made.
func (a *applying) input(t *thing) map[string]any {
	in := map[string]any{}
	for _, m := range t.kind.members {
		if v, ok := t.members[m.name]; ok && !m.later {
			in[m.name] = a.sent(t, v, m.name)
		}
	}
	if t.kind.wrap != nil {
		in = t.kind.wrap(in)
	}
	if t.kind.nameMember != "" && in[t.kind.nameMember] == nil {
		in[t.kind.nameMember] = t.own
	}
	if !t.kind.tagless {
		tags := t.wantedTags(nil)
		tags[estateTag] = a.Estate
		if f := tagForms[t.kind.service]; f.made != "" {
			in[f.made] = f.of(t.kind, tags)
		}
	}
	return in
}
