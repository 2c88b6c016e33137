package identity

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/trellis-project/trellis"
)

// How issuers are asked. They are chosen by tenants, so that each bound here is against a bad one.
const (
	issuerTimeout  = 5 * time.Second  // for both documents together, as AWS's STS waits
	maxDocument    = 1 << 20          // bytes of a document
	keysFresh      = time.Hour        // how long keys are used without asking again
	keysStale      = 24 * time.Hour   // how long they are used when the issuer can't be asked
	fetchBurst     = 3                // how often an issuer is asked within fetchWindow at most: for keys that are not
	fetchWindow    = 15 * time.Second // known, and when it fails
	maxIssuers     = 256              // remembered
	maxIssuerWaits = 16               // calls that wait for one issuer
	maxAllWaits    = 64               // calls that wait for any
)

// Why the keys of an issuer are not to be had; all else is about what the issuer answered.
var (
	errIssuerUnreachable = errors.New("the issuer can't be reached")
	errIssuerUntrusted   = errors.New("the issuer's certificate is not trusted")
	errIssuerBusy        = errors.New("too many calls wait for the issuer")
)

// issuers knows the keys of OIDC issuers. It asks an issuer when a key is needed that it does not have, one call at a
// time, and remembers what it got.
type issuers struct {
	now     func() time.Time
	strict  bool
	roots   func() *x509.CertPool // nil: the system's
	timeout time.Duration         // issuerTimeout
	waits   chan struct{}         // a place for each call that waits

	mu    sync.Mutex
	known map[string]*issuer // by URL and thumbprints
}

// issuer is what is known of one.
type issuer struct {
	url, thumbprints string
	waits            chan struct{} // a place for each call that waits for this one

	mu      sync.Mutex // held while keys and times are looked at, never while the issuer is asked
	keys    []jose.JSONWebKey
	fetched time.Time   // when keys came, zero: never
	asked   []time.Time // the last times it was asked, fetchBurst at most
	failure error       // of the last time
	flight  chan struct{}
}

// newIssuers knows nobody yet.
func newIssuers(now func() time.Time, strict bool, roots func() *x509.CertPool) *issuers {
	return &issuers{now: now, strict: strict, roots: roots, timeout: issuerTimeout, waits: make(chan struct{}, maxAllWaits), known: map[string]*issuer{}}
}

// of finds or makes what is known of a provider's issuer. Providers with other thumbprints trust other certificates,
// so that they don't share keys.
func (s *issuers) of(p *trellis.OIDCProvider) *issuer {
	id := p.URL + " " + strings.Join(p.Thumbprints, " ")
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.known[id]; known != nil {
		return known
	}
	for other := range s.known { // any: it is asked again when it is needed
		if len(s.known) < maxIssuers {
			break
		}
		delete(s.known, other)
	}
	n := &issuer{url: p.URL, thumbprints: strings.Join(p.Thumbprints, " "), waits: make(chan struct{}, maxIssuerWaits)}
	s.known[id] = n
	return n
}

// keys returns an issuer's keys of an id (all when it is empty), asking the issuer when they are not known or old.
func (s *issuers) keys(ctx context.Context, p *trellis.OIDCProvider, id string) ([]jose.JSONWebKey, error) {
	is := s.of(p)
	have, fresh := is.look(id, s.now())
	if len(have) > 0 && fresh {
		return have, nil
	}
	if err := s.ask(ctx, is); err != nil && len(have) == 0 {
		return nil, err
	}
	if now, _ := is.look(id, s.now()); len(now) > 0 {
		return now, nil
	}
	return nil, fmt.Errorf("the issuer has no key %q", printable(id))
}

// look returns the keys of an id that are known and not too old.
func (is *issuer) look(id string, now time.Time) (keys []jose.JSONWebKey, fresh bool) {
	is.mu.Lock()
	defer is.mu.Unlock()
	age := now.Sub(is.fetched)
	if is.fetched.IsZero() || age >= keysStale {
		return nil, false
	}
	return byID(is.keys, id), age < keysFresh
}

// ask asks the issuer for its keys, or waits for a call that does. It is not asked more often than fetchBurst allows;
// then the answer is that of the last time.
func (s *issuers) ask(ctx context.Context, is *issuer) error {
	for _, places := range []chan struct{}{s.waits, is.waits} {
		select {
		case places <- struct{}{}:
			defer func() { <-places }()
		default:
			return errIssuerBusy
		}
	}
	is.mu.Lock()
	if flight := is.flight; flight != nil {
		is.mu.Unlock()
		select {
		case <-flight:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", errIssuerUnreachable, ctx.Err())
		}
		is.mu.Lock()
		defer is.mu.Unlock()
		return is.failure
	}
	if !is.mayAsk(s.now()) {
		defer is.mu.Unlock()
		return is.failure
	}
	flight := make(chan struct{})
	is.flight = flight
	is.mu.Unlock()
	keys, err := s.fetch(context.WithoutCancel(ctx), is) // others wait for it too
	is.mu.Lock()
	defer is.mu.Unlock()
	if is.flight, is.failure = nil, err; err == nil {
		is.keys, is.fetched = keys, s.now()
	}
	close(flight)
	return err
}

// mayAsk tells whether the issuer may be asked now, and notes that it is.
func (is *issuer) mayAsk(now time.Time) bool {
	if len(is.asked) == fetchBurst {
		if now.Sub(is.asked[0]) < fetchWindow {
			return false
		}
		is.asked = append(is.asked[:0], is.asked[1:]...)
	}
	is.asked = append(is.asked, now)
	return true
}

// fetch reads the issuer's discovery document and then its keys (OpenID Connect Discovery 1.0, section 4).
func (s *issuers) fetch(ctx context.Context, is *issuer) ([]jose.JSONWebKey, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	client := &http.Client{
		Transport: &http.Transport{DialContext: s.dial, TLSClientConfig: s.tls(is.thumbprints), DisableKeepAlives: true,
			DisableCompression: true, MaxResponseHeaderBytes: 64 << 10},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	var document struct {
		Issuer  string `json:"issuer"`
		KeysURL string `json:"jwks_uri"`
	}
	text, err := s.get(ctx, client, strings.TrimSuffix(is.url, "/")+"/.well-known/openid-configuration")
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("discovery document: %w", err)
	}
	if document.Issuer != is.url {
		return nil, fmt.Errorf("discovery document: it is of the issuer %q", printable(document.Issuer))
	}
	u, err := url.Parse(document.KeysURL)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && (u.Scheme != "http" || !strings.HasPrefix(is.url, "http:")) {
		return nil, fmt.Errorf("discovery document: jwks_uri %q can't be used", printable(document.KeysURL))
	}
	if text, err = s.get(ctx, client, document.KeysURL); err != nil {
		return nil, err
	}
	keys, err := parseKeys(text)
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	return keys, nil
}

// get reads one document of an issuer.
func (s *issuers) get(ctx context.Context, client *http.Client, address string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "application/json")
	answer, err := client.Do(r)
	if errors.Is(err, errIssuerUntrusted) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errIssuerUnreachable, err)
	}
	defer answer.Body.Close()
	switch {
	case answer.StatusCode >= 500 || answer.StatusCode == http.StatusTooManyRequests:
		return nil, fmt.Errorf("%w: GET %s: status %d", errIssuerUnreachable, address, answer.StatusCode)
	case answer.StatusCode != http.StatusOK: // a redirect too: the issuer is where its URL says
		return nil, fmt.Errorf("GET %s: status %d", address, answer.StatusCode)
	}
	if kind, _, err := mime.ParseMediaType(answer.Header.Get("Content-Type")); err == nil && strings.HasPrefix(kind, "text/html") {
		return nil, fmt.Errorf("GET %s: a page, not JSON", address)
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxDocument+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: GET %s: %w", errIssuerUnreachable, address, err)
	case len(text) > maxDocument:
		return nil, fmt.Errorf("GET %s: more than %d bytes", address, maxDocument)
	}
	return text, nil
}

// dial connects to an issuer, at an address that tenants may send Trellis to. It is looked at when the name has been
// resolved, so that a name can't hide it.
func (s *issuers) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		if !issuerAt(to.Addr(), s.strict) {
			return fmt.Errorf("no issuer is asked at %s", to.Addr())
		}
		return nil
	}}
	return d.DialContext(ctx, network, address)
}

// issuerAt tells whether an issuer may be at an address: not at link-local ones, where clouds and Trellis have their
// own services, nor where nobody is; on this host's loopback only when not strict.
func issuerAt(a netip.Addr, strict bool) bool {
	a = a.Unmap().WithZone("")
	switch {
	case a.IsUnspecified(), a.IsMulticast(), a.IsLinkLocalUnicast(), a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return false
	case a.IsLoopback():
		return !strict
	}
	return !metadataRange.Contains(a)
}

// metadataRange holds the IPv6 addresses of instance metadata, resolvers and VPC Lattice.
var metadataRange = netip.MustParsePrefix("fd00:ec2::/32")

// issuerError is what the client is told when the keys of an issuer are not to be had.
func issuerError(err error) *trellis.Error {
	switch {
	case errors.Is(err, errIssuerUntrusted):
		return invalidToken("OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint")
	case errors.Is(err, errIssuerUnreachable), errors.Is(err, errIssuerBusy):
		return trellis.NewError(400, "IDPCommunicationError", "The identity provider could not be reached.")
	}
	return invalidToken("Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements")
}
