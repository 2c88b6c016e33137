package dataplane

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/routing"
)

// Certifying says for whom clients' certificates stand. It is never changed; another takes its place when anything changes
// that it was made of, and that is how connections notice.
type Certifying struct {
	// Caller verifies a chain, which begins with the certificate whose key the client has, and returns the caller that it
	// stands for by a profile, and until when. It may compile policies and check signatures, as long as a handshake takes.
	Caller func(profileARN string, chain []*x509.Certificate) (c *authpolicy.Caller, until time.Time, err error)
}

// Why a client's certificate stands for nobody, besides what Certifying says.
var (
	errNoCertificate = errors.New("the client has shown no certificate")
	errNoProfile     = errors.New("the service names no profile of its account")
	errCertificate   = errors.New("client certificate")
)

// certified is what the certificate of a connection's client stands for, as it was last asked.
type certified struct {
	chain   []*x509.Certificate // nil when none was shown
	by      *Certifying
	profile string
	caller  *authpolicy.Caller // nil with an error
	until   time.Time
	err     error
}

// judge asks whom the certificate stands for by a profile, unless the answer is known and still holds: a certificate that has
// ended or was revoked stands for nobody from the next request on.
func (c *certified) judge(s *Server, profile string) {
	by, now := s.Certifying(), s.Now()
	if c.by == by && c.profile == profile && c.by != nil && (c.err != nil || now.Before(c.until)) {
		return
	}
	c.by, c.profile, c.caller, c.until = by, profile, nil, time.Time{}
	switch {
	case len(c.chain) == 0:
		c.err = errNoCertificate
	case by == nil || profile == "":
		c.err = errNoProfile
	default:
		c.caller, c.until, c.err = by.Caller(profile, c.chain)
	}
}

// asks is what a service's HTTPS listeners ask of clients' certificates, nil for nothing. In strict mode none does.
func (s *Server) asks(service *routing.Service) *routing.ClientCertificates {
	if s.Strict {
		return nil
	}
	return service.ClientCertificates
}

// asking is the configuration of a handshake with a service that asks for the client's certificate. A session that is resumed
// brings the certificate of the one it goes on with, which is judged anew.
func (c *conn) asking(config *tls.Config, service *routing.Service) *tls.Config {
	ask := c.l.s.asks(service)
	if ask == nil {
		return config
	}
	config = config.Clone()
	config.ClientAuth = tls.RequestClientCert
	if ask.Required {
		config.ClientAuth = tls.RequireAnyClientCert
	}
	config.VerifyConnection = func(state tls.ConnectionState) error {
		is := &certified{chain: state.PeerCertificates}
		is.judge(c.l.s, ask.Profile)
		c.tls.certified = is
		if ask.Required && is.err != nil {
			return fmt.Errorf("%w: %w", errCertificate, is.err)
		}
		return nil
	}
	return config
}

// certify holds the client's certificate against what the service asks: one that is required must be there, whoever signs the
// request. A connection on which none was asked for, since it was made for another service or before, is the wrong one.
func (x *exchange) certify() *denial {
	ask := x.l.s.asks(x.service)
	if x.tls == nil || ask == nil {
		return nil
	}
	is := x.tls.certified
	if is == nil || len(is.chain) == 0 {
		if ask.Required {
			return &denial{status: 421, reason: failClientProtocol, close: true}
		}
		return nil
	}
	is.judge(x.l.s, ask.Profile)
	if ask.Required && is.err != nil {
		x.rec.AuthDeniedDetail = errCertificate.Error() + ": " + is.err.Error()
		return &denial{status: 403, body: "AccessDeniedException: The client certificate is not trusted any more", reason: failClientAccessDenied, close: true}
	}
	return nil
}

// certificateCaller is the caller that the client's certificate stands for, nil for none. certify has judged it.
func (x *exchange) certificateCaller() *authpolicy.Caller {
	if x.tls == nil || x.tls.certified == nil || x.l.s.asks(x.service) == nil {
		return nil
	}
	return x.tls.certified.caller
}
