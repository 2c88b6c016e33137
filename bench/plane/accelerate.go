package main

import (
	"fmt"
	"net/netip"
)

// accelerate makes the kernel pass bytes from socket to socket on the legs that are wanted: "" none, "target" between
// this process and its targets, "both" between the clients and it too. All of them are in this process's network
// namespace; instances are the addresses of the clients and targets there. It comes before the first socket. release
// undoes it.
func accelerate(legs string, instances []netip.Addr) (release func(), err error) {
	if legs == "" {
		return func() {}, nil
	}
	return nil, fmt.Errorf("acceleration of the legs %q at %v: not in this build", legs, instances)
}
