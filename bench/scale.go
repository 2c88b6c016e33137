package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// What a change is made under, and when.
const (
	changeRate  = 2000
	changeAfter = 1500 * time.Millisecond
	changeTime  = 5 * time.Second
)

// measureScale is the rows f: n routes, each with a target group of its own.
func measureScale(n int) func(context.Context, *bench, *contestant) (metrics, error) {
	return func(ctx context.Context, b *bench, c *contestant) (metrics, error) {
		var alone held
		err := b.visit(ctx, c, shape{routes: 1}, func(v *visit) (err error) {
			alone, err = v.held(ctx)
			return err
		})
		if err != nil {
			return nil, err
		}
		m := metrics{}
		s := shape{routes: n}
		err = b.visit(ctx, c, s, func(v *visit) error {
			all, err := v.held(ctx)
			if err != nil {
				return err
			}
			if m["text"], err = v.textEach(alone, all, n); err != nil {
				return err
			}
			m["load_s"], m["pss_mb"] = v.took.Seconds(), all.memory/1e6
			m["memory"] = (all.memory - alone.memory) / float64(n-1)
			m["beyond"] = m["memory"] - m["text"]
			if err := v.depth(ctx, n, m); err != nil {
				return err
			}
			return v.underChange(ctx, s, m)
		})
		return m, err
	}
}

// held is what a contestant holds before it has had load, and what it was told in files, in bytes.
type held struct{ memory, text float64 }

// held waits until the start is over and asks.
func (v *visit) held(ctx context.Context) (held, error) {
	if err := pause(ctx, time.Second); err != nil {
		return held{}, err
	}
	mem, err := memoryOf(v.ps)
	h := held{memory: mem.pss}
	for _, n := range v.b.texts {
		h.text += float64(n)
	}
	return h, err
}

// textEach is the bytes of text that describe one of n routes. Trellis has no files: its nouns are as the store has
// them.
func (v *visit) textEach(alone, all held, n int) (float64, error) {
	if all.text > 0 {
		return (all.text - alone.text) / float64(n-1), nil
	}
	text, err := control(v.b, http.MethodGet, "/text")
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(text, 64)
}

// depth measures requests for the first and for the last route, twice in turns.
func (v *visit) depth(ctx context.Context, n int, m metrics) error {
	ends := [2]request{}
	for i, at := range []int{0, n - 1} {
		route := fmt.Sprintf("svc%05d", at)
		ends[i] = request{host: v.c.routeHost(route), path: "/" + route + "/x"}
	}
	if _, _, err := v.wrk(ctx, ends[1], 64, warm); err != nil {
		return err
	}
	var used [2]time.Duration
	var requests [2]float64
	for i := range 4 {
		r, u, err := v.wrk(ctx, ends[i%2], 64, time.Second)
		if err != nil {
			return err
		}
		used[i%2] += u.proxy
		requests[i%2] += r.requests
	}
	m["first_us"], m["last_us"] = µ(used[0])/requests[0], µ(used[1])/requests[1]
	m["depth_us"] = m["last_us"] - m["first_us"]
	return nil
}

// underChange makes a change under load, and sees when it is live and what the load saw meanwhile.
func (v *visit) underChange(ctx context.Context, s shape, m metrics) error {
	apply, err := v.c.change(v.b, v.c, s, v.ps)
	if err != nil {
		return err
	}
	route := "svc00025" // an early one: who searches routes one by one can bear the rate
	host := serviceHost
	if v.c.hosts {
		host = v.c.routeHost("new")
	}
	var at time.Time
	var live time.Duration
	o, _, err := v.openLoop(ctx, request{host: v.c.routeHost(route), path: "/" + route + "/x"}, changeRate, 32, changeTime, func() error {
		if err := pause(ctx, changeAfter); err != nil {
			return err
		}
		at = time.Now()
		if err := apply(); err != nil {
			return fmt.Errorf("change: %w", err)
		}
		err := v.answers(ctx, host, "/new/x", 30*time.Second)
		live = time.Since(at)
		return err
	})
	if err != nil {
		return err
	}
	changed := µ(at.Sub(o.begun))
	before, _ := latencies(o.answers, µ(500*time.Millisecond), changed)
	during, _ := latencies(o.answers, changed, changed+µ(max(live, time.Second)))
	_, lost := latencies(o.answers, 0, 1e12)
	m["live_ms"], m["lost"], m["reconnects"] = µ(live)/1e3, float64(lost), float64(o.reconnects)
	m["p99_before"], m["p99_during"] = percentile(before, .99), percentile(during, .99)
	if len(during) > 0 {
		m["worst_during"] = during[len(during)-1]
	}
	return nil
}
