package http2

import "testing"

// TestStreams opens and closes streams in orders that make them stand in each other's places, and finds those that are
// open.
func TestStreams(t *testing.T) {
	for step := uint32(2); step <= 64; step *= 2 {
		for gap := range uint32(5) {
			var table streams
			open := map[uint32]*Stream{}
			check := func() {
				t.Helper()
				for id := uint32(1); id < 64*step; id += 2 {
					if table.get(id) != open[id] {
						t.Fatalf("step %d, gap %d: stream %d is %v, want %v", step, gap, id, table.get(id), open[id])
					}
				}
				if table.count != len(open) {
					t.Fatalf("%d streams, want %d", table.count, len(open))
				}
			}
			for i := range uint32(60) {
				id := 1 + i*step
				open[id] = &Stream{id: id}
				table.put(open[id])
				if old := 1 + (i-i%3)/3*step; i%(gap+2) == gap && open[old] != nil {
					table.remove(open[old])
					delete(open, old)
				}
				check()
			}
			table.each(func(s *Stream) {
				for id, other := range open { // closing others meanwhile
					if id%(4*step) == s.id%(4*step) {
						table.remove(other)
						delete(open, id)
					}
				}
			})
			check()
			if len(open) != 0 {
				t.Errorf("%d streams left", len(open))
			}
		}
	}
}

// TestRecent remembers the last streams.
func TestRecent(t *testing.T) {
	var r recent
	for id := uint32(1); id < 4*recentStreams; id += 2 {
		r.add(id, id%4 == 1)
	}
	for id, want := range map[uint32]int{1: forgotten, 2*recentStreams - 1: forgotten, 2*recentStreams + 1: resetByUs, 4*recentStreams - 1: ended, 4*recentStreams + 1: forgotten} {
		if got := r.how(id); got != want {
			t.Errorf("%d: %d, want %d", id, got, want)
		}
	}
}
