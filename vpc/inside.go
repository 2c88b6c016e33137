package vpc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
)

// ListenInside listens for TCP at an address inside an instance, for example on its loopback. Like Start it works
// from any process with root's rights.
func ListenInside(instanceID string, at netip.AddrPort) (net.Listener, error) {
	if err := checkID(instanceID); err != nil {
		return nil, fmt.Errorf("listen in instance: %w", err)
	}
	ns, err := openNamespace(instanceID)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("instance %s does not run on this machine", instanceID)
	}
	if err != nil {
		return nil, err
	}
	defer ns.close()
	var ln net.Listener
	err = ns.within(func() (err error) {
		ln, err = new(net.ListenConfig).Listen(context.Background(), "tcp", at.String())
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listen in instance %s: %w", instanceID, err)
	}
	return ln, nil
}
