// Command reverseproxy is Go's net/http/httputil.ReverseProxy doing the work of a comparison: fifty path prefixes,
// five header rules, a weighted split, a JSON access log. It is what one would write first, and so what an own
// engine has to be worth.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"log"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"
)

// rules are the header values and path prefixes of the comparison.
type rules struct {
	channels []string
	prefixes []string
}

// match finds the target of a request, of two: 90 % of what matches a prefix go to the first.
func (r rules) match(req *http.Request, targets [2]*url.URL) *url.URL {
	if channel := req.Header.Get("X-Release-Channel"); channel != "" {
		for _, c := range r.channels {
			if c == channel {
				return targets[1]
			}
		}
	}
	for _, p := range r.prefixes {
		if strings.HasPrefix(req.URL.Path, p) {
			if rand.IntN(100) < 90 {
				return targets[0]
			}
			return targets[1]
		}
	}
	return nil
}

// seen counts what an answer was.
type seen struct {
	http.ResponseWriter
	status int
	bytes  int64
}

// WriteHeader notes the status.
func (s *seen) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

// Write counts.
func (s *seen) Write(b []byte) (int, error) {
	n, err := s.ResponseWriter.Write(b)
	s.bytes += int64(n)
	return n, err
}

// Unwrap is for http.ResponseController.
func (s *seen) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// buffers are the buffers that bodies are copied with.
type buffers struct{ pool sync.Pool }

// Get takes one.
func (b *buffers) Get() []byte { return *b.pool.Get().(*[]byte) }

// Put gives one back.
func (b *buffers) Put(buf []byte) { b.pool.Put(&buf) }

// file is a log file that is written once a second.
type file struct {
	mu sync.Mutex
	w  *bufio.Writer
}

// Write appends a line.
func (f *file) Write(b []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.w.Write(b)
}

// flush writes what is there, every second.
func (f *file) flush() {
	for range time.Tick(time.Second) {
		f.mu.Lock()
		f.w.Flush()
		f.mu.Unlock()
	}
}

// main serves until it is killed.
func main() {
	listen := flag.String("listen", "127.0.0.1:9400", "address to listen on")
	target := flag.String("target", "127.0.0.1:9401", "address of the target that gets 90 % of the requests")
	other := flag.String("other", "127.0.0.1:9402", "address of the target that gets 10 %")
	logFile := flag.String("log", os.DevNull, "file for the access log")
	certificate := flag.String("certificate", "", "file of a certificate to serve TLS with, and of its private key")
	multiplexed := flag.Bool("http2", false, "take HTTP/2 by prior knowledge")
	streams := flag.Bool("streams", false, "send requests to the targets by HTTP/2, by prior knowledge")
	flag.Parse()
	log.SetFlags(0)
	out, err := os.Create(*logFile)
	if err != nil {
		log.Fatalf("create access log: %v", err)
	}
	access := &file{w: bufio.NewWriterSize(out, 64<<10)}
	go access.flush() // ends with the process
	var r rules
	for i := range 5 {
		r.channels = append(r.channels, fmt.Sprintf("canary%d", i))
	}
	for i := range 50 {
		r.prefixes = append(r.prefixes, fmt.Sprintf("/svc%05d/", i))
	}
	targets := [2]*url.URL{{Scheme: "http", Host: *target}, {Scheme: "http", Host: *other}}
	server := &http.Server{Addr: *listen, Handler: handler(r, targets, protocols(*streams), slog.New(slog.NewJSONHandler(access, nil))), Protocols: protocols(*multiplexed)}
	if *certificate != "" {
		log.Fatal(server.ListenAndServeTLS(*certificate, *certificate))
	}
	log.Fatal(server.ListenAndServe())
}

// protocols is HTTP/1.1, or HTTP/2 without TLS.
func protocols(http2 bool) *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(!http2)
	p.SetUnencryptedHTTP2(http2)
	return p
}

// handler is the proxy.
func handler(r rules, targets [2]*url.URL, speak *http.Protocols, access *slog.Logger) http.Handler {
	proxies := map[*url.URL]*httputil.ReverseProxy{}
	transport := &http.Transport{MaxIdleConnsPerHost: 1024, IdleConnTimeout: 10 * time.Minute, DisableCompression: true, Protocols: speak}
	pool := &buffers{sync.Pool{New: func() any { b := make([]byte, 64<<10); return &b }}}
	for _, t := range targets {
		proxies[t] = &httputil.ReverseProxy{Transport: transport, BufferPool: pool, Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(t)
			p.Out.Host = p.In.Host
			p.SetXForwarded()
		}}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		start := time.Now()
		t := r.match(req, targets)
		if t == nil {
			http.NotFound(w, req)
			return
		}
		s := &seen{ResponseWriter: w, status: http.StatusOK}
		proxies[t].ServeHTTP(s, req)
		access.LogAttrs(req.Context(), slog.LevelInfo, "request", slog.String("method", req.Method), slog.String("path", req.URL.Path),
			slog.String("protocol", req.Proto), slog.String("host", req.Host), slog.String("userAgent", req.UserAgent()),
			slog.String("requestId", req.Header.Get("X-Request-Id")), slog.String("source", req.RemoteAddr), slog.String("target", t.Host),
			slog.String("channel", req.Header.Get("X-Release-Channel")), slog.Int("status", s.status), slog.Int64("received", req.ContentLength),
			slog.Int64("sent", s.bytes), slog.Duration("duration", time.Since(start)))
	})
}
