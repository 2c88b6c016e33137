package main

import (
	"fmt"
	"io"
	"time"

	"golang.org/x/sys/unix"

	"github.com/trellis-project/trellis/bench/socket"
)

// drain opens connections that begin TLS, takes what comes until the time is over, and says how much that was.
func drain(o options) error {
	hello, err := o.greeting()
	if err != nil {
		return err
	}
	poll, err := socket.NewPoll()
	if err != nil {
		return err
	}
	for range o.connections {
		fd, err := socket.Connect(o.to)
		if err != nil {
			return err
		}
		if n, errno := socket.Write(fd, hello); errno != 0 || n < len(hello) {
			return fmt.Errorf("send a ClientHello: %d bytes, %w", n, errno)
		}
		if err := poll.Add(fd); err != nil {
			return err
		}
	}
	const most = 1 << 20
	sum, begun := 0, time.Now()
	for time.Since(begun) < o.length {
		ready, err := poll.Wait(int64(100 * time.Millisecond))
		if err != nil {
			return err
		}
		for _, e := range ready {
			switch n, errno := socket.Discard(int(e.Fd), most); {
			case errno == unix.EAGAIN:
			case errno != 0:
				return errno
			case n == 0:
				return io.ErrUnexpectedEOF
			default:
				sum += n
			}
		}
	}
	return say(map[string]any{"bytes": sum, "seconds": time.Since(begun).Seconds()})
}
