package vpc

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// edgeReader reads an instance's socket as programs do that wait by edges: a read that fills less than its buffer has emptied the
// socket, so they read on at the next edge (epoll(7)).
type edgeReader struct {
	fd, epoll int
	ready     bool
}

// newEdgeReader makes one for a socket that others don't read.
func newEdgeReader(t *testing.T, c *net.TCPConn) *edgeReader {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	r := &edgeReader{ready: true}
	if r.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(r.epoll) })
	control := raw.Control(func(fd uintptr) {
		r.fd = int(fd)
		err = unix.EpollCtl(r.epoll, unix.EPOLL_CTL_ADD, r.fd, &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET})
	})
	if err := errors.Join(control, err); err != nil {
		t.Fatal(err)
	}
	return r
}

// Read fails when no edge comes for long.
func (r *edgeReader) Read(p []byte) (int, error) {
	for {
		if r.ready {
			n, err := unix.Read(r.fd, p)
			r.ready = n == len(p)
			if n > 0 || err != nil && err != unix.EAGAIN {
				return max(n, 0), err
			}
			r.ready = false
		}
		var events [1]unix.EpollEvent
		n, err := unix.EpollWait(r.epoll, events[:], int(atOnce/4/time.Millisecond))
		if n == 0 && err == nil {
			return 0, errors.New("no more edges come")
		}
		r.ready = n > 0
	}
}

// TestReaderByEdges has the node send bodies of many sizes, by writes of many sizes, to instances that wait by edges. No body may
// lie where its reader does not look.
func TestReaderByEdges(t *testing.T) {
	a, s := newAccelerator(t), newSandbox(t)
	s.admit(a, "vpc-1", TargetLeg|ClientLeg)
	var sizes []int
	for _, limit := range []int{1 << 17, 1 << 19, 1 << 20} {
		sizes = append(sizes, limit-1, limit, limit+1, limit+5000, limit+1<<17)
	}
	sizes = append(sizes, 1, 70000, 3<<20, 5<<20)
	for leg, ends := range map[string]func(string) (*net.TCPConn, *net.TCPConn){"upload": s.target, "download": s.client} {
		for _, write := range []int{300, 4 << 10, 16 << 10, 1 << 20} {
			for _, buffer := range []int{4 << 10, 64 << 10, 4 << 20} {
				t.Run(fmt.Sprintf("%s/writes=%d/reads=%d", leg, write, buffer), func(t *testing.T) {
					node, peer := ends(tcp4)
					r, b := newEdgeReader(t, peer), make([]byte, buffer)
					for _, size := range sizes {
						if write < 1000 && size > 2<<20 {
							continue
						}
						sent := make(chan []byte, 1)
						go func() {
							h, part := sha256.New(), make([]byte, write)
							for at := 0; at < size; at += write {
								part[0], part[len(part)-1] = byte(at>>8), byte(at>>16)
								p := part[:min(write, size-at)]
								h.Write(p)
								if _, err := (patient{node}).Write(p); err != nil {
									t.Error(err)
									break
								}
							}
							sent <- h.Sum(nil)
						}()
						h := sha256.New()
						for got := 0; got < size; {
							n, err := r.Read(b)
							if err != nil {
								t.Errorf("%d of %d bytes: %v", got, size, err)
								node.Close()
								<-sent
								return
							}
							got += n
							h.Write(b[:n])
						}
						if !bytes.Equal(h.Sum(nil), <-sent) {
							t.Fatalf("of %d bytes others arrived than were sent", size)
						}
					}
				})
			}
		}
	}
	got := stats(t, a)
	t.Logf("%+v", got)
	if got.HeldUp == 0 || got.PassedFull != 0 {
		t.Errorf("%+v", got)
	}
}

// TestSlowReaderHoldsNodeUp has an instance that reads much less than the node has to send.
func TestSlowReaderHoldsNodeUp(t *testing.T) {
	a, s := newAccelerator(t), newSandbox(t)
	s.admit(a, "vpc-1", TargetLeg|ClientLeg)
	for leg, ends := range map[string]func(string) (*net.TCPConn, *net.TCPConn){"upload": s.target, "download": s.client} {
		for _, write := range []int{100, 64 << 10, 4 << 20} {
			t.Run(fmt.Sprintf("%s/writes=%d", leg, write), func(t *testing.T) {
				node, peer := ends(tcp4)
				before := stats(t, a)
				all := make([]byte, max(4<<20, 20000*min(write, 200)))
				for i := range all {
					all[i] = byte(i * 7 >> 3)
				}
				ended := make(chan error, 1)
				go func() {
					for at := 0; at < len(all); at += write {
						if _, err := (patient{node}).Write(all[at:min(at+write, len(all))]); err != nil {
							ended <- err
							return
						}
					}
					ended <- nil
				}()
				heldUp(t, a, before.HeldUp)
				var got []byte
				r, b := newEdgeReader(t, peer), make([]byte, 1<<15)
				for len(got) < len(all) {
					now := stats(t, a)
					// 544 KiB is the largest message.
					if held := int(now.Bytes.Target + now.Bytes.Client - before.Bytes.Target - before.Bytes.Client); held-len(got) > 1<<20+544<<10 {
						t.Fatalf("%d bytes wait", held-len(got))
					}
					n, err := r.Read(b)
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, b[:n]...)
				}
				if err := <-ended; err != nil || !bytes.Equal(got, all) {
					t.Errorf("other bytes arrived than were sent: %v", err)
				}
			})
		}
	}
}

// TestRefusedMessagesLeaveNothing has the node refused very often: the kernel must not keep what it was to send.
func TestRefusedMessagesLeaveNothing(t *testing.T) {
	a, s := newAccelerator(t), newSandbox(t)
	s.admit(a, "vpc-1", ClientLeg)
	node, client := s.client(tcp4)
	raw, err := node.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	big := make([]byte, 256<<10)
	sent, refused := 0, 0
	before, tcp := free(t), byTCP(t, node)
	control := raw.Control(func(fd uintptr) {
		for refused < 40000 {
			var n int
			if n, err = unix.Write(int(fd), big); err == unix.EINVAL {
				refused++
			} else if err != nil {
				break
			}
			sent += max(n, 0)
		}
	})
	if control != nil || err != unix.EINVAL {
		t.Fatal(control, err)
	}
	if lost := before - free(t); lost > 5<<30 { // of 10 GB; others use the machine too
		t.Errorf("%d bytes of memory are gone", lost)
	}
	if n := byTCP(t, node); n != tcp {
		t.Errorf("%d bytes went by TCP", n-tcp)
	}
	for got, b := 0, make([]byte, 1<<20); got < sent; {
		n, err := client.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		got += n
	}
	swap(t, node, client)
	if !past(t, node, client) {
		t.Error("messages do not go past TCP any more")
	}
}

// free is the machine's free memory in bytes.
func free(t *testing.T) int {
	t.Helper()
	var i unix.Sysinfo_t
	if err := unix.Sysinfo(&i); err != nil {
		t.Fatal(err)
	}
	return int(i.Freeram) * int(i.Unit)
}

// heldUp waits until the node was held up once more: the kernel counts it, and tells nobody.
func heldUp(t *testing.T, a *Accelerator, before uint64) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); stats(t, a).HeldUp == before; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("the node was never held up")
		}
	}
}

// TestFullReaderCloses has an instance that closes, or resets, while the node is held up. The node's tries must come to an end.
func TestFullReaderCloses(t *testing.T) {
	a, s := newAccelerator(t), newSandbox(t)
	s.admit(a, "vpc-1", TargetLeg|ClientLeg)
	for leg, ends := range map[string]func(string) (*net.TCPConn, *net.TCPConn){"upload": s.target, "download": s.client} {
		for _, how := range []string{"closes", "resets", "half-closes first"} {
			node, peer := ends(tcp4)
			before := stats(t, a).HeldUp
			ended := make(chan error, 1)
			go func() {
				_, err := (patient{node}).Write(make([]byte, 8<<20))
				ended <- err
			}()
			heldUp(t, a, before)
			switch how {
			case "resets":
				peer.SetLinger(0)
			case "half-closes first":
				peer.CloseWrite()
				if n, err := node.Read(make([]byte, 1)); n != 0 || err == nil {
					t.Errorf("%s, %s: read %d, %v", leg, how, n, err)
				}
			}
			peer.Close()
			if err := <-ended; !errors.Is(err, unix.ECONNRESET) && !errors.Is(err, unix.EPIPE) {
				t.Errorf("%s, %s: %v", leg, how, err)
			}
			node.Close()
		}
	}
	empty(t, a)
}
