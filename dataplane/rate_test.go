package dataplane

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestRate lets a service in strict mode have more requests than it may, and less.
func TestRate(t *testing.T) {
	r, now := new(rate), time.Hour
	got := 0
	for range 2 * strictRate {
		if r.take(now) {
			got++
		}
	}
	if got != strictRate {
		t.Errorf("%d requests at once", got)
	}
	if r.take(now) || !r.take(now+time.Second/strictRate) || r.take(now+time.Second/strictRate) {
		t.Error("not one request more for each ten-thousandth of a second")
	}
	now += time.Minute
	got = 0
	for range 2 * strictRate {
		if now += time.Second / strictRate / 2; r.take(now) {
			got++
		}
	}
	if got < 2*strictRate-1 {
		t.Errorf("%d of a second at twice the rate, after a quiet minute", got)
	}
}

// TestRateLimited asks more than strict mode allows, and checks the answer and the record.
func TestRateLimited(t *testing.T) {
	stands := time.Now()
	for _, strict := range []bool{false, true} {
		w := newWorld(t)
		w.serve(Options{Strict: strict})
		if strict {
			used := new(rate)
			for used.take(time.Duration(stands.Add(time.Minute).UnixNano())) {
			}
			w.server.rates.Store(svcARN, used)
		}
		out := string(w.exchangeBytes([]byte(strings.Replace(get, " / ", " /fixed404 ", 1))))
		want, reason := 404, failNone
		if strict {
			want, reason = 429, failRateLimited
		}
		if r := w.record(0); !strings.HasPrefix(out, fmt.Sprintf("HTTP/1.1 %d ", want)) || r.FailureReason != reason {
			t.Errorf("strict %t: %q, %q", strict, out, r.FailureReason)
		}
		if st := w.server.Stats(); st.Requests != 1 || strict != (st.Failures[Failure{failRateLimited, 429}] == 1) {
			t.Errorf("counted as %+v", st)
		}
	}
}
