package controlplane

import (
	"errors"
	"net/netip"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/store"
)

// addresses hands out the free addresses of a subnet.
type addresses struct {
	subnet *trellis.Subnet
	used   map[netip.Addr]bool
	next4  netip.Addr
	next6  netip.Addr
}

// heldAddresses are the addresses that something holds in the subnets of an account, by subnet: instances, but not
// terminated ones, interfaces that users made, resource gateways, VPC endpoints and load balancers. A transaction that reads them and puts a holder is alone with it.
func heldAddresses(tx *store.Tx, account string) (map[string]map[netip.Addr]bool, error) {
	held := map[string]map[netip.Addr]bool{}
	hold := func(subnet string, addrs ...netip.Addr) {
		if held[subnet] == nil {
			held[subnet] = map[netip.Addr]bool{}
		}
		for _, a := range addrs {
			if a.IsValid() {
				held[subnet][a] = true
			}
		}
	}
	instances, err := store.List[*trellis.Instance](tx, account+"/")
	if err != nil {
		return nil, err
	}
	for _, i := range instances {
		if i.State != trellis.InstanceTerminated {
			hold(i.SubnetID, i.PrivateIP, i.IPv6)
		}
	}
	elastic, err := store.List[*trellis.ElasticNetworkInterface](tx, account+"/")
	if err != nil {
		return nil, err
	}
	for _, n := range elastic {
		hold(n.SubnetID, n.Addresses()...)
	}
	gateways, err := store.List[*trellis.ResourceGateway](tx, account+"/")
	if err != nil {
		return nil, err
	}
	for _, g := range gateways {
		for _, n := range g.Interfaces {
			hold(n.SubnetID, n.IPv4, n.IPv6)
		}
	}
	endpoints, err := store.List[*trellis.VPCEndpoint](tx, account+"/")
	if err != nil {
		return nil, err
	}
	for _, e := range endpoints {
		for _, n := range e.Interfaces {
			hold(n.SubnetID, n.IPv4, n.IPv6)
		}
	}
	balancers, err := store.List[*trellis.LoadBalancer](tx, account+"/")
	if err != nil {
		return nil, err
	}
	for _, b := range balancers {
		for _, n := range b.Interfaces {
			hold(n.SubnetID, n.IPv4, n.IPv6)
		}
	}
	led, err := store.List[*trellis.EndpointAddress](tx, account+"/")
	for _, e := range led {
		for _, a := range e.Addresses {
			hold(a.SubnetID, a.Address)
		}
	}
	return held, err
}

// held4 is how many IPv4 addresses are among some.
func held4(addrs map[netip.Addr]bool) (n int) {
	for a := range addrs {
		if a.Is4() {
			n++
		}
	}
	return n
}

// freeAddresses reads which addresses of a subnet are free.
func freeAddresses(tx *store.Tx, subnet *trellis.Subnet) (*addresses, error) {
	held, err := heldAddresses(tx, subnet.Account)
	return addressesOf(subnet, held[subnet.ID]), err
}

// addressesOf hands out the addresses of a subnet that nobody holds.
func addressesOf(subnet *trellis.Subnet, held map[netip.Addr]bool) *addresses {
	a := &addresses{subnet: subnet, used: held, next4: hostFrom(subnet.CIDR.Addr(), 4)}
	if a.used == nil {
		a.used = map[netip.Addr]bool{}
	}
	if subnet.IPv6CIDR.IsValid() {
		a.next6 = hostFrom(subnet.IPv6CIDR.Addr(), 4)
	}
	return a
}

// take takes the first free address of a family.
func (a *addresses) take(v6 bool) (netip.Addr, error) { return a.choose("", v6) }

// choose takes the chosen address of a family, or the first free one.
func (a *addresses) choose(chosen string, v6 bool) (netip.Addr, error) {
	if v6 {
		return a.take6(chosen)
	}
	return a.take4(chosen)
}

// newInterfaces is NewInterfaces without chosen addresses.
func newInterfaces(tx *store.Tx, account string, subnets []*trellis.Subnet, t trellis.IPAddressType) ([]trellis.NetworkInterface, error) {
	return NewInterfaces(tx, account, subnets, t, nil)
}

// NewInterfaces makes an interface in each of some subnets of an account, with free addresses of a type. chosen are IPv4
// addresses that a client chose, by subnet.
func NewInterfaces(tx *store.Tx, account string, subnets []*trellis.Subnet, t trellis.IPAddressType, chosen map[string]string) ([]trellis.NetworkInterface, error) {
	held, err := heldAddresses(tx, account)
	if err != nil {
		return nil, err
	}
	var out []trellis.NetworkInterface
	for _, s := range subnets {
		n := trellis.NetworkInterface{ID: trellis.NewID("eni"), SubnetID: s.ID, MAC: newMAC()}
		free := addressesOf(s, held[s.ID])
		if t.Has(false) {
			if n.IPv4, err = free.take4(chosen[s.ID]); err != nil {
				return nil, err
			}
		}
		if t.Has(true) {
			if n.IPv6, err = free.take(true); err != nil {
				return nil, err
			}
		}
		out = append(out, n)
	}
	return out, nil
}

// noFreeAddress is EC2's code for a subnet that has no free address.
const noFreeAddress = "InsufficientFreeAddressesInSubnet"

// hostFrom is the n-th address from a.
func hostFrom(a netip.Addr, n int) netip.Addr {
	for range n {
		a = a.Next()
	}
	return a
}

// reserved tells whether AWS keeps an IPv4 address of the subnet for itself: the first four and the last
// (Amazon VPC user guide, subnet sizing).
func (a *addresses) reserved(addr netip.Addr) bool {
	return addr.Less(hostFrom(a.subnet.CIDR.Addr(), 4)) || !a.subnet.CIDR.Contains(addr.Next())
}

// take4 takes the chosen IPv4 address, or the first free one.
func (a *addresses) take4(chosen string) (netip.Addr, error) {
	if chosen != "" {
		addr, err := netip.ParseAddr(chosen)
		if err != nil || !addr.Is4() {
			return addr, invalidParameter("address", chosen, "Invalid IPv4 address.")
		}
		if !a.subnet.CIDR.Contains(addr) {
			return addr, ec2Error("InvalidParameterValue", "Address %s does not fall within the subnet's address range", chosen)
		}
		if a.reserved(addr) {
			return addr, ec2Error("InvalidParameterValue", "Address %s is in subnet's reserved address range", chosen)
		}
		if a.used[addr] {
			return addr, ec2Error("InvalidIPAddress.InUse", "Address %s is in use.", chosen)
		}
		a.used[addr] = true
		return addr, nil
	}
	for ; a.subnet.CIDR.Contains(a.next4.Next()); a.next4 = a.next4.Next() {
		if addr := a.next4; !a.used[addr] {
			a.used[addr] = true
			return addr, nil
		}
	}
	return netip.Addr{}, ec2Error(noFreeAddress, "There are not enough free addresses in subnet '%s' to satisfy the request.", a.subnet.ID)
}

// take6 takes the chosen IPv6 address, or the first free one.
func (a *addresses) take6(chosen string) (netip.Addr, error) {
	if !a.subnet.IPv6CIDR.IsValid() {
		return netip.Addr{}, ec2Error("InvalidParameterValue", "The subnet '%s' has no IPv6 CIDR block", a.subnet.ID)
	}
	if chosen != "" {
		addr, err := netip.ParseAddr(chosen)
		if err != nil || !a.subnet.IPv6CIDR.Contains(addr) {
			return addr, invalidParameter("ipv6Address", chosen, "It is no address of the subnet.")
		}
		if a.used[addr] {
			return addr, ec2Error("InvalidIPAddress.InUse", "Address %s is in use.", chosen)
		}
		a.used[addr] = true
		return addr, nil
	}
	for a.used[a.next6] {
		a.next6 = a.next6.Next()
	}
	a.used[a.next6] = true
	return a.next6, nil
}

// isFull tells whether an error says that a subnet has no free address.
func isFull(err error) bool {
	var e *trellis.Error
	return errors.As(err, &e) && e.Code == noFreeAddress
}
