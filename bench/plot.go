package main

import (
	"errors"
	"fmt"
	"image/color"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
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
		{name: "memory", title: "Memory of the proxy (PSS)", axis: "MB", series: []series{{"a", "pss_mb", "64 busy connections"}, {"d", "with_mb", "10,000 idle connections"}, {"f10k", "pss_mb", "10,000 services"}}},
		{name: "depth", title: "CPU of the proxy with 10,000 routes", axis: "µs", logarithmic: true, series: []series{{"f10k", "first_us", "the first"}, {"f10k", "last_us", "the last"}}},
		{name: "change", title: "A change at 10,000 routes", axis: "ms until live", logarithmic: true, series: []series{{"f1k", "live_ms", "1,000 routes"}, {"f10k", "live_ms", "10,000 routes"}}},
		{name: "authorization", title: "CPU of the proxy with and without authorization", axis: "µs", series: []series{{"g", "cpu_us", "median, line: least to most"}}},
	}
}

// shades are the colours of series.
var shades = []color.Color{color.RGBA{0x2f, 0x5d, 0x8a, 0xff}, color.RGBA{0x8f, 0xb8, 0xde, 0xff}, color.RGBA{0xe0, 0x8e, 0x45, 0xff}}

// plot writes the figures of what was measured as PNGs.
func (r results) plot(dir string) error {
	var errs []error
	for _, f := range plots() {
		if err := r.draw(f, filepath.Join(dir, f.name+".png")); err != nil {
			errs = append(errs, fmt.Errorf("plot %s: %w", f.name, err))
		}
	}
	return errors.Join(errs...)
}

// draw writes one figure, unless nothing of it was measured.
func (r results) draw(f figure, file string) error {
	var titles []string
	bars := make([][]spread, len(f.series))
	for _, c := range contestants() {
		var of []spread
		any := 0
		for _, s := range f.series {
			v := spreadIn(r.Samples, s.row, c.name, s.metric)
			of, any = append(of, v), any+v.n
		}
		if any == 0 {
			continue
		}
		titles = append(titles, strings.ReplaceAll(c.title, ", ", ",\n"))
		for i, v := range of {
			bars[i] = append(bars[i], v)
		}
	}
	if len(titles) == 0 {
		return nil
	}
	p := plot.New()
	p.Title.Text, p.Y.Label.Text = f.title, f.axis
	p.Title.Padding = vg.Points(8)
	p.Legend.Top, p.Legend.Left, p.Legend.Padding = true, true, vg.Points(2)
	least := math.Inf(1)
	for _, vs := range bars {
		for _, v := range vs {
			if v.n > 0 && v.min > 0 {
				least = min(least, v.min)
			}
		}
	}
	p.Y.Min = 0
	if f.logarithmic {
		p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
		p.Y.Min = math.Pow(10, math.Floor(math.Log10(least)))
	}
	var shown []int // series of which anything was measured
	for i, vs := range bars {
		if slices.ContainsFunc(vs, func(s spread) bool { return s.n > 0 }) {
			shown = append(shown, i)
		}
	}
	width := 0.8 / float64(len(shown))
	for at, i := range shown {
		vs := bars[i]
		g := &group{spreads: vs, offset: (float64(at) - float64(len(shown)-1)/2) * width, width: width, color: shades[i%len(shades)], floor: p.Y.Min}
		p.Add(g)
		p.Legend.Add(f.series[i].name, g)
	}
	p.NominalX(titles...)
	p.X.Min, p.X.Max = -0.6, float64(len(titles))-0.4
	p.Y.Max *= 1.3 // room for the legend
	if f.logarithmic {
		p.Y.Max *= 4
	}
	return p.Save(vg.Length(max(len(titles), 4))*1.1*vg.Inch+vg.Inch, 4.5*vg.Inch, file)
}

// group is the bars of one series, each with a line from its least to its most.
type group struct {
	spreads       []spread
	offset, width float64
	color         color.Color
	floor         float64
}

// Plot draws the bars.
func (g *group) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	line := draw.LineStyle{Color: color.Black, Width: vg.Points(0.8)}
	for i, s := range g.spreads {
		if s.n == 0 || s.median <= g.floor {
			continue
		}
		left, right := x(float64(i)+g.offset-g.width*0.46), x(float64(i)+g.offset+g.width*0.46)
		c.FillPolygon(g.color, []vg.Point{{X: left, Y: y(g.floor)}, {X: left, Y: y(s.median)}, {X: right, Y: y(s.median)}, {X: right, Y: y(g.floor)}})
		middle := (left + right) / 2
		c.StrokeLine2(line, middle, y(max(s.min, g.floor)), middle, y(s.max))
		style := draw.TextStyle{Color: color.Black, Font: p.X.Tick.Label.Font, XAlign: draw.XCenter, YAlign: draw.YBottom, Handler: plot.DefaultTextHandler}
		style.Font.Size = vg.Points(7)
		c.FillText(style, vg.Point{X: middle, Y: y(s.max) + vg.Points(2)}, short3(s.median))
	}
}

// DataRange is what the axes must show.
func (g *group) DataRange() (xmin, xmax, ymin, ymax float64) {
	ymax = g.floor
	for _, s := range g.spreads {
		ymax = max(ymax, s.max)
	}
	return 0, float64(len(g.spreads)), g.floor, ymax
}

// Thumbnail is the series' colour in the legend.
func (g *group) Thumbnail(c *draw.Canvas) {
	c.FillPolygon(g.color, []vg.Point{{X: c.Min.X, Y: c.Min.Y}, {X: c.Min.X, Y: c.Max.Y}, {X: c.Max.X, Y: c.Max.Y}, {X: c.Max.X, Y: c.Min.Y}})
}

// short3 is a number for a bar: three digits or so.
func short3(v float64) string {
	switch {
	case v >= 100:
		return number(v, "%.0f")
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}
