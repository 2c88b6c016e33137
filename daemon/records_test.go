package daemon

import (
	"net"
	"slices"
	"testing"

	"github.com/miekg/dns"
)

// TestLookupTXT asks a server that knows one record, after another one that refuses.
func TestLookupTXT(t *testing.T) {
	serve := func(h dns.HandlerFunc) string {
		conn, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		started := make(chan struct{})
		s := &dns.Server{PacketConn: conn, Handler: h, NotifyStartedFunc: func() { close(started) }}
		done := make(chan error, 1)
		go func() { done <- s.ActivateAndServe() }()
		<-started
		t.Cleanup(func() {
			if err := s.Shutdown(); err != nil {
				t.Error(err)
			}
			<-done
		})
		return conn.LocalAddr().String()
	}
	refuses := serve(func(w dns.ResponseWriter, q *dns.Msg) { _ = w.WriteMsg(new(dns.Msg).SetRcode(q, dns.RcodeRefused)) })
	knows := serve(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		if q.Question[0].Name == "_x.example.com." {
			m.Answer = []dns.RR{&dns.TXT{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeTXT, Class: dns.ClassINET}, Txt: []string{"vpc-lattice:1"}}}
		} else {
			m.Rcode = dns.RcodeNameError
		}
		_ = w.WriteMsg(m)
	})
	lookup := lookupTXT([]string{refuses, knows})
	if got, err := lookup(t.Context(), "_x.example.com"); err != nil || !slices.Equal(got, []string{"vpc-lattice:1"}) {
		t.Errorf("%v %v", got, err)
	}
	if got, err := lookup(t.Context(), "_y.example.com"); err == nil {
		t.Errorf("%v", got)
	}
}
