package controlplane

import (
	"context"
	"net/netip"
	"slices"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/store"
)

// MoreAddresses is what AssignPrivateIpAddresses and AssignIpv6Addresses ask for: some addresses, or a number of free ones.
type MoreAddresses struct {
	Interface string
	Chosen    []string
	Count     int
	Reassign  bool // secondary ones of other interfaces, too
}

// check finds what is wrong with the parameters by themselves. chosen and count are their names.
func (m MoreAddresses) check(chosen, count string) error {
	switch {
	case len(m.Chosen) == 0 && m.Count == 0:
		return ec2Error("MissingParameter", "Either %s or %s must be specified", chosen, count)
	case len(m.Chosen) > 0 && m.Count != 0:
		return ec2Error("InvalidParameterCombination", "The parameters %s and %s may not be used together", chosen, count)
	case m.Count < 0:
		return ec2Error("InvalidParameterValue", "A count of addresses may not be negative.")
	case len(m.Chosen)+m.Count > MaxInterfaceAddresses:
		return tooManyAddresses()
	}
	return nil
}

// AssignAddresses gives an interface further addresses of its subnet, and returns them.
func (p *Plane) AssignAddresses(ctx context.Context, c EC2Call, m MoreAddresses, v6 bool) (out []netip.Addr, rev trellis.Revision, err error) {
	action, chosen, count := "AssignPrivateIpAddresses", "privateIpAddresses", "secondaryPrivateIpAddressCount"
	if v6 {
		action, chosen, count = "AssignIpv6Addresses", "ipv6Addresses", "ipv6AddressCount"
	}
	if err := m.check(chosen, count); err != nil {
		return nil, 0, err
	}
	rev, err = p.changeInterface(ctx, c, action, m.Interface, nil, func(tx *store.Tx, n *trellis.ElasticNetworkInterface) error {
		subnet, err := store.Get[*trellis.Subnet](tx, n.Account+"/"+n.SubnetID)
		if err != nil {
			return err
		}
		has := &n.IPv4
		if v6 {
			has = &n.IPv6
		}
		wanted := slices.Concat(m.Chosen, make([]string, m.Count))
		out = nil
		wanted = slices.DeleteFunc(wanted, func(s string) bool { // what it has is no error, as on AWS
			a, err := netip.ParseAddr(s)
			mine := err == nil && slices.Contains(*has, a)
			if mine {
				out = append(out, a)
			}
			return mine
		})
		if m.Reassign {
			if err := p.giveUp(tx, n, wanted); err != nil {
				return err
			}
		}
		free, err := freeAddresses(tx, subnet)
		if err != nil {
			return err
		}
		for _, s := range wanted {
			a, err := free.choose(s, v6)
			if err != nil {
				return err
			}
			*has, out = append(*has, a), append(out, a)
		}
		if len(*has) > MaxInterfaceAddresses {
			return tooManyAddresses()
		}
		return nil
	})
	return out, rev, err
}

// giveUp takes addresses from other interfaces of the subnet which have them beside their primary one.
func (p *Plane) giveUp(tx *store.Tx, to *trellis.ElasticNetworkInterface, addrs []string) error {
	stored, err := store.List[*trellis.ElasticNetworkInterface](tx, to.Account+"/")
	if err != nil {
		return err
	}
	for _, n := range stored {
		if n.ID == to.ID || n.SubnetID != to.SubnetID {
			continue
		}
		kept := slices.DeleteFunc(slices.Clone(n.IPv4[1:]), func(a netip.Addr) bool { return slices.Contains(addrs, a.String()) })
		if len(kept) == len(n.IPv4)-1 {
			continue
		}
		n.IPv4 = append(n.IPv4[:1], kept...)
		if err := p.putInterface(tx, n); err != nil {
			return err
		}
	}
	return nil
}

// UnassignAddresses takes addresses from an interface, all or none. The primary one stays.
func (p *Plane) UnassignAddresses(ctx context.Context, c EC2Call, id string, addrs []string, v6 bool) (out []netip.Addr, rev trellis.Revision, err error) {
	action, parameter := "UnassignPrivateIpAddresses", "privateIpAddresses"
	if v6 {
		action, parameter = "UnassignIpv6Addresses", "ipv6Addresses"
	}
	if len(addrs) == 0 {
		return nil, 0, missingParameter(parameter)
	}
	rev, err = p.changeInterface(ctx, c, action, id, nil, func(_ *store.Tx, n *trellis.ElasticNetworkInterface) error {
		has := &n.IPv4
		if v6 {
			has = &n.IPv6
		}
		out = nil
		for _, s := range addrs {
			a, err := netip.ParseAddr(s)
			at := slices.Index(*has, a)
			switch {
			case err != nil || at < 0:
				return ec2Error("InvalidParameterValue", "Some of the addresses are not assigned to interface %s: %s.", n.ID, s)
			case at == 0 && !v6:
				return ec2Error("InvalidParameterValue", "%s is the primary address of interface %s.", s, n.ID)
			}
			*has, out = slices.Delete(*has, at, at+1), append(out, a)
		}
		return nil
	})
	return out, rev, err
}
