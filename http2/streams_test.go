package http2

import "testing"

// TestStreams opens and closes streams in orders that make them stand in each other's places, also around the end of the
// table, and finds those that are open.
func TestStreams(t *testing.T) {
	const most = 60
	for name, number := range map[string]func(i uint32) uint32{
		"in a row":      func(i uint32) uint32 { return i },
		"all in one":    func(i uint32) uint32 { return i * 128 },
		"three in each": func(i uint32) uint32 { return i/3 + i%3*128 },
		"at the end":    func(i uint32) uint32 { return 110 + i/3 + i%3*128 },
	} {
		for gap := range uint32(most) {
			var table streams
			open := map[uint32]*Stream{}
			check := func() {
				t.Helper()
				for i := range uint32(most) {
					if id := 2*number(i) + 1; table.get(id) != open[id] {
						t.Fatalf("%s, gap %d: stream %d is %v, want %v", name, gap, id, table.get(id), open[id])
					}
				}
				if table.count != len(open) {
					t.Fatalf("%d streams, want %d", table.count, len(open))
				}
			}
			remove := func(id uint32) {
				if s := open[id]; s != nil {
					table.remove(s)
					delete(open, id)
				}
			}
			for i := range uint32(most) {
				id := 2*number(i) + 1
				open[id] = &Stream{id: id}
				table.put(open[id])
				if i%4 == 3 {
					remove(2*number(gap*i%(i+1)) + 1)
				}
			}
			check()
			for i := range uint32(most / 2) {
				remove(2*number((i*7+gap)%most) + 1)
				check()
			}
			table.each(func(s *Stream) { // which closes others meanwhile
				remove(s.id)
				for id := range open {
					remove(id)
					break
				}
			})
			check()
			if len(open) != 0 {
				t.Errorf("%d streams left", len(open))
			}
		}
	}
}

// TestRecent remembers the last streams of each end.
func TestRecent(t *testing.T) {
	var r recent
	r.add(1, true)
	for id := uint32(3); id < 1000; id += 2 {
		r.add(id, false)
	}
	for id, want := range map[uint32]int{1: resetByUs, 3: forgotten, 999 - 2*recentEnds: forgotten, 1001 - 2*recentEnds: ended, 999: ended, 1001: forgotten} {
		if got := r.how(id); got != want {
			t.Errorf("%d: %d, want %d", id, got, want)
		}
	}
	for id := uint32(1001); id < 1001+2*recentResets; id += 2 {
		r.add(id, true)
	}
	for id, want := range map[uint32]int{1: forgotten, 1001: resetByUs, 999: ended} {
		if got := r.how(id); got != want {
			t.Errorf("%d: %d, want %d", id, got, want)
		}
	}
}
