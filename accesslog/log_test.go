package accesslog

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/trellis-project/trellis"
	"go.uber.org/goleak"
)

var update = flag.Bool("update", false, "rewrite testdata")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	account    = "111122223333"
	serviceARN = "arn:aws:vpc-lattice:eu-west-1:111122223333:service/svc-0aaaaaaaaaaaaaaaa"
	networkARN = "arn:aws:vpc-lattice:eu-west-1:111122223333:servicenetwork/sn-0aaaaaaaaaaaaaaaa"
	ordersLog  = "arn:aws:logs:eu-west-1:111122223333:log-group:/aws/vpclattice/orders"
	networkLog = "arn:aws:logs:eu-west-1:111122223333:log-group:/aws/vpclattice/network:*"
)

// denied is the record of a refused request.
func denied() *Record {
	return &Record{
		ServiceNetworkARN: networkARN, ServiceARN: serviceARN, ListenerID: "listener-0aaaaaaaaaaaaaaaa", ListenerType: "HTTP",
		SourceVPCARN: "arn:aws:ec2:eu-west-1:111122223333:vpc/vpc-0aaaaaaaaaaaaaaaa", SourceVPCID: "vpc-0aaaaaaaaaaaaaaaa",
		Source: netip.MustParseAddrPort("[::ffff:10.0.1.7]:57086"), Start: time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC),
		Protocol: "HTTP/1.1", Method: "GET", Path: "/orders/\"7\"\x01\xff", Host: "orders-0aaaaaaaaaaaaaaaa.7d67968.vpc-lattice-svcs.eu-west-1.on.aws",
		UserAgent: "curl/8.5.0", RequestID: "0f4c3a52-6a2f-4c4e-9d6f-0b6d5d4a8b11", ResponseCode: 403, BytesReceived: 135, BytesSent: 247,
		Duration: 1999 * time.Microsecond, ResolvedUser: "Anonymous", AuthDeniedReason: "Service", FailureReason: "ClientAccessDenied",
	}
}

func TestAppendJSON(t *testing.T) {
	got := string(denied().AppendJSON(nil))
	if *update {
		if err := os.WriteFile("testdata/denied.json", []byte(got+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/denied.json")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(strings.TrimSpace(string(want)), got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	var m map[string]any
	if err := json.Unmarshal([]byte(got), &m); err != nil {
		t.Fatal(err)
	}
	full := denied()
	full.GRPC, full.GRPCResponseCode = true, 7
	full.Target = netip.MustParseAddrPort("[fd00::9]:8080")
	if err := json.Unmarshal(full.AppendJSON(nil), &m); err != nil {
		t.Fatal(err)
	}
	if m["grpcResponseCode"] != 7.0 || m["targetIpPort"] != "[fd00::9]:8080" {
		t.Errorf("grpcResponseCode %v, targetIpPort %v", m["grpcResponseCode"], m["targetIpPort"])
	}
}

// TestOwnMembers finds the members that AWS does not have behind all others, and only where there is something to say.
func TestOwnMembers(t *testing.T) {
	own := denied()
	own.PrincipalSource, own.AuthDeniedDetail = "Network", "service-based: statement 1 (\"x\") denies"
	known := *own
	known.CallerPrincipal = "arn:aws:sts::111122223333:assumed-role/r/i"
	const end = `"-","principalSource":"Network","authDeniedDetail":"service-based: statement 1 (\"x\") denies"}`
	for _, r := range []*Record{own, &known} {
		if got := string(r.AppendJSON(nil)); !json.Valid([]byte(got)) || !strings.HasSuffix(got, end) {
			t.Errorf("%s", got)
		}
	}
	if got := string(denied().AppendJSON(nil)); strings.Contains(got, "principalSource") || strings.Contains(got, "authDeniedDetail") {
		t.Errorf("%s", got)
	}
}

// TestDetailForEachOwner gives the subscriptions of service and network the details that their owners may know.
func TestDetailForEachOwner(t *testing.T) {
	var mu sync.Mutex
	got := map[string]string{}
	l := New(Options{Region: "eu-west-1", Deliver: func(_ context.Context, to string, rows []Row) error {
		mu.Lock()
		defer mu.Unlock()
		for _, r := range rows {
			got[to] += string(r.JSON)
		}
		return nil
	}})
	l.Apply(subscribed(map[string]string{ordersLog: "svc-0aaaaaaaaaaaaaaaa", networkLog: "sn-0aaaaaaaaaaaaaaaa"}))
	r := denied()
	r.AuthDeniedDetail, r.NetworkDetail = "the service's", "the network's"
	l.Emit(0, r)
	l.flush(t.Context(), &batch{shards: make([]shard, len(l.shards)), to: map[string][]Row{}})
	if len(got) != 2 || !strings.Contains(got[ordersLog], `"authDeniedDetail":"the service's"}`) || !strings.Contains(got[networkLog], `"authDeniedDetail":"the network's"}`) {
		t.Errorf("%v", got)
	}
}

// subscribed is a state with subscriptions of the test service and network.
func subscribed(destinations map[string]string) *trellis.State {
	st := trellis.NewState()
	n := 0
	for destination, resource := range destinations {
		n++
		st.Put(&trellis.AccessLogSubscription{Meta: trellis.Meta{Account: account, ID: fmt.Sprintf("als-%d", n)},
			Resource: trellis.Ref{Account: account, ID: resource}, DestinationARN: destination})
	}
	return st
}

// sink keeps what was delivered.
type sink struct {
	mu   sync.Mutex
	rows map[string][]string
	fail error
}

func (s *sink) deliver(_ context.Context, destination string, rows []Row) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return s.fail
	}
	if s.rows == nil {
		s.rows = map[string][]string{}
	}
	for _, r := range rows {
		var m struct {
			Path string `json:"requestPath"`
		}
		if err := json.Unmarshal(r.JSON, &m); err != nil {
			return err
		}
		s.rows[destination] = append(s.rows[destination], m.Path)
	}
	return nil
}

// take returns and forgets what was delivered.
func (s *sink) take() map[string][]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	rows := s.rows
	s.rows = nil
	return rows
}

// emit logs a request for a path that began at an offset from now.
func emit(l *Log, service, network, path string, offset time.Duration) {
	l.Emit(0, &Record{ServiceARN: service, ServiceNetworkARN: network, Path: path, Start: time.Now().Add(offset)})
}

func TestRowsReachTheirDestinations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		l := New(Options{Deliver: s.deliver, Region: "eu-west-1"})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- l.Run(ctx) }()

		emit(l, serviceARN, networkARN, "/nobody-subscribed", 0)
		l.Apply(subscribed(map[string]string{ordersLog: "svc-0aaaaaaaaaaaaaaaa", networkLog: "sn-0aaaaaaaaaaaaaaaa", "arn:aws:s3:::logs": "svc-0aaaaaaaaaaaaaaaa"}))
		emit(l, serviceARN, networkARN, "/second", 0)
		emit(l, serviceARN, networkARN, "/first", -time.Second)
		emit(l, "arn:other", networkARN, "/other", time.Second)
		time.Sleep(500 * time.Millisecond) // the bubble's clock
		synctest.Wait()
		want := map[string][]string{ordersLog: {"/first", "/second"}, networkLog: {"/first", "/second", "/other"}}
		if d := cmp.Diff(want, s.take()); d != "" {
			t.Errorf("within 500 ms (-want +got):\n%s", d)
		}
		if got, want := l.Stats(), (Stats{Delivered: 5, Undeliverable: 2}); got != want {
			t.Errorf("stats %+v, want %+v", got, want)
		}

		s.fail = errors.New("no room")
		emit(l, serviceARN, "", "/lost", 0)
		time.Sleep(500 * time.Millisecond) // the bubble's clock
		synctest.Wait()
		if got := l.Stats().Dropped; got != 1 {
			t.Errorf("%d dropped", got)
		}

		s.fail = nil
		emit(l, serviceARN, "", "/at the end", 0)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if d := cmp.Diff(map[string][]string{ordersLog: {"/at the end"}}, s.take()); d != "" {
			t.Errorf("after the end (-want +got):\n%s", d)
		}
	})
}

func TestOneRowForADestinationNamedTwice(t *testing.T) {
	s := &sink{}
	l := New(Options{Deliver: s.deliver, Region: "eu-west-1"})
	st := subscribed(map[string]string{ordersLog: "svc-0aaaaaaaaaaaaaaaa"})
	st.Put(&trellis.AccessLogSubscription{Meta: trellis.Meta{Account: account, ID: "als-network"},
		Resource: trellis.Ref{Account: account, ID: "sn-0aaaaaaaaaaaaaaaa"}, DestinationARN: ordersLog, LogType: "SERVICE"})
	st.Put(&trellis.AccessLogSubscription{Meta: trellis.Meta{Account: account, ID: "als-resources"},
		Resource: trellis.Ref{Account: account, ID: "sn-0aaaaaaaaaaaaaaaa"}, DestinationARN: networkLog, LogType: "RESOURCE"})
	l.Apply(st)
	emit(l, serviceARN, networkARN, "/once", 0)
	l.flush(t.Context(), &batch{shards: make([]shard, len(l.shards)), to: map[string][]Row{}})
	if d := cmp.Diff(map[string][]string{ordersLog: {"/once"}}, s.take()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	l := New(Options{Region: "eu-west-1"})
	l.Apply(subscribed(map[string]string{ordersLog: "svc-0aaaaaaaaaaaaaaaa"}))
	r := denied()
	r.Path = "/" + strings.Repeat("x", 1<<16)
	for range 2 * len(l.shards) * shardBytes >> 16 {
		l.Emit(0, r)
	}
	for i := range l.shards {
		if n := len(l.shards[i].buf); n > shardBytes+1<<17 {
			t.Errorf("a shard holds %d bytes", n)
		}
	}
	if l.Stats().Dropped == 0 {
		t.Error("nothing was counted as dropped")
	}
}

func FuzzAppendJSON(f *testing.F) {
	f.Add("/orders?x=\"1\"\\", "curl\x00\x1f\x7f", "\xff\xfe é 😀")
	f.Fuzz(func(t *testing.T, path, agent, host string) {
		var m map[string]any
		if err := json.Unmarshal((&Record{Path: path, UserAgent: agent, Host: host}).AppendJSON(nil), &m); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{"requestPath": path, "userAgent": agent, "hostHeader": host} {
			if want == "" {
				want = "-"
			}
			// One character stands for each byte that is not UTF-8.
			if m[name] != string([]rune(want)) {
				t.Errorf("%s is %q, want %q", name, m[name], want)
			}
		}
	})
}

// BenchmarkAppendJSON is the row of a request.
func BenchmarkAppendJSON(b *testing.B) {
	r := denied()
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = r.AppendJSON(buf[:0])
	}
}
