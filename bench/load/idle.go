package main

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/trellis-project/trellis/bench/socket"
)

// idle opens connections, makes one request on each, says how many were answered and holds them until its input
// ends.
func idle(o options) error {
	request := o.request()
	buf := make([]byte, 16<<10)
	good := 0
	for range o.connections {
		fd, err := socket.Connect(o.to)
		if err != nil {
			return err
		}
		if err := unix.SetNonblock(fd, false); err != nil {
			return err
		}
		if _, errno := socket.Write(fd, request); errno != 0 {
			return errno
		}
		for n, whole, status := 0, false, 0; !whole; {
			k, errno := socket.Read(fd, buf[n:])
			if errno != 0 {
				return errno
			}
			if n += k; k == 0 {
				break
			}
			if status, whole, err = answer(buf[:n]); err != nil {
				return err
			}
			if whole && status == 200 {
				good++
			}
		}
	}
	return hold(good)
}

// hold says how many connections were answered and waits until the input ends.
func hold(good int) error {
	if err := say(map[string]any{"good": good}); err != nil {
		return err
	}
	buf := make([]byte, 64)
	for {
		if n, err := os.Stdin.Read(buf); n == 0 || err != nil {
			return nil
		}
	}
}
