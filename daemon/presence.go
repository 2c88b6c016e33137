package daemon

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/dataplane"
	"github.com/trellis-project/trellis/routing"
	"github.com/trellis-project/trellis/vpc"
)

// apiPort is the port of the API inside of VPCs, whatever port the host's endpoint has.
const apiPort = 4780

// place is one socket that this node listens at inside a VPC.
type place struct {
	vpc  string
	at   netip.AddrPort
	kind placeKind
	slot int // of kind placeNetwork
	// endpoint is the VPC endpoint of kind placeEndpoint.
	endpoint string
}

// placeKind says what answers at a place.
type placeKind string

// The kinds of places.
const (
	placeNetwork   placeKind = "service network"
	placeEndpoint  placeKind = "vpc endpoint"
	placeResources placeKind = "resources"
	placeResolver  placeKind = "resolver"
	placeMetadata  placeKind = "metadata"
	placeAgent     placeKind = "pod identity"
	placeAPI       placeKind = "api"
)

// presences is where this node listens inside VPCs. reconcile starts and ends listeners as the nouns say.
type presences struct {
	d       *Daemon
	log     *slog.Logger
	running map[place]opened        // owned by the goroutine that follows the store, like the next two
	ending  map[place]chan struct{} // of places whose socket may still be open; closed with the socket
	failed  map[place]string        // what was said already of places that can't be opened
	taken   int                     // sockets of the process before that were taken over and not told of yet
	traffic sync.WaitGroup          // what serves at places of requests
	support sync.WaitGroup          // what serves at the others, which requests need
}

// supports tells whether clients need a place to make requests and to sign them.
func (pl place) supports() bool {
	return pl.kind == placeResolver || pl.kind == placeMetadata || pl.kind == placeAgent
}

// carries tells whether clients make requests at a place.
func (pl place) carries() bool {
	return pl.kind == placeNetwork || pl.kind == placeEndpoint || pl.kind == placeResources
}

// carry serves requests, or connections to resources, at a place until ctx is done.
func (p *presences) carry(ctx context.Context, pl place, socket int) error {
	switch pl.kind {
	case placeEndpoint:
		return p.d.dataPlane.ServeEndpoint(ctx, socket, pl.vpc, pl.endpoint, int(pl.at.Port()))
	case placeResources:
		return p.d.dataPlane.ServeResources(ctx, socket, pl.vpc)
	}
	return p.d.dataPlane.Serve(ctx, socket, pl.vpc, pl.slot, int(pl.at.Port()))
}

// opened is a place at which this node listens.
type opened struct {
	cancel context.CancelCauseFunc
	closed chan struct{} // closed with the socket, which is a little after cancel
}

// closed is opened.closed of sockets that need not be waited for: another one may listen at the same place.
var closed = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// noted is a listener that tells when its socket is closed.
type noted struct {
	*net.TCPListener
	once   sync.Once
	closed chan struct{}
}

// Close closes the socket and tells it.
func (n *noted) Close() error {
	err := n.TCPListener.Close()
	n.once.Do(func() { close(n.closed) })
	return err
}

// endTimeout bounds the wait for the socket of a place that is wanted again while it ends. Ending takes
// milliseconds: what the kernel has accepted is served first.
const endTimeout = time.Second

// want lists the places of a state.
func (p *presences) want(st *trellis.State, t *routing.Table) map[place]bool {
	places := map[place]bool{}
	for v := range trellis.All[*trellis.VPC](st) {
		add := func(kind placeKind, slot int, port uint16, addrs ...netip.Addr) {
			for _, a := range addrs {
				places[place{vpc: v.ID, at: netip.AddrPortFrom(a, port), kind: kind, slot: slot}] = true
			}
		}
		add(placeResolver, 0, 53, trellis.ResolverAddr4, trellis.ResolverAddr6, v.ResolverAddr())
		add(placeMetadata, 0, 80, trellis.MetadataAddr4, trellis.MetadataAddr6)
		add(placeAgent, 0, 80, trellis.AgentAddr4, trellis.AgentAddr6)
		add(placeAPI, 0, apiPort, trellis.APIAddr4)
		if t.TakesResources(v.ID) {
			for _, at := range vpc.ResourcePlaces {
				add(placeResources, 0, at.Port(), at.Addr())
			}
		}
	}
	for e := range trellis.All[*trellis.VPCEndpoint](st) {
		for _, port := range t.EndpointPorts(e.VPCID, e.ID) {
			for _, n := range e.Interfaces {
				for _, a := range []netip.Addr{n.IPv4, n.IPv6} {
					if a.IsValid() {
						places[place{vpc: e.VPCID, at: netip.AddrPortFrom(a, uint16(port)), kind: placeEndpoint, endpoint: e.ID}] = true
					}
				}
			}
		}
	}
	for a := range trellis.All[*trellis.VPCAssociation](st) {
		v4, v6 := trellis.SlotAddrs(a.Slot)
		for _, port := range t.Ports(a.VPC.ID, a.Slot) {
			for _, at := range []netip.Addr{v4, v6} {
				places[place{vpc: a.VPC.ID, at: netip.AddrPortFrom(at, uint16(port)), kind: placeNetwork, slot: a.Slot}] = true
			}
		}
	}
	return places
}

// errPlaces says that not all listeners are open.
var errPlaces = errors.New("not every listener is open")

// reconcile ends the listeners that are not wanted any more and starts those that are missing. What can't be
// opened is said once, and told by errPlaces so that it is tried again.
func (p *presences) reconcile(st *trellis.State, t *routing.Table) (err error) {
	want := p.want(st, t)
	maps.DeleteFunc(p.ending, func(_ place, closed chan struct{}) bool {
		select {
		case <-closed:
			return true
		default:
			return false
		}
	})
	var unwanted []string
	for pl := range p.running {
		if !want[pl] {
			unwanted = append(unwanted, pl.names()...)
		}
	}
	p.d.supervisor.forget(unwanted...)
	for pl, o := range p.running {
		if !want[pl] {
			o.cancel(nil)
			p.ending[pl] = o.closed
			delete(p.running, pl)
		}
	}
	maps.DeleteFunc(p.failed, func(pl place, _ string) bool { return !want[pl] })
	for pl := range want {
		if p.running[pl].cancel != nil {
			continue
		}
		p.awaitEnd(pl)
		o, failed := p.open(pl)
		if failed != nil {
			err = errPlaces
			if text := failed.Error(); p.failed[pl] != text {
				p.failed[pl] = text
				p.log.Error("can't listen in vpc", "vpc_id", pl.vpc, "at", pl.at.String(), "for", string(pl.kind), "error", failed)
			}
			continue
		}
		delete(p.failed, pl)
		p.running[pl] = o
	}
	p.disownUnwanted(want)
	return err
}

// awaitEnd waits until the socket that was at a place before is closed, as in a listener's deletion that its
// creation follows at once.
func (p *presences) awaitEnd(pl place) {
	closed := p.ending[pl]
	if closed == nil {
		return
	}
	t := time.NewTimer(endTimeout)
	defer t.Stop()
	select {
	case <-closed:
		delete(p.ending, pl)
	case <-t.C:
	}
}

// open listens at a place and serves it until it is cancelled.
func (p *presences) open(pl place) (opened, error) {
	ctx, cancel := context.WithCancelCause(context.Background())
	serve := func(what string, run func() error) {
		wg := &p.traffic
		if pl.supports() {
			wg = &p.support
		}
		wg.Go(func() {
			if err := run(); err != nil && ctx.Err() == nil {
				p.log.Error("listener in vpc ended", "vpc_id", pl.vpc, "at", pl.at.String(), "for", what, "error", err)
			}
		})
	}
	if pl.carries() {
		socket, err := p.listenSocket(pl)
		if err != nil {
			cancel(err)
			return opened{}, err
		}
		serve(string(pl.kind), func() error { return p.carry(ctx, pl, socket) })
		return opened{cancel, closed}, nil
	}
	l, err := p.listen(pl)
	if err != nil {
		cancel(err)
		return opened{}, err
	}
	ln := &noted{TCPListener: l, closed: make(chan struct{})}
	switch pl.kind {
	case placeResolver:
		pc, err := p.listenPacket(pl)
		if err != nil {
			cancel(err)
			p.d.supervisor.forget(pl.names()...) // all is opened anew at the next try
			ln.Close()
			return opened{}, err
		}
		serve("resolver", func() error { return p.d.resolver.Serve(ctx, pl.vpc, pc, ln) })
	case placeMetadata:
		serve("metadata", func() error { return serveHTTP(ctx, ln, p.d.metadata.handler(pl.vpc), p.log) })
	case placeAgent:
		serve("pod identity", func() error { return serveHTTP(ctx, ln, p.d.agent.handler(pl.vpc), p.log) })
	case placeAPI:
		serve("api", func() error { return serveHTTP(ctx, ln, p.d.apiServer, p.log) })
	}
	return opened{cancel, ln.closed}, nil
}

// close ends all listeners and waits for them. Resolvers and metadata are the last: requests that come meanwhile need
// them. With Config.KeepVPCs the next process gets the sockets from the service manager, if there is one.
func (p *presences) close() {
	if !p.d.config.KeepVPCs {
		var names []string
		for pl := range p.running {
			names = append(names, pl.names()...)
		}
		p.d.supervisor.forget(names...)
	}
	end := func(support bool) {
		for pl, o := range p.running {
			if pl.supports() == support {
				o.cancel(dataplane.ErrStopping)
				delete(p.running, pl)
			}
		}
	}
	end(false)
	p.traffic.Wait()
	end(true)
	p.support.Wait()
}

// maxAPIConnections bounds the connections of one listener of the API or of instance metadata: further ones wait.
// Each may hold a request of a megabyte.
const maxAPIConnections = 1024

// serveHTTP serves HTTP at a listener until ctx is done, then lets requests in flight end.
func serveHTTP(ctx context.Context, ln net.Listener, h http.Handler, log *slog.Logger) error {
	srv := api.HTTPServer(h, log)
	srv.ConnContext = withConnection
	ln = newLimited(ln, maxAPIConnections)
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		end, cancel := context.WithTimeout(context.Background(), apiDrain)
		defer cancel()
		if srv.Shutdown(end) != nil {
			srv.Close()
		}
	})
	err := srv.Serve(ln)
	if !stop() {
		<-stopped
		return nil
	}
	return err
}
