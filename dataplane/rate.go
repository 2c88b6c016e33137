package dataplane

import (
	"sync/atomic"
	"time"
)

// strictRate is how many requests a second a service may get with Options.Strict (VPC Lattice user guide, quotas:
// 10,000 for each service in each zone).
const strictRate = 10_000

// rate bounds the requests to one service, of all workers together. It is the time until which the requests so far
// would have lasted had they come evenly (GCRA), counted as the loops do: within a second of now, more are welcome.
type rate struct{ until atomic.Int64 }

// take counts a request, and tells whether it is within the rate.
func (r *rate) take(now time.Duration) bool {
	for {
		until := r.until.Load()
		next := max(until, int64(now)) + int64(time.Second/strictRate)
		if next > int64(now+time.Second) {
			return false
		}
		if r.until.CompareAndSwap(until, next) {
			return true
		}
	}
}

// withinRate tells whether the request's service may get it. There is no bound but in strict mode.
func (x *exchange) withinRate() bool {
	s := x.l.s
	if !s.Strict {
		return true
	}
	r, ok := s.rates.Load(x.service.ARN)
	if !ok {
		r, _ = s.rates.LoadOrStore(x.service.ARN, new(rate))
	}
	return r.(*rate).take(time.Duration(s.Now().UnixNano()))
}
