package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// bench is one run of the comparison.
type bench struct {
	dir          string // on a tmpfs of its own
	disk         string // a folder on the disk
	data         string // data directory of the contestant that runs, below disk
	tools        tools
	certificates *certificates
	token        token
	length       time.Duration  // of one measurement
	awake        []*process     // keep the cores from halting
	profiles     string         // folder for CPU profiles of Trellis, none when empty
	profiled     int            // how many there are
	texts        map[string]int // sizes of the configuration files of the contestant that runs
}

// tools are the programs of the tree that are built for a run, and Envoy.
type tools struct{ Plane, Target, Load, ReverseProxy, API, Trellis, Envoy, Moto string }

// write writes a file for the contestant that is to run.
func (b *bench) write(name, text string) (string, error) {
	b.texts[name] = len(text)
	file := filepath.Join(b.dir, name)
	return file, os.WriteFile(file, []byte(text), 0o644)
}

// visit is one contestant that runs, with the target behind it, for one measurement: nothing else runs, and nothing
// that went before is left.
type visit struct {
	b      *bench
	c      *contestant
	shape  shape
	ps     []*process // none without a proxy
	target *process
	took   time.Duration // from the start to the first answer of the last route
}

// drowsy lets the cores halt while f runs. What keeps them awake uses them whole, and the host of a virtual machine
// that sees that takes them away for milliseconds at a time, which a rate of requests doesn't show but their tail does.
func (b *bench) drowsy(f func() error) error {
	signal := func(s syscall.Signal) (err error) {
		for _, p := range b.awake {
			err = errors.Join(err, p.cmd.Process.Signal(s))
		}
		return err
	}
	if err := signal(syscall.SIGSTOP); err != nil {
		return err
	}
	err := f()
	return errors.Join(err, signal(syscall.SIGCONT))
}

// errUnable is for acceleration that this build, or the kernel, can't do. It makes no run fail.
var errUnable = errors.New("unable")

// visit starts a contestant, calls f and stops it.
func (b *bench) visit(ctx context.Context, c *contestant, s shape, f func(*visit) error) (err error) {
	clear(b.texts)
	v := &visit{b: b, c: c, shape: s}
	defer func() {
		stop(append(v.ps, one(v.target)...))
		b.sweep()
	}()
	at := targets[:]
	if s.clients == carried && c.port != 0 { // a resource has the port that clients connect to
		at = append(slices.Clone(at), fmt.Sprintf("%s:%d", targetIP, c.port))
	}
	if v.target, err = start(program{core: loadCore, name: b.tools.Target, args: at, env: quiet}); err != nil {
		return err
	}
	if err := v.target.await(ctx, targets[0], 5*time.Second); err != nil {
		return err
	}
	begun := time.Now()
	if v.ps, err = c.start(b, c, s); err != nil {
		return err
	}
	for _, p := range v.ps {
		if err := p.await(ctx, c.addr(), time.Minute); err != nil {
			if c.legs != "" {
				err = fmt.Errorf("%w: %w", errUnable, err)
			}
			return err
		}
	}
	host, path := serviceHost, rulePath
	if s.routes > 0 {
		route := fmt.Sprintf("svc%05d", s.routes-1)
		host, path = c.routeHost(route), "/"+route+"/x"
	}
	if err := v.answers(ctx, host, path, time.Minute); err != nil {
		return err
	}
	v.took = time.Since(begun)
	return f(v)
}

// quiet is the environment of programs that never give their thread away: the runtime need not interrupt them.
var quiet = []string{"GODEBUG=asyncpreemptoff=1", "GOMAXPROCS=1"}

// sweep removes logs and the like, which are memory.
func (b *bench) sweep() {
	files, _ := filepath.Glob(b.dir + "/*")
	for _, f := range files {
		os.RemoveAll(f)
	}
}

// usage is what a measurement cost.
type usage struct {
	proxy, target, load time.Duration
	wall                time.Duration
	foreign             float64 // cores that others used or the host took, besides what is known of
}

// around measures what everybody uses while f runs. f says what the load used.
func (v *visit) around(f func() (load time.Duration, err error)) (u usage, err error) {
	var before, after [3]time.Duration
	read := func(to *[3]time.Duration) {
		for i, ps := range [][]*process{v.ps, one(v.target), v.b.awake} {
			t, e := cpuTime(ps)
			to[i], err = t, errors.Join(err, e)
		}
	}
	read(&before)
	used, stolen := busy()
	begun := time.Now()
	load, e := f()
	if err = errors.Join(err, e); err != nil {
		return usage{}, err
	}
	u.wall = time.Since(begun)
	usedAfter, stolenAfter := busy()
	read(&after)
	u.proxy, u.target, u.load = after[0]-before[0], after[1]-before[1], load
	u.foreign = max(0, (usedAfter-used+stolenAfter-stolen-u.proxy-u.target-(after[2]-before[2])-load).Seconds()/u.wall.Seconds())
	return u, err
}

// answers waits until a request is answered with 200.
func (v *visit) answers(ctx context.Context, host, path string, within time.Duration) error {
	for limit := time.Now().Add(within); ; {
		status, err := v.ask(host, path)
		if status == http.StatusOK {
			return nil
		}
		if time.Now().After(limit) {
			return fmt.Errorf("%s doesn't answer %s%s: status %d, %w", v.c.name, host, path, status, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(500 * time.Microsecond):
		}
	}
}

// ask makes one request on a connection of its own, so that it meets who listens now.
func (v *visit) ask(host, path string) (status int, err error) {
	conn, err := net.DialTimeout("tcp", v.c.addr(), 5*time.Second)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	switch v.shape.clients {
	case multiplexed:
		return v.askHTTP2(conn, host, path)
	case passed, carried:
		// The target has no TLS to answer with: that anything comes is enough.
		tls.Client(conn, &tls.Config{ServerName: passedName}).Handshake()
		if _, err := conn.Read(make([]byte, 1)); err != nil {
			return 0, err
		}
		return http.StatusOK, nil
	case secured:
		conn = tls.Client(conn, &tls.Config{ServerName: host, InsecureSkipVerify: true, MinVersion: tls.VersionTLS13})
	}
	head := "GET " + path + " HTTP/1.1\r\n" + strings.Join(v.c.fields(v.b, host), "\r\n") + "\r\n\r\n"
	if _, err := conn.Write([]byte(head)); err != nil {
		return 0, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, nil
}

// askHTTP2 makes a request of HTTP/2.
func (v *visit) askHTTP2(conn net.Conn, host, path string) (status int, err error) {
	t := &http.Transport{Protocols: new(http.Protocols), DialContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil }}
	t.Protocols.SetUnencryptedHTTP2(true)
	req, err := http.NewRequest(http.MethodGet, "http://"+host+path, nil)
	if err != nil {
		return 0, err
	}
	for _, f := range v.c.fields(v.b, host) {
		if name, value, _ := strings.Cut(f, ": "); name != "Host" {
			req.Header.Set(name, value)
		}
	}
	resp, err := t.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}
