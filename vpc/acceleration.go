package vpc

import "fmt"

// AccelerationStats is what an Accelerator has done.
type AccelerationStats struct {
	Joined   LegCounts // connections
	Left     LegCounts // of these, ended
	Messages LegCounts // that went past TCP
	Bytes    LegCounts // in these
	// Messages of joined sockets that went by TCP, by why.
	PassedAlone   uint64 // the other end is not joined, or no more
	PassedUnread  uint64 // the reader had not read what went by TCP before
	PassedFull    uint64 // the reader's queue was full
	PassedManners uint64 // the reader has not answered yet, reads with waiting, or reads by splice
	Refused       uint64 // ends that the kernel or full maps refused
	Ends          int    // ends in the maps now
}

// LegCounts is a count for each leg.
type LegCounts struct{ Target, Client uint64 }

// counters is the order of the counters in bpf/accelerate.c.
func (s *AccelerationStats) counters() []*uint64 {
	return []*uint64{&s.Joined.Target, &s.Joined.Client, &s.Left.Target, &s.Left.Client,
		&s.Messages.Target, &s.Messages.Client, &s.Bytes.Target, &s.Bytes.Client,
		&s.PassedAlone, &s.PassedUnread, &s.PassedFull, &s.PassedManners, &s.Refused}
}

// Stats reads what was counted. It walks through all joined ends, so ask seldom.
func (a *Accelerator) Stats() (AccelerationStats, error) {
	var s AccelerationStats
	for n, counter := range s.counters() {
		var each []uint64
		if err := a.objects.Counters.Lookup(uint32(n), &each); err != nil {
			return s, fmt.Errorf("read counters of acceleration: %w", err)
		}
		for _, v := range each {
			*counter += v
		}
	}
	var key, next [48]byte
	err := a.objects.Ends.NextKey(nil, &next)
	for ; err == nil; err = a.objects.Ends.NextKey(key, &next) {
		s.Ends++
		key = next
	}
	return s, nil
}
