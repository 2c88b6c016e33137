package vpc

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// BenchmarkLeg sends a request of 100 bytes and reads an answer of 300, between node and target, over and over.
func BenchmarkLeg(b *testing.B) {
	for _, conns := range []int{1, 32} {
		for _, mode := range []string{"plain", "accelerated"} {
			b.Run(fmt.Sprintf("conns=%d/%s", conns, mode), func(b *testing.B) {
				s := newSandbox(b, "10.20.0.10", "169.254.171.1")
				if mode != "plain" {
					a, err := NewAccelerator(nil)
					if err != nil {
						b.Fatal(err)
					}
					b.Cleanup(func() { a.Close() })
					for _, home := range [][]netip.Addr{nil, {netip.MustParseAddr("10.20.0.10")}} {
						if err := a.Admit(s.ns.file, "vpc-1", TargetLeg, home...); err != nil {
							b.Fatal(err)
						}
					}
				}
				ln := s.listen("10.20.0.10:80")
				go func() {
					for {
						c, err := ln.Accept()
						if err != nil {
							return
						}
						go func() {
							defer c.Close()
							request, answer := make([]byte, 100), make([]byte, 300)
							for {
								if _, err := io.ReadFull(c, request); err != nil {
									return
								}
								c.Write(answer)
							}
						}()
					}
				}()
				call := func(c net.Conn, n int) {
					request, answer := make([]byte, 100), make([]byte, 300)
					for range n {
						c.Write(request)
						if _, err := io.ReadFull(c, answer); err != nil {
							b.Error(err)
							return
						}
					}
				}
				call(s.dial("169.254.171.1", "10.20.0.10:80"), 10)
				var wg sync.WaitGroup
				b.ResetTimer()
				before := cpu()
				for range conns {
					c := s.dial("169.254.171.1", "10.20.0.10:80")
					wg.Go(func() { call(c, b.N/conns+1) })
				}
				wg.Wait()
				b.ReportMetric(float64(cpu()-before)/float64(b.N), "cpu-ns/op")
			})
		}
	}
}

// cpu is what this process has used, in nanoseconds.
func cpu() int64 {
	var u unix.Rusage
	unix.Getrusage(unix.RUSAGE_SELF, &u)
	return u.Utime.Nano() + u.Stime.Nano()
}
