package dns

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/miekg/dns"
)

// LookUp finds the addresses of a name, IPv4 first, and for how long they may be kept: with the resolver of a VPC, or as
// names that are not Trellis' own are asked for when vpcID is empty. At most maxFound of each family.
func (s *Server) LookUp(ctx context.Context, vpcID, name string) (addrs []netip.Addr, ttl time.Duration, err error) {
	failed := dns.RcodeSuccess
	first := true
	for _, t := range []uint16{dns.TypeA, dns.TypeAAAA} {
		q := new(dns.Msg).SetQuestion(dns.Fqdn(name), t)
		var r *dns.Msg
		if vpcID != "" {
			var rest string
			r, rest = s.local(vpcID, q)
			r = s.finish(ctx, q, r, rest)
		}
		if r == nil {
			r = s.ask(ctx, q)
		}
		if r.Rcode != dns.RcodeSuccess {
			failed = r.Rcode
		}
		n := 0
		for _, rr := range r.Answer { // those of the aliases on the way, too: their TTLs count
			if kept := time.Duration(rr.Header().Ttl) * time.Second; first || kept < ttl {
				first, ttl = false, kept
			}
			var a netip.Addr
			switch rr := rr.(type) {
			case *dns.A:
				a, _ = netip.AddrFromSlice(rr.A)
			case *dns.AAAA:
				a, _ = netip.AddrFromSlice(rr.AAAA)
			}
			if a = a.Unmap(); a.IsValid() && n < maxFound {
				addrs = append(addrs, a)
				n++
			}
		}
	}
	if len(addrs) == 0 {
		return nil, 0, fmt.Errorf("%s has no address: %s", name, dns.RcodeToString[failed])
	}
	return addrs, ttl, nil
}

// maxFound bounds the addresses of one family that LookUp returns.
const maxFound = 16
