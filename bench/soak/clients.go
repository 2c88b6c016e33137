package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/trellis-project/trellis/sigv4"
)

// callTimeout bounds one call of the clients.
const callTimeout = 25 * time.Second

// clientConfig is what a client is told, as JSON in SOAK_CLIENT.
type clientConfig struct {
	Kind     string            `json:"kind"`     // go, signed, odd, speak, curl, probe, python, node
	Services map[string]string `json:"services"` // which may be called: name in the world → DNS name
	Wants    []string          `json:"wants"`    // targets of the service mix
	Rate     float64           `json:"rate"`     // calls in a second
	Seed     uint64            `json:"seed"`
	Rules    int               `json:"rules"` // of the service shift
	Big      int64             `json:"big"`   // bytes of the biggest body
	IPv6     bool              `json:"ipv6"`  // connect to the AAAA address
	Root     string            `json:"root"`  // file of the authority's certificate
}

// abilities are the cases that each target of the service mix can answer. What Python's and Node's clients call is a
// part of it (runtimes/client.*).
var abilities = map[string][]string{
	"go":      {"echo", "echo", "big", "sum", "big-sum", "chunked", "slow", "pieces", "head", "code", "hints", "early", "close", "continue", "chunked-sum"},
	"node":    {"echo", "echo", "big", "sum", "chunked", "slow", "head", "code", "hints", "early", "close", "chunked-sum"},
	"threads": {"echo", "echo", "big", "sum", "chunked", "slow", "head", "code", "close", "chunked-sum"},
	"asyncio": {"echo", "echo", "sum", "chunked", "slow", "pieces", "close", "chunked-sum"},
	"c":       {"echo", "echo", "sum", "head", "big-sum"},
	"nginx":   {"static", "static", "head-static"},
	"raw": {"echo", "sum", "reset-after", "half-close", "until-close", "version-1.0", "truncated", "truncated-chunks", "garbage", "hang-up", "extra",
		"slow-head", "many-hints", "big-head", "early-close", "odd-chunks"},
}

// plan is one request to be made.
type plan struct {
	service, kind, want string
	host                string // empty: that of the service
	rule                int    // of the service shift, from 1
	method, path, nonce string
	upload              int64 // bytes to send; -1 for none
	size                int64 // bytes that the answer's body must have; -1: the checksum of the upload, -2: not looked at
	chunked             bool  // the upload
	header              [][2]string
}

// nonce is a new one; no two requests of a soak have the same.
func nonce(rng *rand.Rand) string { return fmt.Sprintf("%016x", rng.Uint64()) }

// choose makes up a request.
func (cfg *clientConfig) choose(rng *rand.Rand, services []string) *plan {
	p := &plan{service: services[rng.IntN(len(services))], nonce: nonce(rng), method: http.MethodGet, upload: -1}
	if _, ok := cfg.Services["mix"]; ok && rng.IntN(2) == 0 {
		p.service = "mix"
	}
	p.kind = []string{"echo", "echo", "sum", "chunked"}[rng.IntN(4)]
	switch p.service {
	case "mix":
		p.want = cfg.Wants[rng.IntN(len(cfg.Wants))]
		p.kind = abilities[p.want][rng.IntN(len(abilities[p.want]))]
		p.header = append(p.header, [2]string{"x-want", p.want})
	case "shift":
		p.rule = 1 + rng.IntN(cfg.Rules)
		p.path = "/r/" + strconv.Itoa(p.rule)
	case "fixed":
		p.path = []string{"/other", "/gone/x"}[rng.IntN(2)]
	}
	p.fill(rng, cfg.Big)
	return p
}

// fill completes a plan from its kind.
func (p *plan) fill(rng *rand.Rand, big int64) {
	p.size = 1 + rng.Int64N(3000) // nothing can be cut from an empty body
	more := ""
	path := "/echo"
	switch p.kind {
	case "big":
		p.size = 1<<20 + rng.Int64N(max(big-1<<20, 1))
	case "sum", "big-sum", "chunked-sum", "continue":
		path, p.method, p.upload, p.size = "/sum", http.MethodPost, rng.Int64N(20000), -1
		if p.kind == "big-sum" {
			p.upload = 1<<20 + rng.Int64N(max(big-1<<20, 1))
		}
		p.chunked = p.kind == "chunked-sum"
		if p.kind == "continue" {
			p.header = append(p.header, [2]string{"Expect", "100-continue"})
		}
	case "chunked":
		more = "&chunked=1"
	case "slow":
		more = "&ms=" + strconv.Itoa(200+rng.IntN(1500))
	case "pieces":
		more = "&pieces=5&chunked=1"
	case "close":
		more = "&close=1"
	case "head":
		p.method = http.MethodHead
	case "code":
		path, p.size = "/code", 0
		more = "&code=" + []string{"204", "304"}[rng.IntN(2)]
	case "hints":
		path, p.size = "/hints", -2
	case "early":
		path, p.method, p.upload, p.size = "/early", http.MethodPost, 200000+rng.Int64N(1<<20), -2
	case "static", "head-static":
		p.size = staticSize
		if p.kind == "head-static" {
			p.method = http.MethodHead
		}
	case "echo":
	default: // of the raw target
		path, more = "/odd", "&mode="+p.kind
		if p.kind == "early-close" {
			p.method, p.upload, p.size = http.MethodPost, 500000, -2
		}
	}
	p.path += path + "?n=" + p.nonce + "&size=" + strconv.FormatInt(max(p.size, 0), 10) + more
}

// bornConn is a connection that knows when it was made.
type bornConn struct {
	net.Conn
	at time.Time
}

// caller makes calls with Go's net/http.
type caller struct {
	cfg    *clientConfig
	scheme string
	http   *http.Client
	sign   func(*http.Request) error // nil: unsigned
}

// newCaller returns a caller with connections of its own.
func newCaller(cfg *clientConfig) *caller {
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	t := &http.Transport{MaxIdleConnsPerHost: 16, IdleConnTimeout: 30 * time.Second, DisableCompression: true, ExpectContinueTimeout: 3 * time.Second}
	network := "tcp4"
	if cfg.IPv6 {
		network = "tcp6"
	}
	t.DialContext = func(ctx context.Context, _, addr string) (net.Conn, error) {
		c, err := dialer.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return bornConn{c, time.Now()}, nil
	}
	return &caller{cfg: cfg, scheme: "http", http: &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// do makes a planned call and checks the answer.
func (k *caller) do(p *plan) *call {
	c := stopwatch(k.cfg.Kind, p.service, p.kind, p.want)
	c.Rule = p.rule
	defer func() { c.End = time.Now().UnixNano() }()
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	conn := ""
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) {
		nc := i.Conn
		if secure, ok := nc.(*tls.Conn); ok {
			nc = secure.NetConn()
		}
		if b, ok := nc.(bornConn); ok {
			c.Born = b.at.UnixNano()
		}
		conn = fmt.Sprintf("%s→%s reused=%t", i.Conn.LocalAddr(), i.Conn.RemoteAddr(), i.Reused)
	}})
	var body io.Reader
	if p.upload >= 0 {
		body = newPattern(p.nonce, p.upload)
	}
	host := p.host
	if host == "" {
		host = k.cfg.Services[p.service]
	}
	req, err := http.NewRequestWithContext(ctx, p.method, k.scheme+"://"+host+p.path, body)
	if err != nil {
		c.fail(errOther, "%v", err)
		return c
	}
	if p.upload >= 0 && !p.chunked {
		req.ContentLength = p.upload
	}
	for _, h := range p.header {
		req.Header.Set(h[0], h[1])
	}
	if k.sign != nil {
		if err := k.sign(req); err != nil {
			c.fail(errOther, "sign: %v", err)
			return c
		}
	}
	res, err := k.http.Do(req)
	if err != nil {
		c.fail(classify(err, false), "%s %s, %s: %v", p.method, p.path, conn, err)
		return c
	}
	defer res.Body.Close()
	p.verify(c, res.StatusCode, res.Header.Get("X-From"), res.Header.Get("X-Nonce"), res.Body)
	if c.Text != "" || c.Status >= 400 {
		c.Text = strings.TrimSpace(fmt.Sprintf("%s %s, %s, request id %s: %s", p.method, p.path, conn, res.Header.Get("X-Amzn-Requestid"), c.Text))
	}
	return c
}

// verify holds an answer against the plan. An answer without X-From is Trellis' own: its text goes into the call.
func (p *plan) verify(c *call, status int, from, got string, body io.Reader) {
	c.Status, c.From = status, from
	if from == "" {
		text, err := io.ReadAll(io.LimitReader(body, 1000))
		c.Text = string(text)
		if err != nil {
			c.fail(classify(err, true), "answer of Trellis: %v", err)
		}
		return
	}
	if got != p.nonce && p.want != "nginx" {
		c.fail(errWrong, "the answer to %s belongs to another request, %s", p.nonce, got)
		return
	}
	if p.want != "" && from != p.want {
		c.fail(errWrong, "%s answered in place of %s", from, p.want)
		return
	}
	if status != http.StatusOK || p.size == -2 {
		if _, err := io.Copy(io.Discard, body); err != nil {
			c.fail(classify(err, true), "%v", err)
		}
		return
	}
	if p.size == -1 {
		text, err := io.ReadAll(io.LimitReader(body, 1000))
		if want := sumOf(p.nonce, p.upload); err == nil && string(text) != want {
			c.fail(errWrong, "the target got %q in place of %q", text, want)
		} else if err != nil {
			c.fail(classify(err, true), "%v", err)
		}
		return
	}
	size, of := p.size, p.nonce
	if p.method == http.MethodHead {
		size = 0
	}
	if p.want == "nginx" {
		of = staticNonce
	}
	check := newCheck(of, size)
	_, err := io.Copy(check, body)
	switch bad := check.verdict(); {
	case err != nil:
		c.fail(classify(err, true), "after %d of %d bytes: %v", check.at, size, err)
	case bad != "":
		c.fail(errWrong, "%s", bad)
	}
}

// pace waits so that calls come at a rate, at chance moments.
func pace(rng *rand.Rand, rate float64) {
	time.Sleep(time.Duration(rng.ExpFloat64() / rate * float64(time.Second)))
}

// playClient is the role of a Go client in an instance: it calls until its standard input ends.
func playClient() error {
	var cfg clientConfig
	if err := json.Unmarshal([]byte(os.Getenv("SOAK_CLIENT")), &cfg); err != nil {
		return err
	}
	out := newReporter(os.Stdout)
	if cfg.Kind == "probe" {
		return probe(&cfg, out)
	}
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	if cfg.Kind == "speak" {
		return speak(&cfg, out)
	}
	var services []string
	for s := range cfg.Services {
		services = append(services, s)
	}
	slices.Sort(services)
	const workers = 6
	for i := range workers {
		rng := rand.New(rand.NewPCG(cfg.Seed, uint64(i)))
		k := newCaller(&cfg)
		if cfg.Kind == "signed" {
			k.sign = (&signer{}).sign
		}
		go func() {
			for n := 0; ; n++ {
				pace(rng, cfg.Rate/workers)
				switch cfg.Kind {
				case "odd":
					out.report(oddCall(&cfg, rng))
				case "curl":
					p := cfg.choose(rng, services)
					for p.upload >= 0 || p.size == -2 || p.method != http.MethodGet {
						p = cfg.choose(rng, services)
					}
					out.report(curl(&cfg, p))
				default:
					out.report(k.do(cfg.choose(rng, services)))
				}
				if n%50 == 49 {
					k.http.CloseIdleConnections() // so that connections are new now and then
				}
			}
		}()
	}
	select {}
}

// curl makes a call with curl, on a connection of its own.
func curl(cfg *clientConfig, p *plan) *call {
	c := stopwatch("curl", p.service, p.kind, p.want)
	c.Rule = p.rule
	args := []string{"-sS", "-m", "25", "-w", "%{stderr}|%{http_code}|%header{x-from}|%header{x-nonce}|%{local_port}", "http://" + cfg.Services[p.service] + p.path}
	for _, h := range p.header {
		args = append(args, "-H", h[0]+": "+h[1])
	}
	cmd := exec.Command("curl", args...)
	var body, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &body, &errs
	err := cmd.Run()
	c.End = time.Now().UnixNano()
	f := strings.Split(errs.String(), "|")
	if len(f) == 5 {
		c.Status, _ = strconv.Atoi(f[1]) // 000 without an answer
		p.verify(c, c.Status, f[2], f[3], strings.NewReader(body.String()))
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		kinds := map[int]string{6: errResolve, 7: errRefused, 18: errCut, 28: errTimeout, 52: errClosed, 55: errReset, 56: errReset}
		kind := kinds[exit.ExitCode()]
		if kind == "" {
			kind = errOther
		}
		if c.Status != 0 && kind == errReset {
			kind = errCut
		}
		c.fail(kind, "curl %s: %s", p.path, errs.String())
	} else if err != nil {
		c.fail(errOther, "curl: %v", err)
	}
	return c
}

// signer signs requests with the credentials of the instance's role, from its metadata.
type signer struct {
	id, secret, token string
	until             time.Time
}

// sign signs a request with an unsigned payload.
func (s *signer) sign(req *http.Request) error {
	if time.Now().After(s.until) {
		if err := s.fetch(); err != nil {
			return err
		}
	}
	r := &sigv4.Request{Method: req.Method, Path: req.URL.EscapedPath(), RawQuery: req.URL.RawQuery, Host: req.URL.Host}
	for _, f := range sigv4.Sign(r, s.id, s.secret, s.token, region, "vpc-lattice-svcs", "UNSIGNED-PAYLOAD", time.Now()) {
		if !strings.EqualFold(f.Name, "host") {
			req.Header.Set(f.Name, f.Value)
		}
	}
	return nil
}

// fetch gets new credentials from instance metadata (IMDSv2), for five minutes' use.
func (s *signer) fetch() error {
	const imds = "http://169.254.169.254/latest/"
	ask := func(method, path, name, value string) (string, error) {
		req, err := http.NewRequest(method, imds+path, nil)
		if err != nil {
			return "", err
		}
		req.Header.Set(name, value)
		res, err := (&http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
		if err != nil {
			return "", err
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err == nil && res.StatusCode != http.StatusOK {
			err = fmt.Errorf("instance metadata: %s %s: %s", method, path, res.Status)
		}
		return string(b), err
	}
	token, err := ask(http.MethodPut, "api/token", "X-aws-ec2-metadata-token-ttl-seconds", "300")
	if err != nil {
		return err
	}
	const path = "meta-data/iam/security-credentials/"
	role, err := ask(http.MethodGet, path, "X-aws-ec2-metadata-token", token)
	if err != nil {
		return err
	}
	text, err := ask(http.MethodGet, path+role, "X-aws-ec2-metadata-token", token)
	if err != nil {
		return err
	}
	var c struct{ AccessKeyId, SecretAccessKey, Token string }
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return err
	}
	s.id, s.secret, s.token, s.until = c.AccessKeyId, c.SecretAccessKey, c.Token, time.Now().Add(5*time.Minute)
	return nil
}

// job is a call that churn wants to be made: by a new connection, now.
type job struct {
	ID      string `json:"id"`
	Service string `json:"service"`
	Host    string `json:"host"` // with a port when it is not 80
	Millis  int    `json:"millis"`
}

// probe makes the calls that come as lines on standard input.
func probe(cfg *clientConfig, out *reporter) error {
	rng := rand.New(rand.NewPCG(cfg.Seed, 99))
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var j job
		if err := json.Unmarshal(lines.Bytes(), &j); err != nil {
			return err
		}
		p := &plan{service: j.Service, kind: "echo", nonce: nonce(rng), method: http.MethodGet, upload: -1}
		p.fill(rng, 0)
		go func() {
			own := *cfg
			own.Services = map[string]string{j.Service: j.Host}
			k := newCaller(&own)
			k.http.Timeout = time.Duration(j.Millis) * time.Millisecond
			c := k.do(p)
			k.http.CloseIdleConnections()
			c.ID = j.ID
			out.report(c)
		}()
	}
	return nil
}
