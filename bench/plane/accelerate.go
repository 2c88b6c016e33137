package main

import "fmt"

// accelerate makes the kernel pass bytes from socket to socket on the legs that are wanted: "" none, "target" between
// this process and its targets, "both" between the clients and it too. release undoes it.
func accelerate(legs string) (release func(), err error) {
	if legs == "" {
		return func() {}, nil
	}
	return nil, fmt.Errorf("acceleration of %s: not in this build", legs)
}
