package main

import (
	"math"
	"slices"
	"time"
)

// metrics are the numbers of one measurement by name.
type metrics map[string]float64

// sample is one measurement of one contestant. All of them are kept, in results.json.
type sample struct {
	Row        string    `json:"row"`
	Contestant string    `json:"contestant"`
	Round      int       `json:"round"`
	At         time.Time `json:"at"`
	Metrics    metrics   `json:"metrics,omitempty"`
	Error      string    `json:"error,omitempty"`
	Unable     bool      `json:"unable,omitempty"` // the error is errUnable
}

// spread is the median of some numbers, and the least and the most of them.
type spread struct {
	n                int
	median, min, max float64
}

// spreadOf sorts values. n is 0 when there are none.
func spreadOf(values []float64) spread {
	if len(values) == 0 {
		return spread{}
	}
	slices.Sort(values)
	m := values[len(values)/2]
	if len(values)%2 == 0 {
		m = (m + values[len(values)/2-1]) / 2
	}
	return spread{len(values), m, values[0], values[len(values)-1]}
}

// percentile is the value that a share of sorted values is not above (nearest rank); NaN when there are none.
func percentile(sorted []float64, share float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	i := int(math.Ceil(share*float64(len(sorted)))) - 1
	return sorted[min(max(i, 0), len(sorted)-1)]
}

// latencies are the sorted times of the answers that were due in a window of µs, and how many of them were not 200.
func latencies(as []answered, from, to float64) (sorted []float64, bad int) {
	for _, a := range as {
		if a.due < from || a.due >= to {
			continue
		}
		sorted = append(sorted, a.took)
		if a.status != 200 {
			bad++
		}
	}
	slices.Sort(sorted)
	return sorted, bad
}

// values are the values of a metric of one contestant in one row, by round.
func values(samples []sample, row, contestant, metric string) map[int]float64 {
	vs := map[int]float64{}
	for _, s := range samples {
		if v, ok := s.Metrics[metric]; ok && s.Row == row && s.Contestant == contestant {
			vs[s.Round] = v
		}
	}
	return vs
}

// spreadIn is the spread of a metric over the rounds.
func spreadIn(samples []sample, row, contestant, metric string) spread {
	var vs []float64
	for _, v := range values(samples, row, contestant, metric) {
		vs = append(vs, v)
	}
	return spreadOf(vs)
}
