package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/accesslog"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/dataplane"
	"github.com/trellis-project/trellis/routing"
	"github.com/trellis-project/trellis/sigv4"
	"github.com/trellis-project/trellis/targetgroup"
)

// plane is what the daemon joins, without the daemon: a State, and the table and target groups made from it.
type plane struct {
	mu     sync.Mutex // of state
	state  *trellis.State
	groups *targetgroup.Manager
	table  atomic.Pointer[routing.Table]
}

// change changes the state and makes the table and the target groups from it, as the daemon does for a revision.
func (p *plane) change(f func(*trellis.State)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(p.state)
	p.groups.Apply(p.state)
	p.table.Store(routing.Build(p.state, routing.Options{Region: region}, p.table.Load()))
}

// run serves until ctx is done.
func run(ctx context.Context, o options) error {
	var targets [2]netip.AddrPort
	for i, t := range o.targets {
		var err error
		if targets[i], err = netip.ParseAddrPort(t); err != nil {
			return fmt.Errorf("target address: %w", err)
		}
	}
	out, err := os.Create(o.log)
	if err != nil {
		return fmt.Errorf("create access log: %w", err)
	}
	defer out.Close()
	release, err := accelerate(o.accelerate, o.instances)
	if err != nil {
		return err
	}
	defer release()
	at, err := netip.ParseAddrPort(o.listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	source := at.Addr()
	if o.source != "" {
		if source, err = netip.ParseAddr(o.source); err != nil {
			return fmt.Errorf("source address: %w", err)
		}
	}
	socket := func(string, netip.AddrPort) (int, error) { return bound(source) }
	w := world{targets: targets, options: o, source: source, at: at.Addr()}
	p := &plane{state: w.state(), groups: targetgroup.New(targetgroup.Options{Region: region, Socket: socket})}
	rows := accesslog.New(accesslog.Options{Region: region, Deliver: deliver(out)})
	rows.Apply(p.state)
	p.change(func(*trellis.State) {})
	debug.FreeOSMemory() // as the daemon does after a snapshot
	caller, key, err := identity()
	if err != nil {
		return err
	}
	loops := runtime.GOMAXPROCS(0) // as the daemon does
	runtime.GOMAXPROCS(loops + 1)
	server := dataplane.New(dataplane.Options{Region: region, Groups: p.groups, Log: rows.Emit, Table: p.table.Load, Workers: loops, Joined: o.accelerate != "",
		LogResource: rows.EmitResource, GatewaySocket: func(_ string, from netip.Addr, _ netip.AddrPort) (int, error) { return bound(from) },
		Certificate: func(string, string) (*tls.Certificate, error) { return &o.pair, nil },
		Callers: func(id, _ string) (*authpolicy.Caller, *sigv4.Key, error) {
			if id != keyID {
				return nil, nil, trellis.NewError(403, "UnrecognizedClientException", "The security token included in the request is invalid.")
			}
			return caller, key, nil
		}})
	listening, err := listen(at)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return p.groups.Run(ctx) })
	g.Go(func() error { return rows.Run(ctx) })
	g.Go(func() error { return server.Run(ctx) })
	g.Go(func() error {
		if o.protocol == trellis.ProtocolTCP {
			return server.ServeResources(ctx, listening, vpcID)
		}
		return server.Serve(ctx, listening, vpcID, slot, port)
	})
	if o.control != "" {
		g.Go(func() error { return p.control(ctx, o.control, w) })
	}
	return g.Wait()
}

// bound makes a socket for a connection from an address, as package vpc does.
func bound(from netip.Addr) (int, error) {
	fd, err := tcp([2]int{unix.IPPROTO_TCP, unix.TCP_NODELAY}, [2]int{unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT})
	if err != nil {
		return -1, err
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: from.As4()}); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// listen makes the socket that clients connect to.
func listen(at netip.AddrPort) (int, error) {
	fd, err := tcp([2]int{unix.SOL_SOCKET, unix.SO_REUSEADDR}, [2]int{unix.IPPROTO_TCP, unix.TCP_NODELAY})
	if err != nil {
		return -1, err
	}
	if err = unix.Bind(fd, &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}); err == nil {
		err = unix.Listen(fd, 4096)
	}
	if err != nil {
		unix.Close(fd)
	}
	return fd, err
}

// tcp makes a TCP socket for event loops, with options that are on.
func tcp(options ...[2]int) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	for _, o := range options {
		if err := unix.SetsockoptInt(fd, o[0], o[1], 1); err != nil {
			unix.Close(fd)
			return -1, err
		}
	}
	return fd, nil
}

// deliver writes the rows of the access log to a file.
func deliver(out *os.File) func(context.Context, string, []accesslog.Row) error {
	var batch []byte // one destination, so one delivery at a time
	return func(_ context.Context, _ string, rows []accesslog.Row) error {
		batch = batch[:0]
		for _, r := range rows {
			batch = append(append(batch, r.JSON...), '\n')
		}
		_, err := out.Write(batch)
		return err
	}
}
