//go:build thorough

package trellistest

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/trellis-project/trellis/api/client"
	"github.com/trellis-project/trellis/daemon"
)

// call is one operation of the history that TestLinearizable checks, on a register or on a name.
type call struct {
	object string // "policy N" of a service, or "name N" of a service network
	kind   string // put, get; create, delete, list
	value  string // of put: the policy; of delete: the network's id
}

// answer is what an operation said. One without an answer may have happened, then or later.
type answer struct {
	known bool
	value string // of get: the policy; of create: the id, or empty when the name is taken; of list: the id, or empty
}

// linear is the specification: an auth policy is a register, a name is held by one network at a time. The state of either
// is a text, empty at first.
var linear = porcupine.NondeterministicModel{
	Partition: func(history []porcupine.Operation) (parts [][]porcupine.Operation) {
		by := map[string][]porcupine.Operation{}
		for _, o := range history {
			by[o.Input.(call).object] = append(by[o.Input.(call).object], o)
		}
		for _, part := range by {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() []any { return []any{""} },
	Step: func(state, input, output any) []any {
		now, in, out := state.(string), input.(call), output.(answer)
		after, possible := now, true
		switch in.kind {
		case "put":
			after = in.value
		case "get", "list":
			possible = out.value == now
		case "create":
			if out.value == "" {
				possible = now != ""
			} else {
				possible, after = now == "", out.value
			}
		case "delete":
			possible, after = now == in.value, ""
		}
		switch {
		case !out.known: // only put is left without an answer
			return []any{now, after}
		case possible:
			return []any{after}
		}
		return nil
	},
}

// TestModel checks that the specification refuses what it must: reads of what is over, names that two hold.
func TestModel(t *testing.T) {
	op := func(at int64, in call, out answer) porcupine.Operation {
		return porcupine.Operation{Input: in, Output: out, Call: at, Return: at + 1}
	}
	put := func(at int64, v string) porcupine.Operation {
		return op(at, call{"p", "put", v}, answer{known: true})
	}
	get := func(at int64, v string) porcupine.Operation {
		return op(at, call{"p", "get", ""}, answer{true, v})
	}
	create := func(at int64, id string) porcupine.Operation {
		return op(at, call{"n", "create", ""}, answer{true, id})
	}
	for name, c := range map[string]struct {
		history []porcupine.Operation
		want    bool
	}{
		"a write and its read": {[]porcupine.Operation{put(1, "a"), get(3, "a")}, true},
		"a stale read":         {[]porcupine.Operation{put(1, "a"), put(3, "b"), get(5, "a")}, false},
		"a lost write":         {[]porcupine.Operation{put(1, "a"), get(3, "")}, false},
		"a name twice":         {[]porcupine.Operation{create(1, "sn-1"), create(3, "sn-2")}, false},
		"a name that is taken": {[]porcupine.Operation{create(1, "sn-1"), create(3, "")}, true},
		"taken by nobody":      {[]porcupine.Operation{create(1, "")}, false},
		"created, not listed":  {[]porcupine.Operation{create(1, "sn-1"), op(3, call{"n", "list", ""}, answer{true, ""})}, false},
		"no answer, happened":  {[]porcupine.Operation{{Input: call{"p", "put", "a"}, Output: answer{}, Call: 1, Return: 9}, get(3, "a")}, true},
		"no answer, did not":   {[]porcupine.Operation{{Input: call{"p", "put", "a"}, Output: answer{}, Call: 1, Return: 9}, get(3, "")}, true},
	} {
		if got := porcupine.CheckOperations(linear.ToModel(), c.history); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// recorder keeps the history.
type recorder struct {
	mu      sync.Mutex
	began   time.Time
	history []porcupine.Operation
	ended   atomic.Int64 // calls that were answered or failed
	unknown int
}

// do carries one operation out and notes it. fn returns known false when it may have happened.
func (r *recorder) do(client int, in call, fn func() (answer, bool)) {
	at := time.Since(r.began)
	out, noted := fn()
	until := time.Since(r.began)
	r.ended.Add(1)
	if !noted {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !out.known {
		until = 1 << 62 // it may take effect at any time
		r.unknown++
	}
	r.history = append(r.history, porcupine.Operation{ClientId: client, Input: in, Output: out, Call: int64(at), Return: int64(until)})
}

// TestLinearizable runs Trellis on an etcd of three members that are killed, stopped, cut off and lose packets, while
// clients write and read policies and fight for names: the history is linearizable (Herlihy and Wing), traffic goes on all
// the while, and the data plane carries the newest revision when all is well again, without ever having gone back.
func TestLinearizable(t *testing.T) {
	t.Parallel()
	m := startMembers(t)
	tr := Start(t, func(c *daemon.Config) { c.Etcd = m.endpoints() })
	s := makeService(t, tr)
	const objects, clients = 5, 6
	services := make([]string, objects)
	for i := range services {
		services[i] = tr.Call(t, "", "vpc-lattice", "CreateService", map[string]any{"name": fmt.Sprint("register-", i)})["id"].(string)
	}
	r := &recorder{began: time.Now()}
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			c, err := tr.Accounts.Client(ctx, "")
			if err != nil {
				t.Error(err)
				return
			}
			w := writer{r, c, i, services}
			for n := 0; ctx.Err() == nil; n++ {
				if rand.IntN(3) == 0 {
					w.fight(ctx, rand.IntN(objects), n)
				} else {
					w.register(ctx, rand.IntN(objects), n)
				}
			}
		})
	}
	served := atomic.Int64{}
	wg.Go(func() { // traffic needs no store
		for ctx.Err() == nil {
			s.expect(t, tr, "200", "orders")
			served.Add(1)
		}
	})
	wg.Go(func() { revisionsGrow(ctx, t, tr) })
	further := func(n int64) { // a fault lasts for so many calls, whatever becomes of them
		t.Helper()
		from := r.ended.Load()
		within(t, 2*time.Minute, "calls end", func() bool { return r.ended.Load() >= from+n })
	}
	for range 2 {
		further(100)
		one := rand.IntN(3)
		m.kill(one)
		further(60)
		m.start(t, one)
		further(60)
		one = rand.IntN(3)
		m.signal(one, syscall.SIGSTOP)
		further(60)
		m.signal(one, syscall.SIGCONT)
		further(60)
		one = rand.IntN(3)
		m.drop(t, one, 100)
		further(60)
		m.heal(t, one)
		further(60)
		for i := range m.running {
			m.drop(t, i, 20)
		}
		further(30)
		for i := range m.running {
			m.heal(t, i)
		}
		further(60)
		for i := range m.running {
			m.kill(i)
		}
		further(clients)
		for i := range m.running {
			m.start(t, i)
		}
		further(100)
	}
	stop()
	wg.Wait()
	newest := tr.Call(t, "", "vpc-lattice", "CreateServiceNetwork", map[string]any{"name": "last"})["id"]
	t.Logf("%d operations, %d without an answer, %d requests served, last %v", len(r.history), r.unknown, served.Load(), newest)
	switch porcupine.CheckOperationsTimeout(linear.ToModel(), r.history, 3*time.Minute) {
	case porcupine.Illegal:
		t.Error("the history is not linearizable")
	case porcupine.Unknown:
		t.Error("the history could not be checked in time")
	}
}

// writer is one client of TestLinearizable.
type writer struct {
	*recorder
	client   *client.Client
	number   int
	services []string
}

// register writes or reads a policy.
func (w writer) register(ctx context.Context, object, n int) {
	id := w.services[object]
	name := fmt.Sprint("policy ", object)
	if rand.IntN(2) == 0 {
		w.do(w.number, call{name, "get", ""}, func() (answer, bool) {
			out, err := w.client.Call(ctx, "vpc-lattice", "GetAuthPolicy", map[string]any{"resourceIdentifier": id})
			if code(err) == "ResourceNotFoundException" {
				return answer{known: true}, true
			}
			policy, _ := out["policy"].(string)
			return answer{true, policy}, err == nil
		})
		return
	}
	policy := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Sid":"w%dn%d","Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}`, w.number, n)
	w.do(w.number, call{name, "put", policy}, func() (answer, bool) {
		_, err := w.client.Call(ctx, "vpc-lattice", "PutAuthPolicy", map[string]any{"resourceIdentifier": id, "policy": policy})
		return answer{known: err == nil}, true
	})
}

// fight tries to get a name, looks for it, and gives it back. Calls are repeated until they are answered: creation by its
// client token, deletion because what is gone is gone.
func (w writer) fight(ctx context.Context, object, n int) {
	name, title := fmt.Sprint("name ", object), fmt.Sprint("fought-", object)
	token := fmt.Sprintf("w%d-n%d", w.number, n)
	id := ""
	w.do(w.number, call{name, "create", ""}, func() (answer, bool) {
		for {
			out, err := w.client.Call(context.WithoutCancel(ctx), "vpc-lattice", "CreateServiceNetwork", map[string]any{"name": title, "clientToken": token})
			switch {
			case err == nil:
				id = out["id"].(string)
				return answer{true, id}, true
			case code(err) == "ConflictException":
				return answer{known: true}, true
			}
			w.ended.Add(1)
		}
	})
	w.do(w.number, call{name, "list", ""}, func() (answer, bool) {
		out, err := w.client.Call(ctx, "vpc-lattice", "ListServiceNetworks", nil)
		if err != nil {
			return answer{}, false
		}
		for _, item := range out["items"].([]any) {
			if n := item.(map[string]any); n["name"] == title {
				return answer{true, n["id"].(string)}, true
			}
		}
		return answer{known: true}, true
	})
	if id == "" {
		return
	}
	w.do(w.number, call{name, "delete", id}, func() (answer, bool) {
		for {
			_, err := w.client.Call(context.WithoutCancel(ctx), "vpc-lattice", "DeleteServiceNetwork", map[string]any{"serviceNetworkIdentifier": id})
			if err == nil || code(err) == "ResourceNotFoundException" {
				return answer{known: true}, true
			}
			w.ended.Add(1)
		}
	})
}

// revisionsGrow watches the revision that the data plane carries.
func revisionsGrow(ctx context.Context, t *testing.T, tr *Trellis) {
	var last float64
	for tick := time.Tick(50 * time.Millisecond); ctx.Err() == nil; <-tick {
		text, err := daemon.Metrics(ctx, tr.Dir)
		if err != nil {
			if ctx.Err() == nil {
				t.Error(err)
			}
			return
		}
		for lines := bufio.NewScanner(text); lines.Scan(); {
			if value, ok := strings.CutPrefix(lines.Text(), "trellis_revision "); ok {
				now, err := strconv.ParseFloat(value, 64)
				if err != nil || now < last {
					t.Errorf("the data plane carries revision %s after %.0f: %v", value, last, err)
				}
				last = now
			}
		}
		text.Close()
	}
}
