package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"

	"github.com/trellis-project/trellis/vpc"
)

// accelerate makes the kernel pass bytes from socket to socket on the legs that are wanted: "" none, "target" between
// this process and its targets, "both" between the clients and it too. All of them are in this process's network
// namespace; instances are the addresses of the clients and targets there. It comes before the first socket. release
// undoes it.
func accelerate(legs string, instances []netip.Addr) (release func(), err error) {
	wanted, known := map[string]vpc.Legs{"": 0, "target": vpc.TargetLeg, "both": vpc.TargetLeg | vpc.ClientLeg}[legs]
	if !known {
		return nil, fmt.Errorf("accelerate %q: want target or both", legs)
	}
	if wanted == 0 {
		return func() {}, nil
	}
	a, err := vpc.NewAccelerator(slog.Default())
	if err != nil {
		return nil, fmt.Errorf("accelerate: %w", err)
	}
	ns, err := os.Open("/proc/self/ns/net")
	if err != nil {
		a.Close()
		return nil, fmt.Errorf("accelerate: %w", err)
	}
	defer ns.Close()
	// The namespace is the node's and, at those addresses, the instances'.
	if err := errors.Join(a.Admit(ns, vpcID, wanted), a.Admit(ns, vpcID, wanted, instances...)); err != nil {
		a.Close()
		return nil, fmt.Errorf("accelerate: %w", err)
	}
	return func() { a.Close() }, nil
}
