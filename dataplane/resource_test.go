package dataplane

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/accesslog"
	"github.com/trellis-project/trellis/routing"
)

// resourceWorld is a world with one resource, which clients find at the address of the listener by an endpoint.
type resourceWorld struct {
	*world
	configuration *trellis.ResourceConfiguration
	target        net.Listener // of the resource: the same port, another address
	rows          chan accesslog.ResourceRecord
	cause         error // why it stops in the end
}

// resourceAddr is where the resource is.
var resourceAddr = netip.MustParseAddr("127.0.0.2")

// newResourceWorld serves a resource with a handler of its connections. change may alter the configuration.
func newResourceWorld(t *testing.T, o Options, handle func(*net.TCPConn), change func(*trellis.ResourceConfiguration)) *resourceWorld {
	w := &resourceWorld{world: newWorld(t), rows: make(chan accesslog.ResourceRecord, 2000)}
	gateway := &trellis.ResourceGateway{Meta: meta("rgw-0fffffffffffffff0"), Status: trellis.StatusActive, VPCID: vpcID,
		Interfaces: []trellis.NetworkInterface{{IPv4: netip.MustParseAddr("127.0.0.9")}}}
	w.configuration = &trellis.ResourceConfiguration{Meta: meta("rcfg-0fffffffffffffff0"), Status: trellis.StatusActive, GatewayID: gateway.ID,
		Address: resourceAddr, Ports: []trellis.PortRange{{From: 1, To: 65535}}}
	if change != nil {
		change(w.configuration)
	}
	endpoint := &trellis.VPCEndpoint{Meta: meta("vpce-0fffffffffffffff0"), Type: trellis.ResourceEndpoint, Configuration: w.configuration.Ref(), VPCID: vpcID, State: trellis.EndpointAvailable}
	for _, n := range []trellis.Noun{gateway, w.configuration, endpoint, &trellis.EndpointAddress{Account: account, EndpointID: endpoint.ID,
		Configuration: w.configuration.Ref(), Addresses: []trellis.SubnetAddress{{Address: netip.MustParseAddr("127.0.0.1")}}}} {
		w.st.Put(n)
	}
	o.GatewaySocket = func(_ string, from netip.Addr, to netip.AddrPort) (int, error) {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err == nil {
			err = unix.Bind(fd, &unix.SockaddrInet4{Addr: from.As4()})
		}
		return fd, err
	}
	o.LogResource = func(_ int, r *accesslog.ResourceRecord) { w.rows <- *r }
	w.make(o)
	var socket int
	for { // a port that is free at both addresses
		socket = w.listen()
		_, p, _ := net.SplitHostPort(w.addr)
		var err error
		if w.target, err = net.Listen("tcp", net.JoinHostPort(resourceAddr.String(), p)); err == nil {
			break
		}
		unix.Close(socket)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	done := make(chan error, 2)
	var handlers sync.WaitGroup
	go func() { done <- w.server.Run(ctx) }()
	go func() { done <- w.server.ServeResources(ctx, socket, vpcID) }()
	handlers.Go(func() {
		for {
			c, err := w.target.Accept()
			if err != nil {
				return
			}
			handlers.Go(func() {
				defer c.Close()
				handle(c.(*net.TCPConn))
			})
		}
	})
	t.Cleanup(func() {
		cancel(w.cause)
		for range 2 {
			if err := <-done; err != nil {
				t.Errorf("Run or ServeResources: %v", err)
			}
		}
		w.target.Close()
		handlers.Wait()
	})
	w.dial = func() net.Conn {
		c, err := net.Dial("tcp", w.addr)
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(30 * time.Second))
		return c
	}
	return w
}

// echo sends back what comes, to its end.
func echo(c *net.TCPConn) {
	io.Copy(c, c)
	c.CloseWrite()
}

// reset tells whether an error is that of a connection that the other side has given up.
func reset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

func TestResourceSpeaksFirst(t *testing.T) {
	w := newResourceWorld(t, Options{}, func(c *net.TCPConn) { io.WriteString(c, "220 ready") }, nil)
	c := w.dial()
	defer c.Close()
	if got, err := io.ReadAll(c); string(got) != "220 ready" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	r := <-w.rows
	if r.Source.String() != c.LocalAddr().String() || r.Destination.String() != w.addr || r.Gateway.Addr().String() != "127.0.0.9" ||
		r.Resource.String() != w.target.Addr().String() || r.EndpointID != "vpce-0fffffffffffffff0" || r.ServiceNetworkARN != "" || r.AssociationID != "" ||
		trellis.LastPart(r.ResourceConfigurationARN) != w.configuration.ID || trellis.LastPart(r.SourceVPCARN) != vpcID || r.Time.IsZero() {
		t.Errorf("the record is %+v", r)
	}
}

// TestResourceHalfClose sends 100 MB, ends, and gets all of it back after that.
func TestResourceHalfClose(t *testing.T) {
	w := newResourceWorld(t, Options{}, func(c *net.TCPConn) {
		var all bytes.Buffer
		io.Copy(&all, c)
		c.Write(all.Bytes())
	}, nil)
	sent := make([]byte, 100<<20)
	random := rand.NewChaCha8([32]byte{1})
	random.Read(sent)
	c := w.dial()
	defer c.Close()
	go func() {
		c.Write(sent)
		c.(*net.TCPConn).CloseWrite()
	}()
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d bytes came back, the same: %v, %v", len(got), bytes.Equal(got, sent), err)
	}
}

func TestResourcesInParallel(t *testing.T) {
	w := newResourceWorld(t, Options{}, echo, nil)
	const many = 1000
	conns := make([]net.Conn, many)
	for i := range conns {
		conns[i] = w.dial()
		defer conns[i].Close()
		fmt.Fprintf(conns[i], "hello %d", i)
	}
	for i, c := range conns {
		c.(*net.TCPConn).CloseWrite()
		if got, err := io.ReadAll(c); string(got) != fmt.Sprintf("hello %d", i) || err != nil {
			t.Fatalf("connection %d: %q, %v", i, got, err)
		}
	}
	if s := w.server.Stats(); s.Resources != many || s.ResourcesFailed != 0 || s.Accepted != many {
		t.Errorf("stats: %+v", s)
	}
}

func TestResourceRefusals(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*trellis.ResourceConfiguration)
		logged bool
	}{
		{"another port", func(c *trellis.ResourceConfiguration) { c.Ports = []trellis.PortRange{{From: 1, To: 1}} }, false},
		{"a configuration that does not carry", func(c *trellis.ResourceConfiguration) { c.Status = trellis.StatusCreateInProgress }, false},
		{"nobody there", func(c *trellis.ResourceConfiguration) { c.Address = netip.MustParseAddr("127.0.0.3") }, true},
		{"another family than the gateway's", func(c *trellis.ResourceConfiguration) { c.Address = netip.MustParseAddr("::1") }, true},
		{"no resolver", func(c *trellis.ResourceConfiguration) { c.Address, c.DomainName = netip.Addr{}, "db.internal" }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newResourceWorld(t, Options{}, echo, c.change)
			client, err := net.Dial("tcp", w.addr) // which may see the reset already
			if err == nil {
				defer client.Close()
				_, err = client.Read(make([]byte, 1))
			}
			if !reset(err) {
				t.Errorf("%v, want a reset", err)
			}
			if c.logged {
				if r := <-w.rows; r.Gateway.IsValid() {
					t.Errorf("the record has a connection: %+v", r)
				}
			}
		})
	}
}

// TestResourceGivesUp passes on that one side has given up, either way.
func TestResourceGivesUp(t *testing.T) {
	saw := make(chan error, 1)
	w := newResourceWorld(t, Options{}, func(c *net.TCPConn) {
		b := make([]byte, 1)
		io.ReadFull(c, b)
		if b[0] == 'x' {
			c.SetLinger(0)
			return
		}
		_, err := c.Read(b)
		saw <- err
	}, nil)
	c := w.dial()
	defer c.Close()
	c.Write([]byte{'x'})
	if _, err := c.Read(make([]byte, 1)); !reset(err) {
		t.Errorf("the client reads %v, want a reset", err)
	}
	c = w.dial()
	c.Write([]byte{'y'})
	c.(*net.TCPConn).SetLinger(0)
	c.Close()
	if err := <-saw; err == nil {
		t.Error("the resource does not see that the client has gone")
	}
}

func TestResourceByName(t *testing.T) {
	for want, resolution := range map[string]trellis.DNSResolution{" db.internal": trellis.ResolvePublic, vpcID + " db.internal": trellis.ResolveInVPC} {
		t.Run(string(resolution), func(t *testing.T) { testResourceByName(t, resolution, want) })
	}
}

// testResourceByName reaches a resource by a name, which is looked up once.
func testResourceByName(t *testing.T, resolution trellis.DNSResolution, want string) {
	var asked atomic.Int64
	var where atomic.Value
	w := newResourceWorld(t, Options{LookUp: func(_ context.Context, vpc, name string) ([]netip.Addr, time.Duration, error) {
		asked.Add(1)
		where.Store(vpc + " " + name)
		// Nobody is at the first, and the second is of a family that is not wanted.
		return []netip.Addr{netip.MustParseAddr("127.0.0.3"), netip.MustParseAddr("::1"), resourceAddr}, time.Hour, nil
	}}, echo, func(c *trellis.ResourceConfiguration) {
		c.Address, c.DomainName, c.IPAddressType = netip.Addr{}, "db.internal", trellis.IPv4Addresses
	})
	gateway := *must(trellis.Get[*trellis.ResourceGateway](w.st, account+"/"+w.configuration.GatewayID))
	gateway.DNSResolution = resolution
	w.st.Put(&gateway)
	w.build()
	for range 3 {
		if got := w.exchangeBytes([]byte("hello")); string(got) != "hello" {
			t.Errorf("%q", got)
		}
	}
	if n := asked.Load(); n != 1 || where.Load() != want {
		t.Errorf("asked %d times for %q", n, where.Load())
	}
}

// TestNames looks up many names at once: one look-up for each, and only so many answers are kept.
func TestNames(t *testing.T) {
	hold := make(chan struct{})
	var count atomic.Int64
	n := newNames(func(context.Context, string, string) ([]netip.Addr, time.Duration, error) {
		<-hold
		return nil, time.Hour, fmt.Errorf("answer %d", count.Add(1))
	}, time.Now)
	defer n.end()
	name := func(i int) asked { return asked{account: fmt.Sprint(i / maxLookUpsOfOne), name: fmt.Sprint(i)} }
	told := make(chan found, 2*maxNames)
	for range 2 {
		for i := range maxLookUps {
			if _, known := n.ask(name(i), func(f found) { told <- f }); known {
				t.Fatal("known before it was looked up")
			}
		}
	}
	if f, known := n.ask(asked{name: "one more"}, nil); !known || f.err != errBusy {
		t.Errorf("one more: %v, %v", f, known)
	}
	close(hold)
	for range 2 * maxLookUps {
		<-told
	}
	if count.Load() != maxLookUps {
		t.Errorf("%d look-ups of %d names", count.Load(), maxLookUps)
	}
	for i := range maxNames + 100 {
		if f, known := n.ask(name(i), func(f found) { told <- f }); known != (i < maxLookUps) {
			t.Fatalf("%d: %v, %v", i, f, known)
		} else if !known {
			<-told
		}
	}
	if len(n.by) > maxNames || n.total != 0 || len(n.asking) != 0 {
		t.Errorf("%d answers are kept, %d names are asked for by %v", len(n.by), n.total, n.asking)
	}
}

// TestNamesOfOneAccount are not all that may be asked for.
func TestNamesOfOneAccount(t *testing.T) {
	n := newNames(func(ctx context.Context, _, _ string) ([]netip.Addr, time.Duration, error) {
		<-ctx.Done()
		return nil, 0, ctx.Err()
	}, time.Now)
	defer n.end()
	for i := range maxLookUpsOfOne + 1 {
		if f, known := n.ask(asked{account: "greedy", name: fmt.Sprint(i)}, func(found) {}); known != (i == maxLookUpsOfOne) || known && f.err != errBusy {
			t.Errorf("%d: %v, %v", i, f, known)
		}
	}
	if f, known := n.ask(asked{account: "modest", name: "db"}, func(found) {}); known {
		t.Errorf("another account: %v", f)
	}
}

// TestResourceDrain ends, when the server stops, connections that go on for longer than they may.
func TestResourceDrain(t *testing.T) {
	w := newResourceWorld(t, Options{DrainTimeout: time.Millisecond}, echo, nil)
	c := w.dial()
	t.Cleanup(func() { c.Close() }) // before the world's own
	c.Write([]byte("x"))
	if _, err := c.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
}

// TestResourceIdle ends a connection over which nothing was sent for 350 seconds, and no other, whatever its age is.
func TestResourceIdle(t *testing.T) {
	k := &clock{}
	w := newResourceWorld(t, Options{Now: k.now, Strict: true}, echo, nil)
	k.w = w.world
	c := w.dial()
	defer c.Close()
	b := make([]byte, 1)
	for range 4 {
		c.Write([]byte("x"))
		if _, err := c.Read(b); err != nil {
			t.Fatalf("a connection that is used: %v", err)
		}
		k.advance(resourceIdle - time.Second)
	}
	k.advance(time.Second)
	if _, err := c.Read(b); err != io.EOF {
		t.Errorf("a connection that is not used: %v, want its end", err)
	}
}

// TestResourceEndpointGoes resets connections whose endpoint has gone.
func TestResourceEndpointGoes(t *testing.T) {
	k := &clock{}
	w := newResourceWorld(t, Options{Now: k.now}, echo, nil)
	k.w = w.world
	b := make([]byte, 1)
	for range 2 { // the worker looks after connections again after a while without any
		w.build()
		c := w.dial()
		defer c.Close()
		c.Write([]byte("x"))
		if _, err := c.Read(b); err != nil {
			t.Fatal(err)
		}
		k.advance(ledEvery)
		w.table.Store(&routing.Table{})
		k.advance(ledEvery)
		if _, err := c.Read(b); !reset(err) {
			t.Errorf("after its endpoint: %v, want a reset", err)
		}
		k.advance(ledEvery)
	}
}

// TestResourceStops ends, when the node stops, connections that pause, whatever a drain may take.
func TestResourceStops(t *testing.T) {
	var c net.Conn
	t.Cleanup(func() { // after the world's own
		if n, err := c.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("read %d, %v, want the end", n, err)
		}
		c.Close()
	})
	w := newResourceWorld(t, Options{DrainTimeout: time.Hour}, echo, nil)
	w.cause = ErrStopping
	c = w.dial()
	c.Write([]byte("x"))
	if _, err := c.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
}

// TestEndpointServes serves a network's services at the address of an endpoint, by the endpoint's names too.
func TestEndpointServes(t *testing.T) {
	w := newWorld(t)
	endpoint := &trellis.VPCEndpoint{Meta: meta("vpce-0fffffffffffffff1"), Type: trellis.ServiceNetworkEndpoint, ServiceNetwork: trellis.Ref{Account: account, ID: netID},
		VPCID: vpcID, State: trellis.EndpointAvailable}
	w.st.Put(endpoint)
	w.make(Options{})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 2)
	go func() { done <- w.server.Run(ctx) }()
	socket := w.listen()
	go func() { done <- w.server.ServeEndpoint(ctx, socket, vpcID, endpoint.ID, port) }()
	defer func() {
		cancel()
		<-done
		<-done
	}()
	w.dial = func() net.Conn {
		c, err := net.Dial("tcp", w.addr)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for name, want := range map[string]string{host: "HTTP/1.1 500", endpoint.ServiceName(region, "snsa-0fffffffffffffff0"): "HTTP/1.1 500",
		endpoint.ServiceName(region, "snsa-0fffffffffffffff9"): "HTTP/1.1 404"} {
		got := w.exchangeBytes([]byte("GET /fixed500 HTTP/1.1\r\nHost: " + name + "\r\nConnection: close\r\n\r\n"))
		if !bytes.HasPrefix(got, []byte(want)) {
			t.Errorf("%s: %q, want %s", name, got, want)
		}
	}
	if r := w.record(0); r.SourceVPCID != vpcID || trellis.LastPart(r.ServiceNetworkARN) != netID {
		t.Errorf("the record is %+v", r)
	}
}
