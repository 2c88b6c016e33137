package vpc

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/trellis-project/trellis"
)

// BenchmarkTargetLeg sends requests of 100 bytes from the node to a target and reads answers, by ordinary and by joined
// sockets. cpu-ns/op is the CPU time of both ends.
func BenchmarkTargetLeg(b *testing.B) {
	for _, where := range []string{"loopback", "veth"} {
		for _, answer := range []int{300, 64 << 10, 1 << 20} {
			for _, conns := range []int{1, 32} {
				for mode, legs := range map[string]Legs{"plain": 0, "joined": TargetLeg} {
					b.Run(fmt.Sprintf("%s/answer=%d/conns=%d/%s", where, answer, conns, mode), func(b *testing.B) {
						dial := benchTarget(b, where, legs, answer)
						benchCall(b, dial(), answer, 10) // shows the target's manners
						all := make([]net.Conn, conns)
						for n := range all {
							all[n] = dial()
							benchCall(b, all[n], answer, 1)
						}
						before := cpuTime()
						b.ResetTimer()
						var wg sync.WaitGroup
						for _, c := range all {
							wg.Go(func() { benchCall(b, c, answer, b.N/conns+1) })
						}
						wg.Wait()
						b.ReportMetric(float64(cpuTime()-before)/float64(b.N), "cpu-ns/op")
					})
				}
			}
		}
	}
}

// benchTarget runs a target and returns how the node dials it.
func benchTarget(b *testing.B, where string, legs Legs, answer int) (dial func() net.Conn) {
	if where == "loopback" {
		s := newSandbox(b)
		if legs != 0 {
			s.admit(newAccelerator(b), "vpc-1", legs)
		}
		ln := s.listen(targetOf[tcp4], 0)
		go benchServe(ln, answer)
		return func() (c net.Conn) {
			err := s.ns.within(func() (err error) {
				c, err = net.DialTCP("tcp", &net.TCPAddr{IP: source4.AsSlice()}, ln.Addr().(*net.TCPAddr))
				return err
			})
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { c.Close() })
			return c
		}
	}
	id := []string{trellis.NewID("vpc"), trellis.NewID("subnet"), trellis.NewID("i")}
	m, st := New(Options{RunDir: b.TempDir(), Accelerate: legs}), trellis.NewState()
	for _, n := range killedNouns(id[0], id[1], id[2]) {
		st.Put(n)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- m.Run(ctx) }()
	if err := m.Apply(ctx, st); err != nil {
		b.Fatal(err)
	}
	ln, err := ListenInside(id[2], netip.MustParseAddrPort("10.20.0.10:8080"))
	if err != nil {
		b.Fatal(err)
	}
	go benchServe(ln, answer)
	b.Cleanup(func() {
		ln.Close()
		stop()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
	return func() net.Conn {
		c, err := m.Dial(b.Context(), id[0], netip.MustParseAddrPort("10.20.0.10:8080"))
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { c.Close() })
		return c
	}
}

// BenchmarkBulk sends bytes from the node to an instance that reads all the time, 64 KiB at most at once.
func BenchmarkBulk(b *testing.B) {
	for _, where := range []string{"loopback", "veth"} {
		for _, write := range []int{4 << 10, 64 << 10} {
			for mode, legs := range map[string]Legs{"plain": 0, "joined": TargetLeg} {
				b.Run(fmt.Sprintf("%s/write=%d/%s", where, write, mode), func(b *testing.B) {
					dial := benchTarget(b, where, legs, 0)
					benchSwap(b, dial()) // shows the target's manners
					c := dial()
					benchSwap(b, c)
					part := make([]byte, write)
					b.SetBytes(int64(write))
					before := cpuTime()
					b.ResetTimer()
					for range b.N {
						if _, err := (patient{c}).Write(part); err != nil {
							b.Fatal(err)
						}
					}
					c.(*net.TCPConn).CloseWrite()
					if _, err := io.ReadFull(c, part[:1]); err != nil {
						b.Fatal(err)
					}
					b.ReportMetric(float64(cpuTime()-before)/float64(b.N), "cpu-ns/op")
				})
			}
		}
	}
}

// benchSwap sends a byte and reads one.
func benchSwap(b *testing.B, c net.Conn) {
	if _, err := c.Write([]byte{'s'}); err != nil {
		b.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		b.Fatal(err)
	}
}

// benchSink answers the first byte and the end.
func benchSink(c net.Conn) {
	b := make([]byte, 64<<10)
	for n, err := c.Read(b[:1]); ; n, err = c.Read(b) {
		if n == 1 || err == io.EOF {
			c.Write(b[:1])
		}
		if err != nil {
			return
		}
	}
}

// benchServe answers each 100 bytes. With an answer of no bytes it only reads.
func benchServe(ln net.Listener, answer int) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			if answer == 0 {
				benchSink(c)
				return
			}
			request, answer := make([]byte, 100), make([]byte, answer)
			for {
				if _, err := io.ReadFull(c, request); err != nil {
					return
				}
				if _, err := c.Write(answer); err != nil {
					return
				}
			}
		}()
	}
}

// benchCall makes n calls.
func benchCall(b *testing.B, c net.Conn, size, n int) {
	request, answer := make([]byte, 100), make([]byte, size)
	for range n {
		if _, err := c.Write(request); err != nil {
			b.Error(err)
			return
		}
		if _, err := io.ReadFull(c, answer); err != nil {
			b.Error(err)
			return
		}
	}
}

// cpuTime is what this process has used, in nanoseconds.
func cpuTime() int64 {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
