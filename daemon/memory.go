package daemon

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"time"
)

// boundMemory sets what the Go runtime tries to stay below, unless the environment (GOMEMLIMIT) says it, and returns how
// much of that requests in flight may take, in bytes: half.
func boundMemory() int64 {
	limit := debug.SetMemoryLimit(-1)
	if limit == math.MaxInt64 {
		limit = memoryLimit() / 10 * 9
		debug.SetMemoryLimit(limit)
	}
	return limit / 2
}

// heapSpare is by how much the heap may grow from one collection to the next, in bytes, however little of it is in use.
const heapSpare = 256 << 20

// heapPercent is by how many percent the heap may grow that has so many bytes in use: by as much, as is Go's way, until that
// is heapSpare, and from twice that on by half. It comes in steps, since setting it stops the world for a moment.
func heapPercent(live uint64) int { return max(50, min(100, int(100*heapSpare/max(live, 1)))/5*5) }

// tendHeap keeps the heap to that until ctx is done, unless the environment says how it should grow (GOGC).
func tendHeap(ctx context.Context) error {
	if os.Getenv("GOGC") != "" {
		<-ctx.Done()
		return ctx.Err()
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	for is := 100; ; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		metrics.Read(live)
		if to := heapPercent(live[0].Value.Uint64()); to != is {
			debug.SetGCPercent(to)
			is = to
		}
	}
}

// memoryLimit is how much memory this process may take, in bytes: what its control group or the machine has.
func memoryLimit() int64 {
	limit := int64(math.MaxInt64)
	if b, err := os.ReadFile("/proc/meminfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if f := strings.Fields(line); len(f) > 1 && f[0] == "MemTotal:" {
				if n, err := strconv.ParseInt(f[1], 10, 64); err == nil {
					limit = n << 10
				}
			}
		}
	}
	b, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return limit
	}
	for line := range strings.Lines(string(b)) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3) // number:controllers:path, cgroups(7)
		if len(f) != 3 {
			continue
		}
		file := ""
		switch f[1] {
		case "":
			file = filepath.Join("/sys/fs/cgroup", f[2], "memory.max")
		case "memory":
			file = filepath.Join("/sys/fs/cgroup/memory", f[2], "memory.limit_in_bytes")
		}
		if text, err := os.ReadFile(file); err == nil {
			if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && n < limit {
				limit = n // "max" is none
			}
		}
	}
	return limit
}
