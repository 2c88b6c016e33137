package vpc

import (
	"net"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestUnfit hands over sockets, of which one is where it should be.
func TestUnfit(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	v, _ := l.vpc("10.20.0.0/16")
	other, _ := l.vpc("10.20.0.0/16")
	l.apply()
	for _, at := range []netip.AddrPort{netip.MustParseAddrPort("169.254.171.32:80"), netip.MustParseAddrPort("[fd00:ec2:80::a9fe:ab20]:80")} {
		socket, err := l.m.ListenSocket(v.ID, at)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(socket)
		unfit(t, l.m, v.ID, at, socket, "")
		unfit(t, l.m, other.ID, at, socket, "the socket is not in "+other.ID)
		unfit(t, l.m, v.ID, netip.AddrPortFrom(at.Addr(), 81), socket, "the socket is at "+at.String())
	}
	at := netip.MustParseAddrPort("127.0.0.1:80")
	to, err := l.m.Socket(v.ID, at)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(to)
	unfit(t, l.m, v.ID, at, to, "does not listen")
	if _, err := l.m.Unfit("vpc-none", at, to); err == nil {
		t.Error("of a VPC that is not there it can be told")
	}
	pc, err := l.m.ListenPacket(v.ID, at)
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	f, err := pc.(*net.UDPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	unfit(t, l.m, v.ID, at, int(f.Fd()), "")
}

// unfit checks why a socket is not for a place; an empty text wants that it is.
func unfit(t *testing.T, m *Manager, vpcID string, at netip.AddrPort, socket int, want string) {
	t.Helper()
	why, err := m.Unfit(vpcID, at, socket)
	if err != nil {
		t.Error(err)
	}
	if want == "" && why != nil || want != "" && (why == nil || !strings.Contains(why.Error(), want)) {
		t.Errorf("%s at %s: %v, want %q", vpcID, at, why, want)
	}
}
