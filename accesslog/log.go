package accesslog

import (
	"cmp"
	"context"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/trellis-project/trellis"
	"golang.org/x/sync/errgroup"
)

const (
	// flushEvery is how often rows are handed on: half of what a reader of the log may have to wait.
	flushEvery = 250 * time.Millisecond
	// shardBytes bounds what one shard keeps; a row that does not fit is dropped.
	shardBytes = 4 << 20
	// wakeBytes is how many bytes of one shard make Run deliver before its time: buffers stay small, and in the cache.
	wakeBytes = 256 << 10
	// batchRows and batchBytes bound one Deliver, within what CloudWatch Logs takes at once
	// (10,000 events, 1 MiB with 26 bytes for each event).
	batchRows, batchBytes = 5000, 768 << 10
	// deliverTimeout bounds one Deliver.
	deliverTimeout = 5 * time.Second
	// complainEvery is how often it is said of a destination that its rows are lost.
	complainEvery = time.Minute
	// deliverAtOnce is how many destinations are served at the same time.
	deliverAtOnce = 8
)

// Row is one line of a destination's log.
type Row struct {
	Time time.Time // when the request began
	JSON []byte
}

// Options is what a Log needs.
type Options struct {
	// Deliver hands rows, sorted by time, to a destination (the ARN as the subscription has it): at most
	// 5,000 rows and 768 KiB. The rows are valid until it returns. It is called from several goroutines, for
	// one destination never at once. Rows whose delivery fails are lost and counted.
	Deliver func(ctx context.Context, destinationARN string, rows []Row) error
	Region  string
	Log     *slog.Logger // discards when nil
}

// Stats counts rows since the start.
type Stats struct {
	Delivered     uint64 // taken by their destination
	Dropped       uint64 // lost: no room in the buffer, or the delivery failed
	Undeliverable uint64 // for destinations of a kind that is not served
}

// Log takes records and delivers them as rows. It is safe for concurrent use.
type Log struct {
	deliver func(ctx context.Context, destinationARN string, rows []Row) error
	region  string
	log     *slog.Logger

	subs   atomic.Pointer[subscriptions]
	shards []shard
	full   chan struct{} // capacity 1: a shard has much

	delivered, dropped, undeliverable atomic.Uint64

	complaining sync.Mutex
	complained  map[string]time.Time // by destination; guarded by complaining

	applying sync.Mutex
	moment   trellis.Moment  // of the last Apply
	sources  sources         // as of the last Apply
	warned   map[string]bool // destinations that it was said of that they are not served
}

// shard is a part of the buffer with a lock of its own, so that workers seldom meet.
type shard struct {
	mu   sync.Mutex
	buf  []byte
	rows []pending
	_    [64]byte // keeps neighbours on different cache lines
}

// pending is a row in a shard's buffer and where it has to go.
type pending struct {
	from, to         int // in the buffer
	at               time.Time
	service, network []string // destinations
}

// New returns a Log without subscriptions. It starts nothing.
func New(o Options) *Log {
	l := &Log{deliver: o.Deliver, region: o.Region, log: o.Log, full: make(chan struct{}, 1), warned: map[string]bool{}, complained: map[string]time.Time{}}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	l.shards = make([]shard, min(runtime.GOMAXPROCS(0), 16))
	l.subs.Store(&subscriptions{})
	return l
}

// Emit logs a request that a worker of the data plane has served: each worker writes to a buffer of its own, as far as
// there are as many. It copies what it keeps, never waits for a destination and does not allocate once the
// buffers have grown; without a subscription it does nothing.
func (l *Log) Emit(worker int, r *Record) {
	subs := l.subs.Load()
	service, network := subs.services[r.ServiceARN], subs.networks[r.ServiceNetworkARN]
	if r.NetworkDetail != "" {
		theirs := *r
		theirs.AuthDeniedDetail = r.NetworkDetail
		l.add(worker, sinks{}, network, r.Start, &theirs)
		network = sinks{}
	}
	l.add(worker, service, network, r.Start, r)
}

// row is a record, as it becomes a row.
type row interface{ AppendJSON(b []byte) []byte }

// add writes a row for the sinks of a service, or resource, and of the network that it was reached through.
func (l *Log) add(worker int, service, network sinks, at time.Time, r row) {
	if n := service.unserved + network.unserved; n > 0 {
		l.undeliverable.Add(uint64(n))
	}
	if len(service.to) == 0 && len(network.to) == 0 {
		return
	}
	s := &l.shards[worker%len(l.shards)]
	s.mu.Lock()
	from := len(s.buf)
	if from >= shardBytes {
		s.mu.Unlock()
		l.dropped.Add(uint64(len(service.to) + len(network.to)))
		return
	}
	s.buf = r.AppendJSON(s.buf)
	s.rows = append(s.rows, pending{from, len(s.buf), at, service.to, network.to})
	enough := from < wakeBytes && len(s.buf) >= wakeBytes
	s.mu.Unlock()
	if enough {
		select {
		case l.full <- struct{}{}:
		default:
		}
	}
}

// Stats returns the counts of rows.
func (l *Log) Stats() Stats {
	return Stats{l.delivered.Load(), l.dropped.Load(), l.undeliverable.Load()}
}

// Run delivers until ctx is done, then once more what is left, and returns.
func (l *Log) Run(ctx context.Context) error {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	batch := &batch{shards: make([]shard, len(l.shards)), to: map[string][]Row{}}
	for {
		select {
		case <-tick.C:
		case <-l.full:
		case <-ctx.Done():
			l.flush(context.WithoutCancel(ctx), batch)
			return nil
		}
		l.flush(ctx, batch)
	}
}

// batch is what Run flushes at once: the other half of each shard's pair of buffers, and the rows by
// destination. It is kept from one flush to the next, so that the memory is used again.
type batch struct {
	shards []shard
	to     map[string][]Row
}

// flush takes all rows out of the shards and delivers them.
func (l *Log) flush(ctx context.Context, b *batch) {
	for i := range l.shards {
		s, spare := &l.shards[i], &b.shards[i]
		s.mu.Lock()
		s.buf, spare.buf = spare.buf[:0], s.buf
		s.rows, spare.rows = spare.rows[:0], s.rows
		s.mu.Unlock()
		for _, p := range spare.rows {
			row := Row{p.at, spare.buf[p.from:p.to:p.to]}
			for _, d := range p.service {
				b.to[d] = append(b.to[d], row)
			}
			for _, d := range p.network {
				if !slices.Contains(p.service, d) {
					b.to[d] = append(b.to[d], row)
				}
			}
		}
	}
	var group errgroup.Group
	group.SetLimit(deliverAtOnce)
	for d, rows := range b.to {
		if len(rows) == 0 {
			delete(b.to, d)
			continue
		}
		b.to[d] = rows[:0]
		group.Go(func() error {
			l.deliverAll(ctx, d, rows)
			clear(rows)
			return nil
		})
	}
	group.Wait()
}

// deliverAll hands one destination its rows, in pieces that it takes.
func (l *Log) deliverAll(ctx context.Context, destination string, rows []Row) {
	slices.SortStableFunc(rows, func(a, b Row) int { return cmp.Compare(a.Time.UnixNano(), b.Time.UnixNano()) })
	for len(rows) > 0 {
		n, bytes := 0, 0
		for n < len(rows) && n < batchRows && (n == 0 || bytes+len(rows[n].JSON) <= batchBytes) {
			bytes += len(rows[n].JSON)
			n++
		}
		ctx, cancel := context.WithTimeout(ctx, deliverTimeout)
		err := l.deliver(ctx, destination, rows[:n])
		cancel()
		if err != nil {
			l.dropped.Add(uint64(len(rows)))
			l.complain(destination, len(rows), err)
			return // the rest would wait for the same trouble
		}
		l.delivered.Add(uint64(n))
		rows = rows[n:]
	}
}

// complain says that rows are lost, once in a while for each destination; Stats has the number.
func (l *Log) complain(destination string, rows int, err error) {
	l.complaining.Lock()
	defer l.complaining.Unlock()
	now := time.Now()
	if now.Sub(l.complained[destination]) < complainEvery {
		return
	}
	if len(l.complained) > 1000 {
		clear(l.complained) // destinations that are long gone
	}
	l.complained[destination] = now
	l.log.Error("access log rows lost", "destination_arn", destination, "rows", rows, "error", err)
}
