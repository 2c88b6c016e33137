package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// figure is one plot: groups of bars, one group for each contestant, one bar of it for each series.
type figure struct {
	name, title, axis string
	logarithmic       bool
	series            []series
}

// series is a metric of one row.
type series struct{ row, metric, name string }

// plots are all figures.
func plots() []figure {
	return []figure{
		{name: "cpu", title: "CPU of the proxy for a small request", axis: "µs", series: []series{{"a", "cpu_us", "median, line: least to most"}}},
		{name: "latency-2000", title: "Latency at 2,000 requests/s, open loop", axis: "µs", logarithmic: true, series: []series{{"b2", "p50", "p50"}, {"b2", "p99", "p99"}, {"b2", "p999", "p99.9"}}},
		{name: "latency-8000", title: "Latency at 8,000 requests/s, open loop", axis: "µs", logarithmic: true, series: []series{{"b8", "p50", "p50"}, {"b8", "p99", "p99"}, {"b8", "p999", "p99.9"}}},
		{name: "bodies", title: "Bodies through one core", axis: "GB/s", series: []series{{"c64k", "gbps", "64 KiB down"}, {"c1m", "gbps", "1 MiB down"}, {"cup", "gbps", "1 MiB up"}}},
		{name: "memory", title: "Memory of the proxy (PSS)", axis: "MB", series: []series{{"a", "pss_mb", "64 busy connections"}, {"d", "with_mb", "10,000 idle connections"}, {"m", "with_mb", "10,000 with TLS"}, {"f10k", "pss_mb", "10,000 services"}}},
		{name: "depth", title: "CPU of the proxy with 10,000 routes", axis: "µs", logarithmic: true, series: []series{{"f10k", "first_us", "the first"}, {"f10k", "last_us", "the last"}}},
		{name: "change", title: "A change at 10,000 routes", axis: "ms until live", logarithmic: true, series: []series{{"f1k", "live_ms", "1,000 routes"}, {"f10k", "live_ms", "10,000 routes"}}},
		{name: "streams", title: "CPU of the proxy for a small request of HTTP/2", axis: "µs", series: []series{{"h", "cpu_us", "targets of HTTP/1.1"}, {"i", "cpu_us", "targets of HTTP/2"}, {"ju", "cpu_us", "gRPC"}}},
		{name: "handshakes", title: "CPU of the proxy for a connection with TLS 1.3 and a request", axis: "µs", series: []series{{"lf", "cpu_us", "a whole handshake"}, {"lr", "cpu_us", "a resumed session"}}},
		{name: "authorization", title: "CPU of the proxy with and without authorization", axis: "µs", series: []series{{"g", "cpu_us", "median, line: least to most"}}},
	}
}

// plotter draws figures with matplotlib, which .ci/install bench puts below .cache.
//
//go:embed plot.py
var plotter string

// bar is one value of a drawing: the median, with least and most.
type bar struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// drawing is a figure with its values, as plot.py reads it.
type drawing struct {
	File        string   `json:"file"`
	Title       string   `json:"title"`
	Axis        string   `json:"axis"`
	Logarithmic bool     `json:"logarithmic"`
	Groups      []string `json:"groups"` // the contestants
	Series      []struct {
		Name string `json:"name"`
		Bars []*bar `json:"bars"` // one for each group, null where nothing was measured
	} `json:"series"`
}

// plot writes the figures of what was measured as PNGs.
func (r results) plot(dir string) error {
	var all []drawing
	for _, f := range plots() {
		if d := r.drawing(f); len(d.Groups) > 0 {
			d.File = filepath.Join(dir, f.name+".png")
			all = append(all, d)
		}
	}
	if len(all) == 0 { // of some rows there is no figure
		return nil
	}
	input, err := json.Marshal(all)
	if err != nil {
		return fmt.Errorf("plot: %w", err)
	}
	python := filepath.Join(os.Getenv("TRELLIS_VENVS"), "plot", "bin", "python3")
	if os.Getenv("TRELLIS_VENVS") == "" {
		python = filepath.Join(".cache", "plot", "bin", "python3")
	}
	cmd := exec.Command(python, "-c", plotter)
	cmd.Stdin = bytes.NewReader(input)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("plot: %w: %s (`.ci/install bench` installs what it needs)", err, out)
	}
	return nil
}

// drawing is a figure with the values of those contestants that have any.
func (r results) drawing(f figure) drawing {
	d := drawing{Title: f.title, Axis: f.axis, Logarithmic: f.logarithmic}
	for _, c := range contestants() {
		var bars []*bar
		found := false
		for _, s := range f.series {
			v := spreadIn(r.Samples, s.row, c.name, s.metric)
			if v.n == 0 {
				bars = append(bars, nil)
				continue
			}
			found = true
			bars = append(bars, &bar{v.median, v.min, v.max})
		}
		if !found {
			continue
		}
		d.Groups = append(d.Groups, c.title)
		if d.Series == nil {
			d.Series = make([]struct {
				Name string `json:"name"`
				Bars []*bar `json:"bars"`
			}, len(f.series))
		}
		for i, s := range f.series {
			d.Series[i].Name = s.name
			d.Series[i].Bars = append(d.Series[i].Bars, bars[i])
		}
	}
	return d
}
