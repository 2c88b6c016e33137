package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/gorilla/websocket"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
)

// speaker is the client that speaks everything but HTTP/1.1 in clear text: HTTPS, HTTP/2 and gRPC with calls that end, and
// connections and streams that are kept for long.
type speaker struct {
	cfg   *clientConfig
	out   *reporter
	roots *x509.CertPool
}

// dialer makes its connections.
var dialer = &net.Dialer{Timeout: 10 * time.Second}

// speak calls for good.
func speak(cfg *clientConfig, out *reporter) error {
	pem, err := os.ReadFile(cfg.Root)
	if err != nil {
		return err
	}
	s := &speaker{cfg: cfg, out: out, roots: x509.NewCertPool()}
	if !s.roots.AppendCertsFromPEM(pem) {
		return fmt.Errorf("no certificate in %s", cfg.Root)
	}
	seed := uint64(0)
	rng := func() *rand.Rand {
		seed++
		return rand.New(rand.NewPCG(cfg.Seed, seed))
	}
	for _, way := range []string{"https", "handshake", "h2", "h2c"} {
		r := rng()
		go s.call(way, r)
	}
	r := rng()
	go s.callGRPC(r)
	for _, k := range []struct {
		name, service string
		begin         func(context.Context) (*talk, error)
	}{{"stream", "kept", s.beginStream}, {"websocket", "kept", s.beginSocket}, {"tcp", "lines", s.beginTCP}, {"passthrough", "lines", s.beginPassed}} {
		for range keptEach {
			r := rng()
			go s.keep(k.name, k.service, k.begin, r)
		}
	}
	select {}
}

const (
	// keptEach is how many connections of each kind are kept at a time.
	keptEach = 3
	// ways is among how many the rate of calls is divided.
	ways = 5
)

// web is one of the names of the service that speaks all of HTTP.
func (s *speaker) web(rng *rand.Rand) string {
	if rng.IntN(2) == 0 {
		return webName
	}
	return s.cfg.Services["web"]
}

// client makes a client of HTTP that goes one way: with connections that are kept, with a handshake each, or by HTTP/2.
func (s *speaker) client(way string) *caller {
	k := newCaller(s.cfg)
	t := k.http.Transport.(*http.Transport)
	t.Protocols = new(http.Protocols)
	k.scheme, t.TLSClientConfig = "https", &tls.Config{RootCAs: s.roots, ClientSessionCache: tls.NewLRUClientSessionCache(8)}
	switch way {
	case "h2":
		t.Protocols.SetHTTP2(true)
	case "h2c":
		k.scheme = "http"
		t.Protocols.SetUnencryptedHTTP2(true)
	default:
		t.Protocols.SetHTTP1(true)
		t.DisableKeepAlives = way == "handshake"
	}
	return k
}

// call makes calls one way, a few at a time.
func (s *speaker) call(way string, rng *rand.Rand) {
	k := s.client(way)
	slots := make(chan struct{}, 6)
	for n := 0; ; n++ {
		pace(rng, s.cfg.Rate/ways)
		p := &plan{service: "web", host: s.web(rng), nonce: nonce(rng), method: http.MethodGet, upload: -1}
		p.kind = []string{"echo", "echo", "sum", "chunked", "chunked-sum", "slow", "pieces", "head"}[rng.IntN(8)]
		if rng.IntN(40) == 0 {
			p.kind = []string{"big", "big-sum"}[rng.IntN(2)]
		}
		if strings.HasPrefix(way, "h2") && rng.IntN(2) == 0 {
			p.path = "/two" // to targets of HTTP/2
		}
		p.fill(rng, s.cfg.Big)
		p.kind = way + " " + p.kind
		slots <- struct{}{}
		go func() {
			s.out.report(k.do(p))
			<-slots
		}()
		if n%50 == 49 {
			k.http.CloseIdleConnections() // so that connections are new, and sessions of TLS used again
		}
	}
}

// dialCalls makes a client of gRPC.
func (s *speaker) dialCalls() (*grpc.ClientConn, error) {
	return grpc.NewClient(webName+":443", grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: s.roots})), grpc.WithDefaultCallOptions(grpc.ForceCodec(asIs{})))
}

// failCall notes how a call of gRPC has failed.
func (c *call) failCall(err error) {
	kind := classify(err, false)
	switch status.Code(err) {
	case codes.Unavailable:
		kind = errClosed
	case codes.DeadlineExceeded:
		kind = errTimeout
	}
	c.fail(kind, "%v", err)
}

// answered notes the answer of who says what it has heard.
func (c *call) answered(said, asked string) {
	var heard string
	if c.From, heard, _ = strings.Cut(said, " "); heard != asked {
		c.fail(errWrong, "%.60q was heard as %.60q", asked, heard)
		return
	}
	c.Status = http.StatusOK
}

// callGRPC makes calls with a message each way.
func (s *speaker) callGRPC(rng *rand.Rand) {
	var conn *grpc.ClientConn
	var born time.Time
	for n := 0; ; n++ {
		pace(rng, s.cfg.Rate/ways)
		if n%50 == 0 {
			if conn != nil {
				conn.Close()
			}
			conn, born = nil, time.Now()
			var err error
			if conn, err = s.dialCalls(); err != nil {
				panic(err) // it does not depend on the network
			}
		}
		c := stopwatch(s.cfg.Kind, "web", "grpc unary", "")
		c.Born = born.UnixNano()
		ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
		asked, said := []byte(strings.Repeat(nonce(rng), 1+rng.IntN(200))), []byte(nil)
		if err := conn.Invoke(ctx, "/soak.Lines/Say", &asked, &said); err != nil {
			c.failCall(err)
		} else {
			c.answered(string(said), string(asked))
		}
		cancel()
		c.End = time.Now().UnixNano()
		s.out.report(c)
	}
}

// talk is a connection, or a stream, that is kept: each text that is said is answered by one.
type talk struct {
	say func(text string) (answer string, err error)
	end func() error // in order, and so that the other side agrees
}

// keep keeps a connection for half a minute or two, and says something over it now and then; then another one. A call begins when
// the one before it has ended: whatever happens between two of them, the connection is to survive.
func (s *speaker) keep(kind, service string, begin func(context.Context) (*talk, error), rng *rand.Rand) {
	for {
		c := stopwatch(s.cfg.Kind, service, kind, "")
		ended := func(err error) bool {
			if err != nil {
				c.failCall(err)
			}
			c.End = time.Now().UnixNano()
			s.out.report(c)
			next := stopwatch(s.cfg.Kind, service, kind, c.From)
			next.Start, next.Born = c.End, c.Born
			c = next
			return err != nil
		}
		ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
		t, err := begin(ctx)
		cancel()
		if err != nil {
			ended(err)
			pace(rng, 1)
			continue
		}
		c.Born = time.Now().UnixNano()
		until := time.Now().Add(30*time.Second + rand.N(90*time.Second))
		for time.Now().Before(until) {
			asked := strings.Repeat(nonce(rng), 1+rng.IntN(500))
			said, err := t.say(asked)
			if err == nil {
				c.answered(said, asked)
			}
			if ended(err) {
				break
			}
			pace(rng, 0.7)
		}
		if err := t.end(); c.Err == errNone && err != nil && time.Now().After(until) {
			ended(err)
		}
	}
}

// beginStream begins a call of gRPC with messages both ways.
func (s *speaker) beginStream(context.Context) (*talk, error) {
	conn, err := s.dialCalls()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/soak.Lines/Talk")
	if err != nil {
		cancel()
		return nil, errors.Join(err, conn.Close())
	}
	say := func(text string) (string, error) {
		late := time.AfterFunc(callTimeout, cancel)
		defer late.Stop()
		asked, said := []byte(text), []byte(nil)
		if err := stream.SendMsg(&asked); err != nil && !errors.Is(err, io.EOF) { // which says that RecvMsg knows more
			return "", err
		}
		err := stream.RecvMsg(&said)
		return string(said), err
	}
	return &talk{say, func() error {
		defer cancel()
		defer conn.Close()
		late := time.AfterFunc(callTimeout, cancel)
		defer late.Stop()
		if err := stream.CloseSend(); err != nil {
			return err
		}
		var none []byte
		if err := stream.RecvMsg(&none); !errors.Is(err, io.EOF) {
			return fmt.Errorf("at the end of the stream: %w", err)
		}
		return nil
	}}, nil
}

// beginSocket opens a WebSocket with TLS.
func (s *speaker) beginSocket(ctx context.Context) (*talk, error) {
	d := websocket.Dialer{NetDialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
		return dialer.DialContext(ctx, "tcp4", addr)
	},
		TLSClientConfig: &tls.Config{RootCAs: s.roots}}
	c, res, err := d.DialContext(ctx, "wss://"+webName+"/socket", nil)
	if errors.Is(err, websocket.ErrBadHandshake) && res.StatusCode >= 500 { // of Trellis, for a target that is not there
		err = fmt.Errorf("status %d: %w", res.StatusCode, io.EOF)
	}
	if err != nil {
		return nil, err
	}
	say := func(text string) (string, error) {
		c.SetReadDeadline(time.Now().Add(callTimeout))
		c.SetWriteDeadline(time.Now().Add(callTimeout))
		if err := c.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
			return "", err
		}
		_, said, err := c.ReadMessage()
		var closed *websocket.CloseError
		if errors.As(err, &closed) && closed.Code == websocket.CloseAbnormalClosure { // of the connection, without a word
			err = io.EOF
		}
		return string(said), err
	}
	return &talk{say, func() error {
		defer c.Close()
		c.SetReadDeadline(time.Now().Add(callTimeout))
		if err := c.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")); err != nil {
			return err
		}
		if _, _, err := c.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseNormalClosure) {
			return fmt.Errorf("at the end of the WebSocket: %w", err)
		}
		return nil
	}}, nil
}

// lines talks line by line over a connection.
func lines(c net.Conn, closeWrite func() error) *talk {
	r := bufio.NewReader(c)
	say := func(text string) (string, error) {
		c.SetDeadline(time.Now().Add(callTimeout))
		if _, err := io.WriteString(c, text+"\n"); err != nil {
			return "", err
		}
		said, err := r.ReadString('\n')
		return strings.TrimSuffix(said, "\n"), err
	}
	return &talk{say, func() error {
		defer c.Close()
		c.SetDeadline(time.Now().Add(callTimeout))
		if err := closeWrite(); err != nil {
			return err
		}
		if _, err := r.ReadByte(); !errors.Is(err, io.EOF) {
			return fmt.Errorf("at the end of the connection: %w", err)
		}
		return nil
	}}
}

// beginTCP connects to the resource.
func (s *speaker) beginTCP(ctx context.Context) (*talk, error) {
	c, err := dialer.DialContext(ctx, "tcp4", fmt.Sprintf("%s:%d", s.cfg.Services["lines"], linesPort))
	if err != nil {
		return nil, err
	}
	return lines(c, c.(*net.TCPConn).CloseWrite), nil
}

// beginPassed connects to the service whose TLS is passed through.
func (s *speaker) beginPassed(ctx context.Context) (*talk, error) {
	nc, err := dialer.DialContext(ctx, "tcp4", passedName+":443")
	if err != nil {
		return nil, err
	}
	c := tls.Client(nc, &tls.Config{ServerName: passedName, InsecureSkipVerify: true, VerifyConnection: func(cs tls.ConnectionState) error {
		return cs.PeerCertificates[0].VerifyHostname(passedName) // the target's own, not one of Trellis'
	}})
	if err := c.HandshakeContext(ctx); err != nil {
		nc.Close()
		return nil, err
	}
	return lines(c, c.CloseWrite), nil
}
