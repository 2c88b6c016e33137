package targetgroup

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/trellis-project/trellis"
)

// TestHealthChecksSpeakEveryProtocol probes real servers over HTTP and HTTPS, with HTTP/1.1 and HTTP/2.
func TestHealthChecksSpeakEveryProtocol(t *testing.T) {
	for _, secure := range []bool{false, true} {
		for _, version := range []string{"HTTP1", "HTTP2"} {
			protocol := trellis.ProtocolHTTP
			if secure {
				protocol = trellis.ProtocolHTTPS
			}
			t.Run(fmt.Sprintf("%s %s", protocol, version), func(t *testing.T) {
				asked := make(chan *http.Request, 1)
				s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					select {
					case asked <- r:
					default:
					}
					http.Redirect(w, r, "/elsewhere", http.StatusFound)
				}))
				s.Config.Protocols = new(http.Protocols)
				s.Config.Protocols.SetHTTP1(version == "HTTP1")
				s.Config.Protocols.SetHTTP2(version == "HTTP2" && secure)
				s.Config.Protocols.SetUnencryptedHTTP2(version == "HTTP2" && !secure)
				if secure {
					s.EnableHTTP2 = version == "HTTP2"
					s.StartTLS()
				} else {
					s.Start()
				}
				defer s.Close()
				at := netip.MustParseAddrPort(s.Listener.Addr().String())
				healthy := make(chan trellis.TargetHealth, 16)
				m := New(Options{Health: func(_ context.Context, seen []trellis.TargetHealth) { healthy <- seen[0] }, Dial: func(ctx context.Context, _ string, to netip.AddrPort) (net.Conn, error) {
					return new(net.Dialer).DialContext(ctx, "tcp", to.String())
				}})
				check := quick()
				check.Protocol, check.ProtocolVersion, check.Matcher, check.Path, check.Port = protocol, version, "302", "/healthz?deep=1", int(at.Port())
				st := stateWith(trellis.TargetGroup{HealthCheck: check}, trellis.Target{ID: "127.0.0.1", Port: 9})
				st.Put(&trellis.VPC{Meta: trellis.Meta{Account: testAccount, ID: testVPC}, CIDR: netip.MustParsePrefix("127.0.0.0/8"), Attachment: trellis.AttachmentLoopback})
				m.Apply(st)
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error)
				go func() { done <- m.Run(ctx) }()
				defer func() { cancel(); <-done }()
				deadline := time.After(8 * time.Second)
				select {
				case h := <-healthy:
					if h.Status != trellis.TargetHealthy {
						t.Fatalf("%s %s", h.Status, h.ReasonCode)
					}
				case <-deadline:
					t.Fatal("no health after 8 s")
				}
				r := <-asked
				if r.RequestURI != "/healthz?deep=1" || (r.ProtoMajor == 2) != (version == "HTTP2") || (r.TLS != nil) != secure {
					t.Errorf("asked %s by %s, TLS %v", r.RequestURI, r.Proto, r.TLS != nil)
				}
			})
		}
	}
}

// TestHTTPSTargets connects to a target whose certificate nobody has signed.
func TestHTTPSTargets(t *testing.T) {
	s := httptest.NewTLSServer(http.NotFoundHandler())
	defer s.Close()
	at := netip.MustParseAddrPort(s.Listener.Addr().String())
	m := New(Options{})
	st := stateWith(trellis.TargetGroup{Type: trellis.TargetsIP, Protocol: trellis.ProtocolHTTPS, Port: 443}, trellis.Target{ID: "127.0.0.1", Port: int(at.Port())})
	st.Put(&trellis.VPC{Meta: trellis.Meta{Account: testAccount, ID: testVPC}, CIDR: netip.MustParsePrefix("127.0.0.0/8"), Attachment: trellis.AttachmentLoopback})
	m.Apply(st)
	target, r := m.Group(testGroup).Pick(), newRig(t, m)
	r.fiber(func() {
		for range 3 {
			c, _, err := r.pool.Get(target)
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"+strings.Repeat("a", 100_000)); err != nil {
				t.Error(err)
			}
			answer, err := io.ReadAll(io.LimitReader(c, 12+7)) // in several reads
			if err != nil || string(answer[:12]) != "HTTP/1.1 404" {
				t.Errorf("%q, %v", answer, err)
			}
			r.pool.Put(c) // with plain text left, which makes it unfit
		}
	})
	if open, _ := target.Connections(); open != 0 {
		t.Errorf("%d connections with unread text are kept", open)
	}
}

// TestVerifiedTargets verifies the certificates of targets whose group has the tag: by the name in it.
func TestVerifiedTargets(t *testing.T) {
	asked := make(chan string, 1)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.TLS.ServerName }))
	s.StartTLS()
	defer s.Close()
	at := netip.MustParseAddrPort(s.Listener.Addr().String())
	for name, works := range map[string]bool{"": true, "example.com": true, "other.example": false} {
		m := New(Options{Roots: func() *x509.CertPool {
			pool := x509.NewCertPool()
			pool.AddCert(s.Certificate())
			return pool
		}})
		st := stateWith(trellis.TargetGroup{Meta: trellis.Meta{Tags: map[string]string{VerifyTag: name}}, Type: trellis.TargetsIP, Protocol: trellis.ProtocolHTTPS, Port: 443}, trellis.Target{ID: "127.0.0.1", Port: int(at.Port())})
		st.Put(&trellis.VPC{Meta: trellis.Meta{Account: testAccount, ID: testVPC}, CIDR: netip.MustParsePrefix("127.0.0.0/8"), Attachment: trellis.AttachmentLoopback})
		m.Apply(st)
		target, r := m.Group(testGroup).Pick(), newRig(t, m)
		r.fiber(func() {
			c, _, err := r.pool.Get(target)
			if (err == nil) != works {
				t.Errorf("verified for %q: %v", name, err)
			}
			if err == nil {
				io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
				if got := <-asked; got != name {
					t.Errorf("SNI %q, want %q", got, name)
				}
				c.Close()
			}
		})
	}
}

func BenchmarkApply(b *testing.B) {
	var targets []trellis.Target
	for i := range 1000 {
		targets = append(targets, member(fmt.Sprintf("10.0.%d.%d", i/250, i%250+1)))
	}
	st := stateWith(trellis.TargetGroup{}, targets...)
	m := New(Options{Dial: newHosts().dial})
	b.Run("unchanged", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			m.Apply(st)
		}
	})
	b.Run("one changed", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			t := targets[7]
			t.Account, t.TargetGroupID = testAccount, testGroup
			st.Put(&t)
			m.Apply(st)
		}
	})
}
