package dataplane

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/sigv4"
)

// certifier says whom the certificates of these tests stand for: by their common name, until it changes its mind.
type certifier struct {
	now   atomic.Pointer[Certifying]
	asked atomic.Int64
}

// trust makes a new Certifying that trusts certificates of one common name until a time.
func (c *certifier) trust(name string, until time.Time) {
	c.now.Store(&Certifying{Caller: func(profile string, chain []*x509.Certificate) (*authpolicy.Caller, time.Time, error) {
		c.asked.Add(1)
		if chain[0].Subject.CommonName != name || profile != clientProfile {
			return nil, time.Time{}, errors.New("not trusted")
		}
		return &authpolicy.Caller{Principal: trellis.Principal{Type: trellis.PrincipalAssumedRole, Account: account, ARN: certifiedARN, PolicyARN: certifiedARN,
			X509: &trellis.X509{SubjectCN: name}}}, until, nil
	}})
}

// Whom certificates stand for, and the profile that says so.
const (
	certifiedARN  = "arn:aws:sts::444455556666:assumed-role/orders/1f71c5"
	clientProfile = "arn:aws:rolesanywhere:eu-west-1:444455556666:profile/00000000-0000-4000-8000-000000000000"
)

// asks gives the service tags by which it asks for clients' certificates; empty for none.
func (w *world) asks(how string) {
	s := *must(trellis.Get[*trellis.Service](w.st, account+"/"+svcID))
	s.Tags = maps.Clone(s.Tags)
	if s.Tags == nil {
		s.Tags = map[string]string{}
	}
	s.Tags["trellis:client-certificates"], s.Tags["trellis:client-profile"] = how, clientProfile
	w.st.Put(&s)
	w.build()
}

// TestClientCertificates makes requests by connections with and without certificates, resumed and long ones, while the service
// asks for them and who is trusted changes.
func TestClientCertificates(t *testing.T) {
	c := &certifier{}
	w, k := secureWorld(t, Options{Certifying: c.now.Load}, trellis.ProtocolHTTPS, newTarget(t, ok))
	c.trust("client", time.Now().Add(time.Hour))
	own := k.issue(t, "client", true)
	n := 0
	connect := func(certificate *tls.Certificate, sessions tls.ClientSessionCache) *tls.Conn {
		config := &tls.Config{RootCAs: k.roots, ServerName: host, ClientSessionCache: sessions}
		if certificate != nil {
			config.Certificates = []tls.Certificate{*certificate}
		}
		conn := tls.Client(w.dial(), config)
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	ask := func(name string, conn *tls.Conn, in []byte, status int, source, user string) {
		t.Helper()
		conn.Write(in)
		got := 0
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err == nil {
			io.Copy(io.Discard, resp.Body)
			got = resp.StatusCode
		}
		rec := w.record(n)
		n++
		if got != status || rec.PrincipalSource != source || rec.ResolvedUser != user {
			t.Errorf("%s: %d (%v), the record has %q by %q, %q; want %d, %q by %q", name, got, err, rec.ResolvedUser, rec.PrincipalSource, rec.AuthDeniedDetail, status, user, source)
		}
	}
	unsigned, signed := request("GET", "/a", "-", "", time.Now()), request("GET", "/a", sigv4.UnsignedPayload, "", time.Now())

	early := connect(own, nil)
	ask("not asked for", early, unsigned, 200, "", "Anonymous")
	w.asks("required")
	ask("on a connection from before", early, unsigned, 421, "", "")

	sessions := tls.NewLRUClientSessionCache(4)
	long := connect(own, sessions)
	ask("shown", long, unsigned, 200, "Certificate", certifiedARN)
	ask("again", long, unsigned, 200, "Certificate", certifiedARN)
	if rec := w.record(n - 1); rec.CallerX509SubjectCN != "client" {
		t.Errorf("the record has %q", rec.CallerX509SubjectCN)
	}
	if asked := c.asked.Load(); asked != 1 {
		t.Errorf("asked %d times for one connection", asked)
	}
	ask("signed", long, signed, 200, "Signature", callerARN)
	resumed := connect(nil, sessions)
	ask("resumed", resumed, unsigned, 200, "Certificate", certifiedARN)
	if !resumed.ConnectionState().DidResume {
		t.Error("the session was not resumed")
	}
	ask("none", connect(nil, nil), unsigned, 0, "", "")
	ask("another's", connect(k.issue(t, "other", true), nil), unsigned, 0, "", "")
	if rec := w.record(n - 1); rec.FailureReason != failClientAccessDenied || !strings.Contains(rec.AuthDeniedDetail, "not trusted") {
		t.Errorf("the record says %q, %q", rec.FailureReason, rec.AuthDeniedDetail)
	}

	c.trust("nobody", time.Time{})
	ask("revoked under a long connection", long, unsigned, 403, "", "")
	ask("revoked, resumed", connect(nil, sessions), unsigned, 0, "", "")

	w.asks("optional")
	ask("optional and revoked", connect(own, nil), unsigned, 200, "", "Anonymous")
	ask("optional, none", connect(nil, nil), unsigned, 200, "", "Anonymous")
	c.trust("client", time.Now().Add(-time.Second))
	ended := connect(own, nil)
	before := c.asked.Load()
	ask("ended", ended, unsigned, 200, "Certificate", certifiedARN)
	if asked := c.asked.Load() - before; asked != 2 { // the handshake, and the request after the end
		t.Errorf("asked %d times for a certificate that has ended", asked)
	}
}
