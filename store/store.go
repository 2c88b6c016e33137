package store

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/trellis-project/trellis"
)

// Options are what a Store needs.
type Options struct {
	// Dir holds the sealing key (seal.key, mode 0600) and, below etcd, the embedded etcd's data.
	Dir string
	// Endpoints are the client URLs of an etcd that others run. Empty: etcd runs inside the process. An
	// outer etcd must allow large transactions (--max-txn-ops 65536).
	Endpoints []string
	// QuotaBytes is how large etcd's data may become before it refuses writes. Zero means 4 GiB.
	QuotaBytes int64
	// Timeout bounds each Read and Commit, retries included. Zero means 5 s.
	Timeout time.Duration
	Log     *slog.Logger
}

// Store keeps nouns. All methods may be called by many goroutines, from before Run until after it.
type Store struct {
	o     Options
	keys  *keyring
	ready chan struct{} // closed when etcd serves
	over  chan struct{} // closed when Run begins to stop

	mu     sync.Mutex
	client *clientv3.Client // nil before ready
	letGo  func() error     // gives back memory after much was read: see engine.letGoPages
	down   error            // why nothing is served any more
	calls  sync.WaitGroup   // calls of etcd under way; mu guards Add against Wait

	leaseMu sync.Mutex
	lease   clientv3.LeaseID // for client tokens
	leaseAt time.Time        // when it was granted
}

// New reads or makes the sealing key. It starts nothing.
func New(o Options) (*Store, error) {
	if o.Dir == "" {
		return nil, errors.New("store: no data directory given")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.QuotaBytes == 0 {
		o.QuotaBytes = 4 << 30
	}
	if o.Timeout == 0 {
		o.Timeout = 5 * time.Second
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	_, err := os.Stat(filepath.Join(o.Dir, "etcd", "member"))
	keys, err := loadKeyring(filepath.Join(o.Dir, "seal.key"), err != nil)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return &Store{o: o, keys: keys, ready: make(chan struct{}), over: make(chan struct{})}, nil
}

// Ready is closed when the store serves.
func (s *Store) Ready() <-chan struct{} { return s.ready }

// Key derives 32 bytes for a purpose from the sealing key. They are the same after every start.
func (s *Store) Key(purpose string) []byte { return derive(s.keys.root, "key "+purpose) }

// Run starts etcd and returns when it has stopped: nil after ctx is done, *InUseError or *SchemaError when
// it must not start, and what etcd died of otherwise.
func (s *Store) Run(ctx context.Context) error {
	defer s.stop(ErrUnavailable)
	e, err := startEngine(ctx, s.o)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("store: %w", err)
	}
	grace := stopTimeout
	defer func() { e.stop(grace) }()
	s.mu.Lock()
	s.client, s.letGo = e.client, e.letGoPages
	s.mu.Unlock()
	if err := s.prepare(ctx); err != nil {
		s.stop(err)
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("store: %w", err)
	}
	close(s.ready)
	select {
	case <-ctx.Done():
		s.stop(ErrUnavailable)
		return nil
	case err := <-e.dead:
		grace = deadTimeout
		s.stop(err)
		return fmt.Errorf("store: etcd failed: %w", err)
	case <-e.gone():
		s.stop(ErrUnavailable)
		return errors.New("store: etcd stopped by itself")
	}
}

// Whether an etcd that others run answers is asked for so long at first, and then again and again.
const patience = 5 * time.Second

// prepare looks whether the data are to be used and brings them up to date, again and again for as long as an etcd that others
// run does not answer.
func (s *Store) prepare(ctx context.Context) error {
	timeout := startTimeout
	if len(s.o.Endpoints) > 0 {
		timeout = patience
	}
	for said := false; ; said = true {
		err := s.checkSchema(ctx, timeout)
		if err == nil {
			err = s.reindex(ctx)
		}
		if err == nil || len(s.o.Endpoints) == 0 || !errors.Is(err, ErrUnavailable) || ctx.Err() != nil {
			return err
		}
		if !said {
			s.o.Log.Warn("etcd does not answer: waiting for it", "endpoints", s.o.Endpoints, "error", err)
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Second):
		}
	}
}

// Use runs the store of a data directory for as long as fn takes: for commands beside the daemon.
func Use(ctx context.Context, o Options, fn func(*Store) error) error {
	s, err := New(o)
	if err != nil {
		return err
	}
	return s.use(ctx, func() error { return fn(s) })
}

// use runs the store for as long as fn takes.
func (s *Store) use(ctx context.Context, fn func() error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	select {
	case <-s.Ready():
		err := fn()
		stop()
		return errors.Join(err, <-ended)
	case err := <-ended:
		return errors.Join(err, context.Cause(ctx))
	}
}

// stop refuses further calls and waits, for a bounded time, until those under way have ended: etcd must
// not be closed below them.
func (s *Store) stop(why error) {
	s.mu.Lock()
	if s.down == nil {
		s.down = why
		close(s.over)
	}
	s.mu.Unlock()
	done := make(chan struct{})
	go func() { s.calls.Wait(); close(done) }()
	timer := time.NewTimer(s.o.Timeout)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		s.o.Log.Error("calls of etcd do not end", "timeout", s.o.Timeout)
	}
}

// call runs one call of etcd. It returns when the call is over, when ctx is done, or when the store stops,
// whichever is first: a hanging etcd never holds a caller.
func call[T any](ctx context.Context, s *Store, f func(context.Context, *clientv3.Client) (T, error)) (T, error) {
	var zero T
	s.mu.Lock()
	if s.down != nil || s.client == nil {
		s.mu.Unlock()
		return zero, ErrUnavailable
	}
	client := s.client
	s.calls.Add(1)
	s.mu.Unlock()
	type result struct {
		v   T
		err error
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	out := make(chan result, 1)
	go func() {
		defer s.calls.Done()
		v, err := f(ctx, client)
		out <- result{v, err}
	}()
	select {
	case r := <-out:
		return r.v, r.err
	case <-ctx.Done():
		return zero, context.Cause(ctx)
	case <-s.over:
		return zero, ErrUnavailable
	}
}

// errTimeout is the cause of a context that the store itself has limited.
var errTimeout = errors.New("no answer in time")

// bounded waits until the store is ready and returns a context that ends at the time-out.
func (s *Store) bounded(ctx context.Context) (context.Context, context.CancelFunc, error) {
	b, cancel := context.WithTimeoutCause(ctx, s.o.Timeout, errTimeout)
	select {
	case <-s.ready:
		return b, cancel, nil
	case <-s.over:
		cancel()
		return nil, nil, fmt.Errorf("%w: stopped", ErrUnavailable)
	case <-b.Done():
		cancel()
		return nil, nil, unavailable(ctx, "wait for the store", errors.New("not started"))
	}
}

// checkSchema refuses data of a newer Trellis or of another sealing key, and marks new data.
func (s *Store) checkSchema(caller context.Context, timeout time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(caller, timeout, errTimeout)
	defer cancel()
	mine, err := json.Marshal(schema{schemaVersion, s.keys.id()})
	if err != nil {
		return fmt.Errorf("check schema: %w", err)
	}
	resp, err := call(ctx, s, func(ctx context.Context, c *clientv3.Client) (*clientv3.TxnResponse, error) {
		return c.Txn(ctx).If(clientv3.Compare(clientv3.CreateRevision(keySchema), "=", 0)).
			Then(clientv3.OpPut(keySchema, string(mine))).Else(clientv3.OpGet(keySchema)).Commit()
	})
	if err != nil {
		return unavailable(caller, "check schema", err)
	}
	if resp.Succeeded {
		return nil
	}
	var found schema
	if err := json.Unmarshal(resp.Responses[0].GetResponseRange().Kvs[0].Value, &found); err != nil {
		return fmt.Errorf("check schema: %w", err)
	}
	if found.Version > schemaVersion {
		return &SchemaError{found.Version, schemaVersion}
	}
	if !s.keys.has(found.SealKey) {
		return fmt.Errorf("the data was sealed with key %s, which %s does not hold: bring that file back", found.SealKey, filepath.Join(s.o.Dir, "seal.key"))
	}
	return nil
}

// Read runs fn on one consistent revision, the newest at its first read. fn may run several times.
func (s *Store) Read(ctx context.Context, fn func(*Tx) error) error {
	_, err := s.transact(ctx, fn, true)
	return err
}

// Commit runs fn and then writes what it asked for in one transaction, provided that nothing that fn read
// has changed meanwhile; if it has, fn runs again on the newer revision. It returns the revision of the
// write, or the revision that was read when there was nothing to write. An error of fn ends it unwritten.
func (s *Store) Commit(ctx context.Context, fn func(*Tx) error) (trellis.Revision, error) {
	return s.transact(ctx, fn, false)
}

// transact is Read and Commit.
func (s *Store) transact(caller context.Context, fn func(*Tx) error, readOnly bool) (trellis.Revision, error) {
	ctx, cancel, err := s.bounded(caller)
	if err != nil {
		return 0, err
	}
	defer cancel()
	return s.attempt(ctx, caller, fn, readOnly)
}

// attempt runs a transaction until nothing is in its way or ctx, which the caller's was limited to, is done.
func (s *Store) attempt(ctx, caller context.Context, fn func(*Tx) error, readOnly bool) (trellis.Revision, error) {
	pause := time.Millisecond
	for {
		tx := &Tx{ctx: ctx, s: s, readOnly: readOnly, reads: map[string]read{}, writes: map[string]write{}}
		err := fn(tx)
		retry := tx.stale
		if !retry {
			if tx.broken != nil {
				return 0, unavailable(caller, "read", tx.broken)
			}
			if err = cmp.Or(err, tx.err); err != nil {
				return 0, err
			}
			var rev trellis.Revision
			if rev, retry, err = tx.finish(); err != nil {
				return 0, unavailable(caller, "commit", err)
			}
			if !retry {
				return rev, nil
			}
		}
		timer := time.NewTimer(pause/2 + rand.N(pause))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			if cause := context.Cause(caller); cause != nil {
				return 0, fmt.Errorf("commit: %w", cause)
			}
			return 0, fmt.Errorf("commit: %w", ErrConflict)
		}
		pause = min(2*pause, 50*time.Millisecond)
	}
}

// Backup writes a snapshot of etcd's database, which etcdutl can restore. The sealing key is not in it.
func (s *Store) Backup(ctx context.Context, w io.Writer) error {
	r, err := call(ctx, s, func(_ context.Context, c *clientv3.Client) (io.ReadCloser, error) { return c.Snapshot(ctx) })
	if err != nil {
		return unavailable(ctx, "backup", err)
	}
	defer r.Close()
	if _, err := io.Copy(w, r); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return nil
}
