//go:build thorough

package trellistest

import (
	"net/http"
	"testing"
	"time"

	"github.com/trellis-project/trellis/daemon"
)

// TestStartWithoutStore starts Trellis while no member of its etcd runs: traffic goes as it was, callers are known and
// judged by their policies, the API and /healthz say that nothing can be changed. When the members come, it can.
func TestStartWithoutStore(t *testing.T) {
	t.Parallel()
	m := startMembers(t)
	etcd := func(c *daemon.Config) { c.Etcd = m.endpoints() }
	tr := Start(t, etcd)
	s := makeService(t, tr)
	tr.Call(t, "", "vpc-lattice", "UpdateService", map[string]any{"serviceIdentifier": s.id, "authType": "AWS_IAM"})
	tr.Stop()
	for i := range m.running {
		m.kill(i)
	}
	next := Start(t, etcd, func(c *daemon.Config) { c.Data = tr.Dir })
	next.Run(t, s.targets.instances[0], Program(t), "echo", "--listen", ":8080", "--name", "orders")
	anonymous := func() string {
		return next.Inside(t, s.clients.instances[0], "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "http://"+s.dns+"/")
	}
	within(t, time.Minute, "the service answers", func() bool { return anonymous() == "403" }) // anonymous, and no policy allows it
	if _, err := next.Try(t, "", "vpc-lattice", "CreateServiceNetwork", map[string]any{"name": "later"}); err == nil {
		t.Error("the API made something without its store")
	}
	if got := health(t, next); got != http.StatusServiceUnavailable {
		t.Errorf("/healthz answers %d", got)
	}
	for i := range m.running {
		m.start(t, i)
	}
	within(t, time.Minute, "the API works", func() bool { return health(t, next) == http.StatusOK })
	next.Call(t, "", "vpc-lattice", "UpdateService", map[string]any{"serviceIdentifier": s.id, "authType": "NONE"})
	s.expect(t, next, "200", "orders")
}

// health is what /healthz answers.
func health(t *testing.T, tr *Trellis) int {
	t.Helper()
	res, err := http.Get(tr.Endpoint + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}
