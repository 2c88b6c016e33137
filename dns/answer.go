package dns

import (
	"context"
	"net/netip"
	"strings"

	"github.com/miekg/dns"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/routing"
)

const (
	// ttl is how long an address may be kept, in seconds. AWS does not document its own.
	ttl = 60
	// nowhereTTL is that of the address that leads nowhere: shorter, so that a client finds the service soon
	// after the association that it lacked.
	nowhereTTL = 5
)

// nowhere is the address of services that the VPC has no way to.
var nowhere, _ = trellis.SlotAddrs(trellis.NowhereSlot)

// read reads a question. With r there is an answer already, which says what is wrong with the question;
// without both there is nothing that could be answered.
func (s *Server) read(b []byte) (q, r *dns.Msg) {
	q = new(dns.Msg)
	if err := q.Unpack(b); err != nil {
		if len(b) < 12 || q.Response {
			return nil, nil
		}
		return nil, &dns.Msg{MsgHdr: dns.MsgHdr{Id: q.Id, Response: true, Opcode: q.Opcode, Rcode: dns.RcodeFormatError}}
	}
	switch {
	case q.Response:
		return nil, nil
	case q.Opcode != dns.OpcodeQuery:
		return q, failure(q, dns.RcodeNotImplemented)
	case len(q.Question) != 1:
		r := failure(q, dns.RcodeFormatError)
		r.Question = nil
		return q, r
	}
	if o := q.IsEdns0(); o != nil && o.Version() != 0 {
		return q, failure(q, dns.RcodeBadVers)
	}
	switch t := q.Question[0]; {
	case t.Qclass != dns.ClassINET, t.Qtype == dns.TypeAXFR, t.Qtype == dns.TypeIXFR:
		return q, failure(q, dns.RcodeRefused)
	}
	return q, nil
}

// local answers from the Table and the static names, or returns nil when another server has to be asked. rest is not
// empty when that server is to be asked for the end of the answer: what a CNAME or an alias leads to. Generated names and
// static ones come first, then the VPC's hosted zones, then custom names; a zone says "no" last, so that a custom name
// that is in a zone without being there answers.
func (s *Server) local(vpcID string, q *dns.Msg) (r *dns.Msg, rest string) {
	t, name := s.table(), strings.ToLower(q.Question[0].Name)
	if _, static := s.fixed(name); static || t == nil || managedZone(name) != "" {
		return s.known(t, vpcID, q), ""
	}
	if r, rest = s.zoned(t, vpcID, q, false); r != nil {
		return r, rest
	}
	if r = s.known(t, vpcID, q); r != nil {
		return r, ""
	}
	return s.zoned(t, vpcID, q, true)
}

// fixed finds the address of a static name, or of one right below it, which means the same: the API's endpoint is every
// bucket's, too.
func (s *Server) fixed(name string) (netip.Addr, bool) {
	a, ok := s.static[name]
	if !ok {
		a, ok = s.static[parent(name)]
	}
	return a, ok
}

// known answers names that are Trellis' own: static, generated and custom ones.
func (s *Server) known(t *routing.Table, vpcID string, q *dns.Msg) *dns.Msg {
	name := strings.ToLower(q.Question[0].Name)
	if a, ok := s.fixed(name); ok {
		if a.Is4() {
			return addresses(q, ttl, parent(name), a, netip.Addr{})
		}
		return addresses(q, ttl, parent(name), netip.Addr{}, a)
	}
	zone := managedZone(name)
	if t != nil {
		if v4, v6, ok := t.Resolve(vpcID, strings.TrimSuffix(name, ".")); ok {
			seconds := uint32(ttl)
			if v4 == nowhere {
				seconds = nowhereTTL
			}
			if zone == "" {
				zone = name // a custom name: the zone it lies in is the customer's, and not known
			}
			return addresses(q, seconds, zone, v4, v6)
		}
	}
	if zone == "" {
		zone = s.ownZone(name)
	}
	if zone == "" {
		return nil
	}
	r := failure(q, dns.RcodeNameError)
	r.Authoritative = true
	switch {
	case name == zone && q.Question[0].Qtype == dns.TypeSOA:
		r.Rcode, r.Answer = dns.RcodeSuccess, []dns.RR{soa(zone)}
		return r
	case name == zone, namesBelow(name, zone):
		r.Rcode = dns.RcodeSuccess // names below exist, so this one does (RFC 8020 2)
	}
	r.Ns = []dns.RR{soa(zone)}
	return r
}

// addresses answers with the addresses that the question's type asks for; without one of that type the answer
// is empty and says that the name exists.
func addresses(q *dns.Msg, seconds uint32, zone string, v4, v6 netip.Addr) *dns.Msg {
	r := failure(q, dns.RcodeSuccess)
	r.Authoritative = true
	head := dns.RR_Header{Name: q.Question[0].Name, Class: dns.ClassINET, Ttl: seconds}
	t := q.Question[0].Qtype
	if v4.IsValid() && (t == dns.TypeA || t == dns.TypeANY) {
		head.Rrtype = dns.TypeA
		r.Answer = append(r.Answer, &dns.A{Hdr: head, A: v4.AsSlice()})
	}
	if v6.IsValid() && (t == dns.TypeAAAA || t == dns.TypeANY) {
		head.Rrtype = dns.TypeAAAA
		r.Answer = append(r.Answer, &dns.AAAA{Hdr: head, AAAA: v6.AsSlice()})
	}
	if len(r.Answer) == 0 {
		r.Ns = []dns.RR{soa(zone)}
	}
	return r
}

// failure begins an answer with a code.
func failure(q *dns.Msg, code int) *dns.Msg {
	r := new(dns.Msg).SetRcode(q, code)
	r.RecursionAvailable = true
	if q.IsEdns0() != nil {
		r.SetEdns0(maxUDP, false)
	}
	return r
}

// soa is the start-of-authority record of a zone; its minimum says how long "no" may be kept.
func soa(zone string) dns.RR {
	return &dns.SOA{Hdr: dns.RR_Header{Name: zone, Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: nowhereTTL},
		Ns: "ns.trellis.internal.", Mbox: "hostmaster.trellis.internal.", Serial: 1, Refresh: 7200, Retry: 900, Expire: 1209600, Minttl: nowhereTTL}
}

// namesBelow tells whether there are, or may be, generated names below a name of a zone: 7d67968, and for resources 4232ccc
// and what is right below it, a resource configuration's id.
func namesBelow(name, zone string) bool {
	const resources = "." + trellis.ResourcePartitionID + "."
	rest := strings.TrimSuffix("."+name, zone)
	return rest == "."+trellis.PartitionID+"." || rest == resources ||
		strings.HasSuffix(rest, resources) && dns.CountLabel(rest[1:]) == 2
}

// managedZone returns the zone of generated names that a name is in, vpc-lattice-svcs.{region}.on.aws. or that of
// resources, vpc-lattice-rsc.{region}.on.aws., or "".
func managedZone(name string) string {
	labels := dns.SplitDomainName(name)
	n := len(labels)
	if n < 4 || labels[n-1] != "aws" || labels[n-2] != "on" || labels[n-4] != "vpc-lattice-svcs" && labels[n-4] != "vpc-lattice-rsc" {
		return ""
	}
	return dns.Fqdn(strings.Join(labels[n-4:], "."))
}

// ownZone returns the zone that Trellis alone answers for and that a name is in, or "": addresses' names,
// which mean something else in each VPC, and the zones of static names.
func (s *Server) ownZone(name string) string {
	for _, zone := range []string{"in-addr.arpa.", "ip6.arpa."} {
		if dns.IsSubDomain(zone, name) {
			return zone
		}
	}
	for static := range s.static {
		if zone := parent(static); zone != "." && dns.IsSubDomain(zone, name) {
			return zone
		}
	}
	return ""
}

// parent returns a name without its first label.
func parent(name string) string {
	i, end := dns.NextLabel(name, 0)
	if end {
		return "."
	}
	return name[i:]
}

// ask hands a question to the other servers in turn. An answer that was cut over UDP is asked for again over
// TCP. When no server answers, the client is told that it failed.
func (s *Server) ask(ctx context.Context, q *dns.Msg) *dns.Msg {
	for i, server := range s.forward {
		if i == forwardTries {
			break
		}
		out := q.Copy()
		out.Id = dns.Id()
		r, err := exchange(ctx, "udp", server, out)
		if err == nil && r.Truncated {
			if whole, err := exchange(ctx, "tcp", server, out); err == nil {
				r = whole
			}
		}
		if err != nil {
			s.log.Debug("name server did not answer", "server", server, "error", err)
			continue
		}
		r.Id = q.Id
		return r
	}
	return failure(q, dns.RcodeServerFailure)
}

// exchange asks one server once.
func exchange(ctx context.Context, network, server string, q *dns.Msg) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, forwardTimeout)
	defer cancel()
	c := dns.Client{Net: network, Timeout: forwardTimeout, UDPSize: maxUDP}
	r, _, err := c.ExchangeContext(ctx, q, server)
	return r, err
}
