package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// LocalSocket is the Unix socket below the data directory at which a running Trellis serves who may read the directory:
// its metrics, for `trellis check`, and a backup.
func LocalSocket(data string) string { return filepath.Join(data, "local.sock") }

// askLocal asks the Trellis that runs with a data directory for what its local socket has at a path.
func askLocal(ctx context.Context, data, path string) (*http.Response, error) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", LocalSocket(data))
	}}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://trellis"+path, nil)
	if err != nil {
		return nil, err
	}
	return client.Do(req)
}

// metricsPath is where the local socket has the metrics.
const metricsPath = "/metrics"

// Metrics asks the Trellis that runs with a data directory for its metrics in Prometheus' text format. The caller closes
// them.
func Metrics(ctx context.Context, data string) (io.ReadCloser, error) {
	res, err := askLocal(ctx, data, metricsPath)
	if err != nil {
		return nil, fmt.Errorf("ask Trellis for metrics: %w", err)
	}
	return res.Body, nil
}

// metric is one number that a running Trellis tells of itself.
type metric struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
}

// counter makes a metric that only grows; labels are names of labels.
func counter(name, help string, labels ...string) metric {
	return metric{prometheus.NewDesc("trellis_"+name, help, labels, nil), prometheus.CounterValue}
}

// gauge is the other kind of metric.
func gauge(name, help string, labels ...string) metric {
	return metric{prometheus.NewDesc("trellis_"+name, help, labels, nil), prometheus.GaugeValue}
}

// The metrics, as Prometheus names them.
var (
	metricRevision    = gauge("revision", "Store revision that the data plane carries.")
	metricConnections = gauge("connections", "Clients' connections that are open.")
	metricAccepted    = counter("connections_accepted_total", "Clients' connections that were taken.")
	metricShed        = counter("connections_shed_total", "Idle connections that were closed to make room.")
	metricHandshakes  = counter("tls_handshakes_total", "TLS handshakes with clients, by how they ended.", "fate")
	metricRequests    = counter("requests_total", "Requests that were served or refused.")
	metricFailures    = counter("request_failures_total", "Requests that did not go as they should, by failureReason and responseCode of their access log.", "reason", "status")
	metricRefused     = counter("requests_refused_total", "Requests answered with 503 for want of memory.")
	metricResources   = counter("resource_connections_total", "Connections to TCP resources, by whether the resource was reached.", "fate")
	metricRows        = counter("access_log_rows_total", "Rows of access logs, by what became of them.", "fate")
	metricAccelerated = gauge("acceleration_enabled", "Whether sockets are joined past TCP.")
	metricEnds        = gauge("acceleration_ends", "Ends of connections that are joined now.")
	metricJoined      = counter("acceleration_connections_total", "Connections that were joined, by leg.", "leg")
	metricMessages    = counter("acceleration_messages_total", "Messages that went past TCP, by leg.", "leg")
	metricBytes       = counter("acceleration_bytes_total", "Bytes that went past TCP, by leg.", "leg")
	metricPassed      = counter("acceleration_passed_total", "Messages of joined connections that did not go past TCP, by why; those held up were sent later.", "why")
	metricsOfAll      = []metric{metricRevision, metricConnections, metricAccepted, metricShed, metricHandshakes, metricRequests, metricFailures, metricRefused, metricResources, metricRows, metricAccelerated, metricEnds,
		metricJoined, metricMessages, metricBytes, metricPassed}
)

// Describe is prometheus.Collector's.
func (d *Daemon) Describe(to chan<- *prometheus.Desc) {
	for _, m := range metricsOfAll {
		to <- m.desc
	}
}

// Collect is prometheus.Collector's: the numbers of now.
func (d *Daemon) Collect(to chan<- prometheus.Metric) {
	tell := func(m metric, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(m.desc, m.kind, v, labels...)
	}
	tell(metricRevision, float64(d.applied.revision()))
	s := d.dataPlane.Stats()
	tell(metricConnections, float64(s.Open))
	tell(metricAccepted, float64(s.Accepted))
	tell(metricShed, float64(s.Shed))
	tell(metricHandshakes, float64(s.Handshakes), "done")
	tell(metricHandshakes, float64(s.HandshakesFailed), "failed")
	tell(metricRequests, float64(s.Requests))
	for f, n := range s.Failures {
		tell(metricFailures, float64(n), f.Reason, strconv.Itoa(f.Status))
	}
	tell(metricRefused, float64(s.Refused))
	tell(metricResources, float64(s.Resources), "carried")
	tell(metricResources, float64(s.ResourcesFailed), "failed")
	rows := d.accessLog.Stats()
	tell(metricRows, float64(rows.Delivered), "delivered")
	tell(metricRows, float64(rows.Dropped), "dropped")
	tell(metricRows, float64(rows.Undeliverable), "undeliverable")
	a, err := d.vpcs.Acceleration()
	if err != nil {
		tell(metricAccelerated, 0)
		return
	}
	tell(metricAccelerated, 1)
	tell(metricEnds, float64(a.Ends))
	tell(metricJoined, float64(a.Joined.Target), "target")
	tell(metricJoined, float64(a.Joined.Client), "client")
	tell(metricMessages, float64(a.Messages.Target), "target")
	tell(metricMessages, float64(a.Messages.Client), "client")
	tell(metricBytes, float64(a.Bytes.Target), "target")
	tell(metricBytes, float64(a.Bytes.Client), "client")
	for why, n := range map[string]uint64{"alone": a.PassedAlone, "unread": a.PassedUnread, "full": a.PassedFull, "manners": a.PassedManners, "held_up": a.HeldUp} {
		tell(metricPassed, float64(n), why)
	}
}

// metricsHandler serves the metrics in Prometheus' text format, with those of etcd, which is inside, and of Go.
func (d *Daemon) metricsHandler() (http.Handler, error) {
	own := prometheus.NewRegistry()
	if err := own.Register(d); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	return promhttp.HandlerFor(prometheus.Gatherers{own, prometheus.DefaultGatherer}, promhttp.HandlerOpts{}), nil
}

// serveLocal serves the local socket until ctx is done. Without it all else works.
func (d *Daemon) serveLocal(ctx context.Context) error {
	h, err := d.metricsHandler()
	if err != nil {
		return err
	}
	path := LocalSocket(d.config.Data)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) { // left by a process that was killed
		return fmt.Errorf("remove old socket: %w", err)
	}
	dropUnfinished(d.config.Data)
	ln, err := net.Listen("unix", path)
	if err != nil {
		d.log.Warn("the local socket is not served", "at", path, "error", err) // a path over 107 bytes
		<-ctx.Done()
		return ctx.Err()
	}
	if err := os.Chmod(path, 0o600); err != nil {
		ln.Close()
		return fmt.Errorf("protect socket: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET "+metricsPath, h)
	mux.HandleFunc("GET "+backupPath, d.serveBackup)
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: apiDrain, ErrorLog: slog.NewLogLogger(d.log.Handler(), slog.LevelDebug)}
	stop := context.AfterFunc(ctx, func() { srv.Close() })
	defer stop()
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return ctx.Err()
}
