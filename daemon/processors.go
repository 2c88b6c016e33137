package daemon

import (
	"os"
	"runtime"
	"sync"
)

// spareProcessor lets Go run one goroutine more at once than there are processors, unless the environment (GOMAXPROCS)
// says how many, and returns how many event loops the data plane shall have. A loop under load does not give its
// place to others for milliseconds; with a place to spare the kernel shares the processors fairly, and a change of
// the table or an answer of the API does not wait for the loops. It is a setting of the process, so it is made once.
var spareProcessor = sync.OnceValue(func() (loops int) {
	loops = runtime.GOMAXPROCS(0)
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(loops + 1)
	}
	return loops
})
