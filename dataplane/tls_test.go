package dataplane

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/trellis-project/trellis"
)

// keys are the certificates of a test: of the generated names, and by ARN.
type keys struct {
	roots *x509.CertPool
	by    atomic.Pointer[map[string]*tls.Certificate]
}

// customName is a service's own name, and customARN the ARN of its certificate.
const (
	customName = "orders.shop.example"
	customARN  = "arn:aws:acm:eu-west-1:444455556666:certificate/00000000-0000-4000-8000-000000000000"
)

// newKeys makes certificates.
func newKeys(t testing.TB) *keys {
	k := &keys{roots: x509.NewCertPool()}
	k.by.Store(&map[string]*tls.Certificate{"": k.issue(t, "*.7d67968.vpc-lattice-svcs.eu-west-1.on.aws", false), customARN: k.issue(t, customName, false)})
	return k
}

// rsaKey is the key of all certificates of the tests that have one of RSA: it takes long to make.
var rsaKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// issue makes a self-signed certificate that clients of the test trust.
func (k *keys) issue(t testing.TB, name string, curve bool) *tls.Certificate {
	t.Helper()
	var key any
	var public any
	if curve {
		p, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		key, public = p, p.Public()
	} else {
		p, err := rsaKey()
		if err != nil {
			t.Fatal(err)
		}
		key, public = p, p.Public()
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 100))
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, public, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	k.roots.AddCert(leaf)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// certificate is Options.Certificate.
func (k *keys) certificate(arn, name string) (*tls.Certificate, error) {
	if strings.HasSuffix(name, ".on.aws") {
		arn = ""
	}
	if c := (*k.by.Load())[arn]; c != nil {
		return c, nil
	}
	return nil, errors.New("no such certificate")
}

// secureWorld is a world whose listener is one of HTTPS; the service has a custom name.
func secureWorld(t *testing.T, o Options, protocol trellis.Protocol, g *target) (*world, *keys) {
	w, k := newWorld(t, g.addr()), newKeys(t)
	s := *must(trellis.Get[*trellis.Service](w.st, account+"/"+svcID))
	s.CustomDomainName, s.CertificateARN = customName, customARN
	w.st.Put(&s)
	w.listenTo(protocol)
	o.Certificate = k.certificate
	w.serve(o)
	return w, k
}

// listenTo gives the listener another protocol.
func (w *world) listenTo(protocol trellis.Protocol) {
	l := *must(trellis.Get[*trellis.Listener](w.st, account+"/"+svcID+"/"+lisID))
	l.Protocol = protocol
	w.st.Put(&l)
}

// client is an HTTP client of the world that speaks TLS.
func (w *world) client(k *keys, change func(*tls.Config)) *http.Client {
	config := &tls.Config{RootCAs: k.roots}
	if change != nil {
		change(config)
	}
	tr := &http.Transport{TLSClientConfig: config, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", w.addr)
	}}
	w.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 20 * time.Second}
}

// ok answers each request with 200 and the text ok.
func ok(_ int, _ string, c net.Conn) bool {
	io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	return true
}

// TestTLS makes requests by TLS 1.2 and 1.3, by the generated and the custom name, on connections that are kept.
func TestTLS(t *testing.T) {
	g := newTarget(t, ok)
	w, k := secureWorld(t, Options{}, trellis.ProtocolHTTPS, g)
	n := 0
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, name := range []string{host, customName, strings.ToUpper(customName)} {
			client := w.client(k, func(c *tls.Config) { c.MaxVersion = version })
			for range 3 {
				resp, err := client.Get("https://" + name + "/x")
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || resp.StatusCode != 200 || string(body) != "ok" {
					t.Fatalf("%s: %d %q %v", name, resp.StatusCode, body, err)
				}
				if seen := g.requests()[n]; !strings.Contains(seen, "\r\nx-forwarded-proto: https\r\n") {
					t.Errorf("the target saw %q", seen)
				}
				r := w.record(n)
				want := map[uint16][2]string{tls.VersionTLS12: {"ECDHE-RSA-AES128-GCM-SHA256", "TLSv1.2"}, tls.VersionTLS13: {"TLS_AES_128_GCM_SHA256", "TLSv1.3"}}[version]
				if r.TLSCipher != want[0] || r.TLSVersion != want[1] || !strings.EqualFold(r.ServerName, name) || r.ListenerType != "HTTPS" {
					t.Errorf("record %+v", r)
				}
				n++
			}
		}
	}
	if s := w.server.Stats(); s.Handshakes != 6 || s.HandshakesFailed != 0 {
		t.Errorf("%d handshakes, %d failed", s.Handshakes, s.HandshakesFailed)
	}
}

// TestTLSResumes goes on with a session instead of a whole handshake, also with another worker.
func TestTLSResumes(t *testing.T) {
	w, k := secureWorld(t, Options{Workers: 3}, trellis.ProtocolHTTPS, newTarget(t, ok))
	sessions := tls.NewLRUClientSessionCache(10)
	for i := range 8 {
		c := tls.Client(w.dial(), &tls.Config{RootCAs: k.roots, ServerName: host, ClientSessionCache: sessions})
		io.WriteString(c, get)
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		if resumed := c.ConnectionState().DidResume; resumed != (i > 0) {
			t.Errorf("connection %d: resumed %t", i, resumed)
		}
		c.Close()
	}
}

// TestTLSCertificateChanges swaps the certificate under load: nothing is lost, and new connections get the new one.
func TestTLSCertificateChanges(t *testing.T) {
	w, k := secureWorld(t, Options{}, trellis.ProtocolHTTPS, newTarget(t, ok))
	next := k.issue(t, customName, true)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				client := w.client(k, func(c *tls.Config) {})
				for range 5 {
					resp, err := client.Get("https://" + customName + "/")
					if err != nil {
						t.Error(err)
						return
					}
					io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				}
				client.CloseIdleConnections()
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	w.record(20)
	by := *k.by.Load()
	k.by.Store(&map[string]*tls.Certificate{"": by[""], customARN: next})
	c := tls.Client(w.dial(), &tls.Config{RootCAs: k.roots, ServerName: customName})
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	if got := c.ConnectionState().PeerCertificates[0]; !got.Equal(next.Leaf) {
		t.Error("a new connection has the old certificate")
	}
	c.Close()
	w.record(100)
	close(stop)
	wg.Wait()
}

// TestTLSRefuses looks at what is no connection to a service.
func TestTLSRefuses(t *testing.T) {
	w, k := secureWorld(t, Options{}, trellis.ProtocolHTTPS, newTarget(t, ok))
	for _, name := range []string{"other.example", "", "x" + host} {
		c := tls.Client(w.dial(), &tls.Config{RootCAs: k.roots, ServerName: name, InsecureSkipVerify: true})
		err := c.Handshake()
		if err == nil || !strings.Contains(err.Error(), "unrecognized name") {
			t.Errorf("%q: %v", name, err)
		}
		c.Close()
	}
	c := tls.Client(w.dial(), &tls.Config{RootCAs: k.roots, ServerName: host, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10})
	if err := c.Handshake(); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	c.Close()
	if out := string(w.exchangeBytes([]byte(get))); !strings.HasPrefix(out, "HTTP/1.1 400 ") {
		t.Errorf("without TLS: %q", out)
	}
	for _, in := range []string{"\x16", "\x16\x03\x01", "\x16\x03\x01\x00\x05hello", "\x16\x03\x01\xff\xff" + strings.Repeat("x", 70000)} {
		if out := w.exchangeBytes([]byte(in)); bytes.Contains(out, []byte("HTTP")) {
			t.Errorf("%q: %q", in[:min(20, len(in))], out)
		}
	}
}

// TestTLSToAnotherListener asks for a service by Host whose listener is without TLS.
func TestTLSToAnotherListener(t *testing.T) {
	g := newTarget(t, ok)
	w, k := newWorld(t, g.addr()), newKeys(t)
	w.st.Put(&trellis.Service{Meta: meta("svc-00000000000000002"), Name: "secure", AuthType: trellis.AuthNone, Status: trellis.StatusActive})
	w.st.Put(&trellis.ServiceAssociation{Meta: meta("snsa-00000000000000002"), Service: trellis.Ref{Account: account, ID: "svc-00000000000000002"},
		ServiceNetwork: trellis.Ref{Account: account, ID: netID}, Status: trellis.StatusActive})
	w.st.Put(&trellis.Listener{Meta: meta("listener-00000000000000002"), ServiceID: "svc-00000000000000002", Name: "https", Protocol: trellis.ProtocolHTTPS, Port: port,
		DefaultAction: trellis.Action{FixedResponse: 404}})
	w.serve(Options{Certificate: k.certificate})
	c := tls.Client(w.dial(), &tls.Config{RootCAs: k.roots, ServerName: "secure-00000000000000002.7d67968.vpc-lattice-svcs.eu-west-1.on.aws"})
	defer c.Close()
	io.WriteString(c, get)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || resp.StatusCode != 421 {
		t.Fatalf("%v %v", resp, err)
	}
	c = tls.Client(w.dial(), &tls.Config{RootCAs: k.roots, ServerName: host})
	defer c.Close()
	if err := c.Handshake(); err == nil {
		t.Error("a listener of HTTP speaks TLS")
	}
}

// TestTLSCarriesAll sends bodies of many sizes both ways, in records and pieces of many sizes: nothing is lost, and
// nothing waits for what is there already.
func TestTLSCarriesAll(t *testing.T) {
	g := newTarget(t, func(_ int, head string, c net.Conn) bool {
		_, size, _ := strings.Cut(head, "x-size: ")
		size, _, _ = strings.Cut(size, "\r\n")
		var n int
		for _, d := range size {
			n = n*10 + int(d-'0')
		}
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: "+size+"\r\n\r\n")
		c.Write(bytes.Repeat([]byte("y"), n))
		return true
	})
	w, k := secureWorld(t, Options{}, trellis.ProtocolHTTPS, g)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		raw := &slow{Conn: w.dial()}
		c := tls.Client(raw, &tls.Config{RootCAs: k.roots, ServerName: host, MaxVersion: version})
		r := bufio.NewReader(c)
		for i, size := range []int{0, 1, 100, 4095, 4096, 16384, 16385, 65535, 65536, 200_000, 1 << 20} {
			raw.piece = []int{1 << 20, 7, 600}[i%3]
			if size > 70_000 {
				raw.piece = 1 << 20
			}
			text := "POST /x HTTP/1.1\r\nHost: " + host + "\r\nx-size: " + itoa(size) + "\r\nContent-Length: " + itoa(size) + "\r\n\r\n" + strings.Repeat("z", size)
			go func() {
				for len(text) > 0 { // many records
					n := min(len(text), 1+size/3+50)
					io.WriteString(c, text[:n])
					text = text[n:]
				}
			}()
			resp, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatalf("%d bytes: %v", size, err)
			}
			body, err := io.ReadAll(resp.Body)
			if err != nil || len(body) != size {
				t.Fatalf("%d bytes: %d came, %v", size, len(body), err)
			}
		}
		// Two requests in one piece: the second one is in records that were read with the first.
		raw.piece = 1 << 20
		io.WriteString(c, strings.Replace(get, "\r\n\r\n", "\r\nx-size: 3\r\n\r\n", 1))
		io.WriteString(c, strings.Replace(get, "\r\n\r\n", "\r\nx-size: 4\r\n\r\n", 1))
		for want := 3; want <= 4; want++ {
			resp, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatal(err)
			}
			if body, _ := io.ReadAll(resp.Body); len(body) != want {
				t.Errorf("answer of %d bytes, want %d", len(body), want)
			}
		}
		c.Close()
	}
}

// slow writes in pieces.
type slow struct {
	net.Conn
	piece int
}

// Write is net.Conn's.
func (s *slow) Write(b []byte) (sent int, err error) {
	for len(b) > 0 && err == nil {
		var n int
		n, err = s.Conn.Write(b[:min(len(b), max(s.piece, 1))])
		sent, b = sent+n, b[n:]
	}
	return sent, err
}

// itoa is a number as text.
func itoa(n int) string { return big.NewInt(int64(n)).String() }

// TestTLSTimeouts checks that a handshake that does not come to its end is broken off.
func TestTLSTimeouts(t *testing.T) {
	w, _ := newWorld(t, behave(t, silent)), newKeys(t)
	w.listenTo(trellis.ProtocolHTTPS)
	k := &clock{w: w}
	w.serve(Options{Now: k.now})
	c := w.dial()
	defer c.Close()
	io.WriteString(c, "\x16\x03\x01\x02\x00")
	w.await(func(c *conn) bool { return c.state == busy && c.tls != nil })
	done, out := all(c)
	k.lasts("a handshake", handshakeTimeout, done)
	if len(*out) != 0 {
		t.Errorf("%q", *out)
	}
}

// passingWorld is a world whose listener passes TLS through to targets.
func passingWorld(t *testing.T, o Options, answer func(net.Conn)) *world {
	w := newWorld(t)
	s := *must(trellis.Get[*trellis.Service](w.st, account+"/"+svcID))
	s.CustomDomainName = customName
	w.st.Put(&s)
	for _, r := range trellis.Sorted[*trellis.Rule](w.st) {
		w.st.Delete(r.Kind(), r.Key())
	}
	w.listenTo(trellis.ProtocolTLSPassthrough)
	w.group(groupID, behave(t, answer))
	g := *must(trellis.Get[*trellis.TargetGroup](w.st, account+"/"+groupID))
	g.Protocol, g.ProtocolVersion = trellis.ProtocolTCP, ""
	w.st.Put(&g)
	w.serve(o)
	return w
}

// TestPassthrough passes TLS through to a target that has the certificate, half-closes included.
func TestPassthrough(t *testing.T) {
	k := newKeys(t)
	certificate, _ := k.certificate(customARN, customName)
	w := passingWorld(t, Options{}, func(c net.Conn) {
		s := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{*certificate}})
		body, err := io.ReadAll(s)
		if err != nil {
			return
		}
		s.Write(bytes.ToUpper(body))
		s.Close()
	})
	for i, size := range []int{0, 5, 100_000, 3 << 20} {
		c := tls.Client(w.dial(), &tls.Config{RootCAs: k.roots, ServerName: customName})
		go func() {
			c.Write(bytes.Repeat([]byte("a"), size))
			c.CloseWrite()
		}()
		body, err := io.ReadAll(c)
		if err != nil || len(body) != size || bytes.Count(body, []byte("A")) != size {
			t.Fatalf("%d bytes: %d came, %v", size, len(body), err)
		}
		c.Close()
		r := w.record(i)
		if r.ListenerType != "TLS_PASSTHROUGH" || r.ServerName != customName || r.FailureReason != "" || !r.Target.IsValid() || r.BytesReceived < int64(size) || r.BytesSent < int64(size) {
			t.Errorf("record %+v", r)
		}
	}
	for _, name := range []string{host, "other.example"} {
		c := tls.Client(w.dial(), &tls.Config{RootCAs: k.roots, ServerName: name})
		if err := c.Handshake(); err == nil || !strings.Contains(err.Error(), "unrecognized name") {
			t.Errorf("%s: %v", name, err)
		}
		c.Close()
	}
}

// TestPassthroughAuthorizes asks the policies about the action Connect, of nobody, also where the network vouches for who
// connects.
func TestPassthroughAuthorizes(t *testing.T) {
	for policy, allowed := range map[string]bool{
		`{"Statement":[{"Effect":"Allow","Principal":"*","Action":"vpc-lattice-svcs:Connect","Resource":"*"}]}`: true,
		`{"Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}`:                        true,
		`{"Statement":[{"Effect":"Allow","Principal":"*","Action":"vpc-lattice-svcs:Invoke","Resource":"*"}]}`:  false,
		`{"Statement":[{"Effect":"Allow","Principal":{"AWS":"444455556666"},"Action":"*","Resource":"*"}]}`:     false,
		``: false,
	} {
		t.Run(policy, func(t *testing.T) {
			w := passingWorld(t, someone(trellis.Principal{Type: trellis.PrincipalAssumedRole, Account: account, ARN: callerARN}), func(c net.Conn) { io.WriteString(c, "here"); io.Copy(io.Discard, c) })
			w.enforce(svcID, policy)
			w.build()
			c := w.dial()
			defer c.Close()
			go tls.Client(c, &tls.Config{ServerName: customName}).Handshake()
			out := make([]byte, 4)
			_, err := io.ReadFull(c, out)
			if (err == nil) != allowed || allowed && string(out) != "here" {
				t.Errorf("%q, %v", out, err)
			}
			c.Close()
			if r := w.record(0); (r.AuthDeniedReason == "Service") == allowed || (r.FailureReason == failClientAccessDenied) == allowed {
				t.Errorf("record %+v", r)
			}
		})
	}
}

// TestPassthroughIdle ends a connection over which nothing was sent for the idle timeout; what is sent in one direction
// counts for both.
func TestPassthroughIdle(t *testing.T) {
	greeting, heard := greetingOf(t, customName), make(chan byte, 10)
	k := &clock{}
	w := passingWorld(t, Options{Now: k.now}, func(c net.Conn) {
		io.CopyN(io.Discard, c, int64(len(greeting)))
		var b [1]byte
		for {
			if _, err := c.Read(b[:]); err != nil {
				return
			}
			heard <- b[0]
		}
	})
	k.w = w
	c := w.dial()
	defer c.Close()
	c.Write(greeting)
	w.await(func(c *conn) bool { return c.x != nil && c.x.target != nil })
	for range 3 {
		k.advance(40 * time.Second)
		io.WriteString(c, "!")
		<-heard
	}
	done, _ := all(c)
	k.lasts("a connection that is passed through", defaultIdle, done)
	if r := w.record(0); r.FailureReason != "" {
		t.Errorf("record %+v", r)
	}
}

// greetingOf is the ClientHello for a name.
func greetingOf(t testing.TB, name string) []byte {
	near, far := net.Pipe()
	defer far.Close()
	go tls.Client(near, &tls.Config{ServerName: name}).Handshake()
	b := make([]byte, 4096)
	n, err := far.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	near.Close()
	return b[:n]
}

// TestPassthroughGreetingInPieces takes a ClientHello byte by byte, and one with something behind it.
func TestPassthroughGreetingInPieces(t *testing.T) {
	got := make(chan []byte, 2)
	w := passingWorld(t, Options{}, func(c net.Conn) {
		b, _ := io.ReadAll(c)
		got <- b
	})
	want := append(greetingOf(t, customName), "what comes behind it"...)
	for _, piece := range []int{1, 5, 100, len(want)} {
		c := w.dial()
		(&slow{Conn: c, piece: piece}).Write(want)
		c.(*net.TCPConn).CloseWrite()
		if b := <-got; !bytes.Equal(b, want) {
			t.Errorf("in pieces of %d: the target got %d bytes, want %d", piece, len(b), len(want))
		}
		c.Close()
	}
}

// TestSecureTransport tells policies whether a request came by TLS.
func TestSecureTransport(t *testing.T) {
	for listener, want := range map[trellis.Protocol]int{trellis.ProtocolHTTPS: 200, trellis.ProtocolHTTP: 403} {
		w, client, base := versions(t, listener, trellis.ProtocolHTTP, "HTTP1", Options{}, func(http.ResponseWriter, *http.Request) {})
		w.enforce(svcID, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"true"}}}]}`)
		w.build()
		resp, err := client.Get(base + "/a")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", listener, resp.StatusCode, want)
		}
	}
}
