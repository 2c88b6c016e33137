package dns

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/routing"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	account   = "111122223333"
	ordersVPC = "vpc-0aaaaaaaaaaaaaaaa"
	otherVPC  = "vpc-0bbbbbbbbbbbbbbbb"
	orders    = "orders-0aaaaaaaaaaaaaaaa.7d67968.vpc-lattice-svcs.eu-west-1.on.aws."
	custom    = "orders.platform.example."
)

// table is a routing table of a service with a custom name in a network that the first VPC is associated with.
func table() *routing.Table {
	st := trellis.NewState()
	meta := func(id string) trellis.Meta { return trellis.Meta{Account: account, ID: id} }
	st.Put(&trellis.VPC{Meta: meta(ordersVPC), CIDR: netip.MustParsePrefix("10.0.0.0/16"), EnableDNSSupport: true})
	st.Put(&trellis.VPC{Meta: meta(otherVPC), CIDR: netip.MustParsePrefix("10.0.0.0/16"), EnableDNSSupport: true})
	service, network := trellis.Ref{Account: account, ID: "svc-0aaaaaaaaaaaaaaaa"}, trellis.Ref{Account: account, ID: "sn-0aaaaaaaaaaaaaaaa"}
	st.Put(&trellis.ServiceNetwork{Meta: meta(network.ID), Name: "net", AuthType: trellis.AuthNone})
	st.Put(&trellis.Service{Meta: meta(service.ID), Name: "orders", AuthType: trellis.AuthNone, Status: trellis.StatusActive, CustomDomainName: strings.TrimSuffix(custom, ".")})
	st.Put(&trellis.ServiceAssociation{Meta: meta("snsa-0aaaaaaaaaaaaaaaa"), CreatedBy: account, Service: service, ServiceNetwork: network, Status: trellis.StatusActive})
	st.Put(&trellis.VPCAssociation{Meta: meta("snva-0aaaaaaaaaaaaaaaa"), CreatedBy: account, VPC: trellis.Ref{Account: account, ID: ordersVPC},
		ServiceNetwork: network, Status: trellis.StatusActive, Slot: 33})
	return routing.Build(st, routing.Options{Region: "eu-west-1"}, nil)
}

// resolver runs a Server for both VPCs and returns the address of each.
func resolver(t *testing.T, o Options) map[string]string {
	t.Helper()
	tab := table()
	o.Table = func() *routing.Table { return tab }
	s := New(o)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 2)
	at := map[string]string{}
	for _, vpc := range []string{ordersVPC, otherVPC} {
		pc, ln := sockets(t)
		at[vpc] = pc.LocalAddr().String()
		go func() { done <- s.Serve(ctx, vpc, pc, ln) }()
	}
	t.Cleanup(func() {
		cancel()
		for range at {
			if err := <-done; err != nil {
				t.Errorf("Serve: %v", err)
			}
		}
	})
	return at
}

// sockets opens a UDP socket and a TCP listener of the same port.
func sockets(t *testing.T) (net.PacketConn, net.Listener) {
	t.Helper()
	for range 20 {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		pc, err := net.ListenPacket("udp", ln.Addr().String())
		if err == nil {
			return pc, ln
		}
		ln.Close()
	}
	t.Fatal("no port is free for both UDP and TCP")
	return nil, nil
}

// ask asks and returns the code, the answers' texts without tabs, and whether there is an SOA.
func ask(t *testing.T, network, server, name string, qtype uint16) string {
	t.Helper()
	c := dns.Client{Net: network, Timeout: 5 * time.Second}
	r, _, err := c.Exchange(new(dns.Msg).SetQuestion(name, qtype), server)
	if err != nil {
		t.Fatalf("%s %s: %v", name, dns.TypeToString[qtype], err)
	}
	out := dns.RcodeToString[r.Rcode]
	for _, rr := range r.Answer {
		out += fmt.Sprintf(" %d %s", rr.Header().Ttl, rr.String()[strings.LastIndexByte(rr.String(), '\t')+1:])
	}
	for _, rr := range r.Ns {
		out += " " + dns.TypeToString[rr.Header().Rrtype]
	}
	return out
}

func TestAnswers(t *testing.T) {
	at := resolver(t, Options{Static: map[string]netip.Addr{"api.trellis.internal": netip.MustParseAddr("169.254.170.10")}})
	for _, c := range []struct {
		vpc, name string
		qtype     uint16
		want      string
	}{
		{ordersVPC, orders, dns.TypeA, "NOERROR 60 169.254.171.33"},
		{ordersVPC, orders, dns.TypeAAAA, "NOERROR 60 fd00:ec2:80::a9fe:ab21"},
		{ordersVPC, strings.ToUpper(orders), dns.TypeA, "NOERROR 60 169.254.171.33"},
		{ordersVPC, orders, dns.TypeMX, "NOERROR SOA"},
		{ordersVPC, custom, dns.TypeA, "NOERROR 60 169.254.171.33"},
		{ordersVPC, custom, dns.TypeTXT, "NOERROR SOA"},
		{otherVPC, orders, dns.TypeA, "NOERROR 5 169.254.171.254"},
		{otherVPC, orders, dns.TypeAAAA, "NOERROR 5 fd00:ec2:80::a9fe:abfe"},
		{otherVPC, custom, dns.TypeA, "SERVFAIL"},
		{ordersVPC, "payments-0bbbbbbbbbbbbbbbb.7d67968.vpc-lattice-svcs.eu-west-1.on.aws.", dns.TypeA, "NXDOMAIN SOA"},
		{ordersVPC, "7d67968.vpc-lattice-svcs.eu-west-1.on.aws.", dns.TypeA, "NOERROR SOA"},
		{ordersVPC, "vpc-lattice-svcs.eu-west-1.on.aws.", dns.TypeNS, "NOERROR SOA"},
		{ordersVPC, "VPC-Lattice-svcs.eu-west-1.on.aws.", dns.TypeSOA, "NOERROR 5 ns.trellis.internal. hostmaster.trellis.internal. 1 7200 900 1209600 5"},
		{ordersVPC, "trellis.internal.", dns.TypeA, "NOERROR SOA"},
		{ordersVPC, "vpc-lattice-rsc.eu-west-1.on.aws.", dns.TypeA, "NOERROR SOA"},
		{ordersVPC, "4232ccc.vpc-lattice-rsc.eu-west-1.on.aws.", dns.TypeA, "NOERROR SOA"},
		{ordersVPC, "rcfg-0aaaaaaaaaaaaaaaa.4232ccc.vpc-lattice-rsc.eu-west-1.on.aws.", dns.TypeA, "NOERROR SOA"},
		{ordersVPC, "snra-0aaaaaaaaaaaaaaaa.rcfg-0aaaaaaaaaaaaaaaa.4232ccc.vpc-lattice-rsc.eu-west-1.on.aws.", dns.TypeA, "NXDOMAIN SOA"},
		{ordersVPC, "33.171.254.169.in-addr.arpa.", dns.TypePTR, "NXDOMAIN SOA"},
		{ordersVPC, "api.trellis.internal.", dns.TypeA, "NOERROR 60 169.254.170.10"},
		{ordersVPC, "api.trellis.internal.", dns.TypeAAAA, "NOERROR SOA"},
		{ordersVPC, "other.trellis.internal.", dns.TypeA, "NXDOMAIN SOA"},
		{ordersVPC, "example.com.", dns.TypeA, "SERVFAIL"}, // nobody to ask
		{ordersVPC, orders, dns.TypeAXFR, "REFUSED"},
	} {
		if c.qtype != dns.TypeAXFR { // the client has no plain exchange for it
			if got := ask(t, "udp", at[c.vpc], c.name, c.qtype); got != c.want {
				t.Errorf("udp %s %s in %s: %s, want %s", c.name, dns.TypeToString[c.qtype], c.vpc, got, c.want)
			}
		}
		if got := ask(t, "tcp", at[c.vpc], c.name, c.qtype); got != c.want {
			t.Errorf("tcp %s %s in %s: %s, want %s", c.name, dns.TypeToString[c.qtype], c.vpc, got, c.want)
		}
	}
}

// outside runs a name server that answers every name, with as many addresses as fit only TCP.
func outside(t *testing.T) string {
	t.Helper()
	pc, ln := sockets(t)
	many := dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		r := new(dns.Msg).SetReply(q)
		for i := range 40 {
			r.Answer = append(r.Answer, &dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 7}, A: net.IPv4(192, 0, 2, byte(i)).To4()})
		}
		if w.RemoteAddr().Network() == "udp" && strings.HasPrefix(q.Question[0].Name, "big") {
			r.Truncate(dns.MinMsgSize)
		} else if !strings.HasPrefix(q.Question[0].Name, "big") {
			r.Answer = r.Answer[:1]
		}
		w.WriteMsg(r)
	})
	for _, s := range []*dns.Server{{PacketConn: pc, Handler: many}, {Listener: ln, Handler: many}} {
		started := make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		done := make(chan error)
		go func() { done <- s.ActivateAndServe() }()
		<-started
		t.Cleanup(func() {
			s.Shutdown()
			<-done
		})
	}
	return pc.LocalAddr().String()
}

func TestForwarding(t *testing.T) {
	dead, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead.Close() // refuses, so that the second server is asked at once
	at := resolver(t, Options{Forward: []string{dead.LocalAddr().String(), outside(t)}})
	if got, want := ask(t, "udp", at[ordersVPC], "example.com.", dns.TypeA), "NOERROR 7 192.0.2.0"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := ask(t, "tcp", at[ordersVPC], "big.example.com.", dns.TypeA); strings.Count(got, "192.0.2.") != 40 {
		t.Errorf("over TCP: %s", got)
	}
	c := dns.Client{Timeout: 5 * time.Second}
	r, _, err := c.Exchange(new(dns.Msg).SetQuestion("big.example.com.", dns.TypeA), at[ordersVPC])
	if err != nil || !r.Truncated {
		t.Errorf("over UDP: truncated %v, %v", r.Truncated, err)
	}
}

func FuzzDNS(f *testing.F) {
	for _, m := range []*dns.Msg{new(dns.Msg).SetQuestion(orders, dns.TypeA), new(dns.Msg).SetQuestion("example.com.", dns.TypeANY),
		new(dns.Msg).SetQuestion("1.0.0.127.in-addr.arpa.", dns.TypePTR).SetEdns0(512, true), new(dns.Msg).SetUpdate("on.aws.")} {
		b, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	tab := table()
	s := New(Options{Table: func() *routing.Table { return tab }, Static: map[string]netip.Addr{"api.trellis.internal": netip.MustParseAddr("169.254.170.10")}})
	f.Fuzz(func(t *testing.T, b []byte) {
		q, r := s.read(b)
		if q != nil && r == nil {
			var rest string
			if r, rest = s.local(ordersVPC, q); r == nil {
				r = s.ask(t.Context(), q)
			}
			r = s.finish(t.Context(), q, r, rest)
		}
		if r == nil {
			return
		}
		if !r.Response || q != nil && r.Id != q.Id {
			t.Errorf("not an answer to the question: %v", r)
		}
		r.Truncate(dns.MinMsgSize)
		out, err := r.Pack()
		if err != nil {
			t.Fatalf("answer cannot be written: %v", err)
		}
		if len(out) > dns.MinMsgSize {
			t.Errorf("%d bytes over UDP", len(out))
		}
	})
}

// exhausted is a listener that has no descriptors for a while.
type exhausted struct {
	net.Listener
	fails int
}

// Accept fails a few times before it accepts.
func (l *exhausted) Accept() (net.Conn, error) {
	if l.fails > 0 {
		l.fails--
		return nil, syscall.EMFILE
	}
	return l.Listener.Accept()
}

func TestServeOutlivesExhaustion(t *testing.T) {
	tab := table()
	s := New(Options{Table: func() *routing.Table { return tab }})
	pc, ln := sockets(t)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Serve(ctx, ordersVPC, pc, &exhausted{ln, 2}) }()
	if got, want := ask(t, "tcp", pc.LocalAddr().String(), orders, dns.TypeA), "NOERROR 60 169.254.171.33"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
