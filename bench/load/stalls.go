package main

import "time"

// stall is how long the clock must have moved on at once for a loop to have been stalled: no interrupt takes that long.
const stall = 100 * time.Microsecond

// stalls says what a loop that does nothing but read the clock lost of its core, as a share of the time, and the
// longest that it lost at once, in µs.
func stalls(length time.Duration) error {
	var lost, longest time.Duration
	begun := time.Now()
	for last := time.Duration(0); last < length; {
		now := time.Since(begun)
		if gap := now - last; gap > stall {
			lost += gap
			longest = max(longest, gap)
		}
		last = now
	}
	return say(map[string]float64{"lost": lost.Seconds() / length.Seconds(), "longest": float64(longest.Microseconds())})
}
