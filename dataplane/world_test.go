package dataplane

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/accesslog"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/routing"
	"github.com/trellis-project/trellis/sigv4"
	"github.com/trellis-project/trellis/targetgroup"
)

// TestMain fails when a test leaves a goroutine behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// What the tests' world is called.
const (
	region    = "eu-west-1"
	account   = "444455556666"
	vpcID     = "vpc-0aaaaaaaaaaaaaaaa"
	netID     = "sn-0bbbbbbbbbbbbbbbb"
	svcID     = "svc-0cccccccccccccccc"
	lisID     = "listener-0dddddddddddddddd"
	groupID   = "tg-0eeeeeeeeeeeeeeee"
	slot      = 32
	port      = 80
	host      = "orders-0cccccccccccccccc.7d67968.vpc-lattice-svcs.eu-west-1.on.aws"
	keyID     = "AKIAEXAMPLE000000000"
	secret    = "secret-of-the-tests"
	callerARN = "arn:aws:sts::444455556666:assumed-role/checkout/s1"
)

// world is a data plane with the nouns, tables and target groups of its tests.
type world struct {
	t       testing.TB
	st      *trellis.State
	table   atomic.Pointer[routing.Table]
	manager *targetgroup.Manager
	server  *Server
	addr    string // of the listener, when it is a socket
	dial    func() net.Conn

	mu      sync.Mutex
	records []accesslog.Record
}

// meta is a noun's Meta.
func meta(id string) trellis.Meta { return trellis.Meta{Account: account, ID: id} }

// newWorld makes a network with one service and one target group of the given targets.
func newWorld(t testing.TB, targets ...netip.AddrPort) *world {
	w := &world{t: t, st: trellis.NewState()}
	w.st.Put(&trellis.VPC{Meta: meta(vpcID), CIDR: netip.MustParsePrefix("127.0.0.0/8"), Attachment: trellis.AttachmentLoopback})
	w.st.Put(&trellis.ServiceNetwork{Meta: meta(netID), Name: "shop", AuthType: trellis.AuthNone})
	w.st.Put(&trellis.VPCAssociation{Meta: meta("snva-0fffffffffffffff0"), VPC: trellis.Ref{Account: account, ID: vpcID},
		ServiceNetwork: trellis.Ref{Account: account, ID: netID}, Status: trellis.StatusActive, Slot: slot})
	w.st.Put(&trellis.Service{Meta: meta(svcID), Name: "orders", AuthType: trellis.AuthNone, Status: trellis.StatusActive})
	w.st.Put(&trellis.ServiceAssociation{Meta: meta("snsa-0fffffffffffffff0"), Service: trellis.Ref{Account: account, ID: svcID},
		ServiceNetwork: trellis.Ref{Account: account, ID: netID}, Status: trellis.StatusActive})
	w.st.Put(&trellis.Listener{Meta: meta(lisID), ServiceID: svcID, Name: "http", Protocol: trellis.ProtocolHTTP, Port: port,
		DefaultRuleID: "rule-00000000000000000", DefaultAction: trellis.Action{Forward: []trellis.WeightedTargetGroup{{TargetGroupID: groupID, Weight: 100}}}})
	w.group(groupID, targets...)
	w.rule("fixed404", 10, "/fixed404", trellis.Action{FixedResponse: 404})
	w.rule("fixed500", 20, "/fixed500", trellis.Action{FixedResponse: 500})
	return w
}

// group adds a target group of addresses.
func (w *world) group(id string, targets ...netip.AddrPort) {
	w.st.Put(&trellis.TargetGroup{Meta: meta(id), Name: id, Type: trellis.TargetsIP, Port: 80, Protocol: trellis.ProtocolHTTP,
		ProtocolVersion: "HTTP1", VPCID: vpcID, Status: trellis.StatusActive, HealthCheck: &trellis.HealthCheck{}})
	for _, a := range targets {
		w.st.Put(&trellis.Target{Account: account, TargetGroupID: id, ID: a.Addr().String(), Port: int(a.Port())})
	}
}

// rule adds a rule for a path prefix.
func (w *world) rule(name string, priority int, prefix string, a trellis.Action) {
	w.st.Put(&trellis.Rule{Meta: meta("rule-" + name), ServiceID: svcID, ListenerID: lisID, Name: name, Priority: priority,
		Match: trellis.HTTPMatch{Path: &trellis.PathMatch{Prefix: prefix, CaseSensitive: true}}, Action: a})
}

// enforce sets auth type AWS_IAM with a policy on the service or network.
func (w *world) enforce(id, policy string) {
	ref := trellis.Ref{Account: account, ID: id}
	if strings.HasPrefix(id, "svc-") {
		s := *must(trellis.Get[*trellis.Service](w.st, ref.Key()))
		s.AuthType = trellis.AuthIAM
		w.st.Put(&s)
	} else {
		n := *must(trellis.Get[*trellis.ServiceNetwork](w.st, ref.Key()))
		n.AuthType = trellis.AuthIAM
		w.st.Put(&n)
	}
	if policy != "" {
		w.st.Put(&trellis.AuthPolicy{Resource: ref, Text: policy})
	}
}

// must returns what was found.
func must[T any](v T, ok bool) T {
	if !ok {
		panic("not found")
	}
	return v
}

// callers knows one access key, whose role may invoke everything.
func (w *world) callers(id, token string) (*authpolicy.Caller, *sigv4.Key, error) {
	if id != keyID || token != "" {
		return nil, nil, trellis.NewError(403, "UnrecognizedClientException", "The security token included in the request is invalid.")
	}
	p, err := authpolicy.Parse(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"vpc-lattice-svcs:Invoke","Resource":"*"}]}`, authpolicy.Identity)
	if err != nil {
		return nil, nil, err
	}
	return &authpolicy.Caller{Identity: authpolicy.Policies{{Policy: p}}, Principal: trellis.Principal{Type: trellis.PrincipalAssumedRole, Account: account,
		ARN: callerARN, PolicyARN: "arn:aws:iam::444455556666:role/checkout", SessionName: "s1", OrgID: "o-abcdefghij", OrgPath: "o-abcdefghij/r-abcd/",
		Tags: map[string]string{"team": "a;b", "env": "prod"}}}, sigv4.NewKey(secret), nil
}

// make builds the table, the target groups and the server.
func (w *world) make(o Options) {
	w.manager = targetgroup.New(targetgroup.Options{Region: region})
	w.manager.Apply(w.st)
	w.build()
	o.Table = w.table.Load
	o.Groups, o.Region = w.manager, region
	if o.Callers == nil {
		o.Callers = w.callers
	}
	o.Log = func(_ int, r *accesslog.Record) {
		c := *r
		c.Method, c.Path, c.Host, c.UserAgent, c.RequestID = strings.Clone(r.Method), strings.Clone(r.Path), strings.Clone(r.Host), strings.Clone(r.UserAgent), strings.Clone(r.RequestID)
		w.mu.Lock()
		w.records = append(w.records, c)
		w.mu.Unlock()
	}
	w.server = New(o)
	w.t.Cleanup(func() {
		for _, id := range []string{groupID} {
			if g := w.manager.Group(id); g != nil {
				w.st.Delete(trellis.KindTargetGroup, account+"/"+id)
			}
		}
		for _, x := range trellis.Sorted[*trellis.Target](w.st) {
			w.st.Delete(trellis.KindTarget, x.Key())
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		w.manager.Apply(w.st)
		w.manager.Run(ctx)
	})
}

// build makes the table of the nouns as they are now.
func (w *world) build() { w.table.Store(routing.Build(w.st, routing.Options{Region: region}, nil)) }

// listen makes the socket of the listener.
func (w *world) listen() int {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	defer ln.Close()
	w.addr = ln.Addr().String()
	raw, err := ln.(*net.TCPListener).SyscallConn()
	if err != nil {
		w.t.Fatal(err)
	}
	socket := -1
	if cerr := raw.Control(func(fd uintptr) { socket, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) }); cerr != nil || err != nil {
		w.t.Fatal(cerr, err)
	}
	return socket
}

// serve runs the server on a loopback socket until the test ends.
func (w *world) serve(o Options) {
	w.make(o)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 2)
	go func() { done <- w.server.Run(ctx) }()
	socket := w.listen()
	go func() { done <- w.server.Serve(ctx, socket, vpcID, slot, port) }()
	w.t.Cleanup(func() {
		cancel()
		for range 2 {
			if err := <-done; err != nil {
				w.t.Errorf("Run or Serve: %v", err)
			}
		}
	})
	w.dial = func() net.Conn {
		c, err := net.Dial("tcp", w.addr)
		if err != nil {
			w.t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(10 * time.Second))
		return c
	}
}

// exchangeBytes sends bytes, closes the sending side, and returns all that comes back.
func (w *world) exchangeBytes(in []byte) []byte {
	w.t.Helper()
	c := w.dial()
	defer c.Close()
	go func() {
		c.Write(in)
		c.(*net.TCPConn).CloseWrite()
	}()
	out, err := io.ReadAll(c)
	if err != nil {
		out = append(out, []byte("(cut)")...)
		var ne net.Error
		if errors.As(err, &ne) && ne.Timeout() {
			w.t.Errorf("no end of the answer after 10 s")
		}
	}
	return out
}

// record waits for the n-th access-log record: it is written after the answer.
func (w *world) record(n int) accesslog.Record {
	w.t.Helper()
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); {
		w.mu.Lock()
		if len(w.records) > n {
			defer w.mu.Unlock()
			return w.records[n]
		}
		w.mu.Unlock()
		yield()
	}
	w.t.Fatalf("no record %d", n)
	panic("unreachable")
}

// yield lets others run for a moment.
func yield() {
	t := time.NewTimer(time.Millisecond)
	<-t.C
}

// target is a recording target on a loopback socket: it notes the bytes of each request and answers as told.
type target struct {
	ln     net.Listener
	answer func(n int, head string, c net.Conn) bool // false: close

	mu   sync.Mutex
	seen []string
	wg   sync.WaitGroup
}

// newTarget starts a target.
func newTarget(t testing.TB, answer func(n int, head string, c net.Conn) bool) *target {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &target{ln: ln, answer: answer}
	var conns sync.Map
	g.wg.Add(1)
	go func() {
		defer g.wg.Done()
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			conns.Store(c, true)
			g.wg.Add(1)
			go func() {
				defer g.wg.Done()
				defer c.Close()
				g.serve(c)
			}()
		}
	}()
	t.Cleanup(func() {
		ln.Close()
		conns.Range(func(k, _ any) bool { k.(net.Conn).Close(); return true })
		g.wg.Wait()
	})
	return g
}

// addr is where the target listens.
func (g *target) addr() netip.AddrPort { return g.ln.Addr().(*net.TCPAddr).AddrPort() }

// serve reads requests in the most naive way and answers them.
func (g *target) serve(c net.Conn) {
	var buf []byte
	tmp := make([]byte, 4096)
	more := func() bool {
		n, err := c.Read(tmp)
		buf = append(buf, tmp[:n]...)
		return n > 0 || err == nil
	}
	for {
		for !bytes.Contains(buf, []byte("\r\n\r\n")) {
			if !more() {
				g.note(string(buf), true)
				return
			}
		}
		head, body, _ := bytes.Cut(buf, []byte("\r\n\r\n"))
		headText := string(head) + "\r\n\r\n"
		lower := strings.ToLower(headText)
		if strings.Contains(lower, "expect: 100-continue") {
			io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n")
		}
		end := func() int {
			if i := strings.Index(lower, "\r\ncontent-length: "); i >= 0 {
				v, _, _ := strings.Cut(lower[i+18:], "\r\n")
				n, _ := strconv.Atoi(v)
				if len(body) >= n {
					return n
				}
				return -1
			}
			if strings.Contains(lower, "\r\ntransfer-encoding: chunked") {
				if i := bytes.Index(body, []byte("0\r\n")); i >= 0 {
					if j := bytes.Index(body[i:], []byte("\r\n\r\n")); j >= 0 {
						return i + j + 4
					}
				}
				return -1
			}
			return 0
		}
		for end() < 0 {
			if !more() {
				g.note(string(buf), true)
				return
			}
			_, body, _ = bytes.Cut(buf, []byte("\r\n\r\n"))
		}
		n := len(headText) + end()
		i := g.note(string(buf[:n]), false)
		buf = buf[n:]
		if !g.answer(i, headText, c) {
			return
		}
	}
}

// note records a request, or what there was of it, and returns its number.
func (g *target) note(s string, cut bool) int {
	if s == "" {
		return 0
	}
	if cut {
		s += "(cut)"
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.seen = append(g.seen, s)
	return len(g.seen) - 1
}

// requests are the requests so far.
func (g *target) requests() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]string(nil), g.seen...)
}

// behave starts a target that does with each connection what it is told.
func behave(t testing.TB, answer func(c net.Conn)) netip.AddrPort {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var conns sync.Map
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			conns.Store(c, true)
			wg.Go(func() {
				defer c.Close()
				answer(c)
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		conns.Range(func(k, _ any) bool { k.(net.Conn).Close(); return true })
		wg.Wait()
	})
	return ln.Addr().(*net.TCPAddr).AddrPort()
}
