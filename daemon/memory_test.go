package daemon

import "testing"

func TestHeapPercent(t *testing.T) {
	for live, want := range map[uint64]int{0: 100, 1 << 20: 100, heapSpare: 100, heapSpare * 5 / 4: 80, heapSpare * 3 / 2: 65, 2 * heapSpare: 50, 100 * heapSpare: 50} {
		if got := heapPercent(live); got != want {
			t.Errorf("%d bytes in use: %d %%, want %d %%", live, got, want)
		}
	}
}
