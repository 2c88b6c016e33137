package dns

import (
	"context"
	"math/rand/v2"
	"strings"

	"github.com/miekg/dns"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/routing"
)

// mostAliases bounds how many aliases and CNAMEs are followed for one question.
const mostAliases = 8

// zoned answers a question from a hosted zone of the VPC, nil when its name is in none, or, unless must is set, when the
// zone has neither the name nor one below it. rest is the name that is to be asked for elsewhere, empty when the answer is
// whole.
func (s *Server) zoned(t *routing.Table, vpcID string, q *dns.Msg, must bool) (r *dns.Msg, rest string) {
	name := strings.ToLower(q.Question[0].Name)
	z := t.Zone(vpcID, name)
	if z == nil {
		return nil, ""
	}
	if _, exists := z.Sets(zoneName(name)); !exists && !must {
		return nil, ""
	}
	r = failure(q, dns.RcodeSuccess)
	r.Authoritative = true
	c := &chase{s: s, t: t, vpcID: vpcID, answer: r}
	return r, c.follow(q.Question[0].Name, q.Question[0].Name, q.Question[0].Qtype)
}

// zoneName is a name of the wire as Route 53 keeps it.
func zoneName(name string) string {
	if kept, err := trellis.RecordName(name); err == nil {
		return kept
	}
	return name
}

// chase is one question on its way through aliases and CNAMEs.
type chase struct {
	s      *Server
	t      *routing.Table
	vpcID  string
	answer *dns.Msg
	steps  int
}

// follow adds the answer for a name to records of owner, which is another name where aliases led here. It returns the
// name that is to be asked for elsewhere.
func (c *chase) follow(owner, name string, qtype uint16) (rest string) {
	if c.steps++; c.steps > mostAliases {
		c.answer.Rcode = dns.RcodeServerFailure
		return ""
	}
	lower := strings.ToLower(name)
	z := c.t.Zone(c.vpcID, lower)
	if z == nil || c.steps > 1 && managedZone(lower) != "" {
		return c.elsewhere(owner, name, qtype)
	}
	sets, exists := z.Sets(zoneName(lower))
	if !exists {
		if c.steps > 1 {
			return c.elsewhere(owner, name, qtype)
		}
		c.answer.Rcode = dns.RcodeNameError
	}
	found := routing.OfType(sets, dns.TypeToString[qtype])
	if len(found) == 0 && qtype != dns.TypeCNAME {
		found = routing.OfType(sets, "CNAME")
	}
	found = trellis.ChooseRecordSets(found, c.t.Region(), rand.Int64N)
	if len(found) == 0 {
		c.answer.Ns = zoneSOA(z)
		return ""
	}
	if a := found[0].Alias; a != nil {
		return c.follow(owner, wireName(a.Name), qtype)
	}
	for _, set := range found {
		for _, value := range set.Values {
			rr := record(owner, set, value)
			if rr == nil {
				continue
			}
			c.answer.Answer = append(c.answer.Answer, rr)
			if alias, ok := rr.(*dns.CNAME); ok && qtype != dns.TypeCNAME {
				return c.follow(alias.Target, alias.Target, qtype)
			}
		}
	}
	return ""
}

// elsewhere adds what the VPC's resolver knows of a name that is in no zone of the VPC.
func (c *chase) elsewhere(owner, name string, qtype uint16) (rest string) {
	r := c.s.known(c.t, c.vpcID, new(dns.Msg).SetQuestion(dns.Fqdn(name), qtype))
	if r == nil {
		return name
	}
	for _, rr := range r.Answer {
		rr.Header().Name = owner
		c.answer.Answer = append(c.answer.Answer, rr)
	}
	c.answer.Rcode = r.Rcode
	if len(r.Answer) == 0 {
		c.answer.Ns = r.Ns
	}
	return ""
}

// wireName is a name that Route 53 keeps as names are written here, where only * has another form among those that
// occur.
func wireName(name string) string { return strings.ReplaceAll(name, `\052`, "*") }

// record makes a record of a value of a set, nil for one that cannot be read.
func record(owner string, set *trellis.RecordSet, value string) dns.RR {
	rr, err := dns.NewRR(". 0 IN " + set.Type + " " + value)
	if err != nil || rr == nil {
		return nil
	}
	h := rr.Header()
	h.Name, h.Ttl = owner, uint32(set.TTL)
	return rr
}

// zoneSOA is the SOA of a zone as a "no" has it: for as long as its minimum or TTL says (RFC 2308, section 3).
func zoneSOA(z *routing.Zone) []dns.RR {
	sets, _ := z.Sets(z.Noun.Name)
	for _, set := range routing.OfType(sets, "SOA") {
		for _, value := range set.Values {
			if rr, ok := record(z.Noun.Name, set, value).(*dns.SOA); ok {
				rr.Hdr.Ttl = min(rr.Hdr.Ttl, rr.Minttl)
				return []dns.RR{rr}
			}
		}
	}
	return []dns.RR{soa(z.Noun.Name)}
}

// finish asks other servers for the name at which an answer stopped, and adds what they say.
func (s *Server) finish(ctx context.Context, q, r *dns.Msg, rest string) *dns.Msg {
	if rest == "" {
		return r
	}
	more := s.ask(ctx, new(dns.Msg).SetQuestion(dns.Fqdn(rest), q.Question[0].Qtype))
	alias := len(r.Answer) == 0 // no CNAME leads there: the records are those of the name that was asked for
	for _, rr := range more.Answer {
		if alias {
			if rr.Header().Rrtype == dns.TypeCNAME {
				continue
			}
			rr.Header().Name = q.Question[0].Name
		}
		r.Answer = append(r.Answer, rr)
	}
	r.Rcode = more.Rcode
	if len(more.Answer) == 0 {
		r.Ns = more.Ns
	}
	return r
}
