package daemon

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// names are those under which the service manager keeps the sockets of a place: for TCP, and of a resolver for UDP.
// They are short, since all names together must fit into one variable of the next process' environment.
func (pl place) names() []string {
	at := pl.vpc + "_" + strings.ReplaceAll(pl.at.Addr().String(), ":", ".") + "_" + fmt.Sprint(pl.at.Port())
	if pl.kind == placeResolver {
		return []string{at, at + "_udp"}
	}
	return []string{at}
}

// inherited is the socket that the process before had at a place, under one of the place's names; nil when there is
// none of use. It is the caller's. An error says that it can't be told now: what was left stays for another try.
func (p *presences) inherited(pl place, name string) (*os.File, error) {
	left := p.d.supervisor.handed[name]
	if len(left) == 0 {
		return nil, nil
	}
	why := errors.New("there are several")
	if len(left) == 1 {
		var err error
		if why, err = p.d.vpcs.Unfit(pl.vpc, pl.at, int(left[0].Fd())); err != nil {
			return nil, err
		}
		if why == nil {
			delete(p.d.supervisor.handed, name)
			p.taken++
			return left[0], nil
		}
	}
	p.log.Warn("a socket of the process before is of no use", "name", name, "error", why)
	p.disown(name)
	return nil, nil
}

// disown closes what the process before has left under names, here and with the service manager.
func (p *presences) disown(names ...string) {
	for _, name := range names {
		for _, f := range p.d.supervisor.handed[name] {
			f.Close()
		}
		delete(p.d.supervisor.handed, name)
	}
	p.d.supervisor.forget(names...)
}

// disownUnwanted closes what the process before has left of places that are not wanted any more.
func (p *presences) disownUnwanted(want map[place]bool) {
	if p.taken > 0 {
		p.log.Info("took over sockets", "count", p.taken)
		p.taken = 0
	}
	if len(p.d.supervisor.handed) == 0 {
		return
	}
	wanted := map[string]bool{}
	for pl := range want {
		for _, name := range pl.names() {
			wanted[name] = true
		}
	}
	var unwanted []string
	for name := range p.d.supervisor.handed {
		if !wanted[name] {
			unwanted = append(unwanted, name)
		}
	}
	p.disown(unwanted...)
}

// listenSocket opens or inherits the socket of a place for event loops.
func (p *presences) listenSocket(pl place) (int, error) {
	name := pl.names()[0]
	f, err := p.inherited(pl, name)
	if err != nil {
		return -1, err
	}
	if f != nil {
		defer f.Close()
		socket, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			p.d.supervisor.forget(name)
			return -1, fmt.Errorf("take over %s: %w", name, err)
		}
		_ = unix.SetNonblock(socket, true) // fails on nothing that is a socket; Fd has made it block
		return socket, nil
	}
	open := p.d.vpcs.ListenSocket
	if pl.kind == placeResources || pl.kind == placeEndpoint {
		open = p.d.vpcs.ListenTransparent
	}
	socket, err := open(pl.vpc, pl.at)
	if err == nil {
		p.d.supervisor.keep(name, socket)
	}
	return socket, err
}

// listen opens or inherits the listening socket of a place.
func (p *presences) listen(pl place) (*net.TCPListener, error) {
	return socketOf(p, pl, pl.names()[0], func(f *os.File) (*net.TCPListener, error) {
		l, err := net.FileListener(f)
		if err != nil {
			return nil, err
		}
		return l.(*net.TCPListener), nil
	}, func() (*net.TCPListener, error) {
		l, err := p.d.vpcs.Listen(pl.vpc, pl.at)
		if err != nil {
			return nil, err
		}
		return l.(*net.TCPListener), nil
	})
}

// listenPacket opens or inherits the socket of a resolver's place for packets.
func (p *presences) listenPacket(pl place) (*net.UDPConn, error) {
	return socketOf(p, pl, pl.names()[1], func(f *os.File) (*net.UDPConn, error) {
		c, err := net.FilePacketConn(f)
		if err != nil {
			return nil, err
		}
		return c.(*net.UDPConn), nil
	}, func() (*net.UDPConn, error) {
		c, err := p.d.vpcs.ListenPacket(pl.vpc, pl.at)
		if err != nil {
			return nil, err
		}
		return c.(*net.UDPConn), nil
	})
}

// socketOf is the socket that a place has under a name: made of what was inherited, else opened and given to the service
// manager to keep.
func socketOf[S syscall.Conn](p *presences, pl place, name string, of func(*os.File) (S, error), open func() (S, error)) (S, error) {
	var none S
	f, err := p.inherited(pl, name)
	if err != nil {
		return none, err
	}
	if f != nil {
		defer f.Close() // what is made of it has a descriptor of its own
		s, err := of(f)
		if err != nil {
			p.d.supervisor.forget(name)
			return none, fmt.Errorf("take over %s: %w", name, err)
		}
		return s, nil
	}
	s, err := open()
	if err != nil {
		return none, err
	}
	raw, err := s.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { p.d.supervisor.keep(name, int(fd)) })
	}
	if err != nil {
		p.log.Warn("a socket is not handed over to the next process", "name", name, "error", err)
	}
	return s, nil
}
