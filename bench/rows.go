package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// row is one kind of measurement.
type row struct {
	name, title string
	columns     []column
	versus      string // the first column's ratio to this contestant is printed
	measure     func(ctx context.Context, b *bench, c *contestant) (metrics, error)
	takes       func(*contestant) bool // of those that are in the row's letter; nil: all
	once        bool                   // in the first round only: it takes long
}

// column is a metric in a table.
type column struct {
	metric, title string
	format        string // of fmt
}

// micros is the format of times in µs.
const micros = "%.1f"

// rows are all, in the order of the tables.
func rows() []row {
	fast := func(c *contestant) bool { return !c.slow }
	body := []column{{"gbps", "GB/s", "%.2f"}, {"cpu_s_gb", "CPU s/GB", "%.2f"}, {"all_s_gb", "with load and target", "%.2f"}}
	scale := []column{{"beyond", "bytes/service beyond its text", "%.0f"}, {"text", "text", "%.0f"}, {"load_s", "start s", "%.2f"}, {"first_us", "CPU µs, first", micros}, {"last_us", "CPU µs, last", micros},
		{"live_ms", "change live ms", micros}, {"lost", "lost", "%.0f"}, {"reconnects", "reconnects", "%.0f"}, {"p99_before", "p99 µs before", "%.0f"}, {"p99_during", "p99 µs during", "%.0f"}}
	small := []column{{"cpu_us", "CPU µs/request", micros}, {"rps", "requests/s", "%.0f"}, {"busy", "core used", "%.2f"}, {"core_rps", "requests/s of a full core", "%.0f"},
		{"all_us", "with load and target µs", micros}, {"pss_mb", "PSS MB", micros}, {"peak_mb", "peak RSS MB", micros}}
	delay := []column{{"p99", "p99 µs", "%.0f"}, {"p50", "p50 µs", "%.0f"}, {"p999", "p99.9 µs", "%.0f"}, {"cpu_us", "CPU µs/request", micros}, {"unanswered", "unanswered", "%.0f"}}
	held := []column{{"bytes", "bytes/connection", "%.0f"}, {"before_mb", "PSS MB before", micros}, {"with_mb", "PSS MB with them", micros}}
	opening := []column{{"cpu_us", "CPU µs/connection", micros}, {"cps", "connections/s", "%.0f"}, {"busy", "core used", "%.2f"}, {"all_us", "with load and target µs", micros}}
	decisions := []column{{"verify_ns", "ns/signature", "%.0f"}, {"verify_allocs", "allocations", "%.0f"}, {"two_ns", "ns/decision, the guide's two policies", "%.0f"}, {"decide_ns", "with the caller's own", "%.0f"}, {"decide_allocs", "allocations", "%.0f"},
		{"decisions", "decisions/s", "%.0f"}, {"long_ns", "ns/decision, 1,000 statements", "%.0f"}}
	parts := slices.Clone(small)
	parts[0].title, parts[1].title, parts[3].title = "CPU µs/message", "messages/s", "messages/s of a full core"
	calls := []column{{"rules_s", "CreateRule/s", "%.0f"}, {"rules_p99", "p99 ms", micros}, {"alone_p50", "alone, p50 ms until live", "%.2f"}, {"get_s", "GetService/s", "%.0f"}, {"get_p99", "p99 ms", micros},
		{"make_s", "services with listener/s", "%.0f"}, {"list_p50", "ListServices of 10,000, ms a page", "%.2f"}, {"list_p99", "p99 ms", "%.2f"}}
	start := []column{{"load_s", "start s", micros}, {"pss_mb", "PSS MB", "%.0f"}, {"peak_mb", "peak RSS MB", "%.0f"}}
	h1, h2 := shape{clients: multiplexed}, shape{clients: multiplexed, targets: multiplexed}
	return []row{
		{name: "a", title: "Small answers, 64 connections, as fast as they come", columns: small, versus: "nginx", measure: measureSmall},
		{name: "b2", title: "Latency at 2,000 requests/s, open loop", columns: delay, versus: "haproxy", measure: measureLatency(2000)},
		{name: "b8", title: "Latency at 8,000 requests/s, open loop", columns: delay, versus: "haproxy", measure: measureLatency(8000), takes: fast},
		{name: "c64k", title: "Answers of 64 KiB, 16 connections", columns: body, versus: "nginx", measure: measureBody(64<<10, 16, false)},
		{name: "c1m", title: "Answers of 1 MiB, 8 connections", columns: body, versus: "nginx", measure: measureBody(1<<20, 8, false)},
		{name: "cup", title: "Uploads of 1 MiB, 8 connections", columns: body, versus: "nginx", measure: measureBody(1<<20, 8, true)},
		{name: "d", title: "10,000 idle connections", columns: held, versus: "nginx", measure: measureIdle(shape{})},
		{name: "e", title: "A connection for each request", columns: opening, versus: "nginx", measure: measureClose},
		{name: "f1k", title: "1,000 services, and a change under 2,000 requests/s", columns: scale, once: true, measure: measureScale(1000)},
		{name: "f10k", title: "10,000 services, and a change under 2,000 requests/s", columns: scale, measure: measureScale(10000)},
		{name: "g", title: "Authorization", columns: small[:5], versus: "envoy", measure: measureSmall},
		{name: "h", title: "HTTP/2 to targets of HTTP/1.1, 8 connections with 8 requests each", columns: small, versus: "nginx", measure: measureStreams(h1, item, fewConns, eachStream, 1)},
		{name: "i", title: "HTTP/2 to targets of HTTP/2, 8 connections with 8 requests each", columns: small, versus: "nginx", measure: measureStreams(h2, item, fewConns, eachStream, 1)},
		{name: "ju", title: "gRPC, a message there and back", columns: small, versus: "nginx", measure: measureStreams(h2, unary, fewConns, eachStream, 1)},
		{name: "js", title: "gRPC, answers that are streams of 100 messages", columns: parts, versus: "nginx", measure: measureStreams(h2, stream, fewConns, eachStream, messages)},
		{name: "k", title: "TLS 1.3, small answers, 64 connections", columns: small, versus: "nginx", measure: measureStreams(shape{clients: secured}, item, 64, 1, 1)},
		{name: "lf", title: "TLS 1.3, a connection with a whole handshake for each request", columns: opening, versus: "nginx", measure: measureHandshakes(false)},
		{name: "lr", title: "TLS 1.3, a connection with a resumed session for each request", columns: opening, versus: "nginx", measure: measureHandshakes(true)},
		{name: "m", title: "10,000 idle connections with TLS", columns: held, versus: "nginx", measure: measureIdle(shape{clients: secured})},
		{name: "n", title: "TLS passed through, 8 connections", columns: body, versus: "haproxy", measure: measureBytes(passed)},
		{name: "o", title: "TCP to a resource, 8 connections", columns: body, versus: "haproxy", measure: measureBytes(carried)},
		{name: "p", title: "Signatures and policies alone, on one core", columns: decisions, measure: measureDecisions},
		{name: "q", title: "The API: 32 clients that sign, on both cores with the server", columns: calls, versus: "moto", measure: measureAPI},
		{name: "r", title: "100,000 services with 500,000 rules and 1,000,000 targets, from the disk", columns: start, once: true, measure: measureEstate(100_000, 500_000, 1_000_000), takes: func(c *contestant) bool { return !c.slow }},
	}
}

// item is the request of most rows.
var item = request{host: serviceHost, path: rulePath}

// µ is a duration in µs.
func µ(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }

// warm is how long a contestant is put under the load before it is measured.
const warm = time.Second

// measureSmall is the rows a and g.
func measureSmall(ctx context.Context, b *bench, c *contestant) (m metrics, err error) {
	err = b.visit(ctx, c, shape{}, func(v *visit) error {
		if _, _, err := v.wrk(ctx, item, 64, warm); err != nil {
			return err
		}
		r, u, err := v.wrk(ctx, item, 64, b.length)
		if err != nil {
			return err
		}
		m, err = v.smallMetrics(r, u, 1)
		return err
	})
	return m, err
}

// costs adds the CPU of the proxy, and of everybody, for each request.
func (m metrics) costs(v *visit, u usage, requests float64) {
	if len(v.ps) > 0 {
		m["cpu_us"] = µ(u.proxy) / requests
	}
	m["target_us"], m["load_us"] = µ(u.target)/requests, µ(u.load)/requests
	m["all_us"] = µ(u.proxy+u.target+u.load) / requests
}

// measureLatency is the rows b: what is due in the first half second is not counted. They take three times as long as
// others: a hundredth of the requests must be more than what one stall of the machine catches.
func measureLatency(rate float64) func(context.Context, *bench, *contestant) (metrics, error) {
	const lead = 500 * time.Millisecond
	return func(ctx context.Context, b *bench, c *contestant) (m metrics, err error) {
		err = b.visit(ctx, c, shape{}, func(v *visit) error {
			var o opened
			var u usage
			err := b.drowsy(func() (err error) {
				o, u, err = v.openLoop(ctx, item, rate, 64, 3*b.length+lead+time.Second, nil)
				return err
			})
			if err != nil {
				return err
			}
			took, bad := latencies(o.answers, µ(lead), 1e12)
			m = metrics{"p50": percentile(took, .5), "p99": percentile(took, .99), "p999": percentile(took, .999), "unanswered": float64(bad), "requests": float64(len(took)), "foreign": u.foreign}
			m.costs(v, u, float64(len(o.answers)))
			return nil
		})
		return m, err
	}
}

// measureBody is the rows c.
func measureBody(size, conns int, upload bool) func(context.Context, *bench, *contestant) (metrics, error) {
	url := request{host: serviceHost, path: fmt.Sprintf("/svc00025/blob/%d", size)}
	if upload {
		url = request{host: serviceHost, path: "/svc00025/up", fields: []string{"Content-Type: application/octet-stream"}, upload: size}
	}
	return func(ctx context.Context, b *bench, c *contestant) (m metrics, err error) {
		err = b.visit(ctx, c, shape{}, func(v *visit) error {
			if _, _, err := v.wrk(ctx, url, conns, warm); err != nil {
				return err
			}
			r, u, err := v.wrk(ctx, url, conns, b.length)
			if err != nil {
				return err
			}
			gb := r.requests * float64(size) / 1e9
			m = metrics{"gbps": gb / r.seconds, "all_s_gb": (u.proxy + u.target + u.load).Seconds() / gb, "foreign": u.foreign}
			if len(v.ps) > 0 {
				m["cpu_s_gb"] = u.proxy.Seconds() / gb
			}
			return nil
		})
		return m, err
	}
}

// measureIdle is the rows d and m.
func measureIdle(s shape) func(context.Context, *bench, *contestant) (metrics, error) {
	const conns = 10_000
	return func(ctx context.Context, b *bench, c *contestant) (m metrics, err error) {
		err = b.visit(ctx, c, s, func(v *visit) error {
			if err := pause(ctx, 500*time.Millisecond); err != nil {
				return err
			}
			before, err := memoryOf(v.ps)
			if err != nil {
				return err
			}
			return v.holdIdle(ctx, item, conns, func() error {
				if err := pause(ctx, 1500*time.Millisecond); err != nil {
					return err
				}
				with, err := memoryOf(v.ps)
				m = metrics{"bytes": (with.pss - before.pss) / conns, "before_mb": before.pss / 1e6, "with_mb": with.pss / 1e6}
				return err
			})
		})
		return m, err
	}
}

// measureClose is row e.
func measureClose(ctx context.Context, b *bench, c *contestant) (m metrics, err error) {
	url := request{host: serviceHost, path: rulePath, fields: []string{"Connection: close"}}
	err = b.visit(ctx, c, shape{}, func(v *visit) error {
		if _, _, err := v.wrk(ctx, url, 32, warm); err != nil {
			return err
		}
		r, u, err := v.wrk(ctx, url, 32, b.length)
		if err != nil {
			return err
		}
		m = metrics{"cps": r.requests / r.seconds, "foreign": u.foreign}
		m.costs(v, u, r.requests)
		if len(v.ps) > 0 {
			m["busy"] = u.proxy.Seconds() / r.seconds
		}
		return nil
	})
	return m, err
}

// pause waits, unless ctx ends before.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
