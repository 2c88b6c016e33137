package vpc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// probeSlot is where the node's end of the probe's connection listens, probeClient where it comes from.
var (
	probeSlot   = netip.MustParseAddrPort("169.254.171.254:80")
	probeClient = netip.MustParseAddr("127.0.0.1")
)

// probeMost is more than a reader that does not read may be sent, by bytes: over it the kernel does not bound a queue.
const probeMost = 64 << 20

// probeTimeout bounds what shall never wait.
const probeTimeout = 5 * time.Second

// probe sends bytes both ways through a connection in a namespace of its own, and looks whether they go past TCP, come in
// order when some go by TCP and some past it, and stop when nobody reads. Kernels differ in this, whatever their version says:
// those before 6.13 let a queue past TCP grow without end.
func (a *Accelerator) probe() error {
	ns, err := probeNamespace()
	if err != nil {
		return err
	}
	defer ns.close()
	const vpcID = "probe"
	if err := errors.Join(a.Admit(ns.file, vpcID, ClientLeg), a.Admit(ns.file, vpcID, ClientLeg, probeClient)); err != nil {
		return err
	}
	defer a.Evict(ns.file)
	var node, client *net.TCPConn
	err = ns.within(func() error {
		ln, err := net.ListenTCP("tcp4", net.TCPAddrFromAddrPort(probeSlot))
		if err != nil {
			return err
		}
		defer ln.Close()
		if client, err = net.DialTCP("tcp4", &net.TCPAddr{IP: probeClient.AsSlice()}, net.TCPAddrFromAddrPort(probeSlot)); err != nil {
			return err
		}
		ln.SetDeadline(time.Now().Add(probeTimeout))
		node, err = ln.AcceptTCP()
		return err
	})
	if client != nil {
		defer client.Close()
	}
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer node.Close()
	for _, c := range []*net.TCPConn{node, client} {
		if err := errors.Join(c.SetDeadline(time.Now().Add(probeTimeout)), c.SetReadBuffer(1<<15), c.SetWriteBuffer(1<<15)); err != nil {
			return err
		}
	}
	if err := errors.Join(converse(client, node), a.wentPast()); err != nil {
		return err
	}
	return errors.Join(node.SetLinger(0), node.Close(), a.zero()) // without a FIN the connection has ended when Close returns
}

// probeNamespace makes the probe's network namespace.
func probeNamespace() (ns *namespace, err error) {
	err = onOwnThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		f, err := os.Open(threadNamespace())
		if err != nil {
			return err
		}
		ns = &namespace{name: "probe", file: f}
		lo, err := netlink.LinkByName("lo")
		if err == nil {
			err = errors.Join(netlink.AddrAdd(lo, &netlink.Addr{IPNet: ipNet(single(probeSlot.Addr()))}), netlink.LinkSetUp(lo))
		}
		if err != nil {
			ns.close()
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("make a namespace: %w", err)
	}
	return ns, nil
}

// converse sends a word to the node, and both ways to who does not read as much as goes, which it then reads.
func converse(client, node *net.TCPConn) error {
	if _, err := client.Write([]byte("word")); err != nil {
		return err
	}
	word := make([]byte, 4)
	if _, err := io.ReadFull(node, word); err != nil || string(word) != "word" {
		return fmt.Errorf("read %q: %w", word, errors.Join(err, errors.ErrUnsupported))
	}
	for round := range 3 {
		for _, way := range [][2]*net.TCPConn{{node, client}, {client, node}} {
			sent, err := fill(way[0], byte(round))
			if err != nil {
				return err
			}
			got := make([]byte, len(sent))
			if _, err := io.ReadFull(way[1], got); err != nil {
				return fmt.Errorf("read %d bytes: %w", len(sent), err)
			}
			if !bytes.Equal(got, sent) {
				return errors.New("bytes came in another order than they were sent in")
			}
		}
	}
	return nil
}

// fill writes until nothing more goes, and returns what went.
func fill(c *net.TCPConn, seed byte) (sent []byte, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	part := make([]byte, 4093)
	control := raw.Write(func(fd uintptr) bool {
		for len(sent) < probeMost {
			for i := range part {
				part[i] = byte(len(sent)+i)*7 + seed + byte(len(sent)>>12)
			}
			var n int
			if n, err = unix.Write(int(fd), part); err != nil {
				if err == unix.EAGAIN || err == unix.EINVAL { // by TCP, and past it from the node
					err = nil
				}
				return true
			}
			sent = append(sent, part[:n]...)
		}
		err = errors.New("this kernel does not bound what waits for a reader: 6.13 or newer does")
		return true
	})
	return sent, errors.Join(control, err)
}

// wentPast looks whether messages went past TCP and by it, and were refused.
func (a *Accelerator) wentPast() error {
	s, err := a.Stats()
	if err != nil {
		return err
	}
	if s.Joined.Client != 1 || s.Messages.Client < 6 || s.PassedFull == 0 || s.HeldUp != 3 {
		return fmt.Errorf("messages do not go past TCP here: %+v", s)
	}
	return nil
}
