package telemetry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/trellis-project/trellis"
)

const (
	// trailDays is how long audit records are kept, as long as CloudTrail's event history goes back.
	trailDays = 90
	// maxPending bounds the records of one account that wait to be written together.
	maxPending = 256
	// trailStream is the one stream of the groups of a trail.
	trailStream = "calls"
	// trailSlack is how much later than its call a record may be written: as long as an operation may take, and more.
	trailSlack = 5 * time.Minute
	// nobody is the folder of records of calls that nobody is known to have made.
	nobody = "nobody"
)

// trailBytes bounds the records on the disk, by their kind, for each account: about 200,000 calls, and what moves data
// must not push out what changes something. The oldest go first.
var trailBytes = map[string]int64{"management": 256 << 20, "data": 64 << 20}

// nobodyBytes bounds the records of calls that nobody is known to have made, of which anybody can make many.
const nobodyBytes = 32 << 20

// Trail is the audit trail: a record of each call of the API, for each account apart. Records lie in segments as log
// events do.
type Trail struct {
	dir string
	now func() time.Time
	log *slog.Logger

	mu    sync.Mutex
	parts map[string]*trailPart // by account and kind
}

// trailPart are the records of one account and kind.
type trailPart struct {
	group *group
	most  int64 // bytes

	mu      sync.Mutex
	pending [][]byte // records that are not written yet
}

// openTrail opens the trails below dir.
func openTrail(dir string, o Options) (*Trail, error) {
	t := &Trail{dir: dir, now: o.Now, log: o.Log, parts: map[string]*trailPart{}}
	files, err := filepath.Glob(filepath.Join(dir, "*", "*", groupFile))
	if err != nil {
		return nil, fmt.Errorf("open the audit trail: %w", err)
	}
	for _, f := range files {
		g, err := openGroup(filepath.Dir(f), o.Log)
		if err != nil {
			return nil, errors.Join(err, t.shut())
		}
		t.parts[g.meta.Account+"/"+g.meta.Name] = newTrailPart(g)
	}
	return t, nil
}

// newTrailPart makes the part that is kept in a group.
func newTrailPart(g *group) *trailPart {
	p := &trailPart{group: g, most: trailBytes[g.meta.Name]}
	if g.meta.Account == nobody {
		p.most = nobodyBytes
	}
	return p
}

// part finds the records of an account and kind; with make, it makes what is not there yet.
func (t *Trail) part(account, kind string, make bool) (*trailPart, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.parts[account+"/"+kind]
	if p != nil || !make {
		return p, nil
	}
	g := &group{dir: filepath.Join(t.dir, account, kind), log: t.log, streams: map[string]*stream{}, numbers: map[uint64]*stream{}}
	if err := os.MkdirAll(g.dir, 0o700); err != nil {
		return nil, err
	}
	if err := g.saveMeta(groupMeta{Account: account, Name: kind, CreatedMillis: t.now().UnixMilli(), RetentionDays: trailDays}); err != nil {
		return nil, err
	}
	p = newTrailPart(g)
	t.parts[account+"/"+kind] = p
	return p, nil
}

// Add keeps a record. One of a call that may have changed something is written when Add returns, so that only a failure
// of the machine, not of the process, can lose it before the disk is synchronized a second later. Others are written
// together, at the latest then. A record that cannot be written is logged: the call has had its effect.
func (t *Trail) Add(r trellis.AuditRecord) {
	if err := t.add(&r); err != nil {
		t.log.Error("audit record not kept", "request_id", r.RequestID, "service", r.Service, "operation", r.Operation, "account", r.Account, "error", err)
	}
}

// add is Add with its error.
func (t *Trail) add(r *trellis.AuditRecord) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	account, kind := r.Account, "management"
	if account == "" {
		account = nobody
	}
	if r.Data {
		kind = "data"
	}
	p, err := t.part(account, kind, true)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pending = append(p.pending, text)
	if (r.ReadOnly || r.Data) && len(p.pending) < maxPending {
		return nil
	}
	return p.flush(t.now().UnixMilli())
}

// flush writes what is pending. The caller holds the part's mu. What cannot be written is given up, since a disk that is
// full must not fill the memory, too.
func (p *trailPart) flush(now int64) error {
	if len(p.pending) == 0 {
		return nil
	}
	g := p.group
	g.mu.Lock()
	defer g.mu.Unlock()
	texts := p.pending
	p.pending = nil
	st := g.streams[trailStream]
	if st == nil {
		var err error
		if st, err = g.makeStream(trailStream, now); err != nil {
			return err
		}
	}
	events := make([]Event, len(texts))
	for i, text := range texts {
		events[i] = Event{Millis: now, Message: text}
	}
	return errors.Join(g.put(st, events, now), g.bound(p.most))
}

// all are the parts of all accounts.
func (t *Trail) all() []*trailPart {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Collect(maps.Values(t.parts))
}

// flush writes what is pending in a part, and logs when that fails.
func (t *Trail) flush(p *trailPart) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.flush(t.now().UnixMilli()); err != nil {
		t.log.Error("audit records not kept", "account", p.group.account(), "error", err)
	}
}

// sync writes what is pending and synchronizes the disk.
func (t *Trail) sync() {
	for _, p := range t.all() {
		t.flush(p)
		if err := p.group.sync(); err != nil {
			t.log.Error("audit trail not synchronized", "account", p.group.account(), "error", err)
		}
	}
}

// expire removes what is past its retention from the disk.
func (t *Trail) expire() {
	for _, p := range t.all() {
		if err := p.group.expire(p.group.oldest(t.now().UnixMilli())); err != nil {
			t.log.Error("expired part of the audit trail not removed", "account", p.group.account(), "error", err)
		}
	}
}

// shut writes what is pending and closes all files.
func (t *Trail) shut() error {
	var errs []error
	for _, p := range t.all() {
		t.flush(p)
		p.group.mu.Lock()
		errs = append(errs, p.group.shut())
		p.group.mu.Unlock()
	}
	return errors.Join(errs...)
}

// Lookup asks for records of calls that are no data events.
type Lookup struct {
	From, To time.Time // both included; zero is no bound
	// Text must occur in a record's JSON; it saves decoding records that Matches refuses anyway. Empty occurs in all.
	Text    string
	Matches func(*trellis.AuditRecord) bool // nil matches all
	Limit   int
	After   string // position of the last page's end
}

// Look returns a page of an account's records, the latest first; next is the position of its end when there may be
// more.
func (t *Trail) Look(account string, q Lookup) (records []trellis.AuditRecord, next string, err error) {
	before := position{1<<62 - 1, 0}
	if q.After != "" {
		if before, err = parsePosition(q.After); err != nil {
			return nil, "", err
		}
	}
	p, err := t.part(account, "management", false)
	if err != nil || p == nil {
		return nil, "", err
	}
	t.flush(p)
	in := span{p.group.oldest(t.now().UnixMilli()), 1<<62 - 1}
	if !q.From.IsZero() {
		in.from = max(in.from, q.From.UnixMilli())
	}
	if !q.To.IsZero() {
		in.to = q.To.Add(trailSlack).UnixMilli()
	}
	segments, names := p.group.holding(in, nil)
	found := page{limit: q.Limit, last: true}
	for _, s := range slices.Backward(segments) {
		err := s.scan(in, names, func(r record, stream string, at position) error {
			if at.compare(before) >= 0 || !found.wants(at) || !bytes.Contains(r.text, []byte(q.Text)) {
				return nil
			}
			if q.Matches != nil || !q.From.IsZero() || !q.To.IsZero() {
				a, err := decodeAudit(r.text)
				if err != nil || !q.fits(&a) {
					return err
				}
			}
			found.add(event(r, stream, at))
			return nil
		})
		if err != nil {
			return nil, "", err
		}
		if found.trim(); found.cut {
			break // what is older is on later pages
		}
	}
	events := found.done()
	for _, e := range slices.Backward(events) {
		a, err := decodeAudit([]byte(e.Message))
		if err != nil {
			return nil, "", err
		}
		records = append(records, a)
	}
	if found.cut {
		next = events[0].at.String()
	}
	return records, next, nil
}

// decodeAudit reads a record.
func decodeAudit(text []byte) (a trellis.AuditRecord, err error) {
	if err := json.Unmarshal(text, &a); err != nil {
		return a, fmt.Errorf("read an audit record: %w", err)
	}
	return a, nil
}

// fits tells whether a record is asked for.
func (q *Lookup) fits(a *trellis.AuditRecord) bool {
	return (q.From.IsZero() || !a.Time.Before(q.From)) && (q.To.IsZero() || !a.Time.After(q.To)) && (q.Matches == nil || q.Matches(a))
}
