package dataplane

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/accesslog"
	"github.com/trellis-project/trellis/reactor"
	"github.com/trellis-project/trellis/routing"
)

const (
	// resourceIdle is how long nothing need be sent over a connection to a resource, which may otherwise live for ever (VPC
	// Lattice user guide, quotas).
	resourceIdle = 350 * time.Second
	// quietIdle is the same when the node stops.
	quietIdle = time.Second
	// resourceDial bounds one try to connect to a resource.
	resourceDial = 5 * time.Second
)

// ServeResources is Serve for the connections of one VPC's clients to TCP resources, whatever their ports are: each has as
// its own address the one at which the client found the resource.
func (s *Server) ServeResources(ctx context.Context, socket int, vpcID string) error {
	return s.serve(ctx, socket, &listener{vpcID: vpcID, resources: true})
}

// resourceEnd is a connection to a resource.
type resourceEnd struct{ reactor.Conn }

// Ready is reactor.Owner's: there is always a fiber that waits, or will look.
func (*resourceEnd) Ready() {}

// Expired is reactor.Owner's.
func (*resourceEnd) Expired() {}

// reachResource carries a connection to the resource that is where the client has connected to: everything that decides
// about it stands here, in order. Auth policies don't: they never apply to resources (VPC Lattice user guide,
// auth-policies).
func (c *conn) reachResource() {
	defer c.end()
	s := c.w.s
	x := c.begin()
	defer c.free()
	at := c.Local()
	table := s.Table()
	if !c.w.mayServe(c.tenant) || table == nil {
		s.refused.Add(1)
		c.Abort()
		return
	}
	r, ok := table.Resource(c.l.vpcID, at.Addr())
	if !ok || !r.Configuration.Serves(int(at.Port())) {
		s.resourcesFailed.Add(1)
		c.Abort()
		return
	}
	rec := accesslog.ResourceRecord{Time: c.w.loop.Time(), ServiceNetworkARN: r.NetworkARN, AssociationID: r.AssociationID, EndpointID: r.EndpointID,
		SourceVPCARN: table.VPC(c.l.vpcID).ARN, ResourceConfigurationARN: r.ARN, Source: c.remote, Destination: at}
	end, err := c.dialResource(&r, &rec)
	s.LogResource(c.w.index, &rec) // at once: such a connection may last for days
	if err != nil {
		s.resourcesFailed.Add(1)
		s.Logger.Debug("resource not reached", "resource_configuration", r.ARN, "vpc_id", c.l.vpcID, "error", err)
		c.Abort()
		return
	}
	s.resources.Add(1)
	defer end.Close()
	x.target, x.idle = end, c.l.resourceIdle()
	if r.EndpointID != "" {
		c.w.lead(c, r.EndpointID)
		defer delete(c.w.led, c)
	}
	reason := x.carry(&c.Conn, &end.Conn, nil)
	x.target = nil
	if reason != failNone {
		end.Abort() // and the client's side was aborted: neither takes what it has for the whole
	}
}

// resourceIdle is how long nothing need be sent over a connection of the listener now.
func (l *listener) resourceIdle() time.Duration {
	if l.quiet.Load() {
		return quietIdle
	}
	return resourceIdle
}

// quieten makes a connection to a resource end as soon as it pauses.
func (c *conn) quieten() {
	if c.state == busy && c.x != nil && c.x.target != nil {
		c.x.idle = quietIdle
		due := c.w.loop.Now() + quietIdle
		c.SetReadDeadline(due)
		c.x.target.SetReadDeadline(due)
	}
}

// errNoEndpoint ends a connection whose VPC endpoint has gone: its address is somebody else's soon.
var errNoEndpoint = errors.New("the VPC endpoint has gone")

// lead notes a connection that an endpoint leads to a resource.
func (w *worker) lead(c *conn, endpointID string) {
	w.led[c], w.ledBy = endpointID, nil // the endpoint may have gone while the resource was connected to
	if !w.looking {
		w.looking = true
		w.loop.After(ledEvery, w.lookAtLed)
	}
}

// ledEvery is how often a worker looks whether endpoints have gone, while it has connections of any.
const ledEvery = time.Second

// lookAtLed ends the connections whose endpoint has gone.
func (w *worker) lookAtLed() {
	if w.looking = len(w.led) > 0; !w.looking {
		return
	}
	if t := w.s.Table(); t != w.ledBy {
		w.ledBy = t
		for c, id := range w.led {
			if !t.VPC(c.l.vpcID).HasEndpoint(id) {
				c.interrupt(errNoEndpoint)
			}
		}
	}
	w.loop.After(ledEvery, w.lookAtLed)
}

// dialResource connects to a resource from its gateway: to one of its addresses, another one when that fails.
func (c *conn) dialResource(r *routing.Resource, rec *accesslog.ResourceRecord) (*resourceEnd, error) {
	addrs, err := c.addressesOf(r)
	if err != nil {
		return nil, err
	}
	err = errors.New("it has no address of the gateway's families")
	tries := 0
	for _, a := range addrs {
		from, ok := gatewayAddress(r.Gateway, a)
		if !ok {
			continue
		}
		if tries++; tries > maxTargets {
			break
		}
		rec.Resource = netip.AddrPortFrom(a, rec.Destination.Port())
		var fd int
		if fd, err = c.w.s.GatewaySocket(r.Gateway.VPCID, from, rec.Resource); err != nil {
			continue
		}
		end := &resourceEnd{}
		if err = end.Connect(c.w.loop, fd, end, rec.Resource, resourceDial); err == nil {
			rec.Gateway = end.Local()
			return end, nil
		}
	}
	return nil, fmt.Errorf("connect to the resource at %s: %w", rec.Resource, err)
}

// addressesOf are the addresses of a resource, looked up when it has a name.
func (c *conn) addressesOf(r *routing.Resource) ([]netip.Addr, error) {
	if r.Configuration.Address.IsValid() {
		return []netip.Addr{r.Configuration.Address}, nil
	}
	vpcID := ""
	if r.Gateway.DNSResolution == trellis.ResolveInVPC {
		vpcID = r.Gateway.VPCID
	}
	found, err := c.w.lookUp(asked{r.Configuration.Account, vpcID, r.Configuration.DomainName})
	if err != nil {
		return nil, fmt.Errorf("look up %s: %w", r.Configuration.DomainName, err)
	}
	wanted := make([]netip.Addr, 0, len(found))
	for _, a := range found {
		if t := r.Configuration.IPAddressType; t == "" || t.Has(a.Is6()) {
			wanted = append(wanted, a)
		}
	}
	return wanted, nil
}

// gatewayAddress is an address of a gateway from which another one can be reached, of the same family.
func gatewayAddress(g *trellis.ResourceGateway, to netip.Addr) (netip.Addr, bool) {
	for _, n := range g.Interfaces {
		if to.Is4() && n.IPv4.IsValid() {
			return n.IPv4, true
		}
		if to.Is6() && n.IPv6.IsValid() {
			return n.IPv6, true
		}
	}
	return netip.Addr{}, false
}
