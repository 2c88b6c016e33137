package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/sys/unix"
)

// The settings of the embedded etcd.
const (
	tickMillis      = 20      // heartbeat: one member elects itself within a few of them
	electionMillis  = 100     // at least five heartbeats
	maxTxnOps       = 1 << 20 // a Commit compares every key that it read
	maxRequestBytes = 16 << 20
	historyKept     = "1h" // a follower that falls back further starts from a snapshot
	logKept         = 100  // entries of etcd's log in memory that are applied already: no other member falls back
	logReplayed     = 2000 // entries of etcd's log that a start reads again at most, all of them in memory at once
	startTimeout    = time.Minute
	stopTimeout     = 10 * time.Second
	deadTimeout     = time.Second // to stop an etcd that has failed
)

// The one member of the embedded etcd. A member needs an advertised address; nobody listens there: this is the discard port.
const (
	memberName     = "trellis"
	memberHost     = "127.0.0.1:9"
	initialCluster = memberName + "=http://" + memberHost
	clusterToken   = "trellis"
)

// engine is a running etcd, inside the process or elsewhere.
type engine struct {
	client *clientv3.Client
	etcd   *embed.Etcd  // nil when etcd runs elsewhere
	lock   *os.File     // holds the data directory
	dead   <-chan error // an error that etcd cannot live with
	once   sync.Once    // of stop
	log    *slog.Logger // for what happens while stopping
}

// lockDir takes the data directory for this process. The lock goes with the process, however it ends.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock data directory: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, &InUseError{dir}
		}
		return nil, fmt.Errorf("lock data directory: %w", err)
	}
	return f, nil
}

// startEngine starts the embedded etcd, or connects to the endpoints, and waits until it serves.
func startEngine(ctx context.Context, o Options) (*engine, error) {
	lock, err := lockDir(o.Dir)
	if err != nil {
		return nil, err
	}
	e := &engine{lock: lock, log: o.Log}
	if len(o.Endpoints) > 0 {
		err = e.connect(o)
	} else {
		err = e.embed(ctx, o)
	}
	if err != nil {
		e.stop(deadTimeout)
		return nil, err
	}
	return e, nil
}

// connect makes a client of an etcd that others run.
func (e *engine) connect(o Options) error {
	c, err := clientv3.New(clientv3.Config{
		Endpoints: o.Endpoints, DialTimeout: 5 * time.Second, Logger: zap.NewNop(),
		// A member that hangs is left for another one.
		DialKeepAliveTime: 5 * time.Second, DialKeepAliveTimeout: 3 * time.Second,
	})
	if err != nil {
		return fmt.Errorf("connect to etcd: %w", err)
	}
	e.client = c
	return nil
}

// embed starts etcd as one member inside the process. It has no listener: the client calls its functions.
func (e *engine) embed(ctx context.Context, o Options) error {
	dead := make(chan error, 1)
	e.dead = dead
	cfg := embed.NewConfig()
	cfg.Name = memberName
	cfg.Dir = filepath.Join(o.Dir, "etcd")
	cfg.ListenPeerUrls, cfg.ListenClientUrls = nil, nil
	nowhere := url.URL{Scheme: "http", Host: memberHost}
	cfg.AdvertisePeerUrls, cfg.AdvertiseClientUrls = []url.URL{nowhere}, []url.URL{nowhere}
	cfg.InitialCluster = initialCluster
	cfg.InitialClusterToken = clusterToken
	cfg.TickMs, cfg.ElectionMs = tickMillis, electionMillis
	cfg.MaxTxnOps, cfg.MaxRequestBytes = maxTxnOps, maxRequestBytes
	cfg.QuotaBackendBytes = o.QuotaBytes
	cfg.AutoCompactionMode, cfg.AutoCompactionRetention = embed.CompactorModePeriodic, historyKept
	cfg.SnapshotCatchUpEntries = logKept
	cfg.SnapshotCount = logReplayed
	cfg.BootstrapDefragThresholdMegabytes = 64
	cfg.EnableGRPCGateway = false
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zapLogger(o.Log, dead))

	// etcd ends the goroutine that meets a fatal error, so it starts in one of its own.
	type started struct {
		etcd *embed.Etcd
		err  error
	}
	start := make(chan started, 1)
	go func() {
		etcd, err := embed.StartEtcd(cfg)
		start <- started{etcd, err}
	}()
	timer := time.NewTimer(startTimeout)
	defer timer.Stop()
	select {
	case s := <-start:
		if s.err != nil {
			return fmt.Errorf("start etcd: %w", s.err)
		}
		e.etcd = s.etcd
	case err := <-dead:
		return fmt.Errorf("start etcd: %w", err)
	case <-timer.C:
		return fmt.Errorf("start etcd: not ready after %s", startTimeout)
	}
	select {
	case <-e.etcd.Server.ReadyNotify():
	case err := <-dead:
		return fmt.Errorf("start etcd: %w", err)
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return fmt.Errorf("start etcd: not ready after %s", startTimeout)
	}
	e.client = v3client.New(e.etcd.Server)
	return nil
}

// gone is closed when the embedded etcd has stopped by itself; nil for an etcd elsewhere.
func (e *engine) gone() <-chan struct{} {
	if e.etcd == nil {
		return nil
	}
	return e.etcd.Server.StopNotify()
}

// stop ends etcd and gives the data directory back. An etcd that hangs is left behind: what it has
// acknowledged is on disk, and the process is about to end.
func (e *engine) stop(timeout time.Duration) {
	e.once.Do(func() {
		done := make(chan struct{})
		go func() {
			defer close(done)
			if e.client != nil {
				e.client.Close()
			}
			if e.etcd != nil {
				e.etcd.Close()
			}
		}()
		timer := time.NewTimer(timeout)
		defer timer.Stop()
		select {
		case <-done:
			e.lock.Close()
		case <-timer.C:
			// The lock stays with the process: etcd may still have the files open.
			e.log.Error("etcd does not stop", "timeout", timeout)
		}
	})
}

// zapLogger brings etcd's log to ours: its errors and warnings, which it also writes when all is well, for
// debugging, and what it cannot live with as an error. What etcd calls fatal (a full disk, a damaged file)
// ends the goroutine that met it, and comes out of dead, instead of ending the process.
func zapLogger(log *slog.Logger, dead chan<- error) *zap.Logger {
	hook := fatalHook{dead}
	return zap.New(&zapCore{log: log}, zap.WithFatalHook(hook), zap.WithPanicHook(hook))
}

// fatalHook is run by zap after a fatal entry was logged.
type fatalHook struct{ dead chan<- error }

// OnWrite reports the entry and ends the goroutine.
func (h fatalHook) OnWrite(ce *zapcore.CheckedEntry, fields []zapcore.Field) {
	text := ce.Message
	for _, f := range fields {
		if err, ok := f.Interface.(error); ok {
			text += ": " + err.Error()
		}
	}
	select {
	case h.dead <- errors.New(strings.TrimSpace(text)):
	default: // the first error is the one that explains
	}
	zapcore.WriteThenGoexit.OnWrite(ce, fields)
}

// zapCore is a zapcore.Core that writes to slog.
type zapCore struct {
	log    *slog.Logger
	fields []zapcore.Field
}

// Enabled is true for warnings and errors.
func (c *zapCore) Enabled(l zapcore.Level) bool { return l >= zapcore.WarnLevel }

// With returns a core that adds fields to every entry.
func (c *zapCore) With(fields []zapcore.Field) zapcore.Core {
	return &zapCore{c.log, append(c.fields[:len(c.fields):len(c.fields)], fields...)}
}

// Check adds the core to entries that are enabled.
func (c *zapCore) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return ce.AddCore(e, c)
	}
	return ce
}

// Write logs one entry.
func (c *zapCore) Write(e zapcore.Entry, fields []zapcore.Field) error {
	level := slog.LevelDebug
	if e.Level > zapcore.ErrorLevel {
		level = slog.LevelError
	}
	if !c.log.Enabled(context.Background(), level) {
		return nil
	}
	enc := zapcore.NewMapObjectEncoder()
	for _, f := range c.fields {
		f.AddTo(enc)
	}
	for _, f := range fields {
		f.AddTo(enc)
	}
	c.log.Log(context.Background(), level, "etcd", "text", e.Message, "fields", enc.Fields)
	return nil
}

// Sync has nothing to do.
func (c *zapCore) Sync() error { return nil }
