package daemon

import (
	"context"
	"net"
	"net/netip"
	"time"
)

// lookUp finds the addresses of a resource's domain name as the VPC's clients, or this node, would.
func (d *Daemon) lookUp(ctx context.Context, vpcID, name string) ([]netip.Addr, time.Duration, error) {
	return d.resolver.LookUp(ctx, vpcID, name)
}

// lookupTXT returns how the TXT records of a domain name are looked up, for domain verifications: with the servers that
// names are forwarded to, each in turn, or as this machine resolves names when there are none.
func lookupTXT(forward []string) func(ctx context.Context, name string) ([]string, error) {
	var resolvers []*net.Resolver
	for _, server := range forward {
		resolvers = append(resolvers, &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, server)
		}})
	}
	if len(resolvers) == 0 {
		resolvers = []*net.Resolver{net.DefaultResolver}
	}
	return func(ctx context.Context, name string) (found []string, err error) {
		for _, r := range resolvers {
			if found, err = r.LookupTXT(ctx, name+"."); err == nil { // with the dot no search list is tried
				break
			}
		}
		return found, err
	}
}
