package targetgroup

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/trellis-project/trellis"
)

// permitted tells why an address may not be connected to as a target of a VPC, nil when it may. It is asked at
// every connect, whatever was checked at registration: an instance's address comes from elsewhere.
func permitted(vpc *trellis.VPC, a netip.Addr) error {
	a = a.Unmap()
	switch {
	case !a.IsValid():
		return errors.New("the target has no address")
	case vpc == nil:
		return errors.New("the target group's VPC is not known")
	case a.IsLoopback() && vpc.Attachment != trellis.AttachmentLoopback, a.IsLinkLocalUnicast(), a.IsMulticast(), a.IsUnspecified():
		return fmt.Errorf("address %s is not one that a target may have", a)
	case !vpc.Contains(a):
		return fmt.Errorf("address %s is outside of %s", a, vpc.ID)
	}
	return nil
}
