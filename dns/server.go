package dns

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
	"github.com/trellis-project/trellis/routing"
)

const (
	// forwardTimeout bounds one question to one server.
	forwardTimeout = 2 * time.Second
	// forwardTries is how many servers are asked before the client is told that it did not work.
	forwardTries = 2
	// maxForwards bounds the questions that wait for other servers at the same time, for each VPC; a question
	// over UDP beyond it is dropped, as a lost packet would be.
	maxForwards = 256
	// maxConns bounds the open TCP connections for each VPC.
	maxConns = 64
	// connIdle bounds how long a TCP connection may be silent.
	connIdle = 10 * time.Second
	// acceptPause is how long to wait after an error that may pass.
	acceptPause = 200 * time.Millisecond
	// maxUDP is the largest answer that is sent over UDP, whatever the client says that it takes.
	maxUDP = 4096
)

// Options is what a Server needs.
type Options struct {
	// Table is the current routing table.
	Table func() *routing.Table
	// Forward are the servers for every other name, as address or address:port.
	Forward []string
	// Static are names of Trellis itself, for example api.trellis.internal.
	Static map[string]netip.Addr
	Log    *slog.Logger // discards when nil
}

// Server answers the resolvers of all VPCs.
type Server struct {
	table   func() *routing.Table
	forward []string
	static  map[string]netip.Addr // by name, lower case, with the last dot
	log     *slog.Logger
}

// New returns a Server. It starts nothing.
func New(o Options) *Server {
	s := &Server{table: o.Table, static: map[string]netip.Addr{}, log: o.Log}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	for _, f := range o.Forward {
		if a, err := netip.ParseAddr(f); err == nil {
			f = netip.AddrPortFrom(a, 53).String()
		}
		s.forward = append(s.forward, f)
	}
	for name, a := range o.Static {
		s.static[strings.ToLower(dns.Fqdn(name))] = a
	}
	return s
}

// HostServers reads the name servers of a file in the form of resolv.conf.
func HostServers(path string) ([]string, error) {
	c, err := dns.ClientConfigFromFile(path)
	if err != nil {
		return nil, fmt.Errorf("read name servers: %w", err)
	}
	servers := make([]string, 0, len(c.Servers))
	for _, s := range c.Servers {
		servers = append(servers, net.JoinHostPort(s, c.Port))
	}
	return servers, nil
}

// Serve answers one VPC's questions on a UDP socket and a TCP listener until ctx is done or one of the two
// is closed. It closes both, and returns when everything that it started has ended.
func (s *Server) Serve(ctx context.Context, vpcID string, pc net.PacketConn, ln net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	v := &serving{s: s, vpcID: vpcID, ctx: ctx, forwards: make(chan struct{}, maxForwards), conns: make(chan struct{}, maxConns)}
	stop := context.AfterFunc(ctx, func() {
		pc.Close()
		ln.Close()
	})
	defer stop()
	errs := make(chan error, 2)
	v.work.Go(func() { defer cancel(); errs <- v.packets(pc) })
	v.work.Go(func() { defer cancel(); errs <- v.accept(ln) })
	v.work.Wait()
	pc.Close()
	ln.Close()
	for range 2 {
		if err := <-errs; err != nil && !errors.Is(err, net.ErrClosed) {
			return fmt.Errorf("resolver of %s: %w", vpcID, err)
		}
	}
	return nil
}

// serving is one Serve.
type serving struct {
	s        *Server
	vpcID    string
	ctx      context.Context
	forwards chan struct{} // one token for each question that waits for another server
	conns    chan struct{} // one token for each open connection
	work     sync.WaitGroup
}

// packets answers questions over UDP. What the Table knows is answered at once, the rest in a goroutine.
func (v *serving) packets(pc net.PacketConn) error {
	buf := make([]byte, dns.MaxMsgSize)
	for {
		n, from, err := pc.ReadFrom(buf)
		if err != nil {
			if v.wait(err) {
				continue
			}
			return err
		}
		q, r := v.s.read(buf[:n])
		var rest string
		if q != nil && r == nil {
			r, rest = v.s.local(v.vpcID, q)
		}
		if r != nil && rest == "" {
			v.send(pc, from, q, r)
			continue
		}
		if q == nil {
			continue
		}
		select {
		case v.forwards <- struct{}{}:
			v.work.Go(func() {
				defer func() { <-v.forwards }()
				if r == nil {
					r = v.s.ask(v.ctx, q)
				}
				v.send(pc, from, q, v.s.finish(v.ctx, q, r, rest))
			})
		default: // the client asks again
		}
	}
}

// send writes an answer over UDP, cut to what the client takes.
func (v *serving) send(pc net.PacketConn, to net.Addr, q, r *dns.Msg) {
	size := dns.MinMsgSize
	if q != nil {
		if o := q.IsEdns0(); o != nil {
			size = min(max(int(o.UDPSize()), dns.MinMsgSize), maxUDP)
		}
	}
	r.Truncate(size)
	b, err := r.Pack()
	if err != nil {
		v.s.log.Warn("dns answer cannot be written", "vpc_id", v.vpcID, "error", err)
		return
	}
	if _, err := pc.WriteTo(b, to); err != nil && v.ctx.Err() == nil {
		v.s.log.Debug("dns answer not sent", "vpc_id", v.vpcID, "error", err)
	}
}

// accept takes TCP connections.
func (v *serving) accept(ln net.Listener) error {
	for {
		c, err := ln.Accept()
		if err != nil {
			if v.wait(err) {
				continue
			}
			return err
		}
		select {
		case v.conns <- struct{}{}:
			v.work.Go(func() {
				defer func() { <-v.conns }()
				v.conn(c)
			})
		default:
			c.Close()
		}
	}
}

// wait waits a moment after an error that may pass, such as too many open files, and tells whether to go on.
func (v *serving) wait(err error) bool {
	if errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF) || v.ctx.Err() != nil {
		return false
	}
	v.s.log.Warn("resolver cannot take a question", "vpc_id", v.vpcID, "error", err)
	select {
	case <-v.ctx.Done():
		return false
	case <-time.After(acceptPause):
		return true
	}
}

// conn answers the questions of one TCP connection, one after another.
func (v *serving) conn(c net.Conn) {
	defer c.Close()
	defer context.AfterFunc(v.ctx, func() { c.Close() })()
	dc := &dns.Conn{Conn: c}
	for {
		c.SetDeadline(time.Now().Add(connIdle))
		b, err := dc.ReadMsgHeader(nil)
		if err != nil {
			return
		}
		q, r := v.s.read(b)
		if q != nil && r == nil {
			var rest string
			if r, rest = v.s.local(v.vpcID, q); r == nil {
				r = v.s.ask(v.ctx, q)
			}
			r = v.s.finish(v.ctx, q, r, rest)
		}
		if r == nil || dc.WriteMsg(r) != nil {
			return
		}
	}
}
