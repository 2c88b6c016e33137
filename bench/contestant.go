package main

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/trellis-project/trellis/sigv4"
)

// Where the target listens, once for each target group: the first gets 90 % of the requests.
var (
	targetPorts = [2]int{9101, 9102}
	targets     = [2]string{fmt.Sprintf("%s:%d", targetIP, targetPorts[0]), fmt.Sprintf("%s:%d", targetIP, targetPorts[1])}
)

// What requests are made for and signed with; the same as in bench/plane.
const (
	serviceHost = "orders-0cccccccccccccccc.7d67968.vpc-lattice-svcs.eu-west-1.on.aws"
	region      = "eu-west-1"
	keyID       = "AKIABENCH00000000000"
	secret      = "the-secret-of-the-benchmark"
	rulePath    = "/svc00025/items" // in the middle of the fifty prefixes
)

// shape is how a contestant is set up.
type shape struct {
	routes int // 0: fifty prefixes with a split and five header rules; else so many with a target group each
	// Of the two legs, to clients and to targets. All have HTTP/1.1 in clear text as their zero value.
	clients, targets speech
}

// speech is what is spoken on a leg.
type speech string

// The speeches.
const (
	multiplexed speech = "HTTP/2"      // by prior knowledge, in clear text
	secured     speech = "TLS"         // and HTTP/1.1 inside of it
	passed      speech = "passthrough" // TLS that the target has the key of
	carried     speech = "TCP"         // whatever client and target say to each other
)

// passedName is the server name of TLS that is passed through; the same as in bench/plane.
const passedName = "passed.bench.test"

// changing prepares a change, whose effect is that newHost and /new/x are answered. What it returns makes it.
type changing func(b *bench, c *contestant, s shape, ps []*process) (func() error, error)

// contestant is one of those compared.
type contestant struct {
	name, title string // on the command line and in the results; in tables
	rows        string // letters of the rows that it is in
	port        int    // of proxyIP; 0: no proxy
	start       func(b *bench, c *contestant, s shape) ([]*process, error)
	change      changing
	legs        string // accelerated ones, of Trellis
	signed      string // "sigv4" or "token": how requests are
	hosts       bool   // with many routes each has a host of its own
	peer        bool   // a proxy of others, for "the best peer"
	slow        bool   // can't do 8,000 requests a second on one core
}

// contestants are all, in the order of the tables.
func contestants() []*contestant {
	return []*contestant{
		{name: "direct", title: "no proxy", rows: "abceijno", start: func(*bench, *contestant, shape) ([]*process, error) { return nil, nil }},
		{name: "nginx", title: "nginx", rows: "abcdefhijklmno", port: 9210, peer: true, start: startNginx, change: reloadNginx},
		{name: "haproxy", title: "HAProxy", rows: "abcdefhijklmno", port: 9220, peer: true, start: startHAProxy, change: reloadHAProxy},
		{name: "haproxy-map", title: "HAProxy, map entry", rows: "f", port: 9225, peer: true, start: startHAProxy, change: mapHAProxy},
		{name: "envoy", title: "Envoy", rows: "abcdefghijklmno", port: 9230, peer: true, start: startEnvoy, change: routeEnvoy},
		{name: "envoy-auth", title: "Envoy, JWT and RBAC", rows: "g", port: 9235, start: startEnvoyAuth, signed: "token"},
		{name: "envoys", title: "two Envoys, mTLS", rows: "abcde", port: 9240, peer: true, start: startEnvoys, slow: true},
		{name: "nethttp", title: "Go's ReverseProxy", rows: "abcdehijklm", port: 9250, peer: true, start: startReverseProxy},
		{name: "trellis", title: "Trellis", rows: "abcdefghijklmnop", port: 9260, start: startTrellis, change: changeTrellis("/service"), hosts: true},
		{name: "trellis-rules", title: "Trellis, all in one service", rows: "f", port: 9265, start: startTrellis, change: changeTrellis("/rule")},
		{name: "trellis-target", title: "Trellis, target leg accelerated", rows: "abcde", port: 9270, start: startTrellis, legs: "target"},
		{name: "trellis-both", title: "Trellis, both legs accelerated", rows: "abcde", port: 9275, start: startTrellis, legs: "both"},
		{name: "trellis-auth", title: "Trellis, SigV4 and two policies", rows: "g", port: 9280, start: startTrellis, signed: "sigv4"},
		{name: "moto", title: "moto", rows: "q", port: 9290, start: startMoto, slow: true},
		{name: "trellis-serve", title: "Trellis, the whole", rows: "qr", port: 9295, start: startServe},
	}
}

// in tells whether the contestant takes part in a row.
func (c *contestant) in(row string) bool { return strings.Contains(c.rows, row[:1]) }

// addr is where requests go.
func (c *contestant) addr() string {
	if c.port == 0 {
		return targets[0]
	}
	return fmt.Sprintf("%s:%d", proxyIP, c.port)
}

// routeHost is the host of one of many routes. Trellis' are services, which have names.
func (c *contestant) routeHost(route string) string {
	if c.hosts {
		return route + ".bench.test"
	}
	return serviceHost
}

// fields are the header fields of all requests, in the form Name: value.
func (c *contestant) fields(b *bench, host string) []string {
	fields := []string{"Host: " + host, "User-Agent: bench/1", "Accept: */*", "X-Request-Id: 0123456789abcdef", "X-Release-Channel: stable"}
	switch c.signed {
	case "token":
		fields = append(fields, "Authorization: Bearer "+b.token.text)
	case "sigv4":
		// Signed once: verifying is what is measured.
		r := sigv4.Request{Method: http.MethodGet, Path: rulePath, Host: host, Headers: []sigv4.Field{{Name: "Host", Value: host}}}
		for _, f := range sigv4.Sign(&r, keyID, secret, "", region, "vpc-lattice-svcs", sigv4.UnsignedPayload, time.Now()) {
			fields = append(fields, f.Name+": "+f.Value)
		}
	}
	return fields
}

// startReverseProxy starts bench/reverseproxy.
func startReverseProxy(b *bench, c *contestant, s shape) ([]*process, error) {
	args := []string{"-listen", c.addr(), "-target", targets[0], "-other", targets[1], "-log", b.dir + "/reverseproxy.log",
		fmt.Sprintf("-http2=%t", s.clients == multiplexed), fmt.Sprintf("-streams=%t", s.targets == multiplexed)}
	if s.clients == secured {
		file, err := b.certificates.write(b)
		if err != nil {
			return nil, err
		}
		args = append(args, "-certificate", file)
	}
	p, err := start(program{core: proxyCore, name: b.tools.ReverseProxy, args: args})
	return one(p), err
}
