package telemetry

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"time"
)

// Options is what a Telemetry needs.
type Options struct {
	Dir    string // everything is kept below it; made when it does not exist
	Region string // of ARNs
	Now    func() time.Time
	Log    *slog.Logger // discards when nil
}

// Telemetry is all that is kept. It is safe for concurrent use.
type Telemetry struct {
	logs    *Logs
	metrics *Metrics
	trail   *Trail
}

// New opens what Dir holds. It starts nothing.
func New(o Options) (*Telemetry, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	logs, err := openLogs(filepath.Join(o.Dir, "logs"), o)
	if err != nil {
		return nil, err
	}
	trail, err := openTrail(filepath.Join(o.Dir, "audit"), o)
	if err != nil {
		return nil, errors.Join(err, logs.shut())
	}
	metrics, err := openMetrics(filepath.Join(o.Dir, "metrics"), o)
	if err != nil {
		return nil, errors.Join(err, trail.shut(), logs.shut())
	}
	logs.metrics = metrics
	return &Telemetry{logs, metrics, trail}, nil
}

// Logs are the log groups of all accounts.
func (t *Telemetry) Logs() *Logs { return t.logs }

// Metrics are the metrics of all accounts.
func (t *Telemetry) Metrics() *Metrics { return t.metrics }

// Trail is the audit trail of all accounts.
func (t *Telemetry) Trail() *Trail { return t.trail }

// Run synchronizes the disk and removes what is past its retention until ctx is done; then it ends running
// queries and closes the files. What is put by others who end later is still written, but not synchronized.
func (t *Telemetry) Run(ctx context.Context) error {
	syncs, expiry := time.NewTicker(syncEvery), time.NewTicker(expireEvery)
	defer syncs.Stop()
	defer expiry.Stop()
	for {
		select {
		case <-syncs.C:
			t.trail.sync()
			t.logs.sync()
			t.metrics.sync()
		case <-expiry.C:
			t.trail.expire()
			t.logs.expire()
			t.metrics.expire()
		case <-ctx.Done():
			t.logs.queries.end()
			return errors.Join(t.trail.shut(), t.logs.shut(), t.metrics.shut())
		}
	}
}
