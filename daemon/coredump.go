package daemon

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// forbidCoreDumps keeps the memory of this process, which holds secrets in the clear, out of core dumps, and from processes of the
// same user that have no right to look into those of others (prctl(2), PR_SET_DUMPABLE; core(5)). Of the two means the first
// holds for handlers that the kernel pipes cores to as well, the second for whoever makes the process dumpable again. What the
// process starts is dumpable, and may raise its limit.
func forbidCoreDumps() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("forbid core dumps: %w", err)
	}
	var limit unix.Rlimit
	err := unix.Getrlimit(unix.RLIMIT_CORE, &limit)
	if err == nil {
		limit.Cur = 0
		err = unix.Setrlimit(unix.RLIMIT_CORE, &limit)
	}
	if err != nil {
		return fmt.Errorf("forbid core dumps: %w", err)
	}
	return nil
}
