package dataplane

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/reactor"
	"github.com/trellis-project/trellis/routing"
)

// recordHandshake is the first byte of a connection that begins TLS (RFC 8446 5.1). No method of HTTP begins with it.
const recordHandshake = 22

// handshakeTimeout is how long TLS may take to begin.
const handshakeTimeout = 10 * time.Second

// suites are VPC Lattice's for TLS 1.2, those of TLS 1.3 are always the same (VPC Lattice user guide, https-listeners).
var suites = []uint16{
	tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
	tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
	tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_128_CBC_SHA,
	tls.TLS_RSA_WITH_AES_256_GCM_SHA384, tls.TLS_RSA_WITH_AES_256_CBC_SHA,
	// Beyond VPC Lattice, whose certificates are RSA: for certificates with a key on a curve.
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
}

// suiteNames are OpenSSL's names, which access logs have.
var suiteNames = map[uint16]string{
	tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256:   "ECDHE-RSA-AES128-GCM-SHA256",
	tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA:      "ECDHE-RSA-AES128-SHA",
	tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384:   "ECDHE-RSA-AES256-GCM-SHA384",
	tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA:      "ECDHE-RSA-AES256-SHA",
	tls.TLS_RSA_WITH_AES_128_GCM_SHA256:         "AES128-GCM-SHA256",
	tls.TLS_RSA_WITH_AES_128_CBC_SHA:            "AES128-SHA",
	tls.TLS_RSA_WITH_AES_256_GCM_SHA384:         "AES256-GCM-SHA384",
	tls.TLS_RSA_WITH_AES_256_CBC_SHA:            "AES256-SHA",
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: "ECDHE-ECDSA-AES128-GCM-SHA256",
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: "ECDHE-ECDSA-AES256-GCM-SHA384",
	tls.TLS_AES_128_GCM_SHA256:                  "TLS_AES_128_GCM_SHA256",
	tls.TLS_AES_256_GCM_SHA384:                  "TLS_AES_256_GCM_SHA384",
	tls.TLS_CHACHA20_POLY1305_SHA256:            "TLS_CHACHA20_POLY1305_SHA256",
}

// versionNames are the versions of TLS as access logs have them.
var versionNames = map[uint16]string{tls.VersionTLS12: "TLSv1.2", tls.VersionTLS13: "TLSv1.3"}

// Why a handshake is broken off.
var (
	errNoService = errors.New("no service of this name has a listener for TLS at this port")
	errPassed    = errors.New("the connection is passed through")
)

// unrecognizedName is the alert for a name that nobody has (RFC 6066 3, RFC 8446 6).
var unrecognizedName = []byte{21, 3, 3, 0, 2, 2, 112}

// agreed is what a TLS connection knows of itself.
type agreed struct {
	*reactor.Secured
	serverName      string     // SNI
	cipher, version string     // as access logs have them
	http2           bool       // what ALPN agreed on
	certified       *certified // whom the client's certificate stands for; nil when none was asked for
}

// hello is how a TLS connection begins.
type hello struct {
	network  *routing.Network
	service  *routing.Service
	listener *routing.Listener
	name     string // SNI
	first    []byte // what the client has sent, of a connection that is passed through
	vpc      *routing.VPC
}

// secure begins TLS on a connection whose first bytes have been read. It returns false when the connection has ended,
// or is passed through to its end.
func (c *conn) secure(first []byte) bool {
	loop := c.w.loop
	s := reactor.SecureServer(&c.Conn, c.l.s.tls, first)
	c.tls = &agreed{Secured: s}
	c.SetReadDeadline(loop.Now() + handshakeTimeout)
	c.SetWriteDeadline(loop.Now() + handshakeTimeout)
	err := s.Handshake()
	switch {
	case err == nil:
		state := s.State()
		c.tls.serverName, c.tls.cipher, c.tls.version = state.ServerName, suiteNames[state.CipherSuite], versionNames[state.Version]
		c.tls.http2 = state.NegotiatedProtocol == "h2"
		c.w.s.handshakes.Add(1)
		c.hello = nil
		return true
	case errors.Is(err, errPassed):
		h := c.hello
		c.hello, c.tls = nil, nil
		s.Forget()
		c.passThrough(h)
	case errors.Is(err, errNoService):
		s.Forget()
		c.tls = nil
		c.Conn.Write(unrecognizedName)
		c.unsecured(failClientProtocol, err)
	default:
		s.Refuse()
		reason := failClientProtocol
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			reason = failClientClosed
		}
		if errors.Is(err, errCertificate) {
			reason = failClientAccessDenied
		}
		c.unsecured(reason, err)
		if reason == failClientAccessDenied && c.Conn.CloseWrite() == nil {
			c.readOn(c.Conn.Read) // clients of TLS 1.3 have sent a request already, and are to see the alert
		}
	}
	c.end()
	return false
}

// unsecured accounts for a handshake that failed: nothing could be answered.
func (c *conn) unsecured(reason string, why error) {
	c.w.s.handshakesFailed.Add(1)
	x := c.begin()
	defer c.free()
	x.began, x.start = c.w.loop.Now(), c.w.loop.Time()
	r := &x.rec
	r.Start, r.Source, r.SourceVPCID, r.FailureReason, r.RequestID = x.start, x.from, c.l.vpcID, reason, x.newRequestID()
	if errors.Is(why, errCertificate) {
		r.AuthDeniedDetail = why.Error()
	}
	if h := c.hello; h != nil {
		r.ServerName = h.name
		if h.vpc != nil {
			r.SourceVPCARN = h.vpc.ARN
		}
		if h.network != nil {
			r.ServiceNetworkARN = h.network.ARN
		}
		if h.service != nil {
			r.ServiceARN = h.service.ARN
		}
	}
	c.hello = nil
	x.account()
}

// tlsConfig is the configuration that every handshake begins with.
func (s *Server) tlsConfig() *tls.Config {
	return &tls.Config{GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		c, ok := reactor.OwnerOf(h.Conn).(*conn)
		if !ok {
			return nil, errNoService
		}
		return c.greeted(h)
	}}
}

// greeted decides about a connection by its ClientHello: by the name in it (SNI) and the port.
func (c *conn) greeted(info *tls.ClientHelloInfo) (*tls.Config, error) {
	h := &hello{name: info.ServerName}
	c.hello = h
	t := c.l.s.Table()
	if t == nil || h.name == "" {
		return nil, errNoService
	}
	if h.vpc = t.VPC(c.l.vpcID); h.vpc == nil {
		return nil, errNoService
	}
	if h.network = c.l.network(h.vpc); h.network == nil {
		return nil, errNoService
	}
	if h.service = t.Service(h.network, h.name); h.service == nil {
		return nil, errNoService
	}
	if h.listener = h.service.Listener(c.l.port); h.listener == nil {
		return nil, errNoService
	}
	switch h.listener.Protocol {
	case trellis.ProtocolHTTPS:
		certificate, err := c.l.s.Certificate(h.service.CertificateARN, h.name)
		if err != nil {
			c.l.s.Logger.Warn("no certificate", "service", h.service.ARN, "name", h.name, "certificate", h.service.CertificateARN, "error", err)
			return nil, errNoService
		}
		return c.asking(c.w.configOf(certificate), h.service), nil
	case trellis.ProtocolTLSPassthrough:
		if !h.service.Custom(h.name) {
			return nil, errNoService
		}
		h.first = c.tls.Recorded()
		return nil, errPassed
	}
	return nil, errNoService
}

// configsKept bounds the configurations that a worker keeps.
const configsKept = 4096

// ticketLife is how long a key of session tickets encrypts. It decrypts for as long again.
const ticketLife = 12 * time.Hour

// configOf is the configuration of a certificate. Sessions are resumed with the certificate that they began with, by
// every worker.
func (w *worker) configOf(certificate *tls.Certificate) *tls.Config {
	period := w.loop.Time().Unix() / int64(ticketLife/time.Second)
	if config := w.configs[certificate]; config != nil && w.configPeriod == period {
		return config
	}
	if w.configPeriod != period || len(w.configs) >= configsKept {
		clear(w.configs)
		w.configPeriod = period
	}
	config := &tls.Config{Certificates: []tls.Certificate{*certificate}, MinVersion: tls.VersionTLS12, CipherSuites: suites,
		NextProtos: protocols, DynamicRecordSizingDisabled: true, Time: w.s.Now}
	config.SetSessionTicketKeys([][32]byte{w.s.ticketKey(certificate, period), w.s.ticketKey(certificate, period-1)})
	w.configs[certificate] = config
	return config
}

// protocols are what TLS may agree on, the best first (ALPN; VPC Lattice user guide, https-listeners).
// curl --http1.0 asks for the last, and would be refused without.
var protocols = []string{"h2", "http/1.1", "http/1.0"}

// ticketKey is the key of session tickets in a period of time.
func (s *Server) ticketKey(certificate *tls.Certificate, period int64) (key [32]byte) {
	mac := hmac.New(sha256.New, s.ticketSecret[:])
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(period)))
	for _, c := range certificate.Certificate {
		mac.Write(c)
	}
	copy(key[:], mac.Sum(nil))
	return key
}

// newTicketSecret makes what the keys of session tickets are derived from. It lives as long as the process.
func newTicketSecret() (secret [32]byte) {
	rand.Read(secret[:])
	return secret
}

// TryRead reads plain text that has come, without waiting.
func (c *conn) TryRead(b []byte) (int, error) {
	if c.tls != nil {
		return c.tls.TryRead(b)
	}
	return c.Conn.TryRead(b)
}

// Read reads plain text, waiting for it.
func (c *conn) Read(b []byte) (int, error) {
	if c.tls != nil {
		return c.tls.Read(b)
	}
	return c.Conn.Read(b)
}

// WaitRead waits until there may be something to read.
func (c *conn) WaitRead() error {
	if c.tls != nil && c.tls.Holds() {
		return nil
	}
	return c.Conn.WaitRead()
}

// Write sends plain text.
func (c *conn) Write(b []byte) (int, error) {
	if c.tls != nil {
		return c.tls.Write(b)
	}
	return c.Conn.Write(b)
}

// Write2 sends two pieces of plain text.
func (c *conn) Write2(a, b []byte) (int, error) {
	if c.tls != nil {
		return c.tls.Write2(a, b)
	}
	return c.Conn.Write2(a, b)
}

// HasNews tells whether there may be something to read.
func (c *conn) HasNews() bool { return c.tls != nil && c.tls.Holds() || c.Conn.HasNews() }

// Silent tells that there is nothing to read.
func (c *conn) Silent() bool { return (c.tls == nil || !c.tls.Holds()) && c.Conn.Silent() }

// CloseWrite tells the client that nothing more is sent.
func (c *conn) CloseWrite() error {
	if c.tls != nil {
		if err := c.tls.CloseWrite(); err != nil {
			return err
		}
	}
	return c.Conn.CloseWrite()
}
