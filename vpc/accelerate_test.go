package vpc

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	crand "crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// pour writes n random bytes in parts of all sizes and returns their hash.
func pour(w io.Writer, n int, seed uint64) ([]byte, error) {
	r, h, b := rand.New(rand.NewPCG(seed, 0)), sha256.New(), make([]byte, 1<<18)
	for n > 0 {
		part := b[:min(1+r.IntN(1<<r.IntN(19)), n)]
		for i := range part {
			part[i] = byte(r.Uint32())
		}
		h.Write(part)
		if _, err := w.Write(part); err != nil {
			return nil, err
		}
		n -= len(part)
	}
	return h.Sum(nil), nil
}

// pourBoth sends n bytes in both directions at once and compares what arrives.
func pourBoth(t *testing.T, a, b net.Conn, n int) {
	t.Helper()
	var wg sync.WaitGroup
	for seed, way := range [][2]net.Conn{{a, b}, {b, a}} {
		sent := make(chan []byte, 1)
		wg.Go(func() {
			h, err := pour(patient{way[0]}, n, uint64(seed))
			if err != nil {
				t.Error(err)
			}
			sent <- h
		})
		wg.Go(func() {
			h := sha256.New()
			if got, err := io.CopyN(h, struct{ io.Reader }{way[1]}, int64(n)); err != nil {
				t.Errorf("read %d of %d: %v", got, n, err)
				way[0].Close() // so that the writer ends
			}
			if !bytes.Equal(h.Sum(nil), <-sent) {
				t.Error("other bytes arrived than were sent")
			}
		})
	}
	wg.Wait()
}

func TestBytesArrive(t *testing.T) {
	n := 8 << 20
	if os.Getenv("TRELLIS_ODD_ROUNDS") != "" {
		n = 256 << 20
	}
	for _, network := range []string{tcp4, tcp6} {
		t.Run(network, func(t *testing.T) {
			a, s := newAccelerator(t), newSandbox(t)
			s.admit(a, "vpc-1", TargetLeg|ClientLeg)
			node, target := s.target(network)
			pourBoth(t, node, target, n)
			node.CloseWrite()
			if got, err := target.Read(make([]byte, 1)); got != 0 || err != io.EOF {
				t.Errorf("after the end: %d, %v", got, err)
			}
			pourOne(t, target, node) // the other direction goes on
			got := stats(t, a)
			if got.Joined != (LegCounts{Target: 1}) || got.Bytes.Target == 0 || got.Bytes.Client != 0 {
				t.Errorf("target leg: %+v", got)
			}
			node, client := s.client(network)
			pourBoth(t, node, client, n)
			client.CloseWrite()
			pourOne(t, node, client)
			got = stats(t, a)
			if got.Joined != (LegCounts{1, 1}) || got.Bytes.Client == 0 {
				t.Errorf("client leg: %+v", got)
			}
			for _, c := range []net.Conn{node, client, target} {
				c.Close()
			}
			empty(t, a)
		})
	}
}

// pourOne sends bytes one way.
func pourOne(t *testing.T, from, to net.Conn) {
	t.Helper()
	sent := make(chan []byte, 1)
	go func() {
		h, err := pour(patient{from}, 1<<20, 3)
		if err != nil {
			t.Error(err)
		}
		sent <- h
	}()
	h := sha256.New()
	if _, err := io.CopyN(h, struct{ io.Reader }{to}, 1<<20); err != nil {
		t.Error(err)
	}
	if !bytes.Equal(h.Sum(nil), <-sent) {
		t.Error("other bytes arrived than were sent")
	}
}

// TestWriterWaitsForReader fills a connection whose reader does not read, by large and by smallest messages.
func TestWriterWaitsForReader(t *testing.T) {
	a, s := newAccelerator(t), newSandbox(t)
	s.admit(a, "vpc-1", TargetLeg|ClientLeg)
	for _, size := range []int{1 << 16, 1} {
		for leg, ends := range map[string]func(string) (*net.TCPConn, *net.TCPConn){"target": s.target, "client": s.client} {
			node, peer := ends(tcp4)
			for name, way := range map[string][2]*net.TCPConn{"node": {node, peer}, "peer": {peer, node}} {
				before := stats(t, a)
				sent := fillOf(t, way[0], size)
				after := stats(t, a)
				messages := after.Messages.Client + after.Messages.Target - before.Messages.Client - before.Messages.Target
				if len(sent) > 16<<20 || messages == 0 || messages > 1024 {
					t.Errorf("%s leg, %s writes by %d: %d bytes went, %d messages past TCP", leg, name, size, len(sent), messages)
				}
				got := make([]byte, len(sent))
				if _, err := io.ReadFull(way[1], got); err != nil || !bytes.Equal(got, sent) {
					t.Errorf("%s leg, %s: what was read differs: %v", leg, name, err)
				}
			}
			swap(t, node, peer) // a message after one that found no room is not asked about again, and goes by TCP too
			if !past(t, node, peer) || !past(t, peer, node) {
				t.Errorf("%s leg: after all was read messages go by TCP still", leg)
			}
		}
	}
}

// fillOf writes parts of a size until nothing more goes.
func fillOf(t *testing.T, c *net.TCPConn, size int) (sent []byte) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	c.SetWriteBuffer(1 << 16)
	part := make([]byte, size)
	err = raw.Write(func(fd uintptr) bool {
		for {
			for i := range part {
				part[i] = byte((len(sent) + i) * 7)
			}
			n, err := unix.Write(int(fd), part)
			if err == unix.EAGAIN || err == unix.EINVAL {
				return true
			}
			if err != nil {
				t.Error(err)
				return true
			}
			sent = append(sent, part[:n]...)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return sent
}

func TestTLSOverJoinedSockets(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), crand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"target"}, NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(crand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(cert)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	a, s := newAccelerator(t), newSandbox(t)
	s.admit(a, "vpc-1", TargetLeg)
	node, target := s.target(tcp4)
	client := tls.Client(patient{node}, &tls.Config{RootCAs: roots, ServerName: "target"})
	server := tls.Server(target, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{cert}, PrivateKey: key}}})
	pourBoth(t, client, server, 4<<20)
	if got := stats(t, a); got.Bytes.Target == 0 {
		t.Errorf("%+v", got)
	}
}

func TestReset(t *testing.T) {
	a, s := newAccelerator(t), newSandbox(t)
	s.admit(a, "vpc-1", TargetLeg|ClientLeg)
	for range 20 {
		node, target := s.target(tcp4)
		if _, err := target.Write([]byte("last words")); err != nil {
			t.Fatal(err)
		}
		target.SetLinger(0)
		target.Close()
		got, err := io.ReadAll(node)
		if string(got) != "last words" || !errors.Is(err, syscall.ECONNRESET) {
			t.Fatalf("got %q, %v", got, err)
		}
		if _, err := node.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
			t.Fatalf("write: %v", err)
		}
		node.Close()
	}
	empty(t, a)
}

// TestSocketsFromBefore has connections that were open, half or whole, before their namespace was admitted.
func TestSocketsFromBefore(t *testing.T) {
	a, s := newAccelerator(t), newSandbox(t)
	ln := s.listen(targetOf[tcp4], 0)
	s.teach(ln)
	node, target := s.connect(sourceOf[tcp4], 0, ln)
	s.admit(a, "vpc-1", TargetLeg)
	pourBoth(t, node, target, 1<<20)
	if got := stats(t, a); got != (AccelerationStats{}) {
		t.Errorf("%+v", got)
	}
	s.teach(ln)
	node, target = s.connect(sourceOf[tcp4], 0, ln)
	swap(t, node, target)
	if !past(t, node, target) {
		t.Error("a connection from after it is not joined")
	}
	if err := a.Evict(s.ns.file); err != nil {
		t.Fatal(err)
	}
	if !past(t, node, target) || !past(t, target, node) {
		t.Error("a joined connection is not, after the namespace was evicted")
	}
	node, target = s.connect(sourceOf[tcp4], 0, ln)
	swap(t, node, target)
	if past(t, node, target) {
		t.Error("a connection is joined after the namespace was evicted")
	}
}

func TestNothingIsLeftAfterChurn(t *testing.T) {
	a, s := newAccelerator(t), newSandbox(t)
	s.admit(a, "vpc-1", TargetLeg|ClientLeg)
	target, slot := s.listen(targetOf[tcp4], 0), s.listen(slotOf[tcp4], 0)
	s.teach(target)
	for n := range 300 {
		var node, peer *net.TCPConn
		if n%2 == 0 {
			peer, node = s.connect(targetOf[tcp4], 0, slot)
		} else {
			node, peer = s.connect(sourceOf[tcp4], 0, target)
		}
		swap(t, peer, node)
		if n%3 == 0 {
			node.SetLinger(0)
		}
		if n%5 == 0 {
			peer.Write(make([]byte, 1000)) // nobody reads it
		}
		node.Close()
		peer.Close()
	}
	empty(t, a)
	if got := stats(t, a); got.Joined.Target+got.Joined.Client != 300 || got.Refused != 0 {
		t.Errorf("%+v", got)
	}
}

// TestListenerEndsBeforeAccept has clients that have sent past TCP to connections that nobody accepts.
func TestListenerEndsBeforeAccept(t *testing.T) {
	a, s := newAccelerator(t), newSandbox(t)
	s.admit(a, "vpc-1", ClientLeg)
	ln := s.listen(slotOf[tcp4], 0)
	var clients []*net.TCPConn
	for range 20 {
		err := s.ns.within(func() error {
			c, err := net.DialTCP("tcp", &net.TCPAddr{IP: net.ParseIP(targetOf[tcp4])}, ln.Addr().(*net.TCPAddr))
			clients = append(clients, c)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range clients {
		if _, err := c.Write(make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	if got := stats(t, a); got.Bytes.Client != 20000 {
		t.Errorf("%+v", got)
	}
	ln.Close()
	for _, c := range clients {
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("read: %v", err)
		}
		c.Close()
	}
	empty(t, a)
}

// TestOthersAreNotTouched has the same addresses in a namespace that was not admitted.
func TestOthersAreNotTouched(t *testing.T) {
	a, s, other := newAccelerator(t), newSandbox(t), newSandbox(t)
	s.admit(a, "vpc-1", TargetLeg|ClientLeg)
	node, target := other.target(tcp4)
	pourBoth(t, node, target, 1<<20)
	node, client := other.client(tcp4)
	pourBoth(t, node, client, 1<<20)
	if got := stats(t, a); got != (AccelerationStats{}) {
		t.Errorf("%+v", got)
	}
}

// TestEscape tries to get bytes of one VPC's connection into another's, or into another namespace of the same VPC, by
// sockets with the same addresses and ports.
func TestEscape(t *testing.T) {
	a := newAccelerator(t)
	const port, from = 8080, 40001
	var all [4]*sandbox // two VPCs, another instance of the first, and a namespace that nobody admitted
	for n := range all {
		all[n] = newSandbox(t)
	}
	first, second, neighbour, stranger := all[0], all[1], all[2], all[3]
	// The neighbour is admitted first with the address that the instance has later, and is left with another.
	address := netip.MustParseAddr(targetOf[tcp4])
	if err := a.Admit(neighbour.ns.file, "vpc-1", TargetLeg|ClientLeg, address, netip.MustParseAddr("10.20.0.11")); err != nil {
		t.Fatal(err)
	}
	first.admit(a, "vpc-1", TargetLeg|ClientLeg)
	second.admit(a, "vpc-2", TargetLeg|ClientLeg)
	if err := a.Admit(neighbour.ns.file, "vpc-2", TargetLeg); err == nil {
		t.Error("a namespace was admitted to two VPCs")
	}
	var target, slot [4]*net.TCPListener
	for n, s := range all {
		target[n], slot[n] = s.listen(targetOf[tcp4], port), s.listen(slotOf[tcp4], port)
		s.teach(target[n])
	}
	type pair struct{ node, peer *net.TCPConn }
	var pairs []pair
	// Those who forge are there before and after the real ones.
	for _, order := range [][]int{{2, 3, 0, 1}, {0, 1, 2, 3}} {
		for _, n := range order {
			node, peer := all[n].connect(sourceOf[tcp4], from+len(pairs)/8*10, target[n])
			pairs = append(pairs, pair{node, peer})
			peer, node = all[n].connect(targetOf[tcp4], from+len(pairs)/8*10, slot[n])
			pairs = append(pairs, pair{node, peer})
		}
	}
	for round := range 3 {
		for n, p := range pairs {
			word := []byte{byte(n), byte(round), 'w'}
			for _, way := range [][2]*net.TCPConn{{p.peer, p.node}, {p.node, p.peer}} {
				way[0].Write(word)
				got := make([]byte, 3)
				if _, err := io.ReadFull(way[1], got); err != nil || !bytes.Equal(got, word) {
					t.Errorf("connection %d got %v, want %v: %v", n, got, word, err)
				}
			}
		}
	}
	got := stats(t, a)
	if got.Joined != (LegCounts{4, 4}) {
		t.Errorf("joined: %+v, want those of the two VPCs", got.Joined)
	}
	for n, p := range pairs {
		// Nothing more came anywhere.
		p.node.CloseWrite()
		if b, err := io.ReadAll(p.peer); len(b) > 0 || err != nil {
			t.Errorf("connection %d got %v besides: %v", n, b, err)
		}
		p.peer.Close()
		if b, err := io.ReadAll(p.node); len(b) > 0 || err != nil {
			t.Errorf("connection %d got %v besides: %v", n, b, err)
		}
		p.node.Close()
	}
	_, _ = stranger, second
	empty(t, a)
}

// TestKilledAccelerator kills the process that accelerates: connections that it joined go on, new ones are ordinary.
func TestKilledAccelerator(t *testing.T) {
	s := newSandbox(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childAccelerates+"=1")
	cmd.ExtraFiles = []*os.File{s.ns.file}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready := make([]byte, 6)
	if _, err := io.ReadFull(out, ready); string(ready) != "ready\n" {
		t.Fatalf("the child says %q, %v", ready, err)
	}
	node, target := s.target(tcp4)
	if !past(t, node, target) || !past(t, target, node) {
		t.Error("the connection is not joined")
	}
	sent := fillOf(t, node, 1000)
	cmd.Process.Kill()
	cmd.Wait()
	got := make([]byte, len(sent))
	if _, err := io.ReadFull(target, got); err != nil || !bytes.Equal(got, sent) {
		t.Errorf("what was under way is lost: %v", err)
	}
	pourBoth(t, node, target, 1<<20)
	if !past(t, node, target) {
		t.Error("the connection is not joined any more")
	}
	node, target = s.target(tcp4)
	if past(t, node, target) || past(t, target, node) {
		t.Error("a new connection is joined")
	}
	pourBoth(t, node, target, 1<<20)
}

// accelerateChild is the child of TestKilledAccelerator.
func accelerateChild() error {
	a, err := NewAccelerator(nil)
	if err != nil {
		return err
	}
	ns := os.NewFile(3, "namespace")
	if err := errors.Join(a.Admit(ns, "vpc-1", TargetLeg), a.Admit(ns, "vpc-1", TargetLeg, netip.MustParseAddr(targetOf[tcp4]))); err != nil {
		return err
	}
	os.Stdout.WriteString("ready\n")
	_, err = os.Stdin.Read(make([]byte, 1))
	return err
}

// TestRelayBySplice has a target that relays by splice(2) from its first byte on, as Go's io.Copy between TCP connections does.
func TestRelayBySplice(t *testing.T) {
	a, s := newAccelerator(t), newSandbox(t)
	s.admit(a, "vpc-1", TargetLeg)
	relay, behind := s.listen(targetOf[tcp4], 0), s.listen("127.0.0.1", 0)
	go func() {
		for {
			front, err := relay.AcceptTCP()
			if err != nil {
				return
			}
			var back net.Conn
			if err := s.ns.within(func() (err error) { back, err = net.Dial("tcp", behind.Addr().String()); return err }); err != nil {
				t.Error(err)
				return
			}
			go func() { io.Copy(back, front); back.(*net.TCPConn).CloseWrite() }()
			go func() { io.Copy(front, back); front.Close() }()
		}
	}()
	for range 3 {
		var node *net.TCPConn
		err := s.ns.within(func() (err error) {
			node, err = net.DialTCP("tcp", &net.TCPAddr{IP: source4.AsSlice()}, relay.Addr().(*net.TCPAddr))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		node.SetDeadline(time.Now().Add(atOnce))
		server, err := behind.AcceptTCP()
		if err != nil {
			t.Fatal(err)
		}
		server.SetDeadline(time.Now().Add(atOnce))
		for range 20 {
			swap(t, node, server)
		}
		pourBoth(t, node, server, 1<<20)
		node.Close()
		server.Close()
	}
	if got := stats(t, a); got.Joined.Target != 1 || got.PassedManners == 0 {
		t.Errorf("%+v", got)
	}
}

// TestKernelProtocolsOnTop has clients whose sockets are MPTCP's: it reads from TCP's queue alone.
func TestKernelProtocolsOnTop(t *testing.T) {
	a, s := newAccelerator(t), newSandbox(t)
	s.admit(a, "vpc-1", TargetLeg|ClientLeg)
	var lc net.ListenConfig
	lc.SetMultipathTCP(false)
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(targetOf[tcp4])}}
	d.SetMultipathTCP(true)
	err := s.ns.within(func() error {
		ln, err := lc.Listen(t.Context(), tcp4, slotOf[tcp4]+":0")
		if err != nil {
			return err
		}
		defer ln.Close()
		client, err := d.Dial(tcp4, ln.Addr().String())
		if err != nil {
			return err
		}
		defer client.Close()
		node, err := ln.Accept()
		if err != nil {
			return err
		}
		defer node.Close()
		pourBoth(t, client, node, 1<<20)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	// Without MPTCP in the kernel the client is an ordinary one.
	if _, err := os.Stat("/proc/sys/net/mptcp"); err == nil && stats(t, a) != (AccelerationStats{}) {
		t.Errorf("%+v", stats(t, a))
	}
}

// TestServerOfBothFamilies has a target that listens at all addresses of both families and gets IPv4.
func TestServerOfBothFamilies(t *testing.T) {
	a, s := newAccelerator(t), newSandbox(t)
	s.admit(a, "vpc-1", TargetLeg)
	all := s.listen("::", 8080)
	for n := range 2 {
		var node *net.TCPConn
		err := s.ns.within(func() (err error) {
			node, err = net.DialTCP("tcp", &net.TCPAddr{IP: source4.AsSlice()}, &net.TCPAddr{IP: net.ParseIP(targetOf[tcp4]), Port: 8080})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		defer node.Close()
		target, err := all.AcceptTCP()
		if err != nil {
			t.Fatal(err)
		}
		defer target.Close()
		swap(t, node, target)
		if got := past(t, node, target); got != (n == 1) {
			t.Errorf("connection %d joined: %v", n, got)
		}
	}
}

// TestObjectIsOfItsSource compiles bpf/accelerate.c and compares what a loader sees of it.
func TestObjectIsOfItsSource(t *testing.T) {
	fresh := filepath.Join(t.TempDir(), "accelerate.o")
	if out, err := exec.Command("bpf/compile", fresh).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var specs [2]*ebpf.CollectionSpec
	for n, path := range []string{fresh, "bpf/accelerate.o"} {
		var err error
		if specs[n], err = ebpf.LoadCollectionSpec(path); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range specs[0].Programs {
		got := specs[1].Programs[name]
		if got == nil {
			t.Fatalf("the object has no program %s: run go generate", name)
		}
		for i := range want.Instructions {
			if i >= len(got.Instructions) || want.Instructions[i].OpCode != got.Instructions[i].OpCode || want.Instructions[i].Constant != got.Instructions[i].Constant ||
				want.Instructions[i].Offset != got.Instructions[i].Offset {
				t.Fatalf("%s differs at instruction %d: run go generate", name, i)
			}
		}
	}
	for name, want := range specs[0].Maps {
		got := specs[1].Maps[name]
		if got == nil || cmp.Diff([]uint32{uint32(want.Type), want.KeySize, want.ValueSize, want.MaxEntries, want.Flags},
			[]uint32{uint32(got.Type), got.KeySize, got.ValueSize, got.MaxEntries, got.Flags}) != "" {
			t.Errorf("map %s differs: run go generate", name)
		}
	}
}

func TestAccelerationIsPossibleHere(t *testing.T) {
	if err := CheckAcceleration(); err != nil {
		t.Error(err)
	}
}
